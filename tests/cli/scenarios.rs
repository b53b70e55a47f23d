//! `rettidig test`: stories beside the rules, played.

use crate::house::{Done, House};
use serde_json::Value;

const WASTE: &str = "config/rules/waste.toml";
const STORIES: &str = "config/rules/scenarios/waste.toml";

impl House {
    /// A house with one file of scenarios.
    fn telling(stories: &str) -> Self {
        let house = Self::plain();
        house.write(STORIES, stories);
        house
    }
}

#[test]
fn every_shipped_rule_has_scenarios_and_they_pass() {
    let house = House::new();
    let told = house.rettidig(&["test", "--require-all"]).expect_code(0);
    assert!(told.out.contains("scenarios, all as expected"), "{}", told.out);
    // The folder of rules is as good as the whole.
    let report = house.json(&["test", "config/rules"]);
    assert_eq!((&report["passed"], &report["uncovered"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    assert!(report["scenarios"].as_array().unwrap().len() > 12, "{report:#}");
}

#[test]
fn a_rule_that_is_changed_fails_with_its_values_and_timers() {
    let house = House::plain();
    house.change(WASTE, "on_delay = \"10m\"", "on_delay = \"20m\"");
    let done = house.rettidig(&["test", "--only", "stays full"]).expect_code(1);
    insta::assert_snapshot!(done.out, @r"
    FAILED  a bin that stays full calls the waste crew, and emptying it ends the alarm
            rules/scenarios/waste.toml:6:28, at 2026-03-02 08:10
          - bin-full raised                          expected, did not happen; came at 2026-03-02 08:20
          - empty-bin requested                      expected, did not happen; came at 2026-03-02 08:20
        bin-full at that moment:
          when        fill >= 0.8                                    true     since 08:00
                        fill                                         85 %     measured 08:00
          unless      silent()                                       false    since 08:00 or before
          normal_when fill <= 0.25                                   false    since 08:00
                        fill                                         85 %     measured 08:00
          on_delay    begun 08:00, over 08:20; caused by event 4
          alarm       none

    1 of 1 scenarios failed
    ");
    let report = house.json_of(&["test"]);
    let failed: Vec<_> = report["scenarios"].as_array().unwrap().iter().filter(|run| run["passed"] == false).collect();
    assert!(!failed.is_empty() && failed.iter().all(|run| run["failure"]["line"].as_u64() > Some(1)), "{report:#}");
}

#[test]
fn what_a_step_does_not_expect_must_not_happen() {
    let house = House::telling(
        r#"
[[scenario]]
name = "too early"
kind = "bin"
steps = [
  { at = "08:00", given = { fill = 0.85 } },
  { at = "09:00", expect = "nothing" },
]
"#,
    );
    let done = house.rettidig(&["test", "--only", "too early"]).expect_code(1);
    assert!(done.out.contains("waste.toml:7:28, at 2026-03-02 08:10"), "{}", done.out);
    assert!(done.out.contains("+ bin-full raised") && done.out.contains("happened, not expected"), "{}", done.out);
}

#[test]
fn the_neighbour_is_heard_and_not_looked_at_and_a_step_lasts_a_second() {
    let house = House::telling(
        r#"
[[scenario]]
name = "the neighbour is full, and this one is not"
kind = "bin"
sensors = ["bin-level"]
steps = [
  { at = "08:00", given = { fill = 0.3 }, neighbour = { fill = 0.9 } },
  { at = "09:00", expect = "nothing" },
]

[[scenario]]
name = "older than an hour, by a microsecond"
kind = "bin"
sensors = ["bin-level"]
steps = [
  { at = "08:00", given = { fill = 0.3 } },
  { at = "09:00", expect = "old raised" },
  { at = "09:00:01", expect = "nothing" },
]
"#,
    );
    let rules = std::fs::read_to_string(house.path(WASTE)).unwrap();
    let old = "[[rule]]\nid = \"old\"\napplies_to = \"bin\"\nwhen = \"age(fill) > '1h'\"\npriority = 3\nowner = \"o\"\n\
               respond_within = \"8h\"\ncause = { en = \"c\", da = \"c\" }\nconsequence = { en = \"c\", da = \"c\" }\n\
               response = { en = \"r\", da = \"r\" }\n\n";
    house.write(WASTE, &format!("{old}{rules}"));
    house.rettidig(&["test", "--only", "by a microsecond"]).expect_code(0);
    house.write(WASTE, &rules);
    let stories = std::fs::read_to_string(house.path(STORIES)).unwrap();
    let (first, _) = stories.split_once("[[scenario]]\nname = \"older").unwrap();
    house.write(STORIES, first);
    house.rettidig(&["test"]).expect_code(0);
}

#[test]
fn a_scenario_runs_by_the_wall_clock_of_its_own_time() {
    let house = House::telling(
        r#"
[[scenario]]
name = "the night in which clocks go forward"
kind = "bin"
day = 2026-03-28
rules = ["night-only"]
steps = [
  { at = "22:00", given = { fill = [0.3, 0.6, 0.7] }, every = "4h" },
  { at = "2026-03-29 03:00", expect = ["night-only raised"] },
  { at = "07:00", expect = "night-only normal" },
]

[[scenario]]
name = "a late message is measured when it says"
kind = "bin"
rules = ["bin-tilted"]
steps = [
  { at = "12:00", given = { tilt = true }, observed = "11:00" },
  { at = "12:01", given = { tilt = true }, expect = ["bin-tilted raised", "set-bin-upright requested"] },
]
"#,
    );
    let rules = std::fs::read_to_string(house.path(WASTE)).unwrap();
    let night = "[[rule]]\nid = \"night-only\"\napplies_to = \"bin\"\nwhen = \"fill >= 0.5 && in_shift('night')\"\n\
                 priority = 3\nowner = \"o\"\nrespond_within = \"8h\"\ncause = { en = \"c\", da = \"c\" }\n\
                 consequence = { en = \"c\", da = \"c\" }\nresponse = { en = \"r\", da = \"r\" }\n\n";
    house.write(WASTE, &format!("{night}{rules}"));
    let done = house.rettidig(&["test"]).expect_code(0);
    assert!(done.out.contains("scenarios, all as expected"), "{}", done.out);
    assert!(done.out.contains("no scenario expects an alarm of `bin-fire`"), "{}", done.out);
    house.rettidig(&["test", "--require-all"]).expect_code(1);
}

#[test]
fn every_fault_of_scenario_files_is_reported_with_place_and_suggestion() {
    let house = House::telling(
        r#"
[[scenario]]
name = "one"
kind = "bim"
steps = [{ at = "08:00", given = { fill = 0.85 } }]

[[scenario]]
name = "two"
kind = "bin"
sensor = ["bin-level"]
rules = ["bin-ful"]
steps = [
  { at = "08:00", given = { fil = 0.85, temperature = 900, tilt = 1, battery = "80 °C" } },
  { at = "07:10", expect = ["empty-bin demanded", "bin-fires raised"] },
  { at = "tomorrow", crew = { empty-bin = "accept", dig-hole = "accepted" } },
  { at = "09:00", given = { fill = [0.1, 0.2] } },
  { at = "2026-12-01 09:00", operator = { acknowledges = "bin-fulll" } },
]
"#,
    );
    let report = house.json_of(&["test"]);
    house.rettidig(&["test"]).expect_code(65);
    let shown = report["faults"].as_array().unwrap().iter().map(|fault| {
        let suggestion = fault["suggestion"].as_str().unwrap_or_default();
        format!("{}:{} {} | {suggestion}", fault["line"], fault["column"], fault["message"].as_str().unwrap())
    });
    insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"));
    assert!(report["scenarios"].as_array().unwrap().is_empty(), "nothing is played");
}

#[test]
fn a_folder_without_scenarios_and_an_unknown_name_are_told() {
    let house = House::plain();
    let unknown = house.rettidig(&["test", "--only", "a fyre"]).expect_code(1);
    assert!(unknown.err.contains("no scenario has \"a fyre\" in its name"), "{}", unknown.err);
    std::fs::remove_dir_all(house.path("config/rules/scenarios")).unwrap();
    let none = house.rettidig(&["test"]).expect_code(1);
    assert!(none.err.contains("there is no scenario in"), "{}", none.err);
    // Faults of the configuration itself come first, as `check` shows them.
    house.change(WASTE, "fill >= 0.8", "filll >= 0.8");
    let faults: Done = house.rettidig(&["test"]).expect_code(65);
    assert!(faults.out.contains("filll"), "{}", faults.out);
    house.rettidig(&["test", "nowhere"]).expect_code(78);
}
