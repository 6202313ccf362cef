//! KILL by a proxy connection id: translated to the server's, and really carried out there.

use std::sync::Arc;

use super::clients::Poke;
use super::shared::Shared;
use crate::backend::{BackendError, Login};
use crate::cluster::ServerId;
use crate::sql::KillTarget;
use crate::wire::{Capabilities, ErrPacket};

/// Carries out a KILL of `user`, who may end only its own connections, as without the CONNECTION_ADMIN privilege.
pub(super) async fn kill(shared: &Arc<Shared>, user: &Arc<str>, target: KillTarget) -> Result<(), ErrPacket> {
    let (id, whole) = match target {
        KillTarget::Connection(id) => (id, true),
        KillTarget::Query(id) => (id, false),
        KillTarget::Other => return Ok(()),
    };
    let unknown =
        || ErrPacket::new(1094, b"HY000", &format!("Unknown thread id: {id} (pointsman knows no such client)"));
    let handle = u32::try_from(id).ok().and_then(|id| shared.clients.get(id)).ok_or_else(unknown)?;
    if handle.user() != *user {
        return Err(ErrPacket::new(1095, b"HY000", &format!("You are not owner of thread {id}")));
    }
    if whole {
        handle.poke(Poke::Killed);
    }
    if let Some((server, thread)) = handle.running()
        && let Err(error) = kill_query(shared, user, server, thread).await
    {
        tracing::warn!(id, %error, "could not kill a statement on its server");
    }
    Ok(())
}

/// KILL QUERY on a connection of its own: the one that runs the statement is busy.
async fn kill_query(shared: &Shared, user: &Arc<str>, server: ServerId, thread: u32) -> Result<(), BackendError> {
    let (Some(pools), Some(account)) = (shared.pools.server(server), shared.users.get(user.as_bytes())) else {
        return Ok(());
    };
    let login = Login {
        server,
        name: pools.name().clone(),
        address: pools.address().clone(),
        account: account.account.clone(),
        collation: 45,
        capabilities: Capabilities::default(),
        limit: shared.config.pools.connect_timeout,
    };
    let mut connection = login.connect().await?;
    connection.send_query(&format!("KILL QUERY {thread}"));
    connection.flush().await?;
    connection.swallow(crate::wire::ReplyKind::Results).await.map(|_| ())
}
