//! Receivers of webhooks: what anybody would write, and Syncline's.

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::Connection as _;
use syncline::{
    server::{self, listen},
    worker::{Signs, change},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use super::{Outcome, Task, Watch, listen_until_told};
use crate::product::{Product, SECRET};

/// The most events in one transaction.
const GROUP_MAX: usize = 1_000;
/// The most events that wait.
const QUEUE_MAX: usize = 4_096;

fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let Some(given) = headers.get("x-signature").and_then(|given| hex::decode(given).ok()) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

async fn serve(router: Router) -> Result<Outcome> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let watch = Watch::start()?;
    listen_until_told(address).await?;
    watch.stop(0, "")
}

/// Floor (a).
pub async fn bare() -> Result<Outcome> {
    let receive = async |headers: HeaderMap, body: Bytes| {
        if is_signed(&headers, &body) {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        }
    };
    serve(Router::new().route("/webhooks/left", routing::post(receive))).await
}

/// One event on its way to the writer.
struct Event {
    id: String,
    body: Bytes,
    stored: oneshot::Sender<bool>,
}

async fn receive(State(writer): State<mpsc::Sender<Event>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !is_signed(&headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers
        .get("x-event-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let (stored, wait) = oneshot::channel();
    let is_taken = writer.send(Event { id, body, stored }).await.is_ok();
    if is_taken && wait.await == Ok(true) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn storing(writer: mpsc::Sender<Event>) -> Router {
    Router::new()
        .route("/webhooks/left", routing::post(receive))
        .with_state(writer)
}

fn gather(first: Event, receiver: &mut mpsc::Receiver<Event>) -> Vec<Event> {
    let mut group = vec![first];
    while group.len() < GROUP_MAX
        && let Ok(next) = receiver.try_recv()
    {
        group.push(next);
    }
    group
}

/// Floor (b).
pub async fn sqlite(task: &Task) -> Result<Outcome> {
    let mut database = rusqlite::Connection::open(task.folder.join("floor.db"))?;
    database.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; \
         create table event (id text primary key, body blob not null) strict;",
    )?;
    let (sender, mut receiver) = mpsc::channel::<Event>(QUEUE_MAX);
    std::thread::spawn(move || {
        while let Some(first) = receiver.blocking_recv() {
            let group = gather(first, &mut receiver);
            let is_stored = store(&mut database, &group).is_ok();
            for event in group {
                // A caller that has gone away needs no answer.
                let _ = event.stored.send(is_stored);
            }
        }
    });
    serve(storing(sender)).await
}

fn store(database: &mut rusqlite::Connection, group: &[Event]) -> rusqlite::Result<()> {
    let transaction = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached("insert or ignore into event (id, body) values (?, ?)")?;
        for event in group {
            insert.execute((&event.id, &event.body[..]))?;
        }
    }
    transaction.commit()
}

/// Floor (c).
pub async fn postgres(task: &Task) -> Result<Outcome> {
    let mut database = sqlx::PgConnection::connect(&task.store).await?;
    sqlx::query("create table event (id text primary key, body bytea not null)")
        .execute(&mut database)
        .await?;
    let (sender, mut receiver) = mpsc::channel::<Event>(QUEUE_MAX);
    tokio::spawn(async move {
        while let Some(first) = receiver.recv().await {
            let group = gather(first, &mut receiver);
            let ids: Vec<&str> = group.iter().map(|event| event.id.as_str()).collect();
            let bodies: Vec<&[u8]> = group.iter().map(|event| &event.body[..]).collect();
            let insert =
                "insert into event (id, body) select * from unnest($1::text[], $2::bytea[]) on conflict do nothing";
            let stored = sqlx::query(insert).bind(ids).bind(bodies).execute(&mut database).await;
            let is_stored = stored.is_ok();
            for event in group {
                // A caller that has gone away needs no answer.
                let _ = event.stored.send(is_stored);
            }
        }
    });
    serve(storing(sender)).await
}

/// Syncline: its accept loop, its router, its store, and its worker if it is to do the work, too.
pub async fn syncline(task: &Task, is_working: bool) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    product.link(task.linked).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let router = server::router(product.app()?);
    let serving = tokio::spawn(listen::serve(
        listener,
        router,
        listen::Limits::default(),
        shutdown.clone(),
    ));
    let worker = is_working.then(|| {
        let limits = change::Limits {
            in_flight: 32,
            ..change::Limits::default()
        };
        tokio::spawn(change::work(
            product.engine.clone(),
            limits,
            Signs::default(),
            shutdown.clone(),
        ))
    });
    let watch = Watch::start()?;
    listen_until_told(address).await?;
    let outcome = watch.stop(0, "");
    shutdown.cancel();
    serving.await??;
    if let Some(worker) = worker {
        worker.await.context("the worker broke off")?;
    }
    product.store.close().await;
    outcome
}
