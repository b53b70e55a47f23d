//! The estimators of an asset: kept because a rule asks them something, fed by each message.
//!
//! They are state like the newest values, by property: they go into images and through a change of the rules, and are
//! fed again when recorded history is applied. What they answer is in `answers`.

use super::inventory::AssetState;
use crate::domain::asset::Asset;
use crate::domain::calendar::Calendars;
use crate::domain::ids::{AreaId, AssetKind, PropertyName};
use crate::domain::observation::{Finite, Quality, Value};
use crate::domain::time::{Span, Timestamp};
use crate::estimate::exposure::{self, Zone};
use crate::estimate::fill::{self, Around, Fill, FillFact, Prior, Scale};
use crate::estimate::relief::Reference;
use crate::rules::{Followed, ForKind, Happening, Quantity, RuleSet};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Whatever an attribute says, a zone is due after this many minutes by the clock (DOMAIN §2.5).
const CAP_MAX: f64 = 360.0;
const FIRST_DAY: Span = Span::from_hours(24);
/// A rise of a neighbour that counts, and how many must have been while a container says the same.
const RISE: f32 = 0.1;
const RISES: u32 = 3;
/// Beyond so many areas nobody's neighbours are known.
const NEIGHBOURHOODS_MAX: usize = 10_000;

/// What one estimator knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Estimator {
    Fill(Box<Container>),
    Exposure(Box<Body>),
}

/// A container whose fill is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Container {
    pub fill: Fill,
    /// Since when it is followed.
    pub watched_since: Timestamp,
    /// What the message found that brought the newest level, or the crew's word after it.
    pub found: Found,
    /// The lowest level since its last rise that was counted.
    pub low: f32,
    /// How many rises its neighbourhood had counted when its level last moved; none before it is known.
    pub still_since: Option<u32>,
}

/// A zone of a body whose exposure is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    pub zone: Zone,
    /// The person's own usual pressure there, learned from the first day, mmHg.
    pub usual: Option<f64>,
    /// While it is learned, which it is where no attribute tells it.
    pub learning: Option<Box<Reference>>,
}

/// A set of happenings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found(pub u8);

impl Estimator {
    /// Whether it is one for this quantity.
    pub(super) const fn fits(&self, quantity: Quantity) -> bool {
        matches!((self, quantity), (Self::Fill(_), Quantity::Fill { .. }) | (Self::Exposure(_), Quantity::Exposure))
    }
}

impl Found {
    #[must_use]
    pub const fn has(self, happening: Happening) -> bool {
        self.0 & bit(happening) != 0
    }

    pub(super) fn add(&mut self, fact: FillFact) {
        let happening = match fact {
            FillFact::Emptied | FillFact::EmptiedUnasked => Happening::Emptied,
            FillFact::PartlyFallen => Happening::PartlyEmptied,
            FillFact::DoneNotEmptied => Happening::DoneNotEmptied,
            FillFact::Settled => Happening::Settled,
            FillFact::Spike => Happening::Spike,
            FillFact::SuddenFull => Happening::SuddenFull,
            // These last, and are asked of the sensor's steadiness.
            FillFact::Stuck | FillFact::TooNear => return,
        };
        self.0 |= bit(happening);
    }
}

/// In images: never given to another happening.
const fn bit(happening: Happening) -> u8 {
    match happening {
        Happening::Emptied => 1,
        Happening::PartlyEmptied => 2,
        Happening::DoneNotEmptied => 4,
        Happening::Settled => 8,
        Happening::Spike => 16,
        Happening::SuddenFull => 32,
    }
}

/// How often containers of one kind and area have risen by a tenth. One that says the same while others rise is stuck.
pub(super) type Neighbourhoods = BTreeMap<(AssetKind, Option<AreaId>), u32>;

/// What a message means to the estimators of its asset, besides its values.
pub(super) struct Circumstances<'a> {
    pub calendars: Option<&'a Calendars>,
    pub neighbourhoods: &'a mut Neighbourhoods,
    /// Somebody was asked to empty the container.
    pub emptying_asked: bool,
}

impl AssetState {
    /// Feeds what was measured, in the order of time, to the estimators that follow it.
    pub(super) fn follow(&mut self, known: &ForKind, measured: &[Measured], mut around: Circumstances<'_>) {
        if measured.is_empty() {
            return;
        }
        for (followed, place) in known.followed().iter().zip(&mut self.estimators) {
            let Some(property) = known.layout().names().nth(usize::from(followed.slot)) else { continue };
            let mut measured = measured.iter().filter(|measured| measured.slot == followed.slot).peekable();
            let Some(first) = measured.peek() else { continue };
            let estimator = place.get_or_insert_with(|| begun(*followed, first.at));
            match (estimator, followed.quantity) {
                (Estimator::Fill(container), Quantity::Fill { full }) => {
                    container.follow(&self.asset, measured, full, &mut around);
                }
                (Estimator::Exposure(body), Quantity::Exposure) => {
                    for measured in measured {
                        let told = body.settings(&self.asset, property);
                        body.zone.observe(&told, measured.at, measured.value.get());
                        body.learn(&told, measured);
                    }
                }
                (Estimator::Fill(_), Quantity::Exposure) | (Estimator::Exposure(_), Quantity::Fill { .. }) => {}
            }
        }
    }

    /// It stands among others now.
    pub(super) fn leave_neighbourhood(&mut self) {
        for estimator in self.estimators.iter_mut().flatten() {
            if let Estimator::Fill(container) = estimator {
                container.still_since = None;
            }
        }
    }

    /// Places for the estimators that rules ask, with those of `known` that fit.
    pub(super) fn estimators_from(
        rules: &RuleSet,
        asset: &Asset,
        known: impl IntoIterator<Item = (PropertyName, Estimator)>,
    ) -> Box<[Option<Estimator>]> {
        let (layout, followed) = (rules.slots(&asset.kind), rules.followed(&asset.kind));
        let mut places = vec![None; followed.len()].into_boxed_slice();
        for (property, estimator) in known {
            let slot = layout.slot(&property);
            let place =
                followed.iter().position(|followed| Some(followed.slot) == slot && estimator.fits(followed.quantity));
            if let Some(place) = place {
                places[place] = Some(estimator);
            }
        }
        places
    }

    /// The estimators that have begun, by property.
    pub(super) fn estimators_by_property(&self, rules: &RuleSet) -> Vec<(PropertyName, Estimator)> {
        let layout = rules.slots(&self.asset.kind);
        let followed = rules.followed(&self.asset.kind).iter().zip(&self.estimators);
        let by_name = |(followed, estimator): (&Followed, &Option<Estimator>)| {
            Some((layout.names().nth(usize::from(followed.slot))?.clone(), estimator.clone()?))
        };
        followed.filter_map(by_name).collect()
    }
}

/// A number for an estimator.
pub(super) struct Measured {
    slot: u16,
    at: Timestamp,
    value: Finite,
    quality: Quality,
}

impl Measured {
    pub const fn of(slot: u16, at: Timestamp, value: &Value, quality: Quality) -> Option<Self> {
        if let Value::Number(value) = value { Some(Self { slot, at, value: *value, quality }) } else { None }
    }
}

fn begun(followed: Followed, at: Timestamp) -> Estimator {
    match followed.quantity {
        Quantity::Fill { full } => {
            let fill = Fill::new(full, &Prior::default());
            Estimator::Fill(Box::new(Container {
                fill,
                watched_since: at,
                found: Found::default(),
                low: 1.0,
                still_since: None,
            }))
        }
        Quantity::Exposure => Estimator::Exposure(Box::new(Body { zone: Zone::new(at), usual: None, learning: None })),
    }
}

impl Container {
    /// What an earlier message found is over with the first level that is newer.
    fn follow<'m>(
        &mut self,
        asset: &Asset,
        measured: impl Iterator<Item = &'m Measured>,
        full: f64,
        around: &mut Circumstances<'_>,
    ) {
        let (settings, prior) = (fill_settings(full), Prior::default());
        let mut found = None;
        let mut nobody = 0;
        let neighbourhood = (asset.kind.clone(), asset.area.clone());
        let room = around.neighbourhoods.len() < NEIGHBOURHOODS_MAX;
        let rises = match around.neighbourhoods.entry(neighbourhood) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) if room => free.insert(0),
            Entry::Vacant(_) => &mut nobody,
        };
        for measured in measured {
            let before = self.fill.observed_at;
            let around = Around {
                utc_offset: utc_offset(around.calendars, measured.at),
                multiplier: 1.0,
                task_open: around.emptying_asked,
                neighbours_rise: self.still_since.is_some_and(|since| rises.wrapping_sub(since) >= RISES),
                prior: &prior,
            };
            let outcome = self.fill.observe(&settings, measured.at, (measured.value, measured.quality), &around);
            if self.fill.observed_at != before {
                let found = found.get_or_insert_with(Found::default);
                outcome.event.into_iter().for_each(|event| found.add(event.fact));
                self.count_rises(rises);
            }
        }
        self.found = found.unwrap_or(self.found);
    }

    fn count_rises(&mut self, rises: &mut u32) {
        let level = self.fill.level().unwrap_or_default() as f32;
        self.low = self.low.min(level);
        if level - self.low >= RISE {
            self.low = level;
            *rises = rises.wrapping_add(1);
        }
        let [.., before, newest] = self.fill.steady.values;
        if self.still_since.is_none() || (newest - before).abs() >= 1.0 {
            self.still_since = Some(*rises);
        }
    }
}

pub(super) const fn fill_settings(full: f64) -> fill::Settings {
    fill::Settings::new(Scale::Share { full })
}

impl Body {
    /// What a professional set for this person stands in the attributes of the bed: for the zone, or for all zones.
    pub(super) fn settings(&self, asset: &Asset, property: &PropertyName) -> exposure::Settings {
        let zone = property.as_str().strip_prefix("pressure_").unwrap_or_default();
        let attribute = |name: &str| {
            let of_zone = |known: &str| known.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')) == Some(zone);
            let of_zone = asset.attributes.iter().find(|(known, _)| of_zone(known)).map(|(_, value)| value);
            match of_zone.or_else(|| asset.attributes.get(name)) {
                Some(Value::Number(number)) if number.get() > 0.0 => Some(number.get()),
                Some(Value::Number(_) | Value::Boolean(_) | Value::Text(_)) | None => None,
            }
        };
        let start = exposure::Settings::default();
        exposure::Settings {
            reference: attribute("pressure_usual").or(self.usual),
            limit: attribute("exposure_limit").unwrap_or(start.limit),
            cap: attribute("exposure_cap").unwrap_or(start.cap).min(CAP_MAX),
            tau: attribute("exposure_tau").unwrap_or(start.tau),
            ..start
        }
    }

    /// The median of the first calm day. A day with too few calm pressures is followed by another.
    fn learn(&mut self, told: &exposure::Settings, measured: &Measured) {
        if told.reference.is_some() {
            self.learning = None;
            return;
        }
        let learning = self.learning.get_or_insert_with(|| Box::new(Reference::new(measured.at)));
        learning.observe(measured.at, measured.value.get());
        self.usual = learning.median(measured.at, false);
        if self.usual.is_some() {
            self.learning = None;
        } else if measured.at.since(learning.started_at) >= FIRST_DAY {
            **learning = Reference::new(measured.at);
        }
    }
}

/// Local time less UTC, as the day began.
fn utc_offset(calendars: Option<&Calendars>, at: Timestamp) -> Span {
    const HALF: i64 = 12 * 3_600_000_000;
    let Some(day) = calendars.and_then(|calendars| calendars.day(at)) else { return Span::ZERO };
    let behind = day.from.as_micros().rem_euclid(2 * HALF);
    Span::from_micros(if behind >= HALF { 2 * HALF - behind } else { -behind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::{Day, DayKind, Weekday, Window};
    use std::mem::size_of;

    #[test]
    fn local_time_is_told_by_when_the_day_began() {
        let hour = |hours: i64| Timestamp::from_micros(0) + Span::from_hours(hours);
        for (offset, from) in [(2, -2), (0, 0), (-5, 5), (12, -12), (-11, 11)] {
            let day = Day { from: hour(from), weekday: Weekday::Thursday, kind: DayKind::Workday, name: None };
            let covers = Window { from: hour(-24), until: hour(48) };
            let calendars = Calendars { covers, days: vec![day], ..Calendars::default() };
            assert_eq!(utc_offset(Some(&calendars), hour(from + 3)), Span::from_hours(offset));
        }
        assert_eq!(utc_offset(None, hour(3)), Span::ZERO);
    }

    #[test]
    fn an_estimator_is_as_large_as_rettidig_check_says() {
        let whole = |inner: usize| size_of::<Option<Estimator>>() + inner;
        let said = [Quantity::Fill { full: 1.0 }, Quantity::Exposure].map(Quantity::state_bytes);
        assert_eq!(said, [whole(size_of::<Container>()), whole(size_of::<Body>() + size_of::<Reference>())]);
    }
}
