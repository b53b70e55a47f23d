//! Reads a `mosquitto.conf` and names every setting by which Mosquitto may drop messages, or let strangers in.
//!
//! It knows Mosquitto 2.0: a setting that is absent has its default, and most defaults are what this warns about.
//! It does not look at the running broker (`broker_check` does) and does not follow `include_dir`, but says so.

use super::finding::{Finding, Verdict};
use super::options::Limits;
use std::cmp::Reverse;

struct Setting {
    name: &'static str,
    /// What Mosquitto does when the line is absent.
    default: &'static str,
    fine: fn(&str) -> bool,
    verdict: Verdict,
    why: &'static str,
    remedy: &'static str,
}

const SETTINGS: [Setting; 12] = [
    Setting {
        name: "max_queued_messages",
        default: "1000",
        fine: zero,
        verdict: Verdict::Fault,
        why: "what exceeds it while the gateway is away or slow is dropped, and the sender is told that it arrived",
        remedy: "max_queued_messages 0",
    },
    Setting {
        name: "max_queued_bytes",
        default: "0",
        fine: zero,
        verdict: Verdict::Fault,
        why: "what exceeds it while the gateway is away or slow is dropped, and the sender is told that it arrived",
        remedy: "max_queued_bytes 0",
    },
    Setting {
        name: "message_size_limit",
        default: "0",
        fine: zero,
        verdict: Verdict::Fault,
        why: "a larger message is acknowledged and thrown away",
        remedy: "remove it and use max_packet_size, which closes the sender's connection instead",
    },
    Setting {
        name: "memory_limit",
        default: "0",
        fine: zero,
        verdict: Verdict::Fault,
        why: "messages that would exceed it are dropped",
        remedy: "remove it, and watch $SYS/broker/heap/current instead",
    },
    Setting {
        name: "persistence",
        default: "false",
        fine: is_true,
        verdict: Verdict::Fault,
        why: "a restart of the broker forgets the gateway's session and all that waits in it",
        remedy: "persistence true",
    },
    Setting {
        name: "persistent_client_expiration",
        default: "never",
        fine: |value| value == "never",
        verdict: Verdict::Fault,
        why: "a gateway that is away for longer loses its session and all that waits in it",
        remedy: "remove it",
    },
    Setting {
        name: "autosave_interval",
        default: "1800",
        fine: |value| value.parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)),
        verdict: Verdict::Warning,
        why: "after a power cut everything that came since the last save is gone",
        remedy: "autosave_interval 10",
    },
    Setting {
        name: "max_packet_size",
        default: "0",
        fine: |value| {
            value.parse::<usize>().is_ok_and(|bytes| (1..=Limits::default().packet_bytes_max).contains(&bytes))
        },
        verdict: Verdict::Warning,
        why: "one message above the gateway's packet_bytes_max ends the gateway's connection again and again",
        remedy: "max_packet_size 1048576, or at most the gateway's packet_bytes_max",
    },
    Setting {
        name: "max_inflight_messages",
        default: "20",
        fine: zero,
        verdict: Verdict::Warning,
        why: "the gateway acknowledges in groups after its disk sync, and a small window slows it down",
        remedy: "max_inflight_messages 0",
    },
    Setting {
        name: "max_inflight_bytes",
        default: "0",
        fine: zero,
        verdict: Verdict::Warning,
        why: "the gateway acknowledges in groups after its disk sync, and a small window slows it down",
        remedy: "max_inflight_bytes 0",
    },
    Setting {
        name: "set_tcp_nodelay",
        default: "false",
        fine: is_true,
        verdict: Verdict::Warning,
        why: "small messages may be held back for 40 ms",
        remedy: "set_tcp_nodelay true",
    },
    Setting {
        name: "allow_anonymous",
        default: "false",
        fine: |value| value == "false",
        verdict: Verdict::Fault,
        why: "anyone who reaches the broker can send alarms and read them",
        remedy: "allow_anonymous false, and a password_file",
    },
];

/// What is wrong or weak in `text`, the worst first; empty when nothing is.
#[must_use]
pub fn check_mosquitto_config(text: &str) -> Vec<Finding> {
    let lines: Vec<_> = settings(text).collect();
    let mut findings: Vec<_> = SETTINGS.iter().flat_map(|setting| judge(setting, &lines)).collect();
    if let Some((line, _, folder)) = lines.iter().find(|(_, name, _)| *name == "include_dir") {
        findings.push(Finding::bad(
            Verdict::Unknown,
            "include_dir",
            format!("line {line}: the files in {folder} may change any setting"),
            "check those files too",
        ));
    }
    findings.sort_by_key(|finding| Reverse(finding.verdict));
    findings
}

/// A setting that stands several times, once for each listener, must be right each time.
fn judge(setting: &Setting, lines: &[(usize, &str, &str)]) -> Vec<Finding> {
    let finding = |value: &str, place: String| {
        let text = format!("{place}: {} {value}: {}", setting.name, setting.why);
        Finding::bad(setting.verdict, setting.name, text, setting.remedy)
    };
    let mut named = lines.iter().filter(|(_, name, _)| *name == setting.name).peekable();
    if named.peek().is_none() && !(setting.fine)(setting.default) {
        return vec![finding(setting.default, "by default".to_owned())];
    }
    named
        .filter(|(_, _, value)| !(setting.fine)(value))
        .map(|(line, _, value)| finding(value, format!("line {line}")))
        .collect()
}

/// Line number, name and value of every setting. A comment is a line of its own in this format.
fn settings(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.lines().zip(1..).filter_map(|(line, number)| {
        let line = line.trim();
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        (!name.is_empty() && !name.starts_with('#')).then(|| (number, name, value.trim()))
    })
}

fn zero(value: &str) -> bool {
    value == "0"
}

fn is_true(value: &str) -> bool {
    value == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(text: &str) -> Vec<(&'static str, Verdict)> {
        check_mosquitto_config(text).into_iter().map(|finding| (finding.subject, finding.verdict)).collect()
    }

    #[test]
    fn the_shipped_configuration_has_nothing_to_warn_about() {
        assert_eq!(check_mosquitto_config(include_str!("../../deploy/mosquitto.conf")), []);
    }

    #[test]
    fn an_empty_configuration_drops_messages_by_its_defaults() {
        assert_eq!(
            subjects(""),
            [
                ("max_queued_messages", Verdict::Fault),
                ("persistence", Verdict::Fault),
                ("autosave_interval", Verdict::Warning),
                ("max_packet_size", Verdict::Warning),
                ("max_inflight_messages", Verdict::Warning),
                ("set_tcp_nodelay", Verdict::Warning),
            ]
        );
    }

    #[test]
    fn a_bad_value_is_named_with_its_line() {
        let shipped = include_str!("../../deploy/mosquitto.conf");
        let lines = shipped.lines().count();
        for (bad, subject) in [
            ("max_queued_messages 5000", "max_queued_messages"),
            ("message_size_limit 1000", "message_size_limit"),
            ("persistent_client_expiration 1d", "persistent_client_expiration"),
            ("allow_anonymous true", "allow_anonymous"),
            ("memory_limit 1000000", "memory_limit"),
            ("\tmax_packet_size\t268435455", "max_packet_size"),
            ("include_dir /etc/mosquitto/conf.d", "include_dir"),
        ] {
            let findings = check_mosquitto_config(&format!("{shipped}\n{bad}\n"));
            assert_eq!(findings.len(), 1, "{bad}: {findings:?}");
            assert_eq!(findings[0].subject, subject);
            assert!(findings[0].text.contains(&format!("line {}", lines + 2)), "{:?}", findings[0]);
        }
    }

    #[test]
    fn comments_are_no_settings() {
        assert_eq!(subjects("# persistence true\n#persistence true")[1].0, "persistence");
    }
}
