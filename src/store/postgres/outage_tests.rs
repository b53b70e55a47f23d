//! PostgreSQL goes away in every way it can while history is projected: nothing is lost, nothing is there twice, and
//! it catches up by itself.

use super::tests::cluster::Cluster;
use super::*;
use crate::domain::observation::{Finite, Value};
use crate::domain::time::Span;
use crate::store::conformance::{self, JOURNAL};
use crate::store::{Entry, Ports, Progress, Projector, Scope, SqliteStore, compare};
use std::sync::Arc;
use tokio::sync::watch;

const ENTRIES: u64 = 30_000;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Observations of a hundred devices over three months, and now and then a quarantined message.
fn journal() -> Arc<Vec<Entry>> {
    let entry = |seq: u64| match seq {
        1..=100 => conformance::placed(seq, &format!("dev-{seq}"), &format!("bin-{seq}")),
        seq if seq.is_multiple_of(50) => conformance::quarantined(seq, seq),
        seq => {
            let value = Finite::new(seq as f64 / 7.0).map(Value::Number).unwrap();
            let at = 1_700_000_000_000_000 + seq as i64 * 250_000_000;
            conformance::observed(seq, &format!("dev-{}", seq % 100 + 1), vec![("fill", value, at)])
        }
    };
    Arc::new((1..=ENTRIES).map(entry).collect())
}

/// A projector on its own thread, as in a gateway.
struct Following {
    journal: Arc<Vec<Entry>>,
    store: Arc<PostgresStore>,
    progress: Arc<Progress>,
    durable: watch::Sender<Seq>,
    shutdown: CancellationToken,
    thread: std::thread::JoinHandle<()>,
}

impl Following {
    fn start(cluster: &Cluster, entries_at_once: usize) -> Self {
        let store = Arc::new(
            PostgresStore::new(PostgresOptions {
                config: cluster.config("postgres"),
                tls: false,
                ca: None,
                connections_max: 4,
                connect_timeout: Duration::from_secs(1),
                statement_timeout: Duration::from_secs(2),
                schema: None,
            })
            .unwrap(),
        );
        let journal = journal();
        let (durable, watching) = watch::channel(Seq(0));
        let entries = Arc::clone(&journal);
        let read = Box::new(move |from: Seq, max: usize| {
            let first = from.0 as usize - 1;
            Ok(entries[first..entries.len().min(first + max.min(entries_at_once))].to_vec())
        });
        let ports =
            Ports { read, seal: Arc::new(conformance::seal), durable: watching, tending: None, unhurried: None };
        let projector = Projector::new(store.clone(), JOURNAL, ports);
        let (progress, shutdown) = (projector.progress(), CancellationToken::new());
        let token = shutdown.clone();
        let thread = std::thread::spawn(move || projector.run(&token).unwrap());
        Self { journal, store, progress, durable, shutdown, thread }
    }

    fn durable(&self, seq: u64) {
        self.durable.send(Seq(seq)).unwrap();
    }

    fn wait_until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let started = crate::telemetry::stopwatch();
        while !reached(self) {
            assert!(started.elapsed() < PATIENCE, "{what}: {} behind", self.progress.behind());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_until_failing(&self) {
        self.wait_until("nobody noticed that PostgreSQL is away", |this| this.progress.failing());
    }

    /// Everything is there, once, as in a store that nothing happened to.
    fn ends_whole(self) {
        self.durable(ENTRIES);
        self.wait_until("it does not catch up", |this| {
            this.progress.behind() == 0 && !this.progress.failing() && this.progress.projected().0 == ENTRIES
        });
        self.shutdown.cancel();
        self.thread.join().unwrap();
        assert_eq!(self.progress.set_aside(), 0, "an outage is nobody's fault");
        let folder = tempfile::tempdir().unwrap();
        let other = SqliteStore::open(&folder.path().join("store.db")).unwrap();
        self.journal
            .chunks(4_096)
            .for_each(|entries| other.project(JOURNAL, &conformance::projected(entries)).unwrap());
        let retention = Retention { retain_for: Span::from_hours(1), summaries_for: Span::from_hours(1) };
        let cutoff = retention.cutoff(Timestamp::from_micros(0));
        let open = |_: &_, sealed: &[u8]| Some(sealed.to_vec());
        let scope = Scope { journal: JOURNAL, first: Seq(1), cutoff, other_journals: false, open: &open };
        let found = compare(&*self.store, &other, &scope).unwrap();
        assert_eq!(found.iter().map(|found| found.differences).sum::<u64>(), 0, "{found:#?}");
        assert_eq!(found[0].live, ENTRIES);
    }
}

#[test]
fn postgres_is_stopped_before_the_start_and_again() {
    let cluster = Cluster::start(&[]);
    cluster.stop();
    let following = Following::start(&cluster, 500);
    following.durable(10_000);
    following.wait_until_failing();
    cluster.start_again();
    following.wait_until("it does not begin", |this| this.progress.projected() > Seq(1_000));
    cluster.stop();
    following.durable(20_000);
    following.wait_until_failing();
    assert!(following.store.alarms(&PageAsked::first(1)).unwrap_err().retryable());
    cluster.start_again();
    following.ends_whole();
}

/// The process ends while its database stands still: nobody waits for the limits of a call.
#[test]
fn a_call_that_waits_ends_when_the_store_is_closed() {
    let cluster = Cluster::start(&[]);
    let options = PostgresOptions {
        config: cluster.config("postgres"),
        tls: false,
        ca: None,
        connections_max: 4,
        connect_timeout: PATIENCE * 10,
        statement_timeout: PATIENCE * 10,
        schema: None,
    };
    let store = PostgresStore::new(options).unwrap();
    store.prepare().unwrap();
    cluster.pause();
    let entries = conformance::projected(&[conformance::quarantined(1, 1)]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.project(JOURNAL, &entries));
        store.close();
        let error = waiting.join().unwrap().unwrap_err();
        assert!(error.retryable() && error.to_string().contains("being closed"), "{error}");
    });
    assert!(store.checkpoint(JOURNAL).unwrap_err().to_string().contains("being closed"));
    cluster.resume();
}

#[test]
fn postgres_stands_still_and_goes_on() {
    let cluster = Cluster::start(&[]);
    let following = Following::start(&cluster, 500);
    following.durable(ENTRIES);
    following.wait_until("it does not begin", |this| this.progress.projected() > Seq(1_000));
    cluster.pause();
    following.wait_until_failing();
    let asked = following.store.events(&PageAsked::first(1)).unwrap_err();
    assert!(asked.retryable() && asked.to_string().contains("PostgreSQL at"), "{asked}");
    cluster.resume();
    following.ends_whole();
}

#[test]
fn postgres_has_no_connection_to_give() {
    let cluster = Cluster::start(&["max_connections=6", "superuser_reserved_connections=0", "max_wal_senders=0"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let tasks = tokio_util::task::TaskTracker::new();
    let hogs: Vec<_> = (0..6)
        .map(|_| {
            let config = cluster.config("postgres");
            runtime.block_on(async {
                let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
                tasks.spawn(connection);
                client
            })
        })
        .collect();
    let following = Following::start(&cluster, 500);
    following.durable(ENTRIES);
    following.wait_until_failing();
    let error = following.store.look().unwrap_err();
    assert!(error.to_string().contains("too many clients") && error.retryable(), "{error}");
    drop(hogs);
    following.ends_whole();
}

/// Waits for a COPY of the store and gives its process; none when there was no COPY for a while.
const CATCH: &str = "CREATE FUNCTION caught() RETURNS int LANGUAGE plpgsql AS $$ DECLARE found int; \
     until timestamptz := clock_timestamp() + interval '3 seconds'; BEGIN LOOP \
     SELECT pid INTO found FROM pg_stat_activity WHERE application_name = 'rettidig' AND state = 'active' AND \
     query LIKE 'COPY observation%'; EXIT WHEN found IS NOT NULL OR clock_timestamp() > until; \
     PERFORM pg_stat_clear_snapshot(); END LOOP; RETURN found; END $$";

#[test]
fn connections_and_the_server_are_killed_in_the_middle_of_a_copy() {
    const ROUNDS: u64 = 6;
    let cluster = Cluster::start(&["max_connections=20"]);
    cluster.ask("postgres", CATCH);
    let following = Following::start(&cluster, 250);
    let mut hits = 0;
    for round in 1..=ROUNDS {
        let sql = if round % 3 == 0 { "SELECT caught()" } else { "SELECT pg_terminate_backend(caught())" };
        let caught = std::thread::scope(|scope| {
            let catching = scope.spawn(|| cluster.ask("postgres", sql));
            following.durable(round * (ENTRIES - 1_000) / ROUNDS);
            catching.join().unwrap()
        });
        hits += usize::from(!caught.is_empty());
        if round == 3 && !caught.is_empty() {
            Cluster::kill_process(caught.parse().unwrap());
        } else if round == 6 {
            cluster.kill();
            cluster.start_again();
        }
        following.wait_until("it does not go on", |this| this.progress.behind() < 2_000 && !this.progress.failing());
    }
    assert!(hits >= 3, "only {hits} of {ROUNDS} were in the middle of a COPY");
    following.ends_whole();
}
