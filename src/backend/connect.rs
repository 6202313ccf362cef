//! Making a connection: socket, greeting, login, and learning what state a fresh session has.

use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::authenticate::{AuthError, authenticate};
use super::connection::Connection;
use super::error::{BackendError, Phase};
use crate::clock;
use crate::cluster::{Flavor, ServerId};
use crate::config::Endpoint;
use crate::net::tls::Connector;
use crate::net::{Held, Host, Stream};
use crate::telemetry::CompressionBytes;
use crate::wire::compression::{Compression, Peer};
use crate::wire::handshake::{Greeting, ssl_request};
use crate::wire::proxy_protocol::{self, ProxyVersion, Speaker};
use crate::wire::writer::put_packet;
use crate::wire::{Capabilities, ErrPacket, Inbox, ProtocolError};

/// The longest packet of a login, in bytes.
const MAX_LOGIN_PACKET: usize = 64 << 10;

/// What a server said before it ended the connection is there, mostly; a reset may have taken it.
const LAST_WORD: Duration = Duration::from_millis(100);

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
    /// Those of the client's capabilities that shape results, and whether it can handle an expired password.
    pub capabilities: Capabilities,
    /// The compression to ask for, and what counts it. None: none.
    pub compression: Option<(Compression, CompressionBytes)>,
    /// The version of the PROXY protocol's header that the connection begins with. None: there is none.
    pub proxy_protocol: Option<ProxyVersion>,
    /// The client whom the header speaks for. None: pointsman itself.
    pub client: Option<Host>,
    /// The connection attributes of the client whom it serves alone. None: pointsman's own.
    pub attributes: Option<Arc<[u8]>>,
    /// The schema to log in with, for a connection that can choose none later: one whose password has expired.
    pub schema: Option<Vec<u8>>,
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
        // Before the login, which takes over the global variables as they are then.
        let began = clock::now();
        let mut phase = LoginPhase::begin(&self.address, self.proxy_protocol, self.client)
            .await
            .map_err(|error| self.unreachable(error))?;
        let packet = phase.read().await.map_err(|error| self.failed(error))?;
        if packet.first() == Some(&0xFF) {
            let error = ErrPacket::parse(&packet).map_err(|error| self.malformed(error))?;
            return Err(self.refused(error));
        }
        let greeting = Greeting::parse(&packet).map_err(|error| self.malformed(error))?;
        // A server that does not say that it is MariaDB's sets bit 0; one that is must not be told that we are not.
        let asked = Capabilities::SHAPING | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS;
        let capabilities =
            (ALWAYS | (self.capabilities & asked)) & (greeting.capabilities | Capabilities::LONG_PASSWORD);
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
        let asked = if self.schema.is_some() { asked | Capabilities::CONNECT_WITH_DB } else { asked };
        // Boxed: a handshake needs some KiB, and only for its time. Under TLS MySQL believes the capabilities of the SSL
        // request alone, and would go on without compression (9.7).
        let agreed = Box::pin(self.secure(&mut phase, &greeting, capabilities | asked)).await?;
        let (capabilities, login) = (agreed.without(asked), (agreed, level));
        match authenticate(&mut phase, &greeting, self, login).await {
            Ok(()) => {}
            Err(AuthError::Phase(error)) => return Err(self.broke(&mut phase, error).await),
            Err(AuthError::Refused(error)) => return Err(self.refused(error)),
            Err(AuthError::Plugin(plugin, why)) => {
                let (server, user) = (self.name.clone(), self.account.user.clone());
                return Err(BackendError::Plugin { server, user, plugin, why });
            }
        }
        if let Some((method, bytes)) = compression {
            let early = phase.inbox.take_unread();
            phase.stream.compress(Peer::Server, *method, bytes.clone(), Held::default(), &early);
        }
        let mut connection = Connection::new(
            phase.stream,
            (capabilities, greeting.capabilities),
            greeting.thread_id,
            self.server,
            self.name.clone(),
            began,
        );
        let taken_for = connection.set_up(Flavor::from_version(&greeting.version) == Flavor::MariaDb).await?;
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
            // Unless it is what a server says that takes no header of the PROXY protocol.
            if self.proxy_protocol.is_some() {
                return Err(self.broke(phase, PhaseError::Io(std::io::ErrorKind::ConnectionAborted.into())).await);
            }
            return Err(self.malformed(ProtocolError::Malformed { packet: "greeting", what: "bytes behind it" }));
        }
        let request = ssl_request(capabilities, MAX_PACKET, self.collation);
        if let Err(error) = phase.write(&request).await {
            return Err(self.broke(phase, error).await);
        }
        let session = tls.session().map_err(|error| failed(error.to_string()))?;
        phase.stream.secure(session, &[]).await.map_err(|error| {
            // It may have refused the header in clear.
            let reason = error.to_string();
            let ended = error.kind() != std::io::ErrorKind::InvalidData || reason.contains("corrupt message");
            if ended && self.proxy_protocol.is_some() { self.untaken(reason) } else { failed(reason) }
        })?;
        Ok(capabilities.with(Capabilities::SSL))
    }

    /// The connection ended in the login. A server that takes no header of the PROXY protocol ends it then, with a word.
    async fn broke(&self, phase: &mut LoginPhase, error: PhaseError) -> BackendError {
        match (error, self.proxy_protocol) {
            (PhaseError::Io(error), Some(_)) => {
                let word = tokio::time::timeout(LAST_WORD, phase.read()).await;
                match word.ok().and_then(Result::ok).and_then(|packet| ErrPacket::parse(&packet).ok()) {
                    Some(word) => self.refused(word),
                    None => self.untaken(error.to_string()),
                }
            }
            (error, _) => self.failed(error),
        }
    }

    fn untaken(&self, reason: String) -> BackendError {
        BackendError::Header { server: self.name.clone(), reason }
    }

    fn unreachable(&self, error: std::io::Error) -> BackendError {
        BackendError::Connect { server: self.name.clone(), address: self.address.to_string(), error }
    }

    fn refused(&self, error: ErrPacket) -> BackendError {
        // MariaDB 10.11: 1130, a host that is not allowed. MySQL 9.7 takes it for a packet: 1156, out of order.
        let header = error.code == 1156 || error.code == 1130 && error.message.contains("Proxy header");
        if header && self.proxy_protocol.is_some() {
            return self.untaken(error.message.to_string());
        }
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
pub async fn read_greeting(
    name: &Arc<str>,
    address: &Endpoint,
    proxy_protocol: Option<ProxyVersion>,
    limit: Duration,
) -> Result<Greeting, BackendError> {
    let attempt = async {
        let connect = |error| BackendError::Connect { server: name.clone(), address: address.to_string(), error };
        let mut phase = LoginPhase::begin(address, proxy_protocol, None).await.map_err(connect)?;
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
    /// Connects. The header of the PROXY protocol comes first, before the server has said anything.
    async fn begin(
        address: &Endpoint,
        proxy_protocol: Option<ProxyVersion>,
        client: Option<Host>,
    ) -> std::io::Result<Self> {
        let mut stream = Stream::connect(address).await?;
        if let Some(version) = proxy_protocol {
            let speaker = match client {
                Some(Host::Ip(address)) => Speaker::Ip(address),
                Some(Host::Local) => Speaker::Unix,
                None => Speaker::Oneself,
            };
            stream.write_all(&proxy_protocol::encode(version, speaker), None).await?;
        }
        Ok(Self { stream, inbox: Inbox::default(), sequence: 0 })
    }

    /// Whether nobody on the way can read what is said.
    pub(super) fn is_secure(&self) -> bool {
        self.stream.is_secure()
    }

    /// Whether there is TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.stream.tls().is_some()
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
