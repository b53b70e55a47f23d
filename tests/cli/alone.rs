//! The same commands while no gateway runs.

use crate::house::House;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[test]
fn a_gateway_finds_what_was_set_up_before_it_started() {
    let house = House::new();
    house.json(&["client", "add", "crew-phone", "--role", "crew=waste-1"]);
    let password = "correct horse battery\n";
    house
        .rettidig_told(&["user", "add", "bo", "--role", "operator=nord", "--role", "auditor"], password)
        .expect_code(0);
    house.write("crews.csv", "id;skills;areas\nwaste-1;waste;\n");
    house.write("assets.csv", "id;kind\nbin-1;bin\n");
    house.write("devices.csv", "id;sensor_type;asset\nsensor-1;bin-level;bin-1\n");
    for kind in ["crews", "assets", "devices"] {
        house.rettidig(&["registry", "import", kind, &format!("{kind}.csv"), "--apply"]).expect_code(0);
    }
    assert_eq!(house.json(&["alarm", "list"])["alarms"], json!([]));
    assert!(house.rettidig(&["registry", "export", "devices"]).out.contains("sensor-1;bin-level;bin-1"));

    let gateway = house.start();
    let status = house.json(&["status"]);
    // One more than was imported: the gateway registers itself.
    assert_eq!((&status["assets"], &status["devices"], &status["crews"]), (&json!(2), &json!(2), &json!(1)));
    let store = status["parts"].as_array().unwrap().iter().find(|part| part["name"] == "store").unwrap();
    assert_eq!((&store["ready"], &store["required"]), (&json!(true), &json!(false)), "{status:#}");
    assert!(house.rettidig(&["status"]).expect_code(0).out.contains("\njournal         writing\n"));
    let users = house.json(&["user", "list"])["users"].clone();
    assert_eq!(users[0]["roles"], json!(["operator=nord", "auditor"]));
    assert_eq!(house.json(&["client", "list"])["clients"][0]["role"], "crew=waste-1");
    let mode = fs::metadata(house.path("data/control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only the owner commands");
    assert!(gateway.stop().success());
}

#[test]
fn names_of_people_go_to_the_vault_and_nowhere_else() {
    let house = House::new();
    house.write("people.csv", "id;name;phone;purpose;start;review\np-1;Zebedee Quux;55501234;;;\n");
    let done = house.json(&["registry", "import", "people", "people.csv", "--apply"]);
    assert_eq!(done["personal"], 1);
    assert_eq!(house.json(&["registry", "import", "people", "people.csv"])["personal"], 0, "it is there already");
    assert!(!house.rettidig(&["registry", "export", "people"]).expect_code(0).out.contains("Zebedee"));
    let mut read = 0;
    for_each_file(&house.path("data"), &mut |path| {
        let bytes = fs::read(path).unwrap();
        read += 1;
        for secret in ["Zebedee", "55501234"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {}", path.display());
        }
    });
    assert!(read > 3, "only {read} files were looked at");
    house.rettidig(&["registry", "remove", "people", "p-1"]).expect_code(0);
    assert_eq!(house.rettidig(&["registry", "export", "people"]).out.lines().count(), 1);
}

#[test]
fn a_copy_of_the_vault_opens_with_its_key() {
    let house = House::new();
    house.json(&["client", "add", "phone-1", "--role", "crew=crew-1"]);
    let gateway = house.start();
    let done = house.rettidig(&["vault", "backup", "vault-copy.db"]).expect_code(0);
    assert!(done.out.contains("vault-copy.db") && done.out.contains("key file"), "{}", done.out);
    house.json(&["client", "add", "phone-2", "--role", "crew=crew-1"]);
    assert!(gateway.stop().success());
    house.rettidig(&["vault", "backup", "vault-copy.db"]).expect_code(0);

    let restored = house.path("restored/vault");
    fs::create_dir_all(&restored).unwrap();
    fs::copy(house.path("vault-copy.db"), restored.join("vault.db")).unwrap();
    fs::copy(house.path("data/vault/vault.key"), restored.join("vault.key")).unwrap();
    let clients = house.json(&["--data", "restored", "client", "list"])["clients"].clone();
    let names: Vec<_> = clients.as_array().unwrap().iter().map(|client| &client["client"]).collect();
    assert_eq!(names, ["phone-1", "phone-2"]);
}

#[test]
fn the_gateway_itself_is_not_missed_in_a_file() {
    let house = House::new();
    let gateway = house.start();
    house.write("assets.csv", "id;kind\nbin-1;bin\n");
    let first = house.rettidig(&["registry", "import", "assets", "assets.csv"]).expect_code(0);
    assert!(
        first.out.contains("1 to add, 0 to change, 0 unchanged, 0 registered but not in the file"),
        "{}",
        first.out
    );
    assert!(first.out.contains("a dry run: nothing was changed"), "{}", first.out);
    assert!(gateway.stop().success());
}

fn for_each_file(folder: &Path, look: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { for_each_file(&path, look) } else { look(&path) }
    }
}

#[test]
fn every_fault_of_a_registry_file_is_named_at_once() {
    let house = House::new();
    house.write("devices.csv", "id;sensor_type;asset\na b;bin-level;bin-1\ns-2;bin-levle;bin-1\ns-3;bin-level;\n");
    let first = house.rettidig(&["registry", "import", "devices", "devices.csv", "--apply"]).expect_code(65);
    for place in ["devices.csv, row 2, column \"id\"", "devices.csv, row 4, column \"asset\""] {
        assert!(first.out.contains(place), "{}", first.out);
    }
    house.write("devices.csv", "id;sensor_type;asset\ns-2;bin-levle;bin-1\n");
    let second = house.rettidig(&["registry", "import", "devices", "devices.csv", "--apply"]).expect_code(65);
    assert!(second.out.contains("did you mean \"bin-level\""), "{}", second.out);
    assert!(second.out.contains("import assets first"), "{}", second.out);
    assert_eq!(house.rettidig(&["registry", "export", "devices"]).out.lines().count(), 1, "nothing was changed");
}

#[test]
fn what_cannot_be_done_says_why() {
    let house = House::new();
    for (arguments, code, word) in [
        (vec!["status"], 69, "no gateway runs"),
        (vec!["reload"], 69, "no gateway runs"),
        (vec!["store", "rebuild"], 69, "no data folder"),
        (vec!["store", "rebuild", "--verify", "--lose-older"], 2, "cannot be used with"),
        (vec!["client", "list"], 69, "no data folder"),
        (vec!["quarantine"], 69, "no history"),
        (vec!["client", "add", "x", "--role", "device=+"], 1, "none of / +"),
        (vec!["client", "add", "x", "--role", "boss"], 1, "not one of gateway"),
        (vec!["client", "remove", "x"], 1, "no client \"x\""),
        (vec!["user", "add", "bo", "--role", "operator"], 1, "no password"),
        (vec!["alarm", "acknowledge", "7"], 1, "unknown alarm"),
        (vec!["registry", "remove", "crews", "x"], 1, "not registered"),
        (vec!["registry", "import", "bins", "x.csv"], 2, "assets, devices, crews, people"),
        (vec!["--config", "elsewhere", "status"], 78, "elsewhere"),
    ] {
        let done = house.rettidig(&arguments);
        assert_eq!(done.code, code, "{arguments:?}: {}", done.err);
        assert!(done.err.contains(word), "{arguments:?}: {}", done.err);
    }
    let short = house.rettidig_told(&["user", "add", "bo", "--role", "operator"], "short\n").expect_code(1);
    assert!(short.err.contains("at least 12"), "{}", short.err);
    house.json(&["client", "add", "x", "--role", "service"]);
    assert!(house.rettidig(&["client", "add", "x", "--role", "service"]).expect_code(1).err.contains("--replace"));
    house.json(&["client", "add", "x", "--role", "service", "--replace"]);
}

#[test]
fn templates_read_back_as_they_are() {
    let house = House::new();
    for kind in ["people", "crews", "assets", "devices"] {
        let template = house.rettidig(&["registry", "template", kind]).expect_code(0).out;
        let file = format!("{kind}.csv");
        house.write(&file, &template);
        let done = house.json(&["registry", "import", kind, &file, "--apply"]);
        assert_eq!(done["diff"]["added"].as_array().unwrap().len(), template.lines().count() - 1, "{done}");
    }
}
