//! What the columns mean: their names in English and Danish, by kind.
//!
//! Case, blanks and hyphens do not matter, and `ø` may be written `oe`. A column of an assets file that has no
//! meaning here becomes an attribute; in other files it is a fault.

use super::faults::Faults;
use super::read::Kind;
use super::sheet::Sheet;

struct Meaning {
    name: &'static str,
    aliases: &'static [&'static str],
    required: bool,
}

const fn meaning(name: &'static str, aliases: &'static [&'static str]) -> Meaning {
    Meaning { name, aliases, required: false }
}

const fn required(name: &'static str, aliases: &'static [&'static str]) -> Meaning {
    Meaning { name, aliases, required: true }
}

const ASSETS: &[Meaning] = &[
    required(
        "id",
        &[
            "asset",
            "asset_id",
            "external_id",
            "aktiv",
            "aktiv_id",
            "objekt",
            "objekt_id",
            "beholder",
            "beholder_id",
            "nr",
            "nummer",
        ],
    ),
    required("kind", &["type", "slags", "art", "aktivtype", "asset_kind"]),
    meaning("area", &["area_id", "omraade", "distrikt", "bydel", "zone", "afdeling"]),
    meaning("latitude", &["lat", "breddegrad"]),
    meaning("longitude", &["lon", "lng", "long", "laengdegrad"]),
    meaning(
        "easting",
        &["east", "e", "x", "utm_x", "utm_e", "utm32_e", "oest", "oestlig", "x_koordinat", "xkoordinat"],
    ),
    meaning(
        "northing",
        &["north", "n", "y", "utm_y", "utm_n", "utm32_n", "nord", "nordlig", "y_koordinat", "ykoordinat"],
    ),
    meaning("person", &["person_id", "borger", "borger_id", "beboer"]),
];

const DEVICES: &[Meaning] = &[
    required("id", &["device", "device_id", "dev_eui", "deveui", "eui", "enhed", "enhed_id", "sensor", "sensor_id"]),
    required("sensor_type", &["type", "sensortype", "model"]),
    required("asset", &["asset_id", "aktiv", "aktiv_id", "objekt", "objekt_id", "beholder", "beholder_id"]),
    meaning("d_empty_mm", &["afstand_tom_mm"]),
    meaning("d_full_mm", &["afstand_fuld_mm"]),
];

const CREWS: &[Meaning] = &[
    required("id", &["crew", "crew_id", "hold", "hold_id"]),
    required("skills", &["skill", "kompetencer", "kompetence", "faerdigheder"]),
    meaning("areas", &["area", "omraader", "omraade", "distrikter", "distrikt"]),
];

const PEOPLE: &[Meaning] = &[
    required("id", &["person", "person_id", "borger", "borger_id"]),
    meaning("name", &["navn"]),
    meaning("phone", &["telefon", "tlf", "mobil"]),
    meaning("purpose", &["purposes", "formaal"]),
    meaning("start", &["starts_at", "from", "fra", "startdato", "gyldig_fra"]),
    meaning("review", &["review_at", "revurdering", "revurderes", "revurderingsdato", "gyldig_til"]),
];

/// A device's mounting values may be written with this before their name.
const MOUNTING: &str = "mounting.";
/// So may the attributes of an asset; JSON nests them.
const ATTRIBUTES: &str = "attributes.";

#[derive(Debug)]
pub(super) struct Columns {
    /// As the file names them, for faults.
    labels: Vec<String>,
    known: Vec<(&'static str, usize)>,
    /// Attributes of an asset or mounting values of a device, by the name they will have.
    pub free: Vec<(String, usize)>,
    attributes: bool,
}

impl Columns {
    /// None when rows cannot be read: a column is missing or has two meanings.
    pub fn of(sheet: &Sheet, kind: Kind, faults: &mut Faults) -> Option<Self> {
        let meanings = meanings(kind);
        let attributes = kind == Kind::Assets;
        let mut columns = Self { labels: sheet.columns.clone(), known: Vec::new(), free: Vec::new(), attributes };
        let mut sound = true;
        for (index, label) in sheet.columns.iter().enumerate() {
            let name = plain(label);
            let used = sheet
                .rows
                .iter()
                .any(|row| row.cells.get(index).is_some_and(|cell| *cell != super::sheet::Cell::Empty));
            if name.is_empty() && !used {
                continue;
            }
            if let Some(fault) = columns.add(&name, index, kind, meanings) {
                faults.note(sheet.header_row, label, fault);
                sound = false;
            }
        }
        for missing in meanings.iter().filter(|meaning| meaning.required && columns.index(meaning.name).is_none()) {
            let known = [&[missing.name], missing.aliases].concat().join(", ");
            faults.note(sheet.header_row, missing.name, format!("the column is missing; it may be called {known}"));
            sound = false;
        }
        sound.then_some(columns)
    }

    /// What is wrong with the column, if anything.
    fn add(&mut self, name: &str, index: usize, kind: Kind, meanings: &'static [Meaning]) -> Option<String> {
        let found = meanings.iter().find(|meaning| meaning.name == name || meaning.aliases.contains(&name));
        if let Some(meaning) = found {
            if let Some(first) = self.index(meaning.name) {
                return Some(format!("means the same as column \"{}\"", self.labels[first]));
            }
            self.known.push((meaning.name, index));
            return None;
        }
        let free = match kind {
            Kind::Assets => Some(name.strip_prefix(ATTRIBUTES).unwrap_or(name)),
            Kind::Devices => name.strip_prefix(MOUNTING),
            Kind::Crews | Kind::People => None,
        };
        let Some(free) = free else {
            let known: Vec<&str> = meanings.iter().map(|meaning| meaning.name).collect();
            return Some(format!("the column is not one of {}", known.join(", ")));
        };
        if !identifier(free) {
            return Some("a name begins with a letter and has only letters, digits and _".to_owned());
        }
        if self.free.iter().any(|(other, _)| other == free) {
            return Some(format!("there are two columns \"{free}\""));
        }
        self.free.push((free.to_owned(), index));
        None
    }

    pub fn index(&self, name: &str) -> Option<usize> {
        self.known.iter().find(|(known, _)| *known == name).map(|(_, index)| *index)
    }

    /// The column as the file names it.
    pub fn label(&self, index: usize) -> &str {
        self.labels.get(index).map_or("", String::as_str)
    }

    pub fn notes(&self) -> Vec<String> {
        if !self.attributes || self.free.is_empty() {
            return Vec::new();
        }
        let names: Vec<&str> = self.free.iter().map(|(name, _)| name.as_str()).collect();
        vec![format!("taken as attributes of the assets: {}", names.join(", "))]
    }
}

const fn meanings(kind: Kind) -> &'static [Meaning] {
    match kind {
        Kind::Assets => ASSETS,
        Kind::Devices => DEVICES,
        Kind::Crews => CREWS,
        Kind::People => PEOPLE,
    }
}

/// `Område-nr ` → `omraade_nr`
pub(super) fn plain(label: &str) -> String {
    let mut name = String::with_capacity(label.len());
    for letter in label.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            'æ' => name.push_str("ae"),
            'ø' => name.push_str("oe"),
            'å' => name.push_str("aa"),
            '-' | ' ' | '\u{a0}' => name.push('_'),
            _ => name.push(letter),
        }
    }
    name
}

/// Rules read attributes by name.
fn identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
