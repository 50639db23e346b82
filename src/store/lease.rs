//! Leases by name: one leader for the scheduler and for each reconciliation, among all nodes.

use std::time::Duration;

use super::{
    Access, Store,
    connect::holders,
    engine::{Durability, Number, Tx, args},
    error::Error,
    lock::{LENGTH_MAX, until},
};

impl Store {
    /// Takes a lease that is free, has run out, or is ours already; its epoch, which grows with every change of holder.
    pub async fn acquire_lease(&self, name: &str, ttl: Duration) -> Result<Option<i64>, Error> {
        let now = self.now();
        let sql = "insert into lease (name, holder, epoch, until) values ($1, $2, 1, $3) \
             on conflict (name) do update set \
             epoch = case when lease.holder = excluded.holder and lease.until > $4 then lease.epoch \
             else lease.epoch + 1 end, \
             holder = excluded.holder, until = excluded.until \
             where lease.until <= $4 or lease.until > $5 or lease.holder = excluded.holder returning epoch as number";
        let args = args![name, &self.inner.holder, until(now, ttl), now, until(now, LENGTH_MAX)];
        let got = self.engine().write::<Number>(sql, args).await?;
        Ok(got.first().map(|epoch| epoch.0))
    }

    /// Takes a lease that is free or has run out, and no other: also nobody else of this process may have it.
    pub async fn acquire_free_lease(&self, name: &str, ttl: Duration) -> Result<Option<i64>, Error> {
        let now = self.now();
        let sql = "insert into lease (name, holder, epoch, until) values ($1, $2, 1, $3) \
             on conflict (name) do update set epoch = lease.epoch + 1, holder = excluded.holder, until = excluded.until \
             where lease.until <= $4 returning epoch as number";
        let args = args![name, &self.inner.holder, until(now, ttl), now];
        let got = self.engine().write::<Number>(sql, args).await?;
        Ok(got.first().map(|epoch| epoch.0))
    }

    /// Lengthens a lease; whether it still is ours.
    pub async fn renew_lease(&self, name: &str, epoch: i64, ttl: Duration) -> Result<bool, Error> {
        let now = self.now();
        let sql = "update lease set until = $4 where name = $1 and holder = $2 and epoch = $3 and until > $5";
        let args = args![name, &self.inner.holder, epoch, until(now, ttl), now];
        Ok(self.engine().execute(sql, args).await? > 0)
    }

    /// Whether a daemon works on this database, which lies at `url`: on SQLite it holds the lock file, on PostgreSQL the
    /// scheduler of one of the nodes holds its lease.
    pub async fn has_daemon(&self, url: &str) -> Result<bool, Error> {
        if let Some(path) = super::connect::sqlite_path(url) {
            return Ok(super::connect::is_locked(&path));
        }
        let sql = "select count(*) as number from lease where name = 'schedule' and until > $1";
        Ok(self.engine().count(sql, args![self.now()]).await? > 0)
    }

    /// Gives a lease back; one that was lost already is no error.
    pub async fn release_lease(&self, name: &str, epoch: i64) -> Result<(), Error> {
        let sql = "update lease set until = 0 where name = $1 and holder = $2 and epoch = $3";
        self.engine()
            .execute(sql, args![name, &self.inner.holder, epoch])
            .await
            .map(drop)
    }

    /// Frees every lease that a daemon of this node held when it crashed, so that its work goes on at once and not when
    /// the leases run out; how many. Only the node's daemon itself may call it, at its start.
    pub async fn free_crashed_leases(&self) -> Result<u64, Error> {
        let prefix = holders(self.node(), Access::Daemon);
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        let freed = free(&mut tx, &prefix, &self.inner.holder).await?;
        tx.commit().await?;
        Ok(freed)
    }
}

/// Frees every lease whose holder's name begins so, but those of `holder`; how many.
pub(super) async fn free(tx: &mut Tx, prefix: &str, holder: &str) -> Result<u64, Error> {
    let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
    let mut freed = 0;
    for sql in [
        "update lease set until = 0 where substr(holder, 1, cast($2 as integer)) = $1 and holder <> $3 and until > 0",
        "delete from lock where substr(holder, 1, cast($2 as integer)) = $1 and holder <> $3",
    ] {
        freed += tx.execute(sql, args![prefix, length, holder]).await?;
    }
    Ok(freed)
}
