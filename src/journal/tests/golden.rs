//! The record format is fixed by files under `tests/fixtures/journal`: one per variant, hexadecimal with a rendering
//! beside it. They are written once, with `RETTIDIG_BLESS=1 cargo test --lib journal::tests::golden`, and never changed:
//! a record written today must be read in ten years.

use super::samples::{self, EVENT_VARIANTS, FACT_VARIANTS, event_name, fact_name};
use super::{Keys, decision};
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::domain::observation::Finite;
use crate::journal::RecordError;
use crate::journal::record;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

fn encode(event: &Event, decision: &Decision) -> Vec<u8> {
    let (mut scratch, mut bytes) = (Vec::new(), Vec::new());
    record::encode(&Keys::default().sealing(), event, decision, &mut scratch, &mut bytes).unwrap();
    bytes
}

fn decode(seq: Seq, bytes: &[u8]) -> Result<(Event, Decision), RecordError> {
    record::decode(&Keys::default().sealing(), seq, bytes)
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/journal", &format!("{name}.cbor")].iter().collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn from_hexadecimal(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn rendering(name: &str, bytes: &[u8], event: &Event, decision: &Decision) -> String {
    format!(
        "# {name}\nhex: {}\ndiagnostic: {}\nevent: {event:?}\ndecision: {decision:?}\n",
        hexadecimal(bytes),
        minicbor::display(bytes)
    )
}

#[test]
fn every_variant_has_these_bytes_for_ever() {
    let mut faults = String::new();
    for (name, event, decision) in samples::all() {
        let (path, bytes) = (fixture(&name), encode(&event, &decision));
        if !path.exists() && std::env::var_os("RETTIDIG_BLESS").is_some() {
            fs::write(&path, rendering(&name, &bytes, &event, &decision)).unwrap();
        }
        let Ok(golden) = fs::read_to_string(&path) else {
            writeln!(faults, "{name}: no golden file").unwrap();
            continue;
        };
        let hex = golden.lines().find_map(|line| line.strip_prefix("hex: ")).unwrap();
        if hex != hexadecimal(&bytes) {
            writeln!(faults, "{name}: is written as {}", minicbor::display(&bytes)).unwrap();
        }
        match decode(decision.seq, &from_hexadecimal(hex)) {
            Ok(read) if read == (event, decision) => {}
            other => writeln!(faults, "{name}: reads as {other:?}").unwrap(),
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn no_variant_is_without_a_sample_and_no_file_without_a_variant() {
    let samples = samples::all();
    let events: BTreeSet<_> = samples.iter().map(|(_, event, _)| event_name(event)).collect();
    assert_eq!(events.len(), EVENT_VARIANTS, "{events:?}");
    let facts: BTreeSet<_> = samples::facts().iter().map(fact_name).collect();
    // Who acknowledged is two samples of one variant, and so is when it returned to normal; what raised an alarm is three.
    assert_eq!(facts.len(), FACT_VARIANTS + 4, "{facts:?}");
    let named: BTreeSet<_> = samples.iter().map(|(name, ..)| fixture(name)).collect();
    assert_eq!(named.len(), samples.len(), "two samples share a name");
    let folder = fixture("x").parent().unwrap().to_owned();
    let kept: BTreeSet<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept, named);
}

#[test]
fn a_field_added_by_a_later_program_is_skipped() {
    let bytes = encode(&Event::Started, &decision(7));
    // The record is an array of three; a fourth field follows, as a later program would write it.
    assert_eq!(bytes[0], 0x83);
    let mut longer = bytes.clone();
    longer[0] = 0x84;
    longer.extend(minicbor::to_vec(("from the future", 1_u8)).unwrap());
    assert_eq!(decode(Seq(7), &longer).unwrap(), (Event::Started, decision(7)));
}

#[test]
fn a_field_added_inside_a_variant_is_skipped_too() {
    let bytes = encode(&Event::Released { through: Seq(5), undelivered: Vec::new() }, &decision(7));
    // Version 1, then the body: [0, [9, 5, []]].
    assert_eq!(&bytes[..8], &[0x83, 0x01, 0x82, 0x00, 0x83, 0x09, 0x05, 0x80]);
    let mut longer = bytes[..8].to_vec();
    longer[4] = 0x84;
    longer.push(0x18);
    longer.push(0x2a);
    longer.extend(&bytes[8..]);
    let (event, _) = decode(Seq(7), &longer).unwrap();
    assert_eq!(event, Event::Released { through: Seq(5), undelivered: Vec::new() });
}

#[test]
fn a_record_of_an_unknown_version_says_so() {
    let mut bytes = encode(&Event::Started, &decision(7));
    bytes[1] = 0x02;
    let fault = decode(Seq(7), &bytes).unwrap_err();
    assert_eq!(fault.to_string(), "it has version 2; this program reads version 1");
}

#[test]
fn an_unknown_event_is_an_error_and_no_panic() {
    let mut bytes = encode(&Event::Started, &decision(7));
    assert_eq!(&bytes[2..6], &[0x82, 0x00, 0x81, 0x08]);
    bytes[5] = 0x17;
    assert!(matches!(decode(Seq(7), &bytes), Err(RecordError::Malformed(_))));
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    let sample = samples::all().into_iter().find(|(name, ..)| name == "observed").unwrap();
    let bytes = encode(&sample.1, &sample.2);
    let number = Finite::new(81.5).unwrap().get().to_be_bytes();
    let at = bytes.windows(8).position(|window| window == number).unwrap();
    for not_finite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut changed = bytes.clone();
        changed[at..at + 8].copy_from_slice(&not_finite.to_be_bytes());
        assert!(matches!(decode(Seq(1), &changed), Err(RecordError::Malformed(_))));
    }
}

#[test]
fn what_was_measured_of_a_person_is_nowhere_in_the_clear() {
    let keys = Keys::default();
    for (name, event, decision) in samples::all().into_iter().filter(|(name, ..)| name.starts_with("sealed-")) {
        let bytes = encode(&event, &decision);
        for secret in [&b"fill"[..], b"lid open", b"bin-7-sensor", b"sixteen of bytes", b"expected a value"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{name}");
        }
        keys.erase("person-4711");
        let (read, kept) = record::decode(&keys.sealing(), decision.seq, &bytes).unwrap();
        assert_eq!((read, kept), (Event::Erased { person: "person-4711".into() }, decision), "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_can_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Seq(1), &bytes);
    }

    #[test]
    fn no_changed_record_can_panic_the_reader(sample in 0_usize..50, at in 0_usize..400, mask in 1_u8..) {
        let samples = samples::all();
        let (_, event, decision) = &samples[sample % samples.len()];
        let mut bytes = encode(event, decision);
        let at = at % bytes.len();
        bytes[at] ^= mask;
        let _ = decode(Seq(1), &bytes);
    }
}
