//! How long one zone of a body has borne load, in equivalent minutes (DOMAIN §2.5).
//!
//! At the person's own usual pressure an equivalent minute is a minute. Relief lets the dose fade. A gap is first
//! bridged, then counted by the clock. The model is physiology-shaped, not validated, and not for clinical use outside
//! a medical device's file. A person is measured: nothing is told about what lies more than 30 minutes ahead.

use crate::domain::time::{Span, Timestamp};

/// Nothing further ahead than this is told about a person.
pub const LOOK_AHEAD: Span = Span::from_mins(30);
/// The last pressure is believed for this long without another.
const HOLD: Span = Span::from_mins(5);
/// After this long without a pressure only the clock counts.
const UNKNOWN: Span = Span::from_mins(30);
/// Relief for this long is a turn, whoever did it.
pub const TURN: Span = Span::from_mins(15);
const ESCALATE: [Span; 2] = [Span::from_mins(15), Span::from_mins(30)];
const MINUTE: f64 = 60_000_000.0;

/// What a professional set for one zone of one person, with the start values of DOMAIN §7.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The person's own median pressure at this zone in the first calm day, mmHg; none yet: each loaded minute counts 1.
    pub reference: Option<f64>,
    /// Equivalent minutes, set by a professional: 120, 180 or 240.
    pub limit: f64,
    /// Minutes by the clock since the last verified turn, whatever the sensor says: 240 high risk, 360 at risk.
    pub cap: f64,
    /// Minutes in which relief lets a dose fall to 37 %: 5, or 15 for slow recovery.
    pub tau: f64,
    /// Exponent of the load's weight, 0.5 to 1.5.
    pub exponent: f64,
    /// Relief shorter than this does not count.
    pub relief_min: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reference: None, limit: 120.0, cap: 240.0, tau: 5.0, exponent: 1.0, relief_min: Span::from_mins(2) }
    }
}

impl Settings {
    /// Below this pressure the zone is relieved, mmHg.
    #[must_use]
    pub fn off(&self) -> f64 {
        self.reference.map_or(10.0, |reference| (0.35 * reference).max(10.0))
    }

    /// Equivalent minutes per minute at a pressure: 0 when relieved, else 0.5 to 2.5.
    #[must_use]
    pub fn weight(&self, pressure: f64) -> f64 {
        if pressure <= self.off() {
            return 0.0;
        }
        let Some(reference) = self.reference.filter(|reference| *reference > 0.0) else { return 1.0 };
        libm::pow(pressure / reference, self.exponent).clamp(0.5, 2.5)
    }
}

/// How the dose of this moment is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    Measured,
    /// No pressure for 5 to 30 minutes: counted on as at the reference pressure.
    Assumed,
    /// No pressure for longer: minutes by the clock since the last verified turn. A technical alarm belongs to it.
    Clock,
}

/// How urgent it is. Rises only while the load lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Fine,
    /// The limit is at most 30 minutes away: bundle with another visit.
    Notice,
    Due,
    /// Due for 15 minutes.
    Escalate,
    /// Due for 30 minutes.
    EscalateAgain,
}

/// What is known of a zone at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Equivalent minutes.
    pub dose: f64,
    pub certainty: Certainty,
    pub stage: Stage,
    /// Time until the limit if the load stays as it is; zero when it is reached; none when more than 30 minutes.
    pub to_limit: Option<Span>,
}

/// How a dose goes on from one moment while nothing is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Equivalent minutes for each minute; 0 while the zone is relieved.
    pub weight: f64,
    /// Relief lets the dose fade: the minutes in which it falls to 37 %.
    pub fades_in: Option<f64>,
    /// Up to this moment; none when it goes on so for ever.
    pub until: Option<Timestamp>,
}

/// State of one zone; at most 136 bytes, no heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zone {
    /// Everything up to here is counted.
    pub counted_to: Timestamp,
    /// The latest pressure, mmHg, and when it was measured; none before the first.
    pub pressure: Option<(Timestamp, f64)>,
    /// Equivalent minutes at `counted_to`.
    pub dose: f64,
    /// Since when it has been relieved without a break.
    pub relieved_since: Option<Timestamp>,
    /// A turn that was verified by relief or told by staff; at first the start of watching.
    pub turned_at: Timestamp,
    /// Since when the limit has been reached.
    pub due_since: Option<Timestamp>,
    pub loaded_since: Option<Timestamp>,
    pub tally: Tally,
}

/// What is kept of a day (DOMAIN §2.5); whoever stores it takes it with [`Zone::take_tally`]. Minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub longest_load: f32,
    pub over_limit: f32,
    pub turns: u16,
    pub staff_turns: u16,
}

impl Zone {
    #[must_use]
    pub const fn new(started_at: Timestamp) -> Self {
        Self {
            counted_to: started_at,
            pressure: None,
            dose: 0.0,
            relieved_since: None,
            turned_at: started_at,
            due_since: None,
            loaded_since: None,
            tally: Tally { longest_load: 0.0, over_limit: 0.0, turns: 0, staff_turns: 0 },
        }
    }

    /// A pressure in mmHg. One from before what is counted already changes nothing.
    pub fn observe(&mut self, settings: &Settings, at: Timestamp, pressure: f64) {
        if at < self.counted_to || !pressure.is_finite() {
            return;
        }
        self.advance(settings, at);
        let pressure = pressure.max(0.0);
        if pressure > settings.off() {
            self.relieved_since = None;
            self.loaded_since = self.loaded_since.or(Some(at));
        } else {
            self.relieved_since = self.relieved_since.or(Some(at));
            self.loaded_since = None;
        }
        self.pressure = Some((at, pressure));
        self.mark_due(settings, at);
    }

    /// Counts time up to `at` by what is known; calling it often or seldom gives the same dose, to rounding.
    pub fn advance(&mut self, settings: &Settings, at: Timestamp) {
        while self.counted_to < at {
            let (weight, until) = self.stretch(settings);
            let end = until.map_or(at, |until| until.min(at));
            self.count(settings, weight, end);
            self.mark_due(settings, end);
        }
    }

    /// Staff says this person was turned. The dose stays: only relief that is measured lets it fall; without
    /// measurement the clock begins again.
    pub fn staff_turned(&mut self, settings: &Settings, at: Timestamp) {
        self.advance(settings, at);
        let at = at.max(self.turned_at);
        if self.certainty(at) == Certainty::Clock {
            self.dose = 0.0;
            self.due_since = None;
        }
        self.turned_at = at;
        self.tally.staff_turns = self.tally.staff_turns.saturating_add(1);
        self.mark_due(settings, self.counted_to);
    }

    /// What is known at `at`, if nothing is measured until then. `self` stays.
    #[must_use]
    pub fn at(&self, settings: &Settings, at: Timestamp) -> Exposure {
        let mut then = *self;
        then.advance(settings, at);
        let to_limit = Some(then.left(settings)).filter(|span| *span <= LOOK_AHEAD);
        let due_for = then.due_since.map(|since| then.counted_to.since(since));
        let stage = match (due_for, to_limit) {
            (Some(span), _) if span >= ESCALATE[1] => Stage::EscalateAgain,
            (Some(span), _) if span >= ESCALATE[0] => Stage::Escalate,
            (Some(_), _) => Stage::Due,
            (None, Some(_)) => Stage::Notice,
            (None, None) => Stage::Fine,
        };
        Exposure { dose: then.dose, certainty: then.certainty(then.counted_to), stage, to_limit }
    }

    /// When the stage next rises if nothing is measured until then, for a timer that asks again.
    #[must_use]
    pub fn next_stage(&self, settings: &Settings) -> Option<Timestamp> {
        if let Some(since) = self.due_since {
            return ESCALATE.iter().map(|span| since + *span).find(|at| *at > self.counted_to);
        }
        let left = self.left(settings);
        let notice = left.as_micros() - LOOK_AHEAD.as_micros();
        Some(self.counted_to + Span::from_micros(if notice > 0 { notice } else { left.as_micros() }))
    }

    /// How the dose goes on from `at` if nothing is measured until then.
    #[must_use]
    pub fn course(&self, settings: &Settings, at: Timestamp) -> Course {
        let mut then = *self;
        then.advance(settings, at);
        let (weight, until) = then.stretch(settings);
        let until = until.or_else(|| {
            // Just behind the gap the clock begins to count, which may be more than the dose.
            let clock_from = then.pressure?.0 + UNKNOWN + Span::from_micros(1);
            (then.counted_to < clock_from).then_some(clock_from)
        });
        let Some(since) = then.relieved_since.filter(|_| weight.is_none()) else {
            return Course { weight: weight.unwrap_or(1.0), fades_in: None, until };
        };
        let counts = then.counted_to.since(since) >= settings.relief_min;
        Course { weight: 0.0, fades_in: counts.then(|| settings.tau.max(0.1)), until }
    }

    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn certainty(&self, at: Timestamp) -> Certainty {
        match self.pressure.map(|(measured_at, _)| at.since(measured_at)) {
            Some(gap) if gap <= HOLD => Certainty::Measured,
            Some(gap) if gap <= UNKNOWN => Certainty::Assumed,
            _ => Certainty::Clock,
        }
    }

    /// How minutes count from `counted_to` on, and until when: a weight, or none for relief.
    fn stretch(&self, settings: &Settings) -> (Option<f64>, Option<Timestamp>) {
        let Some((measured_at, pressure)) = self.pressure else { return (Some(1.0), None) };
        let (held_to, assumed_to) = (measured_at + HOLD, measured_at + UNKNOWN);
        if self.counted_to < held_to {
            let weight = settings.weight(pressure);
            // Relief begins to count, and is a turn, at moments of its own.
            let marks = self.relieved_since.map(|since| [since + settings.relief_min, since + TURN]);
            let mark = marks.and_then(|marks| marks.into_iter().filter(|mark| *mark > self.counted_to).min());
            ((weight > 0.0).then_some(weight), Some(mark.map_or(held_to, |mark| mark.min(held_to))))
        } else if self.counted_to < assumed_to {
            (Some(1.0), Some(assumed_to))
        } else {
            (Some(1.0), None)
        }
    }

    fn count(&mut self, settings: &Settings, weight: Option<f64>, end: Timestamp) {
        let minutes = minutes(end.since(self.counted_to));
        let over = self.due_since.is_some();
        match (weight, self.relieved_since) {
            (None, Some(since)) => self.relieve(settings, since, end),
            (weight, _) => {
                // Once assumed, an old relief is no relief any more.
                self.relieved_since = None;
                self.loaded_since = self.loaded_since.or(Some(self.counted_to));
                self.dose += weight.unwrap_or(1.0) * minutes;
            }
        }
        self.counted_to = end;
        if let Some(since) = self.loaded_since {
            self.tally.longest_load = self.tally.longest_load.max(self::minutes(end.since(since)) as f32);
        }
        if over {
            self.tally.over_limit += minutes as f32;
        }
        if self.certainty(end) == Certainty::Clock {
            // A gap never lowers what was counted before it.
            self.dose = self.dose.max(self::minutes(end.since(self.turned_at)));
        }
    }

    /// Relief counts from its beginning once it has lasted long enough.
    fn relieve(&mut self, settings: &Settings, since: Timestamp, end: Timestamp) {
        let lasted = end.since(since);
        if lasted >= settings.relief_min {
            let counted_already = self.counted_to.since(since) >= settings.relief_min;
            let from = if counted_already { self.counted_to } else { since };
            self.dose *= libm::exp(-minutes(end.since(from)) / settings.tau.max(0.1));
        }
        if lasted >= TURN {
            if self.counted_to.since(since) < TURN {
                self.tally.turns = self.tally.turns.saturating_add(1);
            }
            self.turned_at = end;
        }
    }

    /// By the dose or by the clock. Ends when the dose is below the limit again and the clock has been turned back.
    fn mark_due(&mut self, settings: &Settings, at: Timestamp) {
        let reached = self.dose >= settings.limit.min(settings.cap) - 1e-9
            || minutes(at.since(self.turned_at)) >= settings.cap - 1e-9;
        self.due_since = if reached { self.due_since.or(Some(at)) } else { None };
    }

    /// Time to the limit or the cap at the present load; none is left when it is reached.
    fn left(&self, settings: &Settings) -> Span {
        if self.due_since.is_some() {
            return Span::ZERO;
        }
        let (weight, _) = self.stretch(settings);
        let by_clock = settings.cap - minutes(self.counted_to.since(self.turned_at));
        let by_dose = weight.map(|weight| (settings.limit.min(settings.cap) - self.dose) / weight);
        // Relieved for less than a turn: the clock goes on.
        let left = by_dose.map_or(by_clock, |by_dose| by_dose.min(by_clock));
        Span::from_micros(libm::ceil(left.max(0.0) * MINUTE) as i64)
    }
}

fn minutes(span: Span) -> f64 {
    span.as_micros() as f64 / MINUTE
}
