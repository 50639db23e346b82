//! A mail server on 127.0.0.1 that takes letters, or refuses them as it is told to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// A letter as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
}

impl Received {
    /// The only value of a header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let mut values = head.split("\r\n").filter_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        let value = values.next();
        assert!(values.next().is_none(), "`{name}` stands twice");
        value
    }
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// What is answered to `RCPT TO` in place of 250.
    refusal: Mutex<Option<&'static str>>,
    commands: Mutex<Vec<String>>,
}

/// A running mail server; it ends when dropped.
pub struct MailServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    ending: CancellationToken,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, ending) = (Arc::<Shared>::default(), CancellationToken::new());
        let serving = {
            let (shared, ending) = (Arc::clone(&shared), ending.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let serving = serve(stream, Arc::clone(&shared));
                    tokio::spawn(ending.clone().run_until_cancelled_owned(serving));
                }
            }
        };
        tokio::spawn(ending.clone().run_until_cancelled_owned(serving));
        Self {
            shared,
            address,
            ending,
        }
    }

    /// `127.0.0.1:40025`
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on receivers are refused with this answer, or taken.
    pub fn refuse(&self, answer: Option<&'static str>) {
        *self.shared.refusal.lock().unwrap() = answer;
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Every command that came.
    pub fn commands(&self) -> Vec<String> {
        self.shared.commands.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 loopback ESMTP\r\n").await.ok()?;
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let line = line(&mut stream).await?;
        shared.commands.lock().unwrap().push(line.clone());
        let upper = line.to_ascii_uppercase();
        let refusal = *shared.refusal.lock().unwrap();
        let answer = if upper.starts_with("EHLO") {
            "250-loopback\r\n250 8BITMIME"
        } else if upper.starts_with("MAIL FROM:") {
            line[10..]
                .split('>')
                .next()?
                .trim_start_matches('<')
                .clone_into(&mut from);
            to.clear();
            "250 ok"
        } else if upper.starts_with("RCPT TO:") {
            to.push(line[8..].split('>').next()?.trim_start_matches('<').to_owned());
            refusal.unwrap_or("250 ok")
        } else if upper == "DATA" {
            stream.write_all(b"354 go on\r\n").await.ok()?;
            let data = data(&mut stream).await?;
            let (from, to) = (from.clone(), to.clone());
            shared.received.lock().unwrap().push(Received { from, to, data });
            "250 taken"
        } else if upper == "QUIT" {
            stream.write_all(b"221 bye\r\n").await.ok()?;
            return Some(());
        } else {
            "250 ok"
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut data = String::new();
    loop {
        let line = line(stream).await?;
        if line == "." {
            return Some(data);
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        data.push_str("\r\n");
    }
}
