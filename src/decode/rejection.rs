//! Why an uplink was not used, in words for the integrator.
//!
//! A detail names the place and the remedy. It may quote a *name* from the message, shortened and escaped, but
//! never a measured value: it is shown and journaled unsealed.

use crate::domain::ids::DeviceId;
use crate::domain::reason::QuarantineReason;
use smol_str::{SmolStr, format_smolstr};
use std::fmt::Write as _;

const NAME_CHARS_MAX: usize = 48;
/// How many known names a detail lists before it stops.
const NAMES_LISTED_MAX: usize = 12;

#[derive(Debug)]
pub(super) struct Rejection {
    pub reason: QuarantineReason,
    pub detail: SmolStr,
    /// The registered device, once it is known.
    pub device: Option<DeviceId>,
}

impl Rejection {
    pub fn new(reason: QuarantineReason, detail: impl Into<SmolStr>) -> Self {
        Self { reason, detail: detail.into(), device: None }
    }

    pub fn unparsable(detail: impl Into<SmolStr>) -> Self {
        Self::new(QuarantineReason::Unparsable, detail)
    }

    pub fn wrong_type(detail: impl Into<SmolStr>) -> Self {
        Self::new(QuarantineReason::WrongType, detail)
    }

    pub fn by(mut self, device: &DeviceId) -> Self {
        self.device = Some(device.clone());
        self
    }

    /// `error` as line and column only: serde's own words may quote a value.
    pub fn json(what: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let fault = match error.classify() {
            serde_json::error::Category::Eof => "ends too early",
            serde_json::error::Category::Data => "has a field of the wrong type or twice",
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => "is not JSON",
        };
        Self::unparsable(format_smolstr!("{what} {fault} at line {line} column {column}"))
    }
}

/// A name from outside, quoted, escaped and short enough to show.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::from('"');
    text.extend(name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug));
    text.push_str(if name.chars().nth(NAME_CHARS_MAX).is_some() { "…\"" } else { "\"" });
    text
}

/// `a, b, c`, and how many more there are.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut more = 0_usize;
    for (index, name) in names.enumerate() {
        if index >= NAMES_LISTED_MAX {
            more += 1;
        } else {
            text.push_str(if index == 0 { "" } else { ", " });
            text.push_str(name);
        }
    }
    if more > 0 {
        write!(text, " and {more} more").ok();
    }
    text
}
