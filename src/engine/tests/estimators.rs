//! Estimators inside the engine: whatever comes, a restart and a replay change nothing, and every answer that changes by
//! time alone is waited for.

use super::super::answers::answers;
use super::check;
use super::script::Script;
use super::{Engine, Limits};
use crate::domain::ids::AssetId;
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Inputs, Memory, Truth};
use proptest::prelude::*;
use std::fmt::Write as _;

const RULES: &str = "\
service at 06:00
rule soon for bin: when = 'p_overflow(\"12h\") >= 0.05'; normal_when = 'emptied()'; task = { kind = 'empty-bin', skill = 'waste' }
rule before for bin: when = 'p_overflow(next_service()) >= 0.1'; unless = 'spike() || blocked()'
rule days for bin: when = 'time_to_full() < \"3d\"'; normal_when = 'since_emptied() < \"2h\"'
rule missed for bin: when = 'done_not_emptied() || sudden_full() || settled() || partly_emptied()'
rule near for bed: when = 'time_to_limit(\"sacrum\") <= \"25m\"'; normal_when = 'relief(\"sacrum\") > \"3m\"'
rule due for bed: when = 'exposure(\"sacrum\") >= 90'; normal_when = 'exposure(\"sacrum\") < 40'
";

/// The last service that is known of.
const LAST_SERVICE: Span = Span::from_hours(9 * 24 + 6);

/// What comes next, after how many minutes.
fn happenings() -> impl Strategy<Value = Vec<(u32, u8, f64)>> {
    prop::collection::vec((0_u32..200, 0_u8..12, 0.0_f64..1.0), 1..24)
}

fn script(happenings: &[(u32, u8, f64)]) -> String {
    let mut text = RULES.to_owned();
    let mut minute = 60;
    for (after, what, number) in happenings {
        minute += after;
        let (hour, rest) = (minute / 60, minute % 60);
        let line = match what {
            0..=3 => format!("bin-1 fill={:.3}", number * 1.05),
            4 => "bin-1 fill=0.02".to_owned(),
            5 => format!("bin-1 fill={number:.3} observed {:02}:{rest:02}", hour - 1),
            6..=8 => format!("bed-1 pressure_sacrum={:.1}", number * 90.0),
            9 => "bed-1 pressure_sacrum=2".to_owned(),
            10 => format!("crew-a completed {}", (number * 4.0) as u32 + 1),
            _ => "gateway starts".to_owned(),
        };
        writeln!(text, "at {hour:02}:{rest:02} {line}").unwrap();
    }
    text
}

/// What each rule without a memory says about the asset at a moment, and the earliest moment at which one may turn.
fn said(engine: &Engine, asset: &AssetId, now: Timestamp) -> (Vec<[Truth; 2]>, Option<Timestamp>) {
    let state = engine.inventory.assets.get(asset).unwrap();
    let estimates = answers(state, &engine.rules, engine.calendars(), now);
    let inputs = Inputs {
        samples: &state.samples,
        fresh: &[],
        earlier: &[],
        asset: &state.asset,
        calendars: engine.calendars(),
        estimates: &estimates,
        silent: false,
        now,
    };
    let stateless = engine.rules.for_kind(&state.asset.kind).iter().filter(|rule| rule.stateful_calls() == 0);
    let all: Vec<_> = stateless.map(|rule| rule.evaluate(&inputs, &mut Memory::default())).collect();
    let wake = all.iter().filter_map(|evaluation| evaluation.wake).map(|(_, at)| at).min();
    let answers = all.iter().map(|evaluation| [evaluation.when, evaluation.normal_when.unwrap_or(evaluation.when)]);
    (answers.collect(), wake)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_restart_and_a_replay_change_nothing(happenings in happenings()) {
        check(&script(&happenings));
    }

    #[test]
    fn between_two_wakes_no_answer_changes(happenings in happenings(), part in 0.0_f64..1.0) {
        let text = script(&happenings);
        let (mut script, mut engine) = (Script::new(&text), Engine::new(Limits::default()));
        while let Some((now, event)) = script.next(&mut engine) {
            let decision = engine.step(now, &event);
            script.learn(&decision);
            for asset in &["bin-1", "bed-1"].map(AssetId::new) {
                if engine.inventory.assets.get(asset).is_none() {
                    continue;
                }
                let (present, wake) = said(&engine, asset, now);
                prop_assert!(wake.is_none_or(|wake| wake > now));
                // A dose is a number of floating point: it crosses a limit to some microseconds.
                let end = Timestamp::from_micros(0) + LAST_SERVICE;
                let last = wake.map_or(end, |wake| wake.min(end)).since(now).as_micros() - 10;
                for micros in [last, (last as f64 * part) as i64] {
                    let later = now + Span::from_micros(micros.max(0));
                    prop_assert_eq!(&said(&engine, asset, later).0, &present, "{} {:?} → {:?}", asset, now, later);
                }
            }
        }
    }
}
