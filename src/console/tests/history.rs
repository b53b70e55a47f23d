//! History over HTTP: whoever names a seq reads what has happened up to it, or is told how far the store is.

use super::*;

const PAST: [&str; 4] = [
    "/api/v1/history/alarms?",
    "/api/v1/history/tasks?",
    "/api/v1/quarantine?",
    "/api/v1/observations?asset=bin-7&property=fill&from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z&",
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
    }
    house.progress.kept(Seq(42));
    for path in PAST {
        let there = house.ask_as("anna", Method::GET, &format!("{path}min_seq=42")).send().await.unwrap();
        assert_eq!(there.status(), StatusCode::OK, "{path}");
    }
}
