//! The one-screen view of a run in a terminal.
//!
//! `draw` is a pure function of a picture; the rest prepares the terminal and puts it back, whatever happens.
//! Priorities are told by number and word, never by colour alone.

use super::civil::Civil;
use super::gateway::{OpenTask, Page};
use super::watch::Picture;
use crate::domain::alarm::Priority;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::prelude::CrosstermBackend;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};
use ratatui::{Frame, Terminal};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

/// From this width on there is room for every column.
const WIDE: u16 = 110;
/// Events a second are counted over the last so many pictures, about two seconds.
const RATE_OVER: usize = 16;

pub(crate) struct Screen<'a> {
    terminal: Terminal<CrosstermBackend<&'a mut (dyn Write + Send)>>,
    civil: Civil,
    pub drawn_at: Option<Duration>,
    /// Wall time and events of the last pictures.
    samples: VecDeque<(Duration, u64)>,
}

impl<'a> Screen<'a> {
    /// # Errors
    /// The terminal refuses.
    pub(crate) fn open(out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        enable_raw_mode()?;
        let terminal = Terminal::new(CrosstermBackend::new(out)).inspect_err(|_| drop(disable_raw_mode()))?;
        let mut screen = Self { terminal, civil: Civil::danish(), drawn_at: None, samples: VecDeque::new() };
        // From here on, dropping puts the terminal back.
        execute!(screen.terminal.backend_mut(), EnterAlternateScreen)?;
        Ok(screen)
    }

    pub(crate) fn show(&mut self, picture: &Picture<'_>) -> io::Result<()> {
        self.drawn_at = Some(picture.wall);
        if self.samples.len() == RATE_OVER {
            self.samples.pop_front();
        }
        self.samples.push_back((picture.wall, picture.counts.events));
        let (civil, rate) = (&self.civil, self.events_per_s());
        self.terminal.draw(|frame| draw(frame, picture, civil, rate))?;
        Ok(())
    }

    fn events_per_s(&self) -> f64 {
        let (Some((from, before)), Some((until, after))) = (self.samples.front(), self.samples.back()) else {
            return 0.0;
        };
        let seconds = until.saturating_sub(*from).as_secs_f64();
        if seconds > 0.0 { after.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}

/// The terminal is put back on every way out, panics included. Nothing better can be done if that fails.
impl Drop for Screen<'_> {
    fn drop(&mut self) {
        drop(self.terminal.show_cursor());
        drop(execute!(self.terminal.backend_mut(), LeaveAlternateScreen));
        drop(disable_raw_mode());
    }
}

/// Whether `q`, Escape, or Ctrl-C, which a raw terminal hands over as a key, has been pressed.
///
/// # Errors
/// The terminal cannot be read.
pub(crate) fn quit_asked() -> io::Result<bool> {
    while event::poll(Duration::ZERO)? {
        if let Event::Key(key) = event::read()? {
            let interrupted = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Draws one picture.
pub(crate) fn draw(frame: &mut Frame<'_>, picture: &Picture<'_>, civil: &Civil, events_per_s: f64) {
    let logins = picture.page.map_or(0, |page| page.logins.len() as u16);
    let [head, counts, middle, notes, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(4),
        Constraint::Min(9),
        Constraint::Percentage(40),
        Constraint::Length(2 + logins),
    ])
    .areas(frame.area());
    let wide = middle.width >= WIDE;
    let left = if wide { 46 } else { 32 };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(middle);
    let [alarms, misbehaving] = Layout::vertical([Constraint::Length(6), Constraint::Min(3)]).areas(left);
    draw_head(frame, head, picture, civil);
    draw_counts(frame, counts, picture, events_per_s);
    draw_alarms(frame, alarms, picture);
    draw_misbehaving(frame, misbehaving, picture);
    draw_tasks(frame, right, picture, civil, wide);
    draw_notes(frame, notes, picture, civil);
    draw_foot(frame, foot, picture.page);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>, civil: &Civil) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let until = picture.ends_at.map_or(String::new(), |end| format!(" until {}", civil.face(end)));
    let clock = format!("SIMULATED {}{until} · {} · seed {}", civil.face(picture.now), picture.speed, picture.seed);
    frame.render_widget(Paragraph::new(vec![Line::styled(picture.title, bold), Line::styled(clock, bold)]), area);
}

fn draw_counts(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>, events_per_s: f64) {
    let counts = &picture.counts;
    let ledger = if counts.ledger_balanced { "ledger balanced" } else { "LEDGER NOT BALANCED" };
    let lines = vec![
        Line::raw(format!(
            "{} events, {events_per_s:.0}/s · latency p50 {:.1} ms p99 {:.1} ms · {ledger}",
            counts.events, counts.latency.p50_ms, counts.latency.p99_ms
        )),
        Line::raw(format!(
            "{} alarms · {} tasks, {} completed · {} quarantined · {} duplicates",
            counts.alarms, counts.tasks, counts.completed, counts.quarantined, counts.duplicates
        )),
    ];
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" since the start ")), area);
}

fn draw_alarms(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>) {
    let lines: Vec<_> = Priority::ALL
        .iter()
        .zip(picture.open.alarms)
        .map(|(priority, open)| Line::styled(format!("{} {open:>5}", in_words(*priority)), colour(*priority)))
        .collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" open alarms ")), area);
}

const fn in_words(priority: Priority) -> &'static str {
    match priority {
        Priority::P1 => "P1 act at once     ",
        Priority::P2 => "P2 in half an hour ",
        Priority::P3 => "P3 this shift      ",
        Priority::P4 => "P4 next plan       ",
    }
}

const fn colour(priority: Priority) -> Style {
    match priority {
        Priority::P1 => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Priority::P2 => Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        Priority::P3 => Style::new().fg(Color::Cyan),
        Priority::P4 => Style::new(),
    }
}

fn draw_misbehaving(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>) {
    let lines: Vec<_> = picture.misbehaving.iter().map(|line| Line::raw(line.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" misbehaving ")), area);
}

/// A narrow terminal leaves out the task's number and crew: both stand in what happens.
fn draw_tasks(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>, civil: &Civil, wide: bool) {
    const COLUMNS: [(&str, Constraint, bool); 7] = [
        ("", Constraint::Length(2), true),
        ("task", Constraint::Length(5), false),
        ("kind", Constraint::Min(15), true),
        ("asset", Constraint::Length(8), true),
        ("stage", Constraint::Length(9), true),
        ("crew", Constraint::Length(10), false),
        ("since", Constraint::Length(5), true),
    ];
    let shown = || COLUMNS.iter().map(|(_, _, always)| wide || *always);
    let row = |task: &OpenTask| {
        let stage = task.stage.map_or(task.status.as_str(), |stage| stage.as_str());
        let since = civil.local(task.requested_at);
        let cells = [
            format!("P{}", task.priority.number()),
            task.task.to_string(),
            task.kind.to_string(),
            task.asset.to_string(),
            stage.to_owned(),
            task.crew.as_ref().map_or(String::from("-"), ToString::to_string),
            format!("{:02}:{:02}", since.hour, since.minute),
        ];
        let cells = cells.into_iter().zip(shown()).filter_map(|(cell, shown)| shown.then_some(cell));
        Row::new(cells).style(colour(task.priority))
    };
    let columns = COLUMNS.iter().zip(shown()).filter_map(|(column, shown)| shown.then_some(column));
    let heading = Style::new().add_modifier(Modifier::DIM);
    let table = Table::new(picture.open.tasks.iter().map(row), columns.clone().map(|(_, width, _)| *width))
        .header(Row::new(columns.map(|(name, _, _)| *name)).style(heading))
        .block(Block::bordered().title(format!(" open tasks: {} ", picture.open.tasks_open)));
    frame.render_widget(table, area);
}

fn draw_notes(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>, civil: &Civil) {
    let lines: Vec<_> = picture
        .notes
        .newest()
        .map(|(at, words)| {
            let local = civil.local(at);
            Line::raw(format!("{:02}:{:02} {words}", local.hour, local.minute))
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" what happens ")), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, page: Option<&Page>) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    if let Some(page) = page {
        lines.push(Line::raw(format!("page: {}", page.address)));
        lines.extend(page.logins.iter().map(|login| Line::raw(format!("login: {login}"))));
    }
    lines.push(Line::raw("q quits"));
    frame.render_widget(Paragraph::new(lines), area);
}
