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
    let (separator, body) = separator(&text);
    if let Some(opened) = unclosed_quote(body, separator) {
        let number = u32::try_from(Lines::of(&text).number_at(text.len() - body.len() + opened)).unwrap_or(u32::MAX);
        faults.note(number, "", "a value that begins here with a quote has no quote at its end");
        return None;
    }
    let mut lines = Lines::of(&text);
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
        let begins = record.position().map_or(0, csv::Position::byte) as usize + text.len() - body.len();
        let number = u32::try_from(lines.number_at(begins)).unwrap_or(u32::MAX);
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

/// Line numbers as an editor shows them, for places that only go forward.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    number: u64,
}

impl<'a> Lines<'a> {
    const fn of(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, number: 1 }
    }

    /// The line of the record that begins at `place`, behind what is left of line ends before it.
    fn number_at(&mut self, place: usize) -> u64 {
        while let Some(byte) = self.text.get(self.at).filter(|byte| self.at < place || matches!(byte, b'\r' | b'\n')) {
            let ends = match byte {
                b'\n' => true,
                b'\r' => self.text.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            self.number += u64::from(ends);
            self.at += 1;
        }
        self.number
    }
}

/// Where a quoted value begins that goes on to the end of the file.
fn unclosed_quote(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut opened, mut closed) = (None, None);
    for (at, byte) in bytes.iter().enumerate() {
        let begins = at == 0 || bytes[at - 1] == separator || matches!(bytes[at - 1], b'\r' | b'\n');
        match (byte, opened) {
            (b'"', Some(_)) => (opened, closed) = (None, Some(at)),
            // Two quotes inside a quoted value close it and open it again.
            (b'"', None) if begins || closed == at.checked_sub(1) && at > 0 => opened = Some(at),
            _ => {}
        }
    }
    opened
}

/// The separator, and the text without the line that says so.
fn separator(text: &str) -> (u8, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let [separator] = first.trim_end().strip_prefix("sep=").unwrap_or_default().as_bytes()
        && SEPARATORS.contains(separator)
    {
        return (*separator, rest);
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
    (most, text)
}
