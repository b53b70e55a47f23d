//! One side of a comparison: what each of its rounds came to, and the cells of the table that follow.

use crate::report::median;
use hdrhistogram::Histogram;
use std::time::Duration;

/// One round.
pub struct Outcome {
    pub elapsed: Duration,
    pub messages: u64,
    /// From the moment a message was to be sent until it was answered, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }
}

#[derive(Default)]
pub struct Side(Vec<Outcome>);

impl Side {
    /// Of one round.
    pub fn of(outcome: Outcome) -> Self {
        Self(vec![outcome])
    }

    pub fn add(&mut self, outcome: Outcome) {
        self.0.push(outcome);
    }

    pub fn per_second(&self) -> f64 {
        self.median_of(Outcome::per_second)
    }

    /// The median over the rounds of what this share of a round's messages stayed below, in milliseconds.
    pub fn ms(&self, quantile: f64) -> f64 {
        self.median_of(|outcome| outcome.latency.value_at_quantile(quantile) as f64 / 1e6)
    }

    /// The worst of all rounds, in milliseconds.
    pub fn ms_max(&self) -> f64 {
        self.0.iter().map(|outcome| outcome.latency.max() as f64 / 1e6).fold(0.0, f64::max)
    }

    fn median_of(&self, figure: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.0.iter().map(figure).collect())
    }
}

/// The columns of a table and what stands in them.
pub struct Columns {
    pub names: &'static [&'static str],
    pub cells: fn(&Side, &Side) -> Vec<String>,
}

/// Latency is the window's and says nothing.
pub const FLAT_OUT: Columns = Columns {
    names: &["floor /s", "gateway /s", "ratio"],
    cells: |floor, gateway| {
        let (floor, gateway) = (floor.per_second(), gateway.per_second());
        vec![format!("{floor:.0}"), format!("{gateway:.0}"), format!("{:.2}", gateway / floor)]
    },
};

pub const SCHEDULED: Columns = Columns {
    names: &["floor /s", "gateway /s", "floor p50/p99 ms", "gateway p50/p99 ms", "ratio p50/p99"],
    cells: |floor, gateway| {
        let pace = |side: &Side| format!("{:.0}", side.per_second());
        let both = |side: &Side| format!("{:.2}/{:.2}", side.ms(0.5), side.ms(0.99));
        let ratio = |quantile| gateway.ms(quantile) / floor.ms(quantile);
        let ratios = format!("{:.1}/{:.1}", ratio(0.5), ratio(0.99));
        vec![pace(floor), pace(gateway), both(floor), both(gateway), ratios]
    },
};
