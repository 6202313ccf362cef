//! Packs bytes by either method, in pieces: what goes into one compressed packet need not be here at once.

use bytes::{BufMut as _, BytesMut};
use flate2::{Compress, FlushCompress, Status};
use zstd::stream::raw::{Encoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::CParameter;

use super::Compression;

/// Frames of zstd have a window of 128 KiB: with those of its high levels each client would cost hundreds of MiB.
const WINDOW_LOG: u32 = 17;

/// Room for output is made so many bytes at a time, besides that of the input's length.
const ROOM: usize = 256;

/// What packs; made when it is needed, and given back when the connection is idle.
#[derive(Default)]
pub(super) enum Deflate {
    #[default]
    None,
    Zlib(Compress),
    Zstd(Encoder<'static>),
}

/// What is to be done with what the method keeps back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It may keep it.
    More,
    /// It puts it out.
    Flush,
    /// That was all.
    Finish,
}

impl std::fmt::Debug for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflate")
    }
}

impl Deflate {
    /// Makes it ready for another compressed packet, of `len` bytes if that is known. False: it cannot.
    pub(super) fn begin(&mut self, method: Compression, len: Option<usize>) -> bool {
        match (method, &mut *self) {
            (_, Self::Zlib(state)) => {
                state.reset();
                true
            }
            (Compression::Zlib(level), _) => {
                *self = Self::Zlib(Compress::new(flate2::Compression::new(level), true));
                true
            }
            (Compression::Zstd(level), state) => {
                if let Self::None = state {
                    let Ok(mut made) = Encoder::new(level) else { return false };
                    if made.set_parameter(CParameter::WindowLog(WINDOW_LOG)).is_err() {
                        return false;
                    }
                    *state = Self::Zstd(made);
                }
                let Self::Zstd(state) = state else { return false };
                state.reinit().is_ok() && state.set_pledged_src_size(len.map(|len| len as u64)).is_ok()
            }
        }
    }

    /// Appends `piece` packed; false: it cannot.
    pub(super) fn feed(&mut self, piece: &[u8], then: Then, packed: &mut BytesMut) -> bool {
        match self {
            Self::Zlib(state) => zlib(state, piece, then, packed),
            Self::Zstd(state) => zstd(state, piece, then, packed).is_ok(),
            Self::None => false,
        }
    }
}

fn zlib(state: &mut Compress, mut piece: &[u8], then: Then, packed: &mut BytesMut) -> bool {
    let flush = match then {
        Then::More => FlushCompress::None,
        Then::Flush => FlushCompress::Sync,
        Then::Finish => FlushCompress::Finish,
    };
    let since = |now: u64, then: u64| usize::try_from(now.saturating_sub(then)).unwrap_or(usize::MAX);
    loop {
        let (taken, made) = (state.total_in(), state.total_out());
        let at = packed.len();
        let room = piece.len().saturating_add(ROOM);
        packed.put_bytes(0, room);
        let status = state.compress(piece, packed.get_mut(at..).unwrap_or_default(), flush);
        let (taken, made) = (since(state.total_in(), taken), since(state.total_out(), made));
        packed.truncate(at.saturating_add(made));
        piece = piece.get(taken..).unwrap_or_default();
        match status {
            Ok(Status::StreamEnd) => return true,
            // It had room that it did not need: nothing is left in it that it would give.
            Ok(_) if then != Then::Finish && piece.is_empty() && made < room => return true,
            Ok(_) if taken > 0 || made > 0 => {}
            _ => return false,
        }
    }
}

fn zstd(state: &mut Encoder<'static>, piece: &[u8], then: Then, packed: &mut BytesMut) -> std::io::Result<()> {
    let mut input = InBuffer::around(piece);
    loop {
        let at = packed.len();
        let room = piece.len().saturating_sub(input.pos()).saturating_add(ROOM);
        packed.put_bytes(0, room);
        let mut output = OutBuffer::around(packed.get_mut(at..).unwrap_or_default());
        // Not once its end has begun: another frame would begin behind it.
        if input.pos() < piece.len() {
            state.run(&mut input, &mut output)?;
        }
        let fed = input.pos() >= piece.len();
        let rest = match then {
            _ if !fed => 1,
            Then::More => 0,
            Then::Flush => state.flush(&mut output)?,
            Then::Finish => state.finish(&mut output, true)?,
        };
        let made = output.pos();
        packed.truncate(at.saturating_add(made));
        if fed && rest == 0 {
            return Ok(());
        }
        if made == 0 && !fed {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
    }
}
