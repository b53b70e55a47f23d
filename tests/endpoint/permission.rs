//! What a login may not do is answered, and what it sent all the same is not lost.

use crate::gateway::start;
use crate::wire::{Wire, packet, puback, publish3, publish5, subscribe3, subscribe5, text, v3, v5};
use rettidig::endpoint::RefusedReason;

#[tokio::test]
async fn a_message_on_a_foreign_topic_is_refused_durably() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    wire.send(&publish5("up/bin-8/fill", 1, b"99")).await;
    let (refused, acknowledge) = gateway.refused.next().await;
    assert_eq!((refused.reason, refused.topic.as_str()), (RefusedReason::TopicNotPermitted, "up/bin-8/fill"));
    assert_eq!((refused.length, &refused.head[..], refused.ingress.packet), (2, &b"99"[..], Some(1)));
    wire.expect_nothing().await;
    acknowledge.release();
    wire.expect(&[0x40, 3, 0, 1, 0x87]).await;

    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&publish3("up/bin-8/fill", 2, b"99")).await;
    let (_, acknowledge) = gateway.refused.next().await;
    wire.expect_nothing().await;
    acknowledge.release();
    wire.expect(&puback(2)).await;
    assert!(gateway.uplinks.is_empty());
}

#[tokio::test]
async fn topics_that_begin_with_a_dollar_are_permitted_by_name_only() {
    let mut gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v3("bin-7")).await;
    wire.send(&publish3("$up/bin-7", 1, b"")).await;
    let (uplink, acknowledge) = gateway.uplink().await;
    assert_eq!(uplink.topic, "$up/bin-7");
    acknowledge.release();
    wire.send(&publish3("$SYS/bin-7", 2, b"")).await;
    assert_eq!(gateway.refused.next().await.0.topic, "$SYS/bin-7");
}

#[tokio::test]
async fn each_filter_of_a_subscription_gets_its_own_answer() {
    let mut gateway = start().await;
    let filters = [
        ("tasks/bin-7/a", 2, 1, 1),
        ("tasks/bin-7/#", 0, 0, 0),
        ("tasks/bin-8/#", 1, 0x80, 0x87),
        ("#", 1, 0x80, 0x87),
        ("tasks/bin-7/#/a", 1, 0x80, 0x8f),
        ("$share/g/tasks/bin-7/a", 1, 0x80, 0x9e),
    ];
    for (connect, properties) in [(v3("bin-7"), &[][..]), (v5("bin-7"), &[0][..])] {
        let mut wire = Wire::connect(&gateway, &connect).await;
        let v5 = !properties.is_empty();
        let entries: Vec<u8> =
            filters.iter().flat_map(|(filter, qos, ..)| [text(filter), vec![*qos]].concat()).collect();
        wire.send(&packet(0x82, &[&[0, 9][..], properties, &entries].concat())).await;
        let codes: Vec<u8> = filters.iter().map(|(.., code3, code5)| if v5 { *code5 } else { *code3 }).collect();
        wire.expect(&packet(0x90, &[&[0, 9][..], properties, &codes].concat())).await;
        assert_eq!(gateway.subscribed.next().await, ("bin-7".into(), "tasks/bin-7/a".into()));
        assert_eq!(gateway.subscribed.next().await, ("bin-7".into(), "tasks/bin-7/#".into()));
        assert!(gateway.subscribed.is_empty());
    }
}

#[tokio::test]
async fn a_subscription_ends_when_the_client_says_so() {
    let gateway = start().await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    wire.send(&subscribe5(1, "tasks/bin-7/#", 1)).await;
    wire.expect(&[0x90, 4, 0, 1, 0, 1]).await;
    let both = [&[0, 2, 0][..], &text("tasks/bin-7/#"), &text("tasks/bin-7/a")].concat();
    wire.send(&packet(0xa2, &both)).await;
    wire.expect(&[0xb0, 5, 0, 2, 0, 0, 0x11]).await;

    let mut wire = Wire::connect(&gateway, &v3("bin-8")).await;
    wire.send(&subscribe3(1, "tasks/bin-8/#", 1)).await;
    wire.expect(&[0x90, 3, 0, 1, 1]).await;
    wire.send(&packet(0xa2, &[&[0, 2][..], &text("tasks/bin-8/#")].concat())).await;
    wire.expect(&[0xb0, 2, 0, 2]).await;
}

#[tokio::test]
async fn a_session_has_so_many_subscriptions() {
    let limits = rettidig::endpoint::Limits { subscriptions_max: 1, ..Default::default() };
    let gateway = crate::gateway::start_with(limits, 10).await;
    let mut wire = Wire::connect(&gateway, &v5("bin-7")).await;
    wire.send(&subscribe5(1, "tasks/bin-7/a", 1)).await;
    wire.expect(&[0x90, 4, 0, 1, 0, 1]).await;
    wire.send(&subscribe5(2, "tasks/bin-7/b", 1)).await;
    wire.expect(&[0x90, 4, 0, 2, 0, 0x97]).await;
    wire.send(&subscribe5(3, "tasks/bin-7/a", 0)).await;
    wire.expect(&[0x90, 4, 0, 3, 0, 0]).await;
}
