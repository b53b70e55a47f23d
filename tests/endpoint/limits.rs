//! Every limit has an answer.

use crate::gateway::{start, start_with};
use crate::wire::{PING, PONG, Wire, packet, puback, publish3, publish5, subscribe5, text, v3, v5};
use rettidig::endpoint::{Limits, RefusedReason};

fn small() -> Limits {
    Limits { packet_bytes_max: 200, head_bytes: 4, ..Limits::default() }
}

#[tokio::test]
async fn a_v3_message_that_is_too_long_becomes_a_refused_one_and_is_acknowledged_after_its_release() {
    let mut gateway = start_with(small(), 100).await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&publish3("up/bin-7/fill", 1, b"before")).await;
    wire.send(&publish3("up/bin-7/fill", 2, &vec![b'x'; 100_000])).await;
    wire.send(&publish3("up/bin-7/fill", 3, b"after")).await;
    let (refused, acknowledge) = gateway.refused.next().await;
    assert_eq!((refused.reason, refused.topic.as_str()), (RefusedReason::Oversize, "up/bin-7/fill"));
    assert_eq!((refused.length, &refused.head[..]), (100_000, &b"xxxx"[..]));
    assert_eq!((refused.ingress.packet, refused.ingress.client.as_str()), (Some(2), "bin-7"));
    gateway.uplink().await.1.release();
    gateway.uplink().await.1.release();
    wire.expect(&puback(1)).await;
    wire.expect_nothing().await;
    acknowledge.release();
    wire.expect(&puback(2)).await;
    wire.expect(&puback(3)).await;
}

#[tokio::test]
async fn a_v5_message_that_is_too_long_becomes_a_refused_one_and_ends_the_connection() {
    let mut gateway = start_with(small(), 100).await;
    let (mut wire, connack) = Wire::greet(&gateway, &v5("bin-7")).await;
    assert!(connack.windows(5).any(|property| property == [0x27, 0, 0, 0, 200]), "maximum packet size: {connack:x?}");
    wire.send(&publish5("up/bin-7/fill", 2, &vec![b'x'; 100_000])).await;
    let (refused, _) = gateway.refused.next().await;
    assert_eq!((refused.reason, refused.length, &refused.head[..]), (RefusedReason::Oversize, 100_000, &b"xxxx"[..]));
    assert_eq!(wire.rest().await, [0xe0, 2, 0x95, 0], "packet too large");
}

#[tokio::test]
async fn what_is_too_long_and_no_message_only_ends_the_connection() {
    let mut gateway = start_with(small(), 100).await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    wire.send(&subscribe5(1, &"x".repeat(300), 1)).await;
    assert_eq!(wire.rest().await, [0xe0, 2, 0x95, 0]);
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    // A topic that does not fit is no topic that could be reported.
    wire.send(&publish3(&"x".repeat(300), 1, b"")).await;
    assert_eq!(wire.rest().await, b"");
    assert!(gateway.refused.is_empty());
}

#[tokio::test]
async fn one_connection_too_many_is_refused() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let gateway = start_with(limits, 100).await;
    let mut first = Wire::connect(&gateway, &v3("bin-7")).await;
    let (mut wire, connack) = Wire::greet(&gateway, &v5("bin-8")).await;
    assert_eq!(connack, [0x20, 3, 0, 0x89, 0], "server busy");
    assert_eq!(wire.rest().await, b"");
    let (_, connack) = Wire::greet(&gateway, &v3("bin-8")).await;
    assert_eq!(connack, [0x20, 2, 0, 3], "server unavailable");
    first.expect_nothing().await;
}

#[tokio::test]
async fn one_session_too_many_is_refused() {
    let limits = Limits { sessions_max: 1, ..Limits::default() };
    let gateway = start_with(limits, 100).await;
    drop(Wire::connect(&gateway, &v3("bin-7").persistent()).await);
    assert_eq!(Wire::greet(&gateway, &v5("bin-8")).await.1, [0x20, 3, 0, 0x97, 0], "quota exceeded");
    Wire::connect(&gateway, &v3("bin-7")).await.expect_nothing().await;
}

#[tokio::test]
async fn strangers_who_only_connect_do_not_crowd_clients_out() {
    let limits = Limits { greetings_max: 1, ..Limits::default() };
    let gateway = start_with(limits, 100).await;
    let mut stranger = Wire::open(gateway.address()).await;
    stranger.send(&v3("bin-7").bytes()[..5]).await;
    let mut second = Wire::open(gateway.address()).await;
    assert_eq!(second.rest().await, b"", "closed at once");
    stranger.send(&v3("bin-7").bytes()[5..]).await;
    stranger.expect(&[0x20, 2, 0, 0]).await;
    Wire::connect(&gateway, &v3("bin-8")).await.expect_nothing().await;
}

#[tokio::test]
async fn a_keep_alive_beyond_the_limit_is_replaced_and_told() {
    let limits = Limits { keep_alive_max: std::time::Duration::from_secs(60), ..Limits::default() };
    let gateway = start_with(limits, 100).await;
    for (asked, told) in [(0, Some(60)), (61, Some(60)), (60, None), (5, None)] {
        let mut connect = v5("bin-7");
        connect.keep_alive_s = asked;
        let (_, connack) = Wire::greet(&gateway, &connect).await;
        let found = connack[5..].windows(3).find(|property| property[0] == 0x13 && property[1] == 0);
        assert_eq!(found.map(|property| property[2]), told, "{asked}: {connack:x?}");
    }
}

#[tokio::test]
async fn what_is_not_served_is_said_in_connack_and_refused_when_asked_for() {
    let gateway = start().await;
    let (_, connack) = Wire::greet(&gateway, &v5("bin-7")).await;
    // Maximum QoS 1; no retain, no subscription ids, no shared subscriptions; no topic alias maximum, so none.
    assert_eq!(connack[5..13], [0x24, 1, 0x25, 0, 0x29, 0, 0x2a, 0], "{connack:x?}");
    let up = text("up/bin-7/fill");
    for (request, reason) in [
        (packet(0x34, &[&up[..], &[0, 1, 0]].concat()), 0x9b),
        (packet(0x33, &[&up[..], &[0, 1, 0]].concat()), 0x9a),
        (packet(0x32, &[&up[..], &[0, 1, 3, 0x23, 0, 1]].concat()), 0x94),
        (packet(0x82, &[&[0, 1, 2, 0x0b, 1][..], &text("tasks/bin-7/#"), &[1]].concat()), 0xa1),
        (packet(0x32, &[&text("up/bin-7/+")[..], &[0, 1, 0]].concat()), 0x90),
        (packet(0x32, &[&up[..], &[0, 0, 0]].concat()), 0x82),
        (packet(0x62, &[0, 1]), 0x82),
        (packet(0xf0, &[]), 0x82),
        (v5("bin-7").bytes(), 0x82),
        (packet(0x40, &[0, 7]), 0x82),
        (vec![0xc1, 0], 0x81),
        (packet(0x82, &[0]), 0x81),
    ] {
        let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
        wire.send(&request).await;
        assert_eq!(wire.rest().await, [0xe0, 2, reason, 0], "{request:x?}");
    }
}

#[tokio::test]
async fn a_v3_client_that_breaks_the_protocol_is_closed_without_a_word() {
    let mut gateway = start().await;
    let up = text("up/bin-7/fill");
    for request in [
        packet(0x36, &[&up[..], &[0, 1]].concat()),
        packet(0x32, &[&text("up/bin-7/#")[..], &[0, 1]].concat()),
        packet(0x32, &[&text("")[..], &[0, 1]].concat()),
        packet(0xf0, &[]),
        packet(0x20, &[0, 0]),
        v3("bin-7").bytes(),
        vec![0xc0, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
        wire.send(&request).await;
        assert_eq!(wire.rest().await, b"", "{request:x?}");
    }
    // A retained message is an ordinary one: v3.1.1 has no way to say that it is not kept.
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&packet(0x33, &[&up[..], &[0, 1]].concat())).await;
    gateway.uplink().await.1.release();
    wire.expect(&puback(1)).await;
}

#[tokio::test]
async fn packets_may_arrive_in_any_pieces() {
    let mut gateway = start().await;
    let mut wire = Wire::open(gateway.address()).await;
    let all = [v3("bin-7").bytes(), publish3("up/bin-7/fill", 1, &[7; 3_000]), PING.to_vec()].concat();
    let mut rest = &all[..];
    for size in [1, 1, 7, 20, 3, 900, 1, 2_000].into_iter().cycle() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        wire.send(piece).await;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    wire.expect(&[0x20, 2, 0, 0]).await;
    let (uplink, acknowledge) = gateway.uplink().await;
    assert_eq!(&uplink.payload[..], [7; 3_000]);
    wire.expect(PONG).await;
    acknowledge.release();
    wire.expect(&puback(1)).await;
}
