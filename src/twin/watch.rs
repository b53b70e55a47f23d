//! Who looks on: a live screen in a terminal, plain lines elsewhere, or nobody.
//!
//! Looking never changes what happens: a picture is taken between two steps. `screen` draws it.

use super::civil::Civil;
use super::gateway::{Counts, Open, Page, Speed};
use super::notes::Notes;
use super::report;
use super::screen::{self, Screen};
use crate::domain::time::{Span, Timestamp};
use std::io::{self, Write};
use std::time::Duration;

/// How a run is shown while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// One live screen; `out` must be a terminal.
    Screen,
    /// A line each simulated hour; a long run has about two dozen in all.
    Lines,
    /// Nothing.
    Quiet,
}

/// One moment of a run.
pub(crate) struct Picture<'a> {
    pub title: &'a str,
    pub seed: u64,
    pub speed: Speed,
    pub now: Timestamp,
    pub ends_at: Option<Timestamp>,
    /// Since the run began.
    pub wall: Duration,
    pub counts: Counts,
    pub open: Open,
    pub notes: &'a Notes,
    pub misbehaving: &'a [String],
    pub page: Option<&'a Page>,
}

pub(crate) enum Watch<'a> {
    Screen(Box<Screen<'a>>),
    Lines(Lines<'a>),
    Quiet,
}

/// Plain progress.
pub(crate) struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
    civil: Civil,
    every: Span,
    next_at: Option<Timestamp>,
}

/// A screen is redrawn this often at the wall.
const REDRAWN_EVERY: Duration = Duration::from_millis(125);
/// A line each simulated hour; a long run has about so many lines instead.
const LINE_EVERY_MIN: Span = Span::from_hours(1);
const LINES_OF_A_RUN: i64 = 24;

impl<'a> Watch<'a> {
    /// # Errors
    /// The terminal cannot be prepared.
    pub(crate) fn new(display: Display, out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        Ok(match display {
            Display::Screen => Self::Screen(Box::new(Screen::open(out)?)),
            Display::Lines => Self::Lines(Lines { out, civil: Civil::danish(), every: LINE_EVERY_MIN, next_at: None }),
            Display::Quiet => Self::Quiet,
        })
    }

    /// Whether a picture is wanted.
    pub(crate) fn due(&self, now: Timestamp, wall: Duration) -> bool {
        match self {
            Self::Screen(screen) => screen.drawn_at.is_none_or(|drawn_at| wall >= drawn_at + REDRAWN_EVERY),
            Self::Lines(lines) => lines.next_at.is_none_or(|next_at| now >= next_at),
            Self::Quiet => false,
        }
    }

    /// # Errors
    /// The output cannot be written.
    pub(crate) fn show(&mut self, picture: &Picture<'_>) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.show(picture),
            Self::Lines(lines) => lines.show(picture),
            Self::Quiet => Ok(()),
        }
    }

    /// Whether the person at the terminal wants to leave.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub(crate) fn quit_asked(&self) -> io::Result<bool> {
        match self {
            Self::Screen(_) => screen::quit_asked(),
            Self::Lines(_) | Self::Quiet => Ok(false),
        }
    }
}

impl Lines<'_> {
    fn show(&mut self, picture: &Picture<'_>) -> io::Result<()> {
        if self.next_at.is_none() {
            writeln!(self.out, "{}", picture.title)?;
            if let Some(page) = picture.page {
                writeln!(self.out, "page: {}", page.address)?;
                page.logins.iter().try_for_each(|login| writeln!(self.out, "login: {login}"))?;
            }
        }
        if self.next_at.is_none() {
            let whole = picture.ends_at.map_or(Span::ZERO, |end| end.since(picture.now));
            self.every = LINE_EVERY_MIN.max(Span::from_micros(whole.as_micros() / LINES_OF_A_RUN));
        }
        self.next_at = Some(picture.now + self.every);
        writeln!(self.out, "simulated {}: {}", self.civil.face(picture.now), report::one_line(&picture.counts))?;
        self.out.flush()
    }
}
