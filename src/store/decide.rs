//! Decisions of people: a change that is only made while it still can be, and what goes with it (its entry in the audit, a look
//! at the pair), all of it or nothing.

use super::{
    Context, Store,
    engine::{Args, Durability, Number, Tx},
    error::Error,
    op::{self, Op},
    writer::wake,
};

impl Store {
    /// Runs a statement and, where it changes something, what goes with that many rows; how many they are.
    pub(super) async fn decide(
        &self,
        sql: &'static str,
        args: Args<'_>,
        with: impl FnOnce(u64) -> Vec<Op> + Send,
    ) -> Result<u64, Error> {
        let mut tx = self.engine().begin(Durability::Durable).await?;
        let changed = tx.execute(sql, args).await?;
        let with = if changed > 0 { with(changed) } else { Vec::new() };
        self.conclude(tx, &with).await?;
        Ok(changed)
    }

    /// Runs a statement that makes a row and returns its id as `number`, and what goes with the row of this id; the id.
    pub(super) async fn made(
        &self,
        sql: &'static str,
        args: Args<'_>,
        with: impl FnOnce(i64) -> Vec<Op> + Send,
    ) -> Result<i64, Error> {
        let mut tx = self.engine().begin(Durability::Durable).await?;
        let id = tx.rows::<Number>(sql, args).await?.into_iter().next();
        let id = id.map_or(0, |Number(id)| id);
        self.conclude(tx, &with(id)).await?;
        Ok(id)
    }

    /// Ends the transaction of a decision with what goes with it.
    pub(super) async fn conclude(&self, mut tx: Tx, with: &[Op]) -> Result<(), Error> {
        let context = Context {
            now: self.now(),
            sealer: self.sealer(),
            holder: &self.inner.holder,
            node: self.node(),
        };
        let ops: Vec<&Op> = with.iter().collect();
        if let Err(error) = op::carry_out(&mut tx, &context, &ops).await {
            tx.rollback().await;
            return Err(error);
        }
        tx.commit().await?;
        if with.iter().any(Op::is_waking) {
            wake(&self.inner.enqueued);
        }
        Ok(())
    }
}
