//! `rettidig explain`: what a rule said about an asset at a moment of the past, and why it fired or did not.
//!
//! Recorded decisions are applied up to that moment, never decided again; then the rule is taken apart by the evaluator
//! that decides. The journal and its snapshots are read beside the gateway, and nothing is changed.
//!
//! Start with `explain`, or with `explain_event` for what was decided with one event; `follow` is what is remembered on
//! the way, `render` and `wire` show what was found.

mod event;
mod follow;
mod render;
mod wire;

use super::account::{Language, Since, Telling, WireState, state_lines};
use super::replaying::{begin, each_entry};
use crate::config::WrittenCalendars;
use crate::domain::asset::Property;
use crate::domain::fault::suggest_known;
use crate::domain::ids::{AssetId, ConfigurationVersion, JournalId, PropertyName, RuleId, RuleVersion, Seq};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::journal::{JournalError, Past, Reader, Sealing};
use event::window;
use follow::Follower;
use std::collections::BTreeMap;
use std::path::Path;
use thiserror::Error;

pub use event::{EventExplained, explain_event};
pub use follow::Recent;

/// What is asked.
pub struct Question<'a> {
    /// The folder of the journal.
    pub journal: &'a Path,
    pub sealing: &'a Sealing,
    pub clock: &'a WrittenCalendars,
    pub asset: AssetId,
    pub rule: RuleId,
    pub at: Timestamp,
}

/// What was found.
pub struct Explained {
    pub asset: AssetId,
    pub rule: RuleId,
    pub at: Timestamp,
    pub journal: JournalId,
    /// The last record before that moment, and its own.
    pub seq: Seq,
    pub seq_at: Timestamp,
    pub fired: bool,
    pub english: String,
    pub danish: String,
    pub version: Option<ConfigurationVersion>,
    /// Since when that configuration has been in force; none when that was before the replay began.
    pub version_since: Option<(Seq, Timestamp)>,
    /// The exact form of the rule.
    pub rule_version: RuleVersion,
    /// Where the rule stands in it.
    pub place: String,
    pub priority: u8,
    pub recent: Vec<Recent>,
    lines: Vec<String>,
    state: WireState,
    /// How moments are shown.
    shown_at: String,
    shown_seq_at: String,
    shown_since: String,
    shown_recent: Vec<String>,
}

#[derive(Debug, Error)]
pub enum ExplainError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("at that moment there was no asset `{asset}`; {suggestion}")]
    UnknownAsset { asset: AssetId, suggestion: String },
    #[error("at that moment no rule `{rule}` was in force; {suggestion}")]
    UnknownRule { rule: RuleId, suggestion: String },
    #[error(
        "the rule `{rule}` applies to assets of kind `{applies_to}`, and `{asset}` is of kind `{kind}`; {suggestion}"
    )]
    OtherKind { rule: RuleId, applies_to: String, asset: AssetId, kind: String, suggestion: String },
    #[error("{at} is before what the journal can tell: it reaches from {first} to {last}")]
    Before { at: String, first: String, last: String },
    #[error("the journal holds no event {seq}: it reaches from event {first} to {last}")]
    NoSuchEvent { seq: Seq, first: Seq, last: Seq },
}

impl ExplainError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Journal(error) => error.retryable(),
            Self::UnknownAsset { .. }
            | Self::UnknownRule { .. }
            | Self::OtherKind { .. }
            | Self::Before { .. }
            | Self::NoSuchEvent { .. } => false,
        }
    }
}

/// Replays to the moment that is asked for; `progress` is told how far it is, in records of so many.
///
/// # Errors
/// Unknown names, with those that are known; a moment outside what is kept; a journal that cannot be read.
pub fn explain(question: &Question<'_>, mut progress: impl FnMut(u64, u64)) -> Result<Explained, ExplainError> {
    let past = Past::open(question.journal)?;
    let through = past.last_until(question.at)?;
    let snapshot = match through {
        Some(through) => past.snapshot_until(through, question.sealing)?,
        None => None,
    };
    let Some(through) = through.filter(|_| snapshot.is_some() || past.first.0 == Seq(1)) else {
        return Err(before(&past, question.sealing, question.clock, question.at)?);
    };
    let mut engine = begin(snapshot.as_ref())?;
    let mut follower = Follower::new(question.asset.clone(), question.rule.clone());
    follower.look(&engine);
    let begun = engine.seq();
    if through > begun {
        let mut reader = Reader::open(question.journal, question.sealing.clone())?;
        each_entry(&mut reader, begun.next(), through, |entry| {
            engine.apply(entry.at, &entry.event, &entry.decision);
            follower.follow(&engine, entry);
            if entry.seq.0.is_multiple_of(16_384) {
                progress(entry.seq.0 - begun.0, through.0 - begun.0);
            }
            true
        })?;
    }
    tell(question, &past, &engine, &follower)
}

/// That a moment cannot be told, and which can.
fn before(
    past: &Past,
    sealing: &Sealing,
    clock: &WrittenCalendars,
    at: Timestamp,
) -> Result<ExplainError, JournalError> {
    let properties = BTreeMap::new();
    let telling = Telling { language: Language::English, clock, properties: &properties, at, personal: false };
    let (first, last) = window(past, sealing)?;
    Ok(ExplainError::Before { at: telling.dated(at), first: telling.dated(first), last: telling.dated(last) })
}

fn telling<'a>(
    question: &'a Question<'_>,
    properties: &'a BTreeMap<PropertyName, Property>,
    language: Language,
    personal: bool,
) -> Telling<'a> {
    Telling { language, clock: question.clock, properties, at: question.at, personal }
}

fn tell(question: &Question<'_>, past: &Past, engine: &Engine, follower: &Follower) -> Result<Explained, ExplainError> {
    let Question { asset, rule, at, .. } = question;
    let Some(insight) = engine.inspect(*at, asset, rule) else { return Err(unknown(question, engine)) };
    let mut properties = BTreeMap::new();
    if let Some(configuration) = engine.configuration() {
        let types = configuration.sensor_types.values().filter(|known| known.asset_kind == insight.asset.kind);
        properties.extend(types.flat_map(|known| known.properties.clone()));
    }
    let personal = insight.asset.person.is_some();
    let english = telling(question, &properties, Language::English, personal);
    let danish = Telling { language: Language::Danish, ..english };
    let since: &Since = &follower.since;
    let (seq, seq_at) = (engine.seq(), engine.now());
    let version_since = follower.version_since;
    let text = engine.configuration().and_then(|configuration| configuration.rule_files.get(&insight.rule.file));
    let before = text.and_then(|text| text.get(..insight.rule.place.start)).unwrap_or_default();
    Ok(Explained {
        asset: asset.clone(),
        rule: rule.clone(),
        at: *at,
        journal: past.journal_id,
        seq,
        seq_at,
        fired: insight.alarm.is_some_and(|alarm| alarm.active || insight.rule.momentary),
        english: english.sentence(&insight, since),
        danish: danish.sentence(&insight, since),
        version: engine.configuration_version(),
        version_since,
        rule_version: insight.rule.version,
        place: format!("{}:{}", insight.rule.file, before.matches('\n').count() + 1),
        priority: insight.rule.priority.number(),
        recent: follower.recent.iter().cloned().collect(),
        lines: state_lines(&english, &insight, since),
        state: WireState::of(&english, &insight, since),
        shown_at: english.dated(*at),
        shown_seq_at: english.dated(seq_at),
        shown_since: version_since.map_or_else(String::new, |(_, at)| english.dated(at)),
        shown_recent: follower.recent.iter().map(|recent| english.dated(recent.at)).collect(),
    })
}

/// Which of the names is wrong, and what was meant.
fn unknown(question: &Question<'_>, engine: &Engine) -> ExplainError {
    let (asset, rule) = (question.asset.clone(), question.rule.clone());
    let known = engine.inventory().asset(&asset);
    let Some(known) = known else {
        let names = engine.inventory().assets().map(|asset| asset.id.as_str());
        return ExplainError::UnknownAsset { suggestion: suggest_known(asset.as_str(), names), asset };
    };
    let fitting = engine.rules().for_kind(&known.kind).iter().map(|rule| rule.id.as_str());
    if let Some(found) = engine.rules().rule(&rule) {
        let (applies_to, kind) = (found.applies_to.to_string(), known.kind.to_string());
        return ExplainError::OtherKind { applies_to, kind, suggestion: suggest_known("", fitting), rule, asset };
    }
    let names: Vec<&str> = fitting.collect();
    let all = engine.rules().iter().map(|rule| rule.id.as_str());
    let names = if names.is_empty() { all.collect() } else { names };
    ExplainError::UnknownRule { suggestion: suggest_known(rule.as_str(), names), rule }
}
