//! XLSX: the first sheet; its first row that is not empty names the columns.
//!
//! Formulas count by the value that the spreadsheet has stored. What a file would unpack to is added up before
//! anything is unpacked.

use super::faults::Faults;
use super::read::Limits;
use super::sheet::{Cell, Row, Sheet};
use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use std::io::Cursor;

pub(super) fn read(limits: &Limits, bytes: &[u8], faults: &mut Faults) -> Option<Sheet> {
    match unpacked_bytes(bytes) {
        Some(unpacked) if unpacked <= limits.unpacked_bytes_max => {}
        Some(unpacked) => {
            faults.note_file(format!("unpacks to {unpacked} bytes, at most {} are read", limits.unpacked_bytes_max));
            return None;
        }
        None => {
            faults.note_file("not an XLSX file, or cut short");
            return None;
        }
    }
    let mut sheet = Sheet::default();
    if let Err(error) = first_sheet(limits, bytes, &mut sheet, faults) {
        faults.note_file(format!("not readable as XLSX: {error}"));
        return None;
    }
    if sheet.columns.is_empty() && faults.is_empty() {
        faults.note_file("the first sheet is empty");
    }
    faults.is_empty().then_some(sheet).filter(|sheet| !sheet.columns.is_empty())
}

fn first_sheet(limits: &Limits, bytes: &[u8], sheet: &mut Sheet, faults: &mut Faults) -> Result<(), XlsxError> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes))?;
    let Some(name) = book.sheet_names().into_iter().next() else { return Ok(()) };
    let mut cells = book.worksheet_cells_reader(&name)?;
    let mut row = Row { number: 0, cells: Vec::new() };
    while let Some(found) = cells.next_cell()? {
        let (row_index, column) = found.get_position();
        let number = row_index.saturating_add(1);
        if number != row.number {
            let whole = std::mem::replace(&mut row, Row { number, cells: Vec::new() });
            if !take_row(whole, sheet, limits, faults) {
                return Ok(());
            }
        }
        let cell = cell(found.get_value(), number, faults);
        let column = column as usize;
        if cell == Cell::Empty {
            continue;
        }
        if column >= limits.columns_max {
            faults.note(
                number,
                "",
                format!("a value in column {}, at most {} are read", column + 1, limits.columns_max),
            );
            continue;
        }
        row.cells.resize(row.cells.len().max(column + 1), Cell::Empty);
        row.cells[column] = cell;
    }
    take_row(row, sheet, limits, faults);
    Ok(())
}

/// The first row that is not empty names the columns.
fn take_row(row: Row, sheet: &mut Sheet, limits: &Limits, faults: &mut Faults) -> bool {
    if row.is_empty() || !sheet.columns.is_empty() {
        return sheet.push(row, limits, faults);
    }
    sheet.header_row = row.number;
    sheet.columns = row
        .cells
        .into_iter()
        .map(|cell| match cell {
            Cell::Written(text) | Cell::Text(text) => text,
            Cell::Number(number) => number.to_string(),
            Cell::Boolean(flag) => flag.to_string(),
            Cell::Empty => String::new(),
        })
        .collect();
    true
}

fn cell(value: &DataRef<'_>, row: u32, faults: &mut Faults) -> Cell {
    match value {
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(flag) => Cell::Boolean(*flag),
        DataRef::DateTime(moment) => date(moment),
        DataRef::Error(error) => {
            faults.note(row, "", format!("a cell holds the error {error}"));
            Cell::Empty
        }
        DataRef::Empty => Cell::Empty,
    }
}

/// The day; nothing here needs the time of day.
fn date(moment: &ExcelDateTime) -> Cell {
    let (year, month, day, ..) = moment.to_ymd_hms_milli();
    Cell::Text(format!("{year:04}-{month:02}-{day:02}"))
}

/// The sum of the sizes that the archive's directory tells; none when there is no such directory.
fn unpacked_bytes(bytes: &[u8]) -> Option<u64> {
    const END: &[u8] = b"PK\x05\x06";
    const ENTRY: &[u8] = b"PK\x01\x02";
    let two = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let four = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    // The end record is followed by a comment of at most 65,535 bytes.
    let from = bytes.len().saturating_sub(22 + 65_535);
    let end = from + bytes[from..].windows(4).rposition(|window| window == END)?;
    let entries = two(end + 10)?;
    let mut at = four(end + 16)? as usize;
    let mut sum = 0_u64;
    for _ in 0..entries {
        if bytes.get(at..at.checked_add(4)?)? != ENTRY {
            return None;
        }
        sum += u64::from(four(at + 24)?);
        at += 46 + usize::from(two(at + 28)?) + usize::from(two(at + 30)?) + usize::from(two(at + 32)?);
    }
    Some(sum)
}
