//! Compression over a socket or TLS: the buffers beside the codec, and what is counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};

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
    /// Compressed bytes to be written. Its end may be a compressed packet that is not complete.
    out: BytesMut,
    bytes: CompressionBytes,
    share: Share,
}

/// All clients' compressed packets together that are not complete yet may be so long, in bytes; beyond, each is ended at 64 KiB.
const HELD: usize = 256 << 20;

/// How much all clients hold of compressed packets that are not complete.
#[derive(Debug, Clone, Default)]
pub struct Held(Arc<AtomicUsize>);

/// One client's part of it.
#[derive(Debug, Default)]
struct Share {
    all: Held,
    own: usize,
}

impl Share {
    /// It is so much now; false: all together hold too much.
    fn set(&mut self, now: usize) -> bool {
        let before = std::mem::replace(&mut self.own, now);
        if now == before {
            return now == 0 || self.all.0.load(Ordering::Relaxed) <= HELD;
        }
        let all = self.all.0.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        all.wrapping_add(now.wrapping_sub(before)) <= HELD
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Compressed {
    /// `early` are bytes that were read already and are compressed.
    pub(super) fn new(peer: Peer, method: Compression, bytes: CompressionBytes, held: Held, early: &[u8]) -> Self {
        Self {
            codec: Codec::new(peer, method),
            method,
            packed: early.into(),
            out: BytesMut::new(),
            bytes,
            share: Share { all: held, own: 0 },
        }
    }

    /// Reads into `inbox` what is here, or waits for something; false: the peer closed the connection. Cancel safe.
    pub(super) async fn read(&mut self, channel: &mut Channel, inbox: &mut Inbox) -> io::Result<bool> {
        loop {
            let space = if self.is_quiet() { 0 } else { READ };
            let plain = self.codec.unpack(&mut self.packed, inbox.space(space), READ).map_err(invalid)?;
            if plain > 0 {
                self.bytes.plain.inc_by(plain as u64);
                inbox.received();
                return Ok(true);
            }
            // An idle connection holds no memory for what may come.
            channel.readable().await?;
            self.packed.reserve(READ);
            let read = channel.read(&mut self.packed).await?;
            if read == 0 {
                return Ok(false);
            }
            self.bytes.compressed.inc_by(read as u64);
        }
    }

    /// Writes all of `bytes`, some 64 KiB at a time; what is not yet a whole packet may be held until its end.
    pub(super) async fn write_all(
        &mut self,
        channel: &mut Channel,
        mut bytes: &[u8],
        patience: Option<Duration>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            // Small packets leave together: several commands to a server are several compressed packets.
            let ready = loop {
                let may_hold = self.share.set(self.codec.held());
                let taken = self.codec.pack(bytes, &mut self.out, may_hold);
                bytes = bytes.get(taken..).unwrap_or_default();
                self.bytes.plain.inc_by(taken as u64);
                let ready = self.out.len().saturating_sub(self.codec.held());
                if ready >= READ || bytes.is_empty() {
                    break ready;
                }
            };
            self.bytes.compressed.inc_by(ready as u64);
            channel.write_all(self.out.get(..ready).unwrap_or_default(), patience).await?;
            self.out.advance(ready);
        }
        self.share.set(self.codec.held());
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
        if self.out.is_empty() {
            self.out = BytesMut::new();
        }
        if self.packed.is_empty() {
            self.packed = BytesMut::new();
        }
    }
}

fn invalid(error: ProtocolError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
