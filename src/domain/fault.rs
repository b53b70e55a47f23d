//! A fault in a text that a person wrote: where it is, what is wrong, and what would be right.
//!
//! Rules, sensor types and settings all report their faults this way, all at once, so that one run of
//! `rettidig check` shows everything there is to mend.

use smol_str::SmolStr;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file's name as the person knows it, relative to the configuration folder.
    pub file: SmolStr,
    /// Byte range in that file's text; empty at the place where something is missing.
    pub span: Range<usize>,
    /// Lower case, no full stop, quotes the value.
    pub message: String,
    /// What would be right: a known name, an example, a limit.
    pub suggestion: Option<String>,
}

impl Fault {
    /// Line and column of the fault in `text`, both counted from 1, the column in characters.
    #[must_use]
    pub fn place(&self, text: &str) -> (usize, usize) {
        let start = (0..=self.span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
