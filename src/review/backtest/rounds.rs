//! A rule set that empties its own containers: its engine hears the modelled levels, and a crew comes when it calls.

use super::course::{Course, Served, Tally};
use super::crew::Crew;
use super::deposits::History;
use super::walk::Walk;
use super::{CHANGES_AT_ONCE, Model, Policy, Series, containers, level};
use crate::domain::ids::AssetId;
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// A container of a group, with the demand that was recorded.
pub(super) struct Bin<'a> {
    pub series: &'a Series,
    pub history: History,
    pub judged_from: Timestamp,
}

/// One way for all of the group.
pub(super) struct Driven<'h> {
    pub walks: Vec<Walk<'h>>,
    pub tally: Tally,
}

struct Round<'p, 'h> {
    course: Course<'p>,
    crew: Crew,
    routes: Vec<Option<SmolStr>>,
    walks: Vec<Walk<'h>>,
    places: BTreeMap<AssetId, usize>,
    /// When a crew comes, and where.
    visits: BTreeSet<(Timestamp, usize)>,
    /// Containers that a crew is on its way to.
    awaited: BTreeSet<usize>,
}

pub(super) fn by_rules<'h>(policy: &Policy<'_>, bins: &'h [Bin<'_>], model: &Model) -> Driven<'h> {
    let from = bins.iter().map(|bin| bin.history.from()).min().unwrap_or_default();
    let until = bins.iter().map(|bin| bin.history.until()).max().unwrap_or_default();
    let crew = Crew::of(policy, model, (from, until));
    let judged = bins.iter().map(|bin| (bin.series.asset.id.clone(), bin.judged_from)).collect();
    let interval = bins.iter().map(|bin| bin.history.interval).max().unwrap_or(Span::ZERO);
    let mut course = Course::begin_serving(policy, from, interval, Served::of(&model.task, judged));
    for some in bins.chunks(CHANGES_AT_ONCE / 2) {
        course.register(from, &containers(some.iter().map(|bin| &bin.series.asset), policy.configuration));
    }
    let mut round = Round {
        course,
        routes: bins.iter().map(|bin| crew.route(&bin.series.asset)).collect(),
        crew,
        walks: bins.iter().map(|bin| Walk::begin(&bin.history, bin.judged_from)).collect(),
        places: bins.iter().enumerate().map(|(at, bin)| (bin.series.asset.id.clone(), at)).collect(),
        visits: BTreeSet::new(),
        awaited: BTreeSet::new(),
    };
    round.go(bins);
    let (tally, said) = round.course.finish_serving(until);
    for (bin, walk) in bins.iter().zip(&mut round.walks) {
        let said = said.get(&bin.series.asset.id).copied().unwrap_or_default();
        (walk.figures.alarms, walk.figures.tasks) = (said.alarms, said.tasks);
    }
    Driven { walks: round.walks, tally }
}

impl Round<'_, '_> {
    fn go(&mut self, bins: &[Bin<'_>]) {
        let speaks = self.walks.iter().enumerate().filter_map(|(at, walk)| Some((walk.speaks_at()?, at)));
        let mut values: BTreeSet<(Timestamp, usize)> = speaks.collect();
        while let Some((at, which)) = values.first().copied() {
            let visit = self.visits.first().copied().filter(|(due, _)| *due <= at);
            let moment = visit.map_or(at, |(due, _)| due);
            // What is called for on the way may bring a crew before that.
            if self.course.until_called(moment) {
                self.send_crews();
                continue;
            }
            if let Some((due, served)) = visit {
                self.visits.pop_first();
                self.awaited.remove(&served);
                let asset = &bins[served].series.asset.id;
                if self.course.wanted(asset) {
                    self.walks[served].served(due);
                    self.course.done(due, asset);
                }
            } else {
                values.pop_first();
                let Some((at, said, _)) = self.walks[which].value() else { continue };
                if let Some(observed) = level(&bins[which].series.asset.id, at, said) {
                    self.course.level(at, observed);
                }
                values.extend(self.walks[which].speaks_at().map(|at| (at, which)));
            }
            self.send_crews();
        }
    }

    /// To each container that was called for, once.
    fn send_crews(&mut self) {
        for (at, asset) in self.course.called() {
            let Some(place) = self.places.get(&asset).copied() else { continue };
            if self.awaited.insert(place) {
                let comes = self.crew.comes(self.routes[place].as_ref(), at);
                self.visits.insert((comes, place));
            }
        }
    }
}
