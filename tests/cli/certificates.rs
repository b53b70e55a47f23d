//! TLS files: looked at before the start, and what a certificate makes of a login.

use crate::house::{House, PATIENCE};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

type Stream = StreamOwned<ClientConnection, TcpStream>;

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key, in PEM.
    fn issue(&self, name: &str, last_year: i32) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn house(authority: &Authority, last_year: i32) -> House {
    let house = House::new();
    std::fs::create_dir_all(house.path("config/tls")).unwrap();
    let (certificate, key) = authority.issue("server", last_year);
    house.write("config/tls/server.pem", &certificate);
    house.write("config/tls/server.key", &key);
    house.write("config/tls/clients.pem", &authority.certificate);
    house.write(
        "config/rettidig.toml",
        "[endpoint.tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\nclient_ca = \"tls/clients.pem\"\n",
    );
    house
}

fn dial(authority: &Authority, port: u16, identity: Option<&(String, String)>) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap()).unwrap();
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
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

/// The return code of CONNACK, none when the connection ends without.
fn log_in(mut stream: Stream, user: Option<(&str, &str)>) -> Option<u8> {
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let flags = if user.is_some() { 0b1100_0010 } else { 0b10 };
    let mut body = [&text("MQTT")[..], &[4, flags, 0, 60], &text("x")].concat();
    for part in user.into_iter().flat_map(|(name, password)| [name, password]) {
        body.extend(text(part));
    }
    stream.write_all(&[&[0x10, u8::try_from(body.len()).unwrap()][..], &body].concat()).ok()?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).ok()?;
    Some(answer[3])
}

#[test]
fn check_and_doctor_read_the_certificates() {
    let authority = Authority::new();
    let house = house(&authority, 2999);
    house.rettidig(&["check"]).expect_code(0);
    assert!(house.rettidig(&["doctor"]).out.contains("good     endpoint TLS: certificate and key fit"));

    let (_, other_key) = authority.issue("server", 2999);
    let right_key = std::fs::read_to_string(house.path("config/tls/server.key")).unwrap();
    for (text, words) in [("garbage", "private key"), (&other_key, "server.key")] {
        house.write("config/tls/server.key", text);
        let checked = house.rettidig(&["check"]).expect_code(65);
        assert!(checked.out.contains(words) && checked.out.contains("[endpoint.tls]"), "{}", checked.out);
        assert_eq!(house.json_of(&["check"])["passed"], false);
        let examined = house.rettidig(&["doctor"]);
        assert!(examined.out.contains("fault    endpoint TLS") && examined.out.contains(words), "{}", examined.out);
    }
    house.write("config/tls/server.key", &right_key);
    house.write("config/tls/server.pem", "garbage");
    assert!(house.rettidig(&["check"]).expect_code(65).out.contains("server.pem"));
}

#[test]
fn a_certificate_that_has_ended_is_a_fault() {
    let house = house(&Authority::new(), 2001);
    let checked = house.rettidig(&["check"]).expect_code(65);
    assert!(checked.out.contains("has ended at 2001-01-01") && checked.out.contains("renew"), "{}", checked.out);
    assert!(house.rettidig(&["doctor"]).out.contains("fault    endpoint TLS"));
}

#[test]
fn a_certificate_is_necessary_and_belongs_to_one_login() {
    let authority = Authority::new();
    let house = house(&authority, 2999);
    house.json(&["client", "add", "truck-1", "--role", "gateway", "--certificate", "truck-1"]);
    let secret = house.json(&["client", "add", "truck-2", "--role", "gateway"]);
    let secret = secret["secret"].as_str().unwrap_or_else(|| panic!("{secret}")).to_owned();
    let gateway = house.start();
    let port = gateway.port("mqtts");
    let (own, of_nobody) = (authority.issue("truck-1", 2999), authority.issue("fleet", 2999));
    assert_eq!(log_in(dial(&authority, port, None), Some(("truck-2", &secret))), None, "no certificate");
    assert_eq!(log_in(dial(&authority, port, Some(&own)), None), Some(0));
    assert_eq!(log_in(dial(&authority, port, Some(&own)), Some(("truck-1", "anything"))), Some(0));
    assert_eq!(log_in(dial(&authority, port, Some(&own)), Some(("truck-2", &secret))), Some(5), "another login");
    assert_eq!(log_in(dial(&authority, port, Some(&of_nobody)), None), Some(4));
    assert_eq!(log_in(dial(&authority, port, Some(&of_nobody)), Some(("truck-2", &secret))), Some(0));
    assert!(gateway.stop().success());
}
