//! A container on its way through its recorded demand: somebody empties it, or nobody does.
//!
//! Content is a share of the volume, 0 to 1; what is put in beyond that lies beside it. The sensor tells the content with
//! the wobble of the recorded value. Figures count from the moment from which the policies are judged.

use super::deposits::{FULL, History, day_of, in_days};
use crate::domain::time::{Span, Timestamp};
use crate::estimate::fill::level::LEVEL_MAX;
use std::collections::BTreeMap;

/// A stop below this level was not needed (DOMAIN §1.7).
pub(super) const UNNEEDED: f64 = 0.25;

/// What came of one policy at one container, or at all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Time in which the container was in sight.
    pub watched: Span,
    pub stops: u64,
    /// Stops at a container that was less than a quarter full.
    pub unneeded: u64,
    /// Time in which it was full.
    pub overflow: Span,
    /// Times it became full.
    pub overflows: u64,
    /// What was put beside it, in container volumes.
    pub spilled: f64,
    /// What was taken out of it, in container volumes.
    pub emptied: f64,
    /// Sum of the levels at which it was emptied.
    pub levels: f64,
    /// Alarms that began; of rule sets only.
    pub alarms: u64,
    /// Tasks that were requested; of whoever calls for a crew.
    pub tasks: u64,
}

impl Figures {
    pub(super) fn add(&mut self, other: &Self) {
        self.watched = self.watched + other.watched;
        self.stops += other.stops;
        self.unneeded += other.unneeded;
        self.overflow = self.overflow + other.overflow;
        self.overflows += other.overflows;
        self.spilled += other.spilled;
        self.emptied += other.emptied;
        self.levels += other.levels;
        self.alarms += other.alarms;
        self.tasks += other.tasks;
    }

    /// Mean level at which it was emptied; none without a stop.
    #[must_use]
    pub fn level_at_stop(&self) -> Option<f64> {
        (self.stops > 0).then(|| self.levels / self.stops as f64)
    }

    /// Stops for each container and week.
    #[must_use]
    pub fn stops_a_week(&self) -> f64 {
        let weeks = in_days(self.watched) / 7.0;
        if weeks > 0.0 { self.stops as f64 / weeks } else { 0.0 }
    }
}

/// What happened on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Daily {
    pub overflow: Span,
    pub stops: u64,
}

pub(super) struct Walk<'h> {
    history: &'h History,
    judged_from: Timestamp,
    /// The step that ends next.
    next: usize,
    at: Timestamp,
    pub content: f64,
    pub figures: Figures,
    /// By day since 1970.
    pub daily: BTreeMap<i64, Daily>,
}

impl<'h> Walk<'h> {
    pub fn begin(history: &'h History, judged_from: Timestamp) -> Self {
        let (at, content) = (history.from(), history.start);
        Self { history, judged_from, next: 0, at, content, figures: Figures::default(), daily: BTreeMap::new() }
    }

    /// When its sensor speaks next.
    pub fn speaks_at(&self) -> Option<Timestamp> {
        self.history.steps.get(self.next).map(|step| step.at)
    }

    /// Goes on to the next value: when it comes, what the sensor says, and what was left if it was found emptied there.
    pub fn value(&mut self) -> Option<(Timestamp, f64, Option<f64>)> {
        let step = *self.history.steps.get(self.next)?;
        self.until(step.at);
        self.next += 1;
        Some((step.at, (self.content + step.wobble).clamp(0.0, LEVEL_MAX), step.left))
    }

    /// As `value`, and emptied where it was.
    pub fn recorded_value(&mut self) -> Option<(Timestamp, f64)> {
        let step = *self.history.steps.get(self.next)?;
        let (at, said, left) = self.value()?;
        let Some(left) = left else { return Some((at, said)) };
        self.empty(at, left);
        Some((at, (self.content + step.wobble).clamp(0.0, LEVEL_MAX)))
    }

    /// `left` is what stays in it, or what was there where that is less.
    fn empty(&mut self, at: Timestamp, left: f64) {
        if at > self.history.until() {
            return;
        }
        self.until(at);
        let level = self.content;
        self.content = level.min(left);
        if self.at < self.judged_from {
            return;
        }
        self.figures.stops += 1;
        self.figures.unneeded += u64::from(level < UNNEEDED);
        self.figures.levels += level;
        self.figures.emptied += level - self.content;
        self.daily.entry(day_of(at)).or_default().stops += 1;
    }

    /// A crew has come, and leaves what is usually left.
    pub fn served(&mut self, at: Timestamp) {
        self.empty(at, self.history.left);
    }

    /// Fills on; what would follow the last value is not counted.
    fn until(&mut self, at: Timestamp) {
        let (Some(step), Some(before)) = (self.history.steps.get(self.next), self.before()) else { return };
        let until = at.min(step.at);
        if until <= self.at {
            return;
        }
        let (whole, part) = (step.at.since(before), until.since(self.at));
        let deposit = if part == whole {
            step.deposit
        } else {
            step.deposit * part.as_micros() as f64 / whole.as_micros() as f64
        };
        let (from, held) = (self.at, self.content);
        self.at = until;
        self.content = (held + deposit).min(1.0);
        if from < self.judged_from {
            return;
        }
        self.figures.spilled += (held + deposit - self.content).max(0.0);
        if step.dark {
            return;
        }
        self.figures.watched = self.figures.watched + part;
        if held >= FULL {
            self.full(from, until);
        } else if held + deposit >= FULL {
            let share = (FULL - held) / deposit;
            self.figures.overflows += 1;
            self.full(from + Span::from_micros((share * part.as_micros() as f64) as i64), until);
        }
    }

    fn before(&self) -> Option<Timestamp> {
        self.history.steps.get(self.next.checked_sub(1)?).map(|step| step.at)
    }

    fn full(&mut self, from: Timestamp, until: Timestamp) {
        self.figures.overflow = self.figures.overflow + until.since(from);
        let mut at = from;
        while at < until {
            let day = day_of(at);
            let next = Timestamp::from_micros((day + 1).saturating_mul(super::deposits::DAY.as_micros())).min(until);
            let daily = self.daily.entry(day).or_default();
            daily.overflow = daily.overflow + next.since(at);
            at = next;
        }
    }
}
