//! A decision as it stands in a record: verdict, facts and effects, never a measured value.
//!
//! Its `seq` is the row's own and is not repeated here. Facts are in `fact`, what an effect tells a crew in `delivery`.

use super::delivery::Delivery;
use super::fact::Fact;
use super::reason::{QuarantineCode, RefusalCode};
use crate::domain::decision;
use crate::domain::ids::{PersonId, Seq};
use crate::domain::reason;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
pub struct Decision<'a> {
    #[n(0)]
    verdict: Verdict,
    #[b(1)]
    pub subject: Option<&'a str>,
    #[b(2)]
    facts: Vec<Fact<'a>>,
    #[b(3)]
    effects: Vec<Effect<'a>>,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum Verdict {
    #[n(0)]
    Accepted,
    #[n(1)]
    Duplicate(#[n(0)] u64),
    #[n(2)]
    Redacted,
    #[n(3)]
    Quarantined(#[n(0)] QuarantineCode),
    #[n(4)]
    Refused(#[n(0)] RefusalCode),
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum Effect<'a> {
    #[n(0)]
    Deliver(#[b(0)] Delivery<'a>),
}

impl<'a> From<&'a decision::Decision> for Decision<'a> {
    fn from(decision: &'a decision::Decision) -> Self {
        Self {
            verdict: decision.verdict.into(),
            subject: decision.subject.as_ref().map(PersonId::as_str),
            facts: decision.facts.iter().map(Into::into).collect(),
            effects: decision.effects.iter().map(Into::into).collect(),
        }
    }
}

impl Decision<'_> {
    /// The decision again, with the place in the journal that its row has.
    pub fn at(self, seq: Seq) -> decision::Decision {
        decision::Decision {
            seq,
            verdict: self.verdict.into(),
            subject: self.subject.map(Into::into),
            facts: self.facts.into_iter().map(Into::into).collect(),
            effects: self.effects.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<reason::Verdict> for Verdict {
    fn from(verdict: reason::Verdict) -> Self {
        match verdict {
            reason::Verdict::Accepted => Self::Accepted,
            reason::Verdict::Duplicate { of } => Self::Duplicate(of.0),
            reason::Verdict::Redacted => Self::Redacted,
            reason::Verdict::Quarantined(reason) => Self::Quarantined(reason.into()),
            reason::Verdict::Refused(refusal) => Self::Refused(refusal.into()),
        }
    }
}

impl From<Verdict> for reason::Verdict {
    fn from(wire: Verdict) -> Self {
        match wire {
            Verdict::Accepted => Self::Accepted,
            Verdict::Duplicate(of) => Self::Duplicate { of: Seq(of) },
            Verdict::Redacted => Self::Redacted,
            Verdict::Quarantined(reason) => Self::Quarantined(reason.into()),
            Verdict::Refused(refusal) => Self::Refused(refusal.into()),
        }
    }
}

impl<'a> From<&'a decision::Effect> for Effect<'a> {
    fn from(effect: &'a decision::Effect) -> Self {
        match effect {
            decision::Effect::Deliver(delivery) => Self::Deliver(delivery.into()),
        }
    }
}

impl From<Effect<'_>> for decision::Effect {
    fn from(wire: Effect<'_>) -> Self {
        match wire {
            Effect::Deliver(delivery) => Self::Deliver(delivery.into()),
        }
    }
}
