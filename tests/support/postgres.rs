//! A real PostgreSQL in a folder of its own, reached by a Unix socket; stopped, paused, killed and started at will.
//!
//! Include with `#[path = "support/postgres.rs"] mod postgres;`. [`shared`] is one for a whole test binary, with a
//! database for each test; what a test stops or kills is its own. When the test process ends, however it ends, a small
//! shell that waits for that stops the server and removes the folder.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The login every cluster is made with.
pub const USER: &str = "rettidig";
/// Nothing here outlives the machine: what the system holds in memory is enough, also when the server is killed.
const SETTINGS: &str = "fsync=off full_page_writes=off shared_buffers=32MB max_wal_size=256MB \
                        autovacuum_naptime=60 log_min_messages=fatal";

pub struct Cluster {
    folder: PathBuf,
    settings: Vec<String>,
    /// Its end is what the shell waits for.
    _keeper: Child,
}

/// One for all tests of a binary that leave it running.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&["max_connections=80"]))
}

impl Cluster {
    /// With these settings, such as `max_connections=6`.
    pub fn start(settings: &[&str]) -> Self {
        let cluster = Self::lay(settings, &["--auth=trust"]);
        cluster.start_again();
        cluster
    }

    /// As [`Self::start`], over TCP with TLS only, and a password for the login. Certificate and key are PEM texts.
    pub fn start_with_tls(certificate: &str, key: &str, password: &str, port: u16) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), password).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let port = format!("port={port}");
        let settings = ["listen_addresses=127.0.0.1", &port, "ssl=on"];
        let password = format!("--pwfile={}", file.path().display());
        let cluster = Self::lay(&settings, &["--auth=scram-sha-256", &password]);
        let data = cluster.folder.join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            fs::write(data.join(name), text).unwrap();
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
            if root() {
                run(Command::new("chown").arg(owner()).arg(data.join(name)), "chown");
            }
        }
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        cluster.start_again();
        cluster
    }

    fn lay(settings: &[&str], initdb: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("rettidig-pg-").tempdir().unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        if root() {
            run(Command::new("chown").arg(owner()).arg(&folder), "chown");
        }
        let mut command = as_owner_of(&folder, "initdb");
        command.arg("-D").arg(folder.join("data")).args(["-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        run(command.args(initdb), "initdb");
        let script = "cat >/dev/null; pid=$(head -n1 \"$0/data/postmaster.pid\" 2>/dev/null) && { \
                      kill -CONT \"$pid\"; kill -QUIT \"$pid\"; for try in $(seq 50); do \
                      [ -e \"$0/data/postmaster.pid\" ] && sleep 0.1; done; } 2>/dev/null; rm -rf \"$0\"";
        let mut keeper = Command::new("setsid");
        keeper.args(["sh", "-c", script]).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::null());
        let keeper = keeper.stderr(Stdio::null()).spawn().unwrap();
        let usual = SETTINGS.split_whitespace().map(str::to_owned);
        let usual = usual.chain(["listen_addresses=".to_owned()]);
        let settings = usual.chain(settings.iter().map(|setting| (*setting).to_owned())).collect();
        Self { folder, settings, _keeper: keeper }
    }

    /// Starts it after [`Self::stop`] or [`Self::kill`], and waits until it answers.
    pub fn start_again(&self) {
        let options = self.settings.iter().map(|setting| format!("-c '{setting}'")).collect::<Vec<_>>().join(" ");
        let mut command = as_owner_of(&self.folder, "pg_ctl");
        command.arg("-D").arg(self.folder.join("data")).arg("-l").arg(self.folder.join("log"));
        command.args(["-w", "-t", "60", "-o"]).arg(format!("-k {} {options}", self.folder.display())).arg("start");
        run(&mut command, &format!("pg_ctl start ({})", self.folder.join("log").display()));
    }

    /// As a system that shuts down would: every connection ends.
    pub fn stop(&self) {
        let mut command = as_owner_of(&self.folder, "pg_ctl");
        run(command.arg("-D").arg(self.folder.join("data")).args(["-m", "fast", "-w", "stop"]), "pg_ctl stop");
    }

    /// Every process of it stands still, as on a machine that hangs.
    pub fn pause(&self) {
        signal("STOP", &self.processes());
    }

    pub fn resume(&self) {
        signal("CONT", &self.processes());
    }

    /// `kill -9` of the whole server.
    pub fn kill(&self) {
        // It stands still first, so that it starts no process that is not counted.
        signal("STOP", &self.processes()[..1]);
        let processes = self.processes();
        signal("KILL", &processes);
        while processes.iter().any(|process| alive(*process)) {
            std::thread::yield_now();
        }
        // Where nobody buries the dead, its number looks as if it were in use.
        for lock in ["data/postmaster.pid", ".s.PGSQL.5432.lock"] {
            fs::remove_file(self.folder.join(lock)).unwrap();
        }
    }

    /// `kill -9` of one connection's process: the server then ends all others and recovers.
    pub fn kill_process(process: i32) {
        signal("KILL", &[process.cast_unsigned()]);
    }

    /// Where and as whom, without a database.
    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.folder).user(USER).dbname(database);
        config
    }

    /// Where its socket is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// As it stands in the settings.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}/{database}")
    }

    /// An empty database of its own.
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Has it do something, as a person with `psql` would.
    pub fn ask(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(binary("psql"));
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", USER, "-h"]).arg(&self.folder);
        let output = command.args(["-d", database, "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn processes(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let first: u32 = text.lines().next().unwrap().parse().unwrap();
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
        let children = children.split_whitespace().map(|child| child.parse().unwrap());
        [first].into_iter().chain(children).collect()
    }
}

fn alive(process: u32) -> bool {
    // A dead one that nobody has buried yet is dead all the same.
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

fn signal(name: &str, processes: &[u32]) {
    let processes = processes.iter().map(ToString::to_string);
    // One that has just ended by itself needs no signal.
    let _ = Command::new("kill").arg(format!("-{name}")).args(processes).stderr(Stdio::null()).status();
}

/// PostgreSQL refuses to run as root; then it is run as the user its package made, or as nobody.
fn as_owner_of(folder: &Path, program: &str) -> Command {
    let program = binary(program);
    let mut command = if root() {
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", owner())).arg(format!("--regid={}", group())).arg("--clear-groups");
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).env("LC_ALL", "C");
    command
}

fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn owner() -> &'static str {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

fn group() -> &'static str {
    if owner() == "postgres" { "postgres" } else { "nogroup" }
}

/// Debian keeps the server's programs beside each other by version, outside the path.
fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn run(command: &mut Command, what: &str) {
    // The server goes on and must not hold our pipes.
    let log = tempfile::NamedTempFile::new().unwrap();
    let status = command.stdin(Stdio::null()).stdout(log.reopen().unwrap()).stderr(log.reopen().unwrap()).status();
    let status = status
        .unwrap_or_else(|error| panic!("{what} does not start ({error}); `tests/tools.sh test` installs PostgreSQL"));
    assert!(status.success(), "{what}: {}", fs::read_to_string(log.path()).unwrap());
}
