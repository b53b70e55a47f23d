//! Which parts of a condition make it answer what it answers, and each of them in words.

use super::since::Since;
use super::value::Telling;
use crate::domain::time::Span;
use crate::rules::{Answer, Form, Part, Truth};

/// The parts that decide: of `a && b` that is false those that are false, of one that is true both.
pub(super) fn deciding(condition: &Part) -> Vec<&Part> {
    let mut found = Vec::new();
    collect(condition, &mut found);
    let stricter = |part: &&Part| found.iter().any(|other| stricter(other, part));
    found.iter().copied().filter(|part| !stricter(part)).collect()
}

/// Whether both ask for the same estimate, and this one allows less: the other one says nothing more.
fn stricter(this: &Part, other: &Part) -> bool {
    let limit = |part: &Part| match (&part.form, part.parts.as_slice()) {
        (Form::Compare(">="), [shown, Part { answer: Answer::Number(limit), .. }]) => {
            matches!(shown.form, Form::Estimate(_)).then(|| (shown.source.clone(), *limit))
        }
        _ => None,
    };
    limit(this).zip(limit(other)).is_some_and(|((this, less), (other, more))| this == other && less < more)
}

/// Whether the asset's attributes, or that it has none, leave this to other assets.
fn of_others(part: &Part) -> bool {
    let attributes_alone = |part: &Part| {
        let mut alone = true;
        part.walk(&mut |inner| {
            alone &=
                matches!(inner.form, Form::Attribute(_) | Form::Constant | Form::Same | Form::Compare(_) | Form::Any);
        });
        alone
    };
    part.form == Form::All && part.parts.iter().any(|inner| inner.truth() != Truth::True && attributes_alone(inner))
}

fn collect<'a>(part: &'a Part, found: &mut Vec<&'a Part>) {
    let truth = part.truth();
    let like = |inner: &&Part| inner.truth() == truth;
    match (&part.form, truth) {
        (Form::Any, Truth::False) if !part.parts.iter().all(of_others) => {
            part.parts.iter().filter(|part| !of_others(part)).for_each(|part| collect(part, found));
        }
        (Form::All, Truth::True) | (Form::Any, Truth::False) => part.parts.iter().for_each(|part| collect(part, found)),
        (Form::All, Truth::False | Truth::Unknown) | (Form::Any, Truth::True | Truth::Unknown) => {
            part.parts.iter().filter(like).for_each(|part| collect(part, found));
        }
        (Form::Not, _) => part.parts.iter().for_each(|part| collect(part, found)),
        (Form::Held(_), Truth::False | Truth::Unknown) if part.parts.iter().any(|inner| inner.truth() == truth) => {
            part.parts.iter().for_each(|part| collect(part, found));
        }
        (
            Form::Held(_)
            | Form::Compare(_)
            | Form::Same
            | Form::Property(..)
            | Form::Attribute(_)
            | Form::Constant
            | Form::Calculation
            | Form::Silent
            | Form::Estimate(_)
            | Form::Call,
            _,
        ) => found.push(part),
    }
}

impl Telling<'_> {
    /// Why the condition answers what it answers: `fill was 62 % (< 80 %) from 14:02`.
    #[must_use]
    pub fn reasons(&self, condition: &Part, since: &Since) -> String {
        let parts = deciding(condition);
        let mut told: Vec<String> = self.fill_of(&parts).into_iter().collect();
        told.extend(parts.into_iter().map(|part| self.reason(part, since)));
        told.join(&self.words(" and ", " og "))
    }

    fn reason(&self, part: &Part, since: &Since) -> String {
        let truth = part.truth();
        let from = since.of(part).map_or_else(String::new, |(at, seen)| self.from(at, seen));
        match (&part.form, part.parts.as_slice()) {
            (_, _) if truth == Truth::Unknown => self.unknown(part),
            (Form::Compare(sign), [left, right]) => {
                let constant_first = matches!(left.form, Form::Constant);
                let (shown, sign, other) =
                    if constant_first { (right, mirrored(sign), left) } else { (left, *sign, right) };
                let sign = if truth == Truth::True { sign } else { opposite(sign) };
                if let Some(told) = self.estimated(shown, sign, other) {
                    return format!("{told}{from}");
                }
                let (value, limit) = (self.answer(shown), self.limit(other));
                self.words(
                    format!("{} was {value} ({sign} {limit}){from}", shown.source),
                    format!("{} var {value} ({sign} {limit}){from}", shown.source),
                )
            }
            (Form::Held(wait_for), [inner]) => self.waiting(part, *wait_for, inner),
            (Form::Silent, _) if truth == Truth::True => {
                self.words(format!("the sensor was silent{from}"), format!("sensoren var tavs{from}"))
            }
            (Form::Silent, _) => self.words("the sensor was not silent", "sensoren var ikke tavs"),
            (Form::Estimate(about), _) if let Some(told) = self.found(*about, truth) => format!("{told}{from}"),
            _ => {
                let answer = self.truth(truth);
                self.words(format!("{} was {answer}{from}", part.source), format!("{} var {answer}{from}", part.source))
            }
        }
    }

    /// A condition with a waiting time that is over, or still runs.
    fn waiting(&self, part: &Part, wait_for: Span, inner: &Part) -> String {
        let begun = part.begun_at.map_or_else(|| self.words("now", "nu"), |at| self.moment(at));
        match (part.truth(), part.turns_at) {
            (Truth::False, Some(at)) => {
                let at = self.moment(at);
                self.words(
                    format!("{} was true only since {begun} and must be for {wait_for}, until {at}", inner.source),
                    format!(
                        "{} havde kun været sand siden {begun} og skal være det i {wait_for}, til {at}",
                        inner.source
                    ),
                )
            }
            (Truth::True | Truth::False | Truth::Unknown, _) => self.words(
                format!("{} was true for {wait_for}, since {begun}", inner.source),
                format!("{} havde været sand i {wait_for}, siden {begun}", inner.source),
            ),
        }
    }

    /// Why a part is neither true nor false: what it reads and nobody knows.
    fn unknown(&self, part: &Part) -> String {
        let mut missing: Vec<String> = Vec::new();
        part.walk(&mut |inner| {
            let told = if let Form::Property(name, None) = &inner.form {
                self.words(format!("{name} was never measured"), format!("{name} var aldrig målt"))
            } else if let Form::Attribute(name) = &inner.form
                && (inner.answer == Answer::Unknown || inner.answer == UNKNOWN)
            {
                self.words(
                    format!("the asset had no usable attribute `{name}`"),
                    format!("aktivet havde ingen brugbar attribut `{name}`"),
                )
            } else {
                return;
            };
            if !missing.contains(&told) {
                missing.push(told);
            }
        });
        if missing.is_empty() {
            return self.words(format!("{} was not known", part.source), format!("{} var ikke kendt", part.source));
        }
        missing.join(&self.words(" and ", " og "))
    }

    /// What a value was compared with: a number as such, anything else with its name.
    pub(super) fn limit(&self, part: &Part) -> String {
        let value = self.answer(part);
        if matches!(part.form, Form::Constant) { value } else { format!("{}, {value}", part.source) }
    }

    fn from(&self, at: crate::domain::time::Timestamp, seen: bool) -> String {
        let at = self.moment(at);
        if seen {
            self.words(format!(" from {at}"), format!(" fra {at}"))
        } else {
            self.words(format!(" from {at} or before"), format!(" fra {at} eller før"))
        }
    }
}

const UNKNOWN: Answer = Answer::Truth(Truth::Unknown);

fn opposite(sign: &str) -> &'static str {
    match sign {
        "<" => ">=",
        "<=" => ">",
        ">" => "<=",
        ">=" => "<",
        "==" => "!=",
        _ => "==",
    }
}

/// With its sides changed.
fn mirrored(sign: &'static str) -> &'static str {
    match sign {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}
