//! What happened to a container: emptied, settled, blocked, a spike (DOMAIN §1.3, the rows that concern one container).
//!
//! A deep fall or a high rise waits for the next observation before it is believed. Until then the level stays what it
//! was. Each fact carries its moment, the levels before and after, and can say itself in English and Danish.

use super::forecast::Quartile;
use super::level::median_of_3;
use super::settings::Settings;
use crate::domain::observation::Quality;
use crate::domain::time::{Span, Timestamp};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillEvent {
    pub fact: FillFact,
    /// When it was first seen, which may lie before the observation that confirmed it.
    pub at: Timestamp,
    pub from: f64,
    pub to: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FillFact {
    Emptied,
    /// Emptied though no task was open: never a missed one.
    EmptiedUnasked,
    /// The crew says done, two observations say full.
    DoneNotEmptied,
    /// A step that was gone with the next observation; the one at `at` has quality "rejected, probably".
    Spike,
    /// Settling or compaction: the cycle goes on.
    Settled,
    /// A deep fall that did not reach empty: partly emptied, or something was in the sensor's way.
    PartlyFallen,
    /// May be an obstruction or something bulky: ask for a photo before a vehicle is sent.
    SuddenFull,
    /// The same number eight times while neighbours rise.
    Stuck,
    /// Three times nearer than the sensor can see.
    TooNear,
}

/// A step that waits for the next observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pending {
    pub at: Timestamp,
    pub from: f32,
    pub to: f32,
}

/// A crew's word that it emptied, until observations agree or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    pub at: Timestamp,
    pub level: f32,
    pub seen: u8,
    pub above: u8,
}

/// State of the detection; at most 112 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cycle {
    /// The last three accepted levels, newest last; the first `held` from the end count.
    pub levels: [f32; 3],
    pub held: u8,
    pub pending: Option<Pending>,
    pub done: Option<Done>,
    pub emptied_at: Option<Timestamp>,
}

/// What an observation means for whoever follows the level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    pub quality: Quality,
    pub event: Option<FillEvent>,
    pub level: Continues,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continues {
    /// From what came before.
    Yes,
    /// From here: what lies before is another stretch.
    Anew,
    /// Undecided: the observation waits.
    Waits,
}

impl Cycle {
    /// Median of the last three accepted levels; of fewer, the newest.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        let [a, b, c] = self.levels;
        match self.held {
            0 => None,
            3.. => Some(f64::from(median_of_3(a, b, c))),
            _ => Some(f64::from(c)),
        }
    }

    /// `task_open`: somebody was asked to empty it.
    pub fn observe(&mut self, at: Timestamp, level: f64, task_open: bool, settings: &Settings) -> Found {
        let level = level as f32;
        let mut found = match self.pending.take() {
            Some(pending) => self.decide(pending, at, level, settings),
            None => self.take(at, level, settings),
        };
        if let Some(event) = &mut found.event
            && event.fact == FillFact::Emptied
        {
            self.emptied_at = Some(event.at);
            self.done = None;
            if !task_open {
                event.fact = FillFact::EmptiedUnasked;
            }
        }
        if let Some(missed) = self.check_done(at, level, settings) {
            found.event = Some(missed);
        }
        found
    }

    /// The crew says it has emptied: a fall that waits is believed, and so is one that comes next, and so is the word
    /// alone where little was left; otherwise the next two observations are asked.
    pub fn crew_done(&mut self, at: Timestamp, settings: &Settings) -> Option<FillEvent> {
        if let Some(pending) = self.pending
            && emptied(&pending, settings)
            && at.since(pending.at) <= settings.confirm_within
        {
            self.pending = None;
            self.begin(&[pending.to]);
            self.emptied_at = Some(pending.at);
            return Some(event(FillFact::Emptied, &pending));
        }
        let seen_already = self.emptied_at.is_some_and(|emptied_at| at.since(emptied_at) <= settings.confirm_within);
        let level = self.level().unwrap_or(0.0) as f32;
        if seen_already || self.held == 0 {
            return None;
        }
        if f64::from(level) <= settings.emptied_post {
            // No fall will show it: what holds little cannot be told from what holds nothing.
            self.emptied_at = Some(at);
            return Some(event(FillFact::Emptied, &Pending { at, from: level, to: level }));
        }
        self.done = Some(Done { at, level, seen: 0, above: 0 });
        None
    }

    fn take(&mut self, at: Timestamp, level: f32, settings: &Settings) -> Found {
        let Some(before) = self.level() else {
            self.accept(level);
            return continues(Continues::Anew, None);
        };
        let newest = self.levels[2];
        let highest = if self.held > 1 { newest.max(self.levels[1]) } else { newest };
        let step = f64::from(level - newest);
        let fall = Pending { at, from: highest, to: level };
        if emptied(&fall, settings) {
            // The crew has said so already: the fall is the second to say it.
            if self.done.is_some_and(|done| at.since(done.at) <= settings.confirm_within) {
                self.begin(&[level]);
                return continues(Continues::Anew, Some(event(FillFact::Emptied, &fall)));
            }
            return self.wait_or(fall, FillFact::Emptied, settings);
        }
        if step.abs() > settings.spike_step && settings.confirm_by_next {
            self.pending = Some(Pending { at, from: newest, to: level });
            return Found { quality: Quality::Suspicious, event: None, level: Continues::Waits };
        }
        if -step >= settings.emptied_drop {
            self.begin(&[level]);
            return continues(Continues::Anew, Some(event(FillFact::PartlyFallen, &fall)));
        }
        if !settings.confirm_by_next {
            self.held = 0; // a median over days would lag by one
        }
        self.accept(level);
        let after = self.level().unwrap_or(before);
        let settled = (before - after >= settings.settle_drop).then_some(FillEvent {
            fact: FillFact::Settled,
            at,
            from: before,
            to: after,
        });
        continues(Continues::Yes, settled)
    }

    fn wait_or(&mut self, step: Pending, fact: FillFact, settings: &Settings) -> Found {
        if settings.confirm_by_next {
            self.pending = Some(step);
            return Found { quality: Quality::Suspicious, event: None, level: Continues::Waits };
        }
        self.begin(&[step.to]);
        continues(Continues::Anew, Some(event(fact, &step)))
    }

    fn decide(&mut self, pending: Pending, at: Timestamp, level: f32, settings: &Settings) -> Found {
        let late = at.since(pending.at) > settings.confirm_within;
        let height = f64::from((pending.to - pending.from).abs());
        let back = f64::from((level - pending.from).abs()) <= settings.spike_back;
        let gone = f64::from(level) > f64::from(pending.from) - settings.still_there;
        if back && !late && height > settings.spike_step {
            self.accept(level);
            return continues(Continues::Yes, Some(event(FillFact::Spike, &pending)));
        }
        if pending.to > pending.from {
            let stays = level - pending.from > (pending.to - pending.from) / 2.0;
            let sudden = height > settings.sudden_rise && stays;
            self.accept(pending.to);
            self.accept(level);
            return continues(Continues::Yes, sudden.then(|| event(FillFact::SuddenFull, &pending)));
        }
        if gone && !late {
            self.accept(level);
            return Found { quality: Quality::Suspicious, event: None, level: Continues::Yes };
        }
        let fact = if emptied(&pending, settings) { FillFact::Emptied } else { FillFact::PartlyFallen };
        self.begin(&[pending.to, level]);
        continues(Continues::Anew, Some(event(fact, &pending)))
    }

    fn check_done(&mut self, at: Timestamp, level: f32, settings: &Settings) -> Option<FillEvent> {
        let done = self.done.as_mut().filter(|done| at > done.at)?;
        done.seen += 1;
        done.above += u8::from(f64::from(level) > f64::from(done.level) - settings.still_there);
        let judged = *done;
        if judged.seen >= 2 && self.pending.is_none() {
            self.done = None;
        }
        let missed = FillEvent {
            fact: FillFact::DoneNotEmptied,
            at: judged.at,
            from: f64::from(judged.level),
            to: f64::from(level),
        };
        (judged.seen >= 2 && judged.above >= 2).then_some(missed)
    }

    fn accept(&mut self, level: f32) {
        self.levels = [self.levels[1], self.levels[2], level];
        self.held = (self.held + 1).min(3);
    }

    fn begin(&mut self, levels: &[f32]) {
        self.held = 0;
        for level in levels {
            self.accept(*level);
        }
    }
}

/// Numbers that no longer move, and numbers that cannot be; 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Steady {
    pub values: [f32; 8],
    pub held: u8,
    pub near: u8,
    /// What was found and has not ended: the container is emptied by the calendar meanwhile.
    pub blocked: bool,
}

impl Steady {
    /// `distance_mm` as measured; `neighbours_rise`: containers of the same type nearby filled while it did not.
    /// Tells what began with this observation.
    pub fn observe(
        &mut self,
        (distance_mm, blind_mm): (f64, f64),
        neighbours_rise: bool,
        settings: &Settings,
    ) -> Option<FillFact> {
        self.values.rotate_left(1);
        self.values[7] = distance_mm as f32;
        self.held = (self.held + 1).min(8);
        self.near = if distance_mm < blind_mm { self.near.saturating_add(1) } else { 0 };
        let fact = if self.near >= 3 {
            Some(FillFact::TooNear)
        } else if self.held == 8 && self.variance() < settings.stuck_variance && (neighbours_rise || self.blocked) {
            Some(FillFact::Stuck)
        } else {
            None
        };
        let began = fact.filter(|_| !self.blocked);
        self.blocked = fact.is_some();
        began
    }

    fn variance(&self) -> f64 {
        let mean = self.values.iter().map(|value| f64::from(*value)).sum::<f64>() / 8.0;
        self.values.iter().map(|value| (f64::from(*value) - mean) * (f64::from(*value) - mean)).sum::<f64>() / 8.0
    }
}

fn emptied(step: &Pending, settings: &Settings) -> bool {
    f64::from(step.from - step.to) >= settings.emptied_drop && f64::from(step.to) <= settings.emptied_post
}

fn continues(level: Continues, event: Option<FillEvent>) -> Found {
    Found { quality: Quality::Accepted, event, level }
}

fn event(fact: FillFact, step: &Pending) -> FillEvent {
    FillEvent { fact, at: step.at, from: f64::from(step.from), to: f64::from(step.to) }
}

impl FillEvent {
    /// One plain sentence, without the moment: that is the event's own.
    #[must_use]
    pub const fn english(self) -> Sentence {
        Sentence { event: self, danish: false }
    }

    #[must_use]
    pub const fn danish(self) -> Sentence {
        Sentence { event: self, danish: true }
    }
}

/// A [`FillEvent`] in words.
#[derive(Clone, Copy, Debug)]
pub struct Sentence {
    event: FillEvent,
    danish: bool,
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (Quartile::of(self.event.from), Quartile::of(self.event.to));
        if self.danish {
            let (from, to) = (from.danish(), to.danish());
            return match self.event.fact {
                FillFact::Emptied => write!(f, "Tømt: faldt fra {from} til {to}."),
                FillFact::EmptiedUnasked => write!(f, "Tømt uden opgave: faldt fra {from} til {to}."),
                FillFact::DoneNotEmptied => write!(f, "Meldt tømt, men sensoren viser stadig {to}."),
                FillFact::Spike => write!(f, "Enkelt udsving fra {from} til {to} og tilbage; tæller ikke med."),
                FillFact::Settled => write!(f, "Indholdet har sat sig: fra {from} til {to}."),
                FillFact::PartlyFallen => write!(f, "Faldt fra {from} til {to} uden at blive tom."),
                FillFact::SuddenFull => write!(f, "Steg på én gang fra {from} til {to}: måske noget i vejen."),
                FillFact::Stuck => write!(f, "Samme måling otte gange, mens naboerne fyldes: {to}."),
                FillFact::TooNear => write!(f, "Noget er tættere på, end sensoren kan måle, tre gange i træk."),
            };
        }
        let (from, to) = (from.english(), to.english());
        match self.event.fact {
            FillFact::Emptied => write!(f, "Emptied: fell from {from} to {to}."),
            FillFact::EmptiedUnasked => write!(f, "Emptied without a task: fell from {from} to {to}."),
            FillFact::DoneNotEmptied => write!(f, "Reported emptied, but the sensor still shows {to}."),
            FillFact::Spike => write!(f, "A single jump from {from} to {to} and back; it does not count."),
            FillFact::Settled => write!(f, "The content has settled: from {from} to {to}."),
            FillFact::PartlyFallen => write!(f, "Fell from {from} to {to} without becoming empty."),
            FillFact::SuddenFull => write!(f, "Rose at once from {from} to {to}: perhaps something is in the way."),
            FillFact::Stuck => write!(f, "The same value eight times while neighbours fill: {to}."),
            FillFact::TooNear => write!(f, "Something is nearer than the sensor can see, three times in a row."),
        }
    }
}

/// How long a container has not been emptied; none before the first emptying that was seen.
impl Cycle {
    #[must_use]
    pub fn age(&self, at: Timestamp) -> Option<Span> {
        self.emptied_at.map(|emptied_at| at.since(emptied_at))
    }
}
