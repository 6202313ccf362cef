//! The compressed protocol: packets travel inside compressed packets, whose bounds have nothing to do with theirs.
//! [MySQL's page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html). Knows bytes in and
//! bytes out, nothing of what is in them.
//!
//! What is read goes in pieces: a peer's packet of 16 MiB is never held whole, and a length that lies, or a bomb, is found at
//! the byte where it shows. So does what is written to servers. To clients each packet goes in one compressed packet, as
//! servers do it (`net_write_buff` of MySQL's `net_serv.cc`: two at most), since not all clients read more for one: what
//! it becomes is held until it is complete, unless it does not shrink.

use bytes::{Buf as _, BufMut as _, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::DParameter;

use self::deflate::{Deflate, Then};
use super::{HEADER_LEN, MAX_PAYLOAD, PacketHeader, ProtocolError};

mod deflate;

/// Length of a compressed packet's header in bytes: payload length, sequence id, length before compression.
pub const COMPRESSED_HEADER_LEN: usize = 7;

/// A shorter payload is stored as it is, as servers and clients do: compressed it would be longer.
pub const MIN_COMPRESSED: usize = 50;

/// So many bytes are packed at a time, twice the window of zlib, and some milliseconds of work; and of shorter packets so many
/// go into one compressed packet.
const PIECE: usize = 64 << 10;

/// The first piece of a long packet shows whether it shrinks if it is at least so long, in bytes.
const TRIAL: usize = 1 << 10;

/// So much more than what is there a compressed packet may become: a piece, and what the method keeps back.
const SLACK: usize = 512 << 10;

/// Commands of more than one compressed packet that leave together: what prepares a statement, and what executes it.
const MOST_ANSWERS: usize = 16;

/// A frame of zstd needs no larger window: no packet is longer than 16 MiB.
const WINDOW_LOG: u32 = 24;

/// A method, and how hard it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// zlib, level 1 to 9; servers use 6.
    Zlib(u32),
    /// Zstandard, level 1 to 22; MySQL's default is 3. MySQL 8.0.18 and later only.
    Zstd(i32),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client: what is written to it answers what it sent, and is numbered on from there.
    Client,
    /// A server: each command that is written to it begins a numbering of its own.
    Server,
}

const LIES: ProtocolError =
    ProtocolError::Malformed { packet: "compressed", what: "its content is not what its header says" };

/// Both directions of a compressed connection.
#[derive(Debug)]
pub struct Codec {
    peer: Peer,
    method: Compression,
    inflate: Inflate,
    deflate: Deflate,
    /// The sequence id of the next compressed packet, in either direction.
    next: u8,
    /// Bytes of the compressed packet that is being read.
    body: Option<Body>,
    /// Bytes of the last packet that was begun, and that neither are written yet nor belong to the compressed packet that is.
    left: usize,
    /// The compressed packet to a client that is not complete.
    open: Option<Open>,
    /// The sequence id of the packet written last, if nothing was read since.
    last: Option<u8>,
    /// Where the answers to commands begin that left together with later ones and are longer than one compressed packet; at most
    /// [`MOST_ANSWERS`].
    answers: Vec<u8>,
}

/// A compressed packet that is being written.
#[derive(Debug, Clone, Copy)]
struct Open {
    sequence: u8,
    /// Bytes of it that are out, with its header.
    packed: usize,
    /// Bytes that are in it.
    plain: usize,
    /// Bytes that are to come.
    rest: usize,
    stored: bool,
}

/// The rest of a compressed packet.
#[derive(Debug, Clone, Copy)]
struct Body {
    packed: usize,
    plain: usize,
    stored: bool,
}

/// What unpacks; made when it is needed, and given back when the connection is idle.
#[derive(Default)]
enum Inflate {
    #[default]
    None,
    Zlib(Decompress),
    Zstd(Decoder<'static>),
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflate")
    }
}

impl Codec {
    /// A codec for a connection whose login has just succeeded.
    #[must_use]
    pub fn new(peer: Peer, method: Compression) -> Self {
        let (inflate, deflate) = (Inflate::None, Deflate::None);
        Self {
            peer,
            method,
            inflate,
            deflate,
            next: 0,
            body: None,
            left: 0,
            open: None,
            last: None,
            answers: Vec::new(),
        }
    }

    /// Whether nothing of a compressed packet is outstanding.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.body.is_none()
    }

    /// The sequence id of the next compressed packet, by which servers number the packets of their answers as well.
    #[must_use]
    pub fn next_sequence(&self) -> u8 {
        self.next
    }

    /// What is said next was not asked for: servers number it anew.
    pub fn begin(&mut self) {
        self.next = 0;
    }

    /// Gives the memory of both methods back: some 300 KiB for zlib. It is made anew when it is needed.
    pub fn release(&mut self) {
        if self.open.is_none() {
            self.deflate = Deflate::None;
        }
        if self.body.is_none() {
            self.inflate = Inflate::None;
        }
    }

    /// Takes bytes out of `packed` and appends what they hold to `plain`, up to `most` bytes; returns how many. Fewer than
    /// `most`: more must be read.
    ///
    /// # Errors
    /// When a sequence id is out of order, or a packet's content is not what its header says.
    pub fn unpack(&mut self, packed: &mut BytesMut, plain: &mut BytesMut, most: usize) -> Result<usize, ProtocolError> {
        let start = plain.len();
        let end = start.saturating_add(most);
        loop {
            let room = end.saturating_sub(plain.len());
            let Some(body) = self.body else {
                if room == 0 || !self.header(packed)? {
                    return Ok(plain.len().saturating_sub(start));
                }
                continue;
            };
            // Of a packet whose bytes are all out only the end is looked at, which makes none.
            if room == 0 && body.plain > 0 {
                return Ok(plain.len().saturating_sub(start));
            }
            let input = packed.get(..body.packed.min(packed.len())).unwrap_or_default();
            if body.stored {
                if input.is_empty() {
                    return Ok(plain.len().saturating_sub(start));
                }
                let taken = input.len().min(room);
                plain.extend_from_slice(input.get(..taken).unwrap_or_default());
                packed.advance(taken);
                self.took(body, taken, taken);
                continue;
            }
            let at = plain.len();
            // One byte more than it said it has must be seen, not written.
            let mut excess = [0; 1];
            let output = if body.plain == 0 {
                &mut excess[..]
            } else {
                plain.resize(at.saturating_add(room.min(body.plain)), 0);
                plain.get_mut(at..).unwrap_or_default()
            };
            let (taken, made, ended) = self.inflate.run(input, output)?;
            let starved = taken == input.len() && taken < body.packed;
            if body.plain == 0 {
                if made > 0 {
                    return Err(LIES);
                }
            } else {
                plain.truncate(at.saturating_add(made));
            }
            packed.advance(taken);
            let (rest_in, rest_out) = (body.packed.saturating_sub(taken), body.plain.saturating_sub(made));
            if ended {
                if rest_in > 0 || rest_out > 0 {
                    return Err(LIES);
                }
                self.body = None;
                continue;
            }
            self.body = Some(Body { packed: rest_in, plain: rest_out, stored: false });
            if taken == 0 && made == 0 {
                return if starved { Ok(plain.len().saturating_sub(start)) } else { Err(LIES) };
            }
        }
    }

    /// Reads a header, if one is here.
    fn header(&mut self, packed: &mut BytesMut) -> Result<bool, ProtocolError> {
        let Some([a, b, c, sequence, d, e, f]) = packed.first_chunk::<COMPRESSED_HEADER_LEN>().copied() else {
            return Ok(false);
        };
        let length = |a: u8, b: u8, c: u8| usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        // A peer that begins anew: a client with a command, a server with its answer to the next of several commands, or
        // with what it says unasked.
        let anew = sequence == 0 || (self.peer == Peer::Server && sequence == 1);
        if sequence != self.next && !anew {
            let Some(at) = self.answers.iter().position(|begins| *begins == sequence) else {
                return Err(ProtocolError::OutOfOrder { expected: self.next, got: sequence });
            };
            self.answers.drain(..=at);
        }
        packed.advance(COMPRESSED_HEADER_LEN);
        self.next = sequence.wrapping_add(1);
        self.last = None;
        let (packed, plain) = (length(a, b, c), length(d, e, f));
        match (packed, plain) {
            (0, 0) => {}
            (0, _) => return Err(LIES),
            (packed, 0) => self.body = Some(Body { packed, plain: packed, stored: true }),
            (packed, plain) => {
                self.inflate.begin(self.method)?;
                self.body = Some(Body { packed, plain, stored: false });
            }
        }
        Ok(true)
    }

    fn took(&mut self, body: Body, packed: usize, plain: usize) {
        let rest = Body {
            packed: body.packed.saturating_sub(packed),
            plain: body.plain.saturating_sub(plain),
            stored: body.stored,
        };
        self.body = (rest.packed > 0).then_some(rest);
    }

    /// Appends the first bytes of `plain`, some 64 KiB of them, in compressed packets to `packed`; returns how many. The end of
    /// `packed` may be a compressed packet that is not complete: see [`Self::held`]. `may_hold`: it may become so.
    /// `plain` begins and ends where packets, or the bytes of one, do. Towards a server each command goes into packets of
    /// its own, since that is what servers number their answers by.
    pub fn pack(&mut self, plain: &[u8], packed: &mut BytesMut, may_hold: bool) -> usize {
        let open = match self.open.take() {
            Some(open) if open.stored => open,
            Some(open) => self.extended(open, plain),
            None => {
                let len = match self.peer {
                    Peer::Client => self.unit(plain, may_hold),
                    Peer::Server => {
                        let most = self.command(plain).min(PIECE);
                        self.walk(plain, most)
                    }
                };
                self.begin_packet(len, plain.len(), packed)
            }
        };
        self.go_on(open, plain, packed, may_hold)
    }

    /// How much of the end of what was packed belongs to a compressed packet that is not complete, in bytes: it must not be
    /// written yet, and what is packed next must follow it.
    #[must_use]
    pub fn held(&self) -> usize {
        self.open.filter(|open| !open.stored).map_or(0, |open| open.packed)
    }

    /// How many bytes shall go into the next compressed packet to a client: short packets together, a longer one by itself,
    /// also if it is not here whole.
    fn unit(&mut self, plain: &[u8], may_hold: bool) -> usize {
        let first = if self.left > 0 { self.left } else { packet_len(plain).unwrap_or(plain.len()) };
        let len = if first > MAX_PAYLOAD || (first > PIECE && !may_hold) { PIECE } else { first };
        self.left = first.saturating_sub(len);
        if self.left > 0 { len } else { more_packets(plain, len) }
    }

    /// A compressed packet whose end has come takes in the short packets behind.
    fn extended(&self, mut open: Open, plain: &[u8]) -> Open {
        if self.left == 0 && open.rest <= plain.len() {
            let most = PIECE.saturating_sub(open.plain).min(plain.len());
            let all = plain.get(..most.max(open.rest)).unwrap_or_default();
            open.rest = more_packets(all, open.rest);
        }
        open
    }

    /// Begins a compressed packet of `len` bytes, of which `here` are here.
    fn begin_packet(&mut self, len: usize, here: usize, packed: &mut BytesMut) -> Open {
        let sequence = self.next;
        self.next = sequence.wrapping_add(1);
        let whole = len <= here.min(PIECE);
        let stored = len < MIN_COMPRESSED || !self.deflate.begin(self.method, whole.then_some(len));
        packed.put_slice(&[0; COMPRESSED_HEADER_LEN]);
        let open = Open { sequence, packed: COMPRESSED_HEADER_LEN, plain: 0, rest: len, stored };
        if stored {
            put_header(packed, open.packed, len, sequence, 0);
        }
        open
    }

    /// Packs another piece; returns how many bytes of `plain` that were.
    fn go_on(&mut self, mut open: Open, plain: &[u8], packed: &mut BytesMut, may_hold: bool) -> usize {
        let piece = plain.get(..plain.len().min(open.rest).min(PIECE)).unwrap_or_default();
        let rest = open.rest.saturating_sub(piece.len());
        let (start, first) = (packed.len(), open.plain == 0);
        if !open.stored {
            let trial = first && piece.len() >= TRIAL.min(open.rest);
            let then = match () {
                () if rest == 0 => Then::Finish,
                () if trial => Then::Flush,
                () => Then::More,
            };
            let packs = self.deflate.feed(piece, then, packed);
            let made = packed.len().saturating_sub(start);
            if first && (!packs || (trial && made >= piece.len())) {
                // It does not shrink.
                packed.truncate(start);
                open.stored = true;
                put_header(packed, open.packed, open.rest, open.sequence, 0);
            }
        }
        if open.stored {
            packed.put_slice(piece);
        }
        open.packed = open.packed.saturating_add(packed.len().saturating_sub(start));
        open.plain = open.plain.saturating_add(piece.len());
        open.rest = rest;
        let too_long = open.packed.saturating_add(SLACK) > MAX_PAYLOAD || (!may_hold && open.packed > PIECE);
        if !open.stored && open.rest > 0 && too_long {
            // What is left of the packet goes into the next.
            self.left = open.rest;
            open.rest = 0;
            let before = packed.len();
            self.deflate.feed(&[], Then::Finish, packed);
            open.packed = open.packed.saturating_add(packed.len().saturating_sub(before));
        }
        if open.rest > 0 {
            self.open = Some(open);
        } else if !open.stored {
            let payload = open.packed.saturating_sub(COMPRESSED_HEADER_LEN);
            put_header(packed, open.packed, payload, open.sequence, open.plain);
        }
        piece.len()
    }

    /// The bytes of `plain` up to the next command; begins a numbering if one stands at its front.
    fn command(&mut self, plain: &[u8]) -> usize {
        let (mut at, mut last) = (self.left, self.last);
        while let Some([a, b, c, sequence]) = plain.get(at..).and_then(|rest| rest.first_chunk::<HEADER_LEN>()).copied()
        {
            // Behind 255 the packets of a file that a client sends go on at 0.
            if sequence == 0 && last != Some(u8::MAX) {
                if at > 0 {
                    return at;
                }
                if last.is_none() {
                    self.answers.clear();
                } else if self.next > 1 && self.answers.len() < MOST_ANSWERS {
                    self.answers.push(self.next);
                }
                self.next = 0;
            }
            last = Some(sequence);
            let payload = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            at = at.saturating_add(HEADER_LEN).saturating_add(payload.min(MAX_PAYLOAD));
        }
        plain.len()
    }

    /// Takes note of the packets in the first `most` bytes of `plain`; returns how many of these are to be written: fewer
    /// when a header would be cut, which could not be read then.
    fn walk(&mut self, plain: &[u8], most: usize) -> usize {
        let mut at = self.left;
        while at.saturating_add(HEADER_LEN) <= most
            && let Some(header) = plain.get(at..).and_then(PacketHeader::parse)
        {
            self.last = Some(header.sequence);
            at = at.saturating_add(HEADER_LEN).saturating_add(header.payload_len);
        }
        let end = if at > 0 { at.min(most) } else { most };
        self.left = at.saturating_sub(end);
        end
    }
}

/// The length of the packet at the front, with its header; None: that is not here.
fn packet_len(plain: &[u8]) -> Option<usize> {
    PacketHeader::parse(plain).map(|header| header.payload_len.saturating_add(HEADER_LEN))
}

/// `len` and the lengths of the packets that follow whole, as far as they make a compressed packet of ordinary length.
fn more_packets(plain: &[u8], mut len: usize) -> usize {
    while let Some(next) = plain.get(len..).and_then(packet_len) {
        let end = len.saturating_add(next);
        if end > PIECE.min(plain.len()) {
            break;
        }
        len = end;
    }
    len
}

/// Writes the header of a compressed packet that begins `back` bytes before the end of `packed`.
fn put_header(packed: &mut BytesMut, back: usize, payload: usize, sequence: u8, plain: usize) {
    let start = packed.len().saturating_sub(back);
    let ([a, b, c, ..], [d, e, f, ..]) = (payload.to_le_bytes(), plain.to_le_bytes());
    if let Some(place) = packed.get_mut(start..).and_then(|tail| tail.first_chunk_mut::<COMPRESSED_HEADER_LEN>()) {
        *place = [a, b, c, sequence, d, e, f];
    }
}

impl Inflate {
    /// Makes it ready for another packet.
    fn begin(&mut self, method: Compression) -> Result<(), ProtocolError> {
        match (method, &mut *self) {
            (_, Self::Zlib(state)) => state.reset(true),
            (_, Self::Zstd(state)) => state.reinit().map_err(|_| LIES)?,
            (Compression::Zlib(_), Self::None) => *self = Self::Zlib(Decompress::new(true)),
            (Compression::Zstd(_), Self::None) => {
                let mut state = Decoder::new().map_err(|_| LIES)?;
                state.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(|_| LIES)?;
                *self = Self::Zstd(state);
            }
        }
        Ok(())
    }

    /// Bytes taken, bytes made, and whether that was the end.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize, bool), ProtocolError> {
        match self {
            Self::Zlib(state) => {
                let (taken, made) = (state.total_in(), state.total_out());
                let Ok(status) = state.decompress(input, output, FlushDecompress::None) else { return Err(LIES) };
                let since = |now: u64, then: u64| usize::try_from(now.saturating_sub(then)).unwrap_or(usize::MAX);
                Ok((since(state.total_in(), taken), since(state.total_out(), made), status == Status::StreamEnd))
            }
            Self::Zstd(state) => {
                let mut input = InBuffer::around(input);
                let mut output = OutBuffer::around(output);
                let rest = state.run(&mut input, &mut output).map_err(|_| LIES)?;
                Ok((input.pos(), output.pos(), rest == 0))
            }
            Self::None => Err(LIES),
        }
    }
}

#[cfg(test)]
mod tests;
