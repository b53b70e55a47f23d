//! Rows and columns: what every file format becomes before anyone asks what the columns mean.

use super::faults::Faults;
use super::read::Limits;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Empty,
    /// Text of a file without types: it may mean a number.
    Written(String),
    /// Text that is meant as text.
    Text(String),
    Number(f64),
    Boolean(bool),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// As the person counts it, see `RowFault::row`.
    pub number: u32,
    /// May be shorter than the header.
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sheet {
    /// The row that holds the column names; 0 when the format has none.
    pub header_row: u32,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

impl Cell {
    pub fn written(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() { Self::Empty } else { Self::Written(text.to_owned()) }
    }

    pub fn text(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() { Self::Empty } else { Self::Text(text.to_owned()) }
    }
}

impl Row {
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| *cell == Cell::Empty)
    }
}

impl Sheet {
    /// Adds a row unless it is empty or beyond the limit; false when nothing more should be read.
    pub fn push(&mut self, row: Row, limits: &Limits, faults: &mut Faults) -> bool {
        if row.is_empty() {
            return true;
        }
        if self.rows.len() >= limits.rows_max {
            faults.note(row.number, "", format!("more than {} rows; split the file", limits.rows_max));
            return false;
        }
        self.rows.push(row);
        true
    }
}
