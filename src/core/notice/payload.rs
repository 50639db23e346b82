//! What is told: a versioned JSON document for programs, a letter for people. Both come from one [`Notice`].

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Kind, Severity, TEST, sight::Detail, type_of, words};
use crate::core::status::{NoticeCondition, NoticeState};

/// The version of [`Payload`]. A new key does not change it; a key that goes, or means something else, does.
pub const SCHEMA_VERSION: u32 = 1;

/// A change of a condition that is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Names this notice among all; the same over all tries and targets.
    pub event_id: String,
    /// The environment, such as `prod`.
    pub environment: String,
    /// The condition.
    pub condition: NoticeCondition,
    /// How it stands now.
    pub state: NoticeState,
    /// The mapping or system.
    pub subject: String,
    /// When the change was seen.
    pub occurred_at: DateTime<Utc>,
    /// When it was raised, for one that is well again.
    pub raised_at: Option<DateTime<Utc>>,
    /// The facts; none where the mapping or system is not in the settings any more.
    pub detail: Option<Detail>,
}

/// The body of an outgoing webhook.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// The version of this form.
    pub schema_version: u32,
    /// Names this notice; the same in every try, so that a receiver can tell a repetition.
    pub event_id: String,
    /// `drift.raised`, `drift.well`, …; `test` for a message that a person sends to try a target.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the change was seen.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub occurred_at: DateTime<Utc>,
    /// How much it matters.
    pub severity: Severity,
    /// The environment, such as `prod`.
    pub environment: String,
    /// The mapping concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// The system concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// One sentence for people.
    pub title: String,
    /// When it was raised, for one that is well again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub raised_at: Option<DateTime<Utc>>,
    /// The facts, by the condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Detail>,
    /// What to do next.
    pub next: String,
}

/// A letter for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

impl Notice {
    /// As programs get it.
    #[must_use]
    pub fn payload(&self) -> Payload {
        let severity = match self.state {
            NoticeState::Raised => self.condition.severity(),
            NoticeState::Well => Severity::Info,
        };
        let subject = |kind| (self.condition.kind() == kind).then(|| self.subject.clone());
        Payload {
            schema_version: SCHEMA_VERSION,
            event_id: self.event_id.clone(),
            kind: type_of(self.condition, self.state),
            occurred_at: self.occurred_at,
            severity,
            environment: self.environment.clone(),
            mapping: subject(Kind::Mapping),
            system: subject(Kind::System),
            title: words::title(self),
            raised_at: self.raised_at,
            summary: self.detail.clone(),
            next: words::next(self),
        }
    }
}

impl Payload {
    /// What `syncline notices test` sends to one target.
    #[must_use]
    pub fn test(event_id: String, environment: String, occurred_at: DateTime<Utc>, target: &str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            event_id,
            kind: TEST.to_owned(),
            occurred_at,
            severity: Severity::Info,
            environment,
            mapping: None,
            system: None,
            title: format!("a test message for the target `{target}`"),
            raised_at: None,
            summary: None,
            next: "nothing to do: whoever reads this gets the notices of Syncline".to_owned(),
        }
    }

    /// The document, as it is signed and sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As people get it: the title, the facts one a line, and what to do next.
    #[must_use]
    pub fn letter(&self) -> Letter {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut facts = vec![
            ("when", time(self.occurred_at)),
            ("environment", self.environment.clone()),
        ];
        facts.extend(self.mapping.clone().map(|name| ("mapping", name)));
        facts.extend(self.system.clone().map(|name| ("system", name)));
        facts.extend(self.raised_at.map(|at| ("raised", time(at))));
        facts.extend(self.summary.iter().flat_map(words::facts));
        let facts: Vec<String> = facts
            .into_iter()
            .map(|(name, fact)| format!("  {name:<12} {}\n", one_line(&fact)))
            .collect();
        let facts = facts.concat();
        let subject = format!("[Syncline {}] {}", self.environment, self.title);
        Letter {
            subject: one_line(&subject),
            body: format!(
                "{}\n\n{facts}\nWhat to do next:\n  {}\n\nThis is `{}`, {}; one message a change.\n",
                one_line(&self.title),
                one_line(&self.next),
                self.kind,
                self.event_id
            ),
        }
    }
}

/// A text without line breaks and control characters: nothing that was put in can begin a header or a line of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect()
}

/// The JSON Schema of [`Payload`].
#[must_use]
pub fn schema() -> String {
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<Payload>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), "A notice of Syncline".into());
    }
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn notice(condition: NoticeCondition, state: NoticeState, subject: &str, detail: Option<Detail>) -> Notice {
        Notice {
            event_id: "01a0".into(),
            environment: "prod".into(),
            condition,
            state,
            subject: subject.into(),
            occurred_at: "2026-03-02T09:00:00Z".parse().unwrap(),
            raised_at: None,
            detail,
        }
    }

    #[test]
    fn a_payload_is_spelled_as_it_was_promised() {
        let detail = Detail::Drift {
            run_id: 17,
            drifted: 214,
            records: 10_000,
            limit: 100,
            is_complete: true,
            causes: [(crate::core::status::Cause::EventMissed, 214)].into(),
        };
        let payload = notice(
            NoticeCondition::Drift,
            NoticeState::Raised,
            "customer-account",
            Some(detail),
        )
        .payload();
        let expected = serde_json::json!({
            "schemaVersion": 1,
            "eventId": "01a0",
            "type": "drift.raised",
            "occurredAt": "2026-03-02T09:00:00Z",
            "severity": "warning",
            "environment": "prod",
            "mapping": "customer-account",
            "title": "customer-account: 214 of 10000 records drifted, more than 100",
            "summary": {
                "runId": 17, "drifted": 214, "records": 10_000, "limit": 100, "isComplete": true,
                "causes": { "event_missed": 214 },
            },
            "next": "syncline drift show 17",
        });
        assert_eq!(serde_json::to_value(&payload).unwrap(), expected);
    }

    #[test]
    fn a_letter_says_what_happened_and_what_to_do() {
        let detail = Detail::Held { run_id: Some(17) };
        let letter = notice(NoticeCondition::Held, NoticeState::Raised, "contact", Some(detail))
            .payload()
            .letter();
        assert_eq!(
            letter.subject,
            "[Syncline prod] contact: a run was stopped by a guard rail and waits for a person"
        );
        assert!(letter.body.contains("syncline runs release 17"), "{}", letter.body);
        assert!(letter.body.contains("  mapping      contact\n"), "{}", letter.body);
    }

    proptest! {
        #[test]
        fn no_name_and_no_reason_makes_a_line_of_its_own(name in "\\PC{0,20}[\\r\\n\\u{0}\\u{2028}]\\PC{0,20}", reason in "[\\r\\n]{1,3}Bcc: \\PC{0,20}") {
            let detail = Detail::Trouble { since: None, reason: Some(reason) };
            let payload = notice(NoticeCondition::Paused, NoticeState::Raised, &name, Some(detail)).payload();
            let letter = payload.letter();
            prop_assert!(!letter.subject.chars().any(char::is_control));
            prop_assert!(letter.body.lines().all(|line| !line.starts_with("Bcc:")));
        }
    }
}
