//! The TLS files of a configuration, read as a start would read them: for `check` and `doctor`.
//!
//! A start reads them too, but a certificate that ends next week is found by nobody before it does.

use crate::app::clock::Clock;
use crate::app::options;
use crate::config::Settings;
use crate::domain::time::{Span, Timestamp};
use crate::endpoint::{Validity, examine_tls};
use crate::intake::{Verdict, examine_tls as examine_broker_tls};
use std::path::Path;

/// A certificate that ends within this time is to be renewed.
const RENEW_WITHIN: Span = Span::from_hours(14 * 24);

/// What was found in one section of the settings that names TLS files.
pub(super) struct CertificateFound {
    /// The section, as a person finds it in `rettidig.toml`.
    pub section: &'static str,
    pub part: String,
    pub verdict: Verdict,
    pub text: String,
    pub remedy: Option<String>,
}

pub(super) fn look_at_certificates(settings: &Settings) -> Vec<CertificateFound> {
    let mut found = Vec::new();
    let options = options::endpoint(settings);
    if let Some(files) = &options.tls {
        let (verdict, text, remedy) = match examine_tls(files) {
            Ok(validity) => judge(&files.certificate, validity),
            Err(error) => {
                (Verdict::Fault, error.to_string(), Some("put a certificate in PEM form and its own key there".into()))
            }
        };
        found.push(CertificateFound { section: "[endpoint.tls]", part: "endpoint TLS".into(), verdict, text, remedy });
    }
    for broker in &settings.brokers {
        // What is right about a broker's files shows in the connection to it.
        if let Err(error) = examine_broker_tls(&options::intake(settings, broker)) {
            let part = format!("broker {} TLS", broker.name);
            let remedy = Some("put certificates in PEM form there, and the key that belongs to ours".into());
            let text = error.to_string();
            found.push(CertificateFound { section: "[[broker]]", part, verdict: Verdict::Fault, text, remedy });
        }
    }
    found
}

fn judge(certificate: &Path, validity: Option<Validity>) -> (Verdict, String, Option<String>) {
    let file = certificate.display();
    let Some(Validity { begins_at, ends_at }) = validity else {
        return (Verdict::Unknown, format!("\"{file}\" does not say until when it is valid"), Some("renew it".into()));
    };
    let now = Clock::wall().now();
    let remedy = Some(format!("renew \"{file}\"; a running gateway takes a new pair within a minute"));
    if now >= ends_at {
        (
            Verdict::Fault,
            format!("the certificate \"{file}\" has ended at {}: no client connects", shown(ends_at)),
            remedy,
        )
    } else if now < begins_at {
        (Verdict::Fault, format!("the certificate \"{file}\" is valid only from {}", shown(begins_at)), remedy)
    } else if ends_at.since(now) <= RENEW_WITHIN {
        (Verdict::Warning, format!("the certificate \"{file}\" ends at {}", shown(ends_at)), remedy)
    } else {
        (Verdict::Good, format!("certificate and key fit; valid until {}", shown(ends_at)), None)
    }
}

fn shown(moment: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.as_micros()).map(|moment| moment.to_string()).unwrap_or_default()
}
