//! The declarative mapping of a sensor type: which field gives which property.
//!
//! Made by `load.rs` from a file, used by `read.rs`. JSON is read here, bytes in `tlv.rs`, and what happens to one
//! value in `conversion.rs`. A payload that no mapping can express will be handed to a codec process; that is not
//! done here.

use super::canonical;
use super::conversion::{Conversion, Raw, Reading, Target};
use super::json::{Fields, Json};
use super::rejection::{Rejection, listed, quoted};
use super::tlv::BinaryMapping;
use crate::domain::asset::SensorType;
use crate::domain::reason::QuarantineReason;
use crate::domain::time::Timestamp;
use smol_str::{SmolStr, format_smolstr};

/// A model of sensor: what the engine must know of it, and how its bytes are read.
#[derive(Clone, Debug)]
pub struct SensorTypeSpec {
    pub sensor_type: SensorType,
    /// What people call it.
    pub name: String,
    pub vendor: String,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Json(JsonMapping),
    Binary(BinaryMapping),
}

#[derive(Clone, Debug, Default)]
pub(super) struct JsonMapping {
    pub fields: Vec<JsonField>,
    /// Top-level fields that are known and not wanted.
    pub ignore: Vec<SmolStr>,
    /// Where the message's own name stands, if not in the envelope.
    pub id: Option<Vec<SmolStr>>,
    /// Where the device's own time stands, if not in the envelope.
    pub observed_at: Option<Vec<SmolStr>>,
}

#[derive(Clone, Debug)]
pub(super) struct JsonField {
    /// At least one step.
    pub path: Vec<SmolStr>,
    pub target: Target,
}

impl SensorTypeSpec {
    /// The mounting values that a device of this type must have in the registry.
    #[must_use]
    pub fn mounting_required(&self) -> &'static [&'static str] {
        let from_distance = |target: &Target| target.conversion == Some(Conversion::FillFromDistance);
        let needed = match &self.source {
            Source::Json(json) => json.fields.iter().any(|field| from_distance(&field.target)),
            Source::Binary(binary) => binary.targets().any(from_distance),
        };
        if needed { &["d_empty_mm", "d_full_mm"] } else { &[] }
    }

    pub(super) fn reads_json(&self) -> bool {
        matches!(self.source, Source::Json(_))
    }
}

impl JsonMapping {
    pub fn read<'a>(
        &'a self,
        fields: &Fields<'_>,
        fields_max: usize,
        reading: &mut Reading<'a>,
    ) -> Result<(), Rejection> {
        if let Some((name, _)) = fields.iter().find(|(name, _)| !self.knows(name)) {
            let known = listed(self.fields.iter().map(|field| field.path[0].as_str()));
            let detail = format_smolstr!("property {} is not one of {known}", quoted(name));
            return Err(Rejection::new(QuarantineReason::UnknownProperty, detail));
        }
        for field in &self.fields {
            let raw = match fields.at(&field.path, fields_max)? {
                None | Some(Json::Null) => continue,
                Some(Json::Boolean(flag)) => Raw::Boolean(flag),
                Some(Json::Number(number)) => Raw::Number(number),
                Some(Json::Text(text)) => Raw::Text(text),
                Some(Json::Array | Json::Object(_)) => return Err(field.target.wrong_type("a single value")),
            };
            reading.take(&field.target, raw)?;
        }
        Ok(())
    }

    pub fn message_id(&self, fields: &Fields<'_>, fields_max: usize) -> Result<Option<SmolStr>, Rejection> {
        let Some(path) = &self.id else { return Ok(None) };
        canonical::message_id(&path.join("."), fields.at(path, fields_max)?)
    }

    pub fn device_time(&self, fields: &Fields<'_>, fields_max: usize) -> Result<Option<Timestamp>, Rejection> {
        let Some(path) = &self.observed_at else { return Ok(None) };
        canonical::device_time(&path.join("."), fields.at(path, fields_max)?)
    }

    fn knows(&self, name: &str) -> bool {
        let heads = [&self.id, &self.observed_at].into_iter().flatten().filter_map(|path| path.first());
        canonical::RESERVED.contains(&name)
            || self.fields.iter().any(|field| field.path[0] == name)
            || self.ignore.iter().chain(heads).any(|known| known == name)
    }
}

/// The rejection of whatever holds a CPR number; it never shows the number.
pub(super) fn cpr_in(place: &str) -> Rejection {
    let detail = format_smolstr!("{place} holds what looks like a CPR number: nothing of it was kept");
    Rejection::new(QuarantineReason::CprNumber, detail)
}
