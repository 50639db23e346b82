//! The subscriptions to a system's pushes.

use std::time::Duration;

use super::Compiler;
use crate::core::{
    connector::{
        Source,
        form::{RequestForm, SubscriptionsForm},
        subscription::{Reading, Subscriptions},
    },
    expr::Template,
    period::Period,
    problem::{nearest, pointer},
    value::Value,
};

const PLACE: &str = "/webhooks/subscriptions";
/// How long before its end one is renewed where nothing is known of how long it lasts.
const RENEW_BEFORE: Duration = Duration::from_hours(24);

impl Compiler<'_> {
    pub(super) fn subscriptions(&mut self, form: &SubscriptionsForm, objects: &[&str]) -> Subscriptions {
        const NAMES: [&str; 7] = ["settings", "callback", "topic", "object", "secret", "until", "id"];
        let at = |key: &str| pointer(PLACE, key);
        let [settings, callback, topic, object, secret, until, id] = NAMES;
        let topics = self.topics(form, objects);
        let list = form
            .list
            .as_ref()
            .map(|list| self.listing(list, &at("list"), &[settings, callback, "page"]));
        let names = [settings, callback, topic, object, secret, until];
        let create = self.request(&form.create.request(), &at("create"), &names);
        if !create.uses(callback) {
            self.error(
                "CN028",
                &at("create"),
                "the request does not say where to push",
                "use `{{ callback }}` in its body or query",
            );
        }
        let created_id = form.create.id.as_deref().unwrap_or("id");
        let created_id: Source = self.source(created_id, &pointer(&at("create"), "id"));
        let mut later = |form: Option<&RequestForm>, key: &str| {
            form.map(|form| {
                let names = [settings, callback, id, topic, object, secret, until];
                let request = self.request(&form.request(), &at(key), &names);
                if !request.uses(id) {
                    let hint = "use `{{ id }}` in its path, query or body";
                    self.error(
                        "CN028",
                        &at(key),
                        "the request does not say which subscription is meant",
                        hint,
                    );
                }
                request
            })
        };
        let renew = later(form.renew.as_ref(), "renew");
        let delete = later(form.delete.as_ref(), "delete");
        if form.list.is_some() && (form.topic.is_none() || form.url.is_none()) {
            self.error(
                "CN028",
                PLACE,
                "what is registered cannot be told apart",
                "say under `topic:` and `url:` what `{{ subscription.… }}` has of them: only those that push to us are touched",
            );
        }
        let life = form.expires_after.map(Period::duration);
        Subscriptions {
            topics,
            list,
            create,
            created_id,
            renew,
            delete,
            reading: self.reading(form),
            life,
            renew_before: form
                .renew_before
                .map_or_else(|| life.map_or(RENEW_BEFORE, |life| life / 3), Period::duration),
        }
    }

    fn topics(&mut self, form: &SubscriptionsForm, objects: &[&str]) -> Vec<(String, String)> {
        let place = pointer(PLACE, "topics");
        let mut topics: Vec<(String, String)> = Vec::new();
        for (object, names) in &form.topics {
            let place = pointer(&place, object);
            if !objects.contains(&object.as_str()) {
                let near = nearest(object, objects.iter().copied());
                let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                self.error("CN028", &place, &format!("there is no object `{object}`"), &hint);
            }
            for topic in names.all() {
                if topic.is_empty() || topics.iter().any(|(known, _)| known == topic) {
                    let hint = "name each of the system's topics once";
                    self.error(
                        "CN028",
                        &place,
                        &format!("the topic `{topic}` is empty, or named twice"),
                        hint,
                    );
                }
                topics.push((topic.clone(), object.clone()));
            }
        }
        if topics.is_empty() {
            self.error(
                "CN028",
                &place,
                "nothing is subscribed to",
                "name the system's topics by object",
            );
        }
        topics
    }

    fn reading(&mut self, form: &SubscriptionsForm) -> Reading {
        const ONE: [&str; 2] = ["settings", "subscription"];
        let mut template = |text: Option<&String>, key: &str| -> Option<Template> {
            text.map(|text| self.template(text, &pointer(PLACE, key), &ONE))
        };
        let id = template(form.id.as_ref(), "id");
        let topic = template(form.topic.as_ref(), "topic");
        let url = template(form.url.as_ref(), "url");
        let active = template(form.active.as_ref(), "active");
        let expires_at = template(form.expires_at.as_ref(), "expires_at");
        let secret = template(form.secret.as_ref(), "secret");
        let default_id = "{{ subscription.id }}".to_owned();
        Reading {
            id: id
                .or_else(|| template(Some(&default_id), "id"))
                .unwrap_or_else(|| Template::literal(Value::Null)),
            topic,
            url,
            active,
            expires_at,
            secret,
        }
    }
}
