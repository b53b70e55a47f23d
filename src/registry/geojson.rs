//! GeoJSON: points with properties.
//!
//! Coordinates are longitude and latitude (RFC 7946), or easting and northing when the file names EPSG:25832 in the
//! older `crs` member, as GIS programs still write it.

use super::faults::Faults;
use super::json::{self, Gathered, Pairs};
use super::read::Limits;
use super::sheet::{Cell, Sheet};
use serde::Deserialize;
use serde_json::Value;

const DEGREES: [&str; 2] = ["longitude", "latitude"];

/// No degree is this large, and no easting or northing in Denmark this small.
const METRES_MIN: f64 = 10_000.0;

#[derive(Deserialize)]
struct FeatureCollection {
    #[serde(rename = "type")]
    kind: String,
    features: Vec<Feature>,
    crs: Option<Value>,
}

#[derive(Deserialize)]
struct Feature {
    id: Option<Value>,
    geometry: Option<Geometry>,
    properties: Option<Pairs>,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    coordinates: Option<Value>,
}

/// Whether a `.json` file is GeoJSON: then it is an object, and an array otherwise.
pub(super) fn opens(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

pub(super) fn read(limits: &Limits, bytes: &[u8], faults: &mut Faults) -> Option<Sheet> {
    let collection: FeatureCollection = match serde_json::from_str(json::text(bytes, faults)?) {
        Ok(collection) => collection,
        Err(error) => {
            let place = format!("at line {} column {}", error.line(), error.column());
            faults.note_file(format!("not a GeoJSON FeatureCollection {place}"));
            return None;
        }
    };
    if collection.kind != "FeatureCollection" {
        faults.note_file("not a GeoJSON FeatureCollection");
        return None;
    }
    let axes = coordinate_names(collection.crs.as_ref(), faults)?;
    let mut gathered = Gathered::new();
    for (number, feature) in (1_u32..).zip(collection.features) {
        let mut named = Vec::new();
        let properties = feature.properties.unwrap_or_default();
        let has_id = properties.list.iter().any(|(key, _)| key == "id");
        if let Some(id) = feature.id.filter(|_| !has_id) {
            named.push(("id", json::cell(number, "id", id, faults)));
        }
        if let Some(point) = feature.geometry.and_then(|geometry| point(number, &geometry, faults)) {
            if axes == DEGREES && point.iter().all(|metres| *metres >= METRES_MIN) {
                let remedy = "name EPSG:25832 in a member \"crs\", or export the file as WGS 84";
                faults.note(number, "geometry", format!("the coordinates are metres, not degrees; {remedy}"));
                continue;
            }
            named.extend(axes.into_iter().zip(point.map(Cell::Number)));
        }
        if !gathered.add(number, named, properties, limits, faults) {
            break;
        }
    }
    Some(gathered.sheet)
}

/// What the two coordinates of a point are.
fn coordinate_names(crs: Option<&Value>, faults: &mut Faults) -> Option<[&'static str; 2]> {
    let Some(crs) = crs.filter(|crs| !crs.is_null()) else { return Some(DEGREES) };
    let name = crs.pointer("/properties/name").and_then(Value::as_str).unwrap_or_default();
    if name.ends_with("CRS84") || name.ends_with("4326") || name.ends_with("4258") {
        return Some(DEGREES);
    }
    if name.ends_with("25832") {
        return Some(["easting", "northing"]);
    }
    faults.note_file("the coordinates are neither WGS 84 (the default) nor EPSG:25832");
    None
}

fn point(row: u32, geometry: &Geometry, faults: &mut Faults) -> Option<[f64; 2]> {
    if geometry.kind != "Point" {
        faults.note(row, "geometry", "an asset stands at one point; this is another geometry");
        return None;
    }
    let coordinates = geometry.coordinates.as_ref().and_then(Value::as_array);
    let numbers: Option<Vec<f64>> = coordinates.and_then(|list| list.iter().map(Value::as_f64).collect());
    // A third number is the height, which nobody asks for.
    if let Some([first, second] | [first, second, _]) = numbers.as_deref() {
        return Some([*first, *second]);
    }
    faults.note(row, "geometry", "a point has two numbers");
    None
}
