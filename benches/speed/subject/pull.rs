//! Syncline's listings.

use anyhow::{Result, ensure};
use syncline::{
    client::{Listing, Road},
    core::{diff, status::Side, value::projection::Projection},
};

use super::{Outcome, Task, Watch};
use crate::product::Product;

/// Whole records of one side.
pub async fn list(task: &Task) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    let watch = Watch::start()?;
    let count = drain(&product, Side::Left, Listing::default()).await?;
    ensure!(count == task.records, "{count} records came");
    watch.stop(count as u64, "")
}

/// One side through connector and mapping: what the mapping needs of each record, converted and hashed.
pub async fn list_mapped(task: &Task) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    let mapping = product.mapping()?;
    let watch = Watch::start()?;
    let paths = mapping.fields.iter().filter_map(|field| field.paths.left.as_ref());
    let listing = Listing {
        projection: Some(Projection::of(paths)),
        ..Listing::default()
    };
    let system = product.engine.end(mapping, Side::Left)?;
    let mut lister = system.list("item", listing, Road::Reconcile);
    let (mut count, mut sum) = (0, 0_u64);
    while let Some(page) = lister.next().await? {
        for record in &page.records {
            for hash in diff::hashes(product.engine.key(), mapping, Side::Left, record) {
                sum = sum.wrapping_add(hash.unwrap_or_default());
            }
        }
        count += page.records.len();
    }
    ensure!(count == task.records && sum != 0, "{count} records came");
    watch.stop(count as u64, "")
}

/// Both sides at once, and nothing done with them.
pub async fn list_both(task: &Task) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    let watch = Watch::start()?;
    let (left, right) = tokio::join!(
        drain(&product, Side::Left, Listing::default()),
        drain(&product, Side::Right, Listing::default()),
    );
    watch.stop((left? + right?) as u64, "")
}

async fn drain(product: &Product, side: Side, listing: Listing) -> Result<usize> {
    let system = product.engine.end(product.mapping()?, side)?;
    let mut lister = system.list("item", listing, Road::Reconcile);
    let mut count = 0;
    while let Some(page) = lister.next().await? {
        count += page.records.len();
    }
    ensure!(lister.is_complete(), "the listing is not complete");
    Ok(count)
}
