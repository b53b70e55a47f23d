//! `data/control.sock`: bounded lines in, bounded lines out, a few connections at a time.
//!
//! The listener belongs to a gateway that holds the lock of the folder, so a socket file it finds is a leftover.
//! A connection that says nothing for a while is closed; one too many waits until another has ended.

use super::backend::{Backend, Running};
use super::serve::serve;
use super::wire::{Answered, Asked, Failure, FailureKind, Request, Response, VERSION};
use crate::app::data_folder::control_socket;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes in one line: a registry file in base64 fits.
const LINE_BYTES_MAX: u64 = 64 << 20;
const CONNECTIONS_MAX: usize = 4;
/// How long a connection may take to ask, or to read its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a command waits for the gateway's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
/// Longer paths do not fit into a socket's address.
const ADDRESS_BYTES_MAX: usize = 107;

/// Listens for commands.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

/// Why a command got no answer from a gateway.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens: no gateway runs.
    #[error("no gateway runs on the data folder {folder:?}; `rettidig run` starts one")]
    NobodyListens { folder: PathBuf },
    #[error("the request has {bytes} bytes, at most {max} are taken; split the file", max = LINE_BYTES_MAX)]
    TooLong { bytes: usize },
    #[error("the gateway at {socket:?} did not answer; `rettidig doctor` says how it is")]
    Broken { socket: PathBuf, source: io::Error },
}

impl Listener {
    /// Opens the socket in a data folder that this process owns.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = control_socket(folder);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let (address, _folder) = address(&path)?;
        let socket = UnixListener::bind(address)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { socket, path })
    }

    /// Serves until it is told to stop; what is being served then is finished by its own task.
    pub async fn run(self, running: Running, stop: CancellationToken, tasks: TaskTracker) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                next = next => next,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (running, stop) = (running.clone(), stop.clone());
                    tasks.spawn(async move {
                        let _place = place;
                        if let Err(error) = converse(stream, running, &stop).await {
                            tracing::debug!(%error, "control connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "control socket");
                    // Out of descriptors, most likely: others need time to give some back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the control socket is left behind; the next start removes it");
        }
    }
}

async fn converse(stream: UnixStream, running: Running, stop: &CancellationToken) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reader = BufReader::new(reading);
    let mut backend = Backend::Running(Box::new(running));
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            line = timeout(PATIENCE, next_line(&mut reader)) => line,
        };
        let result = match line.map_err(io::Error::from)?? {
            Line::End => return Ok(()),
            Line::TooLong => Err(Failure::refused(format!("a request has at most {LINE_BYTES_MAX} bytes"))),
            Line::Whole(line) => match parse(&line) {
                Ok(request) => serve(&mut backend, request).await,
                Err(failure) => Err(failure),
            },
        };
        let mut answer = serde_json::to_vec(&Answered { version: VERSION, result }).map_err(io::Error::from)?;
        answer.push(b'\n');
        timeout(PATIENCE, writing.write_all(&answer)).await.map_err(io::Error::from)??;
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

async fn next_line(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Line> {
    let mut line = Vec::new();
    reader.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line).await?;
    Ok(match line.last() {
        Some(b'\n') => Line::Whole(line),
        Some(_) if line.len() as u64 > LINE_BYTES_MAX => Line::TooLong,
        Some(_) | None => Line::End,
    })
}

/// The parser's own words are left out: they may quote a password.
fn parse(line: &[u8]) -> Result<Request, Failure> {
    let strange = || {
        let program = env!("CARGO_PKG_VERSION");
        Failure::refused(format!(
            "the running gateway is rettidig {program} and does not know this request; use the same version"
        ))
    };
    let asked: Asked<Request> = serde_json::from_slice(line).map_err(|_| strange())?;
    if asked.version == VERSION { Ok(asked.request) } else { Err(strange()) }
}

/// Asks the gateway that runs on a data folder.
///
/// # Errors
/// When nobody listens, or the conversation breaks off.
pub fn ask(folder: &Path, request: &Request) -> Result<Result<Response, Failure>, AskError> {
    let path = control_socket(folder);
    let broken = |source: io::Error| AskError::Broken { socket: path.clone(), source };
    let mut stream = match address(&path).and_then(|(address, _folder)| BlockingStream::connect(address)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(AskError::NobodyListens { folder: folder.to_owned() });
        }
        Err(error) => return Err(broken(error)),
    };
    let mut line =
        serde_json::to_vec(&Asked { version: VERSION, request }).map_err(|error| broken(io::Error::from(error)))?;
    line.push(b'\n');
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err(AskError::TooLong { bytes: line.len() });
    }
    let answer = || {
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&line)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    };
    let answer = { answer }().map_err(broken)?;
    let answered: Answered = serde_json::from_slice(&answer).map_err(|_| {
        broken(io::Error::other("its answer is of another version; use the same version of rettidig for both"))
    })?;
    Ok(if answered.version == VERSION {
        answered.result
    } else {
        Err(Failure::new(FailureKind::Failed, format!("the gateway speaks version {}", answered.version)))
    })
}

/// The path of the socket; a long one by way of the open folder, which must stay open meanwhile.
fn address(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if path.as_os_str().len() > ADDRESS_BYTES_MAX => {
            let folder = File::open(parent)?;
            let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
            Ok((short, Some(folder)))
        }
        _ => Ok((path.to_owned(), None)),
    }
}
