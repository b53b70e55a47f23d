//! An endpoint on a free port whose house is a set of bounded channels.

use rettidig::domain::ids::{ClientId, ContentHash};
use rettidig::domain::time::Timestamp;
use rettidig::domain::uplink::Uplink;
use rettidig::endpoint::{
    Acknowledge, ClientStatus, DeliveryKey, Denied, Endpoint, Grant, Limits, Login, Options, Ports, RefusedMessage,
    Running, TlsFiles, TopicFilter,
};
use smol_str::SmolStr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Far more than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Gateway {
    pub running: Running,
    pub ports: Ports,
    pub uplinks: Inbox<(Uplink, Acknowledge)>,
    pub refused: Inbox<(RefusedMessage, Acknowledge)>,
    pub subscribed: Inbox<(ClientId, SmolStr)>,
    pub delivered: Inbox<(ClientId, DeliveryKey)>,
    pub statuses: Inbox<ClientStatus>,
    pub shutdown: CancellationToken,
    pub tracker: TaskTracker,
}

pub struct Inbox<T>(mpsc::Receiver<T>);

impl<T> Inbox<T> {
    pub async fn next(&mut self) -> T {
        within(self.0.recv()).await.expect("the house is open")
    }

    pub fn is_empty(&mut self) -> bool {
        self.0.is_empty()
    }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it took too long")
}

pub async fn start() -> Gateway {
    start_with(Limits::default(), 1_000).await
}

/// `inbox` is how many messages the house takes before it makes the endpoint wait.
pub async fn start_with(limits: Limits, inbox: usize) -> Gateway {
    start_all(limits, inbox, None).await
}

pub async fn start_all(limits: Limits, inbox: usize, tls: Option<TlsFiles>) -> Gateway {
    let limits = Limits { login_delay: Duration::ZERO, ..limits };
    let (accepting, uplinks) = mpsc::channel(inbox);
    let (refusing, refused) = mpsc::channel(inbox);
    let (subscribing, subscribed) = mpsc::channel(1_000);
    let (delivering, delivered) = mpsc::channel(1_000);
    let (telling, statuses) = mpsc::channel(1_000);
    let ports = Ports {
        login: Arc::new(login),
        accept: Arc::new(move |uplink, acknowledge| {
            let accepting = accepting.clone();
            Box::pin(async move { accepting.send((uplink, acknowledge)).await.unwrap_or_default() })
        }),
        refused: Arc::new(move |message, acknowledge| {
            let refusing = refusing.clone();
            Box::pin(async move { refusing.send((message, acknowledge)).await.unwrap_or_default() })
        }),
        subscribed: Arc::new(move |client, filter| subscribing.try_send((client.clone(), filter.into())).unwrap()),
        delivered: Arc::new(move |client, key| delivering.try_send((client.clone(), key)).unwrap()),
        status: Arc::new(move |status| telling.try_send(status).unwrap_or_default()),
        now: Arc::new(|| Timestamp::from_micros(42)),
        content_hash: |topic, payload| {
            let mut hash = [0; 16];
            hash[0] = topic.len() as u8;
            hash[1] = payload.len() as u8;
            ContentHash(hash)
        },
    };
    let local: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listen_tls = if tls.is_some() { vec![local] } else { vec![] };
    let options = Options { listen: vec![local], listen_tls, tls, limits };
    let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
    let running = Endpoint::start(options, ports.clone(), shutdown.clone(), tracker.clone()).await.unwrap();
    Gateway {
        running,
        ports,
        uplinks: Inbox(uplinks),
        refused: Inbox(refused),
        subscribed: Inbox(subscribed),
        delivered: Inbox(delivered),
        statuses: Inbox(statuses),
        shutdown,
        tracker,
    }
}

/// Everybody's password is "secret"; a certificate's name is a login too. Whoever is called `name` may publish on
/// `up/name/…` and `$up/name`, and subscribe to `tasks/name/#`.
fn login(login: &Login) -> Result<Grant, Denied> {
    let ((Some(name), ..) | (None, Some(name), Some(b"secret"))) =
        (&login.certificate_cn, &login.username, login.password.as_deref())
    else {
        return Err(Denied::WrongCredentials);
    };
    match name.as_str() {
        "banned" => return Err(Denied::NotPermitted),
        "later" => return Err(Denied::Unavailable),
        _ => {}
    }
    let filters = |texts: &[String]| texts.iter().map(|text| TopicFilter::parse(text).unwrap()).collect();
    Ok(Grant {
        client: name.as_str().into(),
        publish: filters(&[format!("up/{name}/+"), format!("$up/{name}")]),
        subscribe: filters(&[format!("tasks/{name}/#")]),
        messages_per_s_max: None,
    })
}

impl Gateway {
    pub fn address(&self) -> SocketAddr {
        self.running.local_addrs[0]
    }

    /// The next message, and its right to be acknowledged.
    pub async fn uplink(&mut self) -> (Uplink, Acknowledge) {
        self.uplinks.next().await
    }

    /// Ends the endpoint and waits for its last task.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tracker.close();
        within(self.tracker.wait()).await;
    }
}
