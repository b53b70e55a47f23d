//! Every metric of the house: its name, its kind, its labels with what bounds them, and its HELP text.
//!
//! The metrics page, `deploy/METRICS.md`, the dashboard and the alert rules are checked against this list, so none of
//! them ever names a metric that is not there. Names follow <https://prometheus.io/docs/practices/naming/>: base units
//! last (`_seconds`, `_bytes`), `_total` for what only counts up. Start with [`CATALOGUE`]; [`begin`] tells the recorder.

use crate::domain::reason::QuarantineReason;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use std::fmt::Write as _;

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [Label],
    /// One sentence, shown as HELP.
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Counts up from the start of the process.
    Counter,
    Gauge,
    /// How often which value occurred, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// A label, and why it has few values: each value is a time series that somebody pays for.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
}

#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Exactly these.
    Closed(&'static [&'static str]),
    /// Few, for the reason that is told.
    Limited(&'static str),
}

/// Seconds of machines: from well under a commit to well beyond anything acceptable.
const STAGE: [f64; 19] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Seconds of people: 30 s to a week, with an edge at each usual limit of a response.
const WORK: [f64; 15] = [
    30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0,
    172_800.0, 604_800.0,
];
/// How many at once.
const NUMBERS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1_024.0, 4_096.0];
/// Bytes of a snapshot.
const BYTES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Queues and other places of which there are only so many.
pub(super) const QUEUES: [&str; 8] = [
    "inbox",
    "dispatch_inbox",
    "deliveries",
    "endpoint_connections",
    "endpoint_sessions",
    "endpoint_outgoing",
    "broker_outgoing",
    "live_streams",
];
/// What a received message can become.
pub(super) const OUTCOMES: [&str; 5] = ["decided", "redacted", "duplicate", "refused", "quarantined"];
/// Parts of the data folder.
pub(super) const PARTS: [&str; 5] = ["journal", "snapshots", "store", "vault", "crash"];

const QUARANTINE_REASONS: [&str; QuarantineReason::ALL.len()] = {
    let mut words = [""; QuarantineReason::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = QuarantineReason::ALL[at].as_str();
        at += 1;
    }
    words
};

const QOS: Label = closed("qos", &["0", "1", "2"]);
const BROKER_QOS: Label = closed("qos", &["0", "1"]);
const QUEUE: Label = closed("queue", &QUEUES);
const PRIORITY: Label = closed("priority", &["1", "2", "3", "4"]);
const BROKER: Label = limited("broker", "the brokers of the configuration, at most 16");
const SERVICE: Label =
    limited("service", "the rule files, at most 200 in the life of a process; `other` beyond, `none` without a rule");
const SHADOW: Label = limited(
    "rule",
    "the rules in shadow that would have raised something, at most 200 in the life of a process; `other` beyond",
);
const BY_WORK: &[Label] = &[SERVICE, PRIORITY];
const BY_BROKER: &[Label] = &[BROKER];
const BY_QUEUE: &[Label] = &[QUEUE];

const ENDED: &[&str] = &[
    "disconnected",
    "lost",
    "silent",
    "stuck",
    "taken_over",
    "expelled",
    "violation",
    "oversize",
    "quality_of_service",
    "abandoned",
    "shutting_down",
];
/// The labels of `LinkError` in `src/intake/client.rs`.
const BROKER_FAILURES: &[&str] = &["unreachable", "timeout", "tls", "refused", "closed", "protocol", "withheld"];
const TURNED_AWAY: &[&str] = &[
    "full",
    "wrong_credentials",
    "not_permitted",
    "unavailable",
    "anonymous",
    "bad_greeting",
    "too_slow",
    "tls_handshake",
];

/// In the order of the house: what people do, messages, speed, queues, store, machine.
pub const CATALOGUE: &[Metric] = &[
    gauge("rettidig_build_info", &[limited("version", "one")], "1, with the version that runs."),
    gauge("rettidig_simulated", &[], "1 while time is scaled and data invented, else 0."),
    // What people do, by service.
    counter("rettidig_service_events_total", &[SERVICE], "Observations decided on, by the service they belong to."),
    gauge("rettidig_service_devices", &[SERVICE], "Devices registered."),
    gauge("rettidig_service_devices_silent", &[SERVICE], "Devices that have not spoken for four of their intervals."),
    counter("rettidig_alarms_raised_total", BY_WORK, "Alarms raised, exercises left out."),
    counter(
        "rettidig_rule_shadow_raised_total",
        &[SHADOW],
        "Alarms that rules in shadow would have raised, exercises left out.",
    ),
    gauge("rettidig_alarms_open", BY_WORK, "Alarms that are not closed, exercises left out."),
    gauge("rettidig_alarms_unacknowledged", BY_WORK, "Open alarms that nobody has seen, exercises left out."),
    gauge(
        "rettidig_alarms_unacknowledged_oldest_seconds",
        &[PRIORITY],
        "How long the oldest alarm nobody has seen has waited, exercises left out; 0 when there is none.",
    ),
    work(
        "rettidig_alarm_response_seconds",
        "Time from raising an alarm until a person had seen it, exercises left out.",
    ),
    counter("rettidig_tasks_requested_total", BY_WORK, "Tasks requested, exercises left out."),
    counter("rettidig_tasks_completed_total", BY_WORK, "Tasks a crew has completed, exercises left out."),
    counter("rettidig_tasks_cancelled_total", BY_WORK, "Tasks withdrawn before they were done, exercises left out."),
    gauge("rettidig_tasks_open", BY_WORK, "Tasks that have not ended, exercises left out."),
    work("rettidig_task_completion_seconds", "Time from requesting a task until it was completed, exercises left out."),
    // Messages.
    counter("rettidig_messages_received_total", &[], "Messages handed in by an endpoint or a broker."),
    counter(
        "rettidig_messages_settled_total",
        &[closed("outcome", &OUTCOMES)],
        "Received messages, by what became of them; all of them and those in flight make up the received ones.",
    ),
    gauge("rettidig_messages_in_flight", &[], "Received messages that have no verdict yet."),
    gauge("rettidig_ledger_balanced", &[], "1 while every received message is accounted for, else 0."),
    counter(
        "rettidig_events_total",
        &[closed("verdict", &["accepted", "duplicate", "redacted", "quarantined", "refused"])],
        "Events decided and durable, by verdict: messages, commands, deadlines and all else.",
    ),
    counter(
        "rettidig_observations_late_total",
        &[],
        "Values that came too late to be judged in their place: kept, and judged alone where a rule says so.",
    ),
    gauge(
        "rettidig_observations_held_back",
        &[],
        "Values that wait until they can be judged in the order they were measured.",
    ),
    counter(
        "rettidig_observations_released_early_total",
        &[],
        "Values judged before their time because too many of one asset waited.",
    ),
    counter("rettidig_quarantined_total", &[closed("reason", &QUARANTINE_REASONS)], "Messages set aside, by reason."),
    gauge("rettidig_endpoint_connections", &[], "MQTT clients that are logged in."),
    counter(
        "rettidig_endpoint_received_total",
        &[QOS],
        "Messages received by the MQTT endpoint, by quality of service.",
    ),
    counter("rettidig_endpoint_received_bytes_total", &[], "Bytes received by the MQTT endpoint."),
    counter("rettidig_endpoint_sent_bytes_total", &[], "Bytes sent by the MQTT endpoint."),
    counter(
        "rettidig_endpoint_acknowledged_total",
        &[],
        "Acknowledgements written to senders after their journal entry was synced.",
    ),
    counter(
        "rettidig_endpoint_refused_total",
        &[closed("reason", &["oversize", "topic_not_permitted", "quality_of_service"])],
        "Messages the MQTT endpoint refused, by reason.",
    ),
    counter(
        "rettidig_endpoint_rate_limited_total",
        &[],
        "Times a client exceeded its rate and was not read for a while.",
    ),
    counter("rettidig_endpoint_held_back_total", &[], "Messages whose acceptance made a connection wait."),
    counter(
        "rettidig_endpoint_outgoing_total",
        &[closed("step", &["sent", "sent_again", "delivered", "declined"])],
        "Messages to MQTT clients, by step.",
    ),
    counter("rettidig_endpoint_ended_total", &[closed("reason", ENDED)], "MQTT connections that ended, by reason."),
    counter(
        "rettidig_endpoint_turned_away_total",
        &[closed("reason", TURNED_AWAY)],
        "Connections that were never served, by reason.",
    ),
    counter("rettidig_endpoint_take_overs_total", &[], "MQTT connections replaced by another of the same client."),
    counter(
        "rettidig_endpoint_sessions_expired_total",
        &[],
        "MQTT sessions forgotten because their client stayed away.",
    ),
    counter("rettidig_endpoint_tls_reloads_total", &[], "Times certificates were read again."),
    counter(
        "rettidig_endpoint_tls_reload_failures_total",
        &[],
        "Changed TLS files of the endpoint that could not be used.",
    ),
    gauge("rettidig_intake_connected", BY_BROKER, "1 while an external broker is connected, else 0."),
    counter("rettidig_intake_connections_total", BY_BROKER, "Connections made to an external broker."),
    counter(
        "rettidig_intake_connection_failures_total",
        &[BROKER, closed("reason", BROKER_FAILURES)],
        "Connections to an external broker that ended or failed, by reason.",
    ),
    counter(
        "rettidig_intake_messages_total",
        &[BROKER, BROKER_QOS],
        "Messages received from an external broker, by quality of service.",
    ),
    counter(
        "rettidig_intake_acknowledged_total",
        BY_BROKER,
        "Messages acknowledged to an external broker after the sync.",
    ),
    counter(
        "rettidig_intake_oversize_total",
        BY_BROKER,
        "Messages from an external broker too long to be read, quarantined by their heads.",
    ),
    counter("rettidig_intake_handed_over_total", BY_BROKER, "Messages an external broker took over from the gateway."),
    counter(
        "rettidig_intake_left_at_broker_total",
        BY_BROKER,
        "Messages left at an external broker for the next start.",
    ),
    counter(
        "rettidig_intake_retained_again_total",
        BY_BROKER,
        "Retained messages repeated only because of a new subscription.",
    ),
    counter(
        "rettidig_dispatch_sent_total",
        &[closed("channel", &["endpoint", "broker"])],
        "Messages to crews given to a channel.",
    ),
    counter("rettidig_dispatch_ended_total", &[], "Deliveries to crews that are pending no more, for whatever reason."),
    counter("rettidig_dispatch_expired_total", &[], "Deliveries to crews that nobody took in time."),
    counter(
        "rettidig_dispatch_no_room_total",
        &[],
        "Deliveries that found no room and stay with the engine for a while.",
    ),
    counter("rettidig_dispatch_unsendable_total", &[], "Deliveries that no channel will ever take."),
    counter("rettidig_dispatch_inbox_full_total", &[], "Times dispatch had no room and was handed everything later."),
    counter(
        "rettidig_dispatch_untold_total",
        &[],
        "Acknowledgements that were dropped because dispatch was too far behind.",
    ),
    // Speed.
    stage(
        "rettidig_receive_to_release_seconds",
        &[],
        "Time from a message's arrival until it was decided, durable and acknowledged.",
    ),
    stage("rettidig_decode_seconds", &[], "Time to read one message."),
    stage(
        "rettidig_decide_seconds",
        &[],
        "Time the engine took to decide one message, without the journal; one of each batch is measured.",
    ),
    stage("rettidig_journal_append_seconds", &[], "Time to hand the records of one batch to SQLite."),
    stage("rettidig_journal_commit_seconds", &[], "Time of one commit in the journal."),
    stage("rettidig_journal_sync_seconds", &[], "Time the loop waited until a batch was durable."),
    stage("rettidig_journal_checkpoint_seconds", &[], "Time to move written pages into the journal file."),
    stage("rettidig_journal_snapshot_pause_seconds", &[], "Time the loop stood still to take a snapshot."),
    stage("rettidig_journal_snapshot_seconds", &[], "Time to write a snapshot."),
    stage("rettidig_board_publish_seconds", &[], "Time to publish one view of the present."),
    stage("rettidig_store_batch_seconds", &[], "Time to keep one batch of history."),
    stage(
        "rettidig_console_request_seconds",
        &[
            limited("route", "the patterns of the console's routes"),
            limited("status", "the HTTP status codes that the console gives"),
        ],
        "Time to answer a request, by route and status.",
    ),
    Metric {
        name: "rettidig_batch_events",
        kind: Kind::Histogram(&NUMBERS),
        labels: &[],
        help: "Events decided and synced together.",
    },
    Metric {
        name: "rettidig_journal_batch_records",
        kind: Kind::Histogram(&NUMBERS),
        labels: &[],
        help: "Records made durable together.",
    },
    // Queues against their limits.
    gauge(
        "rettidig_queue_length",
        BY_QUEUE,
        "What waits or sits in a bounded place; of places of which there are several, the fullest.",
    ),
    gauge(
        "rettidig_queue_capacity",
        BY_QUEUE,
        "How much a bounded place holds at most; then senders wait or are refused.",
    ),
    // Console.
    counter(
        "rettidig_console_sign_ins_total",
        &[closed("outcome", &["signed_in", "wrong", "too_many"])],
        "Attempts to sign in, by outcome.",
    ),
    counter(
        "rettidig_console_stream_resets_total",
        &[],
        "Live streams that began with the whole view instead of the difference.",
    ),
    // Journal and store.
    counter("rettidig_journal_records_total", &[], "Records made durable."),
    counter("rettidig_journal_bytes_total", &[], "Bytes of the journal's records."),
    counter("rettidig_journal_checkpointed_pages_total", &[], "Pages moved into the journal file."),
    counter("rettidig_journal_file_switches_total", &[], "Journal files begun after the first."),
    counter("rettidig_journal_pruned_files_total", &[], "Journal files removed because they were old enough."),
    gauge("rettidig_journal_seq", &[], "Number of the last released record."),
    gauge("rettidig_journal_snapshot_seq", &[], "Number of the record the newest snapshot reaches; 0 without one."),
    gauge(
        "rettidig_journal_snapshot_timestamp_seconds",
        &[],
        "When the newest snapshot was taken, in seconds since 1970; without one, when the process started.",
    ),
    Metric {
        name: "rettidig_journal_snapshot_bytes",
        kind: Kind::Histogram(&BYTES),
        labels: &[],
        help: "Size of the snapshots written.",
    },
    gauge("rettidig_store_behind_entries", &[], "Journal entries that history does not hold yet; they wait on disk."),
    counter("rettidig_store_entries_total", &[], "Journal entries taken into history."),
    counter("rettidig_store_failures_total", &[], "Attempts to keep history that failed and are repeated."),
    counter("rettidig_store_set_aside_total", &[], "Journal entries that history could not keep."),
    // Machine. The names of the process are those every Prometheus client uses.
    gauge("rettidig_data_bytes", &[closed("part", &PARTS)], "Bytes that each part of the data folder takes."),
    gauge("rettidig_data_free_bytes", &[], "Bytes that may still be written to the disk of the data folder."),
    gauge("rettidig_data_disk_bytes", &[], "Size of the disk that the data folder stands on."),
    counter("process_cpu_seconds_total", &[], "Processor time of the process, user and system."),
    gauge("process_resident_memory_bytes", &[], "Memory of the process that is in RAM."),
    gauge("process_open_fds", &[], "File descriptors the process has open, one for each connection."),
    gauge("process_max_fds", &[], "File descriptors the process may open."),
    gauge("process_threads", &[], "Threads of the process."),
    gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970."),
];

/// Tells the installed recorder what every metric means, and begins the counters whose labels are known at zero: a
/// rate over what appears only with its first fault would never see that fault.
#[expect(clippy::disallowed_macros, reason = "the names are those of the catalogue")]
pub fn begin() {
    for metric in CATALOGUE {
        match metric.kind {
            Kind::Counter => {
                describe_counter!(metric.name, metric.help);
                for labels in closed_labels(metric.labels) {
                    metrics::counter!(metric.name, labels).increment(0);
                }
            }
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.unit(), metric.help),
        }
    }
}

/// The table for people: `deploy/METRICS.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\nWritten by `make metrics` from `src/telemetry/catalogue.rs`; a test compares. What is counted goes \
         on from the\nstart of the process. A label with a closed list shows it.\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in CATALOGUE {
        let labels: Vec<_> = metric.labels.iter().map(Label::told).collect();
        // Writing to a text cannot fail.
        writeln!(text, "| `{}` | {} | {} | {} |", metric.name, metric.kind.word(), labels.join("; "), metric.help).ok();
    }
    text
}

impl Metric {
    fn unit(&self) -> Unit {
        if self.name.ends_with("_seconds") {
            Unit::Seconds
        } else if self.name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        }
    }
}

impl Kind {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Label {
    fn told(&self) -> String {
        match self.values {
            Values::Closed(words) => format!("`{}`: {}", self.name, words.join(", ")),
            Values::Limited(why) => format!("`{}`: {why}", self.name),
        }
    }
}

/// Every combination of values; none when a label's values are not known beforehand.
fn closed_labels(labels: &[Label]) -> Vec<Vec<metrics::Label>> {
    let mut combinations = vec![Vec::new()];
    for label in labels {
        let Values::Closed(words) = label.values else { return Vec::new() };
        combinations = combinations
            .iter()
            .flat_map(|before| {
                words.iter().map(move |word| {
                    let mut with = before.clone();
                    with.push(metrics::Label::from_static_parts(label.name, word));
                    with
                })
            })
            .collect();
    }
    combinations
}

const fn closed(name: &'static str, words: &'static [&'static str]) -> Label {
    Label { name, values: Values::Closed(words) }
}

const fn limited(name: &'static str, why: &'static str) -> Label {
    Label { name, values: Values::Limited(why) }
}

const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn stage(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(&STAGE), labels, help }
}

const fn work(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(&WORK), labels: BY_WORK, help }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_catalogue_holds_what_the_room_uses_and_nothing_else() {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry");
        let mut used = BTreeSet::new();
        for entry in std::fs::read_dir(room).unwrap() {
            let path = entry.unwrap().path();
            // Folders hold spans, which have no catalogue.
            if path.is_dir() || path.file_stem().unwrap() == "catalogue" {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let names = |word: &&str| word.starts_with("rettidig_") || word.starts_with("process_");
            used.extend(text.split('"').filter(names).map(str::to_owned));
        }
        let known: BTreeSet<_> = CATALOGUE.iter().map(|metric| metric.name.to_owned()).collect();
        assert_eq!(known.len(), CATALOGUE.len(), "a name stands there twice");
        assert_eq!(known, used);
    }

    #[test]
    fn names_follow_the_convention_and_each_has_help() {
        for Metric { name, kind, labels, help } in CATALOGUE {
            let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(plain && help.ends_with('.') && help.len() > 8, "{name}: {help}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            for derived in ["_milliseconds", "_ms", "_kb", "_percent", "_count", "_sum", "_bucket"] {
                assert!(!name.contains(derived), "{name} ends in {derived}");
            }
            for Label { name: label, values } in *labels {
                let bound = match values {
                    Values::Closed(words) => words.len() > 1,
                    Values::Limited(why) => !why.is_empty(),
                };
                assert!(bound && !["device", "asset", "person", "crew", "alarm", "task", "client"].contains(label));
            }
        }
    }

    #[test]
    fn every_reason_of_the_endpoint_is_in_its_list() {
        use crate::telemetry::endpoint::{Ended, TurnedAway};
        assert_eq!(Ended::ALL.map(Ended::as_str), ENDED);
        assert_eq!(TurnedAway::ALL.map(TurnedAway::as_str), TURNED_AWAY);
    }
}
