//! Plots for a page: drawn here, so that nothing is loaded from elsewhere. Each says in its title what it shows.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;
/// Periods in one plot; more days are put together.
const PERIODS_MAX: i64 = 180;

/// One value for each period.
pub(super) struct Curve {
    /// Of the palette of the page.
    pub colour: usize,
    pub values: Vec<f64>,
}

/// Days put together, so that a plot of so many has room.
pub(super) struct Periods {
    pub days: i64,
    pub together: i64,
}

impl Periods {
    pub const fn of(days: i64) -> Self {
        let days = if days < 1 { 1 } else { days };
        Self { days, together: (days + PERIODS_MAX - 1) / PERIODS_MAX }
    }

    /// Sums by period of what happened on days counted from the first.
    pub fn sums(&self, of: impl Iterator<Item = (i64, f64)>) -> Vec<f64> {
        let periods = (self.days + self.together - 1) / self.together;
        let mut sums = vec![0.0; usize::try_from(periods).unwrap_or_default()];
        for (day, value) in of {
            let place = usize::try_from(day.div_euclid(self.together)).ok();
            if let Some(sum) = place.and_then(|place| sums.get_mut(place)) {
                *sum += value;
            }
        }
        sums
    }

    /// Bars beside each other.
    pub fn bars(&self, title: &str, curves: &[Curve]) -> String {
        let most = most(curves);
        let mut svg = begin(title);
        let count = curves.iter().map(|curve| curve.values.len()).max().unwrap_or_default().max(1);
        let each = WIDTH / count as f64;
        let wide = each * 0.9 / curves.len().max(1) as f64;
        for (shift, curve) in curves.iter().enumerate() {
            for (at, value) in curve.values.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                let tall = value / most * HEIGHT;
                let (x, y) = (at as f64 * each + shift as f64 * wide, HEIGHT - tall);
                // Writing to a text cannot fail.
                let _ = write!(
                    svg,
                    "<rect class=\"c{}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{wide:.2}\" height=\"{tall:.2}\"/>",
                    curve.colour
                );
            }
        }
        svg + &self.end(most)
    }

    /// Lines over each other.
    pub fn lines(&self, title: &str, curves: &[Curve]) -> String {
        let most = most(curves);
        let mut svg = begin(title);
        for curve in curves {
            let each = WIDTH / curve.values.len().max(2).saturating_sub(1) as f64;
            let points: Vec<String> = curve
                .values
                .iter()
                .enumerate()
                .map(|(at, value)| format!("{:.1},{:.1}", at as f64 * each, HEIGHT - value / most * HEIGHT))
                .collect();
            // Writing to a text cannot fail.
            let _ = write!(svg, "<polyline class=\"l{}\" points=\"{}\"/>", curve.colour, points.join(" "));
        }
        svg + &self.end(most)
    }

    fn end(&self, most: f64) -> String {
        format!(
            "<line class=\"axis\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/><text x=\"0\" y=\"{0}\">1</text>\
             <text x=\"{WIDTH}\" y=\"{0}\" text-anchor=\"end\">{1}</text><text x=\"0\" y=\"10\">{most:.0}</text></svg>",
            HEIGHT + 15.0,
            self.days
        )
    }
}

/// One point for each policy: its colour, its name, and how far to the right and up it lies.
pub(super) fn scatter(title: &str, points: &[(usize, String, f64, f64)]) -> String {
    let highest = |of: fn(&(usize, String, f64, f64)) -> f64| points.iter().map(of).fold(0.0, f64::max).max(1e-9) * 1.1;
    let (right, top) = (highest(|point| point.2), highest(|point| point.3));
    let mut svg = begin(title);
    for (colour, name, x, y) in points {
        let (at_x, at_y) = (x / right * WIDTH, HEIGHT - y / top * HEIGHT);
        let anchor = if at_x > WIDTH * 0.6 { "end" } else { "start" };
        let beside = if at_x > WIDTH * 0.6 { at_x - 9.0 } else { at_x + 9.0 };
        // Writing to a text cannot fail.
        let _ = write!(
            svg,
            "<circle class=\"c{colour}\" cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"6\"/><text x=\"{beside:.1}\" \
             y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            at_y + 4.0,
            escaped(name)
        );
    }
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/><line class=\"axis\" x1=\"0\" y1=\"0\" \
         x2=\"0\" y2=\"{HEIGHT}\"/><text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{right:.2}</text>\
         <text x=\"4\" y=\"10\">{top:.0}</text></svg>",
        HEIGHT + 15.0
    );
    svg
}

fn begin(title: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\"><title>{}</title>", HEIGHT + 20.0, escaped(title))
}

fn most(curves: &[Curve]) -> f64 {
    curves.iter().flat_map(|curve| &curve.values).copied().fold(0.0, f64::max).max(1.0)
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
