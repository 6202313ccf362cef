//! KILL by a proxy connection id: translated to the server's, and really carried out there.

use std::sync::Arc;
use std::time::Duration;

use super::clients::Poke;
use super::shared::Shared;
use crate::backend::{Account, BackendError, Login};
use crate::cluster::ServerId;
use crate::sql::KillTarget;
use crate::wire::{Capabilities, ErrPacket};

/// A client whose connection is killed leaves within this, or is cut off.
const GRACE: Duration = Duration::from_secs(2);

/// Carries out a KILL of `account`, who may end only its own connections, as without the CONNECTION_ADMIN privilege.
pub(super) async fn kill(shared: &Arc<Shared>, account: &Account, target: KillTarget) -> Result<(), ErrPacket> {
    let (id, whole) = match target {
        KillTarget::Connection(id) => (id, true),
        KillTarget::Query(id) => (id, false),
        KillTarget::Other => return Ok(()),
    };
    let unknown =
        || ErrPacket::new(1094, b"HY000", &format!("Unknown thread id: {id} (pointsman knows no such client)"));
    let handle = u32::try_from(id).ok().and_then(|id| shared.clients.get(id)).ok_or_else(unknown)?;
    if handle.user() != account.user {
        return Err(ErrPacket::new(1095, b"HY000", &format!("You are not owner of thread {id}")));
    }
    if whole {
        handle.poke(Poke::Killed);
        // A statement that is killed ends at once, unless its server hangs.
        let (shared, handle) = (shared.clone(), handle.clone());
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            if shared.clients.get(handle.id).is_some_and(|now| Arc::ptr_eq(&now, &handle)) {
                tracing::warn!(id = handle.id, client = %handle.address(), "a killed client is cut off: its server does not answer");
                handle.cut();
            }
        });
    }
    if let Some((server, thread)) = handle.running()
        && let Err(error) = kill_query(shared, account, server, thread).await
    {
        tracing::warn!(id, %error, "could not kill a statement on its server");
    }
    Ok(())
}

/// KILL QUERY on a connection of its own: the one that runs the statement is busy.
async fn kill_query(shared: &Shared, account: &Account, server: ServerId, thread: u32) -> Result<(), BackendError> {
    let Some(pools) = shared.pools.server(server) else { return Ok(()) };
    let login = Login {
        server,
        name: pools.name().clone(),
        address: pools.address().clone(),
        account: account.clone(),
        collation: 45,
        capabilities: Capabilities::default(),
        limit: shared.config.pools.connect_timeout,
    };
    let mut connection = login.connect().await?;
    connection.send_query(&format!("KILL QUERY {thread}"));
    let killed = async {
        connection.flush().await?;
        connection.swallow(crate::wire::ReplyKind::Results).await.map(|_| ())
    };
    let limit = login.limit;
    tokio::time::timeout(limit, killed)
        .await
        .unwrap_or(Err(BackendError::ConnectTimeout { server: login.name, limit_ms: limit.as_millis() }))
}
