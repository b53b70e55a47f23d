//! `rettidig doctor`: is this machine fit to run the gateway, and what is to be done where it is not.
//!
//! It changes nothing: it may run beside a working gateway, and its probe of a broker takes away what it brought.

use super::certificates::look_at_certificates;
use super::{Outcome, complain, runtime, say};
use crate::app::Source;
use crate::app::assembly::assemble;
use crate::app::clock::Clock;
use crate::app::control::{self, AskError, Request, Response};
use crate::app::data_folder::holder;
use crate::app::foundation::random_bytes;
use crate::app::{options, stores};
use crate::config::{ConfigError, Settings};
use crate::intake::Verdict;
use crate::intake::broker_check::{Bounds, check as check_broker};
use crate::intake::mosquitto_config::check_mosquitto_config;
use crate::journal::{JournalError, verify, verify_end};
use crate::store::StoreError;
use crate::vault::{self, Vault};
use anyhow::Context as _;
use clap::Args;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Args)]
pub struct DoctorArguments {
    /// Read every record of the journal instead of the last ones
    #[arg(long)]
    full: bool,
    /// Only read a mosquitto.conf and name what may drop messages
    #[arg(long, value_name = "FILE")]
    mosquitto_config: Option<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// With less, a start may fail at once.
const FREE_MEBIBYTES_FAULT: u64 = 16;
/// With less, somebody should look soon: a day of a large municipality is about this much.
const FREE_MEBIBYTES_WARNING: u64 = 1_024;

/// One thing that was looked at.
struct Found {
    part: String,
    verdict: Verdict,
    text: String,
    remedy: Option<String>,
}

/// # Errors
/// When a file named on the command line cannot be read.
pub fn doctor(source: &Source, arguments: &DoctorArguments) -> anyhow::Result<Outcome> {
    let mut found = Vec::new();
    if let Some(path) = &arguments.mosquitto_config {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        found.extend(check_mosquitto_config(&text).into_iter().map(|finding| of("mosquitto", finding)));
        if found.is_empty() {
            found.push(good("mosquitto", "nothing in this configuration drops messages or lets strangers in"));
        }
    } else {
        examine(source, arguments.full, &mut found)?;
    }
    Ok(tell(&found, arguments.json))
}

fn examine(source: &Source, full: bool, found: &mut Vec<Found>) -> anyhow::Result<()> {
    let show = format!("`rettidig check {}` shows them", source.folder.display());
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(error @ ConfigError::Unreadable { .. }) => {
            found.push(bad(
                "configuration",
                Verdict::Fault,
                error.to_string(),
                "`rettidig init` writes one".to_owned(),
            ));
            return Ok(());
        }
        Err(ConfigError::Faulty { faults, .. }) => {
            found.push(bad("configuration", Verdict::Fault, format!("{} faults", faults.len()), show));
            return Ok(());
        }
    };
    found.push(match assemble(&loaded, Clock::wall().now()) {
        Ok(_) => good("configuration", "no faults"),
        Err(faults) => bad("configuration", Verdict::Fault, format!("{} faults", faults.len()), show),
    });
    let settings = &loaded.settings;
    let data = &settings.data.folder;
    found.push(data_folder(data));
    found.push(free_space(data));
    let running = gateway(data, found);
    found.push(journal(&data.join("journal"), full));
    if running {
        found.push(good("vault", "open in the running gateway"));
    } else {
        found.push(vault(&data.join("vault")));
        ports(settings, found);
    }
    found.push(history(settings));
    found.extend(look_at_certificates(settings).into_iter().map(|certificate| {
        let super::certificates::CertificateFound { part, verdict, text, remedy, .. } = certificate;
        Found { part, verdict, text, remedy }
    }));
    brokers(settings, found)
}

fn data_folder(data: &Path) -> Found {
    let part = "data folder";
    match fs::metadata(data) {
        Ok(known) if known.permissions().mode() & 0o077 != 0 => {
            let text =
                format!("{} may be read by others (mode {:o})", data.display(), known.permissions().mode() & 0o777);
            bad(part, Verdict::Warning, text, format!("chmod 700 {}", data.display()))
        }
        Ok(_) => good(part, &data.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            good(part, &format!("{} is not there yet; `rettidig run` makes it", data.display()))
        }
        Err(error) => {
            let remedy = "give this user the right to read and write it".to_owned();
            bad(part, Verdict::Fault, format!("{}: {error}", data.display()), remedy)
        }
    }
}

/// The journal ends the gateway when the disk is full, so that is to be known before. `df` is asked, which every system
/// with a shell has.
fn free_space(data: &Path) -> Found {
    let part = "free space";
    let there = data.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let asked = Command::new("df").args(["-Pk", "--"]).arg(there).output();
    let free = asked.ok().and_then(|answer| {
        let text = String::from_utf8(answer.stdout).ok()?;
        text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    let Some(mebibytes) = free.map(|kibibytes| kibibytes / 1_024) else {
        let remedy = "look at the disk yourself".to_owned();
        return bad(part, Verdict::Unknown, "df does not say how much is free".to_owned(), remedy);
    };
    let text = format!("{mebibytes} MiB for {}", data.display());
    let remedy = "make room, or put the data folder on a larger disk: the gateway ends when it is full".to_owned();
    if mebibytes >= FREE_MEBIBYTES_WARNING {
        return good(part, &text);
    }
    let verdict = if mebibytes < FREE_MEBIBYTES_FAULT { Verdict::Fault } else { Verdict::Warning };
    bad(part, verdict, text, remedy)
}

/// Whether a gateway runs on this folder.
fn gateway(data: &Path, found: &mut Vec<Found>) -> bool {
    let part = "gateway";
    match control::ask(data, &Request::Status) {
        Ok(Ok(Response::Status(status))) => {
            let text = format!("runs as process {}, at event {}", status.process, status.seq);
            let unbalanced = "received messages are unaccounted for".to_owned();
            found.push(if status.ledger_balanced {
                good(part, &text)
            } else {
                bad(part, Verdict::Fault, unbalanced, "keep the data folder and report it".to_owned())
            });
            return true;
        }
        Ok(_) => found.push(bad(
            part,
            Verdict::Warning,
            "a gateway runs and does not say how it is".to_owned(),
            "use the same version of rettidig for both".to_owned(),
        )),
        Err(AskError::NobodyListens { .. }) => match holder(data) {
            Ok(None) => {
                found.push(good(part, "none runs on this data folder"));
                return false;
            }
            Ok(Some(holder)) => found.push(bad(
                part,
                Verdict::Fault,
                format!("the data folder is held by {holder}, which does not listen for commands"),
                "it may be starting, stopping or another command; look again, or stop it".to_owned(),
            )),
            Err(error) => {
                let remedy = "give this user the right to read it".to_owned();
                found.push(bad(part, Verdict::Unknown, format!("the lock cannot be read: {error}"), remedy));
            }
        },
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::new(error));
            found.push(bad(part, Verdict::Fault, text, "look into its log, or stop and start it".to_owned()));
        }
    }
    true
}

fn journal(folder: &Path, full: bool) -> Found {
    let part = "journal";
    if !folder.is_dir() {
        return good(part, "nothing has happened yet");
    }
    match if full { verify(folder, |_| {}) } else { verify_end(folder) } {
        Ok(verified) => {
            let how = if full { "every record checked" } else { "the last records checked; --full checks every one" };
            good(part, &format!("{} files up to event {}: {how}", verified.files, verified.last))
        }
        Err(JournalError::Empty { .. }) => good(part, "nothing has happened yet"),
        Err(error) => {
            let remedy = "do not start the gateway; restore the data folder from a backup".to_owned();
            bad(part, Verdict::Fault, format!("{:#}", anyhow::Error::new(error)), remedy)
        }
    }
}

/// Only with no gateway running: it would wait for the one that writes.
fn vault(folder: &Path) -> Found {
    let part = "vault";
    if !folder.join("vault.db").exists() {
        return good(part, "not there yet; `rettidig run` makes it with its key");
    }
    let opened =
        Vault::open(vault::Options::new(folder)).and_then(|vault| Ok((vault.accounts()?.len(), vault.clients().len())));
    match opened {
        Ok((0, _)) => good(part, "opens; no account yet, `rettidig run` shows the link that makes the first"),
        Ok((accounts, clients)) => good(part, &format!("opens; {accounts} accounts, {clients} clients")),
        Err(error) => {
            let remedy = "restore vault and key together from a backup".to_owned();
            bad(part, Verdict::Fault, format!("{:#}", anyhow::Error::new(error)), remedy)
        }
    }
}

fn ports(settings: &Settings, found: &mut Vec<Found>) {
    let endpoint = settings.endpoint.listen.iter().map(|address| ("endpoint", *address));
    for (section, address) in endpoint.chain([("http", settings.http.listen)]) {
        found.push(port(section, address));
    }
}

fn port(section: &str, address: SocketAddr) -> Found {
    let part = format!("port {section}");
    match TcpListener::bind(address) {
        Ok(_) => good(&part, &format!("{address} is free")),
        Err(error) => {
            let remedy = format!("stop whoever has it, or set another address as listen in [{section}]");
            bad(&part, Verdict::Fault, format!("{address}: {error}"), remedy)
        }
    }
}

fn history(settings: &Settings) -> Found {
    let part = "store";
    let data = &settings.data.folder;
    let place = stores::place(&settings.store, data);
    let looked =
        stores::open_to_read(&settings.store, data).and_then(|store| store.map(|store| store.state()).transpose());
    match looked {
        Ok(None) => good(part, &format!("{place}: not there yet; it is built from the journal")),
        Ok(Some(state)) => good(part, &format!("{place}: {}, tables of version {}", state.database, state.version)),
        Err(error) => {
            let remedy = match error {
                StoreError::Newer { .. } => "use the newer rettidig, or another store".to_owned(),
                StoreError::Away { .. } => {
                    "the gateway works without it; look at url and password in [store]".to_owned()
                }
                StoreError::Damaged { .. } => {
                    "start the gateway: it moves the file aside and makes history again from the journal".to_owned()
                }
                StoreError::Incomplete { .. } => {
                    "stop the gateway and run `rettidig store rebuild`: it makes the tables again".to_owned()
                }
                StoreError::Unusable(_) => "mend [store] in the settings".to_owned(),
                StoreError::Open { .. }
                | StoreError::Migrate(_)
                | StoreError::Busy(_)
                | StoreError::Database(_)
                | StoreError::Refused(_)
                | StoreError::Unstorable { .. }
                | StoreError::Cursor(_) => {
                    format!("stop the gateway and remove {place}: it is built again from the journal")
                }
            };
            bad(part, Verdict::Fault, format!("{:#}", anyhow::Error::new(error)), remedy)
        }
    }
}

fn brokers(settings: &Settings, found: &mut Vec<Found>) -> anyhow::Result<()> {
    if settings.brokers.is_empty() {
        return Ok(());
    }
    let runtime = runtime()?;
    for broker in &settings.brokers {
        let random = u64::from_le_bytes(random_bytes()?);
        let options = options::intake(settings, broker);
        let findings = runtime.block_on(check_broker(&options, Bounds::default(), random));
        found.extend(findings.into_iter().map(|finding| of(&format!("broker {}", broker.name), finding)));
    }
    Ok(())
}

fn of(part: &str, finding: crate::intake::Finding) -> Found {
    let part = format!("{part}: {}", finding.subject);
    Found { part, verdict: finding.verdict, text: finding.text, remedy: finding.remedy }
}

fn good(part: &str, text: &str) -> Found {
    Found { part: part.to_owned(), verdict: Verdict::Good, text: text.to_owned(), remedy: None }
}

fn bad(part: &str, verdict: Verdict, text: String, remedy: String) -> Found {
    Found { part: part.to_owned(), verdict, text, remedy: Some(remedy) }
}

/// A warning alone does not fail a script; a fault does.
fn tell(found: &[Found], json: bool) -> Outcome {
    let passed = found.iter().all(|found| found.verdict < Verdict::Fault);
    if json {
        let findings = found.iter().map(|found| {
            let Found { part, verdict, text, remedy } = found;
            serde_json::json!({ "part": part, "verdict": word(*verdict), "text": text, "remedy": remedy })
        });
        let report = serde_json::json!({ "version": 1, "passed": passed, "findings": findings.collect::<Vec<_>>() });
        say(&format!("{report:#}"));
    } else {
        for found in found {
            say(&format!("{:<8} {}: {}", word(found.verdict), found.part, found.text));
            if let Some(remedy) = &found.remedy {
                say(&format!("{:<8} → {remedy}", ""));
            }
        }
    }
    if passed {
        return Outcome::Done;
    }
    complain("there are faults to mend");
    Outcome::NotDone
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Unknown => "unknown",
        Verdict::Warning => "warning",
        Verdict::Fault => "fault",
    }
}
