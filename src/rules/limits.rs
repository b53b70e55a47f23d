//! How large rule texts may be. Each limit is answered with a fault that names it.
//!
//! They are constants, not settings: a rule set that loads on one machine loads on every machine.

use crate::domain::time::Span;
use std::ops::RangeInclusive;

/// Rule files in one configuration; one file is one service of a municipality.
pub const FILES_MAX: usize = 200;
/// Bytes in one rule file.
pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// Rules in one file.
pub const RULES_PER_FILE_MAX: usize = 200;
/// Bytes in one condition: more than a person reads at a glance.
pub const EXPRESSION_BYTES_MAX: usize = 600;
/// Operators and calls inside one another.
pub const EXPRESSION_DEPTH_MAX: usize = 24;
/// Names, literals, operators and calls in one condition.
pub const EXPRESSION_NODES_MAX: usize = 120;
/// Calls with a memory, such as `held`, in all conditions of one rule: each costs memory for every asset.
pub const STATEFUL_NODES_MAX: usize = 8;
/// Different calls in all conditions of one rule, with a memory or without.
pub const CALLS_MAX: usize = 12;
/// Bytes in one text of the rationalisation record, in one language.
pub const RATIONALE_BYTES_MAX: usize = 600;
/// Bytes in a name: of a rule, an owner, a kind of task, a skill.
pub const NAME_BYTES_MAX: usize = 64;

/// How long `held` may wait.
pub const HELD: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_hours(31 * 24);
/// How long an alarm may be delayed.
pub const ON_DELAY: RangeInclusive<Span> = Span::ZERO..=Span::from_hours(7 * 24);
/// How soon a person must respond.
pub const RESPOND_WITHIN: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_hours(31 * 24);
