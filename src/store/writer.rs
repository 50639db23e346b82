//! The writer: merges what many callers submit at the same time into one durable transaction.
//!
//! While one transaction waits for the disk, the next submissions gather; the busier it gets, the more of them share
//! one sync. A submission that is refused for its own reasons does not take the others with it: the batch is cut in
//! halves until the refused one stands alone. When the database itself fails, everybody in the batch is told and
//! nothing is half done; the next batch tries again.

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};

use super::{
    Context, Store,
    engine::{Durability, Engine, TRANSACTION_MAX},
    error::Error,
    event::{self, NewEvent, Received},
    op::{self, Op},
    seal::Sealer,
    write::{self, NewWrite},
};
use crate::{
    clock::Clock,
    seam::{self, Point},
};

/// The most operations merged into one transaction; one larger submission still goes through by itself.
const BATCH_OPS_MAX: usize = 1_000;

/// The most payload merged into one transaction.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a caller hands in and waits for.
pub(super) enum Submission {
    Receive(Vec<NewEvent>, oneshot::Sender<Result<Vec<Received>, Error>>),
    Intend(Vec<NewWrite>, oneshot::Sender<Result<Vec<i64>, Error>>),
    Commit(Vec<Op>, oneshot::Sender<Result<(), Error>>),
    Close(oneshot::Sender<()>),
}

/// What a submission is answered with.
enum Answer {
    Received(Vec<Received>),
    Intended(Vec<i64>),
    Committed,
}

/// The way to the writer.
pub(super) struct Handle {
    sender: mpsc::Sender<Submission>,
}

/// What the writer needs.
pub(super) struct Worker {
    pub engine: Engine,
    pub sealer: Sealer,
    pub clock: Clock,
    pub node: String,
    pub holder: String,
    pub enqueued: Arc<Notify>,
    /// The connection of the hot path, on PostgreSQL, once there is one.
    pub own: Mutex<Option<PgConnection>>,
}

/// Starts the writer; it ends when the handle is dropped or closed.
///
/// On SQLite it has a thread of its own, which may wait for the disk.
pub(super) fn start(worker: Worker, queue_max: usize) -> Result<Handle, Error> {
    let (sender, receiver) = mpsc::channel(queue_max.max(1));
    match &worker.engine {
        Engine::Postgres(_) => drop(tokio::spawn(worker.run(receiver))),
        Engine::Sqlite(_) if seam::is_simulated() => seam::spawn(worker.run(receiver)),
        Engine::Sqlite(_) => {
            let no_thread = |error: std::io::Error| Error::Gone {
                what: format!("no thread for its writer: {}", error.kind()),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let runtime = runtime.map_err(no_thread)?;
            std::thread::Builder::new()
                .name("store-writer".to_owned())
                .spawn(move || runtime.block_on(worker.run(receiver)))
                .map_err(no_thread)?;
        }
    }
    Ok(Handle { sender })
}

/// Says that there is work: to whoever waits now, and to the next who will.
pub(super) fn wake(enqueued: &Notify) {
    enqueued.notify_waiters();
    enqueued.notify_one();
}

impl Handle {
    /// Ends the writer after everything submitted before.
    pub async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.sender.send(Submission::Close(done)).await.is_ok() {
            // An error means that the writer has ended, which is what was asked for.
            let _ = wait.await;
        }
    }
}

impl Store {
    /// Stores events durably. Answers [`Error::Busy`] at once when too many submissions wait already: the sender is
    /// to come back later.
    pub async fn receive(&self, events: Vec<NewEvent>) -> Result<Vec<Received>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, wait) = oneshot::channel();
        let submission = Submission::Receive(events, answer);
        self.inner
            .writer
            .sender
            .try_send(submission)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Busy {
                    what: "too many submissions wait for the writer".into(),
                },
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            })?;
        wait.await.map_err(|_| Error::Closed)?
    }

    /// Stores the intents of writes durably, before they are sent; their ids in the order given.
    pub async fn intend(&self, writes: Vec<NewWrite>) -> Result<Vec<i64>, Error> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, wait) = oneshot::channel();
        self.submit(Submission::Intend(writes, answer)).await?;
        wait.await.map_err(|_| Error::Closed)?
    }

    /// Stores all operations durably, or none.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<(), Error> {
        if ops.is_empty() {
            return Ok(());
        }
        let (answer, wait) = oneshot::channel();
        self.submit(Submission::Commit(ops, answer)).await?;
        wait.await.map_err(|_| Error::Closed)?
    }

    async fn submit(&self, submission: Submission) -> Result<(), Error> {
        self.inner
            .writer
            .sender
            .send(submission)
            .await
            .map_err(|_| Error::Closed)
    }
}

impl Submission {
    fn ops(&self) -> usize {
        match self {
            Self::Receive(events, _) => events.len(),
            Self::Intend(writes, _) => writes.len(),
            Self::Commit(ops, _) => ops.len(),
            Self::Close(_) => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Receive(events, _) => events
                .iter()
                .map(|event| event.payload.as_ref().map_or(0, Vec::len))
                .sum(),
            Self::Intend(..) | Self::Commit(..) | Self::Close(_) => 0,
        }
    }

    fn is_waking(&self) -> bool {
        match self {
            Self::Receive(..) => true,
            Self::Commit(ops, _) => ops.iter().any(Op::is_waking),
            Self::Intend(..) | Self::Close(_) => false,
        }
    }

    fn answer(self, result: Result<Answer, Error>) {
        // A caller that has gone away does not need its answer.
        match (self, result) {
            (Self::Receive(_, to), Ok(Answer::Received(answer))) => drop(to.send(Ok(answer))),
            (Self::Intend(_, to), Ok(Answer::Intended(answer))) => drop(to.send(Ok(answer))),
            (Self::Commit(_, to), Ok(Answer::Committed)) => drop(to.send(Ok(()))),
            (Self::Receive(_, to), Err(error)) => drop(to.send(Err(error))),
            (Self::Intend(_, to), Err(error)) => drop(to.send(Err(error))),
            (Self::Commit(_, to), Err(error)) => drop(to.send(Err(error))),
            (Self::Close(_), _) | (_, Ok(_)) => {}
        }
    }
}

impl Worker {
    async fn run(self, mut receiver: mpsc::Receiver<Submission>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(submission) => Some(submission),
                None => receiver.recv().await,
            };
            let Some(first) = first else { return };
            let (batch, rest) = gather(first, &mut receiver);
            next = rest;
            let (batch, closing) = split_closing(batch);
            self.store(batch).await;
            if let Some(done) = closing {
                receiver.close();
                if let Some(connection) = self.own.lock().await.take() {
                    // The server notices in any case.
                    let _ = connection.close().await;
                }
                // Whoever came after the close is told by the dropped channel.
                let _ = done.send(());
                return;
            }
        }
    }

    /// Stores a batch and answers everybody in it.
    async fn store(&self, batch: Vec<Submission>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.attempt(&part).await {
                Ok(answers) => {
                    seam::pass(Point::Stored).await;
                    let is_waking = part.iter().any(Submission::is_waking);
                    for (submission, answer) in part.into_iter().zip(answers) {
                        submission.answer(Ok(answer));
                    }
                    if is_waking {
                        wake(&self.enqueued);
                    }
                }
                Err(error) if part.len() > 1 && is_of_one(&error) => {
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Err(error) => part
                    .into_iter()
                    .for_each(|submission| submission.answer(Err(error.clone()))),
            }
        }
    }

    async fn attempt(&self, batch: &[Submission]) -> Result<Vec<Answer>, Error> {
        tokio::time::timeout(TRANSACTION_MAX, self.transact(batch))
            .await
            .unwrap_or_else(|_| {
                Err(Error::Gone {
                    what: "a transaction took too long".into(),
                })
            })
    }

    async fn transact(&self, batch: &[Submission]) -> Result<Vec<Answer>, Error> {
        if let Some(answers) = self.receive_at_once(batch).await? {
            return Ok(answers);
        }
        let mut tx = self.engine.begin_here(Durability::Durable).await?;
        let answers = match self.carry_out(&mut tx, batch).await {
            Ok(answers) => answers,
            Err(error) => {
                tx.rollback().await;
                return Err(error);
            }
        };
        tx.commit().await?;
        Ok(answers)
    }

    /// On PostgreSQL, what the hot path consists of takes one statement; none where it takes more.
    async fn receive_at_once(&self, batch: &[Submission]) -> Result<Option<Vec<Answer>>, Error> {
        let Engine::Postgres(pool) = &self.engine else {
            return Ok(None);
        };
        let events = batch.iter().map(|submission| match submission {
            Submission::Receive(events, _) => Some(events),
            _ => None,
        });
        let Some(events) = events.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let all: Vec<&NewEvent> = events.iter().copied().flatten().collect();
        // Not from the pool, which asks a connection whether it is still there before it gives it away.
        let mut own = self.own.lock().await;
        let connection = match own.take() {
            Some(connection) => Ok(connection),
            None => PgConnection::connect_with(&pool.connect_options()).await,
        };
        let Ok(mut connection) = connection else {
            return Ok(None);
        };
        let received = event::receive_at_once(&self.engine, &mut connection, &self.context(), &all).await;
        if matches!(received, Err(Error::Gone { .. })) {
            // Whether it was stored or not: the pool makes a new connection, and a second time changes nothing.
            return Ok(None);
        }
        *own = Some(connection);
        Ok(received?.map(|received| {
            let mut received = received.into_iter();
            let answer = |some: &&Vec<NewEvent>| Answer::Received(received.by_ref().take(some.len()).collect());
            events.iter().map(answer).collect()
        }))
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: self.clock.now_millis(),
            sealer: &self.sealer,
            holder: &self.holder,
            node: &self.node,
        }
    }

    async fn carry_out(&self, tx: &mut super::engine::Tx, batch: &[Submission]) -> Result<Vec<Answer>, Error> {
        let context = self.context();
        let (mut events, mut writes, mut ops) = (Vec::new(), Vec::new(), Vec::new());
        for submission in batch {
            match submission {
                Submission::Receive(some, _) => events.extend(some),
                Submission::Intend(some, _) => writes.extend(some),
                Submission::Commit(some, _) => ops.extend(some),
                Submission::Close(_) => {}
            }
        }
        op::carry_out(tx, &context, &ops).await?;
        let mut received = event::receive(tx, &context, &events).await?.into_iter();
        let mut intended = write::intend(tx, &context, &writes).await?.into_iter();
        Ok(batch
            .iter()
            .map(|submission| match submission {
                Submission::Receive(some, _) => Answer::Received(received.by_ref().take(some.len()).collect()),
                Submission::Intend(some, _) => Answer::Intended(intended.by_ref().take(some.len()).collect()),
                Submission::Commit(..) | Submission::Close(_) => Answer::Committed,
            })
            .collect())
    }
}

/// Whether one submission may be the reason, so that the others deserve another try.
const fn is_of_one(error: &Error) -> bool {
    matches!(
        error,
        Error::Conflict { .. } | Error::LeaseLost | Error::Sql { .. } | Error::Value { .. } | Error::Unsealed { .. }
    )
}

/// Takes what waits, up to the limits of a batch; a submission too many is handed back.
fn gather(first: Submission, receiver: &mut mpsc::Receiver<Submission>) -> (Vec<Submission>, Option<Submission>) {
    let (mut ops, mut bytes) = (first.ops(), first.bytes());
    let mut batch = vec![first];
    while let Ok(next) = receiver.try_recv() {
        ops += next.ops();
        bytes += next.bytes();
        if ops > BATCH_OPS_MAX || bytes > BATCH_BYTES_MAX {
            return (batch, Some(next));
        }
        batch.push(next);
    }
    (batch, None)
}

/// Parts a batch at a request to close; what was submitted after it is refused.
fn split_closing(batch: Vec<Submission>) -> (Vec<Submission>, Option<oneshot::Sender<()>>) {
    let mut before = Vec::with_capacity(batch.len());
    let mut closing = None;
    for submission in batch {
        match submission {
            Submission::Close(done) => closing = closing.or(Some(done)),
            other if closing.is_none() => before.push(other),
            other => other.answer(Err(Error::Closed)),
        }
    }
    (before, closing)
}
