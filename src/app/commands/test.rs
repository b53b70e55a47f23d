//! `rettidig test`: plays the scenarios beside the rules through the engine.

use super::{Outcome, complain, say};
use crate::app::assembly::assemble;
use crate::app::clock::Clock;
use crate::config::{self, ConfigError, SETTINGS_FILE};
use crate::review::check::Style;
use crate::review::scenario::{ScenarioError, Stage, rehearse};
use crate::rules::{Vocabulary, compile};
use clap::Args;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct TestArguments {
    /// The configuration folder, or its folder of rules, if not that of --config
    folder: Option<PathBuf>,
    /// Only scenarios with this text in their name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Fail when no scenario expects an alarm of some rule
    #[arg(long, conflicts_with = "only")]
    require_all: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Never for faults in the files: those are the report.
pub fn test(folder: &Path, arguments: &TestArguments) -> anyhow::Result<Outcome> {
    let folder = configuration_folder(arguments.folder.as_deref().unwrap_or(folder));
    let loaded = match config::load(folder, std::env::vars()) {
        Ok(loaded) => loaded,
        Err(error @ ConfigError::Unreadable { .. }) => {
            complain(&error.to_string());
            return Ok(Outcome::Unreadable);
        }
        Err(ConfigError::Faulty { .. }) => return super::check::check(folder, arguments.json),
    };
    // Each scenario has tables of the calendars for its own time.
    let Ok(assembly) = assemble(&loaded, Clock::wall().now()) else {
        return super::check::check(folder, arguments.json);
    };
    let configuration = &assembly.configuration;
    let vocabulary = Vocabulary::new(configuration.sensor_types.values()).with_shifts(assembly.calendars.shifts());
    let Ok(rules) = compile(&configuration.rule_files, &vocabulary) else {
        return super::check::check(folder, arguments.json);
    };
    let stage = Stage { configuration, calendars: &assembly.calendars, rules: &rules };
    let report = match rehearse(folder, &stage, arguments.only.as_deref()) {
        Ok(report) => report,
        Err(error) => {
            complain(&error.to_string());
            return Ok(match error {
                ScenarioError::Unreadable { .. } => Outcome::Unreadable,
                ScenarioError::None { .. } | ScenarioError::NoneSo { .. } => Outcome::NotDone,
            });
        }
    };
    let style = if std::io::stdout().is_terminal() { Style::Colour } else { Style::Plain };
    say(&if arguments.json { report.json() } else { report.text(style) });
    let complete = !arguments.require_all || report.uncovered.is_empty();
    Ok(match (report.faults.is_empty(), report.passed() && complete) {
        (false, _) => Outcome::Faults,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::NotDone,
    })
}

/// `config/rules` is meant as `config`.
pub(super) fn configuration_folder(given: &Path) -> &Path {
    let above = given.parent().filter(|above| given.ends_with("rules") && above.join(SETTINGS_FILE).is_file());
    above.filter(|_| !given.join(SETTINGS_FILE).is_file()).unwrap_or(given)
}
