//! The floor behind a broker: the gateway's own client, and nothing of the gateway behind it. Messages are appended to
//! one file, synced together, acknowledged, and those that call for a crew are told to it. No decoding, no rules, no
//! record of a decision.

use crate::town::Post;
use bytes::Bytes;
use rettidig::decode::content_hash;
use rettidig::domain::time::Timestamp;
use rettidig::domain::uplink::Uplink;
use rettidig::intake::{self, Acknowledge, Handle, Limits, Options, Ports};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// As much as the gateway takes at once, and lets wait.
const BATCH: usize = 1_024;
const INBOX: usize = 8_192;
const PREFIX: &str = "bare/v1";

type Item = (Uplink, Acknowledge);

pub struct Bare {
    runtime: Runtime,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Bare {
    /// Connects to the broker on this port, under topics that nobody else reads.
    pub fn start(port: u16, folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (inbox, messages) = mpsc::channel::<Item>(INBOX);
        let (up, mut is_up) = mpsc::channel(16);
        let ports = Ports {
            accept: Arc::new(move |uplink, acknowledge| {
                let inbox = inbox.clone();
                Box::pin(async move { drop(inbox.send((uplink, acknowledge)).await) })
            }),
            refused: Arc::new(|oversize, _| panic!("nobody sends {} bytes", oversize.length)),
            link: Arc::new(move |link| drop(up.try_send(link))),
            handed_over: Arc::new(|_| {}),
            content_hash,
            connection_number: Arc::new(|| 1),
            random: Arc::new(|| 0),
            now: Arc::new(|| Timestamp::from_micros(0)),
        };
        let options = Options {
            subscribe: vec![format!("{PREFIX}/up/+"), format!("{PREFIX}/crew/+/replies")],
            limits: Limits { publish_queue_max: 65_536, ..Limits::default() },
            ..Options::new("bare", "127.0.0.1", port, "bare-loop")
        };
        let handle = runtime.block_on(async { intake::start(options, ports, stop.clone(), &tracker) }).unwrap();
        let file = File::create(folder.join("bare")).unwrap();
        std::thread::spawn(move || commit(messages, file, &handle));
        let connected = async { tokio::time::timeout(Duration::from_secs(10), is_up.recv()).await };
        runtime.block_on(connected).expect("the broker answers").expect("the connection reports");
        Self { runtime, stop, tracker }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tracker.close();
        self.runtime.block_on(self.tracker.wait());
    }
}

fn commit(mut messages: mpsc::Receiver<Item>, mut file: File, crew: &Handle) {
    let (mut batch, mut bytes, mut task) = (Vec::with_capacity(BATCH), Vec::new(), 0);
    while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
        bytes.clear();
        for (uplink, _) in &batch {
            bytes.extend_from_slice(uplink.topic.as_bytes());
            bytes.extend_from_slice(&uplink.payload);
        }
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        for (uplink, acknowledge) in batch.drain(..) {
            if let Some(asset) = caller(&uplink) {
                task += 1;
                let post = serde_json::to_vec(&Post { notice: "offered".into(), task, asset: asset.into() }).unwrap();
                crew.publish(&format!("{PREFIX}/crew/crew-1/tasks"), Bytes::from(post), task).unwrap();
            }
            acknowledge.release();
        }
    }
}

/// Told by two bytes at a known place: nothing is decoded.
fn caller(uplink: &Uplink) -> Option<&str> {
    let bin = uplink.topic.strip_prefix(PREFIX)?.strip_prefix("/up/")?;
    uplink.payload.strip_prefix(b"{\"temperature\":").filter(|rest| rest[0] >= b'8' && rest[2] == b'.').map(|_| bin)
}
