//! A gateway for the twin: in a folder of its own, on scaled time, with the simulated municipality registered.
//!
//! It is the same gateway as `run` gives, on the same endpoint and journal; only the clock is moved by hand. Real
//! data never comes here: the folder is made for the run and removed after it.

use super::assembly::assemble;
use super::clock::Clock;
use super::data_folder::DataFolder;
use super::foundation::{Foundation, random_bytes};
use super::gateway::{Gateway, Start};
use super::mandate::Notice;
use super::metering;
use super::shipped;
use crate::config::{self, Loaded};
use crate::domain::event::{Event, RegistryChange};
use crate::domain::ids::{AccountId, ClientId};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::telemetry::stopwatch;
use crate::twin::{
    self, Counts, DemoOptions, GatewayPorts, Latency, LoginNeeded, LoginRole, Logins, Open, OpenTask, Page,
    PlayOptions, Recording, Report,
};
use crate::vault::{ClientRole, Grant, Role, Secret};
use anyhow::{Context as _, bail};
use metrics_exporter_prometheus::PrometheusHandle;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirEntry;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks at whether the gateway has come to rest.
const REST_LOOK_EVERY: Duration = Duration::from_micros(500);
/// Registry changes in one event.
const CHANGES_AT_ONCE: usize = 1_000;
/// Tasks on the demo's screen.
const TASKS_SHOWN: usize = 50;

/// Runs the simulated municipality.
///
/// # Errors
/// When the gateway or the twin cannot go on.
pub async fn demo(
    options: DemoOptions,
    stop: CancellationToken,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Report> {
    let municipality = twin::municipality(options.seed);
    let stage = Stage::set(twin::STARTS_AT, municipality.changes(), &municipality.logins_needed(), stop).await?;
    let ran = twin::demo(options, stage.ports.clone(), out).await;
    stage.strike().await?;
    Ok(ran?)
}

/// Plays recorded series.
///
/// # Errors
/// When the gateway or the twin cannot go on.
pub async fn play(
    recording: Recording,
    options: PlayOptions,
    stop: CancellationToken,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Report> {
    let stage = Stage::set(recording.starts_at(), recording.changes(), &recording.logins_needed(), stop).await?;
    let ran = twin::play(recording, options, stage.ports.clone(), out).await;
    stage.strike().await?;
    Ok(ran?)
}

const FOLDER_PREFIX: &str = "rettidig-simulated-";
const DATA: &str = "data";
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// A folder younger than this may belong to a simulation that is just starting.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(600);

/// A gateway set up for the twin.
struct Stage {
    gateway: Arc<Gateway>,
    ports: GatewayPorts,
    folder: Folder,
}

/// What a simulation keeps on disk, only as long as it lasts.
struct Folder(PathBuf);

impl Stage {
    /// On the usual ports when nobody has them. Somebody may take one between the look and the start: then on any.
    async fn set(
        starts_at: Timestamp,
        changes: Vec<RegistryChange>,
        logins_needed: &[LoginNeeded],
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let metrics = metering::install()?;
        let usual = [free(1883), free(8080)];
        match Self::set_at(usual, starts_at, &changes, logins_needed, (metrics.clone(), stop.clone())).await {
            Err(error) if is_taken(&error) => {
                Self::set_at([ANY; 2], starts_at, &changes, logins_needed, (metrics, stop)).await
            }
            set => set,
        }
    }

    /// `listen` is for MQTT and for the page.
    async fn set_at(
        listen: [SocketAddr; 2],
        starts_at: Timestamp,
        changes: &[RegistryChange],
        logins_needed: &[LoginNeeded],
        (metrics, stop): (PrometheusHandle, CancellationToken),
    ) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let loaded = configuration(&folder.0.join("config"), listen)?;
        let assembly =
            assemble(&loaded, starts_at).map_err(|faults| anyhow::anyhow!("shipped configuration: {faults:?}"))?;
        let clock = Clock::scaled(starts_at);
        let foundation = Foundation::lay(&folder.0.join(DATA), &loaded.settings.journal, clock.clone())?;
        let mut clients = Vec::new();
        for login in logins_needed {
            clients.push((login.client.clone(), Secret::generate()?, role(&login.role)));
        }
        foundation.vault.put_clients(&clients, starts_at)?;
        let secrets: BTreeMap<ClientId, String> =
            clients.iter().map(|(client, secret, _)| (client.clone(), secret.reveal())).collect();
        let logins = Logins::new(logins_needed, secrets).map_err(|client| anyhow::anyhow!("no login for {client}"))?;
        let password = hexadecimal(&random_bytes::<8>()?);
        let operator = BTreeSet::from([Grant { role: Role::Operator, area: None }]);
        foundation.vault.create_account(&AccountId::new("demo"), &password, &operator, starts_at)?;
        let payload_bytes_max = loaded.settings.limits.payload_bytes_max as usize;
        let start = Start {
            settings: loaded.settings,
            assembly,
            metrics,
            notice: Notice::default(),
            source: None,
            simulated: true,
        };
        let gateway = Arc::new(Gateway::start(foundation, start).await?);
        for some in changes.chunks(CHANGES_AT_ONCE) {
            let answer = gateway.handle.ask_for(Event::Registered(some.to_vec())).await?;
            if answer.verdict != Verdict::Accepted {
                bail!("the simulated registry was not accepted: {:?}", answer.verdict);
            }
        }
        let ports = ports(&gateway, logins, payload_bytes_max, &password, stop)?;
        Ok(Self { gateway, ports, folder })
    }

    async fn strike(self) -> anyhow::Result<()> {
        let Self { gateway, ports, folder } = self;
        drop(ports);
        if let Some(gateway) = Arc::into_inner(gateway) {
            gateway.drain().await?;
        }
        std::fs::remove_dir_all(&folder.0).with_context(|| format!("remove {}", folder.0.display()))
    }
}

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let place = std::env::temp_dir();
        sweep(&place);
        let number = u64::from_le_bytes(random_bytes()?);
        Ok(Self(place.join(format!("{FOLDER_PREFIX}{number:016x}"))))
    }
}

impl Drop for Folder {
    /// After a simulation that did not start; one that ended well has removed it already.
    fn drop(&mut self) {
        // What stays behind is swept up by a later simulation.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what simulations left that were killed: nobody holds their data folder any more.
fn sweep(place: &Path) {
    let old = |entry: &DirEntry| {
        let data = entry.metadata().ok().filter(std::fs::Metadata::is_dir)?;
        let age = data.modified().ok()?.elapsed().ok()?;
        Some(age > LEFT_BEHIND_AFTER && entry.file_name().to_str()?.starts_with(FOLDER_PREFIX))
    };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| old(entry) == Some(true)) {
        if let Ok(held) = DataFolder::own(&entry.path().join(DATA)) {
            drop(held);
            tracing::info!(folder = %entry.path().display(), "removing what a killed simulation left");
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The shipped configuration, on these addresses.
fn configuration(folder: &Path, [mqtt, http]: [SocketAddr; 2]) -> anyhow::Result<Loaded> {
    shipped::lay_down_demo(folder).with_context(|| format!("write {}", folder.display()))?;
    let environment = [
        ("RETTIDIG__ENDPOINT__LISTEN".to_owned(), mqtt.to_string()),
        ("RETTIDIG__HTTP__LISTEN".to_owned(), http.to_string()),
    ];
    Ok(config::load(folder, environment)?)
}

/// The usual port when nobody has it, otherwise any.
fn free(port: u16) -> SocketAddr {
    let usual = SocketAddr::from(([127, 0, 0, 1], port));
    if TcpListener::bind(usual).is_ok() { usual } else { ANY }
}

fn is_taken(error: &anyhow::Error) -> bool {
    let mut kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.any(|kind| kind == io::ErrorKind::AddrInUse)
}

fn role(needed: &LoginRole) -> ClientRole {
    match needed {
        LoginRole::Gateway => ClientRole::Gateway,
        LoginRole::Device(device) => ClientRole::Device(device.clone()),
        LoginRole::Crew(crew) => ClientRole::Crew(crew.clone()),
    }
}

fn ports(
    gateway: &Arc<Gateway>,
    logins: Logins,
    payload_bytes_max: usize,
    password: &str,
    stop: CancellationToken,
) -> anyhow::Result<GatewayPorts> {
    let address = *gateway.addresses.mqtt.first().context("the endpoint is not listening")?;
    let page = gateway.addresses.http.first().map(|address| Page {
        address: format!("http://localhost:{}", address.port()),
        logins: vec![format!("demo  {password}")],
    });
    let (advancing, resting, reporting, showing) =
        (Arc::downgrade(gateway), Arc::downgrade(gateway), Arc::downgrade(gateway), Arc::downgrade(gateway));
    let began = stopwatch();
    Ok(GatewayPorts {
        address,
        logins,
        payload_bytes_max,
        advance: Arc::new(move |to| {
            let gateway = advancing.upgrade();
            Box::pin(async move {
                if let Some(gateway) = gateway {
                    // A gateway that is stopping moves no more; the twin finds its connections closed.
                    gateway.handle.advance(to).await.ok();
                }
            })
        }),
        settled: Arc::new(move || {
            let gateway = resting.upgrade();
            Box::pin(async move {
                if let Some(gateway) = gateway {
                    rest(&gateway).await;
                }
            })
        }),
        report: Arc::new(move || reporting.upgrade().map(|gateway| counts(&gateway)).unwrap_or_default()),
        open: Arc::new(move || showing.upgrade().map(|gateway| open(&gateway)).unwrap_or_default()),
        wall: Arc::new(move || began.elapsed()),
        page,
        stop,
    })
}

/// Waits until nothing is in the inbox and every delivery to a crew that listens is acknowledged.
async fn rest(gateway: &Gateway) {
    loop {
        let waiting = gateway
            .handle
            .look(|engine| engine.pending_deliveries().map(|delivery| delivery.crew.clone()).collect::<Vec<_>>());
        let Ok(crews) = waiting.await else { return };
        let busy = crews.iter().any(|crew| gateway.present.listens(crew));
        if !busy && gateway.handle.waiting() == 0 && gateway.ledger.counts().in_flight == 0 {
            return;
        }
        tokio::time::sleep(REST_LOOK_EVERY).await;
    }
}

fn counts(gateway: &Gateway) -> Counts {
    let (ledger, totals) = (gateway.ledger.counts(), gateway.tally.totals());
    Counts {
        events: ledger.received - ledger.in_flight,
        alarms: totals.alarms,
        tasks: totals.tasks,
        completed: totals.completed,
        quarantined: ledger.quarantined_total(),
        duplicates: ledger.duplicates,
        ledger_balanced: ledger.balanced(),
        latency: Latency { p50_ms: totals.latency_ms_p50, p99_ms: totals.latency_ms_p99 },
    }
}

fn open(gateway: &Gateway) -> Open {
    let view = gateway.board.view();
    let mut tasks: Vec<_> = view.tasks.values().filter(|row| !row.task.status.ended()).collect();
    tasks.sort_by_key(|row| (row.task.priority, row.task.id));
    let shown = tasks.iter().take(TASKS_SHOWN).map(|row| OpenTask {
        task: row.task.id,
        kind: row.task.kind.clone(),
        priority: row.task.priority,
        status: row.task.status,
        stage: row.task.stage,
        crew: row.task.crew.clone(),
        asset: row.task.asset.clone(),
        requested_at: row.task.requested_at,
    });
    Open { alarms: view.counts.alarms_open, tasks: shown.collect(), tasks_open: tasks.len() as u64 }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _: std::fmt::Result = write!(text, "{byte:02x}");
        text
    })
}
