//! The crews and their phones: what they hear, answer, lose and complete.
//!
//! Each offer is turned into a plan (`temper`) and each step of a plan into an act on an agenda in simulated time.
//! The lockstep carries acts out: it sends replies, takes phones off the network and back.
//! Not here: anything about what the gateway decides. A crew knows only what its phone has heard.

use super::civil;
use super::notes::Notes;
use super::scene::Work;
use super::temper::{self, Asked, Manner, Temper, Way};
use crate::domain::crew::Crew;
use crate::domain::ids::{AssetId, CrewId, TaskId};
use crate::domain::task::RejectReason;
use crate::domain::time::{Span, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

/// Deliveries one phone remembers, to know a redelivery when it sees one.
const DELIVERIES_MAX: usize = 512;
/// Tasks for which it is remembered how often they were offered.
const TASKS_MAX: usize = 4_096;
/// An offer without end stays open this long.
const OPEN_FOR: Span = Span::from_mins(10);

/// One thing a crew does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Reply {
        crew: CrewId,
        task: TaskId,
        answer: Answer,
    },
    /// The work itself is done; the reply that says so is an act of its own and may come later.
    Done {
        crew: CrewId,
        work: Work,
    },
    LoseSignal {
        crew: CrewId,
    },
    RegainSignal {
        crew: CrewId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    Rejected(RejectReason),
    EnRoute,
    OnSite,
    Completed,
}

/// The part of a task message that a crew needs.
#[derive(Debug, Deserialize)]
struct TaskMessage {
    delivery: String,
    notice: String,
    task: u64,
    kind: String,
    asset: String,
    expires_at: Option<String>,
}

#[derive(Debug)]
struct Team {
    skill: String,
    free_at: Timestamp,
    signal_back_at: Option<Timestamp>,
    holds: BTreeMap<TaskId, Held>,
    /// The newest deliveries, the oldest first.
    heard: VecDeque<String>,
    asked: BTreeMap<TaskId, u32>,
}

/// A task that a crew means to answer or to do.
#[derive(Debug)]
struct Held {
    work: Work,
    temper: Temper,
    /// Steps of an earlier round are void.
    round: Round,
    /// The gateway has taken the offer back, and this crew has not looked at its phone yet.
    called_off: bool,
}

/// One offer of one task to one crew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Round {
    task: TaskId,
    /// How often the crew was asked before.
    before: u32,
}

/// All crews of a scene.
#[derive(Debug)]
pub(crate) struct Crews {
    seed: u64,
    manner: Manner,
    teams: BTreeMap<CrewId, Team>,
    agenda: BTreeMap<(Timestamp, u64), Step>,
    steps: u64,
}

#[derive(Clone, Debug)]
struct Step {
    crew: CrewId,
    kind: StepKind,
}

#[derive(Clone, Copy, Debug)]
enum StepKind {
    Answer(Round, Answer),
    Work(Round),
    LoseSignal(Timestamp),
    RegainSignal,
}

impl Crews {
    pub(crate) fn new(seed: u64, manner: Manner, crews: &[Crew]) -> Self {
        let team = |crew: &Crew| Team {
            skill: crew.skills.first().map(ToString::to_string).unwrap_or_default(),
            free_at: Timestamp::MIN,
            signal_back_at: None,
            holds: BTreeMap::new(),
            heard: VecDeque::new(),
            asked: BTreeMap::new(),
        };
        let teams = crews.iter().map(|crew| (crew.id.clone(), team(crew))).collect();
        Self { seed, manner, teams, agenda: BTreeMap::new(), steps: 0 }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &CrewId> {
        self.teams.keys()
    }

    /// When a crew does something next.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// The phone of `crew` shows a message. Returns what was offered; none for a redelivery and other notices.
    ///
    /// # Errors
    /// What could not be read: the gateway's own message, so a fault of ours.
    pub(crate) fn hear(&mut self, at: Timestamp, crew: &CrewId, bytes: &[u8]) -> Result<Option<Offer>, String> {
        let message: TaskMessage = serde_json::from_slice(bytes).map_err(|error| {
            format!("crew {crew} cannot read its task message: {error}: {}", String::from_utf8_lossy(bytes))
        })?;
        let Some(team) = self.teams.get_mut(crew) else { return Ok(None) };
        if team.heard.contains(&message.delivery) {
            return Ok(None);
        }
        if team.heard.len() == DELIVERIES_MAX {
            team.heard.pop_front();
        }
        team.heard.push_back(message.delivery);
        let task = TaskId(message.task);
        if message.notice != "offered" {
            team.called_off(task);
            return Ok(None);
        }
        let expires_at = message.expires_at.as_deref().and_then(civil::moment).unwrap_or(at + OPEN_FOR);
        let work = Work { asset: AssetId::new(message.asset), kind: message.kind };
        Ok(Some(self.consider(at, crew, task, work, expires_at)))
    }

    fn consider(&mut self, at: Timestamp, crew: &CrewId, task: TaskId, work: Work, expires_at: Timestamp) -> Offer {
        let offer = Offer { crew: crew.clone(), task, work: work.clone() };
        let Some(team) = self.teams.get_mut(crew) else { return offer };
        let before = team.asked.entry(task).or_default();
        let asked =
            Asked { task, crew, skill: &team.skill, before: *before, at, expires_at, free_at: team.free_at.max(at) };
        let plan = temper::plan(self.seed, self.manner, &asked);
        let round = Round { task, before: *before };
        *before += 1;
        if team.asked.len() > TASKS_MAX {
            team.asked.pop_first();
        }
        let answer = match plan.temper {
            Temper::Ignores => return offer,
            Temper::Refuses(reason) => Answer::Rejected(reason),
            Temper::Accepts | Temper::AnswersLate | Temper::ArrivesLate | Temper::LosesSignal => Answer::Accepted,
        };
        team.holds.insert(task, Held { work, temper: plan.temper, round, called_off: false });
        self.plan(plan.answer_at, crew, StepKind::Answer(round, answer));
        if let Some(way) = plan.way {
            self.set_out(crew, round, way);
        }
        offer
    }

    fn set_out(&mut self, crew: &CrewId, round: Round, way: Way) {
        if let Some(team) = self.teams.get_mut(crew) {
            team.free_at = way.done_at;
        }
        self.plan(way.leave_at, crew, StepKind::Answer(round, Answer::EnRoute));
        if let Some((from, until)) = way.signal_lost {
            self.plan(from, crew, StepKind::LoseSignal(until));
        }
        self.plan(way.arrive_at, crew, StepKind::Answer(round, Answer::OnSite));
        self.plan(way.done_at, crew, StepKind::Work(round));
        self.plan(way.done_at, crew, StepKind::Answer(round, Answer::Completed));
    }

    fn plan(&mut self, at: Timestamp, crew: &CrewId, kind: StepKind) {
        self.steps += 1;
        self.agenda.insert((at, self.steps), Step { crew: crew.clone(), kind });
    }

    /// What the crews do up to and including `until`, in order.
    pub(crate) fn act(&mut self, until: Timestamp, notes: &mut Notes) -> Vec<Act> {
        let mut acts = Vec::new();
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), step) = entry.remove_entry();
            acts.extend(self.carry_out(at, step, notes));
        }
        acts
    }

    fn carry_out(&mut self, at: Timestamp, step: Step, notes: &mut Notes) -> Option<Act> {
        let Step { crew, kind } = step;
        let team = self.teams.get_mut(&crew)?;
        match kind {
            StepKind::Answer(round, answer) => {
                let held = team.holds.get(&round.task).filter(|held| held.round == round)?;
                if let Some(back_at) = team.signal_back_at {
                    // The phone sends what it kept as soon as it is back, in the order it was tapped.
                    self.plan(back_at, &crew, kind);
                    return None;
                }
                if held.called_off || matches!(answer, Answer::Completed | Answer::Rejected(_)) {
                    team.holds.remove(&round.task);
                }
                notes.say(at, format!("{crew} {}", answer.in_words(round.task)));
                Some(Act::Reply { crew, task: round.task, answer })
            }
            StepKind::Work(round) => {
                let held = team.holds.get(&round.task).filter(|held| held.round == round)?;
                Some(Act::Done { crew, work: held.work.clone() })
            }
            // Already out of reach: the first loss decides when it is back.
            StepKind::LoseSignal(_) if team.signal_back_at.is_some() => None,
            StepKind::LoseSignal(back_at) => {
                team.signal_back_at = Some(back_at);
                self.plan(back_at, &crew, StepKind::RegainSignal);
                notes.say(at, format!("{crew} loses signal"));
                Some(Act::LoseSignal { crew })
            }
            StepKind::RegainSignal => {
                team.signal_back_at = None;
                notes.say(at, format!("{crew} has signal again"));
                Some(Act::RegainSignal { crew })
            }
        }
    }
}

impl Team {
    /// The offer has gone or the task is no longer wanted. A crew that answers late has not seen it and says yes all
    /// the same, once; every other crew drops it.
    fn called_off(&mut self, task: TaskId) {
        match self.holds.get_mut(&task) {
            Some(held) if held.temper == Temper::AnswersLate => held.called_off = true,
            Some(_) => drop(self.holds.remove(&task)),
            None => {}
        }
    }
}

/// What was offered to whom, for the notes and the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub crew: CrewId,
    pub task: TaskId,
    pub work: Work,
}

impl Answer {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected(_) => "rejected",
            Self::EnRoute => "en-route",
            Self::OnSite => "on-site",
            Self::Completed => "completed",
        }
    }

    pub(crate) fn in_words(self, task: TaskId) -> String {
        match self {
            Self::Accepted => format!("accepts task {task}"),
            Self::Rejected(reason) => format!("refuses task {task}: {}", reason.as_str()),
            Self::EnRoute => format!("sets out for task {task}"),
            Self::OnSite => format!("is on site for task {task}"),
            Self::Completed => format!("completes task {task}"),
        }
    }
}
