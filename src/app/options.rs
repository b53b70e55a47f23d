//! From settings to what the rooms are started with.

use crate::config::{Broker, ClientCertificate, Settings};
use crate::dispatch::Channel;
use crate::domain::ids::{CrewId, JournalId};
use crate::domain::time::Span;
use crate::{board, console, decode, dispatch, endpoint, intake};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Room for a packet's header above the payload's limit: a slightly larger payload is then quarantined with its
/// reason instead of ending the connection.
const PACKET_OVER_PAYLOAD: usize = 64 * 1024;

/// Half of what the engine remembers of one login (`engine::Limits::redeliveries_per_client`): the other half is for
/// acknowledgements that a broker had not read when the process ended, whose messages it will repeat.
const BROKER_UNACKNOWLEDGED_MAX: usize = 512;

pub(super) fn endpoint(settings: &Settings) -> endpoint::Options {
    let limits = &settings.limits;
    let tls = settings.endpoint.tls.as_ref().map(|files| endpoint::TlsFiles {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        client_ca: files.client_ca.clone(),
        client_certificate: match files.client_certificate {
            ClientCertificate::Required => endpoint::ClientCertificate::Required,
            ClientCertificate::Optional => endpoint::ClientCertificate::Optional,
        },
    });
    let listen = settings.endpoint.listen.clone();
    let (listen, listen_tls) =
        if tls.is_some() && !settings.endpoint.without_tls { (Vec::new(), listen) } else { (listen, Vec::new()) };
    endpoint::Options {
        listen,
        listen_tls,
        tls,
        limits: endpoint::Limits {
            connections_max: limits.connections_max as usize,
            packet_bytes_max: limits.payload_bytes_max as usize + PACKET_OVER_PAYLOAD,
            head_bytes: head_bytes(settings),
            receive_maximum: u16::try_from(limits.receive_maximum).unwrap_or(u16::MAX),
            messages_per_s_max: limits.messages_per_s_max,
            keep_alive_max: duration(limits.keep_alive_max),
            ..endpoint::Limits::default()
        },
    }
}

pub(super) fn intake(settings: &Settings, broker: &Broker) -> intake::Options {
    let tls = broker.tls.as_ref().map(|files| intake::TlsFiles {
        ca: files.ca.clone(),
        identity: files.certificate.clone().zip(files.key.clone()),
    });
    let credentials = broker.username.clone().map(|username| intake::Credentials {
        username,
        password: broker.password.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default(),
    });
    intake::Options {
        name: SmolStr::new(&broker.name),
        host: broker.host.clone(),
        port: broker.port,
        tls,
        credentials,
        client_id: broker.client_id.clone(),
        subscribe: broker.subscribe.clone(),
        limits: intake::Limits {
            packet_bytes_max: settings.limits.payload_bytes_max as usize + PACKET_OVER_PAYLOAD,
            head_bytes: head_bytes(settings),
            unacknowledged_max: BROKER_UNACKNOWLEDGED_MAX,
            ..intake::Limits::default()
        },
    }
}

/// Every crew at our endpoint, or at the brokers when it is off. A broker's acknowledgement ends a delivery, so a crew
/// is never reached both ways: the broker would end what the crew's own session still has to bring.
fn default_route(settings: &Settings) -> Vec<Channel> {
    if settings.endpoint.listen.is_empty() {
        settings.brokers.iter().map(channel).collect()
    } else {
        vec![Channel::Endpoint]
    }
}

/// Crews that a broker is named for.
fn routes(settings: &Settings) -> BTreeMap<CrewId, Vec<Channel>> {
    let mut routes: BTreeMap<CrewId, Vec<Channel>> = BTreeMap::new();
    for broker in &settings.brokers {
        for crew in &broker.crews {
            routes.entry(CrewId::new(crew)).or_default().push(channel(broker));
        }
    }
    routes
}

fn channel(broker: &Broker) -> Channel {
    Channel::Broker(SmolStr::new(&broker.name))
}

pub(super) fn console(settings: &Settings, simulated: bool) -> console::Options {
    console::Options {
        listen: vec![settings.http.listen],
        public_origin: settings.http.public_origin.clone(),
        metrics_open: settings.http.metrics_open,
        streams_max: settings.limits.live_streams_max as usize,
        body_bytes_max: settings.limits.request_bytes_max as usize,
        simulated,
        ..console::Options::default()
    }
}

pub(super) fn dispatch(settings: &Settings, journal: JournalId) -> dispatch::Options {
    dispatch::Options {
        default_route: default_route(settings),
        routes: routes(settings),
        pending_max: settings.limits.deliveries_pending_max as usize,
        ..dispatch::Options::new(journal)
    }
}

pub(super) fn board(settings: &Settings) -> board::Limits {
    let closed_rows_max = settings.limits.closed_rows_max as usize;
    board::Limits { closed_alarms_max: closed_rows_max, ended_tasks_max: closed_rows_max, ..board::Limits::default() }
}

pub(super) fn decode_limits(settings: &Settings) -> decode::Limits {
    decode::Limits {
        payload_bytes_max: settings.limits.payload_bytes_max as usize,
        quarantine_head_bytes: settings.limits.quarantine_head_bytes as usize,
        clock_ahead_tolerance: settings.limits.clock_ahead_tolerance,
        observations_max: settings.limits.observations_max as usize,
    }
}

/// What the ways in keep of a message they do not read: what is shown of it, and as much more as shows that a CPR
/// number begins in it.
fn head_bytes(settings: &Settings) -> usize {
    settings.limits.quarantine_head_bytes as usize + decode::CPR_BYTES_MAX
}

fn duration(span: Span) -> Duration {
    Duration::from_micros(span.as_micros().max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_board_keeps_as_many_closed_rows_as_the_settings_say() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |text: &str| {
            std::fs::write(folder.path().join("rettidig.toml"), text).unwrap();
            let limits = board(&config::load(folder.path(), []).unwrap().settings);
            (limits.closed_alarms_max, limits.ended_tasks_max)
        };
        assert_eq!(kept(""), (10_000, 10_000));
        assert_eq!(kept("[limits]\nclosed_rows_max = 12\n"), (12, 12));
    }
}
