//! Nobody is served anonymously, and nobody as somebody else.

use crate::gateway::start;
use crate::wire::{Wire, packet, text, v3, v5};
use rettidig::endpoint::{ClientStatus, Gone, LastWill};

#[tokio::test]
async fn a_login_that_is_refused_gets_the_code_for_it() {
    let mut gateway = start().await;
    let mut guess = (v3("bin-7"), v5("bin-7"));
    guess.0.password = "guess";
    guess.1.password = "guess";
    for (connect, code3, code5) in
        [(&guess, 4, 0x86), (&(v3("banned"), v5("banned")), 5, 0x87), (&(v3("later"), v5("later")), 3, 0x88)]
    {
        let (mut wire, connack) = Wire::greet(&gateway, &connect.0).await;
        assert_eq!(connack, [0x20, 2, 0, code3]);
        assert_eq!(wire.rest().await, b"");
        let (mut wire, connack) = Wire::greet(&gateway, &connect.1).await;
        assert_eq!(connack, [0x20, 3, 0, code5, 0]);
        assert_eq!(wire.rest().await, b"");
    }
    assert!(gateway.statuses.is_empty());
}

#[tokio::test]
async fn nobody_is_served_anonymously() {
    let gateway = start().await;
    for (level, properties, answer) in [(4, &[][..], &[0x20, 2, 0, 5][..]), (5, &[0], &[0x20, 3, 0, 0x87, 0])] {
        let mut wire = Wire::open(gateway.address()).await;
        let body = [&text("MQTT")[..], &[level, 2, 0, 0], properties, &text("bin-7")].concat();
        wire.send(&packet(0x10, &body)).await;
        assert_eq!(wire.rest().await, answer);
    }
}

#[tokio::test]
async fn the_first_packet_must_be_a_connect() {
    let gateway = start().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xc0, 0], &[0x10, 0xff, 0xff, 0x7f, 0]] {
        let mut wire = Wire::open(gateway.address()).await;
        wire.send(bytes).await;
        assert_eq!(wire.rest().await, b"", "{bytes:x?}");
    }
    let mut future = v3("bin-7");
    future.level = 9;
    assert_eq!(Wire::greet(&gateway, &future).await.1, [0x20, 2, 0, 1], "unacceptable protocol version");
}

#[tokio::test]
async fn a_client_without_an_id_is_given_its_login() {
    let gateway = start().await;
    let mut wire = Wire::open(gateway.address()).await;
    let body = [&text("MQTT")[..], &[5, 0b1100_0010, 0, 9, 0], &text(""), &text("bin-7"), &text("secret")].concat();
    wire.send(&packet(0x10, &body)).await;
    let connack = wire.packet().await;
    let assigned = [&[0x12][..], &text("bin-7")].concat();
    assert!(connack.windows(assigned.len()).any(|property| property == assigned), "{connack:x?}");
}

#[tokio::test]
async fn what_a_v5_client_may_not_ask_for_is_refused() {
    let gateway = start().await;
    let mut will = v5("bin-7");
    will.will = Some(("up/bin-7/gone", b""));
    let retained = crate::wire::Connect { flags: 0b10_0000, ..will.clone() };
    assert_eq!(Wire::greet(&gateway, &retained).await.1, [0x20, 3, 0, 0x9a, 0], "retain not supported");
    let exactly_once = crate::wire::Connect { flags: 0b1_0000, ..will };
    assert_eq!(Wire::greet(&gateway, &exactly_once).await.1, [0x20, 3, 0, 0x9b, 0], "QoS not supported");
    let method = v5("bin-7").property(&[0x15, 0, 1, b'x']);
    assert_eq!(Wire::greet(&gateway, &method).await.1, [0x20, 3, 0, 0x8c, 0], "bad authentication method");
    // The codec's own state panics on this; the endpoint must not.
    let no_alias = v5("bin-7").property(&[0x22, 0, 0]);
    assert_eq!(Wire::greet(&gateway, &no_alias).await.1[3], 0);
}

#[tokio::test]
async fn coming_and_going_is_told_with_the_last_will_when_it_was_not_meant() {
    let mut gateway = start().await;
    let mut connect = v3("bin-7");
    connect.will = Some(("away/bin-7", b"lost"));
    let will = Some(LastWill { topic: "away/bin-7".into(), payload: "lost".into() });
    for (level, farewell, why, last_will) in [
        (4, &[0xe0, 0][..], Gone::Disconnected, None),
        (4, &[], Gone::Lost, will.clone()),
        (4, &[0, 0], Gone::Misbehaved, will.clone()),
        (5, &[0xe0, 1, 0], Gone::Disconnected, None),
        (5, &[0xe0, 1, 4], Gone::Disconnected, will.clone()),
    ] {
        connect.level = level;
        let mut wire = Wire::connect(&gateway, &connect).await;
        wire.send(farewell).await;
        drop(wire);
        let client = "bin-7".into();
        assert_eq!(gateway.statuses.next().await, ClientStatus::Connected { client, resumed: false });
        let client = "bin-7".into();
        assert_eq!(gateway.statuses.next().await, ClientStatus::Gone { client, why, last_will }, "{farewell:x?}");
    }
}
