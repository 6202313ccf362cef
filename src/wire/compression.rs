//! The compressed protocol: packets travel inside compressed packets, whose bounds have nothing to do with theirs.
//! [MySQL's page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html). Knows bytes in and
//! bytes out, nothing of what is in them.
//!
//! Both ways go in pieces: a peer's packet of 16 MiB is never held whole, and a length that lies, or a bomb, is found at the
//! byte where it shows.

use bytes::{Buf as _, BufMut as _, BytesMut};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::DParameter;

use super::{HEADER_LEN, MAX_PAYLOAD, ProtocolError};

/// Length of a compressed packet's header in bytes: payload length, sequence id, length before compression.
pub const COMPRESSED_HEADER_LEN: usize = 7;

/// A shorter payload is stored as it is, as servers and clients do: compressed it would be longer.
pub const MIN_COMPRESSED: usize = 50;

/// So many bytes go into one compressed packet: twice the window of zlib, and some milliseconds of work.
const PIECE: usize = 64 << 10;

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
    /// Bytes of the last packet that was begun and are not written yet.
    left: usize,
    /// The sequence id of the packet written last, if nothing was read since.
    last: Option<u8>,
    /// Where the answers to commands begin that left together with later ones and are longer than one compressed packet; at most
    /// [`MOST_ANSWERS`].
    answers: Vec<u8>,
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

/// What packs.
#[derive(Default)]
enum Deflate {
    #[default]
    None,
    Zlib(Compress),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflate")
    }
}

impl std::fmt::Debug for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflate")
    }
}

impl Codec {
    /// A codec for a connection whose login has just succeeded.
    #[must_use]
    pub fn new(peer: Peer, method: Compression) -> Self {
        let (inflate, deflate) = (Inflate::None, Deflate::None);
        Self { peer, method, inflate, deflate, next: 0, body: None, left: 0, last: None, answers: Vec::new() }
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
        self.deflate = Deflate::None;
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

    /// Appends compressed packets with the first bytes of `plain` to `packed`, some 64 KiB of them; returns how many.
    /// Towards a server `plain` begins and ends where packets, or the bytes of one, do: each command goes into packets of
    /// its own, since that is what servers number their answers by.
    pub fn pack(&mut self, plain: &[u8], packed: &mut BytesMut) -> usize {
        let most = match self.peer {
            Peer::Client => plain.len(),
            Peer::Server => self.command(plain),
        };
        let most = match self.peer {
            Peer::Client => most.min(PIECE),
            Peer::Server => self.walk(plain, most.min(PIECE)),
        };
        let piece = plain.get(..most).unwrap_or_default();
        let sequence = self.next;
        self.next = sequence.wrapping_add(1);
        let start = packed.len();
        packed.put_slice(&[0; COMPRESSED_HEADER_LEN]);
        let shorter = piece.len() >= MIN_COMPRESSED && self.deflate.run(self.method, piece, packed);
        if !shorter {
            packed.truncate(start.saturating_add(COMPRESSED_HEADER_LEN));
            packed.put_slice(piece);
        }
        let payload = packed.len().saturating_sub(start).saturating_sub(COMPRESSED_HEADER_LEN);
        let [a, b, c, ..] = payload.to_le_bytes();
        let [d, e, f, ..] = if shorter { piece.len() } else { 0 }.to_le_bytes();
        if let Some(place) = packed.get_mut(start..).and_then(|tail| tail.first_chunk_mut::<COMPRESSED_HEADER_LEN>()) {
            *place = [a, b, c, sequence, d, e, f];
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
            && let Some([a, b, c, sequence]) =
                plain.get(at..).and_then(|rest| rest.first_chunk::<HEADER_LEN>()).copied()
        {
            self.last = Some(sequence);
            let payload = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            at = at.saturating_add(HEADER_LEN).saturating_add(payload);
        }
        let end = if at > 0 { at.min(most) } else { most };
        self.left = at.saturating_sub(end);
        end
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

impl Deflate {
    /// Appends `piece` compressed; false: that would not be shorter, and what was appended is of no use.
    fn run(&mut self, method: Compression, piece: &[u8], packed: &mut BytesMut) -> bool {
        if let Self::None = self {
            *self = match method {
                Compression::Zlib(level) => Self::Zlib(Compress::new(flate2::Compression::new(level), true)),
                Compression::Zstd(level) => match zstd::bulk::Compressor::new(level) {
                    Ok(state) => Self::Zstd(state),
                    Err(_) => return false,
                },
            };
        }
        let start = packed.len();
        packed.resize(start.saturating_add(piece.len()), 0);
        let output = packed.get_mut(start..).unwrap_or_default();
        let made = match self {
            Self::Zlib(state) => {
                state.reset();
                match state.compress(piece, output, FlushCompress::Finish) {
                    Ok(Status::StreamEnd) => usize::try_from(state.total_out()).ok(),
                    _ => None,
                }
            }
            // No room for it is an error here.
            Self::Zstd(state) => state.compress_to_buffer(piece, output).ok(),
            Self::None => None,
        };
        match made {
            Some(made) if made < piece.len() => {
                packed.truncate(start.saturating_add(made));
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
