//! One container: what its sensor tells becomes a level, events, and a forecast.
//!
//! [`Fill::observe`] takes observations in the order of their own time; one from before the latest is told apart and
//! changes nothing. [`Fill::crew_done`] takes the crew's word. The rest only reads.

use super::cycle::{Continues, Cycle, FillEvent, FillFact, Found, Steady};
use super::demand::{Day, Demand, Prior};
use super::forecast::{Horizon, Interval, Outlook};
use super::level::{self, Scale};
use super::settings::Settings;
use crate::domain::observation::{Finite, Quality};
use crate::domain::time::{Span, Timestamp};

/// A distance further than the floor by this share is no echo of the floor.
const BEYOND_FLOOR: f64 = 1.2;
/// A learned floor further than this share of the depth from the mounted one is not believed.
const FLOOR_MOVES: f64 = 0.15;
/// In `Floor::gathered`: a distance waits with the fall that waits.
const FLOOR_WAITS: u8 = 4;

/// State of one container; at most 384 bytes, no heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    pub cycle: Cycle,
    pub steady: Steady,
    pub demand: Demand,
    pub floor: Floor,
    pub observed_at: Option<Timestamp>,
}

/// Where the empty container's floor is: mounted, and as learned from the first three distances after an emptying.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    pub mounted_mm: f64,
    pub learned_mm: f64,
    pub after: [f32; 3],
    /// Distances gathered since the emptying; 3 when none are waited for, 4 while a fall waits to be confirmed.
    pub gathered: u8,
}

/// What is known around an observation and is not the container's own.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Local time less UTC, at the observation.
    pub utc_offset: Span,
    /// Of the day, for events and holidays; 1 on others.
    pub multiplier: f64,
    /// Somebody was asked to empty it.
    pub task_open: bool,
    /// Containers of the same type nearby filled since this one's eighth last observation.
    pub neighbours_rise: bool,
    pub prior: &'a Prior,
}

/// What one observation brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    pub quality: Quality,
    pub event: Option<FillEvent>,
    /// A local day that ended and was learned from: for the cluster.
    pub day: Option<Day>,
}

impl Fill {
    /// `empty_mm` is the mounted distance to the floor; any number for devices that tell a share.
    #[must_use]
    pub fn new(empty_mm: f64, prior: &Prior) -> Self {
        Self {
            cycle: Cycle::default(),
            steady: Steady::default(),
            demand: Demand::new(prior),
            floor: Floor { mounted_mm: empty_mm, learned_mm: empty_mm, after: [0.0; 3], gathered: 3 },
            observed_at: None,
        }
    }

    /// `value` in mm or as a share, as the settings' scale says. Values of rejected quality change nothing.
    pub fn observe(
        &mut self,
        settings: &Settings,
        at: Timestamp,
        (value, quality): (Finite, Quality),
        around: &Around<'_>,
    ) -> Outcome {
        let value = value.get();
        let nothing = |quality| Outcome { quality, event: None, day: None };
        if matches!(quality, Quality::RejectedCertain | Quality::RejectedProbable) {
            return nothing(quality);
        }
        if self.observed_at.is_some_and(|observed_at| at <= observed_at) {
            return nothing(quality);
        }
        if let Scale::Distance { .. } = settings.scale
            && (value <= 0.0 || value > self.floor.mounted_mm * BEYOND_FLOOR)
        {
            return nothing(Quality::RejectedProbable);
        }
        self.observed_at = Some(at);
        let level = level::from_value(value, &settings.scale, self.floor.learned_mm);
        let blocked = self.steadiness(value, level, around, settings);
        let found = self.cycle.observe(at, level, around.task_open, settings);
        self.follow_floor(value, found.level == Continues::Waits, found.event.map(|event| event.fact), settings);
        let smooth = self.cycle.level().unwrap_or(level);
        let day = self.follow_demand((at, smooth), &found, settings, around);
        let event = found.event.or(blocked.map(|fact| FillEvent { fact, at, from: smooth, to: level }));
        if found.event.is_some() && blocked.is_some() {
            self.steady.blocked = false; // one event at a time: it is found again with the next observation
        }
        Outcome { quality: quality_of(found.quality, quality), event, day }
    }

    /// The crew says it has emptied the container. Gives the emptying that this confirms.
    pub fn crew_done(&mut self, settings: &Settings, at: Timestamp) -> Option<FillEvent> {
        let event = self.cycle.crew_done(at, settings)?;
        if self.floor.gathered == FLOOR_WAITS {
            self.floor.gathered = 1;
        }
        self.demand.restart(event.at, event.to, true);
        Some(event)
    }

    /// Median of the last three accepted levels, 0 to 1.05; none before the first.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        self.cycle.level()
    }

    /// Stuck or covered: it is emptied by the calendar until this ends.
    #[must_use]
    pub const fn blocked(&self) -> bool {
        self.steady.blocked
    }

    /// Factors of the weekdays from Monday on for a [`Horizon`], to be multiplied with the day's own multiplier.
    #[must_use]
    pub fn weekdays(&self, settings: &Settings, prior: &Prior) -> [f64; 7] {
        self.demand.weekdays(settings, prior)
    }

    /// Level, rate and variance of this moment; none before the first level.
    #[must_use]
    pub fn outlook(&self, settings: &Settings, prior: &Prior) -> Option<Outlook> {
        Some(Outlook {
            level: self.level()?,
            rate: self.demand.rate(prior),
            variance: self.demand.variance(prior),
            sensor_deviation: settings.sensor_deviation,
            slowing: self.demand.slowing(),
        })
    }

    /// Probability that it is full at the end of the horizon, 0 to 1; none before the first level.
    #[must_use]
    pub fn p_overflow(&self, horizon: Horizon, settings: &Settings, prior: &Prior) -> Option<f64> {
        self.outlook(settings, prior).map(|outlook| outlook.p_overflow(horizon))
    }

    /// Days to full with an 80 % interval. `multiplier` tells that of the day which begins n days from this moment,
    /// `weekday` is the present one. None when it lies further away than can be told.
    #[must_use]
    pub fn time_to_full(
        &self,
        weekday: u8,
        multiplier: impl Fn(u16) -> f64,
        settings: &Settings,
        prior: &Prior,
    ) -> Option<Interval> {
        self.outlook(settings, prior)?.time_to_full(self.coming_days(weekday, multiplier, settings, prior))
    }

    /// The median of [`Fill::time_to_full`] alone, in days.
    #[must_use]
    pub fn median_to_full(
        &self,
        weekday: u8,
        multiplier: impl Fn(u16) -> f64,
        settings: &Settings,
        prior: &Prior,
    ) -> Option<f64> {
        self.outlook(settings, prior)?.median_to_full(self.coming_days(weekday, multiplier, settings, prior))
    }

    fn coming_days(
        &self,
        weekday: u8,
        multiplier: impl Fn(u16) -> f64,
        settings: &Settings,
        prior: &Prior,
    ) -> impl Fn(u16) -> f64 {
        let factors = self.weekdays(settings, prior);
        move |n| factors[(usize::from(weekday) + usize::from(n)) % 7] * multiplier(n)
    }

    /// An emptying is no rise: what follows is counted from the first level after it.
    fn follow_demand(
        &mut self,
        (at, level): (Timestamp, f64),
        found: &Found,
        settings: &Settings,
        around: &Around<'_>,
    ) -> Option<Day> {
        if found.level == Continues::Waits {
            return None;
        }
        if found.level == Continues::Anew {
            let (from_at, from) = found.event.map_or((at, level), |event| (event.at, event.to));
            self.demand.restart(from_at, from, found.event.is_some_and(|event| event.fact.emptied()));
            if from_at == at {
                return None;
            }
        }
        self.demand.observe((at, level), (around.utc_offset, around.multiplier), settings, around.prior)
    }

    /// A share is taken for that of a container one metre deep. At its lid it has no reason to move.
    fn steadiness(&mut self, value: f64, level: f64, around: &Around<'_>, settings: &Settings) -> Option<FillFact> {
        match settings.scale {
            Scale::Distance { blind_mm, .. } => {
                self.steady.observe((value, blind_mm), around.neighbours_rise, settings)
            }
            Scale::Share { .. } => {
                let rise = around.neighbours_rise && level < settings.censored_from;
                self.steady.observe((1_000.0 * level, f64::NEG_INFINITY), rise, settings)
            }
        }
    }

    /// The median of the first three distances from a confirmed emptying on is where the floor is (DOMAIN §1.2).
    fn follow_floor(&mut self, value: f64, waits: bool, fact: Option<FillFact>, settings: &Settings) {
        let Scale::Distance { full_mm, .. } = settings.scale else { return };
        let floor = &mut self.floor;
        if fact.is_some_and(FillFact::emptied) {
            // The one that waited and the one that confirmed are the first two.
            floor.after =
                if floor.gathered == FLOOR_WAITS { [floor.after[0], value as f32, 0.0] } else { [value as f32; 3] };
            floor.gathered = if floor.gathered == FLOOR_WAITS { 2 } else { 1 };
        } else if waits {
            floor.after[0] = value as f32;
            floor.gathered = FLOOR_WAITS;
        } else if floor.gathered < 3 {
            floor.after[usize::from(floor.gathered)] = value as f32;
            floor.gathered += 1;
            let [a, b, c] = floor.after;
            let median = f64::from(level::median_of_3(a, b, c));
            let near = (median - floor.mounted_mm).abs() <= FLOOR_MOVES * (floor.mounted_mm - full_mm);
            if floor.gathered == 3 && near {
                floor.learned_mm = median;
            }
        } else {
            floor.gathered = 3;
        }
    }
}

impl FillFact {
    #[must_use]
    pub const fn emptied(self) -> bool {
        matches!(self, Self::Emptied | Self::EmptiedUnasked)
    }
}

/// The worse of what the device and what the estimate says.
fn quality_of(found: Quality, given: Quality) -> Quality {
    if given == Quality::Unchecked { found } else { found.min(given) }
}
