//! Accepts clients, bounds their number, and serves each in a task of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::clients::ClientHandle;
use super::error::SessionError;
use super::login::{LoggedIn, LoginError, log_in};
use super::run::run;
use super::shared::Shared;
use crate::clock;
use crate::net::{Listener, Peer};
use crate::telemetry::{ClientRefusal, LoginFailure, Origin, ProtocolSide};
use crate::wire::{Capabilities, ErrPacket, proxy_protocol};

/// How often silent clients are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// One client too many may take so long for its header of the PROXY protocol.
const TURN_AWAY: Duration = Duration::from_secs(1);

/// What is said of a listed peer that is silent.
const NO_HEADER: &str = "no PROXY protocol header, which proxy.proxy_protocol_from demands of this peer,";

/// What is said of one that says something else.
const BAD_HEADER: &str = "no good PROXY protocol header, which proxy.proxy_protocol_from demands of this peer";

/// Accepts clients until `drain`. The listening socket closes then; clients go on in `tasks`.
pub async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    drain: CancellationToken,
    cut: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                // A token of its own: each wake-up of a task looks at it under its lock, which all clients would share.
                let (shared, cut) = (shared.clone(), cut.child_token());
                let proxy = &shared.config.proxy;
                // Boxed: each function that it goes through would have room for it in the task.
                let client = Box::new(Client::new(stream, proxy.max_packet, proxy.write_timeout));
                tasks.spawn(async move {
                    tokio::select! {
                        biased;
                        () = attend(shared, client, address) => {}
                        () = cut.cancelled() => {}
                    }
                });
            }
            // Out of file descriptors, mostly: to try again at once would spin.
            Err(error) => {
                if let Some(suppressed) = shared.tells("cannot accept") {
                    tracing::warn!(%error, suppressed, "cannot accept a client");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Takes a client off the list when its task ends, however it ends.
struct Registered(Arc<Shared>, Arc<ClientHandle>);

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.clients.remove(self.1.id);
        self.0.metrics.client_gone();
    }
}

async fn attend(shared: Arc<Shared>, client: Box<Client>, address: Peer) {
    if let Some(client) = serve(shared, client, address).await {
        Box::pin(client.leave()).await;
    }
}

/// Serves a client; gives it back when it may still have something to read.
async fn serve(shared: Arc<Shared>, mut client: Box<Client>, address: Peer) -> Option<Box<Client>> {
    let proxy = &shared.config.proxy;
    let Some(handle) = shared.clients.admit(address, proxy.max_connections) else {
        return Box::pin(turn_away(&shared, client, address)).await;
    };
    shared.metrics.client_connected();
    let _registered = Registered(shared.clone(), handle.clone());
    let logged_in = tokio::time::timeout(proxy.login_timeout, Box::pin(begin(&shared, &mut client, &handle))).await;
    // A load balancer may have named another one.
    let address = handle.address();
    let logged_in = match logged_in {
        Ok(Ok(logged_in)) => logged_in,
        Ok(Err(LoginError::Failed(why, text))) => {
            shared.metrics.login_failed(why);
            if let Some(suppressed) = shared.tells("login failed") {
                tracing::info!(client = %address, reason = why.as_str(), suppressed, "login failed: {text}");
            }
            return Some(client);
        }
        Ok(Err(LoginError::Session(why, error))) => {
            shared.metrics.login_failed(why);
            if why == LoginFailure::Protocol {
                shared.metrics.protocol_error(ProtocolSide::Client);
            }
            tracing::debug!(client = %address, reason = why.as_str(), %error, "login ended");
            return (why == LoginFailure::Protocol || why == LoginFailure::Unsupported).then_some(client);
        }
        Err(_) => {
            shared.metrics.login_failed(LoginFailure::Timeout);
            if let Some(suppressed) = shared.tells("login not complete") {
                let what = if client.awaits_header { NO_HEADER } else { "login not complete" };
                tracing::info!(client = %address, suppressed, "{what} within proxy.login_timeout");
            }
            return Some(client);
        }
    };
    tracing::debug!(client = %address, id = handle.id, user = &**logged_in.session.user(), "logged in");
    let ended = tokio::select! {
        ended = run(&shared, &mut client, &handle, logged_in) => ended,
        () = handle.is_cut() => return None,
    };
    match ended {
        Ok(()) => {
            tracing::debug!(client = %address, id = handle.id, "left");
            Some(client)
        }
        Err(error) => {
            tracing::debug!(client = %address, id = handle.id, %error, "session ended");
            (!matches!(error, SessionError::Client(_))).then_some(client)
        }
    }
}

/// One too many. Nothing is said before the header of the PROXY protocol where there must be one, as the protocol has it: it comes
/// with the connection, so that only a few may be waited for, and not for long.
async fn turn_away(shared: &Arc<Shared>, mut client: Box<Client>, address: Peer) -> Option<Box<Client>> {
    let proxy = &shared.config.proxy;
    shared.metrics.client_refused(ClientRefusal::MaxConnections);
    let mut source = None;
    if proxy.proxy_protocol_from.contain(address.ip()) {
        let _place = shared.clients.turned_away.try_acquire().ok()?;
        source = tokio::time::timeout(TURN_AWAY, header(&mut client)).await.ok()?.ok()?;
    }
    if let Some(suppressed) = shared.tells("too many connections") {
        let client = source.map_or(address, Peer::from);
        tracing::info!(%client, suppressed, "refused: proxy.max_connections are there");
    }
    shared.metrics.error(1040, Origin::Proxy);
    let text = format!("Too many connections (pointsman: proxy.max_connections is {})", proxy.max_connections);
    // Servers send this one with its SQLSTATE before anything was agreed.
    client.capabilities = Capabilities::PROTOCOL_41;
    let _ = client.refuse(&ErrPacket::new(1040, b"08004", &text), 0).await;
    Some(client)
}

/// Reads the header of the PROXY protocol where there must be one, and logs the client in.
async fn begin(shared: &Arc<Shared>, client: &mut Client, handle: &ClientHandle) -> Result<Box<LoggedIn>, LoginError> {
    if shared.config.proxy.proxy_protocol_from.contain(handle.address().ip()) {
        client.awaits_header = true;
        if let Some(source) = header(client).await? {
            handle.announce(source.into());
            client.announced = true;
        }
        client.awaits_header = false;
    }
    log_in(shared, client, handle).await
}

/// Takes the header from in front of what the client says, and returns whom it names. Servers speak first, so what is there
/// before is the header's.
async fn header(client: &mut Client) -> Result<Option<SocketAddr>, LoginError> {
    loop {
        match proxy_protocol::parse(client.inbox.unscanned()) {
            Ok(Some(header)) => {
                client.inbox.skip(header.len);
                return Ok(header.source);
            }
            Ok(None) => {}
            Err(error) => {
                let text =
                    format!("Bad handshake (pointsman: {error}; proxy.proxy_protocol_from demands one of this peer)");
                client.capabilities = Capabilities::PROTOCOL_41;
                let _ = client.refuse(&ErrPacket::new(1043, b"08S01", &text), 0).await;
                return Err(LoginError::Failed(LoginFailure::Protocol, BAD_HEADER));
            }
        }
        client.read().await.map_err(|error| LoginError::Session(LoginFailure::Gone, error.into()))?;
    }
}

/// Wakes clients that have been silent for longer than `proxy.idle_timeout` or their `wait_timeout`, or so long that they are to give
/// memory back, and tidies the pools; until `stop`.
pub(crate) async fn janitor(shared: Arc<Shared>, stop: CancellationToken) {
    let limit = millis(shared.config.proxy.idle_timeout);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        for server in shared.pools.servers() {
            server.tidy();
            let is_up = shared.cluster.load().server(server.id()).is_some_and(|server| server.state.is_up());
            if shared.config.pools.min_idle > 0 && is_up {
                let server = server.clone();
                tokio::spawn(async move { server.warm().await });
            }
        }
        let now = millis(clock::now().saturating_duration_since(shared.started));
        for handle in shared.clients.all() {
            if let Some(why) = handle.overslept(now, limit) {
                handle.poke(why);
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what a function of these arguments returns.
    const fn size<A, B, C, R>(_: &fn(A, B, C) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn a_clients_task_is_small() {
        // Each client has one all the time. What waits seldom, or is large, is boxed where it is awaited.
        let task = size(&(attend as fn(_, _, _) -> _));
        assert!(task <= 4 << 10, "{task} bytes");
        let rest = size_of::<Client>() + size_of::<ClientHandle>();
        assert!(rest <= 1 << 10, "{rest} bytes");
    }
}
