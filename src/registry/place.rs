//! Where an asset stands: degrees of WGS 84, or metres of ETRS89 / UTM zone 32N.

use super::row::Line;
use super::utm;
use crate::domain::asset::Position;

/// None when the row tells no place, or a fault was noted.
pub(super) fn read(line: &mut Line<'_>) -> Option<Position> {
    let degrees = pair(line, "latitude", "longitude");
    let metres = pair(line, "easting", "northing");
    match (degrees, metres) {
        (Some(_), Some(_)) => {
            line.note("latitude", "the row gives both degrees and metres; give one of them");
            None
        }
        (Some((latitude, longitude)), None) => from_degrees(line, latitude, longitude),
        (None, Some((easting, northing))) => from_metres(line, easting, northing),
        (None, None) => None,
    }
}

fn pair(line: &mut Line<'_>, first: &str, second: &str) -> Option<(f64, f64)> {
    match (line.cell(first).is_some(), line.cell(second).is_some()) {
        (true, false) => line.note(second, format!("\"{first}\" is given, so this is needed")),
        (false, true) => line.note(first, format!("\"{second}\" is given, so this is needed")),
        (true, true) | (false, false) => {}
    }
    let (first, second) = (line.number(first), line.number(second));
    Some((first?, second?))
}

fn from_degrees(line: &mut Line<'_>, latitude: f64, longitude: f64) -> Option<Position> {
    let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    if !on_earth {
        line.note("latitude", "latitude is from -90 to 90 and longitude from -180 to 180 degrees");
        return None;
    }
    // Denmark the wrong way round lies in the Arabian Sea.
    if (7.0..=16.0).contains(&latitude) && (54.0..=58.0).contains(&longitude) {
        line.note("latitude", "latitude and longitude have changed places: Denmark is at latitude 54 to 58");
        return None;
    }
    Some(Position { latitude, longitude })
}

fn from_metres(line: &mut Line<'_>, easting: f64, northing: f64) -> Option<Position> {
    let in_zone = (100_000.0..=1_000_000.0).contains(&easting) && (0.0..=9_400_000.0).contains(&northing);
    if !in_zone {
        let swapped = (100_000.0..=1_000_000.0).contains(&northing) && easting > 1_000_000.0;
        let reason = if swapped {
            "easting and northing have changed places: in Denmark the northing is about 6,100,000"
        } else {
            "outside UTM zone 32N: easting is 100,000 to 1,000,000 and northing 0 to 9,400,000 metres"
        };
        line.note("easting", reason);
        return None;
    }
    Some(utm::position(easting, northing))
}
