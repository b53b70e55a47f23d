//! Comparisons: which types may meet, and what an attribute, whose type no file tells, is taken for.

use super::call::Operation;
use super::form::{Comparison, Condition, Number, Words};
use super::lower::{Typed, Walk};
use super::unit::{Unit, convert, quantity};
use crate::domain::time::Span;
use cel::common::ast::{IdedExpr, operators};

impl Walk<'_, '_> {
    /// A comparison of two parts, if their types allow it.
    pub(super) fn compare(
        &mut self,
        part: &IdedExpr,
        comparison: Comparison,
        left_part: &IdedExpr,
        right_part: &IdedExpr,
    ) -> Option<Condition> {
        let (left, right) = (self.typed(left_part), self.typed(right_part));
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let (left, right) = (left?, right?);
        if equality && (left.passes() || right.passes()) {
            self.fault(
                self.parsed.span(part),
                format!("`{}` is true at one instant, if ever", self.parsed.source_of(part)),
                "a time that passes is compared with < <= > >=".to_owned(),
            );
            return None;
        }
        let same = match (left, right) {
            (Typed::Number(left, left_unit), Typed::Number(right, right_unit)) => {
                let (left, right) = (((left, left_unit), left_part), ((right, right_unit), right_part));
                let (_, left, right) = self.agree(part, left, right)?;
                self.reachable(part, &left, &right)?;
                return Some(Condition::Compare(comparison, left, right));
            }
            (Typed::Number(left, unit), Typed::Words(Words::Constant(text))) => {
                let right = self.quantity(&text, right_part, &unit, left_part)?;
                self.reachable(part, &left, &right)?;
                return Some(Condition::Compare(comparison, left, right));
            }
            (Typed::Words(Words::Constant(text)), Typed::Number(right, unit)) => {
                let left = self.quantity(&text, left_part, &unit, right_part)?;
                self.reachable(part, &left, &right)?;
                return Some(Condition::Compare(comparison, left, right));
            }
            (Typed::Number(left, unit), Typed::Attribute(right)) => {
                let right = ((Number::Attribute(right), Unit::Untold), right_part);
                let (_, left, right) = self.agree(part, ((left, unit), left_part), right)?;
                return Some(Condition::Compare(comparison, left, right));
            }
            (Typed::Attribute(left), Typed::Number(right, unit)) => {
                let left = ((Number::Attribute(left), Unit::Untold), left_part);
                let (_, left, right) = self.agree(part, left, ((right, unit), right_part))?;
                return Some(Condition::Compare(comparison, left, right));
            }
            (Typed::Attribute(left), Typed::Attribute(right)) if !equality => {
                return Some(Condition::Compare(comparison, Number::Attribute(left), Number::Attribute(right)));
            }
            (Typed::Condition(left), Typed::Condition(right)) if equality => Condition::Same(Box::new((left, right))),
            (Typed::Condition(left), Typed::Attribute(right)) if equality => {
                Condition::Same(Box::new((left, Condition::Attribute(right))))
            }
            (Typed::Attribute(left), Typed::Condition(right)) if equality => {
                Condition::Same(Box::new((Condition::Attribute(left), right)))
            }
            (Typed::Words(left), Typed::Words(right)) if equality => Condition::SameWords(left, right),
            (Typed::Words(left), Typed::Attribute(right)) if equality => {
                Condition::SameWords(left, Words::Attribute(right))
            }
            (Typed::Attribute(left), Typed::Words(right)) if equality => {
                Condition::SameWords(Words::Attribute(left), right)
            }
            (left, right) => {
                self.incomparable(part, (&left, left_part), (&right, right_part));
                return None;
            }
        };
        Some(if comparison == Comparison::Equal { same } else { Condition::Not(Box::new(same)) })
    }

    /// A number in quotes, in the unit of the other side.
    fn quantity(&self, text: &str, part: &IdedExpr, unit: &Unit, other: &IdedExpr) -> Option<Number> {
        let (other, span) = (self.parsed.source_of(other), self.parsed.span(part));
        let (message, suggestion) = match (unit, Span::parse(text), quantity(text)) {
            (Unit::Time, Ok(length), _) => return Some(Number::time(length)),
            (Unit::Of(code), Ok(length), _) if convert(1.0, "s", code).is_some() => {
                return convert(length.as_micros() as f64 / 1e6, "s", code).map(Number::Constant);
            }
            (Unit::Of(code), _, Some((number, from))) if convert(number, &from, code).is_some() => {
                return convert(number, &from, code).map(Number::Constant);
            }
            (Unit::Of(code), _, _) => (
                format!("`{other}` is in unit {code}, and \"{text}\" is not"),
                format!("write a number in unit {code}, with the unit in the quotes or without both"),
            ),
            (Unit::Time, Err(_), _) => (
                format!("`{other}` is a length of time, and \"{text}\" is none"),
                "write it as \"30s\", \"10m\", \"6h\", \"2d\" or \"1h30m\"".to_owned(),
            ),
            (Unit::Plain | Unit::Untold, _, _) => (
                format!("nobody says in which unit `{other}` is, and \"{text}\" is a text"),
                "compare it with a plain number".to_owned(),
            ),
        };
        self.fault(span, message, suggestion);
        None
    }

    /// A property compared with a number it can never reach is a slip, such as 80 for 0.8.
    fn reachable(&self, part: &IdedExpr, left: &Number, right: &Number) -> Option<()> {
        self.told_so_far(part, left, right)?;
        let ((Number::Slot(slot), other) | (other, Number::Slot(slot))) = (left, right) else { return Some(()) };
        let Some(constant) = other.literal() else { return Some(()) };
        let Some((name, meaning)) = self.lowering.properties.iter().nth(usize::from(*slot)) else { return Some(()) };
        let Some((low, high)) = meaning.range.filter(|(low, high)| constant < *low || constant > *high) else {
            return Some(());
        };
        let unit = if meaning.unit.is_empty() { String::new() } else { format!(" in unit {}", meaning.unit) };
        self.fault(
            self.parsed.span(part),
            format!("`{name}` is never {constant}"),
            format!("its values run from {low} to {high}{unit}"),
        );
        None
    }

    /// What lies further ahead than is told is never known to be nearer.
    fn told_so_far(&self, part: &IdedExpr, left: &Number, right: &Number) -> Option<()> {
        let ((Number::Call(place), other) | (other, Number::Call(place))) = (left, right) else { return Some(()) };
        let call = self.lowering.calls.get(usize::from(*place));
        let Some(Operation::Estimate(question)) = call.map(|call| &call.operation) else { return Some(()) };
        let told = question.about.told_ahead();
        let Some(most) = told.filter(|most| other.literal().is_some_and(|asked| asked > most.as_micros() as f64))
        else {
            return Some(());
        };
        let source = call.map_or("", |call| &*call.source);
        self.fault(
            self.parsed.span(part),
            format!("`{source}` is told {most} ahead, and not further"),
            format!("compare it with at most \"{most}\""),
        );
        None
    }

    fn incomparable(&self, part: &IdedExpr, left: (&Typed, &IdedExpr), right: (&Typed, &IdedExpr)) {
        let shown =
            |(typed, part): (&Typed, &IdedExpr)| format!("`{}` is {}", self.parsed.source_of(part), typed.describe());
        let suggestion = match (left.0, right.0) {
            (Typed::Attribute(_), Typed::Attribute(_)) => "compare an attribute with a property or a literal",
            (Typed::Condition(_), Typed::Condition(_)) | (Typed::Words(_), Typed::Words(_)) => {
                "only numbers have an order; use == or !="
            }
            _ => "compare values of the same type",
        };
        self.fault(
            self.parsed.span(part),
            format!("these cannot be compared: {}, {}", shown(left), shown(right)),
            suggestion.to_owned(),
        );
    }
}

pub(super) fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
