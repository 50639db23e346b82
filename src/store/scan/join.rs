//! Joining what was listed with the links, each side by itself: both come sorted by a hash of the record's id.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{
    Error, Pair, Row,
    filter::Filter,
    heap::Heap,
    number,
    sorter::{Entry, Run, Sorter},
};
use crate::core::status::Side;

/// Marks the place of an [`Entry`] as one of a record; without it, it is the id of a link. Links come before the records of
/// their print, and records in the order in which they were listed.
const IS_RECORD: u64 = 1 << 63;
/// Marks a record that does not pass the filter; the rest of the place is where the heap has it.
const IS_OUTSIDE: u64 = 1;
/// What is written to the tables at once.
const FOUND_MAX: usize = 1_000;

/// What the listing of one side says about a pair that is not as it was agreed, in the table of suspects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Differs,
    Missing,
}

/// One side on its way into order: its records that are most likely linked, and the links.
#[derive(Debug)]
pub(super) struct Half {
    side: Side,
    /// Shared with whoever looks at records on their way; nobody does before all links are in.
    linked: Arc<Filter>,
    sorter: Sorter,
    heap: Heap,
    /// Records of pairs; known once they are joined.
    pub(super) records: u64,
    /// Links; known once they are joined.
    pub(super) pairs: u64,
}

/// One side's files as they are saved.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct SavedHalf {
    pub(super) runs: Vec<Run>,
    pub(super) ids: u64,
}

impl Half {
    pub(super) fn new(side: Side, linked: Filter, sorter: Sorter, heap: Heap) -> Self {
        Self {
            side,
            linked: Arc::new(linked),
            sorter,
            heap,
            records: 0,
            pairs: 0,
        }
    }

    /// Writes what is in memory, so that another process can go on with it.
    pub(super) fn save(&mut self) -> Result<SavedHalf, Error> {
        Ok(SavedHalf {
            runs: self.sorter.save()?.to_vec(),
            ids: self.heap.save()?,
        })
    }

    /// Whether much has come since it was last saved.
    pub(super) fn is_filling(&self) -> bool {
        self.sorter.is_filling()
    }

    /// The ids that are linked, as far as the filter knows.
    pub(super) const fn linked(&self) -> &Arc<Filter> {
        &self.linked
    }

    /// Adds one side of a link.
    pub(super) fn add_pair(&mut self, pair: &Pair) -> Result<(), Error> {
        let print = *pair.prints.get(self.side);
        Arc::make_mut(&mut self.linked).insert(print);
        self.sorter.push(Entry {
            print,
            place: pair.link_id.cast_unsigned() & !IS_RECORD,
            digest: pair.agreed.get(self.side).map_or(0, comparable),
        })?;
        Ok(())
    }

    /// Adds a listed record that is most likely linked.
    pub(super) fn add_record(&mut self, row: &Row) -> Result<(), Error> {
        let keys = super::keys(&row.match_keys).filter(|_| !row.is_outside);
        let at = self.heap.add(&row.record.id, &keys.unwrap_or_default())?;
        let (outside, digest) = if row.is_outside {
            (IS_OUTSIDE, None)
        } else {
            (0, row.digest)
        };
        self.sorter.push(Entry {
            print: row.print,
            place: IS_RECORD | (at << 1) | outside,
            digest: digest.map_or(0, comparable),
        })?;
        Ok(())
    }

    /// Finds the pairs that are not as they were agreed, and the records that are in no link after all.
    pub(super) fn join(&mut self, tables: &Tables<'_>) -> Result<(), Error> {
        let mut group = Group::default();
        let mut found = Findings::default();
        let (mut records, mut pairs) = (0, 0);
        let mut unlinked = Vec::new();
        let heap = &mut self.heap;
        self.sorter.drain::<Error>(|entry| {
            if group.print != Some(entry.print) {
                records += u64::from(group.close(&mut found, &mut unlinked));
                group.print = Some(entry.print);
            }
            if entry.place & IS_RECORD == 0 {
                pairs += 1;
                group.links.push(entry);
            } else {
                group.record = Some(entry);
            }
            if found.0.len() >= FOUND_MAX {
                tables.add_suspects(self.side, &mut found)?;
            }
            if unlinked.len() >= FOUND_MAX {
                tables.add_unkept(self.side, heap, &mut unlinked)?;
            }
            Ok(())
        })?;
        records += u64::from(group.close(&mut found, &mut unlinked));
        tables.add_suspects(self.side, &mut found)?;
        tables.add_unkept(self.side, heap, &mut unlinked)?;
        (self.records, self.pairs) = (records, pairs);
        Ok(())
    }

    /// Gives the id and the match keys of every record that may be linked.
    pub(super) fn each_with_keys(
        &mut self,
        mut take: impl FnMut(&str, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.heap.each(|kept| {
            if kept.keys.is_empty() {
                Ok(())
            } else {
                take(&kept.id, &kept.keys)
            }
        })
    }
}

/// Equal digests of 0 would be no agreement.
const fn comparable(digest: u64) -> u64 {
    if digest == 0 { 1 } else { digest }
}

/// The links and the record with one print.
#[derive(Debug, Default)]
struct Group {
    print: Option<u128>,
    links: Vec<Entry>,
    /// The last one, where the listing repeats it.
    record: Option<Entry>,
}

impl Group {
    /// Puts what it says on record, and begins anew. Says whether it was a record of a pair.
    fn close(&mut self, found: &mut Findings, unlinked: &mut Vec<u64>) -> bool {
        let record = self.record.take();
        let has_link = !self.links.is_empty();
        if let (Some(record), false) = (record, has_link) {
            unlinked.push(record.place);
        }
        for link in self.links.drain(..) {
            let finding = match record {
                None => Finding::Missing,
                Some(record) if record.digest != link.digest || link.digest == 0 => Finding::Differs,
                Some(_) => continue,
            };
            found.0.push((link.place.cast_signed(), finding));
        }
        record.is_some() && has_link
    }
}

#[derive(Debug, Default)]
struct Findings(Vec<(i64, Finding)>);

/// Where findings go.
pub(super) struct Tables<'c>(pub(super) &'c super::Shared);

impl Tables<'_> {
    fn add_suspects(&self, side: Side, found: &mut Findings) -> Result<(), Error> {
        let mut connection = self.0.tables()?;
        let transaction = connection.transaction()?;
        {
            let sql = "insert into suspect (link_id, missing) values (?, ?) \
                on conflict (link_id) do update set missing = missing | excluded.missing";
            let mut insert = transaction.prepare_cached(sql)?;
            for (link_id, finding) in found.0.drain(..) {
                let missing = match finding {
                    Finding::Missing => missing(side),
                    Finding::Differs => 0,
                };
                insert.execute(params![link_id, missing])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Records, by their places, that were taken for linked ones: they were not kept, and are read where they are needed.
    fn add_unkept(&self, side: Side, heap: &mut Heap, places: &mut Vec<u64>) -> Result<(), Error> {
        let mut connection = self.0.tables()?;
        let transaction = connection.transaction()?;
        {
            let sql = "insert or replace into row (side, id, outside, keys) values (?, ?, ?, ?)";
            let mut insert = transaction.prepare_cached(sql)?;
            for place in places.drain(..) {
                let kept = heap.at((place & !IS_RECORD) >> 1)?;
                let keys = (!kept.keys.is_empty()).then_some(&kept.keys);
                insert.execute(params![number(side), kept.id, place & IS_OUTSIDE != 0, keys])?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// The bit of a side in the table of suspects.
pub(super) const fn missing(side: Side) -> i64 {
    match side {
        Side::Left => 1,
        Side::Right => 2,
    }
}

/// Makes what was listed searchable by match keys, where there is something to be matched.
pub(super) fn index_keys(shared: &super::Shared) -> Result<(), Error> {
    let wanted = {
        let mut connection = shared.tables()?;
        if !is_anything_to_match(&connection)? {
            return Ok(());
        }
        index_unlinked(&mut connection)?
    };
    let index = |side: Side| {
        let mut fitting: Vec<(String, u16, i64)> = Vec::new();
        let mut half = shared.half(side)?;
        half.each_with_keys(|id, keys| {
            for (rule, hash) in super::find::parts(keys) {
                if wanted.may_have(print_of(rule, hash)) {
                    fitting.push((id.to_owned(), rule, hash));
                }
            }
            if fitting.len() >= FOUND_MAX {
                add_linked(shared, side, &mut fitting)?;
            }
            Ok(())
        })?;
        add_linked(shared, side, &mut fitting)
    };
    std::thread::scope(|scope| {
        let right = scope.spawn(|| index(Side::Right));
        index(Side::Left)?;
        right.join().map_err(|_| Error::Broken)?
    })
}

fn is_anything_to_match(connection: &Connection) -> Result<bool, Error> {
    let sql = "select exists (select 1 from row where not outside and keys is not null)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Indexes the match keys of records without a link; these are the keys that matter.
fn index_unlinked(connection: &mut Connection) -> Result<Filter, Error> {
    let transaction = connection.transaction()?;
    let count = "select count(*) from row where not outside and keys is not null";
    let count: i64 = transaction.query_row(count, [], |row| row.get(0))?;
    let mut wanted = Filter::new(count.cast_unsigned().saturating_mul(2), 4 << 20);
    {
        let sql = "select side, id, keys from row where not outside and keys is not null";
        let mut select = transaction.prepare(sql)?;
        let insert = "insert or ignore into rule (side, rule, hash, id, linked) values (?, ?, ?, ?, 0)";
        let mut insert = transaction.prepare(insert)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (side, id, keys): (i64, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            for (rule, hash) in super::find::parts(&keys) {
                insert.execute(params![side, rule, hash, id])?;
                wanted.insert(print_of(rule, hash));
            }
        }
    }
    transaction.commit()?;
    Ok(wanted)
}

/// Indexes match keys of linked records. A record that is in no link after all is indexed already, as what it is.
fn add_linked(shared: &super::Shared, side: Side, fitting: &mut Vec<(String, u16, i64)>) -> Result<(), Error> {
    let mut connection = shared.tables()?;
    let transaction = connection.transaction()?;
    {
        let sql = "insert or ignore into rule (side, rule, hash, id, linked) values (?, ?, ?, ?, 1)";
        let mut insert = transaction.prepare_cached(sql)?;
        for (id, rule, hash) in fitting.drain(..) {
            insert.execute(params![number(side), rule, hash, id])?;
        }
    }
    Ok(transaction.commit()?)
}

/// A key as a filter takes it; its hash is as good as chance in all of its bits.
fn print_of(rule: u16, hash: i64) -> u128 {
    let hash = hash.cast_unsigned() ^ u64::from(rule).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (u128::from(hash.rotate_left(32)) << 64) | u128::from(hash)
}
