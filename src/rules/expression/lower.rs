//! From syntax tree to typed form: names become slots, every part gets a type, everything unknown is a fault.
//!
//! Lowering goes on after a fault, so that one condition reports all of them. Start with `lower`.

use super::calculate::arithmetic;
use super::call::Call;
use super::compare::comparison;
use super::form::{Condition, Number, Words};
use super::functions;
use super::parse::{Parsed, parse};
use super::unit::{self, Unit};
use crate::domain::asset::PropertyKind;
use crate::domain::fault::suggest_known;
use crate::domain::ids::{AssetKind, PropertyName};
use crate::domain::time::Span;
use crate::domain::toml_reader::Text;
use crate::rules::vocabulary::{Meaning, Vocabulary};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) const SUPPORTED: &str = "a condition is made of property names, asset.<attribute>, numbers, \"texts\", true, \
     false, && || ! == != < <= > >= + - * / and brackets, quantities such as \"20 °C\", and calls such as \
     held(condition, \"10m\")";

/// Whole numbers up to here are exact as floating point.
const EXACT_WHOLE_MAX: i64 = 1 << 53;

/// What the conditions of one rule share while they are lowered.
pub(in crate::rules) struct Lowering<'v> {
    pub kind: &'v AssetKind,
    pub properties: &'v BTreeMap<PropertyName, Meaning>,
    pub vocabulary: &'v Vocabulary,
    /// The calls in them so far, each once, inner ones first.
    pub calls: Vec<Call>,
    /// Calls with a memory that were opened so far.
    pub opened: u16,
}

impl<'v> Lowering<'v> {
    pub(in crate::rules) const fn new(
        kind: &'v AssetKind,
        properties: &'v BTreeMap<PropertyName, Meaning>,
        vocabulary: &'v Vocabulary,
    ) -> Self {
        Self { kind, properties, vocabulary, calls: Vec::new(), opened: 0 }
    }
}

/// Parses and lowers one condition; `None` after a fault was reported.
pub(in crate::rules) fn lower(lowering: &mut Lowering<'_>, text: &Text<'_>) -> Option<Condition> {
    let parsed = parse(text)?;
    let condition = Walk { lowering, text, parsed: &parsed }.condition(&parsed.expression)?;
    if condition.constant(&lowering.calls) {
        text.fault(
            "the condition reads nothing: it never changes",
            Some("compare a property, such as fill >= 0.8".to_owned()),
        );
        return None;
    }
    Some(condition)
}

/// Checks the syntax of a condition whose names cannot be checked.
pub(in crate::rules) fn check_syntax(text: &Text<'_>) {
    drop(parse(text));
}

/// A part whose type is known, or which takes the type its place asks for.
pub(super) enum Typed {
    Number(Number, Unit),
    Condition(Condition),
    Words(Words),
    Attribute(SmolStr),
}

pub(super) struct Walk<'w, 'v> {
    pub lowering: &'w mut Lowering<'v>,
    pub parsed: &'w Parsed,
    text: &'w Text<'w>,
}

impl Walk<'_, '_> {
    pub(super) fn condition(&mut self, part: &IdedExpr) -> Option<Condition> {
        match self.typed(part)? {
            Typed::Condition(condition) => Some(condition),
            Typed::Attribute(name) => Some(Condition::Attribute(name)),
            found @ (Typed::Number(..) | Typed::Words(_)) => {
                let source = self.parsed.source_of(part);
                self.fault(
                    self.parsed.span(part),
                    format!("`{source}` is {}, not a condition", found.describe()),
                    format!("compare it, such as {source} >= 0.8"),
                );
                None
            }
        }
    }

    pub(super) fn number(&mut self, part: &IdedExpr) -> Option<(Number, Unit)> {
        match self.typed(part)? {
            Typed::Number(number, unit) => Some((number, unit)),
            Typed::Attribute(name) => Some((Number::Attribute(name), Unit::Untold)),
            Typed::Words(Words::Constant(text)) if Span::parse(&text).is_ok() => {
                Span::parse(&text).ok().map(|span| (Number::time(span), Unit::Time))
            }
            Typed::Words(Words::Constant(text)) if unit::quantity(&text).is_some() => {
                unit::quantity(&text).map(|(number, code)| (Number::Constant(number), Unit::Of(code)))
            }
            found @ (Typed::Condition(_) | Typed::Words(_)) => {
                self.fault(
                    self.parsed.span(part),
                    format!("`{}` is {}, not a number", self.parsed.source_of(part), found.describe()),
                    "calculate with numbers only".to_owned(),
                );
                None
            }
        }
    }

    pub(super) fn typed(&mut self, part: &IdedExpr) -> Option<Typed> {
        match &part.expr {
            Expr::Literal(literal) => self.literal(part, literal),
            Expr::Ident(name) => self.property(&self.parsed.token(part), name),
            Expr::Select(select) if select.operand.expr == Expr::Ident("asset".to_owned()) => {
                Some(Typed::Attribute(SmolStr::new(&select.field)))
            }
            Expr::Call(call) => self.call(part, call),
            Expr::Select(_)
            | Expr::Unspecified
            | Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Map(_)
            | Expr::Struct(_) => self.unsupported(part),
        }
    }

    fn literal(&self, part: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(value) => Some(Typed::Condition(Condition::Constant(*value.inner()))),
            LiteralValue::Double(value) => Some(Typed::Number(Number::Constant(*value.inner()), Unit::Plain)),
            LiteralValue::Int(value) if value.inner().unsigned_abs() <= EXACT_WHOLE_MAX.unsigned_abs() => {
                Some(Typed::Number(Number::Constant(*value.inner() as f64), Unit::Plain))
            }
            LiteralValue::String(value) => Some(Typed::Words(Words::Constant(SmolStr::new(value.inner())))),
            LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                self.unsupported(part)
            }
        }
    }

    /// The property of this name, which stands at `span`.
    pub(super) fn property(&self, span: &Range<usize>, name: &str) -> Option<Typed> {
        let property = PropertyName::new(name);
        let found = self.lowering.properties.iter().position(|(known, _)| *known == property);
        let Some((slot, meaning)) = found.zip(self.lowering.properties.get(&property)) else {
            self.unknown_name(span, name);
            return None;
        };
        if let Some((one, other)) = &meaning.conflict {
            self.fault(
                span.clone(),
                format!("`{name}` does not mean the same in sensor types `{one}` and `{other}`"),
                "give it one type and one unit in both, or two names".to_owned(),
            );
            return None;
        }
        let slot = u16::try_from(slot).ok()?;
        Some(match meaning.kind {
            PropertyKind::Number => Typed::Number(Number::Slot(slot), Unit::of_property(&meaning.unit)),
            PropertyKind::Boolean => Typed::Condition(Condition::Slot(slot)),
            PropertyKind::Text => Typed::Words(Words::Slot(slot)),
        })
    }

    fn unknown_name(&self, span: &Range<usize>, name: &str) {
        let suggestion = if name == "asset" {
            "write asset.<attribute>, such as asset.limit".to_owned()
        } else if let Some(function) = functions::find(name) {
            format!("it is a function: {}", function.example)
        } else {
            suggest_known(name, self.lowering.properties.keys().map(PropertyName::as_str))
        };
        let message = format!("an asset of kind `{}` has no property `{name}`", self.lowering.kind);
        self.fault(span.clone(), message, suggestion);
    }

    fn call(&mut self, part: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        if call.target.is_some() {
            return self.unsupported(part);
        }
        let operator = call.func_name.as_str();
        match (operator, call.args.as_slice()) {
            (operators::LOGICAL_NOT, [inner]) => {
                Some(Typed::Condition(Condition::Not(Box::new(self.condition(inner)?))))
            }
            (operators::LOGICAL_AND, [left, right]) => {
                let (left, right) = (self.condition(left), self.condition(right));
                Some(Typed::Condition(Condition::And(Box::new((left?, right?)))))
            }
            (operators::LOGICAL_OR, [left, right]) => {
                let (left, right) = (self.condition(left), self.condition(right));
                Some(Typed::Condition(Condition::Or(Box::new((left?, right?)))))
            }
            (operators::INDEX, [of, index]) => self.index(part, of, index),
            (operators::NEGATE, [inner]) => {
                let (number, unit) = self.number(inner)?;
                Some(Typed::Number(Number::Negate(Box::new(number)), unit))
            }
            (_, [left, right]) if comparison(operator).is_some() => {
                self.compare(part, comparison(operator)?, left, right).map(Typed::Condition)
            }
            (_, [left, right]) if arithmetic(operator).is_some() => {
                self.calculate(part, arithmetic(operator)?, left, right)
            }
            _ if operator.starts_with(|first: char| first.is_alphabetic() || first == '.') => self.function(part, call),
            _ => self.unsupported(part),
        }
    }

    pub(super) fn unsupported<T>(&self, part: &IdedExpr) -> Option<T> {
        let source = self.parsed.source_of(part);
        self.fault(self.parsed.span(part), format!("`{source}` is not supported"), SUPPORTED.to_owned());
        None
    }

    pub(super) fn fault(&self, part: Range<usize>, message: String, suggestion: String) {
        self.text.fault_at(part, message, suggestion);
    }
}

impl Typed {
    /// Whether it is a length of time, which changes while nothing happens.
    pub(super) const fn passes(&self) -> bool {
        matches!(self, Self::Number(_, Unit::Time))
    }

    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Number(_, Unit::Time) => "a length of time",
            Self::Number(..) => "a number",
            Self::Condition(_) => "true or false",
            Self::Words(_) => "a text",
            Self::Attribute(_) => "an attribute of the asset",
        }
    }
}
