//! What came of it, for a script: `rettidig backtest --json`. Fields are only ever added; `docs/BACKTEST.md` says what
//! each means.

use super::deposits::{FULL, in_days};
use super::modelled::{Container, Outcome};
use super::render::{date, hours};
use super::walk::{Figures, UNNEEDED};
use super::words::{AS_IT_WAS, LIMITS, ONLY_ALARMS, percent};
use super::{Compared, Count, LeftOut, Policies, Report, Side};
use crate::review::account::written;
use serde::Serialize;
use std::collections::BTreeMap;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct WireReport<'a> {
    version: u32,
    data: String,
    from: Option<String>,
    until: Option<String>,
    reports: u64,
    left_out: WireLeftOut<'a>,
    /// `null` without two rule sets to compare rule by rule.
    against: Option<WireSide<'a>>,
    new: Option<WireSide<'a>>,
    /// Of `rules`: `recorded` or `modelled`.
    levels: Option<&'static str>,
    rules: Vec<WireRow<'a>>,
    model: Option<WireModel<'a>>,
    policies: Vec<WirePolicy<'a>>,
    bins: Vec<WireBin<'a>>,
    notes: Vec<&'static str>,
}

#[derive(Serialize)]
struct WireLeftOut<'a> {
    rows: u64,
    first: Vec<WireBadRow<'a>>,
}

#[derive(Serialize)]
struct WireBadRow<'a> {
    file: &'a str,
    line: u64,
    why: &'a str,
}

#[derive(Serialize)]
struct WireSide<'a> {
    name: &'a str,
    refused: u64,
}

#[derive(Serialize)]
struct WireRow<'a> {
    rule: &'a str,
    /// `null` when the set has no such rule.
    against: Option<WireCount>,
    new: Option<WireCount>,
}

#[derive(Serialize)]
struct WireCount {
    alarms: u64,
    tasks: u64,
    active_hours: f64,
    open_at_the_end: u64,
    /// Day, counted from the first, and alarms of that day.
    alarms_by_day: Vec<(i64, u64)>,
}

#[derive(Serialize)]
struct WireModel<'a> {
    /// `service`: with a service of the route; `call`: for each call.
    crew: &'static str,
    respond_hours: Option<f64>,
    tuned_on_percent: f64,
    full_at_most_percent: f64,
    task: &'a str,
    full_percent: f64,
    unneeded_below_percent: f64,
}

#[derive(Serialize)]
struct WirePolicy<'a> {
    policy: String,
    levels: &'static str,
    #[serde(flatten)]
    figures: WireFigures,
    /// Date, overflow hours and stops of the days that had any.
    by_day: Vec<(String, f64, u64)>,
    /// Of a rule set.
    rules: Option<BTreeMap<&'a str, WireCount>>,
}

#[derive(Serialize)]
struct WireFigures {
    bin_weeks: f64,
    stops: u64,
    stops_per_bin_week: f64,
    unneeded_stops: u64,
    level_at_stop_mean: Option<f64>,
    overflow_hours: f64,
    overflow_events: u64,
    spilled_volumes: f64,
    emptied_volumes: f64,
    /// `null` where no alarms are raised.
    alarms: Option<u64>,
    /// `null` where no tasks are requested.
    tasks: Option<u64>,
}

#[derive(Serialize)]
struct WireBin<'a> {
    bin: &'a str,
    values: u64,
    from: String,
    until: String,
    judged_from: String,
    estimated_percent: f64,
    unknown_percent: f64,
    policies: Vec<WireBinPolicy>,
    losses: Vec<WireLoss>,
}

#[derive(Serialize)]
struct WireBinPolicy {
    policy: String,
    #[serde(flatten)]
    figures: WireFigures,
    /// Of a fixed plan.
    every_days: Option<u16>,
}

#[derive(Serialize)]
struct WireLoss {
    against: String,
    overflow_hours: f64,
    stops: i64,
    /// Date, and hours more of being full.
    days: Vec<(String, f64)>,
}

impl Report {
    #[must_use]
    pub fn json(&self) -> String {
        let compared = self.compared.as_ref();
        let modelled = self.policies.as_ref().map(|policies| &policies.modelled);
        let from = compared.map(|compared| compared.from).or(modelled.map(|modelled| modelled.from));
        let until = compared.map(|compared| compared.until).or(modelled.map(|modelled| modelled.until));
        let limits = LIMITS.iter().map(|(en, _)| *en).filter(|_| modelled.is_some());
        let only_alarms = Some(ONLY_ALARMS.0).filter(|_| compared.is_some_and(|compared| compared.others));
        let report = WireReport {
            version: VERSION,
            data: self.data.said().en,
            from: from.map(written),
            until: until.map(written),
            reports: compared.map(|compared| compared.reports).or(modelled.map(|it| it.values)).unwrap_or_default(),
            left_out: WireLeftOut::from(&self.left_out),
            against: compared.map(|compared| WireSide::from(&compared.against)),
            new: compared.map(|compared| WireSide::from(&compared.new)),
            levels: compared.map(|compared| if compared.modelled { "modelled" } else { "recorded" }),
            rules: compared.map(Compared::wire).unwrap_or_default(),
            model: self.policies.as_ref().map(Policies::wire_model),
            policies: self.policies.as_ref().map(Policies::wire).unwrap_or_default(),
            bins: self.policies.as_ref().map(Policies::wire_bins).unwrap_or_default(),
            notes: limits.chain(only_alarms).collect(),
        };
        // Texts and finite numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&report).unwrap_or_default()
    }
}

impl Compared {
    fn wire(&self) -> Vec<WireRow<'_>> {
        let count = |count: &Option<Count>| count.as_ref().map(|count| WireCount::of(count, |day| self.day(day)));
        let rows = self.rules.iter();
        rows.map(|row| WireRow { rule: row.rule.as_str(), against: count(&row.against), new: count(&row.new) })
            .collect()
    }
}

impl Policies {
    fn wire_model(&self) -> WireModel<'_> {
        WireModel {
            crew: if self.model.with_service { "service" } else { "call" },
            respond_hours: self.model.respond.map(hours),
            tuned_on_percent: percent(self.model.tuned_on),
            full_at_most_percent: percent(self.model.full_at_most),
            task: &self.model.task,
            full_percent: percent(FULL),
            unneeded_below_percent: percent(UNNEEDED),
        }
    }

    fn wire(&self) -> Vec<WirePolicy<'_>> {
        let first = super::deposits::day_of(self.modelled.from);
        let outcomes: &[Outcome] = &self.modelled.policies;
        outcomes
            .iter()
            .enumerate()
            .map(|(at, outcome)| {
                let tally = outcome.tally.as_ref();
                WirePolicy {
                    policy: self.written(at),
                    levels: if at == 0 { "recorded" } else { "modelled" },
                    figures: self.wire_figures(at, &outcome.figures),
                    by_day: outcome
                        .daily
                        .iter()
                        .map(|(day, daily)| (date(*day), hours(daily.overflow), daily.stops))
                        .collect(),
                    rules: tally.map(|tally| {
                        let count = |count| WireCount::of(count, |day| day - first);
                        tally.counts.iter().map(|(rule, known)| (rule.as_str(), count(known))).collect()
                    }),
                }
            })
            .collect()
    }

    fn wire_bins(&self) -> Vec<WireBin<'_>> {
        self.modelled.bins.iter().map(|bin| self.wire_bin(bin)).collect()
    }

    fn wire_bin<'a>(&self, bin: &'a Container) -> WireBin<'a> {
        let policy = |(at, figures)| WireBinPolicy {
            policy: self.written(at),
            figures: self.wire_figures(at, figures),
            every_days: bin.every_days.get(at).copied().flatten(),
        };
        let loss = |loss: &super::Loss| WireLoss {
            against: self.written(loss.policy),
            overflow_hours: hours(loss.overflow),
            stops: loss.stops,
            days: loss.days.iter().map(|(day, longer)| (date(*day), hours(*longer))).collect(),
        };
        WireBin {
            bin: bin.asset.as_str(),
            values: bin.values,
            from: written(bin.from),
            until: written(bin.until),
            judged_from: written(bin.judged_from),
            estimated_percent: percent(bin.guessed),
            unknown_percent: percent(bin.dark),
            policies: bin.figures.iter().enumerate().map(policy).collect(),
            losses: bin.losses.iter().map(loss).collect(),
        }
    }

    fn written(&self, policy: usize) -> String {
        let name = policy.checked_sub(1).and_then(|at| self.names.get(at));
        name.map_or_else(|| AS_IT_WAS.to_owned(), super::PolicyName::written)
    }

    fn wire_figures(&self, policy: usize, figures: &Figures) -> WireFigures {
        let name = policy.checked_sub(1).and_then(|at| self.names.get(at));
        let by_rules = name.is_some_and(|name| matches!(name, super::PolicyName::Rules(_)));
        WireFigures {
            bin_weeks: in_days(figures.watched) / 7.0,
            stops: figures.stops,
            stops_per_bin_week: figures.stops_a_week(),
            unneeded_stops: figures.unneeded,
            level_at_stop_mean: figures.level_at_stop(),
            overflow_hours: hours(figures.overflow),
            overflow_events: figures.overflows,
            spilled_volumes: figures.spilled,
            emptied_volumes: figures.emptied,
            alarms: by_rules.then_some(figures.alarms),
            tasks: self.calls(policy).then_some(figures.tasks),
        }
    }
}

impl<'a> From<&'a LeftOut> for WireLeftOut<'a> {
    fn from(left_out: &'a LeftOut) -> Self {
        let row = |row: &'a super::BadRow| WireBadRow { file: &row.file, line: row.line, why: &row.why };
        Self { rows: left_out.rows, first: left_out.first.iter().map(row).collect() }
    }
}

impl<'a> From<&'a Side> for WireSide<'a> {
    fn from(side: &'a Side) -> Self {
        Self { name: &side.name, refused: side.refused }
    }
}

impl WireCount {
    fn of(count: &Count, day: impl Fn(i64) -> i64) -> Self {
        Self {
            alarms: count.alarms,
            tasks: count.tasks,
            active_hours: hours(count.active),
            open_at_the_end: count.open,
            alarms_by_day: count.by_day.iter().map(|(at, alarms)| (day(*at), *alarms)).collect(),
        }
    }
}
