//! The config room through its own door: a folder in, settings or faults out.

use super::*;
use crate::domain::fault::Fault;
use crate::domain::time::Span;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SHIPPED: &str = include_str!("../../config/rettidig.toml");

fn folder(settings: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(SETTINGS_FILE), settings).unwrap();
    folder
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn settings(text: &str, pairs: &[(&str, &str)]) -> Settings {
    let folder = folder(text);
    load(folder.path(), environment(pairs)).unwrap_or_else(|error| panic!("{error:?}")).settings
}

fn shown(text: &str, faults: &[Fault]) -> String {
    let line = |fault: &Fault| {
        let (line, column) = fault.place(text);
        format!("{}:{line}:{column} {}\n    {}", fault.file, fault.message, fault.suggestion.as_deref().unwrap_or("-"))
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn faults_in(folder: &Path, text: &str, pairs: &[(&str, &str)]) -> String {
    match load(folder, environment(pairs)) {
        Err(ConfigError::Faulty { faults, .. }) => {
            shown(text, &faults).replace(&folder.display().to_string(), "<folder>")
        }
        other => panic!("faults are expected, not {other:?}"),
    }
}

fn faults(text: &str, pairs: &[(&str, &str)]) -> String {
    faults_in(folder(text).path(), text, pairs)
}

/// The shipped file with every `# key = value` and `# [section]` of it switched on.
fn switched_on(text: &str) -> String {
    let setting = |line: &str| {
        let rest = line.strip_prefix("# ")?;
        let key = rest.split(" = ").next()?;
        let named = !key.is_empty()
            && rest.contains(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        (named || (rest.starts_with('[') && rest.ends_with(']'))).then(|| rest.to_owned())
    };
    text.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_shows_every_default() {
    let usual = settings("", &[]);
    assert_eq!(settings(SHIPPED, &[]), usual);

    let text = switched_on(SHIPPED);
    let folder = folder(&text);
    fs::create_dir_all(folder.path().join("tls")).unwrap();
    fs::create_dir_all(folder.path().join("secrets")).unwrap();
    for file in ["tls/server.pem", "tls/server.key", "tls/clients.pem", "tls/city-broker.pem"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    fs::write(folder.path().join("secrets/city-broker"), "s3cret\nrest\n").unwrap();
    fs::write(folder.path().join("secrets/store"), "st0re\n").unwrap();
    let ca = rcgen::generate_simple_self_signed(["db.example.dk".to_owned()]).unwrap().cert;
    fs::write(folder.path().join("tls/store-ca.pem"), ca.pem()).unwrap();
    let mut full = load(folder.path(), []).unwrap_or_else(|error| panic!("{error:?}\n{text}")).settings;
    assert_eq!(full.endpoint.tls.take().map(|tls| tls.client_ca.is_some()), Some(true));
    let broker = full.brokers.pop().unwrap();
    assert_eq!((broker.port, broker.password.as_ref().map(Secret::reveal)), (8883, Some("s3cret")));
    let url = full.store.url.take().unwrap();
    assert!(url.tls && url.config.get_password() == Some(b"st0re"));
    assert_eq!((full.store.password.take().is_some(), full.store.ca.take().is_some()), (true, true));
    assert_eq!(full.http.public_origin.take().as_deref(), Some("https://rettidig.example.dk"));
    assert_eq!(full, usual);
}

#[test]
fn the_page_is_opened_to_others_behind_https_only() {
    let open =
        settings("[http]\nlisten = \"0.0.0.0:8080\"\npublic_origin = \"https://Rettidig.example.dk:8443\"\n", &[]);
    assert_eq!(open.http.public_origin.as_deref(), Some("https://rettidig.example.dk:8443"));
    let plain = faults("[http]\nlisten = \"0.0.0.0:8080\"\n", &[]);
    assert!(plain.contains("rettidig.toml:2:10") && plain.contains("public_origin"), "{plain}");
    for origin in
        ["http://a.dk", "https://a.dk/", "https://", "https://u@a.dk", "a.dk", "https://a.dk:0", "https://[::g]"]
    {
        let told = faults(&format!("[http]\npublic_origin = \"{origin}\"\n"), &[]);
        assert!(told.contains("is no https origin"), "{told}");
    }
}

#[test]
fn the_schema_names_what_the_shipped_file_names() {
    let schema = schema(Kind::Settings);
    let table: toml::Table = switched_on(SHIPPED).parse().unwrap();
    let object = |schema_of: &serde_json::Value| -> Vec<String> {
        let reference = schema_of.get("$ref").or_else(|| schema_of.pointer("/items/$ref"));
        let choices = schema_of.get("anyOf").and_then(|choices| choices.pointer("/0/$ref"));
        let pointer =
            reference.or(choices).and_then(|pointer| pointer.as_str()).map(|pointer| pointer.trim_start_matches('#'));
        let object = pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(schema_of);
        let properties = object["properties"].as_object().unwrap_or_else(|| panic!("{schema_of}"));
        properties.keys().cloned().collect()
    };
    let sorted = |table: &toml::Table| {
        let mut keys: Vec<String> = table.keys().cloned().collect();
        keys.sort();
        keys
    };
    let mut top = sorted(&table);
    top.retain(|key| key != "endpoint");
    for section in top {
        let value = &table[&section];
        let written = value.as_array().map_or(value, |items| &items[0]).as_table().unwrap().clone();
        let mut known = object(&schema["properties"][&section]);
        known.sort();
        assert_eq!(sorted(&written), known, "[{section}]");
    }
    let mut known = object(&schema["properties"]["endpoint"]);
    known.sort();
    assert_eq!(sorted(table["endpoint"].as_table().unwrap()), known);
}

#[test]
fn the_schema_knows_defaults_and_limits() {
    let schema = schema(Kind::Settings);
    let payload = &schema["$defs"]["Limits"]["properties"]["payload_bytes_max"];
    assert_eq!((payload["default"].as_u64(), payload["maximum"].as_u64()), (Some(65_536), Some(16_777_216)));
    let retain = &schema["$defs"]["Journal"]["properties"]["retain_for"];
    assert_eq!(retain["default"], "400d");
    assert!(retain["description"].as_str().unwrap().contains("From 1d to 3650d"));
    assert_eq!(schema["$defs"]["Broker"]["additionalProperties"], false);
    let text = schema.to_string();
    assert!(text.contains("password_file") && !text.contains("Secret"), "{text}");
}

#[test]
fn every_fault_of_the_settings_is_found_in_one_go() {
    let text = r#"
[data]
folder = ""
[endpoint]
listen = ["127.0.0.1", "0.0.0.0:1883", 7]
[endpoint.tls]
certificate = "nowhere.pem"
[[broker]]
name = "city"
host = "mqtt.example.dk"
password = "secret"
port = 70000
subscribe = ["a/#/b", "ok/+/up"]
[[broker]]
name = "city"
subscribe = []
tls = { ca = "ca.pem", key = "own.key" }
[http]
listen = "everywhere"
[journal]
retain_for = "1h"
[limits]
payload_bytes = 1
connections_max = "many"
[dispatch]
offer_timeouts = ["1m", "1m"]
[log]
level = "verbose"
[lgo]
"#;
    insta::assert_snapshot!(faults(text, &[]));
}

#[test]
fn the_endpoint_beyond_this_machine_needs_tls() {
    let open = "[endpoint]\nlisten = [\"0.0.0.0:1883\", \"[::1]:1883\"]\n";
    assert!(faults(open, &[]).starts_with("rettidig.toml:2:11 0.0.0.0:1883 is reached"));
    assert_eq!(settings(&format!("{open}without_tls = true\n"), &[]).endpoint.listen.len(), 2);
}

#[test]
fn the_environment_wins() {
    let text =
        "[endpoint]\nlisten = [\"127.0.0.1:1884\"]\n[[broker]]\nname = \"a\"\nhost = \"h\"\nsubscribe = [\"#\"]\n";
    let settings = settings(
        text,
        &[
            ("RETTIDIG__ENDPOINT__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("RETTIDIG__BROKER__0__PASSWORD", "s3cret"),
            ("RETTIDIG__JOURNAL__RETAIN_FOR", "30d"),
            ("RETTIDIG__LIMITS__PAYLOAD_BYTES_MAX", "1024"),
            ("RETTIDIG__DISPATCH__OFFER_TIMEOUTS", "5s,6s,7s,8s"),
            ("RETTIDIG_CONFIG", "not ours"),
            ("PATH", "not ours"),
        ],
    );
    assert_eq!(settings.endpoint.listen.len(), 2);
    assert_eq!(settings.brokers[0].password.as_ref().map(Secret::reveal), Some("s3cret"));
    assert_eq!(settings.journal.retain_for, Span::from_hours(30 * 24));
    assert_eq!(settings.limits.payload_bytes_max, 1_024);
    assert_eq!(settings.dispatch.offer_timeouts[3], Span::from_secs(8));
}

#[test]
fn a_fault_in_the_environment_names_the_variable() {
    let found = faults(
        "",
        &[
            ("RETTIDIG__LIMITS__PAYLOAD_BYTES_MAX", "much"),
            ("RETTIDIG__ENDPOINT__LISTN", "127.0.0.1:1"),
            ("RETTIDIG__ENDPOINT__LISTEN", "127.0.0.1:1,here"),
            ("RETTIDIG__ENDPOINT__TLS__KEY", "k.pem"),
        ],
    );
    insta::assert_snapshot!(found, @r#"
    RETTIDIG__ENDPOINT__LISTEN:1:1 "here" is no address with a port
        write an IP address and a port, such as "127.0.0.1:1883"
    RETTIDIG__ENDPOINT__LISTN:1:1 there is no setting `endpoint.listn`
        did you mean `endpoint.listen`? known: `data.folder`, `dispatch.offer_timeouts`, `dispatch.retry_after`, `endpoint.listen`, `endpoint.tls.certificate`, `endpoint.tls.client_ca`, `endpoint.tls.client_certificate`, `endpoint.tls.key`, `endpoint.without_tls`, `http.listen`, `http.metrics_open`, `http.public_origin` and 34 more
    RETTIDIG__ENDPOINT__TLS__KEY:1:1 there is no file "k.pem"
        it is looked for in <folder>
    RETTIDIG__LIMITS__PAYLOAD_BYTES_MAX:1:1 `payload_bytes_max` is not a whole number
        write payload_bytes_max = 256
    rettidig.toml:1:1 `certificate` is missing in `endpoint.tls`
        add a line such as certificate = "tls/server.pem"
    "#);
}

#[test]
fn secrets_are_never_printed() {
    let text = "[[broker]]\nname = \"a\"\nhost = \"h\"\nsubscribe = [\"#\"]\n";
    let settings = settings(text, &[("RETTIDIG__BROKER__0__PASSWORD", "s3cret")]);
    assert!(!format!("{settings:?}").contains("s3cret"));
    let folder = folder("[data]\nfolder = 7\n");
    let error = load(folder.path(), environment(&[("RETTIDIG__LIMITS__PAYLOAD_BYTES_MAX", "s3cret")])).unwrap_err();
    assert!(!error.to_string().contains("s3cret"));
    let ConfigError::Faulty { faults, .. } = error else { panic!("{error}") };
    assert!(faults.iter().all(|fault| !fault.message.contains("s3cret")), "{faults:?}");
}

#[test]
fn a_password_in_a_file_is_not_shown_with_its_line() {
    let text = "[[broker]]\npassword = \"hünter2\" # x\npassword_file = \"x\"\n[a]\nb = { 'password'=\"hünter2\" }\n";
    let folder = folder(text);
    let texts = Texts::read(folder.path(), []).unwrap();
    let shown = texts.text(SETTINGS_FILE).unwrap();
    assert!(shown.len() == text.len() && !shown.contains("nter") && shown.contains("password_file = \"x\""), "{shown}");
}

#[test]
fn a_password_in_an_address_is_not_shown_with_its_line() {
    let text = "[store]\nurl = \"postgres://r:hünt@er2@db:5432/r?password=x9\" # ø\nurl = \"postgres://r@db:1/r\"\n";
    let folder = folder(text);
    let texts = Texts::read(folder.path(), []).unwrap();
    let shown = texts.text(SETTINGS_FILE).unwrap();
    assert!(shown.len() == text.len() && !shown.contains("er2") && !shown.contains("x9"), "{shown}");
    assert!(shown.contains("postgres://r:*") && shown.contains("postgres://r@db:1/r"), "{shown}");
}

#[test]
fn rules_and_sensor_types_are_read_by_their_names() {
    let folder = folder("");
    for (name, text) in [
        ("rules/b.toml", "# b"),
        ("rules/a.toml", "# a"),
        ("rules/.a.toml.swp.toml", "# hidden"),
        ("rules/notes.txt", "-"),
        ("sensor-types/em400.toml", "# e"),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let loaded = load(folder.path(), []).unwrap();
    assert_eq!(loaded.rule_files.keys().collect::<Vec<_>>(), ["rules/a.toml", "rules/b.toml"]);
    assert_eq!(loaded.sensor_type_files.keys().collect::<Vec<_>>(), ["sensor-types/em400.toml"]);
    assert_eq!(loaded.texts.text("rules/b.toml").as_deref(), Some("# b"));
}

#[test]
fn a_file_that_is_no_text_is_a_fault_and_the_rest_is_read() {
    let folder = folder("[log]\nlevel = 1\n");
    fs::create_dir(folder.path().join("rules")).unwrap();
    fs::write(folder.path().join("rules/a.toml"), b"ok\xff").unwrap();
    fs::write(folder.path().join("rules/b.toml"), " ".repeat(1024 * 1024 + 1)).unwrap();
    let found = faults_in(folder.path(), "[log]\nlevel = 1\n", &[]);
    insta::assert_snapshot!(found, @r#"
    rules/a.toml:1:1 the file is not UTF-8 from byte 2 on
        save it as UTF-8
    rules/b.toml:1:1 the file is 1048577 bytes long
        at most 1048576 bytes
    rettidig.toml:2:9 `level` is a whole number, not a text
        write level = "…"
    "#);
}

#[test]
fn a_folder_without_settings_is_no_configuration() {
    let folder = TempDir::new().unwrap();
    let error = load(folder.path(), []).unwrap_err();
    assert!(error.to_string().contains("rettidig.toml"), "{error}");
}

#[test]
fn a_database_elsewhere_is_reached_by_tls_only() {
    let url = |text: &str| settings(&format!("[store]\n{text}"), &[]).store.url.unwrap();
    for (text, tls) in [
        ("url = \"postgres://r@db.example.dk/r\"", true),
        ("url = \"postgres://r@db.example.dk/r\"\nwithout_tls = true", false),
        ("url = \"postgres://r@db.example.dk/r?sslmode=disable\"\nwithout_tls = true", false),
        ("url = \"postgres://r@127.0.0.1/r\"", false),
        ("url = \"postgres://r@localhost/r?sslmode=require\"", true),
        ("url = \"postgres://r@%2Frun%2Fpostgresql/r\"", false),
    ] {
        assert_eq!(url(text).tls, tls, "{text}");
    }
    let outside = settings("", &[("RETTIDIG__STORE__URL", "postgres://r:hunter2@localhost/r")]).store;
    assert_eq!(outside.url.as_ref().unwrap().config.get_password(), Some(&b"hunter2"[..]));
    assert!(!format!("{outside:?}").contains("hunter2"));
    let tls = |url: &str| settings(&format!("[store]\nurl = \"{url}\""), &[]).store.url.unwrap().tls;
    assert!(tls("postgres://r@localhost/r?hostaddr=192.0.2.2"), "it is not this machine that is connected to");
    assert!(!tls("postgres://r@db.example.dk/r?hostaddr=127.0.0.1"));
}

#[test]
fn what_is_wrong_with_a_store_is_said_without_its_password() {
    for (text, word) in [
        ("url = \"mysql://r@h/r\"", "no address of a PostgreSQL database"),
        ("url = \"postgres://r:hunter2@h:x/r\"", "no address of a PostgreSQL database"),
        ("url = \"postgres://r:hunter2@h/r\"", "a password never stands in the settings"),
        ("url = \"postgres://h/r\"", "one host, a login and a database"),
        ("url = \"postgres://r@a,b/r\"", "one host, a login and a database"),
        ("url = \"postgres://r@h/r?sslmode=disable\"", "unencrypted"),
        ("url = \"postgres://r@h/r?sslmode=verify-full\"", "and all verify"),
        ("password = \"hunter2\"", "a password never stands in the settings"),
        ("url = \"postgres://r@localhost/r?hostaddr=192.0.2.2&sslmode=disable\"", "unencrypted"),
        ("ca = \"none.pem\"", "there is no file"),
        ("ca = \"rettidig.toml\"", "holds no certificate"),
        ("connections_max = 1", "connections_max"),
        ("retain_for = \"1d\"", "retain_for"),
    ] {
        let told = faults(&format!("\n[store]\n{text}"), &[]);
        assert!(told.contains(word), "{text}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
