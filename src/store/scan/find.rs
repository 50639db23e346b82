//! What the scratch files say about links and about records without one.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, params};

use super::{Error, Scan, join::missing, number, record};
use crate::core::{record::Record, status::Side};

/// A linked pair that has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The link.
    pub link_id: i64,
    /// Whether the left listing had the record.
    pub has_left: bool,
    /// Whether the right listing had the record.
    pub has_right: bool,
}

/// What the other listing has for an unlinked record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// Nothing.
    None,
    /// One record, which is in no link and has no other partner.
    One(String),
    /// Several records.
    Several(Vec<String>),
    /// One record, which is in another link.
    Elsewhere(String),
    /// One record, which matches these other records of the own side as well.
    Shared(String, Vec<String>),
}

/// A listed record that is in no link.
#[derive(Debug, Clone, PartialEq)]
pub struct Unlinked {
    /// The record's id.
    pub id: String,
    /// Whether a listing had it, and it was in no link then: without that, what else stands here says nothing.
    pub is_listed: bool,
    /// The record as it was listed, where it was kept.
    pub record: Option<Record>,
    /// What the other listing has for it.
    pub candidates: Candidates,
    /// The one partner as it was listed.
    pub partner: Option<Record>,
    /// Whether it has a value for any match rule: without one, no listing can show that it has no partner.
    pub has_keys: bool,
}

/// How much there is to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Linked pairs that are not exactly as they were when both sides last agreed.
    pub suspects: u64,
    /// Listed records that are in no link and pass the filter.
    pub unlinked: u64,
}

impl Found {
    /// All of it.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.suspects + self.unlinked
    }
}

/// The most ids that are told of several candidates.
const TOLD_MAX: i64 = 20;
/// So many match keys are gone through for a sample.
const WALKED_MAX: i64 = 50_000;

impl Scan {
    /// Adds linked pairs that have to be looked at, though no listing of everything says so.
    pub async fn add_suspects(&self, link_ids: Vec<i64>) -> Result<(), Error> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let sql = "insert or ignore into suspect (link_id, missing) values (?, 0)";
                let mut insert = transaction.prepare_cached(sql)?;
                for link_id in link_ids {
                    insert.execute([link_id])?;
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Which of these records of one side were listed and are in no link.
    pub async fn are_unlinked(&self, side: Side, ids: Vec<String>) -> Result<HashSet<String>, Error> {
        self.with(move |connection| {
            let mut select =
                connection.prepare_cached("select 1 from row where side = ? and id = ? and not outside")?;
            let mut found = HashSet::new();
            for id in ids {
                if select.exists(params![number(side), id])? {
                    found.insert(id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// How much there is to look at, after [`Scan::join`] and before any of it is done.
    pub async fn found(&self) -> Result<Found, Error> {
        self.with(|connection| {
            let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned));
            Ok(Found {
                suspects: count("select count(*) from suspect")?,
                unlinked: count("select count(*) from row where not outside")?,
            })
        })
        .await
    }

    /// Linked pairs after `link_id` that are not exactly as they were when both sides last agreed.
    pub async fn suspects(&self, after: i64, limit: u32) -> Result<Vec<Suspect>, Error> {
        self.with(move |connection| {
            let sql = "select link_id, missing from suspect where link_id > ? order by link_id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, limit], |row| {
                let gone: i64 = row.get(1)?;
                Ok(Suspect {
                    link_id: row.get(0)?,
                    has_left: gone & missing(Side::Left) == 0,
                    has_right: gone & missing(Side::Right) == 0,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Listed records of one side after `id` that are in no link and pass the filter, with what the other listing has for
    /// them: the first rule with exactly one partner wins.
    pub async fn unlinked(&self, side: Side, after: &str, limit: u32) -> Result<Vec<Unlinked>, Error> {
        let after = after.to_owned();
        self.with(move |connection| {
            let sql = "select id, version, updated_at, data, keys is not null from row \
                where side = ? and id > ? and not outside \
                and not exists (select 1 from settled where settled.side = row.side and settled.id = row.id) \
                order by id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![number(side), after, limit], |row| {
                let id: String = row.get(0)?;
                Ok(Unlinked {
                    is_listed: true,
                    record: record(id.clone(), row.get(1)?, row.get(2)?, row.get(3)?),
                    id,
                    candidates: Candidates::None,
                    partner: None,
                    has_keys: row.get(4)?,
                })
            })?;
            let mut found: Vec<Unlinked> = rows.collect::<Result<_, _>>()?;
            let mut matching = Matching::new(connection)?;
            for one in &mut found {
                one.candidates = matching.candidates(side, &one.id)?;
                if let Candidates::One(partner) = &one.candidates {
                    one.partner = listed(connection, side.other(), partner)?;
                }
            }
            Ok(found)
        })
        .await
    }

    /// Up to `limit` ids of unlinked records for which the other listing has nothing: a fair sample of them, since they are gone
    /// through in the order of keyed hashes.
    pub async fn silent(&self, side: Side, limit: usize) -> Result<Vec<String>, Error> {
        self.with(move |connection| {
            let sql = "select own.id from (select rule, hash, id from rule where side = ? and not linked \
                    order by rule, hash limit ?) own \
                where not exists (select 1 from rule other \
                    where other.side = ? and other.rule = own.rule and other.hash = own.hash)";
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query(params![number(side), WALKED_MAX, number(side.other())])?;
            let (mut matching, mut found) = (Matching::new(connection)?, Vec::new());
            while let Some(row) = rows.next()?
                && found.len() < limit
            {
                let id: String = row.get(0)?;
                if matching.candidates(side, &id)? == Candidates::None && !found.contains(&id) {
                    found.push(id);
                }
            }
            Ok(found)
        })
        .await
    }
}

/// A record as it was listed, where it was kept.
pub(super) fn listed(connection: &Connection, side: Side, id: &str) -> Result<Option<Record>, Error> {
    let sql = "select version, updated_at, data from row where side = ? and id = ?";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![number(side), id])?;
    Ok(match rows.next()? {
        Some(row) => record(id.to_owned(), row.get(0)?, row.get(1)?, row.get(2)?),
        None => None,
    })
}

/// The rules and hashes that [`super::keys`] put together.
pub(super) fn parts(keys: &[u8]) -> impl Iterator<Item = (u16, i64)> + '_ {
    keys.as_chunks::<10>()
        .0
        .iter()
        .map(|[a, b, hash @ ..]| (u16::from_le_bytes([*a, *b]), i64::from_le_bytes(*hash)))
}

/// What the rules say of one record.
enum Verdict {
    None,
    /// Exactly one partner, and for it exactly this record.
    One(String),
    Elsewhere(String),
    Several(Vec<String>),
    Shared(String, Vec<String>),
}

/// Finds partners by match keys.
pub(super) struct Matching<'c> {
    own: CachedStatement<'c>,
    fitting: CachedStatement<'c>,
    is_empty: bool,
}

impl<'c> Matching<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, Error> {
        let is_empty = connection.query_row("select not exists (select 1 from rule)", [], |row| row.get(0))?;
        Ok(Self {
            own: connection.prepare_cached("select keys from row where side = ? and id = ?")?,
            fitting: connection.prepare_cached(
                "select id, linked from rule where side = ? and rule = ? and hash = ? order by id limit ?",
            )?,
            is_empty,
        })
    }

    /// What the other listing has for a listed record.
    pub(super) fn candidates(&mut self, side: Side, id: &str) -> Result<Candidates, Error> {
        if self.is_empty {
            return Ok(Candidates::None);
        }
        let partner = match self.verdict(side, id)? {
            Verdict::None => return Ok(Candidates::None),
            Verdict::Elsewhere(partner) => return Ok(Candidates::Elsewhere(partner)),
            Verdict::Several(ids) => return Ok(Candidates::Several(ids)),
            Verdict::Shared(partner, rivals) => return Ok(Candidates::Shared(partner, rivals)),
            Verdict::One(partner) => partner,
        };
        // Rules are gone through in one order from both records: what comes first for the partner may be another one.
        Ok(match self.verdict(side.other(), &partner)? {
            Verdict::One(own) if own != id => Candidates::Shared(partner, vec![own]),
            _ => Candidates::One(partner),
        })
    }

    fn verdict(&mut self, side: Side, id: &str) -> Result<Verdict, Error> {
        let keys: Option<Vec<u8>> = self.own.query_row(params![number(side), id], |row| row.get(0))?;
        let mut first = Verdict::None;
        for (rule, hash) in parts(&keys.unwrap_or_default()) {
            let partners = self.fitting(side.other(), rule, hash)?;
            let found = match partners.as_slice() {
                [] => continue,
                [(partner, true)] => return Ok(Verdict::Elsewhere(partner.clone())),
                [(partner, false)] => {
                    let own = self.fitting(side, rule, hash)?.into_iter();
                    let rivals: Vec<String> = own
                        .filter_map(|(rival, is_linked)| (!is_linked && rival != id).then_some(rival))
                        .collect();
                    if rivals.is_empty() {
                        return Ok(Verdict::One(partner.clone()));
                    }
                    Verdict::Shared(partner.clone(), rivals)
                }
                _ => Verdict::Several(partners.into_iter().map(|(partner, _)| partner).collect()),
            };
            if matches!(first, Verdict::None) {
                first = found;
            }
        }
        Ok(first)
    }

    fn fitting(&mut self, side: Side, rule: u16, hash: i64) -> Result<Vec<(String, bool)>, Error> {
        let rows = self
            .fitting
            .query_map(params![number(side), rule, hash, TOLD_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
