//! What each metric means, in one line: the HELP text of the metrics page.
//!
//! The test below finds every name in this room, so that none goes without. Start with `KNOWN`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// The ending of a name tells its kind: `_total` is a counter; `_seconds` and the names in [`SIZES`] are histograms;
/// anything else is a gauge.
const KNOWN: [(&str, &str); 63] = [
    ("rettidig_alarms_open", "Alarms that are not closed."),
    ("rettidig_batch_events", "Events decided and synced together."),
    ("rettidig_board_publish_seconds", "Time to publish one view of the present."),
    ("rettidig_console_request_seconds", "Time to answer a request, by route and status."),
    ("rettidig_console_sign_ins_total", "Attempts to sign in, by outcome."),
    ("rettidig_console_stream_resets_total", "Live streams that began with the whole view instead of the difference."),
    ("rettidig_console_streams", "Live streams to screens."),
    ("rettidig_decide_seconds", "Time the engine took to decide one event, without the journal."),
    ("rettidig_decode_seconds", "Time to read one message."),
    ("rettidig_dispatch_ended_total", "Deliveries to crews that are pending no more, for whatever reason."),
    ("rettidig_dispatch_expired_total", "Deliveries to crews that nobody took in time."),
    ("rettidig_dispatch_inbox_full_total", "Times dispatch had no room and was handed everything later."),
    ("rettidig_dispatch_no_room_total", "Deliveries that found no room and stay with the engine for a while."),
    ("rettidig_dispatch_pending", "Deliveries waiting for a crew."),
    ("rettidig_dispatch_sent_total", "Messages to crews given to a channel."),
    ("rettidig_dispatch_unsendable_total", "Deliveries that no channel will ever take."),
    (
        "rettidig_endpoint_acknowledged_total",
        "Acknowledgements written to senders after their journal entry was synced.",
    ),
    ("rettidig_endpoint_connections", "MQTT clients that are logged in."),
    ("rettidig_endpoint_ended_total", "MQTT connections that ended, by reason."),
    ("rettidig_endpoint_held_back_total", "Messages whose acceptance made a connection wait."),
    ("rettidig_endpoint_outgoing_total", "Messages to MQTT clients, by step."),
    ("rettidig_endpoint_rate_limited_total", "Seconds cut short because a client exceeded its rate."),
    ("rettidig_endpoint_received_bytes_total", "Bytes received by the MQTT endpoint."),
    ("rettidig_endpoint_received_total", "Messages received by the MQTT endpoint, by quality of service."),
    ("rettidig_endpoint_refused_total", "Messages the MQTT endpoint refused, by reason."),
    ("rettidig_endpoint_sent_bytes_total", "Bytes sent by the MQTT endpoint."),
    ("rettidig_endpoint_sessions_expired_total", "MQTT sessions forgotten because their client stayed away."),
    ("rettidig_endpoint_take_overs_total", "MQTT connections replaced by another of the same client."),
    ("rettidig_endpoint_tls_reloads_total", "Times certificates were read again."),
    ("rettidig_endpoint_turned_away_total", "Connections that were never served, by reason."),
    ("rettidig_events_total", "Events decided and durable, by verdict."),
    ("rettidig_inbox_events", "Events waiting for the loop."),
    ("rettidig_inbox_events_max", "Events the inbox holds at most; then senders wait."),
    ("rettidig_intake_acknowledged_total", "Messages acknowledged to an external broker after the sync."),
    ("rettidig_intake_connected", "1 while an external broker is connected, else 0."),
    ("rettidig_intake_connection_failures_total", "Connections to an external broker that ended or failed, by reason."),
    ("rettidig_intake_connections_total", "Connections made to an external broker."),
    ("rettidig_intake_handed_over_total", "Messages an external broker took over from the gateway."),
    ("rettidig_intake_left_at_broker_total", "Messages left at an external broker for the next start."),
    ("rettidig_intake_messages_total", "Messages received from an external broker, by quality of service."),
    ("rettidig_intake_retained_again_total", "Retained messages repeated only because of a new subscription."),
    ("rettidig_journal_append_seconds", "Time to encode and insert the records of one batch."),
    ("rettidig_journal_batch_records", "Records made durable together."),
    ("rettidig_journal_bytes_total", "Bytes of the journal's records."),
    ("rettidig_journal_checkpoint_seconds", "Time to move written pages into the journal file."),
    ("rettidig_journal_checkpointed_pages_total", "Pages moved into the journal file."),
    ("rettidig_journal_commit_seconds", "Time of one commit in the journal."),
    ("rettidig_journal_file_switches_total", "Journal files begun after the first."),
    ("rettidig_journal_pruned_files_total", "Journal files removed because they were old enough."),
    ("rettidig_journal_records_total", "Records made durable."),
    ("rettidig_journal_snapshot_bytes", "Size of the snapshots written."),
    ("rettidig_journal_snapshot_seconds", "Time to write a snapshot."),
    ("rettidig_journal_sync_seconds", "Time the loop waited until a batch was durable."),
    ("rettidig_ledger_balanced", "1 while every received message is accounted for, else 0."),
    ("rettidig_messages", "Messages since the start, by what became of them: one reading of the ledger."),
    ("rettidig_quarantined_total", "Messages set aside, by reason."),
    (
        "rettidig_receive_to_release_seconds",
        "Time from a message's arrival until it was decided, durable and acknowledged.",
    ),
    ("rettidig_store_batch_seconds", "Time to keep one batch of history."),
    ("rettidig_store_behind_entries", "Journal entries that history does not hold yet."),
    ("rettidig_store_entries_total", "Journal entries taken into history."),
    ("rettidig_store_failures_total", "Attempts to keep history that failed and are repeated."),
    ("rettidig_store_set_aside_total", "Journal entries that history could not keep."),
    ("rettidig_tasks_open", "Tasks that have not ended."),
];

/// Histograms of something else than time.
const SIZES: [(&str, Unit); 3] = [
    ("rettidig_batch_events", Unit::Count),
    ("rettidig_journal_batch_records", Unit::Count),
    ("rettidig_journal_snapshot_bytes", Unit::Bytes),
];

/// Tells the installed recorder what every metric means.
pub fn describe() {
    for (name, help) in KNOWN {
        if name.ends_with("_total") {
            describe_counter!(name, help);
        } else if name.ends_with("_seconds") {
            describe_histogram!(name, Unit::Seconds, help);
        } else if let Some((_, unit)) = SIZES.iter().find(|(sized, _)| *sized == name) {
            describe_histogram!(name, *unit, help);
        } else {
            describe_gauge!(name, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_metric_says_what_it_means() {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry");
        let mut used = BTreeSet::new();
        for entry in std::fs::read_dir(room).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().unwrap() == "describe" {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            used.extend(text.split('"').filter(|word| word.starts_with("rettidig_")).map(str::to_owned));
        }
        let known: BTreeSet<_> = KNOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(known, used);
        for (name, help) in KNOWN {
            let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(plain && help.ends_with('.'), "{name}: {help}");
        }
    }
}
