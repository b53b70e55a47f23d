//! Real connections to the real endpoint: what rumqttc sends and acknowledges is what the lockstep relies on.

use crate::domain::ids::{ClientId, ContentHash, CrewId};
use crate::domain::time::Timestamp;
use crate::domain::uplink::Uplink;
use crate::endpoint::{
    Acknowledge, ClientStatus, DeliveryKey, Denied, Endpoint, Gone, Grant, Handle, Options, Ports, TopicFilter,
};
use crate::twin::fault::TwinError;
use crate::twin::formats::Message;
use crate::twin::municipality::{LoginNeeded, LoginRole, Logins, crew_line};
use crate::twin::transport::Transport;
use crate::twin::wire::Wires;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What the endpoint has told the house.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Subscribed(String),
    Delivered(u64),
    Gone(Gone),
}

struct House {
    address: SocketAddr,
    handle: Handle,
    taken_in: Arc<Mutex<Vec<Uplink>>>,
    told: mpsc::Receiver<Told>,
    _ends_when_dropped: DropGuard,
}

async fn house() -> House {
    let (tells, told) = mpsc::channel(64);
    let taken_in = Arc::new(Mutex::new(Vec::new()));
    let ports = ports(&taken_in, &tells);
    let shutdown = CancellationToken::new();
    let options = Options { listen: vec![([127, 0, 0, 1], 0).into()], ..Options::default() };
    let running = Endpoint::start(options, ports, shutdown.clone(), TaskTracker::new()).await.unwrap();
    House {
        address: running.local_addrs[0],
        handle: running.handle,
        taken_in,
        told,
        _ends_when_dropped: shutdown.drop_guard(),
    }
}

fn ports(taken_in: &Arc<Mutex<Vec<Uplink>>>, tells: &mpsc::Sender<Told>) -> Ports {
    let everything = || vec![TopicFilter::parse("#").unwrap()];
    let (taken_in, subscribes, delivers, leaves) = (Arc::clone(taken_in), tells.clone(), tells.clone(), tells.clone());
    Ports {
        login: Arc::new(move |login| {
            let secret = login.password.as_ref().is_some_and(|password| &password[..] == b"secret");
            let same = login.username.as_ref() == Some(&login.client_id);
            let grant = || Grant {
                client: ClientId::new(&login.client_id),
                publish: everything(),
                subscribe: everything(),
                messages_per_s_max: None,
            };
            (secret && same).then(grant).ok_or(Denied::WrongCredentials)
        }),
        accept: Arc::new(move |uplink: Uplink, acknowledge: Acknowledge| {
            taken_in.lock().unwrap_or_else(PoisonError::into_inner).push(uplink);
            acknowledge.release();
            Box::pin(async {})
        }),
        refused: Arc::new(|refused, _| panic!("{refused:?}")),
        subscribed: Arc::new(move |_, filter| subscribes.try_send(Told::Subscribed(filter.to_owned())).unwrap()),
        delivered: Arc::new(move |_, key| delivers.try_send(Told::Delivered(key.0)).unwrap()),
        status: Arc::new(move |status| match status {
            ClientStatus::Gone { why, .. } => leaves.try_send(Told::Gone(why)).unwrap_or_default(),
            ClientStatus::Connected { .. } => {}
        }),
        now: Arc::new(Timestamp::default),
        content_hash: |topic, payload| {
            let hash = blake3::Hasher::new().update(topic.as_bytes()).update(payload).finalize();
            ContentHash(std::array::from_fn(|index| hash.as_bytes()[index]))
        },
    }
}

impl House {
    fn wires(&self, password: &str) -> Wires {
        let clients = [ClientId::new("hub-streets"), ClientId::new("modem-1"), crew_line(&crew())];
        let needed: Vec<_> =
            clients.iter().map(|client| LoginNeeded { client: client.clone(), role: LoginRole::Gateway }).collect();
        let secrets = clients.into_iter().map(|client| (client, password.to_owned())).collect();
        Wires::new(self.address, Logins::new(&needed, secrets).unwrap())
    }

    fn taken_in(&self) -> Vec<Uplink> {
        std::mem::take(&mut self.taken_in.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn crew() -> CrewId {
    CrewId::new("affald-1")
}

fn message(number: usize) -> Message {
    let payload = Bytes::from(number.to_string());
    Message { topic: format!("rettidig/v1/up/device-{number}"), payload, again_with_dup: false }
}

#[tokio::test]
async fn a_batch_arrives_whole_and_in_order_before_send_returns() {
    let house = house().await;
    let mut wires = house.wires("secret");
    let line = ClientId::new("hub-streets");
    // More than the window and more than the queue of requests.
    for _ in 0..2 {
        wires.send(&line, (0..700).map(message).collect()).await.unwrap();
        let arrived = house.taken_in();
        let expected: Vec<_> = (0..700).map(|number| message(number).topic).collect();
        assert_eq!(arrived.iter().map(|uplink| uplink.topic.as_str()).collect::<Vec<_>>(), expected);
        assert!(arrived.iter().all(|uplink| !uplink.ingress.duplicate_flag && uplink.ingress.client == line));
    }
    wires.close().await;
}

#[tokio::test]
async fn a_redelivery_has_dup_the_same_packet_id_and_another_connection() {
    let house = house().await;
    let mut wires = house.wires("secret");
    let line = ClientId::new("modem-1");
    let batch = vec![message(1), Message { again_with_dup: true, ..message(2) }, message(3)];
    wires.send(&line, batch).await.unwrap();
    let arrived = house.taken_in();
    let payloads: Vec<_> = arrived.iter().map(|uplink| (&uplink.payload[..], uplink.ingress.duplicate_flag)).collect();
    assert_eq!(payloads, [(&b"1"[..], false), (b"2", false), (b"2", true), (b"3", false)]);
    assert_eq!(arrived[1].ingress.packet, arrived[2].ingress.packet);
    assert_eq!(arrived[1].ingress.content, arrived[2].ingress.content);
    assert_ne!(arrived[1].ingress.connection, arrived[2].ingress.connection);
    wires.close().await;
}

#[tokio::test]
async fn what_the_gateway_counts_as_delivered_is_on_the_phone() {
    let mut house = house().await;
    let mut wires = house.wires("secret");
    wires.connect_crew(&crew()).await.unwrap();
    assert_eq!(house.told.recv().await, Some(Told::Subscribed("rettidig/v1/crew/affald-1/tasks".into())));
    let topic = "rettidig/v1/crew/affald-1/tasks";
    for key in 0..20 {
        let payload = Bytes::from(key.to_string());
        house.handle.publish(&crew_line(&crew()), topic, payload, DeliveryKey(key)).unwrap();
    }
    for key in 0..20 {
        assert_eq!(house.told.recv().await, Some(Told::Delivered(key)));
    }
    let heard: Vec<_> = wires.heard().unwrap().into_iter().map(|heard| heard.payload).collect();
    assert_eq!(heard, (0..20).map(|key| Bytes::from(key.to_string())).collect::<Vec<_>>());
    wires.close().await;
}

#[tokio::test]
async fn a_phone_out_of_reach_is_gone_without_a_word_and_comes_back() {
    let mut house = house().await;
    let mut wires = house.wires("secret");
    wires.connect_crew(&crew()).await.unwrap();
    assert!(matches!(house.told.recv().await, Some(Told::Subscribed(_))));
    wires.lose_crew(&crew());
    assert_eq!(house.told.recv().await, Some(Told::Gone(Gone::Lost)));
    assert_eq!(wires.heard().unwrap(), []);
    wires.connect_crew(&crew()).await.unwrap();
    assert!(matches!(house.told.recv().await, Some(Told::Subscribed(_))));
    wires.close().await;
}

#[tokio::test]
async fn a_refused_login_and_a_missing_secret_end_the_run() {
    let house = house().await;
    let mut wires = house.wires("wrong");
    let refused = wires.send(&ClientId::new("hub-streets"), vec![message(1)]).await;
    assert!(matches!(refused, Err(TwinError::Lost { .. })), "{refused:?}");
    let unknown = wires.send(&ClientId::new("hub-nowhere"), vec![message(1)]).await;
    assert!(matches!(unknown, Err(TwinError::NoSecret(_))), "{unknown:?}");
    assert_eq!(house.taken_in(), []);
    wires.close().await;
}
