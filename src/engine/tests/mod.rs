//! Scenarios: short texts of what happens, and the reviewed text of what was decided.
//!
//! Every scenario runs straight through, with the engine restored from its image after each event and after every
//! third, and with recorded decisions applied to a second engine. All must end in the same state.

mod calendars;
mod estimators;
mod event_time;
mod script;
mod standing;
mod story;

use super::{Engine, Limits};
use crate::domain::event::Event;
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::rules::{Explanation, Truth};
use script::Script;
use story::tell;

#[test]
fn scenarios_are_decided_as_reviewed() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("../../../tests/scenarios/engine", "*.txt", |path| {
            let text = std::fs::read_to_string(path).unwrap();
            insta::assert_snapshot!(check(&text));
        });
    });
}

/// Runs a scenario all three ways and says what was decided.
fn check(text: &str) -> String {
    let straight = run(text, usize::MAX);
    for every in [1, 3] {
        assert_eq!(straight, run(text, every), "a restart after every {every} events changed what was decided");
    }
    straight
}

fn run(text: &str, restart_every: usize) -> String {
    let mut script = Script::new(text);
    let mut engine = Engine::new(Limits::default());
    let mut shadow = Engine::new(Limits::default());
    let (mut told, mut events) = (String::new(), 0_usize);
    while let Some((now, event)) = script.next(&mut engine) {
        let event = engine.admit(now, event).into_event();
        let decision = engine.step(now, &event);
        if let Event::Configured(configuration) = &event
            && !configuration.rule_files["rules.toml"].contains("nobody knows")
        {
            assert_eq!(decision.verdict, Verdict::Accepted, "{:?}", configuration.rule_files);
        }
        shadow.apply(now, &event, &decision);
        assert_eq!(engine.image(), shadow.image(), "applying the record of {event:?} gave another state");
        assert_eq!(engine.broken_invariants(), Vec::<String>::new(), "after {event:?}");
        assert_explained(&engine, now);
        events += 1;
        if events.is_multiple_of(restart_every) {
            let image = engine.image();
            engine = Engine::restore(Limits::default(), image.clone());
            assert_eq!(engine.image(), image, "restoring gave another image");
        }
        script.learn(&decision);
        let changes_alarms = matches!(event, Event::Configured(_)) && !decision.facts.is_empty();
        if script.is_told(&event) || changes_alarms {
            told += &tell(now, &event, &decision);
        }
    }
    told
}

/// Every rule taken apart says, part by part, what it says as a whole; and looking changes nothing.
fn assert_explained(engine: &Engine, now: Timestamp) {
    let before = engine.image();
    let assets: Vec<_> = engine.inventory().assets().map(|asset| (asset.id.clone(), asset.kind.clone())).collect();
    for (asset, kind) in assets {
        for rule in engine.rules().for_kind(&kind) {
            let insight = engine.inspect(now, &asset, &rule.id).expect("a rule of this kind");
            let Explanation { evaluation, when, unless, normal_when } = insight.explanation;
            assert_eq!(when.truth(), evaluation.when, "{}: {when:#?}", rule.id);
            assert_eq!(unless.map_or(Truth::False, |part| part.truth()), evaluation.unless, "{}", rule.id);
            assert_eq!(normal_when.map(|part| part.truth()), evaluation.normal_when, "{}", rule.id);
        }
    }
    assert_eq!(before, engine.image());
}
