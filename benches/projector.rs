//! What keeping history costs, beside a bare COPY of the same rows into a table without an index in the same run:
//! `cargo bench --bench projector`. PostgreSQL is one of its own in a temporary folder, with its usual durability.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]

use divan::Bencher;
use divan::counter::ItemsCount;
use rettidig::domain::ids::{JournalId, Seq};
use rettidig::domain::observation::{Finite, Quality, Value};
use rettidig::domain::time::Timestamp;
use rettidig::store::{ObservationRow, PostgresOptions, PostgresStore, Projected, Row, SqliteStore, Store};
use std::sync::OnceLock;
use std::time::Duration;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "support/report.rs"]
mod report;

const JOURNAL: JournalId = JournalId([1; 16]);
const DEVICES: u64 = 5_000;
const BATCHES: [u64; 3] = [64, 1_024, 8_192];

fn main() {
    let what = "So many entries kept in one transaction, each with one observation; the floor copies the observations \
                into a PostgreSQL table without an index. The cluster has its usual durability.";
    report::keep("projector", what, divan::main);
}

/// Entries kept in one transaction, each with one observation; the last column is entries per second.
#[divan::bench(args = BATCHES, sample_count = 20, sample_size = 1)]
fn sqlite(bencher: Bencher, batch: u64) {
    let folder = tempfile::tempdir().unwrap();
    measure(bencher, &SqliteStore::open(&folder.path().join("store.db")).unwrap(), batch);
}

#[divan::bench(args = BATCHES, sample_count = 20, sample_size = 1)]
fn postgresql(bencher: Bencher, batch: u64) {
    let options = PostgresOptions {
        config: cluster().config(&cluster().database()),
        tls: false,
        ca: None,
        connections_max: 2,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(60),
        schema: None,
    };
    measure(bencher, &PostgresStore::new(options).unwrap(), batch);
}

/// The floor: the rows of the observations only, into a table without an index.
#[divan::bench(args = BATCHES, sample_count = 20, sample_size = 1)]
fn postgresql_bare_copy(bencher: Bencher, batch: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = cluster().config(&cluster().database());
    let client = runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio_util::task::TaskTracker::new().spawn(connection);
        let columns = "journal bigint, seq bigint, n bigint, device text, asset text, property text, \
                       observed_at bigint, received_at bigint, quality bigint, unit text, value_number float8, \
                       value_boolean boolean, value_text text, person text, sealed bytea, exercise boolean";
        client.batch_execute(&format!("CREATE TABLE bare ({columns})")).await.unwrap();
        client
    });
    let (whole, text) = (Type::INT8, Type::TEXT);
    #[rustfmt::skip]
    let types = [
        whole.clone(),
        whole.clone(),
        whole.clone(),
        text.clone(),
        text.clone(),
        text.clone(),
        whole.clone(),
        whole.clone(),
        whole,
        text.clone(),
        Type::FLOAT8,
        Type::BOOL,
        text.clone(),
        text,
        Type::BYTEA,
        Type::BOOL,
    ];
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(batch))
        .with_inputs(|| entries(&mut next, batch))
        .bench_local_refs(|entries| runtime.block_on(copy(&client, &types, entries)));
}

async fn copy(client: &tokio_postgres::Client, types: &[Type], entries: &[Projected]) {
    let sink = client.copy_in("COPY bare FROM STDIN BINARY").await.unwrap();
    let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, types));
    for entry in entries {
        let [Row::Observation(row)] = entry.rows.as_slice() else { panic!("one observation") };
        let (seq, observed, received) =
            (entry.seq.0.cast_signed(), row.observed_at.as_micros(), row.received_at.as_micros());
        let Some(Value::Number(value)) = &row.value else { panic!("a number") };
        let (value, none) = (value.get(), None::<&str>);
        let (device, property, unit) = (row.device.as_str(), row.property.as_str(), row.unit.as_str());
        #[rustfmt::skip]
        let cells: [&(dyn ToSql + Sync); 16] = [
            &1_i64,
            &seq,
            &0_i64,
            &device,
            &device,
            &property,
            &observed,
            &received,
            &4_i64,
            &unit,
            &value,
            &None::<bool>,
            &none,
            &none,
            &None::<&[u8]>,
            &row.exercise,
        ];
        writer.as_mut().write(&cells).await.unwrap();
    }
    writer.finish().await.unwrap();
}

fn measure(bencher: Bencher, store: &dyn Store, batch: u64) {
    let placed =
        |n: u64| Row::DevicePlaced { device: device(n).as_str().into(), asset: format!("bin-{n}").as_str().into() };
    let rows = (0..DEVICES).map(placed).collect();
    store.project(JOURNAL, &[entry(1, rows)]).unwrap();
    let mut next = 2;
    bencher
        .counter(ItemsCount::new(batch))
        .with_inputs(|| entries(&mut next, batch))
        .bench_local_refs(|entries| store.project(JOURNAL, entries).unwrap());
}

fn entries(next: &mut u64, batch: u64) -> Vec<Projected> {
    let entries = (*next..*next + batch).map(|seq| entry(seq, vec![observation(seq)])).collect();
    *next += batch;
    entries
}

fn entry(seq: u64, rows: Vec<Row>) -> Projected {
    Projected { seq: Seq(seq), at: at(seq), kind: "observed", verdict: "accepted".into(), rows }
}

fn observation(seq: u64) -> Row {
    Row::Observation(Box::new(ObservationRow {
        device: device(seq % DEVICES).as_str().into(),
        property: "fill".into(),
        observed_at: at(seq),
        received_at: at(seq),
        quality: Quality::Accepted,
        unit: "%".into(),
        value: Finite::new(seq as f64 / 7.0).map(Value::Number),
        person: None,
        sealed: None,
        exercise: false,
    }))
}

/// A hundred a second.
fn at(seq: u64) -> Timestamp {
    Timestamp::from_micros(1_780_000_000_000_000 + seq.cast_signed() * 10_000)
}

fn device(n: u64) -> String {
    format!("dev-{n}")
}

fn cluster() -> &'static postgres::Cluster {
    static CLUSTER: OnceLock<postgres::Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| postgres::Cluster::start(&["fsync=on", "full_page_writes=on", "shared_buffers=256MB"]))
}
