//! What a system says it has: by a description that its connector names, by the catalog of a database, or by records that are
//! there.

use futures_util::FutureExt as _;

use super::{budget::Road, exchange::Errand, lister::Listing, system::System};
use crate::core::{
    connector::{
        answer::Purpose,
        discover::{Described, Description},
    },
    fault::Fault,
    newcomer::Names,
    path::Path,
    record::Record,
};

/// So many records are looked at, in so many pages.
const RECORDS_MAX: usize = 1_000;
const PAGES_MAX: usize = 3;

/// A description as it came.
#[derive(Debug)]
pub enum Found {
    /// An OpenAPI description, as JSON or YAML.
    OpenApi(Vec<u8>),
    /// OData metadata.
    OData(Vec<u8>),
    /// The fields of the object.
    Fields(Vec<Described>),
}

impl System {
    /// What the system says an object has; `None` where it says nothing of that.
    pub async fn describe(&self, object: &str) -> Result<Option<Found>, Fault> {
        if let Some(sql) = self.inner().exchange.transport.sql() {
            let columns = sql
                .describe(object)
                .boxed()
                .await
                .map_err(|error| self.undescribed(object, &error))?;
            return Ok(columns.map(Found::Fields));
        }
        let Some(discover) = self.connector().describes(object) else {
            return Ok(None);
        };
        let inner = self.inner();
        let asked = async {
            let call = inner.with_context(|context| discover.call(context, object))?;
            let errand = Errand {
                purpose: Purpose::Get,
                object,
                road: Road::Manual,
                records: None,
            };
            match &discover.answer {
                Description::OpenApi => inner.exchange.document(errand, &call).await.map(Found::OpenApi),
                Description::OData => inner.exchange.document(errand, &call).await.map(Found::OData),
                Description::Fields(list) => {
                    let reply = inner.exchange.call(errand, call).await?;
                    let fields = list.read(&reply.body);
                    let none = || {
                        inner.bad_answer(
                            object,
                            &format!("there is no list or map of fields at `{}`", list.fields),
                        )
                    };
                    fields.map(Found::Fields).ok_or_else(none)
                }
            }
        };
        asked.await.map(Some).map_err(|refused| refused.fault)
    }

    /// The names of the columns behind an object, whatever the connector names of them. None where it is no database, or does not
    /// tell: nothing depends on it.
    pub async fn columns(&self, object: &str) -> Names {
        let mut names = Names::default();
        let Some(sql) = self.inner().exchange.transport.sql() else {
            return names;
        };
        let described = sql.describe(object).boxed().await;
        for column in described.ok().flatten().iter().flatten() {
            let path = Path::parse(&column.path);
            if let Some(root) = path.ok().as_ref().and_then(Path::root) {
                names.add(&[root.to_owned()]);
            }
        }
        names
    }

    fn undescribed(&self, object: &str, reason: &str) -> Fault {
        let refused = self.inner().bad_answer(object, reason);
        refused
            .fault
            .with_hint("let the database user read the table, then look again")
    }

    /// The path that an object is listed at, its query aside.
    #[must_use]
    pub fn path_of(&self, object: &str) -> Option<String> {
        let reader = self.reader(object, Listing::default(), Road::Manual).ok()?;
        let list = self.connector().objects.get(object)?.listing(false)?;
        let call = self
            .inner()
            .with_context(|context| context.list(list, None, &reader.pager))
            .ok()?;
        Some(call.url.path().to_owned())
    }

    /// Some records of an object, as its connector reads them.
    pub async fn some_records(&self, object: &str) -> Result<Vec<Record>, Fault> {
        let mut lister = self.list(object, Listing::default(), Road::Manual);
        let mut records = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(page) = lister.next().await? else { break };
            records.extend(page.records);
            if records.len() >= RECORDS_MAX {
                break;
            }
        }
        Ok(records)
    }
}
