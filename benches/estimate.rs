//! What one frame, one level and one pressure cost: `cargo bench --bench estimate`. The budget of a frame of 2,048 cells
//! is 40 µs; its floor, a bare sum over the same cells, stands beside it.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]

use divan::{Bencher, black_box};
use rettidig::domain::observation::{Finite, Quality};
use rettidig::domain::time::{Span, Timestamp};
use rettidig::estimate::exposure::{self, Zone};
use rettidig::estimate::fill::{Around, Fill, Prior, Scale, Settings};
use rettidig::estimate::occupancy::{self, Occupancy};
use rettidig::estimate::zones::Layout;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn main() {
    divan::main();
}

/// A body-like frame: a warm stripe, bony peaks, scattered noise. Content makes no difference to the work.
fn frame() -> Vec<u16> {
    (0..2_048_u32)
        .map(|at| {
            let (row, column) = (at / 32, at % 32);
            let noise = (at.wrapping_mul(2_654_435_761) >> 27) as u16;
            let body = (8..58).contains(&row) && (8..24).contains(&column);
            if body { 40 + noise + (row % 16) as u16 * 4 } else { noise / 8 }
        })
        .collect()
}

#[divan::bench]
fn frame_of_2048_cells(bencher: Bencher) {
    let (frame, layout) = (frame(), Layout::lying(32, 64, 5, (8, 57)).unwrap());
    bencher.bench_local(|| layout.reduce(black_box(&frame), None).unwrap());
}

#[divan::bench]
fn frame_of_2048_cells_bare_sum(bencher: Bencher) {
    let frame = frame();
    bencher.bench_local(|| black_box(&frame).iter().map(|cell| u32::from(*cell)).sum::<u32>());
}

/// A level each two hours, emptied when full: the whole of `Fill::observe`.
#[divan::bench]
fn fill_level(bencher: Bencher) {
    let (settings, prior) = (Settings::new(Scale::Share { full: 100.0 }), Prior::default());
    let mut fill = Fill::new(0.0, &prior);
    let around =
        Around { utc_offset: Span::ZERO, multiplier: 1.0, task_open: true, neighbours_rise: false, prior: &prior };
    let mut hour = 0_i64;
    bencher.bench_local(|| {
        hour += 2;
        let value = Finite::new((hour % 100) as f64).unwrap();
        fill.observe(&settings, START + Span::from_hours(hour), (value, Quality::Unchecked), black_box(&around))
    });
}

#[divan::bench]
fn fill_p_overflow(bencher: Bencher) {
    let (settings, prior) = (Settings::new(Scale::Share { full: 100.0 }), Prior::default());
    let fill = Fill::new(0.0, &prior);
    let horizon = rettidig::estimate::fill::Horizon::of_days(&[1.2, 1.3, 0.95]);
    bencher.bench_local(|| black_box(&fill).outlook(&settings, &prior).map(|outlook| outlook.p_overflow(horizon)));
}

#[divan::bench]
fn exposure_pressure(bencher: Bencher) {
    let settings = exposure::Settings { reference: Some(60.0), ..exposure::Settings::default() };
    let mut zone = Zone::new(START);
    let mut second = 0_i64;
    bencher.bench_local(|| {
        second += 5;
        let pressure = if second % 3_000 < 200 { 5.0 } else { 62.0 };
        zone.observe(black_box(&settings), START + Span::from_secs(second), pressure);
    });
}

#[divan::bench]
fn occupancy_value(bencher: Bencher) {
    let settings = occupancy::Settings::default();
    let mut device = Occupancy::default();
    let mut second = 0_i64;
    bencher.bench_local(|| {
        second += 1;
        let person = if second % 4_000 < 3_000 { 70.0 } else { 0.0 };
        device.observe(&settings, START + Span::from_secs(second), 10_000.0 + person + (second % 7) as f64)
    });
}
