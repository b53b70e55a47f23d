//! When the modelled crew comes: at the next service of the container's route, or a while after it was called.

use super::{Model, Policy};
use crate::domain::asset::Asset;
use crate::domain::calendar::{Calendars, Window};
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;

/// Services are looked for this far behind the last value.
const BEYOND: Span = Span::from_hours(24 * 60);
/// Without a route and without a word about it, a crew takes this long.
const RESPOND: Span = Span::from_hours(24);

pub(super) struct Crew {
    calendars: Calendars,
    with_service: bool,
    respond: Option<Span>,
}

impl Crew {
    pub fn of(policy: &Policy<'_>, model: &Model, (from, until): (Timestamp, Timestamp)) -> Self {
        let calendars = policy.calendars.expand(Window { from: from - BEYOND, until: until + BEYOND });
        Self { calendars, with_service: model.with_service, respond: model.respond }
    }

    #[cfg(test)]
    pub fn without_services(respond: Option<Span>) -> Self {
        Self { calendars: Calendars::default(), with_service: false, respond }
    }

    pub fn route(&self, asset: &Asset) -> Option<SmolStr> {
        self.calendars.route_of(asset).map(|route| route.name.clone())
    }

    /// When a crew that is called at `at` is there. Whoever is called at the very start of a round goes with it: from
    /// then on rules look ahead to the next one, and ask for those who must not wait for that.
    pub fn comes(&self, route: Option<&SmolStr>, at: Timestamp) -> Timestamp {
        let before = at + self.respond.unwrap_or(Span::ZERO) - Span::from_micros(1);
        let service = route.filter(|_| self.with_service).and_then(|route| self.calendars.next_service(route, before));
        service.unwrap_or_else(|| at + self.respond.unwrap_or(RESPOND))
    }

    /// When a plan that counts from `last` has it emptied after `every`.
    pub fn planned(&self, route: Option<&SmolStr>, last: Timestamp, every: Span) -> Timestamp {
        // A service that is due at this very moment counts, and one a little earlier because of the clock's change.
        let due = last + every;
        let about = due - Span::from_hours(2);
        route.and_then(|route| self.calendars.next_service(route, about.max(last))).unwrap_or(due)
    }
}
