//! Node-RED with the flow a user would draw: MQTT in, a function with a threshold, MQTT out, and one insert for each
//! message where there is a database. `make bench-peers` installs it; the flow is `benches/peers/flows.json`.

use crate::broker::Mosquitto;
use crate::postgres::{Cluster, USER};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/node-red/node_modules");
const TABLE: &str = "CREATE TABLE observation (id bigserial PRIMARY KEY, asset text, temperature float8, fill float8, \
                     battery float8, received_at timestamptz DEFAULT now())";
/// It says that it is connected before it has subscribed.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

pub struct NodeRed {
    folder: TempDir,
    /// Where it finds its database.
    environment: Vec<(&'static str, String)>,
    process: Child,
}

impl NodeRed {
    pub fn start(broker: &Mosquitto, cluster: Option<&Cluster>) -> Self {
        let red = Path::new(INSTALLED).join("node-red/red.js");
        assert!(red.is_file(), "Node-RED is not installed: make bench-peers");
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("flows.json"), include_str!("../peers/flows.json")).unwrap();
        std::fs::write(folder.path().join("settings.js"), include_str!("../peers/settings.js")).unwrap();
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut environment = vec![
            ("BROKER_PORT", broker.port().to_string()),
            ("HTTP_PORT", http.to_string()),
            ("NODE_PATH", INSTALLED.to_owned()),
        ];
        if let Some(cluster) = cluster {
            let database = cluster.database();
            cluster.ask(&database, TABLE);
            let host = cluster.folder().display().to_string();
            environment.extend([("PGHOST", host), ("PGDATABASE", database), ("PGUSER", USER.to_owned())]);
        }
        let process = spawn(&folder, &environment);
        let started = Self { folder, environment, process };
        wait_for(broker);
        started
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn kill_and_start(&mut self, broker: &Mosquitto) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(&self.folder, &self.environment);
        wait_for(broker);
    }
}

fn wait_for(broker: &Mosquitto) {
    broker.wait_for_log("as node-red ");
    std::thread::sleep(SETTLES_WITHIN);
}

fn spawn(folder: &TempDir, environment: &[(&'static str, String)]) -> Child {
    Command::new("node")
        .arg(Path::new(INSTALLED).join("node-red/red.js"))
        .arg("--userDir")
        .arg(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("cannot start node")
}

impl Drop for NodeRed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
