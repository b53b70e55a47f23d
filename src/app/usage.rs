//! What each service of the municipality uses, counted from released decisions: observations, alarms, tasks and how
//! long people took.
//!
//! A service is a rule file, as the rules are written: one file, one service. Alarms and tasks belong to the file of
//! their rule; an asset belongs to the first file, by name, with a rule for its kind. Exercises are left out: a drill
//! must neither brighten nor darken the figures. It keeps what is open, so that an end knows its beginning; the engine
//! bounds how much that is. Nothing here is ever part of a decision.

use crate::domain::alarm::{Alarm, Priority};
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::Event;
use crate::domain::ids::{AlarmId, AssetId, AssetKind, DeviceId, RuleId, TaskId};
use crate::domain::reason::Verdict;
use crate::domain::time::{Span, Timestamp};
use crate::engine::Engine;
use crate::telemetry::services::{Meter, Work, in_shadow};
use metrics::Counter;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// Services told apart in the life of a process; those of later configurations count as `other`.
const SERVICES_MAX: usize = 200;
/// Rules in shadow told apart in the life of a process; later ones count as `other`.
const SHADOWS_MAX: usize = 200;
/// The first two of the list.
const NONE: usize = 0;
const OTHER: usize = 1;

pub struct Usage {
    services: Vec<(SmolStr, Meter)>,
    by_rule: FxHashMap<RuleId, usize>,
    by_kind: FxHashMap<AssetKind, usize>,
    alarms: FxHashMap<AlarmId, Open>,
    tasks: FxHashMap<TaskId, Open>,
    shadows: FxHashMap<RuleId, Counter>,
}

/// An alarm or a task that has not ended.
#[derive(Clone, Copy)]
struct Open {
    service: usize,
    priority: Priority,
    since: Timestamp,
    /// Only of an alarm: a person has seen it.
    seen: bool,
}

impl Usage {
    /// Takes over what is open.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        let services = ["none", "other"].map(|name| (SmolStr::new(name), Meter::new(name))).into();
        let (by_rule, by_kind) = Default::default();
        let (alarms, tasks, shadows) = Default::default();
        let mut usage = Self { services, by_rule, by_kind, alarms, tasks, shadows };
        usage.refresh(engine);
        usage.count_devices(engine);
        for alarm in engine.alarms().filter(|alarm| !alarm.cause.exercise) {
            usage.take_over(alarm);
        }
        for task in engine.tasks().filter(|task| !task.exercise && !task.status.ended()) {
            let service = usage.alarms.get(&task.alarm).map_or(NONE, |alarm| alarm.service);
            let open = Open { service, priority: task.priority, since: task.requested_at, seen: false };
            usage.tasks.insert(task.id, open);
            usage.work(open).tasks_open.increment(1.0);
        }
        usage
    }

    /// The rules have changed. Every service with a rule has a place from here on.
    pub fn refresh(&mut self, engine: &Engine) {
        self.by_rule.clear();
        self.by_kind.clear();
        let mut kinds: FxHashMap<AssetKind, SmolStr> = FxHashMap::default();
        for rule in engine.rules().iter() {
            let name = service_of(&rule.file);
            let service = self.service(name);
            self.by_rule.insert(rule.id.clone(), service);
            let first = kinds.entry(rule.applies_to.clone()).or_insert_with(|| name.into());
            if name <= first.as_str() {
                *first = name.into();
                self.by_kind.insert(rule.applies_to.clone(), service);
            }
        }
    }

    /// Registered and silent devices, from the registry: after a change of it, when everything else is counted.
    pub fn count_devices(&self, engine: &Engine) {
        let mut devices = vec![(0_u32, 0_u32); self.services.len()];
        for device in engine.inventory().each_device() {
            devices[self.of_asset(engine, &device.asset)].0 += 1;
        }
        for device in engine.inventory().silent_devices() {
            devices[self.of_device(engine, device)].1 += 1;
        }
        for ((_, meter), (registered, silent)) in self.services.iter().zip(devices) {
            meter.devices.set(f64::from(registered));
            meter.devices_silent.set(f64::from(silent));
        }
    }

    /// One released decision.
    pub fn count(&mut self, engine: &Engine, at: Timestamp, event: &Event, decision: &Decision) {
        if let Event::Observed(observed) = event
            && !observed.exercise
            && matches!(decision.verdict, Verdict::Accepted | Verdict::Redacted)
        {
            self.services[self.of_device(engine, &observed.device)].1.events.increment(1);
        }
        for fact in &decision.facts {
            self.note(engine, at, fact);
        }
    }

    fn note(&mut self, engine: &Engine, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::AlarmRaised { alarm, rule, priority, cause, .. } if !cause.exercise => {
                self.raised(*alarm, rule, *priority, at);
            }
            Fact::ShadowRaised { rule, cause, .. } if !cause.exercise => self.in_shadow(rule),
            Fact::Acknowledged { alarm, .. } => self.seen(*alarm, at),
            Fact::AlarmClosed { alarm } => self.closed(*alarm),
            Fact::TaskRequested { task, alarm, .. } => self.requested(*task, *alarm, at),
            Fact::TaskCompleted { task } => self.task_ended(*task, Some(at)),
            Fact::TaskCancelled { task, .. } => self.task_ended(*task, None),
            Fact::DeviceSilent { device } => self.meter_of(engine, device).devices_silent.increment(1.0),
            Fact::DeviceHeard { device } => self.meter_of(engine, device).devices_silent.decrement(1.0),
            Fact::AlarmRaised { .. }
            | Fact::DelayStarted { .. }
            | Fact::DelayCancelled { .. }
            | Fact::ShadowRaised { .. }
            | Fact::ShadowEnded { .. }
            | Fact::AlarmReactivated { .. }
            | Fact::ReturnedToNormal { .. }
            | Fact::TaskOffered { .. }
            | Fact::TaskWaiting { .. }
            | Fact::OfferExpired { .. }
            | Fact::TaskRejected { .. }
            | Fact::TaskAccepted { .. }
            | Fact::TaskStage { .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => {}
        }
    }

    fn raised(&mut self, alarm: AlarmId, rule: &RuleId, priority: Priority, at: Timestamp) {
        let open = Open { service: self.of_rule(rule), priority, since: at, seen: false };
        self.alarms.insert(alarm, open);
        let work = self.work(open);
        work.raised.increment(1);
        work.alarms_open.increment(1.0);
        work.unacknowledged.increment(1.0);
    }

    fn in_shadow(&mut self, rule: &RuleId) {
        if let Some(known) = self.shadows.get(rule) {
            known.increment(1);
        } else if self.shadows.len() < SHADOWS_MAX {
            let counter = in_shadow(rule.as_str());
            counter.increment(1);
            self.shadows.insert(rule.clone(), counter);
        } else {
            in_shadow("other").increment(1);
        }
    }

    fn seen(&mut self, alarm: AlarmId, at: Timestamp) {
        let Some(open) = self.alarms.get_mut(&alarm).filter(|open| !open.seen) else { return };
        open.seen = true;
        let open = *open;
        let work = self.work(open);
        work.unacknowledged.decrement(1.0);
        work.response.record(seconds(at.since(open.since)));
    }

    fn closed(&mut self, alarm: AlarmId) {
        let Some(open) = self.alarms.remove(&alarm) else { return };
        let work = self.work(open);
        work.alarms_open.decrement(1.0);
        if !open.seen {
            work.unacknowledged.decrement(1.0);
        }
    }

    /// A task belongs to its alarm, which is open while it is requested; that of an exercise is unknown here.
    fn requested(&mut self, task: TaskId, alarm: AlarmId, at: Timestamp) {
        let Some(alarm) = self.alarms.get(&alarm) else { return };
        let open = Open { since: at, ..*alarm };
        self.tasks.insert(task, open);
        let work = self.work(open);
        work.requested.increment(1);
        work.tasks_open.increment(1.0);
    }

    fn task_ended(&mut self, task: TaskId, completed_at: Option<Timestamp>) {
        let Some(open) = self.tasks.remove(&task) else { return };
        let work = self.work(open);
        work.tasks_open.decrement(1.0);
        match completed_at {
            Some(at) => {
                work.completed.increment(1);
                work.completion.record(seconds(at.since(open.since)));
            }
            None => work.cancelled.increment(1),
        }
    }

    fn take_over(&mut self, alarm: &Alarm) {
        let service = self.of_rule(&alarm.rule);
        let open = Open { service, priority: alarm.priority, since: alarm.raised_at, seen: alarm.acknowledged };
        self.alarms.insert(alarm.id, open);
        let work = self.work(open);
        work.alarms_open.increment(1.0);
        if !open.seen {
            work.unacknowledged.increment(1.0);
        }
    }

    fn work(&self, open: Open) -> &Work {
        self.services[open.service].1.work(open.priority)
    }

    fn of_rule(&self, rule: &RuleId) -> usize {
        self.by_rule.get(rule).copied().unwrap_or(NONE)
    }

    fn of_device(&self, engine: &Engine, device: &DeviceId) -> usize {
        engine.inventory().device(device).map_or(NONE, |device| self.of_asset(engine, &device.asset))
    }

    fn of_asset(&self, engine: &Engine, asset: &AssetId) -> usize {
        let asset = engine.inventory().asset(asset);
        asset.and_then(|asset| self.by_kind.get(&asset.kind)).copied().unwrap_or(NONE)
    }

    fn meter_of(&self, engine: &Engine, device: &DeviceId) -> &Meter {
        &self.services[self.of_device(engine, device)].1
    }

    /// The place of a service in the list, which never gets shorter: its counters go on.
    fn service(&mut self, name: &str) -> usize {
        if let Some(known) = self.services.iter().position(|(known, _)| known == name) {
            return known;
        }
        if self.services.len() >= SERVICES_MAX + 2 {
            return OTHER;
        }
        self.services.push((name.into(), Meter::new(name)));
        self.services.len() - 1
    }
}

/// `rules/waste.toml` → `waste`.
fn service_of(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

fn seconds(span: Span) -> f64 {
    span.as_micros().max(0) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alarm::Cause;
    use crate::domain::decision::Seen;
    use crate::domain::ids::Seq;
    use crate::engine::Limits;
    use metrics_exporter_prometheus::PrometheusBuilder;

    fn raised(alarm: u64, exercise: bool) -> Fact {
        let observed_at = Timestamp::from_micros(0);
        let cause = Cause { device: None, observed_at, event: Seq(1), exercise, rule_version: None, late: None };
        Fact::AlarmRaised {
            alarm: AlarmId(alarm),
            rule: RuleId::new("bin-full"),
            asset: "bin-1".into(),
            priority: Priority::P2,
            cause,
        }
    }

    fn requested(task: u64, alarm: u64) -> Fact {
        Fact::TaskRequested { task: TaskId(task), alarm: AlarmId(alarm), kind: "x".into(), skill: "waste".into() }
    }

    #[test]
    fn times_run_from_the_beginning_to_the_end_and_exercises_are_left_out() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let engine = Engine::new(Limits::default());
            let mut usage = Usage::new(&engine);
            let seen = |alarm| Fact::Acknowledged { alarm: AlarmId(alarm), by: Seen::Crew("crew-1".into()) };
            let steps = [
                (0, vec![raised(1, false), requested(1, 1), raised(2, true), requested(2, 2), raised(3, false)]),
                (60, vec![seen(1), seen(2)]),
                (70, vec![seen(1)]),
                (600, vec![Fact::TaskCompleted { task: TaskId(1) }, Fact::TaskCompleted { task: TaskId(2) }]),
                (700, vec![Fact::AlarmClosed { alarm: AlarmId(1) }, Fact::AlarmClosed { alarm: AlarmId(2) }]),
            ];
            for (at, facts) in steps {
                let decision =
                    Decision { seq: Seq(1), verdict: Verdict::Accepted, subject: None, facts, effects: Vec::new() };
                usage.count(&engine, Timestamp::from_micros(at * 1_000_000), &Event::Started, &decision);
            }
        });
        let page = page.render();
        for (name, value) in [
            ("alarms_raised_total", 2),
            ("alarms_open", 1),
            ("alarms_unacknowledged", 1),
            ("alarm_response_seconds_sum", 60),
            ("alarm_response_seconds_count", 1),
            ("tasks_requested_total", 1),
            ("tasks_completed_total", 1),
            ("tasks_cancelled_total", 0),
            ("tasks_open", 0),
            ("task_completion_seconds_sum", 600),
        ] {
            let line = format!("rettidig_{name}{{service=\"none\",priority=\"2\"}} {value}");
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
    }

    #[test]
    fn services_are_rule_files_and_only_so_many_are_told_apart() {
        assert_eq!(service_of("rules/waste.toml"), "waste");
        let mut usage = Usage::new(&Engine::new(Limits::default()));
        let places: Vec<_> = (0..=SERVICES_MAX).map(|n| usage.service(&format!("service-{n}"))).collect();
        assert_eq!(places[SERVICES_MAX - 1], SERVICES_MAX + 1);
        assert_eq!(places[SERVICES_MAX], OTHER, "one too many");
        assert_eq!(usage.service("service-7"), places[7], "those that are known keep their place");
    }
}
