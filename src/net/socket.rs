//! A TCP or a Unix socket, as one type.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Endpoint;

/// A server that vanished without a word is noticed within two minutes, also on an idle connection.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// A socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same call on either.
macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Socket::Tcp($stream) => $call,
            Socket::Unix($stream) => $call,
        }
    };
}

impl Socket {
    pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        let address = match endpoint {
            Endpoint::Tcp(address) => address,
            Endpoint::Unix(path) => return UnixStream::connect(&**path).await.map(Self::Unix),
        };
        let stream = TcpStream::connect((&*address.host, address.port)).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE.0).with_interval(KEEPALIVE.1);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self::Tcp(stream))
    }

    /// Whether it does not leave the machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    #[inline]
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.try_read(buffer))
    }

    #[inline]
    pub(super) fn try_read_buf(&self, space: &mut BytesMut) -> io::Result<usize> {
        either!(self, stream => stream.try_read_buf(space))
    }

    pub(super) async fn read_buf(&mut self, space: &mut BytesMut) -> io::Result<usize> {
        either!(self, stream => stream.read_buf(space).await)
    }

    #[inline]
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.try_write(bytes))
    }

    pub(super) fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.try_write_vectored(slices))
    }

    // Polled, where `writable()` and `readable()` would do: their futures take ten times the room in that of each session.
    // Of several that wait for the same only the last is woken; a socket has one task, which waits once.

    pub(super) async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| either!(self, stream => stream.poll_write_ready(context))).await
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| either!(self, stream => stream.poll_read_ready(context))).await
    }

    /// Waits until the peer says nothing more, without reading what it said. What is there to be read wakes nobody. Cancel
    /// safe.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) async fn closed(&self) {
        // Urgent data, which nobody asked for, or the end: the only readiness without READABLE that has READ_CLOSED in it.
        while let Ok(ready) = either!(self, stream => stream.ready(Interest::PRIORITY).await) {
            if ready.is_read_closed() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Elsewhere nobody can tell without reading.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) async fn closed(&self) {
        std::future::pending::<()>().await;
    }

    /// Whether something is there to be read. A system call.
    pub(super) fn has_more(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::new(0)];
        let peeked = either!(self, stream => socket2::SockRef::from(stream).peek(&mut byte));
        peeked.is_ok_and(|bytes| bytes > 0)
    }

    /// When it is dropped the peer finds its connection reset, not ended.
    pub(super) fn reset_when_dropped(&self) {
        // Where that cannot be had it ends as others do.
        let _ = either!(self, stream => socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
    }

    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        either!(self, stream => stream.shutdown().await)
    }
}
