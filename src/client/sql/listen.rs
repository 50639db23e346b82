//! Rows that a database says have changed: the keys that its triggers tell, by object.

use std::collections::BTreeMap;

use super::{Sql, target, trouble::Trouble};
use crate::{client::system::System, database::Heard};

/// The longest id that is taken from a message.
const ID_CHARS_MAX: usize = 512;

/// Why a database is not heard.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Deaf(String);

/// A database that is heard.
pub struct Hearing {
    heard: Heard,
    /// The objects whose rows are told on each channel.
    objects: BTreeMap<String, Vec<String>>,
}

impl std::fmt::Debug for Hearing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hearing")
            .field("objects", &self.objects)
            .finish_non_exhaustive()
    }
}

impl Hearing {
    /// The next row that changed, by its id, and the objects that it may be of; none where the connection broke. Messages that
    /// are no id are passed over: the poll finds what they were about.
    pub async fn next(&mut self) -> Option<(&[String], String)> {
        loop {
            let (channel, id) = self.heard.next().await?;
            let is_id = !id.trim().is_empty() && id.chars().count() <= ID_CHARS_MAX && !id.contains(char::is_control);
            if is_id && self.objects.contains_key(&channel) {
                let objects = self.objects.get(&channel).map(Vec::as_slice).unwrap_or_default();
                return Some((objects, id));
            }
        }
    }
}

impl Sql {
    /// The objects whose rows are told, by channel.
    fn channels(&self) -> BTreeMap<String, Vec<String>> {
        let mut channels: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for table in self.tables.values() {
            if let Some(channel) = &table.notify {
                channels.entry(channel.clone()).or_default().push(table.object.clone());
            }
        }
        channels
    }

    async fn hear(&self) -> Result<Option<Hearing>, Deaf> {
        let objects = self.channels();
        let names: Vec<&str> = objects.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(None);
        }
        let heard = target::listen(&self.address, &names, &self.policy, &self.limits).await;
        let heard = heard.map_err(|trouble| match trouble {
            Trouble::Silent(error) => Deaf(error.to_string()),
            Trouble::Said(said) => Deaf(said.message),
        })?;
        Ok(heard.map(|heard| Hearing { heard, objects }))
    }
}

impl System {
    /// Listens for rows that change, where this is a database that tells of any.
    pub async fn hear(&self) -> Result<Option<Hearing>, Deaf> {
        match self.inner().exchange.transport.sql() {
            Some(sql) => Box::pin(sql.hear()).await,
            None => Ok(None),
        }
    }
}
