//! `rettidig check`: every fault of a configuration folder at once, or a summary of what it sets up.
//!
//! Settings, sensor types, calendars and rules are read in one run although one of them is at fault: a rule is then
//! checked against the sensor types that could be read. It changes nothing and needs no data folder.
//!
//! Start with `check`; `render` shows the report to a person, `wire` to a script.

mod render;
mod wire;

use crate::config::{ConfigError, Settings, Texts, WrittenCalendars, read_calendars};
use crate::domain::asset::SensorType;
use crate::domain::fault::Fault;
use crate::domain::ids::{AssetKind, PropertyName, RuleId, SensorTypeId};
use crate::domain::time::Span;
use crate::rules::{self, Budget, Rule, RuleSet, Vocabulary, WhenLate};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::path::Path;

pub use crate::review::draw::Style;

/// How sensor type files are read: the texts by name, to the types or to every fault in them.
pub type ReadSensorTypes<'a> = &'a dyn Fn(&BTreeMap<SmolStr, String>) -> Result<Vec<SensorType>, Vec<Fault>>;

/// What was found in a configuration folder.
#[derive(Debug)]
pub struct Report {
    /// Ordered by file and place.
    pub faults: Vec<Fault>,
    /// What the configuration sets up; only of a configuration without faults.
    pub summary: Option<Summary>,
    texts: Texts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub files: usize,
    pub kinds: Vec<KindSummary>,
    pub rules: Vec<RuleSummary>,
    /// Sensor types whose values may be late, and by how much.
    pub late: Vec<(SensorTypeId, Span)>,
    pub calendars: CalendarSummary,
    /// What rules may remember about the assets of one kind.
    pub budget: Budget,
}

/// One kind of asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSummary {
    pub kind: AssetKind,
    pub sensor_types: usize,
    pub properties: usize,
    pub rules: usize,
    /// Properties that an estimator follows because rules ask it, each with what is made of it and its bytes.
    pub estimators: Vec<(PropertyName, &'static str, usize)>,
    /// Bytes that all rules together, and the estimators, remember about one asset of this kind.
    pub state_bytes_per_asset: usize,
}

/// What the calendars name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarSummary {
    pub files: usize,
    pub time_zone: SmolStr,
    pub shifts: Vec<SmolStr>,
    pub routes: Vec<SmolStr>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSummary {
    pub id: RuleId,
    pub file: SmolStr,
    pub applies_to: AssetKind,
    pub priority: u8,
    /// It decides when a value arrives.
    pub eager: bool,
    pub when_late: WhenLate,
    /// It raises nothing: what it would have raised is noted.
    pub shadow: bool,
    /// The kind of task it asks for.
    pub task: Option<SmolStr>,
    /// Calls that remember something, such as `held`.
    pub stateful_calls: usize,
    /// Bytes that the rule remembers about one asset.
    pub state_bytes_per_asset: usize,
}

/// Checks the configuration in `folder`, with the settings of `environment` laid over it.
///
/// # Errors
/// The folder or its `rettidig.toml` cannot be read at all; what is wrong inside is in the report.
pub fn check(
    folder: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    read_sensor_types: ReadSensorTypes<'_>,
) -> Result<Report, ConfigError> {
    let texts = Texts::read(folder, environment)?;
    let mut faults = Vec::new();
    let settings = texts.settings().map_err(|found| faults.extend(found)).ok();
    let sensor_types = sensor_types(&texts, read_sensor_types, &mut faults);
    let vocabulary = Vocabulary::new(sensor_types.types.iter());
    let vocabulary = if sensor_types.complete { vocabulary } else { vocabulary.incomplete() };
    let calendars = read_calendars(&texts.calendar_files()).map_err(|found| faults.extend(found)).ok();
    let vocabulary = match &calendars {
        Some(calendars) => vocabulary.with_shifts(calendars.shifts()),
        None => vocabulary.without_calendars(),
    };
    if let Some(calendars) = calendars.as_ref().filter(|_| sensor_types.complete) {
        faults.extend(calendars.unknown_kinds(&sensor_types.types.iter().map(|known| &known.asset_kind).collect()));
    }
    let rules = rules::compile(&texts.rule_files(), &vocabulary).map_err(|found| faults.extend(found)).ok();
    if let (Some(settings), Some(rules)) = (&settings, &rules) {
        faults.extend(rules.iter().filter_map(|rule| too_slow_an_offer(rule, settings)));
        faults.extend(rules.over(budget(settings)));
    }
    faults.sort_by(|a, b| (&a.file, a.span.start, a.span.end).cmp(&(&b.file, b.span.start, b.span.end)));
    let summary =
        rules.zip(calendars).zip(settings).filter(|_| faults.is_empty()).map(|((rules, calendars), settings)| {
            summarise(&texts, &sensor_types.types, &rules, (&calendars, &settings))
        });
    Ok(Report { faults, summary, texts })
}

struct SensorTypes {
    types: Vec<SensorType>,
    complete: bool,
}

/// The sensor types; when some are at fault, those of the files that are right.
fn sensor_types(texts: &Texts, read: ReadSensorTypes<'_>, faults: &mut Vec<Fault>) -> SensorTypes {
    let files = texts.sensor_type_files();
    match read(&files) {
        Ok(types) => SensorTypes { types, complete: true },
        Err(found) => {
            faults.extend(found);
            let alone = |(file, text): (&SmolStr, &String)| read(&BTreeMap::from([(file.clone(), text.clone())])).ok();
            SensorTypes { types: files.iter().filter_map(alone).flatten().collect(), complete: false }
        }
    }
}

/// An alarm that must be answered sooner than the first crew has to answer the offer can never reach a second crew.
fn too_slow_an_offer(rule: &Rule, settings: &Settings) -> Option<Fault> {
    let offered_for = settings.dispatch.offer_timeout(rule.priority);
    let respond_within = rule.rationale.respond_within;
    let slow = rule.task.is_some() && offered_for > respond_within;
    slow.then(|| Fault {
        file: rule.file.clone(),
        span: rule.place.clone(),
        message: format!(
            "the rule `{}` asks for a response within {respond_within}, but one crew alone has {offered_for} to answer",
            rule.id
        ),
        suggestion: Some(format!(
            "a longer respond_within, or a shorter time for priority {} in offer_timeouts of [dispatch]",
            rule.priority.number()
        )),
    })
}

fn budget(settings: &Settings) -> Budget {
    let limits = &settings.limits;
    Budget { assets: limits.planned_assets.into(), bytes_max: limits.rule_state_bytes_max() }
}

fn summarise(
    texts: &Texts,
    sensor_types: &[SensorType],
    rules: &RuleSet,
    (calendars, settings): (&WrittenCalendars, &Settings),
) -> Summary {
    let mut kinds: Vec<AssetKind> = sensor_types.iter().map(|sensor_type| sensor_type.asset_kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    let kind = |kind: AssetKind| KindSummary {
        sensor_types: sensor_types.iter().filter(|sensor_type| sensor_type.asset_kind == kind).count(),
        properties: rules.slots(&kind).len(),
        rules: rules.for_kind(&kind).len(),
        estimators: estimators(rules, &kind),
        state_bytes_per_asset: rules.state_bytes(&kind),
        kind,
    };
    let rule = |rule: &Rule| RuleSummary {
        id: rule.id.clone(),
        file: rule.file.clone(),
        applies_to: rule.applies_to.clone(),
        priority: rule.priority.number(),
        eager: rule.eager,
        shadow: rule.shadow,
        when_late: rule.when_late,
        task: rule.task.as_ref().map(|task| task.kind.clone()),
        stateful_calls: rule.stateful_calls(),
        state_bytes_per_asset: rule.state_bytes(),
    };
    let calendars = CalendarSummary {
        files: texts.calendar_files().len(),
        time_zone: calendars.time_zone().into(),
        shifts: calendars.shifts().cloned().collect(),
        routes: calendars.routes().cloned().collect(),
    };
    let late = sensor_types.iter().filter(|known| known.lateness > Span::ZERO);
    Summary {
        files: 1 + texts.sensor_type_files().len() + texts.rule_files().len() + calendars.files,
        kinds: kinds.into_iter().map(kind).collect(),
        rules: rules.iter().map(|shared| rule(shared)).collect(),
        late: late.map(|known| (known.id.clone(), known.lateness)).collect(),
        calendars,
        budget: budget(settings),
    }
}

fn estimators(rules: &RuleSet, kind: &AssetKind) -> Vec<(PropertyName, &'static str, usize)> {
    let name = |slot: u16| rules.slots(kind).names().nth(usize::from(slot)).cloned();
    let followed = rules.followed(kind).iter();
    let told = followed.filter_map(|followed| {
        let quantity = followed.quantity;
        Some((name(followed.slot)?, quantity.as_str(), quantity.state_bytes()))
    });
    told.collect()
}

impl Summary {
    /// Bytes that the rules of the costliest kind remember about the planned assets.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        let most = self.kinds.iter().map(|kind| kind.state_bytes_per_asset).max().unwrap_or_default();
        (most as u64).saturating_mul(self.budget.assets)
    }
}

impl Report {
    /// Whether a gateway may be started with this configuration.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.faults.is_empty()
    }

    /// A fault in what the settings name, found outside: at this section's place in `rettidig.toml`.
    pub fn add(&mut self, section: &str, message: String, suggestion: Option<String>) {
        const FILE: &str = "rettidig.toml";
        let text = self.texts.text(FILE).unwrap_or_default();
        let mut at = 0;
        let found = text.split_inclusive('\n').find_map(|line| {
            let begin = at;
            at += line.len();
            line.trim_start().starts_with(section).then(|| begin..begin + line.trim_end().len())
        });
        self.faults.push(Fault { file: FILE.into(), span: found.unwrap_or(0..0), message, suggestion });
        self.summary = None;
    }

    /// Line and column of a fault, counted from 1; `None` for a fault of the environment.
    #[must_use]
    pub fn place(&self, fault: &Fault) -> Option<(usize, usize)> {
        self.texts.text(&fault.file).map(|text| fault.place(&text))
    }
}
