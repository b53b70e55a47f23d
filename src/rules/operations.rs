//! What each function works out at one moment, and what it remembers for the next.
//!
//! A call is worked out once at every moment its rule is judged: when a message about the asset comes in, and at the
//! deadlines it asks for itself. What is measured is fed by the message that brings it, and by nothing else. Windows are
//! in the time of the values: they end at the newest of them.

use super::evaluate::Moment;
use super::expression::{Aggregate, Asked, Call, Condition, Number, Operation};
use super::memory::{fingerprint, moment, number, word_of, word_of_number};
use super::outcome::Outcome;
use super::panes::Panes;
use super::question::Question;
use super::truth::Truth;
use crate::domain::observation::Value;
use crate::domain::time::{Span, Timestamp};

const MICROS_PER_HOUR: f64 = 3.6e9;

impl<'a> Moment<'a, '_> {
    /// The answer of `call`, whose words of memory these are.
    pub fn work_out(&mut self, call: &'a Call, words: &mut [u64]) -> Outcome {
        match &call.operation {
            Operation::Silent => Outcome::truth(Truth::from(self.inputs.silent)),
            Operation::InShift { shift } => self.in_shift(*shift),
            Operation::NextService => self.next_service(),
            Operation::Held { condition, wait_for } => self.held(call, condition, *wait_for, words),
            Operation::Count { condition, window } => self.count(call, condition, *window, words),
            Operation::Window { aggregate: Aggregate::Average, number, window } => {
                self.average(call, number, *window, words)
            }
            Operation::Window { aggregate: Aggregate::Least, number, window } => {
                self.extreme(call, number, *window, words, f64::min)
            }
            Operation::Window { aggregate: Aggregate::Greatest, number, window } => {
                self.extreme(call, number, *window, words, f64::max)
            }
            Operation::Rate { number, window } => self.rate(call, number, *window, words),
            Operation::Delta { number } => self.delta(call, number, words),
            Operation::Changed { slot } => self.changed(call, *slot, words),
            Operation::Age { slot } => self.age(*slot),
            Operation::Then { first, second, within } => self.then(call, (first, second), *within, words),
            Operation::Estimate(question) => self.estimate(question),
        }
    }

    /// Whether the shift is on; unknown outside the time that the tables cover. Remembers nothing. Exact.
    fn in_shift(&self, shift: u16) -> Outcome {
        let (Some(calendars), now) = (self.inputs.calendars, self.inputs.now) else { return Outcome::UNKNOWN };
        let on = calendars.in_shift_at(shift.into(), now);
        let outcome = on.map_or(Outcome::UNKNOWN, |on| Outcome::truth(Truth::from(on)));
        let turn = calendars.next_boundary_at(shift.into(), now);
        turn.map_or(outcome, |turn| outcome.turning(turn.at))
    }

    /// How long until the asset's route is served; unknown without a route, and when no service is known to come.
    /// Remembers nothing. Exact.
    fn next_service(&self) -> Outcome {
        let (now, asset) = (self.inputs.now, self.inputs.asset);
        let route = self.inputs.calendars.and_then(|calendars| Some((calendars, calendars.route_of(asset)?)));
        let next = route.and_then(|(calendars, route)| calendars.next_service_of(route, now));
        next.map_or(Outcome::UNKNOWN, |at| {
            Outcome { drift: -1.0, ..Outcome::number(at.since(now).as_micros() as f64) }.turning(at)
        })
    }

    /// What the estimator answers; unknown where there is none yet. Remembers nothing: the estimator does.
    fn estimate(&self, question: &Question) -> Outcome {
        let answer = self.inputs.estimates.iter().find(|(asked, _)| asked == question);
        answer.map_or(Outcome::UNKNOWN, |(_, outcome)| *outcome)
    }

    /// True once the condition has been true for `wait_for`: either the values themselves span that time, however late
    /// they came in, or that time has passed here since we learned of it and nothing contradicted.
    ///
    /// Remembers since when, as observed and as received: 16 bytes. Exact.
    fn held(&mut self, call: &Call, condition: &'a Condition, wait_for: Span, words: &mut [u64]) -> Outcome {
        let truth = self.thoroughly(|moment| moment.truth(condition));
        let [observed, received] = words else { return Outcome::UNKNOWN };
        if truth != Truth::True {
            (*observed, *received) = (0, 0);
            return Outcome::truth(truth);
        }
        let newest = self.newest(&call.reads);
        let now = self.inputs.now;
        if moment(*received).is_none() {
            // Where it asks a call, it may have turned long after the newest value: it is true from here on, by the
            // value's time. Values alone have said so since the newest.
            let passed = |received_at| if call.asks { now.since(received_at) } else { Span::ZERO };
            let since = newest.map(|(observed_at, received_at)| observed_at + passed(received_at));
            (*observed, *received) = (since.map_or(0, word_of), word_of(now));
        }
        let newest = newest.map(|(observed_at, _)| observed_at);
        let shown = newest.zip(moment(*observed)).is_some_and(|(newest, since)| newest.since(since) >= wait_for);
        let ripe_at = moment(*received).unwrap_or(now) + wait_for;
        if shown || now >= ripe_at {
            return Outcome::truth(Truth::True);
        }
        Outcome::truth(Truth::False).turning(ripe_at)
    }

    /// How many measurements in the window found the condition true. The window moves on with the time that passes
    /// since the newest measurement. Until it has been watched for its whole length, the count is the least it can be.
    ///
    /// Remembers a number for each of nine panes, and since when it watches: 88 bytes. The window reaches back at least
    /// its length, and less than an eighth more.
    fn count(&mut self, call: &'a Call, condition: &'a Condition, window: Span, words: &mut [u64]) -> Outcome {
        let Some((began, ring)) = words.split_first_mut() else { return Outcome::UNKNOWN };
        let Some(mut panes) = Panes::<1>::of(ring, window) else { return Outcome::UNKNOWN };
        self.measurements(call, |moment_of, at| {
            if moment(*began).is_none_or(|known| at < known) {
                *began = word_of(at);
            }
            if moment_of.truth(condition) == Truth::True
                && let Some([count]) = panes.at(at)
            {
                *count += 1;
            }
        });
        let Some((observed_at, received_at)) = self.newest(&call.reads) else { return Outcome::UNKNOWN };
        let Some(began) = moment(*began) else { return Outcome::UNKNOWN };
        let now = self.inputs.now;
        let end = observed_at + now.since(received_at);
        let (mut count, mut left_at) = (0, None);
        for (leaves, [found]) in panes.until(end) {
            count += found;
            left_at = left_at.or((*found > 0).then_some(leaves));
        }
        let watched_at = Some(began + window).filter(|at| *at > end);
        let turn = [left_at, watched_at].into_iter().flatten().min();
        Outcome {
            at_least: watched_at.is_some(),
            falls: true,
            turns_at: turn.map(|turn| now + turn.since(end)),
            ..Outcome::number(count as f64)
        }
    }

    /// The mean of what was measured in the window that ends at the newest measurement; unknown when nothing was for
    /// as long as the window is.
    ///
    /// Remembers sum and number for each of nine panes: 152 bytes. The window reaches back at least its length, and
    /// less than an eighth more.
    fn average(&mut self, call: &'a Call, value: &'a Number, window: Span, words: &mut [u64]) -> Outcome {
        let Some(mut panes) = Panes::<2>::of(words, window) else { return Outcome::UNKNOWN };
        self.measurements(call, |moment_of, at| {
            if let Some(value) = moment_of.still(value)
                && let Some([sum, count]) = panes.at(at)
            {
                *sum = word_of_number(number(*sum).unwrap_or_default() + value);
                *count += 1;
            }
        });
        self.within(call, window, |end| {
            let (mut sum, mut count) = (0.0, 0);
            for (_, [part, parts]) in panes.until(end) {
                sum += number(*part).unwrap_or_default();
                count += parts;
            }
            (count > 0).then(|| sum / count as f64)
        })
    }

    /// The least or the greatest of what was measured in the window that ends at the newest measurement; unknown when
    /// nothing was for as long as the window is.
    ///
    /// Remembers one number for each of nine panes: 80 bytes. The window reaches back at least its length, and less
    /// than an eighth more.
    fn extreme(
        &mut self,
        call: &'a Call,
        value: &'a Number,
        window: Span,
        words: &mut [u64],
        of: fn(f64, f64) -> f64,
    ) -> Outcome {
        let Some(mut panes) = Panes::<1>::of(words, window) else { return Outcome::UNKNOWN };
        let further = |known: Option<f64>, value: f64| known.map_or(value, |known| of(known, value));
        self.measurements(call, |moment_of, at| {
            if let Some(value) = moment_of.still(value)
                && let Some([known]) = panes.at(at)
            {
                *known = word_of_number(further(number(*known), value));
            }
        });
        self.within(call, window, |end| {
            let found = panes.until(end).filter_map(|(_, [known])| number(*known));
            found.fold(None, |known, value| Some(further(known, value)))
        })
    }

    /// The change an hour from the first to the last measurement in the window that ends at the newest; unknown until
    /// the two span half the window, and when nothing was measured for as long as the window is.
    ///
    /// Remembers the first measurement of each of nine panes, and the last: 168 bytes. The window reaches back at least
    /// its length, and less than an eighth more.
    fn rate(&mut self, call: &'a Call, value: &'a Number, window: Span, words: &mut [u64]) -> Outcome {
        let [last_at, last, ring @ ..] = words else { return Outcome::UNKNOWN };
        let Some(mut panes) = Panes::<2>::of(ring, window) else { return Outcome::UNKNOWN };
        self.measurements(call, |moment_of, at| {
            let Some(value) = moment_of.still(value) else { return };
            if let Some([first_at, first]) = panes.at(at)
                && moment(*first_at).is_none_or(|known| at < known)
            {
                (*first_at, *first) = (word_of(at), word_of_number(value));
            }
            if moment(*last_at).is_none_or(|known| at >= known) {
                (*last_at, *last) = (word_of(at), word_of_number(value));
            }
        });
        let last = moment(*last_at).zip(number(*last));
        self.within(call, window, |end| {
            let (last_at, last) = last?;
            let first = panes.until(end).find_map(|(_, [at, value])| moment(*at).zip(number(*value)));
            let (first_at, first) = first?;
            let span = last_at.since(first_at);
            let long_enough = span > Span::ZERO && span.times(2) >= window;
            long_enough.then(|| (last - first) * MICROS_PER_HOUR / span.as_micros() as f64)
        })
    }

    /// The newest measurement less the one before it, in the order of their time.
    ///
    /// Remembers the newest, its time and the difference: 24 bytes. Exact.
    fn delta(&mut self, call: &'a Call, value: &'a Number, words: &mut [u64]) -> Outcome {
        let [at, last, delta] = words else { return Outcome::UNKNOWN };
        self.measurements(call, |moment_of, measured_at| {
            if moment(*at).is_none_or(|known| measured_at >= known)
                && let Some(value) = moment_of.still(value)
            {
                *delta = number(*last).map_or(0, |last| word_of_number(value - last));
                (*at, *last) = (word_of(measured_at), word_of_number(value));
            }
        });
        number(*delta).map_or(Outcome::UNKNOWN, Outcome::number)
    }

    /// Whether the newest measurement is another value than the one before it, in the order of their time.
    ///
    /// Remembers the newest, its time and the answer: 24 bytes. Exact but for texts, which are told apart by 64 bits.
    fn changed(&mut self, call: &'a Call, slot: u16, words: &mut [u64]) -> Outcome {
        const FALSE: u64 = 1;
        const TRUE: u64 = 2;
        let [at, last, changed] = words else { return Outcome::UNKNOWN };
        self.measurements(call, |moment_of, measured_at| {
            if let Some(known) = moment(*at).map_or(Some(None), |known| (measured_at >= known).then_some(Some(*last)))
                && let Some(value) = moment_of.sample(slot)
            {
                let mark = mark_of(&value.value);
                *changed = known.map_or(0, |known| if known == mark { FALSE } else { TRUE });
                (*at, *last) = (word_of(measured_at), mark);
            }
        });
        match *changed {
            0 => Outcome::UNKNOWN,
            found => Outcome::truth(Truth::from(found == TRUE)),
        }
    }

    /// How long ago the newest value was measured. Remembers nothing. Exact.
    fn age(&self, slot: u16) -> Outcome {
        let age = self.sample(slot).map(|sample| self.inputs.now.since(sample.observed_at));
        age.map_or(Outcome::UNKNOWN, |age| Outcome { drift: 1.0, ..Outcome::number(age.as_micros() as f64) })
    }

    /// True when a measurement finds the second condition true at most `within` after one found the first true: until
    /// the next measurement that either reads, and no longer than `within`.
    ///
    /// Remembers when the first was last found true, and when the sequence was found: 16 bytes. Exact.
    fn then(
        &mut self,
        call: &'a Call,
        (first, second): (&'a Asked, &'a Asked),
        within: Span,
        words: &mut [u64],
    ) -> Outcome {
        let [first_at, found_at] = words else { return Outcome::UNKNOWN };
        if self.brought(&call.reads) {
            let a = self.found(first);
            let b = self.found(second);
            let before = [moment(*first_at), a.filter(|a| b.is_some_and(|b| *a < b))].into_iter().flatten().max();
            let follows = b.filter(|b| before.is_some_and(|a| a <= *b && b.since(a) <= within));
            *found_at = follows.map_or(0, word_of);
            *first_at = moment(*first_at).max(a).map_or(0, word_of);
        }
        let Some((observed_at, received_at)) = self.newest(&call.reads) else { return Outcome::UNKNOWN };
        let now = self.inputs.now;
        let over_at = moment(*found_at).map(|found| found + within);
        let end = observed_at + now.since(received_at);
        match over_at.filter(|over| end < *over) {
            Some(over) => Outcome::truth(Truth::True).turning(now + over.since(end)),
            None => Outcome::truth(Truth::False),
        }
    }

    /// When the message has measured what the condition reads and found it true.
    fn found(&mut self, (condition, reads): &'a Asked) -> Option<Timestamp> {
        let truth = self.quietly(|moment| moment.truth(condition));
        let (observed_at, _) = self.newest(reads).filter(|_| self.brought(reads))?;
        (truth == Truth::True).then_some(observed_at)
    }

    /// Hands over each measurement that the message has brought: where the call reads one value only, also those that
    /// are not the newest.
    fn measurements(&mut self, call: &'a Call, mut take: impl FnMut(&mut Self, Timestamp)) {
        self.quietly(|moment| {
            for (slot, sample) in moment.inputs.earlier.iter().filter(|(slot, _)| call.only == Some(*slot)) {
                moment.instead = Some((*slot, sample));
                take(moment, sample.observed_at);
            }
            moment.instead = None;
            if moment.brought(&call.reads)
                && let Some((observed_at, _)) = moment.newest(&call.reads)
            {
                take(moment, observed_at);
            }
        });
    }

    /// An answer about the window that ends at the newest measurement, as long as that is not a whole window ago.
    fn within(&self, call: &Call, window: Span, answer: impl Fn(Timestamp) -> Option<f64>) -> Outcome {
        let Some((observed_at, received_at)) = self.newest(&call.reads) else { return Outcome::UNKNOWN };
        let stale_at = received_at + window;
        match answer(observed_at).filter(|value| value.is_finite() && self.inputs.now < stale_at) {
            Some(value) => Outcome { loses: true, ..Outcome::number(value) }.turning(stale_at),
            None => Outcome::UNKNOWN,
        }
    }

    /// Whether the message brought the newest of one of these values.
    fn brought(&self, slots: &[u16]) -> bool {
        self.inputs.fresh.iter().any(|slot| slots.contains(slot))
    }

    /// When the newest of these values was observed, and when it arrived.
    fn newest(&self, slots: &[u16]) -> Option<(Timestamp, Timestamp)> {
        let samples = slots.iter().filter_map(|slot| self.sample(*slot));
        samples.map(|sample| (sample.observed_at, sample.received_at)).max()
    }
}

/// A number by which a value is known again.
fn mark_of(value: &Value) -> u64 {
    match value {
        Value::Boolean(value) => u64::from(*value),
        Value::Number(number) => (number.get() + 0.0).to_bits(),
        Value::Text(text) => fingerprint(text),
    }
}
