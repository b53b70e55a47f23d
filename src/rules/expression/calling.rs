//! Calls of functions: arguments as the register asks, memory given out, and the key that a memory is kept under.

use super::call::Call;
use super::canonical::canonical;
use super::form::{Condition, Number, Reads, Words};
use super::functions::{self, Argument, Arguments, Function, Gives, Parameter};
use super::lower::{Typed, Walk};
use super::unit::Unit;
use crate::domain::fault::suggest_known;
use crate::domain::time::Span;
use crate::rules::limits::{CALLS_MAX, HELD, STATEFUL_NODES_MAX};
use crate::rules::memory::fingerprint;
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use smol_str::SmolStr;

impl Walk<'_, '_> {
    pub(super) fn function(&mut self, part: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let Some(function) = functions::find(&call.func_name) else {
            self.fault(
                self.parsed.token(part),
                format!("unknown function `{}`", call.func_name),
                suggest_known(&call.func_name, functions::all().map(|function| function.name)),
            );
            return None;
        };
        let unwritten = usize::from(function.parameters.first() == Some(&Parameter::Fill));
        let written = &function.parameters[unwritten..];
        if call.args.len() != written.len() {
            self.fault(
                self.parsed.token(part),
                format!("`{}` takes {} arguments, not {}", function.name, written.len(), call.args.len()),
                format!("write {}", function.example),
            );
            return None;
        }
        let opened = self.lowering.opened;
        self.lowering.opened += u16::from(function.words > 0);
        let mut arguments = Vec::new();
        if unwritten > 0 {
            arguments.push(self.fill(function, part));
        }
        for (parameter, argument) in written.iter().zip(&call.args) {
            arguments.push(self.argument(function, *parameter, argument));
        }
        let arguments = arguments.into_iter().collect::<Option<Vec<_>>>()?;
        let unit = arguments.iter().find_map(Argument::unit).unwrap_or(Unit::Plain);
        let place = self.place(part, function, arguments, opened)?;
        let unit = match function.gives {
            Gives::Truth => return Some(Typed::Condition(Condition::Call(place))),
            Gives::Count => Unit::Of("1".into()),
            Gives::Same => unit,
            Gives::PerHour => unit.over(Unit::Of("h".into()))?,
            Gives::LengthOfTime => Unit::Time,
            Gives::Minutes => Unit::Of("min".into()),
        };
        Some(Typed::Number(Number::Call(place), unit))
    }

    /// The place of a call among those of its rule: that of the same call, if it stands there already.
    fn place(&mut self, part: &IdedExpr, function: &Function, arguments: Vec<Argument>, opened: u16) -> Option<u16> {
        let canonical = canonical(part, self.lowering.properties);
        let key = fingerprint(&canonical);
        let known = self.lowering.calls.iter().position(|call| call.key == key);
        if let Some(place) = known {
            return u16::try_from(place).ok();
        }
        let operation = (function.build)(Arguments::new(arguments))?;
        let calls = &self.lowering.calls;
        let reads = operation.reads(calls);
        let begin = calls.last().map_or(0, |call| call.memory.end);
        let call = Call {
            memory: begin..begin + function.words,
            reads_attributes: reads.attributes,
            only: reads.only_slot(),
            asks: reads.calls,
            reads: reads.into_slots(),
            constant: operation.constant(calls),
            turned_by: function.turned_by,
            key,
            opened,
            source: self.parsed.source_of(part).into(),
            operation,
        };
        let stateful = calls.iter().filter(|call| !call.memory.is_empty()).count();
        if !call.memory.is_empty() && stateful >= STATEFUL_NODES_MAX {
            self.too_many(part, STATEFUL_NODES_MAX, "calls with a memory");
            return None;
        }
        if calls.len() >= CALLS_MAX {
            self.too_many(part, CALLS_MAX, "different calls");
            return None;
        }
        let place = calls.len();
        self.lowering.calls.push(call);
        u16::try_from(place).ok()
    }

    fn too_many(&self, part: &IdedExpr, max: usize, of: &str) {
        self.fault(
            self.parsed.token(part),
            format!("the rule has more than {max} {of}"),
            "write two rules instead".to_owned(),
        );
    }

    fn argument(&mut self, function: &Function, parameter: Parameter, part: &IdedExpr) -> Option<Argument> {
        match parameter {
            Parameter::Condition | Parameter::MeasuredCondition => {
                let condition = self.condition(part)?;
                let mut reads = Reads::default();
                condition.reads(&self.lowering.calls, &mut reads);
                let slots = reads.into_slots();
                if parameter == Parameter::MeasuredCondition {
                    self.measured(function, part, &slots)?;
                }
                Some(Argument::Condition(condition, slots))
            }
            Parameter::MeasuredNumber => {
                let (number, unit) = self.number(part)?;
                let mut reads = Reads::default();
                number.reads(&self.lowering.calls, &mut reads);
                self.measured(function, part, &reads.into_slots())?;
                if unit == Unit::Time {
                    self.unusable(function, part, "is a length of time, which nobody measures");
                    return None;
                }
                Some(Argument::Number(number, unit))
            }
            Parameter::Property => self.property_slot(function, part).map(Argument::Property),
            Parameter::LengthOfTime => self.length_of_time(function, part).map(Argument::LengthOfTime),
            Parameter::Shift => self.shift(function, part).map(Argument::Shift),
            Parameter::Fill => self.fill(function, part),
            Parameter::Zone => self.zone(function, part),
            Parameter::Ahead => self.ahead(function, part),
        }
    }

    fn measured(&self, function: &Function, part: &IdedExpr, slots: &[u16]) -> Option<()> {
        if slots.is_empty() {
            self.unusable(function, part, "reads no property, so there is nothing to measure");
        }
        (!slots.is_empty()).then_some(())
    }

    fn property_slot(&mut self, function: &Function, part: &IdedExpr) -> Option<u16> {
        match self.typed(part)? {
            Typed::Number(Number::Slot(slot), _)
            | Typed::Condition(Condition::Slot(slot))
            | Typed::Words(Words::Slot(slot)) => Some(slot),
            Typed::Number(..) | Typed::Condition(_) | Typed::Words(_) | Typed::Attribute(_) => {
                self.unusable(function, part, "is not the name of a property");
                None
            }
        }
    }

    fn shift(&self, function: &Function, part: &IdedExpr) -> Option<u16> {
        let Expr::Literal(LiteralValue::String(name)) = &part.expr else {
            self.unusable(function, part, "is not the name of a shift in quotes");
            return None;
        };
        let place = self.lowering.vocabulary.shift(name.inner());
        if place.is_none() {
            self.fault(
                self.parsed.span(part),
                format!("no calendar has a shift `{}`", name.inner()),
                suggest_known(name.inner(), self.lowering.vocabulary.shifts().iter().map(SmolStr::as_str)),
            );
        }
        place
    }

    pub(super) fn unusable(&self, function: &Function, part: &IdedExpr, why: &str) {
        let message = format!("`{}` {why}", self.parsed.source_of(part));
        self.fault(self.parsed.span(part), message, format!("write {}", function.example));
    }

    pub(super) fn length_of_time(&self, function: &Function, part: &IdedExpr) -> Option<Span> {
        let text = if let Expr::Literal(LiteralValue::String(text)) = &part.expr { text.inner() } else { "" };
        let span = Span::parse(text).ok();
        let source = self.parsed.source_of(part);
        let Some(span) = span else {
            self.fault(
                self.parsed.span(part),
                format!("`{source}` is no length of time"),
                format!("write it as a text: {}", function.example),
            );
            return None;
        };
        if !HELD.contains(&span) {
            self.fault(
                self.parsed.span(part),
                format!("{source} is outside its limits"),
                format!("from {} to {}", HELD.start(), HELD.end()),
            );
            return None;
        }
        Some(span)
    }
}

impl Argument {
    fn unit(&self) -> Option<Unit> {
        match self {
            Self::Number(_, unit) => Some(unit.clone()),
            Self::Condition(..)
            | Self::Property(_)
            | Self::LengthOfTime(_)
            | Self::Shift(_)
            | Self::Followed(_)
            | Self::Ahead(_) => None,
        }
    }
}
