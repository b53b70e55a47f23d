//! One parsed file, and the values that override it from outside.
//!
//! A line with a syntax fault reports that fault only: what recovery made of the rest of the line is a guess, and a
//! second fault about a guess would mislead.

use super::section::Section;
use crate::domain::fault::Fault;
use smol_str::SmolStr;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeTable;

/// Where faults are collected while several readers look at the same texts.
#[derive(Debug, Default)]
pub struct Faults(RefCell<Vec<Fault>>);

/// A value from outside the file that wins over the file's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// What faults call it instead of a file name: the name of the environment variable.
    pub name: SmolStr,
    /// Where it belongs: `endpoint.listen`, `broker.0.host`.
    pub path: String,
    pub text: String,
}

/// One file's text, parsed with recovery.
#[derive(Debug)]
pub struct Document<'t> {
    pub(super) file: SmolStr,
    pub(super) text: &'t str,
    pub(super) overrides: Vec<Override>,
    /// Every path that a value was asked for.
    pub(super) asked: RefCell<BTreeSet<String>>,
    root: Spanned<DeTable<'t>>,
    /// Byte ranges of the lines that hold a syntax fault.
    broken_lines: Vec<Range<usize>>,
}

impl<'t> Document<'t> {
    /// Parses `text`; syntax faults go to `faults`, at most one a line, and what could be read is kept.
    pub fn parse(file: impl Into<SmolStr>, text: &'t str, faults: &Faults) -> Self {
        let file = file.into();
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut broken_lines: Vec<Range<usize>> = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let line = line_around(text, span.start);
            if !broken_lines.contains(&line) {
                broken_lines.push(line);
                faults.push(Fault {
                    file: file.clone(),
                    span,
                    message: error.message().to_owned(),
                    suggestion: Some(syntax_suggestion(error.message())),
                });
            }
        }
        Self { file, text, overrides: Vec::new(), asked: RefCell::default(), root, broken_lines }
    }

    /// The same document with values from outside laid over it.
    #[must_use]
    pub fn with_overrides(self, overrides: Vec<Override>) -> Self {
        Self { overrides, ..self }
    }

    #[must_use]
    pub fn root<'a>(&'a self, faults: &'a Faults) -> Section<'a> {
        Section::new(self, faults, String::new(), Some(self.root.get_ref()), 0..0)
    }

    /// Every path that a value has been asked for so far.
    #[must_use]
    pub fn asked_paths(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// The overrides whose place nobody has asked for: after a whole reading, they are misspelt.
    #[must_use]
    pub fn unused_overrides(&self) -> Vec<&Override> {
        let asked = self.asked.borrow();
        self.overrides.iter().filter(|outside| !asked.contains(&outside.path)).collect()
    }

    #[must_use]
    pub fn file(&self) -> &SmolStr {
        &self.file
    }

    pub(super) fn broken_at(&self, offset: usize) -> bool {
        self.broken_lines.iter().any(|line| line.contains(&offset) || line.end == offset)
    }
}

impl Faults {
    pub fn push(&self, fault: Fault) {
        self.0.borrow_mut().push(fault);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Everything found, ordered by file and place.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Fault> {
        let mut faults = self.0.into_inner();
        faults.sort_by(|a, b| {
            (&a.file, a.span.start, a.span.end, &a.message).cmp(&(&b.file, b.span.start, b.span.end, &b.message))
        });
        faults.dedup();
        faults
    }
}

/// The byte range of the line around `offset`, without its line feed.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let offset = offset.min(bytes.len());
    let start = bytes[..offset].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = bytes[offset..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| offset + at);
    start..end
}

fn syntax_suggestion(message: &str) -> String {
    if message.contains("duplicate key") {
        "keep one of them".to_owned()
    } else if message.contains("invalid date") {
        "a date is written year, month, day: key = 2026-12-24".to_owned()
    } else if message.contains("string") {
        "a text stands between double quotes: key = \"text\"".to_owned()
    } else {
        "a line of TOML is: key = \"text\", key = 12, key = true, or a [section]".to_owned()
    }
}
