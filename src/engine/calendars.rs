//! The tables of the calendars in force: kept, looked up, and asked for anew well before they end.
//!
//! They come with the configuration, and once they near their end with an event of their own. The engine works out no
//! date and no time zone; what it can be asked is in `domain::calendar`.
//!
//! A rule that reads a shift or a service changes its answer at a moment without any message: the next boundary is what
//! its condition waits for. With other tables these moments are others, so every asset with such a rule is judged anew,
//! each by a deadline of its own.

use super::state::Engine;
use crate::domain::calendar::Calendars;
use crate::domain::event::{Deadline, DeadlineReason};
use crate::domain::ids::{AssetId, ConfigurationVersion};
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::time::{Span, Timestamp};

/// When nobody has expanded the tables, they are asked for again after this.
const ASK_AGAIN: Span = Span::from_hours(24);

impl Engine {
    /// The calendars in force; none before the first configuration.
    #[must_use]
    pub fn calendars(&self) -> Option<&Calendars> {
        self.configuration.as_deref().map(|configuration| &configuration.calendars)
    }

    /// When the route of this asset is served next, strictly after `after`.
    #[must_use]
    pub fn next_service(&self, asset: &AssetId, after: Timestamp) -> Option<Timestamp> {
        let calendars = self.calendars()?;
        calendars.next_service(&calendars.route_of(self.inventory.asset(asset)?)?.name, after)
    }

    /// Takes on tables for a later time, if they are of the configuration in force.
    pub(super) fn expand(&mut self, now: Timestamp, version: ConfigurationVersion, calendars: &Calendars) -> Verdict {
        let known = self.calendars().filter(|_| self.configuration_version() == Some(version));
        if known.is_some_and(|known| known.same_names(calendars)) && calendars.in_order() {
            self.adopt_calendars(now, calendars);
            Verdict::Accepted
        } else {
            Verdict::Refused(Refusal::InvalidConfiguration)
        }
    }

    pub(super) fn adopt_calendars(&mut self, now: Timestamp, calendars: &Calendars) {
        if let Some(configuration) = &mut self.configuration {
            configuration.calendars.clone_from(calendars);
        }
        let mut anew = Vec::new();
        for (seat, state) in self.inventory.assets.seated_mut() {
            anew.extend(state.judge_anew(seat, now, &self.rules, |rule| rule.turns() && rule.reads_calendars()));
        }
        self.timers.ask_all(anew);
        self.watch_calendars();
    }

    /// Waits for the moment when the tables must be expanded.
    pub(super) fn watch_calendars(&mut self) {
        if let Some(at) = self.calendars_due() {
            self.timers.set(Deadline { at, why: DeadlineReason::CalendarsEnd });
        }
    }

    pub(super) fn calendars_due(&self) -> Option<Timestamp> {
        self.calendars().filter(|calendars| !calendars.is_empty()).map(|calendars| calendars.renew_at)
    }

    /// The event that expands them follows; if it does not come, they are asked for again.
    pub(super) fn calendars_asked_for(&mut self, now: Timestamp) {
        if let Some(configuration) = self.configuration.as_mut().filter(|known| !known.calendars.is_empty()) {
            configuration.calendars.renew_at = now + ASK_AGAIN;
        }
        self.watch_calendars();
    }
}
