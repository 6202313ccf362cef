//! What clients and servers are spoken to by. A plain TCP connection costs what its socket costs.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::channel::Channel;
use super::compressed::{Compressed, Held};
use super::socket::Socket;
use super::tls::Established;
use crate::config::Endpoint;
use crate::telemetry::CompressionBytes;
use crate::wire::Inbox;
use crate::wire::compression::{Compression, Peer};

/// A connection's stream of bytes: a socket, or TLS over one; compressed, or as they are.
#[derive(Debug)]
pub struct Stream {
    channel: Channel,
    /// None: nothing is compressed, and nothing is lost on that.
    compressed: Option<Box<Compressed>>,
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { channel: Socket::Tcp(stream).into(), compressed: None }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self { channel: Socket::Unix(stream).into(), compressed: None }
    }
}

impl Stream {
    /// Connects to a server.
    ///
    /// # Errors
    /// As the system.
    pub async fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        Ok(Self { channel: Socket::connect(endpoint).await?.into(), compressed: None })
    }

    /// Begins compression, as it was agreed at the login that has just succeeded. `early` are bytes of the peer that were
    /// read already; `held` counts what all hold of packets that are not complete.
    pub fn compress(&mut self, peer: Peer, method: Compression, bytes: CompressionBytes, held: Held, early: &[u8]) {
        self.compressed = Some(Box::new(Compressed::new(peer, method, bytes, held, early)));
    }

    /// Whether packets travel in compressed ones. Their own sequence ids tell nothing then: peers do not look at them, and
    /// servers number them anew at places of their own.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.compressed.is_some()
    }

    /// How it is compressed, if it is.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.compressed.as_ref().map(|compressed| compressed.method())
    }

    /// Where it is compressed: the sequence id that the peer expects of the first packet of an answer.
    #[must_use]
    pub fn next_sequence(&self) -> Option<u8> {
        self.compressed.as_ref().map(|compressed| compressed.next_sequence())
    }

    /// What is said next was not asked for: servers number its compressed packets anew.
    pub fn begin(&mut self) {
        if let Some(compressed) = &mut self.compressed {
            compressed.begin();
        }
    }

    /// Gives back the memory that is of use only while something is said.
    pub fn release(&mut self) {
        if let Some(compressed) = &mut self.compressed {
            compressed.release();
        }
    }

    /// Whether nobody on the way can read what is said: under TLS, and on a Unix socket.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.channel.is_secure()
    }

    /// What was agreed on, when there is TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Established> {
        self.channel.tls()
    }

    /// Begins TLS, as the session's side has it. `early` are bytes of the peer that were read already and belong to it.
    /// Nothing is to be read or written after an error.
    ///
    /// # Errors
    /// As the socket; `InvalidData` when the handshake failed, with the reason.
    pub async fn secure(&mut self, session: impl Into<rustls::Connection>, early: &[u8]) -> io::Result<()> {
        self.channel.secure(session.into(), early).await
    }

    /// Reads into `inbox` what is here, or waits for something. Cancel safe.
    ///
    /// # Errors
    /// As the socket; `UnexpectedEof` when the peer closed it; `InvalidData` when TLS broke, or what is
    /// compressed is not what it says.
    pub async fn read(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the connection");
        if let Some(compressed) = &mut self.compressed {
            // Boxed, as few sessions are compressed, and each would have room for it.
            let read = Box::pin(compressed.read(&mut self.channel, inbox)).await?;
            return if read { Ok(()) } else { Err(closed()) };
        }
        if inbox.is_bare() {
            self.channel.readable().await?;
        }
        if self.channel.read(inbox.room()).await? == 0 {
            return Err(closed());
        }
        inbox.received();
        Ok(())
    }

    /// Writes all of `bytes`: at once where the socket takes them, else as it does. With a `patience`, the peer must take
    /// some of them within it, again and again.
    ///
    /// # Errors
    /// As the socket; `TimedOut` when the patience ended.
    pub async fn write_all(&mut self, bytes: &[u8], patience: Option<Duration>) -> io::Result<()> {
        let mut rest = bytes;
        if self.compressed.is_none() && self.channel.try_write(&mut rest)? {
            return Ok(());
        }
        // Boxed: few writes wait, and each session would have room for it all the time.
        Box::pin(self.write_rest(rest, patience)).await
    }

    async fn write_rest(&mut self, rest: &[u8], patience: Option<Duration>) -> io::Result<()> {
        match &mut self.compressed {
            Some(compressed) => compressed.write_all(&mut self.channel, rest, patience).await,
            None => self.channel.write_all(rest, patience).await,
        }
    }

    /// Whether the peer has said nothing since the last read, nor closed the connection. Costs no system call while
    /// nothing has come. What has come is lost: for streams on which nothing is due.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        self.compressed.as_ref().is_none_or(|compressed| compressed.is_quiet()) && self.channel.is_quiet()
    }

    /// Whether nothing at all came since the last read, not even what belongs to TLS itself. If something came, the stream
    /// is of no use any more: for streams that may be dropped on a mere suspicion.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.compressed.as_ref().is_none_or(|compressed| compressed.is_quiet()) && self.channel.is_untouched()
    }

    /// Waits until there may be something to read; may return without there being any. Cancel safe.
    ///
    /// # Errors
    /// As the socket.
    pub async fn readable(&self) -> io::Result<()> {
        if self.compressed.as_ref().is_some_and(|compressed| !compressed.is_quiet()) {
            return Ok(());
        }
        self.channel.readable().await
    }

    /// Waits until the peer is gone, without reading: it closed the connection and left nothing unread. One that has sent
    /// more before it closed is not taken for gone. Never ends where the system cannot tell (only Linux can). Cancel safe.
    pub async fn gone(&self) {
        self.channel.gone().await;
    }

    /// When it is dropped the peer finds its connection reset, not ended: over TCP.
    pub fn reset_when_dropped(&self) {
        self.channel.reset_when_dropped();
    }

    /// Says that nothing more will be written.
    ///
    /// # Errors
    /// As the socket.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.channel.shutdown().await
    }
}

#[cfg(test)]
impl Stream {
    /// Writes past TLS, as somebody on the way could.
    pub(super) async fn write_unencrypted(&self, bytes: &[u8]) {
        self.channel.write_unencrypted(bytes).await;
    }
}
