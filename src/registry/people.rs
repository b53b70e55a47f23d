//! Rows of people: the pseudonym and its bases for the engine, name and phone number for the vault.
//!
//! A person with several bases has several rows; name and phone number need stand in one of them only. A basis is in
//! force from the start of its first day until the start of its review day, in Danish local time.

use super::read::{Import, Imported, PersonalRecord};
use super::row::Line;
use crate::domain::event::RegistryChange;
use crate::domain::ids::PersonId;
use crate::domain::person::{Basis, Person, Purpose};
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

const TIME_ZONE: &str = "Europe/Copenhagen";

/// Purposes by what a Danish file may call them.
const PURPOSES: [(&str, Purpose); 6] = [
    ("exposure", Purpose::Exposure),
    ("tryk", Purpose::Exposure),
    ("presence", Purpose::Presence),
    ("tilstedeværelse", Purpose::Presence),
    ("call", Purpose::Call),
    ("kald", Purpose::Call),
];

/// The people of one file, by id, as far as its rows have been read.
#[derive(Default)]
pub(super) struct Gathered {
    list: Vec<(u32, Person, PersonalRecord)>,
    index: BTreeMap<PersonId, usize>,
}

impl Gathered {
    pub fn add(&mut self, id: &str, line: &mut Line<'_>) {
        let person = PersonId::new(id);
        let index = *self.index.entry(person.clone()).or_insert_with(|| {
            let record = PersonalRecord { person: person.clone(), name: None, phone: None };
            self.list.push((line.row.number, Person { id: person, bases: Vec::new() }, record));
            self.list.len() - 1
        });
        let (_, person, record) = &mut self.list[index];
        for basis in bases(line) {
            if person.bases.iter().any(|other| other.purpose == basis.purpose) {
                line.note("purpose", format!("\"{}\" has a basis for {} already", person.id, basis.purpose.as_str()));
            } else {
                person.bases.push(basis);
            }
        }
        person.bases.sort_by_key(|basis| basis.purpose);
        personal(record, line);
    }

    pub fn finish(self, import: &mut Import) {
        for (row, person, record) in self.list {
            import.rows.push(Imported { row, change: RegistryChange::PutPerson(person) });
            // A row without name and number, such as an exported one, does not wipe what the vault holds.
            if record.name.is_some() || record.phone.is_some() {
                import.personal.push(record);
            }
        }
    }
}

/// The bases of one row: one for each purpose it names, all with the same dates.
fn bases(line: &mut Line<'_>) -> Vec<Basis> {
    let mut purposes = Vec::new();
    for word in line.ids("purpose") {
        let word = word.to_lowercase();
        match PURPOSES.iter().find(|(name, _)| *name == word) {
            Some((_, purpose)) if !purposes.contains(purpose) => purposes.push(*purpose),
            Some(_) => {}
            None => line.note("purpose", "not one of exposure, presence, call"),
        }
    }
    let (start, review) = (read_date(line, "start"), read_date(line, "review"));
    if purposes.is_empty() {
        return Vec::new();
    }
    for column in ["start", "review"] {
        if line.cell(column).is_none() {
            line.note(column, "a basis needs the day it starts and the day it is reviewed");
        }
    }
    let (Some(starts_at), Some(review_at)) = (start, review) else { return Vec::new() };
    if review_at <= starts_at {
        line.note("review", "the review is not after the start");
    }
    purposes.sort();
    purposes.into_iter().map(|purpose| Basis { purpose, starts_at, review_at }).collect()
}

fn personal(record: &mut PersonalRecord, line: &mut Line<'_>) {
    let (name, phone) = (line.text("name").map(String::from), line.text("phone").map(String::from));
    for (column, earlier, later) in [("name", &mut record.name, name), ("phone", &mut record.phone, phone)] {
        if earlier.is_some() && later.is_some() && *earlier != later {
            line.note(column, "differs from an earlier row of the same person");
        }
        *earlier = earlier.take().or(later);
    }
}

/// `2026-03-01`, `01-03-2026`, `1.3.2026`, `01/03/2026` (day first), or RFC 3339 with an offset.
fn read_date(line: &mut Line<'_>, column: &str) -> Option<Timestamp> {
    let text = line.text(column)?;
    let found = parse_date(&text);
    if found.is_none() {
        line.note(column, "not a date such as 2026-03-01 or 01-03-2026");
    }
    found
}

/// The day in Denmark, as [`read`](super::read()) takes it.
pub(super) fn date(at: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::get(TIME_ZONE).unwrap_or(jiff::tz::TimeZone::UTC);
    let moment = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    zone.to_datetime(moment).date().to_string()
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let micros = |moment: jiff::Timestamp| Timestamp::from_micros(moment.as_microsecond());
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(micros(moment));
    }
    let parts: Vec<&str> = text.split(['-', '.', '/']).collect();
    let [first, month, last] = parts.as_slice() else { return None };
    let (year, day) = if first.len() == 4 { (first, last) } else { (last, first) };
    let date = jiff::civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let plausible = (1900..=2200).contains(&date.year());
    let zone = jiff::tz::TimeZone::get(TIME_ZONE).ok()?;
    date.to_zoned_datetime(zone).ok().filter(|_| plausible).map(|midnight| micros(midnight.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_in_denmark() {
        let winter = parse_date("2026-03-01");
        assert_eq!(winter, parse_date("2026-03-01T00:00:00+01:00"));
        for same in ["01-03-2026", "1.3.2026", "01/03/2026"] {
            assert_eq!(parse_date(same), winter, "{same}");
        }
        assert_eq!(parse_date("2026-07-01"), parse_date("2026-06-30T22:00:00Z"), "summer time");
        for none in ["", "2026-13-01", "30-02-2026", "01-03-26", "soon", "2026-03", "3/2026/1"] {
            assert_eq!(parse_date(none), None, "{none}");
        }
    }
}
