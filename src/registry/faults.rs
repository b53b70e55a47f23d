//! The faults of one registry file, collected until there are too many to read.

use smol_str::SmolStr;
use std::fmt;

/// What is wrong with one cell or one row. Texts never quote a person's name or a number that looks like a CPR number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub file: SmolStr,
    /// As the person counts: the line of a CSV file, the row of a sheet, the place of an object in an array or of a
    /// feature, from 1; 0 for the file as a whole.
    pub row: u32,
    /// The column as the file names it; empty for the row as a whole.
    pub column: SmolStr,
    pub reason: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.row > 0 {
            write!(f, ", row {}", self.row)?;
        }
        if !self.column.is_empty() {
            write!(f, ", column \"{}\"", self.column)?;
        }
        write!(f, ": {}", self.reason)
    }
}

pub(super) struct Faults {
    file: SmolStr,
    list: Vec<RowFault>,
    most: usize,
    more: usize,
}

impl Faults {
    pub fn of(file: &str, most: usize) -> Self {
        Self { file: SmolStr::new(file), list: Vec::new(), most, more: 0 }
    }

    pub fn note(&mut self, row: u32, column: &str, reason: impl Into<String>) {
        if self.list.len() < self.most {
            let (file, column) = (self.file.clone(), SmolStr::new(column));
            self.list.push(RowFault { file, row, column, reason: reason.into() });
        } else {
            self.more += 1;
        }
    }

    pub fn note_file(&mut self, reason: impl Into<String>) {
        self.note(0, "", reason);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn into_list(mut self) -> Vec<RowFault> {
        self.list.sort_by_key(|fault| fault.row);
        if self.more > 0 {
            let (file, reason) = (self.file, format!("and {} more faults", self.more));
            self.list.push(RowFault { file, row: 0, column: SmolStr::default(), reason });
        }
        self.list
    }
}
