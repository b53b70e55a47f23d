//! What was decided with one event of the journal: by which rules, in which version, from which values, and why.

use super::{ExplainError, before};
use crate::config::WrittenCalendars;
use crate::domain::asset::Property;
use crate::domain::ids::{AssetId, AssetKind, PropertyName, Seq};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::journal::{Entry, JournalError, Past, Reader, Sealing};
use crate::review::account::{Account, Language, Telling, accounts, alarms_known, answer_of, written};
use crate::review::replaying::{begin, each_entry};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const VERSION: u32 = 1;

/// Properties by the kind of asset they are measured of.
type Properties = BTreeMap<AssetKind, BTreeMap<PropertyName, Property>>;

/// What was found.
pub struct EventExplained<'a> {
    pub seq: Seq,
    pub at: Timestamp,
    pub event: &'static str,
    pub verdict: String,
    pub accounts: Vec<Account>,
    clock: &'a WrittenCalendars,
    properties: Properties,
    kinds: BTreeMap<AssetId, AssetKind>,
}

#[derive(Serialize)]
struct WireEvent<'a> {
    version: u32,
    seq: u64,
    at: String,
    event: &'a str,
    verdict: &'a str,
    decided: Vec<WireAccount<'a>>,
}

#[derive(Serialize)]
struct WireAccount<'a> {
    rule: &'a str,
    /// Of the rule that made a condition hold; absent elsewhere, and in records from before it was kept.
    rule_version: Option<String>,
    asset: &'a str,
    sentence: WireSentence<'a>,
    /// The newest values that the rule reads; none of those about a person.
    values: Vec<WireValue<'a>>,
    personal: bool,
}

#[derive(Serialize)]
struct WireSentence<'a> {
    en: &'a str,
    da: &'a str,
}

#[derive(Serialize)]
struct WireValue<'a> {
    property: &'a str,
    value: serde_json::Value,
    observed_at: String,
    received_at: String,
}

/// Replays the journal in `folder` to record `seq` and tells what was decided with it.
///
/// # Errors
/// A record that is not kept, or that no snapshot reaches; a journal that cannot be read.
pub fn explain_event<'a>(
    folder: &Path,
    sealing: &Sealing,
    clock: &'a WrittenCalendars,
    seq: Seq,
    mut progress: impl FnMut(u64, u64),
) -> Result<EventExplained<'a>, ExplainError> {
    let past = Past::open(folder)?;
    let outside = || ExplainError::NoSuchEvent { seq, first: past.first.0, last: past.last.0 };
    if seq < past.first.0 || seq > past.last.0 {
        return Err(outside());
    }
    let snapshot = past.snapshot_until(Seq(seq.0 - 1), sealing)?;
    if snapshot.is_none() && past.first.0 > Seq(1) {
        let at = past.moment_of(seq)?.unwrap_or(past.first.1);
        return Err(before(&past, sealing, clock, at)?);
    }
    let mut engine = begin(snapshot.as_ref())?;
    let begun = engine.seq();
    let mut found = None;
    let mut reader = Reader::open(folder, sealing.clone())?;
    each_entry(&mut reader, begun.next(), seq, |entry| {
        if entry.seq == seq {
            found = Some((entry.clone(), alarms_known(&engine)));
        }
        engine.apply(entry.at, &entry.event, &entry.decision);
        if entry.seq.0.is_multiple_of(16_384) {
            progress(entry.seq.0 - begun.0, seq.0 - begun.0);
        }
        true
    })?;
    let (entry, known) = found.ok_or_else(outside)?;
    let Entry { at, event, decision, .. } = &entry;
    let mut explained = EventExplained {
        seq,
        at: *at,
        event: event.name(),
        verdict: format!("{:?}", decision.verdict).to_lowercase(),
        accounts: Vec::new(),
        clock,
        properties: properties(&engine),
        kinds: engine.inventory().assets().map(|asset| (asset.id.clone(), asset.kind.clone())).collect(),
    };
    let personal = |asset: &AssetId| engine.inventory().asset(asset).is_some_and(|asset| asset.person.is_some());
    explained.accounts = accounts(&engine, &known, &entry, &|asset| explained.telling(asset, personal(asset)));
    Ok(explained)
}

fn properties(engine: &Engine) -> Properties {
    let mut properties = Properties::new();
    for known in engine.configuration().into_iter().flat_map(|configuration| configuration.sensor_types.values()) {
        properties.entry(known.asset_kind.clone()).or_default().extend(known.properties.clone());
    }
    properties
}

static NONE: BTreeMap<PropertyName, Property> = BTreeMap::new();

impl EventExplained<'_> {
    fn telling(&self, asset: &AssetId, personal: bool) -> Telling<'_> {
        let properties = self.kinds.get(asset).and_then(|kind| self.properties.get(kind)).unwrap_or(&NONE);
        Telling { language: Language::English, clock: self.clock, properties, at: self.at, personal }
    }

    #[must_use]
    pub fn text(&self) -> String {
        let shown_at = self.telling(&AssetId::new(""), false).dated(self.at);
        let mut text = format!("event {}, {shown_at}: {}, {}\n", self.seq, self.event, self.verdict);
        // Writing to a text cannot fail.
        for account in &self.accounts {
            let Account { rule, version, asset, values, personal, english, danish } = account;
            let version = version.map_or_else(String::new, |version| format!(", version {version}"));
            let _ = writeln!(text, "\n{rule} for {asset}{version}\n  {english}\n  {danish}");
            let telling = self.telling(asset, *personal);
            for (property, sample) in values {
                let (value, at) = (telling.value(&sample.value, property), telling.moment(sample.observed_at));
                let _ = writeln!(text, "  {property} {value}, measured {at}");
            }
        }
        if self.accounts.is_empty() {
            text.push_str("nothing was decided by a rule\n");
        }
        text
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let decided = self.accounts.iter().map(|account| WireAccount {
            rule: account.rule.as_str(),
            rule_version: account.version.map(|version| version.to_string()),
            asset: account.asset.as_str(),
            sentence: WireSentence { en: &account.english, da: &account.danish },
            values: account
                .values
                .iter()
                .map(|(property, sample)| WireValue {
                    property: property.as_str(),
                    value: answer_of(&sample.value),
                    observed_at: written(sample.observed_at),
                    received_at: written(sample.received_at),
                })
                .collect(),
            personal: account.personal,
        });
        let event = WireEvent {
            version: VERSION,
            seq: self.seq.0,
            at: written(self.at),
            event: self.event,
            verdict: &self.verdict,
            decided: decided.collect(),
        };
        // Texts and numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&event).unwrap_or_default()
    }
}

/// The window that can be told: from the first record of all, or from the oldest snapshot on.
pub(super) fn window(past: &Past, sealing: &Sealing) -> Result<(Timestamp, Timestamp), JournalError> {
    let first = match past.oldest_snapshot(sealing)? {
        Some(snapshot) if past.first.0 > Seq(1) => past.moment_of(snapshot.seq)?.unwrap_or(past.first.1),
        Some(_) | None => past.first.1,
    };
    Ok((first, past.last.1))
}
