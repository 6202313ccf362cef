//! The login of a client: greeting, authentication, schema. The same steps serve COM_CHANGE_USER.
//!
//! An unknown user cannot be told from a wrong password: both take the whole exchange and get the same words.

use std::sync::Arc;

use super::client::Client;
use super::clients::ClientHandle;
use super::error::{SessionError, protocol_refusal, refusal};
use super::shared::{Shared, User};
use crate::backend::{BackendError, PoolKey};
use crate::config::AuthPlugin;
use crate::session::{Base, Preamble, Session, Settings};
use crate::telemetry::{LoginFailure, Origin};
use crate::wire::auth::{CACHING_SHA2, NATIVE, NONCE_LEN, caching_sha2, native, nonce};
use crate::wire::handshake::{Greeting, HandshakeResponse, auth_switch, parse_change_user};
use crate::wire::inbox::RawCommand;
use crate::wire::writer::put_packet;
use crate::wire::{Capabilities, ErrPacket, ProtocolError, Status};

/// The longest packet of a login, in bytes: limits come before authentication.
const MAX_LOGIN_PACKET: usize = 64 << 10;

/// Why a login failed; the client has been told.
pub(super) enum LoginError {
    /// With this label, and whether the client is to be told more.
    Failed(LoginFailure, &'static str),
    /// The connection or the protocol broke.
    Session(LoginFailure, SessionError),
}

impl From<std::io::Error> for LoginError {
    fn from(error: std::io::Error) -> Self {
        Self::Session(LoginFailure::Gone, error.into())
    }
}

/// A login that succeeded.
pub(super) struct LoggedIn {
    pub(super) session: Session,
    pub(super) user: UserGuard,
    pub(super) collation: u16,
    /// The nonce of the greeting.
    pub(super) nonce: [u8; NONCE_LEN],
}

/// Counts a user's clients.
pub(super) struct UserGuard(pub(super) Arc<User>);

impl Drop for UserGuard {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

fn random_nonce() -> [u8; NONCE_LEN] {
    let mut bytes = [0; NONCE_LEN];
    // Cannot fail once the process runs: the key pair was made from the same source at start.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    nonce(bytes)
}

/// A client's login goes on.
struct Exchange<'a> {
    shared: &'a Shared,
    client: &'a mut Client,
    handle: &'a ClientHandle,
    /// The sequence id of the next packet.
    sequence: u8,
}

/// Greets a client and logs it in.
pub(super) async fn log_in(
    shared: &Arc<Shared>,
    client: &mut Client,
    handle: &ClientHandle,
) -> Result<LoggedIn, LoginError> {
    let upstream = shared.greetings.primary();
    let nonce = random_nonce();
    let plugin = match shared.config.proxy.default_auth {
        AuthPlugin::Native => NATIVE,
        AuthPlugin::CachingSha2 => CACHING_SHA2,
    };
    // What the servers cannot do is not offered; LONG_PASSWORD is MariaDB's sign.
    let greeting = Greeting {
        version: shared.config.proxy.server_version.clone().unwrap_or_else(|| upstream.version.clone()),
        thread_id: handle.id,
        nonce,
        capabilities: Capabilities::OFFERED & upstream.capabilities.with(Capabilities::PLUGIN_AUTH_LENENC),
        collation: upstream.collation,
        status: Status::AUTOCOMMIT,
        plugin: plugin.to_owned(),
    };
    let mut exchange = Exchange { shared, client, handle, sequence: 0 };
    exchange.write(&greeting.encode()).await?;
    let packet = exchange.read().await?;
    let offered = greeting.capabilities.with(Capabilities::LONG_PASSWORD);
    let response = match HandshakeResponse::parse(&packet, offered) {
        Ok(response) => response,
        Err(error) => return Err(exchange.malformed(error).await),
    };
    exchange.client.capabilities = response.capabilities;
    exchange.finish(response, plugin, nonce).await
}

/// COM_CHANGE_USER: logs in anew on the same connection. On failure the connection ends, as servers do it.
pub(super) async fn change_user(
    shared: &Arc<Shared>,
    client: &mut Client,
    handle: &ClientHandle,
    payload: &[u8],
    collation: u16,
    greeted: [u8; NONCE_LEN],
    sequence: u8,
) -> Result<LoggedIn, LoginError> {
    let max_packet = u32::try_from(client.max_packet).unwrap_or(u32::MAX);
    let capabilities = client.capabilities;
    let mut exchange = Exchange { shared, client, handle, sequence };
    let mut response = match parse_change_user(payload, capabilities, max_packet) {
        Ok(response) => response,
        Err(error) => return Err(exchange.malformed(error).await),
    };
    if response.collation == 0 {
        response.collation = collation;
    }
    // A client that does not know of methods cannot be asked: the greeting's nonce serves again, as with servers.
    if !capabilities.contains(Capabilities::PLUGIN_AUTH) {
        return exchange.finish(response, NATIVE, greeted).await;
    }
    // Of others it must not serve twice: the client is always asked anew.
    let plugin = response.plugin.clone().filter(|plugin| plugin == NATIVE).map_or(CACHING_SHA2, |_| NATIVE);
    response.plugin = Some(String::new());
    exchange.finish(response, plugin, random_nonce()).await
}

impl Exchange<'_> {
    async fn write(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let mut out = bytes::BytesMut::with_capacity(payload.len().saturating_add(4));
        self.sequence = put_packet(&mut out, self.sequence, payload);
        self.client.write(&out).await
    }

    async fn read(&mut self) -> Result<Vec<u8>, LoginError> {
        loop {
            match self.client.inbox.take(MAX_LOGIN_PACKET) {
                Ok(Some((header, packet))) => {
                    if header.sequence != self.sequence {
                        let error = ProtocolError::OutOfOrder { expected: self.sequence, got: header.sequence };
                        return Err(self.malformed(error).await);
                    }
                    self.sequence = header.sequence.wrapping_add(1);
                    return Ok(packet.get(4..).unwrap_or_default().to_vec());
                }
                Ok(None) => self.client.read().await?,
                Err(error) => return Err(self.malformed(error).await),
            }
        }
    }

    async fn malformed(&mut self, error: ProtocolError) -> LoginError {
        self.client.capabilities = self.client.capabilities.with(Capabilities::PROTOCOL_41);
        let (packet, label) = match error {
            // A client of the protocol before 4.1 cannot be served; servers say 1251 or 1043.
            ProtocolError::Malformed { what, .. } if what.contains("older than 4.1") => (
                ErrPacket::new(1251, b"08004", &format!("pointsman: {what}; upgrade the client")),
                LoginFailure::Unsupported,
            ),
            _ => {
                (ErrPacket::new(1043, b"08S01", &format!("Bad handshake (pointsman: {error})")), LoginFailure::Protocol)
            }
        };
        let _ = self.client.refuse(&packet, self.sequence).await;
        LoginError::Session(label, error.into())
    }

    /// Verifies the password, then the user's limit, then the schema; answers.
    async fn finish(
        &mut self,
        response: HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<LoggedIn, LoginError> {
        let user = self.shared.users.get(&response.user).cloned();
        let name: Arc<str> = String::from_utf8_lossy(&response.user).into();
        let (proven, used_password) = self.verify(&response, user.as_deref(), plugin, nonce).await?;
        let Some(user) = user.filter(|_| proven) else {
            let text = format!(
                "Access denied for user '{name}'@'{}' (using password: {})",
                self.handle.address().host(),
                if used_password { "YES" } else { "NO" }
            );
            let known = self.shared.users.contains_key(&response.user);
            self.refuse(&ErrPacket::new(1045, b"28000", &text)).await?;
            let label = if known { LoginFailure::WrongPassword } else { LoginFailure::UnknownUser };
            return Err(LoginError::Failed(label, "access denied"));
        };
        let Some(guard) = admit(&user) else {
            let most = user.max_connections.unwrap_or_default();
            let text = format!(
                "User {name} already has more than 'max_user_connections' active connections (pointsman: \
                 users.max_connections is {most})"
            );
            self.refuse(&ErrPacket::new(1203, b"42000", &text)).await?;
            self.shared.metrics.client_refused(crate::telemetry::ClientRefusal::UserConnections);
            return Err(LoginError::Failed(LoginFailure::Schema, "too many connections of this user"));
        };
        let name = user.account.user.clone();
        let base = match self.prime(&user, &response).await {
            Ok(base) => base,
            Err(packet) => {
                self.refuse(&packet).await?;
                return Err(LoginError::Failed(LoginFailure::Schema, "the schema could not be used"));
            }
        };
        self.handle.set_user(name.clone());
        let mut session =
            Session::new(self.handle.id, name, response.capabilities, response.schema.as_deref(), base.clone());
        if let Some(base) = &base {
            session.learn(base);
        }
        let sequence = self.sequence;
        self.client.ok(session.status(), sequence).await?;
        Ok(LoggedIn { session, user: guard, collation: response.collation, nonce })
    }

    async fn refuse(&mut self, error: &ErrPacket) -> Result<(), LoginError> {
        self.shared.metrics.error(error.code, Origin::Proxy);
        Ok(self.client.refuse(error, self.sequence).await?)
    }

    /// Whether the client proved the password, and whether it used one.
    async fn verify(
        &mut self,
        response: &HandshakeResponse,
        user: Option<&User>,
        plugin: &'static str,
        mut nonce: [u8; NONCE_LEN],
    ) -> Result<(bool, bool), LoginError> {
        // A stand-in that nobody can prove, so that unknown users take the same path.
        let stand_in = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.shared.keys[0].to_le_bytes());
        let password = user.map_or_else(|| stand_in.as_ref(), |user| user.account.password.expose().as_bytes());
        let named = response.plugin.as_deref().unwrap_or(NATIVE);
        let (used, proof) = match named {
            NATIVE => (NATIVE, response.auth_response.clone()),
            CACHING_SHA2 => (CACHING_SHA2, response.auth_response.clone()),
            // Another method, or none that it named: it is asked to use ours.
            _ => {
                let plugin = if response.capabilities.contains(Capabilities::PLUGIN_AUTH) { plugin } else { NATIVE };
                nonce = random_nonce();
                self.write(&auth_switch(plugin, &nonce)).await?;
                (plugin, self.read().await?)
            }
        };
        let empty = proof.is_empty() || (used == CACHING_SHA2 && proof == [0]);
        if empty {
            return Ok((user.is_some() && password.is_empty(), false));
        }
        if used == NATIVE {
            return Ok((native::verify(password, &nonce, &proof) && user.is_some(), true));
        }
        if caching_sha2::verify(password, &nonce, &proof) && user.is_some() {
            self.write(&[1, caching_sha2::FAST_AUTH_OK]).await?;
            return Ok((true, true));
        }
        self.full_exchange(password, &nonce).await.map(|proven| (proven && user.is_some(), true))
    }

    /// The full exchange of caching_sha2_password: the password under RSA.
    async fn full_exchange(&mut self, password: &[u8], nonce: &[u8; NONCE_LEN]) -> Result<bool, LoginError> {
        self.write(&[1, caching_sha2::FULL_AUTH]).await?;
        let mut answer = self.read().await?;
        if answer == [caching_sha2::REQUEST_PUBLIC_KEY] {
            let key = [&[1], self.shared.rsa.public_pem().as_bytes()].concat();
            self.write(&key).await?;
            answer = self.read().await?;
        }
        Ok(self.shared.rsa.decrypt(&answer, nonce).is_some_and(|sent| crate::wire::auth::same(&sent, password)))
    }

    /// Learns what fresh sessions of this form have, and whether the account and the schema can be used, where it
    /// is not known yet.
    async fn prime(&self, user: &Arc<User>, response: &HandshakeResponse) -> Result<Option<Arc<Base>>, ErrPacket> {
        let shared = self.shared;
        let base = shared.greetings.base(response.collation, response.capabilities);
        let name = &user.account.user;
        let schema_known = shared.greetings.knows_schema(name, response.schema.as_deref().unwrap_or_default());
        if base.is_some() && schema_known {
            return Ok(base);
        }
        let key = PoolKey {
            user: name.clone(),
            collation: response.collation,
            capabilities: response.capabilities & Capabilities::SHAPING,
            schema: response.schema.is_some(),
        };
        match try_primary(shared, user, &key, response).await {
            Ok(base) => Ok(Some(base)),
            Err(BackendError::State { error, .. }) => Err(error),
            Err(error @ (BackendError::Refused { .. } | BackendError::Plugin { .. })) => Err(refusal(&error)),
            // The primary is not there now: the client may read all the same, and is told when it writes.
            Err(error) => {
                tracing::debug!(%error, "login without the primary");
                Ok(base)
            }
        }
    }
}

async fn try_primary(
    shared: &Shared,
    user: &Arc<User>,
    key: &PoolKey,
    response: &HandshakeResponse,
) -> Result<Arc<Base>, BackendError> {
    let gone = || BackendError::PoolFull { text: "pointsman: no primary is configured".into() };
    let primary = shared.cluster.load().primary().map(|primary| primary.id).ok_or_else(gone)?;
    let server = shared.pools.server(primary).ok_or_else(gone)?;
    let mut lease = server.lease(&server.pool(key, &user.account)).await?;
    let wanted = Arc::new(Settings {
        schema: response.schema.as_deref().map(Into::into),
        multi_statements: lease.state.settings.multi_statements,
        ..Settings::default()
    });
    let preamble = Preamble::between(&lease.state, &wanted);
    if !preamble.is_empty() {
        let replies = lease.prepare_state(&preamble, &wanted);
        lease.flush().await?;
        lease.swallow_preamble(&replies).await?;
        lease.busy = false;
    }
    let base = lease.state.base.clone();
    shared.greetings.keep_base(key.collation, key.capabilities, &base);
    shared.greetings.keep_schema(&key.user, response.schema.as_deref().unwrap_or_default());
    Ok(base)
}

fn admit(user: &Arc<User>) -> Option<UserGuard> {
    use std::sync::atomic::Ordering::Relaxed;
    let guard = UserGuard(user.clone());
    let before = user.connections.fetch_add(1, Relaxed);
    user.max_connections.is_none_or(|most| before < most).then_some(guard)
}

/// The error that ends a session whose client broke the protocol.
pub(super) async fn refuse_protocol(client: &mut Client, error: &ProtocolError, command: Option<&RawCommand>) {
    let sequence = command.map_or(1, |command| command.next_sequence);
    let _ = client.refuse(&protocol_refusal(error, "proxy.max_packet"), sequence).await;
}
