//! Letters to a mail server that changes over to TLS: the program as people run it, and what the server heard before and after.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::cli::Place;

/// Every line that a client said, and whether it went through TLS.
type Heard = Arc<Mutex<Vec<(bool, String)>>>;

fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/client/pem/{name}.pem"))
}

/// A mail server that offers STARTTLS, and takes a password behind it. It ends with the test's process.
fn start(certificate: &str) -> (SocketAddr, Heard) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_file(pem(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(pem(certificate)).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, heard) = (Arc::new(config), Heard::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, heard) = (Arc::clone(&config), Arc::clone(&shared));
            std::thread::spawn(move || serve(stream, config, &heard));
        }
    });
    (address, heard)
}

fn serve(mut stream: TcpStream, config: Arc<ServerConfig>, heard: &Heard) -> Option<()> {
    stream.write_all(b"220 loopback ESMTP\r\n").ok()?;
    talk(&mut stream, false, heard)?;
    let connection = ServerConnection::new(config).ok()?;
    talk(&mut StreamOwned::new(connection, stream), true, heard)
}

/// Answers until the client says goodbye, or wants to change over.
fn talk(stream: &mut (impl Read + Write), is_secret: bool, heard: &Heard) -> Option<()> {
    let mut is_data = false;
    loop {
        let line = line(stream)?;
        heard.lock().unwrap().push((is_secret, line.clone()));
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            _ if is_data && line != "." => continue,
            "EHLO" if is_secret => "250-loopback\r\n250 AUTH PLAIN",
            "EHLO" => "250-loopback\r\n250 STARTTLS",
            "STARTTLS" => "220 go on",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        is_data = verb == "DATA";
        stream.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
        stream.flush().ok()?;
        if matches!(verb.as_str(), "STARTTLS" | "QUIT") {
            return Some(());
        }
    }
}

fn line(stream: &mut impl Read) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        line.push(byte[0]);
    }
    Some(String::from_utf8(line).unwrap().trim_end().to_owned())
}

/// Sends a message to the server, as a program that trusts the authority of the tests alone; what it printed.
fn test(address: SocketAddr) -> String {
    let place = Place::with(
        "[notify.mails.team]\nsmtp = { env = \"SMTP\" }\nfrom = \"syncline@example.com\"\nto = [\"ops@example.com\"]\n",
    );
    let output = place
        .command()
        .env("SMTP", format!("smtp://syncline:open%20sesame@{address}"))
        .env("SSL_CERT_FILE", pem("ca"))
        .env_remove("SSL_CERT_DIR")
        .args(["notices", "test"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_letter_and_the_password_go_through_tls_alone() {
    let (address, heard) = start("server");
    let said = test(address);
    let heard = heard.lock().unwrap();
    let open: Vec<&str> = heard
        .iter()
        .filter(|(is_secret, _)| !is_secret)
        .map(|(_, line)| line.as_str())
        .collect();
    assert!(
        matches!(open[..], [hello, "STARTTLS"] if hello.starts_with("EHLO")),
        "{open:?}; {said}"
    );
    let secret = |start: &str| {
        heard
            .iter()
            .any(|(is_secret, line)| *is_secret && line.starts_with(start))
    };
    assert!(
        secret("AUTH PLAIN ") && secret("RCPT TO:<ops@example.com>") && secret("Subject: "),
        "{heard:?}; {said}"
    );
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn a_mail_server_whose_certificate_has_ended_gets_neither_letter_nor_password() {
    let (address, heard) = start("ended-server");
    let said = test(address);
    let heard = heard.lock().unwrap();
    assert!(heard.iter().all(|(is_secret, _)| !is_secret), "{heard:?}");
    assert!(said.contains("NT006") && said.contains("expired"), "{said}");
}
