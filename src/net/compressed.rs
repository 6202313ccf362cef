//! Compression over a socket or TLS: the buffers beside the codec, and what is counted.

use std::io;
use std::time::Duration;

use bytes::BytesMut;

use super::channel::Channel;
use crate::telemetry::CompressionBytes;
use crate::wire::compression::{Codec, Compression, Peer};
use crate::wire::{Inbox, ProtocolError};

/// So many bytes of packets are unpacked in one read, and so many compressed ones asked for.
const READ: usize = 64 << 10;

/// A codec and what it has yet to work on.
#[derive(Debug)]
pub(super) struct Compressed {
    codec: Codec,
    method: Compression,
    /// Compressed bytes that were read.
    packed: BytesMut,
    /// Compressed bytes to be written.
    out: BytesMut,
    bytes: CompressionBytes,
}

impl Compressed {
    /// `early` are bytes that were read already and are compressed.
    pub(super) fn new(peer: Peer, method: Compression, bytes: CompressionBytes, early: &[u8]) -> Self {
        Self { codec: Codec::new(peer, method), method, packed: early.into(), out: BytesMut::new(), bytes }
    }

    /// Reads into `inbox` what is here, or waits for something; false: the peer closed the connection. Cancel safe.
    pub(super) async fn read(&mut self, channel: &mut Channel, inbox: &mut Inbox) -> io::Result<bool> {
        loop {
            let plain = self.codec.unpack(&mut self.packed, inbox.space(READ), READ).map_err(invalid)?;
            if plain > 0 {
                self.bytes.plain.inc_by(plain as u64);
                inbox.received();
                return Ok(true);
            }
            self.packed.reserve(READ);
            let read = channel.read(&mut self.packed).await?;
            if read == 0 {
                return Ok(false);
            }
            self.bytes.compressed.inc_by(read as u64);
        }
    }

    /// Writes all of `bytes`, some 64 KiB at a time.
    pub(super) async fn write_all(
        &mut self,
        channel: &mut Channel,
        mut bytes: &[u8],
        patience: Option<Duration>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            self.out.clear();
            // Small packets leave together: several commands to a server are several compressed packets.
            while self.out.len() < READ && !bytes.is_empty() {
                let taken = self.codec.pack(bytes, &mut self.out);
                bytes = bytes.get(taken..).unwrap_or_default();
                self.bytes.plain.inc_by(taken as u64);
            }
            self.bytes.compressed.inc_by(self.out.len() as u64);
            channel.write_all(&self.out, patience).await?;
        }
        Ok(())
    }

    /// Whether nothing that was read waits to be unpacked.
    pub(super) fn is_quiet(&self) -> bool {
        self.packed.is_empty() && self.codec.is_between()
    }

    pub(super) fn begin(&mut self) {
        self.codec.begin();
    }

    pub(super) const fn method(&self) -> Compression {
        self.method
    }

    pub(super) fn next_sequence(&self) -> u8 {
        self.codec.next_sequence()
    }

    /// Gives memory back.
    pub(super) fn release(&mut self) {
        self.codec.release();
        self.out = BytesMut::new();
        if self.packed.is_empty() {
            self.packed = BytesMut::new();
        }
    }
}

fn invalid(error: ProtocolError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
