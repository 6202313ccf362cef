//! A client's connection: reading its commands, writing replies. Bounded in both directions.

use std::io;
use std::time::Duration;

use bytes::BytesMut;

use super::memory::LONGEST;
use crate::net::{Held, Stream};
use crate::telemetry::CompressionBytes;
use crate::wire::auth::NONCE_LEN;
use crate::wire::compression::{Compression, Peer};
use crate::wire::inbox::{CommandReader, RawCommand};
use crate::wire::ok::{OkPacket, put_eof, put_ok};
use crate::wire::session_track::schema_change;
use crate::wire::statement::ClientStatementId;
use crate::wire::{Capabilities, ErrPacket, Inbox, ProtocolError, Status, TrackFilter};

/// A client that was told its last may send so long; nobody listens.
const LINGER: Duration = Duration::from_secs(1);

/// A client's connection.
#[derive(Debug)]
pub(super) struct Client {
    /// The stream of bytes.
    pub(super) stream: Stream,
    /// Bytes read from it.
    pub(super) inbox: Inbox,
    reader: CommandReader,
    out: BytesMut,
    /// What was agreed with it; before its login, nothing.
    pub(super) capabilities: Capabilities,
    /// The longest command, in bytes.
    pub(super) max_packet: usize,
    /// It must take some of its result within this.
    pub(super) write_timeout: Duration,
    /// Whether it is noticed in mid-statement that it goes away: `proxy.kill_on_disconnect`.
    pub(super) watched: bool,
    /// A header of the PROXY protocol is awaited.
    pub(super) awaits_header: bool,
    /// It came over a load balancer, which named its address.
    pub(super) announced: bool,
    /// The nonce that it was sent last, in the greeting or behind it.
    pub(super) nonce: [u8; NONCE_LEN],
    /// SHA-256 of the certificate that it was shown by TLS.
    pub(super) certificate: Option<[u8; 32]>,
    /// Bytes of its commands.
    pub(super) bytes_in: u64,
    /// Bytes written to it.
    pub(super) bytes_out: u64,
    /// It is to find its connection reset, without a word.
    pub(super) reset: bool,
    /// A copy of what is written to it; None: not wanted, or too long.
    pub(super) copy: Option<BytesMut>,
}

impl Client {
    /// A client that has just connected.
    pub(super) fn new(stream: Stream, max_packet: usize, write_timeout: Duration) -> Self {
        Self {
            stream,
            inbox: Inbox::of_client(),
            reader: CommandReader::default(),
            out: BytesMut::new(),
            capabilities: Capabilities::default(),
            max_packet,
            write_timeout,
            watched: false,
            awaits_header: false,
            announced: false,
            nonce: [0; NONCE_LEN],
            certificate: None,
            bytes_in: 0,
            bytes_out: 0,
            reset: false,
            copy: None,
        }
    }

    /// Whether nobody on the way can read what is said. A Unix socket says nothing of the way to a load balancer behind it.
    pub(super) fn is_secure(&self) -> bool {
        self.stream.tls().is_some() || self.stream.is_secure() && !self.announced
    }

    /// The next command, when it is here whole.
    pub(super) fn next_command(&mut self) -> Result<Option<RawCommand>, ProtocolError> {
        let mut command = self.reader.next(&mut self.inbox, self.max_packet)?;
        if let (Some(command), Some(next)) = (&mut command, self.stream.next_sequence()) {
            command.next_sequence = next;
        }
        if let Some(command) = &command {
            self.bytes_in = self.bytes_in.wrapping_add(command.payload.len() as u64).wrapping_add(4);
        }
        Ok(command)
    }

    /// The sequence id of an answer to a command that is refused before it is complete.
    pub(super) fn answer_sequence(&self) -> u8 {
        self.stream.next_sequence().unwrap_or_else(|| self.reader.answer_sequence())
    }

    /// Whether a command has begun to arrive.
    pub(super) fn is_midway(&self) -> bool {
        self.reader.is_midway() || !self.inbox.is_empty()
    }

    /// Begins compression: its login has succeeded.
    pub(super) fn compress(&mut self, method: Compression, bytes: CompressionBytes, held: Held) {
        let early = self.inbox.take_unread();
        self.stream.compress(Peer::Client, method, bytes, held, &early);
        self.reader.take_any_sequence();
    }

    /// Gives back the memory that is of use only while something is said.
    pub(super) fn release(&mut self) {
        self.inbox.release();
        self.stream.release();
    }

    /// Gives back what memory it has: it is silent for long.
    pub(super) fn rest(&mut self) {
        self.inbox.rest();
        self.stream.release();
        self.out = BytesMut::new();
        self.copy = None;
    }

    /// Reads more bytes. Cancel safe: what was read stays in the inbox.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        self.stream.read(&mut self.inbox).await
    }

    /// Waits until the client has gone away while a command of it runs. Cancel safe.
    pub(super) async fn gone(&self) {
        if self.inbox.is_empty() && self.watched {
            self.stream.gone().await;
        } else {
            // It has said more: whoever does not wait for replies may leave before they come.
            std::future::pending::<()>().await;
        }
    }

    /// Writes bytes; waits while the client does not take them.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes_out = self.bytes_out.wrapping_add(bytes.len() as u64);
        if let Some(mut copy) = self.copy.take()
            && copy.len().saturating_add(bytes.len()) <= LONGEST
        {
            copy.extend_from_slice(bytes);
            self.copy = Some(copy);
        }
        self.stream.write_all(bytes, Some(self.write_timeout)).await
    }

    /// Ends the connection so that the client finds what was said last: a socket that is closed while bytes of the client
    /// are unread resets the connection, and the client may never see it.
    pub(super) async fn leave(mut self) {
        if self.reset {
            return self.stream.reset_when_dropped();
        }
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let mut unread = Inbox::default();
        let drained = async {
            while self.stream.read(&mut unread).await.is_ok() {
                unread.space(0).clear();
            }
        };
        // Ended by the client, mostly at once.
        let _ = tokio::time::timeout(LINGER, drained).await;
    }

    /// Writes an error.
    pub(super) async fn refuse(&mut self, error: &ErrPacket, sequence: u8) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        error.encode(&mut out, sequence, self.capabilities);
        self.flush(out).await
    }

    /// Writes a reply that a server once gave; `statement` is put in the place of the id of a PREPARE's.
    pub(super) async fn repeat(&mut self, reply: &[u8], statement: Option<ClientStatementId>) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        out.extend_from_slice(reply);
        // Behind the header and the first byte.
        if let (Some(id), Some(place)) = (statement, out.get_mut(5..9)) {
            place.copy_from_slice(&id.0.to_le_bytes());
        }
        self.flush(out).await
    }

    /// Writes an OK of the proxy's own.
    pub(super) async fn ok(&mut self, status: Status, warnings: u16, sequence: u8) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        put_ok(&mut out, sequence, status, warnings);
        self.flush(out).await
    }

    /// Writes an OK of the proxy's own that counts rows.
    pub(super) async fn ok_with(&mut self, affected_rows: u64, status: Status, sequence: u8) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        let ok = OkPacket { affected_rows, status, ..OkPacket::default() };
        // Cannot fail: there is no session state in it.
        let _ = ok.encode(&mut out, sequence, 0, None);
        self.flush(out).await
    }

    /// Writes an OK of the proxy's own with a message.
    pub(super) async fn ok_saying(&mut self, status: Status, info: &[u8], sequence: u8) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        let ok = OkPacket { status, info, ..OkPacket::default() };
        // Cannot fail: there is no session state in it.
        let _ = ok.encode(&mut out, sequence, 0, None);
        self.flush(out).await
    }

    /// Writes an OK of the proxy's own with a message, which reports the schema to a client that takes reports.
    pub(super) async fn ok_in(&mut self, schema: &[u8], status: Status, info: &[u8], sequence: u8) -> io::Result<()> {
        if !self.capabilities.contains(Capabilities::SESSION_TRACK) {
            return self.ok_saying(status, info, sequence).await;
        }
        let mut out = std::mem::take(&mut self.out);
        let state = schema_change(schema);
        let ok = OkPacket { status, info, state: &state, ..OkPacket::default() };
        // Cannot fail: the session state in it is well formed.
        let _ = ok.encode(&mut out, sequence, 0, Some(&TrackFilter::default()));
        self.flush(out).await
    }

    /// Writes an EOF of the proxy's own.
    pub(super) async fn eof(&mut self, status: Status, warnings: u16, sequence: u8) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        put_eof(&mut out, sequence, status, warnings, self.capabilities);
        self.flush(out).await
    }

    async fn flush(&mut self, mut out: BytesMut) -> io::Result<()> {
        let result = self.write(&out).await;
        out.clear();
        self.out = out;
        result
    }
}
