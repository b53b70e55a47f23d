//! One bed and the person in it: postures, moves, getting up, and presses of the help button.
//!
//! Movement follows DOMAIN §2.4 and §6.3. Pressures are typical figures for a simulator and say nothing about
//! any real person. It knows nothing of messages; `formats` turns what the mat felt into bytes.

use super::chance::Chance;
use super::civil::{Civil, Local};
use crate::domain::time::{Span, Timestamp};

const HOUR_MICROS: f64 = 3_600e6;
/// The fastest a person's own moves come by day, evening and night.
const MOVE_FACTOR_MAX: f64 = 1.25;
/// Presses of one help button a day.
const PRESSES_PER_DAY: f64 = 2.0;
/// Mean near 1 over the day; the peak is when staff are busiest.
const PRESS_FACTORS: [f64; 24] = [
    0.5, 0.4, 0.4, 0.4, 0.5, 0.8, 1.3, 1.8, 2.2, 2.2, 1.9, 1.3, 1.1, 1.0, 1.0, 1.0, 1.0, 1.1, 1.1, 1.0, 0.9, 0.8, 0.7,
    0.6,
];
const PRESS_FACTOR_MAX: f64 = 2.2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Posture {
    Back,
    LeftSide,
    RightSide,
    Up,
}

/// The true state of a bed.
#[derive(Clone, Debug)]
pub(crate) struct Bed {
    chance: Chance,
    /// Own changes of position an hour.
    moves_per_hour: f64,
    /// Stays in bed all day.
    bedridden: bool,
    pressure_usual: f64,
    posture: Posture,
    next_move_at: Timestamp,
}

/// What the mat reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BedSeen {
    /// mmHg.
    pub pressure_sacrum: f64,
    pub occupied: bool,
}

impl Bed {
    /// `pressure_usual` is what the mat feels at the sacrum when the person lies on the back, in mmHg.
    pub(crate) fn new(seed: u64, name: &str, pressure_usual: f64, at: Timestamp) -> Self {
        let mut chance = Chance::new(seed, &["bed", name]);
        let mut bed = Self {
            moves_per_hour: chance.gamma(0.60, 1.3).max(0.02),
            bedridden: chance.happens(0.6),
            pressure_usual,
            posture: Posture::Back,
            next_move_at: at,
            chance,
        };
        bed.plan_move();
        bed
    }

    fn plan_move(&mut self) {
        let hours = self.chance.exponential(1.0 / (self.moves_per_hour * MOVE_FACTOR_MAX));
        self.next_move_at = self.next_move_at + Span::from_micros((hours * HOUR_MICROS) as i64 + 1);
    }

    /// Lets the person sleep, move and get up until `until`.
    pub(crate) fn live(&mut self, civil: &Civil, until: Timestamp) {
        while self.next_move_at <= until {
            let local = civil.local(self.next_move_at);
            if self.chance.happens(move_factor(local) / MOVE_FACTOR_MAX) {
                self.lie_otherwise();
            }
            self.plan_move();
        }
        let up = !self.bedridden && !in_bed_hours(civil.local(until));
        if up {
            self.posture = Posture::Up;
        } else if self.posture == Posture::Up {
            self.posture = Posture::Back;
        }
    }

    fn lie_otherwise(&mut self) {
        let to_the_left = self.chance.happens(0.5);
        self.posture = match self.posture {
            Posture::Up => Posture::Up,
            Posture::Back if to_the_left => Posture::LeftSide,
            Posture::Back => Posture::RightSide,
            Posture::LeftSide | Posture::RightSide => Posture::Back,
        };
    }

    pub(crate) fn feel(&mut self) -> BedSeen {
        let pressure = match self.posture {
            Posture::Up => return BedSeen { pressure_sacrum: 0.0, occupied: false },
            Posture::Back => self.pressure_usual,
            Posture::LeftSide | Posture::RightSide => 0.3 * self.pressure_usual,
        };
        BedSeen { pressure_sacrum: self.chance.normal(pressure, 1.0).max(0.5), occupied: true }
    }

    /// A carer turns the person on the side.
    pub(crate) fn relieve(&mut self) {
        if self.posture == Posture::Back {
            self.lie_otherwise();
        }
    }
}

fn move_factor(local: Local) -> f64 {
    match local.hour {
        7..=14 => 1.10,
        15..=22 => MOVE_FACTOR_MAX,
        _ => 0.65,
    }
}

/// Nights, and a rest after lunch.
fn in_bed_hours(local: Local) -> bool {
    let minutes = local.hour * 60 + local.minute;
    !(7 * 60 + 30..21 * 60 + 30).contains(&minutes) || (13 * 60..14 * 60 + 30).contains(&minutes)
}

/// A person's own call for help.
#[derive(Clone, Debug)]
pub(crate) struct HelpButton {
    chance: Chance,
    /// Pressed and nobody has come yet.
    waiting: bool,
}

impl HelpButton {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self { chance: Chance::new(seed, &["button", name]), waiting: false }
    }

    /// When it is pressed next, counted from `from`.
    pub(crate) fn next_press(&mut self, civil: &Civil, from: Timestamp) -> Timestamp {
        let mut at = from;
        loop {
            let days = self.chance.exponential(1.0 / (PRESSES_PER_DAY * PRESS_FACTOR_MAX));
            at = at + Span::from_micros((days * 24.0 * HOUR_MICROS) as i64 + 1);
            let factor = PRESS_FACTORS[civil.local(at).hour];
            if self.chance.happens(factor / PRESS_FACTOR_MAX) {
                return at;
            }
        }
    }

    /// Presses; true when the person will press again if nobody comes.
    pub(crate) fn press(&mut self) -> bool {
        self.waiting = true;
        self.chance.happens(0.6)
    }

    /// How long the person waits before pressing again.
    pub(crate) fn patience(&mut self) -> Span {
        self.chance.span(Span::from_mins(8), Span::from_mins(20))
    }

    pub(crate) const fn waiting(&self) -> bool {
        self.waiting
    }

    /// A carer has come; true when somebody was waiting.
    pub(crate) fn answer(&mut self) -> bool {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_788_753_600_000_000);

    fn a_day_of(seed: u64, name: &str) -> Vec<BedSeen> {
        let civil = Civil::danish();
        let mut bed = Bed::new(seed, name, 42.0, START);
        (1..=720)
            .map(|step| {
                bed.live(&civil, START + Span::from_mins(2 * step));
                bed.feel()
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_day() {
        assert_eq!(a_day_of(42, "bed-01"), a_day_of(42, "bed-01"));
        assert_ne!(a_day_of(42, "bed-01"), a_day_of(42, "bed-02"));
    }

    #[test]
    fn an_empty_bed_feels_no_pressure_and_an_occupied_one_does() {
        let all: Vec<_> = (0..40).flat_map(|bed| a_day_of(1, &format!("bed-{bed:02}"))).collect();
        assert!(all.iter().all(|seen| seen.occupied == (seen.pressure_sacrum > 0.0)));
        let empty = all.iter().filter(|seen| !seen.occupied).count();
        assert!((all.len() / 10..all.len() / 2).contains(&empty), "{empty} of {}", all.len());
    }

    #[test]
    fn a_turned_person_presses_less_on_the_sacrum() {
        let mut bed = Bed::new(1, "bed-01", 42.0, START);
        let before = bed.feel().pressure_sacrum;
        bed.relieve();
        let after = bed.feel().pressure_sacrum;
        assert!(before > 30.0 && after < 25.0, "{before} then {after}");
    }

    #[test]
    fn a_button_is_pressed_about_twice_a_day() {
        let civil = Civil::danish();
        let mut button = HelpButton::new(3, "bed-01");
        let mut at = START;
        for _ in 0..400 {
            at = button.next_press(&civil, at);
        }
        let per_day = 400.0 * 24.0 * HOUR_MICROS / at.since(START).as_micros() as f64;
        assert!((1.6..2.5).contains(&per_day), "{per_day} presses a day");
    }
}
