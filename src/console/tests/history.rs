//! History over HTTP: whoever names a seq reads what has happened up to it, or is told how far the store is.

use super::*;
use crate::domain::observation::{Finite, Value as Measured};
use crate::store::conformance;

const PAST: [&str; 5] = [
    "/api/v1/history/alarms?",
    "/api/v1/history/tasks?",
    "/api/v1/quarantine?",
    "/api/v1/observations?asset=bin-7&property=fill&from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z&",
    "/api/v1/observations/rollups?asset=bin-7&property=fill&from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z&bucket=day&",
];

#[tokio::test]
async fn a_question_waits_for_the_seq_it_names_and_a_bounded_number_wait() {
    let patient = Duration::from_secs(60);
    let house = house_with(Options { history_wait: patient, waiting_max: 1, ..Options::default() });
    house.durable.send_replace(Seq(42));
    let ask = || Box::pin(house.ask_as("anna", Method::GET, "/api/v1/history/alarms?min_seq=42").send());
    // One of the two waits, so the other is told to come back.
    let (answered, waiting) = futures_util::future::select(ask(), ask()).await.factor_first();
    let refused = answered.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(problem(refused).await, (503, "unavailable".into()));
    house.progress.kept(Seq(41));
    house.progress.kept(Seq(42));
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_store_that_is_not_there_in_time_says_how_far_it_is() {
    let house = house_with(Options { history_wait: Duration::from_millis(5), ..Options::default() });
    house.durable.send_replace(Seq(42));
    for path in PAST {
        let ask = async |min_seq: &str| {
            house.ask_as("anna", Method::GET, &format!("{path}min_seq={min_seq}")).send().await.unwrap()
        };
        assert_eq!(ask("10").await.status(), StatusCode::OK, "{path}");
        let behind = ask("42").await;
        assert_eq!(behind.headers()["retry-after"], "5", "{path}");
        let told: Value = behind.json().await.unwrap();
        assert_eq!(told["code"], "store_behind", "{path}");
        assert_eq!(told["detail"], "the store is at event 10 and was asked for 42; store behind: 32", "{path}");
        assert_eq!(problem(ask("42").await).await, (503, "store_behind".into()), "{path}");
        assert_eq!(problem(ask("many").await).await, (400, "bad_request".into()), "{path}");
        // Nobody has been told of an event that has not happened: waiting would not bring it.
        assert_eq!(problem(ask("43").await).await, (400, "bad_request".into()), "{path}");
    }
    house.progress.kept(Seq(42));
    for path in PAST {
        let there = house.ask_as("anna", Method::GET, &format!("{path}min_seq=42")).send().await.unwrap();
        assert_eq!(there.status(), StatusCode::OK, "{path}");
    }
}

/// Whoever goes away leaves a thread behind that waits for the store: so many, and no more.
#[tokio::test]
#[expect(
    clippy::await_holding_lock,
    reason = "the store is frozen while it is asked, by a thread that is not this one"
)]
async fn a_store_that_does_not_answer_is_said_and_holds_few_threads() {
    let options = Options { history_answer: Duration::from_millis(5), asking_max: 2, ..Options::default() };
    let house = house_with(options);
    let frozen = house.asked.frozen.lock().unwrap();
    let ask = async || house.ask_as("anna", Method::GET, "/api/v1/history/alarms").send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(problem(ask().await).await, (503, "store_behind".into()));
    }
    let busy: Value = ask().await.json().await.unwrap();
    assert_eq!(busy["detail"], "many questions to history are in progress");
    drop(frozen);
    while ask().await.status() != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// As a sensor of `bin-7` would have sent them: 0, 1, 2 … at half past every hour.
fn a_number_every_hour(house: &House, hours: i64) {
    let start = "2026-01-01T00:30:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let number = |hour: i64| Finite::new(hour as f64).map(Measured::Number).unwrap();
    let values = (0..hours).map(|hour| ("fill", number(hour), start + hour * 3_600_000_000)).collect();
    let entries = [conformance::placed(11, "dev-7", "bin-7"), conformance::observed(12, "dev-7", values)];
    house.store.project(conformance::JOURNAL, &conformance::projected(&entries)).unwrap();
}

#[tokio::test]
async fn numbers_are_rolled_up_by_hours_and_days_page_by_page() {
    let house = house();
    a_number_every_hour(&house, 30);
    let ask = async |query: &str| -> Value {
        let path = format!("/api/v1/observations/rollups?asset=bin-7&property=fill&{query}");
        house.ask_as("auditor", Method::GET, &path).send().await.unwrap().json().await.unwrap()
    };
    let days = "from=2026-01-01T00:00:00Z&until=2026-01-03T00:00:00Z";
    let expected = json!({ "rows": [
        { "start_at": "2026-01-01T00:00:00Z", "count": 24, "min": 0.0, "max": 23.0, "mean": 11.5 },
        { "start_at": "2026-01-02T00:00:00Z", "count": 6, "min": 24.0, "max": 29.0, "mean": 26.5 },
    ] });
    assert_eq!(ask(&format!("{days}&bucket=day")).await, expected);
    let first = ask(&format!("{days}&bucket=hour&rows=29")).await;
    assert_eq!(first["rows"].as_array().unwrap().len(), 29);
    let rest = ask(&format!("{days}&bucket=hour&rows=29&after={}", first["next"].as_str().unwrap())).await;
    let last = json!({ "start_at": "2026-01-02T05:00:00Z", "count": 1, "min": 29.0, "max": 29.0, "mean": 29.0 });
    assert_eq!(rest, json!({ "rows": [last] }));
    let part = ask("from=2026-01-01T05:00:00%2B01:00&until=2026-01-01T05:00:00Z&bucket=hour").await;
    assert_eq!(part["rows"][0]["start_at"], "2026-01-01T04:00:00Z");
    assert_eq!(part["rows"].as_array().unwrap().len(), 1);
    for wrong in [format!("{days}&bucket=week"), days.to_owned(), "from=monday&until=tuesday&bucket=day".into()] {
        assert_eq!(ask(&wrong).await["code"], "bad_request", "{wrong}");
    }
}
