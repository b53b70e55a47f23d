//! External brokers: `[[broker]]` and its password, which never stands in the settings themselves.

use super::environment::variable;
use super::knobs::{self, Whole};
use super::read::{file, whole};
use super::secret::Secret;
use super::settings::{Broker, BrokerTls};
use crate::domain::toml_reader::{Field, Section};
use std::fs;
use std::path::Path;

/// Bytes in a password file.
const PASSWORD_FILE_BYTES_MAX: u64 = 4_096;

/// Every `[[broker]]`, in the order of the file.
pub(super) fn brokers(root: &mut Section<'_>, folder: &Path) -> Vec<Broker> {
    let sections = root.sections("broker");
    let mut brokers: Vec<Broker> = Vec::new();
    for (index, mut section) in sections.into_iter().enumerate() {
        if index >= knobs::BROKERS_MAX {
            section.fault(
                section.span(),
                format!("more than {} brokers", knobs::BROKERS_MAX),
                "read several topics from one broker".to_owned(),
            );
            break;
        }
        let name = section.optional("name").and_then(|field| Some((field.text()?, field)));
        if let Some((text, field)) = name
            && brokers.iter().any(|broker| broker.name == text.value)
        {
            field.fault(format!("two brokers are called \"{}\"", text.value), "give each its own name".to_owned());
        }
        brokers.extend(broker(section, folder));
    }
    brokers
}

fn broker(mut section: Section<'_>, folder: &Path) -> Option<Broker> {
    let filled = |field: Field<'_>| Some(field.filled_text(knobs::TEXT_BYTES_MAX)?.value.into_owned());
    let name = section.required("name", "name = \"city\"").and_then(filled);
    let host = section.required("host", "host = \"mqtt.example.dk\"").and_then(filled);
    let tls = section.section("tls");
    let tls = tls.present().then(|| broker_tls(tls, folder));
    let usual_port = if tls.is_some() { 8883 } else { knobs::PORT.default };
    let port = whole(&mut section, "port", Whole { default: usual_port, ..knobs::PORT });
    let username = section.optional("username").and_then(filled);
    let password = password(&mut section, folder);
    let client_id = section.optional("client_id").and_then(filled).unwrap_or_else(|| "rettidig".to_owned());
    let subscribe = section.required("subscribe", "subscribe = [\"application/+/device/+/event/up\"]");
    let subscribe = subscribe.map(|field| topics(&field)).unwrap_or_default();
    let crews = section.optional("crews").map(|field| crews(&field)).unwrap_or_default();
    section.finish();
    Some(Broker {
        name: name?,
        host: host?,
        port: u16::try_from(port).ok()?,
        username,
        password,
        client_id,
        subscribe,
        crews,
        tls: tls.flatten(),
    })
}

fn topics(field: &Field<'_>) -> Vec<String> {
    let items = field.items("a list of topics", "subscribe = [\"v3/+/devices/+/up\"]");
    if items.is_empty() || items.len() > knobs::TOPICS_MAX {
        field.fault(format!("`subscribe` has {} topics", items.len()), format!("from 1 to {}", knobs::TOPICS_MAX));
    }
    let topic = |item: &Field<'_>| {
        let text = item.filled_text(knobs::TEXT_BYTES_MAX)?;
        if topic_filter(&text.value) {
            return Some(text.value.into_owned());
        }
        item.fault(
            format!("\"{}\" is no MQTT topic filter", text.value),
            "+ stands for one whole level, # for all that follow and only at the end".to_owned(),
        );
        None
    };
    items.iter().filter_map(topic).collect()
}

fn crews(field: &Field<'_>) -> Vec<String> {
    let items = field.items("a list of crews", "crews = [\"waste-1\"]");
    if items.len() > knobs::CREWS_MAX {
        field.fault(
            format!("`crews` names {} crews", items.len()),
            format!(
                "at most {}; leave it out, and turn the endpoint off, to reach all through brokers",
                knobs::CREWS_MAX
            ),
        );
    }
    items.iter().filter_map(|item| Some(item.filled_text(knobs::TEXT_BYTES_MAX)?.value.into_owned())).collect()
}

fn topic_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let last = levels.len() - 1;
    let fits = |(at, level): (usize, &&str)| match *level {
        "#" => at == last,
        "+" => true,
        other => !other.contains(['#', '+', '\0']),
    };
    levels.iter().enumerate().all(fits)
}

fn broker_tls(mut section: Section<'_>, folder: &Path) -> Option<BrokerTls> {
    let ca = section.required("ca", "ca = \"tls/broker-ca.pem\"").and_then(|field| file(&field, folder));
    let certificate = section.optional("certificate");
    let key = section.optional("key");
    if let (Some(alone), None) | (None, Some(alone)) = (&certificate, &key) {
        alone.fault(format!("`{}` stands alone", alone.name()), "give both certificate and key, or neither".to_owned());
    }
    let certificate = certificate.and_then(|field| file(&field, folder));
    let key = key.and_then(|field| file(&field, folder));
    section.finish();
    Some(BrokerTls { ca: ca?, certificate, key })
}

/// The password, from the environment or from a file, never from the settings themselves.
pub(super) fn password(section: &mut Section<'_>, folder: &Path) -> Option<Secret> {
    let direct = section.optional("password");
    let from_file = section.optional("password_file").and_then(|field| Some((file(&field, folder)?, field)));
    if let Some(field) = direct {
        if field.from_outside() {
            return field.text().map(|text| Secret::new(text.value));
        }
        section.fault(
            field.key_span(),
            "a password never stands in the settings",
            format!("write password_file = \"…\", or set the variable {}", variable(field.path())),
        );
    }
    let (path, field) = from_file?;
    let small = fs::metadata(&path).is_ok_and(|file| file.len() <= PASSWORD_FILE_BYTES_MAX);
    match fs::read_to_string(&path) {
        Ok(text) if small && text.lines().next().is_some_and(|line| !line.is_empty()) => {
            text.lines().next().map(Secret::new)
        }
        Ok(_) | Err(_) => {
            field.fault(
                "the password file cannot be used",
                format!(
                    "a readable text of at most {PASSWORD_FILE_BYTES_MAX} bytes, with the password as its first line"
                ),
            );
            None
        }
    }
}
