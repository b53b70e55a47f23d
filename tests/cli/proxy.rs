//! The page behind a proxy that ends TLS, and what is refused without one.

use crate::house::{Done, House};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

const PUBLIC: &str = "https://rettidig.example.dk";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refusal_names_settings_that_exist_and_they_open_the_page() {
    let house = House::new();
    let gateway = house.start();
    let port = gateway.port("http");
    let detail = async |request: RequestBuilder, status: u16| {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        response.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned()
    };
    let refusals =
        [detail(through_proxy(port, "/api/v1/session"), 421).await, detail(through_proxy(port, "/metrics"), 403).await];
    assert!(gateway.stop().success());
    let schema: Value = serde_json::from_str(&house.rettidig(&["schema", "settings"]).expect_code(0).out).unwrap();
    for (refusal, expected) in refusals.iter().zip(["http.public_origin", "http.metrics_open"]) {
        let (_, named) = refusal.split_once("the setting ").unwrap();
        let named = named.split(' ').next().unwrap();
        assert_eq!(named, expected);
        let setting = named.strip_prefix("http.").unwrap();
        assert!(schema["$defs"]["Http"]["properties"][setting].is_object(), "there is no setting {named}");
    }

    house.write("config/rettidig.toml", &format!("[http]\npublic_origin = \"{PUBLIC}\"\nmetrics_open = true\n"));
    house.rettidig(&["check"]).expect_code(0);
    let gateway = house.start();
    let link = gateway.wait_for_line("/first-start#").pop().unwrap();
    let (_, token) = link.trim().split_once(&format!("{PUBLIC}/first-start#")).expect("the link is the proxy's");
    let port = gateway.port("http");
    let account = json!({ "token": token, "account": "anna", "password": "correct horse battery" });
    let first = Client::new()
        .post(format!("http://127.0.0.1:{port}/api/v1/first-start"))
        .header("Host", "rettidig.example.dk")
        .header("Origin", PUBLIC)
        .json(&account);
    let response = first.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 201);
    assert!(response.headers()["set-cookie"].to_str().unwrap().contains("Secure"));
    assert_eq!(through_proxy(port, "/metrics").send().await.unwrap().status().as_u16(), 200);
    assert!(gateway.stop().success());
}

fn through_proxy(port: u16, path: &str) -> RequestBuilder {
    let request = Client::new().get(format!("http://127.0.0.1:{port}{path}"));
    request.header("Host", "rettidig.example.dk").header("X-Forwarded-For", "192.0.2.7")
}

#[test]
fn plain_http_to_other_machines_is_a_fault_that_says_what_to_set() {
    let house = House::new();
    let check = |origin: Option<&str>| {
        let mut command = house.command(&["check"]);
        command.env("RETTIDIG__HTTP__LISTEN", "0.0.0.0:8080");
        if let Some(origin) = origin {
            command.env("RETTIDIG__HTTP__PUBLIC_ORIGIN", origin);
        }
        Done::of(command.output().unwrap())
    };
    let refused = check(None).expect_code(65);
    assert!(refused.out.contains("public_origin") && refused.out.contains("unencrypted"), "{}", refused.out);
    check(Some(PUBLIC)).expect_code(0);
    assert!(check(Some("http://rettidig.example.dk")).expect_code(65).out.contains("no https origin"));
}
