//! What is promised of every estimator: bounds, direction, sizes, and that a state put back goes on the same way.

mod exposure;
mod fill;
mod occupancy;
mod silence;
mod zones;

use super::exposure::Zone;
use super::fill::cycle::{Cycle, Steady};
use super::fill::demand::Demand;
use super::fill::deposits::Outcomes;
use super::fill::{Cluster, Fill};
use super::occupancy::Occupancy;
use super::relief::{Check, Reference};
use super::silence::Cadence;
use crate::domain::time::{Span, Timestamp};
use std::mem::size_of;

const fn hours(hours: i64) -> Timestamp {
    Timestamp::from_micros(Span::from_hours(hours).as_micros())
}

const fn minutes(minutes: i64) -> Timestamp {
    Timestamp::from_micros(Span::from_mins(minutes).as_micros())
}

const fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(Span::from_secs(seconds).as_micros())
}

/// The sizes that stand beside the types. A million bins and ten thousand beds of ten zones live by them.
#[test]
fn states_are_as_small_as_they_say() {
    let stated = [
        ("Fill", size_of::<Fill>(), 384),
        ("Cycle", size_of::<Cycle>(), 112),
        ("Steady", size_of::<Steady>(), 40),
        ("Demand", size_of::<Demand>(), 120),
        ("Cluster", size_of::<Cluster>(), 128),
        ("Outcomes", size_of::<Outcomes>(), 136),
        ("Zone", size_of::<Zone>(), 136),
        ("Reference", size_of::<Reference>(), 240),
        ("Check", size_of::<Check>(), 48),
        ("Occupancy", size_of::<Occupancy>(), 112),
        ("Cadence", size_of::<Cadence>(), 24),
    ];
    for (name, found, most) in stated {
        assert!(found <= most, "{name} has {found} bytes, says at most {most}");
    }
}
