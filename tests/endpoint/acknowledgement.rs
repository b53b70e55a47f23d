//! A PUBACK means durable: never before the release, always in order.

use crate::gateway::{start, start_with};
use crate::wire::{PING, PONG, Wire, packet, puback, publish3, publish5, text, v3, v5};
use rettidig::domain::ids::ContentHash;
use rettidig::endpoint::{Acknowledge, Gone, Limits, RefusedReason};

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_released() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&publish3("up/bin-7/fill", 513, b"{}")).await;
    let (uplink, acknowledge) = gateway.uplink().await;
    wire.expect_nothing().await;
    // From another thread, as the sequencer does.
    std::thread::spawn(move || acknowledge.release()).join().unwrap();
    wire.expect(&puback(513)).await;

    assert_eq!((uplink.topic.as_str(), &uplink.payload[..]), ("up/bin-7/fill", &b"{}"[..]));
    assert_eq!(uplink.received_at.as_micros(), 42);
    assert_eq!(uplink.ingress.client.as_str(), "bin-7");
    assert_eq!((uplink.ingress.packet, uplink.ingress.duplicate_flag), (Some(513), false));
    assert_eq!(uplink.ingress.content, ContentHash([13, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
}

#[tokio::test]
async fn acknowledgements_leave_in_the_order_of_arrival_whatever_the_order_of_release() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    let ids = [9, 3, 700, 1];
    for id in ids {
        wire.send(&publish5("up/bin-7/fill", id, b"")).await;
    }
    let mut held = Vec::new();
    for _ in ids {
        held.push(gateway.uplink().await.1);
    }
    let first = held.remove(0);
    Acknowledge::release_all(&mut held);
    wire.expect_nothing().await;
    first.release();
    for id in ids {
        wire.expect(&puback(id)).await;
    }
}

#[tokio::test]
async fn quality_of_service_0_has_no_packet_id_and_no_answer() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&packet(0x30, &[&text("up/bin-7/fill")[..], b"12"].concat())).await;
    let (uplink, acknowledge) = gateway.uplink().await;
    assert_eq!((uplink.ingress.packet, &uplink.payload[..]), (None, &b"12"[..]));
    acknowledge.release();
    wire.expect_nothing().await;
}

#[tokio::test]
async fn a_redelivery_is_marked_and_comes_over_another_connection() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7").persistent()).await;
    wire.send(&publish3("up/bin-7/fill", 5, b"{}")).await;
    let (first, acknowledge) = gateway.uplink().await;
    assert!(acknowledge.deliverable());
    drop(wire);
    let mut wire = Wire::connect(&gateway, &v3("bin-7").persistent()).await;
    let mut again = publish3("up/bin-7/fill", 5, b"{}");
    again[0] |= 0b1000;
    wire.send(&again).await;
    let (second, second_acknowledge) = gateway.uplink().await;
    assert!(second.ingress.duplicate_flag && !first.ingress.duplicate_flag);
    assert!(second.ingress.connection > first.ingress.connection);
    assert_eq!((second.ingress.packet, &second.ingress.content), (Some(5), &first.ingress.content));
    assert!(!acknowledge.deliverable(), "the connection it came over is gone");
    acknowledge.release();
    wire.expect_nothing().await;
    second_acknowledge.release();
    wire.expect(&puback(5)).await;
}

#[tokio::test]
async fn a_message_that_can_never_be_acknowledged_ends_the_connection_so_that_it_comes_again() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    for id in 1..=3 {
        wire.send(&publish5("up/bin-7/fill", id, b"")).await;
    }
    let [first, second, third] = [gateway.uplink().await.1, gateway.uplink().await.1, gateway.uplink().await.1];
    third.release();
    first.release();
    wire.expect(&puback(1)).await;
    drop(second);
    assert_eq!(wire.rest().await, [0xe0, 2, 0x83, 0], "implementation specific error, and no PUBACK for the third");
    gateway.statuses.next().await;
    assert!(matches!(
        gateway.statuses.next().await,
        rettidig::endpoint::ClientStatus::Gone { why: Gone::Closed, last_will: None, .. }
    ));
}

#[tokio::test]
async fn a_full_house_stops_the_reading_and_not_the_acknowledging() {
    let mut gateway = start_with(Limits::default(), 2).await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    for id in 1..=10 {
        wire.send(&publish3("up/bin-7/fill", id, b"")).await;
    }
    wire.send(PING).await;
    for id in 1..=10 {
        // The house has room for two, the connection holds one: the rest is in the socket, and so is the PING.
        let (uplink, acknowledge) = gateway.uplink().await;
        assert_eq!(uplink.ingress.packet, Some(id));
        acknowledge.release();
        if id <= 7 {
            wire.expect(&puback(id)).await;
        }
    }
    let mut rest = [wire.packet().await, wire.packet().await, wire.packet().await, wire.packet().await];
    rest.sort();
    assert_eq!(rest, [puback(8), puback(9), puback(10), PONG.to_vec()]);
}

#[tokio::test]
async fn a_v3_client_is_read_no_further_than_its_window() {
    let limits = Limits { receive_maximum: 2, ..Limits::default() };
    let mut gateway = start_with(limits, 100).await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    // In one piece, so that the third is at hand when the second is taken.
    let all: Vec<u8> = (1..=3).flat_map(|id| publish3("up/bin-7/fill", id, b"")).collect();
    wire.send(&all).await;
    let (_, first) = gateway.uplink().await;
    let (_, second) = gateway.uplink().await;
    second.release();
    assert!(gateway.uplinks.is_empty(), "the third is not read while two are owed");
    first.release();
    wire.expect(&puback(1)).await;
    wire.expect(&puback(2)).await;
    gateway.uplink().await.1.release();
    wire.expect(&puback(3)).await;
}

#[tokio::test]
async fn a_v5_client_that_exceeds_its_window_is_told_so() {
    let limits = Limits { receive_maximum: 2, ..Limits::default() };
    let mut gateway = start_with(limits, 100).await;
    let (mut wire, connack) = Wire::greet(&gateway, &v5("bin-7")).await;
    assert!(connack.windows(3).any(|property| property == [0x21, 0, 2]), "receive maximum in {connack:x?}");
    for id in [1, 1, 2] {
        wire.send(&publish5("up/bin-7/fill", id, b"")).await;
    }
    let held = [gateway.uplink().await, gateway.uplink().await];
    assert_eq!(wire.rest().await, [0xe0, 2, 0x93, 0], "receive maximum exceeded, also by one id sent twice");
    drop(held);
}

fn publish_qos_2(first: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(first, &[&text("up/bin-7/fill")[..], &id.to_be_bytes(), payload].concat())
}

#[tokio::test]
async fn a_v3_message_with_qos_2_is_taken_once_it_is_durable_and_completed() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7").persistent()).await;
    wire.send(&publish_qos_2(0x34, 7, b"{}")).await;
    let (uplink, acknowledge) = gateway.uplink().await;
    assert_eq!((uplink.ingress.packet, uplink.ingress.duplicate_flag), (Some(7), false));
    wire.expect_nothing().await;
    // An impatient client repeats it on the same connection: PUBREC does not leave for that either.
    wire.send(&publish_qos_2(0x3c, 7, b"{}")).await;
    let (again, repeated) = gateway.uplink().await;
    assert!(again.ingress.duplicate_flag);
    wire.expect_nothing().await;
    acknowledge.release();
    wire.expect(&packet(0x50, &[0, 7])).await;
    repeated.release();
    wire.expect(&packet(0x50, &[0, 7])).await;
    wire.send(&packet(0x62, &[0, 7])).await;
    wire.expect(&packet(0x70, &[0, 7])).await;
    // The id is free again, and means another message.
    wire.send(&publish_qos_2(0x34, 7, b"{}")).await;
    let (next, acknowledge) = gateway.uplink().await;
    assert!(!next.ingress.duplicate_flag);
    acknowledge.release();
    wire.expect(&packet(0x50, &[0, 7])).await;
    drop(wire);
    // PUBCOMP was lost with the connection: what the client still waits for it gets, also from a gateway that has
    // forgotten.
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&packet(0x62, &[0, 7])).await;
    wire.expect(&packet(0x70, &[0, 7])).await;
}

#[tokio::test]
async fn a_long_v3_message_with_qos_2_is_refused_and_completed() {
    let mut gateway = start_with(Limits { packet_bytes_max: 200, head_bytes: 4, ..Limits::default() }, 100).await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&publish_qos_2(0x34, 7, &[b'x'; 5_000])).await;
    let (refused, acknowledge) = gateway.refused.next().await;
    assert_eq!((refused.length, refused.ingress.packet), (5_000, Some(7)));
    acknowledge.release();
    wire.expect(&packet(0x50, &[0, 7])).await;
}

#[tokio::test]
async fn a_v5_message_with_qos_2_becomes_a_row_and_ends_the_connection() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    wire.send(&packet(0x34, &[&text("up/bin-7/fill")[..], &[0, 7, 0], b"{}"].concat())).await;
    assert_eq!(wire.rest().await, [0xe0, 2, 0x9b, 0], "QoS not supported");
    let (refused, _) = gateway.refused.next().await;
    assert_eq!((refused.reason, &refused.head[..]), (RefusedReason::QualityOfService, &b"{}"[..]));
}
