//! Which rules are in force: a second person's yes or no, one step back, and what a start makes of files that differ.

use crate::house::{Done, House};
use serde_json::{Value, json};

const WASTE: &str = "config/rules/waste.toml";
const PASSWORD: &str = "a sentence nobody guesses";

impl House {
    /// Changed rules need a second person; ida and ole may change them, per may not.
    fn of_two() -> Self {
        let house = Self::plain();
        house.write("config/rettidig.toml", "[rules]\napproval = \"second-person\"\n");
        for (account, role) in [("ida", "integrator"), ("ole", "admin"), ("per", "operator")] {
            let done = house.rettidig_told(&["user", "add", account, "--role", role], PASSWORD);
            done.expect_code(0);
        }
        house
    }

    fn told(&self, arguments: &[&str]) -> Done {
        self.rettidig_told(arguments, PASSWORD)
    }

    fn told_json(&self, arguments: &[&str]) -> Value {
        let done = self.told(&[arguments, &["--json"]].concat()).expect_code(0);
        serde_json::from_str(&done.out).unwrap()
    }

    fn hotter(&self) {
        self.change(WASTE, "temperature >= 60", "temperature >= 55");
    }

    fn in_force(&self) -> Value {
        self.json(&["rules"])["in_force"].clone()
    }

    fn propose(&self) -> String {
        let proposed = self.told_json(&["reload", "--as", "ida"]);
        assert_eq!((&proposed["proposed"], &proposed["changed"]), (&json!(true), &json!(false)), "{proposed:#}");
        proposed["rules_version"].as_str().unwrap().to_owned()
    }
}

#[test]
fn changed_rules_wait_for_a_second_person() {
    let house = House::of_two();
    let gateway = house.start();
    let before = house.in_force();
    assert_eq!(house.json(&["reload"])["changed"], false);
    house.hotter();
    let refused = house.rettidig(&["reload"]).expect_code(1);
    assert!(refused.err.contains("`rettidig reload --as ACCOUNT` proposes them"), "{}", refused.err);
    let refused = house.told(&["reload", "--as", "per"]).expect_code(1);
    assert!(refused.err.contains("that needs the role integrator or admin"), "{}", refused.err);
    let refused = house.rettidig_told(&["reload", "--as", "ida"], "another sentence").expect_code(1);
    assert!(refused.err.contains("no account \"ida\" with this password"), "{}", refused.err);

    let proposed = house.told(&["reload", "--as", "ida"]).expect_code(0);
    assert!(proposed.out.contains("rule bin-fire changed"), "{}", proposed.out);
    let version = house.json(&["rules"])["proposal"]["version"].as_str().unwrap().to_owned();
    let approve = format!("rettidig rules approve {} --as ACCOUNT", &version[..12]);
    assert!(proposed.out.contains(&approve), "{}", proposed.out);
    assert_eq!(house.in_force(), before, "a proposal changes nothing");
    assert!(house.rettidig(&["status"]).out.contains("wait for a second person"));
    let listed = house.json(&["rules"]);
    assert_eq!(listed["proposal"]["changes"], json!([["bin-fire", "changed"]]));
    assert_eq!((&listed["proposal"]["by"], &listed["approval"]), (&json!("ida"), &json!("second-person")));

    let same = house.told(&["rules", "approve", &version, "--as", "ida"]).expect_code(1);
    assert!(same.err.contains("a second person approves them"), "{}", same.err);
    let wrong = house.told(&["rules", "approve", "0123456789ab", "--as", "ole"]).expect_code(1);
    assert!(wrong.err.contains("does not wait"), "{}", wrong.err);
    house.told(&["rules", "approve", &version, "--as", "per"]).expect_code(1);

    let approved = house.told(&["rules", "approve", &version[..12], "--as", "ole"]).expect_code(0);
    for line in ["rule bin-fire changed", "goes on where it was: held(temperature < 40, '1h')", "approved by ole"] {
        assert!(approved.out.contains(line), "{line}\n{}", approved.out);
    }
    let after = house.json(&["rules"]);
    assert_eq!(after["in_force"]["version"], json!(version));
    assert_eq!((&after["in_force"]["by"], &after["in_force"]["approved_by"]), (&json!("ida"), &json!("ole")));
    assert_eq!((&after["proposal"], &after["note"]), (&Value::Null, &Value::Null));
    assert_eq!(after["former"]["version"], before["version"]);
    assert!(gateway.stop().success());

    let gateway = house.start();
    assert_eq!(house.in_force(), after["in_force"], "a start changes nothing");
    assert!(!house.rettidig(&["status"]).out.contains("second person"));
    assert!(gateway.stop().success());
    house.rettidig(&["replay", "--verify"]).expect_code(0);
}

#[test]
fn files_that_were_changed_meanwhile_are_not_approved_and_a_proposal_can_be_withdrawn() {
    let house = House::of_two();
    let gateway = house.start();
    let before = house.in_force();
    house.hotter();
    let version = house.propose();
    house.change(WASTE, "temperature >= 55", "temperature >= 50");
    let refused = house.told(&["rules", "approve", &version, "--as", "ole"]).expect_code(1);
    assert!(refused.err.contains("are not those that were proposed"), "{}", refused.err);
    let reject = |reason| house.told(&["rules", "reject", &version, "--as", "ole", "--reason", reason]);
    let unknown = reject("no").expect_code(1);
    assert!(unknown.err.contains("mistake, not-tested, superseded, other"), "{}", unknown.err);
    let rejected = reject("not-tested").expect_code(0);
    assert!(rejected.out.contains("withdrawn: not-tested"), "{}", rejected.out);
    let listed = house.json(&["rules"]);
    assert_eq!((&listed["in_force"], &listed["proposal"]), (&before, &Value::Null));
    assert_eq!((&listed["rejection"]["by"], &listed["rejection"]["reason"]), (&json!("ole"), &json!("not-tested")));
    let gone = house.told(&["rules", "approve", &version, "--as", "ole"]).expect_code(1);
    assert!(gone.err.contains("no rules wait for approval"), "{}", gone.err);
    assert!(gateway.stop().success());
}

#[test]
fn a_start_with_files_that_nobody_approved_keeps_the_rules_in_force() {
    let house = House::of_two();
    house.start().stop();
    let before = house.in_force();
    house.hotter();
    let gateway = house.start();
    assert!(gateway.said.iter().any(|line| line.contains("not proposed")), "{:?}", gateway.said);
    assert_eq!(house.in_force(), before);
    assert!(house.rettidig(&["status"]).out.contains("`rettidig reload --as ACCOUNT` proposes them"));
    let version = house.propose();
    assert!(gateway.stop().success());
    // The proposal outlives the process, and so does the way to approve it.
    let gateway = house.start();
    assert_eq!((house.in_force(), &house.json(&["rules"])["proposal"]["version"]), (before, &json!(version)));
    house.told(&["rules", "approve", &version, "--as", "ole"]).expect_code(0);
    assert_eq!(house.in_force()["version"], json!(version));
    assert!(gateway.stop().success());
    // A sensor type that the rules in force read is gone: they cannot stay, and others are not approved.
    house.change(WASTE, "temperature >= 55", "temperature >= 50");
    for name in ["bin-level", "milesight-em400-udl"] {
        std::fs::remove_file(house.path(&format!("config/sensor-types/{name}.toml"))).ok();
    }
    house.write(WASTE, "");
    let done = house.rettidig(&["run"]).expect_code(65);
    assert!(done.err.contains("put the sensor types and calendars back"), "{}", done.err);
    house.rettidig(&["replay", "--verify"]).expect_code(0);
}

#[test]
fn loosening_the_approval_needs_a_start() {
    let house = House::of_two();
    let gateway = house.start();
    house.hotter();
    house.write("config/rettidig.toml", "");
    house.rettidig(&["reload"]).expect_code(1);
    assert!(gateway.stop().success());
    let gateway = house.start();
    assert_eq!(house.json(&["rules"])["note"], Value::Null);
    assert!(gateway.stop().success());
}

#[test]
fn rules_go_back_one_step_and_forward_again() {
    let house = House::plain();
    let gateway = house.start();
    let none = house.rettidig(&["rules", "rollback"]).expect_code(1);
    assert!(none.err.contains("no rules were in force before these"), "{}", none.err);
    let old = house.in_force();
    house.hotter();
    house.rettidig(&["reload"]).expect_code(0);
    let new = house.in_force();
    assert_eq!(new["by"], json!("command-line"));

    let back = house.rettidig(&["rules", "rollback"]).expect_code(0);
    for line in ["rule bin-fire changed", "goes on where it was: held(temperature < 40, '1h')", "rolled back by"] {
        assert!(back.out.contains(line), "{line}\n{}", back.out);
    }
    let rolled = house.in_force();
    assert_eq!((&rolled["version"], &rolled["in_place_of"]), (&old["version"], &new["version"]));
    let kept = house.json(&["reload"]);
    assert_eq!(kept["changed"], false, "the files are those that were rolled back");
    assert!(kept["note"].as_str().unwrap().contains("which were rolled back"), "{kept:#}");
    assert!(gateway.stop().success());

    let gateway = house.start();
    assert!(gateway.said.iter().any(|line| line.contains("which were rolled back")), "{:?}", gateway.said);
    assert_eq!(house.in_force(), rolled, "a start with the same files");
    assert!(house.rettidig(&["status"]).out.contains("which were rolled back"));
    house.rettidig(&["rules", "rollback"]).expect_code(0);
    let forward = house.in_force();
    assert_eq!((&forward["version"], &forward["in_place_of"]), (&new["version"], &Value::Null));
    assert_eq!(house.json(&["reload"])["changed"], false);
    assert!(!house.rettidig(&["status"]).out.contains("rolled back"));

    house.rettidig(&["rules", "rollback"]).expect_code(0);
    house.change(WASTE, "temperature >= 55", "temperature >= 50");
    assert_eq!(house.json(&["reload"])["changed"], true, "other files");
    let listed = house.json(&["rules"]);
    assert_eq!((&listed["in_force"]["in_place_of"], &listed["note"]), (&Value::Null, &Value::Null));
    assert_eq!(listed["former"]["version"], old["version"]);
    assert!(gateway.stop().success());
    house.rettidig(&["replay", "--verify"]).expect_code(0);
}

#[test]
fn a_rollback_that_does_not_fit_changes_nothing_and_one_that_needs_a_name_says_so() {
    let house = House::plain();
    let gateway = house.start();
    house.write("config/sensor-types/door.toml", DOOR);
    house.write("config/rules/door.toml", DOOR_RULE);
    house.rettidig(&["reload"]).expect_code(0);
    std::fs::remove_file(house.path("config/sensor-types/door.toml")).unwrap();
    std::fs::remove_file(house.path("config/rules/door.toml")).unwrap();
    house.rettidig(&["reload"]).expect_code(0);
    let before = house.in_force();
    let refused = house.rettidig(&["rules", "rollback"]).expect_code(65);
    assert!(refused.out.contains("rules/door.toml, row 3"), "{}", refused.out);
    assert!(refused.err.contains("put those back first, and nothing was changed"), "{}", refused.err);
    assert_eq!(house.in_force(), before);
    assert!(gateway.stop().success());

    let house = House::of_two();
    let gateway = house.start();
    house.hotter();
    let version = house.propose();
    house.told(&["rules", "approve", &version, "--as", "ole"]).expect_code(0);
    let nameless = house.rettidig(&["rules", "rollback"]).expect_code(1);
    assert!(nameless.err.contains("`rettidig rules rollback --as ACCOUNT`; one person is enough"), "{}", nameless.err);
    house.told(&["rules", "rollback", "--as", "ida"]).expect_code(0);
    assert_eq!(house.in_force()["by"], json!("ida"));
    assert!(gateway.stop().success());
}

#[test]
fn the_list_is_for_people_too() {
    let house = House::plain();
    let none = house.rettidig(&["rules"]).expect_code(69);
    assert!(none.err.contains("no data folder"), "{}", none.err);
    let gateway = house.start();
    house.change(WASTE, "on_delay = \"10m\" ", "shadow = true\non_delay = \"10m\" ");
    house.rettidig(&["reload"]).expect_code(0);
    assert!(gateway.stop().success());
    let listed = house.rettidig(&["rules"]).expect_code(0).out;
    for words in ["by command-line", "before", "by a start", "approval        none", "in shadow", "live"] {
        assert!(listed.contains(words), "{words}\n{listed}");
    }
}

const DOOR: &str = "id = \"door\"\nname = \"Door\"\nvendor = \"any\"\nasset_kind = \"door\"\ninterval = \"1h\"\n\n\
    [properties]\nopen = { kind = \"boolean\" }\n";
const DOOR_RULE: &str = "[[rule]]\nid = \"door-open\"\napplies_to = \"door\"\nwhen = \"open\"\npriority = 4\nowner = \"o\"\nrespond_within = \"1d\"\n\
    cause = { en = \"c\", da = \"c\" }\nconsequence = { en = \"c\", da = \"c\" }\nresponse = { en = \"r\", da = \"r\" }\n";
