//! The ids that linked records had before: a record that was renamed, or merged into another, keeps its link and its history.

use chrono::{DateTime, Utc};

use super::{
    Context, Store,
    engine::{FromRow, Row, Tx, Unread, args},
    error::Error,
    link::{SELECT, StoredLink},
};
use crate::core::status::Side;

/// One side of a link went over to another id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkMove {
    /// Our id of it.
    pub link_move_id: i64,
    /// The side.
    pub side: Side,
    /// The id until then.
    pub from_id: String,
    /// The id from then on.
    pub to_id: String,
    /// When.
    pub moved_at: DateTime<Utc>,
}

impl FromRow for LinkMove {
    const TABLE: &'static str = "link_move";
    const KEY: &'static str = "link_move_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            link_move_id: row.get("link_move_id")?,
            side: row.get("side")?,
            from_id: row.get("from_id")?,
            to_id: row.get("to_id")?,
            moved_at: row.time("moved_at")?,
        })
    }
}

impl Store {
    /// How the ids of a link went on, the newest first.
    pub async fn link_moves(&self, link_id: i64, limit: u32) -> Result<Vec<LinkMove>, Error> {
        if self.link(link_id).await?.is_none() {
            return Ok(Vec::new());
        }
        let sql = "select link_move_id, side, from_id, to_id, moved_at from link_move where link_id = $1 \
             order by link_move_id desc limit $2";
        self.engine().rows(sql, args![link_id, i64::from(limit)]).await
    }

    /// The living link of a record that had this id before.
    pub async fn link_moved_from(
        &self,
        mapping: &str,
        side: Side,
        record_id: &str,
    ) -> Result<Option<StoredLink>, Error> {
        if !self.sees_mapping(Some(mapping)) {
            return Ok(None);
        }
        let sql = format!(
            "{SELECT} where status <> 'ended' and link_id = (select m.link_id from link_move as m \
             where m.from_id = $1 and m.mapping = $2 and m.side = $3 order by m.link_move_id desc limit 1)"
        );
        self.engine().row(sql, args![record_id, mapping, side]).await
    }
}

/// Moves one side of a living link to another id, and remembers the one that it had.
pub(super) async fn move_to(
    tx: &mut Tx,
    context: &Context<'_>,
    link_id: i64,
    side: Side,
    record_id: &str,
) -> Result<(), Error> {
    let remember = format!(
        "insert into link_move (link_id, mapping, side, from_id, to_id, moved_at) \
         select link_id, mapping, '{side}', {side}_id, $2, $3 from link \
         where link_id = $1 and status <> 'ended' and {side}_id <> $2"
    );
    let moved = format!(
        "update link set {side}_id = $2, {side}_version = null, {side}_updated_at = null, updated_at = $3 \
         where link_id = $1 and status <> 'ended'"
    );
    for sql in [remember, moved] {
        tx.execute(sql, args![link_id, record_id, context.now]).await?;
    }
    Ok(())
}
