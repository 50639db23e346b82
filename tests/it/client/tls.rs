//! Certificates of both sides: shown where the other side asks for one, and told by name where one has ended.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde_json::json;
use syncline::client::ConfigError;

use super::Sample;
use crate::cli::Place;

fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/client/pem/{name}.pem"))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(pem(name)).unwrap()
}

/// A system behind TLS that wants to see a certificate. It ends with the test's process.
fn start(certificate: &str) -> SocketAddr {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pem("ca")).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let chain = vec![CertificateDer::from_pem_file(pem(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(pem(certificate)).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut stream = stream;
                serve(&mut stream, config);
                hang_up(stream);
            });
        }
    });
    address
}

/// Ends a connection after its caller: one that is closed with a request unread is reset, and takes the alert that says why along,
/// where the caller had not read it by then.
fn hang_up(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let mut rest = [0; 1024];
    while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
}

fn serve(stream: &mut TcpStream, config: Arc<ServerConfig>) -> Option<()> {
    let mut connection = ServerConnection::new(config).ok()?;
    let mut tls = rustls::Stream::new(&mut connection, stream);
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.ends_with(b"\r\n\r\n") {
        let count = tls.read(&mut buffer).ok().filter(|count| *count > 0)?;
        seen.extend_from_slice(&buffer[..count]);
    }
    let body = r#"{"items":[]}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    tls.write_all(head.as_bytes()).ok()?;
    tls.write_all(body.as_bytes()).ok()?;
    tls.flush().ok()
}

/// What the real binary says of a system that is reached with this certificate; it trusts the authority of the tests alone.
fn doctor(server: &str, client: &str) -> String {
    let address = start(server);
    let place = Place::empty();
    place.write(
        "connectors/tls.yaml",
        "connector: tls\nsettings: { base_url: { type: url } }\nbase_url: \"{{ settings.base_url }}\"\n\
         credentials: [certificate, private_key]\n\
         auth: { client_certificate: { certificate: \"{{ credentials.certificate }}\", key: \"{{ credentials.private_key }}\" } }\n\
         objects: { account: { id: id, list: { get: /accounts, records: items }, get: { get: \"/accounts/{{ id }}\" } } }\n",
    );
    let file = pem(client);
    let file = file.display();
    place.write(
        "config/dev.toml",
        &format!(
            "[systems.crm]\nconnector = \"tls\"\nsettings = {{ base_url = \"https://{address}\" }}\n\
             allow_networks = [\"127.0.0.0/8\"]\nsecret_owner = \"it@example.com\"\n\
             credentials = {{ certificate = {{ file = \"{file}\" }}, private_key = {{ file = \"{file}\" }} }}\n"
        ),
    );
    let output = place
        .command()
        .env("SSL_CERT_FILE", pem("ca"))
        .env_remove("SSL_CERT_DIR")
        .args(["--json", "doctor"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_connection_shows_the_certificate_that_the_system_asks_for() {
    let said = doctor("server", "client");
    assert!(!said.contains("RQ009"), "{said}");
    assert!(said.contains("\"records\":0") || said.contains("0 records"), "{said}");
}

#[test]
fn a_certificate_that_has_ended_is_told_by_name_whichever_side_it_is_of() {
    for (server, client) in [("ended-server", "client"), ("server", "ended-client")] {
        let said = doctor(server, client);
        assert!(said.contains("RQ009"), "{server}, {client}: {said}");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_before_anything_is_sent() {
    for (certificate, key, expected) in [
        (
            "no certificate".to_owned(),
            text("client"),
            "no PEM text of a certificate",
        ),
        (text("client"), "no key".to_owned(), "no PEM text of a key"),
        (text("client"), text("ec"), "not that of the certificate"),
    ] {
        let sample = Sample::new()
            .with(json!({
                "credentials": ["certificate", "private_key"],
                "auth": { "client_certificate": {
                    "certificate": "{{ credentials.certificate }}", "key": "{{ credentials.private_key }}",
                } },
            }))
            .credential("certificate", &certificate)
            .credential("private_key", &key);
        match sample.try_at("https://127.0.0.1:1") {
            Err(ConfigError::ClientCertificate(reason)) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
