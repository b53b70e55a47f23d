//! Registry files for people: a template to fill in, and what is registered. Both read back as they are.
//!
//! Written for a Danish spreadsheet: `;` between columns, decimal comma. Names and phone numbers are in the vault
//! and are not exported here.

use super::diff::day;
use super::known::Registry;
use super::people::date;
use super::read::Kind;
use super::row::infer;
use crate::domain::asset::{Asset, Device};
use crate::domain::ids::{AreaId, Skill};
use crate::domain::observation::Value;
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Until the review of a basis in the template; it lies within three months.
const EXAMPLE_REVIEW_AFTER: Span = Span::from_hours(60 * 24);

/// A CSV file with example rows. It can be imported as it is on the day `now`, people first: the bed is a person's.
#[must_use]
pub fn template(kind: Kind, now: Timestamp) -> String {
    let text = match kind {
        Kind::Assets => {
            "id;kind;area;latitude;longitude;person;fraction;volume_l\n\
             bin-001;bin;centrum;56,15674;10,21076;;papir;2500\n\
             bin-002;bin;centrum;56,15702;10,21133;;rest;240\n\
             bed-001;bed;plejehjem-nord;;;person-001;;\n"
        }
        Kind::Devices => {
            "id;sensor_type;asset;d_empty_mm;d_full_mm\n\
             bin-001-level;bin-level;bin-001;;\n\
             24e124136b502217;milesight-em400-udl;bin-002;1200;280\n\
             bed-001-mat;pressure-bed;bed-001;;\n"
        }
        Kind::Crews => {
            "id;skills;areas\n\
             crew-1;waste;centrum|nord\n\
             care-1;care;\n"
        }
        Kind::People => {
            let (start, review) = (date(now), date(now + EXAMPLE_REVIEW_AFTER));
            return format!(
                "id;name;phone;purpose;start;review\n\
                 person-001;Example Person;12345678;exposure|presence;{start};{review}\n\
                 person-002;Another Example;;call;{start};{review}\n"
            );
        }
    };
    text.to_owned()
}

/// Everything of one kind that is registered, as CSV.
#[must_use]
pub fn export(registry: &Registry, kind: Kind) -> String {
    match kind {
        Kind::Assets => assets(registry),
        Kind::Devices => devices(registry),
        Kind::Crews => {
            let rows = registry.crews.values().map(|crew| {
                let skills = joined(crew.skills.iter().map(Skill::as_str));
                vec![crew.id.to_string(), skills, joined(crew.areas.iter().map(AreaId::as_str))]
            });
            written(&["id", "skills", "areas"], rows)
        }
        Kind::People => people(registry),
    }
}

fn assets(registry: &Registry) -> String {
    let free: BTreeSet<&SmolStr> = registry.assets.values().flat_map(|asset| asset.attributes.keys()).collect();
    let names: Vec<String> = free.iter().map(|name| format!("attributes.{name}")).collect();
    let mut header = vec!["id", "kind", "area", "latitude", "longitude", "person"];
    header.extend(names.iter().map(String::as_str));
    let row = |asset: &Asset| {
        let degrees = |degrees: Option<f64>| degrees.map_or(String::new(), decimal);
        let mut row = vec![
            asset.id.to_string(),
            asset.kind.to_string(),
            asset.area.as_ref().map_or(String::new(), ToString::to_string),
            degrees(asset.position.map(|position| position.latitude)),
            degrees(asset.position.map(|position| position.longitude)),
            asset.person.as_ref().map_or(String::new(), ToString::to_string),
        ];
        row.extend(values(&asset.attributes, &free));
        row
    };
    written(&header, registry.assets.values().map(row))
}

fn devices(registry: &Registry) -> String {
    let free: BTreeSet<&SmolStr> = registry.devices.values().flat_map(|device| device.mounting.keys()).collect();
    let names: Vec<String> = free
        .iter()
        .map(|name| if name.starts_with("d_") { name.to_string() } else { format!("mounting.{name}") })
        .collect();
    let mut header = vec!["id", "sensor_type", "asset"];
    header.extend(names.iter().map(String::as_str));
    let row = |device: &Device| {
        let mut row = vec![device.id.to_string(), device.sensor_type.to_string(), device.asset.to_string()];
        row.extend(values(&device.mounting, &free));
        row
    };
    written(&header, registry.devices.values().map(row))
}

fn people(registry: &Registry) -> String {
    let rows = registry.people.values().flat_map(|person| {
        let bare =
            person.bases.is_empty().then(|| vec![person.id.to_string(), String::new(), String::new(), String::new()]);
        let bases = person.bases.iter().map(|basis| {
            vec![person.id.to_string(), basis.purpose.as_str().to_owned(), day(basis.starts_at), day(basis.review_at)]
        });
        bases.chain(bare).collect::<Vec<_>>()
    });
    written(&["id", "purpose", "start", "review"], rows)
}

fn values(values: &BTreeMap<SmolStr, Value>, names: &BTreeSet<&SmolStr>) -> Vec<String> {
    names.iter().map(|name| values.get(*name).map_or(String::new(), typed)).collect()
}

/// Text that would be taken for something else, here or by a spreadsheet for a formula, is marked with an apostrophe.
fn typed(value: &Value) -> String {
    match value {
        Value::Number(number) => decimal(number.get()),
        Value::Boolean(flag) => flag.to_string(),
        Value::Text(text) if infer(text) == Value::Text(text.clone()) && !text.starts_with(['=', '+', '-', '@']) => {
            text.to_string()
        }
        Value::Text(text) => format!("'{text}"),
    }
}

fn decimal(number: f64) -> String {
    number.to_string().replace('.', ",")
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join("|")
}

fn written(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = line(header.iter().copied());
    rows.for_each(|row| text.push_str(&line(row.iter().map(String::as_str))));
    text
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| {
        let plain = !cell.contains([';', '"', '\n', '\r']);
        if plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    cells.map(quoted).collect::<Vec<_>>().join(";") + "\n"
}
