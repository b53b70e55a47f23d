//! `rettidig backtest`: two rule sets over the same data. It may run beside a gateway.

use super::past::{Beside, Progress, failed};
use super::test::configuration_folder;
use super::{Outcome, complain, load, say};
use crate::app::Source;
use crate::app::assembly::{Assembly, assemble};
use crate::app::clock::Clock;
use crate::config::{self, ConfigError};
use crate::domain::ids::AssetId;
use crate::review::backtest::{Compared, Policy, Series, over_journal, over_series};
use crate::twin::series;
use anyhow::Context as _;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// In place of a folder: the configuration that --config names.
const LIVE: &str = "live";
/// In place of a folder of series.
const JOURNAL: &str = "journal";

#[derive(Args)]
pub struct BacktestArguments {
    /// The configuration folder with the new rules, or its folder of rules
    #[arg(long, value_name = "FOLDER")]
    rules: PathBuf,
    /// What it is compared with: another such folder, or `live`, the one of --config
    #[arg(long, value_name = "FOLDER", default_value = LIVE)]
    against: PathBuf,
    /// `journal`, that of the data folder of the settings; another data folder; or a folder of recorded fill levels (CSV:
    /// time, percent; a file for each bin)
    #[arg(long, value_name = "FOLDER", default_value = JOURNAL)]
    data: PathBuf,
    /// Also a page with plots, into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// # Errors
/// When the data cannot be read, or the page not be written.
pub fn backtest(source: &Source, arguments: &BacktestArguments) -> anyhow::Result<Outcome> {
    let (against, new) = match (assembled(against_name(source, arguments))?, assembled(&arguments.rules)?) {
        (Ok(against), Ok(new)) => (against, new),
        (Err(outcome), _) | (_, Err(outcome)) => return Ok(outcome),
    };
    let policies = [policy(against_name(source, arguments), &against), policy(&arguments.rules, &new)];
    let policies = [&policies[0], &policies[1]];
    let mut progress = Progress::new();
    let told = |done, of| progress.tell(done, of);
    let compared = match data_folder(source, arguments) {
        Ok(Some(folder)) => {
            let Some(beside) = Beside::open(&folder)? else { return Ok(Outcome::Unavailable) };
            match over_journal(&beside.journal, &beside.sealing, policies, told) {
                Ok(compared) => Some(compared),
                Err(error) => return Ok(failed(error)),
            }
        }
        Ok(None) => over_series(&read_series(&arguments.data)?, policies, told),
        Err(outcome) => return Ok(outcome),
    };
    progress.end();
    let Some(compared) = compared else {
        complain(&format!("there is no value in {}", arguments.data.display()));
        return Ok(Outcome::NotDone);
    };
    if let Some(path) = &arguments.html {
        fs::write(path, compared.page()).with_context(|| format!("write {}", path.display()))?;
    }
    say(&if arguments.json { Compared::json(&compared) } else { compared.text() });
    Ok(Outcome::Done)
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

fn against_name<'a>(source: &'a Source, arguments: &'a BacktestArguments) -> &'a Path {
    if arguments.against == Path::new(LIVE) { &source.folder } else { &arguments.against }
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

/// A bin for each CSV file, named after it; rows that cannot be read are counted on standard error.
fn read_series(folder: &Path) -> anyhow::Result<Vec<Series>> {
    let reading = || format!("read the recorded series in {}", folder.display());
    let entries = fs::read_dir(folder).with_context(reading)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(reading)?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "csv"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let read = series::read(&name, &bytes);
        if let Some(fault) = read.faults.first() {
            complain(&format!(
                "{}: {} rows left out, the first in line {}: {}",
                name, read.faults_count, fault.line, fault.why
            ));
        }
        let mut values: Vec<_> = read.rows.iter().map(|row| (row.at, row.percent / 100.0)).collect();
        values.retain(|(_, value)| (0.0..=1.05).contains(value));
        values.sort_by_key(|(at, _)| *at);
        found.push(Series { asset: AssetId::new(name), values });
    }
    Ok(found)
}
