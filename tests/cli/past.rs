//! Looking back: `rettidig explain` and `rettidig replay --verify`, over a history that is made by hand in a time of its
//! own, and over that of a running gateway.

use crate::house::House;
use rettidig::app::assembly::assemble;
use rettidig::app::clock::Clock;
use rettidig::app::foundation::Foundation;
use rettidig::config;
use rettidig::domain::asset::{Asset, Device};
use rettidig::domain::decision::Fact;
use rettidig::domain::event::{Event, RegistryChange};
use rettidig::domain::ids::{ContentHash, DeviceId, PersonId, PropertyName};
use rettidig::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use rettidig::domain::person::{Basis, Person, Purpose};
use rettidig::domain::time::{Span, Timestamp};
use rettidig::domain::uplink::Ingress;
use rettidig::journal::{IMAGE_VERSION, write_image};
use serde_json::json;
use std::collections::BTreeMap;

/// Saturday 2 March 2024, midnight in Denmark, and so many minutes.
pub fn at(minutes: i64) -> Timestamp {
    Timestamp::from_micros(1_709_334_000_000_000) + Span::from_mins(minutes)
}

/// A data folder in which things happen at moments that a test chooses.
pub struct History {
    foundation: Foundation,
    clock: Clock,
    messages: u8,
}

impl History {
    /// One bin with a level sensor, and a bed whose person may be observed.
    fn begin(house: &House) -> Self {
        let loaded = config::load(&house.path("config"), []).unwrap();
        let clock = Clock::scaled(at(0));
        let foundation = Foundation::lay(&house.path("data"), &loaded.settings.journal, clock.clone()).unwrap();
        let mut history = Self { foundation, clock, messages: 0 };
        let configuration = assemble(&loaded, at(0)).unwrap().configuration;
        history.happens(Event::Configured(Box::new(configuration)));
        let asset = |id: &str, kind: &str, person: Option<&str>| {
            RegistryChange::PutAsset(Asset {
                id: id.into(),
                kind: kind.into(),
                area: None,
                position: None,
                person: person.map(PersonId::new),
                attributes: BTreeMap::from([("pressure_usual".into(), Value::Number(Finite::new(40.0).unwrap()))]),
            })
        };
        let device = |id: &str, sensor_type: &str, asset: &str| {
            let (sensor_type, asset) = (sensor_type.into(), asset.into());
            RegistryChange::PutDevice(Device { id: id.into(), sensor_type, asset, mounting: BTreeMap::new() })
        };
        let bases = Purpose::ALL.map(|purpose| Basis { purpose, starts_at: at(0), review_at: at(100_000) });
        history.happens(Event::Registered(vec![
            RegistryChange::PutPerson(Person { id: "p-1".into(), bases: bases.to_vec() }),
            asset("bin-1", "bin", None),
            asset("bed-1", "bed", Some("p-1")),
            device("level-1", "bin-level", "bin-1"),
            device("mat-1", "pressure-bed", "bed-1"),
        ]));
        history.happens(Event::Started);
        history
    }

    /// Deadlines on the way come at their own moments.
    pub fn until(&mut self, to: Timestamp) {
        while let Some(deadline) = self.foundation.engine.next_deadline().filter(|deadline| deadline.at <= to) {
            self.clock.advance(deadline.at);
            self.happens(Event::Due(deadline));
        }
        self.clock.advance(to);
    }

    fn happens(&mut self, event: Event) {
        self.foundation.decide(event).unwrap();
    }

    pub fn report(&mut self, minutes: i64, device: &str, values: &[(&str, Value)]) {
        self.until(at(minutes));
        let event = self.message(minutes, device, values);
        self.happens(event);
    }

    fn message(&mut self, minutes: i64, device: &str, values: &[(&str, Value)]) -> Event {
        self.messages += 1;
        let observation = |(property, value): &(&str, Value)| Observation {
            property: PropertyName::new(property),
            value: value.clone(),
            unit: "".into(),
            quality: Quality::Accepted,
            observed_at: at(minutes),
        };
        let ingress = Ingress {
            client: device.into(),
            connection: 1,
            packet: None,
            duplicate_flag: false,
            content: ContentHash([self.messages; 16]),
        };
        Event::Observed(Observed {
            device: DeviceId::new(device),
            identity: Identity::Redelivery,
            ingress,
            received_at: at(minutes),
            clock_ahead: None,
            observations: values.iter().map(observation).collect(),
            redacted: Vec::new(),
            exercise: false,
        })
    }

    pub fn snapshot(&mut self) {
        let engine = &self.foundation.engine;
        let sections = write_image(&engine.image()).unwrap();
        self.foundation.journal.save_snapshot(engine.seq(), IMAGE_VERSION, sections).unwrap();
    }
}

pub fn number(value: f64) -> Value {
    Value::Number(Finite::new(value).unwrap())
}

/// Half full at 08:00, 85 % at 09:00, emptied at 10:00.
pub fn a_day_of_a_bin(house: &House) -> History {
    let mut history = History::begin(house);
    history.report(480, "level-1", &[("fill", number(0.62))]);
    history.report(540, "level-1", &[("fill", number(0.85))]);
    history.report(600, "level-1", &[("fill", number(0.05))]);
    history.until(at(660));
    history
}

#[test]
fn explain_says_why_a_rule_had_not_fired_and_why_it_had() {
    let house = House::plain();
    drop(a_day_of_a_bin(&house));
    let told = |time: &str| {
        let done = house.rettidig(&["explain", "bin-1", "bin-full", "--at", time]).expect_code(0);
        // The hash of everything that is shipped.
        let (before, settings) = done.out.split_once("settings    ").unwrap();
        format!("{before}settings    […]{}", &settings[32..])
    };
    insta::assert_snapshot!("not_fired", told("2024-03-02 08:30"));
    insta::assert_snapshot!("waiting", told("2024-03-02 09:05"));
    insta::assert_snapshot!("fired", told("2024-03-02T08:30:00Z"));
    insta::assert_snapshot!("normal", told("2024-03-02 10:30"));
    let explained = house.json(&["explain", "bin-1", "bin-full", "--at", "2024-03-02 08:30"]);
    assert_eq!(explained["fired"], json!(false));
    assert_eq!(explained["sentence"]["en"], json!("not fired: fill was 62 % (< 80 %) from 08:00"));
    assert_eq!(explained["sentence"]["da"], json!("ikke udløst: fill var 62 % (< 80 %) fra 08:00"));
    assert_eq!(explained["state"]["when"]["parts"][0]["answer"], json!(0.62));
    assert_eq!(explained["state"]["when"]["parts"][0]["quality"], json!("accepted"));
    assert_eq!(explained["state"]["when"]["since"], json!("2024-03-02T07:00:00Z"));
}

#[test]
fn explain_names_what_is_known_and_what_is_kept() {
    let house = House::plain();
    let nothing = house.rettidig(&["explain", "bin-1", "bin-full"]).expect_code(69);
    assert!(nothing.err.contains("there is no journal"), "{}", nothing.err);
    drop(a_day_of_a_bin(&house));
    let refused = |arguments: &[&str], code, said: &str| {
        let done = house.rettidig(&[&["explain"], arguments].concat()).expect_code(code);
        assert!(done.err.contains(said), "{}", done.err);
    };
    let time = ["--at", "2024-03-02 09:30"];
    refused(&[&["bin-2", "bin-full"], &time[..]].concat(), 1, "did you mean `bin-1`?");
    refused(&[&["bin-1", "bin-ful"], &time[..]].concat(), 1, "did you mean `bin-full`?");
    refused(&[&["bin-1", "bed-help-button"], &time[..]].concat(), 1, "applies to assets of kind `bed`");
    let window = "it reaches from 2024-03-02 00:00 to 2024-03-02 11:00";
    refused(&["bin-1", "bin-full", "--at", "2024-03-01 09:30"], 1, window);
    refused(&["bin-1", "bin-full", "--at", "9999-01-01 00:00"], 1, "has not come yet");
    refused(&["bin-1", "bin-full", "--at", "noon"], 2, "is no moment");
}

#[test]
fn explain_begins_with_a_snapshot_where_there_is_one() {
    let house = House::plain();
    let mut history = a_day_of_a_bin(&house);
    history.report(700, "level-1", &[("fill", number(0.1))]);
    history.snapshot();
    history.report(720, "level-1", &[("fill", number(0.15))]);
    drop(history);
    let late = house.json(&["explain", "bin-1", "bin-full", "--at", "2024-03-02 12:30"]);
    let why = "not firing: alarm 2 had returned to normal and nobody had seen it yet; fill was 15 % (< 80 %) from 11:40 \
               or before";
    assert_eq!((&late["sentence"]["en"], &late["configuration_seq"]), (&json!(why), &json!(null)), "{late:#}");
    let early = house.json(&["explain", "bin-1", "bin-full", "--at", "2024-03-02 08:30"]);
    assert_eq!(early["sentence"]["en"], json!("not fired: fill was 62 % (< 80 %) from 08:00"));
}

#[test]
fn what_was_measured_of_a_person_is_not_told() {
    let house = House::plain();
    let mut history = History::begin(&house);
    for minute in 0..150 {
        let values = [("pressure_sacrum", number(38.5)), ("occupied", Value::Boolean(true))];
        history.report(minute, "mat-1", &values);
    }
    drop(history);
    let done = house.rettidig(&["explain", "bed-1", "bed-same-position", "--at", "2024-03-02 02:29"]).expect_code(0);
    assert!(done.out.contains("fired: alarm 1 was raised at 02:00"), "{}", done.out);
    let json = house.json(&["explain", "bed-1", "bed-same-position", "--at", "2024-03-02 01:00"]);
    assert!(json["sentence"]["en"].as_str().unwrap().contains("was true only since 00:00"), "{json:#}");
    for told in [&done.out, &json.to_string()] {
        assert!(!told.contains("38.5"), "{told}");
    }
    house.rettidig(&["replay", "--verify"]).expect_code(0);
}

#[test]
fn a_history_is_decided_again_as_it_was() {
    let house = House::plain();
    let mut history = a_day_of_a_bin(&house);
    history.snapshot();
    drop(history);
    let verified = house.json(&["replay", "--verify"]);
    assert_eq!((&verified["same"], &verified["differences"]), (&json!(true), &json!(0)), "{verified:#}");
    assert_eq!((&verified["from"], &verified["events"]), (&json!(1), &verified["through"]), "{verified:#}");
    assert!(verified["facts"].as_u64() > Some(4), "{verified:#}");
    let told = house.rettidig(&["replay", "--verify"]).expect_code(0);
    assert!(told.out.contains("no difference"), "{}", told.out);
    house.rettidig(&["replay"]).expect_code(2);
}

#[test]
fn a_decision_that_would_be_another_now_is_told_with_both_sides() {
    let house = House::plain();
    let mut history = a_day_of_a_bin(&house);
    // Another program has stated one fact more.
    let event = history.message(661, "level-1", &[("fill", number(0.5))]);
    history.clock.advance(at(661));
    let mut decision = history.foundation.engine.step(at(661), &event);
    let device = DeviceId::new("level-1");
    decision.facts.push(Fact::DeviceHeard { device });
    history.foundation.journal.append(at(661), &event, &decision).unwrap();
    history.foundation.journal.sync().unwrap();
    history.report(662, "level-1", &[("fill", number(0.55))]);
    history.until(at(800));
    drop(history);
    let done = house.rettidig(&["replay", "--verify"]).expect_code(1);
    assert!(done.out.contains("1 difference; the first at event"), "what follows is no difference: {}", done.out);
    assert!(done.out.contains("DeviceHeard { device: level-1 }"), "{}", done.out);
    let verified = house.json_of(&["replay", "--verify"]);
    let first = &verified["first_difference"];
    assert_eq!(first["recorded"]["differs"], json!(["DeviceHeard { device: level-1 }"]), "{verified:#}");
    assert_eq!((&first["decided"]["differs"], &first["event"]), (&json!([]), &json!("observed")));
}

#[test]
fn a_running_gateway_is_looked_at_from_beside() {
    let house = House::plain();
    house.write("assets.csv", "id;kind\nbin-1;bin\n");
    house.write("devices.csv", "id;sensor_type;asset\nsensor-1;bin-level;bin-1\n");
    for kind in ["assets", "devices"] {
        house.rettidig(&["registry", "import", kind, &format!("{kind}.csv"), "--apply"]).expect_code(0);
    }
    let gateway = house.start();
    let explained = house.json(&["explain", "bin-1", "bin-full"]);
    assert_eq!(explained["sentence"]["en"], json!("not fired: fill was never measured"));
    assert_eq!(house.json(&["replay", "--verify"])["same"], json!(true));
    assert!(gateway.stop().success());
    // Over the start and the end of a gateway, and the snapshot it leaves.
    assert_eq!(house.json(&["replay", "--verify"])["same"], json!(true));
    let gateway = house.start();
    assert!(gateway.stop().success());
    assert_eq!(house.json(&["replay", "--verify"])["same"], json!(true));
}

#[test]
fn each_decision_is_told_with_its_rule_its_values_and_a_sentence() {
    let house = House::plain();
    drop(a_day_of_a_bin(&house));
    let told = |event: u64| house.rettidig(&["explain", "--event", &event.to_string()]).expect_code(0).out;
    let decided = house.json(&["explain", "bin-1", "bin-full", "--at", "2024-03-02 11:00"])["decided"].clone();
    let seqs = decided.as_array().unwrap().iter().map(|decided| decided["seq"].as_u64().unwrap());
    let all: Vec<String> = seqs.map(told).collect();
    // The delay begins, the alarm is raised and nobody can be asked, the bin is emptied.
    let first = |text: &str| all.iter().find(|told| told.contains(text)).unwrap_or_else(|| panic!("{text}: {all:#?}"));
    insta::assert_snapshot!("decided_to_wait", first("An alarm follows"));
    insta::assert_snapshot!("decided_to_call", first("next round"));
    insta::assert_snapshot!("decided_it_is_over", first("Back to normal"));
    let seq = first("next round").split([' ', ',']).nth(1).unwrap().to_owned();
    let event = house.json(&["explain", "--event", &seq]);
    assert_eq!(event["event"], json!("due"));
    let decided = &event["decided"][0];
    assert_eq!((&decided["rule"], &decided["asset"]), (&json!("bin-full"), &json!("bin-1")), "{event:#}");
    assert_eq!(decided["rule_version"].as_str().unwrap().len(), 16, "{event:#}");
    assert_eq!(decided["values"][0]["value"], json!(0.85), "{event:#}");
    let unknown = house.rettidig(&["explain", "--event", "99999"]).expect_code(1);
    assert!(unknown.err.contains("holds no event 99999"), "{}", unknown.err);
    house.rettidig(&["explain"]).expect_code(2);
}

/// The shipped rules ask for risk: on a Saturday, with the next service on Monday.
#[test]
fn what_is_estimated_is_told_by_what_it_means() {
    let house = House::new();
    let mut history = History::begin(&house);
    history.report(480, "level-1", &[("fill", number(0.5))]);
    history.report(840, "level-1", &[("fill", number(0.74))]);
    history.until(at(900));
    drop(history);
    let rule = "bin-overflow-before-service";
    let told = |time: &str| {
        let explained = house.json(&["explain", "bin-1", rule, "--at", time]);
        let said = |language: &str| explained["sentence"][language].as_str().unwrap().to_owned();
        format!("{}\n{}", said("en"), said("da"))
    };
    insta::assert_snapshot!(told("2024-03-02 09:00"), @r"
    not fired: fill was about half and the risk of overflow before Monday's service was under 1 %, allowed under 10 % from 08:00 and the time until it is full was about 6d (>= 6h) from 08:00
    ikke udløst: fill var omtrent halvt og risikoen for overløb inden tømningen mandag var under 1 %, tilladt under 10 % fra 08:00 og tiden, til den er fuld, var omtrent 6d (>= 6h) fra 08:00
    ");
    insta::assert_snapshot!(told("2024-03-02 14:30"), @r"
    fired: alarm 2 was raised at 14:00; fill was about three quarters and the risk of overflow before Monday's service was 16 %, allowed under 10 % from 14:00
    udløst: alarm 2 blev rejst kl. 14:00; fill var omtrent tre fjerdedele og risikoen for overløb inden tømningen mandag var 16 %, tilladt under 10 % fra 14:00
    ");
    let done = house.rettidig(&["explain", "bin-1", rule, "--at", "2024-03-02 14:30"]).expect_code(0);
    let (_, parts) = done.out.split_once("as of").unwrap();
    insta::assert_snapshot!("risk_part_by_part", parts);
    let decided = house.json(&["explain", "bin-1", rule, "--at", "2024-03-02 15:00"])["decided"][0]["seq"].clone();
    let event = house.json(&["explain", "--event", &decided.to_string()]);
    let decided = event["decided"].as_array().unwrap().iter().find(|decided| decided["rule"] == rule).unwrap();
    insta::assert_snapshot!(format!("{}\n{}", decided["sentence"]["en"], decided["sentence"]["da"]), @r#"
    "The bin is likely to overflow before its route is served next, by its level and by how fast it fills (fill about three quarters, risk of overflow before Monday's service 16 %, allowed under 10 %); next round Monday. No crew can be asked now; trying again at 14:02."
    "Spanden løber sandsynligvis over, før dens rute køres næste gang, efter dens niveau og hvor hurtigt den fyldes (fill omtrent tre fjerdedele, risiko for overløb inden tømningen mandag 16 %, tilladt under 10 %); næste runde mandag. Intet hold kan spørges nu; der prøves igen kl. 14:02."
    "#);
}

#[test]
fn of_a_persons_zone_only_the_limit_is_told() {
    let house = House::new();
    let mut history = History::begin(&house);
    for minute in 0..150 {
        let values = [("pressure_sacrum", number(38.5)), ("occupied", Value::Boolean(true))];
        history.report(minute, "mat-1", &values);
    }
    drop(history);
    let explained = |time: &str| house.json(&["explain", "bed-1", "bed-position-due", "--at", time]);
    let (before, due) = (explained("2024-03-02 01:45"), explained("2024-03-02 02:29"));
    let told = [&before, &due].map(|told| format!("{}\n{}", told["sentence"]["en"], told["sentence"]["da"]));
    insta::assert_snapshot!(told.join("\n"), @r#"
    "not fired: the limit for the sacrum was not reached from 00:00"
    "ikke udløst: grænsen for korsbenet var ikke nået fra 00:00"
    "fired: alarm 2 was raised at 02:04:40; the limit for the sacrum was reached from 02:04:40"
    "udløst: alarm 2 blev rejst kl. 02:04:40; grænsen for korsbenet var nået fra 02:04:40"
    "#);
    for told in [&before, &due] {
        assert!(!told.to_string().contains("38.5"), "{told}");
        assert_eq!(told["state"]["when"]["parts"][0]["answer"], json!(null), "{told:#}");
    }
}

#[test]
fn a_journal_is_replayed_through_two_rule_sets() {
    let house = House::plain();
    let mut history = a_day_of_a_bin(&house);
    history.report(700, "level-1", &[("fill", number(0.95))]);
    history.until(at(720));
    drop(history);
    house.rettidig(&["init", "other"]).expect_code(0);
    house.plain_rules("other");
    let waste = std::fs::read_to_string(house.path("other/rules/waste.toml")).unwrap();
    house.write("other/rules/waste.toml", &waste.replace("fill >= 0.8", "fill >= 0.9"));
    let compared = house.json(&["backtest", "--rules", "other/rules", "--against", "live", "--data", "journal"]);
    let rules = compared["rules"].as_array().unwrap();
    let of = |rule: &str| rules.iter().find(|row| row["rule"] == rule).unwrap();
    let full = of("bin-full");
    assert_eq!((&full["against"]["alarms"], &full["new"]["alarms"]), (&json!(2), &json!(1)), "{compared:#}");
    assert_eq!((&full["against"]["open_at_the_end"], &full["new"]["open_at_the_end"]), (&json!(1), &json!(1)));
    // What people did is in the journal; of its bin it is asked as well what would have been.
    assert_eq!(compared["levels"], json!("recorded"));
    assert_eq!(compared["policies"][2]["levels"], json!("modelled"), "{compared:#}");
    assert_eq!(compared["bins"].as_array().unwrap().len(), 1, "a bed is no bin: {compared:#}");
    let notes = compared["notes"].to_string();
    assert!(notes.contains("Of beds and everything else that is no bin, only alarms and tasks"), "{notes}");
    // The bed that says nothing is silent with both.
    assert_eq!(of("bed-device-silent")["new"]["alarms"], json!(1), "{compared:#}");
    assert_eq!((&compared["against"]["refused"], &compared["new"]["refused"]), (&json!(0), &json!(0)));
    let same = house.json(&["backtest", "--rules", "other/rules", "--data", "data"]);
    assert_eq!(same["rules"], compared["rules"], "the data folder by its name");
}
