//! Messages to a client: once at least, in order, with an end to every queue.

use crate::gateway::{Gateway, start, start_with};
use crate::wire::{Connect, Wire, puback, publish3, publish5, subscribe3, subscribe5, v3, v5};
use bytes::Bytes;
use rettidig::endpoint::{DeliveryKey, Handed, Limits, PublishError};

const TOPIC: &str = "tasks/crew-1/t";

fn publish(gateway: &Gateway, key: u64, payload: &'static [u8]) -> Result<Handed, PublishError> {
    gateway.running.handle.publish(&"crew-1".into(), TOPIC, Bytes::from_static(payload), DeliveryKey(key))
}

async fn subscribed(gateway: &mut Gateway, connect: &Connect, qos: u8) -> Wire {
    let mut wire = Wire::connect(gateway, connect).await;
    wire.send(&if connect.level == 5 {
        subscribe5(1, "tasks/crew-1/#", qos)
    } else {
        subscribe3(1, "tasks/crew-1/#", qos)
    })
    .await;
    assert_eq!(wire.packet().await[0], 0x90);
    assert_eq!(gateway.subscribed.next().await, ("crew-1".into(), "tasks/crew-1/#".into()));
    wire
}

#[tokio::test]
async fn a_message_is_delivered_when_the_client_acknowledges_it() {
    let mut gateway = start().await;
    let mut wire = subscribed(&mut gateway, &v3("crew-1"), 1).await;
    assert_eq!(publish(&gateway, 70, b"go"), Ok(Handed::Taken));
    assert_eq!(publish(&gateway, 71, b"stop"), Ok(Handed::Taken));
    wire.expect(&publish3(TOPIC, 1, b"go")).await;
    wire.expect(&publish3(TOPIC, 2, b"stop")).await;
    wire.expect_nothing().await;
    assert!(gateway.delivered.is_empty());
    assert_eq!(publish(&gateway, 70, b"go"), Ok(Handed::Held));
    wire.send(&puback(2)).await;
    assert_eq!(gateway.delivered.next().await, ("crew-1".into(), DeliveryKey(71)));
    wire.send(&puback(1)).await;
    assert_eq!(gateway.delivered.next().await, ("crew-1".into(), DeliveryKey(70)));
    wire.expect_nothing().await;
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_as_a_duplicate_when_the_session_is_resumed() {
    for connect in [v3("crew-1").persistent(), v5("crew-1").persistent()] {
        let mut gateway = start().await;
        let message = if connect.level == 5 { publish5 } else { publish3 };
        let mut wire = subscribed(&mut gateway, &connect, 1).await;
        publish(&gateway, 1, b"one").unwrap();
        publish(&gateway, 2, b"two").unwrap();
        wire.expect(&message(TOPIC, 1, b"one")).await;
        wire.expect(&message(TOPIC, 2, b"two")).await;
        wire.send(&puback(1)).await;
        gateway.delivered.next().await;
        wire.send(&[0xe0, 0]).await;
        assert_eq!(wire.rest().await, b"");

        let (mut wire, connack) = Wire::greet(&gateway, &connect).await;
        assert_eq!(connack[2], 1, "session present");
        let mut again = message(TOPIC, 2, b"two");
        again[0] |= 0b1000;
        wire.expect(&again).await;
        // Dispatch learns that it may publish again what is pending, and what is held is not doubled.
        assert_eq!(gateway.subscribed.next().await, ("crew-1".into(), "tasks/crew-1/#".into()));
        assert_eq!(publish(&gateway, 2, b"two"), Ok(Handed::Held));
        assert_eq!(publish(&gateway, 3, b"three"), Ok(Handed::Taken));
        wire.expect(&message(TOPIC, 3, b"three")).await;
        wire.send(&[puback(2), puback(3)].concat()).await;
        assert_eq!(gateway.delivered.next().await.1, DeliveryKey(2));
        assert_eq!(gateway.delivered.next().await.1, DeliveryKey(3));
    }
}

#[tokio::test]
async fn a_client_that_is_away_or_does_not_listen_gets_nothing_and_the_caller_knows() {
    let mut gateway = start().await;
    let gone = Err(PublishError::NotConnected("crew-1".into()));
    assert_eq!(publish(&gateway, 1, b""), gone);
    let mut wire = Wire::connect(&gateway, &v3("crew-1").persistent()).await;
    let deaf = PublishError::NotSubscribed { client: "crew-1".into(), topic: TOPIC.into() };
    assert_eq!(publish(&gateway, 1, b""), Err(deaf));
    wire.send(&[0xe0, 0]).await;
    gateway.statuses.next().await;
    gateway.statuses.next().await;
    assert_eq!(publish(&gateway, 1, b""), gone);
    let wild = gateway.running.handle.publish(&"crew-1".into(), "tasks/#", Bytes::new(), DeliveryKey(1));
    assert!(matches!(wild, Err(PublishError::InvalidTopic(_))));
}

#[tokio::test]
async fn a_session_holds_so_many_messages_and_sends_so_many_at_once() {
    let limits = Limits { outgoing_max: 3, outgoing_in_flight_max: 2, ..Limits::default() };
    let mut gateway = start_with(limits, 10).await;
    let mut wire = subscribed(&mut gateway, &v3("crew-1"), 1).await;
    for key in 1..=3 {
        publish(&gateway, key, b"").unwrap();
    }
    assert_eq!(publish(&gateway, 4, b""), Err(PublishError::Full { client: "crew-1".into(), held: 3 }));
    wire.expect(&publish3(TOPIC, 1, b"")).await;
    wire.expect(&publish3(TOPIC, 2, b"")).await;
    wire.expect_nothing().await;
    wire.send(&puback(1)).await;
    wire.expect(&publish3(TOPIC, 3, b"")).await;
}

#[tokio::test]
async fn a_v5_client_says_how_much_it_takes() {
    let mut gateway = start().await;
    let modest = v5("crew-1").property(&[0x21, 0, 1, 0x27, 0, 0, 0, 60]);
    let mut wire = subscribed(&mut gateway, &modest, 1).await;
    publish(&gateway, 1, b"one").unwrap();
    publish(&gateway, 2, b"two").unwrap();
    let large = publish(&gateway, 3, &[0; 60]);
    assert!(matches!(large, Err(PublishError::TooLarge { bytes_max: 60, .. })), "{large:?}");
    wire.expect(&publish5(TOPIC, 1, b"one")).await;
    wire.expect_nothing().await;
    wire.send(&puback(1)).await;
    wire.expect(&publish5(TOPIC, 2, b"two")).await;
}

#[tokio::test]
async fn a_v5_client_that_declines_a_message_has_not_been_delivered_it() {
    let mut gateway = start().await;
    let mut wire = subscribed(&mut gateway, &v5("crew-1"), 1).await;
    publish(&gateway, 1, b"").unwrap();
    publish(&gateway, 2, b"").unwrap();
    wire.packet().await;
    wire.packet().await;
    wire.send(&[&[0x40, 4, 0, 1, 0x97, 0][..], &puback(2)].concat()).await;
    assert_eq!(gateway.delivered.next().await.1, DeliveryKey(2), "and nothing was said of the first");
    assert_eq!(publish(&gateway, 1, b""), Ok(Handed::Taken), "which may be offered again");
}

#[tokio::test]
async fn a_subscription_of_quality_0_gets_messages_without_receipt() {
    let mut gateway = start().await;
    let mut wire = subscribed(&mut gateway, &v3("crew-1"), 0).await;
    assert_eq!(publish(&gateway, 1, b"go"), Ok(Handed::Unconfirmed));
    let mut packet = publish3(TOPIC, 0, b"go");
    packet[0] = 0x30;
    packet[1] -= 2;
    packet.drain(4 + TOPIC.len()..6 + TOPIC.len());
    wire.expect(&packet).await;
    assert!(gateway.delivered.is_empty());
}
