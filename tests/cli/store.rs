//! History in SQLite and in PostgreSQL through the same commands: how it is, rebuilt, and compared with the journal.

use crate::house::House;
use crate::postgres;
use serde_json::{Value, json};
use std::process::Command;

/// The command with PostgreSQL as its store, when there is a database.
fn with(house: &House, database: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = house.command(arguments);
    if let Some(database) = database {
        command.env("RETTIDIG__STORE__URL", postgres::shared().url(database));
    }
    command
}

fn told(mut command: Command, code: i32) -> Value {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn history_is_rebuilt_and_compared(database: Option<&str>, spoil: &dyn Fn(&House)) {
    let house = House::new();
    let run = |arguments: &[&str], code| told(with(&house, database, arguments), code);
    run(&["store", "status"], 69);
    run(&["store", "rebuild"], 69);
    assert!(!house.path("data").exists(), "a folder that is not there is not made");
    for (kind, text) in
        [("assets", "id;kind\nbin-1;bin\n"), ("devices", "id;sensor_type;asset\nsensor-1;bin-level;bin-1\n")]
    {
        house.write("list.csv", text);
        run(&["registry", "import", kind, "list.csv", "--apply"], 0);
    }
    let before = run(&["store", "rebuild", "--verify", "--json"], 0);
    assert_eq!((&before["through"], &before["same"]), (&json!(0), &json!(true)), "{before:#}");
    assert!(before["behind"].as_u64().unwrap() >= 2, "what history lacks is told: {before:#}");
    run(&["store", "rebuild", "--json"], 0);
    let status = run(&["store", "status", "--json"], 0);
    assert_eq!((&status["behind"], &status["set_aside"]), (&json!(0), &json!(0)), "{status:#}");
    let name = if database.is_some() { "PostgreSQL" } else { "SQLite" };
    assert!(status["database"].as_str().unwrap().starts_with(name), "{status:#}");

    let same = run(&["store", "rebuild", "--verify", "--json"], 0);
    assert_eq!((&same["same"], &same["behind"]), (&json!(true), &json!(0)), "{same:#}");
    let devices = |report: &Value| {
        let tables = report["tables"].as_array().unwrap();
        tables.iter().find(|table| table["table"] == "device").unwrap().clone()
    };
    assert_eq!((&devices(&same)["live"], &devices(&same)["rebuilt"]), (&json!(1), &json!(1)));

    spoil(&house);
    let spoiled = run(&["store", "rebuild", "--verify", "--json"], 1);
    assert_eq!(devices(&spoiled)["shown"], json!([{ "row": "device sensor-1", "what": "asset" }]));
    run(&["store", "rebuild"], 0);
    run(&["store", "rebuild", "--verify"], 0);
    assert!(!house.path("data/verify.db").exists());
    assert_eq!(run(&["doctor", "--json"], 0)["passed"], true);
    assert!(run(&["quarantine", "--json"], 0)["quarantined"].as_array().unwrap().is_empty());
}

const SPOIL: &str = "UPDATE device SET asset = 'bin-2'";

#[test]
fn sqlite_history_is_rebuilt_and_compared() {
    history_is_rebuilt_and_compared(None, &|house| {
        rusqlite::Connection::open(house.path("data/store.db")).unwrap().execute(SPOIL, []).unwrap();
    });
}

#[test]
fn postgres_history_is_rebuilt_and_compared() {
    let database = postgres::shared().database();
    history_is_rebuilt_and_compared(Some(&database), &|_| drop(postgres::shared().ask(&database, SPOIL)));
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rettidig_verify_%'";
    assert_eq!(postgres::shared().ask(&database, schemas), "0", "the schema to compare with is removed");
}

#[test]
fn a_gateway_starts_without_its_database_and_history_follows() {
    let cluster = postgres::Cluster::start(&[]);
    let house = House::new();
    house.write("config/rettidig.toml", &format!("[store]\nurl = \"{}\"\n", cluster.url("postgres")));
    cluster.stop();
    let gateway = house.start();
    assert!(gateway.said.iter().any(|line| line.contains("history is not reachable")), "{:?}", gateway.said);
    let away = house.rettidig(&["store", "status"]).expect_code(69);
    assert!(away.err.contains("PostgreSQL at"), "{}", away.err);
    let doctor = house.rettidig(&["doctor"]).expect_code(1);
    assert!(doctor.out.contains("the gateway works without it"), "{}", doctor.out);
    house.rettidig(&["store", "rebuild"]).expect_code(69);
    cluster.start_again();
    // The projector tries again by itself.
    let started = rettidig::telemetry::stopwatch();
    loop {
        let status = house.rettidig(&["store", "status", "--json"]);
        let behind = serde_json::from_str::<Value>(&status.out).map(|status| status["behind"].clone());
        if behind.is_ok_and(|behind| behind == json!(0)) {
            break;
        }
        assert!(started.elapsed() < crate::house::PATIENCE, "{}{}", status.out, status.err);
    }
    assert!(gateway.stop().success());
    house.rettidig(&["store", "rebuild", "--verify"]).expect_code(0);
}

/// Another program changes the tables and takes its time: the gateway starts without waiting for it.
#[test]
fn a_gateway_does_not_wait_for_somebody_elses_migration() {
    let database = postgres::shared().database();
    let lock = 0x7265_7474_6964_6967_i64;
    let house = House::new();
    house.write("config/rettidig.toml", &format!("[store]\nurl = \"{}\"\n", postgres::shared().url(&database)));
    let sql = &format!("SET application_name = 'holds'; SELECT pg_advisory_lock({lock}); SELECT pg_sleep(300)");
    let database = &database;
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| std::panic::catch_unwind(|| postgres::shared().ask(database, sql)));
        let held = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE \
                    datname = current_database() AND locktype = 'advisory' AND granted";
        while postgres::shared().ask(database, held) == "0" {}
        let gateway = house.start();
        assert_eq!(postgres::shared().ask(database, "SELECT to_regclass('journal') IS NULL"), "t");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holds'";
        postgres::shared().ask(database, end);
        drop(holding.join());
        while postgres::shared().ask(database, "SELECT to_regclass('journal') IS NULL") == "t" {}
        assert!(gateway.stop().success());
    });
    house.rettidig(&["store", "rebuild", "--verify"]).expect_code(0);
}

/// As after putting back an older copy of the data folder, before and after it has grown past the end of history.
#[test]
fn history_of_another_past_is_told() {
    let house = House::new();
    house.write("list.csv", "id;kind\nbin-1;bin\n");
    house.rettidig(&["registry", "import", "assets", "list.csv", "--apply"]).expect_code(0);
    house.rettidig(&["store", "rebuild"]).expect_code(0);
    let changed = |sql: &str| {
        rusqlite::Connection::open(house.path("data/store.db")).unwrap().execute(sql, []).unwrap();
        let status = house.rettidig(&["store", "status", "--json"]);
        (serde_json::from_str::<Value>(&status.out).unwrap()["past"].clone(), status.err)
    };
    let (past, said) = changed("UPDATE device SET asset = asset");
    assert_eq!((past, said.as_str()), (json!("same"), ""));
    let (past, said) = changed("UPDATE event_log SET at = at - 1");
    assert_eq!(past, "other");
    assert!(said.contains("older copy") && said.contains("rettidig store rebuild"), "{said}");
    let (past, said) = changed("UPDATE journal SET projected_through = projected_through + 1000");
    assert_eq!(past, "ahead");
    assert!(said.contains("older copy") && said.contains("rettidig store rebuild"), "{said}");
    house.rettidig(&["store", "rebuild"]).expect_code(0);
    let (past, said) = changed("UPDATE device SET asset = asset");
    assert_eq!((past, said.as_str()), (json!("same"), ""));
}

/// A damaged file is in nobody's way: it is kept aside, said loudly, and history is made again.
#[test]
fn a_damaged_file_is_moved_aside() {
    let house = House::new();
    house.write("list.csv", "id;kind\nbin-1;bin\n");
    house.rettidig(&["registry", "import", "assets", "list.csv", "--apply"]).expect_code(0);
    let aside = || {
        let names = std::fs::read_dir(house.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("store.db.damaged-2")).count()
    };
    let noise = "not a database ".repeat(300);
    house.write("data/store.db", &noise);
    let doctor = house.rettidig(&["doctor"]).expect_code(1);
    assert!(doctor.out.contains("is damaged"), "{}", doctor.out);
    house.rettidig(&["store", "rebuild", "--verify"]).expect_code(69);
    assert_eq!(aside(), 0, "a comparison changes nothing");
    let rebuilt = house.rettidig(&["store", "rebuild"]).expect_code(0);
    assert!(rebuilt.err.contains("was damaged (file is not a database)"), "{}", rebuilt.err);
    assert_eq!(aside(), 1);
    house.rettidig(&["store", "rebuild", "--verify"]).expect_code(0);

    for ending in ["-wal", "-shm"] {
        drop(std::fs::remove_file(house.path(&format!("data/store.db{ending}"))));
    }
    house.write("data/store.db", &noise);
    let gateway = house.start();
    assert!(
        gateway.said.iter().any(|line| line.contains("ERROR") && line.contains("was damaged")),
        "{:?}",
        gateway.said
    );
    assert!(gateway.stop().success());
    assert_eq!(aside(), 2);
    house.rettidig(&["store", "rebuild", "--verify"]).expect_code(0);
}

#[test]
fn a_table_removed_by_hand_is_told_and_made_again() {
    let database = postgres::shared().database();
    let house = House::new();
    house.write("config/rettidig.toml", &format!("[store]\nurl = \"{}\"\n", postgres::shared().url(&database)));
    house.write("list.csv", "id;kind\nbin-1;bin\n");
    house.rettidig(&["registry", "import", "assets", "list.csv", "--apply"]).expect_code(0);
    house.rettidig(&["store", "rebuild"]).expect_code(0);
    postgres::shared().ask(&database, "DROP TABLE alarm CASCADE");
    let doctor = house.rettidig(&["doctor"]).expect_code(1);
    assert!(doctor.out.contains("has lost the table alarm"), "{}", doctor.out);
    let verified = house.rettidig(&["store", "rebuild", "--verify"]).expect_code(69);
    assert!(verified.err.contains("has lost the table alarm"), "{}", verified.err);
    house.rettidig(&["store", "rebuild"]).expect_code(0);
    house.rettidig(&["store", "rebuild", "--verify"]).expect_code(0);
    house.rettidig(&["doctor"]).expect_code(0);
}

/// A database that stands still holds up nobody who stops the gateway.
#[test]
fn a_gateway_stops_while_its_database_stands_still() {
    let cluster = postgres::Cluster::start(&[]);
    let house = House::new();
    house.write("config/rettidig.toml", &format!("[store]\nurl = \"{}\"\n", cluster.url("postgres")));
    let gateway = house.start();
    while cluster.ask("postgres", "SELECT to_regclass('journal') IS NULL") == "t" {}
    while cluster.ask("postgres", "SELECT count(*) FROM journal") == "0" {}
    cluster.pause();
    house.write("list.csv", "id;kind\nbin-1;bin\n");
    house.rettidig(&["registry", "import", "assets", "list.csv", "--apply"]).expect_code(0);
    let started = rettidig::telemetry::stopwatch();
    assert!(gateway.stop().success());
    // Three seconds for history, and what a busy machine adds; a call's own limit is 30 s.
    assert!(started.elapsed() < std::time::Duration::from_secs(15), "{:?}", started.elapsed());
    cluster.resume();
    house.rettidig(&["store", "rebuild"]).expect_code(0);
}
