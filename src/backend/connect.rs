//! Making a connection: socket, greeting, login, and learning what state a fresh session has.

use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::authenticate::{AuthError, authenticate};
use super::connection::Connection;
use super::error::{BackendError, Phase};
use crate::clock;
use crate::cluster::ServerId;
use crate::config::Endpoint;
use crate::net::Stream;
use crate::net::tls::Connector;
use crate::telemetry::CompressionBytes;
use crate::wire::compression::{Compression, Peer};
use crate::wire::handshake::{Greeting, ssl_request};
use crate::wire::writer::put_packet;
use crate::wire::{Capabilities, ErrPacket, Inbox, ProtocolError};

/// The longest packet of a login, in bytes.
const MAX_LOGIN_PACKET: usize = 64 << 10;

/// The longest packet that a server may send, in bytes.
pub(super) const MAX_PACKET: u32 = 1 << 30;

/// Where and how to log in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The server.
    pub server: ServerId,
    /// Its name.
    pub name: Arc<str>,
    /// Its address.
    pub address: Endpoint,
    /// TLS towards it; None: off.
    pub tls: Option<Arc<Connector>>,
    /// The account.
    pub account: Account,
    /// The collation that the client's login carried.
    pub collation: u16,
    /// Those of the client's capabilities that shape results.
    pub capabilities: Capabilities,
    /// The compression to ask for, and what counts it. None: none.
    pub compression: Option<(Compression, CompressionBytes)>,
    /// The limit for all of it.
    pub limit: Duration,
}

/// What the proxy asks of every server, beside what the client's capabilities shape.
const ALWAYS: Capabilities = Capabilities::LONG_PASSWORD
    .with(Capabilities::LONG_FLAG)
    .with(Capabilities::PROTOCOL_41)
    .with(Capabilities::TRANSACTIONS)
    .with(Capabilities::SECURE_CONNECTION)
    .with(Capabilities::MULTI_STATEMENTS)
    .with(Capabilities::PLUGIN_AUTH)
    .with(Capabilities::PLUGIN_AUTH_LENENC)
    .with(Capabilities::CONNECT_ATTRS)
    .with(Capabilities::SESSION_TRACK);

impl Login {
    /// Connects and logs in.
    ///
    /// # Errors
    /// When the server is not there, refuses, or takes longer than the limit.
    pub async fn connect(&self) -> Result<Connection, BackendError> {
        let made = tokio::time::timeout(self.limit, self.connect_unbounded()).await.unwrap_or_else(|_| {
            Err(BackendError::ConnectTimeout { server: self.name.clone(), limit_ms: self.limit.as_millis() })
        });
        // However far the set-up came, nothing of a client was sent.
        made.map_err(|error| match error {
            BackendError::Lost { error, .. } => self.unreachable(error),
            BackendError::Protocol { server, error, .. } => {
                BackendError::Protocol { server, phase: Phase::NotSent, error }
            }
            other => other,
        })
    }

    async fn connect_unbounded(&self) -> Result<Connection, BackendError> {
        let stream = Stream::connect(&self.address).await.map_err(|error| self.unreachable(error))?;
        let mut phase = LoginPhase { stream, inbox: Inbox::default(), sequence: 0 };
        let packet = phase.read().await.map_err(|error| self.failed(error))?;
        if packet.first() == Some(&0xFF) {
            let error = ErrPacket::parse(&packet).map_err(|error| self.malformed(error))?;
            return Err(self.refused(error));
        }
        let greeting = Greeting::parse(&packet).map_err(|error| self.malformed(error))?;
        // A server that does not say that it is MariaDB's sets bit 0; one that is must not be told that we are not.
        let capabilities = (ALWAYS | (self.capabilities & Capabilities::SHAPING))
            & (greeting.capabilities | Capabilities::LONG_PASSWORD);
        if !capabilities.contains(Capabilities::SESSION_TRACK | Capabilities::PLUGIN_AUTH) {
            return Err(BackendError::TooOld { server: self.name.clone(), version: greeting.version });
        }
        let lacks = self.capabilities.lacking(greeting.capabilities);
        if lacks != Capabilities::default() {
            let offered = greeting.capabilities;
            return Err(BackendError::Incapable { server: self.name.clone(), lacks, offered });
        }
        // A server that does not offer it is used without: MariaDB has no zstd, and any server may be told to have none.
        let compression = self.compression.as_ref().filter(|(method, _)| greeting.capabilities.contains(bit(*method)));
        let (asked, level) = compression.map_or_else(Default::default, |(method, _)| (bit(*method), level(*method)));
        // Boxed: a handshake needs some KiB, and only for its time. Under TLS MySQL believes the capabilities of the SSL
        // request alone, and would go on without compression (9.7).
        let agreed = Box::pin(self.secure(&mut phase, &greeting, capabilities | asked)).await?;
        let (capabilities, login) = (agreed.without(asked), (agreed, level));
        authenticate(&mut phase, &greeting, &self.account, login, self.collation).await.map_err(
            |error| match error {
                AuthError::Phase(error) => self.failed(error),
                AuthError::Refused(error) => self.refused(error),
                AuthError::Plugin(plugin, why) => {
                    BackendError::Plugin { server: self.name.clone(), user: self.account.user.clone(), plugin, why }
                }
            },
        )?;
        if let Some((method, bytes)) = compression {
            let early = phase.inbox.take_unread();
            phase.stream.compress(Peer::Server, *method, bytes.clone(), &early);
        }
        let mut connection = Connection::new(
            phase.stream,
            (capabilities, greeting.capabilities),
            greeting.thread_id,
            self.server,
            self.name.clone(),
            clock::now(),
        );
        let taken_for = connection.set_up(greeting.version.contains("MariaDB")).await?;
        match (&self.account.expected, taken_for) {
            (Some(expected), Some(taken_for)) if **expected != *taken_for => {
                Err(BackendError::Mistaken { server: self.name.clone(), expected: expected.clone(), taken_for })
            }
            _ => Ok(connection),
        }
    }

    /// Begins TLS, as this server's settings have it, before anything of the account is said.
    async fn secure(
        &self,
        phase: &mut LoginPhase,
        greeting: &Greeting,
        capabilities: Capabilities,
    ) -> Result<Capabilities, BackendError> {
        let failed = |reason: String| BackendError::Tls { server: self.name.clone(), reason };
        // Nobody listens on a Unix socket.
        let Some(tls) = self.tls.as_ref().filter(|_| !phase.is_secure()) else { return Ok(capabilities) };
        if !greeting.capabilities.contains(Capabilities::SSL) {
            return if tls.is_required() {
                Err(failed("it offers none, and `servers.tls` demands it".to_owned()))
            } else {
                Ok(capabilities)
            };
        }
        // What somebody on the way put behind the greeting must not be read as if it had come by TLS.
        if !phase.inbox.is_empty() {
            return Err(self.malformed(ProtocolError::Malformed { packet: "greeting", what: "bytes behind it" }));
        }
        let request = ssl_request(capabilities, MAX_PACKET, self.collation);
        phase.write(&request).await.map_err(|error| self.failed(error))?;
        let session = tls.session().map_err(|error| failed(error.to_string()))?;
        phase.stream.secure(session, &[]).await.map_err(|error| failed(error.to_string()))?;
        Ok(capabilities.with(Capabilities::SSL))
    }

    fn unreachable(&self, error: std::io::Error) -> BackendError {
        BackendError::Connect { server: self.name.clone(), address: self.address.to_string(), error }
    }

    fn refused(&self, error: ErrPacket) -> BackendError {
        BackendError::Refused { server: self.name.clone(), user: self.account.user.clone(), error }
    }

    fn malformed(&self, error: ProtocolError) -> BackendError {
        BackendError::Protocol { server: self.name.clone(), phase: Phase::NotSent, error }
    }

    fn failed(&self, error: PhaseError) -> BackendError {
        match error {
            PhaseError::Io(error) => self.unreachable(error),
            PhaseError::Protocol(error) => self.malformed(error),
        }
    }
}

/// The capability that asks for it.
const fn bit(method: Compression) -> Capabilities {
    match method {
        Compression::Zlib(_) => Capabilities::COMPRESS,
        Compression::Zstd(_) => Capabilities::ZSTD,
    }
}

/// The level that the login tells: that of the server's answers.
fn level(method: Compression) -> u8 {
    match method {
        Compression::Zlib(_) => 0,
        Compression::Zstd(level) => u8::try_from(level).unwrap_or_default(),
    }
}

/// A server's greeting, without a login: its version and what it can do.
///
/// # Errors
/// When it is not there or refuses.
pub async fn read_greeting(name: &Arc<str>, address: &Endpoint, limit: Duration) -> Result<Greeting, BackendError> {
    let attempt = async {
        let connect = |error| BackendError::Connect { server: name.clone(), address: address.to_string(), error };
        let stream = Stream::connect(address).await.map_err(connect)?;
        let mut phase = LoginPhase { stream, inbox: Inbox::default(), sequence: 0 };
        let protocol = |error| BackendError::Protocol { server: name.clone(), phase: Phase::NotSent, error };
        let packet = phase.read().await.map_err(|error| match error {
            PhaseError::Io(error) => connect(error),
            PhaseError::Protocol(error) => protocol(error),
        })?;
        if packet.first() == Some(&0xFF) {
            let error = ErrPacket::parse(&packet).map_err(protocol)?;
            return Err(BackendError::Refused { server: name.clone(), user: "".into(), error });
        }
        Greeting::parse(&packet).map_err(protocol)
    };
    tokio::time::timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| Err(BackendError::ConnectTimeout { server: name.clone(), limit_ms: limit.as_millis() }))
}

/// A connection whose login goes on.
pub(super) struct LoginPhase {
    stream: Stream,
    inbox: Inbox,
    /// The sequence id of the next packet.
    sequence: u8,
}

#[derive(Debug)]
pub(super) enum PhaseError {
    Io(std::io::Error),
    Protocol(ProtocolError),
}

impl LoginPhase {
    /// Whether nobody on the way can read what is said.
    pub(super) fn is_secure(&self) -> bool {
        self.stream.is_secure()
    }

    pub(super) async fn read(&mut self) -> Result<Vec<u8>, PhaseError> {
        loop {
            if let Some((header, packet)) = self.inbox.take(MAX_LOGIN_PACKET).map_err(PhaseError::Protocol)? {
                self.sequence = header.sequence.wrapping_add(1);
                return Ok(packet.get(4..).unwrap_or_default().to_vec());
            }
            self.stream.read(&mut self.inbox).await.map_err(PhaseError::Io)?;
        }
    }

    pub(super) async fn write(&mut self, payload: &[u8]) -> Result<(), PhaseError> {
        let mut out = bytes::BytesMut::with_capacity(payload.len().saturating_add(4));
        self.sequence = put_packet(&mut out, self.sequence, payload);
        self.stream.write_all(&out, None).await.map_err(PhaseError::Io)
    }
}
