//! A look at pages and records, for people who write connectors: what is asked, what comes back, and what the connector makes of it.

use super::{
    budget::Road,
    probe::{Seen, Trouble},
    system::System,
    tape::{Exchanged, Tape},
};
use crate::core::{fault::Fault, record::Record, value::Value};

/// What one look shows.
#[derive(Debug)]
pub struct Sample {
    /// What was sent and answered, in order; signing in aside.
    pub exchanged: Vec<Exchanged>,
    /// The first page, where it was asked for and came.
    pub page: Option<Seen>,
    /// The record as the connector reads it; none where there is none.
    pub record: Result<Option<Record>, Trouble>,
}

/// What a recording asks for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// The first page of the listing.
    Page,
    /// The record with this id.
    Record(&'a str),
    /// The records with this value in a field.
    Found(&'a str, &'a Value),
}

/// What was recorded.
#[derive(Debug)]
pub struct Recording {
    /// The answer that settled it; what came before it (a token that had ended, a pause) is left out.
    pub answer: Option<Exchanged>,
    /// The records as the connector reads them.
    pub records: Result<Vec<Record>, Fault>,
}

impl System {
    /// Asks for something, and keeps the whole answer.
    pub async fn recorded(&self, object: &str, wanted: Wanted<'_>) -> Recording {
        let tape = Tape::whole();
        let records = tape
            .record(async {
                match wanted {
                    Wanted::Page => match self.first_page(object).await {
                        Ok((_, records)) => Ok(records),
                        Err(refused) => Err(refused.fault),
                    },
                    Wanted::Record(id) => {
                        let record = self.get(object, id, Road::Manual).await?;
                        Ok(record.into_iter().collect())
                    }
                    Wanted::Found(field, value) => self.find(object, field, value, Road::Manual).await,
                }
            })
            .await;
        Recording {
            answer: tape.take().pop(),
            records,
        }
    }

    /// Reads the record with this id; or the first page, and its first record by itself where single records can be read.
    pub async fn sample(&self, object: &str, id: Option<&str>) -> Sample {
        let tape = Tape::default();
        let (page, record) = tape
            .record(async {
                match id {
                    Some(id) => (None, self.single(object, id).await),
                    None => self.page_and_record(object).await,
                }
            })
            .await;
        Sample {
            exchanged: tape.take(),
            page,
            record,
        }
    }

    async fn single(&self, object: &str, id: &str) -> Result<Option<Record>, Trouble> {
        self.get(object, id, Road::Manual).await.map_err(Trouble::of)
    }

    async fn page_and_record(&self, object: &str) -> (Option<Seen>, Result<Option<Record>, Trouble>) {
        let (seen, records) = match self.first_page(object).await {
            Ok(page) => page,
            Err(refused) => return (None, Err(Trouble::of(refused.fault))),
        };
        let can_get = self
            .connector()
            .objects
            .get(object)
            .is_some_and(|object| object.get.is_some());
        let record = match records.into_iter().next() {
            Some(record) if can_get => self.single(object, &record.id).await,
            first => Ok(first),
        };
        (Some(seen), record)
    }
}
