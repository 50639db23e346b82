//! Decisions of people: a change that is only made while it still can be, and what goes with it (its entry in the audit, a look
//! at the pair), all of it or nothing.

use super::{
    Context, Store,
    engine::{Args, Durability, Tx},
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
