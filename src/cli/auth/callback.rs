//! What the browser comes back with: by a request to this machine, or pasted.

use std::{io::BufRead as _, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::cli::error::{Error, Result};

/// The most of a request that is read: its first line is what counts.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// How long one connection may take to say what it wants; browsers open some that say nothing.
const REQUEST_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// Listens at the redirect address, or at a free port where none is given.
pub(super) async fn listen(redirect: Option<&Url>) -> Result<(Url, TcpListener)> {
    let Some(redirect) = redirect else {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let redirect = Url::parse(&format!("http://127.0.0.1:{port}/callback")).map_err(Error::failed)?;
        return Ok((redirect, listener));
    };
    let is_own = matches!(redirect.host_str(), Some("localhost" | "127.0.0.1")) && redirect.scheme() == "http";
    if !is_own {
        return Err(
            Error::usage("the browser cannot come back to this machine by that redirect address").with_hint(
                "use --paste with it, or register one that begins with http://127.0.0.1 or http://localhost",
            ),
        );
    }
    let port = redirect.port_or_known_default().unwrap_or(80);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        Error::failed(format!("cannot listen at {redirect}: {error}")).with_hint("is another program there?")
    })?;
    Ok((redirect.clone(), listener))
}

/// The first answer that is the wanted one. Others are nobody's: any page in the browser can send one.
pub(super) async fn answer(listener: &TcpListener, is_wanted: impl Fn(&Url) -> bool) -> Result<Url> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let target = tokio::time::timeout(REQUEST_TIME_MAX, target(&mut stream)).await;
        let answer = target.ok().flatten().and_then(|target| {
            let base = Url::parse("http://127.0.0.1").ok()?;
            base.join(&target).ok()
        });
        match answer.filter(|answer| is_wanted(answer)) {
            Some(answer) => {
                reply(
                    &mut stream,
                    "200 OK",
                    "Signed in as far as the browser goes. Look at the terminal; this page can be closed.",
                )
                .await;
                return Ok(answer);
            }
            None => reply(&mut stream, "404 Not Found", "There is nothing here.").await,
        }
    }
}

/// The address in the first line of a GET request.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        request.extend_from_slice(buffer.get(..count)?);
        if request.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
        if request.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let target = (words.next()? == "GET").then(|| words.next()).flatten()?;
    target.starts_with('/').then(|| target.to_owned())
}

/// A browser that has gone away misses nothing that the terminal does not say.
async fn reply(stream: &mut TcpStream, status: &str, text: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// An address from stdin.
pub(super) fn pasted() -> Result<Url> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Url::parse(line.trim()).map_err(|_| {
        Error::failed("what was pasted is no address")
            .with_hint("paste everything that stands in the browser's address bar")
    })
}
