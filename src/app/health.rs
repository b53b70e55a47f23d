//! Whether the gateway can do its work, part by part.

use super::handle::Handle;
use super::mandate::Notice;
use super::ways_in::{Links, WaysOut};
use crate::console::{self, HealthPart};
use crate::store::Progress;
use smol_str::SmolStr;
use std::sync::Arc;

pub(super) struct Health {
    pub handle: Handle,
    pub progress: Arc<Progress>,
    pub links: Links,
    pub brokers: Vec<SmolStr>,
    pub endpoint_wanted: bool,
    pub out: WaysOut,
    pub notice: Notice,
}

impl Health {
    pub fn now(&self) -> console::Health {
        let mut parts = vec![self.journal()];
        if self.endpoint_wanted {
            let open = self.out.endpoint().is_some();
            let detail = if open { "listening" } else { "not listening yet" };
            parts.push(part("endpoint", open, true, detail));
        }
        let links = self.links.all();
        for broker in &self.brokers {
            let state = links.get(broker).cloned().unwrap_or_else(|| Err("not connected yet".to_owned()));
            let detail = state.as_ref().err().map_or("connected", String::as_str);
            parts.push(part(&format!("broker/{broker}"), state.is_ok(), true, detail));
        }
        parts.push(self.store());
        if let Some(told) = self.notice.now() {
            parts.push(part("rules", true, false, &told));
        }
        console::Health { parts }
    }

    fn store(&self) -> HealthPart {
        let (failing, behind) = (self.progress.failing(), self.progress.behind());
        let detail = match (failing, self.progress.late()) {
            (true, _) => format!("store behind: {behind}; it does not take history, trying again"),
            (false, true) => format!("store behind: {behind}; catching up"),
            (false, false) => "taking history".to_owned(),
        };
        HealthPart { behind: Some(behind), ..part("store", !failing, false, &detail) }
    }

    fn journal(&self) -> HealthPart {
        let open = !self.handle.is_closed();
        part("journal", open, true, if open { "writing" } else { "the loop has ended" })
    }
}

fn part(name: &str, ready: bool, required: bool, detail: &str) -> HealthPart {
    HealthPart { name: name.to_owned(), ready, required, behind: None, detail: detail.to_owned() }
}
