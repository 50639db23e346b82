//! Many writes of one kind in one request, each with its own outcome.
//!
//! A request that is refused as a whole is cut in halves until the refused records stand alone; a record that is refused
//! within an accepted request is sent once more by itself, because the answer to a single write says in the connector's
//! own terms what is wrong. When nobody knows what became of a request, nobody knows it of any of its records.

use futures_util::FutureExt as _;

use super::{
    budget::Road,
    exchange::{Errand, Refused},
    flight, redact,
    system::{Inner, System},
    write::{Outcome, WriteFault, Written},
};
use crate::core::{
    connector::{Batch, Object, Operation, answer::Purpose, call::Subject},
    expr::Scope,
    fault::Fault,
    status::{FailureClass, Stage, WriteKind},
    value::{Map, Value},
};

/// Single writes at once, for records that a batch refused.
const SINGLES_IN_FLIGHT: usize = 8;

/// One write: by itself or in a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchItem<'a> {
    /// The record's id; a new record has none.
    pub id: Option<&'a str>,
    /// The version that was read.
    pub version: Option<&'a str>,
    /// The fields to write.
    pub fields: &'a Map,
    /// The idempotency key.
    pub key: &'a str,
    /// The record as it was read, for what a system takes only as a whole.
    pub current: Option<&'a Map>,
}

impl<'a> BatchItem<'a> {
    /// A change of the record with this id, whatever it was before.
    #[must_use]
    pub const fn of(id: &'a str, fields: &'a Map, key: &'a str) -> Self {
        Self {
            id: Some(id),
            version: None,
            fields,
            key,
            current: None,
        }
    }

    pub(super) const fn subject(&self) -> Subject<'a> {
        Subject {
            id: self.id,
            version: self.version,
            fields: Some(self.fields),
            key: Some(self.key),
            current: self.current,
        }
    }
}

impl System {
    /// How many records one request may write, where there is such a request. A batch that cannot carry the version that
    /// was read does not stand in for single writes that do.
    #[must_use]
    pub fn batch_size(&self, object: &str, kind: WriteKind) -> Option<u32> {
        let object = self.connector().objects.get(object)?;
        let batch = batch_of(object, kind)?;
        let is_guarded = |batch: &Batch| {
            let item = batch.item.as_ref();
            item.is_some_and(|item| item.uses_whole("item") || names(&item.paths_of("item"), "version"))
        };
        let needs_guard = kind == WriteKind::Update
            && object
                .update
                .as_ref()
                .is_some_and(|update| update.if_match.is_some() || update.request.uses("version"));
        (!needs_guard || is_guarded(batch)).then(|| u32::try_from(batch.size).unwrap_or(u32::MAX))
    }

    /// Whether creates that go out in a batch carry their idempotency keys.
    #[must_use]
    pub fn batch_carries_key(&self, object: &str) -> bool {
        let object = self.connector().objects.get(object);
        let item = object.and_then(|object| object.batch_create.as_ref()?.item.as_ref());
        item.is_some_and(|item| item.uses_whole("item") || names(&item.paths_of("item"), "key"))
    }

    /// Whether the system recognizes a create that it has seen before, by an idempotency key or a unique value.
    #[must_use]
    pub fn recognizes_creates(&self, object: &str) -> bool {
        let create = self
            .connector()
            .objects
            .get(object)
            .and_then(|object| object.create.as_ref());
        create.is_some_and(Operation::recognizes_repeats)
    }

    /// Writes several records; an outcome for each, in the order given.
    pub async fn write_batch(
        &self,
        object: &str,
        kind: WriteKind,
        items: &[BatchItem<'_>],
        road: Road,
    ) -> Vec<Result<Written, WriteFault>> {
        let mut outcomes: Vec<Option<Result<Written, WriteFault>>> = items.iter().map(|_| None).collect();
        let mut alone = Vec::new();
        let mut open = vec![(0, items.len())];
        while let Some((start, end)) = open.pop() {
            let range = start..end;
            let Some(part) = items.get(range.clone()).filter(|part| !part.is_empty()) else {
                continue;
            };
            if part.len() == 1 {
                alone.extend(range);
                continue;
            }
            let sent = match self.inner().send_batch(object, kind, part, road).await {
                Ok(sent) => sent,
                Err(refused) if is_of_records(&refused) => {
                    let middle = start + part.len() / 2;
                    open.push((middle, end));
                    open.push((start, middle));
                    continue;
                }
                Err(refused) => part.iter().map(|_| Item::Done(Err(again(&refused)))).collect(),
            };
            for (index, item) in range.zip(sent) {
                match item {
                    Item::Done(outcome) => put(&mut outcomes, index, outcome),
                    Item::Refused => alone.push(index),
                }
            }
        }
        let mut alone = alone
            .into_iter()
            .filter_map(|index| Some((index, items.get(index).copied()?)));
        let begin = || {
            let (index, item) = alone.next()?;
            let write = self.write_one(object, kind, item, road);
            Some(write.map(move |outcome| (index, outcome)).boxed())
        };
        for (index, outcome) in flight::all(SINGLES_IN_FLIGHT, begin).await {
            put(&mut outcomes, index, outcome);
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Err(unheard(object))))
            .collect()
    }

    async fn write_one(
        &self,
        object: &str,
        kind: WriteKind,
        item: BatchItem<'_>,
        road: Road,
    ) -> Result<Written, WriteFault> {
        match kind {
            WriteKind::Create => self.create(object, item.fields, item.key, road).await,
            WriteKind::Update | WriteKind::Delete => self.update(object, item, road).await,
        }
    }
}

fn names(paths: &[crate::core::path::Path], member: &str) -> bool {
    paths.iter().any(|path| path.to_string() == member)
}

fn put(outcomes: &mut [Option<Result<Written, WriteFault>>], index: usize, outcome: Result<Written, WriteFault>) {
    if let Some(slot) = outcomes.get_mut(index) {
        *slot = Some(outcome);
    }
}

/// Whether a refusal is about the records, so that some of them may pass.
fn is_of_records(refused: &Refused) -> bool {
    refused.outcome != Outcome::Unknown && matches!(refused.fault.class, FailureClass::Rejected | FailureClass::Mapping)
}

/// The same refusal, for one of several records.
fn again(refused: &Refused) -> WriteFault {
    WriteFault {
        fault: refused.fault.clone(),
        outcome: refused.outcome,
    }
}

fn unheard(object: &str) -> WriteFault {
    let message = format!("the answer to a batch of `{object}` says nothing about this record");
    WriteFault {
        fault: Fault::new("RQ033", FailureClass::Transient, Stage::Write, message)
            .with_hint("the record is read before anything is sent again; check `results:` and `index:` of the batch"),
        outcome: Outcome::Unknown,
    }
}

fn batch_of(object: &Object, kind: WriteKind) -> Option<&Batch> {
    match kind {
        WriteKind::Create => object.batch_create.as_ref(),
        WriteKind::Update => object.batch_update.as_ref(),
        WriteKind::Delete => None,
    }
}

/// What an accepted request says about one record.
enum Item {
    Done(Result<Written, WriteFault>),
    /// It was not written; a single write tells why.
    Refused,
}

impl Inner {
    async fn send_batch(
        &self,
        name: &str,
        kind: WriteKind,
        items: &[BatchItem<'_>],
        road: Road,
    ) -> Result<Vec<Item>, Refused> {
        let object = self.object(name)?;
        let batch = batch_of(object, kind).ok_or_else(|| self.unable(name, "batch"))?;
        let subjects: Vec<Subject<'_>> = items.iter().map(BatchItem::subject).collect();
        let call = self.with_context(|context| context.batch(object, batch, &subjects))?;
        let errand = Errand {
            purpose: Purpose::Batch,
            object: name,
            road,
            records: None,
        };
        let reply = self.exchange.call(errand, call).await?;
        let results = batch.results.get(&reply.body).and_then(Value::as_list);
        let results =
            results.ok_or_else(|| self.bad_answer(name, &format!("there is no list at `{}`", batch.results)))?;
        let mut sent: Vec<Option<Item>> = items.iter().map(|_| None).collect();
        for (place, result) in results.iter().enumerate() {
            let scope = self.scope_of(result);
            let index = match &batch.index {
                None => Some(place),
                Some(index) => index
                    .find(&scope)
                    .ok()
                    .flatten()
                    .and_then(|index| index.to_text()?.parse().ok()),
            };
            let Some((index, item)) = index.and_then(|index: usize| Some((index, items.get(index)?))) else {
                continue;
            };
            if let Some(slot) = sent.get_mut(index) {
                *slot = Some(self.item(object, batch, &scope, item));
            }
        }
        let known = |item: Option<Item>| item.unwrap_or_else(|| Item::Done(Err(unheard(name))));
        Ok(sent.into_iter().map(known).collect())
    }

    fn scope_of(&self, result: &Value) -> Scope {
        let mut scope = Scope::new().with("result", result.clone());
        scope.set("settings", std::sync::Arc::clone(&self.exchange.settings));
        scope
    }

    fn item(&self, object: &Object, batch: &Batch, scope: &Scope, item: &BatchItem<'_>) -> Item {
        if !matches!(batch.ok.holds(scope), Ok(true)) {
            let has_single = match item.id {
                None => object.create.is_some(),
                Some(_) => object.update.is_some(),
            };
            return if has_single {
                Item::Refused
            } else {
                Item::Done(Err(self.said_no(object, batch, scope)))
            };
        }
        let text = |template: &crate::core::expr::Template| template.find(scope).ok().flatten()?.to_text();
        let id = batch.id.as_ref().and_then(text).filter(|id| !id.is_empty());
        match item.id.map(ToOwned::to_owned).or(id) {
            Some(id) => Item::Done(Ok(Written {
                id,
                version: None,
                record: None,
            })),
            None => Item::Done(Err(self
                .bad_answer(&object.name, "the new record's id is not in the result")
                .into())),
        }
    }

    fn said_no(&self, object: &Object, batch: &Batch, scope: &Scope) -> WriteFault {
        let told = batch
            .message
            .as_ref()
            .and_then(|message| message.find(scope).ok().flatten()?.to_text());
        let told = told.map(|told| redact::excerpt(&told, self.exchange.auth.secrets()));
        let told = told
            .filter(|told| !told.is_empty())
            .map_or_else(String::new, |told| format!(": {told}"));
        let message = format!(
            "system `{}`, batch `{}`: the system says no{told}",
            self.exchange.name, object.name
        );
        WriteFault {
            fault: Fault::new("RQ026", FailureClass::Rejected, Stage::Write, message)
                .with_hint("correct the record or the mapping, then reprocess"),
            outcome: Outcome::NotWritten,
        }
    }
}
