//! Registry files → changes: assets, devices, crews and people from CSV, XLSX, GeoJSON and JSON.
//!
//! [`read`] checks one file and tells every fault at once; [`cross_check`] compares with what is registered;
//! [`diff`] says what would change. Nothing is changed here: a change is an event. Names and phone numbers of people
//! leave as [`PersonalRecord`]s for the vault, apart from the changes, and CPR numbers are refused.
//!
//! Start with `read.rs`; a file format gives a `sheet.rs`, and one file per kind turns its rows into changes.

mod assets;
mod columns;
mod crews;
mod delimited;
mod devices;
mod diff;
mod export;
mod faults;
mod geojson;
mod json;
mod known;
mod people;
mod place;
mod read;
mod row;
mod sheet;
mod utm;
mod xlsx;

#[cfg(test)]
mod tests;

pub use diff::{Changed, Diff, FieldChange, diff};
pub use export::{export, template};
pub use faults::RowFault;
pub use known::{Known, Registry, SensorTypeNeeds, cross_check};
pub use read::{Import, Imported, Kind, Limits, PersonalRecord, read, read_within};
