//! What a year of bins costs, hour by hour: `cargo bench --bench backtest`. The design is 5,000 bins, 44 million values, in
//! at most 60 s on two cores, with two rule sets, a call at a level and a tuned plan.
//!
//! `RETTIDIG_BACKTEST_BINS` is the number of bins (512 unless told); time grows with it in proportion, as each group of 32 is
//! made, driven through and dropped on its own. The levels are made as they are asked for: their making is in the time,
//! reading a file is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]

use report::{Pressure, Section};
use rettidig::app::assembly::assemble;
use rettidig::app::shipped;
use rettidig::config;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::review::backtest::{Contender, GROUP, Groups, Model, Policy, Series, counterfactual};
use rettidig::telemetry::stopwatch;
use std::convert::Infallible;

#[path = "support/report.rs"]
mod report;

const START: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);
const HOURS: u32 = 365 * 24;
const WHOLE: f64 = 5_000.0 * 365.0 * 24.0;

fn main() {
    if !report::wanted("backtest") {
        return;
    }
    let bins: usize =
        std::env::var("RETTIDIG_BACKTEST_BINS").map_or(512, |bins| bins.parse().expect("a number of bins"));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    shipped::lay_down(&config).unwrap();
    let assembly = assemble(&config::load(&config, []).unwrap(), START).unwrap();
    let policy =
        Policy { name: "shipped".to_owned(), configuration: &assembly.configuration, calendars: &assembly.calendars };
    let what = format!(
        "A year of {bins} made-up bins that tell their level each hour, with the shipped rules and calendars. The last \
         column is what the same pace makes of 5,000 bins, 44 million values; the budget is 60 s on two cores."
    );
    let mut section = Section::begin("backtest", &what);
    section.table(&["policies", "threads", "values/s", "5,000 bins, s", "CPU pressure"]);
    let rules = || Contender::Rules(&policy);
    let two_sets = [rules(), rules()];
    let four = [rules(), rules(), Contender::Level(0.8), Contender::Fixed(None)];
    let plans = [Contender::Level(0.8), Contender::Fixed(None)];
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for (name, contenders) in [("a level, a tuned plan", &plans[..]), ("two rule sets", &two_sets), ("all four", &four)]
    {
        for threads in [1, processors] {
            let pressure = Pressure::settled();
            let watch = stopwatch();
            let values = run(bins, contenders, &policy, threads);
            let pace = values as f64 / watch.elapsed().as_secs_f64();
            section.row(&[
                name.to_owned(),
                threads.to_string(),
                format!("{pace:.0}"),
                format!("{:.1}", WHOLE / pace),
                pressure.to_string(),
            ]);
        }
    }
    section.write();
}

fn run(bins: usize, contenders: &[Contender<'_>], plans: &Policy<'_>, threads: usize) -> u64 {
    let model = Model {
        with_service: true,
        respond: None,
        tuned_on: 0.5,
        full_at_most: 0.01,
        task: "empty-bin".into(),
        judged: Some(1),
        threads,
    };
    let load = |group: usize| {
        let numbers = group * GROUP..((group + 1) * GROUP).min(bins);
        Ok::<Vec<Series>, Infallible>(numbers.map(made_up).collect())
    };
    let groups = Groups { count: bins.div_ceil(GROUP), load };
    let modelled = counterfactual(&groups, (contenders, plans), &model, &|_, _| {}).unwrap().unwrap();
    modelled.values
}

/// Fills in two to fourteen days, a little unevenly, and is emptied when it is nearly full.
fn made_up(number: usize) -> Series {
    let hours_to_full = 48.0 + (number % 25) as f64 * 12.0;
    let (mut level, mut values) = (0.0, Vec::with_capacity(HOURS as usize));
    for hour in 0..HOURS {
        let chance = (number as u32).wrapping_mul(40_503).wrapping_add(hour).wrapping_mul(2_654_435_761) >> 20;
        level += f64::from(chance % 200) / 100.0 / hours_to_full;
        if level > 0.9 {
            level = 0.02;
        }
        let said = (level + f64::from(chance % 5) / 500.0).min(1.0);
        values.push((START + Span::from_hours(i64::from(hour)), said));
    }
    Series::of(&format!("bin-{number:05}"), values)
}
