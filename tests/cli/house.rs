//! A folder with a configuration, the program run in it, and a gateway as a child process.
//!
//! Nothing sleeps: a start is waited for by the line the gateway logs when it listens.

use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(120);
const LOG_LINES_MAX: usize = 100_000;

pub struct House {
    folder: TempDir,
}

/// What a command did.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub struct Running {
    child: Child,
    log: Receiver<String>,
    /// Every line up to the one that says it listens.
    pub said: Vec<String>,
    pub addresses: Value,
}

impl House {
    /// With the shipped configuration.
    pub fn new() -> Self {
        let house = Self::empty();
        house.rettidig(&["init"]).expect_code(0);
        house
    }

    /// With rules of thresholds and waiting times only, for tests in which the shipped rules are not the point.
    pub fn plain() -> Self {
        let house = Self::new();
        house.plain_rules("config");
        house
    }

    /// Puts the plain rules in the place of those in a configuration folder.
    pub fn plain_rules(&self, folder: &str) {
        let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plain-rules");
        let rules = self.path(folder).join("rules");
        fs::remove_dir_all(rules.join("scenarios")).unwrap();
        fs::create_dir(rules.join("scenarios")).unwrap();
        for name in ["waste.toml", "beds.toml", "scenarios/waste.toml"] {
            fs::copy(plain.join(name), rules.join(name)).unwrap();
        }
    }

    pub fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn change(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replace(from, to));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rettidig"));
        command.args(arguments).current_dir(self.folder.path());
        for name in ["RETTIDIG_CONFIG", "RETTIDIG_DATA", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.env("RETTIDIG__ENDPOINT__LISTEN", "127.0.0.1:0").env("RETTIDIG__HTTP__LISTEN", "127.0.0.1:0");
        command.stdin(Stdio::null());
        command
    }

    pub fn rettidig(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }

    pub fn rettidig_told(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Done::of(child.wait_with_output().unwrap())
    }

    /// Runs a command that must be done, and reads what it says.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let done = self.rettidig(&[arguments, &["--json"]].concat()).expect_code(0);
        serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", done.out))
    }

    /// The same of a command that reports faults.
    pub fn json_of(&self, arguments: &[&str]) -> Value {
        let done = self.rettidig(&[arguments, &["--json"]].concat());
        serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", done.out))
    }

    pub fn start(&self) -> Running {
        let mut child = self.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = sync_channel(LOG_LINES_MAX);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        let mut running = Running { child, log, said: Vec::new(), addresses: Value::Null };
        running.said = running.wait_for_line("listening");
        running.addresses = read_json(&self.path("data/addresses.json"));
        running
    }
}

impl Done {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }
}

impl Running {
    pub fn port(&self, way: &str) -> u16 {
        let address = self.addresses[way][0].as_str().unwrap();
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Every line up to one that holds `text`.
    pub fn wait_for_line(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?}:\n{}", lines.join("\n")));
            let found = line.contains(text);
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a failing test gets here with the gateway still running.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
