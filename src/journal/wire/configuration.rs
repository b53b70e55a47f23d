//! A configuration with its whole content, as it stands in a record: replay needs no file beside the journal.

use super::calendar::Calendars;
use super::mandate::Mandate;
use super::reason::{PropertyKindCode, PurposeCode};
use crate::domain::asset;
use crate::domain::configuration;
use crate::domain::ids::ConfigurationVersion;
use crate::domain::time::Span;
use minicbor::{Decode, Encode};
use smol_str::SmolStr;
use std::collections::BTreeMap;

#[derive(Encode, Decode)]
pub struct Configuration<'a> {
    #[cbor(n(0), with = "minicbor::bytes")]
    version: [u8; 16],
    #[b(1)]
    sensor_types: Vec<SensorType<'a>>,
    #[b(2)]
    rule_files: Vec<RuleFile<'a>>,
    #[n(3)]
    dispatch: DispatchPolicy,
    /// Without any before the first program that knew calendars.
    #[b(4)]
    calendars: Option<Box<Calendars<'a>>>,
    /// Not written where nothing is to be said, as in older records.
    #[b(5)]
    mandate: Option<Mandate<'a>>,
}

#[derive(Encode, Decode)]
struct SensorType<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    asset_kind: &'a str,
    #[n(2)]
    interval: i64,
    #[b(3)]
    properties: Vec<Property<'a>>,
    /// Not written where it is zero, as in older records.
    #[n(4)]
    lateness: Option<i64>,
}

#[derive(Encode, Decode)]
struct Property<'a> {
    #[b(0)]
    name: &'a str,
    #[n(1)]
    kind: PropertyKindCode,
    #[b(2)]
    unit: &'a str,
    #[n(3)]
    range: Option<(f64, f64)>,
    #[n(4)]
    purpose: Option<PurposeCode>,
}

#[derive(Encode, Decode)]
pub struct RuleFile<'a> {
    #[b(0)]
    name: &'a str,
    #[b(1)]
    text: &'a str,
}

#[derive(Encode, Decode)]
struct DispatchPolicy {
    #[n(0)]
    offer_timeouts: [i64; 4],
    #[n(1)]
    retry_after: i64,
}

impl<'a> From<&'a configuration::Configuration> for Configuration<'a> {
    fn from(configuration: &'a configuration::Configuration) -> Self {
        Self {
            version: configuration.version.0,
            sensor_types: configuration.sensor_types.values().map(Into::into).collect(),
            rule_files: RuleFile::all(&configuration.rule_files),
            dispatch: DispatchPolicy {
                offer_timeouts: configuration.dispatch.offer_timeouts.map(Span::as_micros),
                retry_after: configuration.dispatch.retry_after.as_micros(),
            },
            calendars: Some(&configuration.calendars)
                .filter(|calendars| !calendars.is_empty())
                .map(|calendars| Box::new(calendars.into())),
            mandate: Mandate::unless_empty(&configuration.mandate),
        }
    }
}

impl From<Configuration<'_>> for configuration::Configuration {
    fn from(wire: Configuration<'_>) -> Self {
        Self {
            version: ConfigurationVersion(wire.version),
            sensor_types: wire
                .sensor_types
                .into_iter()
                .map(asset::SensorType::from)
                .map(|sensor_type| (sensor_type.id.clone(), sensor_type))
                .collect(),
            rule_files: RuleFile::texts(wire.rule_files),
            dispatch: configuration::DispatchPolicy {
                offer_timeouts: wire.dispatch.offer_timeouts.map(Span::from_micros),
                retry_after: Span::from_micros(wire.dispatch.retry_after),
            },
            calendars: wire.calendars.map(|calendars| (*calendars).into()).unwrap_or_default(),
            mandate: wire.mandate.map(Into::into).unwrap_or_default(),
        }
    }
}

impl<'a> RuleFile<'a> {
    pub fn all(files: &'a BTreeMap<SmolStr, String>) -> Vec<Self> {
        files.iter().map(|(name, text)| Self { name, text }).collect()
    }

    pub fn texts(files: Vec<Self>) -> BTreeMap<SmolStr, String> {
        files.into_iter().map(|file| (file.name.into(), file.text.to_owned())).collect()
    }
}

impl<'a> From<&'a asset::SensorType> for SensorType<'a> {
    fn from(sensor_type: &'a asset::SensorType) -> Self {
        let properties = sensor_type.properties.iter().map(|(name, property)| Property {
            name: name.as_str(),
            kind: property.kind.into(),
            unit: &property.unit,
            range: property.range,
            purpose: property.purpose.map(Into::into),
        });
        Self {
            id: sensor_type.id.as_str(),
            asset_kind: sensor_type.asset_kind.as_str(),
            interval: sensor_type.interval.as_micros(),
            properties: properties.collect(),
            lateness: Some(sensor_type.lateness.as_micros()).filter(|lateness| *lateness > 0),
        }
    }
}

impl From<SensorType<'_>> for asset::SensorType {
    fn from(wire: SensorType<'_>) -> Self {
        let properties = wire.properties.into_iter().map(|property| {
            let known = asset::Property {
                kind: property.kind.into(),
                unit: property.unit.into(),
                range: property.range,
                purpose: property.purpose.map(Into::into),
            };
            (property.name.into(), known)
        });
        Self {
            id: wire.id.into(),
            asset_kind: wire.asset_kind.into(),
            interval: Span::from_micros(wire.interval),
            lateness: wire.lateness.map(Span::from_micros).unwrap_or_default(),
            properties: properties.collect(),
        }
    }
}
