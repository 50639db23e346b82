//! A look at one record for `syncline look`: what is asked, what comes back, and what the connector makes of it.

use super::{
    budget::Road,
    lister::Listing,
    system::System,
    tape::{Exchanged, Tape},
};
use crate::core::{fault::Fault, record::Record};

/// What one look shows.
#[derive(Debug)]
pub struct Sample {
    /// What was sent and answered, in order; signing in aside.
    pub exchanged: Vec<Exchanged>,
    /// The record as the connector reads it; none where there is none.
    pub record: Result<Option<Record>, Fault>,
}

impl System {
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
        let read = async {
            let mut reader = self.reader(object, Listing::default(), Road::Manual)?;
            Box::pin(reader.fetch()).await
        };
        let (page, _) = read.await.map_err(|refused: super::exchange::Refused| refused.fault)?;
        Ok(page.records.into_iter().next())
    }
}
