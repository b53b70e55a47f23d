//! One rule: when an alarm is raised, why that matters, and what a person does about it.

use super::expression::{Call, Condition, Operation};
use super::memory::Memory;
use crate::domain::alarm::Priority;
use crate::domain::event::TurnedBy;
use crate::domain::ids::{AssetKind, RuleId, RuleVersion, Skill};
use crate::domain::time::Span;
use smol_str::SmolStr;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub id: RuleId,
    /// The same for every text that decides the same.
    pub version: RuleVersion,
    /// The file it stands in, and the bytes of its `[[rule]]` there.
    pub file: SmolStr,
    pub place: Range<usize>,
    pub applies_to: AssetKind,
    pub priority: Priority,
    /// The condition must hold this long before an alarm is raised.
    pub on_delay: Span,
    /// The condition is a moment, not a state, such as the press of a button: the alarm returns to normal at once
    /// and waits for a person, and each further press is a further activation.
    pub momentary: bool,
    /// It decides when a value arrives, and does not wait for values that may still come between.
    pub eager: bool,
    pub when_late: WhenLate,
    /// It is judged like any other and remembers the same, but raises nothing: what it would have raised is noted.
    pub shadow: bool,
    /// The work it asks for; without it an alarm is for the operator alone.
    pub task: Option<TaskTemplate>,
    pub rationale: Rationalisation,
    /// The conditions as they were written, for screens.
    pub conditions: Conditions,
    pub(super) lowered: Lowered,
}

/// What becomes of a value that came too late to be judged in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLate {
    /// It is kept and says nothing.
    Ignore,
    /// It is judged alone, and raises an alarm that says how old it is.
    Raise,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTemplate {
    /// What to do: `empty-bin`.
    pub kind: SmolStr,
    /// What the crew must be able to do: `waste`.
    pub skill: Skill,
}

/// Why this alarm exists (ISA-18.2 alarm rationalisation): nobody is disturbed without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rationalisation {
    pub cause: Text,
    /// What happens if nobody responds.
    pub consequence: Text,
    /// What a person does.
    pub response: Text,
    /// Who answers for the rule: `waste-operations`.
    pub owner: SmolStr,
    pub respond_within: Span,
}

/// A text in both languages of the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub en: String,
    pub da: String,
}

/// The conditions as their author wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    pub when: String,
    pub normal_when: Option<String>,
    pub unless: Option<String>,
}

/// The conditions as they are evaluated.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lowered {
    pub when: Condition,
    pub unless: Option<Condition>,
    pub normal_when: Option<Condition>,
    /// The calls that the three ask, each once, inner ones first.
    pub calls: Box<[Call]>,
    /// Every slot that any of them reads, ascending.
    pub reads: Box<[u16]>,
    pub reads_silence: bool,
    pub reads_calendars: bool,
}

impl WhenLate {
    /// As a rule file says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Raise => "raise",
        }
    }
}

impl Rule {
    /// The slots whose values the verdict depends on, ascending: a change elsewhere cannot change it.
    #[must_use]
    pub fn reads(&self) -> &[u16] {
        &self.lowered.reads
    }

    /// Whether the verdict depends on `silent()`.
    #[must_use]
    pub const fn reads_silence(&self) -> bool {
        self.lowered.reads_silence
    }

    /// Whether the verdict depends on the calendars.
    #[must_use]
    pub const fn reads_calendars(&self) -> bool {
        self.lowered.reads_calendars
    }

    /// Whether the verdict may be known of an asset of which nothing was measured, by the calendars alone.
    #[must_use]
    pub fn needs_no_value(&self) -> bool {
        let alone = |call: &Call| matches!(call.operation, Operation::InShift { .. } | Operation::NextService);
        self.lowered.calls.iter().any(alone)
    }

    /// Whether a verdict may turn without a message. A momentary rule is judged by messages only.
    #[must_use]
    pub fn turns(&self) -> bool {
        !self.momentary && self.lowered.calls.iter().any(|call| call.turned_by.is_some())
    }

    /// Whether both rules say the same about the same asset.
    #[must_use]
    pub fn judges_like(&self, other: &Self) -> bool {
        (self.momentary, self.eager) == (other.momentary, other.eager) && self.lowered == other.lowered
    }

    /// Whether both rules raise the same about the same asset at the same moments, in shadow or not.
    #[must_use]
    pub fn raises_like(&self, other: &Self) -> bool {
        self.judges_like(other)
            && (&self.applies_to, self.on_delay, self.when_late) == (&other.applies_to, other.on_delay, other.when_late)
    }

    /// How many calls with a memory the rule makes.
    #[must_use]
    pub fn stateful_calls(&self) -> usize {
        self.lowered.calls.iter().filter(|call| !call.memory.is_empty()).count()
    }

    /// Why the `node`-th call may turn without a message.
    #[must_use]
    pub fn turned_by(&self, node: u16) -> Option<TurnedBy> {
        self.lowered.calls.get(usize::from(node))?.turned_by
    }

    /// Bytes of memory for each asset the rule applies to.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        size_of::<Memory>() + self.words() * size_of::<u64>()
    }

    /// Words of memory for each asset.
    #[must_use]
    pub fn words(&self) -> usize {
        self.lowered.calls.last().map_or(0, |call| call.memory.end)
    }
}
