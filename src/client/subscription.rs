//! Subscriptions to a system's pushes: asked for, made, lengthened and taken back.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    budget::Road,
    exchange::{Errand, Refused, Reply},
    system::System,
    write::Outcome,
};
use crate::core::{
    connector::{
        answer::Purpose,
        page::{self, Turn},
        request::Request,
        subscription::{Found, Subscription, Subscriptions},
    },
    expr::Scope,
    fault::Fault,
    value::{Value, json},
};

/// What faults are about, in place of an object.
const SUBSCRIPTION: &str = "subscription";

/// What a system says of its subscriptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    /// Those that push to us.
    pub ours: Vec<Subscription>,
    /// How many push somewhere else.
    pub others: usize,
    /// How many push to us and cannot be read.
    pub unreadable: usize,
}

/// Where a system pushes to, and what proves that it does.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The address.
    pub url: String,
    /// The secret that its pushes are signed with.
    pub secret: Option<SecretString>,
}

impl System {
    /// How its connector keeps subscriptions, where it does.
    #[must_use]
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        self.connector().subscriptions.as_ref()
    }

    /// Everything that is registered; none where the system has no list of it.
    pub async fn registered(&self, callback: &Callback) -> Result<Option<Registered>, Fault> {
        let Some((subscriptions, list)) = self.subscriptions().and_then(|all| Some((all, all.list.as_ref()?))) else {
            return Ok(None);
        };
        let inner = self.inner();
        let faulty = |refused: Refused| refused.fault;
        let mut pager = inner.pager(list).map_err(faulty)?;
        let mut registered = Registered::default();
        loop {
            let scope = self.scope(callback, None, None);
            let call = inner.with_context(|context| context.list_within(list, &scope, &pager));
            let reply = self.ask(call.map_err(faulty)?).await.map_err(faulty)?;
            let bad = |message: String| inner.bad_answer(SUBSCRIPTION, &message).fault;
            let elements = list.records.get(&reply.body).and_then(Value::as_list);
            let elements = elements.ok_or_else(|| bad(format!("there is no list at `{}`", list.records)))?;
            for element in elements {
                match subscriptions.read(element.clone(), &callback.url, &scope) {
                    Found::Ours(one) => registered.ours.push(one),
                    Found::Other => registered.others += 1,
                    Found::Unreadable => registered.unreadable += 1,
                }
            }
            let pieces: Vec<String> = elements.iter().map(json::to_string).collect();
            let last = elements.last().and_then(Value::as_map);
            let turn = pager.turn(&page::Page {
                rest: &reply.body,
                headers: &reply.headers,
                url: &reply.url,
                count: elements.len() as u64,
                last,
                print: page::print(pieces.iter().map(String::as_bytes)),
            });
            if turn.map_err(|error| bad(error.to_string()))? == Turn::End {
                return Ok(Some(registered));
            }
        }
    }

    /// Registers a topic.
    pub async fn subscribe(&self, callback: &Callback, topic: &str) -> Result<Subscription, Fault> {
        let subscriptions = self.kept()?;
        let now = self.now();
        let scope = self.scope(callback, Some(topic), None);
        let reply = self
            .send(&subscriptions.create, &scope)
            .await
            .map_err(|refused| refused.fault)?;
        let bad = |message: &str| self.inner().bad_answer(SUBSCRIPTION, message).fault;
        let created = subscriptions.created(topic, (&reply.body, &reply.headers), &scope, now);
        let Some(created) = created else {
            return Err(bad(&format!(
                "the subscription was made, but its id is not at `{}` (`id:` of `create:`)",
                subscriptions.created_id
            )));
        };
        match &created.secret {
            Some(secret) => self.inner().exchange.auth.secrets().add(secret.text().expose_secret()),
            None if subscriptions.makes_secrets() => {
                return Err(bad(
                    "the subscription was made, but its secret is not where `secret:` looks for it",
                ));
            }
            None => {}
        }
        Ok(created)
    }

    /// Lengthens a subscription: as it is now.
    pub async fn renew(&self, callback: &Callback, one: &Subscription) -> Result<Subscription, Fault> {
        let subscriptions = self.kept()?;
        let Some(renew) = &subscriptions.renew else {
            return Err(self.inner().unable(SUBSCRIPTION, "renew").fault);
        };
        let until = subscriptions.until(self.now());
        let scope = self.scope(callback, Some(&one.topic), Some(&one.id));
        self.send(renew, &scope).await.map_err(|refused| refused.fault)?;
        Ok(Subscription {
            is_active: true,
            expires_at: until.or(one.expires_at),
            ..one.clone()
        })
    }

    /// Takes a subscription back. One that is gone is taken back.
    pub async fn unsubscribe(&self, callback: &Callback, one: &Subscription) -> Result<(), Fault> {
        let subscriptions = self.kept()?;
        let Some(delete) = &subscriptions.delete else {
            return Err(self.inner().unable(SUBSCRIPTION, "delete").fault);
        };
        let scope = self.scope(callback, Some(&one.topic), Some(&one.id));
        match self.send(delete, &scope).await {
            Ok(_) => Ok(()),
            Err(refused) if refused.outcome == Outcome::Missing || matches!(refused.fault.status, Some(404 | 410)) => {
                Ok(())
            }
            Err(refused) => Err(refused.fault),
        }
    }

    fn kept(&self) -> Result<&Subscriptions, Fault> {
        self.subscriptions()
            .ok_or_else(|| self.inner().unable(SUBSCRIPTION, "subscriptions").fault)
    }

    async fn send(&self, request: &Request, scope: &Scope) -> Result<Reply, Refused> {
        let call = self.inner().with_context(|context| context.within(request, scope))?;
        self.ask(call).await
    }

    async fn ask(&self, call: crate::core::connector::request::Call) -> Result<Reply, Refused> {
        let errand = Errand {
            purpose: Purpose::Subscribe,
            object: SUBSCRIPTION,
            road: Road::Manual,
            records: None,
        };
        self.inner().exchange.call(errand, call).await
    }

    fn scope(&self, callback: &Callback, topic: Option<&str>, id: Option<&str>) -> Scope {
        let exchange = &self.inner().exchange;
        let optional = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let subscriptions = self.subscriptions();
        let object = topic.and_then(|topic| subscriptions?.object_of(topic));
        let until: Option<DateTime<Utc>> = subscriptions.and_then(|all| all.until(self.now()));
        let secret = callback.secret.as_ref().map(SecretString::expose_secret);
        if let Some(secret) = secret {
            exchange.auth.secrets().add(secret);
        }
        let mut scope = Scope::new()
            .with("callback", callback.url.as_str())
            .with("topic", optional(topic))
            .with("object", optional(object))
            .with("id", optional(id))
            .with("secret", optional(secret))
            .with(
                "until",
                until.map_or(Value::Null, |until| Value::DateTime(until.fixed_offset())),
            );
        scope.set("settings", std::sync::Arc::clone(&exchange.settings));
        scope
    }
}
