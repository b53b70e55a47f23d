//! `rettidig replay --verify`: every record of the journal decided again, and compared with what was decided then.
//!
//! Within one version of the program and one configuration both are equal in every field. Across versions the recorded
//! decision stands, and what would be decided otherwise is told. Where they differ, the replay goes on from what was
//! recorded, so that one difference is not a thousand.
//!
//! Start with `verify`; `render` and `wire` show what was found.

mod render;
mod wire;

use super::replaying::{begin, each_entry};
use crate::domain::alarm::Cause;
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, Seq};
use crate::domain::reason::{QuarantineReason, Verdict};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::journal::{Entry, JournalError, Past, Reader, Sealing, Snapshot};
use std::path::Path;

/// Differences after which the replay ends: each of them costs a copy of the state.
const DIFFERENCES_MAX: u64 = 100;
/// Records between two words about the progress.
const TELL_EVERY: u64 = 16_384;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub journal: JournalId,
    pub from: Seq,
    pub through: Seq,
    /// Records decided again.
    pub events: u64,
    /// Facts and effects in them.
    pub decisions: u64,
    pub effects: u64,
    /// Records about a person whose key is erased: taken as they were recorded.
    pub erased: u64,
    pub differences: u64,
    /// There may be more: the replay has ended early.
    pub more: bool,
    pub first_difference: Option<Difference>,
}

/// One record that is decided otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub seq: Seq,
    pub at: Timestamp,
    pub event: &'static str,
    pub recorded: Side,
    pub decided: Side,
}

/// What differs, in words: the verdict, or the facts and effects that the other side has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub verdict: String,
    pub differs: Vec<String>,
}

/// Decides the whole journal in `folder` again; `progress` is told how far it is, in records of so many.
///
/// # Errors
/// The journal cannot be read, or begins after the first record and no snapshot reaches it.
pub fn verify(folder: &Path, sealing: &Sealing, mut progress: impl FnMut(u64, u64)) -> Result<Verified, JournalError> {
    let past = Past::open(folder)?;
    let snapshot = if past.first.0 > Seq(1) { past.oldest_snapshot(sealing)? } else { None };
    if past.first.0 > Seq(1) && snapshot.is_none() {
        return Err(JournalError::NoSnapshot { folder: folder.to_owned(), first: past.first.0 });
    }
    let mut deciding = Deciding::new(folder, sealing, snapshot.as_ref())?;
    let (begun, through) = (deciding.engine.seq(), past.last.0);
    let mut verified = Verified {
        journal: past.journal_id,
        from: begun.next(),
        through: begun,
        events: 0,
        decisions: 0,
        effects: 0,
        erased: 0,
        differences: 0,
        more: false,
        first_difference: None,
    };
    let (mut failed, mut reader) = (None, Reader::open(folder, sealing.clone())?);
    each_entry(&mut reader, begun.next(), through, |entry| {
        verified.through = entry.seq;
        verified.events += 1;
        verified.decisions += entry.decision.facts.len() as u64;
        verified.effects += entry.decision.effects.len() as u64;
        if entry.seq.0.is_multiple_of(TELL_EVERY) {
            progress(entry.seq.0 - begun.0, through.0 - begun.0);
        }
        let found = match deciding.again(entry) {
            Ok(found) => found,
            Err(error) => {
                failed = Some(error);
                return false;
            }
        };
        verified.erased += u64::from(matches!(entry.event, Event::Erased { .. }));
        if let Some(difference) = found {
            verified.differences += 1;
            verified.first_difference.get_or_insert(difference);
        }
        verified.more = verified.differences >= DIFFERENCES_MAX;
        !verified.more
    })?;
    failed.map_or(Ok(verified), Err)
}

/// The engine that decides, and once it has decided otherwise, another one that is told what was recorded.
struct Deciding<'a> {
    folder: &'a Path,
    sealing: &'a Sealing,
    snapshot: Option<&'a Snapshot>,
    engine: Engine,
    recorded: Option<Engine>,
}

impl<'a> Deciding<'a> {
    fn new(folder: &'a Path, sealing: &'a Sealing, snapshot: Option<&'a Snapshot>) -> Result<Self, JournalError> {
        Ok(Self { folder, sealing, snapshot, engine: begin(snapshot)?, recorded: None })
    }

    fn again(&mut self, entry: &Entry) -> Result<Option<Difference>, JournalError> {
        let Entry { at, event, decision, .. } = entry;
        let unreasoned = if let Event::Due(deadline) = event {
            self.engine.next_deadline().as_ref() != Some(deadline)
        } else {
            false
        };
        let decided = match (event, decision.verdict) {
            // What was measured is gone; what was decided from it stands.
            (Event::Erased { .. }, _) => {
                self.engine.apply(*at, event, decision);
                None
            }
            (_, Verdict::Quarantined(QuarantineReason::Poison)) => Some(self.engine.skip(*at, event)),
            _ => Some(without_new_fields(self.engine.step(*at, event), decision)),
        };
        if let Some(recorded) = &mut self.recorded {
            recorded.apply(*at, event, decision);
        }
        let Some(decided) = decided.filter(|decided| decided != decision || unreasoned) else { return Ok(None) };
        let mut difference = difference(entry, &decided);
        if unreasoned {
            difference.decided.differs.insert(0, "this deadline is not the one that is waited for".to_owned());
        }
        let recorded = match self.recorded.take() {
            Some(recorded) => recorded,
            None => self.as_recorded(entry.seq)?,
        };
        self.engine = Engine::restore(crate::engine::Limits::default(), recorded.image());
        self.recorded = Some(recorded);
        Ok(Some(difference))
    }

    /// The state after this record, from what was recorded alone.
    fn as_recorded(&self, through: Seq) -> Result<Engine, JournalError> {
        let mut engine = begin(self.snapshot)?;
        let mut reader = Reader::open(self.folder, self.sealing.clone())?;
        each_entry(&mut reader, engine.seq().next(), through, |entry| {
            engine.apply(entry.at, &entry.event, &entry.decision);
            true
        })?;
        Ok(engine)
    }
}

/// Records from before the versions of rules, or the moments of returns, were kept have none, which is no difference.
fn without_new_fields(mut decided: Decision, recorded: &Decision) -> Decision {
    for (fact, known) in decided.facts.iter_mut().zip(&recorded.facts) {
        if let (Fact::ReturnedToNormal { observed_at, .. }, Fact::ReturnedToNormal { observed_at: None, .. }) =
            (&mut *fact, known)
        {
            *observed_at = None;
        }
        if let (Some(cause), Some(Cause { rule_version: None, .. })) = (cause_of_mut(fact), cause_of(known)) {
            cause.rule_version = None;
        }
    }
    decided
}

const fn cause_of(fact: &Fact) -> Option<&Cause> {
    if let Fact::DelayStarted { cause, .. }
    | Fact::ShadowRaised { cause, .. }
    | Fact::AlarmRaised { cause, .. }
    | Fact::AlarmReactivated { cause, .. } = fact
    {
        Some(cause)
    } else {
        None
    }
}

const fn cause_of_mut(fact: &mut Fact) -> Option<&mut Cause> {
    if let Fact::DelayStarted { cause, .. }
    | Fact::ShadowRaised { cause, .. }
    | Fact::AlarmRaised { cause, .. }
    | Fact::AlarmReactivated { cause, .. } = fact
    {
        Some(cause)
    } else {
        None
    }
}

fn difference(entry: &Entry, decided: &Decision) -> Difference {
    let recorded = &entry.decision;
    Difference {
        seq: entry.seq,
        at: entry.at,
        event: entry.event.name(),
        recorded: Side::of(recorded, decided),
        decided: Side::of(decided, recorded),
    }
}

impl Side {
    fn of(decision: &Decision, other: &Decision) -> Self {
        let mut differs = Vec::new();
        if decision.subject != other.subject {
            differs.push(format!("about {:?}", decision.subject));
        }
        differs.extend(only_here(&decision.facts, &other.facts).into_iter().map(|fact| format!("{fact:?}")));
        differs.extend(only_here(&decision.effects, &other.effects).into_iter().map(|effect| format!("{effect:?}")));
        let surplus = only_here(&other.facts, &decision.facts);
        if differs.is_empty() && surplus.is_empty() && decision.facts != other.facts {
            differs.push("the same facts in another order".to_owned());
        }
        Self { verdict: format!("{:?}", decision.verdict), differs }
    }
}

fn only_here<'a, T: PartialEq>(here: &'a [T], there: &[T]) -> Vec<&'a T> {
    here.iter().filter(|item| !there.contains(item)).collect()
}
