//! From configuration texts to what the engine and the decoder are given: all faults at once, or one whole.

use crate::config::{Loaded, WrittenCalendars, read_calendars};
use crate::decode::{SensorTypeSpec, load_sensor_types};
use crate::domain::configuration::{Configuration, Mandate};
use crate::domain::fault::Fault;
use crate::domain::ids::{ConfigurationVersion, SensorTypeId};
use crate::domain::time::Timestamp;
use crate::rules::{Budget, RuleSet, Vocabulary, compile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A configuration that fits together.
#[derive(Clone)]
pub struct Assembly {
    /// How messages become observations.
    pub types: BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>,
    /// What the engine decides by; enters as an event.
    pub configuration: Configuration,
    /// Its rules.
    pub rules: RuleSet,
    /// What the tables of its calendars are made of, to make them again for a later time.
    pub calendars: Arc<WrittenCalendars>,
}

/// Puts the texts together; the tables of the calendars are made for the time around `now`.
///
/// # Errors
/// Every fault of sensor types and rules, or of calendars.
pub fn assemble(loaded: &Loaded, now: Timestamp) -> Result<Assembly, Vec<Fault>> {
    let types = load_sensor_types(&loaded.sensor_type_files)?;
    let calendars = read_calendars(&loaded.calendar_files)?;
    let vocabulary = Vocabulary::new(types.values().map(|spec| &spec.sensor_type)).with_shifts(calendars.shifts());
    let limits = &loaded.settings.limits;
    let budget = Budget { assets: limits.planned_assets.into(), bytes_max: limits.rule_state_bytes_max() };
    let rules = compile(&loaded.rule_files, &vocabulary)?;
    let over = rules.over(budget);
    if !over.is_empty() {
        return Err(over);
    }
    let unknown = calendars.unknown_kinds(&types.values().map(|spec| &spec.sensor_type.asset_kind).collect());
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let sensor_types = types.iter().map(|(id, spec)| (id.clone(), spec.sensor_type.clone())).collect();
    let configuration = Configuration {
        version: version(loaded),
        sensor_types,
        rule_files: loaded.rule_files.clone(),
        dispatch: loaded.settings.dispatch.clone(),
        calendars: calendars.around(now),
        mandate: Mandate::default(),
    };
    Ok(Assembly { types, configuration, rules, calendars: Arc::new(calendars) })
}

/// A hash over the texts of everything decisions depend on.
fn version(loaded: &Loaded) -> ConfigurationVersion {
    let mut hasher = blake3::Hasher::new();
    for (name, text) in loaded.sensor_type_files.iter().chain(&loaded.rule_files).chain(&loaded.calendar_files) {
        hash_text(&mut hasher, name);
        hash_text(&mut hasher, text);
    }
    hash_text(&mut hasher, &format!("{:?}", loaded.settings.dispatch));
    let mut version = [0; 16];
    hasher.finalize_xof().fill(&mut version);
    ConfigurationVersion(version)
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
