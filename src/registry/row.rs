//! Asking one row for its values: every answer is checked, every refusal is noted with its place.

use super::columns::Columns;
use super::faults::Faults;
use super::sheet::{Cell, Row};
use crate::domain::observation::{Finite, Value};
use smol_str::{SmolStr, format_smolstr};

const ID_CHARS_MAX: usize = 64;

pub(super) struct Line<'a> {
    pub row: &'a Row,
    pub columns: &'a Columns,
    pub faults: &'a mut Faults,
}

impl<'a> Line<'a> {
    pub fn note(&mut self, column: &str, reason: impl Into<String>) {
        let label = self.columns.index(column).map_or(column, |index| self.columns.label(index));
        self.faults.note(self.row.number, label, reason);
    }

    /// None when the column or the value is missing.
    pub fn cell(&self, column: &str) -> Option<&'a Cell> {
        self.columns.index(column).and_then(|index| self.at(index))
    }

    fn at(&self, index: usize) -> Option<&'a Cell> {
        self.row.cells.get(index).filter(|cell| **cell != Cell::Empty)
    }

    /// The text of a cell, whatever its type.
    pub fn text(&self, column: &str) -> Option<SmolStr> {
        self.cell(column).map(|cell| match cell {
            Cell::Empty => SmolStr::default(),
            Cell::Written(text) | Cell::Text(text) => SmolStr::new(without_mark(text)),
            Cell::Number(number) => format_smolstr!("{number}"),
            Cell::Boolean(flag) => format_smolstr!("{flag}"),
        })
    }

    /// An id that must be there.
    pub fn id(&mut self, column: &str) -> Option<SmolStr> {
        if self.cell(column).is_none() {
            self.note(column, "the value is missing");
        }
        self.optional_id(column)
    }

    /// Ids stand in topics and file names, so they hold no blanks and none of `/ + # " '`.
    pub fn optional_id(&mut self, column: &str) -> Option<SmolStr> {
        let text = self.text(column)?;
        let unfit = |letter: char| letter.is_whitespace() || letter.is_control() || "/+#\"'".contains(letter);
        if text.chars().any(unfit) || text.chars().nth(ID_CHARS_MAX).is_some() {
            let reason = format!("an id has at most {ID_CHARS_MAX} characters, no blanks and none of / + # \" '");
            self.note(column, reason);
            return None;
        }
        Some(text)
    }

    /// Several ids in one cell, with `|`, `,`, `;` or blanks between.
    pub fn ids(&mut self, column: &str) -> Vec<SmolStr> {
        let Some(text) = self.text(column) else { return Vec::new() };
        let parts = text.split(|letter: char| letter.is_whitespace() || "|,;".contains(letter));
        let ids: Vec<SmolStr> = parts.filter(|part| !part.is_empty()).map(SmolStr::new).collect();
        let unfit = |id: &SmolStr| id.contains(['/', '+', '#', '"', '\'']) || id.chars().nth(ID_CHARS_MAX).is_some();
        if ids.iter().any(unfit) {
            self.note(column, format!("an id has at most {ID_CHARS_MAX} characters and none of / + # \" '"));
        }
        ids
    }

    /// A finite number; none when it is missing or was noted as no number.
    pub fn number(&mut self, column: &str) -> Option<f64> {
        let number = match self.cell(column)? {
            Cell::Number(number) => Some(*number),
            Cell::Written(text) | Cell::Text(text) => parse_number(text),
            Cell::Empty | Cell::Boolean(_) => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            self.note(column, "not a number");
        }
        number
    }

    /// The free columns that have a value, typed.
    pub fn free(&mut self) -> Vec<(SmolStr, Value)> {
        let mut values = Vec::new();
        for (name, index) in &self.columns.free {
            let Some(cell) = self.at(*index) else { continue };
            match typed(cell) {
                Some(value) => values.push((SmolStr::new(name), value)),
                None => self.faults.note(self.row.number, self.columns.label(*index), "not a finite number"),
            }
        }
        values
    }
}

/// The value that a cell means. Written text that looks like a number or a boolean is one, unless an apostrophe
/// before it says that it is text, as in a spreadsheet.
pub(super) fn typed(cell: &Cell) -> Option<Value> {
    match cell {
        Cell::Empty => None,
        Cell::Number(number) => Finite::new(*number).map(Value::Number),
        Cell::Boolean(flag) => Some(Value::Boolean(*flag)),
        Cell::Text(text) => Some(Value::Text(SmolStr::new(text))),
        Cell::Written(text) => Some(infer(text)),
    }
}

pub(super) fn infer(text: &str) -> Value {
    if let Some(marked) = text.strip_prefix('\'') {
        return Value::Text(SmolStr::new(marked));
    }
    match text.to_lowercase().as_str() {
        "true" | "ja" | "sand" => return Value::Boolean(true),
        "false" | "nej" | "falsk" => return Value::Boolean(false),
        _ => {}
    }
    // A leading zero belongs to a code, such as a postal district or a street number.
    let digits = text.trim_start_matches('-');
    let coded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0,") && !digits.starts_with("0.");
    let number = (!coded).then(|| parse_number(text)).flatten().and_then(Finite::new);
    number.map_or_else(|| Value::Text(SmolStr::new(text)), Value::Number)
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\'').unwrap_or(text)
}

/// A decimal number with point or comma, perhaps with the other one between groups of thousands.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b',') {
        return None;
    }
    let last = digits.rfind(['.', ',']);
    let decimal = last.map(|at| digits.as_bytes()[at]);
    let repeated = decimal.is_some_and(|mark| digits.bytes().filter(|byte| *byte == mark).count() > 1);
    // The last mark is the decimal one, unless it stands more than once: then it parts the thousands.
    let (whole, fraction) = match last {
        Some(at) if !repeated => (&digits[..at], Some(&digits[at + 1..])),
        _ => (digits, None),
    };
    let mut groups = whole.split(['.', ',']);
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let grouped = rest.is_empty() || (first.len() <= 3 && rest.iter().all(|group| group.len() == 3));
    let one_mark = whole.bytes().filter(|byte| !byte.is_ascii_digit()).all(|byte| Some(byte) != decimal || repeated);
    if !grouped || !one_mark || fraction.is_some_and(str::is_empty) {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    format!("{sign}{first}{}.{}", rest.concat(), fraction.unwrap_or("0")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_point_and_with_comma() {
        for (text, number) in [
            ("56,1629", 56.1629),
            ("56.1629", 56.1629),
            ("-0,5", -0.5),
            ("6.225.000", 6_225_000.0),
            ("6.225.000,25", 6_225_000.25),
            ("6,225,000.25", 6_225_000.25),
            ("574319", 574_319.0),
            ("1.200", 1.2),
        ] {
            assert_eq!(parse_number(text), Some(number), "{text}");
        }
        for text in
            ["", "-", ".5", "5.", "1.2.3", "1,2,3", "1.22.333,1", "1e3", "12 m", "0x10", "NaN", "1.2,3.4", "--1"]
        {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }

    #[test]
    fn written_values_get_the_type_they_look_like() {
        assert_eq!(infer("240"), Value::Number(Finite::new(240.0).unwrap()));
        assert_eq!(infer("0,05"), Value::Number(Finite::new(0.05).unwrap()));
        assert_eq!(infer("Ja"), Value::Boolean(true));
        assert_eq!(infer("0140"), Value::Text("0140".into()));
        assert_eq!(infer("'240"), Value::Text("240".into()));
        assert_eq!(infer("papir"), Value::Text("papir".into()));
    }
}
