//! `[store]`: where history is kept. A password never stands in the settings, and a database on another machine is
//! reached by TLS.

use super::broker::password;
use super::knobs;
use super::read::{certificates, length, whole};
use super::settings::{Store, StoreUrl};
use crate::domain::toml_reader::{Field, Section};
use std::net::IpAddr;
use std::path::Path;
use tokio_postgres::config::{Host, SslMode};

const EXAMPLE: &str = "url = \"postgres://rettidig@db.example.dk/rettidig\"";

pub(super) fn store(mut section: Section<'_>, folder: &Path) -> Store {
    let url = section.optional("url");
    let password = password(&mut section, folder);
    let ca = section.optional("ca").and_then(|field| certificates(&field, folder));
    let without_tls = section.optional("without_tls").and_then(|field| field.boolean()).unwrap_or(false);
    let tls = Tls { without: without_tls, ca: ca.is_some() };
    let mut url = url.and_then(|field| read_url(&field, &tls));
    if let (Some(url), Some(password)) = (&mut url, &password) {
        url.config.password(password.reveal());
    }
    let store = Store {
        url,
        password,
        ca,
        without_tls,
        connections_max: whole(&mut section, "connections_max", knobs::STORE_CONNECTIONS_MAX),
        connect_timeout: length(&mut section, "connect_timeout", knobs::STORE_CONNECT_TIMEOUT),
        statement_timeout: length(&mut section, "statement_timeout", knobs::STORE_STATEMENT_TIMEOUT),
        retain_for: length(&mut section, "retain_for", knobs::STORE_RETAIN_FOR),
        retain_summaries_for: length(&mut section, "retain_summaries_for", knobs::STORE_RETAIN_SUMMARIES_FOR),
    };
    section.finish();
    store
}

/// What the other settings say about TLS.
struct Tls {
    without: bool,
    ca: bool,
}

/// No fault quotes the text: it may hold a password.
fn read_url(field: &Field<'_>, tls: &Tls) -> Option<StoreUrl> {
    let text = field.filled_text(knobs::TEXT_BYTES_MAX)?;
    let fault = |message: &str, suggestion: &str| {
        field.fault(message.to_owned(), suggestion.to_owned());
        None
    };
    if !text.value.starts_with("postgres://") && !text.value.starts_with("postgresql://") {
        return fault("`url` is no address of a PostgreSQL database", EXAMPLE);
    }
    let Ok(config) = text.value.parse::<tokio_postgres::Config>() else {
        let suggestion = format!("{EXAMPLE}; of sslmode there are disable, prefer and require, and all verify");
        return fault("`url` is no address of a PostgreSQL database", &suggestion);
    };
    if config.get_hosts().len() != 1 || config.get_dbname().is_none() || config.get_user().is_none() {
        return fault("`url` must name one host, a login and a database", EXAMPLE);
    }
    if config.get_password().is_some() && !field.from_outside() {
        return fault(
            "a password never stands in the settings",
            "write password_file = \"…\", or set the variable RETTIDIG__STORE__PASSWORD",
        );
    }
    // Where `hostaddr` is given it is what is connected to, and the host's name is for its certificate.
    let near = match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(near),
        addresses => addresses.iter().all(IpAddr::is_loopback),
    };
    let asked = config.get_ssl_mode();
    if asked == SslMode::Disable && !near && !tls.without {
        return fault(
            "the database is on another machine, and its password would cross the network unencrypted",
            "leave sslmode out, or add without_tls = true where the network itself is closed",
        );
    }
    // Beside us, a server's certificate is as a rule one nobody has signed.
    let tls = match asked {
        SslMode::Disable => false,
        SslMode::Require => true,
        SslMode::Prefer | _ => tls.ca || !(near || tls.without),
    };
    Some(StoreUrl { config, tls })
}

/// On this machine.
fn near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}
