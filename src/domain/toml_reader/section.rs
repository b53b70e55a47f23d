//! One table of a document, asked key by key; what nobody asked about is a fault.
//!
//! A section that is absent reads like an empty one, so that every default applies and every override is still seen.

use super::document::{Document, Faults};
use super::field::{Field, Source};
use crate::domain::fault::{Fault, likest, suggest_known};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

#[derive(Debug)]
pub struct Section<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) faults: &'a Faults,
    /// `endpoint.tls`; empty for the root.
    path: String,
    table: Option<&'a DeTable<'a>>,
    /// The header; empty for the root and for an absent section.
    span: Range<usize>,
    asked: BTreeSet<SmolStr>,
    /// Required names that are not there, with an example each.
    missing: Vec<(SmolStr, String)>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        document: &'a Document<'a>,
        faults: &'a Faults,
        path: String,
        table: Option<&'a DeTable<'a>>,
        span: Range<usize>,
    ) -> Self {
        Self { document, faults, path, table, span, asked: BTreeSet::new(), missing: Vec::new() }
    }

    /// The byte range of the header, for faults about the section as a whole.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether the file, or an override, says anything in this section.
    #[must_use]
    pub fn present(&self) -> bool {
        let prefix = format!("{}.", self.path);
        self.table.is_some() || self.document.overrides.iter().any(|outside| outside.path.starts_with(&prefix))
    }

    /// The value of `name`, if it is there.
    pub fn optional(&mut self, name: &str) -> Option<Field<'a>> {
        self.asked.insert(SmolStr::new(name));
        let path = self.path_of(name);
        self.document.asked.borrow_mut().insert(path.clone());
        if let Some(outside) = self.document.overrides.iter().find(|outside| outside.path == path) {
            let source = Source::Outside(outside);
            return Some(Field::new(self.document, self.faults, path, 0..outside.text.len(), source));
        }
        let (key, value) = self.table?.get_key_value(name)?;
        Some(Field::new(self.document, self.faults, path, key.span(), Source::Toml(value)))
    }

    /// The value of `name`; its absence is a fault that shows `example`, a whole line such as `id = "bin-full"`.
    pub fn required(&mut self, name: &str, example: &str) -> Option<Field<'a>> {
        let field = self.optional(name);
        if field.is_none() {
            self.missing.push((SmolStr::new(name), example.to_owned()));
        }
        field
    }

    /// The table `name`, whether it is there or not.
    pub fn section(&mut self, name: &str) -> Section<'a> {
        let path = self.path_of(name);
        let found = self.optional_in_file(name).and_then(|field| field.section());
        found.unwrap_or_else(|| Section::new(self.document, self.faults, path, None, self.span.clone()))
    }

    /// The table `name`; its absence is a fault.
    pub fn required_section(&mut self, name: &str, example: &str) -> Option<Section<'a>> {
        self.required(name, example)?.section()
    }

    /// The tables `[[name]]`, in the order of the file.
    pub fn sections(&mut self, name: &str) -> Vec<Section<'a>> {
        let Some(field) = self.optional_in_file(name) else { return Vec::new() };
        let items = field.items("an array of tables", &format!("[[{}]]", field.path()));
        items.iter().filter_map(Field::section).collect()
    }

    /// Every key with its value in the order of the file, for tables whose keys are free.
    pub fn entries(&mut self) -> Vec<(SmolStr, Field<'a>)> {
        let Some(table) = self.table else { return Vec::new() };
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let name = SmolStr::new(key.get_ref());
                let path = self.path_of(&name);
                (name, Field::new(self.document, self.faults, path, key.span(), Source::Toml(value)))
            })
            .collect();
        entries.sort_by_key(|(_, field)| field.key_span().start);
        self.asked.extend(entries.iter().map(|(name, _)| name.clone()));
        entries
    }

    /// Reports a fault at `span` of this file.
    pub fn fault(&self, span: Range<usize>, message: impl Into<String>, suggestion: impl Into<Option<String>>) {
        if !self.document.broken_at(span.start) {
            self.faults.push(Fault {
                file: self.document.file.clone(),
                span,
                message: message.into(),
                suggestion: suggestion.into(),
            });
        }
    }

    /// Ends the reading: what is missing, and every key that nobody asked about, is a fault.
    ///
    /// A misspelt required key is one fault, not two.
    pub fn finish(mut self) {
        let place = self.place();
        for (key, _) in self.table.into_iter().flatten() {
            let word = key.get_ref().as_ref();
            if self.asked.contains(word) {
                continue;
            }
            let suggestion = suggest_known(word, self.asked.iter().map(SmolStr::as_str));
            self.fault(key.span(), format!("unknown key `{word}`{place}"), suggestion);
            let meant = likest(word, self.asked.iter().map(SmolStr::as_str)).map(SmolStr::new);
            self.missing.retain(|(name, _)| Some(name) != meant.as_ref());
        }
        for (name, example) in &self.missing {
            self.fault(
                self.span.start..self.span.start,
                format!("`{name}` is missing{place}"),
                format!("add a line such as {example}"),
            );
        }
    }

    /// Tables and arrays of tables come from the file only; overrides reach the values inside them.
    fn optional_in_file(&mut self, name: &str) -> Option<Field<'a>> {
        self.asked.insert(SmolStr::new(name));
        let (key, value) = self.table?.get_key_value(name)?;
        Some(Field::new(self.document, self.faults, self.path_of(name), key.span(), Source::Toml(value)))
    }

    /// Where a fault is, in words: the place in a list is told by the line.
    fn place(&self) -> String {
        let parts: Vec<&str> = self.path.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        let path = parts.join(".");
        if path.is_empty() { path } else { format!(" in `{path}`") }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

pub(super) const fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Faults, Override};
    use crate::domain::time::Span;

    const TEXT: &str = r#"
[[lamp]]
name = "hall"
watt = 7
on_for = "2h"

[[lamp]]
name = 12
wat = 9
on_for = "soon"
"#;

    fn read(text: &str, overrides: Vec<Override>) -> (Vec<(String, i64, Span)>, Vec<String>) {
        let faults = Faults::default();
        let document = Document::parse("lamps.toml", text, &faults).with_overrides(overrides);
        let mut root = document.root(&faults);
        let mut lamps = Vec::new();
        for mut lamp in root.sections("lamp") {
            let name = lamp.required("name", "name = \"hall\"").and_then(|field| field.filled_text(20));
            let watt = lamp.required("watt", "watt = 7").and_then(|field| field.whole(1..=100));
            let on_for =
                lamp.optional("on_for").and_then(|field| field.length_of_time(Span::ZERO..=Span::from_hours(24)));
            lamp.finish();
            if let (Some(name), Some(watt), Some(on_for)) = (name, watt, on_for) {
                lamps.push((name.value.into_owned(), watt, on_for));
            }
        }
        root.finish();
        let shown = faults.into_sorted().into_iter().map(|fault| {
            let (line, column) = fault.place(text);
            format!("{}:{line}:{column} {} | {}", fault.file, fault.message, fault.suggestion.unwrap_or_default())
        });
        (lamps, shown.collect())
    }

    #[test]
    fn every_fault_is_reported_and_what_is_right_is_read() {
        let (lamps, faults) = read(TEXT, Vec::new());
        assert_eq!(lamps, [("hall".to_owned(), 7, Span::from_hours(2))]);
        insta::assert_snapshot!(faults.join("\n"), @r#"
        lamps.toml:8:8 `name` is a whole number, not a text | write name = "…"
        lamps.toml:9:1 unknown key `wat` in `lamp` | did you mean `watt`? known: `name`, `on_for`, `watt`
        lamps.toml:10:10 `on_for` is no length of time: "soon" | a length of time such as "30s", "10m", "6h", "2d" or "1h30m"
        "#);
    }

    #[test]
    fn an_override_wins_and_its_fault_names_it() {
        let outside = |path: &str, text: &str| Override {
            name: format!("HOUSE__{}", path.to_uppercase().replace('.', "__")).into(),
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let text = "[[lamp]]\nname = \"hall\"\nwatt = 7\non_for = \"2h\"\n";
        let (lamps, faults) = read(text, vec![outside("lamp.0.watt", "9")]);
        assert_eq!((lamps[0].1, faults.len()), (9, 0));
        let (_, faults) = read(text, vec![outside("lamp.0.watt", "900")]);
        insta::assert_snapshot!(faults.join("\n"), @r#"
        HOUSE__LAMP__0__WATT:1:1 `watt` is 900, outside its limits | from 1 to 100
        "#);
    }

    #[test]
    fn a_broken_line_reports_its_syntax_only() {
        let (_, faults) = read("[[lamp]]\nname = \"hall\nwatt = 7\nwatts = 1\non_for = \"1h\"\n", Vec::new());
        insta::assert_snapshot!(faults.join("\n"), @r#"
        lamps.toml:2:13 invalid basic string, expected `"` | a text stands between double quotes: key = "text"
        lamps.toml:4:1 unknown key `watts` in `lamp` | did you mean `watt`? known: `name`, `on_for`, `watt`
        "#);
    }
}
