//! The PostgreSQL store against a real PostgreSQL.

use super::*;
use crate::domain::time::Span;
use crate::store::conformance::{self, JOURNAL};
use crate::store::tables::{ALARM, EVENT_LOG, OBSERVATION, QUARANTINE, ROLLUP_HOUR, TASK};
use crate::store::{Bucket, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_postgres::types::ToSql;

#[path = "../../../tests/support/postgres.rs"]
pub(super) mod cluster;

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn options(cluster: &cluster::Cluster, database: &str) -> PostgresOptions {
    PostgresOptions {
        config: cluster.config(database),
        tls: false,
        ca: None,
        connections_max: 4,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: PATIENCE,
        schema: None,
    }
}

/// A store in a schema of its own, for suites that need many.
fn in_schema(database: &str) -> PostgresStore {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("s{}", COUNT.fetch_add(1, Ordering::Relaxed));
    PostgresStore::new(PostgresOptions { schema: Some(schema), ..options(cluster::shared(), database) }).unwrap()
}

#[test]
fn postgres_conforms() {
    let database = cluster::shared().database();
    conformance::holds(&|| Box::new(in_schema(&database)));
}

pub(super) fn value(text: &str) -> crate::domain::observation::Value {
    crate::domain::observation::Value::Text(text.into())
}

fn all(asset: &str) -> PageAsked {
    PageAsked { asset: Some(asset.into()), ..PageAsked::first(5) }
}

/// How PostgreSQL answers a question: one line for each step.
fn explained(store: &PostgresStore, question: &read::Question) -> String {
    let work = async {
        let connection = store.link.connection().await?;
        let values: Vec<_> = question.values.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
        let rows = connection.query(&format!("EXPLAIN {}", question.sql), &values).await.unwrap();
        Ok(rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect())
    };
    store.wait(PATIENCE, work).unwrap()
}

pub(super) fn execute(store: &PostgresStore, sql: &str) {
    let work = async {
        let connection = store.link.connection().await?;
        connection.batch_execute(sql).await.unwrap();
        connection.good();
        Ok(())
    };
    store.wait(PATIENCE, work).unwrap();
}

#[test]
fn every_question_is_answered_from_an_index() {
    let database = cluster::shared().database();
    let store = PostgresStore::new(options(cluster::shared(), &database)).unwrap();
    store.prepare().unwrap();
    let month = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let (first, last) = (month("2026-01-01T00:00:00Z"), month("2026-03-31T00:00:00Z"));
    let days = Span::from_hours(24 * 400);
    for text in ["2026-01-15T00:00:00Z", "2026-03-15T00:00:00Z"] {
        store.tend(Timestamp::from_micros(month(text)), &Retention { retain_for: days, summaries_for: days }).unwrap();
    }
    // As many rows as make reading a whole table dearer than an index, spread over three months and many assets.
    execute(
        &store,
        &format!(
            "INSERT INTO observation SELECT 1, n, 0, 'd', 'bin-' || n % 20, 'fill', {first} + (n::bigint * \
             ({last} - {first}) / 40000), 0, 4, '%', n, NULL, NULL, NULL, NULL, FALSE FROM generate_series(1, 40000) n;
             INSERT INTO event_log SELECT 1, n, n, 'observed', 'accepted' FROM generate_series(1, 20000) n;
             INSERT INTO alarm SELECT 1, n, 0, n, 'r', 'bin-' || n % 200, 3, NULL, 0, 0, FALSE, n FROM \
             generate_series(1, 20000) n;
             INSERT INTO task SELECT 1, n, 0, n, n, 'bin-' || n % 200, 3, 'k', 's', FALSE, n, 'requested', NULL, NULL, \
             0, 0 FROM generate_series(1, 20000) n;
             INSERT INTO quarantine SELECT 1, n, 0, 'r', '', '', NULL, n, NULL, 1, NULL, NULL FROM \
             generate_series(1, 20000) n;
             INSERT INTO rollup_hour SELECT 'bin-' || n % 200, 'fill', n * 3600000000, 1, 1, 1, 1 FROM \
             generate_series(1, 20000) n;
             ANALYZE"
        ),
    );
    let after = Cursor { time: 9_000, journal: 1, seq: 9_000, n: 0 };
    let second = |asked: PageAsked| PageAsked { after: Some(after), ..asked };
    let fill = ObservationAsked {
        asset: "bin-7".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(month("2026-02-03T00:00:00Z")),
        until: Timestamp::from_micros(month("2026-02-20T00:00:00Z")),
    };
    let hours = RollupAsked {
        asset: "bin-7".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(0),
        until: Timestamp::from_micros(i64::MAX),
        bucket: Bucket::Hour,
    };
    let of_february = Cursor { time: fill.from.as_micros() + 5, ..after };
    let of_february = PageAsked { after: Some(of_february), ..PageAsked::first(50) };
    for (name, question, index) in [
        ("alarms", read::alarms_question(&PageAsked::first(50)), "alarm_by_time"),
        ("alarms, second page", read::alarms_question(&second(PageAsked::first(50))), "alarm_by_time"),
        ("alarms of one asset", read::alarms_question(&second(all("bin-7"))), "alarm_of_asset"),
        ("tasks", read::tasks_question(&second(PageAsked::first(50))), "task_by_time"),
        ("tasks of one asset", read::tasks_question(&second(all("bin-7"))), "task_of_asset"),
        ("quarantine", read::quarantine_question(&second(PageAsked::first(50))), "quarantine_by_time"),
        ("events", read::events_question(&PageAsked::first(50)), "event_log_pkey"),
        ("events, second page", read::events_question(&second(PageAsked::first(50))), "event_log_pkey"),
        ("hours", read::hours_question(&hours, 5, i64::MAX, 51), "rollup_hour_pkey"),
        ("observations", read::observations_question(&fill, &PageAsked::first(50)), "observation_2026_02"),
        ("observations, second page", read::observations_question(&fill, &of_february), "observation_2026_02"),
    ] {
        let plan = explained(&store, &question);
        assert!(plan.contains(index) && plan.contains("Index"), "{name}:\n{plan}");
        // Rows of the same moment only are put in order.
        let in_order = ["Incremental Sort", "Sort Key", "Presorted Key"];
        let sorts = plan.lines().any(|line| line.contains("Sort") && !in_order.iter().any(|word| line.contains(word)));
        assert!(!plan.contains("Seq Scan") && !sorts, "{name}:\n{plan}");
        assert!(!plan.contains("observation_2026_03") && !plan.contains("observation_before"), "{name}:\n{plan}");
    }
    let stretch = read::rows_question(&OBSERVATION, JOURNAL, Some(&[5_000.into(), 0.into()]), Some(9_000), 50);
    let plan = explained(&store, &stretch);
    assert!(plan.contains("Bitmap Index Scan on observation_2026_01_journal_seq_idx"), "a stretch:\n{plan}");
    // What the projector asks for each batch, and what retention asks for each step.
    let numbers = || vec!["ARRAY[7, 8, 9]::bigint[]", "1"];
    let moment = || vec!["200"];
    for (name, sql, values, index) in [
        ("lives of alarms", lives::question(&ALARM), numbers(), "alarm_by_id"),
        ("lives of tasks", lives::question(&TASK), numbers(), "task_by_id"),
        ("old alarms", forget::by_time_sql(&ALARM, "raised_at", "closed_at"), moment(), "alarm_by_time"),
        ("old tasks", forget::by_time_sql(&TASK, "requested_at", "ended_at"), moment(), "task_by_time"),
        (
            "old quarantine",
            forget::by_time_sql(&QUARANTINE, "received_at", "received_at"),
            moment(),
            "quarantine_by_time",
        ),
        ("old events", forget::walk_sql(&EVENT_LOG, "at", true), vec!["200", "1", "500"], "event_log_pkey"),
        (
            "old hours",
            forget::walk_sql(&ROLLUP_HOUR, "start_at", true),
            vec!["200", "'bin-7'", "'fill'", "5"],
            "rollup_hour_pkey",
        ),
    ] {
        let plan = planned(&store, sql, &values);
        assert!(plan.contains(index), "{name}:\n{plan}");
    }
}

/// How PostgreSQL would do it, with these values in the places.
fn planned(store: &PostgresStore, mut sql: String, values: &[&str]) -> String {
    for (at, value) in values.iter().enumerate() {
        sql = sql.replace(&format!("${}", at + 1), value);
    }
    explained(store, &read::Question { sql, values: Vec::new() })
}

#[test]
fn two_programs_at_once_make_the_tables_once_and_keep_everything_once() {
    let database = cluster::shared().database();
    let stores: Vec<_> = (0..4).map(|_| PostgresStore::new(options(cluster::shared(), &database)).unwrap()).collect();
    let entries: Vec<_> = (1..400).map(|seq| conformance::quarantined(seq, seq)).collect();
    let projected = conformance::projected(&entries);
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                for chunk in projected.chunks(37) {
                    while let Err(error) = store.project(JOURNAL, chunk) {
                        assert!(error.retryable(), "{error}");
                    }
                }
            });
        }
    });
    assert_eq!(stores[0].quarantine(&PageAsked::first(1_000)).unwrap().rows.len(), 399);
    assert_eq!(stores[1].state().unwrap().journals, [(JOURNAL.to_string(), Seq(399))]);
}

#[test]
fn newer_tables_are_refused_in_words() {
    let database = cluster::shared().database();
    let store = || PostgresStore::new(options(cluster::shared(), &database)).unwrap();
    assert_eq!(store().look().unwrap(), 0);
    store().prepare().unwrap();
    execute(&store(), "INSERT INTO refinery_schema_history VALUES (99, 'later', '2026-01-01T00:00:00Z', '1')");
    for error in [store().prepare().unwrap_err(), store().look().unwrap_err()] {
        assert!(error.to_string().contains("version 99") && error.retryable(), "{error}");
    }
}

/// Another gateway of a newer version has started beside this one: what does not fit its tables is nobody's fault.
#[test]
fn tables_that_become_newer_set_nothing_aside() {
    let database = cluster::shared().database();
    let store = Arc::new(PostgresStore::new(options(cluster::shared(), &database)).unwrap());
    store.project(JOURNAL, &conformance::projected(&[conformance::quarantined(1, 1)])).unwrap();
    let newer = "ALTER TABLE quarantine ADD COLUMN origin TEXT NOT NULL DEFAULT 'x';
                 ALTER TABLE quarantine ALTER COLUMN origin DROP DEFAULT;
                 INSERT INTO refinery_schema_history VALUES (99, 'later', '2026-01-01T00:00:00Z', '1')";
    cluster::shared().ask(&database, newer);
    let journal: Vec<_> = (1..=9).map(|seq| conformance::quarantined(seq, seq)).collect();
    let read = Box::new(move |from: Seq, max: usize| {
        Ok(journal.iter().filter(|entry| entry.0 >= from).take(max).cloned().collect())
    });
    let seal = Arc::new(conformance::seal);
    let Err(failure) = crate::store::rebuild(store.clone(), JOURNAL, read, seal, Seq(9), |_| {}) else {
        panic!("kept in tables that it does not know")
    };
    assert!(failure.to_string().contains("version 99, and this rettidig is older"), "{failure}");
    let error = store.project(JOURNAL, &conformance::projected(&[conformance::quarantined(2, 2)])).unwrap_err();
    assert!(error.retryable() && matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert_eq!(cluster::shared().ask(&database, "SELECT count(*) FROM set_aside"), "0");
    assert_eq!(cluster::shared().ask(&database, "SELECT max(projected_through) FROM journal"), "1");
}

/// A connection that is made later is not trusted to find the tables of the first.
#[test]
fn each_new_connection_looks_at_the_tables() {
    let database = cluster::shared().database();
    let store = PostgresStore::new(options(cluster::shared(), &database)).unwrap();
    store.prepare().unwrap();
    let newer = "INSERT INTO refinery_schema_history VALUES (99, 'later', '2026-01-01T00:00:00Z', '1')";
    cluster::shared().ask(&database, newer);
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND \
               application_name = 'rettidig'";
    cluster::shared().ask(&database, end);
    let entries = conformance::projected(&[conformance::quarantined(1, 1)]);
    let mut error = store.project(JOURNAL, &entries).unwrap_err();
    // The client may notice only by asking that the server has ended its connection.
    while !matches!(error, StoreError::Newer { .. }) {
        assert!(error.retryable(), "{error}");
        error = store.project(JOURNAL, &entries).unwrap_err();
    }
    assert_eq!(cluster::shared().ask(&database, "SELECT count(*) FROM event_log"), "0");
}

#[test]
fn a_row_postgres_refuses_is_set_aside_with_its_reason() {
    let store = Arc::new(in_schema(&cluster::shared().database()));
    // Too long for an index, and too irregular to be made shorter.
    let long = |seed: u64| {
        let irregular = |n: u64| format!("{:016x}", (n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..900_u64).map(irregular).collect::<String>()
    };
    let journal: Vec<_> = [conformance::placed(1, "dev-1", "bin-1")]
        .into_iter()
        .chain((2..100).map(|seq| {
            let property = if seq % 40 == 0 { long(seq) } else { "fill".to_owned() };
            conformance::observed(seq, "dev-1", vec![(&property, value("x"), 5)])
        }))
        .collect();
    let journal = Arc::new(journal);
    let read = Box::new(move |from: Seq, max: usize| {
        Ok(journal.iter().filter(|entry| entry.0 >= from).take(max).cloned().collect())
    });
    let seal = Arc::new(conformance::seal);
    let progress = crate::store::rebuild(store.clone(), JOURNAL, read, seal, Seq(99), |_| {}).unwrap();
    assert_eq!(progress.set_aside(), 2);
    let aside = store.set_asides(&PageAsked::first(9)).unwrap().rows;
    assert_eq!(aside.iter().map(|row| row.seq.0).collect::<Vec<_>>(), [80, 40]);
    assert!(aside[0].reason.contains("index row") && aside[0].reason.contains("54000"), "{}", aside[0].reason);
    assert_eq!(store.events(&PageAsked::first(200)).unwrap().rows.len(), 97);
}

#[test]
fn a_month_is_dropped_while_others_are_read_and_written() {
    let database = cluster::shared().database();
    let store = PostgresStore::new(PostgresOptions {
        statement_timeout: Duration::from_secs(2),
        ..options(cluster::shared(), &database)
    })
    .unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let (old, fresh) = (at("2026-01-10T00:00:00Z"), at("2026-05-10T00:00:00Z"));
    let observed = |seq, at| conformance::observed(seq, "dev-1", vec![("fill", value("x"), at)]);
    let entries = [conformance::placed(1, "dev-1", "bin-1"), observed(2, old), observed(3, fresh)];
    store.project(JOURNAL, &conformance::projected(&entries)).unwrap();
    let months = || store.state().unwrap().months;
    assert_eq!(months(), ["2026-01", "2026-05"]);

    // Somebody reads the old month in a transaction that does not end.
    let reader = store
        .wait(PATIENCE, async {
            let connection = store.link.connection().await?;
            connection
                .batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT * FROM observation")
                .await
                .unwrap();
            Ok(connection)
        })
        .unwrap();
    let retention = Retention { retain_for: Span::from_hours(24 * 31), summaries_for: Span::from_hours(24 * 400) };
    let now = Timestamp::from_micros(fresh);
    let stopped = store.tend(now, &retention).unwrap_err();
    assert!(stopped.retryable(), "{stopped}");
    store.project(JOURNAL, &conformance::projected(&[observed(4, fresh)])).unwrap();
    let fill = ObservationAsked {
        asset: "bin-1".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(0),
        until: Timestamp::from_micros(i64::MAX),
    };
    assert_eq!(store.observations(&fill, &PageAsked::first(9)).unwrap().rows.len(), 3, "January is left");

    drop(reader);
    // The server ends the reader's connection in its own time.
    while store.tend(now, &retention).is_err() {}
    assert_eq!(months(), ["2026-05", "2026-06", "2026-07", "2026-08"]);
    assert_eq!(store.observations(&fill, &PageAsked::first(9)).unwrap().rows.len(), 2);
}

#[test]
fn tls_is_verified_and_the_password_stays_hidden() {
    let authority = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (authority.cert.pem(), authority.signing_key.serialize_pem());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = cluster::Cluster::start_with_tls(&certificate, &key, "hunter2 hunter2", port);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &certificate).unwrap();
    let with = |password: &str, tls, ca: Option<&std::path::Path>| {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user(cluster::USER).dbname("postgres").password(password);
        let options = PostgresOptions { config, tls, ca: ca.map(Into::into), ..options(&server, "postgres") };
        PostgresStore::new(options).unwrap().look()
    };
    assert_eq!(with("hunter2 hunter2", true, Some(&ca)).unwrap(), 0);
    for (password, tls, ca, word) in [
        ("hunter2 hunter2", true, None, "certificate"),
        ("hunter2 hunter2", false, None, "no encryption"),
        ("wrong", true, Some(ca.as_path()), "password authentication failed"),
    ] {
        let error = with(password, tls, ca).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.to_lowercase().contains(word) && !told.contains("hunter2") && error.retryable(), "{told}");
    }
}
