//! Writing one record, and what is known about it afterwards.

use futures_util::FutureExt as _;

use super::{
    batch::BatchItem,
    budget::Road,
    exchange::{Errand, Refused},
    system::{Inner, System},
};
use crate::core::{
    connector::{Object, Operation, answer::Purpose, call::Subject, request::Call},
    fault::Fault,
    path::Path,
    record::Record,
    value::Map,
};

/// What a write left.
#[derive(Debug, Clone)]
pub struct Written {
    /// Id of the record.
    pub id: String,
    /// Its version now, where the answer says.
    pub version: Option<String>,
    /// The record as it is now, where the answer says.
    pub record: Option<Record>,
}

/// Why a write did not go through, and what is known about it.
#[derive(Debug)]
pub struct WriteFault {
    /// What went wrong.
    pub fault: Fault,
    /// What is known.
    pub outcome: Outcome,
}

/// What is known about a write that did not go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was written.
    NotWritten,
    /// Nobody knows: the record has to be read before anything is sent again.
    Unknown,
    /// The record exists already; nothing was written.
    Exists,
    /// The record changed in between; nothing was written.
    Stale,
    /// There is no such record; nothing was written.
    Missing,
}

impl From<Refused> for WriteFault {
    fn from(refused: Refused) -> Self {
        Self {
            fault: refused.fault,
            outcome: refused.outcome,
        }
    }
}

impl System {
    /// Makes a record.
    pub async fn create(&self, object: &str, fields: &Map, key: &str, road: Road) -> Result<Written, WriteFault> {
        let subject = Subject {
            fields: Some(fields),
            key: Some(key),
            ..Subject::default()
        };
        Ok(self.inner().write(object, Purpose::Create, subject, road).await?)
    }

    /// Changes fields of a record; its version guards against changes in between where the connector knows how.
    pub async fn update(&self, object: &str, change: BatchItem<'_>, road: Road) -> Result<Written, WriteFault> {
        if self.touches_parts(object, change.fields) {
            // Most records have no parts, and wait in less room without it.
            return self.update_with_parts(object, change, road).boxed().await;
        }
        self.update_alone(object, change, road).await
    }

    /// The same of a record that has no parts, or of its own fields alone.
    pub(super) async fn update_alone(
        &self,
        object: &str,
        change: BatchItem<'_>,
        road: Road,
    ) -> Result<Written, WriteFault> {
        let written = self.inner().write(object, Purpose::Update, change.subject(), road);
        Ok(written.await?)
    }

    /// Removes a record; one that is gone already counts as removed.
    pub async fn delete(
        &self,
        object: &str,
        id: &str,
        version: Option<&str>,
        key: &str,
        road: Road,
    ) -> Result<(), WriteFault> {
        let subject = Subject {
            id: Some(id),
            version,
            key: Some(key),
            ..Subject::default()
        };
        match self.inner().write(object, Purpose::Delete, subject, road).await {
            Ok(_)
            | Err(Refused {
                outcome: Outcome::Missing,
                ..
            }) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }
}

impl Inner {
    async fn write(&self, name: &str, purpose: Purpose, subject: Subject<'_>, road: Road) -> Result<Written, Refused> {
        let object = self.object(name)?;
        let operation = match purpose {
            Purpose::Create => &object.create,
            Purpose::Update => &object.update,
            _ => &object.delete,
        };
        let operation = operation.as_ref().ok_or_else(|| self.unable(name, purpose.as_str()))?;
        let call: Call = self.with_context(|context| context.write(object, operation, subject))?;
        let errand = Errand {
            purpose,
            object: name,
            road,
            records: None,
        };
        let reply = self.exchange.call(errand, call).await?;
        let new_id = operation.new_id(&reply.body, &reply.headers);
        let header_version = object.version_of(&Map::new(), &reply.headers);
        // The write went through: an answer without the record is no failure, the record is read again.
        let record = self.record(object, operation, reply).ok().flatten();
        let id = subject
            .id
            .map(ToOwned::to_owned)
            .or(new_id)
            .or_else(|| record.as_ref().map(|record| record.id.clone()));
        let version = record
            .as_ref()
            .and_then(|record| record.version.clone())
            .or(header_version);
        // No answer shows what belongs to a record: it is read.
        let record = record.filter(|_| self.parts_of(object).next().is_none());
        match id {
            Some(id) => Ok(Written { id, version, record }),
            None => Err(self.bad_answer(
                name,
                &format!("the new record's id is not at {}", id_place(object, operation)),
            )),
        }
    }
}

/// Where an answer to a create should have the new record's id.
fn id_place(object: &Object, operation: &Operation) -> String {
    if let Some(at) = &operation.id {
        return format!("`{at}`");
    }
    let of_record = |path: &Path| {
        if operation.record.is_whole() {
            format!("`{path}`")
        } else {
            format!("`{}.{path}`", operation.record)
        }
    };
    let parts: Vec<String> = object.id.iter().map(of_record).collect();
    parts.join(", ")
}
