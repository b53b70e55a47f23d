//! One login has one session and one connection.

use crate::gateway::start;
use crate::wire::{Wire, puback, publish3, publish5, v3, v5};
use rettidig::endpoint::{ClientStatus, Gone};

#[tokio::test]
async fn session_present_is_told_as_it_is() {
    let gateway = start().await;
    for (connect, present) in [
        (v3("bed-1").persistent(), 0),
        (v3("bed-1").persistent(), 1),
        (v5("bed-1").persistent(), 1),
        (v3("bed-1"), 0),
        (v3("bed-1").persistent(), 0),
    ] {
        let (mut wire, connack) = Wire::greet(&gateway, &connect).await;
        assert_eq!(connack[2], present);
        wire.send(&[0xe0, 0]).await;
        assert_eq!(wire.rest().await, b"");
    }
}

#[tokio::test]
async fn a_v5_client_decides_when_it_leaves_how_long_its_session_is_kept() {
    let gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bed-1").persistent()).await;
    wire.send(&[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 0]).await;
    assert_eq!(wire.rest().await, b"");
    let (mut wire, connack) = Wire::greet(&gateway, &crate::wire::Connect { clean: false, ..v5("bed-1") }).await;
    assert_eq!(connack[2], 0, "it was given up");
    wire.send(&[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 9]).await;
    assert_eq!(wire.rest().await, [0xe0, 2, 0x82, 0], "what ends with the connection cannot be kept after all");
}

#[tokio::test]
async fn a_session_is_kept_no_longer_than_the_limit_and_the_client_is_told() {
    let gateway = start().await;
    let (_, connack) = Wire::greet(&gateway, &v5("bed-1").property(&[0x11, 0xff, 0xff, 0xff, 0xff])).await;
    let week = 7_u32 * 24 * 3_600;
    let told = [&[0x11][..], &week.to_be_bytes()].concat();
    assert!(connack.windows(5).any(|property| property == told), "{connack:x?}");
}

#[tokio::test]
async fn a_second_login_takes_over() {
    let mut gateway = start().await;
    let mut first = Wire::connect(&gateway, &v5("bed-1").persistent()).await;
    first.send(&publish5("up/bed-1/pressure", 1, b"")).await;
    let (_, acknowledge) = gateway.uplink().await;
    let (mut second, connack) = Wire::greet(&gateway, &v3("bed-1").persistent()).await;
    assert_eq!(connack, [0x20, 2, 1, 0], "and continues the session");
    assert_eq!(first.rest().await, [0xe0, 2, 0x8e, 0], "session taken over");
    acknowledge.release();
    second.expect_nothing().await;
    second.send(&publish3("up/bed-1/pressure", 1, b"")).await;
    gateway.uplink().await.1.release();
    second.expect(&puback(1)).await;

    let client = || "bed-1".into();
    assert_eq!(gateway.statuses.next().await, ClientStatus::Connected { client: client(), resumed: false });
    assert_eq!(
        gateway.statuses.next().await,
        ClientStatus::Gone { client: client(), why: Gone::TakenOver, last_will: None }
    );
    assert_eq!(gateway.statuses.next().await, ClientStatus::Connected { client: client(), resumed: true });
    second.expect_nothing().await;
    assert!(gateway.statuses.is_empty(), "the first connection's end is told once");
}

#[tokio::test]
async fn a_claimed_client_id_takes_nothing_over() {
    let gateway = start().await;
    let mut bed = Wire::connect(&gateway, &v3("bed-1")).await;
    let mut other = v3("bed-2").bytes();
    let at = other.windows(5).position(|bytes| bytes == b"bed-2").unwrap();
    other[at..at + 5].copy_from_slice(b"bed-1");
    let mut wire = Wire::open(gateway.address()).await;
    wire.send(&other).await;
    wire.expect(&[0x20, 2, 0, 0]).await;
    bed.expect_nothing().await;
}

#[tokio::test]
async fn a_client_whose_login_was_withdrawn_is_sent_away() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bed-1")).await;
    gateway.statuses.next().await;
    assert!(gateway.running.handle.expel(&"bed-1".into()));
    assert_eq!(wire.rest().await, [0xe0, 2, 0x98, 0], "administrative action");
    assert!(matches!(gateway.statuses.next().await, ClientStatus::Gone { why: Gone::Expelled, .. }));
    assert!(!gateway.running.handle.expel(&"bed-1".into()));
}
