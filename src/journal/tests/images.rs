//! The engine's state goes through a snapshot unchanged, in however many sections and by however many threads.

use super::{ID, Keys, at, fill, options};
use crate::domain::asset::{Asset, Device};
use crate::domain::ids::Seq;
use crate::domain::observation::Value;
use crate::domain::person::Person;
use crate::domain::time::Span;
use crate::engine::{AssetImage, DeviceImage, Engine, Image, Limits};
use crate::estimate::silence::Silence;
use crate::journal::wire::image::State;
use crate::journal::{IMAGE_VERSION, Journal, JournalError, Section, Snapshot, restore_engine, write_image};
use std::collections::BTreeMap;

const ASSETS: usize = 1_300;

/// Every hundredth asset is a bed of one of three people; every second device stands at the asset before its own.
fn image() -> Image {
    let id = |number: usize| format!("asset-{number:04}");
    let person = |number: usize| number.is_multiple_of(100).then(|| format!("person-{}", number / 100 % 3));
    let asset = |number: usize| Asset {
        id: id(number).as_str().into(),
        kind: "bed".into(),
        area: None,
        position: None,
        person: person(number).map(|person| person.as_str().into()),
        attributes: BTreeMap::from([("ward".into(), Value::Text("3".into()))]),
    };
    let device = |number: usize| Device {
        id: format!("device-{number:04}").as_str().into(),
        sensor_type: "mattress".into(),
        asset: id(number - number % 2).as_str().into(),
        mounting: BTreeMap::new(),
    };
    let assets = (0..ASSETS).map(asset);
    let silence = Silence::new(Span::from_hours(1), at(1));
    let people = ["person-0", "person-1", "person-2"];
    Image {
        seq: Seq(2),
        now: at(2),
        people: people.map(|id| Person { id: id.into(), bases: Vec::new() }).into(),
        assets: assets
            .map(|asset| AssetImage {
                asset,
                samples: Vec::new(),
                estimators: Vec::new(),
                order: None,
                conditions: Vec::new(),
            })
            .collect(),
        devices: (0..ASSETS)
            .map(|number| DeviceImage { device: device(number), silence, identities: vec![(number as u64, Seq(1))] })
            .collect(),
        ..Image::default()
    }
}

fn through_a_snapshot(keys: &Keys, version: u32, sections: Vec<Section>) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(options(folder.path()), keys.sealing(), || ID).unwrap();
    let mut journal = open().journal;
    fill(&mut journal, 2);
    journal.save_snapshot(Seq(2), version, sections).unwrap();
    drop(journal);
    open().snapshot.unwrap()
}

fn restored(snapshot: &Snapshot, others: usize) -> Engine {
    restore_engine(Limits::default(), snapshot, others).unwrap()
}

#[test]
fn the_state_comes_back_by_any_number_of_threads() {
    let (image, keys) = (image(), Keys::default());
    let sections = write_image(&image).unwrap();
    assert!(sections.len() > 6, "several for assets and devices");
    let snapshot = through_a_snapshot(&keys, IMAGE_VERSION, sections);
    assert_eq!(snapshot.personal.len(), 3);
    let mut alone = Engine::restore(Limits::default(), image.clone());
    for others in [0, 1, 3] {
        let mut engine = restored(&snapshot, others);
        assert!(engine.image() == image, "with {others} others");
        assert_eq!(engine.next_deadline(), alone.next_deadline());
    }
}

#[test]
fn an_asset_whose_person_is_erased_is_still_there() {
    let (image, keys) = (image(), Keys::default());
    let snapshot = {
        keys.erase("person-1");
        through_a_snapshot(&keys, IMAGE_VERSION, write_image(&image).unwrap())
    };
    assert_eq!(snapshot.personal.len(), 2);
    assert!(restored(&snapshot, 1).image() == image);
}

#[test]
fn a_snapshot_of_version_1_is_read() {
    let (image, keys) = (image(), Keys::default());
    let mut sections = write_image(&image).unwrap();
    sections.retain(|section| section.person.is_some());
    let bytes = minicbor::to_vec(State::of_version_1(&image)).unwrap();
    sections.insert(0, Section { person: None, bytes });
    assert!(restored(&through_a_snapshot(&keys, 1, sections), 1).image() == image);
}

#[test]
fn what_is_no_image_is_refused_with_a_reason() {
    let (image, keys) = (image(), Keys::default());
    let sections = write_image(&image).unwrap();
    let mut cut = sections.clone();
    cut[2].bytes.truncate(100);
    for (version, sections, why) in [
        (3, sections, "it has version 3; this program reads versions 1 to 2"),
        (IMAGE_VERSION, cut, "end of input bytes"),
        (IMAGE_VERSION, Vec::new(), "a section is missing"),
    ] {
        let snapshot = through_a_snapshot(&keys, version, sections);
        let refused = restore_engine(Limits::default(), &snapshot, 1).err().unwrap();
        assert!(matches!(&refused, JournalError::Snapshot { why: told, .. } if told == why), "{refused}");
    }
}
