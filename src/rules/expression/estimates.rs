//! The functions that ask an estimator, for the register, and which property each of them follows.

use super::call::Operation;
use super::form::Number;
use super::functions::{Argument, Arguments, Function, Gives, Parameter};
use super::lower::{Typed, Walk};
use super::unit::Unit;
use crate::domain::event::TurnedBy;
use crate::domain::fault::suggest_known;
use crate::domain::ids::PropertyName;
use crate::rules::question::{About, Ahead, FILL, Followed, Happening, PRESSURE, PRESSURE_UNIT, Quantity, Question};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use std::ops::Range;

pub(super) const ESTIMATES: [Function; 13] = [
    asking("blocked", OF_FILL, Gives::Truth, "blocked()", |arguments| about(arguments, About::Blocked)),
    asking("done_not_emptied", OF_FILL, Gives::Truth, "done_not_emptied()", |arguments| {
        about(arguments, About::Happened(Happening::DoneNotEmptied))
    }),
    asking("emptied", OF_FILL, Gives::Truth, "emptied()", |arguments| {
        about(arguments, About::Happened(Happening::Emptied))
    }),
    asking("exposure", OF_ZONE, Gives::Minutes, "exposure(\"sacrum\") >= 120", |arguments| {
        about(arguments, About::Exposure)
    }),
    asking(
        "p_overflow",
        &[Parameter::Fill, Parameter::Ahead],
        Gives::Count,
        "p_overflow(next_service()) >= 0.1",
        |mut arguments| {
            let followed = arguments.followed()?;
            Some(Operation::Estimate(Question { followed, about: About::Overflow(arguments.ahead()?) }))
        },
    ),
    asking("partly_emptied", OF_FILL, Gives::Truth, "partly_emptied()", |arguments| {
        about(arguments, About::Happened(Happening::PartlyEmptied))
    }),
    asking("relief", OF_ZONE, Gives::LengthOfTime, "relief(\"sacrum\") >= \"15m\"", |arguments| {
        about(arguments, About::Relief)
    }),
    asking("settled", OF_FILL, Gives::Truth, "settled()", |arguments| {
        about(arguments, About::Happened(Happening::Settled))
    }),
    asking("since_emptied", OF_FILL, Gives::LengthOfTime, "since_emptied() > \"14d\"", |arguments| {
        about(arguments, About::SinceEmptied)
    }),
    asking("spike", OF_FILL, Gives::Truth, "spike()", |arguments| about(arguments, About::Happened(Happening::Spike))),
    asking("sudden_full", OF_FILL, Gives::Truth, "sudden_full()", |arguments| {
        about(arguments, About::Happened(Happening::SuddenFull))
    }),
    asking("time_to_full", OF_FILL, Gives::LengthOfTime, "time_to_full() < \"2d\"", |arguments| {
        about(arguments, About::TimeToFull)
    }),
    asking("time_to_limit", OF_ZONE, Gives::LengthOfTime, "time_to_limit(\"sacrum\") <= \"30m\"", |arguments| {
        about(arguments, About::TimeToLimit)
    }),
];

const OF_FILL: &[Parameter] = &[Parameter::Fill];
const OF_ZONE: &[Parameter] = &[Parameter::Zone];

const fn asking(
    name: &'static str,
    parameters: &'static [Parameter],
    gives: Gives,
    example: &'static str,
    build: fn(Arguments) -> Option<Operation>,
) -> Function {
    Function { name, parameters, gives, words: 0, turned_by: Some(TurnedBy::Estimate), example, build }
}

fn about(mut arguments: Arguments, about: About) -> Option<Operation> {
    Some(Operation::Estimate(Question { followed: arguments.followed()?, about }))
}

impl Walk<'_, '_> {
    /// The property `fill` of the asset, which the call does not name.
    pub(super) fn fill(&mut self, function: &Function, part: &IdedExpr) -> Option<Argument> {
        let span = self.parsed.token(part);
        if !self.lowering.properties.contains_key(&PropertyName::new(FILL)) {
            let message = format!(
                "`{}` follows the property `{FILL}`, which an asset of kind `{}` does not have",
                function.name, self.lowering.kind
            );
            self.fault(span, message, format!("give it in a sensor type for `{}`, in unit 1 or %", self.lowering.kind));
            return None;
        }
        let full = match self.property(&span, FILL)? {
            Typed::Number(Number::Slot(slot), Unit::Of(unit)) if unit == "1" => Some((slot, 1.0)),
            Typed::Number(Number::Slot(slot), Unit::Of(unit)) if unit == "%" => Some((slot, 100.0)),
            Typed::Number(..) | Typed::Condition(_) | Typed::Words(_) | Typed::Attribute(_) => None,
        };
        let Some((slot, full)) = full else {
            let message = format!("`{}` follows the property `{FILL}`, which is no share here", function.name);
            self.fault(span, message, "give it in its sensor type as a number, in unit 1 or %".to_owned());
            return None;
        };
        Some(Argument::Followed(Followed { slot, quantity: Quantity::Fill { full } }))
    }

    /// The pressure of the zone whose name stands there in quotes.
    pub(super) fn zone(&mut self, function: &Function, part: &IdedExpr) -> Option<Argument> {
        let Expr::Literal(LiteralValue::String(zone)) = &part.expr else {
            self.unusable(function, part, "is not the name of a zone in quotes");
            return None;
        };
        let span = self.parsed.span(part);
        match self.indexed(&span, PRESSURE, zone.inner())? {
            Typed::Number(Number::Slot(slot), Unit::Of(unit)) if unit == PRESSURE_UNIT => {
                Some(Argument::Followed(Followed { slot, quantity: Quantity::Exposure }))
            }
            Typed::Number(..) | Typed::Condition(_) | Typed::Words(_) | Typed::Attribute(_) => {
                let message = format!("`{PRESSURE}{}` is no pressure in unit {PRESSURE_UNIT}", zone.inner());
                self.fault(span, message, "give it so in its sensor type".to_owned());
                None
            }
        }
    }

    /// `pressure["sacrum"]` is the property `pressure_sacrum`.
    pub(super) fn index(&mut self, part: &IdedExpr, of: &IdedExpr, index: &IdedExpr) -> Option<Typed> {
        match (&of.expr, &index.expr) {
            (Expr::Ident(name), Expr::Literal(LiteralValue::String(index))) => {
                self.indexed(&self.parsed.span(part), &format!("{name}_"), index.inner())
            }
            _ => self.unsupported(part),
        }
    }

    fn indexed(&mut self, span: &Range<usize>, prefix: &str, index: &str) -> Option<Typed> {
        let name = format!("{prefix}{index}");
        if self.lowering.properties.contains_key(&PropertyName::new(&name)) {
            return self.property(span, &name);
        }
        let kind = self.lowering.kind;
        let known = self.lowering.properties.keys().filter_map(|known| known.as_str().strip_prefix(prefix));
        let known: Vec<&str> = known.collect();
        let suggestion = if known.is_empty() {
            format!("no property of such an asset begins with `{prefix}`")
        } else {
            suggest_known(index, known)
        };
        self.fault(span.clone(), format!("an asset of kind `{kind}` has no property `{name}`"), suggestion);
        None
    }

    /// A length of time, or the next service.
    pub(super) fn ahead(&mut self, function: &Function, part: &IdedExpr) -> Option<Argument> {
        if let Expr::Call(call) = &part.expr
            && call.func_name == "next_service"
            && call.args.is_empty()
        {
            return Some(Argument::Ahead(Ahead::NextService));
        }
        if let Expr::Literal(LiteralValue::String(_)) = &part.expr {
            return self.length_of_time(function, part).map(|span| Argument::Ahead(Ahead::For(span)));
        }
        self.unusable(function, part, "is neither a length of time in quotes nor next_service()");
        None
    }
}

/// The name of the property that an index means.
pub(super) fn indexed_name(part: &IdedExpr) -> Option<String> {
    let Expr::Call(call) = &part.expr else { return None };
    match call.args.as_slice() {
        [of, index] if call.func_name == operators::INDEX => match (&of.expr, &index.expr) {
            (Expr::Ident(name), Expr::Literal(LiteralValue::String(index))) => {
                Some(format!("{name}_{}", index.inner()))
            }
            _ => None,
        },
        _ => None,
    }
}
