//! JSON: an array of objects.
//!
//! An array inside is a list (`"skills": ["waste", "care"]`); objects are allowed under `attributes` and `mounting`.

use super::faults::Faults;
use super::read::Limits;
use super::sheet::{Cell, Row, Sheet};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// An object that keeps the order of its keys and remembers a double one.
#[derive(Default)]
pub(super) struct Pairs {
    pub list: Vec<(String, Value)>,
}

/// Rows that come one by one with their own keys.
pub(super) struct Gathered {
    pub sheet: Sheet,
    index: BTreeMap<String, usize>,
}

pub(super) fn read(limits: &Limits, bytes: &[u8], faults: &mut Faults) -> Option<Sheet> {
    let text = text(bytes, faults)?;
    let mut gathered = Gathered::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let result = deserializer.deserialize_seq(Rows { limits, faults, gathered: &mut gathered });
    match result.and_then(|()| deserializer.end()) {
        Ok(()) => Some(gathered.sheet),
        Err(error) => {
            let place = format!("at line {} column {}", error.line(), error.column());
            faults.note_file(format!("not a JSON array of objects {place}"));
            None
        }
    }
}

pub(super) fn text<'a>(bytes: &'a [u8], faults: &mut Faults) -> Option<&'a str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).ok();
    if text.is_none() {
        faults.note_file("JSON is written in UTF-8, and this is not");
    }
    text
}

struct Rows<'a> {
    limits: &'a Limits,
    faults: &'a mut Faults,
    gathered: &'a mut Gathered,
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let mut number = 0_u32;
        let mut wanted = true;
        while let Some(pairs) = array.next_element::<Pairs>()? {
            number = number.saturating_add(1);
            wanted = wanted && self.gathered.add(number, Vec::new(), pairs, self.limits, self.faults);
        }
        Ok(())
    }
}

impl Gathered {
    pub fn new() -> Self {
        Self { sheet: Sheet::default(), index: BTreeMap::new() }
    }

    /// Adds one row from cells that are known by name and from an object; false when nothing more should be read.
    pub fn add(
        &mut self,
        number: u32,
        named: Vec<(&str, Cell)>,
        pairs: Pairs,
        limits: &Limits,
        faults: &mut Faults,
    ) -> bool {
        let mut row = Row { number, cells: Vec::new() };
        let mut keys: Vec<String> = Vec::new();
        let mut put = |gathered: &mut Self, key: &str, cell: Cell, faults: &mut Faults| {
            if keys.iter().any(|other| other == key) {
                faults.note(number, key, "the row names it twice");
                return;
            }
            keys.push(key.to_owned());
            let Some(column) = gathered.column(key, limits) else {
                faults.note(number, key, format!("more than {} columns", limits.columns_max));
                return;
            };
            row.cells.resize(row.cells.len().max(column + 1), Cell::Empty);
            row.cells[column] = cell;
        };
        for (key, cell) in named {
            put(self, key, cell, faults);
        }
        for (key, value) in pairs.list {
            let nesting = key == "attributes" || key == "mounting";
            let (prefix, pairs) = match value {
                Value::Object(inner) if nesting => (format!("{key}."), inner.into_iter().collect()),
                plain @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_)) => (String::new(), vec![(key, plain)]),
            };
            for (name, value) in pairs {
                let key = format!("{prefix}{name}");
                let cell = cell(number, &key, value, faults);
                put(self, &key, cell, faults);
            }
        }
        self.sheet.push(row, limits, faults)
    }

    fn column(&mut self, key: &str, limits: &Limits) -> Option<usize> {
        if let Some(column) = self.index.get(key) {
            return Some(*column);
        }
        let column = self.sheet.columns.len();
        (column < limits.columns_max).then(|| {
            self.index.insert(key.to_owned(), column);
            self.sheet.columns.push(key.to_owned());
            column
        })
    }
}

pub(super) fn cell(row: u32, column: &str, value: Value, faults: &mut Faults) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::Bool(flag) => Cell::Boolean(flag),
        Value::Number(number) => number.as_f64().map_or(Cell::Empty, Cell::Number),
        Value::String(text) => Cell::text(&text),
        Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            if texts.is_none() {
                faults.note(row, column, "a list holds texts only");
            }
            Cell::text(&texts.unwrap_or_default().join("|"))
        }
        Value::Object(_) => {
            faults.note(row, column, "an object has no meaning here");
            Cell::Empty
        }
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Pairs::default();
                while let Some(pair) = map.next_entry()? {
                    pairs.list.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
