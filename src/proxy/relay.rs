//! Forwards one reply, byte for byte. Reads no more until what it has is written: that is the back-pressure, and the
//! bound on memory.

use std::time::Duration;

use super::client::Client;
use super::error::SessionError;
use crate::backend::{BackendError, Connection};
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
    tracker: &mut ReplyTracker,
    filter: &TrackFilter,
    taken: &mut Taken,
) -> Result<Outcome, RelayError> {
    let mut forwarded = 0_u64;
    loop {
        match pass(server, client, tracker, filter, &mut forwarded).await? {
            Progress::Done => return Ok(tracker.take_outcome()),
            Progress::WantsFile => {
                let next = Box::pin(send_file(server, client, tracker)).await?;
                tracker.file_sent(client.stream.next_sequence().unwrap_or(next));
                if !server.inbox.is_empty() {
                    continue;
                }
            }
            Progress::More => {}
        }
        let before = clock::now();
        let had = server.inbox.len();
        let result = tokio::select! {
            biased;
            result = server.read() => result,
            () = client.gone() => return Err(RelayError::Client(gone().into())),
        };
        taken.waited += clock::now().saturating_duration_since(before);
        taken.bytes = taken.bytes.wrapping_add(server.inbox.len().saturating_sub(had) as u64);
        result.map_err(|error| RelayError::Server { error, forwarded })?;
    }
}

/// What is said of a client that went away in mid-statement.
pub(super) fn gone() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "it went away while its statement ran")
}

/// Walks what is here of the reply, and writes it to the client.
pub(super) async fn pass(
    server: &mut Connection,
    client: &mut Client,
    tracker: &mut ReplyTracker,
    filter: &TrackFilter,
    forwarded: &mut u64,
) -> Result<Progress, RelayError> {
    let progress = match tracker.walk(&mut server.inbox, filter) {
        Ok(progress) => progress,
        Err(error) => return Err(RelayError::Server { error: server.broken(error), forwarded: *forwarded }),
    };
    let scanned = server.inbox.scanned();
    if !scanned.is_empty() {
        let result = client.write(scanned).await;
        *forwarded = forwarded.wrapping_add(scanned.len() as u64);
        result.map_err(|error| RelayError::Client(error.into()))?;
        server.inbox.forwarded();
    }
    Ok(progress)
}

/// Of what a server says before a file's end so many bytes are kept: an error.
const REFUSAL: usize = 64 << 10;

/// LOAD DATA LOCAL: forwards the client's packets up to the empty one that ends the file, with the sequence ids that the
/// server expects; returns the one behind them. A server that refuses the file in the middle is heard when the client has sent all, which is when
/// clients listen; one that ends the connection by it, at once.
async fn send_file(server: &mut Connection, client: &mut Client, tracker: &ReplyTracker) -> Result<u8, RelayError> {
    let shift = tracker.shift();
    // The numbers of a compressed client tell nothing.
    let counts = client.stream.is_compressed();
    let mut next = tracker.file_sequence();
    let mut continued = false;
    loop {
        let mut over = false;
        while !client.inbox.is_passing()
            && let Some(head) = client.inbox.head()
        {
            over = head.header.payload_len == 0 && !continued;
            continued = head.header.payload_len == crate::wire::MAX_PAYLOAD;
            let sequence = if counts { next } else { head.header.sequence.wrapping_sub(shift) };
            next = sequence.wrapping_add(1);
            if sequence != head.header.sequence {
                client.inbox.set_sequence(sequence);
            }
            client.inbox.pass(head.header);
            if over {
                break;
            }
        }
        let mut result = server.write(client.inbox.scanned()).await;
        client.inbox.forwarded();
        if result.is_ok() && over {
            return Ok(next);
        }
        if result.is_ok() {
            tokio::select! {
                biased;
                read = client.read() => read.map_err(|error| RelayError::Client(error.into()))?,
                // A server says nothing before the file's end, unless it refuses it or gives the connection up:
                // `net_read_timeout`, a KILL.
                read = server.read(), if server.inbox.len() < REFUSAL => result = read,
            }
        } else if server.inbox.is_empty() {
            // It may have said why before it went.
            let _ = server.read().await;
        }
        match result {
            Err(error) if server.inbox.is_empty() => return Err(RelayError::Server { error, forwarded: 1 }),
            Err(_) => return Ok(next),
            Ok(()) => {}
        }
    }
}
