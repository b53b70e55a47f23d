//! One call of a function after lowering: what it works out, what it remembers, and what names it.

use super::form::{Condition, Reads};
use crate::domain::event::TurnedBy;
use crate::domain::time::Span;
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
    /// `held(condition, "10m")`
    Held { condition: Condition, wait_for: Span },
}

impl Operation {
    pub(super) fn reads(&self, calls: &[Call]) -> Reads {
        let mut reads = Reads::default();
        match self {
            Self::Silent => {}
            Self::Held { condition, .. } => condition.reads(calls, &mut reads),
        }
        reads
    }

    pub(super) fn constant(&self, calls: &[Call]) -> bool {
        match self {
            Self::Silent => false,
            Self::Held { condition, .. } => condition.constant(calls),
        }
    }
}
