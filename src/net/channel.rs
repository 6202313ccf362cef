//! A socket, or TLS over one: what bytes go by when nothing compresses them. A plain socket costs what it costs; TLS is
//! driven from here, so that a look at a connection on which nothing is due tells session tickets from data.

use std::io;
use std::time::Duration;

use bytes::BytesMut;

use super::socket::Socket;
use super::tls::{Established, Session};

/// A socket, or TLS over one.
#[derive(Debug)]
pub(super) struct Channel {
    socket: Socket,
    /// None: what is said goes over the socket as it is.
    tls: Option<Box<Session>>,
}

impl From<Socket> for Channel {
    fn from(socket: Socket) -> Self {
        Self { socket, tls: None }
    }
}

impl Channel {
    /// Whether nobody on the way can read what is said.
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some() || self.socket.is_local()
    }

    /// What was agreed on, when there is TLS.
    pub(super) fn tls(&self) -> Option<&Established> {
        self.tls.as_ref().map(|session| session.established())
    }

    /// Lays TLS over the socket; `early` are bytes of it that were read already. After an error nothing is to be read or
    /// written any more.
    pub(super) async fn secure(&mut self, session: rustls::Connection, early: &[u8]) -> io::Result<()> {
        let session = Session::establish(session, &mut self.socket, early).await?;
        self.tls = Some(Box::new(session));
        Ok(())
    }

    /// Appends what is here to `space`, or waits for something; 0: the peer closed it. Cancel safe.
    #[inline]
    pub(super) async fn read(&mut self, space: &mut BytesMut) -> io::Result<usize> {
        loop {
            let read = match &mut self.tls {
                None => self.socket.try_read_buf(space),
                Some(tls) => tls.try_read(&self.socket, space),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.readable().await?,
                other => return other,
            }
        }
    }

    /// Writes of `bytes` what the socket takes at once; true: all of it. What is left stands in `bytes`, and goes on when it
    /// is writable.
    #[inline]
    pub(super) fn try_write(&mut self, bytes: &mut &[u8]) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            return tls.try_write(&self.socket, bytes);
        }
        match self.socket.try_write(bytes) {
            Ok(written) if written == bytes.len() => Ok(true),
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                *bytes = bytes.get(written..).unwrap_or_default();
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes all of `bytes`, as the socket takes them. With a `patience`, the peer must take some of them within it, again and
    /// again.
    pub(super) async fn write_all(&mut self, mut bytes: &[u8], patience: Option<Duration>) -> io::Result<()> {
        while !self.try_write(&mut bytes)? {
            within(patience, self.socket.writable()).await?;
        }
        Ok(())
    }

    /// Whether nothing for us came since the last read, and the peer did not close it. What came is lost.
    pub(super) fn is_quiet(&mut self) -> bool {
        match &mut self.tls {
            None => self.is_untouched(),
            Some(tls) => tls.is_quiet(&self.socket),
        }
    }

    /// Whether nothing at all came, not even what belongs to TLS itself. If something came, the channel is broken now.
    pub(super) fn is_untouched(&self) -> bool {
        !self.tls.as_ref().is_some_and(|tls| tls.has_plaintext())
            && matches!(self.socket.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits until there may be something to read. Cancel safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        if self.tls.as_ref().is_some_and(|tls| tls.has_plaintext()) {
            return Ok(());
        }
        self.socket.readable().await
    }

    /// Waits until the peer is gone: it closed the connection and left nothing unread. What it says behind a command that
    /// runs keeps this waiting, whatever follows. Cancel safe.
    pub(super) async fn gone(&self) {
        self.socket.closed().await;
        // Under TLS an orderly end is bytes too.
        if self.tls.is_none() && self.socket.has_more() {
            std::future::pending::<()>().await;
        }
    }

    /// See [`Socket::reset_when_dropped`].
    pub(super) fn reset_when_dropped(&self) {
        self.socket.reset_when_dropped();
    }

    /// Says that nothing more will be written.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.socket);
        }
        self.socket.shutdown().await
    }
}

/// Awaits a write within the patience that there is.
async fn within<T>(patience: Option<Duration>, write: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match patience {
        None => write.await,
        Some(patience) => tokio::time::timeout(patience, write)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its result in time"))?,
    }
}

#[cfg(test)]
impl Channel {
    /// Writes past TLS, as somebody on the way could.
    pub(super) async fn write_unencrypted(&self, bytes: &[u8]) {
        let writable = self.socket.writable().await;
        assert_eq!(writable.and_then(|()| self.socket.try_write(bytes)).ok(), Some(bytes.len()));
    }
}
