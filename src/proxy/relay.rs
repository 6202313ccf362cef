//! Forwards one reply, byte for byte. Reads no more until what it has is written: that is the back-pressure, and the
//! bound on memory.

use std::time::Duration;

use super::client::Client;
use super::error::SessionError;
use crate::backend::{BackendError, Connection, Phase};
use crate::clock;
use crate::wire::{Outcome, Progress, ReplyTracker, TrackFilter};

/// Why a relay ended before its reply did.
#[derive(Debug)]
pub(super) enum RelayError {
    /// The server failed; the client has `forwarded` bytes of the reply.
    Server {
        /// How.
        error: BackendError,
        /// Bytes of the reply that the client has.
        forwarded: u64,
    },
    /// The client failed.
    Client(SessionError),
}

/// What a relay took.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Taken {
    /// Time spent waiting for the server or the client.
    pub(super) waited: Duration,
    /// Bytes read from the server.
    pub(super) bytes: u64,
}

/// Forwards the reply that `tracker` walks.
pub(super) async fn relay(
    server: &mut Connection,
    client: &mut Client,
    mut tracker: ReplyTracker,
    filter: &TrackFilter,
    taken: &mut Taken,
) -> Result<Outcome, RelayError> {
    let mut forwarded = 0_u64;
    loop {
        let progress = match tracker.walk(&mut server.inbox, filter) {
            Ok(progress) => progress,
            Err(error) => return Err(RelayError::Server { error: server.broken(error), forwarded }),
        };
        let scanned = server.inbox.scanned();
        if !scanned.is_empty() {
            let result = client.write(scanned).await;
            forwarded = forwarded.wrapping_add(scanned.len() as u64);
            result.map_err(|error| RelayError::Client(error.into()))?;
            server.inbox.forwarded();
        }
        match progress {
            Progress::Done => return Ok(tracker.into_outcome()),
            Progress::WantsFile => {
                send_file(server, client).await?;
                tracker.file_sent();
            }
            Progress::More => {}
        }
        if server.inbox.is_empty() || progress == Progress::More {
            let before = clock::now();
            let had = server.inbox.len();
            let result = server.read().await;
            taken.waited += clock::now().saturating_duration_since(before);
            taken.bytes = taken.bytes.wrapping_add(server.inbox.len().saturating_sub(had) as u64);
            result.map_err(|error| RelayError::Server { error, forwarded })?;
        }
    }
}

/// LOAD DATA LOCAL: forwards the client's packets up to the empty one that ends the file.
async fn send_file(server: &mut Connection, client: &mut Client) -> Result<(), RelayError> {
    let mut continued = false;
    loop {
        let mut over = false;
        while !client.inbox.is_passing()
            && let Some(head) = client.inbox.head()
        {
            over = head.header.payload_len == 0 && !continued;
            continued = head.header.payload_len == crate::wire::MAX_PAYLOAD;
            client.inbox.pass(head.header);
            if over {
                break;
            }
        }
        let result = server.write(client.inbox.scanned()).await;
        result.map_err(|error| RelayError::Server { error, forwarded: 1 })?;
        client.inbox.forwarded();
        if over {
            return Ok(());
        }
        tokio::select! {
            biased;
            read = client.read() => read.map_err(|error| RelayError::Client(error.into()))?,
            // A server says nothing before the file's end, unless it gives the connection up: `net_read_timeout`, a KILL.
            _ = server.stream.readable(), if server.inbox.is_empty() => {
                if server.is_dead() {
                    let error = std::io::Error::other("it ended the connection while the client sent a file");
                    return Err(RelayError::Server { error: server.lost(Phase::MayHaveRun, error), forwarded: 1 });
                }
            }
        }
    }
}
