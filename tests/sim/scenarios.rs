//! Every scenario of the engine with the process killed after each event: the journal alone must tell the same story.

use super::gateway::sealing;
use rettidig::app::foundation::recover;
use rettidig::domain::ids::JournalId;
use rettidig::domain::time::Span;
use rettidig::engine::{Engine, Limits};
use rettidig::journal::{IMAGE_VERSION, Journal, write_image};
use std::path::Path;

#[path = "../../src/engine/tests/script.rs"]
mod script;
#[path = "../../src/engine/tests/story.rs"]
mod story;

/// How the process is treated between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    Crash,
    /// A snapshot is written first, so that the next start builds on it alone.
    SnapshotAndCrash,
}

#[test]
fn every_scenario_survives_a_crash_after_each_event() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/engine");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "only {} scenarios were found", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let told = run(&text, Between::Nothing);
        for between in [Between::Crash, Between::SnapshotAndCrash] {
            assert_eq!(told, run(&text, between), "{}: {between:?}", path.display());
        }
    }
}

fn open(folder: &Path) -> (Journal, Engine) {
    let options = super::gateway::options(folder, Span::from_hours(1_000_000));
    let opened = Journal::open(options, sealing(), || JournalId([7; 16])).unwrap();
    let recovered = recover(folder, &sealing(), opened).unwrap();
    (recovered.journal, recovered.engine)
}

fn run(text: &str, between: Between) -> String {
    let folder = super::world::folder();
    let mut script = script::Script::new(text);
    let (mut journal, mut engine) = open(folder.path());
    let mut unharmed = Engine::new(Limits::default());
    let mut told = String::new();
    while let Some((now, event)) = script.next(&mut engine) {
        let event = engine.admit(now, event).into_event();
        let decision = engine.step(now, &event);
        unharmed.apply(now, &event, &decision);
        journal.append(now, &event, &decision).unwrap();
        journal.sync().unwrap();
        if between == Between::SnapshotAndCrash {
            journal.save_snapshot(engine.seq(), IMAGE_VERSION, write_image(&engine.image()).unwrap()).unwrap();
        }
        if between != Between::Nothing {
            drop(journal);
            (journal, engine) = open(folder.path());
            assert_eq!(engine.image(), unharmed.image(), "recovery after {event:?}");
        }
        script.learn(&decision);
        if script.is_told(&event) {
            told += &story::tell(now, &event, &decision);
        }
    }
    told
}
