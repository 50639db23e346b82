//! Whoever looks: one connection that stays open, and the cookie of somebody who has signed in.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use url::form_urlencoded;

use crate::load::find;

/// The longest wait for a page.
const PATIENCE: Duration = Duration::from_mins(2);

/// One answer.
pub struct Answer {
    /// From the first byte sent to the last one received.
    pub took: Duration,
    /// Its head.
    head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A browser of one person.
pub struct Visitor {
    address: String,
    stream: TcpStream,
    cookie: String,
}

impl Visitor {
    /// Signs somebody in.
    pub fn sign_in(address: &str, name: &str, password: &str) -> Result<Self> {
        let mut visitor = Self {
            address: address.to_owned(),
            stream: connect(address)?,
            cookie: String::new(),
        };
        let page = visitor.get("/console/sign-in")?;
        let text = String::from_utf8(page.body)?;
        let (_, rest) = text
            .split_once("name=\"form\" value=\"")
            .context("the sign-in has no form")?;
        let word = rest.split('"').next().unwrap_or_default();
        let pairs = [
            ("form", word),
            ("name", name),
            ("password", password),
            ("next", "/console"),
        ];
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let answer = visitor.send("POST", "/console/sign-in", &form)?;
        ensure!(answer.status() == "303", "the sign-in was answered {}", answer.status());
        Ok(visitor)
    }

    /// The same person in another window.
    pub fn again(&self) -> Result<Self> {
        Ok(Self {
            address: self.address.clone(),
            stream: connect(&self.address)?,
            cookie: self.cookie.clone(),
        })
    }

    /// Asks for a page.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, "")
    }

    fn send(&mut self, method: &str, path: &str, form: &str) -> Result<Answer> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{form}",
            self.address,
            self.cookie,
            form.len()
        );
        let sent = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        let mut input = Vec::with_capacity(64 * 1024);
        let end = loop {
            self.read(&mut input)?;
            if let Some(end) = find(&input, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let mut body = input.split_off(end);
        let mut answer = Answer {
            took: Duration::ZERO,
            head: String::from_utf8(input)?,
            body: Vec::new(),
        };
        let length: usize = answer.header("content-length").unwrap_or("0").parse()?;
        while body.len() < length {
            self.read(&mut body)?;
        }
        answer.took = sent.elapsed();
        answer.body = body;
        if let Some(cookie) = answer.header("set-cookie").and_then(|line| line.split(';').next()) {
            cookie.clone_into(&mut self.cookie);
        }
        Ok(answer)
    }

    fn read(&mut self, input: &mut Vec<u8>) -> Result<()> {
        let mut portion = [0; 16 * 1024];
        let count = self.stream.read(&mut portion)?;
        ensure!(count > 0, "the server hung up");
        input.extend_from_slice(portion.get(..count).unwrap_or_default());
        Ok(())
    }
}

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
