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

/// At most this many known names are listed in a suggestion.
const KNOWN_NAMES_MAX: usize = 12;
/// The least likeness of a name worth proposing.
const LIKENESS_MIN: f64 = 0.75;

/// The likest of the `known` names, if any is like enough to be what was meant by `word`.
pub fn likest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (likeness(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// What to write instead of the unknown `word`: the likest of the `known` names, and which names there are.
pub fn suggest_known<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = known.into_iter().collect();
    if names.is_empty() {
        return "no names are known here".to_owned();
    }
    let proposal =
        likest(word, names.iter().copied()).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    let shown = names.iter().take(KNOWN_NAMES_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let rest = names.len().saturating_sub(KNOWN_NAMES_MAX);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{proposal}known: {shown}{more}")
}

/// From 0 to 1. Jaro-Winkler judges two swapped letters in a short word too hard; one slip is always like enough.
fn likeness(word: &str, name: &str) -> f64 {
    let one_slip = name.len() > 2 && strsim::osa_distance(word, name) == 1;
    strsim::jaro_winkler(word, name).max(if one_slip { LIKENESS_MIN } else { 0.0 })
}
