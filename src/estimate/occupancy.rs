//! Whether somebody is in the bed, from a device that only knows its own numbers (DOMAIN §2.8, §7.1).
//!
//! An under-mattress mat changes by less than one percent when a person lies down. So each device learns its own level
//! of an empty bed, its noise, and how much a person adds; both levels follow slow drift together. Between leaving and
//! lying the threshold has a gap, and a change must last before it is told, so that turning over is no exit. An exit is
//! a presence event and never a promise about falls.

use crate::domain::time::{Span, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// A person raises the device's number; false: lowers it.
    pub rises: bool,
    /// The least a person changes, as a share of the empty bed's number.
    pub change_min: f64,
    /// … and as a multiple of the noise's standard deviation.
    pub noise_multiple: f64,
    /// Share of a person's change above which somebody lies there, and below which the bed is empty.
    pub enter_at: f64,
    pub leave_at: f64,
    /// How long either must last until it is told.
    pub on_delay: Span,
    pub off_delay: Span,
    /// Weight of one value in the drift: one over the number of values that it takes.
    pub drift: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rises: true,
            change_min: 0.001,
            noise_multiple: 6.0,
            enter_at: 0.6,
            leave_at: 0.3,
            on_delay: Span::from_secs(5),
            off_delay: Span::from_secs(15),
            drift: 0.0005,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// The device has not yet told an empty bed from an occupied one.
    Unknown,
    Empty,
    Occupied,
}

/// State of one device; at most 112 bytes, no heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occupancy {
    pub presence: Presence,
    /// Number of an empty bed; before anything was told apart, of the present state whatever it is.
    pub empty: f64,
    /// What a person adds; 0 until it was seen.
    pub gap: f64,
    /// Mean square of the difference between neighbouring values, which is twice the noise's variance.
    pub jitter: f64,
    pub last: f64,
    pub values: u16,
    /// Since when the numbers have said otherwise than `presence`, and their mean and number since then.
    pub otherwise_since: Option<Timestamp>,
    pub otherwise: f64,
    pub otherwise_values: u32,
    pub observed_at: Option<Timestamp>,
}

/// Values from which the noise is known.
const NOISE_VALUES: u16 = 20;

impl Default for Occupancy {
    fn default() -> Self {
        Self {
            presence: Presence::Unknown,
            empty: 0.0,
            gap: 0.0,
            jitter: 0.0,
            last: 0.0,
            values: 0,
            otherwise_since: None,
            otherwise: 0.0,
            otherwise_values: 0,
            observed_at: None,
        }
    }
}

impl Occupancy {
    /// Whoever mounts the device says that the bed is empty: then the first person is noticed as one.
    pub fn mounted_empty(&mut self, settings: &Settings, number: f64) {
        let number = if settings.rises { number } else { -number };
        *self = Self { presence: Presence::Empty, empty: number, last: number, ..Self::default() };
    }

    /// Gives the presence when it changes. The moment of the change is [`Occupancy::otherwise_since`] before the call;
    /// values that are not newer than the latest change nothing.
    pub fn observe(&mut self, settings: &Settings, at: Timestamp, number: f64) -> Option<(Presence, Timestamp)> {
        if !number.is_finite() || self.observed_at.is_some_and(|observed_at| at <= observed_at) {
            return None;
        }
        self.observed_at = Some(at);
        let number = if settings.rises { number } else { -number };
        self.learn_noise(number);
        if self.values < NOISE_VALUES && self.presence == Presence::Unknown {
            self.empty += (number - self.empty) / f64::from(self.values);
            return None;
        }
        let Some(side) = self.side(settings, number) else {
            self.otherwise_since = None;
            self.follow(settings, number);
            return None;
        };
        let since = *self.otherwise_since.get_or_insert(at);
        if since == at {
            (self.otherwise, self.otherwise_values) = (0.0, 0);
        }
        self.otherwise_values = self.otherwise_values.saturating_add(1);
        self.otherwise += (number - self.otherwise) / f64::from(self.otherwise_values);
        let delay = if side == Presence::Occupied { settings.on_delay } else { settings.off_delay };
        // One value is no change, however long nothing else came.
        if at.since(since) < delay || self.otherwise_values < 2 {
            return None;
        }
        self.change_to(side);
        Some((side, since))
    }

    /// What a person changes at this device, as a share of the empty bed's number; none until it was seen.
    #[must_use]
    pub fn change(&self) -> Option<f64> {
        (self.gap > 0.0 && self.empty.abs() > 0.0).then(|| self.gap / self.empty.abs())
    }

    /// Standard deviation of the device's number around a steady state.
    #[must_use]
    pub fn noise(&self) -> f64 {
        (self.jitter / 2.0).sqrt()
    }

    fn learn_noise(&mut self, number: f64) {
        if self.values > 0 {
            let difference = number - self.last;
            let square = difference * difference;
            // A movement is no noise: it counts as at most three deviations once the noise is known.
            let bounded = if self.values < NOISE_VALUES { square } else { square.min(9.0 * self.jitter.max(1e-12)) };
            let weight = (1.0 / f64::from(self.values)).max(0.01);
            self.jitter += weight * (bounded - self.jitter);
        }
        self.last = number;
        self.values = self.values.saturating_add(1);
    }

    /// What the number says if it says otherwise than the present state.
    fn side(&self, settings: &Settings, number: f64) -> Option<Presence> {
        let least = (settings.change_min * self.empty.abs()).max(settings.noise_multiple * self.noise());
        let above = number - self.empty;
        let gap = if self.gap > 0.0 { self.gap } else { least / settings.enter_at };
        match self.presence {
            Presence::Unknown if above >= least => Some(Presence::Occupied),
            Presence::Unknown if above <= -least => Some(Presence::Empty),
            Presence::Empty if above >= (settings.enter_at * gap).max(least) => Some(Presence::Occupied),
            Presence::Occupied if above <= settings.leave_at * gap => Some(Presence::Empty),
            Presence::Unknown | Presence::Empty | Presence::Occupied => None,
        }
    }

    fn change_to(&mut self, side: Presence) {
        match (self.presence, side) {
            // What was taken for the steady state was a person.
            (Presence::Unknown, Presence::Empty) => {
                self.gap = self.empty - self.otherwise;
                self.empty = self.otherwise;
            }
            (_, Presence::Occupied) => {
                let gap = self.otherwise - self.empty;
                self.gap = if self.gap > 0.0 { f64::midpoint(self.gap, gap) } else { gap };
            }
            (Presence::Occupied, Presence::Empty) => self.empty = self.otherwise,
            (_, Presence::Empty | Presence::Unknown) => {}
        }
        self.presence = side;
        self.otherwise_since = None;
    }

    /// Slow drift moves both levels; what moves more than a quarter of a person is a movement.
    fn follow(&mut self, settings: &Settings, number: f64) {
        let expected = if self.presence == Presence::Occupied { self.empty + self.gap } else { self.empty };
        let bound = if self.gap > 0.0 { 0.25 * self.gap } else { f64::INFINITY };
        let off = (number - expected).clamp(-bound, bound);
        // An empty bed is known better than one in which somebody moves.
        let weight = if self.presence == Presence::Occupied { settings.drift } else { settings.drift * 4.0 };
        self.empty += weight * off;
    }
}
