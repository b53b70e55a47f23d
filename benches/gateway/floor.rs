//! The floor: the same transport and the same promise with nothing in between. Messages are appended to one file,
//! synced together, and acknowledged. No logins, no decoding, no rules, no record of a decision.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

const READ_BYTES: usize = 64 * 1024;

/// What came in since the last sync.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    /// Acknowledgements by connection.
    answers: BTreeMap<u64, Vec<u8>>,
}

#[derive(Default)]
struct Shared {
    group: Mutex<Group>,
    filled: Condvar,
    streams: Mutex<BTreeMap<u64, TcpStream>>,
}

/// Serves until the process ends.
pub fn start(folder: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Shared::default());
    let file = File::create(folder.join("floor")).unwrap();
    let committing = Arc::clone(&shared);
    thread::spawn(move || commit(&committing, file));
    thread::spawn(move || {
        for (number, stream) in (0..).zip(listener.incoming()) {
            let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || take(&shared, number, stream));
        }
    });
    address
}

fn commit(shared: &Shared, mut file: File) {
    loop {
        let waiting = shared.group.lock().unwrap();
        let mut waiting = shared.filled.wait_while(waiting, |group| group.bytes.is_empty()).unwrap();
        let group = std::mem::take(&mut *waiting);
        drop(waiting);
        file.write_all(&group.bytes).unwrap();
        file.sync_data().unwrap();
        let mut streams = shared.streams.lock().unwrap();
        for (number, answers) in group.answers {
            // A sender that has left needs no answer.
            if streams.get_mut(&number).is_some_and(|stream| stream.write_all(&answers).is_err()) {
                streams.remove(&number);
            }
        }
    }
}

fn take(shared: &Shared, number: u64, mut stream: TcpStream) {
    let mut held = Vec::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let Ok(bytes @ 1..) = stream.read(&mut chunk) else { return };
        held.extend(&chunk[..bytes]);
        let (mut at, mut answers) = (0, Vec::new());
        while let Some(packet) = held.get(at..).and_then(whole) {
            match packet[0] >> 4 {
                1 => {
                    stream.write_all(&[0x20, 2, 0, 0]).unwrap();
                    shared.streams.lock().unwrap().insert(number, stream.try_clone().unwrap());
                }
                3 => {
                    let topic = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                    answers.extend([0x40, 2, packet[4 + topic], packet[5 + topic]]);
                }
                _ => {}
            }
            at += packet.len();
        }
        if !answers.is_empty() {
            let mut group = shared.group.lock().unwrap();
            group.bytes.extend(&held[..at]);
            group.answers.entry(number).or_default().extend(answers);
            drop(group);
            shared.filled.notify_one();
        }
        held.drain(..at);
    }
}

/// The packet at the beginning, when all of it is there; none here is longer than one byte of length says.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..2 + usize::from(*bytes.get(1)?))
}
