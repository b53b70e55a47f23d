//! What would have come of policies that empty the containers themselves: the recorded demand, met by each of them.
//!
//! Containers stand in groups of a fixed size, in order; the groups are spread over the processors and come together in
//! order again, so that the result is the same on any machine. A group is read, driven through by every policy and
//! dropped. Start with `counterfactual`.

use super::course::Tally;
use super::crew::Crew;
use super::deposits::{History, in_days};
use super::losses::{Loss, losses};
use super::plans::{as_recorded, called_at, every, tuned};
use super::rounds::{Bin, Driven, by_rules};
use super::walk::{Daily, Figures, Walk};
use super::{Contender, Model, Policy, Series};
use crate::domain::ids::AssetId;
use crate::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Containers in one group: they share an engine for each rule set.
pub const GROUP: usize = 32;

/// Where recorded series come from, a group at a time.
pub struct Groups<L> {
    pub count: usize,
    /// Reads a group. Whoever asks is on a thread of its own.
    pub load: L,
}

/// What came of every policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Modelled {
    pub from: Timestamp,
    pub until: Timestamp,
    /// Recorded values.
    pub values: u64,
    /// The first is how it was; the others in the order in which they were given.
    pub policies: Vec<Outcome>,
    /// In order.
    pub bins: Vec<Container>,
}

/// What came of one policy at all containers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub figures: Figures,
    /// By day since 1970 (UTC).
    pub daily: BTreeMap<i64, Daily>,
    /// Of a rule set.
    pub tally: Option<Tally>,
}

/// What came of every policy at one container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    pub asset: AssetId,
    pub values: u64,
    pub from: Timestamp,
    pub until: Timestamp,
    /// Figures count from here.
    pub judged_from: Timestamp,
    /// Share of the time in which what was put in is the usual pace, not what was seen.
    pub guessed: f64,
    /// Share of the time of which nothing is known.
    pub dark: f64,
    /// Days of a tuned plan, by policy.
    pub every_days: Vec<Option<u16>>,
    /// By policy.
    pub figures: Vec<Figures>,
    /// Where the judged rule set does worse than another policy.
    pub losses: Vec<Loss>,
}

/// Drives every policy through the recorded demand; the services of `plans` are those of policies that are no rules.
///
/// # Errors
/// The first group that cannot be read.
pub fn counterfactual<E: Send>(
    groups: &Groups<impl Fn(usize) -> Result<Vec<Series>, E> + Sync>,
    (contenders, plans): (&[Contender<'_>], &Policy<'_>),
    model: &Model,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Option<Modelled>, E> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let found: Mutex<BTreeMap<usize, Result<Option<Modelled>, E>>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let which = next.fetch_add(1, Ordering::Relaxed);
            if which >= groups.count {
                return;
            }
            let of = (groups.load)(which).map(|series| one_group(&series, contenders, plans, model));
            if of.is_err() {
                // What has been taken up comes to its end, and nothing else is taken up.
                next.store(groups.count, Ordering::Relaxed);
            }
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(which, of);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, groups.count);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..model.threads.clamp(1, groups.count.max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut whole: Option<Modelled> = None;
    for of in found.into_inner().unwrap_or_else(PoisonError::into_inner).into_values() {
        let Some(of) = of? else { continue };
        match &mut whole {
            Some(whole) => whole.add(of),
            None => whole = Some(of),
        }
    }
    Ok(whole)
}

fn one_group(series: &[Series], contenders: &[Contender<'_>], plans: &Policy<'_>, model: &Model) -> Option<Modelled> {
    let bins: Vec<Bin<'_>> = series.iter().filter_map(|series| Bin::of(series, model)).collect();
    let from = bins.iter().map(|bin| bin.history.from()).min()?;
    let until = bins.iter().map(|bin| bin.history.until()).max()?;
    let crew = Crew::of(plans, model, (from, until));
    let mut every_days = vec![vec![None; contenders.len() + 1]; bins.len()];
    let recorded = bins.iter().map(|bin| as_recorded(&bin.history, bin.judged_from)).collect();
    let mut driven = vec![(recorded, None)];
    for (which, contender) in contenders.iter().enumerate() {
        driven.push(match contender {
            Contender::Rules(policy) => {
                let Driven { walks, tally } = by_rules(policy, &bins, model);
                (walks, Some(tally))
            }
            Contender::Level(level) => {
                let walk = |bin| called_by_level(bin, *level, &crew);
                (bins.iter().map(walk).collect(), None)
            }
            Contender::Fixed(days) => {
                let mut walks = Vec::with_capacity(bins.len());
                for (bin, every_days) in bins.iter().zip(&mut every_days) {
                    let route = crew.route(&bin.series.asset);
                    let by = (&crew, route.as_ref());
                    let days = days.unwrap_or_else(|| tuned(&bin.history, bin.judged_from, model.full_at_most, by));
                    every_days[which + 1] = Some(days);
                    walks.push(every(&bin.history, bin.judged_from, days, by));
                }
                (walks, None)
            }
        });
    }
    Some(together(&bins, driven, every_days, (from, until), model))
}

fn called_by_level<'h>(bin: &'h Bin<'_>, level: f64, crew: &Crew) -> Walk<'h> {
    let route = crew.route(&bin.series.asset);
    called_at(&bin.history, bin.judged_from, level, (crew, route.as_ref()))
}

fn together(
    bins: &[Bin<'_>],
    driven: Vec<(Vec<Walk<'_>>, Option<Tally>)>,
    every_days: Vec<Vec<Option<u16>>>,
    (from, until): (Timestamp, Timestamp),
    model: &Model,
) -> Modelled {
    let mut containers = Vec::with_capacity(bins.len());
    for ((at, bin), every_days) in bins.iter().enumerate().zip(every_days) {
        let walks: Vec<&Walk<'_>> = driven.iter().filter_map(|(walks, _)| walks.get(at)).collect();
        containers.push(Container {
            asset: bin.series.asset.id.clone(),
            values: bin.history.steps.len() as u64,
            from: bin.history.from(),
            until: bin.history.until(),
            judged_from: bin.judged_from,
            guessed: bin.history.share(|step| step.guessed),
            dark: bin.history.share(|step| step.dark),
            every_days,
            figures: walks.iter().map(|walk| walk.figures).collect(),
            losses: model.judged.map(|judged| losses(&walks, judged)).unwrap_or_default(),
        });
    }
    let policies = driven.into_iter().map(|(walks, tally)| {
        let mut outcome = Outcome { tally, ..Outcome::default() };
        for walk in &walks {
            outcome.figures.add(&walk.figures);
            outcome.add_days(&walk.daily);
        }
        outcome
    });
    let values = containers.iter().map(|container| container.values).sum();
    Modelled { from, until, values, policies: policies.collect(), bins: containers }
}

impl<'a> Bin<'a> {
    fn of(series: &'a Series, model: &Model) -> Option<Self> {
        let history = History::of(&series.values)?;
        let (from, until) = (history.from(), history.until());
        let tuned_on = (model.tuned_on * until.since(from).as_micros() as f64) as i64;
        let split = from + Span::from_micros(tuned_on);
        // At a value, so that no step belongs to both parts.
        let judged_from = history.steps.iter().map(|step| step.at).find(|at| *at >= split).unwrap_or(until);
        Some(Self { series, history, judged_from })
    }
}

impl History {
    fn share(&self, of: impl Fn(&super::deposits::Step) -> bool) -> f64 {
        let sum: f64 =
            self.steps.windows(2).filter(|pair| of(&pair[1])).map(|pair| in_days(pair[1].at.since(pair[0].at))).sum();
        let whole = in_days(self.until().since(self.from()));
        // A sum of nothing is -0.
        if whole > 0.0 { (sum / whole).abs() } else { 0.0 }
    }
}

impl Outcome {
    fn add_days(&mut self, days: &BTreeMap<i64, Daily>) {
        for (day, daily) in days {
            let sum = self.daily.entry(*day).or_default();
            sum.overflow = sum.overflow + daily.overflow;
            sum.stops += daily.stops;
        }
    }
}

impl Modelled {
    /// The groups come in order.
    fn add(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.until = self.until.max(other.until);
        self.values += other.values;
        for (policy, of) in self.policies.iter_mut().zip(other.policies) {
            policy.figures.add(&of.figures);
            policy.add_days(&of.daily);
            if let (Some(tally), Some(of)) = (&mut policy.tally, &of.tally) {
                tally.add(of);
            }
        }
        self.bins.extend(other.bins);
    }

    /// How long the data are.
    #[must_use]
    pub fn days(&self) -> f64 {
        in_days(self.until.since(self.from))
    }
}
