//! What came of it, as a page of its own: tables, plots, where rules lose, and what the figures do not say.
//!
//! Nothing is loaded from elsewhere and nothing runs. Both languages are in it; a switch without a script shows one. A
//! plot is described by its title, and the numbers stand in the table beside it.

use super::deposits::day_of;
use super::modelled::Outcome;
use super::plot::{Curve, Periods, escaped, scatter};
use super::render::{date, hours};
use super::walk::{Daily, Figures};
use super::words::{self, Both, LIMITS, ONLY_ALARMS, both, percent};
use super::{Compared, Count, Policies, Report, Row};
use std::fmt::Write as _;

/// Rows of bins where rules lose.
const LOSSES_MAX: usize = 100;
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--rule:#bbb;--p0:#6b6b6b;--p1:#005ea8;--p2:#b34700;--p3:#1a7a3c;--p4:#7a3fa0;\
--p5:#8a6d00;--p6:#a8005e;--p7:#00707a;--p8:#555}\
@media(prefers-color-scheme:dark){:root{--ink:#eaeaea;--paper:#161616;--rule:#555;--p0:#a8a8a8;--p1:#6cb6ff;--p2:#ff9a52;--p3:#5fd08a;\
--p4:#c99bf0;--p5:#e0c04a;--p6:#ff7ab8;--p7:#4fd0dc;--p8:#bbb}}\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:var(--ink);background:var(--paper)}\
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid var(--rule)}\
th:first-child,td:first-child{text-align:left}.scroll{overflow-x:auto}svg{width:100%;height:auto}text{font-size:12px;fill:var(--ink)}\
.axis{stroke:var(--ink)}i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}polyline{fill:none;stroke-width:1.5}\
body:not(:has(#da:checked)) [lang=da],body:has(#da:checked) [lang=en]{display:none}";

impl Report {
    #[must_use]
    pub fn page(&self) -> String {
        let mut style = STYLE.to_owned();
        for colour in 0..=8 {
            // Writing to a text cannot fail.
            let _ = write!(
                style,
                ".c{colour}{{fill:var(--p{colour});background:var(--p{colour})}}.l{colour}{{stroke:var(--p{colour})}}"
            );
        }
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>Backtest</title><style>{style}</style></head><body>\n<p><label><input type=\"radio\" name=\"language\" \
             checked> English</label> <label><input type=\"radio\" name=\"language\" id=\"da\"> Dansk</label></p>\n\
             <h1>Backtest</h1>\n<p>{}</p>\n",
            html(&self.data.said())
        );
        if self.left_out.rows > 0 {
            let rows = self.left_out.rows;
            let said = both(format!("{rows} rows could not be used:"), format!("{rows} rækker kunne ikke bruges:"));
            let first = self.left_out.first.iter().map(|row| format!("{}:{} {}", row.file, row.line, row.why));
            let first: Vec<String> = first.map(|row| format!("<li>{}</li>", escaped(&row))).collect();
            let _ = writeln!(page, "<p>{}</p><ul>{}</ul>", html(&said), first.concat());
        }
        if let Some(policies) = &self.policies {
            policies.put(&mut page);
        }
        if let Some(compared) = &self.compared {
            compared.put(&mut page);
        }
        page + "</body></html>\n"
    }
}

impl Policies {
    fn put(&self, page: &mut String) {
        let heads = [
            both("Policy", "Strategi"),
            both("Levels", "Niveauer"),
            both("Stops", "Stop"),
            both("A week and bin", "Pr. uge og spand"),
            both("Unneeded", "Unødige"),
            both("Level at stop", "Niveau ved stop"),
            both("Overflow hours", "Timer overfyldt"),
            both("Times full", "Gange fuld"),
            both("Spilled, bins", "Ved siden af, spande"),
            both("Alarms", "Alarmer"),
            both("Tasks", "Opgaver"),
        ];
        let heads = heads.iter().map(html).collect::<Vec<_>>().join("</th><th>");
        // Writing to a text cannot fail.
        let _ = writeln!(page, "<p>{}</p>", html(&words::model(&self.model)));
        let _ = writeln!(page, "<div class=\"scroll\"><table><thead><tr><th>{heads}</th></tr></thead><tbody>");
        for (at, outcome) in self.modelled.policies.iter().enumerate() {
            page.push_str(&self.policy_row(at, outcome));
        }
        page.push_str("</tbody></table></div>\n");
        self.put_plots(page);
        self.put_losses(page);
        let estimated = mean(self.modelled.bins.iter().map(|bin| bin.guessed));
        let _ = writeln!(
            page,
            "<h2>{}</h2>\n<p>{}</p>\n<ul>",
            html(&both("What the figures do not say", "Hvad tallene ikke siger")),
            html(&both(
                format!("Estimated: {:.1} % of the time.", percent(estimated)),
                format!("Skønnet: {:.1} % af tiden.", percent(estimated))
            ))
        );
        for (en, da) in LIMITS {
            let _ = writeln!(page, "<li>{}</li>", html(&both(en, da)));
        }
        page.push_str("</ul>\n");
    }

    fn policy_row(&self, at: usize, outcome: &Outcome) -> String {
        let levels = if at == 0 { both("recorded", "optaget") } else { both("modelled", "modelleret") };
        let Figures { stops, unneeded, overflow, overflows, spilled, alarms, tasks, .. } = outcome.figures;
        let number = |number: u64, known: bool| if known { number.to_string() } else { "–".to_owned() };
        format!(
            "<tr><td><i class=\"c{at}\"></i>{}</td><td>{}</td><td>{stops}</td><td>{:.2}</td><td>{unneeded}</td><td>{}</td>\
             <td>{:.1}</td><td>{overflows}</td><td>{spilled:.1}</td><td>{}</td><td>{}</td></tr>\n",
            html(&self.name(at)),
            html(&levels),
            outcome.figures.stops_a_week(),
            outcome.figures.level_at_stop().map_or("–".to_owned(), |level| format!("{:.0} %", level * 100.0)),
            hours(overflow),
            number(alarms, outcome.tally.is_some()),
            number(tasks, self.calls(at)),
        )
    }

    fn put_plots(&self, page: &mut String) {
        // What comes before the first bin is judged would be an empty line.
        let judged = self.modelled.bins.iter().map(|bin| bin.judged_from).min();
        let first = day_of(judged.unwrap_or(self.modelled.from));
        let periods = Periods::of(day_of(self.modelled.until) - first + 1);
        let curves = |of: fn(&Daily) -> f64| -> Vec<Curve> {
            let days =
                |outcome: &Outcome| periods.sums(outcome.daily.iter().map(|(day, daily)| (day - first, of(daily))));
            let policies = self.modelled.policies.iter().enumerate();
            policies.map(|(colour, outcome)| Curve { colour, values: days(outcome) }).collect()
        };
        let together = periods.together;
        let over =
            both(format!("Overflow hours, each {together} days"), format!("Timer overfyldt, for hver {together} dage"));
        let stops = both(format!("Stops, each {together} days"), format!("Stop, for hver {together} dage"));
        let beside = both("Stops a week and bin, and overflow hours", "Stop pr. uge og spand, og timer overfyldt");
        let points: Vec<_> = self.modelled.policies.iter().enumerate().collect();
        let point = |(at, outcome): &(usize, &Outcome)| {
            let figures = &outcome.figures;
            let name = self.name(*at);
            (*at, format!("{} / {}", name.en, name.da), figures.stops_a_week(), hours(figures.overflow))
        };
        let points: Vec<_> = points.iter().map(point).collect();
        let title = |said: &Both| format!("{} / {}", said.en, said.da);
        for (said, plot) in [
            (&beside, scatter(&title(&beside), &points)),
            (&over, periods.lines(&title(&over), &curves(|daily| hours(daily.overflow)))),
            (&stops, periods.lines(&title(&stops), &curves(|daily| daily.stops as f64))),
        ] {
            // Writing to a text cannot fail.
            let _ = writeln!(page, "<h2>{}</h2>\n{plot}", html(said));
        }
    }

    fn put_losses(&self, page: &mut String) {
        let Some(judged) = self.model.judged else { return };
        let mut losses: Vec<_> =
            self.modelled.bins.iter().flat_map(|bin| bin.losses.iter().map(move |loss| (bin, loss))).collect();
        losses.sort_by(|(a_bin, a), (b_bin, b)| {
            (b.overflow, b.stops).cmp(&(a.overflow, a.stops)).then_with(|| a_bin.asset.cmp(&b_bin.asset))
        });
        let name = self.name(judged);
        let said = both(format!("Where {} loses", name.en), format!("Hvor {} taber", name.da));
        // Writing to a text cannot fail.
        let _ = writeln!(page, "<h2>{}</h2>", html(&said));
        if losses.is_empty() {
            let _ = writeln!(page, "<p>{}</p>", html(&both("At no bin.", "Ved ingen spand.")));
            return;
        }
        let heads = [
            both("Bin", "Spand"),
            both("Against", "Mod"),
            both("More overflow hours", "Flere timer overfyldt"),
            both("More stops", "Flere stop"),
            both("Worst days", "Værste dage"),
        ];
        let heads = heads.iter().map(html).collect::<Vec<_>>().join("</th><th>");
        let _ = writeln!(page, "<div class=\"scroll\"><table><thead><tr><th>{heads}</th></tr></thead><tbody>");
        for (bin, loss) in losses.iter().take(LOSSES_MAX) {
            let days: Vec<String> =
                loss.days.iter().map(|(day, span)| format!("{} ({:+.1} h)", date(*day), hours(*span))).collect();
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{:+.1}</td><td>{:+}</td><td>{}</td></tr>",
                escaped(bin.asset.as_str()),
                html(&self.name(loss.policy)),
                hours(loss.overflow),
                loss.stops,
                days.join(", ")
            );
        }
        page.push_str("</tbody></table></div>\n");
    }
}

impl Compared {
    fn put(&self, page: &mut String) {
        let Self { against, new, reports, .. } = self;
        let how = if self.modelled {
            both(
                "Each rule set empties its own bins (modelled).",
                "Hvert regelsæt tømmer sine egne spande (modelleret).",
            )
        } else {
            both(
                "What people did is recorded; alarms and tasks are what each rule set would have called for.",
                "Hvad folk gjorde, er optaget; alarmer og opgaver er, hvad hvert regelsæt ville have bedt om.",
            )
        };
        let (against, new) = (escaped(&against.name), escaped(&new.name));
        // Writing to a text cannot fail.
        let _ = writeln!(
            page,
            "<h2>{}</h2>\n<p>{}<br>{}</p>\n<p>{}</p>",
            html(&both("Rule by rule", "Regel for regel")),
            spans(&format!("{reports} messages with values."), &format!("{reports} beskeder med målinger.")),
            spans(
                &format!("Against: {against} (grey). New: {new} (blue)."),
                &format!("Mod: {against} (grå). Nyt: {new} (blå).")
            ),
            html(&how)
        );
        let heads = [
            both("Rule", "Regel"),
            both("Alarms", "Alarmer"),
            both("New", "Nyt"),
            both("Tasks", "Opgaver"),
            both("New", "Nyt"),
        ];
        let heads = heads.iter().map(html).collect::<Vec<_>>().join("</th><th>");
        let _ = writeln!(page, "<div class=\"scroll\"><table><thead><tr><th>{heads}</th></tr></thead><tbody>");
        for row in &self.rules {
            let cell = |count: Option<&Count>, of: fn(&Count) -> u64| {
                count.map_or_else(|| "–".to_owned(), |count| of(count).to_string())
            };
            let (against, new) = (row.against.as_ref(), row.new.as_ref());
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
        page.push_str("</tbody></table></div>\n");
        if self.others {
            let _ = writeln!(page, "<p>{}</p>", html(&both(ONLY_ALARMS.0, ONLY_ALARMS.1)));
        }
        for row in self.rules.iter().filter(|row| alarms(row) > 0) {
            let _ = writeln!(page, "<h3>{}</h3>\n{}", escaped(row.rule.as_str()), self.plot(row));
        }
    }

    /// Two bars for each day, or for some days together.
    fn plot(&self, row: &Row) -> String {
        let periods = Periods::of(self.day(day_of(self.until)) + 1);
        let sums = |count: Option<&Count>| {
            periods.sums(
                count.iter().flat_map(|count| &count.by_day).map(|(day, alarms)| (self.day(*day), *alarms as f64)),
            )
        };
        let (rule, together) = (row.rule.as_str(), periods.together);
        let title = format!("Alarms of {rule} for each {together} days / Alarmer fra {rule} for hver {together} dage");
        let curves = [
            Curve { colour: 0, values: sums(row.against.as_ref()) },
            Curve { colour: 1, values: sums(row.new.as_ref()) },
        ];
        periods.bars(&title, &curves)
    }
}

fn alarms(row: &Row) -> u64 {
    [&row.against, &row.new].into_iter().flatten().map(|count| count.alarms).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

fn html(said: &Both) -> String {
    spans(&escaped(&said.en), &escaped(&said.da))
}

fn spans(en: &str, da: &str) -> String {
    format!("<span lang=\"en\">{en}</span><span lang=\"da\">{da}</span>")
}
