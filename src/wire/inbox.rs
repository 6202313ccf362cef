//! Bytes read from a peer, and the packets in them. Knows framing, nothing of content.

use bytes::{Buf as _, Bytes, BytesMut};

use super::ProtocolError;
use super::header::{HEADER_LEN, MAX_PAYLOAD, PacketHeader};

/// A buffer that never held more than this keeps its memory for what comes next, in bytes: a few ordinary statements.
pub const KEPT: usize = 64 << 10;

/// Bytes asked for in one read: a point select's reply fits, and larger results grow the buffer.
const READ: usize = 16 << 10;

/// The same where little comes, as from most clients: a statement of an ordinary length fits. Where it was too little, the next
/// read asks for four times as much, up to [`READ`].
const FEW: usize = 1 << 10;

/// Bytes read from a peer. What was looked at and may be forwarded is `buf[..scanned]`.
///
/// Invariants: `scanned <= buf.len()`; when `passing > 0` all of `buf` is scanned.
#[derive(Debug)]
pub struct Inbox {
    buf: BytesMut,
    /// Bytes that the next read asks for.
    ask: usize,
    scanned: usize,
    /// Bytes of the current packet that are still to come and need no look.
    passing: usize,
    /// It held more than [`KEPT`] bytes since its memory was last given back.
    grown: bool,
}

/// The front of a packet that is not scanned yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The packet's header.
    pub header: PacketHeader,
    /// Its first payload byte; 0 when it is empty.
    pub first: u8,
}

impl Default for Inbox {
    /// For what servers say: results.
    fn default() -> Self {
        Self { buf: BytesMut::new(), ask: READ, scanned: 0, passing: 0, grown: false }
    }
}

impl Inbox {
    /// For what clients say: short commands, mostly.
    #[must_use]
    pub fn of_client() -> Self {
        Self { ask: FEW, ..Self::default() }
    }

    /// The buffer to read into, with room for at least `room` more bytes.
    pub fn space(&mut self, room: usize) -> &mut BytesMut {
        self.buf.reserve(room);
        &mut self.buf
    }

    /// The buffer to read into, with as much room as one read is to have.
    #[inline]
    pub fn room(&mut self) -> &mut BytesMut {
        self.space(self.ask)
    }

    /// Whether it has no memory of its own. Who waits for bytes then, waits before it takes any.
    #[inline]
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.buf.capacity() == 0
    }

    /// Call after new bytes were read: those that belong to a packet being passed on are scanned at once.
    pub fn received(&mut self) {
        if self.buf.len() == self.buf.capacity() {
            // More is to come: larger reads, fewer system calls.
            self.ask = self.ask.saturating_mul(4).min(READ);
        }
        self.grown |= self.buf.len() > KEPT;
        if self.passing > 0 {
            let new = self.buf.len().saturating_sub(self.scanned).min(self.passing);
            self.passing = self.passing.saturating_sub(new);
            self.scanned = self.scanned.saturating_add(new);
        }
    }

    /// The next packet's header and first byte, when they are there.
    #[inline]
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let rest = self.buf.get(self.scanned..)?;
        if let [a, b, c, sequence, first, ..] = *rest {
            let payload_len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            // The first byte of an empty packet is the next packet's.
            return Some(Head {
                header: PacketHeader { payload_len, sequence },
                first: if payload_len == 0 { 0 } else { first },
            });
        }
        let header = PacketHeader::parse(rest)?;
        (header.payload_len == 0).then_some(Head { header, first: 0 })
    }

    /// The next packet's payload, when all of it is there. Does not scan it.
    #[must_use]
    pub fn payload(&self, header: PacketHeader) -> Option<&[u8]> {
        let start = self.scanned.checked_add(HEADER_LEN)?;
        self.buf.get(start..start.checked_add(header.payload_len)?)
    }

    /// Scans the next packet, whether all of it is there or not: what is missing passes as it comes.
    #[inline]
    pub fn pass(&mut self, header: PacketHeader) {
        let end = self.scanned.saturating_add(HEADER_LEN).saturating_add(header.payload_len);
        self.passing = end.saturating_sub(self.buf.len());
        self.scanned = end.min(self.buf.len());
    }

    /// Gives the next packet this sequence id.
    #[inline]
    pub fn set_sequence(&mut self, sequence: u8) {
        if let Some(place) = self.scanned.checked_add(3).and_then(|at| self.buf.get_mut(at)) {
            *place = sequence;
        }
    }

    /// Puts `packet` (header and payload) in front of the next packet, and scans it.
    pub fn insert(&mut self, packet: &[u8]) {
        let tail = self.buf.split_off(self.scanned);
        self.buf.extend_from_slice(packet);
        self.buf.unsplit(tail);
        self.scanned = self.scanned.saturating_add(packet.len());
    }

    /// Puts `packet` (header and payload) in the place of the next packet, which must be there whole, and scans it.
    pub fn replace(&mut self, header: PacketHeader, packet: &[u8]) {
        let old_end = self.scanned.saturating_add(HEADER_LEN).saturating_add(header.payload_len);
        if old_end == self.buf.len() {
            self.buf.truncate(self.scanned);
            self.buf.extend_from_slice(packet);
        } else {
            let tail = self.buf.split_off(old_end.min(self.buf.len()));
            self.buf.truncate(self.scanned);
            self.buf.extend_from_slice(packet);
            self.buf.unsplit(tail);
        }
        self.scanned = self.scanned.saturating_add(packet.len());
    }

    /// What was scanned and not forwarded.
    #[must_use]
    pub fn scanned(&self) -> &[u8] {
        self.buf.get(..self.scanned).unwrap_or_default()
    }

    /// Call when [`Self::scanned`] was forwarded, or is not wanted.
    pub fn forwarded(&mut self) {
        // No split: that would make the buffer a shared one, and count its holders at every reply.
        if self.scanned >= self.buf.len() {
            self.buf.clear();
        } else {
            self.buf.advance(self.scanned);
        }
        self.scanned = 0;
    }

    fn split_scanned(&mut self) -> BytesMut {
        let front = self.buf.split_to(self.scanned.min(self.buf.len()));
        self.scanned = 0;
        front
    }

    /// Takes the next packet out, header and payload, when it is there whole and nothing else is scanned.
    ///
    /// # Errors
    /// When it is longer than `limit` bytes of payload.
    pub fn take(&mut self, limit: usize) -> Result<Option<(PacketHeader, Bytes)>, ProtocolError> {
        let Some(header) = self.buf.get(self.scanned..).and_then(PacketHeader::parse) else { return Ok(None) };
        if header.payload_len > limit {
            return Err(ProtocolError::TooLarge { limit });
        }
        if self.payload(header).is_none() {
            return Ok(None);
        }
        self.pass(header);
        Ok(Some((header, self.split_scanned().freeze())))
    }

    /// Takes out all bytes that are here, whatever protocol they are of.
    #[must_use]
    pub fn take_all(&mut self) -> BytesMut {
        self.scanned = 0;
        self.passing = 0;
        std::mem::take(&mut self.buf)
    }

    /// What is here and not scanned, whatever protocol it is of.
    #[must_use]
    pub fn unscanned(&self) -> &[u8] {
        self.buf.get(self.scanned..).unwrap_or_default()
    }

    /// Takes out the first `len` bytes of a connection that were not of MySQL's protocol.
    pub fn skip(&mut self, len: usize) {
        self.buf.advance(len.min(self.buf.len()));
    }

    /// Bytes that are here, scanned or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing is here and nothing of a packet is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty() && self.passing == 0
    }

    /// Whether the packet being passed is not complete yet.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing > 0
    }

    /// Takes out all that is here and was not scanned.
    pub fn take_unread(&mut self) -> BytesMut {
        self.buf.split_off(self.scanned.min(self.buf.len()))
    }

    /// Gives the buffer's memory back when nothing is in it.
    pub fn rest(&mut self) {
        if self.is_empty() {
            *self = Self { ask: self.ask.min(FEW), ..Self::default() };
        }
    }

    /// The same, if the buffer has grown.
    pub fn release(&mut self) {
        if self.grown && self.is_empty() {
            self.buf = BytesMut::new();
            self.grown = false;
        }
    }
}

/// Puts together a command that may span several packets. Sequence ids are checked.
#[derive(Debug, Default)]
pub struct CommandReader {
    /// Payloads of the packets so far, when there is more than one.
    parts: BytesMut,
    expected: u8,
    /// Sequence ids are not looked at: the connection is compressed, and checks those of compressed packets.
    any_sequence: bool,
}

/// A complete command: one packet as it came, or several put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCommand {
    /// The packet with its header, when there is just one.
    packet: Option<Bytes>,
    /// The payload.
    pub payload: Bytes,
    /// The sequence id that the reply begins with.
    pub next_sequence: u8,
}

impl RawCommand {
    /// A command of the proxy's own.
    #[must_use]
    pub fn new(payload: Bytes) -> Self {
        Self { packet: None, payload, next_sequence: 1 }
    }

    /// The bytes to forward, when the command is one packet as it came.
    #[must_use]
    pub fn packet(&self) -> Option<&Bytes> {
        self.packet.as_ref()
    }
}

impl CommandReader {
    /// The next command in `inbox`, when it is there whole.
    ///
    /// # Errors
    /// A sequence id out of order, or more than `limit` bytes.
    pub fn next(&mut self, inbox: &mut Inbox, limit: usize) -> Result<Option<RawCommand>, ProtocolError> {
        loop {
            let left = limit.saturating_sub(self.parts.len());
            let Some((header, packet)) =
                inbox.take(left.min(MAX_PAYLOAD)).map_err(|_| ProtocolError::TooLarge { limit })?
            else {
                return Ok(None);
            };
            if header.sequence != self.expected && !self.any_sequence {
                return Err(ProtocolError::OutOfOrder { expected: self.expected, got: header.sequence });
            }
            self.expected = self.expected.wrapping_add(1);
            let mut payload = packet.clone();
            payload.advance(HEADER_LEN.min(packet.len()));
            if header.payload_len == MAX_PAYLOAD {
                self.parts.extend_from_slice(&payload);
                continue;
            }
            let next_sequence = std::mem::take(&mut self.expected);
            if self.parts.is_empty() && next_sequence == 1 && header.sequence == 0 {
                return Ok(Some(RawCommand { packet: Some(packet), payload, next_sequence }));
            }
            self.parts.extend_from_slice(&payload);
            return Ok(Some(RawCommand {
                packet: None,
                payload: std::mem::take(&mut self.parts).freeze(),
                next_sequence,
            }));
        }
    }

    /// The sequence id of an answer to what came last: a command that is refused before it is complete has begun already.
    #[must_use]
    pub fn answer_sequence(&self) -> u8 {
        self.expected.wrapping_add(1)
    }

    /// Looks at no sequence ids from now on.
    pub fn take_any_sequence(&mut self) {
        self.any_sequence = true;
    }

    /// Whether a command has begun and is not complete.
    #[must_use]
    pub fn is_midway(&self) -> bool {
        self.expected != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::writer::put_packet;
    use proptest::prelude::*;

    fn feed(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.space(bytes.len()).extend_from_slice(bytes);
        inbox.received();
    }

    #[test]
    fn a_long_packet_passes_while_it_arrives() {
        let mut bytes = BytesMut::new();
        put_packet(&mut bytes, 3, &[9; 100]);
        put_packet(&mut bytes, 4, &[8; 2]);
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes[..50]);
        let head = inbox.head().unwrap();
        assert_eq!((head.header.payload_len, head.header.sequence, head.first), (100, 3, 9));
        inbox.pass(head.header);
        assert_eq!(inbox.scanned().len(), 50);
        inbox.forwarded();
        feed(&mut inbox, &bytes[50..]);
        assert_eq!(inbox.scanned().len(), 54);
        assert_eq!(inbox.head().unwrap().first, 8);
    }

    #[test]
    fn a_clients_buffer_grows_as_it_must_and_is_given_back() {
        let mut inbox = Inbox::of_client();
        assert!(inbox.is_bare());
        assert_eq!(inbox.room().capacity(), 1 << 10);
        // It said more than was asked for, twice.
        for asked in [4 << 10, 16 << 10, 16 << 10] {
            let space = inbox.room();
            space.resize(space.capacity(), 0);
            inbox.received();
            let had = inbox.len();
            assert!(inbox.room().capacity() - had >= asked);
        }
        // Not while something is here.
        inbox.rest();
        assert!(!inbox.is_bare());
        inbox.skip(inbox.len());
        inbox.rest();
        assert!(inbox.is_bare());
        assert_eq!(inbox.room().capacity(), 1 << 10);
    }

    #[test]
    fn a_packet_in_the_middle_is_replaced() {
        let mut bytes = BytesMut::new();
        put_packet(&mut bytes, 1, b"abc");
        put_packet(&mut bytes, 2, b"def");
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes);
        inbox.replace(inbox.head().unwrap().header, b"XY");
        assert_eq!(inbox.scanned(), b"XY");
        assert_eq!(inbox.payload(inbox.head().unwrap().header), Some(&b"def"[..]));
    }

    #[test]
    fn sequence_ids_and_limits_are_checked() {
        let mut bytes = BytesMut::new();
        put_packet(&mut bytes, 1, b"x");
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes);
        assert_eq!(
            CommandReader::default().next(&mut inbox, 100),
            Err(ProtocolError::OutOfOrder { expected: 0, got: 1 })
        );
        let mut inbox = Inbox::default();
        feed(&mut inbox, &[200, 0, 0, 0]);
        assert_eq!(CommandReader::default().next(&mut inbox, 100), Err(ProtocolError::TooLarge { limit: 100 }));
    }

    #[test]
    fn a_command_of_just_16_mib_ends_with_an_empty_packet() {
        let payload = vec![3; MAX_PAYLOAD];
        let mut bytes = BytesMut::new();
        put_packet(&mut bytes, 0, &payload);
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes);
        let command = CommandReader::default().next(&mut inbox, 64 << 20).unwrap().unwrap();
        assert_eq!((command.payload.len(), command.next_sequence), (MAX_PAYLOAD, 2));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_commands(lens in proptest::collection::vec(0usize..300, 1..5), cuts in proptest::collection::vec(1usize..50, 1..200)) {
            let mut bytes = BytesMut::new();
            for len in &lens {
                put_packet(&mut bytes, 0, &vec![1; *len]);
            }
            let (mut inbox, mut reader, mut seen) = (Inbox::default(), CommandReader::default(), Vec::new());
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                feed(&mut inbox, now);
                rest = later;
                while let Some(command) = reader.next(&mut inbox, 1000).unwrap() { seen.push(command.payload.len()); }
            }
            prop_assert_eq!(seen, lens);
        }
    }
}
