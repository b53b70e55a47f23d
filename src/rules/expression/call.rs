//! One call of a function after lowering: what it works out, what it remembers, and what names it.

use super::form::{Condition, Number, Reads};
use super::functions::{self, Gives};
use crate::domain::event::TurnedBy;
use crate::domain::time::Span;
use crate::rules::question::{About, Quantity, Question};
use std::ops::Range;

/// One call; the same text twice in a rule is one call.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) struct Call {
    pub operation: Operation,
    /// Its words in the rule's memory; empty when it remembers nothing.
    pub memory: Range<usize>,
    /// The slots that it and its arguments read, ascending.
    pub reads: Box<[u16]>,
    pub reads_attributes: bool,
    /// The only value that it reads, when it asks no other call: then it can be worked out for one that is not the newest.
    pub only: Option<u16>,
    /// It asks another call, so that it may turn between two values.
    pub asks: bool,
    /// Its answer never changes.
    pub constant: bool,
    /// Why its answer may turn without a message; `None` when it needs one.
    pub turned_by: Option<TurnedBy>,
    /// What it means, as a number: the same in every rule set in which it means the same.
    pub key: u64,
    /// Its place among the calls with a memory as they are opened in the rule: how older snapshots name it.
    pub opened: u16,
    /// As its author wrote it.
    pub source: Box<str>,
}

/// What a call works out.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Operation {
    /// `silent()`
    Silent,
    /// `in_shift("night")`: the shift's place among the tables of the calendars.
    InShift { shift: u16 },
    /// `next_service()`
    NextService,
    /// `held(condition, "10m")`
    Held { condition: Condition, wait_for: Span },
    /// `count(condition, "1h")`
    Count { condition: Condition, window: Span },
    /// `avg(x, "15m")`, `min(x, "15m")`, `max(x, "15m")`
    Window { aggregate: Aggregate, number: Number, window: Span },
    /// `rate(x, "6h")`
    Rate { number: Number, window: Span },
    /// `delta(x)`
    Delta { number: Number },
    /// `changed(x)`
    Changed { slot: u16 },
    /// `age(x)`
    Age { slot: u16 },
    /// `then(a, b, "5m")`
    Then { first: Asked, second: Asked, within: Span },
    /// What an estimator is asked, such as `p_overflow("12h")`.
    Estimate(Question),
}

/// A condition, and the slots that it reads.
pub(in crate::rules) type Asked = (Condition, Box<[u16]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Aggregate {
    Average,
    Least,
    Greatest,
}

impl Call {
    /// Whether it answers with a length of time, in microseconds.
    pub(in crate::rules) fn gives_length_of_time(&self) -> bool {
        let name = self.source.split('(').next().unwrap_or_default().trim();
        functions::find(name).is_some_and(|function| function.gives == Gives::LengthOfTime)
    }
}

impl Operation {
    pub(super) fn reads(&self, calls: &[Call]) -> Reads {
        let mut reads = Reads::default();
        match self {
            Self::Silent | Self::InShift { .. } | Self::NextService => {}
            Self::Held { condition, .. } | Self::Count { condition, .. } => condition.reads(calls, &mut reads),
            Self::Window { number, .. } | Self::Rate { number, .. } | Self::Delta { number } => {
                number.reads(calls, &mut reads);
            }
            Self::Changed { slot } | Self::Age { slot } => reads.slots.push(*slot),
            Self::Estimate(question) => {
                reads.slots.push(question.followed.slot);
                // A person's limit stands in the attributes of the bed.
                reads.attributes = question.followed.quantity == Quantity::Exposure;
            }
            Self::Then { first, second, .. } => {
                first.0.reads(calls, &mut reads);
                second.0.reads(calls, &mut reads);
            }
        }
        reads
    }

    /// Forecasts count weekdays and services.
    pub(in crate::rules) const fn reads_calendars(&self) -> bool {
        match self {
            Self::InShift { .. } | Self::NextService => true,
            Self::Estimate(question) => matches!(question.about, About::Overflow(_) | About::TimeToFull),
            Self::Silent
            | Self::Held { .. }
            | Self::Count { .. }
            | Self::Window { .. }
            | Self::Rate { .. }
            | Self::Delta { .. }
            | Self::Changed { .. }
            | Self::Age { .. }
            | Self::Then { .. } => false,
        }
    }

    pub(super) fn constant(&self, calls: &[Call]) -> bool {
        match self {
            Self::Held { condition, .. } => condition.constant(calls),
            // What is measured changes; a call that measures nothing is a fault.
            Self::Silent
            | Self::InShift { .. }
            | Self::NextService
            | Self::Count { .. }
            | Self::Window { .. }
            | Self::Rate { .. }
            | Self::Delta { .. }
            | Self::Changed { .. }
            | Self::Age { .. }
            | Self::Then { .. }
            | Self::Estimate(_) => false,
        }
    }
}
