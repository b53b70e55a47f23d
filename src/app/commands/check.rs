//! `rettidig check`: every fault of a configuration folder at once.

use super::certificates::look_at_certificates;
use super::{Outcome, complain, say};
use crate::config;
use crate::decode::load_sensor_types;
use crate::intake::Verdict;
use crate::review::check::{Style, check as check_folder};
use std::io::IsTerminal as _;
use std::path::Path;

/// # Errors
/// Never for faults in the files: those are the report.
pub fn check(folder: &Path, json: bool) -> anyhow::Result<Outcome> {
    let read =
        |files: &_| load_sensor_types(files).map(|types| types.values().map(|spec| spec.sensor_type.clone()).collect());
    let mut report = match check_folder(folder, std::env::vars(), &read) {
        Ok(report) => report,
        Err(error) => {
            complain(&error.to_string());
            return Ok(Outcome::Unreadable);
        }
    };
    if report.passed()
        && let Ok(loaded) = config::load(folder, std::env::vars())
    {
        for certificate in look_at_certificates(&loaded.settings) {
            if certificate.verdict == Verdict::Fault {
                report.add(certificate.section, certificate.text, certificate.remedy);
            } else if let (Verdict::Warning, Some(remedy)) = (certificate.verdict, certificate.remedy) {
                complain(&format!("{}; {remedy}", certificate.text));
            }
        }
    }
    let style = if std::io::stdout().is_terminal() { Style::Colour } else { Style::Plain };
    say(&if json { report.json() } else { report.text(style) });
    Ok(if report.passed() { Outcome::Done } else { Outcome::Faults })
}
