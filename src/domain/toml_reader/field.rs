//! One value, asked for a type and a limit; the answer is the value, or a fault with its place.

use super::document::{Document, Faults, Override};
use super::literal::source_offset;
use super::section::{Section, type_name};
use crate::domain::fault::{Fault, suggest_known};
use crate::domain::time::Span;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;
use toml::de::DeValue;

#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Toml(&'a Spanned<DeValue<'a>>),
    Outside(&'a Override),
    /// One item, from byte to byte, of a list that was given from outside with commas between.
    OutsideItem(&'a Override, usize, usize),
}

#[derive(Clone, Debug)]
pub struct Field<'a> {
    document: &'a Document<'a>,
    faults: &'a Faults,
    path: String,
    key_span: Range<usize>,
    source: Source<'a>,
}

/// A value of whatever simple type it has in the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Boolean(bool),
}

/// A text with its place, so that a fault may point at a part of it.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    pub value: Cow<'a, str>,
    field: Field<'a>,
}

impl<'a> Field<'a> {
    pub(super) fn new(
        document: &'a Document<'a>,
        faults: &'a Faults,
        path: String,
        key_span: Range<usize>,
        source: Source<'a>,
    ) -> Self {
        Self { document, faults, path, key_span, source }
    }

    /// The dotted path from the root of the file: `rule.0.task.kind`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The byte range of the value, in the file or in the override's text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        match self.source {
            Source::Toml(value) => value.span(),
            Source::Outside(outside) => 0..outside.text.len(),
            Source::OutsideItem(_, start, end) => start..end,
        }
    }

    /// The byte range of the key.
    #[must_use]
    pub fn key_span(&self) -> Range<usize> {
        self.key_span.clone()
    }

    /// Whether the value comes from outside the file.
    #[must_use]
    pub const fn from_outside(&self) -> bool {
        matches!(self.source, Source::Outside(_) | Source::OutsideItem(..))
    }

    /// Reports a fault about this value.
    pub fn fault(&self, message: impl Into<String>, suggestion: impl Into<Option<String>>) {
        self.fault_at(self.span(), message.into(), suggestion.into());
    }

    /// A text.
    pub fn text(&self) -> Option<Text<'a>> {
        let value = match self.source {
            Source::Toml(value) => match value.get_ref().as_str() {
                Some(text) => Cow::Borrowed(text),
                None => return self.wrong("a text", "\"…\""),
            },
            Source::Outside(outside) => Cow::Borrowed(outside.text.as_str()),
            Source::OutsideItem(outside, start, end) => Cow::Borrowed(&outside.text[start..end]),
        };
        Some(Text { value, field: self.clone() })
    }

    /// A date or a time of day in its written form, with quotes or without.
    pub fn moment(&self, example: &str) -> Option<Text<'a>> {
        match self.source {
            Source::Toml(value) if value.get_ref().is_datetime() => {
                let written = self.document.text.get(value.span()).unwrap_or_default();
                Some(Text { value: Cow::Borrowed(written), field: self.clone() })
            }
            Source::Toml(value) if value.get_ref().is_str() => self.text(),
            Source::Toml(_) => self.wrong("a date or a time of day", example),
            Source::Outside(_) | Source::OutsideItem(..) => self.text(),
        }
    }

    /// A text that is not blank and at most `bytes_max` bytes long.
    pub fn filled_text(&self, bytes_max: usize) -> Option<Text<'a>> {
        let text = self.text()?;
        if text.value.trim().is_empty() {
            self.fault(format!("`{}` is empty", self.name()), "write a text".to_owned());
            None
        } else if text.value.len() > bytes_max {
            self.fault(
                format!("`{}` is {} bytes long", self.name(), text.value.len()),
                format!("at most {bytes_max} bytes"),
            );
            None
        } else {
            Some(text)
        }
    }

    /// A name for machines: lower-case letters, digits and hyphens, beginning with a letter; such as `example`.
    pub fn machine_name(&self, bytes_max: usize, example: &str) -> Option<SmolStr> {
        let text = self.filled_text(bytes_max)?;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.value.bytes().all(fits) && text.value.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Some(SmolStr::new(&text.value));
        }
        self.fault(
            format!("`{}` is \"{}\"", self.name(), text.value),
            format!("lower-case letters, digits and hyphens, beginning with a letter, such as {example}"),
        );
        None
    }

    /// A whole number within `limits`.
    pub fn whole(&self, limits: RangeInclusive<i64>) -> Option<i64> {
        let number = match self.raw() {
            Some(text) => text.parse().ok(),
            None => self
                .toml()
                .and_then(|value| value.as_integer())
                .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok()),
        };
        let Some(number) = number else { return self.wrong("a whole number", &limits.start().to_string()) };
        self.within(number, &limits)
    }

    /// A finite number within `limits`; a whole number counts as one.
    pub fn number(&self, limits: RangeInclusive<f64>) -> Option<f64> {
        let number = match self.raw() {
            Some(text) => text.parse().ok(),
            None => match self.toml() {
                Some(DeValue::Float(number)) => number.as_str().parse().ok(),
                Some(DeValue::Integer(number)) => {
                    i64::from_str_radix(number.as_str(), number.radix()).ok().map(|whole| whole as f64)
                }
                _ => None,
            },
        };
        match number.filter(|number: &f64| number.is_finite()) {
            Some(number) => self.within(number, &limits),
            None => self.wrong("a number", "0.5"),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        let value = match self.raw() {
            Some(text) => text.parse().ok(),
            None => self.toml().and_then(DeValue::as_bool),
        };
        if value.is_some() { value } else { self.wrong("true or false", "true") }
    }

    /// A text, a finite number or a boolean, for lists that hold all of them; from outside, always a text.
    pub fn scalar(&self) -> Option<Scalar<'a>> {
        match self.toml() {
            Some(DeValue::Boolean(flag)) => Some(Scalar::Boolean(*flag)),
            Some(DeValue::Integer(_) | DeValue::Float(_)) => self.number(f64::MIN..=f64::MAX).map(Scalar::Number),
            Some(DeValue::String(_)) | None => self.text().map(|text| Scalar::Text(text.value)),
            Some(DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_)) => {
                self.wrong("a text, a number or a boolean", "12")
            }
        }
    }

    /// A length of time within `limits`, written like `"10m"`.
    pub fn length_of_time(&self, limits: RangeInclusive<Span>) -> Option<Span> {
        let text = self.text()?;
        match Span::parse(&text.value) {
            Ok(span) => self.within(span, &limits),
            Err(expected) => {
                self.fault(format!("`{}` is no length of time: \"{}\"", self.name(), text.value), expected.to_owned());
                None
            }
        }
    }

    /// One of the words `known`: its place in the list.
    pub fn one_of(&self, known: &[&str]) -> Option<usize> {
        let text = self.text()?;
        let found = known.iter().position(|word| *word == text.value);
        if found.is_none() {
            self.fault(
                format!("`{}` is \"{}\", which is none of its values", self.name(), text.value),
                suggest_known(&text.value, known.iter().copied()),
            );
        }
        found
    }

    /// Whether the file gives a list here.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.toml().is_some_and(DeValue::is_array)
    }

    /// The values of a list; `expected` and `example` describe it when it is none.
    pub fn items(&self, expected: &str, example: &str) -> Vec<Field<'a>> {
        let item = |index: usize, source| {
            Self::new(self.document, self.faults, format!("{}.{index}", self.path), self.key_span.clone(), source)
        };
        match self.source {
            Source::Toml(value) => {
                let Some(array) = value.get_ref().as_array() else {
                    self.fault_at(
                        value.span(),
                        format!("`{}` is {}, not {expected}", self.name(), type_name(value.get_ref())),
                        Some(format!("write {example}")),
                    );
                    return Vec::new();
                };
                array.iter().enumerate().map(|(index, value)| item(index, Source::Toml(value))).collect()
            }
            Source::Outside(outside) => parts_between_commas(&outside.text)
                .into_iter()
                .enumerate()
                .map(|(index, part)| item(index, Source::OutsideItem(outside, part.start, part.end)))
                .collect(),
            Source::OutsideItem(..) => Vec::new(),
        }
    }

    /// A table.
    pub fn section(&self) -> Option<Section<'a>> {
        match self.source {
            Source::Toml(value) if value.get_ref().is_table() => {
                let table = value.get_ref().as_table();
                Some(Section::new(self.document, self.faults, self.path.clone(), table, value.span()))
            }
            Source::Toml(_) | Source::Outside(_) | Source::OutsideItem(..) => self.wrong("a table", "{ … }"),
        }
    }

    /// The last part of the path, the way messages name the value.
    #[must_use]
    pub fn name(&self) -> &str {
        let last = self.path.rsplit('.').find(|part| part.bytes().any(|byte| !byte.is_ascii_digit()));
        last.unwrap_or(&self.path)
    }

    fn toml(&self) -> Option<&'a DeValue<'a>> {
        match self.source {
            Source::Toml(value) => Some(value.get_ref()),
            Source::Outside(_) | Source::OutsideItem(..) => None,
        }
    }

    fn raw(&self) -> Option<&'a str> {
        match self.source {
            Source::Toml(_) => None,
            Source::Outside(outside) => Some(outside.text.trim()),
            Source::OutsideItem(outside, start, end) => Some(&outside.text[start..end]),
        }
    }

    fn within<T: PartialOrd + Display>(&self, value: T, limits: &RangeInclusive<T>) -> Option<T> {
        if limits.contains(&value) {
            return Some(value);
        }
        self.fault(
            format!("`{}` is {value}, outside its limits", self.name()),
            format!("from {} to {}", limits.start(), limits.end()),
        );
        None
    }

    fn wrong<T>(&self, expected: &str, example: &str) -> Option<T> {
        let message = match self.source {
            Source::Toml(value) => {
                format!("`{}` is {}, not {expected}", self.name(), type_name(value.get_ref()))
            }
            Source::Outside(_) | Source::OutsideItem(..) => format!("`{}` is not {expected}", self.name()),
        };
        self.fault(message, format!("write {} = {example}", self.name()));
        None
    }

    fn fault_at(&self, span: Range<usize>, message: String, suggestion: Option<String>) {
        let file = match self.source {
            Source::Toml(_) if self.document.broken_at(span.start) => return,
            Source::Toml(_) => self.document.file.clone(),
            Source::Outside(outside) | Source::OutsideItem(outside, ..) => outside.name.clone(),
        };
        self.faults.push(Fault { file, span, message, suggestion });
    }
}

impl<'a> Text<'a> {
    /// The byte range in the file of `part`, a byte range of this text's value.
    #[must_use]
    pub fn place(&self, part: Range<usize>) -> Range<usize> {
        let whole = self.field.span();
        match self.field.source {
            Source::Toml(_) => {
                let literal = self.field.document.text.get(whole.clone()).unwrap_or_default();
                let start = whole.start + source_offset(literal, part.start);
                let end = whole.start + source_offset(literal, part.end);
                start..end.max(start)
            }
            Source::Outside(_) | Source::OutsideItem(..) => whole.start + part.start..whole.start + part.end,
        }
    }

    /// Reports a fault about a part of the text.
    pub fn fault_at(&self, part: Range<usize>, message: impl Into<String>, suggestion: impl Into<Option<String>>) {
        self.field.fault_at(self.place(part), message.into(), suggestion.into());
    }

    /// Reports a fault about the whole text.
    pub fn fault(&self, message: impl Into<String>, suggestion: impl Into<Option<String>>) {
        self.field.fault(message, suggestion);
    }

    #[must_use]
    pub const fn field(&self) -> &Field<'a> {
        &self.field
    }
}

/// The trimmed parts of a list written `a, b, c`, as byte ranges.
fn parts_between_commas(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split(',')
        .map(|part| {
            let trimmed = part.trim();
            let from = start + (part.len() - part.trim_start().len());
            start += part.len() + 1;
            from..from + trimmed.len()
        })
        .collect()
}
