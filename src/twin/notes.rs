//! The last happenings in words, for people who watch.
//!
//! Bounded: the oldest line goes when a line comes. Nothing is decided or counted from these words.

use crate::domain::time::Timestamp;
use std::collections::VecDeque;

/// Lines kept for the screen.
const LINES_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Notes {
    lines: VecDeque<(Timestamp, String)>,
}

impl Notes {
    pub(crate) fn say(&mut self, at: Timestamp, words: String) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back((at, words));
    }

    /// The newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        self.lines.iter().rev().map(|(at, words)| (*at, words.as_str()))
    }
}
