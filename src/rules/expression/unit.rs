//! Units of numbers: what may be compared and added, and quantities such as `"20 °C"` in the unit of what they meet.
//!
//! Units are UCUM codes, as sensor types give them. A number in quotes is brought to the other side's unit where both
//! measure the same; properties are never converted, because what a screen shows would differ from what a rule says.

use crate::domain::time::Span;
use smol_str::{SmolStr, format_smolstr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A bare number: it takes the unit of what it meets.
    Plain,
    /// An attribute, or a property whose sensor type gives no unit: nobody can check it.
    Untold,
    /// A length of time, in microseconds; written as `"12h"`, never as a bare number.
    Time,
    /// A UCUM code.
    Of(SmolStr),
}

/// UCUM code, what it measures, and how much of that measure's first unit it is, as a fraction.
const SCALES: [(&str, &str, f64, f64); 22] = [
    ("1", "share", 1.0, 1.0),
    ("%", "share", 1.0, 100.0),
    ("[ppm]", "share", 1.0, 1_000_000.0),
    ("m", "length", 1.0, 1.0),
    ("dm", "length", 1.0, 10.0),
    ("cm", "length", 1.0, 100.0),
    ("mm", "length", 1.0, 1_000.0),
    ("s", "time", 1.0, 1.0),
    ("ms", "time", 1.0, 1_000.0),
    ("min", "time", 60.0, 1.0),
    ("h", "time", 3_600.0, 1.0),
    ("d", "time", 86_400.0, 1.0),
    ("Pa", "pressure", 1.0, 1.0),
    ("hPa", "pressure", 100.0, 1.0),
    ("kPa", "pressure", 1_000.0, 1.0),
    ("mm[Hg]", "pressure", 133_322_387.415, 1_000_000.0),
    ("kg", "mass", 1.0, 1.0),
    ("g", "mass", 1.0, 1_000.0),
    ("L", "volume", 1.0, 1.0),
    ("m3", "volume", 1_000.0, 1.0),
    ("V", "voltage", 1.0, 1.0),
    ("mV", "voltage", 1.0, 1_000.0),
];

/// What people write, and the UCUM code of it.
const HABITS: [(&str, &str); 5] = [("°C", "Cel"), ("mmHg", "mm[Hg]"), ("l", "L"), ("ppm", "[ppm]"), ("m³", "m3")];

/// A number with a unit behind it, such as `20 °C`.
pub(super) fn quantity(text: &str) -> Option<(f64, SmolStr)> {
    let text = text.trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+')))?;
    let number: f64 = text[..end].parse().ok().filter(|number: &f64| number.is_finite())?;
    let unit = text[end..].trim();
    Some((number, code_of(unit)))
}

/// A quantity such as `85 %` as a number in this unit; `None` when it is none, or does not measure the same.
pub fn in_unit(text: &str, code: &str) -> Option<f64> {
    let (number, from) = quantity(text)?;
    convert(number, &from, code)
}

/// The UCUM code of a unit as people write it.
pub(super) fn code_of(unit: &str) -> SmolStr {
    let known = HABITS.iter().find_map(|(habit, code)| (*habit == unit).then_some(*code));
    SmolStr::new(known.unwrap_or(unit))
}

/// Whether this is a unit that can be written behind a number.
pub(super) fn known(unit: &str) -> bool {
    let code = code_of(unit);
    code == "Cel" || scale(&code).is_some() || Span::parse(&format!("1{unit}")).is_ok()
}

/// The number in another unit; `None` when the two do not measure the same.
pub(super) fn convert(number: f64, from: &str, to: &str) -> Option<f64> {
    if from == to {
        return Some(number);
    }
    let ((measure, up, down), (other, other_up, other_down)) = (scale(from)?, scale(to)?);
    (measure == other).then_some(number * up * other_down / (down * other_up))
}

fn scale(code: &str) -> Option<(&'static str, f64, f64)> {
    const { &SCALES }.iter().find(|(known, ..)| *known == code).map(|(_, measure, up, down)| (*measure, *up, *down))
}

impl Unit {
    /// Of a property, as its sensor type gives it.
    pub fn of_property(code: &SmolStr) -> Self {
        if code.is_empty() { Self::Untold } else { Self::Of(code.clone()) }
    }

    /// As messages name it.
    pub fn shown(&self) -> String {
        match self {
            Self::Plain | Self::Untold => "a number without unit".to_owned(),
            Self::Time => "a length of time".to_owned(),
            Self::Of(code) => format!("in unit {code}"),
        }
    }

    /// Of a product; `None` when there is no sense in it.
    pub fn times(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Time, Self::Time | Self::Of(_)) | (Self::Of(_), Self::Time) => return None,
            (Self::Time, Self::Plain | Self::Untold) | (Self::Plain | Self::Untold, Self::Time) => Self::Time,
            (Self::Untold, _) | (_, Self::Untold) => Self::Untold,
            (Self::Plain, unit) | (unit, Self::Plain) => unit,
            (Self::Of(left), Self::Of(right)) if left == "1" => Self::Of(right),
            (Self::Of(left), Self::Of(right)) if right == "1" => Self::Of(left),
            (Self::Of(left), Self::Of(right)) => Self::Of(format_smolstr!("{left}.{right}")),
        })
    }

    /// Of a quotient; `None` when there is no sense in it.
    pub fn over(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (_, Self::Time) | (Self::Time, Self::Of(_)) => return None,
            (Self::Time, Self::Plain | Self::Untold) => Self::Time,
            (Self::Untold, _) | (_, Self::Untold) => Self::Untold,
            (unit, Self::Plain) => unit,
            (Self::Of(left), Self::Of(right)) if left == right => Self::Of("1".into()),
            (Self::Of(left), Self::Of(right)) if right == "1" => Self::Of(left),
            (Self::Of(left), Self::Of(right)) => Self::Of(format_smolstr!("{left}/{right}")),
            (Self::Plain, Self::Of(right)) if right == "1" => Self::Of(right),
            (Self::Plain, Self::Of(right)) => Self::Of(format_smolstr!("1/{right}")),
        })
    }
}
