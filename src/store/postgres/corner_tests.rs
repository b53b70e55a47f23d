//! What people do to a database behind the gateway's back, and databases that are not as they should be.

use super::tests::cluster::{Cluster, shared};
use super::tests::{PATIENCE, execute, options, value};
use super::*;
use crate::domain::time::Span;
use crate::store::conformance::{self, JOURNAL};
use crate::store::{StoredValue, Tended};

const OTHER: JournalId = JournalId([7; 16]);

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn observed(seq: u64, at: i64) -> Projected {
    conformance::projected(&[conformance::observed(seq, "dev-1", vec![("fill", value("x"), at)])]).remove(0)
}

fn kept(store: &PostgresStore) -> usize {
    let fill = ObservationAsked {
        asset: "bin-1".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(0),
        until: Timestamp::from_micros(i64::MAX),
    };
    store.observations(&fill, &PageAsked::first(99)).unwrap().rows.len()
}

fn retention(days: i64) -> Retention {
    Retention { retain_for: Span::from_hours(24 * days), summaries_for: Span::from_hours(24 * 400) }
}

/// In the transaction that it holds open.
fn goes_on(store: &PostgresStore, reader: &connect::Connection, sql: &str) {
    let work = async {
        reader.batch_execute(sql).await.unwrap();
        Ok(())
    };
    store.wait(PATIENCE, work).unwrap();
}

fn fresh() -> PostgresStore {
    let store = PostgresStore::new(options(shared(), &shared().database())).unwrap();
    store.project(JOURNAL, &conformance::projected(&[conformance::placed(1, "dev-1", "bin-1")])).unwrap();
    store
}

/// A month that somebody has removed is made again: the row is not at fault, alone or in company.
#[test]
fn a_month_that_went_is_made_again_and_nothing_is_set_aside() {
    let store = fresh();
    let may = at("2026-05-10T00:00:00Z");
    store.project(JOURNAL, &[observed(2, may)]).unwrap();
    execute(&store, "DROP TABLE observation_2026_05");
    let error = store.project(JOURNAL, &[observed(3, may)]).unwrap_err();
    assert!(error.retryable() && error.to_string().contains("no partition"), "{error}");
    store.project(JOURNAL, &[observed(3, may)]).unwrap();
    assert_eq!(kept(&store), 1);
}

/// A table that somebody has removed is missed at once, and clearing makes all of them again.
#[test]
fn a_table_that_went_is_missed_and_made_again() {
    for table in ["alarm", "observation", "journal"] {
        let store = fresh();
        store.project(JOURNAL, &[observed(2, at("2026-05-10T00:00:00Z"))]).unwrap();
        execute(&store, &format!("DROP TABLE {table} CASCADE"));
        let again = PostgresStore::new(options(shared(), store.place().rsplit('/').next().unwrap())).unwrap();
        for error in [again.look().unwrap_err(), again.checkpoint(JOURNAL).unwrap_err()] {
            assert!(matches!(&error, StoreError::Incomplete { table: told, .. } if told == table), "{error:?}");
            assert!(error.retryable() && error.to_string().contains("`rettidig store rebuild`"), "{error}");
        }
        again.clear().unwrap();
        assert_eq!(again.checkpoint(JOURNAL).unwrap(), None);
        again.project(JOURNAL, &conformance::projected(&[conformance::placed(1, "dev-1", "bin-1")])).unwrap();
        again.project(JOURNAL, &[observed(2, at("2026-05-10T00:00:00Z"))]).unwrap();
        assert_eq!(kept(&again), 1, "{table}");
    }
}

/// A comparison that was killed leaves its schema, and the next one removes it; one that goes on is left alone.
#[test]
fn what_a_killed_comparison_left_is_removed_by_the_next() {
    let database = shared().database();
    let scratch = |number| PostgresStore::scratch(options(shared(), &database), number).unwrap();
    let sql = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'rettidig%'";
    shared().ask(&database, "CREATE SCHEMA rettidig_verify_notes");
    let living = scratch(0xffff_ffff_ffff_fff1);
    living.project(JOURNAL, &conformance::projected(&[conformance::placed(1, "dev-1", "bin-1")])).unwrap();
    drop(scratch(2));
    assert!(shared().ask(&database, sql).contains("rettidig_verify_0000000000000002"), "it was killed");
    let next = scratch(3);
    // The server lets go of a lock in its own time.
    while shared().ask(&database, sql).contains("rettidig_verify_0000000000000002") {
        drop(scratch(4));
    }
    let left = shared().ask(&database, sql);
    for name in ["notes", "fffffffffffffff1", "0000000000000003"] {
        assert!(left.contains(name), "{name} has gone: {left}");
    }
    assert_eq!(living.checkpoint(JOURNAL).unwrap(), Some(Seq(1)));
    next.remove_schema().unwrap();
}

/// A row that comes late for a month on its way out: the way out is finished first, and the month begins anew.
#[test]
fn a_late_row_for_a_month_on_its_way_out_is_kept() {
    let store = PostgresStore::new(PostgresOptions {
        statement_timeout: Duration::from_secs(2),
        ..options(shared(), &shared().database())
    })
    .unwrap();
    let january = at("2026-01-10T00:00:00Z");
    store.project(JOURNAL, &conformance::projected(&[conformance::placed(1, "dev-1", "bin-1")])).unwrap();
    store.project(JOURNAL, &[observed(2, january)]).unwrap();
    let reader = store
        .wait(PATIENCE, async {
            let connection = store.link.connection().await?;
            let sql = "SET idle_in_transaction_session_timeout = 0; BEGIN; \
                       SELECT * FROM observation WHERE observed_at = 0";
            connection.batch_execute(sql).await.unwrap();
            Ok(connection)
        })
        .unwrap();
    let now = Timestamp::from_micros(at("2026-05-10T00:00:00Z"));
    assert!(store.tend(now, &retention(31)).unwrap_err().retryable());
    goes_on(&store, &reader, "SELECT * FROM observation_2026_01");
    let error = store.project(JOURNAL, &[observed(3, january)]).unwrap_err();
    assert!(error.retryable(), "while the reader holds it: {error}");
    drop(reader);
    while let Err(error) = store.project(JOURNAL, &[observed(3, january)]) {
        assert!(error.retryable(), "{error}");
    }
    assert_eq!(kept(&store), 1);
}

/// Each month stands for itself, and history does not wait long for any of them.
#[test]
fn a_month_in_use_stops_no_other_month() {
    let store = fresh();
    let months = ["2026-01", "2026-02", "2026-03", "2026-05"];
    for (seq, month) in (2..).zip(months) {
        store.project(JOURNAL, &[observed(seq, at(&format!("{month}-10T00:00:00Z")))]).unwrap();
    }
    let now = Timestamp::from_micros(at("2026-05-10T00:00:00Z"));
    let in_use = |sql: &str| {
        let sql = format!("SET idle_in_transaction_session_timeout = 0; BEGIN; {sql}");
        let using = async {
            let connection = store.link.connection().await?;
            connection.batch_execute(&sql).await.unwrap();
            Ok(connection)
        };
        store.wait(PATIENCE, using).unwrap()
    };
    let left = || store.state().unwrap().months[..2].to_vec();
    // One month by its own name: the others go.
    let reader = in_use("SELECT * FROM observation_2026_01");
    let started = crate::telemetry::stopwatch();
    assert!(store.tend(now, &retention(31)).unwrap_err().retryable());
    // A tenth of a second where nothing else runs; it waited three times five seconds for the first.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(left(), ["2026-01", "2026-05"]);
    drop(reader);
    while store.tend(now, &retention(31)).is_err() {}
    assert_eq!(left(), ["2026-05", "2026-06"]);
    // The table of all months, and then what is on its way out already.
    store.project(JOURNAL, &[observed(9, at("2026-02-10T00:00:00Z"))]).unwrap();
    let reader = in_use("SELECT * FROM observation WHERE observed_at = 0");
    let started = crate::telemetry::stopwatch();
    assert!(store.tend(now, &retention(31)).unwrap_err().retryable());
    goes_on(&store, &reader, "SELECT * FROM observation_2026_02");
    assert!(store.tend(now, &retention(31)).unwrap_err().retryable());
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    drop(reader);
    while store.tend(now, &retention(31)).is_err() {}
    assert_eq!(left(), ["2026-05", "2026-06"]);
}

/// Retention ended between the two halves of a removal: the table that hangs on nothing goes the next time.
#[test]
fn a_month_that_was_detached_and_left_is_dropped() {
    let store = fresh();
    for (seq, month) in [(2, "2026-01-10T00:00:00Z"), (3, "2026-05-10T00:00:00Z")] {
        store.project(JOURNAL, &[observed(seq, at(month))]).unwrap();
    }
    execute(&store, "ALTER TABLE observation DETACH PARTITION observation_2026_01");
    // Made by a person, and none of ours.
    execute(&store, "CREATE TABLE observation_notes (note TEXT)");
    let now = Timestamp::from_micros(at("2026-05-10T00:00:00Z"));
    assert_eq!(store.tend(now, &retention(31)).unwrap(), Tended::All);
    let tables = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'observation\\_%' \
                  AND relkind = 'r'";
    let left: String = store
        .wait(PATIENCE, async {
            let connection = store.link.connection().await?;
            Ok(connection.query_one(tables, &[]).await.unwrap().get(0))
        })
        .unwrap();
    let expected = "observation_2026_05 observation_2026_06 observation_2026_07 observation_2026_08 observation_after \
                    observation_before observation_notes";
    assert_eq!(left, expected);
}

/// Retention is done in pieces, each short, and comes to the same end.
#[test]
fn much_that_is_old_goes_in_pieces() {
    let store = fresh();
    execute(
        &store,
        "INSERT INTO event_log SELECT 9, n, n, 'observed', 'accepted' FROM generate_series(1, 250000) n;
         INSERT INTO event_log SELECT 9, n, 3000000000000000 + n, 'observed', 'accepted' \
         FROM generate_series(250001, 300000) n;
         INSERT INTO event_log SELECT 8, n, n, 'observed', 'accepted' FROM generate_series(1, 10) n;
         INSERT INTO rollup_hour SELECT 'bin-' || n % 3, 'fill', n * 3600000000, 1, 1, 1, 1 \
         FROM generate_series(1, 60000) n;
         INSERT INTO rollup_hour SELECT 'bin-9', 'fill', 3000000000000000 + n, 1, 1, 1, 1 \
         FROM generate_series(1, 5) n",
    );
    let now = Timestamp::from_micros(at("2026-05-10T00:00:00Z"));
    let mut calls = 1;
    while store.tend(now, &retention(31)).unwrap() == Tended::Part {
        calls += 1;
    }
    assert!(calls > 1, "all in one piece");
    let count = |sql: &str| {
        let asked = async {
            let connection = store.link.connection().await?;
            Ok(connection.query_one(sql, &[]).await.unwrap().get::<_, i64>(0))
        };
        store.wait(PATIENCE, asked).unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM event_log WHERE journal IN (8, 9)"), 50_000);
    let cutoff = at("2025-04-01T00:00:00Z");
    assert_eq!(count(&format!("SELECT count(*) FROM rollup_hour WHERE start_at < {cutoff}")), 0);
    assert_eq!(count("SELECT count(*) FROM rollup_hour WHERE asset = 'bin-9'"), 5);
    assert_eq!(store.tend(now, &retention(31)).unwrap(), Tended::All, "nothing is looked for twice");
}

/// Steps of a migration go together: one that breaks off leaves nothing, and the next start does them all.
#[test]
fn a_migration_that_breaks_off_leaves_nothing_behind() {
    let database = shared().database();
    let store = PostgresStore::new(options(shared(), &database)).unwrap();
    // In the way of the last step.
    shared().ask(&database, "CREATE TABLE rollup_hour (in_the_way INT)");
    let error = store.prepare().unwrap_err();
    assert!(error.retryable() && error.to_string().contains("already exists"), "{error}");
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
                  AND relname NOT IN ('rollup_hour', 'refinery_schema_history')";
    assert_eq!(shared().ask(&database, tables), "0");
    shared().ask(&database, "DROP TABLE rollup_hour");
    store.project(JOURNAL, &[observed(2, 5)]).unwrap();
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(2)));
}

/// The server is killed while tables are made; the lock goes with the connection.
#[test]
fn a_connection_killed_during_the_migration_leaves_no_lock() {
    let database = shared().database();
    let store = PostgresStore::new(options(shared(), &database)).unwrap();
    std::thread::scope(|scope| {
        // Somebody else holds the lock, so that the migration waits where it is killed.
        let holding = scope.spawn(|| {
            let lock = format!("SELECT pg_advisory_lock({}); SELECT pg_sleep(1)", connect::MIGRATION_LOCK);
            shared().ask(&database, &lock);
        });
        let waiting = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE \
                       datname = current_database() AND wait_event = 'advisory' AND application_name = 'rettidig'";
        let preparing = scope.spawn(|| store.prepare());
        let mut killed = 0;
        while killed == 0 && !preparing.is_finished() {
            killed = shared().ask(&database, waiting).parse().unwrap();
        }
        holding.join().unwrap();
        let first = preparing.join().unwrap();
        assert!(killed == 0 || first.is_err_and(|error| error.retryable()));
    });
    store.prepare().unwrap();
    assert!(store.look().unwrap() > 0);
}

#[test]
fn a_login_without_rights_is_told_so_in_words() {
    let database = shared().database();
    shared().ask("postgres", &format!("CREATE ROLE reader_{database} LOGIN"));
    shared().ask(&database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let mut reading = options(shared(), &database);
    reading.config.user(format!("reader_{database}"));
    let store = PostgresStore::new(reading).unwrap();
    let error = store.prepare().unwrap_err();
    assert!(error.retryable() && error.to_string().contains("permission denied for schema public"), "{error}");
    // The tables are there and belong to somebody else.
    PostgresStore::new(options(shared(), &database)).unwrap().prepare().unwrap();
    let error = store.project(JOURNAL, &[observed(2, 5)]).unwrap_err();
    assert!(error.retryable() && error.to_string().contains("permission denied"), "{error}");
}

#[test]
fn a_database_that_cannot_write_every_letter_is_refused() {
    let database = shared().database();
    let latin = format!("latin_{database}");
    let sql = format!("CREATE DATABASE {latin} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    shared().ask("postgres", &sql);
    let store = PostgresStore::new(options(shared(), &latin)).unwrap();
    for error in [store.look().unwrap_err(), store.prepare().unwrap_err()] {
        assert!(error.to_string().contains("LATIN1"), "{error}");
    }
}

/// Dropped and made again empty while the gateway runs: the tables are made, and the checkpoint says where to begin.
#[test]
fn a_database_that_is_dropped_and_made_again_is_filled_again() {
    let store = fresh();
    let name = store.place().rsplit('/').next().unwrap().to_owned();
    shared().ask("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
    let error = store.project(JOURNAL, &[observed(2, 5)]).unwrap_err();
    assert!(error.retryable(), "{error}");
    let error = store.checkpoint(JOURNAL).unwrap_err();
    assert!(error.retryable() && error.to_string().contains("does not exist"), "{error}");
    shared().ask("postgres", &format!("CREATE DATABASE {name}"));
    let mut found = store.checkpoint(JOURNAL);
    while let Err(error) = found {
        assert!(error.retryable(), "{error}");
        found = store.checkpoint(JOURNAL);
    }
    assert_eq!(found.unwrap(), None);
    store.project(JOURNAL, &[observed(2, 5)]).unwrap();
}

/// Two gateways in one database: neither touches the other's alarms, and together they lose no number of an hour.
#[test]
fn two_gateways_add_to_the_same_hour_at_once() {
    const ENTRIES: u64 = 60;
    let database = shared().database();
    let stores = [JOURNAL, OTHER].map(|journal| (journal, PostgresStore::new(options(shared(), &database)).unwrap()));
    stores[0].1.project(JOURNAL, &conformance::projected(&[conformance::placed(1, "dev-1", "bin-1")])).unwrap();
    stores[1].1.project(OTHER, &conformance::projected(&[conformance::placed(1, "dev-1", "bin-1")])).unwrap();
    let number =
        || crate::domain::observation::Finite::new(1.0).map(crate::domain::observation::Value::Number).unwrap();
    std::thread::scope(|scope| {
        for (journal, store) in &stores {
            scope.spawn(move || {
                for seq in 2..2 + ENTRIES {
                    let entry = conformance::observed(seq, "dev-1", vec![("fill", number(), 5)]);
                    while let Err(error) =
                        store.project(*journal, &conformance::projected(std::slice::from_ref(&entry)))
                    {
                        assert!(error.retryable(), "{error}");
                    }
                }
            });
        }
    });
    let asked = RollupAsked {
        asset: "bin-1".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(0),
        until: Timestamp::from_micros(i64::MAX),
        bucket: crate::store::Bucket::Hour,
    };
    let hours = stores[0].1.rollups(&asked, &PageAsked::first(9)).unwrap().rows;
    assert_eq!(hours.iter().map(|hour| hour.count).collect::<Vec<_>>(), [2 * ENTRIES]);
}

/// A value of many megabytes is kept as it is; what does not fit an index is another matter (`tests`).
#[test]
fn a_very_long_text_comes_back() {
    let store = fresh();
    let long = "læ\0ng☂".repeat(300_000);
    let entry = conformance::observed(2, "dev-1", vec![("fill", value(&long), 5)]);
    store.project(JOURNAL, &conformance::projected(&[entry])).unwrap();
    let fill = ObservationAsked {
        asset: "bin-1".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(0),
        until: Timestamp::from_micros(9),
    };
    let rows = store.observations(&fill, &PageAsked::first(9)).unwrap().rows;
    assert!(matches!(&rows[0].value, StoredValue::Text(text) if *text == long));
}

/// A server that only reads, as one that is being taken over: nothing is set aside, and it goes on when it writes again.
#[test]
fn a_server_that_only_reads_is_waited_for() {
    let cluster = Cluster::start(&[]);
    let store = PostgresStore::new(options(&cluster, "postgres")).unwrap();
    store.prepare().unwrap();
    cluster.ask("postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
    cluster.ask("postgres", "SELECT pg_reload_conf()");
    cluster
        .ask("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rettidig'");
    let mut error = store.project(JOURNAL, &[observed(2, 5)]).unwrap_err();
    while !error.to_string().contains("read-only") {
        assert!(error.retryable(), "{error}");
        error = store.project(JOURNAL, &[observed(2, 5)]).unwrap_err();
    }
    assert!(error.retryable(), "{error}");
}
