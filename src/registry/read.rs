//! One file in, its changes out, or all its faults.

use super::columns::Columns;
use super::faults::{Faults, RowFault};
use super::row::Line;
use super::sheet::{Cell, Sheet};
use super::{assets, crews, delimited, devices, geojson, json, people, xlsx};
use crate::domain::cpr;
use crate::domain::event::RegistryChange;
use crate::domain::ids::PersonId;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt;

/// What a file lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Assets,
    Devices,
    Crews,
    People,
}

/// What one file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub bytes_max: usize,
    /// Bytes that a packed file (XLSX) may unpack to.
    pub unpacked_bytes_max: u64,
    pub rows_max: usize,
    pub columns_max: usize,
    /// Characters of one cell.
    pub cell_chars_max: usize,
    /// Faults that are listed; the rest is only counted.
    pub faults_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 256 << 20,
            unpacked_bytes_max: 1 << 30,
            rows_max: 1_000_000,
            columns_max: 64,
            cell_chars_max: 500,
            faults_max: 1_000,
        }
    }
}

/// A file without faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    pub file: SmolStr,
    pub kind: Kind,
    /// In the order of the file, each id once.
    pub rows: Vec<Imported>,
    /// For the vault, never for the journal; only with [`Kind::People`].
    pub personal: Vec<PersonalRecord>,
    /// What the person should know before saying yes, such as which columns were taken as attributes.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Where it stands, see [`RowFault::row`].
    pub row: u32,
    pub change: RegistryChange,
}

/// Who stands behind a pseudonym. Its `Debug` form shows neither name nor phone number.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalRecord {
    pub person: PersonId,
    pub name: Option<String>,
    pub phone: Option<String>,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Assets, Self::Devices, Self::Crews, Self::People];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assets => "assets",
            Self::Devices => "devices",
            Self::Crews => "crews",
            Self::People => "people",
        }
    }
}

impl Import {
    pub fn changes(&self) -> impl Iterator<Item = &RegistryChange> {
        self.rows.iter().map(|row| &row.change)
    }
}

impl fmt::Debug for PersonalRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalRecord").field("person", &self.person).finish_non_exhaustive()
    }
}

/// Reads a registry file; `name` is the file's name and chooses the format by its ending (`.csv`, `.tsv`, `.txt`,
/// `.xlsx`, `.geojson`, `.json`).
///
/// # Errors
/// All faults of the file, by row.
pub fn read(name: &str, bytes: &[u8], kind: Kind) -> Result<Import, Vec<RowFault>> {
    read_within(&Limits::default(), name, bytes, kind)
}

/// As [`read`], with other limits.
///
/// # Errors
/// All faults of the file, by row.
pub fn read_within(limits: &Limits, name: &str, bytes: &[u8], kind: Kind) -> Result<Import, Vec<RowFault>> {
    let mut faults = Faults::of(name, limits.faults_max);
    let mut import =
        Import { file: SmolStr::new(name), kind, rows: Vec::new(), personal: Vec::new(), notes: Vec::new() };
    if bytes.len() > limits.bytes_max {
        faults.note_file(format!("{} bytes, at most {} are read; split the file", bytes.len(), limits.bytes_max));
    } else if let Some(mut sheet) = sheet(limits, name, bytes, kind, &mut faults) {
        let sound = check_cells(limits, &mut sheet, &mut faults);
        if sound && let Some(columns) = Columns::of(&sheet, kind, &mut faults) {
            read_rows(&sheet, &columns, &mut import, &mut faults);
            import.notes = columns.notes();
        }
        if sheet.rows.is_empty() && faults.is_empty() {
            faults.note_file("no rows");
        }
    }
    if faults.is_empty() { Ok(import) } else { Err(faults.into_list()) }
}

fn sheet(limits: &Limits, name: &str, bytes: &[u8], kind: Kind, faults: &mut Faults) -> Option<Sheet> {
    let ending = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_lowercase());
    match (ending.as_str(), kind) {
        ("csv" | "tsv" | "txt", _) => delimited::read(limits, bytes, faults),
        ("xlsx", _) => xlsx::read(limits, bytes, faults),
        ("json", _) if !geojson::opens(bytes) => json::read(limits, bytes, faults),
        ("geojson" | "json", Kind::Assets) => geojson::read(limits, bytes, faults),
        ("geojson" | "json", Kind::Devices | Kind::Crews | Kind::People) => {
            faults.note_file("GeoJSON tells places, and only assets have one; use CSV, XLSX or JSON");
            None
        }
        _ => {
            faults.note_file("the ending is not one of .csv, .tsv, .txt, .xlsx, .geojson, .json");
            None
        }
    }
}

/// Whatever a column means, a cell is short and no CPR number. What holds one is taken out, so that no later fault
/// quotes it; false when that is the header.
fn check_cells(limits: &Limits, sheet: &mut Sheet, faults: &mut Faults) -> bool {
    const CPR: &str = "what looks like a CPR number is never stored; if it is another number, write a letter before it";
    if sheet.columns.iter().any(|name| cpr::holds_cpr_number(name)) {
        faults.note(sheet.header_row, "", CPR);
        return false;
    }
    let columns = &sheet.columns;
    sheet.rows.retain(|row| {
        let mut sound = true;
        for (index, cell) in row.cells.iter().enumerate() {
            let column = columns.get(index).map_or("", String::as_str);
            if holds_cpr(cell) {
                faults.note(row.number, column, CPR);
                sound = false;
            }
            if let Cell::Written(text) | Cell::Text(text) = cell
                && text.chars().nth(limits.cell_chars_max).is_some()
            {
                faults.note(row.number, column, format!("more than {} characters", limits.cell_chars_max));
            }
        }
        sound
    });
    true
}

fn holds_cpr(cell: &Cell) -> bool {
    match cell {
        Cell::Written(text) | Cell::Text(text) => cpr::holds_cpr_number(text),
        // A spreadsheet takes ten digits for a number and drops a leading zero.
        Cell::Number(number) if (1e8..1e10).contains(number) && libm::trunc(*number).to_bits() == number.to_bits() => {
            cpr::holds_cpr_number(&format!("{number:010}"))
        }
        Cell::Empty | Cell::Number(_) | Cell::Boolean(_) => false,
    }
}

fn read_rows(sheet: &Sheet, columns: &Columns, import: &mut Import, faults: &mut Faults) {
    let mut people = people::Gathered::default();
    let mut seen: BTreeMap<SmolStr, u32> = BTreeMap::new();
    for row in &sheet.rows {
        let mut line = Line { row, columns, faults };
        let Some(id) = line.id("id") else { continue };
        if import.kind == Kind::People {
            people.add(&id, &mut line);
            continue;
        }
        if let Some(first) = seen.insert(id.clone(), row.number) {
            line.note("id", format!("\"{id}\" stands in row {first} already"));
            continue;
        }
        let change = match import.kind {
            Kind::Assets => assets::read(&id, &mut line),
            Kind::Devices => devices::read(&id, &mut line),
            Kind::Crews | Kind::People => crews::read(&id, &mut line),
        };
        import.rows.extend(change.map(|change| Imported { row: row.number, change }));
    }
    people.finish(import);
}
