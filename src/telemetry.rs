//! Logs: one line a record on stderr, for eyes or for programs.
//!
//! What is logged carries ids (`request_id`, `event_id`, `run_id`, `record`), never values of records. Whatever comes from
//! outside is made harmless: control characters, line breaks and characters that turn the reading direction are escaped,
//! so that one record is one line and nobody writes lines of his own.

use std::{
    fmt::{self, Write as _},
    io::IsTerminal,
};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::{MakeWriter, format, format::Writer},
    layer::SubscriberExt,
};

use crate::settings::{Log, LogFormat};

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error("`{filter}` (log.level) is no level and no filter")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else logs already.
    #[error("logging was started twice")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends everything this process logs to stderr.
pub fn start(log: &Log) -> Result<(), Error> {
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    if is_json {
        tracing::subscriber::set_global_default(json(&log.level, std::io::stderr)?)?;
    } else {
        tracing::subscriber::set_global_default(human(&log.level, std::io::stderr)?)?;
    }
    Ok(())
}

/// The scheduler tells of its own insides at `info`; whoever wants that names it in the level.
const QUIET: &str = "tokio_cron_scheduler=warn";

fn filter(level: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(format!("{QUIET},{level}"))
        .map_err(|source| Error::Filter {
            filter: level.to_owned(),
            source,
        })
}

fn json<W>(level: &str, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_current_span(true)
        .with_writer(writer);
    Ok(tracing_subscriber::registry().with(filter(level)?).with(lines))
}

fn human<W>(level: &str, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let is_colored = std::io::stderr().is_terminal();
    let fields = format::debug_fn(|writer: &mut Writer<'_>, field, value| match field.name() {
        "message" => write!(Harmless(writer), "{value:?}"),
        name => write!(Harmless(writer), "{name}={value:?}"),
    })
    .delimited(" ");
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(fields)
        .with_ansi(is_colored)
        .with_target(false)
        .with_writer(writer);
    Ok(tracing_subscriber::registry().with(filter(level)?).with(lines))
}

/// Escapes whatever could break a line, colour a terminal or turn the reading direction.
pub struct Harmless<W>(pub W);

impl<W: fmt::Write> fmt::Write for Harmless<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_harmful) {
            let (clean, from) = rest.split_at(at);
            self.0.write_str(clean)?;
            let mut chars = from.chars();
            if let Some(harmful) = chars.next() {
                write!(self.0, "{}", harmful.escape_default())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

/// `text` with everything harmful escaped.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // Writing to a String cannot fail.
    let _ = Harmless(&mut escaped).write_str(text);
    escaped
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Sink {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    const HOSTILE: &str = "a\nb\r\x1b[31mred\x07\u{2028}c\u{202e}d\0";

    fn log_hostile() {
        let span = tracing::info_span!("request", request_id = HOSTILE);
        let _entered = span.enter();
        tracing::info!(record = %HOSTILE, "{HOSTILE}");
        tracing::debug!("not shown");
    }

    #[test]
    fn a_human_record_is_one_line_without_control_characters() {
        let sink = Sink::default();
        tracing::subscriber::with_default(human("info", sink.clone()).unwrap(), log_hostile);
        let text = sink.text();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        // The colours of the level are ours, and the sink is no terminal.
        let body = text.trim_end_matches('\n');
        assert!(!body.contains(|c: char| is_harmful(c) && c != '\x1b'), "{text:?}");
        assert!(!body.contains("\x1b[31mred"), "{text:?}");
    }

    #[test]
    fn a_json_record_is_one_line_and_keeps_the_ids_apart() {
        let sink = Sink::default();
        tracing::subscriber::with_default(json("info", sink.clone()).unwrap(), log_hostile);
        let text = sink.text();
        assert_eq!(text.trim_end().split('\n').count(), 1, "{text:?}");
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["message"], HOSTILE);
        assert_eq!(record["record"], HOSTILE);
        assert_eq!(record["span"]["request_id"], HOSTILE);
        assert_eq!(record["level"], "INFO");
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        assert_eq!(harmless("São Paulo → 東京"), "São Paulo → 東京");
        assert_eq!(harmless("a\tb"), "a\\tb");
    }
}
