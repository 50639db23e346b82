//! Where each watched condition stands.

use chrono::{DateTime, Utc};

use super::NewNotice;
use crate::{
    core::{
        notice::Standing,
        status::{NoticeCondition, NoticeState},
    },
    store::{
        Store,
        engine::{Durability, FromRow, Number, Row, Tx, Unread, args},
        error::Error,
    },
};

/// Where a condition stands, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStanding {
    /// The condition.
    pub condition: NoticeCondition,
    /// The mapping or system.
    pub subject: String,
    /// Where it stands.
    pub standing: Standing,
    /// When it was first looked at.
    pub first_at: DateTime<Utc>,
    /// When it last turned; at first when it was first looked at.
    pub changed_at: DateTime<Utc>,
    /// What the next change has to know.
    pub version: i64,
}

impl FromRow for KnownStanding {
    const TABLE: &'static str = "notice_standing";
    const KEY: &'static str = "subject";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            condition: row.get("condition")?,
            subject: row.get("subject")?,
            standing: Standing {
                state: row.get("state")?,
                leaning_since: row.maybe_time("leaning_since")?,
            },
            first_at: row.time("first_at")?,
            changed_at: row.time("changed_at")?,
            version: row.get("version")?,
        })
    }
}

/// A condition that stands otherwise than before.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The condition.
    pub condition: NoticeCondition,
    /// The mapping or system.
    pub subject: String,
    /// Where it stands now.
    pub standing: Standing,
    /// The version that was seen; none where it was not known yet.
    pub seen: Option<i64>,
    /// What is told of it; none where it only leans another way.
    pub notice: Option<NewNotice>,
}

impl Store {
    /// Where every condition stands that was ever other than well.
    pub async fn notice_standings(&self) -> Result<Vec<KnownStanding>, Error> {
        let sql = "select condition, subject, state, leaning_since, first_at, changed_at, version from notice_standing";
        self.engine().rows(sql, args![]).await
    }

    /// Turns a condition, with its notice and what is to be sent; false where another node was faster, which then has told it.
    pub async fn turn_notice(&self, turn: &Turn) -> Result<bool, Error> {
        let mut tx = self.engine().begin(Durability::Durable).await?;
        let now = self.now();
        if !stand(&mut tx, turn, now).await? {
            tx.rollback().await;
            return Ok(false);
        }
        if let Some(notice) = &turn.notice {
            tell(&mut tx, turn.condition, turn.standing.state, &turn.subject, notice).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Forgets a condition that is well, of something that is not there any more; false where it has turned since.
    pub async fn forget_standing(&self, known: &KnownStanding) -> Result<bool, Error> {
        let sql =
            "delete from notice_standing where condition = $1 and subject = $2 and version = $3 and state = 'well'";
        let args = args![known.condition, &known.subject, known.version];
        Ok(self.engine().execute(sql, args).await? > 0)
    }
}

/// Stores where a condition stands; whether it was as it had been seen.
async fn stand(tx: &mut Tx, turn: &Turn, now: i64) -> Result<bool, Error> {
    let Standing { state, leaning_since } = turn.standing;
    let Some(seen) = turn.seen else {
        let sql = "insert into notice_standing (condition, subject, state, leaning_since, first_at, changed_at, version) \
             values ($1, $2, $3, $4, $5, $5, 1) on conflict (condition, subject) do nothing";
        let args = args![turn.condition, &turn.subject, state, leaning_since, now];
        return Ok(tx.execute(sql, args).await? > 0);
    };
    let sql = "update notice_standing set changed_at = case when state = $3 then changed_at else $5 end, state = $3, \
         leaning_since = $4, version = version + 1 where condition = $1 and subject = $2 and version = $6";
    let args = args![turn.condition, &turn.subject, state, leaning_since, now, seen];
    Ok(tx.execute(sql, args).await? > 0)
}

/// Stores a notice and what is to be sent.
async fn tell(
    tx: &mut Tx,
    condition: NoticeCondition,
    state: NoticeState,
    subject: &str,
    notice: &NewNotice,
) -> Result<(), Error> {
    let sql = "insert into notice (event_id, condition, state, subject, occurred_at, payload, letter_subject, \
         letter_body) values ($1, $2, $3, $4, $5, $6, $7, $8) returning notice_id as number";
    let args = args![
        &notice.event_id,
        condition,
        state,
        subject,
        notice.occurred_at,
        &notice.payload,
        &notice.letter.subject,
        &notice.letter.body
    ];
    let ids = tx.rows::<Number>(sql, args).await?;
    let Some(Number(notice_id)) = ids.first() else {
        return Err(Error::Closed);
    };
    for target in &notice.targets {
        let sql = "insert into notice_delivery (notice_id, target, status, next_attempt_at, until) \
             values ($1, $2, 'pending', $3, $4) on conflict (notice_id, target) do nothing";
        tx.execute(sql, args![*notice_id, target, notice.occurred_at, notice.until])
            .await?;
    }
    Ok(())
}
