//! From what a person wrote (`form`) to a recipe that can only be run (`recipe`).

use chrono::TimeDelta;

use super::{
    form::{Format, KeyForm, PartForm, SharedSecretForm, TimestampForm, ToleranceForm, VerifyForm},
    recipe::{Algorithm, Layout, Scheme, SharedPlace, Signed, Timestamp, TimestampPlace},
};
use crate::core::{
    period::Period,
    problem::{Problem, Problems, nearest, pointer},
};

/// How far a time of sending may be from ours where the recipe does not say: what Standard Webhooks and most senders use.
const TOLERANCE_DEFAULT: Period = Period::from_secs(300);
/// The widest tolerance: beyond a day a timestamp guards against nothing.
const TOLERANCE_MAX: Period = Period::from_secs(86_400);
/// The most parts of a signed message.
const PARTS_MAX: usize = 32;

/// The keys that name a scheme.
const SCHEMES: [&str; 5] = ["hmac", "ed25519", "basic", "shared_secret", "insecure_no_verification"];

/// One pass over one `verify` block that goes on after an error, so that all are shown at once.
pub(super) struct Compiler<'a> {
    form: &'a VerifyForm,
    at: &'a str,
    problems: Problems,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(form: &'a VerifyForm, at: &'a str) -> Self {
        Self {
            form,
            at,
            problems: Problems::new(),
        }
    }

    /// What is wrong with the block.
    pub(super) fn finish(self) -> Problems {
        self.problems
    }

    fn error(&mut self, code: &'static str, key: &str, message: impl Into<String>, hint: &str) {
        let place = if key.is_empty() {
            self.at.to_owned()
        } else {
            pointer(self.at, key)
        };
        self.problems.push(Problem::error(code, place, message).with_hint(hint));
    }

    /// The scheme that the block describes, as far as it can be told.
    pub(super) fn scheme(&mut self) -> Option<Scheme> {
        let form = self.form;
        let written = [
            form.hmac.is_some(),
            form.ed25519.is_some(),
            form.basic.is_some(),
            form.shared_secret.is_some(),
            form.insecure_no_verification.is_some(),
        ];
        let named: Vec<&str> = SCHEMES
            .into_iter()
            .zip(written)
            .filter_map(|(name, is_written)| is_written.then_some(name))
            .collect();
        let [name] = named.as_slice() else {
            self.not_one_scheme(&named);
            return None;
        };
        if !self.is_switched_on() {
            return None;
        }
        match *name {
            "hmac" => self.signed(Algorithm::Hmac(form.hmac?)),
            "ed25519" => self.signed(Algorithm::Ed25519),
            "basic" => {
                self.refuse_details("basic");
                Some(Scheme::Basic)
            }
            "shared_secret" => {
                self.refuse_details("shared_secret");
                self.shared(form.shared_secret.as_ref()?)
            }
            _ => {
                self.refuse_details("insecure_no_verification");
                self.warn_unverified();
                Some(Scheme::Unverified)
            }
        }
    }

    fn not_one_scheme(&mut self, named: &[&str]) {
        if named.is_empty() {
            self.error(
                "WH001",
                "",
                "nothing here verifies a request",
                "name `hmac`, `ed25519`, `basic` or `shared_secret`; `docs/webhook-recipes.md` has those of many senders",
            );
        } else {
            let message = format!("`{}` exclude each other", named.join("`, `"));
            self.error("WH002", "", message, "keep the one that the sender uses");
        }
    }

    fn warn_unverified(&mut self) {
        let at = pointer(self.at, "insecure_no_verification");
        self.problems.push(
            Problem::warning("WH014", at, "webhooks are accepted from anybody")
                .with_hint("use `hmac`, `ed25519`, `basic` or `shared_secret` wherever the sender offers one"),
        );
    }

    /// A scheme that is switched on by `true` cannot be switched off: that would leave nothing.
    fn is_switched_on(&mut self) -> bool {
        let form = self.form;
        let mut is_on = true;
        for (key, value) in [
            ("ed25519", form.ed25519),
            ("basic", form.basic),
            ("insecure_no_verification", form.insecure_no_verification),
        ] {
            if value == Some(false) {
                let message = format!("`{key}: false` verifies nothing");
                self.error("WH003", key, message, "write `true`, or name another scheme");
                is_on = false;
            }
        }
        is_on
    }

    /// Keys that describe a signature stand beside a scheme that has none.
    fn refuse_details(&mut self, scheme: &str) {
        let form = self.form;
        for (key, is_written) in [
            ("header", form.header.is_some()),
            ("format", form.format.is_some()),
            ("tag", form.tag.is_some()),
            ("prefix", form.prefix.is_some()),
            ("encoding", form.encoding.is_some()),
            ("key", form.key.is_some()),
            ("message", form.message.is_some()),
            ("timestamp", form.timestamp.is_some()),
            ("tolerance", form.tolerance.is_some()),
        ] {
            if is_written {
                let message = format!("`{key}` has no meaning beside `{scheme}`");
                self.error(
                    "WH005",
                    key,
                    message,
                    "it describes a signature: use it with `hmac` or `ed25519`",
                );
            }
        }
    }

    fn signed(&mut self, algorithm: Algorithm) -> Option<Scheme> {
        let form = self.form;
        let header = self.signature_header();
        let layout = self.layout();
        self.encoding();
        let key = self.key(algorithm);
        let timestamp = self.timestamp();
        let message = self.message();
        Some(Scheme::Signed(Signed {
            algorithm,
            key: key?,
            header: header?,
            layout: layout?,
            prefix: form.prefix.clone().unwrap_or_default(),
            encoding: form.encoding.unwrap_or_default(),
            message,
            timestamp,
        }))
    }

    fn signature_header(&mut self) -> Option<String> {
        if let Some(name) = &self.form.header {
            return self.header_name("header", name);
        }
        self.error(
            "WH004",
            "",
            "`header` is missing",
            "name the header that carries the signature",
        );
        None
    }

    /// Bytes as they are are not encoded.
    fn encoding(&mut self) {
        if self.form.encoding.is_some() && self.form.format == Some(Format::NamedBytes) {
            self.error(
                "WH018",
                "encoding",
                "`encoding` has no meaning with the format `named_bytes`",
                "leave it out, or write `format: named` for a signature that is text",
            );
        }
    }

    fn header_name(&mut self, key: &str, name: &str) -> Option<String> {
        if is_token(name) {
            return Some(name.to_owned());
        }
        let message = format!("`{}` is no header name", name.escape_default());
        self.error(
            "WH006",
            key,
            message,
            "letters, digits and hyphens only, as in `X-Signature`",
        );
        None
    }

    fn layout(&mut self) -> Option<Layout> {
        let format = self.form.format.unwrap_or_default();
        match (format, self.form.tag.clone()) {
            (Format::Plain, None) => Some(Layout::Plain),
            (Format::Named, None) => Some(Layout::Named { is_bytes: false }),
            (Format::NamedBytes, None) => Some(Layout::Named { is_bytes: true }),
            (Format::Plain | Format::Named | Format::NamedBytes, Some(_)) => {
                self.error(
                    "WH007",
                    "tag",
                    "`tag` has no meaning with the formats `plain` and `named`",
                    "a header with tagged entries is `format: csv_kv` or `format: space_list`",
                );
                None
            }
            (Format::CsvKv, Some(tag)) if is_tag(&tag) => Some(Layout::CsvKv { tag }),
            (Format::SpaceList, Some(tag)) if is_tag(&tag) => Some(Layout::SpaceList { tag }),
            (_, Some(tag)) => {
                let message = format!("`{}` is no tag", tag.escape_default());
                self.error("WH007", "tag", message, "letters, digits, `_` and `-` only, as in `v1`");
                None
            }
            (_, None) => {
                self.error(
                    "WH007",
                    "",
                    "`tag` is missing",
                    "say which entries of the list count, as in `tag: v1`",
                );
                None
            }
        }
    }

    fn key(&mut self, algorithm: Algorithm) -> Option<KeyForm> {
        let (default, fitting): (_, &[KeyForm]) = match algorithm {
            Algorithm::Hmac(_) => (
                KeyForm::Utf8,
                &[KeyForm::Utf8, KeyForm::Base64, KeyForm::Hex, KeyForm::Whsec],
            ),
            Algorithm::Ed25519 => (KeyForm::Whpk, &[KeyForm::Whpk, KeyForm::Base64, KeyForm::Hex]),
        };
        let key = self.form.key.unwrap_or(default);
        if fitting.contains(&key) {
            return Some(key);
        }
        let (message, hint) = match algorithm {
            Algorithm::Hmac(_) => (
                "a public key cannot check an HMAC",
                "use `ed25519: true` instead of `hmac`",
            ),
            Algorithm::Ed25519 => (
                "this form of key cannot check an ed25519 signature",
                "use `whpk`, `base64` or `hex`",
            ),
        };
        self.error("WH012", "key", message, hint);
        None
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        let Some(form) = &self.form.timestamp else {
            if self.form.tolerance.is_some() {
                self.error(
                    "WH009",
                    "tolerance",
                    "`tolerance` has no timestamp to compare",
                    "add `timestamp:` with the header or tag that carries the time of sending",
                );
            }
            return None;
        };
        let place = self.timestamp_place(form)?;
        let tolerance = self.form.tolerance.unwrap_or(ToleranceForm {
            past: TOLERANCE_DEFAULT,
            future: TOLERANCE_DEFAULT,
        });
        if tolerance.past.millis() == 0 || tolerance.past.max(tolerance.future) > TOLERANCE_MAX {
            self.error(
                "WH015",
                "tolerance",
                "`tolerance` is not between one millisecond and one day",
                "`5m` is what most senders expect",
            );
        }
        Some(Timestamp {
            place,
            unit: form.unit,
            past: TimeDelta::milliseconds(tolerance.past.millis()),
            future: TimeDelta::milliseconds(tolerance.future.millis()),
        })
    }

    fn timestamp_place(&mut self, form: &TimestampForm) -> Option<TimestampPlace> {
        match (&form.header, &form.tag) {
            (Some(name), None) => self.header_name("timestamp", name).map(TimestampPlace::Header),
            (None, Some(tag)) if self.form.format == Some(Format::CsvKv) => Some(TimestampPlace::Tag(tag.clone())),
            (None, Some(_)) => {
                self.error(
                    "WH008",
                    "timestamp",
                    "only a header of the format `csv_kv` has a tag for the time",
                    "name the header that carries it, or set `format: csv_kv`",
                );
                None
            }
            _ => {
                self.error(
                    "WH008",
                    "timestamp",
                    "`timestamp` needs either `header` or `tag`",
                    "as in `{ header: X-Time }` or `{ tag: t, unit: ms }`",
                );
                None
            }
        }
    }

    fn message(&mut self) -> Vec<PartForm> {
        let has_timestamp = self.form.timestamp.is_some();
        let Some(parts) = &self.form.message else {
            return if has_timestamp {
                vec![PartForm::Timestamp, PartForm::Literal(".".to_owned()), PartForm::Body]
            } else {
                vec![PartForm::Body]
            };
        };
        if parts.len() > PARTS_MAX {
            let message = format!("{} parts are more than the {PARTS_MAX} allowed", parts.len());
            self.error("WH010", "message", message, "join neighbouring literals");
        }
        if !parts.contains(&PartForm::Body) {
            self.error(
                "WH010",
                "message",
                "the body is not signed, so anybody could change it",
                "add `body` where the sender puts it",
            );
        }
        let signs_time = parts.contains(&PartForm::Timestamp);
        if signs_time && !has_timestamp {
            self.error(
                "WH010",
                "message",
                "`timestamp` is signed but nothing says where it stands",
                "add `timestamp:` with the header or tag that carries it",
            );
        }
        if has_timestamp && !signs_time {
            self.problems.push(
                Problem::warning(
                    "WH011",
                    pointer(self.at, "message"),
                    "the timestamp is checked but not signed, so it keeps nobody from sending a request again",
                )
                .with_hint("add `timestamp` where the sender puts it, or leave `timestamp:` out"),
            );
        }
        for (index, part) in parts.iter().enumerate() {
            self.part(index, part);
        }
        parts.clone()
    }

    fn part(&mut self, index: usize, part: &PartForm) {
        let at = pointer(&pointer(self.at, "message"), index);
        let (code, message, hint) = match part {
            PartForm::Header(name) if !is_token(name) => (
                "WH006",
                format!("`{}` is no header name", name.escape_default()),
                "letters, digits and hyphens only, as in `X-Signature`".to_owned(),
            ),
            PartForm::UrlDecoded(set) if set.is_empty() || !set.chars().all(|c| c.is_ascii_graphic()) => (
                "WH013",
                format!("`{}` is no set of characters to decode", set.escape_default()),
                "list the ASCII characters whose escapes the sender decodes, as in `\":/?\"`".to_owned(),
            ),
            PartForm::Literal(text) if nearest(text, ["body", "timestamp", "method"]).is_some() => {
                self.problems.push(
                    Problem::warning("WH016", at, format!("`{text}` is signed as this very word"))
                        .with_hint(format!("for the {text} of the request write `{text}` alone")),
                );
                return;
            }
            _ => return,
        };
        self.problems.push(Problem::error(code, at, message).with_hint(hint));
    }

    fn shared(&mut self, form: &SharedSecretForm) -> Option<Scheme> {
        let place = match (&form.header, &form.query, &form.body_path) {
            (Some(name), None, None) => SharedPlace::Header(self.header_name("shared_secret", name)?),
            (None, Some(name), None) if !name.is_empty() => SharedPlace::Query(name.clone()),
            (None, None, Some(path)) if path.split('.').all(|name| !name.is_empty()) => {
                SharedPlace::Body(path.split('.').map(str::to_owned).collect())
            }
            _ => {
                self.error(
                    "WH017",
                    "shared_secret",
                    "`shared_secret` needs exactly one of `header`, `query` and `body_path`",
                    "as in `{ header: X-Token }`, `{ query: token }` or `{ body_path: auth.token }`",
                );
                return None;
            }
        };
        Some(Scheme::Shared(place))
    }
}

/// Whether `name` is a header name (RFC 9110 section 5.6.2, token).
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
