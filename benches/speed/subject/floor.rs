//! Plain loops that pull and move records, as anybody would write them: no state, no retries, nothing kept.

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Client;
use serde_json::{Map, Value};

use super::{Outcome, Task, Watch};

/// Records on a page.
const PAGE: usize = 1_000;
/// Records in a batch.
const BATCH: usize = 200;
/// Requests at once, where there is one a record.
const IN_FLIGHT: usize = 32;

fn client() -> Result<Client> {
    // Several subjects may have done so; the first one counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder().no_proxy().pool_max_idle_per_host(IN_FLIGHT).build()?)
}

#[expect(clippy::disallowed_methods, reason = "a plain loop trusts the other side")]
async fn get(client: &Client, url: &str) -> Result<Map<String, Value>> {
    let body = client.get(url).send().await?.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice(&body)?)
}

#[expect(clippy::disallowed_methods, reason = "a plain loop trusts the other side")]
async fn send(request: reqwest::RequestBuilder, body: &Map<String, Value>) -> Result<Map<String, Value>> {
    let request = request
        .header("content-type", "application/json")
        .body(serde_json::to_vec(body)?);
    let body = request.send().await?.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice(&body)?)
}

async fn page(client: &Client, task: &Task, offset: usize) -> Result<Vec<Value>> {
    page_of(client, task, "l", offset).await
}

async fn page_of(client: &Client, task: &Task, side: &str, offset: usize) -> Result<Vec<Value>> {
    let url = format!("{}/{side}/items?offset={offset}&limit={PAGE}", task.url);
    match get(client, &url).await?.remove("items") {
        Some(Value::Array(items)) => Ok(items),
        _ => anyhow::bail!("a page without items"),
    }
}

/// Eight fields, from the left to the right.
fn map(record: &Value) -> Result<Map<String, Value>> {
    let mut mapped = Map::new();
    for (from, to) in [
        ("key", "Key"),
        ("name", "Name"),
        ("status", "Status"),
        ("tax_id", "VatNumber"),
        ("email", "Email"),
        ("phone", "Phone"),
        ("credit_limit", "CreditLimit"),
        ("city", "City"),
    ] {
        let value = record.get(from).with_context(|| format!("no `{from}`"))?;
        let value = match (from, value.as_str()) {
            ("status", Some("active")) => Value::from("Active"),
            ("status", Some("blocked")) => Value::from("Inactive"),
            _ => value.clone(),
        };
        mapped.insert(to.to_owned(), value);
    }
    Ok(mapped)
}

/// Floor (d): pulls pages and parses them.
pub async fn pull(task: &Task) -> Result<Outcome> {
    let client = client()?;
    let watch = Watch::start()?;
    let mut count = 0;
    loop {
        let records = page(&client, task, count).await?;
        count += records.len();
        if records.len() < PAGE {
            break;
        }
    }
    ensure!(count == task.records, "{count} records came");
    watch.stop(count as u64, "")
}

/// The same of both sides at once.
pub async fn pull_both(task: &Task) -> Result<Outcome> {
    let client = client()?;
    let watch = Watch::start()?;
    let sides = ["l", "r"].map(|side| {
        let (client, task) = (client.clone(), task.clone());
        tokio::spawn(async move {
            let mut count = 0;
            loop {
                let records = page_of(&client, &task, side, count).await?;
                count += records.len();
                if records.len() < PAGE {
                    return anyhow::Ok(count);
                }
            }
        })
    });
    let mut count = 0;
    for side in sides {
        count += side.await??;
    }
    watch.stop(count as u64, "")
}

/// Floor (e): pulls, maps, and writes in batches.
pub async fn move_batches(task: &Task) -> Result<Outcome> {
    let client = client()?;
    let url = format!("{}/r/items/batch", task.url);
    let watch = Watch::start()?;
    let mut count = 0;
    loop {
        let records = page(&client, task, count).await?;
        for batch in records.chunks(BATCH) {
            let items: Result<Vec<Value>> = batch.iter().map(|record| map(record).map(Value::Object)).collect();
            let body = Map::from_iter([("items".to_owned(), Value::Array(items?))]);
            let answer = send(client.post(&url), &body).await?;
            let results = answer.get("results").and_then(Value::as_array).context("no results")?;
            ensure!(results.len() == batch.len(), "{} results", results.len());
        }
        count += records.len();
        if records.len() < PAGE {
            break;
        }
    }
    watch.stop(count as u64, "")
}

/// Floor (e): pulls, maps, and writes one by one with 32 in flight.
pub async fn move_singly(task: &Task) -> Result<Outcome> {
    let client = client()?;
    let url = format!("{}/r/items", task.url);
    let watch = Watch::start()?;
    let mut count = 0;
    loop {
        let records = page(&client, task, count).await?;
        let writes = records.iter().map(|record| {
            let (client, url) = (&client, &url);
            async move { send(client.post(url), &map(record)?).await }
        });
        let writes: Vec<_> = writes.collect();
        stream::iter(writes)
            .buffer_unordered(IN_FLIGHT)
            .try_for_each(async |_| Ok(()))
            .await?;
        count += records.len();
        if records.len() < PAGE {
            break;
        }
    }
    watch.stop(count as u64, "")
}

/// Reads both records of a pair, compares, and writes what differs, with 32 in flight.
pub async fn touch(task: &Task) -> Result<Outcome> {
    let client = client()?;
    let watch = Watch::start()?;
    let touches = (1..=task.records).map(|number| {
        let client = &client;
        async move {
            let (left, right) = (
                format!("{}/l/items/{number}", task.url),
                format!("{}/r/items/R{number}", task.url),
            );
            let from = Value::Object(get(client, &left).await?);
            let to = get(client, &right).await?;
            let mut wanted = map(&from)?;
            wanted.retain(|name, value| to.get(name) != Some(value));
            if !wanted.is_empty() {
                send(client.patch(&right), &wanted).await?;
            }
            anyhow::Ok(())
        }
    });
    stream::iter(touches)
        .buffer_unordered(IN_FLIGHT)
        .try_for_each(async |()| Ok(()))
        .await?;
    watch.stop(task.records as u64, "")
}
