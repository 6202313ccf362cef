//! Sockets that clients connect to.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::{Peer, Stream};
use crate::config::Address;

/// Connections that the system accepts before they are taken, as the runtime asks it for TCP.
const BACKLOG: i32 = 1024;

/// A socket that clients connect to.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, and its file.
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Binds a TCP socket.
    ///
    /// # Errors
    /// As the system: the address is in use, or not this machine's.
    pub async fn bind_tcp(address: &Address) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind((&*address.host, address.port)).await?))
    }

    /// Binds a Unix socket whose file has this mode from the moment that it can be connected to. A file that a dead
    /// process left is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody listens there, or the file is no socket; else as the system.
    pub fn bind_unix(path: &str, mode: u32) -> io::Result<Self> {
        remove_stale(Path::new(path))?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile::of(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(socket.into())?, file))
    }

    /// Where it listens; None: not by TCP.
    ///
    /// # Errors
    /// As the system.
    pub fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            Self::Unix(..) => Ok(None),
        }
    }

    /// Waits for a client. Cancel safe.
    ///
    /// # Errors
    /// As the system: out of file descriptors, mostly.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, client = %address, "set_nodelay");
                }
                Ok((stream.into(), address.into()))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((stream.into(), Peer::Local))
            }
        }
    }
}

/// Removes the file of a socket that nobody listens on.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |what: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, what.to_owned()));
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => return in_use("there is a file that is no socket"),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => in_use("another process listens there"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        // It may be alive, and not ours to ask.
        Err(error) => Err(error),
    }
}

/// The file of a Unix socket; removed when this is dropped, unless another process has put its own there.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &str) -> io::Result<Self> {
        let path = PathBuf::from(path);
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Gone already, or the folder is not ours any more: nothing to be done.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The device and the inode of a file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_file_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let text = path.to_str().unwrap();
        // Left by a process that died.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = Listener::bind_unix(text, 0o640).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
        let (_taken, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, Peer::Local);
        tokio::io::AsyncWriteExt::write_all(&mut client, b"x").await.unwrap();

        let error = Listener::bind_unix(text, 0o777).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        drop(listener);
        assert!(!path.exists());

        std::fs::write(&path, "precious").unwrap();
        let error = Listener::bind_unix(text, 0o777).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_successors_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let text = path.to_str().unwrap();
        let old = Listener::bind_unix(text, 0o777).unwrap();
        std::fs::remove_file(&path).unwrap();
        // So that the successor cannot get the same inode.
        std::fs::write(folder.path().join("between"), "").unwrap();
        let new = Listener::bind_unix(text, 0o777).unwrap();
        drop(old);
        assert!(path.exists());
        drop(new);
        assert!(!path.exists());
    }
}
