//! `rettidig backtest`: rule sets and other policies over the same data. It may run beside a gateway.

use super::past::{Beside, Progress, failed};
use super::recorded::{Recorded, groups_of};
use super::test::configuration_folder;
use super::{Outcome, complain, load, say};
use crate::app::Source;
use crate::app::assembly::{Assembly, assemble};
use crate::app::clock::Clock;
use crate::config::{self, ConfigError};
use crate::domain::time::Span;
use crate::review::backtest::{
    Compared, Contender, DataRead, Groups, Model, Modelled, Policies, Policy, PolicyName, Report, Series,
    counterfactual, over_journal, over_series,
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// In place of a folder: the configuration that --config names.
const LIVE: &str = "live";
/// In place of a folder of series.
const JOURNAL: &str = "journal";
/// Policies beside each other; a page tells so many colours apart.
const POLICIES_MAX: usize = 8;
/// Percent of the data that a plan needs to be tuned on.
const TUNED_ON_MIN: u8 = 5;
/// The two of --rules and --against stand first; the second is how the page and the losses know the new one.
const NEW: usize = 2;

#[derive(Args)]
pub struct BacktestArguments {
    /// The configuration folder with the new rules, or its folder of rules
    #[arg(long, value_name = "FOLDER", required_unless_present = "policy")]
    rules: Option<PathBuf>,
    /// What it is compared with: another such folder, or `live`, the one of --config
    #[arg(long, value_name = "FOLDER", default_value = LIVE)]
    against: PathBuf,
    /// Another policy that empties bins: `rules:FOLDER` (or `rules:live`), `level:80` (a call at 80 %), `fixed:7` (every
    /// 7 days) or `fixed:auto` (tuned for each bin on the first part of its data); may be repeated
    #[arg(long, value_name = "POLICY")]
    policy: Vec<Asked>,
    /// `journal`, that of the data folder of the settings; another data folder; a folder of recorded fill levels (CSV:
    /// time, percent; a file for each bin); or one such file, with a column that names the bin
    #[arg(long, value_name = "PATH", default_value = JOURNAL)]
    data: PathBuf,
    /// The number that a recorded level has when the bin is full: 100 for percent, 10 for six steps of two
    #[arg(long, value_name = "NUMBER", default_value_t = 100.0, value_parser = positive)]
    full: f64,
    /// Model nothing: the levels stay as recorded, whatever a rule set would have changed
    #[arg(long, requires = "rules", conflicts_with = "policy")]
    as_recorded: bool,
    /// How a called crew comes: with a service of the bin's route, or for each call
    #[arg(long, value_enum, default_value_t = Comes::Service)]
    crew: Comes,
    /// Hours from a call to the crew, or to the earliest service it comes with: 24 without a service, otherwise 0
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u16).range(0..=720))]
    respond_hours: Option<u16>,
    /// Share of each bin's data, its first, that `fixed:auto` is tuned on; every policy is judged by the rest. 50 with
    /// `fixed:auto`, otherwise 0
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=90))]
    tuned_on: Option<u8>,
    /// `fixed:auto` takes the longest interval with which a bin is full for at most this share of the time more than
    /// with the shortest
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = share)]
    full_at_most: f64,
    /// Tasks of this kind empty a bin, as do those of a rule that asks `emptied()`
    #[arg(long, value_name = "KIND", default_value = "empty-bin")]
    task: String,
    /// Threads to work with; as many as there are processors. The result is the same
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Also a page with plots, into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Comes {
    Service,
    Call,
}

/// A policy as it was asked for.
#[derive(Clone, Debug)]
enum Asked {
    Rules(PathBuf),
    Level(f64),
    Fixed(Option<u16>),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected rules:FOLDER, level:PERCENT (1 to 100), fixed:DAYS (1 to 90) or fixed:auto".to_owned();
        match text.split_once(':') {
            Some(("rules", folder)) if !folder.is_empty() => Ok(Self::Rules(PathBuf::from(folder))),
            Some(("level", percent)) => {
                let percent = percent.parse::<f64>().ok().filter(|percent| (1.0..=100.0).contains(percent));
                percent.map(|percent| Self::Level(percent / 100.0)).ok_or_else(wrong)
            }
            Some(("fixed", "auto")) => Ok(Self::Fixed(None)),
            Some(("fixed", days)) => {
                let days = days.parse::<u16>().ok().filter(|days| (1..=90).contains(days));
                days.map(|days| Self::Fixed(Some(days))).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "expected a percentage, 0 to 100".to_owned())
}

/// # Errors
/// When the data cannot be read, or the page not be written.
pub fn backtest(source: &Source, arguments: &BacktestArguments) -> anyhow::Result<Outcome> {
    let pair = usize::from(arguments.rules.is_some()) * NEW;
    if pair + arguments.policy.len() > POLICIES_MAX {
        complain(&format!("at most {POLICIES_MAX} policies stand beside each other: leave some out"));
        return Ok(Outcome::Usage);
    }
    let tuned = arguments.policy.iter().any(|asked| matches!(asked, Asked::Fixed(None)));
    if tuned && arguments.tuned_on.is_some_and(|percent| percent < TUNED_ON_MIN) {
        complain(&format!("fixed:auto is tuned on a part of the data: say --tuned-on {TUNED_ON_MIN} or more"));
        return Ok(Outcome::Usage);
    }
    // Services of policies that are no rules are those of the rule set compared with.
    let mut folders = vec![against_name(source, &arguments.against)];
    folders.extend(arguments.rules.as_deref());
    folders.extend(arguments.policy.iter().filter_map(|asked| match asked {
        Asked::Rules(folder) => Some(against_name(source, folder)),
        Asked::Level(_) | Asked::Fixed(_) => None,
    }));
    let mut assemblies = Vec::new();
    for folder in &folders {
        match assembled(folder)? {
            Ok(assembly) => assemblies.push(assembly),
            Err(outcome) => return Ok(outcome),
        }
    }
    let policies: Vec<Policy<'_>> =
        folders.iter().zip(&assemblies).map(|(folder, assembly)| policy(folder, assembly)).collect();
    let report = match run(source, arguments, &policies)? {
        Ok(report) => report,
        Err(outcome) => return Ok(outcome),
    };
    if let Some(path) = &arguments.html {
        fs::write(path, report.page()).with_context(|| format!("write {}", path.display()))?;
    }
    say(&if arguments.json { report.json() } else { report.text() });
    Ok(Outcome::Done)
}

fn run(
    source: &Source,
    arguments: &BacktestArguments,
    policies: &[Policy<'_>],
) -> anyhow::Result<Result<Report, Outcome>> {
    let (bench, pair) = Bench::of(arguments, policies);
    let folder = match data_folder(source, arguments) {
        Ok(Some(folder)) => folder,
        Ok(None) => return Ok(of_files(arguments, &bench, pair)?.ok_or(Outcome::NotDone)),
        Err(outcome) => return Ok(Err(outcome)),
    };
    let Some(beside) = Beside::open(&folder)? else { return Ok(Err(Outcome::Unavailable)) };
    let mut progress = Progress::new();
    let journaled = over_journal(&beside.journal, &beside.sealing, pair, |done, of| progress.tell(done, of));
    progress.end();
    let journaled = match journaled {
        Ok(journaled) => journaled,
        Err(error) => return Ok(Err(failed(error))),
    };
    if journaled.left_out > 0 {
        complain(&format!("{} later fill levels were not modelled: there are too many", journaled.left_out));
    }
    let groups = Mutex::new(groups_of(journaled.series));
    let take = |which| {
        let mut groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::Ok(groups.get_mut(which).map(std::mem::take).unwrap_or_default())
    };
    let count = groups.lock().unwrap_or_else(PoisonError::into_inner).len();
    let modelled = if arguments.as_recorded { None } else { bench.modelled(count, take)? };
    if journaled.compared.is_none() && modelled.is_none() {
        complain("there is no fill level of a bin in the journal, and without --rules nothing else is compared");
        return Ok(Err(Outcome::NotDone));
    }
    let policies = modelled.map(|modelled| bench.policies(modelled));
    Ok(Ok(Report { compared: journaled.compared, policies, data: journaled.data, ..Report::default() }))
}

/// None, said already, where there is not one value.
fn of_files(
    arguments: &BacktestArguments,
    bench: &Bench<'_>,
    pair: Option<[&Policy<'_>; 2]>,
) -> anyhow::Result<Option<Report>> {
    let recorded = Recorded::open(&arguments.data, arguments.full)?;
    let (mut compared, mut policies, mut bins) = (None, None, 0);
    if let (true, Some(pair)) = (arguments.as_recorded, pair) {
        let mut series: Vec<Series> = Vec::new();
        for which in 0..recorded.groups() {
            series.extend(recorded.load(which)?);
        }
        let mut progress = Progress::new();
        bins = series.len();
        compared = over_series(&series, pair, |done, of| progress.tell(done, of));
        progress.end();
    } else if let Some(modelled) = bench.modelled(recorded.groups(), |which| recorded.load(which))? {
        bins = modelled.bins.len();
        compared = pair.and_then(|[against, new]| {
            Compared::of_modelled(&modelled, [(1, against.name.as_str()), (NEW, new.name.as_str())])
        });
        policies = Some(bench.policies(modelled));
    }
    let (left_out, hint) = recorded.left_out();
    for line in recorded.complaints().iter().chain(&hint) {
        complain(line);
    }
    if compared.is_none() && policies.is_none() {
        complain(&format!("there is no value in {}", arguments.data.display()));
        return Ok(None);
    }
    Ok(Some(Report { compared, policies, data: DataRead::Series(bins), left_out }))
}

/// Everything that is modelled, and how.
struct Bench<'a> {
    contenders: Vec<Contender<'a>>,
    names: Vec<PolicyName>,
    plans: &'a Policy<'a>,
    model: Model,
}

impl<'a> Bench<'a> {
    /// The first of the policies is the one compared with, then the new one if there is one, then those asked for.
    fn of(arguments: &BacktestArguments, policies: &'a [Policy<'a>]) -> (Self, Option<[&'a Policy<'a>; 2]>) {
        let pair = arguments.rules.as_ref().map(|_| [&policies[0], &policies[1]]);
        let mut asked_for = policies[pair.map_or(1, |pair| pair.len())..].iter();
        let mut contenders: Vec<Contender<'a>> = pair.iter().flatten().map(|policy| Contender::Rules(policy)).collect();
        for asked in &arguments.policy {
            contenders.extend(match asked {
                Asked::Rules(_) => asked_for.next().map(Contender::Rules),
                Asked::Level(level) => Some(Contender::Level(*level)),
                Asked::Fixed(days) => Some(Contender::Fixed(*days)),
            });
        }
        let names = contenders.iter().map(|contender| match contender {
            Contender::Rules(policy) => PolicyName::Rules(policy.name.clone()),
            Contender::Level(level) => PolicyName::Level(*level),
            Contender::Fixed(days) => PolicyName::Fixed(*days),
        });
        let names = names.collect();
        let tuned = contenders.iter().any(|contender| matches!(contender, Contender::Fixed(None)));
        let first_rules = contenders.iter().position(|contender| matches!(contender, Contender::Rules(_)));
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let model = Model {
            with_service: arguments.crew == Comes::Service,
            respond: arguments.respond_hours.map(|hours| Span::from_hours(i64::from(hours))),
            tuned_on: f64::from(arguments.tuned_on.unwrap_or(if tuned { 50 } else { 0 })) / 100.0,
            full_at_most: arguments.full_at_most / 100.0,
            task: arguments.task.as_str().into(),
            judged: if pair.is_some() { Some(NEW) } else { first_rules.map(|at| at + 1) },
            threads: arguments.threads.map_or_else(processors, usize::from),
        };
        (Self { contenders, names, plans: &policies[0], model }, pair)
    }

    fn modelled(
        &self,
        count: usize,
        load: impl Fn(usize) -> anyhow::Result<Vec<Series>> + Sync,
    ) -> anyhow::Result<Option<Modelled>> {
        let progress = Mutex::new(Progress::new());
        let told = |done: usize, of: usize| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.tell_of("groups of bins", done as u64, of as u64);
        };
        let groups = Groups { count, load };
        let modelled = counterfactual(&groups, (&self.contenders, self.plans), &self.model, &told);
        progress.lock().unwrap_or_else(PoisonError::into_inner).end();
        modelled
    }

    fn policies(&self, modelled: Modelled) -> Policies {
        Policies { model: self.model.clone(), names: self.names.clone(), modelled }
    }
}

/// The data folder whose journal is replayed; none for recorded series.
fn data_folder(source: &Source, arguments: &BacktestArguments) -> Result<Option<PathBuf>, Outcome> {
    if arguments.data != Path::new(JOURNAL) {
        return Ok(Some(arguments.data.clone()).filter(|folder| folder.join("journal").is_dir()));
    }
    // What --data says elsewhere, the environment says here.
    let source = Source { data: std::env::var_os("RETTIDIG_DATA").map(PathBuf::from), ..source.clone() };
    load(&source).map(|loaded| Some(loaded.settings.data.folder))
}

fn against_name<'a>(source: &'a Source, folder: &'a Path) -> &'a Path {
    if folder == Path::new(LIVE) { &source.folder } else { folder }
}

fn policy<'a>(folder: &Path, assembly: &'a Assembly) -> Policy<'a> {
    let (configuration, calendars) = (&assembly.configuration, &*assembly.calendars);
    Policy { name: folder.display().to_string(), configuration, calendars }
}

/// A folder's configuration; or, said already, why there is none.
fn assembled(folder: &Path) -> anyhow::Result<Result<Assembly, Outcome>> {
    let folder = configuration_folder(folder);
    let loaded = match config::load(folder, std::env::vars()) {
        Ok(loaded) => loaded,
        Err(error @ ConfigError::Unreadable { .. }) => {
            complain(&error.to_string());
            return Ok(Err(Outcome::Unreadable));
        }
        Err(ConfigError::Faulty { .. }) => return super::check::check(folder, false).map(Err),
    };
    match assemble(&loaded, Clock::wall().now()) {
        Ok(assembly) => Ok(Ok(assembly)),
        Err(_) => super::check::check(folder, false).map(Err),
    }
}
