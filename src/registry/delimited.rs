//! CSV as it comes out of spreadsheets and old systems.
//!
//! The separator is whichever of `;`, `,` and tab stands most often in the first line, or what `sep=` in a line of
//! its own says. UTF-8 with or without byte order mark, UTF-16 with one, otherwise Windows-1252.

use super::faults::Faults;
use super::read::Limits;
use super::sheet::{Cell, Row, Sheet};
use encoding_rs::{Encoding, WINDOWS_1252};
use std::borrow::Cow;

const SEPARATORS: [u8; 3] = *b";,\t";

pub(super) fn read(limits: &Limits, bytes: &[u8], faults: &mut Faults) -> Option<Sheet> {
    let text = decode(bytes);
    let (separator, skipped, body) = separator(&text);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(true).has_headers(false).from_reader(body.as_bytes());
    let mut sheet = Sheet::default();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                faults.note_file(format!("not readable as CSV: {error}"));
                return None;
            }
        }
        let line = record.position().map_or(0, csv::Position::line) + skipped;
        let number = u32::try_from(line).unwrap_or(u32::MAX);
        if sheet.columns.is_empty() {
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            header(limits, &mut sheet, &record, number, faults)?;
            continue;
        }
        let row = Row { number, cells: record.iter().map(Cell::written).collect() };
        if row.cells.iter().skip(sheet.columns.len()).any(|cell| *cell != Cell::Empty) {
            let (cells, columns) = (row.cells.len(), sheet.columns.len());
            let remedy = "put quotes around values that hold the separator";
            faults.note(number, "", format!("{cells} values for {columns} columns; {remedy}"));
        } else if !sheet.push(row, limits, faults) {
            break;
        }
    }
    if sheet.columns.is_empty() {
        faults.note_file("the file is empty");
        return None;
    }
    Some(sheet)
}

fn header(
    limits: &Limits,
    sheet: &mut Sheet,
    record: &csv::StringRecord,
    number: u32,
    faults: &mut Faults,
) -> Option<()> {
    if record.len() > limits.columns_max {
        faults.note(number, "", format!("{} columns, at most {} are read", record.len(), limits.columns_max));
        return None;
    }
    sheet.header_row = number;
    sheet.columns = record.iter().map(|name| name.trim().to_owned()).collect();
    Some(())
}

fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// The separator, the number of lines it took to say so, and the rest of the text.
fn separator(text: &str) -> (u8, u64, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let [separator] = first.trim_end().strip_prefix("sep=").unwrap_or_default().as_bytes()
        && SEPARATORS.contains(separator)
    {
        return (*separator, 1, rest);
    }
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: u8| {
        let mut quoted = false;
        header
            .bytes()
            .filter(|byte| {
                quoted ^= *byte == b'"';
                *byte == separator && !quoted
            })
            .count()
    };
    // The first of the most frequent, so that a file with one column has `;`.
    let most = SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b';');
    (most, 0, text)
}
