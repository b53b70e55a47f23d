//! A rule in shadow: watched, and nobody is called.

use crate::house::House;
use crate::past::{a_day_of_a_bin, at, number};
use serde_json::json;

const WASTE: &str = "config/rules/waste.toml";

/// The rule for full bins is in shadow.
fn shaded() -> House {
    let house = House::plain();
    house.change(WASTE, "on_delay = \"10m\" ", "shadow = true\non_delay = \"10m\" ");
    house
}

#[test]
fn explain_says_what_a_rule_in_shadow_would_have_raised() {
    let house = shaded();
    drop(a_day_of_a_bin(&house));
    let told = |time: &str| house.json(&["explain", "bin-1", "bin-full", "--at", time]);
    let fired = told("2024-03-02 09:30");
    let english = "in shadow: would have raised an alarm at 09:10; fill was 85 % (>= 80 %) from 09:00";
    assert_eq!(fired["sentence"]["en"], json!(english));
    let danish = "i skygge: ville have rejst en alarm kl. 09:10; fill var 85 % (>= 80 %) fra 09:00";
    assert_eq!(fired["sentence"]["da"], json!(danish));
    assert_eq!(fired["fired"], json!(false));
    assert_eq!(fired["state"]["shadow"]["would_have_raised_at"], json!("2024-03-02T08:10:00Z"));
    let waits = "in shadow: would raise an alarm at 09:10 if that lasts; fill was 85 % (>= 80 %) from 09:00";
    assert_eq!(told("2024-03-02 09:05")["sentence"]["en"], json!(waits));
    let not = "in shadow: would not have fired: fill was 62 % (< 80 %) from 08:00";
    assert_eq!(told("2024-03-02 08:30")["sentence"]["en"], json!(not));
    let after = house.rettidig(&["explain", "bin-1", "bin-full", "--at", "2024-03-02 10:30"]).expect_code(0);
    for line in ["in shadow: would have raised an alarm", "in shadow: would be over", "alarm       none, in shadow"] {
        assert!(after.out.contains(line), "{line}\n{}", after.out);
    }
    house.rettidig(&["replay", "--verify"]).expect_code(0);
}

#[test]
fn an_event_of_a_rule_in_shadow_is_told_in_both_languages_and_goes_through_a_snapshot() {
    let house = shaded();
    let mut history = a_day_of_a_bin(&house);
    history.report(700, "level-1", &[("fill", number(0.9))]);
    history.until(at(720));
    history.snapshot();
    history.report(730, "level-1", &[("fill", number(0.1))]);
    drop(history);
    let decided = |time: &str, what: &str| {
        let told = house.json(&["explain", "bin-1", "bin-full", "--at", time]);
        let found = told["decided"].as_array().unwrap().iter().find(|decided| decided["what"] == what);
        found.unwrap_or_else(|| panic!("{what}: {told:#}"))["seq"].to_string()
    };
    let seq = decided("2024-03-02 11:55", "in shadow: would have raised an alarm");
    let told = house.json(&["explain", "--event", &seq]).to_string();
    for words in ["it would have raised an alarm, and nobody is told", "ville have rejst en alarm, og ingen får besked"]
    {
        assert!(told.contains(words), "{words}\n{told}");
    }
    decided("2024-03-02 12:20", "in shadow: would be over");
    house.rettidig(&["replay", "--verify"]).expect_code(0);
}

#[test]
fn check_scenarios_and_a_reload_name_what_is_in_shadow() {
    let house = House::plain();
    let gateway = house.start();
    house.change(WASTE, "on_delay = \"10m\" ", "shadow = true\non_delay = \"10m\" ");
    let checked = house.rettidig(&["check", "config"]).expect_code(0);
    assert!(checked.out.contains("in shadow, and raise nothing: bin-full"), "{}", checked.out);
    let reloaded = house.rettidig(&["reload"]).expect_code(0);
    let line = "rule bin-full changed, in shadow from here on: it raises nothing";
    assert!(reloaded.out.contains(line), "{}", reloaded.out);
    let failed = house.rettidig(&["test"]).expect_code(65);
    assert!(failed.out.contains("write \"bin-full raised in shadow\": it raises no alarm"), "{}", failed.out);
    house.write(
        "config/rules/scenarios/waste.toml",
        "[[scenario]]\nname = 'a bin that stays full'\nkind = 'bin'\nsteps = [\n\
         { at = '08:00', given = { fill = 0.85 } },\n\
         { at = '08:10', expect = ['bin-full raised in shadow'] },\n\
         { at = '10:00', given = { fill = 0.05 }, expect = ['bin-full normal in shadow'] },\n]\n",
    );
    house.rettidig(&["test"]).expect_code(0);
    house.change(WASTE, "shadow = true\n", "");
    let reloaded = house.rettidig(&["reload"]).expect_code(0);
    assert!(reloaded.out.contains("rule bin-full changed, out of the shadow"), "{}", reloaded.out);
    assert!(gateway.stop().success());
}
