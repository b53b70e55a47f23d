//! From `rettidig.toml` and the environment to `Settings`: every key checked, every fault reported.

use super::broker::brokers;
use super::knobs::{self, Length, Whole};
use super::settings::{
    Approval, ClientCertificate, Data, Endpoint, Http, Journal, Limits, Log, LogFormat, LogLevel, Rules, Settings,
    TlsFiles,
};
use super::store::store;
use crate::domain::configuration::DispatchPolicy;
use crate::domain::fault::{Fault, suggest_known};
use crate::domain::time::Span;
use crate::domain::toml_reader::{Document, Faults, Field, Override, Section};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Reads settings; files they name are looked for in `folder`.
pub(super) fn read_settings(
    folder: &Path,
    file: &str,
    text: &str,
    overrides: &[Override],
) -> Result<Settings, Vec<Fault>> {
    let faults = Faults::default();
    let document = Document::parse(file, text, &faults).with_overrides(overrides.to_vec());
    let mut root = document.root(&faults);
    let settings = Settings {
        data: data(root.section("data")),
        endpoint: endpoint(root.section("endpoint"), folder),
        brokers: brokers(&mut root, folder),
        http: http(root.section("http")),
        journal: journal(root.section("journal")),
        store: store(root.section("store"), folder),
        limits: limits(root.section("limits")),
        dispatch: dispatch(root.section("dispatch")),
        rules: rules(root.section("rules")),
        log: log(root.section("log")),
    };
    root.finish();
    for unused in document.unused_overrides() {
        faults.push(Fault {
            file: unused.name.clone(),
            span: 0..0,
            message: format!("there is no setting `{}`", unused.path),
            suggestion: Some(suggest_known(&unused.path, document.asked_paths().iter().map(String::as_str))),
        });
    }
    if faults.is_empty() { Ok(settings) } else { Err(faults.into_sorted()) }
}

fn data(mut section: Section<'_>) -> Data {
    let folder = section.optional("folder").and_then(|field| field.filled_text(knobs::TEXT_BYTES_MAX));
    section.finish();
    Data { folder: folder.map_or_else(|| PathBuf::from("data"), |folder| PathBuf::from(folder.value.as_ref())) }
}

fn endpoint(mut section: Section<'_>, folder: &Path) -> Endpoint {
    let listen = section.optional("listen");
    let without_tls = section.optional("without_tls").and_then(|field| field.boolean()).unwrap_or(false);
    let tls = section.section("tls");
    let tls = tls.present().then(|| tls_files(tls, folder));
    let addresses = match &listen {
        Some(field) => addresses(field, tls.is_some() || without_tls),
        None => vec![SocketAddr::from(([127, 0, 0, 1], 1883))],
    };
    section.finish();
    Endpoint { listen: addresses, without_tls, tls: tls.flatten() }
}

/// The addresses of a listener; one beyond this machine must be guarded.
fn addresses(field: &Field<'_>, guarded: bool) -> Vec<SocketAddr> {
    let items = field.items("a list of addresses", "listen = [\"127.0.0.1:1883\"]");
    if items.len() > knobs::LISTEN_MAX {
        field.fault(format!("`listen` has {} addresses", items.len()), format!("at most {}", knobs::LISTEN_MAX));
    }
    let mut found = Vec::new();
    for item in items {
        let Some(address) = address(&item, "127.0.0.1:1883") else { continue };
        if !guarded && !address.ip().is_loopback() {
            item.fault(
                format!("{address} is reached from other machines, and passwords would cross the network unencrypted"),
                "add [endpoint.tls], or without_tls = true where the network itself is closed".to_owned(),
            );
        }
        found.push(address);
    }
    found
}

fn address(field: &Field<'_>, example: &str) -> Option<SocketAddr> {
    let text = field.text()?;
    let address = text.value.trim().parse().ok();
    if address.is_none() {
        field.fault(
            format!("\"{}\" is no address with a port", text.value),
            format!("write an IP address and a port, such as \"{example}\""),
        );
    }
    address
}

fn tls_files(mut section: Section<'_>, folder: &Path) -> Option<TlsFiles> {
    let certificate =
        section.required("certificate", "certificate = \"tls/server.pem\"").and_then(|field| file(&field, folder));
    let key = section.required("key", "key = \"tls/server.key\"").and_then(|field| file(&field, folder));
    let client_ca = section.optional("client_ca");
    let shown = section.optional("client_certificate");
    if let (None, Some(alone)) = (&client_ca, &shown) {
        alone.fault("`client_certificate` stands without `client_ca`", "client_ca = \"tls/clients.pem\"".to_owned());
    }
    let client_ca = client_ca.and_then(|field| file(&field, folder));
    let shown = shown.and_then(|field| field.one_of(&ClientCertificate::ALL.map(ClientCertificate::as_str)));
    section.finish();
    let client_certificate = shown.map_or(ClientCertificate::Required, |at| ClientCertificate::ALL[at]);
    Some(TlsFiles { certificate: certificate?, key: key?, client_ca, client_certificate })
}

/// A file that is there, relative to the configuration folder.
pub(super) fn file(field: &Field<'_>, folder: &Path) -> Option<PathBuf> {
    let text = field.filled_text(knobs::TEXT_BYTES_MAX)?;
    let path = folder.join(text.value.as_ref());
    if path.is_file() {
        return Some(path);
    }
    field.fault(
        format!("there is no file \"{}\"", text.value),
        format!("it is looked for in {}", path.parent().unwrap_or(folder).display()),
    );
    None
}

/// A file with certificates.
pub(super) fn certificates(field: &Field<'_>, folder: &Path) -> Option<PathBuf> {
    let path = file(field, folder)?;
    let found = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let message = match found {
        Ok(found) if !found.is_empty() => return Some(path),
        Ok(_) => format!("{} holds no certificate", path.display()),
        Err(error) => format!("{} cannot be read: {error}", path.display()),
    };
    field.fault(message, "give a file with one or more blocks BEGIN CERTIFICATE".to_owned());
    None
}

fn http(mut section: Section<'_>) -> Http {
    let listen = section.optional("listen");
    let public_origin = section.optional("public_origin");
    let metrics_open = section.optional("metrics_open").and_then(|field| field.boolean()).unwrap_or(false);
    section.finish();
    let address = listen.as_ref().and_then(|field| address(field, "127.0.0.1:8080"));
    if let (Some(field), Some(address), None) = (&listen, address, &public_origin)
        && !address.ip().is_loopback()
    {
        field.fault(
            format!("{address} is reached from other machines, and passwords would cross the network unencrypted"),
            "keep 127.0.0.1 behind a proxy with TLS, or set public_origin to the https address of that proxy"
                .to_owned(),
        );
    }
    Http {
        listen: address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
        public_origin: public_origin.and_then(|field| origin(&field)),
        metrics_open,
    }
}

/// An https origin as browsers send it: scheme, host and perhaps a port.
fn origin(field: &Field<'_>) -> Option<String> {
    let text = field.filled_text(knobs::TEXT_BYTES_MAX)?;
    let origin = text.value.trim().to_ascii_lowercase();
    let authority = origin.strip_prefix("https://").unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    };
    let named = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    let numbered = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let known = numbered.map_or_else(|| named(host), |address| address.parse::<Ipv6Addr>().is_ok());
    if known && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Some(origin);
    }
    field.fault(
        format!("\"{}\" is no https origin", text.value),
        "write scheme and host as people open it, without a path: \"https://rettidig.example.dk\"".to_owned(),
    );
    None
}

fn journal(mut section: Section<'_>) -> Journal {
    let journal = Journal {
        file_mebibytes_max: whole(&mut section, "file_mebibytes_max", knobs::JOURNAL_FILE_MEBIBYTES_MAX),
        file_age_max: length(&mut section, "file_age_max", knobs::JOURNAL_FILE_AGE_MAX),
        retain_for: length(&mut section, "retain_for", knobs::JOURNAL_RETAIN_FOR),
        snapshot_every: length(&mut section, "snapshot_every", knobs::JOURNAL_SNAPSHOT_EVERY),
    };
    section.finish();
    journal
}

fn limits(mut section: Section<'_>) -> Limits {
    let limits = Limits {
        inbox_events_max: whole(&mut section, "inbox_events_max", knobs::INBOX_EVENTS_MAX),
        batch_events_max: whole(&mut section, "batch_events_max", knobs::BATCH_EVENTS_MAX),
        payload_bytes_max: whole(&mut section, "payload_bytes_max", knobs::PAYLOAD_BYTES_MAX),
        quarantine_head_bytes: whole(&mut section, "quarantine_head_bytes", knobs::QUARANTINE_HEAD_BYTES),
        observations_max: whole(&mut section, "observations_max", knobs::OBSERVATIONS_MAX),
        clock_ahead_tolerance: length(&mut section, "clock_ahead_tolerance", knobs::CLOCK_AHEAD_TOLERANCE),
        connections_max: whole(&mut section, "connections_max", knobs::CONNECTIONS_MAX),
        messages_per_s_max: whole(&mut section, "messages_per_s_max", knobs::MESSAGES_PER_S_MAX),
        gateway_messages_per_s_max: whole(
            &mut section,
            "gateway_messages_per_s_max",
            knobs::GATEWAY_MESSAGES_PER_S_MAX,
        ),
        receive_maximum: whole(&mut section, "receive_maximum", knobs::RECEIVE_MAXIMUM),
        keep_alive_max: length(&mut section, "keep_alive_max", knobs::KEEP_ALIVE_MAX),
        deliveries_pending_max: whole(&mut section, "deliveries_pending_max", knobs::DELIVERIES_PENDING_MAX),
        closed_rows_max: whole(&mut section, "closed_rows_max", knobs::CLOSED_ROWS_MAX),
        planned_assets: whole(&mut section, "planned_assets", knobs::PLANNED_ASSETS),
        rule_state_mebibytes_max: whole(&mut section, "rule_state_mebibytes_max", knobs::RULE_STATE_MEBIBYTES_MAX),
        live_streams_max: whole(&mut section, "live_streams_max", knobs::LIVE_STREAMS_MAX),
        request_bytes_max: whole(&mut section, "request_bytes_max", knobs::REQUEST_BYTES_MAX),
    };
    section.finish();
    limits
}

fn dispatch(mut section: Section<'_>) -> DispatchPolicy {
    let usual = DispatchPolicy::default();
    let offer_timeouts = section.optional("offer_timeouts").and_then(|field| offer_timeouts(&field));
    let knob = Length { default: usual.retry_after, ..knobs::RETRY_AFTER };
    let retry_after = length(&mut section, "retry_after", knob);
    section.finish();
    DispatchPolicy { offer_timeouts: offer_timeouts.unwrap_or(usual.offer_timeouts), retry_after }
}

/// One length of time for each priority, the most urgent first.
fn offer_timeouts(field: &Field<'_>) -> Option<[Span; 4]> {
    let example = "offer_timeouts = [\"60s\", \"75s\", \"10m\", \"1h\"]";
    let items = field.items("a list of four lengths of time", example);
    let limits = knobs::OFFER_TIMEOUT.min..=knobs::OFFER_TIMEOUT.max;
    let read: Vec<Span> = items.iter().filter_map(|item| item.length_of_time(limits.clone())).collect();
    if items.len() != 4 && !items.is_empty() {
        field.fault(
            format!("`offer_timeouts` has {} lengths of time", items.len()),
            format!("one for each of the four priorities: {example}"),
        );
    }
    read.try_into().ok()
}

fn rules(mut section: Section<'_>) -> Rules {
    let approval = section.optional("approval").and_then(|field| field.one_of(&Approval::ALL.map(Approval::as_str)));
    section.finish();
    Rules { approval: approval.map_or(Approval::None, |at| Approval::ALL[at]) }
}

fn log(mut section: Section<'_>) -> Log {
    let level = section.optional("level").and_then(|field| field.one_of(&LogLevel::ALL.map(LogLevel::as_str)));
    let format = section.optional("format").and_then(|field| field.one_of(&LogFormat::ALL.map(LogFormat::as_str)));
    section.finish();
    Log {
        level: level.map_or(LogLevel::Info, |at| LogLevel::ALL[at]),
        format: format.map_or(LogFormat::Text, |at| LogFormat::ALL[at]),
    }
}

pub(super) fn whole(section: &mut Section<'_>, name: &str, knob: Whole) -> u32 {
    let limits = i64::from(knob.min)..=i64::from(knob.max);
    let found = section.optional(name).and_then(|field| field.whole(limits));
    found.and_then(|number| u32::try_from(number).ok()).unwrap_or(knob.default)
}

pub(super) fn length(section: &mut Section<'_>, name: &str, knob: Length) -> Span {
    section.optional(name).and_then(|field| field.length_of_time(knob.min..=knob.max)).unwrap_or(knob.default)
}
