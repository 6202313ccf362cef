//! KILL by a proxy connection id: translated to the server's, and really carried out there.

use std::sync::Arc;

use super::clients::{ClientHandle, Poke};
use super::shared::Shared;
use crate::backend::{Account, BackendError, Connection, Login};
use crate::cluster::ServerId;
use crate::net::Host;
use crate::sql::{KillTarget, KillWhom};
use crate::wire::ErrPacket;

/// What a KILL did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Killed {
    /// So many others were killed.
    Others(u64),
    /// Its own statement: the KILL itself.
    OwnQuery,
    /// Its own connection.
    Own,
}

/// Carries out a KILL by the client `own`. `mariadb`: as that family of servers does it.
pub(super) async fn kill(
    shared: &Arc<Shared>,
    own: &ClientHandle,
    target: &KillTarget,
    mariadb: bool,
) -> Result<Killed, ErrPacket> {
    let victims = match &target.whom {
        KillWhom::Id(id) => {
            // MySQL reads it into 32 bits.
            let id = if mariadb { *id } else { (*id).min(u64::from(u32::MAX)) };
            let unknown = || ErrPacket::new(1094, b"HY000", &format!("Unknown thread id: {id}"));
            vec![u32::try_from(id).ok().and_then(|id| shared.clients.get(id)).ok_or_else(unknown)?]
        }
        KillWhom::User(name, host) => {
            let named = |handle: &Arc<ClientHandle>| {
                *handle.user() == **name
                    // As MariaDB has it: no pattern, but what begins with % is everybody's.
                    && host.as_ref().is_none_or(|host| host.starts_with('%') || *handle.address().host().to_string() == **host)
            };
            shared.clients.all().into_iter().filter(named).collect()
        }
        KillWhom::CurrentUser => {
            let account = own.account().map(|account| account.id);
            let same = |handle: &Arc<ClientHandle>| handle.account().map(|account| account.id) == account;
            shared.clients.all().into_iter().filter(same).collect()
        }
        KillWhom::Expression(_) | KillWhom::ServerQuery => Vec::new(),
    };
    let user = own.user();
    if let Some(foreign) = victims.iter().find(|victim| victim.user() != user)
        && !shared.grants.of(shared, own).await.is_some_and(|grants| grants.kills_all)
    {
        let text = format!("You are not owner of thread {}", foreign.id);
        return Err(ErrPacket::new(1095, b"HY000", &text));
    }
    let mut others = 0_u64;
    let mut oneself = false;
    for victim in victims {
        if victim.id == own.id {
            oneself = true;
            continue;
        }
        others = others.saturating_add(1);
        kill_one(shared, &victim, target.query).await;
    }
    Ok(match (oneself, target.query) {
        (false, _) => Killed::Others(others),
        (true, true) => Killed::OwnQuery,
        (true, false) => Killed::Own,
    })
}

/// Kills what a client runs; with `query` not the client.
async fn kill_one(shared: &Arc<Shared>, victim: &Arc<ClientHandle>, query: bool) {
    let under_way = victim.begin_kill();
    if !query {
        victim.poke(Poke::Killed);
    }
    if victim.waiting().is_some() {
        victim.interrupt();
    }
    if let (Some((server, thread)), Some(account)) = (victim.running(), victim.account())
        && let Err(error) = kill_thread(shared, (&account, victim.address().host()), server, thread, query).await
    {
        tracing::warn!(id = victim.id, %error, "could not kill a statement on its server");
    }
    if !query {
        // Its client may take nothing of a result, its server may not answer: it ends wherever it waits. The connection
        // that it ran on is closed with it.
        victim.cut();
    }
    drop(under_way);
}

/// KILL of a server's thread, on a connection of its own: the one that runs the statement is busy.
pub(super) async fn kill_thread(
    shared: &Shared,
    client: (&Account, Host),
    server: ServerId,
    thread: u32,
    query: bool,
) -> Result<(), BackendError> {
    let Some(login) = aside(shared, client, server) else { return Ok(()) };
    let killed = async {
        let mut connection = login.connect().await?;
        connection.send_query(&format!("KILL {} {thread}", if query { "QUERY" } else { "CONNECTION" }));
        connection.flush().await?;
        // It may have ended by itself: 1094.
        connection.swallow(crate::wire::ReplyKind::Results).await.map(|_| ())
    };
    bounded(&login, killed).await
}

/// A column of a query's result, asked on a connection of its own.
pub(super) async fn ask_aside(
    shared: &Shared,
    client: (&Account, Host),
    server: ServerId,
    query: &str,
) -> Result<Vec<Vec<u8>>, BackendError> {
    let Some(login) = aside(shared, client, server) else { return Ok(Vec::new()) };
    let asked = async {
        let mut connection: Connection = login.connect().await?;
        connection.query_column(query).await
    };
    bounded(&login, asked).await
}

/// How a client's account logs in to a server beside its pools, which may be exhausted.
fn aside(shared: &Shared, (account, client): (&Account, Host), server: ServerId) -> Option<Login> {
    Some(shared.pools.server(server)?.login(account, Some(client)))
}

async fn bounded<T>(login: &Login, work: impl Future<Output = Result<T, BackendError>>) -> Result<T, BackendError> {
    let limit = login.limit;
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(BackendError::ConnectTimeout { server: login.name.clone(), limit_ms: limit.as_millis() })
    })
}
