//! What the estimators of an asset answer to the questions of its rules, and when the answers change by time alone.
//!
//! An answer is worked out from the estimator as it is; asking changes nothing.

use super::estimators::{Container, Estimator, fill_settings};
use super::inventory::AssetState;
use crate::domain::asset::Asset;
use crate::domain::calendar::Calendars;
use crate::domain::time::{Span, Timestamp};
use crate::estimate::exposure::{self, LOOK_AHEAD, Zone};
use crate::estimate::fill::forecast::DAYS_MAX;
use crate::estimate::fill::{Horizon, Prior};
use crate::rules::{About, Ahead, Outcome, Quantity, Question, RuleSet, Truth};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const MICROS_PER_MINUTE: f64 = 60e6;
const MICROSECOND: Span = Span::from_micros(1);

/// The moment at which is asked, and what is known of time.
#[derive(Clone, Copy)]
struct Asked<'a> {
    asset: &'a Asset,
    calendars: Option<&'a Calendars>,
    now: Timestamp,
}

/// Every question of the rules for the asset's kind with its answer; none while the estimator has not begun.
pub(super) fn answers(
    state: &AssetState,
    rules: &RuleSet,
    calendars: Option<&Calendars>,
    now: Timestamp,
) -> Vec<(Question, Outcome)> {
    let mut all = Vec::new();
    answer(&mut all, state, rules, calendars, now);
    all
}

/// The same, added to a list.
pub(super) fn answer(
    answers: &mut Vec<(Question, Outcome)>,
    state: &AssetState,
    rules: &RuleSet,
    calendars: Option<&Calendars>,
    now: Timestamp,
) {
    let asked = Asked { asset: &state.asset, calendars, now };
    let known = rules.of_kind(&state.asset.kind);
    let questions = known.questions();
    for (followed, estimator) in known.followed().iter().zip(&state.estimators) {
        let about = questions.iter().filter(|question| question.followed == *followed);
        match (estimator, followed.quantity) {
            (Some(Estimator::Fill(container)), Quantity::Fill { full }) => {
                answers.extend(about.map(|question| (*question, asked.of_fill(container, full, question.about))));
            }
            (Some(Estimator::Exposure(body)), Quantity::Exposure) => {
                let Some(property) = known.layout().names().nth(usize::from(followed.slot)) else { continue };
                let settings = body.settings(&state.asset, property);
                answers.extend(about.map(|question| (*question, asked.of_zone(&body.zone, &settings, question.about))));
            }
            (None | Some(Estimator::Fill(_)), Quantity::Exposure)
            | (None | Some(Estimator::Exposure(_)), Quantity::Fill { .. }) => {}
        }
    }
}

impl Asked<'_> {
    fn of_fill(&self, container: &Container, full: f64, about: About) -> Outcome {
        match about {
            About::Overflow(ahead) => self.overflow(container, full, ahead).unwrap_or(Outcome::UNKNOWN),
            About::TimeToFull => self.time_to_full(container, full).unwrap_or(Outcome::UNKNOWN),
            About::SinceEmptied => self.since_emptied(container),
            About::Happened(happening) => Outcome::truth(Truth::from(container.found.has(happening))),
            About::Blocked => Outcome::truth(Truth::from(container.fill.blocked())),
            About::Exposure | About::TimeToLimit | About::Relief => Outcome::UNKNOWN,
        }
    }

    /// The horizon runs from the newest level on, because the container has gone on filling since. A length of time ends
    /// at the next full hour, so that the answer turns once an hour and not at every moment.
    fn overflow(&self, container: &Container, full: f64, ahead: Ahead) -> Option<Outcome> {
        let (settings, prior) = (fill_settings(full), Prior::default());
        let (end, turns_at) = match ahead {
            Ahead::For(span) => {
                let end = self.now + span;
                let end = end + Span::from_micros((-end.as_micros()).rem_euclid(HOUR));
                (end, end - span + MICROSECOND)
            }
            Ahead::NextService => {
                let calendars = self.calendars?;
                let service = calendars.next_service_of(calendars.route_of(self.asset)?, self.now)?;
                (service, service)
            }
        };
        let factors = container.fill.weekdays(&settings, &prior);
        let horizon = self.horizon(container.fill.observed_at?, end, &factors);
        let p = container.fill.p_overflow(horizon, &settings, &prior)?;
        Some(Outcome { rises: true, ..Outcome::number(p) }.turning(turns_at))
    }

    /// The days from one moment to another, each with the factor of its weekday; the last `DAYS_MAX` of them.
    fn horizon(&self, from: Timestamp, until: Timestamp, factors: &[f64; 7]) -> Horizon {
        let mut horizon = Horizon::default();
        let mut at = from.max(until - Span::from_micros(i64::from(DAYS_MAX) * DAY));
        while at < until {
            let (weekday, day_ends) = self.local_day(at);
            let end = day_ends.min(until);
            horizon.add(factors[weekday], end.since(at).as_micros() as f64 / DAY as f64);
            at = end;
        }
        horizon
    }

    /// The weekday (0 Monday) of a moment, and when its day ends; in UTC where no calendar knows.
    fn local_day(&self, at: Timestamp) -> (usize, Timestamp) {
        let known = self.calendars.and_then(|calendars| Some((calendars.weekday(at)?, calendars.next_day(at)?)));
        known.map_or_else(
            || {
                let day = at.as_micros().div_euclid(DAY);
                ((day + 3).rem_euclid(7) as usize, Timestamp::from_micros((day + 1) * DAY))
            },
            |(weekday, ends)| (weekday.place(), ends),
        )
    }

    /// The median. Further away than can be told, it is at least that far.
    fn time_to_full(&self, container: &Container, full: f64) -> Option<Outcome> {
        let (settings, prior) = (fill_settings(full), Prior::default());
        let measured_at = container.fill.observed_at?;
        container.fill.level()?;
        let (weekday, _) = self.local_day(measured_at);
        let told = container.fill.median_to_full(weekday as u8, |_| 1.0, &settings, &prior);
        let days = told.unwrap_or(f64::from(DAYS_MAX));
        let full_at = measured_at + Span::from_micros(libm::ceil(days * DAY as f64) as i64);
        let left = Outcome { at_least: told.is_none(), ..self.until(full_at) };
        Some(left)
    }

    fn since_emptied(&self, container: &Container) -> Outcome {
        let emptied_at = container.fill.cycle.emptied_at;
        let since = emptied_at.unwrap_or(container.watched_since);
        let micros = self.now.since(since).as_micros() as f64;
        Outcome { drift: 1.0, at_least: emptied_at.is_none(), ..Outcome::number(micros) }
    }

    fn of_zone(&self, zone: &Zone, settings: &exposure::Settings, about: About) -> Outcome {
        let course = zone.course(settings, self.now);
        let known = zone.at(settings, self.now);
        let outcome = match about {
            About::Exposure => Outcome {
                drift: course.weight / MICROS_PER_MINUTE,
                fades: course.fades_in.map_or(0.0, |minutes| 1.0 / (minutes * MICROS_PER_MINUTE)),
                ..Outcome::number(known.dose)
            },
            About::TimeToLimit => self.time_to_limit(zone, settings, &known, course.fades_in),
            About::Relief => {
                let since = zone.relieved_since.filter(|_| course.weight == 0.0);
                let micros = since.map_or(0, |since| self.now.since(since).as_micros());
                Outcome { drift: if since.is_some() { 1.0 } else { 0.0 }, ..Outcome::number(micros as f64) }
            }
            About::Overflow(_) | About::TimeToFull | About::SinceEmptied | About::Happened(_) | About::Blocked => {
                Outcome::UNKNOWN
            }
        };
        let turns_at = [course.until, outcome.turns_at].into_iter().flatten().min();
        Outcome { turns_at, ..outcome }
    }

    /// Nothing is told about a person that lies further ahead than the look-ahead.
    fn time_to_limit(
        &self,
        zone: &Zone,
        settings: &exposure::Settings,
        known: &exposure::Exposure,
        fades_in: Option<f64>,
    ) -> Outcome {
        match known.to_limit {
            Some(Span::ZERO) => {
                // It is due until the dose is below the limit again.
                let limit = settings.limit.min(settings.cap) - 2e-9;
                let fades = fades_in.filter(|_| known.dose > limit);
                let minutes = fades.map(|tau| tau * libm::log(known.dose / limit));
                let turns_at = minutes.map(|minutes| {
                    self.now + Span::from_micros((libm::ceil(minutes * MICROS_PER_MINUTE) as i64).max(1))
                });
                Outcome { turns_at, ..Outcome::number(0.0) }
            }
            Some(left) => self.until(self.now + left),
            None => {
                let mut then = *zone;
                then.advance(settings, self.now);
                let least = (LOOK_AHEAD + MICROSECOND).as_micros() as f64;
                Outcome { at_least: true, turns_at: then.next_stage(settings), ..Outcome::number(least) }
            }
        }
    }

    /// The time that is left until a moment, and nothing from there on.
    fn until(&self, at: Timestamp) -> Outcome {
        let left = at.since(self.now);
        if left <= Span::ZERO {
            return Outcome::number(0.0);
        }
        Outcome { drift: -1.0, ..Outcome::number(left.as_micros() as f64) }.turning(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_how_far_ahead_anything_is_told() {
        assert_eq!(About::TimeToLimit.told_ahead(), Some(LOOK_AHEAD));
        assert_eq!(About::TimeToFull.told_ahead(), Some(Span::from_micros(i64::from(DAYS_MAX) * DAY)));
    }
}
