//! A look at records for people who write connectors: what is asked, what comes back, and what the connector makes of it.

use super::{
    budget::Road,
    lister::Listing,
    system::System,
    tape::{Exchanged, Tape},
};
use crate::core::{fault::Fault, record::Record, value::Value};

/// What one look shows.
#[derive(Debug)]
pub struct Sample {
    /// What was sent and answered, in order; signing in aside.
    pub exchanged: Vec<Exchanged>,
    /// The record as the connector reads it; none where there is none.
    pub record: Result<Option<Record>, Fault>,
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
                    Wanted::Page => self.read_page(object).await,
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

    /// Reads the record with this id, or the first one of the listing.
    pub async fn sample(&self, object: &str, id: Option<&str>) -> Sample {
        let tape = Tape::default();
        let record = tape
            .record(async {
                match id {
                    Some(id) => self.get(object, id, Road::Manual).await,
                    None => self.first(object).await,
                }
            })
            .await;
        Sample {
            exchanged: tape.take(),
            record,
        }
    }

    async fn first(&self, object: &str) -> Result<Option<Record>, Fault> {
        Ok(self.read_page(object).await?.into_iter().next())
    }

    async fn read_page(&self, object: &str) -> Result<Vec<Record>, Fault> {
        let read = async {
            let mut reader = self.reader(object, Listing::default(), Road::Manual)?;
            Box::pin(reader.fetch()).await
        };
        let (page, _) = read.await.map_err(|refused: super::exchange::Refused| refused.fault)?;
        Ok(page.records)
    }
}
