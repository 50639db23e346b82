//! Subscriptions to a system's pushes: what is wanted, what is there, and what has to be done, decided without asking anybody.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::{List, Source, request::Request};
use crate::core::{
    expr::{Scope, Template},
    value::{Map, Value},
    webhook::event::moment,
};

/// How subscriptions are kept in order.
#[derive(Debug)]
pub struct Subscriptions {
    /// What is subscribed to: the topic, and the object that it is about.
    pub topics: Vec<(String, String)>,
    /// Lists what is registered.
    pub list: Option<List>,
    /// Registers one.
    pub create: Request,
    /// Where its id is in the answer.
    pub created_id: Source,
    /// Lengthens one.
    pub renew: Option<Request>,
    /// Takes one back.
    pub delete: Option<Request>,
    /// How one is read.
    pub reading: Reading,
    /// How long one lasts.
    pub life: Option<Duration>,
    /// How long before its end it is renewed.
    pub renew_before: Duration,
}

/// How a registered subscription is read.
#[derive(Debug)]
pub struct Reading {
    /// Its id.
    pub id: Template,
    /// What it is subscribed to.
    pub topic: Option<Template>,
    /// Where it pushes to.
    pub url: Option<Template>,
    /// Whether it is alive.
    pub active: Option<Template>,
    /// When it ends.
    pub expires_at: Option<Template>,
    /// The secret that its system made for it.
    pub secret: Option<Template>,
}

/// A secret that a system made for a subscription to its pushes. It is printed nowhere.
#[derive(Clone)]
pub struct MadeSecret(SecretString);

impl MadeSecret {
    /// The secret itself.
    #[must_use]
    pub const fn text(&self) -> &SecretString {
        &self.0
    }
}

impl From<String> for MadeSecret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for MadeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeSecret")
    }
}

impl PartialEq for MadeSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for MadeSecret {}

/// A registered subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The system's id of it.
    pub id: String,
    /// What it is subscribed to.
    pub topic: String,
    /// Whether it is alive, as far as the system says.
    pub is_active: bool,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// The secret that its system made for it, where it tells one and we know it.
    pub secret: Option<MadeSecret>,
}

/// What one registered subscription turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It pushes to us.
    Ours(Subscription),
    /// It pushes somewhere else: not ours to touch.
    Other,
    /// It cannot be read: it has no id, or no topic.
    Unreadable,
}

/// What has to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Take this one back.
    Delete(Subscription, Reason),
    /// Register this topic.
    Create(String),
    /// Lengthen this one.
    Renew(Subscription),
}

/// Why one is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It does not push any more.
    Dead,
    /// There is another one of the same topic.
    Double,
    /// No mapping uses the object that it is about.
    Unwanted,
    /// It ends soon, and cannot be lengthened.
    Ending,
    /// Nobody knows the secret that it signs with.
    Secretless,
}

impl Reason {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Double => "double",
            Self::Unwanted => "unwanted",
            Self::Ending => "ending",
            Self::Secretless => "secretless",
        }
    }
}

impl Subscriptions {
    /// The topics of these objects.
    pub fn wanted(&self, is_used: impl Fn(&str) -> bool) -> Vec<String> {
        let topics = self.topics.iter().filter(|(_, object)| is_used(object));
        topics.map(|(topic, _)| topic.clone()).collect()
    }

    /// The object that a topic is about.
    #[must_use]
    pub fn object_of(&self, topic: &str) -> Option<&str> {
        let found = self.topics.iter().find(|(known, _)| known == topic);
        found.map(|(_, object)| object.as_str())
    }

    /// Whether the system makes a secret for each subscription, and its pushes are signed with that.
    #[must_use]
    pub const fn makes_secrets(&self) -> bool {
        self.reading.secret.is_some()
    }

    /// Reads one element of the list.
    #[must_use]
    pub fn read(&self, element: Value, callback: &str, scope: &Scope) -> Found {
        let scope = scope.clone().with("subscription", element);
        let text = |template: Option<&Template>| {
            let found = template.and_then(|template| template.find(&scope).ok().flatten());
            found.and_then(|value| value.to_text()).filter(|text| !text.is_empty())
        };
        let url = text(self.reading.url.as_ref());
        if url.is_none_or(|url| url.trim_end_matches('/') != callback.trim_end_matches('/')) {
            return Found::Other;
        }
        let (Some(id), Some(topic)) = (text(Some(&self.reading.id)), text(self.reading.topic.as_ref())) else {
            return Found::Unreadable;
        };
        let active = self.reading.active.as_ref();
        Found::Ours(Subscription {
            id,
            topic,
            is_active: active.is_none_or(|active| active.holds(&scope).unwrap_or(true)),
            expires_at: self.expires_at(&scope),
            secret: self.secret(&scope),
        })
    }

    fn secret(&self, scope: &Scope) -> Option<MadeSecret> {
        let found = self.reading.secret.as_ref()?.find(scope).ok().flatten()?;
        found.to_text().filter(|text| !text.is_empty()).map(MadeSecret::from)
    }

    fn expires_at(&self, scope: &Scope) -> Option<DateTime<Utc>> {
        let found = self.reading.expires_at.as_ref()?.find(scope).ok().flatten()?;
        moment(&found)
    }

    /// The subscription that an answer to `create` tells of.
    #[must_use]
    pub fn created(
        &self,
        topic: &str,
        (body, headers): (&Value, &Map),
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Option<Subscription> {
        let id = self
            .created_id
            .get(body, headers)?
            .to_text()
            .filter(|id| !id.is_empty())?;
        let scope = scope.clone().with("subscription", body.clone());
        let told = self.expires_at(&scope);
        Some(Subscription {
            id,
            topic: topic.to_owned(),
            is_active: true,
            expires_at: told.or_else(|| self.until(now)),
            secret: self.secret(&scope),
        })
    }

    /// When one that is made or lengthened now should end.
    #[must_use]
    pub fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_add_signed(TimeDelta::from_std(self.life?).ok()?)
    }

    /// What has to be done so that each wanted topic has one living subscription and no other has any. What is taken back
    /// comes first: many systems refuse a second one.
    #[must_use]
    pub fn plan(&self, wanted: &[String], found: &[Subscription], now: DateTime<Utc>) -> Vec<Step> {
        let mut by_topic: BTreeMap<&str, Vec<&Subscription>> = BTreeMap::new();
        for one in found {
            by_topic.entry(&one.topic).or_default().push(one);
        }
        let (mut deletes, mut rest) = (Vec::new(), Vec::new());
        let mut delete = |one: &Subscription, reason| deletes.push(Step::Delete(one.clone(), reason));
        for (topic, ones) in &mut by_topic {
            // The one that lasts longest stays; one without an end lasts longest of all, and one that cannot be verified counts
            // for nothing.
            ones.sort_by_key(|one| {
                (
                    one.is_alive(now),
                    one.secret.is_some(),
                    one.expires_at.is_none(),
                    one.expires_at,
                    one.id.clone(),
                )
            });
            let is_wanted = wanted.iter().any(|wanted| wanted == topic);
            let kept = ones.pop();
            for one in ones {
                delete(one, if is_wanted { Reason::Double } else { Reason::Unwanted });
            }
            match kept {
                Some(one) if !is_wanted => delete(one, Reason::Unwanted),
                Some(one) if !one.is_alive(now) => {
                    delete(one, Reason::Dead);
                    rest.push(Step::Create((*topic).to_owned()));
                }
                Some(one) if self.makes_secrets() && one.secret.is_none() => {
                    delete(one, Reason::Secretless);
                    rest.push(Step::Create((*topic).to_owned()));
                }
                Some(one) if one.ends_within(self.renew_before, now) && self.renew.is_some() => {
                    rest.push(Step::Renew(one.clone()));
                }
                Some(one) if one.ends_within(self.renew_before, now) => {
                    delete(one, Reason::Ending);
                    rest.push(Step::Create((*topic).to_owned()));
                }
                _ => {}
            }
        }
        let missing = wanted.iter().filter(|topic| !by_topic.contains_key(topic.as_str()));
        rest.extend(missing.cloned().map(Step::Create));
        if self.delete.is_some() {
            deletes.append(&mut rest);
            deletes
        } else {
            // What cannot be taken back ends by itself.
            rest
        }
    }
}

impl Subscription {
    /// Whether it pushes.
    #[must_use]
    pub fn is_alive(&self, now: DateTime<Utc>) -> bool {
        self.is_active && self.expires_at.is_none_or(|at| now < at)
    }

    fn ends_within(&self, period: Duration, now: DateTime<Utc>) -> bool {
        let period = TimeDelta::from_std(period).unwrap_or(TimeDelta::MAX);
        self.expires_at
            .is_some_and(|at| at.signed_duration_since(now) <= period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::connector::{Connector, tests::compiled};

    fn connector(more: &str) -> Connector {
        compiled(&format!(
            r#"
connector: acme
settings: {{ base_url: {{ type: url }} }}
base_url: "{{{{ settings.base_url }}}}"
objects:
  account: {{ id: id, list: {{ get: /a, records: items }}, get: {{ get: "/a/{{{{ id }}}}" }} }}
webhooks:
  verify: {{ insecure_no_verification: true }}
  object: account
  subscriptions:
    topics: {{ account: [a.created, a.updated] }}
    list: {{ get: /hooks, records: data }}
    create: {{ post: /hooks, body: {{ url: "{{{{ callback }}}}", topic: "{{{{ topic }}}}" }}, id: id }}
    delete: {{ delete: "/hooks/{{{{ id }}}}" }}
    topic: "{{{{ subscription.topic }}}}"
    url: "{{{{ subscription.url }}}}"
    active: "{{{{ subscription.enabled }}}}"
    expires_at: "{{{{ subscription.ends }}}}"
    expires_after: 3d
{more}
"#
        ))
    }

    const RENEW: &str = "    renew: { patch: \"/hooks/{{ id }}\", body: { until: \"{{ until }}\" } }";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_442_000, 0).unwrap()
    }

    fn one(id: &str, topic: &str, hours: Option<i64>) -> Subscription {
        Subscription {
            id: id.to_owned(),
            topic: topic.to_owned(),
            is_active: true,
            expires_at: hours.map(|hours| now() + TimeDelta::hours(hours)),
            secret: None,
        }
    }

    fn plan(more: &str, wanted: &[&str], found: &[Subscription]) -> Vec<Step> {
        let connector = connector(more);
        let wanted: Vec<String> = wanted.iter().map(|topic| (*topic).to_owned()).collect();
        connector.subscriptions.unwrap().plan(&wanted, found, now())
    }

    #[test]
    fn each_wanted_topic_gets_one_and_a_second_plan_has_nothing_to_do() {
        assert_eq!(
            plan("", &["a.created", "a.updated"], &[one("1", "a.updated", Some(48))]),
            [Step::Create("a.created".to_owned())]
        );
        let all = [one("1", "a.updated", Some(48)), one("2", "a.created", None)];
        assert_eq!(plan("", &["a.created", "a.updated"], &all), []);
    }

    #[test]
    fn doubles_dead_and_unwanted_ones_are_taken_back_first() {
        let mut dead = one("4", "a.created", None);
        dead.is_active = false;
        let found = [
            one("1", "a.updated", Some(30)),
            one("2", "a.updated", Some(40)),
            one("3", "a.updated", Some(-1)),
            dead.clone(),
            one("5", "old", None),
        ];
        assert_eq!(
            plan("", &["a.created", "a.updated"], &found),
            [
                Step::Delete(dead, Reason::Dead),
                Step::Delete(found[2].clone(), Reason::Double),
                Step::Delete(found[0].clone(), Reason::Double),
                Step::Delete(found[4].clone(), Reason::Unwanted),
                Step::Create("a.created".to_owned()),
            ]
        );
        assert_eq!(
            plan("", &[], &[found[0].clone()]),
            [Step::Delete(found[0].clone(), Reason::Unwanted)]
        );
    }

    #[test]
    fn one_that_ends_soon_is_lengthened_or_made_anew() {
        // A third of three days.
        for (hours, is_soon) in [(25, false), (24, true), (1, true)] {
            let found = one("1", "a.updated", Some(hours));
            let anew = [
                Step::Delete(found.clone(), Reason::Ending),
                Step::Create("a.updated".to_owned()),
            ];
            let renewed = [Step::Renew(found.clone())];
            let (expected_anew, expected_renewed): (&[Step], &[Step]) =
                if is_soon { (&anew, &renewed) } else { (&[], &[]) };
            assert_eq!(
                plan("", &["a.updated"], std::slice::from_ref(&found)),
                expected_anew,
                "{hours} h"
            );
            assert_eq!(plan(RENEW, &["a.updated"], &[found]), expected_renewed, "{hours} h");
        }
    }

    #[test]
    fn only_those_that_push_to_us_are_read_and_one_without_an_id_is_told() {
        let connector = connector("");
        let subscriptions = connector.subscriptions.unwrap();
        let read = |text: &str| {
            let element =
                crate::core::value::json::parse(text.as_bytes(), &crate::core::value::json::Limits::default());
            subscriptions.read(element.unwrap(), "https://s.example/webhooks/crm", &Scope::new())
        };
        let url = "https://s.example/webhooks/crm/";
        let ours = read(&format!(
            r#"{{"id":7,"topic":"t","url":"{url}","enabled":false,"ends":1772445600}}"#
        ));
        let mut expected = one("7", "t", Some(1));
        expected.is_active = false;
        assert_eq!(ours, Found::Ours(expected));
        assert_eq!(
            read(r#"{"id":7,"topic":"t","url":"https://other.example"}"#),
            Found::Other
        );
        assert_eq!(read(r#"{"id":7,"topic":"t"}"#), Found::Other);
        assert_eq!(read(&format!(r#"{{"topic":"t","url":"{url}"}}"#)), Found::Unreadable);
    }
}
