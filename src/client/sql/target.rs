//! A session with a database, which is made only where its address may be reached.

use super::trouble::{Trouble, of_connecting};
use crate::{
    client::{
        guard::{self, Policy},
        transport::{Limits, SendError},
    },
    database::{Address, Connection, Heard, Role},
};

/// A session for this.
pub(super) async fn connect(
    address: &Address,
    role: Role,
    policy: &Policy,
    limits: &Limits,
) -> Result<Connection, Trouble> {
    check(address, policy).await?;
    match tokio::time::timeout(limits.connect, address.connect(role, limits.total)).await {
        Ok(connected) => connected.map_err(|error| of_connecting(&error)),
        Err(_) => Err(late(limits)),
    }
}

/// A connection on which these channels are heard; none where the database has no such thing.
pub(super) async fn listen(
    address: &Address,
    channels: &[&str],
    policy: &Policy,
    limits: &Limits,
) -> Result<Option<Heard>, Trouble> {
    check(address, policy).await?;
    match tokio::time::timeout(limits.connect, address.listen(channels)).await {
        Ok(heard) => heard.map_err(|error| of_connecting(&error)),
        Err(_) => Err(late(limits)),
    }
}

fn late(limits: &Limits) -> Trouble {
    SendError::Connect {
        reason: format!("no session within {} s", limits.connect.as_secs()),
    }
    .into()
}

/// Refuses a host whose address may not be reached. It is asked for before every connection.
async fn check(address: &Address, policy: &Policy) -> Result<(), Trouble> {
    let Some((host, port)) = address.server() else {
        return Ok(());
    };
    let refused = |error: guard::Refused| Trouble::Silent(SendError::Refused(error));
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|_| SendError::Connect {
        reason: "the name does not resolve".to_owned(),
    })?;
    for address in found {
        policy.check_address(host, address.ip()).map_err(refused)?;
    }
    Ok(())
}
