//! What came of both rule sets, as a page of its own: the table, and for each rule its alarms day by day.
//!
//! Nothing is loaded from elsewhere; a plot is described by its title, and the numbers stand in the table beside it.

use super::{Compared, Count, Row};
use std::fmt::Write as _;

const WIDTH: i64 = 720;
const HEIGHT: i64 = 120;
/// Days in one plot; more are put together.
const BARS_MAX: i64 = 180;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:48rem;padding:0 1rem;color:#1b1b1b}\
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #bbb}\
th:first-child,td:first-child{text-align:left}.against{fill:#6b6b6b}.new{fill:#005ea8}svg{width:100%;height:auto}";

impl Compared {
    #[must_use]
    pub fn page(&self) -> String {
        let Self { data, reports, against, new, .. } = self;
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backtest</title><style>{STYLE}</style>\
             </head><body>\n<h1>Backtest</h1>\n<p>{}: {reports} messages with values.<br>Against: {} (grey). New: {} (blue).\
             </p>\n<p>What people did is recorded; alarms and tasks are what each rule set would have called for.</p>\n",
            escaped(data),
            escaped(&against.name),
            escaped(&new.name),
        );
        page.push_str("<table><thead><tr><th>Rule</th><th>Alarms</th><th>New</th><th>Tasks</th><th>New</th></tr></thead><tbody>\n");
        for row in &self.rules {
            let cell = |count: Option<&Count>, of: fn(&Count) -> u64| {
                count.map_or_else(|| "–".to_owned(), |count| of(count).to_string())
            };
            let (against, new) = (row.against.as_ref(), row.new.as_ref());
            // Writing to a text cannot fail.
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(row.rule.as_str()),
                cell(against, |count| count.alarms),
                cell(new, |count| count.alarms),
                cell(against, |count| count.tasks),
                cell(new, |count| count.tasks),
            );
        }
        page.push_str("</tbody></table>\n");
        for row in self.rules.iter().filter(|row| alarms(row) > 0) {
            let _ = writeln!(page, "<h2>{}</h2>\n{}", escaped(row.rule.as_str()), self.plot(row));
        }
        page + "</body></html>\n"
    }

    /// Two bars for each day, or for some days together.
    fn plot(&self, row: &Row) -> String {
        let days = self.lasts().as_micros() / 86_400_000_000 + 1;
        let together = (days + BARS_MAX - 1) / BARS_MAX;
        let bars = (days + together - 1) / together;
        let sums = |count: Option<&Count>| {
            let mut sums = vec![0_u64; usize::try_from(bars).unwrap_or_default()];
            for (day, alarms) in count.iter().flat_map(|count| &count.by_day) {
                let place = usize::try_from(day / together).ok();
                if let Some(sum) = place.and_then(|place| sums.get_mut(place)) {
                    *sum += alarms;
                }
            }
            sums
        };
        let (against, new) = (sums(row.against.as_ref()), sums(row.new.as_ref()));
        let most = against.iter().chain(&new).copied().max().unwrap_or_default().max(1);
        let each = WIDTH as f64 / bars as f64;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\"><title>Alarms of {} for each {together} of {days} days, at most \
             {most}</title>",
            HEIGHT + 20,
            escaped(row.rule.as_str()),
        );
        for (class, sums, shift) in [("against", &against, 0.0), ("new", &new, 0.5)] {
            for (at, sum) in sums.iter().enumerate().filter(|(_, sum)| **sum > 0) {
                let tall = *sum as f64 / most as f64 * HEIGHT as f64;
                let (x, y) = ((at as f64 + shift) * each, HEIGHT as f64 - tall);
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{tall:.2}\"/>",
                    each * 0.45
                );
            }
        }
        let _ = write!(
            svg,
            "<line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\" stroke=\"#1b1b1b\"/><text x=\"0\" y=\"{}\" \
             font-size=\"12\">day 1</text><text x=\"{WIDTH}\" y=\"{0}\" font-size=\"12\" text-anchor=\"end\">day {days}, at most \
             {most}</text></svg>",
            HEIGHT + 15
        );
        svg
    }
}

fn alarms(row: &Row) -> u64 {
    [&row.against, &row.new].into_iter().flatten().map(|count| count.alarms).sum()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
