//! The subscriptions to a system's pushes, as people write them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ListForm, RequestForm, SubscribeForm};
use crate::core::period::Period;

/// How subscriptions to a system's pushes are kept in order. Every request knows `settings` and `callback` (the address that
/// takes the pushes); see each of them for more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionsForm {
    /// What is subscribed to, by the object that it is about: names of the system's own (`account: [account.created,
    /// account.updated]`). Those of an object that no mapping uses are taken back.
    pub topics: BTreeMap<String, TopicsForm>,
    /// Lists what is registered, page by page. Without it, what we have registered ourselves is believed to be there.
    #[serde(default)]
    pub list: Option<ListForm>,
    /// Registers one; knows `topic`, `object`, `secret` (the first webhook secret of the system), `until` (when it should end).
    /// The answer has its `id`.
    pub create: SubscribeForm,
    /// Lengthens one; knows `id`, `topic`, `until`, `secret`. Without it, one that ends soon is taken back and made anew.
    #[serde(default)]
    pub renew: Option<RequestForm>,
    /// Takes one back; knows `id`, `topic`.
    #[serde(default)]
    pub delete: Option<RequestForm>,
    /// Template of the id; `subscription` (one element of the list) is known, here and below (default: its `id`).
    #[serde(default)]
    pub id: Option<String>,
    /// Template of what it is subscribed to; needed with `list`.
    #[serde(default)]
    pub topic: Option<String>,
    /// Template of the address that it pushes to; needed with `list`: only those that push to ours are touched.
    #[serde(default)]
    pub url: Option<String>,
    /// Template that says whether it is alive (default: it is).
    #[serde(default)]
    pub active: Option<String>,
    /// Template of its end: RFC 3339, or seconds or milliseconds since 1970. It is looked for in the answer to `create` too.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Template of the secret that the system makes for it, looked for in the answer to `create` too. It is kept sealed, and the
    /// pushes are verified with it; one whose secret nobody knows is made anew.
    #[serde(default)]
    pub secret: Option<String>,
    /// How long one lasts: `until` is that far away, and so is the end of one whose answer does not say it.
    #[serde(default)]
    pub expires_after: Option<Period>,
    /// How long before its end it is renewed (default: a third of `expires_after`, or a day).
    #[serde(default)]
    pub renew_before: Option<Period>,
}

/// One name, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "one topic, or a list of them")]
pub enum TopicsForm {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl TopicsForm {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
