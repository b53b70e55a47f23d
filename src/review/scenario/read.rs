//! From `rules/scenarios/*.toml` to scenarios: every key checked, every fault of every file reported.

use super::given::{Act, Cast, Sensors, Whose, answer, attribute, measured};
use super::outcome::outcome;
use super::times::Times;
use super::{Beat, Check, Scenario, Stage};
use crate::domain::fault::{Fault, suggest_known};
use crate::domain::ids::{AssetKind, PropertyName, RuleId, SensorTypeId};
use crate::domain::observation::Value;
use crate::domain::person::Purpose;
use crate::domain::time::{Span, Timestamp};
use crate::domain::toml_reader::{Document, Faults, Field, Section};
use crate::rules::Rule;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

const NAME_BYTES_MAX: usize = 200;
const SCENARIOS_PER_FILE_MAX: usize = 500;
const BEATS_MAX: usize = 20_000;
const EVERY: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_hours(31 * 24);

pub(super) fn read(texts: &BTreeMap<SmolStr, String>, stage: &Stage<'_>, found: &mut Vec<Fault>) -> Vec<Scenario> {
    let (faults, mut scenarios) = (Faults::default(), Vec::new());
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in texts {
        let document = Document::parse(file.clone(), text, &faults);
        let mut root = document.root(&faults);
        for (index, section) in root.sections("scenario").into_iter().enumerate() {
            if index >= SCENARIOS_PER_FILE_MAX {
                let message = format!("more than {SCENARIOS_PER_FILE_MAX} scenarios in one file");
                section.fault(section.span(), message, "put them into several files".to_owned());
                break;
            }
            let reading = Reading { stage, file, text };
            scenarios.extend(reading.scenario(section, &mut names));
        }
        root.finish();
    }
    found.extend(faults.into_sorted());
    scenarios
}

/// What one report brings.
type Values = Vec<(PropertyName, Value)>;

struct Reading<'r> {
    stage: &'r Stage<'r>,
    file: &'r SmolStr,
    text: &'r str,
}

/// What is known of a scenario before its steps.
struct Scene<'r> {
    kind: AssetKind,
    sensors: Sensors<'r>,
    watched: Vec<&'r Arc<Rule>>,
    used: BTreeSet<PropertyName>,
    beats: Vec<Beat>,
    checks: Vec<Check>,
}

impl<'r> Reading<'r> {
    fn scenario(&self, mut section: Section<'_>, names: &mut BTreeMap<String, String>) -> Option<Scenario> {
        let place = section.span();
        let name = section.required("name", "name = \"a full bin calls the waste crew\"");
        let name = name.and_then(|field| self.name(&field, names));
        let kind = section.required("kind", "kind = \"bin\"").and_then(|field| self.kind(&field));
        let day = section.optional("day");
        let mut times = Times::starting(self.stage.calendars, day.as_ref());
        let attributes = section.section("attributes").entries();
        let attributes = attributes.into_iter().filter_map(|(name, field)| Some((name, attribute(&field)?))).collect();
        let bases = section.optional("bases").map(|field| bases(&field));
        let rules = section.optional("rules");
        let sensors = section.optional("sensors");
        let steps = section.required("steps", "steps = [{ at = \"08:00\", given = { fill = 0.85 } }]");
        section.finish();
        let kind = kind?;
        let explicit = sensors.map(|field| self.sensors_named(&field, &kind));
        let mut scene = Scene {
            sensors: self.sensors(&kind, explicit.as_deref()),
            watched: self.watched(rules.as_ref(), &kind),
            kind,
            used: BTreeSet::new(),
            beats: Vec::new(),
            checks: Vec::new(),
        };
        let steps = steps?;
        for step in steps.items("a list of steps", "steps = [{ at = \"08:00\", given = { fill = 0.85 } }]") {
            if let Some(step) = step.section() {
                scene.step(step, &mut times);
            }
        }
        if scene.checks.is_empty() {
            steps.fault("`steps` has no step", "steps = [{ at = \"08:00\", given = { fill = 0.85 } }]".to_owned());
        } else if scene.beats.len() > BEATS_MAX {
            steps.fault(format!("more than {BEATS_MAX} reports"), "shorten it, or lengthen `every`".to_owned());
        }
        let Scene { kind, sensors, watched, used, mut beats, mut checks } = scene;
        beats.sort_by_key(|beat| beat.at);
        checks.sort_by_key(|check| check.at);
        let sensors = explicit.unwrap_or_else(|| sensors.chosen_for(&used));
        let neighbour = beats.iter().any(|beat| matches!(beat.act, Act::Report { whose: Whose::Neighbour, .. }));
        Some(Scenario {
            name: name?,
            file: self.file.clone(),
            place,
            cast: Cast { kind, attributes, sensors, bases, neighbour },
            watched: watched.into_iter().map(|rule| rule.id.clone()).collect(),
            beats,
            checks,
        })
    }

    fn name(&self, field: &Field<'_>, names: &mut BTreeMap<String, String>) -> Option<String> {
        let name = field.filled_text(NAME_BYTES_MAX)?.value.into_owned();
        let line = self.text.get(..field.span().start).map_or(1, |before| before.matches('\n').count() + 1);
        if let Some(taken) = names.insert(name.clone(), format!("{}:{line}", self.file)) {
            field.fault("this name is already taken", format!("the other one stands in {taken}"));
        }
        Some(name)
    }

    fn kind(&self, field: &Field<'_>) -> Option<AssetKind> {
        let kind = AssetKind::new(field.filled_text(NAME_BYTES_MAX)?.value);
        let kinds: BTreeSet<&str> = self.stage.rules.kinds().map(AssetKind::as_str).collect();
        if kinds.contains(kind.as_str()) {
            return Some(kind);
        }
        field.fault(
            format!("no rule applies to assets of kind `{kind}`"),
            suggest_known(kind.as_str(), kinds.iter().copied()),
        );
        None
    }

    fn sensors(&self, kind: &AssetKind, only: Option<&[SensorTypeId]>) -> Sensors<'r> {
        let types = self.stage.configuration.sensor_types.values();
        let fits = types.filter(|known| known.asset_kind == *kind && only.is_none_or(|only| only.contains(&known.id)));
        Sensors { types: fits.collect() }
    }

    fn sensors_named(&self, field: &Field<'_>, kind: &AssetKind) -> Vec<SensorTypeId> {
        let types = self.stage.configuration.sensor_types.values().filter(|known| known.asset_kind == *kind);
        let known: Vec<&str> = types.map(|known| known.id.as_str()).collect();
        let items = field.items("a list of sensor types", "sensors = [\"bin-level\"]");
        let named = items.iter().filter_map(|item| item.one_of(&known).and_then(|at| known.get(at).copied()));
        named.map(SensorTypeId::new).collect()
    }

    /// The rules that are looked at: those named, or all of the kind.
    fn watched(&self, field: Option<&Field<'_>>, kind: &AssetKind) -> Vec<&'r Arc<Rule>> {
        let rules = self.stage.rules.for_kind(kind);
        let Some(field) = field else { return rules.iter().collect() };
        let known: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
        let items = field.items("a list of rules", "rules = [\"bin-full\"]");
        let named: Vec<_> = items.iter().filter_map(|item| item.one_of(&known).and_then(|at| rules.get(at))).collect();
        // A name that is wrong is one fault: what the steps expect of the rule that is meant is none.
        if named.len() == items.len() { named } else { rules.iter().collect() }
    }
}

impl Scene<'_> {
    fn step(&mut self, mut section: Section<'_>, times: &mut Times<'_>) {
        let place = section.span();
        let at = section.required("at", "at = \"08:00\"").and_then(|field| times.step(&field));
        let given = [(Whose::Own, section.optional("given")), (Whose::Neighbour, section.optional("neighbour"))];
        let observed = section.optional("observed").and_then(|field| times.moment(&field.moment("\"07:30\"")?));
        let every = section.optional("every").and_then(|field| Some((field.length_of_time(EVERY)?, field)));
        let until = section.optional("until").and_then(|field| times.moment(&field.moment("\"20:00\"")?));
        let mut acts = self.crew(section.section("crew"));
        acts.extend(self.operator(section.section("operator")));
        let expect = section.optional("expect");
        section.finish();
        let expected_place = expect.as_ref().map_or(place.clone(), Field::span);
        let expected = expect.map(|field| self.expected(&field)).unwrap_or_default();
        // Without its moment a step is checked, and is no part of the story.
        let at = at.unwrap_or(Timestamp::MIN);
        let over = until.map(|until| until.since(at));
        for (whose, field) in given {
            let reports = field.and_then(|field| self.reports(&field, every.as_ref(), over));
            for (after, values) in reports.unwrap_or_default() {
                let act = Act::Report { whose, values, observed_at: observed };
                self.beats.push(Beat { at: at + after, place: place.clone(), act });
            }
        }
        self.beats.extend(acts.into_iter().map(|act| Beat { at, place: place.clone(), act }));
        self.checks.push(Check { at, place: expected_place, expected });
    }

    /// What is reported, and how long after the step's moment: once, again and again, or one value of a list after the
    /// other.
    fn reports(
        &mut self,
        field: &Field<'_>,
        every: Option<&(Span, Field<'_>)>,
        over: Option<Span>,
    ) -> Option<Vec<(Span, Values)>> {
        let mut section = field.section()?;
        let (mut brought, mut length, mut faults) = (Vec::new(), None, Vec::new());
        for (name, field) in section.entries() {
            let Some(property) = self.sensors.property(&name) else {
                let message = format!("no sensor of an asset of kind `{}` measures `{name}`", self.kind);
                faults.push((field.key_span(), message, suggest_known(&name, self.sensors.names())));
                continue;
            };
            self.used.insert(PropertyName::new(&name));
            let items = if field.is_list() { field.items("a list", "[0.1, 0.2]") } else { vec![field.clone()] };
            let values: Vec<_> = items.iter().filter_map(|item| measured(item, &name, property)).collect();
            if field.is_list() {
                if length.is_some_and(|known| known != items.len()) {
                    field.fault("the brought of a step have one length", "give each of them as many values".to_owned());
                }
                length = Some(items.len());
            }
            if values.len() == items.len() {
                brought.push((PropertyName::new(&name), values));
            }
        }
        for (place, message, suggestion) in faults {
            section.fault(place, message, suggestion);
        }
        section.finish();
        let count = match (length, every, over) {
            (Some(length), Some(_), _) => length,
            (Some(_), None, _) => {
                field.fault("a list of values needs to know how often", "add every = \"1h\"".to_owned());
                return None;
            }
            (None, Some((every, _)), Some(over)) => {
                usize::try_from(over.as_micros() / every.as_micros()).unwrap_or_default().min(BEATS_MAX) + 1
            }
            (None, Some((_, every)), None) => {
                every.fault("`every` needs to know until when", "add until = \"20:00\", or give a list".to_owned());
                return None;
            }
            (None, None, _) => 1,
        };
        let every = every.map_or(Span::ZERO, |(every, _)| *every);
        let report = |at: usize| {
            let value = |(name, values): &(PropertyName, Vec<Value>)| {
                Some((name.clone(), values.get(at).or_else(|| values.last().filter(|_| values.len() == 1))?.clone()))
            };
            (every.times(at as i64), brought.iter().filter_map(value).collect())
        };
        Some((0..count).map(report).collect())
    }

    fn crew(&self, mut section: Section<'_>) -> Vec<Act> {
        let entries = section.entries();
        let act = |(task, field): (SmolStr, Field<'_>)| {
            let known = self.task(&field, &task);
            let answer = answer(&field);
            known.and(answer).map(|answer| Act::Answer { task, answer })
        };
        entries.into_iter().filter_map(act).collect()
    }

    fn operator(&self, mut section: Section<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Some(field) = section.optional("acknowledges") {
            let known: Vec<&str> = self.watched.iter().map(|rule| rule.id.as_str()).collect();
            let rule = field.one_of(&known).and_then(|at| known.get(at).copied());
            acts.extend(rule.map(|rule| Act::Acknowledge { rule: RuleId::new(rule) }));
        }
        if let Some(field) = section.optional("cancels") {
            let task = field.text().map(|text| SmolStr::new(&text.value));
            acts.extend(task.filter(|task| self.task(&field, task).is_some()).map(|task| Act::Cancel { task }));
        }
        section.finish();
        acts
    }

    /// Whether a rule that is looked at asks for such a task.
    fn task(&self, field: &Field<'_>, task: &str) -> Option<()> {
        let mut known = self.watched.iter().filter_map(|rule| rule.task.as_ref()).map(|task| task.kind.as_str());
        if known.clone().any(|known| known == task) {
            return Some(());
        }
        let message = format!("no rule that is looked at here asks for a task `{task}`");
        field.fault(message, suggest_known(task, &mut known));
        None
    }

    fn expected(&self, field: &Field<'_>) -> Vec<super::outcome::Outcome> {
        if field.is_list() {
            let items = field.items("a list of expectations", "expect = [\"bin-full raised\"]");
            return items.iter().filter_map(|item| outcome(&item.text()?, &self.watched)).collect();
        }
        match field.text() {
            Some(text) if text.value == "nothing" => Vec::new(),
            Some(text) => outcome(&text, &self.watched).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn bases(field: &Field<'_>) -> Vec<Purpose> {
    let known = Purpose::ALL.map(Purpose::as_str);
    let items = field.items("a list of purposes", "bases = [\"call\"]");
    items.iter().filter_map(|item| item.one_of(&known).and_then(|at| Purpose::ALL.get(at).copied())).collect()
}
