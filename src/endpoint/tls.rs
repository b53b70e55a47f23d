//! TLS from files, exchanged while running.
//!
//! TLS 1.2 and 1.3 by rustls with ring. A set of files is taken as a whole or not at all: when one is bad, what is in
//! force stays in force. Files that have changed are found by what is in them, so that it does not matter how they were
//! exchanged. Start with [`Tls::reload`].

use super::certificate::Validity;
use super::context::Context;
use super::options::{ClientCertificate, TlsFiles};
use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_rustls::TlsAcceptor;

/// Why the TLS files cannot be used. None of these is worth retrying before a person has looked.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("reading \"{path}\": {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("\"{path}\" holds no {what} in PEM form: {reason}")]
    Pem { path: PathBuf, what: &'static str, reason: String },
    #[error("certificate \"{certificate}\" and key \"{key}\": {source}")]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("client authority \"{path}\": {reason}")]
    ClientAuthority { path: PathBuf, reason: String },
}

/// The TLS settings in force.
pub(super) struct Tls {
    files: TlsFiles,
    in_force: ArcSwap<ServerConfig>,
    /// What was in the files when they were last read, whether they could be used or not.
    looked_at: Mutex<blake3::Hash>,
}

/// Reads the files as a start would, and serves nothing: the certificate that the clients will be shown, by its times.
///
/// # Errors
/// When a file cannot be read or they do not fit together.
pub fn examine_tls(files: &TlsFiles) -> Result<Option<Validity>, TlsError> {
    configuration(files)?;
    Ok(certificates(&files.certificate)?.first().and_then(|certificate| Validity::of(certificate)))
}

/// Looks at the files until shutdown and takes a changed set into force.
pub(super) async fn watch(context: Arc<Context>) {
    let Some(tls) = &context.tls else { return };
    let every = context.limits.tls_look_every;
    let mut look = interval_at(Instant::now() + every, every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        if tls.unchanged() {
            continue;
        }
        match tls.reload() {
            Ok(()) => context.meters.tls_reloaded(),
            Err(error) => context.meters.tls_kept(&error.to_string()),
        }
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read or they do not fit together.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        // Before they are read: a change between the two is found at the next look.
        let looked_at = Mutex::new(fingerprint(files));
        Ok(Self { files: files.clone(), in_force: ArcSwap::from_pointee(configuration(files)?), looked_at })
    }

    /// Reads the files again; connections made from here on use them.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was in force stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = fingerprint(&self.files);
        self.in_force.store(Arc::new(configuration(&self.files)?));
        Ok(())
    }

    fn unchanged(&self) -> bool {
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) == fingerprint(&self.files)
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.in_force.load_full())
    }
}

fn configuration(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| TlsError::Pem {
        path: files.key.clone(),
        what: "private key",
        reason: error.to_string(),
    })?;
    let pair = |source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(pair)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let refused = |reason: String| TlsError::ClientAuthority { path: path.clone(), reason };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| refused(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match files.client_certificate {
                ClientCertificate::Required => verifier,
                ClientCertificate::Optional => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| refused(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(chain, key).map_err(pair)
}

/// What is in the files; one that cannot be read is as good as empty.
fn fingerprint(files: &TlsFiles) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for path in [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()].into_iter().flatten() {
        let bytes = std::fs::read(path).unwrap_or_default();
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
    }
    hasher.finalize()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |reason: String| TlsError::Pem { path: path.to_owned(), what: "certificate", reason };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("none found".to_owned())) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
