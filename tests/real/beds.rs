//! The estimators of beds on recorded data: pressure maps become zones, bed exits are told and do not flap.

use super::{data, files};
use rettidig::domain::time::{Span, Timestamp};
use rettidig::estimate::occupancy::{Occupancy, Presence, Settings};
use rettidig::estimate::zones::{Area, Layout};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Frames of one recording, 32 columns by 64 rows.
fn frames(path: &std::path::Path) -> Vec<Vec<u16>> {
    let output = Command::new("gzip").arg("-dc").arg(path).output().unwrap();
    assert!(output.status.success(), "gzip could not read {}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split_whitespace().map(|cell| cell.parse::<f64>().unwrap() as u16).collect()).collect()
}

const WHOLE: Area = Area { row: 0, column: 0, rows: 64, columns: 32 };

/// How steady a zone is while a posture is held, and how it moves when the posture changes.
#[test]
fn pressure_maps_become_zones() {
    let whole = Layout::new(32, 64, 40, &[WHOLE]).unwrap();
    let (mut count, mut replaced, mut cells) = (0, 0_u64, 0_u64);
    let (mut within, mut sums): (Vec<f64>, BTreeMap<String, Vec<f64>>) = (Vec::new(), BTreeMap::new());
    for path in files(&data().join("pmd-pressure-maps")) {
        if path.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        let mut sacrum = Vec::new();
        let mut body = None;
        for frame in frames(&path) {
            let found = whole.reduce(&frame, None).unwrap();
            let extent = *body.get_or_insert(found.body.unwrap());
            let layout = Layout::lying(32, 64, 40, extent).unwrap();
            let zones = layout.reduce(&frame, None).unwrap();
            assert!(zones.peaks[..zones.count].iter().all(|peak| *peak >= 0.0 && *peak <= f32::from(u16::MAX)));
            assert!(zones.peaks[..zones.count].iter().all(|peak| *peak <= found.peaks[0] + 1e-3));
            sacrum.push(f64::from(zones.peaks[6]));
            count += 1;
            replaced += u64::from(zones.replaced);
            cells += frame.len() as u64;
        }
        let mean = sacrum.iter().sum::<f64>() / sacrum.len() as f64;
        let spread =
            (sacrum.iter().map(|peak| (peak - mean) * (peak - mean)).sum::<f64>() / sacrum.len() as f64).sqrt();
        within.push(spread / mean);
        let subject = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        sums.entry(subject).or_default().push(mean);
    }
    within.sort_by(f64::total_cmp);
    println!(
        "pressure maps: {count} frames, {:.2} % of cells replaced; pelvis zone steady to {:.1} % (median of {} postures, \
         worst {:.1} %)",
        100.0 * replaced as f64 / cells as f64,
        100.0 * within[within.len() / 2],
        within.len(),
        100.0 * within[within.len() - 1]
    );
    for (subject, means) in &sums {
        let (low, high) = means.iter().fold((f64::MAX, 0.0_f64), |(low, high), mean| (low.min(*mean), high.max(*mean)));
        println!("pressure maps {subject}: pelvis zone {low:.0} to {high:.0} over {} postures", means.len());
    }
    assert!(count >= 1_000 && within[within.len() / 2] < 0.1);
}

/// Noise without a pattern that matters, about plus and minus one.
fn noise(step: u64) -> f64 {
    let mixed = step.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)) as f64 / u64::MAX as f64 * 2.0 - 1.0
}

#[derive(Default)]
struct Exits {
    real: u32,
    short: u32,
    told: u32,
    right: u32,
    delay: f64,
}

/// The recorded times of people in and out of bed drive a mat that is made up: an empty number of 10,000, 0.8 % for
/// lying, 0.5 % for sitting, noise of 0.05 %, a creep, and a swing of half the person at every change of posture.
fn run(path: &std::path::Path, settings: &Settings, exits: &mut Exits) {
    let text = fs::read_to_string(path).unwrap();
    let labels: Vec<(f64, u8)> = text
        .lines()
        .filter_map(|line| {
            let parts: Vec<_> = line.split(',').collect();
            Some((parts.first()?.parse().ok()?, parts.last()?.trim().parse().ok()?))
        })
        .collect();
    let Some(&(end, _)) = labels.last() else { return };
    let label = |second: f64| labels[labels.partition_point(|(at, _)| *at <= second).max(1) - 1].1;
    let in_bed = |second: f64| matches!(label(second), 1 | 3);
    let mut device = Occupancy::default();
    device.mounted_empty(settings, 10_000.0);
    let at = |step: u64| Timestamp::from_micros(0) + Span::from_millis(step as i64 * 500);
    let (mut told, mut left): (Vec<f64>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
    let mut out_since = None;
    // A minute of an empty bed before and after the trial.
    for step in 0..(2.0 * end) as u64 + 240 {
        let second = step as f64 * 0.5 - 60.0;
        let inside = (0.0..=end).contains(&second) && in_bed(second);
        let changed = inside && second > 1.0 && label(second) != label(second - 1.0);
        let person = if !inside {
            0.0
        } else if label(second) == 3 {
            80.0
        } else {
            50.0
        };
        let number = 10_000.0 + if changed { person * 0.5 } else { person } + 5.0 * noise(step) + second * 0.002;
        if let Some((Presence::Empty, since)) = device.observe(settings, at(step), number) {
            told.push(since.as_micros() as f64 / 1e6 - 60.0);
            exits.delay += at(step).since(since).as_micros() as f64 / 1e6;
        }
        match (inside, out_since) {
            (false, None) => out_since = Some(second),
            (true, Some(since)) => {
                left.push((since, second));
                out_since = None;
            }
            _ => {}
        }
    }
    left.extend(out_since.map(|since| (since, end + 60.0)));
    for (since, until) in left.iter().filter(|(since, _)| *since > 0.0) {
        let long = until - since >= settings.off_delay.as_micros() as f64 / 1e6;
        exits.real += u32::from(long);
        exits.short += u32::from(!long);
        let found = told.iter().position(|moment| (moment - since).abs() <= 3.0);
        if let Some(which) = found {
            told.remove(which);
            exits.right += 1;
            exits.told += 1;
        }
    }
    exits.told += told.len() as u32;
}

#[test]
fn bed_exits_are_told_once() {
    for off_delay in [0, 5, 15] {
        let settings = Settings { off_delay: Span::from_secs(off_delay), ..Settings::default() };
        let mut exits = Exits::default();
        for path in files(&data().join("uci427-bed-activity")) {
            if path.file_name().is_some_and(|name| name != "SOURCE.txt") {
                run(&path, &settings, &mut exits);
            }
        }
        println!(
            "bed exits, off_delay {off_delay} s: {} exits lasted that long and {} shorter; {} told, {} of them right, \
             {:.1} s after they began",
            exits.real,
            exits.short,
            exits.told,
            exits.right,
            exits.delay / f64::from(exits.told.max(1))
        );
        assert!(
            off_delay != 15
                || (exits.told.abs_diff(exits.right) * 20 <= exits.told && exits.right >= exits.real * 9 / 10)
        );
    }
}
