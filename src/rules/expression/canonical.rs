//! What a part of a condition means, as a text that does not depend on how it was written.
//!
//! Blanks and brackets are gone, every property carries its type and unit: where the text is the same, what a call
//! remembers means the same. A change of this form makes every memory begin anew.

use super::estimates::indexed_name;
use crate::domain::asset::PropertyKind;
use crate::domain::ids::PropertyName;
use crate::domain::time::Span;
use crate::rules::vocabulary::Meaning;
use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) fn canonical(part: &IdedExpr, properties: &BTreeMap<PropertyName, Meaning>) -> String {
    let mut text = String::new();
    write(&mut text, part, properties);
    text
}

// Writing to a String cannot fail.
fn write(text: &mut String, part: &IdedExpr, properties: &BTreeMap<PropertyName, Meaning>) {
    // `pressure["sacrum"]` is another way to write `pressure_sacrum`.
    if let Some(name) = indexed_name(part) {
        return write_name(text, &name, properties);
    }
    match &part.expr {
        Expr::Literal(literal) => write_literal(text, literal),
        Expr::Ident(name) => write_name(text, name, properties),
        Expr::Select(select) => {
            write(text, &select.operand, properties);
            let _ = write!(text, ".{}", select.field);
        }
        Expr::Call(call) => {
            let _ = write!(text, "{}(", call.func_name);
            for argument in &call.args {
                write(text, argument, properties);
                text.push(',');
            }
            text.push(')');
        }
        // None of these is part of the language.
        Expr::Unspecified | Expr::Comprehension(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => text.push('?'),
    }
}

fn write_name(text: &mut String, name: &str, properties: &BTreeMap<PropertyName, Meaning>) {
    text.push_str(name);
    if let Some(meaning) = properties.get(&PropertyName::new(name)) {
        let kind = match meaning.kind {
            PropertyKind::Number => "number",
            PropertyKind::Boolean => "boolean",
            PropertyKind::Text => "text",
        };
        let _ = write!(text, "<{kind} {:?}>", meaning.unit);
    }
}

fn write_literal(text: &mut String, literal: &LiteralValue) {
    match literal {
        LiteralValue::Boolean(value) => {
            let _ = write!(text, "{}", value.inner());
        }
        // Every number is one of floating point here: 1 is 1.0.
        LiteralValue::Double(value) => {
            let _ = write!(text, "{:?}", value.inner());
        }
        LiteralValue::Int(value) => {
            let _ = write!(text, "{:?}", *value.inner() as f64);
        }
        LiteralValue::String(value) => match Span::parse(value.inner()) {
            Ok(span) => {
                let _ = write!(text, "\"{span}\"");
            }
            Err(_) => {
                let _ = write!(text, "{:?}", value.inner());
            }
        },
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => text.push('?'),
    }
}
