//! Comparisons: which types may meet, and what an attribute, whose type no file tells, is taken for.

use super::form::{Comparison, Condition, Number, Words};
use super::lower::{Typed, Walk};
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
        let same = match (left?, right?) {
            (Typed::Number(left), Typed::Number(right)) => {
                self.reachable(part, &left, &right)?;
                return Some(Condition::Compare(comparison, left, right));
            }
            (Typed::Number(left), Typed::Attribute(right)) => {
                return Some(Condition::Compare(comparison, left, Number::Attribute(right)));
            }
            (Typed::Attribute(left), Typed::Number(right)) => {
                return Some(Condition::Compare(comparison, Number::Attribute(left), right));
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

    /// A property compared with a number it can never reach is a slip, such as 80 for 0.8.
    fn reachable(&self, part: &IdedExpr, left: &Number, right: &Number) -> Option<()> {
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

impl Number {
    fn literal(&self) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Negate(inner) => inner.literal().map(|value| -value),
            Self::Slot(_) | Self::Attribute(_) | Self::Calculate(..) => None,
        }
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
