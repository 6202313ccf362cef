//! One TLS session over a socket. Decrypts what a read brought in the same call, so that nothing waits half-done and a
//! read can be dropped at any time.

use std::io::{self, BufRead as _, Write as _};

use bytes::BytesMut;
use rustls::{Connection, HandshakeKind, ProtocolVersion};

use super::names::CertificateNames;
use crate::net::socket::Socket;

/// Bytes asked for in one read: the longest record with its head.
const RECORD: usize = 18 << 10;

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Established {
    /// The protocol's version.
    pub version: Version,
    /// The cipher suite, by its IANA name.
    pub cipher: String,
    /// Whether an earlier session went on, which saves the costly half of a handshake.
    pub resumed: bool,
    /// The names in the certificate that a client showed, which was found good. Those of servers are not read.
    pub client_certificate: Option<CertificateNames>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Established {
    /// The cipher suite, by OpenSSL's name.
    #[must_use]
    pub fn openssl_cipher(&self) -> String {
        super::names::cipher(&self.cipher)
    }
}

impl Version {
    /// As servers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// A TLS session after its handshake.
pub(in crate::net) struct Session {
    connection: Connection,
    /// Bytes of the socket that rustls has not yet; empty between two calls.
    ciphertext: BytesMut,
    /// What came with the handshake's end and was not read yet.
    plaintext: BytesMut,
    /// The peer said that nothing more will come.
    closed: bool,
    established: Established,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("established", &self.established).finish_non_exhaustive()
    }
}

impl Session {
    /// Does the handshake. `early` are bytes of the socket that were read already.
    pub(in crate::net) async fn establish(
        connection: Connection,
        socket: &mut Socket,
        early: &[u8],
    ) -> io::Result<Self> {
        let established =
            Established { version: Version::Tls13, cipher: String::new(), resumed: false, client_certificate: None };
        let mut session = Self {
            connection,
            ciphertext: BytesMut::from(early),
            plaintext: BytesMut::new(),
            closed: false,
            established,
        };
        let mut plaintext = BytesMut::new();
        loop {
            if !session.ciphertext.is_empty() {
                session.feed(socket, &mut plaintext)?;
            }
            while !session.try_flush(socket)? {
                socket.writable().await?;
            }
            if !session.connection.is_handshaking() {
                break;
            }
            if session.closed || session.receive(socket).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the peer closed the connection during the TLS handshake",
                ));
            }
        }
        session.plaintext = plaintext;
        session.ciphertext = BytesMut::new();
        session.established = Established {
            version: match session.connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => Version::Tls12,
                _ => Version::Tls13,
            },
            cipher: session
                .connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str().map(str::to_owned))
                .unwrap_or_default(),
            resumed: session.connection.handshake_kind() == Some(HandshakeKind::Resumed),
            client_certificate: match &session.connection {
                Connection::Server(server) => {
                    server.peer_certificates().and_then(<[_]>::first).and_then(CertificateNames::of)
                }
                Connection::Client(_) => None,
            },
        };
        Ok(session)
    }

    pub(in crate::net) fn established(&self) -> &Established {
        &self.established
    }

    /// Whether a read would bring something at once.
    pub(in crate::net) fn has_plaintext(&self) -> bool {
        !self.plaintext.is_empty() || self.closed
    }

    /// Appends what is here to `space`; 0: the peer closed it; `WouldBlock`: nothing is here.
    pub(in crate::net) fn try_read(&mut self, socket: &Socket, space: &mut BytesMut) -> io::Result<usize> {
        if !self.plaintext.is_empty() {
            let first = std::mem::take(&mut self.plaintext);
            space.extend_from_slice(&first);
            return Ok(first.len());
        }
        let before = space.len();
        while !self.closed {
            self.ciphertext.reserve(RECORD);
            let read = socket.try_read_buf(&mut self.ciphertext);
            if matches!(&read, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                // An idle connection holds no memory for what may come.
                self.ciphertext = BytesMut::new();
            }
            if read? == 0 {
                break;
            }
            self.feed(socket, space)?;
            if space.len() > before {
                break;
            }
        }
        Ok(space.len().saturating_sub(before))
    }

    /// Waits for bytes of the socket. Cancel safe.
    async fn receive(&mut self, socket: &mut Socket) -> io::Result<usize> {
        socket.readable().await?;
        self.ciphertext.reserve(RECORD);
        socket.read_buf(&mut self.ciphertext).await
    }

    /// Decrypts all that was received into `plaintext`; at most what one read brought.
    fn feed(&mut self, socket: &Socket, plaintext: &mut BytesMut) -> io::Result<()> {
        let ciphertext = std::mem::take(&mut self.ciphertext);
        let mut rest = &*ciphertext;
        while !rest.is_empty() {
            // rustls takes a few KiB at a time, and only while what it has decrypted is taken from it.
            self.connection.read_tls(&mut rest)?;
            let state = self.connection.process_new_packets().map_err(|error| {
                // It has an alert for the peer, which is not waited for.
                let _ = self.connection.write_tls(&mut Records(socket));
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            if state.plaintext_bytes_to_read() > 0 {
                let mut reader = self.connection.reader();
                loop {
                    let len = match reader.fill_buf() {
                        Ok(chunk) => {
                            plaintext.extend_from_slice(chunk);
                            chunk.len()
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    };
                    if len == 0 {
                        break;
                    }
                    reader.consume(len);
                }
            }
            if state.peer_has_closed() {
                self.closed = true;
                break;
            }
        }
        let mut ciphertext = ciphertext;
        ciphertext.clear();
        self.ciphertext = ciphertext;
        if self.connection.wants_write() && !self.connection.is_handshaking() {
            // An answer to a key update; what the socket does not take now leaves before what is written next.
            match self.connection.write_tls(&mut Records(socket)) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether nothing but the session's own (tickets, key updates) came since the last read. Costs no system call while
    /// nothing has come.
    pub(in crate::net) fn is_quiet(&mut self, socket: &Socket) -> bool {
        let mut plaintext = BytesMut::new();
        while plaintext.is_empty() && !self.has_plaintext() {
            self.ciphertext.reserve(RECORD);
            match socket.try_read_buf(&mut self.ciphertext) {
                Ok(0) => return false,
                Ok(_) if self.feed(socket, &mut plaintext).is_ok() => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ciphertext = BytesMut::new();
                    return true;
                }
                Ok(_) | Err(_) => return false,
            }
        }
        false
    }

    /// Encrypts and writes of `bytes` what the socket takes at once; true: all of it. What is not encrypted yet stands in
    /// `bytes`; what is goes first the next time.
    pub(in crate::net) fn try_write(&mut self, socket: &Socket, bytes: &mut &[u8]) -> io::Result<bool> {
        loop {
            // A bounded part at a time.
            let taken = self.connection.writer().write(bytes)?;
            *bytes = bytes.get(taken..).unwrap_or_default();
            if !self.try_flush(socket)? {
                return Ok(false);
            }
            if bytes.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Writes the records that are there, as far as the socket takes them at once; true: all.
    fn try_flush(&mut self, socket: &Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Records(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Tells the peer that nothing more will come, as far as the socket takes it at once.
    pub(in crate::net) fn close(&mut self, socket: &Socket) {
        self.connection.send_close_notify();
        // The end of the socket follows, and says the same to a peer that does not look.
        let _ = self.connection.write_tls(&mut Records(socket));
    }
}

/// Writes records without waiting, several with one call.
struct Records<'a>(&'a Socket);

impl io::Write for Records<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
