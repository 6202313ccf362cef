//! What clients and servers are spoken to by. A plain TCP connection costs what its socket costs.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::socket::Socket;
use crate::config::Endpoint;
use crate::wire::Inbox;

/// Bytes asked for in one read: a point select's reply fits, and larger results grow it.
const READ: usize = 16 << 10;

/// A connection's stream of bytes.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { socket: Socket::Tcp(stream) }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self { socket: Socket::Unix(stream) }
    }
}

impl Stream {
    /// Connects to a server.
    ///
    /// # Errors
    /// As the system.
    pub async fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        Ok(Self { socket: Socket::connect(endpoint).await? })
    }

    /// Whether nobody on the way can read what is said: on a Unix socket.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self.socket, Socket::Unix(_))
    }

    /// Reads into `inbox` what is here, or waits for something. Cancel safe.
    ///
    /// # Errors
    /// As the socket; `UnexpectedEof` when the peer closed it.
    pub async fn read(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        // A reply that filled the last read has more to come: larger reads, fewer system calls.
        let space = inbox.space(READ);
        let read = match self.socket.try_read_buf(space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.read_buf(space).await?,
            other => other?,
        };
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the connection"));
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
        let mut rest = match self.socket.try_write(bytes) {
            Ok(written) if written == bytes.len() => return Ok(()),
            Ok(written) => bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => bytes,
            Err(error) => return Err(error),
        };
        while !rest.is_empty() {
            let write = self.socket.write(rest);
            let written = match patience {
                None => write.await?,
                Some(patience) => tokio::time::timeout(patience, write).await.map_err(|_| {
                    io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its result in time")
                })??,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether the peer has said nothing since the last read, nor closed the connection. Costs no system call while
    /// nothing has come. What has come is lost: for streams on which nothing is due.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        matches!(self.socket.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits until there may be something to read; may return without there being any. Cancel safe.
    ///
    /// # Errors
    /// As the socket.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Says that nothing more will be written.
    ///
    /// # Errors
    /// As the socket.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.socket.shutdown().await
    }
}
