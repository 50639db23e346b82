//! A system that takes subscriptions to its pushes, and forgets none that it was not asked to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value as Json, json};

use super::loopback::{Loopback, Reply, Seen};

/// What is registered.
#[derive(Debug, Clone, Default)]
pub struct Hooks(Arc<Mutex<(u64, Vec<Json>)>>, Arc<AtomicBool>);

impl Hooks {
    /// Everything that is registered.
    pub fn all(&self) -> Vec<Json> {
        self.0.lock().unwrap().1.clone()
    }

    /// One more, as if somebody had registered it.
    pub fn add(&self, mut hook: Json) {
        let mut state = self.0.lock().unwrap();
        state.0 += 1;
        hook["id"] = json!(state.0);
        state.1.push(hook);
    }

    /// From now on each has a key, which is shown when it is made and never again.
    pub fn make_keys(&self) {
        self.1.store(true, Ordering::SeqCst);
    }

    /// Changes every one.
    pub fn change(&self, change: impl Fn(&mut Json)) {
        self.0.lock().unwrap().1.iter_mut().for_each(change);
    }

    /// The running system.
    pub async fn start(&self) -> Loopback {
        let hooks = self.clone();
        Loopback::start(move |seen| hooks.answer(seen)).await
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let id = seen.path().strip_prefix("/hooks/").map(ToOwned::to_owned);
        match (seen.method.as_str(), id) {
            // Two a page.
            ("GET", None) if seen.path() == "/hooks" => {
                let from: usize = seen.param("from").map_or(0, |from| from.parse().unwrap());
                let all = self.all();
                let next = (from + 2 < all.len()).then(|| json!(from + 2));
                let page: Vec<&Json> = all.iter().skip(from).take(2).collect();
                Reply::json(200, &json!({ "data": page, "next": next }))
            }
            ("POST", None) => {
                self.add(seen.json());
                let mut shown = self.all().pop().unwrap();
                if self.1.load(Ordering::SeqCst) {
                    shown["key"] = json!(format!("canary key {}", shown["id"]));
                }
                Reply::json(201, &shown)
            }
            ("PATCH", Some(id)) => {
                let ends = seen.json()["ends"].clone();
                self.change(|hook| {
                    if is_of(hook, &id) {
                        hook["ends"] = ends.clone();
                    }
                });
                Reply::status(204)
            }
            ("DELETE", Some(id)) => {
                self.0.lock().unwrap().1.retain(|hook| !is_of(hook, &id));
                Reply::status(204)
            }
            _ => Reply::json(200, &json!({ "items": [] })),
        }
    }
}

fn is_of(hook: &Json, id: &str) -> bool {
    hook["id"].as_u64() == id.parse().ok()
}

/// How a connector says it.
pub fn form() -> Json {
    json!({
        "verify": { "hmac": "sha256", "header": "x-signature" },
        "object": "account",
        "subscriptions": {
            "topics": { "account": ["account.created", "account.updated"] },
            "list": { "get": "/hooks", "records": "data", "page": { "cursor": "next", "send": { "query": "from" } } },
            "create": { "post": "/hooks", "body": {
                "url": "{{ callback }}", "topic": "{{ topic }}", "secret": "{{ secret }}", "ends": "{{ until }}",
            } },
            "renew": { "patch": "/hooks/{{ id }}", "body": { "ends": "{{ until }}" } },
            "delete": { "delete": "/hooks/{{ id }}" },
            "topic": "{{ subscription.topic }}",
            "url": "{{ subscription.url }}",
            "active": "{{ subscription.off is not defined }}",
            "expires_at": "{{ subscription.ends }}",
            "expires_after": "3d",
        },
    })
}
