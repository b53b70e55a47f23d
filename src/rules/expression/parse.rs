//! From text to syntax tree, by the parser of crate `cel`, within the limits of the house.
//!
//! Macros of CEL (`all`, `map`, …) are off: they are loops, and a condition has none.

use super::unit;
use crate::domain::toml_reader::Text;
use crate::rules::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use std::ops::Range;

/// A parsed condition and where each part of it stands.
pub(super) struct Parsed {
    pub expression: IdedExpr,
    info: SourceInfo,
    source: String,
}

/// Parses `text`; every fault is reported and gives `None`.
pub(super) fn parse(text: &Text<'_>) -> Option<Parsed> {
    let source = text.value.as_ref();
    if source.trim().is_empty() {
        text.fault("the condition is empty", Some("write one, such as fill >= 0.8".to_owned()));
        return None;
    }
    if source.len() > EXPRESSION_BYTES_MAX {
        text.fault(
            format!("the condition is {} bytes long", source.len()),
            format!("at most {EXPRESSION_BYTES_MAX} bytes; write two rules instead"),
        );
        return None;
    }
    if brackets_deep(source) > EXPRESSION_DEPTH_MAX {
        too_deep(text);
        return None;
    }
    match cel::Env::default().with_optional_support(false).parser().parse_with_source_info(source) {
        Ok((expression, info)) => {
            let parsed = Parsed { expression, info, source: source.to_owned() };
            within_limits(text, &parsed.expression).then_some(parsed)
        }
        Err(errors) => {
            let first = errors.errors.first();
            let at = first.map_or(0, |error| offset_of(source, error.pos));
            let message = first.map_or_else(|| "no condition".to_owned(), |error| readable(&error.msg));
            text.fault_at(word_at(source, at), message, syntax_suggestion(source));
            None
        }
    }
}

impl Parsed {
    /// The bytes of the text that a part and everything under it stand on.
    pub(super) fn span(&self, part: &IdedExpr) -> Range<usize> {
        let mut span = self.token(part);
        let inner: Vec<&IdedExpr> = match &part.expr {
            Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
            Expr::Select(select) => vec![select.operand.as_ref()],
            Expr::List(list) => list.elements.iter().collect(),
            Expr::Unspecified
            | Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_) => Vec::new(),
        };
        for part in inner {
            let within = self.span(part);
            span = span.start.min(within.start)..span.end.max(within.end);
        }
        let index = matches!(&part.expr, Expr::Call(call) if call.func_name == operators::INDEX);
        let list = matches!(part.expr, Expr::List(_));
        let call = matches!(&part.expr, Expr::Call(call) if call.func_name.starts_with(char::is_alphabetic));
        let bare = matches!(&part.expr, Expr::Call(call) if call.args.is_empty());
        let closed = if call && bare {
            "()"
        } else if call {
            ")"
        } else if index || list {
            "]"
        } else {
            ""
        };
        self.closed(span, closed)
    }

    /// The span with the bracket that closes it.
    fn closed(&self, span: Range<usize>, bracket: &str) -> Range<usize> {
        let rest = &self.source[span.end..];
        let blank = rest.len() - rest.trim_start().len();
        let found = !bracket.is_empty() && rest[blank..].starts_with(bracket);
        if found { span.start..span.end + blank + bracket.len() } else { span }
    }

    /// What stands there, for messages.
    pub(super) fn source_of(&self, part: &IdedExpr) -> &str {
        self.source.get(self.span(part)).unwrap_or_default()
    }

    /// The bytes of a part's own token: a name with its call, a literal, an operator.
    pub(super) fn token(&self, part: &IdedExpr) -> Range<usize> {
        let (start, last) = self.info.offset_for(part.id).unwrap_or_default();
        let (start, last) = (self.boundary(start as usize), self.boundary(last as usize));
        let end = last + self.source[last..].chars().next().map_or(0, char::len_utf8);
        if negative(part) && self.source[..start].ends_with('-') {
            return start - 1..end;
        }
        let name = match &part.expr {
            Expr::Call(call) if self.source[start..].starts_with('(') => Some(call.func_name.as_str()),
            Expr::Select(select) => {
                let field_end = self.source[end..].find(select.field.as_str()).map(|at| end + at + select.field.len());
                return start..field_end.unwrap_or(end);
            }
            Expr::Call(_)
            | Expr::Unspecified
            | Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_) => None,
        };
        match name.and_then(|name| self.source[..start].rfind(name).map(|at| at..at + name.len())) {
            Some(name) => name,
            None => start..end.max(start),
        }
    }

    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.source.len());
        (0..=offset).rev().find(|at| self.source.is_char_boundary(*at)).unwrap_or(0)
    }
}

fn negative(part: &IdedExpr) -> bool {
    matches!(&part.expr, Expr::Literal(LiteralValue::Int(number)) if *number.inner() < 0)
        || matches!(&part.expr, Expr::Literal(LiteralValue::Double(number)) if *number.inner() < 0.0)
}

fn within_limits(text: &Text<'_>, expression: &IdedExpr) -> bool {
    let (nodes, depth) = size(expression);
    if depth > EXPRESSION_DEPTH_MAX {
        too_deep(text);
    } else if nodes > EXPRESSION_NODES_MAX {
        text.fault(
            format!("the condition has {nodes} parts"),
            format!("at most {EXPRESSION_NODES_MAX}; write two rules instead"),
        );
    }
    depth <= EXPRESSION_DEPTH_MAX && nodes <= EXPRESSION_NODES_MAX
}

fn too_deep(text: &Text<'_>) {
    text.fault(
        "the condition is nested too deeply",
        format!("at most {EXPRESSION_DEPTH_MAX} parts inside one another; write two rules instead"),
    );
}

/// How many parts the tree has, and how many stand inside one another.
fn size(root: &IdedExpr) -> (usize, usize) {
    let mut nodes = 0;
    let mut deepest = 0;
    let mut open = vec![(root, 1)];
    while let Some((part, depth)) = open.pop() {
        nodes += 1;
        deepest = deepest.max(depth);
        match &part.expr {
            Expr::Call(call) => {
                open.extend(call.target.iter().map(AsRef::as_ref).chain(&call.args).map(|part| (part, depth + 1)));
            }
            Expr::Select(select) => open.push((&select.operand, depth + 1)),
            Expr::List(list) => open.extend(list.elements.iter().map(|part| (part, depth + 1))),
            Expr::Unspecified
            | Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_) => {}
        }
    }
    (nodes, deepest)
}

/// How deep brackets stand inside one another, quoted texts left out: the parser must not be asked to go deeper.
fn brackets_deep(source: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    let mut quote = None;
    let mut escaped = false;
    for character in source.chars() {
        if let Some(open) = quote {
            if character == open && !escaped {
                quote = None;
            }
            escaped = character == '\\' && !escaped;
            continue;
        }
        match character {
            '"' | '\'' => quote = Some(character),
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The byte offset of a line and column, both counted from 1, the column in characters.
fn offset_of(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
}

/// The word, or the single character, that begins at `at`.
fn word_at(source: &str, at: usize) -> Range<usize> {
    let rest = source.get(at..).unwrap_or_default();
    let word = rest.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(rest.len());
    let length = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
    at..at + length
}

/// The parser's message without its list of token names, which is longer than the text it speaks of.
fn readable(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let message = message.split(" expecting ").next().unwrap_or(message);
    let plain = [
        ("'<EOF>'", "the end"),
        ("token recognition error at:", "cannot read"),
        ("mismatched input", "unexpected"),
        ("extraneous input", "unexpected"),
        ("no viable alternative at input", "cannot read"),
        ("int literal", "whole number"),
        ("double literal", "number"),
    ];
    let message = plain.iter().fold(message.to_owned(), |message, (theirs, ours)| message.replace(theirs, ours));
    format!("not a condition: {}", message.trim())
}

fn syntax_suggestion(source: &str) -> String {
    let padded = format!(" {} ", source.to_lowercase());
    let habit = [(" and ", "&&"), (" or ", "||"), (" not ", "!")].into_iter().find(|(word, _)| padded.contains(word));
    let bare = source.replace("==", "").replace("!=", "").replace("<=", "").replace(">=", "");
    if let Some((number, unit)) = unquoted(source) {
        return format!("write a number with its unit in quotes: \"{number} {unit}\"");
    }
    match habit {
        Some((word, operator)) => format!("write {operator} instead of `{}`", word.trim()),
        None if bare.contains('=') => "write == to compare".to_owned(),
        None => super::lower::SUPPORTED.to_owned(),
    }
}

/// A number with a unit behind it, without the quotes that belong around both.
fn unquoted(source: &str) -> Option<(&str, &str)> {
    let digit = |letter: char| letter.is_ascii_digit() || letter == '.';
    let mut rest = source;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let number = rest[start..].split(|letter| !digit(letter)).next().unwrap_or_default();
        rest = &rest[start + number.len()..];
        let word = rest.trim_start();
        let end = word.find(|letter: char| letter.is_whitespace() || "()&|<>=!\"'".contains(letter));
        let word = &word[..end.unwrap_or(word.len())];
        if unit::known(word) && !word.is_empty() && word != "1" {
            return Some((number, word));
        }
    }
    None
}
