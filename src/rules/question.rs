//! What rules ask of the estimators. The engine keeps an estimator for a property of an asset when a rule asks it
//! something, and has the answers ready before it evaluates.
//!
//! Fill is followed from the property `fill`, exposure of a zone from `pressure_<zone>`. Start with `RuleSet::followed`.

use super::expression::Operation;
use super::rule::Rule;
use crate::domain::time::Span;
use std::sync::Arc;

/// The property that fill is followed from.
pub(super) const FILL: &str = "fill";
/// What the name of a property begins with that the exposure of a zone is followed from.
pub(super) const PRESSURE: &str = "pressure_";
/// The unit that such a pressure is in.
pub(super) const PRESSURE_UNIT: &str = "mm[Hg]";

/// One question about one asset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The property that is followed.
    pub followed: Followed,
    pub about: About,
}

/// A property that an estimator follows for each asset of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Followed {
    pub slot: u16,
    pub quantity: Quantity,
}

/// What the estimator makes of the property.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// How full a container is; `full` is the number that means full.
    Fill { full: f64 },
    /// How long a zone of a body has borne load.
    Exposure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The probability that the container is full by then.
    Overflow(Ahead),
    /// The time until it is as likely full as not.
    TimeToFull,
    /// How long it has not been emptied.
    SinceEmptied,
    /// Whether the newest levels brought this.
    Happened(Happening),
    /// Whether its sensor is stuck or covered.
    Blocked,
    /// Equivalent minutes of load on the zone.
    Exposure,
    /// The time until the zone's limit, if the load stays as it is.
    TimeToLimit,
    /// How long the zone has been relieved without a break.
    Relief,
}

/// How far is looked ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    For(Span),
    NextService,
}

/// What was detected about a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    Emptied,
    PartlyEmptied,
    DoneNotEmptied,
    Settled,
    Spike,
    SuddenFull,
}

impl About {
    /// How far ahead a time is told at most; `None` for what is no time ahead.
    #[must_use]
    pub const fn told_ahead(self) -> Option<Span> {
        match self {
            Self::TimeToFull => Some(Span::from_hours(90 * 24)),
            // People are measured, and not foretold.
            Self::TimeToLimit => Some(Span::from_mins(30)),
            Self::Overflow(_)
            | Self::SinceEmptied
            | Self::Happened(_)
            | Self::Blocked
            | Self::Exposure
            | Self::Relief => None,
        }
    }
}

impl Quantity {
    /// Bytes of one estimator, at most; the engine's tests hold it to this.
    #[must_use]
    pub const fn state_bytes(self) -> usize {
        match self {
            Self::Fill { .. } => 328,
            Self::Exposure => 368,
        }
    }

    /// As `rettidig check` names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fill { .. } => "fill",
            Self::Exposure => "exposure",
        }
    }
}

impl Rule {
    /// What the rule asks of the estimators.
    pub fn questions(&self) -> impl Iterator<Item = Question> {
        self.lowered.calls.iter().filter_map(|call| match call.operation {
            Operation::Estimate(question) => Some(question),
            Operation::Silent
            | Operation::InShift { .. }
            | Operation::NextService
            | Operation::Held { .. }
            | Operation::Count { .. }
            | Operation::Window { .. }
            | Operation::Rate { .. }
            | Operation::Delta { .. }
            | Operation::Changed { .. }
            | Operation::Age { .. }
            | Operation::Then { .. } => None,
        })
    }

    /// Whether a task of this rule is to empty a container: it asks whether that has happened.
    #[must_use]
    pub fn is_about_emptying(&self) -> bool {
        self.questions().any(|question| question.about == About::Happened(Happening::Emptied))
    }
}

/// What the rules for one kind of asset ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Each once.
    pub questions: Vec<Question>,
    /// By slot, each once.
    pub followed: Vec<Followed>,
}

impl Asked {
    pub fn by(rules: &[Arc<Rule>]) -> Self {
        let mut asked = Self::default();
        for question in rules.iter().flat_map(|rule| rule.questions()) {
            if !asked.questions.contains(&question) {
                asked.questions.push(question);
            }
            if !asked.followed.contains(&question.followed) {
                asked.followed.push(question.followed);
            }
        }
        asked.followed.sort_by_key(|followed| followed.slot);
        asked
    }
}
