//! Forwards a binary log to a replica, or to a program that reads one: events for as long as the client stays, in bounded
//! memory, as any reply. Unlike with other replies the client is listened to meanwhile: it may leave while the server is
//! silent, and a semi-synchronous replica acknowledges events on this connection.
//! [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html).

use super::client::Client;
use super::clients::{ClientHandle, Poke};
use super::error::SessionError;
use super::relay::{RelayError, Taken, gone, pass};
use crate::backend::Connection;
use crate::wire::{Outcome, Progress, ReplyTracker, TrackFilter};

/// Forwards the events that `tracker` walks until the server ends them, the client leaves, it is killed, or the proxy
/// shuts down: a replica connects again.
pub(super) async fn relay_binlog(
    server: &mut Connection,
    client: &mut Client,
    handle: &ClientHandle,
    tracker: &mut ReplyTracker,
    filter: &TrackFilter,
    taken: &mut Taken,
) -> Result<Outcome, RelayError> {
    let mut forwarded = 0_u64;
    loop {
        if pass(server, client, tracker, filter, &mut forwarded).await? == Progress::Done {
            return Ok(tracker.take_outcome());
        }
        if handle.is_poked(Poke::Killed) || handle.is_poked(Poke::Drain) {
            return Err(RelayError::Client(SessionError::Ended("the binary log was cut: killed, or shutting down")));
        }
        tokio::select! {
            biased;
            () = handle.poked() => {}
            read = heard(client, forwarded > 0) => {
                read.map_err(|error| RelayError::Client(error.into()))?;
                while let Some(head) = client.inbox.head().filter(|_| !client.inbox.is_passing()) {
                    client.inbox.pass(head.header);
                }
                let result = server.write(client.inbox.scanned()).await;
                result.map_err(|error| RelayError::Server { error, forwarded })?;
                client.inbox.forwarded();
            }
            read = server.read() => {
                read.map_err(|error| RelayError::Server { error, forwarded })?;
                taken.bytes = taken.bytes.wrapping_add(server.inbox.len() as u64);
            }
        }
    }
}

/// Waits for something from the client. What comes before the server has begun is the next command, if it refuses this one.
async fn heard(client: &mut Client, begun: bool) -> std::io::Result<()> {
    if begun {
        return client.read().await;
    }
    client.gone().await;
    Err(gone())
}
