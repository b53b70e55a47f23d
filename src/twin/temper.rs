//! What a crew makes of one offer: mostly it accepts and does the work, but not always.
//!
//! Drawn from a stream named after seed, task, crew and how often it was asked before, never from the order of
//! arrival. Pure: an offer in, a plan out. `crews` carries the plan out.

use super::chance::Chance;
use crate::domain::ids::{CrewId, TaskId};
use crate::domain::task::RejectReason;
use crate::domain::time::{Span, Timestamp};

/// How a crew takes one offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Temper {
    Accepts,
    Refuses(RejectReason),
    /// Never answers: the offer expires.
    Ignores,
    /// Says yes when the offer has gone.
    AnswersLate,
    /// Says yes in time and comes much later than it should.
    ArrivesLate,
    /// Says yes, and then drives where no signal reaches.
    LosesSignal,
}

/// How a whole crew behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Shows every temper: the demo.
    Human,
    /// Accepts and completes: recorded data, where the data is what matters.
    Reliable,
}

/// The moments of one task as this crew plans it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub temper: Temper,
    pub answer_at: Timestamp,
    /// Sets out, arrives and is done; none when it will not come.
    pub way: Option<Way>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub leave_at: Timestamp,
    pub arrive_at: Timestamp,
    pub done_at: Timestamp,
    /// Out of reach between these two.
    pub signal_lost: Option<(Timestamp, Timestamp)>,
}

/// What the plan depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub task: TaskId,
    pub crew: &'a CrewId,
    pub skill: &'a str,
    /// How often this crew was asked for this task before.
    pub before: u32,
    pub at: Timestamp,
    pub expires_at: Timestamp,
    /// When the crew is done with everything it has accepted.
    pub free_at: Timestamp,
}

/// A crew with more than this ahead of it says that it is busy.
const BACKLOG_MAX: Span = Span::from_hours(4);
const REASONS: [RejectReason; 3] = [RejectReason::Busy, RejectReason::TooFar, RejectReason::MissingEquipment];

pub(crate) fn plan(seed: u64, manner: Manner, asked: &Asked<'_>) -> Plan {
    let (task, before) = (asked.task.to_string(), asked.before.to_string());
    let mut chance = Chance::new(seed, &["offer", &task, asked.crew.as_str(), &before]);
    let temper = temper(&mut chance, manner, asked);
    let open_for = asked.expires_at.since(asked.at).as_micros().max(0) as f64;
    let share = if temper == Temper::AnswersLate { chance.uniform(1.1, 1.8) } else { chance.uniform(0.08, 0.5) };
    let answer_at = asked.at + Span::from_micros((open_for * share) as i64);
    let comes = !matches!(temper, Temper::Refuses(_) | Temper::Ignores);
    let way = comes.then(|| way(&mut chance, temper, asked, answer_at));
    Plan { temper, answer_at, way }
}

fn temper(chance: &mut Chance, manner: Manner, asked: &Asked<'_>) -> Temper {
    let drawn = match chance.uniform(0.0, 100.0) as u32 {
        0..68 => Temper::Accepts,
        68..77 => Temper::Refuses(REASONS[chance.below(REASONS.len())]),
        77..84 => Temper::Ignores,
        84..89 => Temper::AnswersLate,
        89..94 => Temper::ArrivesLate,
        _ => Temper::LosesSignal,
    };
    if manner == Manner::Reliable {
        return Temper::Accepts;
    }
    if asked.free_at.since(asked.at) > BACKLOG_MAX {
        return Temper::Refuses(RejectReason::Busy);
    }
    // Asked a third time it comes: no task goes round for ever.
    if asked.before >= 2 { Temper::Accepts } else { drawn }
}

fn way(chance: &mut Chance, temper: Temper, asked: &Asked<'_>, answer_at: Timestamp) -> Way {
    let minutes = |chance: &mut Chance, low, high| chance.span(Span::from_mins(low), Span::from_mins(high));
    let (mut travel, work) = match asked.skill {
        "care" => (minutes(chance, 1, 5), minutes(chance, 5, 17)),
        "waste" => (minutes(chance, 4, 14), minutes(chance, 2, 5)),
        _ => (minutes(chance, 10, 25), minutes(chance, 10, 25)),
    };
    if temper == Temper::ArrivesLate {
        travel = travel.times(4);
    }
    let leave_at = answer_at.max(asked.free_at);
    let arrive_at = leave_at + travel;
    let signal_lost = (temper == Temper::LosesSignal).then(|| {
        let from = leave_at + Span::from_micros(travel.as_micros() / 2);
        (from, from + minutes(chance, 20, 45))
    });
    Way { leave_at, arrive_at, done_at: arrive_at + work, signal_lost }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp::from_micros(1_788_753_600_000_000);

    fn asked(task: u64, crew: &CrewId, before: u32) -> Asked<'_> {
        let expires_at = NOW + Span::from_mins(10);
        Asked { task: TaskId(task), crew, skill: "waste", before, at: NOW, expires_at, free_at: NOW }
    }

    #[test]
    fn a_plan_depends_on_task_crew_and_round_only() {
        let (nord, syd) = (CrewId::new("affald-1"), CrewId::new("affald-2"));
        let plans =
            |crew: &CrewId| (0..50).map(|task| plan(1, Manner::Human, &asked(task, crew, 0))).collect::<Vec<_>>();
        let backwards: Vec<_> = (0..50).rev().map(|task| plan(1, Manner::Human, &asked(task, &nord, 0))).collect();
        assert_eq!(plans(&nord), backwards.into_iter().rev().collect::<Vec<_>>());
        assert_ne!(plans(&nord), plans(&syd));
    }

    #[test]
    fn every_temper_is_seen_and_most_offers_are_accepted() {
        let crew = CrewId::new("affald-1");
        let mut seen: BTreeMap<Temper, usize> = BTreeMap::new();
        for task in 0..1_000 {
            *seen.entry(plan(1, Manner::Human, &asked(task, &crew, 0)).temper).or_default() += 1;
        }
        assert!((630..730).contains(&seen[&Temper::Accepts]), "{seen:?}");
        assert_eq!(seen.len(), 5 + REASONS.len(), "{seen:?}");
    }

    #[test]
    fn answers_come_in_time_unless_they_are_meant_to_be_late() {
        let crew = CrewId::new("affald-1");
        for task in 0..500 {
            let asked = asked(task, &crew, 0);
            let plan = plan(1, Manner::Human, &asked);
            let late = plan.answer_at > asked.expires_at;
            assert_eq!(late, plan.temper == Temper::AnswersLate, "{plan:?}");
            if let Some(way) = plan.way {
                assert!(plan.answer_at <= way.leave_at && way.leave_at < way.arrive_at && way.arrive_at < way.done_at);
            }
        }
    }

    #[test]
    fn nothing_goes_round_for_ever_and_the_overloaded_say_so() {
        let crew = CrewId::new("affald-1");
        for task in 0..200 {
            assert_eq!(plan(1, Manner::Human, &asked(task, &crew, 2)).temper, Temper::Accepts);
            assert_eq!(plan(1, Manner::Reliable, &asked(task, &crew, 0)).temper, Temper::Accepts);
            let overloaded = Asked { free_at: NOW + Span::from_hours(5), ..asked(task, &crew, 2) };
            assert_eq!(plan(1, Manner::Human, &overloaded).temper, Temper::Refuses(RejectReason::Busy));
        }
    }
}
