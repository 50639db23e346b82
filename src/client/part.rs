//! Records that belong to another one: read with it, and written after it.
//!
//! Each of them is written by a request of its own, so that a change of a record with parts may go through in part. Then nobody
//! knows how it stands, and it is read before anything is sent again.

use std::sync::Arc;

use futures_util::{
    FutureExt as _,
    future::{self, BoxFuture},
};

use super::{
    batch::BatchItem,
    budget::Road,
    exchange::Refused,
    lister::{Asked, Reader},
    system::{Inner, System},
    write::{Outcome, WriteFault, Written},
};
use crate::core::{
    connector::{
        Object,
        part::{self, PARENTS_MAX, Part, Step},
    },
    record::Record,
    value::{Map, Value, projection::Projection},
};

/// The most parts that a hundred records may have together.
const CHILDREN_MAX: usize = 100_000;

impl Inner {
    /// The parts of an object that somebody wants.
    pub(super) fn parts_of<'o>(&'o self, object: &'o Object) -> impl Iterator<Item = &'o Part> {
        let is_wanted = |part: &&Part| {
            let unwanted = &self.unwanted_parts;
            unwanted.is_empty() || !unwanted.contains(&(object.name.clone(), part.name.clone()))
        };
        object.parts.iter().filter(is_wanted)
    }
}

/// Reads the parts of these records, as far as they are `wanted`, and puts them into them. Boxed: reading parts is a listing, and a
/// listing reads parts.
pub(super) fn embed<'a>(
    system: &'a Arc<Inner>,
    object: &'a Object,
    records: &'a mut [Record],
    wanted: Option<&'a Projection>,
    road: Road,
) -> BoxFuture<'a, Result<(), Refused>> {
    if records.is_empty() || system.parts_of(object).next().is_none() {
        return future::ready(Ok(())).boxed();
    }
    embed_wanted(system, object, records, wanted, road).boxed()
}

async fn embed_wanted(
    system: &Arc<Inner>,
    object: &Object,
    records: &mut [Record],
    wanted: Option<&Projection>,
    road: Road,
) -> Result<(), Refused> {
    for part in system.parts_of(object) {
        if wanted.is_some_and(|wanted| !wanted.touches(&part.path)) {
            continue;
        }
        for some in records.chunks_mut(PARENTS_MAX) {
            let ids: Vec<&str> = some.iter().map(|record| record.id.as_str()).collect();
            let children = children(system, part, &ids, road).await?;
            part::embed(part, some, children).map_err(|stray| system.bad_answer(&part.object, &stray.to_string()))?;
        }
    }
    Ok(())
}

/// The records of a part that belong to the records with these ids.
async fn children(system: &Arc<Inner>, part: &Part, ids: &[&str], road: Road) -> Result<Vec<Record>, Refused> {
    let object = system.object(&part.object)?;
    let list = object.of_parents.as_ref();
    let list = list.ok_or_else(|| system.unable(&part.object, "of_parents"))?;
    let ids = system.with_context(|context| context.parents(object, part, ids))?;
    let asked = Asked {
        system: Arc::clone(system),
        object: part.object.clone(),
        since: None,
        projection: Projection::all(),
        names: None,
        of_parents: Some(ids),
        road,
    };
    let mut reader = Reader {
        asked: Arc::new(asked),
        pager: system.pager(list)?,
        is_ended: false,
    };
    let mut children = Vec::new();
    while !reader.is_ended {
        let (page, _) = reader.fetch().await?;
        children.extend(page.records);
        if children.len() > CHILDREN_MAX {
            let message = format!("a hundred records have more than {CHILDREN_MAX} of them");
            return Err(system.bad_answer(&part.object, &message));
        }
    }
    if !reader.pager.is_complete() {
        return Err(system.bad_answer(&part.object, "the listing ended before it was complete"));
    }
    Ok(children)
}

/// The fields of a record without its parts.
pub(super) fn without_parts(object: &Object, fields: &Map) -> Map {
    let is_own = |name: &String| object.parts.iter().all(|part| part.name != *name);
    let own = fields.iter().filter(|(name, _)| is_own(name));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl System {
    /// The parts of an object that somebody wants and whose changes can be listed.
    #[must_use]
    pub fn parts_that_change(&self, object: &str) -> Vec<Part> {
        let connector = self.connector();
        let Some(object) = connector.objects.get(object) else {
            return Vec::new();
        };
        let lists_changes = |part: &&Part| connector.objects.get(&part.object).is_some_and(Object::lists_changes);
        self.inner().parts_of(object).filter(lists_changes).cloned().collect()
    }

    /// Whether a change makes a record that belongs to the changed one: a second one, if it is sent twice.
    #[must_use]
    pub fn makes_parts(&self, object: &str, fields: &Map) -> bool {
        let Some(object) = self.connector().objects.get(object) else {
            return false;
        };
        let is_new = |part: &Part, item: &Value| {
            let child = self.connector().objects.get(&part.object);
            child
                .zip(item.as_map())
                .is_some_and(|(child, item)| child.id_of(item).is_none())
        };
        object.parts.iter().any(|part| {
            let list = fields.get(&part.name).and_then(Value::as_list);
            list.is_some_and(|list| list.iter().any(|item| is_new(part, item)))
        })
    }

    /// Whether a change concerns records that belong to the changed one.
    #[must_use]
    pub fn touches_parts(&self, object: &str, fields: &Map) -> bool {
        let object = self.connector().objects.get(object);
        object.is_some_and(|object| object.parts.iter().any(|part| fields.contains_key(&part.name)))
    }

    /// Changes a record and what belongs to it: first itself, then part by part.
    pub(super) async fn update_with_parts(
        &self,
        name: &str,
        change: BatchItem<'_>,
        road: Road,
    ) -> Result<Written, WriteFault> {
        let inner = self.inner();
        let object = inner.object(name).map_err(WriteFault::from)?;
        let id = change.id.unwrap_or_default();
        let own = without_parts(object, change.fields);
        let mut written = Written {
            id: id.to_owned(),
            version: None,
            record: None,
        };
        let mut is_begun = false;
        if !own.is_empty() {
            let own = BatchItem { fields: &own, ..change };
            written = self.update_alone(name, own, road).await?;
            is_begun = true;
        }
        let parts = object
            .parts
            .iter()
            .filter(|part| change.fields.contains_key(&part.name));
        for part in parts {
            self.write_part(part, change, road, &mut is_begun).await?;
        }
        // Nothing has shown the record with all of its parts.
        written.record = None;
        Ok(written)
    }

    /// Makes, changes and removes the records of one part.
    async fn write_part(
        &self,
        part: &Part,
        change: BatchItem<'_>,
        road: Road,
        is_begun: &mut bool,
    ) -> Result<(), WriteFault> {
        let inner = self.inner();
        let child = inner.object(&part.object).map_err(WriteFault::from)?;
        let id = change.id.unwrap_or_default();
        let list = |fields: Option<&Map>| {
            let list = fields.and_then(|fields| fields.get(&part.name)?.as_list());
            list.map(<[Value]>::to_vec)
        };
        let current = if let Some(current) = list(change.current) {
            current
        } else {
            let read = children(inner, part, &[id], road).await;
            let read = read.map_err(|refused| WriteFault {
                fault: refused.fault,
                outcome: outcome(Outcome::NotWritten, *is_begun),
            })?;
            read.into_iter().map(|child| Value::Map(child.fields)).collect()
        };
        let wanted = list(Some(change.fields)).unwrap_or_default();
        for (at, step) in part::steps(part, child, id, &wanted, &current).into_iter().enumerate() {
            let key = format!("{}-{}-{at}", change.key, part.name);
            if let Err(failed) = self.step(&part.object, step, &key, road).await {
                return Err(WriteFault {
                    outcome: outcome(failed.outcome, *is_begun),
                    fault: failed.fault,
                });
            }
            *is_begun = true;
        }
        Ok(())
    }

    async fn step(&self, object: &str, step: Step, key: &str, road: Road) -> Result<(), WriteFault> {
        match step {
            Step::Create(fields) => self.create(object, &fields, key, road).await.map(drop),
            Step::Update {
                id,
                version,
                changes,
                before,
            } => {
                let change = BatchItem {
                    version: version.as_deref(),
                    current: Some(&before),
                    ..BatchItem::of(&id, &changes, key)
                };
                self.update_alone(object, change, road).await.map(drop)
            }
            Step::Delete { id, version } => self.delete(object, &id, version.as_deref(), key, road).await,
        }
    }
}

/// What is known of the whole when this is known of one of its steps.
const fn outcome(of_step: Outcome, is_begun: bool) -> Outcome {
    match of_step {
        // Something was written before it: how the whole stands shows when it is read.
        _ if is_begun => Outcome::Unknown,
        // A part that is gone, or there already, says that the record is not as it was read.
        Outcome::Missing | Outcome::Exists | Outcome::Stale => Outcome::Stale,
        other => other,
    }
}
