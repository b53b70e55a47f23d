//! Recorded series from files: one CSV file per container, a column of times and one of fill levels in percent.
//!
//! Headers, delimiters and ways to write a time differ; this reads what it can. A row that cannot be read is kept as
//! a fault with file and line and never stops anything. What a value means is not judged here: the gateway
//! quarantines what cannot be. Start with `read`.

use super::civil;
use crate::domain::time::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;

/// Faults kept word for word for each file; the rest is only counted.
const FAULTS_KEPT: usize = 20;
/// Rows read of one file: a century of minutes would be more.
pub(crate) const ROWS_MAX: usize = 5_000_000;
/// Part of a value that a fault quotes.
const QUOTED_CHARS: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub at: Timestamp,
    pub percent: f64,
    pub line: u64,
}

/// What was wrong with a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// The first.
    pub first: Vec<RowFault>,
    pub count: u64,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// In the order of the file.
    pub rows: Vec<Row>,
    /// The first faults.
    pub faults: Vec<RowFault>,
    pub faults_count: u64,
}

/// A row that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub file: String,
    pub line: u64,
    pub why: String,
}

/// Which columns to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    time: usize,
    value: usize,
    /// Which container a row is about.
    container: Option<usize>,
}

const TIME_NAMES: [&str; 6] = ["time", "tid", "date", "dato", "observed", "stamp"];
const VALUE_NAMES: [&str; 8] = ["fill", "fyld", "fullness", "pct", "percent", "value", "level", "niveau"];
/// The first that any column has counts; the last only as a whole.
const CONTAINER_NAMES: [&str; 8] = ["serial", "container", "beholder", "spand", "bin", "asset", "device", "id"];

/// Reads the text of one file about one container; `file` is its name as faults quote it.
pub(crate) fn read(file: &str, bytes: &[u8]) -> Series {
    let mut rows = Vec::new();
    let faults = read_each(file, bytes, |_, row| {
        if rows.len() == ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} rows: this one is left out"));
        }
        rows.push(row);
        Ok(())
    });
    Series { rows, faults: faults.first, faults_count: faults.count }
}

/// Hands over row by row, with what the column says that names containers, if there is one. A row that is not taken is a
/// fault with the reason given.
pub(crate) fn read_each(
    file: &str,
    bytes: &[u8],
    mut take: impl FnMut(Option<&str>, Row) -> Result<(), String>,
) -> Faults {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let delimiter = delimiter(bytes);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
    let mut faults = Faults::default();
    let mut columns = None;
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return faults,
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.add(file, line, format!("cannot be read: {error}"));
                continue;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row = Record { record: &record, decimal_comma: delimiter != b',' };
        let known = if let Some(known) = columns {
            known
        } else {
            let (found, is_header) = row.columns();
            columns = Some(found);
            if is_header {
                continue;
            }
            found
        };
        let container = known.container.and_then(|column| row.text(column));
        if let Err(why) = row.read(known, line).and_then(|row| take(container.as_deref(), row)) {
            faults.add(file, line, why);
        }
    }
}

impl Faults {
    pub fn add(&mut self, file: &str, line: u64, why: String) {
        self.count += 1;
        if self.first.len() < FAULTS_KEPT {
            self.first.push(RowFault { file: file.to_owned(), line, why });
        }
    }
}

/// The delimiter that stands most often in the first line; a comma when none does.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |delimiter: u8| first.split(|byte| *byte == delimiter).count() - 1;
    [b';', b'\t'].into_iter().filter(|delimiter| count(*delimiter) > 0).max_by_key(|it| count(*it)).unwrap_or(b',')
}

struct Record<'a> {
    record: &'a csv::ByteRecord,
    decimal_comma: bool,
}

impl Record<'_> {
    fn text(&self, column: usize) -> Option<Cow<'_, str>> {
        Some(match String::from_utf8_lossy(self.record.get(column)?) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    /// The columns by their names, or the first two; and whether this row is a header.
    fn columns(&self) -> (Columns, bool) {
        let named = |names: &[&str]| {
            (0..self.record.len()).find(|column| {
                let text = self.text(*column).unwrap_or_default().to_lowercase();
                moment(&text).is_none() && names.iter().any(|name| text.contains(name))
            })
        };
        let (time, value, is_header) = match (named(&TIME_NAMES), named(&VALUE_NAMES)) {
            (Some(time), Some(value)) => (time, value, true),
            (Some(time), None) => (time, usize::from(time == 0), true),
            (None, Some(value)) => (usize::from(value == 0), value, true),
            (None, None) => (0, 1, self.text(0).is_some_and(|text| is_a_word(&text))),
        };
        let others = || (0..self.record.len()).filter(|column| *column != time && *column != value);
        let says = |column: usize, name: &str| {
            let text = self.text(column).unwrap_or_default().to_lowercase();
            text == name || name.len() > 2 && text.contains(name)
        };
        let container = CONTAINER_NAMES.iter().find_map(|name| others().find(|column| says(*column, name)));
        (Columns { time, value, container: container.filter(|_| is_header) }, is_header)
    }

    fn read(&self, columns: Columns, line: u64) -> Result<Row, String> {
        let field = |column: usize, what: &str| {
            self.text(column).filter(|text| !text.is_empty()).ok_or_else(|| format!("has no {what}"))
        };
        let time = field(columns.time, "time")?;
        let at = moment(&time).ok_or_else(|| format!("{} is not a time", quoted(&time)))?;
        let value = field(columns.value, "value")?;
        let percent = self.number(&value).ok_or_else(|| format!("{} is not a number", quoted(&value)))?;
        Ok(Row { at, percent, line })
    }

    fn number(&self, text: &str) -> Option<f64> {
        let text = text.trim_end_matches('%').trim_end();
        let number: f64 = if self.decimal_comma { text.replace(',', ".").parse().ok()? } else { text.parse().ok()? };
        number.is_finite().then_some(number)
    }
}

/// A header in words that we do not know; a broken time has digits in it.
fn is_a_word(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|byte| byte.is_ascii_digit())
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(QUOTED_CHARS).collect::<String>())
}

/// RFC 3339, a date and time without zone (taken as UTC), or seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    if let Some(at) = civil::moment(text) {
        return Some(at);
    }
    if let Ok(number) = text.parse::<i64>() {
        return match text.len() {
            9 | 10 => Some(Timestamp::from_micros(number.checked_mul(1_000_000)?)),
            12 | 13 => Some(Timestamp::from_micros(number.checked_mul(1_000)?)),
            _ => None,
        };
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let at = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        read("a.csv", text.as_bytes()).rows.iter().map(|row| row.percent).collect()
    }

    #[test]
    fn headers_and_delimiters_may_differ() {
        for text in [
            "time_utc,fill_pct\n2023-02-04T08:51:16Z,25.0\n2023-02-04T09:41:16Z,38.5\n",
            "\u{feff}Tid;Fyldning\r\n2023-02-04 08:51:16;25,0\r\n2023-02-04 09:41:16;38,5\r\n",
            "id\tlevel\ttimestamp\n7\t25 %\t1675500676\n7\t38.5\t1675503676000\n",
            "2023-02-04T08:51:16Z,25\n2023-02-04T09:41:16Z,38.5",
            "hvornår;hvor meget\n2023-02-04T08:51:16Z;25\n2023-02-04T10:41:16+01:00;38.5\n",
        ] {
            let series = read("a.csv", text.as_bytes());
            assert_eq!(series.faults, [], "{text:?}");
            let times: Vec<_> = series.rows.iter().map(|row| row.at.as_micros() / 1_000_000).collect();
            assert_eq!(times, [1_675_500_676, 1_675_503_676], "{text:?}");
            assert_eq!(values(text), [25.0, 38.5], "{text:?}");
        }
    }

    #[test]
    fn bad_rows_are_named_and_the_others_are_read() {
        let text = "time_utc,fill_pct\n\
                    2023-02-04T08:51:16Z,25.0\n\
                    yesterday,38.0\n\
                    2023-02-04T10:00:00Z,\n\
                    2023-02-04T11:00:00Z,NaN\n\
                    2023-02-04T12:00:00Z\n\
                    2023-02-04T13:00:00Z,50.0\n";
        let series = read("papir.csv", text.as_bytes());
        let faults: Vec<_> =
            series.faults.iter().map(|fault| format!("{}:{}: {}", fault.file, fault.line, fault.why)).collect();
        assert_eq!(
            faults,
            [
                "papir.csv:3: \"yesterday\" is not a time",
                "papir.csv:4: has no value",
                "papir.csv:5: \"NaN\" is not a number",
                "papir.csv:6: has no value",
            ]
        );
        assert_eq!(values(text), [25.0, 50.0]);
    }

    #[test]
    fn a_first_row_with_a_broken_time_is_a_fault_and_no_header() {
        let series = read("a.csv", b"2023-13-99T08:51:16Z,25.0\n2023-02-04T08:51:16Z,26.0\n");
        assert_eq!((series.rows.len(), series.faults_count), (1, 1));
    }

    #[test]
    fn only_the_first_faults_are_kept_and_all_are_counted() {
        let text = "x,y\n".repeat(100);
        let series = read("a.csv", format!("time,value\n{text}").as_bytes());
        assert_eq!((series.faults.len(), series.faults_count), (FAULTS_KEPT, 100));
    }

    #[test]
    fn no_bytes_can_panic_it() {
        for bytes in [&b""[..], b"\n\n", b"\"", b"\xff\xfe,\x00\n\xff,\xff", b"time", b",,,,", b"time,value\n\"a"] {
            assert_eq!(read("a.csv", bytes).rows, []);
        }
    }
}
