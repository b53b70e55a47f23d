//! The `[mapping]` of a sensor type file: where each property's value stands in a message.

use super::conversion::{Conversion, Known, Scale, Target};
use super::load::{Properties, range};
use super::mapping::{JsonField, JsonMapping, Source};
use super::tlv::{BinaryField, BinaryMapping, Channel, Width, hex, parse_hex};
use crate::domain::asset::{Property, PropertyKind};
use crate::domain::fault::suggest_known;
use crate::domain::ids::PropertyName;
use crate::domain::observation::{Finite, Value};
use crate::domain::toml_reader::{Field, Scalar, Section};
use smol_str::SmolStr;

const SOURCES: [&str; 2] = ["json", "binary"];
const CONVERSIONS: [(&str, Conversion); 1] = [("fill-from-distance-mm", Conversion::FillFromDistance)];
const NAME_BYTES_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 256;
const PATH_STEPS_MAX: usize = 8;
const CODE_BYTES_MAX: usize = 4;
const CHANNEL_BYTES_MAX: i64 = 64;

/// Without a `[mapping]`, every property is read from the JSON field of its own name.
pub(super) fn load_mapping(root: &mut Section<'_>, properties: &Properties) -> Option<Source> {
    let Some(field) = root.optional("mapping") else {
        let mut json = JsonMapping::default();
        add_unmapped(&mut json, properties);
        return Some(Source::Json(json));
    };
    let mut mapping = field.section()?;
    let source = mapping.required("source", "source = \"json\"").and_then(|field| field.one_of(&SOURCES));
    let source = match source.map(|index| SOURCES[index]) {
        Some("json") => Source::Json(json(&mut mapping, properties)),
        Some(_) => Source::Binary(binary(&mut mapping, properties)),
        // What the other keys should be depends on the source.
        None => {
            mapping.entries();
            mapping.finish();
            return None;
        }
    };
    mapping.finish();
    Some(source)
}

fn json(mapping: &mut Section<'_>, properties: &Properties) -> JsonMapping {
    let mut json = JsonMapping::default();
    if let Some(field) = mapping.optional("ignore") {
        let names = field.items("a list of field names", "[\"rssi\", \"snr\"]");
        let texts = names.iter().filter_map(|name| name.filled_text(NAME_BYTES_MAX));
        json.ignore = texts.map(|text| SmolStr::new(text.value)).collect();
    }
    json.id = mapping.optional("id").and_then(|field| path(&field));
    json.observed_at = mapping.optional("observed_at").and_then(|field| path(&field));
    for mut section in mapping.sections("field") {
        let property = property(&mut section, properties);
        let path = section.required("path", "path = \"level.percent\"").and_then(|field| path(&field));
        let target = property.and_then(|property| target(&mut section, property));
        let span = section.span();
        if let (Some(path), Some(target)) = (path, target) {
            if json.fields.iter().any(|other| other.target.property == target.property) {
                section.fault(span, format!("property `{}` is mapped twice", target.property), None);
            } else {
                json.fields.push(JsonField { path, target });
            }
        }
        section.finish();
    }
    add_unmapped(&mut json, properties);
    json
}

/// A property that no field names is read from the field of its own name.
fn add_unmapped(json: &mut JsonMapping, properties: &Properties) {
    for (name, declared) in properties {
        let Some(property) = &declared.property else { continue };
        if json.fields.iter().all(|field| field.target.property != *name) {
            let path = vec![SmolStr::new(name.as_str())];
            json.fields.push(JsonField { path, target: Target::plain(name, property) });
        }
    }
}

fn binary(mapping: &mut Section<'_>, properties: &Properties) -> BinaryMapping {
    let port = mapping.optional("port").and_then(|field| field.whole(1..=255));
    let mut binary = BinaryMapping { port: port.and_then(|port| u8::try_from(port).ok()), channels: Vec::new() };
    let mut named = Vec::new();
    let mut misnamed = false;
    for mut section in mapping.sections("field") {
        let property = property(&mut section, properties);
        misnamed |= property.is_none();
        named.extend(property.map(|(name, _)| name.clone()));
        binary_field(&mut section, property, &mut binary.channels);
        section.finish();
    }
    for mut section in mapping.sections("skip") {
        let bytes = section.required("bytes", "bytes = 1").and_then(|field| field.whole(0..=CHANNEL_BYTES_MAX));
        let code = section.required("channel", "channel = \"ff 01\"").and_then(|field| code(&field));
        if let (Some(bytes), Some(code)) = (bytes, code) {
            channel(&mut binary.channels, code, bytes as usize, &section);
        }
        section.finish();
    }
    // After a name that is wrong it is not known which property is left over.
    for (name, declared) in properties.iter().filter(|(name, _)| !misnamed && !named.contains(name)) {
        let suggestion = "add a [[mapping.field]] for it, or take the property away".to_owned();
        mapping.fault(declared.span.clone(), format!("no channel gives property `{name}`"), suggestion);
    }
    binary
}

fn binary_field(section: &mut Section<'_>, property: Option<(&PropertyName, &Property)>, channels: &mut Vec<Channel>) {
    let code = section.required("channel", "channel = \"04 82\"").and_then(|field| code(&field));
    let read = section.required("read", "read = \"u16le\"").and_then(|field| {
        let known = Width::ALL.map(|(name, _)| name);
        field.one_of(&known).map(|index| Width::ALL[index].1)
    });
    let mut whole = |key: &str| section.optional(key)?.whole(0..=CHANNEL_BYTES_MAX).map(|number| number as usize);
    let (at, bytes) = (whole("at").unwrap_or(0), whole("bytes"));
    let target = property.and_then(|property| target(section, property));
    let width = read.map_or(0, Width::bytes);
    let bytes = bytes.unwrap_or(at + width);
    if at + width > bytes {
        let message = format!("{width} bytes at {at} do not fit into {bytes}");
        section.fault(section.span(), message, format!("write bytes = {}", at + width));
        return;
    }
    let (Some(code), Some(read), Some(target)) = (code, read, target) else { return };
    if target.kind != PropertyKind::Number && target.enumeration.is_empty() {
        let suggestion = "add enumeration = { 0 = false, 1 = true }".to_owned();
        section.fault(section.span(), format!("bytes are numbers, and `{}` is none", target.property), suggestion);
    }
    if let Some(channel) = channel(channels, code, bytes, section) {
        channel.fields.push(BinaryField { at, read, target });
    }
}

/// The channel with this code, added if it is not there.
fn channel<'c>(
    channels: &'c mut Vec<Channel>,
    code: Vec<u8>,
    bytes: usize,
    section: &Section<'_>,
) -> Option<&'c mut Channel> {
    if let Some(index) = channels.iter().position(|channel| channel.code == code) {
        let above = channels[index].bytes;
        if above == bytes {
            return Some(&mut channels[index]);
        }
        let message = format!("channel {} has {above} bytes above and {bytes} here", hex(&code));
        section.fault(section.span(), message, "give both the same \"bytes\"".to_owned());
        return None;
    }
    let clash = |other: &&Channel| other.code.starts_with(&code) || code.starts_with(&other.code);
    if let Some(other) = channels.iter().find(clash) {
        let message = format!("channels {} and {} cannot be told apart", hex(&other.code), hex(&code));
        section.fault(section.span(), message, None);
        return None;
    }
    channels.push(Channel { code, bytes, fields: Vec::new() });
    channels.last_mut()
}

fn code(field: &Field<'_>) -> Option<Vec<u8>> {
    let text = field.filled_text(NAME_BYTES_MAX)?;
    let code = parse_hex(&text.value).filter(|code| code.len() <= CODE_BYTES_MAX);
    if code.is_none() {
        let suggestion = format!("1 to {CODE_BYTES_MAX} bytes in hexadecimal, such as \"04 82\"");
        text.fault(format!("channel \"{}\" is no code", text.value), suggestion);
    }
    code
}

fn property<'p>(section: &mut Section<'_>, properties: &'p Properties) -> Option<(&'p PropertyName, &'p Property)> {
    let text = section.required("property", "property = \"fill\"")?.filled_text(NAME_BYTES_MAX)?;
    let Some((name, declared)) = properties.get_key_value(text.value.as_ref()) else {
        let suggestion = suggest_known(&text.value, properties.keys().map(PropertyName::as_str));
        text.fault(format!("property \"{}\" is not declared above", text.value), suggestion);
        return None;
    };
    Some((name, declared.property.as_ref()?))
}

fn path(field: &Field<'_>) -> Option<Vec<SmolStr>> {
    let text = field.filled_text(PATH_BYTES_MAX)?;
    let steps: Vec<SmolStr> = text.value.split('.').map(SmolStr::new).collect();
    let fits = steps.len() <= PATH_STEPS_MAX && steps.iter().all(|step| !step.is_empty());
    if !fits {
        let suggestion = format!("at most {PATH_STEPS_MAX} names with dots between, such as \"level.percent\"");
        text.fault(format!("\"{}\" is no path", text.value), suggestion);
    }
    fits.then_some(steps)
}

/// What happens to the value of one field.
fn target(section: &mut Section<'_>, (name, property): (&PropertyName, &Property)) -> Option<Target> {
    let mut number = |key: &str| section.optional(key)?.number(f64::MIN..=f64::MAX);
    let (scale, offset) = (number("scale"), number("offset"));
    let raw_range = section.optional("raw_range").and_then(|field| range(&field));
    let sentinels = section.optional("sentinels").map(|field| sentinels(&field)).unwrap_or_default();
    let enumeration = section.optional("enumeration").and_then(|field| field.section());
    let enumeration = enumeration.map(|section| meanings(section, property.kind)).unwrap_or_default();
    let conversion = section.optional("convert").and_then(|field| {
        let known = CONVERSIONS.map(|(name, _)| name);
        field.one_of(&known).map(|index| CONVERSIONS[index].1)
    });
    let arithmetic = scale.is_some() || offset.is_some() || conversion.is_some();
    if arithmetic && (property.kind != PropertyKind::Number || !enumeration.is_empty()) {
        let message = "scale, offset and convert are for numbers without an enumeration";
        section.fault(section.span(), message, "take them away".to_owned());
        return None;
    }
    let scale = Scale::of(scale.unwrap_or(1.0));
    let offset = offset.unwrap_or(0.0);
    let plain = Target::plain(name, property);
    Some(Target { raw_range, sentinels, enumeration, scale, offset, conversion, ..plain })
}

fn sentinels(field: &Field<'_>) -> Vec<Known> {
    let items = field.items("a list of values that mean no value", "[65535]");
    let known = |scalar| match scalar {
        Scalar::Text(text) => Known::from_text(&text),
        Scalar::Number(number) => Known { text: SmolStr::default(), number: Some(number) },
        Scalar::Boolean(flag) => Known::from_text(if flag { "true" } else { "false" }),
    };
    items.iter().filter_map(Field::scalar).map(known).collect()
}

fn meanings(mut section: Section<'_>, kind: PropertyKind) -> Vec<(Known, Value)> {
    let entries = section.entries();
    let meaning = |field: &Field<'_>| match kind {
        PropertyKind::Number => field.number(f64::MIN..=f64::MAX).and_then(Finite::new).map(Value::Number),
        PropertyKind::Boolean => field.boolean().map(Value::Boolean),
        PropertyKind::Text => field.filled_text(NAME_BYTES_MAX).map(|text| Value::Text(SmolStr::new(text.value))),
    };
    entries.iter().filter_map(|(name, field)| Some((Known::from_text(name), meaning(field)?))).collect()
}

impl Known {
    fn from_text(text: &str) -> Self {
        Self { text: SmolStr::new(text), number: text.parse().ok() }
    }
}

impl Target {
    /// The value as it is sent.
    fn plain(name: &PropertyName, property: &Property) -> Self {
        Self {
            property: name.clone(),
            kind: property.kind,
            unit: property.unit.clone(),
            range: property.range,
            raw_range: None,
            sentinels: Vec::new(),
            enumeration: Vec::new(),
            scale: Scale::Times(1.0),
            offset: 0.0,
            conversion: None,
        }
    }
}
