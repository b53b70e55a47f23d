//! Events that abort the engine.
//!
//! A panic in the engine is our bug and stops the process: deciding on with a broken state would be worse. What
//! did it is written to `data/crash/` first. The sender, never acknowledged, repeats it after the restart; an
//! event that has aborted the engine twice is quarantined instead of decided, and the rest flows.

use crate::domain::cpr::holds_written_cpr_number;
use crate::domain::event::{Event, Quarantined};
use crate::domain::observation::{Observed, Value};
use crate::domain::reason::QuarantineReason;
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// So many aborts by the same event are enough.
pub const ABORTS_UNTIL_POISON: u32 = 2;
/// Bytes kept in the row.
const HEAD_BYTES: usize = 1_024;
const DETAIL: &str = "it aborted the engine twice; see data/crash";

#[derive(Debug, Default)]
pub struct Poison {
    folder: PathBuf,
    aborts: BTreeMap<String, u32>,
}

impl Poison {
    /// Reads what earlier processes left behind.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut aborts = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let Some((identity, _)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
            *aborts.entry(identity.to_owned()).or_default() += 1;
        }
        Ok(Self { folder: folder.to_owned(), aborts })
    }

    /// Whether this event has had its chances.
    #[must_use]
    pub fn is_poison(&self, event: &Event) -> bool {
        !self.aborts.is_empty()
            && self.aborts.get(&identity(event)).is_some_and(|aborts| *aborts >= ABORTS_UNTIL_POISON)
    }

    /// Leaves a note about the event that has just aborted the engine: its identity, and what it was without
    /// any measured value.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn note(&self, event: &Event, panic: &str) -> io::Result<PathBuf> {
        let identity = identity(event);
        let nth = self.aborts.get(&identity).copied().unwrap_or(0) + 1;
        let path = self.folder.join(format!("{identity}.{nth}"));
        fs::write(&path, format!("event: {}\npanic: {panic}\n", outline(event)))?;
        fs::File::open(&path)?.sync_all()?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(path)
    }

    /// A message that has had its chances, as the row a person can open: the canonical message that it stands for, as
    /// the device could send it again. Anything else is left as it is.
    pub fn row(event: Event) -> Event {
        let (ingress, received_at, device, topic, said) = match event {
            Event::Observed(observed) => {
                let (topic, said) = (format!("rettidig/v1/up/{}", observed.device), canonical(&observed));
                (observed.ingress, observed.received_at, Some(observed.device), topic, said)
            }
            Event::Replied(reply) => {
                let said = json!({ "task": reply.task.0, "answer": format!("{:?}", reply.answer) }).to_string();
                let topic = format!("rettidig/v1/crew/{}/replies", reply.crew);
                (reply.ingress, reply.received_at, None, topic, said)
            }
            Event::Quarantined(mut quarantined) => {
                quarantined.detail = format!("{DETAIL}, as it was set aside for {}", quarantined.reason).into();
                quarantined.reason = QuarantineReason::Poison;
                return Event::Quarantined(quarantined);
            }
            other @ (Event::Receipt(_)
            | Event::Commanded(_)
            | Event::Registered(_)
            | Event::Configured(_)
            | Event::Due(_)
            | Event::Started
            | Event::Released { .. }
            | Event::Erased { .. }
            | Event::Expanded { .. }) => return other,
        };
        let mut head = Bytes::from(said);
        let length = head.len() as u64;
        if holds_written_cpr_number(&head) {
            head.clear();
        }
        head.truncate(HEAD_BYTES);
        let (reason, detail) = (QuarantineReason::Poison, DETAIL.into());
        let topic = topic.into();
        Event::Quarantined(Quarantined { reason, detail, topic, device, ingress, received_at, head, length })
    }
}

/// Properties and values as a device says them.
fn canonical(observed: &Observed) -> String {
    let value = |value: &Value| match value {
        Value::Number(number) => json!(number.get()),
        Value::Boolean(boolean) => json!(boolean),
        Value::Text(text) => json!(text.as_str()),
    };
    let said =
        observed.observations.iter().map(|observation| (observation.property.to_string(), value(&observation.value)));
    serde_json::Value::Object(said.collect()).to_string()
}

/// The same for a repeated message, whatever connection it comes over.
fn identity(event: &Event) -> String {
    match event {
        Event::Observed(observed) => observed.ingress.content.to_string(),
        Event::Quarantined(quarantined) => quarantined.ingress.content.to_string(),
        Event::Replied(reply) => reply.ingress.content.to_string(),
        Event::Receipt(_)
        | Event::Commanded(_)
        | Event::Registered(_)
        | Event::Configured(_)
        | Event::Due(_)
        | Event::Started
        | Event::Released { .. }
        | Event::Erased { .. }
        | Event::Expanded { .. } => blake3::hash(format!("{event:?}").as_bytes()).to_hex().to_string(),
    }
}

fn outline(event: &Event) -> String {
    match event {
        Event::Observed(observed) => {
            let properties: Vec<_> = observed.observations.iter().map(|observation| &observation.property).collect();
            format!("observed by device {} {properties:?}", observed.device)
        }
        Event::Quarantined(quarantined) => format!("quarantined for {}", quarantined.reason),
        Event::Replied(reply) => format!("reply of crew {} to task {}: {:?}", reply.crew, reply.task, reply.answer),
        Event::Receipt(receipt) => format!("{receipt:?}"),
        Event::Commanded(command) => format!("{command:?}"),
        Event::Registered(changes) => format!("registered {} changes", changes.len()),
        Event::Configured(configuration) => format!("configured {}", configuration.version),
        Event::Due(deadline) => format!("{deadline:?}"),
        Event::Started => "started".to_owned(),
        Event::Released { through, .. } => format!("released through {through}"),
        Event::Erased { .. } => "erased".to_owned(),
        Event::Expanded { version, .. } => format!("calendars of {version} expanded"),
    }
}
