//! `check` through its own door: a folder in, a report out.

use super::check::{ReadSensorTypes, Report, Style, check};
use crate::config::{Kind, SETTINGS_FILE, schema};
use crate::domain::asset::{Property, PropertyKind, SensorType};
use crate::domain::fault::Fault;
use crate::domain::ids::{AssetKind, PropertyName, SensorTypeId};
use crate::domain::time::Span;
use crate::domain::toml_reader::{Document, Faults};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KINDS: [&str; 3] = ["number", "boolean", "text"];

/// What `check` needs of sensor types and no more: how messages are taken apart is not its matter.
fn read_sensor_types(files: &BTreeMap<SmolStr, String>) -> Result<Vec<SensorType>, Vec<Fault>> {
    let faults = Faults::default();
    let mut types = Vec::new();
    for (file, text) in files {
        let document = Document::parse(file.clone(), text, &faults);
        let mut root = document.root(&faults);
        let mut word = |name| root.required(name, "…").and_then(|field| field.filled_text(64)).map(|text| text.value);
        let (id, asset_kind) = (word("id").unwrap(), word("asset_kind").unwrap());
        let mut properties = BTreeMap::new();
        for (name, field) in root.section("properties").entries() {
            let mut section = field.section().unwrap();
            let unit = section.optional("unit").and_then(|field| field.text());
            let unit = unit.map(|unit| SmolStr::new(&unit.value)).unwrap_or_default();
            let kind = section.required("kind", "kind = \"number\"").and_then(|field| field.one_of(&KINDS));
            let range = section.optional("range").map(|field| field.items("two numbers", "[0, 1]"));
            let range = range.map(|ends| (ends[0].number(-1e9..=1e9).unwrap(), ends[1].number(-1e9..=1e9).unwrap()));
            let kind = kind.map(|at| [PropertyKind::Number, PropertyKind::Boolean, PropertyKind::Text][at]);
            if let Some(kind) = kind {
                let property = Property { kind, unit, range, purpose: None };
                properties.insert(PropertyName::new(name), property);
            }
        }
        let (id, asset_kind) = (SensorTypeId::new(id), AssetKind::new(asset_kind));
        types.push(SensorType { id, asset_kind, interval: Span::from_hours(6), lateness: Span::ZERO, properties });
    }
    if faults.is_empty() { Ok(types) } else { Err(faults.into_sorted()) }
}

const READ: ReadSensorTypes<'static> = &read_sensor_types;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn checked(folder: &Path) -> Report {
    check(folder, [], READ).unwrap()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in [(SETTINGS_FILE, "")].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const BIN: &str = "id = 'bin'\nasset_kind = 'bin'\n[properties]\nfill = { kind = 'number', unit = '1', range = [0, 1.05] }\n\
                   temperature = { kind = 'number' }\nbattery = { kind = 'number' }\ntilt = { kind = 'boolean' }\n";
const BED: &str = "id = 'bed'\nasset_kind = 'bed'\n[properties]\npressure_sacrum = { kind = 'number', unit = 'mm[Hg]' }\n\
                   occupied = { kind = 'boolean' }\npress = { kind = 'number' }\n";

#[test]
fn ten_planted_faults_are_found_in_one_run() {
    let report = checked(&root().join("tests/fixtures/ten-faults"));
    for fault in &report.faults {
        assert!(report.place(fault).is_some() && fault.suggestion.is_some(), "{fault:?}");
    }
    assert_eq!(report.faults.len(), 10);
    assert!(report.summary.is_none() && !report.passed());
    assert!(!report.text(Style::Colour).contains("hunter2"));
    insta::assert_snapshot!(report.text(Style::Plain));
}

#[test]
fn the_same_faults_are_there_for_scripts() {
    let report = checked(&root().join("tests/fixtures/ten-faults"));
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!((json["version"].as_u64(), json["passed"].as_bool()), (Some(1), Some(false)));
    let faults = json["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 10);
    let unknown = faults.iter().find(|fault| fault["message"].as_str().unwrap().contains("`fil`")).unwrap();
    assert_eq!((unknown["line"].as_u64(), unknown["column"].as_u64()), (Some(4), Some(9)));
    assert_eq!(unknown["file"], "rules/waste.toml");
}

#[test]
fn the_shipped_rules_are_right() {
    let rule = |name: &str| fs::read_to_string(root().join("config/rules").join(name)).unwrap();
    let folder = folder(&[
        ("sensor-types/bin.toml", BIN),
        ("sensor-types/bed.toml", BED),
        ("rules/waste.toml", &rule("waste.toml")),
        ("rules/beds.toml", &rule("beds.toml")),
    ]);
    let report = checked(folder.path());
    insta::assert_snapshot!(report.text(Style::Plain), @r#"
    5 files, no faults

    kind of asset                sensor types   properties    rules    state bytes per asset
    bed                                     1            3        8                      544
    bin                                     1            4        9                      528

    rule                           applies to     priority    calls    state bytes per asset
    bed-device-contradicts                bed            3        1                       32
    bed-device-silent                     bed            2        0                       16
    bed-help-button                       bed            1        0                       16
    bed-left                              bed            3        1                       32
    bed-position-due                      bed            2        0                       16
    bed-position-overdue                  bed            2        1                       32
    bed-position-soon                     bed            4        0                       16
    bed-pressure-unmeasured               bed            3        0                       16
    bin-battery-low                       bin            4        0                       16
    bin-done-not-emptied                  bin            3        0                       16
    bin-fire                              bin            1        1                       32
    bin-not-emptied-for-long              bin            3        0                       16
    bin-overflow-before-service           bin            3        1                       40
    bin-sensor-blocked                    bin            4        0                       16
    bin-silent                            bin            4        0                       16
    bin-sudden-full                       bin            4        0                       16
    bin-tilted                            bin            3        1                       32

    estimator                      applies to           of             state bytes per asset
    pressure_sacrum                       bed     exposure                               368
    fill                                  bin         fill                               328

    100000 assets of one kind: 52 MiB of 1024 MiB
    "#);
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    let written = rule("waste.toml").matches("[[rule]]").count() + rule("beds.toml").matches("[[rule]]").count();
    assert_eq!(json["summary"]["rules"].as_array().map(Vec::len), Some(written));
}

#[test]
fn no_text_claims_what_a_sensor_cannot_do() {
    let stems = ["prevent", "predict", "detect", "diagnos", "ulcer", "forebyg", "forudsi", "opdag", "tryksår"];
    for name in ["waste.toml", "beds.toml"] {
        let text = fs::read_to_string(root().join("config/rules").join(name)).unwrap().to_lowercase();
        let claims = text.split(|letter: char| !letter.is_alphabetic());
        let claims: Vec<&str> = claims.filter(|word| stems.iter().any(|stem| word.starts_with(stem))).collect();
        assert_eq!(claims, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn an_offer_that_waits_longer_than_the_response_may_take_is_a_fault() {
    let text = fs::read_to_string(root().join("config/rules/waste.toml")).unwrap();
    let hurried = text.replace("respond_within = \"1m\"", "respond_within = \"30s\"");
    assert_ne!(text, hurried);
    let folder = folder(&[("sensor-types/bin.toml", BIN), ("rules/waste.toml", &hurried)]);
    let report = checked(folder.path());
    let found: Vec<_> = report.faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(found, ["the rule `bin-fire` asks for a response within 30s, but one crew alone has 1m to answer"]);
}

#[test]
fn rules_that_remember_too_much_are_a_fault_that_names_the_costliest() {
    let (_, reasons) = WHOLE.split_once("on_delay").unwrap();
    let rule = |id: &str, when: &str| {
        format!("[[rule]]\nid = '{id}'\napplies_to = 'bin'\nwhen = '{when}'\non_delay{reasons}\n")
    };
    let text = [
        rule("one", "avg(temperature, \"1h\") > 50"),
        rule("two", "tilt"),
        rule("three", "rate(temperature, \"1h\") > 5 && max(temperature, \"1h\") > 40"),
    ]
    .concat();
    let folder = folder(&[("sensor-types/bin.toml", BIN), ("rules/r.toml", &text)]);
    assert!(checked(folder.path()).passed());
    let settings = "[limits]\nplanned_assets = 1_000_000\nrule_state_mebibytes_max = 400\n";
    fs::write(folder.path().join(SETTINGS_FILE), settings).unwrap();
    let report = checked(folder.path());
    let found: Vec<_> = report.faults.iter().map(|fault| (report.place(fault), fault.message.as_str())).collect();
    let bytes = 168 + 16 + 16 + 168 + 80;
    let message =
        format!("the rules for `bin` remember {bytes} bytes about each asset, 428 MiB about 1000000: at most 400 MiB");
    assert_eq!(found, [(Some((35, 1)), message.as_str())]);
    let suggestion = report.faults[0].suggestion.as_deref().unwrap();
    assert!(
        suggestion.starts_with("the costliest are `three` 264 bytes, `one` 168 bytes, `two` 16 bytes; "),
        "{suggestion}"
    );
}

#[test]
fn faults_of_the_environment_are_shown_without_their_value() {
    let folder = folder(&[]);
    let environment = [("RETTIDIG__JOURNAL__RETAIN_FOR".to_owned(), "s3cret".to_owned())];
    let report = check(folder.path(), environment, READ).unwrap();
    assert_eq!(report.place(&report.faults[0]), None);
    let text = report.text(Style::Plain);
    assert!(text.contains("RETTIDIG__JOURNAL__RETAIN_FOR") && text.ends_with("1 fault in 1 file\n"), "{text}");
}

/// A rule with every key the schema knows.
const WHOLE: &str = "[[rule]]\nid = 'r'\napplies_to = 'bin'\nwhen = 'tilt'\nnormal_when = '!tilt'\nunless = 'silent()'\n\
    on_delay = '1m'\nmomentary = false\neager = false\nwhen_late = 'ignore'\nshadow = false\npriority = 3\nowner = 'o'\nrespond_within = '1d'\ntask = { kind = 'k', skill = 's' }\n\
    cause = { en = 'e', da = 'd' }\nconsequence = { en = 'e', da = 'd' }\nresponse = { en = 'e', da = 'd' }\n";

#[test]
fn the_schema_of_rules_and_their_reader_agree() {
    let schema = schema(Kind::Rules);
    let rule = &schema["$defs"]["Rule"];
    let known: Vec<&String> = rule["properties"].as_object().unwrap().keys().collect();
    let table: toml::Table = WHOLE.parse().unwrap();
    let written: Vec<&String> = table["rule"][0].as_table().unwrap().keys().collect();
    let sorted = |mut keys: Vec<&String>| {
        keys.sort();
        keys.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(sorted(known.clone()), sorted(written));
    let required: Vec<&str> = rule["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let passed = |text: &str| {
        let folder = folder(&[("sensor-types/bin.toml", BIN), ("rules/r.toml", text)]);
        checked(folder.path()).faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>()
    };
    assert_eq!(passed(WHOLE), Vec::<String>::new());
    for key in known {
        let without: Vec<&str> = WHOLE.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect();
        let faults = passed(&without.join("\n"));
        assert_eq!(faults.is_empty(), !required.contains(&key.as_str()), "{key}: {faults:?}");
    }
}
