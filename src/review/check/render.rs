//! The report for a person: each fault with its line, a caret and a proposal; or the summary as two tables.

use super::{CalendarSummary, Report, Summary};
use crate::domain::fault::Fault;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Write as _};

/// Columns of a line before it is wrapped.
const WIDTH: usize = 110;

/// Whether the reader's terminal shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Colour,
    Plain,
}

impl Report {
    /// The report as text.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let theme = match style {
            Style::Colour => GraphicalTheme::unicode(),
            Style::Plain => GraphicalTheme::unicode_nocolor(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_context_lines(1)
            .without_syntax_highlighting()
            .with_links(false);
        let mut text = String::new();
        for fault in &self.faults {
            let shown = Shown { fault, source: self.source(fault) };
            // Writing to a String cannot fail; a fault that cannot be drawn is still said.
            if handler.render_report(&mut text, &shown).is_err() {
                let _ = writeln!(text, "{}: {}", fault.file, fault.message);
            }
            text.push('\n');
        }
        match &self.summary {
            Some(summary) => text.push_str(&tables(summary)),
            None => text.push_str(&count(&self.faults)),
        }
        text
    }

    fn source(&self, fault: &Fault) -> Option<NamedSource<String>> {
        let text = self.texts.text(&fault.file)?;
        Some(NamedSource::new(fault.file.as_str(), text))
    }
}

fn count(faults: &[Fault]) -> String {
    let files: BTreeSet<_> = faults.iter().map(|fault| &fault.file).collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!("{} fault{} in {} file{}\n", faults.len(), plural(faults.len()), files.len(), plural(files.len()))
}

fn tables(summary: &Summary) -> String {
    let mut text = format!("{} files, no faults\n\n", summary.files);
    line(&mut text, [&"kind of asset", &"sensor types", &"properties", &"rules", &"state bytes per asset"]);
    for kind in &summary.kinds {
        line(&mut text, [&kind.kind, &kind.sensor_types, &kind.properties, &kind.rules, &kind.state_bytes_per_asset]);
    }
    text.push('\n');
    line(&mut text, [&"rule", &"applies to", &"priority", &"calls", &"state bytes per asset"]);
    for rule in &summary.rules {
        line(
            &mut text,
            [&rule.id, &rule.applies_to, &rule.priority, &rule.stateful_calls, &rule.state_bytes_per_asset],
        );
    }
    let mut estimators = summary.kinds.iter().flat_map(|kind| kind.estimators.iter().map(|known| (&kind.kind, known)));
    if let Some(first) = estimators.next() {
        text.push('\n');
        line(&mut text, [&"estimator", &"applies to", &"of", &"", &"state bytes per asset"]);
        for (kind, (property, quantity, bytes)) in std::iter::once(first).chain(estimators) {
            line(&mut text, [property, kind, quantity, &"", bytes]);
        }
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(1_024 * 1_024);
    let (used, most) = (mebibytes(summary.state_bytes()), mebibytes(summary.budget.bytes_max));
    let _ = writeln!(text, "\n{} assets of one kind: {used} MiB of {most} MiB", summary.budget.assets);
    if summary.calendars.files > 0 {
        text.push_str(&calendars(&summary.calendars));
    }
    text
}

fn calendars(summary: &CalendarSummary) -> String {
    let names = |names: &[SmolStr]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "\ncalendars in {}\nshifts: {}\nroutes: {}\n",
        summary.time_zone,
        names(&summary.shifts),
        names(&summary.routes)
    )
}

fn line(text: &mut String, cells: [&dyn Display; 5]) {
    let [name, a, b, c, d] = cells.map(ToString::to_string);
    let _ = writeln!(text, "{name:<28} {a:>12} {b:>12} {c:>8} {d:>24}");
}

/// A fault as the drawing library wants it.
#[derive(Debug)]
struct Shown<'a> {
    fault: &'a Fault,
    source: Option<NamedSource<String>>,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_none() {
            write!(f, "{}: ", self.fault.file)?;
        }
        f.write_str(&self.fault.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.fault.suggestion.as_ref().map(|suggestion| Box::new(suggestion) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let source = self.source.as_ref()?;
        let end = self.fault.span.end.min(source.inner().len());
        let span = SourceSpan::from(self.fault.span.start.min(end)..end);
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, span))))
    }
}
