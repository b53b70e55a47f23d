//! Sensor type files → [`SensorTypeSpec`], or every fault of every file at once.
//!
//! This file reads what a sensor type *is*; `load_mapping.rs` reads how its messages are taken apart. The keys are
//! described in `config/sensor-types/README.md`.

use super::canonical;
use super::load_mapping::load_mapping;
use super::mapping::SensorTypeSpec;
use crate::domain::asset::{Property, PropertyKind, SensorType};
use crate::domain::fault::Fault;
use crate::domain::ids::{AssetKind, PropertyName, SensorTypeId};
use crate::domain::person::Purpose;
use crate::domain::time::Span;
use crate::domain::toml_reader::{Document, Faults, Field, Section};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

const NAME_BYTES_MAX: usize = 64;
const UNIT_BYTES_MAX: usize = 16;
const INTERVAL: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_hours(31 * 24);
const LATENESS: RangeInclusive<Span> = Span::ZERO..=Span::from_hours(7 * 24);
const KINDS: [(&str, PropertyKind); 3] =
    [("number", PropertyKind::Number), ("boolean", PropertyKind::Boolean), ("text", PropertyKind::Text)];

/// Reads all sensor type files; `files` maps a name such as `sensor-types/bin-level.toml` to its text.
///
/// # Errors
/// All faults of all files, in the order of the files and of their text.
pub fn load_sensor_types(
    files: &BTreeMap<SmolStr, String>,
) -> Result<BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>, Vec<Fault>> {
    let faults = Faults::default();
    let mut types = BTreeMap::new();
    for (file, text) in files {
        let document = Document::parse(file.clone(), text, &faults);
        let Some(spec) = load(file, document.root(&faults)) else { continue };
        let id = spec.sensor_type.id.clone();
        if types.insert(id.clone(), Arc::new(spec)).is_some() {
            let message = format!("sensor type \"{id}\" is described by another file as well");
            faults.push(Fault { file: file.clone(), span: 0..0, message, suggestion: None });
        }
    }
    if faults.is_empty() { Ok(types) } else { Err(faults.into_sorted()) }
}

/// None after a fault in something a sensor type cannot be without.
fn load(file: &SmolStr, mut root: Section<'_>) -> Option<SensorTypeSpec> {
    let id = root.required("id", &format!("id = \"{}\"", stem(file))).and_then(|field| id(file, &field));
    let mut text = |key: &str, example: &str| {
        let field = root.required(key, &format!("{key} = \"{example}\""))?;
        Some(field.filled_text(NAME_BYTES_MAX)?.value.into_owned())
    };
    let (name, vendor) = (text("name", "Bin level sensor"), text("vendor", "Milesight"));
    let asset_kind = root.required("asset_kind", "asset_kind = \"bin\"").and_then(|field| word(&field));
    let interval = root.required("interval", "interval = \"6h\"").and_then(|field| field.length_of_time(INTERVAL));
    let lateness = root.optional("lateness").and_then(|field| field.length_of_time(LATENESS)).unwrap_or_default();
    let properties = properties(&mut root);
    let source = load_mapping(&mut root, &properties);
    root.finish();
    let properties = properties.into_iter().filter_map(|(name, declared)| Some((name, declared.property?))).collect();
    let asset_kind = AssetKind::new(asset_kind?);
    let sensor_type = SensorType { id: SensorTypeId::new(id?), asset_kind, interval: interval?, lateness, properties };
    Some(SensorTypeSpec { sensor_type, name: name?, vendor: vendor?, source: source? })
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// The id is the file's name: whoever reads a device row finds the file at once.
fn id(file: &SmolStr, field: &Field<'_>) -> Option<SmolStr> {
    let id = word(field)?;
    let stem = stem(file);
    if id == stem {
        return Some(id);
    }
    field.fault(
        format!("`id` is \"{id}\", and the file is named \"{stem}\""),
        format!("write id = \"{stem}\", or rename the file to {id}.toml"),
    );
    None
}

/// Lower-case letters, digits and hyphens.
fn word(field: &Field<'_>) -> Option<SmolStr> {
    let text = field.filled_text(NAME_BYTES_MAX)?;
    let fits = text.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fits {
        let message = format!("`{}` is \"{}\"", field.name(), text.value);
        text.fault(message, "lower-case letters, digits and hyphens, such as bin-level".to_owned());
    }
    fits.then(|| SmolStr::new(&text.value))
}

/// Properties by name. One with a fault keeps its name, so that the mapping is still checked against it.
pub(super) type Properties = BTreeMap<PropertyName, Declared>;

pub(super) struct Declared {
    /// Where its name stands.
    pub span: Range<usize>,
    pub property: Option<Property>,
}

fn properties(root: &mut Section<'_>) -> Properties {
    let example = "[properties.fill] with kind, unit and range";
    let Some(mut section) = root.required_section("properties", example) else { return Properties::new() };
    let entries = section.entries();
    if entries.is_empty() {
        section.fault(section.span(), "a sensor type without properties measures nothing", example.to_owned());
    }
    let mut properties = Properties::new();
    for (name, field) in entries {
        let fits = check_property_name(&name, &field, &section);
        let property = field.section().and_then(|section| property(section, field.key_span()));
        if fits {
            properties.insert(PropertyName::new(name), Declared { span: field.key_span(), property });
        }
    }
    properties
}

fn property(mut section: Section<'_>, name: Range<usize>) -> Option<Property> {
    let kind = section.required("kind", "kind = \"number\"").and_then(|field| {
        let known = KINDS.map(|(name, _)| name);
        field.one_of(&known).map(|index| KINDS[index].1)
    });
    let unit_field = section.optional("unit");
    let unit = unit_field.as_ref().and_then(unit);
    let range = section.optional("range").and_then(|field| range(&field));
    let purpose = section.optional("purpose").and_then(|field| {
        let known = Purpose::ALL.map(Purpose::as_str);
        field.one_of(&known).map(|index| Purpose::ALL[index])
    });
    let kind = kind?;
    if kind == PropertyKind::Number && unit_field.is_none() {
        let suggestion = "a UCUM code such as \"1\", \"%\", \"Cel\" or \"mm[Hg]\"".to_owned();
        section.fault(name, "a number needs a unit", suggestion);
    } else if kind != PropertyKind::Number && (unit_field.is_some() || range.is_some()) {
        section.fault(name, "only a number has a unit and a range", None);
    }
    section.finish();
    Some(Property { kind, unit: unit.unwrap_or_default(), range, purpose })
}

/// Two numbers, the lower first.
pub(super) fn range(field: &Field<'_>) -> Option<(f64, f64)> {
    let items = field.items("a range", "[0, 1.05]");
    let bounds: Option<Vec<f64>> = items.iter().map(|item| item.number(f64::MIN..=f64::MAX)).collect();
    match bounds.as_deref() {
        Some([low, high]) if low < high => return Some((*low, *high)),
        Some([_, ..]) => {
            field.fault(format!("`{}` is no range", field.name()), "the lower first: [0, 1.05]".to_owned());
        }
        Some([]) | None => {}
    }
    None
}

/// The form of a UCUM code, not its meaning.
fn unit(field: &Field<'_>) -> Option<SmolStr> {
    let text = field.filled_text(UNIT_BYTES_MAX)?;
    let fits = text.value.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        let suggestion = "for example \"Cel\" for °C, \"mm[Hg]\", \"%\", or \"1\" for a share".to_owned();
        text.fault(format!("unit \"{}\" is not a UCUM code", text.value), suggestion);
    }
    fits.then(|| SmolStr::new(&text.value))
}

/// Rules read properties by name, so a name is an identifier in lower case.
fn check_property_name(name: &str, field: &Field<'_>, section: &Section<'_>) -> bool {
    let mut bytes = name.bytes();
    let identifier = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let reserved = canonical::RESERVED.contains(&name);
    if !identifier {
        let suggestion = "lower-case letters, digits and _, such as pressure_sacrum".to_owned();
        section.fault(field.key_span(), format!("property \"{name}\" cannot be named so"), suggestion);
    } else if reserved {
        let message = format!("`{name}` means the message itself, not a property");
        section.fault(field.key_span(), message, "choose another name".to_owned());
    }
    identifier && !reserved
}
