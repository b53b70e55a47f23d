//! From nothing to the first alarm, as the first page of the README tells it.

use crate::house::{House, PATIENCE, Running};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Runs of a command that looks for what another thread of the gateway writes.
const LOOKS_MAX: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn from_nothing_to_the_first_alarm_and_back() {
    let house = House::empty();
    let steps = house.rettidig(&["init"]).expect_code(0).out;
    for step in ["rettidig run", "rettidig client add", "rettidig registry import", "mosquitto_pub"] {
        assert!(steps.contains(step), "{steps}");
    }
    house.rettidig(&["check"]).expect_code(0);

    let mut gateway = house.start();
    first_account(&mut gateway).await;
    assert_eq!(house.json(&["user", "list"])["users"][0]["account"], "anna");

    let secret = house.json(&["client", "add", "sensor-1", "--role", "device=sensor-1"])["secret"].clone();
    let secret = secret.as_str().unwrap();
    register_a_bin(&house);

    let (client, mut events) = connect(&gateway, "sensor-1", secret);
    publish(&client, &mut events, "rettidig/v1/up/sensor-1", r#"{"temperature": 64, "fill": 0.3}"#).await;

    let alarms = house.json(&["alarm", "list"])["alarms"].clone();
    assert_eq!(alarms.as_array().unwrap().len(), 1, "{alarms}");
    assert_eq!(alarms[0]["rule"], "bin-fire");
    assert_eq!(alarms[0]["acknowledged"], false);
    assert_eq!(house.json(&["task", "list"])["tasks"][0]["kind"], "inspect-bin");
    let alarm = alarms[0]["alarm"].to_string();
    house.rettidig(&["alarm", "acknowledge", &alarm]).expect_code(0);
    assert_eq!(house.json(&["alarm", "list"])["alarms"][0]["acknowledged"], true);
    let again = house.rettidig(&["alarm", "acknowledge", &alarm]).expect_code(1);
    assert!(again.err.contains("already acknowledged"), "{}", again.err);
    let task = house.json(&["task", "list"])["tasks"][0]["task"].to_string();
    house.rettidig(&["task", "cancel", &task]).expect_code(0);
    assert_eq!(house.json(&["task", "list"])["tasks"], json!([]));

    unknown_device_is_set_aside(&house, &gateway).await;

    house.rettidig(&["client", "remove", "sensor-1"]).expect_code(0);
    let gone = async { while events.poll().await.is_ok() {} };
    timeout(PATIENCE, gone).await.expect("whose login is removed is disconnected");

    house.rettidig(&["doctor"]).expect_code(0);
    assert!(gateway.stop().success());
    for leftover in ["data/addresses.json", "data/control.sock"] {
        assert!(!house.path(leftover).exists(), "{leftover}");
    }
    let verified = house.json(&["journal", "verify"]);
    assert_eq!(verified["whole"], true);
    assert_eq!(house.json(&["alarm", "list"])["alarms"][0]["rule"], "bin-fire");
}

/// As the page does it: the link's token, a name and a password; then signing in with them.
async fn first_account(gateway: &mut Running) {
    let link = gateway.wait_for_line("/first-start#").pop().unwrap();
    let (_, token) = link.split_once("/first-start#").unwrap();
    let origin = format!("http://localhost:{}", gateway.port("http"));
    let http = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let url = format!("{origin}/api/v1/{path}");
        http.post(url).header("Origin", &origin).json(&body).send().await.unwrap().status().as_u16()
    };
    let account = json!({ "token": token, "account": "anna", "password": "correct horse battery" });
    assert_eq!(post("first-start", account.clone()).await, 201);
    assert_eq!(post("first-start", account).await, 403, "the link is good once");
    assert_eq!(post("session", json!({ "account": "anna", "password": "correct horse battery" })).await, 200);
    assert_eq!(post("session", json!({ "account": "anna", "password": "wrong horse battery" })).await, 401);
}

fn register_a_bin(house: &House) {
    house.write("assets.csv", "id;kind\nbin-1;bin\n");
    house.write("devices.csv", "id;sensor_type;asset\nsensor-1;bin-level;bin-1\n");
    let dry = house.json(&["registry", "import", "assets", "assets.csv"]);
    assert_eq!(dry["diff"]["added"], json!(["bin-1"]));
    assert_eq!(dry["applied"], false);
    assert_eq!(house.json(&["status"])["assets"], 1, "a dry run changes nothing: only the gateway itself is there");
    for (kind, file) in [("assets", "assets.csv"), ("devices", "devices.csv")] {
        assert!(house.json(&["registry", "import", kind, file, "--apply"])["seq"].is_u64());
        let second = house.json(&["registry", "import", kind, file, "--apply"]);
        assert_eq!(second["diff"]["unchanged"], 1);
        assert_eq!(second["seq"], Value::Null, "the second time nothing happens");
    }
    let status = house.json(&["status"]);
    assert_eq!((&status["assets"], &status["devices"]), (&json!(2), &json!(2)));
}

async fn unknown_device_is_set_aside(house: &House, gateway: &Running) {
    let secret = house.json(&["client", "add", "network", "--role", "gateway"])["secret"].clone();
    let (client, mut events) = connect(gateway, "network", secret.as_str().unwrap());
    publish(&client, &mut events, "rettidig/v1/up/nobody", r#"{"fill": 0.5}"#).await;
    let listed = (0..LOOKS_MAX).find_map(|_| {
        let rows = house.json(&["quarantine", "list"])["quarantined"].clone();
        rows.as_array().is_some_and(|rows| !rows.is_empty()).then_some(rows)
    });
    let rows = listed.expect("history never showed the message");
    assert_eq!(rows[0]["reason"], "unknown_device");
    assert_eq!(rows[0]["topic"], "rettidig/v1/up/nobody");
    assert!(house.rettidig(&["quarantine"]).expect_code(0).out.contains("unknown_device"));
}

fn connect(gateway: &Running, name: &str, secret: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(name, "127.0.0.1", gateway.port("mqtt"));
    options.set_credentials(name, secret);
    AsyncClient::new(options, 10)
}

/// Returns when the gateway has acknowledged: then the message is durable and decided.
async fn publish(client: &AsyncClient, events: &mut EventLoop, topic: &str, payload: &str) {
    client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    let acknowledged = async { while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {} };
    timeout(PATIENCE, acknowledged).await.expect("no acknowledgement");
}

#[test]
fn a_second_gateway_is_told_who_the_first_is() {
    let house = House::new();
    let gateway = house.start();
    let second = house.rettidig(&["run"]).expect_code(69);
    assert!(second.err.contains(&format!("process {}", gateway.process())), "{}", second.err);
    assert_eq!(house.json(&["status"])["process"], gateway.process(), "the first one is not disturbed");
    assert!(gateway.stop().success());
}

#[test]
fn a_gateway_that_was_killed_starts_again_over_its_leftovers() {
    let house = House::new();
    let gateway = house.start();
    gateway.signal("KILL");
    drop(gateway);
    assert!(house.path("data/control.sock").exists());
    let done = house.rettidig(&["client", "list"]).expect_code(0);
    assert!(done.out.contains("none"), "nobody listens on the socket that is left: {}", done.out);
    let gateway = house.start();
    assert_eq!(house.json(&["status"])["process"], gateway.process());
    assert!(gateway.stop().success());
}
