//! What the endpoint counts can be read where an operator looks.

use crate::gateway::start;
use crate::wire::{Wire, packet, puback, publish3, text, v3};
use metrics_exporter_prometheus::PrometheusBuilder;

#[tokio::test]
async fn messages_refusals_and_connections_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let scrape = recorder.handle();
    // Everything of this test runs on this thread.
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&publish3("up/bin-7/fill", 1, b"")).await;
    wire.send(&publish3("up/bin-8/fill", 2, b"")).await;
    wire.send(&packet(0x30, &text("up/bin-7/fill"))).await;
    gateway.uplink().await.1.release();
    gateway.refused.next().await.1.release();
    wire.expect(&puback(1)).await;
    wire.expect(&puback(2)).await;
    wire.expect_nothing().await;
    let mut guess = v3("bin-7");
    guess.password = "guess";
    Wire::greet(&gateway, &guess).await.0.rest().await;
    let text = scrape.render();
    for line in [
        "rettidig_endpoint_connections 1",
        "rettidig_endpoint_received_total{qos=\"0\"} 1",
        "rettidig_endpoint_received_total{qos=\"1\"} 2",
        "rettidig_endpoint_refused_total{reason=\"topic_not_permitted\"} 1",
        "rettidig_endpoint_acknowledged_total 2",
        "rettidig_endpoint_turned_away_total{reason=\"wrong_credentials\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}
