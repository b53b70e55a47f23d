//! What estimators know, as it stands in a snapshot. Each form has numbered fields and is only ever added to. What is
//! still as it was in the beginning takes one byte: most containers are young, or never stand still.

use crate::domain::ids::PropertyName;
use crate::domain::time::Timestamp;
use crate::engine;
use crate::estimate::exposure::{Tally, Zone};
use crate::estimate::fill::Fill;
use crate::estimate::fill::container::Floor;
use crate::estimate::fill::cycle::{Cycle, Done, Pending, Steady};
use crate::estimate::fill::demand::{Demand, OpenDay};
use crate::estimate::relief::Reference;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
pub struct EstimatorState<'a> {
    #[b(0)]
    property: &'a str,
    #[n(1)]
    known: Known,
}

#[derive(Encode, Decode)]
enum Known {
    #[n(0)]
    Fill(#[n(0)] Container),
    #[n(1)]
    Exposure(#[n(0)] ZoneState),
}

#[derive(Encode, Decode)]
struct Container {
    #[n(0)]
    watched_since: i64,
    #[n(1)]
    found: u8,
    #[n(2)]
    observed_at: Option<i64>,
    #[n(3)]
    cycle: CycleState,
    #[n(4)]
    steady: Option<([f32; 8], u8, u8, bool)>,
    #[n(5)]
    demand: DemandState,
    /// Mounted and learned, in mm; the distances gathered since the emptying, and how many.
    #[n(6)]
    floor: (f64, f64, Option<[f32; 3]>, u8),
    #[n(7)]
    low: f32,
    #[n(8)]
    still_since: Option<u32>,
}

#[derive(Encode, Decode)]
struct CycleState {
    #[n(0)]
    levels: [f32; 3],
    #[n(1)]
    held: u8,
    /// When, from, to.
    #[n(2)]
    pending: Option<(i64, f32, f32)>,
    /// When, level, seen, above.
    #[n(3)]
    done: Option<(i64, f32, u8, u8)>,
    #[n(4)]
    emptied_at: Option<i64>,
}

#[derive(Encode, Decode)]
struct DemandState {
    #[n(0)]
    rate: f64,
    #[n(1)]
    variance: f64,
    #[n(2)]
    weekday_means: Option<[f32; 7]>,
    #[n(3)]
    weekday_days: Option<[u8; 7]>,
    #[n(4)]
    days: u16,
    #[n(5)]
    cycles: u16,
    #[n(6)]
    slowed: Option<(f32, f32)>,
    #[n(7)]
    width: f32,
    #[n(8)]
    last: Option<(i64, f32)>,
    #[n(9)]
    open: Option<OpenDayState>,
}

#[derive(Encode, Decode)]
struct OpenDayState {
    #[n(0)]
    number: i32,
    #[n(1)]
    risen: f32,
    #[n(2)]
    hours: f32,
    #[n(3)]
    free_hours: f32,
    #[n(4)]
    multiplied: f32,
    #[n(5)]
    censored: bool,
}

#[derive(Encode, Decode)]
struct ZoneState {
    #[n(0)]
    counted_to: i64,
    #[n(1)]
    pressure: Option<(i64, f64)>,
    #[n(2)]
    dose: f64,
    #[n(3)]
    relieved_since: Option<i64>,
    #[n(4)]
    turned_at: i64,
    #[n(5)]
    due_since: Option<i64>,
    #[n(6)]
    loaded_since: Option<i64>,
    /// Longest load and time over the limit, in minutes; turns, and those that staff told.
    #[n(7)]
    tally: (f32, f32, u16, u16),
    /// The usual pressure, in mmHg.
    #[n(8)]
    usual: Option<f64>,
    /// While that is learned: how often each class of pressures came, since when, and the latest.
    #[n(9)]
    learning: Option<(Vec<u16>, i64, f64)>,
}

impl<'a> EstimatorState<'a> {
    pub fn new(property: &'a str, estimator: &engine::Estimator) -> Self {
        let known = match estimator {
            engine::Estimator::Fill(container) => Known::Fill((&**container).into()),
            engine::Estimator::Exposure(body) => Known::Exposure((&**body).into()),
        };
        Self { property, known }
    }

    pub fn into_image(self) -> (PropertyName, engine::Estimator) {
        let estimator = match self.known {
            Known::Fill(container) => engine::Estimator::Fill(Box::new(container.into())),
            Known::Exposure(body) => engine::Estimator::Exposure(Box::new(body.into())),
        };
        (self.property.into(), estimator)
    }
}

/// None for what has not changed since the beginning.
fn unless_new<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

fn moment(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

impl From<&engine::Container> for Container {
    fn from(container: &engine::Container) -> Self {
        let engine::Container { fill, watched_since, found, low, still_since } = container;
        let Fill { cycle, steady, demand, floor, observed_at } = fill;
        let Steady { values, held, near, blocked } = *steady;
        let Floor { mounted_mm, learned_mm, after, gathered } = *floor;
        Self {
            watched_since: watched_since.as_micros(),
            found: found.0,
            observed_at: micros(*observed_at),
            cycle: cycle.into(),
            steady: unless_new((values, held, near, blocked)),
            demand: demand.into(),
            floor: (mounted_mm, learned_mm, unless_new(after), gathered),
            low: *low,
            still_since: *still_since,
        }
    }
}

impl From<Container> for engine::Container {
    fn from(wire: Container) -> Self {
        let (values, held, near, blocked) = wire.steady.unwrap_or_default();
        let (mounted_mm, learned_mm, after, gathered) = wire.floor;
        let fill = Fill {
            cycle: wire.cycle.into(),
            steady: Steady { values, held, near, blocked },
            demand: wire.demand.into(),
            floor: Floor { mounted_mm, learned_mm, after: after.unwrap_or_default(), gathered },
            observed_at: moment(wire.observed_at),
        };
        Self {
            fill,
            watched_since: Timestamp::from_micros(wire.watched_since),
            found: engine::Found(wire.found),
            low: wire.low,
            still_since: wire.still_since,
        }
    }
}

impl From<&Cycle> for CycleState {
    fn from(cycle: &Cycle) -> Self {
        let Cycle { levels, held, pending, done, emptied_at } = *cycle;
        Self {
            levels,
            held,
            pending: pending.map(|Pending { at, from, to }| (at.as_micros(), from, to)),
            done: done.map(|Done { at, level, seen, above }| (at.as_micros(), level, seen, above)),
            emptied_at: micros(emptied_at),
        }
    }
}

impl From<CycleState> for Cycle {
    fn from(wire: CycleState) -> Self {
        let at = Timestamp::from_micros;
        Self {
            levels: wire.levels,
            held: wire.held,
            pending: wire.pending.map(|(micros, from, to)| Pending { at: at(micros), from, to }),
            done: wire.done.map(|(micros, level, seen, above)| Done { at: at(micros), level, seen, above }),
            emptied_at: moment(wire.emptied_at),
        }
    }
}

impl From<&Demand> for DemandState {
    fn from(demand: &Demand) -> Self {
        let Demand { rate, variance, weekday_means, weekday_days, days, cycles, slowed, width, last, ref open } =
            *demand;
        let OpenDay { number, risen, hours, free_hours, multiplied, censored } = *open;
        Self {
            rate,
            variance,
            weekday_means: unless_new(weekday_means),
            weekday_days: unless_new(weekday_days),
            days,
            cycles,
            slowed: unless_new(slowed),
            width,
            last: last.map(|(at, level)| (at.as_micros(), level)),
            open: unless_new(*open).map(|_| OpenDayState { number, risen, hours, free_hours, multiplied, censored }),
        }
    }
}

impl From<DemandState> for Demand {
    fn from(wire: DemandState) -> Self {
        let DemandState { rate, variance, weekday_means, weekday_days, days, cycles, slowed, width, last, open } = wire;
        let open = open.map(|open| {
            let OpenDayState { number, risen, hours, free_hours, multiplied, censored } = open;
            OpenDay { number, risen, hours, free_hours, multiplied, censored }
        });
        Self {
            rate,
            variance,
            weekday_means: weekday_means.unwrap_or_default(),
            weekday_days: weekday_days.unwrap_or_default(),
            days,
            cycles,
            slowed: slowed.unwrap_or_default(),
            width,
            last: last.map(|(micros, level)| (Timestamp::from_micros(micros), level)),
            open: open.unwrap_or_default(),
        }
    }
}

impl From<&engine::Body> for ZoneState {
    fn from(body: &engine::Body) -> Self {
        let engine::Body { zone, usual, learning } = body;
        let Zone { counted_to, pressure, dose, relieved_since, turned_at, due_since, loaded_since, tally } = *zone;
        let Tally { longest_load, over_limit, turns, staff_turns } = tally;
        Self {
            counted_to: counted_to.as_micros(),
            pressure: pressure.map(|(at, pressure)| (at.as_micros(), pressure)),
            dose,
            relieved_since: micros(relieved_since),
            turned_at: turned_at.as_micros(),
            due_since: micros(due_since),
            loaded_since: micros(loaded_since),
            tally: (longest_load, over_limit, turns, staff_turns),
            usual: *usual,
            learning: learning
                .as_deref()
                .map(|Reference { counts, started_at, last }| (counts.to_vec(), started_at.as_micros(), *last)),
        }
    }
}

impl From<ZoneState> for engine::Body {
    fn from(wire: ZoneState) -> Self {
        let (longest_load, over_limit, turns, staff_turns) = wire.tally;
        let zone = Zone {
            counted_to: Timestamp::from_micros(wire.counted_to),
            pressure: wire.pressure.map(|(micros, pressure)| (Timestamp::from_micros(micros), pressure)),
            dose: wire.dose,
            relieved_since: moment(wire.relieved_since),
            turned_at: Timestamp::from_micros(wire.turned_at),
            due_since: moment(wire.due_since),
            loaded_since: moment(wire.loaded_since),
            tally: Tally { longest_load, over_limit, turns, staff_turns },
        };
        let learning = wire.learning.map(|(counts, started_at, last)| {
            let mut reference = Reference { last, ..Reference::new(Timestamp::from_micros(started_at)) };
            reference.counts.iter_mut().zip(counts).for_each(|(class, count)| *class = count);
            Box::new(reference)
        });
        Self { zone, usual: wire.usual, learning }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::{Finite, Quality};
    use crate::domain::time::Span;
    use crate::estimate::exposure;
    use crate::estimate::fill::{Around, Prior, Scale, Settings};
    use proptest::prelude::*;

    fn again(estimator: &engine::Estimator) -> engine::Estimator {
        let bytes = minicbor::to_vec(EstimatorState::new("fill", estimator)).unwrap();
        minicbor::decode::<EstimatorState<'_>>(&bytes).unwrap().into_image().1
    }

    proptest! {
        #[test]
        fn what_an_estimator_knows_comes_back_to_the_bit(
            stream in prop::collection::vec((1_i64..3_000, 0.0_f64..1.1, 0_u8..9), 1..60),
            found: u8, low: f32, still_since: Option<u32>, usual: Option<f64>, learns: bool,
        ) {
            let prior = Prior::default();
            let around =
                Around { utc_offset: Span::ZERO, multiplier: 1.0, task_open: true, neighbours_rise: true, prior: &prior };
            let settings = Settings::new(Scale::Share { full: 1.0 });
            let mut at = Timestamp::from_micros(-7);
            let (mut fill, mut zone, mut reference) = (Fill::new(1.0, &prior), Zone::new(at), Reference::new(at));
            for (minutes, number, what) in stream {
                at = at + Span::from_mins(minutes);
                if what == 0 {
                    fill.crew_done(&settings, at);
                }
                let number = if what < 4 { number } else { 0.4 };
                fill.observe(&settings, at, (Finite::new(number).unwrap(), Quality::Accepted), &around);
                zone.observe(&exposure::Settings::default(), at, 90.0 * number);
                reference.observe(at, 90.0 * number);
                let body = engine::Body { zone, usual, learning: learns.then(|| Box::new(reference)) };
                let container = engine::Container { fill, watched_since: at, found: engine::Found(found), low, still_since };
                for estimator in
                    [engine::Estimator::Fill(Box::new(container)), engine::Estimator::Exposure(Box::new(body))]
                {
                    prop_assert_eq!(format!("{:?}", again(&estimator)), format!("{estimator:?}"));
                }
            }
        }
    }
}
