//! Calendars as people write them (`calendars/*.toml`): read and checked, and expanded into tables of UTC instants.
//!
//! Everything that needs a time zone, a holiday or a clock change happens here, with the time-zone data that is bundled
//! with the program. The tables (`domain::calendar`) enter as an event with their content; what reads them never comes
//! back here. There is no clock: the time to expand for is handed in.
//!
//! Start with `read_calendars`, then `WrittenCalendars::around`.

mod clock;
mod days;
mod expand;
mod fields;
mod holidays;
mod local;
mod read;
mod routes;
pub(super) mod schema;
mod shifts;
#[cfg(test)]
mod tests;
mod written;

pub use read::read_calendars;
pub use written::WrittenCalendars;
