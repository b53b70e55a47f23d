//! A real mosquitto as a child process: its own folder, a free port, stopped and started at will.
//!
//! Include with `#[path = "support/mosquitto.rs"] mod mosquitto;`. Everything waits for a line in the broker's log,
//! nothing sleeps.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use tempfile::TempDir;

/// No broker on any machine needs longer; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Other processes may take a port between our choosing it and the broker's using it.
const PORT_ATTEMPTS: usize = 10;
const LOG_LINES_MAX: usize = 100_000;

pub struct Mosquitto {
    folder: TempDir,
    settings: String,
    port: u16,
    running: Option<Running>,
}

struct Running {
    child: Child,
    log: Receiver<String>,
}

impl Mosquitto {
    /// A broker that keeps sessions in memory and drops nothing, open to everyone on 127.0.0.1.
    pub fn start() -> Self {
        Self::start_with("max_queued_messages 0\nmax_inflight_messages 0\nallow_anonymous true\n")
    }

    /// A broker with these lines of `mosquitto.conf`. The listener is added in front, so that a setting which belongs
    /// to a listener (TLS files, `allow_anonymous`) belongs to it.
    pub fn start_with(settings: &str) -> Self {
        Self::start_quietly_with(&format!("log_type all\n{settings}"))
    }

    /// As [`Self::start_with`], but it logs as it usually does: a line for each packet would be what is measured.
    pub fn start_quietly_with(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut broker = Self { folder, settings: settings.to_owned(), port: 0, running: None };
        for _ in 0..PORT_ATTEMPTS {
            broker.port = free_port();
            if broker.try_start() {
                return broker;
            }
        }
        panic!("mosquitto did not start on any of {PORT_ATTEMPTS} free ports with:\n{settings}");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where files for the broker may be put before a restart.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again on the same port, with what it has saved.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "mosquitto is running already");
        assert!(self.try_start(), "mosquitto did not start again on port {}", self.port);
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// As a system shut-down would: it saves what it is configured to save.
    pub fn stop(&mut self) {
        let mut running = self.running.take().expect("mosquitto is not running");
        let told = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &running.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "cannot signal mosquitto");
        running.child.wait().unwrap();
    }

    /// Waits until the broker logs a line that contains `text`; lines before it are gone.
    pub fn wait_for_log(&self, text: &str) -> String {
        let log = &self.running.as_ref().expect("mosquitto is not running").log;
        let mut seen = Vec::new();
        loop {
            match log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("mosquitto never logged {text:?}; it logged:\n{}", seen.join("\n"));
                }
            }
        }
    }

    /// Every line logged so far that has not been waited for.
    pub fn log(&self) -> Vec<String> {
        self.running.as_ref().map(|running| running.log.try_iter().collect()).unwrap_or_default()
    }

    fn try_start(&mut self) -> bool {
        let configuration = format!(
            "listener {} 127.0.0.1\nlog_dest stderr\nuser {}\npersistence_location {}/\n{}\n",
            self.port,
            account(),
            self.folder.path().display(),
            self.settings
        );
        let path = self.folder.path().join("mosquitto.conf");
        fs::write(&path, configuration).unwrap();
        let mut child = Command::new(binary())
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cannot start mosquitto");
        let stderr = child.stderr.take().unwrap();
        let (lines, log) = sync_channel(LOG_LINES_MAX);
        std::thread::spawn(move || {
            // Past the limit lines are dropped, so that the broker is never held up by us.
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| drop(lines.try_send(line)));
        });
        let started = loop {
            match log.recv_timeout(PATIENCE) {
                Ok(line) if line.ends_with(" running") => break true,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break false,
            }
        };
        if started {
            self.running = Some(Running { child, log });
        } else {
            let _ = child.kill();
            let _ = child.wait();
        }
        started
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Debian installs it where an ordinary user's PATH does not look.
fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join("mosquitto"))
        .find(|candidate| candidate.is_file())
        .expect("mosquitto is not installed and these tests need a real broker: apt-get install mosquitto")
}

/// The plugin that refuses subscriptions; it comes with the broker.
pub fn dynamic_security() -> PathBuf {
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib"]
        .map(|folder| Path::new(folder).join("mosquitto_dynamic_security.so"))
        .into_iter()
        .find(|plugin| plugin.is_file())
        .expect("mosquitto_dynamic_security.so is missing; it is in the package mosquitto: apt-get install mosquitto")
}

/// Started by root it would become `mosquitto`, who may not read our temporary folder.
fn account() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "root".to_owned())
}
