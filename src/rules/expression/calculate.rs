//! Arithmetic: what the result is measured in, and which numbers may meet at all.

use super::form::{Arithmetic, Number};
use super::lower::{Typed, Walk};
use super::unit::{Unit, convert};
use crate::domain::time::Span;
use cel::common::ast::{IdedExpr, operators};

/// Attributes that stand for a length of time hold seconds.
const MICROS_PER_SECOND: f64 = 1e6;

impl Walk<'_, '_> {
    pub(super) fn calculate(
        &mut self,
        part: &IdedExpr,
        arithmetic: Arithmetic,
        left_part: &IdedExpr,
        right_part: &IdedExpr,
    ) -> Option<Typed> {
        let (left, right) = (self.number(left_part), self.number(right_part));
        let ((left, left_unit), (right, right_unit)) = (left?, right?);
        let (unit, left, right) = match arithmetic {
            Arithmetic::Add | Arithmetic::Subtract => {
                self.agree(part, ((left, left_unit), left_part), ((right, right_unit), right_part))?
            }
            Arithmetic::Multiply => (self.sense(part, left_unit.times(right_unit))?, left, right),
            Arithmetic::Divide => (self.sense(part, left_unit.over(right_unit))?, left, right),
        };
        Some(Typed::Number(Number::Calculate(arithmetic, Box::new((left, right))), unit))
    }

    /// Two numbers that are compared or added: in which unit, and how each is read in it.
    pub(super) fn agree(
        &self,
        part: &IdedExpr,
        left: ((Number, Unit), &IdedExpr),
        right: ((Number, Unit), &IdedExpr),
    ) -> Option<(Unit, Number, Number)> {
        let (((left, left_unit), left_part), ((right, right_unit), right_part)) = (left, right);
        match (left_unit, right_unit) {
            (Unit::Time, Unit::Untold) => Some((Unit::Time, left, in_micros(right))),
            (Unit::Untold, Unit::Time) => Some((Unit::Time, in_micros(left), right)),
            (Unit::Time, Unit::Plain) => self.bare_time(left_part, right_part),
            (Unit::Plain, Unit::Time) => self.bare_time(right_part, left_part),
            (unit, Unit::Plain | Unit::Untold) | (Unit::Plain | Unit::Untold, unit) => Some((unit, left, right)),
            (left_unit, right_unit) if left_unit == right_unit => Some((left_unit, left, right)),
            (left_unit, right_unit) => {
                let converted = match (&left_unit, &right_unit) {
                    (Unit::Of(from), Unit::Of(to)) => match (left.literal(), right.literal()) {
                        (Some(number), None) => convert(number, from, to)
                            .map(|number| (right_unit.clone(), Number::Constant(number), right.clone())),
                        (_, Some(number)) => convert(number, to, from)
                            .map(|number| (left_unit.clone(), left.clone(), Number::Constant(number))),
                        (None, None) => None,
                    },
                    _ => None,
                };
                if converted.is_none() {
                    self.disagree(part, (&left_unit, left_part), (&right_unit, right_part));
                }
                converted
            }
        }
    }

    fn sense(&self, part: &IdedExpr, unit: Option<Unit>) -> Option<Unit> {
        if unit.is_none() {
            self.fault(
                self.parsed.span(part),
                format!("`{}` has no unit that makes sense", self.parsed.source_of(part)),
                "a length of time is only added to another, and multiplied or divided by a plain number".to_owned(),
            );
        }
        unit
    }

    fn bare_time<T>(&self, time: &IdedExpr, number: &IdedExpr) -> Option<T> {
        let (time, source) = (self.parsed.source_of(time), self.parsed.source_of(number));
        self.fault(
            self.parsed.span(number),
            format!("`{time}` is a length of time, and `{source}` does not say of what"),
            "write it as a text with its unit, such as \"12h\"".to_owned(),
        );
        None
    }

    fn disagree(&self, part: &IdedExpr, left: (&Unit, &IdedExpr), right: (&Unit, &IdedExpr)) {
        let shown = |(unit, part): (&Unit, &IdedExpr)| format!("`{}` is {}", self.parsed.source_of(part), unit.shown());
        self.fault(
            self.parsed.span(part),
            format!("these do not measure the same: {}, {}", shown(left), shown(right)),
            "compare and add numbers of one unit; a plain number takes the unit of the other side".to_owned(),
        );
    }
}

impl Number {
    pub(super) const fn time(span: Span) -> Self {
        Self::Constant(span.as_micros() as f64)
    }

    pub(super) fn literal(&self) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Negate(inner) => inner.literal().map(|value| -value),
            Self::Slot(_) | Self::Attribute(_) | Self::Call(_) | Self::Calculate(..) => None,
        }
    }
}

fn in_micros(seconds: Number) -> Number {
    Number::Calculate(Arithmetic::Multiply, Box::new((seconds, Number::Constant(MICROS_PER_SECOND))))
}

pub(super) fn arithmetic(operator: &str) -> Option<Arithmetic> {
    Some(match operator {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        _ => return None,
    })
}
