//! Sends a letter by SMTP. The only user of `lettre`.
//!
//! TLS is not a matter of luck: `smtps://` begins with it, `smtp://` changes over to it (STARTTLS) or sends nothing, and only
//! `?tls=none` goes without, which never carries a password. There is no address guard here: a mail server mostly stands in
//! the own network, and its address comes from the settings alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::transport::install_crypto;

/// What is written, to whom.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// The sender's address.
    pub from: &'a str,
    /// The receivers' addresses.
    pub to: &'a [String],
    /// One line.
    pub subject: &'a str,
    /// Plain text.
    pub body: &'a str,
    /// Names the letter, the same in every try: mail programs show a repetition once.
    pub id: &'a str,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// Sends letters, each over a connection of its own.
#[derive(Debug, Clone, Copy)]
pub struct Mailer {
    /// How long one letter may take.
    pub timeout: Duration,
}

/// Why a letter was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address of the server is none that is known here.
    #[error("[NT001] the mail server's address {0}")]
    Server(&'static str),
    /// An address of the letter is none.
    #[error("[NT001] `{0}` is no e-mail address")]
    Address(String),
    /// The letter cannot be put together.
    #[error("[NT006] the letter cannot be put together")]
    Letter,
    /// The server was not reached, or did not answer in time.
    #[error("[NT003] no answer from the mail server in time")]
    TimedOut,
    /// The server refused, or could not be talked to.
    #[error("[NT006] the mail server: {0}")]
    Smtp(String),
}

/// How the connection is kept from others' eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    Tls,
    StartTls,
    None,
}

impl Protection {
    const fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

impl Mailer {
    /// Sends a letter through the server at `smtp`.
    pub async fn send(&self, smtp: &SecretString, letter: &Letter<'_>) -> Result<(), MailError> {
        let transport = self.transport(smtp)?;
        let message = message(letter)?;
        match tokio::time::timeout(self.timeout, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_timeout() => Err(MailError::TimedOut),
            Ok(Err(error)) => Err(MailError::Smtp(explain(&error))),
            Err(_) => Err(MailError::TimedOut),
        }
    }

    fn transport(&self, smtp: &SecretString) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
        let url = Url::parse(smtp.expose_secret()).map_err(|_| MailError::Server("is none"))?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(MailError::Server("has no host"))?;
        let protection = protection(&url)?;
        let user = decoded(url.username())?;
        if protection == Protection::None && (!user.is_empty() || url.password().is_some()) {
            return Err(MailError::Server(
                "has a password and `tls=none`, which everybody on the way could read",
            ));
        }
        install_crypto();
        let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| MailError::Smtp(explain(&error)));
        let tls = match protection {
            Protection::Tls => Tls::Wrapper(parameters()?),
            Protection::StartTls => Tls::Required(parameters()?),
            Protection::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(url.port().unwrap_or(protection.port()))
            .timeout(Some(self.timeout))
            .tls(tls);
        if !user.is_empty() {
            let password = decoded(url.password().unwrap_or_default())?;
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(builder.build())
    }
}

fn protection(url: &Url) -> Result<Protection, MailError> {
    let wish = url
        .query_pairs()
        .find(|(key, _)| key == "tls")
        .map(|(_, wish)| wish.into_owned());
    match (url.scheme(), wish.as_deref()) {
        ("smtps", None) => Ok(Protection::Tls),
        ("smtp", None | Some("starttls")) => Ok(Protection::StartTls),
        ("smtp", Some("none")) => Ok(Protection::None),
        ("smtp" | "smtps", _) => Err(MailError::Server("has a `tls` other than `starttls` and `none`")),
        _ => Err(MailError::Server("begins with neither `smtps://` nor `smtp://`")),
    }
}

fn decoded(text: &str) -> Result<String, MailError> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(std::borrow::Cow::into_owned)
        .map_err(|_| MailError::Server("has a user or password that is no text"))
}

/// The letter as it is sent: plain text, marked as written by a program so that nobody's absence is answered to us.
fn message(letter: &Letter<'_>) -> Result<Message, MailError> {
    let address = |text: &str| -> Result<Mailbox, MailError> {
        let address: Address = text.parse().map_err(|_| MailError::Address(text.to_owned()))?;
        Ok(Mailbox::new(None, address))
    };
    let from = address(letter.from)?;
    let id = format!("<{}@{}>", letter.id, from.email.domain());
    let mut builder = Message::builder()
        .from(from)
        .subject(letter.subject)
        .date(letter.at.into())
        .message_id(Some(id))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for to in letter.to {
        builder = builder.to(address(to)?);
    }
    builder.body(letter.body.to_owned()).map_err(|_| MailError::Letter)
}

/// What went wrong, with its deepest cause, on one short line.
fn explain(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(smtp: &str) -> String {
        let mailer = Mailer {
            timeout: Duration::from_secs(1),
        };
        mailer
            .transport(&SecretString::from(smtp))
            .map(drop)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_password_never_goes_without_tls() {
        assert!(refused("smtp://user:secret@mail.example.com?tls=none").contains("everybody on the way"));
        assert!(refused("smtp://user@mail.example.com?tls=none").contains("everybody on the way"));
    }

    #[test]
    fn tls_is_required_unless_it_is_renounced_in_so_many_words() {
        let of = |text: &str| protection(&Url::parse(text).unwrap()).ok();
        assert_eq!(of("smtps://mail.example.com"), Some(Protection::Tls));
        assert_eq!(of("smtp://mail.example.com"), Some(Protection::StartTls));
        assert_eq!(of("smtp://mail.example.com?tls=none"), Some(Protection::None));
        for text in ["smtp://h?tls=opportunistic", "smtps://h?tls=none", "http://h"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_in_a_letter_begins_a_header_of_its_own() {
        let letter = Letter {
            from: "syncline@example.com",
            to: &["ops@example.com".to_owned()],
            subject: "a\r\nBcc: thief@example.com\r\n\r\nbody",
            body: "hello",
            id: "01a0",
            at: DateTime::UNIX_EPOCH,
        };
        let text = String::from_utf8(message(&letter).unwrap().formatted()).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(head.lines().all(|line| !line.starts_with("Bcc:")), "{head}");
        let injected = ["ops@example.com\r\nBcc: thief@example.com".to_owned()];
        assert!(
            message(&Letter {
                to: &injected,
                ..letter
            })
            .is_err()
        );
    }
}
