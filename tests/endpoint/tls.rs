//! TLS and client certificates from files, exchanged while running.

use crate::gateway::{Gateway, start_all, within};
use crate::wire::{packet, text, v3};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rettidig::endpoint::{ClientCertificate, ClientStatus, Endpoint, Limits, Options, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    Authority { certificate, issuer: Issuer::new(params, key) }
}

impl Authority {
    /// Certificate and key, in PEM.
    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn write_server(&self, folder: &Path) -> TlsFiles {
        let (certificate, key) = self.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        let files = TlsFiles {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
            client_ca: None,
            client_certificate: ClientCertificate::Required,
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }
}

async fn dial(
    gateway: &Gateway,
    trusted: &Authority,
    identity: Option<(String, String)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.certificate.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    let socket = TcpStream::connect(gateway.running.local_addrs_tls[0]).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, socket)).await
}

async fn connack(stream: &mut TlsStream<TcpStream>, connect: &[u8]) -> std::io::Result<[u8; 4]> {
    let mut answer = [0; 4];
    stream.write_all(connect).await?;
    within(stream.read_exact(&mut answer)).await?;
    Ok(answer)
}

/// A v3.1.1 CONNECT without user name.
fn nameless() -> Vec<u8> {
    packet(0x10, &[&text("MQTT")[..], &[4, 2, 0, 0], &text("x")].concat())
}

#[tokio::test]
async fn a_client_may_log_in_by_password_over_tls() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), authority());
    let mut gateway = start_all(Limits::default(), 10, Some(ca.write_server(folder.path()))).await;
    let mut stream = dial(&gateway, &ca, None).await.unwrap();
    assert_eq!(connack(&mut stream, &v3("bin-7").bytes()).await.unwrap(), [0x20, 2, 0, 0]);
    stream.write_all(&crate::wire::publish3("up/bin-7/fill", 1, &vec![0; 50_000])).await.unwrap();
    gateway.uplink().await.1.release();
    let mut puback = [0; 4];
    within(stream.read_exact(&mut puback)).await.unwrap();
    assert_eq!(puback, [0x40, 2, 0, 1]);
    assert_eq!(connack(&mut dial(&gateway, &ca, None).await.unwrap(), &nameless()).await.unwrap(), [0x20, 2, 0, 5]);
}

#[tokio::test]
async fn a_client_may_log_in_by_its_certificate() {
    let (folder, ca, clients) = (tempfile::tempdir().unwrap(), authority(), authority());
    let mut files = ca.write_server(folder.path());
    let client_ca = folder.path().join("clients.pem");
    fs::write(&client_ca, &clients.certificate).unwrap();
    files.client_ca = Some(client_ca);
    let mut gateway = start_all(Limits::default(), 10, Some(files)).await;

    let device = clients.issue("bin-7", ExtendedKeyUsagePurpose::ClientAuth);
    let mut stream = dial(&gateway, &ca, Some(device)).await.unwrap();
    assert_eq!(connack(&mut stream, &nameless()).await.unwrap(), [0x20, 2, 0, 0]);
    assert_eq!(gateway.statuses.next().await, ClientStatus::Connected { client: "bin-7".into(), resumed: false });

    let impostor = authority().issue("bin-7", ExtendedKeyUsagePurpose::ClientAuth);
    assert!(shut_out(&gateway, &ca, Some(impostor), &nameless()).await, "signed by somebody else");
    assert!(shut_out(&gateway, &ca, None, &v3("bin-8").bytes()).await, "no certificate");
}

/// Whether the client gets no answer to its CONNECT.
async fn shut_out(gateway: &Gateway, trusted: &Authority, identity: Option<(String, String)>, connect: &[u8]) -> bool {
    match dial(gateway, trusted, identity).await {
        Err(_) => true,
        // In TLS 1.3 the client has finished before the server has looked.
        Ok(mut stream) => connack(&mut stream, connect).await.is_err(),
    }
}

#[tokio::test]
async fn where_certificates_are_optional_a_client_without_one_logs_in_by_password() {
    let (folder, ca, clients) = (tempfile::tempdir().unwrap(), authority(), authority());
    let mut files = ca.write_server(folder.path());
    let client_ca = folder.path().join("clients.pem");
    fs::write(&client_ca, &clients.certificate).unwrap();
    files.client_ca = Some(client_ca);
    files.client_certificate = ClientCertificate::Optional;
    let gateway = start_all(Limits::default(), 10, Some(files)).await;
    let mut stream = dial(&gateway, &ca, None).await.unwrap();
    assert_eq!(connack(&mut stream, &v3("bin-8").bytes()).await.unwrap(), [0x20, 2, 0, 0]);
    let impostor = authority().issue("bin-7", ExtendedKeyUsagePurpose::ClientAuth);
    assert!(shut_out(&gateway, &ca, Some(impostor), &nameless()).await, "signed by somebody else");
}

#[tokio::test]
async fn changed_files_are_found_and_a_bad_pair_changes_nothing() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), authority(), authority());
    let files = old.write_server(folder.path());
    let limits = Limits { tls_look_every: std::time::Duration::from_millis(5), ..Limits::default() };
    let gateway = start_all(limits, 10, Some(files.clone())).await;
    // Half of the new pair: whatever is looked at meanwhile does not fit together.
    let (certificate, key) = new.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
    fs::write(&files.certificate, certificate).unwrap();
    for _ in 0..20 {
        assert!(dial(&gateway, &old, None).await.is_ok(), "the earlier pair stays in force");
    }
    fs::write(&files.key, key).unwrap();
    within(async { while dial(&gateway, &new, None).await.is_err() {} }).await;
    assert!(dial(&gateway, &old, None).await.is_err());
}

#[tokio::test]
async fn files_are_exchanged_as_a_whole_or_not_at_all() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), authority(), authority());
    let files = old.write_server(folder.path());
    let gateway = start_all(Limits::default(), 10, Some(files.clone())).await;
    let mut early = dial(&gateway, &old, None).await.unwrap();
    assert_eq!(connack(&mut early, &v3("bin-7").bytes()).await.unwrap()[3], 0);

    fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = gateway.running.handle.reload_tls().unwrap_err();
    assert!(error.to_string().contains("server.key"), "{error}");
    assert!(dial(&gateway, &old, None).await.is_ok(), "the earlier files stay in force");

    new.write_server(folder.path());
    gateway.running.handle.reload_tls().unwrap();
    assert!(dial(&gateway, &new, None).await.is_ok());
    assert!(dial(&gateway, &old, None).await.is_err());
    early.write_all(crate::wire::PING).await.unwrap();
    let mut pong = [0; 2];
    within(early.read_exact(&mut pong)).await.unwrap();
    assert_eq!(pong, *crate::wire::PONG, "connections made before go on");
}

#[tokio::test]
async fn a_start_that_cannot_serve_tls_serves_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = crate::gateway::start().await;
    let local = ([127, 0, 0, 1], 0).into();
    let missing = TlsFiles {
        certificate: folder.path().join("none.pem"),
        key: folder.path().join("none.key"),
        client_ca: None,
        client_certificate: ClientCertificate::Required,
    };
    let options = |tls| Options { listen_tls: vec![local], tls, ..Options::default() };
    for (tls, words) in [(None, "no certificate is set"), (Some(missing), "none.pem")] {
        let started =
            Endpoint::start(options(tls), gateway.ports.clone(), gateway.shutdown.clone(), gateway.tracker.clone())
                .await;
        let error = started.err().unwrap();
        assert!(error.to_string().contains(words) && !error.retryable(), "{error}");
    }
    let taken = Options { listen: vec![gateway.address()], ..Options::default() };
    let started =
        Endpoint::start(taken, gateway.ports.clone(), gateway.shutdown.clone(), gateway.tracker.clone()).await;
    assert!(started.err().unwrap().retryable());
}
