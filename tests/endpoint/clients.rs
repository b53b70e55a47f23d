//! With a client that others wrote: rumqttc, in both versions of MQTT.

use crate::gateway::{Gateway, start, within};
use bytes::Bytes;
use rettidig::endpoint::{DeliveryKey, Handed};
use rumqttc::v5::{self, ConnectionError, StateError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

const MESSAGES: usize = 500;

/// Takes `MESSAGES` uplinks, releasing each tenth batch together, and checks that none is missing or out of order.
async fn take_all(gateway: &mut Gateway, topic: &str) {
    let mut batch = Vec::new();
    for n in 0..MESSAGES {
        let (uplink, acknowledge) = gateway.uplink().await;
        assert_eq!((uplink.topic.as_str(), &uplink.payload[..]), (topic, n.to_string().as_bytes()));
        batch.push(acknowledge);
        if batch.len() == 10 {
            rettidig::endpoint::Acknowledge::release_all(&mut batch);
        }
    }
}

#[tokio::test]
async fn a_v3_client_publishes_and_receives() {
    let mut gateway = start().await;
    let mut options = rumqttc::MqttOptions::new("crew-1", "127.0.0.1", gateway.address().port());
    options.set_credentials("crew-1", "secret").set_keep_alive(Duration::from_secs(30)).set_inflight(50);
    let (client, mut events) = rumqttc::AsyncClient::new(options, 10);
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        client.subscribe("tasks/crew-1/#", rumqttc::QoS::ExactlyOnce).await.unwrap();
        for n in 0..MESSAGES {
            client.publish("up/crew-1/replies", rumqttc::QoS::AtLeastOnce, false, n.to_string()).await.unwrap();
        }
        // The event loop ends when its last client is dropped.
        std::future::pending::<()>().await;
    });
    let (done, acknowledged) = tokio::sync::oneshot::channel();
    tasks.spawn(async move {
        let (mut pubacks, mut received) = (0, None);
        while pubacks < MESSAGES || received.is_none() {
            match events.poll().await.unwrap() {
                rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)) => pubacks += 1,
                rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) => received = Some(publish),
                rumqttc::Event::Incoming(_) | rumqttc::Event::Outgoing(_) => {}
            }
        }
        done.send(received.unwrap()).unwrap();
        while events.poll().await.is_ok() {}
    });
    gateway.subscribed.next().await;
    let handed = gateway.running.handle.publish(&"crew-1".into(), "tasks/crew-1/t", Bytes::from("go"), DeliveryKey(7));
    assert_eq!(handed, Ok(Handed::Taken));
    take_all(&mut gateway, "up/crew-1/replies").await;
    assert_eq!(gateway.delivered.next().await, ("crew-1".into(), DeliveryKey(7)));
    let publish = within(acknowledged).await.unwrap();
    assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("tasks/crew-1/t", &b"go"[..]));
    assert_eq!(publish.qos, rumqttc::QoS::AtLeastOnce);
}

#[tokio::test]
async fn a_v5_client_publishes_and_reads_the_reason_of_its_disconnection() {
    let mut gateway = start().await;
    let mut options = v5::MqttOptions::new("bin-7", "127.0.0.1", gateway.address().port());
    options.set_credentials("bin-7", "secret").set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = v5::AsyncClient::new(options, 10);
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        for n in 0..MESSAGES {
            client.publish("up/bin-7/fill", v5::mqttbytes::QoS::AtLeastOnce, false, n.to_string()).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    let (done, ended) = tokio::sync::oneshot::channel();
    let (all, acknowledged) = tokio::sync::oneshot::channel();
    tasks.spawn(async move {
        let (mut pubacks, mut all) = (0, Some(all));
        loop {
            match events.poll().await {
                Ok(v5::Event::Incoming(v5::Incoming::PubAck(_))) => pubacks += 1,
                Ok(_) => {}
                Err(ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. })) => {
                    return done.send(reason_code).unwrap();
                }
                Err(error) => panic!("{error}"),
            }
            if pubacks == MESSAGES {
                all.take().into_iter().for_each(|all| all.send(()).unwrap());
            }
        }
    });
    take_all(&mut gateway, "up/bin-7/fill").await;
    within(acknowledged).await.unwrap();
    gateway.shutdown.cancel();
    let reason = v5::mqttbytes::v5::DisconnectReasonCode::ServerShuttingDown;
    assert_eq!(within(ended).await.unwrap(), reason);
}
