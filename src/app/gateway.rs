//! A running gateway: everything started in order, and stopped in the opposite one.
//!
//! Start: what answers questions first, what brings in messages last. Stop: nothing new comes in, what was accepted
//! is decided, synced and released, history catches up, a last snapshot is written, the folder is given back.

use super::assembly::Assembly;
use super::calendars::{self, SharedCalendars};
use super::clock::Clock;
use super::control::{self, Listener, Reload, Running};
use super::data_folder::DataFolder;
use super::directory::SharedDirectory;
use super::foundation::Foundation;
use super::handle::Handle;
use super::health::Health;
use super::history::History;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::mandate::Notice;
use super::options;
use super::outbox::{Outbox, World};
use super::people::People;
use super::presence::Presence;
use super::self_watch;
use super::sequencer::{Ended, Sequencer};
use super::snapshots::Snapshots;
use super::source::Source;
use super::stores;
use super::tally::Tally;
use super::usage::Usage;
use super::ways_in::{WaysIn, WaysOut};
use crate::board::{Board, Initial};
use crate::config::{Settings, WrittenCalendars};
use crate::console::ConsoleError;
use crate::dispatch::Dispatch;
use crate::domain::configuration::Configuration;
use crate::domain::decision::Delivery;
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, Seq};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::endpoint::EndpointError;
use crate::engine::Engine;
use crate::store::Store;
use crate::telemetry::sequencer::Meters;
use crate::vault::Vault;
use crate::{console, dispatch, endpoint, intake, store};
use anyhow::{Context as _, bail};
use metrics_exporter_prometheus::PrometheusHandle;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Deliveries on their way to dispatch.
const DISPATCH_INBOX: usize = 4_096;

/// What a start needs beside its foundation.
pub struct Start {
    pub settings: Settings,
    pub assembly: Assembly,
    pub metrics: PrometheusHandle,
    /// What people are told about the rules in force.
    pub notice: Notice,
    /// Where the settings came from, to read them again; none for a gateway that cannot.
    pub source: Option<Source>,
    /// Time is scaled and data is invented: screens say so.
    pub simulated: bool,
}

pub struct Gateway {
    pub handle: Handle,
    pub board: Arc<Board>,
    pub ledger: Arc<Ledger>,
    pub tally: Arc<Tally>,
    pub present: Presence,
    pub vault: Vault,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub addresses: Addresses,
    pub(super) out: WaysOut,
    health: Arc<Health>,
    metrics: PrometheusHandle,
    reload: Reload,
    folder: DataFolder,
    stop: Stop,
    sequencer: JoinHandle<Ended>,
}

/// Where it listens; with port 0 asked for, the port that was given.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Addresses {
    pub mqtt: Vec<SocketAddr>,
    pub mqtts: Vec<SocketAddr>,
    pub http: Vec<SocketAddr>,
}

/// In the order in which things stop.
#[derive(Default)]
struct Stop {
    console: CancellationToken,
    ways_in: CancellationToken,
    dispatch: CancellationToken,
    history: History,
    console_tasks: TaskTracker,
    ways_in_tasks: TaskTracker,
    dispatch_tasks: TaskTracker,
}

/// What a gateway is opened with.
struct Unopened {
    ways: WaysIn,
    to_dispatch: mpsc::Sender<dispatch::Inbox>,
    from_release: mpsc::Receiver<dispatch::Inbox>,
    pending: Vec<Delivery>,
    journal: JournalId,
    simulated: bool,
}

impl Gateway {
    /// # Errors
    /// What could not start, by name. Nothing has been accepted then, and what had started has ended.
    pub async fn start(foundation: Foundation, start: Start) -> anyhow::Result<Self> {
        let settings = start.settings.clone();
        let (configuration, written) = (start.assembly.configuration.clone(), Arc::clone(&start.assembly.calendars));
        let (mut gateway, unopened) = Self::stand(foundation, start).await?;
        let Err(error) = gateway.open(&settings, (configuration, written), unopened).await else { return Ok(gateway) };
        // Why the loop has ended says more than that it no longer answers.
        gateway.drain().await.and(Err(error))
    }

    /// The threads: the loop runs, and nobody can reach it yet.
    async fn stand(foundation: Foundation, start: Start) -> anyhow::Result<(Self, Unopened)> {
        let Foundation { folder, vault, sealing, clock, journal, mut engine, poison, applied, snapshot } = foundation;
        let Start { settings, assembly, metrics, notice, source, simulated } = start;
        tracing::info!(seq = %engine.seq(), applied, "journal recovered");
        super::metering::started(simulated, snapshot.unwrap_or((Seq(0), clock.now())));
        let mut stop = Stop::default();
        let ledger = Arc::new(Ledger::default());
        let tally = Arc::new(Tally::default());
        let (inbox, receiver) = mpsc::channel(settings.limits.inbox_events_max as usize);
        let (to_dispatch, from_release) = mpsc::channel(DISPATCH_INBOX);
        let (durable, durable_seen) = watch::channel(engine.seq());
        let calendars = SharedCalendars::new(&assembly);
        let directory = SharedDirectory::new(options::decode_limits(&settings), assembly.types);
        directory.refresh(&engine);
        let board = Arc::new(Board::with_limits(initial(&mut engine, journal.id()), options::board(&settings)));
        let store = open_store(&settings, folder.root(), clock.now()).await?;
        let handle = Handle::new(inbox, Arc::clone(&ledger));
        let ways = WaysIn::new(&handle, &directory, &vault, &to_dispatch, &clock, &settings);
        let (journal_id, pending) = (journal.id(), engine.pending_deliveries().cloned().collect());
        stop.history.maintain(journal.maintenance(), &clock)?;
        let tending = super::history::tending(&settings.store, &clock);
        let embedded = settings.store.url.is_none();
        let progress = stop.history.project(&store, journal_id, &folder, &sealing, durable_seen, tending, embedded)?;
        let batch_max = settings.limits.batch_events_max as usize;
        let meters = Meters::new();
        let world = World {
            board: Arc::clone(&board),
            dispatch: to_dispatch.clone(),
            directory,
            durable,
            ledger: Arc::clone(&ledger),
            tally: Arc::clone(&tally),
            usage: Usage::new(&engine),
            meters: meters.clone(),
        };
        let sequencer = Sequencer {
            snapshots: Snapshots::new(settings.journal.snapshot_every, clock.now(), engine.seq()),
            calendars: calendars.clone(),
            engine,
            journal,
            clock: clock.clone(),
            inbox: Inbox::new(receiver, batch_max)?,
            outbox: Outbox::new(world, batch_max),
            poison,
            meters,
            measured: false,
        };
        let sequencer = std::thread::Builder::new().name("sequencer".to_owned()).spawn(move || sequencer.run())?;
        let out = WaysOut::default();
        let health = Arc::new(health(&settings, &ways, &out, progress, &notice));
        let gateway = Self {
            handle,
            board,
            ledger,
            tally,
            present: ways.present.clone(),
            vault,
            store,
            clock,
            addresses: Addresses::default(),
            out,
            health,
            metrics,
            reload: Reload::new(source, settings, &ways.directory, calendars, notice),
            folder,
            stop,
            sequencer,
        };
        Ok((gateway, Unopened { ways, to_dispatch, from_release, pending, journal: journal_id, simulated }))
    }

    /// The configuration comes into force, then people and messages come in.
    async fn open(
        &mut self,
        settings: &Settings,
        configuration: (Configuration, Arc<WrittenCalendars>),
        unopened: Unopened,
    ) -> anyhow::Result<()> {
        let Unopened { ways, to_dispatch, from_release, pending, journal, simulated } = unopened;
        put_in_force(&self.handle, configuration).await?;
        let desk = Dispatch::new(options::dispatch(settings, journal), ways.dispatch_ports(&self.out));
        self.stop.dispatch_tasks.spawn(desk.run(from_release, self.stop.dispatch.clone()));
        to_dispatch.send(dispatch::Inbox::Resync(pending)).await.context("start dispatch")?;
        self.open_console(settings, &ways, simulated)?;
        self.open_ways_in(settings, &ways).await?;
        self.open_control()
    }

    /// Commands stop with the console: both are people who ask for changes.
    fn open_control(&self) -> anyhow::Result<()> {
        let listener = Listener::open(self.folder.root()).context("open data/control.sock")?;
        let tasks = self.stop.console_tasks.clone();
        self.stop.console_tasks.spawn(listener.run(self.commands(), self.stop.console.clone(), tasks));
        Ok(())
    }

    /// What commands may use.
    #[must_use]
    pub fn commands(&self) -> Running {
        Running {
            handle: self.handle.clone(),
            vault: self.vault.clone(),
            clock: self.clock.clone(),
            ledger: Arc::clone(&self.ledger),
            health: Arc::clone(&self.health),
            out: self.out.clone(),
            addresses: self.addresses.clone(),
            reload: self.reload.clone(),
        }
    }

    fn open_console(&mut self, settings: &Settings, ways: &WaysIn, simulated: bool) -> anyhow::Result<()> {
        let options = options::console(settings, simulated);
        let clock = self.clock.of_people();
        let people = People { vault: self.vault.clone(), clock: clock.clone() };
        let (sign_in, session, sign_out, first) = (people.clone(), people.clone(), people.clone(), people);
        let (command, rules) = (self.handle.clone(), self.handle.clone());
        let (health, progress) = (Arc::clone(&self.health), Arc::clone(&self.health.progress));
        self.stop.console_tasks.spawn(super::metering::upkeep(self.metrics.clone(), self.stop.console.clone()));
        let metered_clock = self.clock.clone();
        let page = super::metering::Page {
            reading: std::sync::Mutex::default(),
            render: self.metrics.clone(),
            ledger: Arc::clone(&self.ledger),
            handle: self.handle.clone(),
            board: Arc::clone(&self.board),
            progress: Arc::clone(&progress),
            desk: ways.desk.clone(),
            out: self.out.clone(),
            limits: settings.limits.clone(),
            data: self.folder.root().to_owned(),
            now: Arc::new(move || metered_clock.now()),
        };
        let ports = console::Ports {
            sign_in: Arc::new(move |attempt| Box::pin(sign_in.clone().sign_in(attempt))),
            session: Arc::new(move |token| Box::pin(session.clone().session(token))),
            sign_out: Arc::new(move |token| Box::pin(sign_out.clone().sign_out(token))),
            first_start: Arc::new(move |request| Box::pin(first.clone().first_start(request))),
            command: Arc::new(move |request| {
                let handle = command.clone();
                Box::pin(async move {
                    let answer = handle.ask_for(Event::Commanded(request)).await.map_err(|_| console::Unavailable)?;
                    Ok(console::CommandAnswer { seq: answer.seq, verdict: answer.verdict })
                })
            }),
            rules: Arc::new(move |()| {
                let handle = rules.clone();
                Box::pin(async move {
                    let listed = |engine: &Engine| engine.rules().iter().map(Arc::clone).collect();
                    handle.look(listed).await.map_err(|_| console::Unavailable)
                })
            }),
            why: super::why::port(self.handle.clone(), self.clock.clone(), self.reload.calendars.clone()),
            board: Arc::clone(&self.board),
            store: Arc::clone(&self.store),
            progress,
            metrics: Arc::new(move || page.text()),
            health: Arc::new(move || health.now()),
            now: Arc::new(move || clock.now()),
        };
        let running = console::start(options, ports, &self.stop.console, &self.stop.console_tasks);
        let running = running.map_err(|error| match error {
            ConsoleError::Listen { address, source } => not_listening(address, "http", source),
            ConsoleError::PublicOrigin(_) => error.into(),
        })?;
        self.addresses.http = running.addresses;
        Ok(())
    }

    async fn open_ways_in(&mut self, settings: &Settings, ways: &WaysIn) -> anyhow::Result<()> {
        let options = options::endpoint(settings);
        let tracker = self.stop.ways_in_tasks.clone();
        let running = endpoint::Endpoint::start(options, ways.endpoint_ports(), self.stop.ways_in.clone(), tracker);
        let running = running.await.map_err(|error| match error {
            EndpointError::Listen { address, source } => not_listening(address, "endpoint", source),
            EndpointError::NoCertificate(_) | EndpointError::Tls(_) => error.into(),
        })?;
        self.addresses.mqtt = running.local_addrs;
        self.addresses.mqtts = running.local_addrs_tls;
        self.out.open_endpoint(running.handle);
        let mut brokers = BTreeMap::new();
        for broker in &settings.brokers {
            let name = SmolStr::new(&broker.name);
            let options = options::intake(settings, broker);
            let ports = ways.intake_ports(&name);
            let handle = intake::start(options, ports, self.stop.ways_in.clone(), &self.stop.ways_in_tasks)?;
            brokers.insert(name, handle);
        }
        self.out.open_brokers(brokers);
        Ok(())
    }

    /// Whether the loop has ended by itself: the journal has failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.sequencer.is_finished()
    }

    #[must_use]
    pub const fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Says where it listens and, while there is no account yet, how to make the first one.
    ///
    /// # Errors
    /// When the vault does not answer.
    pub fn announce(&self) -> anyhow::Result<()> {
        let Addresses { mqtt, mqtts, http } = &self.addresses;
        tracing::info!(?mqtt, ?mqtts, ?http, "listening");
        let Some(token) = self.vault.first_start_link(self.clock.now())? else { return Ok(()) };
        if let Some(address) = http.first() {
            // To the terminal only, never to the log: the link is a secret.
            let origin = self.reload.settings.http.public_origin.as_deref();
            let link = control::first_start_link(origin, address.port(), &token);
            super::commands::complain(&format!(
                "no account yet; make the first one within a day at
  {link}"
            ));
        }
        Ok(())
    }

    /// Stops without losing anything that was accepted.
    ///
    /// # Errors
    /// When the journal failed: what was not synced was never acknowledged.
    pub async fn drain(self) -> anyhow::Result<()> {
        let Self { handle, stop, sequencer, out, folder, .. } = self;
        stop.ways_in.cancel();
        finish(&stop.ways_in_tasks).await;
        stop.console.cancel();
        finish(&stop.console_tasks).await;
        stop.dispatch.cancel();
        finish(&stop.dispatch_tasks).await;
        handle.stop().await;
        let ended = tokio::task::spawn_blocking(move || sequencer.join()).await?;
        drop(out);
        stop.history.end().await;
        drop(folder);
        match ended {
            Ok(Ended::Drained) => Ok(()),
            Ok(Ended::Journal(error)) => Err(error).context("the journal has failed"),
            Err(_) => bail!("the sequencer has panicked"),
        }
    }
}

/// A database elsewhere is waited for a moment, on a thread that may block.
async fn open_store(settings: &Settings, data: &Path, now: Timestamp) -> anyhow::Result<Arc<dyn Store>> {
    let (settings, data) = (settings.store.clone(), data.to_owned());
    let opening = move || stores::open_or_begin_anew(&settings, &data, now, false);
    let (store, said) = tokio::task::spawn_blocking(opening).await??;
    if let Some(said) = said {
        tracing::error!("{said}");
    }
    Ok(store)
}

/// The configuration on disk is an event when it differs from the one in force; then the start is one too.
async fn put_in_force(
    handle: &Handle,
    (configuration, written): (Configuration, Arc<WrittenCalendars>),
) -> anyhow::Result<()> {
    let (version, mandate) = (configuration.version, configuration.mandate.clone());
    let as_it_is = move |engine: &Engine| {
        let same = engine.configuration().is_some_and(|known| known.mandate == mandate);
        same && calendars::in_force(engine, version, &written)
    };
    if !handle.look(as_it_is).await? {
        let answer = handle.ask_for(Event::Configured(Box::new(configuration))).await?;
        if answer.verdict != Verdict::Accepted {
            bail!("the configuration was not accepted: {:?}", answer.verdict);
        }
    }
    if let Some(event) = handle.look(self_watch::registration).await? {
        handle.ask_for(event).await?;
    }
    handle.ask_for(Event::Started).await?;
    Ok(())
}

fn not_listening(address: SocketAddr, section: &str, source: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(source)
        .context(format!("listen on {address}: stop whoever has it, or set another address as listen in [{section}]"))
}

async fn finish(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

fn health(
    settings: &Settings,
    ways: &WaysIn,
    out: &WaysOut,
    progress: Arc<store::Progress>,
    notice: &Notice,
) -> Health {
    Health {
        handle: ways.handle.clone(),
        progress,
        links: ways.links.clone(),
        brokers: settings.brokers.iter().map(|broker| SmolStr::new(&broker.name)).collect(),
        endpoint_wanted: !settings.endpoint.listen.is_empty(),
        out: out.clone(),
        notice: notice.clone(),
    }
}

fn initial(engine: &mut Engine, journal: JournalId) -> Initial {
    Initial {
        journal,
        seq: engine.seq(),
        at: engine.now(),
        alarms: engine.alarms().cloned().collect(),
        tasks: engine.tasks().cloned().collect(),
        devices_silent: engine.inventory().silent_devices().cloned().collect(),
        quarantined: BTreeMap::new(),
    }
}
