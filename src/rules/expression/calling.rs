//! Calls of functions: arguments as the register asks, memory given out, and the key that a memory is kept under.

use super::call::Call;
use super::canonical::canonical;
use super::form::Condition;
use super::functions::{self, Argument, FUNCTIONS, Function, Gives, Parameter};
use super::lower::{Typed, Walk};
use crate::domain::fault::suggest_known;
use crate::domain::time::Span;
use crate::rules::limits::{CALLS_MAX, HELD, STATEFUL_NODES_MAX};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

impl Walk<'_, '_> {
    pub(super) fn function(&mut self, part: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let Some(function) = functions::find(&call.func_name) else {
            self.fault(
                self.parsed.token(part),
                format!("unknown function `{}`", call.func_name),
                suggest_known(&call.func_name, FUNCTIONS.iter().map(|function| function.name)),
            );
            return None;
        };
        if call.args.len() != function.parameters.len() {
            self.fault(
                self.parsed.token(part),
                format!("`{}` takes {} arguments, not {}", function.name, function.parameters.len(), call.args.len()),
                format!("write {}", function.example),
            );
            return None;
        }
        let opened = self.lowering.opened;
        self.lowering.opened += u16::from(function.words > 0);
        let arguments: Vec<_> = function
            .parameters
            .iter()
            .zip(&call.args)
            .map(|(parameter, argument)| self.argument(function, *parameter, argument))
            .collect();
        let place = self.place(part, function, arguments.into_iter().collect::<Option<_>>()?, opened)?;
        Some(match function.gives {
            Gives::Truth => Typed::Condition(Condition::Call(place)),
        })
    }

    /// The place of a call among those of its rule: that of the same call, if it stands there already.
    fn place(&mut self, part: &IdedExpr, function: &Function, arguments: Vec<Argument>, opened: u16) -> Option<u16> {
        let canonical = canonical(part, self.lowering.properties);
        let key = key_of(&canonical);
        let known = self.lowering.calls.iter().position(|call| call.key == key);
        if let Some(place) = known {
            return u16::try_from(place).ok();
        }
        let operation = (function.build)(arguments)?;
        let calls = &self.lowering.calls;
        let reads = operation.reads(calls);
        let begin = calls.last().map_or(0, |call| call.memory.end);
        let call = Call {
            memory: begin..begin + function.words,
            reads_attributes: reads.attributes,
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
            Parameter::Condition => self.condition(part).map(Argument::Condition),
            Parameter::LengthOfTime => self.length_of_time(function, part).map(Argument::LengthOfTime),
        }
    }

    fn length_of_time(&self, function: &Function, part: &IdedExpr) -> Option<Span> {
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

/// FNV-1a, 64 bits: snapshots hold it, so it is the same in every version of the program.
fn key_of(canonical: &str) -> u64 {
    canonical.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
