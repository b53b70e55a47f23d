//! Faults as a person reads them: each with its line, a caret and a proposal. Rules, settings and scenarios alike.

use crate::domain::fault::Fault;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use serde::Serialize;
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

/// Draws each fault into the text it is about; one whose text is not there is said in a line.
pub(super) fn draw(faults: &[Fault], text_of: impl Fn(&str) -> Option<String>, style: Style) -> String {
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
    for fault in faults {
        let source = text_of(&fault.file).map(|text| NamedSource::new(fault.file.as_str(), text));
        let shown = Shown { fault, source };
        // Writing to a String cannot fail; a fault that cannot be drawn is still said.
        if handler.render_report(&mut text, &shown).is_err() {
            let _ = writeln!(text, "{}: {}", fault.file, fault.message);
        }
        text.push('\n');
    }
    text
}

pub(super) fn count(faults: &[Fault]) -> String {
    let files: BTreeSet<_> = faults.iter().map(|fault| &fault.file).collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!("{} fault{} in {} file{}\n", faults.len(), plural(faults.len()), files.len(), plural(files.len()))
}

#[derive(Serialize)]
pub(super) struct WireFault<'a> {
    /// A file, relative to the configuration folder, or an environment variable.
    file: &'a str,
    /// Counted from 1, the column in characters; absent for an environment variable.
    line: Option<usize>,
    column: Option<usize>,
    /// Byte range in the file.
    start: usize,
    end: usize,
    message: &'a str,
    suggestion: Option<&'a str>,
}

impl<'a> WireFault<'a> {
    pub fn of(fault: &'a Fault, place: Option<(usize, usize)>) -> Self {
        Self {
            file: &fault.file,
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            start: fault.span.start,
            end: fault.span.end,
            message: &fault.message,
            suggestion: fault.suggestion.as_deref(),
        }
    }
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
