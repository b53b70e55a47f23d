//! TLS settings for a broker from PEM files: rustls with ring, nothing else.
//!
//! Only the named authorities are trusted; there is no way to switch verification off.

use super::options::{IntakeError, Options, TlsFiles};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// # Errors
/// [`IntakeError::TlsFile`] naming the file that can not be used.
pub(super) fn load(options: &Options) -> Result<Option<Arc<ClientConfig>>, IntakeError> {
    options.tls.as_ref().map(|files| load_files(options, files)).transpose()
}

/// Reads the files as a start would, and connects to nobody.
///
/// # Errors
/// [`IntakeError::TlsFile`] naming the file that can not be used.
pub fn examine_tls(options: &Options) -> Result<(), IntakeError> {
    load(options).map(|_| ())
}

fn load_files(options: &Options, files: &TlsFiles) -> Result<Arc<ClientConfig>, IntakeError> {
    let fault = |path: &Path, reason: &dyn std::fmt::Display| IntakeError::TlsFile {
        broker: options.name.clone(),
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca).map_err(|reason| fault(&files.ca, &reason))? {
        roots.add(certificate).map_err(|reason| fault(&files.ca, &reason))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|reason| fault(&files.ca, &reason))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &files.identity else {
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let chain = certificates(certificate).map_err(|reason| fault(certificate, &reason))?;
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(|reason| fault(key, &reason))?;
    builder.with_client_auth_cert(chain, private_key).map(Arc::new).map_err(|reason| fault(key, &reason))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error: rustls_pki_types::pem::Error| error.to_string())?;
    if found.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(found) }
}
