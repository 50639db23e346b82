//! Links: pairs of record ids known to be the same thing, with the base both sides agreed on.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    Context, Op, Page, Store,
    bulk::{Bulk, Filter, LIST_MAX, without_repeats},
    engine::{Args, FromRow, Row, Tx, Unread, args},
    error::Error,
    scope::newest,
};
use crate::core::{
    record::{Base, Link},
    status::{LinkStatus, MissingDecision, Side},
};

/// What is known of both records when they are in sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// What both sides agreed on.
    pub base: Base,
    /// The left record's version.
    pub left_version: Option<String>,
    /// The right record's version.
    pub right_version: Option<String>,
    /// When the left record last changed, as its system says.
    pub left_updated_at: Option<DateTime<Utc>>,
    /// When the right record last changed, as its system says.
    pub right_updated_at: Option<DateTime<Utc>>,
}

/// A pair to be linked. If the very pair is linked already, its agreement is renewed; if one of the records belongs to
/// another link, the submission is refused with [`Error::Conflict`].
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// What both sides agreed on.
    pub agreement: Agreement,
}

/// A known link that is in sync again.
#[derive(Debug, Clone)]
pub struct SyncedLink {
    /// The link.
    pub link_id: i64,
    /// What both sides agreed on.
    pub agreement: Agreement,
}

/// A known link whose fields count as agreed on otherwise, without the pair being in sync.
#[derive(Debug, Clone)]
pub struct RebasedLink {
    /// The link.
    pub link_id: i64,
    /// What counts as agreed on from now on.
    pub base: Base,
}

/// A link as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// What the core knows of it.
    pub link: Link,
    /// The mapping.
    pub mapping: Arc<str>,
    /// The side whose record is gone, and since when, while the delete is pending.
    pub missing: Option<(Side, DateTime<Utc>)>,
    /// The left record's version when last in sync.
    pub left_version: Option<String>,
    /// The right record's version when last in sync.
    pub right_version: Option<String>,
    /// When the left record had last changed when last in sync.
    pub left_updated_at: Option<DateTime<Utc>>,
    /// When the right record had last changed when last in sync.
    pub right_updated_at: Option<DateTime<Utc>>,
    /// When both were last in sync.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// When the pair was linked.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

impl FromRow for Link {
    const TABLE: &'static str = "link";
    const KEY: &'static str = "link_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            link_id: row.get("link_id")?,
            left_id: row.get("left_id")?,
            right_id: row.get("right_id")?,
            base: row.base("base")?,
            status: row.get("status")?,
            decided: row
                .get::<Option<Side>>("missing_side")?
                .zip(row.get::<Option<MissingDecision>>("missing_decision")?),
        })
    }
}

/// The left id of a link.
struct LeftId {
    link_id: i64,
    left_id: String,
}

impl FromRow for LeftId {
    const TABLE: &'static str = "link";
    const KEY: &'static str = "link_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            link_id: row.get("link_id")?,
            left_id: row.get("left_id")?,
        })
    }
}

/// Which links to list.
#[derive(Debug, Clone, Default)]
pub struct LinkFilter {
    /// Of this mapping.
    pub mapping: Option<String>,
    /// That stand so; none for all but ended ones.
    pub status: Option<LinkStatus>,
    /// Of pending deletes, only those that nobody has decided to keep as they are.
    pub is_undecided: bool,
}

pub(super) const SELECT: &str = "select link_id, mapping, left_id, right_id, base, status, missing_side, missing_since, \
     missing_decision, left_version, right_version, left_updated_at, right_updated_at, last_synced_at, created_at, \
     updated_at from link";

impl FromRow for StoredLink {
    const TABLE: &'static str = "link";
    const KEY: &'static str = "link_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            link: Link::from_row(row)?,
            mapping: row.shared("mapping")?,
            missing: row
                .get::<Option<Side>>("missing_side")?
                .zip(row.maybe_time("missing_since")?),
            left_version: row.get("left_version")?,
            right_version: row.get("right_version")?,
            left_updated_at: row.maybe_time("left_updated_at")?,
            right_updated_at: row.maybe_time("right_updated_at")?,
            last_synced_at: row.maybe_time("last_synced_at")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

impl Store {
    /// The living link of a record.
    pub async fn link_by(&self, mapping: &str, side: Side, record_id: &str) -> Result<Option<StoredLink>, Error> {
        if !self.sees_mapping(Some(mapping)) {
            return Ok(None);
        }
        let condition = match side {
            Side::Left => "left_id = $2",
            Side::Right => "right_id = $2",
        };
        let sql = format!("{SELECT} where mapping = $1 and {condition} and status <> 'ended'");
        self.engine().row(sql, args![mapping, record_id]).await
    }

    /// The living links of many records; those without one are missing in the answer.
    pub async fn links_by(&self, mapping: &str, side: Side, record_ids: &[&str]) -> Result<Vec<StoredLink>, Error> {
        let column = match side {
            Side::Left => "left_id",
            Side::Right => "right_id",
        };
        let mut found = Vec::with_capacity(record_ids.len());
        for ids in record_ids.chunks(LIST_MAX) {
            let mut args = args![mapping];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!("{SELECT} where mapping = $1 and {column} in {list} and status <> 'ended'");
            found.extend(self.engine().rows::<StoredLink>(sql, args).await?);
        }
        Ok(found)
    }

    /// One link, living or ended.
    pub async fn link(&self, link_id: i64) -> Result<Option<StoredLink>, Error> {
        let sql = format!("{SELECT} where link_id = $1");
        let found = self.engine().row::<StoredLink>(sql, args![link_id]).await?;
        Ok(found.filter(|link| self.sees_mapping(Some(&link.mapping))))
    }

    /// The left ids of links, living or ended, by their own.
    pub async fn left_ids(&self, link_ids: &[i64]) -> Result<HashMap<i64, String>, Error> {
        let mut found = HashMap::with_capacity(link_ids.len());
        for ids in link_ids.chunks(LIST_MAX) {
            let mut args = Args::new();
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!("select link_id, left_id from link where link_id in {list}");
            let rows = self.engine().rows::<LeftId>(sql, args).await?;
            found.extend(rows.into_iter().map(|row| (row.link_id, row.left_id)));
        }
        Ok(found)
    }

    /// Living links of a mapping with ids above `after_link_id`, in the order of their ids: for going through all.
    pub async fn links_after(&self, mapping: &str, after_link_id: i64, limit: u32) -> Result<Vec<StoredLink>, Error> {
        let sql =
            format!("{SELECT} where mapping = $1 and link_id > $2 and status <> 'ended' order by link_id limit $3");
        self.engine()
            .rows(sql, args![mapping, after_link_id, i64::from(limit)])
            .await
    }

    /// As [`Store::links_after`], up to `last_link_id`, with no more of each than a comparison needs.
    pub async fn agreed_between(
        &self,
        mapping: &str,
        after_link_id: i64,
        last_link_id: i64,
        limit: u32,
    ) -> Result<Vec<Link>, Error> {
        let sql = "select link_id, left_id, right_id, base, status, missing_side, missing_decision from link \
             where mapping = $1 and link_id > $2 and link_id <= $4 and status <> 'ended' order by link_id limit $3";
        let args = args![mapping.to_owned(), after_link_id, i64::from(limit), last_link_id];
        self.engine().bulk(sql, args).await
    }

    /// A link id in the middle of a mapping's: about as many links are older as are newer.
    pub async fn middle_link(&self, mapping: &str) -> Result<i64, Error> {
        let bound = async |order: &str| {
            let sql = format!("select link_id as number from link where mapping = $1 order by link_id {order} limit 1");
            self.engine().count(sql, args![mapping]).await
        };
        let middle = bound("asc").await?.midpoint(bound("desc").await?);
        Ok(i64::try_from(middle).unwrap_or(i64::MAX))
    }

    /// Links that fit `filter`, newest first.
    pub async fn links(&self, filter: &LinkFilter, page: Page) -> Result<Vec<StoredLink>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let (sql, args) = link_filter(mapping, filter).page(SELECT, "link_id", page);
            found.extend(self.engine().rows::<StoredLink>(sql, args).await?);
        }
        Ok(newest(found, page, |link| link.link.link_id))
    }

    /// Links that wait for a decision because one record is gone, newest first.
    pub async fn pending_deletes(&self, mapping: Option<&str>, page: Page) -> Result<Vec<StoredLink>, Error> {
        let filter = LinkFilter {
            mapping: mapping.map(str::to_owned),
            status: Some(LinkStatus::PendingDelete),
            is_undecided: true,
        };
        self.links(&filter, page).await
    }

    /// Decides what follows for a pending delete; whether the link is one. The decision takes effect when the pair is next
    /// looked at, and is forgotten when the record reappears before. `with` goes with it.
    pub async fn decide_missing(
        &self,
        link_id: i64,
        decision: MissingDecision,
        by: &str,
        with: Vec<Op>,
    ) -> Result<bool, Error> {
        let sql = "update link set missing_decision = $2, missing_decided_by = $3, missing_decided_at = $4, updated_at = $4 \
             where link_id = $1 and status = 'pending_delete'";
        let args = args![link_id, decision, by, self.now()];
        Ok(self.decide(sql, args, |_| with).await? > 0)
    }

    /// How many links fit `filter`.
    pub async fn link_count(&self, filter: &LinkFilter) -> Result<u64, Error> {
        let mut count = 0;
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let wanted = link_filter(mapping, filter);
            let sql = format!("select count(*) as number from link{}", wanted.clause());
            count += self.engine().count(sql, wanted.args).await?;
        }
        Ok(count)
    }
}

fn link_filter<'a>(mapping: Option<&'a str>, filter: &LinkFilter) -> Filter<'a> {
    let mut wanted = Filter::new();
    wanted.maybe("mapping =", mapping);
    match filter.status {
        Some(LinkStatus::PendingDelete) => wanted.raw("status = 'pending_delete'"),
        // As the index of ended ones is written: they are few, or many, among those that live.
        Some(LinkStatus::Ended) => wanted.raw("status = 'ended'"),
        Some(LinkStatus::Linked) => wanted.raw("status = 'linked'"),
        None => wanted.raw("status <> 'ended'"),
    }
    if filter.is_undecided {
        wanted.raw("coalesce(missing_decision, '') <> 'keep'");
    }
    wanted
}

fn agreement_args(agreement: &Agreement) -> Args<'_> {
    args![
        agreement.base.to_bytes(),
        &agreement.left_version,
        &agreement.right_version,
        agreement.left_updated_at,
        agreement.right_updated_at,
    ]
}

/// Links pairs.
pub(super) async fn put(tx: &mut Tx, context: &Context<'_>, links: &[&NewLink]) -> Result<(), Error> {
    const PUT: Bulk = Bulk {
        head: "insert into link (mapping, left_id, right_id, base, left_version, right_version, left_updated_at, \
               right_updated_at, status, last_synced_at, created_at, updated_at)",
        tail: "on conflict (mapping, left_id) where status <> 'ended' do update set base = excluded.base, \
               left_version = excluded.left_version, right_version = excluded.right_version, \
               left_updated_at = excluded.left_updated_at, right_updated_at = excluded.right_updated_at, \
               status = excluded.status, missing_side = null, missing_since = null, missing_decision = null, \
               last_synced_at = excluded.last_synced_at, updated_at = excluded.updated_at \
               where link.right_id = excluded.right_id",
    };
    for group in without_repeats(links, |link| (&link.mapping, &link.left_id)) {
        let rows = group.iter().map(|link| {
            let mut args = args![&link.mapping, &link.left_id, &link.right_id];
            args.extend(agreement_args(&link.agreement));
            args.extend(args![LinkStatus::Linked, context.now, context.now, context.now]);
            args
        });
        if PUT.execute(tx, rows.collect()).await? != group.len() as u64 {
            return Err(Error::Conflict {
                what: "link.left_id".into(),
            });
        }
    }
    Ok(())
}

/// Renews the agreement of known links.
pub(super) async fn sync(tx: &mut Tx, context: &Context<'_>, links: &[&SyncedLink]) -> Result<(), Error> {
    const SYNC: Bulk = Bulk {
        head: "update link set base = v.column2, left_version = v.column3, right_version = v.column4, \
               left_updated_at = v.column5, right_updated_at = v.column6, status = 'linked', missing_side = null, \
               missing_since = null, missing_decision = null, last_synced_at = v.column7, updated_at = v.column7 from (",
        tail: ") as v where link.link_id = v.column1 and link.status <> 'ended'",
    };
    for group in without_repeats(links, |link| link.link_id) {
        let rows = group.iter().map(|link| {
            let mut args = args![link.link_id];
            args.extend(agreement_args(&link.agreement));
            args.push(context.now.into());
            args
        });
        SYNC.execute(tx, rows.collect()).await?;
    }
    Ok(())
}

/// Renews what known links agreed on, and nothing else of them.
pub(super) async fn rebase(tx: &mut Tx, links: &[&RebasedLink]) -> Result<(), Error> {
    const REBASE: Bulk = Bulk {
        head: "update link set base = v.column2 from (",
        tail: ") as v where link.link_id = v.column1 and link.status <> 'ended'",
    };
    for group in without_repeats(links, |link| link.link_id) {
        let rows = group.iter().map(|link| args![link.link_id, link.base.to_bytes()]);
        REBASE.execute(tx, rows.collect()).await?;
    }
    Ok(())
}

/// Ends links; they stay as tombstones.
pub(super) async fn end(tx: &mut Tx, context: &Context<'_>, link_ids: &[i64]) -> Result<(), Error> {
    const END: Bulk = Bulk {
        head: "update link set status = 'ended', updated_at = v.column2 from (",
        tail: ") as v where link.link_id = v.column1",
    };
    let rows = link_ids.iter().map(|link_id| args![*link_id, context.now]);
    END.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Marks links as pending deletes; the time of the first finding stays.
pub(super) async fn mark_missing(tx: &mut Tx, context: &Context<'_>, marks: &[(i64, Side)]) -> Result<(), Error> {
    const MARK: Bulk = Bulk {
        head: "update link set status = 'pending_delete', missing_side = v.column2, \
               missing_decision = case when link.missing_side = v.column2 then link.missing_decision end, \
               missing_since = coalesce(link.missing_since, v.column3), updated_at = v.column3 from (",
        tail: ") as v where link.link_id = v.column1 and link.status <> 'ended'",
    };
    let rows = marks.iter().map(|(link_id, side)| args![*link_id, *side, context.now]);
    MARK.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Takes links off the list of pending deletes, because the record is there again.
pub(super) async fn clear_missing(tx: &mut Tx, context: &Context<'_>, link_ids: &[i64]) -> Result<(), Error> {
    const CLEAR: Bulk = Bulk {
        head: "update link set status = 'linked', missing_side = null, missing_since = null, missing_decision = null, \
               updated_at = v.column2 from (",
        tail: ") as v where link.link_id = v.column1 and link.status = 'pending_delete'",
    };
    let rows = link_ids.iter().map(|link_id| args![*link_id, context.now]);
    CLEAR.execute(tx, rows.collect()).await?;
    Ok(())
}
