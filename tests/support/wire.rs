//! What packets travel in: a socket, or TLS over it; compressed, or as they are. Compression is done here by itself, not by
//! the code under test, and whole compressed packets are held.

use std::io;

use bytes::{Buf as _, BytesMut};
use pointsman::net::Stream;
use pointsman::wire::Inbox;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::tls::client_config;

/// How packets are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Zlib,
    Zstd,
}

/// The level of zstd that a client asks for: MySQL's default.
pub const ZSTD_LEVEL: u8 = 3;

/// Shorter ones are stored as they are, as servers and clients do.
const MIN_COMPRESSED: usize = 50;

/// The greatest length that stands in a header.
const MOST: usize = 0xFF_FFFF;

/// A client's end of a connection.
pub struct Wire {
    channel: Channel,
    compressed: Option<Compressed>,
}

enum Channel {
    Tcp(TcpStream),
    Tls {
        stream: Box<Stream>,
        inbox: Inbox,
        read: BytesMut,
    },
    /// While it is being exchanged.
    None,
}

struct Compressed {
    method: Method,
    /// The sequence id of the next compressed packet, in either direction.
    next: u8,
    /// What came and was not asked for yet.
    plain: BytesMut,
}

impl From<TcpStream> for Wire {
    fn from(stream: TcpStream) -> Self {
        Self { channel: Channel::Tcp(stream), compressed: None }
    }
}

impl Wire {
    /// Begins TLS; any certificate will do.
    pub async fn secure(&mut self) -> io::Result<()> {
        let Channel::Tcp(stream) = std::mem::replace(&mut self.channel, Channel::None) else { panic!("no plain one") };
        let mut stream = Box::new(Stream::from(stream));
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(client_config(rustls::ALL_VERSIONS), name).unwrap();
        stream.secure(session, b"").await?;
        self.channel = Channel::Tls { stream, inbox: Inbox::default(), read: BytesMut::new() };
        Ok(())
    }

    /// Whether it is under TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self.channel, Channel::Tls { .. })
    }

    /// Begins compression.
    pub fn compress(&mut self, method: Method) {
        self.compressed = Some(Compressed { method, next: 0, plain: BytesMut::new() });
    }

    pub fn is_compressed(&self) -> bool {
        self.compressed.is_some()
    }

    /// Bytes of compressed packets that came and were not asked for.
    pub fn unasked(&self) -> usize {
        self.compressed.as_ref().map_or(0, |compressed| compressed.plain.len())
    }

    /// Call before a command: it begins a numbering.
    pub fn begin(&mut self) {
        if let Some(compressed) = &mut self.compressed {
            compressed.next = 0;
        }
    }

    /// Writes packets.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(compressed) = &mut self.compressed else { return self.channel.write_all(bytes).await };
        for piece in bytes.chunks(MOST) {
            let packed = (piece.len() >= MIN_COMPRESSED).then(|| compressed.method.pack(piece));
            let packed = packed.filter(|packed| packed.len() < piece.len());
            let said = if packed.is_some() { piece.len() } else { 0 };
            let body = packed.as_deref().unwrap_or(piece);
            let ([a, b, c, ..], [d, e, f, ..]) = (body.len().to_le_bytes(), said.to_le_bytes());
            let header = [a, b, c, compressed.next, d, e, f];
            compressed.next = compressed.next.wrapping_add(1);
            self.channel.write_all(&[&header[..], body].concat()).await?;
        }
        Ok(())
    }

    /// Reads all of `out`.
    pub async fn read_exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        let Some(compressed) = &mut self.compressed else { return self.channel.read_exact(out).await };
        while compressed.plain.len() < out.len() {
            let mut header = [0; 7];
            self.channel.read_exact(&mut header).await?;
            let [a, b, c, sequence, d, e, f] = header;
            if sequence != compressed.next {
                return Err(invalid(format!("compressed packet {sequence} where {} was due", compressed.next)));
            }
            compressed.next = sequence.wrapping_add(1);
            let length = |a: u8, b: u8, c: u8| usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            let mut body = vec![0; length(a, b, c)];
            self.channel.read_exact(&mut body).await?;
            match length(d, e, f) {
                0 => compressed.plain.extend_from_slice(&body),
                said => compressed.plain.extend_from_slice(&compressed.method.unpack(&body, said)?),
            }
        }
        compressed.plain.copy_to_slice(out);
        Ok(())
    }

    /// Reads what is here, or waits; of plain connections only.
    pub async fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Tcp(stream) if self.compressed.is_none() => stream.read(out).await,
            _ => panic!("not a plain connection"),
        }
    }

    /// Looks at what comes next; of plain connections only.
    pub async fn peek(&self, out: &mut [u8]) -> io::Result<usize> {
        match &self.channel {
            Channel::Tcp(stream) if self.compressed.is_none() => stream.peek(out).await,
            _ => panic!("not a plain connection"),
        }
    }
}

impl Channel {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Tls { stream, .. } => stream.write_all(bytes, None).await,
            Self::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    async fn read_exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.read_exact(out).await.map(drop),
            Self::Tls { stream, inbox, read } => {
                while read.len() < out.len() {
                    stream.read(inbox).await?;
                    read.unsplit(inbox.take_all());
                }
                read.copy_to_slice(out);
                Ok(())
            }
            Self::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Method {
    fn pack(self, plain: &[u8]) -> Vec<u8> {
        match self {
            Self::Zlib => {
                let mut state = flate2::Compress::new(flate2::Compression::default(), true);
                let mut packed = Vec::with_capacity(plain.len() + plain.len() / 100 + 100);
                state.compress_vec(plain, &mut packed, flate2::FlushCompress::Finish).unwrap();
                packed
            }
            Self::Zstd => zstd::bulk::compress(plain, i32::from(ZSTD_LEVEL)).unwrap(),
        }
    }

    /// `said` bytes, no more and no fewer.
    fn unpack(self, packed: &[u8], said: usize) -> io::Result<Vec<u8>> {
        let plain = match self {
            Self::Zlib => {
                // Room for one byte more, so that too many are seen.
                let mut plain = Vec::with_capacity(said + 1);
                let mut state = flate2::Decompress::new(true);
                let ended = state.decompress_vec(packed, &mut plain, flate2::FlushDecompress::Finish);
                if !matches!(ended, Ok(flate2::Status::StreamEnd)) || state.total_in() != packed.len() as u64 {
                    return Err(invalid(format!("no whole zlib stream: {ended:?}")));
                }
                plain
            }
            Self::Zstd => zstd::bulk::decompress(packed, said)?,
        };
        if plain.len() != said {
            return Err(invalid(format!("{said} bytes are said, {} are there", plain.len())));
        }
        Ok(plain)
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
