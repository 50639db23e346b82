//! Whether a system's filter by time of change filters: a date in the wrong form, or a parameter with the wrong name, often
//! gives nothing or everything, without a word. Believed, the one would end all polling in silence, the other read everything
//! each time.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Listing, Road, System};
use crate::core::{
    fault::Fault,
    status::{FailureClass, Stage},
};

/// So far ahead that no clock is wrong by it.
const AHEAD: TimeDelta = TimeDelta::days(365);

impl System {
    /// Asks for what changed after a time that has not come, which must give nothing, and for what changed since long ago,
    /// which must give something where there is anything. A connector that cannot ask has nothing to be checked.
    pub async fn check_since(&self, object: &str, road: Road) -> Result<(), Fault> {
        let known = self.connector().objects.get(object);
        let Some(known) = known.filter(|object| object.lists_changes()) else {
            return Ok(());
        };
        let ahead = self.now() + AHEAD;
        if self.has_any(object, Some(ahead), road).await? {
            let message =
                format!("asked for what changes in a year, `{object}` gave records: the filter by time does nothing");
            return Err(useless(self, "RQ040", &message));
        }
        if known.listing(true).is_some_and(|list| list.reaches.is_some()) {
            // That nothing changed for so long says nothing about the filter.
            return Ok(());
        }
        // Before anything in any business system, and not the one moment that may stand for "no time".
        let long_ago = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        if !self.has_any(object, Some(long_ago), road).await? && self.has_any(object, None, road).await? {
            let message = format!("asked for what changed since 1970, `{object}` gave nothing, and it has records");
            return Err(useless(self, "RQ041", &message));
        }
        Ok(())
    }

    /// Whether the first pages hold a record.
    async fn has_any(&self, object: &str, since: Option<DateTime<Utc>>, road: Road) -> Result<bool, Fault> {
        let listing = Listing {
            since,
            ..Listing::default()
        };
        let mut lister = self.list(object, listing, road);
        while let Some(page) = lister.next().await? {
            if !page.records.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn useless(system: &System, code: &'static str, message: &str) -> Fault {
    let message = format!("system `{}`: {message}", system.name());
    Fault::new(code, FailureClass::Rejected, Stage::Fetch, message).with_hint(
        "compare `since` in `list:` or `changed:` of the connector with the system's documentation: name of the parameter, \
         form of the date (`since_format:`, `types: datetime:`)",
    )
}
