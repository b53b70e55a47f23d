//! From what a device sent to a value of a property: sentinel, enumeration, scale, offset, range.
//!
//! Every number passes here exactly once and leaves finite, inside its range, or as a rejection. Texts quote
//! the property and what is allowed, never the value.

use super::directory::{Depth, Mounted};
use super::mapping::cpr_in;
use super::rejection::{Rejection, listed};
use crate::domain::asset::PropertyKind;
use crate::domain::cpr;
use crate::domain::ids::PropertyName;
use crate::domain::observation::{Finite, Value};
use crate::domain::reason::QuarantineReason;
use smol_str::{SmolStr, format_smolstr};
use std::borrow::Cow;

const TEXT_BYTES_MAX: usize = 256;

/// Which property a field gives, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub property: PropertyName,
    pub kind: PropertyKind,
    pub unit: SmolStr,
    pub range: Option<(f64, f64)>,
    /// What the device can send at all; outside is a fault of the device, before any conversion could hide it.
    pub raw_range: Option<(f64, f64)>,
    /// What the device sends to say that it has no value.
    pub sentinels: Vec<Known>,
    /// What its codes and words mean; empty when values are taken as they are.
    pub enumeration: Vec<(Known, Value)>,
    pub scale: Scale,
    pub offset: f64,
    pub conversion: Option<Conversion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Distance to the surface in millimetres → fill, by the device's mounting.
    FillFromDistance,
}

/// A factor. Tenths are divided by ten, not multiplied by 0.1: 232 gives 23.2 and not 23.200000000000003.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Times(f64),
    Over(f64),
}

/// One value a device may send, as a sensor type file writes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub text: SmolStr,
    pub number: Option<f64>,
}

/// A value as the device sent it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw<'a> {
    Boolean(bool),
    Number(f64),
    Text(Cow<'a, str>),
}

/// The values of one message, as far as they have been read.
pub(super) struct Reading<'a> {
    pub values: Vec<(&'a Target, Value)>,
    /// The message could not be read to its end.
    pub cut_short: bool,
    depth: Option<Depth>,
}

impl<'a> Reading<'a> {
    pub fn of(device: &'a Mounted) -> Self {
        Self { values: Vec::with_capacity(4), cut_short: false, depth: device.depth }
    }

    /// Takes one value; a second one for the same property in the same message replaces the first.
    pub fn take(&mut self, target: &'a Target, raw: Raw<'_>) -> Result<(), Rejection> {
        let Some(value) = target.value(raw, self.depth)? else { return Ok(()) };
        match self.values.iter_mut().find(|(earlier, _)| earlier.property == target.property) {
            Some(earlier) => earlier.1 = value,
            None => self.values.push((target, value)),
        }
        Ok(())
    }
}

impl Target {
    /// The value of the property, or none when the device says, or its mounting is why, there is none.
    fn value(&self, raw: Raw<'_>, depth: Option<Depth>) -> Result<Option<Value>, Rejection> {
        if self.sentinels.iter().any(|sentinel| sentinel.is(&raw)) {
            return Ok(None);
        }
        if let Raw::Number(number) = raw {
            self.check_range(self.finite(number)?.get(), self.raw_range)?;
        }
        if !self.enumeration.is_empty() {
            let meaning = self.enumeration.iter().find(|(known, _)| known.is(&raw));
            let meaning = meaning.map(|(_, value)| value.clone()).ok_or_else(|| {
                let known = listed(self.enumeration.iter().map(|(known, _)| known.text.as_str()));
                self.rejection(QuarantineReason::OutOfRange, &format!("is not one of {known}"))
            })?;
            return Ok(Some(meaning));
        }
        match (self.kind, raw) {
            (PropertyKind::Number, Raw::Number(number)) => self.number(number, depth),
            (PropertyKind::Number, Raw::Text(text)) if names_no_number(&text) => Err(self.not_finite()),
            (PropertyKind::Boolean, Raw::Boolean(flag)) => Ok(Some(Value::Boolean(flag))),
            (PropertyKind::Text, Raw::Text(text)) => self.text(&text).map(Some),
            (PropertyKind::Number, Raw::Boolean(_) | Raw::Text(_)) => Err(self.wrong_type("a number")),
            (PropertyKind::Boolean, Raw::Number(_) | Raw::Text(_)) => Err(self.wrong_type("true or false")),
            (PropertyKind::Text, Raw::Boolean(_) | Raw::Number(_)) => Err(self.wrong_type("a text")),
        }
    }

    fn number(&self, raw: f64, depth: Option<Depth>) -> Result<Option<Value>, Rejection> {
        let scaled = self.scale.apply(raw) + self.offset;
        let converted = match (self.conversion, depth) {
            (None, _) => scaled,
            (Some(Conversion::FillFromDistance), Some(depth)) => depth.fill(scaled),
            (Some(Conversion::FillFromDistance), None) => return Ok(None),
        };
        let number = self.finite(converted)?;
        self.check_range(number.get(), self.range)?;
        Ok(Some(Value::Number(number)))
    }

    fn text(&self, text: &str) -> Result<Value, Rejection> {
        if cpr::holds_cpr_number(text) {
            return Err(cpr_in(&format!("property \"{}\"", self.property)));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(self.rejection(QuarantineReason::Oversize, &format!("has more than {TEXT_BYTES_MAX} bytes")));
        }
        Ok(Value::Text(SmolStr::new(text)))
    }

    fn finite(&self, number: f64) -> Result<Finite, Rejection> {
        Finite::new(number).ok_or_else(|| self.not_finite())
    }

    fn check_range(&self, number: f64, range: Option<(f64, f64)>) -> Result<(), Rejection> {
        match range {
            Some((low, high)) if !(low..=high).contains(&number) => {
                Err(self.rejection(QuarantineReason::OutOfRange, &format!("is outside {low} to {high}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn not_finite(&self) -> Rejection {
        self.rejection(QuarantineReason::NonFinite, "is not a finite number")
    }

    pub fn wrong_type(&self, expected: &str) -> Rejection {
        self.rejection(QuarantineReason::WrongType, &format!("is not {expected}"))
    }

    fn rejection(&self, reason: QuarantineReason, what: &str) -> Rejection {
        Rejection::new(reason, format_smolstr!("property \"{}\" {what}", self.property))
    }
}

impl Scale {
    pub fn of(factor: f64) -> Self {
        let inverse = libm::round(1.0 / factor);
        #[expect(clippy::float_cmp, reason = "only when the division is the same factor to the last bit")]
        let exact = inverse.is_finite() && 1.0 / inverse == factor;
        if exact { Self::Over(inverse) } else { Self::Times(factor) }
    }

    fn apply(self, number: f64) -> f64 {
        match self {
            Self::Times(factor) => number * factor,
            Self::Over(divisor) => number / divisor,
        }
    }
}

impl Known {
    fn is(&self, raw: &Raw<'_>) -> bool {
        match raw {
            Raw::Boolean(flag) => self.text == if *flag { "true" } else { "false" },
            Raw::Number(number) => self.number == Some(*number),
            Raw::Text(text) => self.text == text.as_ref(),
        }
    }
}

/// The words with which programs write what JSON has no number for.
fn names_no_number(text: &str) -> bool {
    let word = text.trim().trim_start_matches(['+', '-']);
    ["nan", "inf", "infinity"].iter().any(|name| word.eq_ignore_ascii_case(name))
}
