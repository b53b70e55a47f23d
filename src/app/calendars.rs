//! The calendars of the configuration in force, as they are written, to expand them for a later time.
//!
//! The engine says when (`DeadlineReason::CalendarsEnd`); what is worked out here enters as the next event.

use super::assembly::Assembly;
use crate::config::WrittenCalendars;
use crate::domain::event::{Deadline, DeadlineReason, Event};
use crate::domain::ids::ConfigurationVersion;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Cheap to clone; a reload changes it for all.
#[derive(Clone)]
pub struct SharedCalendars(Arc<ArcSwap<Known>>);

struct Known {
    version: ConfigurationVersion,
    written: Arc<WrittenCalendars>,
}

impl SharedCalendars {
    #[must_use]
    pub fn new(assembly: &Assembly) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Known::of(assembly))))
    }

    /// What an event that was decided asks for: tables that reach further.
    #[must_use]
    pub fn follow(&self, now: Timestamp, event: &Event) -> Option<Event> {
        let Event::Due(Deadline { why: DeadlineReason::CalendarsEnd, .. }) = event else { return None };
        let known = self.0.load();
        Some(Event::Expanded { version: known.version, calendars: Box::new(known.written.around(now)) })
    }

    /// Those in force, as they are written.
    #[must_use]
    pub fn written(&self) -> Arc<WrittenCalendars> {
        Arc::clone(&self.0.load().written)
    }

    /// Takes on the calendars of another configuration.
    pub fn use_those_of(&self, assembly: &Assembly) {
        self.0.store(Arc::new(Known::of(assembly)));
    }
}

impl Known {
    fn of(assembly: &Assembly) -> Self {
        Self { version: assembly.configuration.version, written: Arc::clone(&assembly.calendars) }
    }
}

/// Whether the engine has this configuration, with the tables that this program would make of it for the same time: a
/// program with other time-zone data makes other ones.
#[must_use]
pub fn in_force(engine: &Engine, version: ConfigurationVersion, written: &WrittenCalendars) -> bool {
    engine.configuration_version() == Some(version)
        && engine.calendars().is_some_and(|known| {
            let again = written.expand(known.covers);
            again == crate::domain::calendar::Calendars { renew_at: again.renew_at, ..known.clone() }
        })
}
