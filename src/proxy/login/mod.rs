//! The login of a client: greeting, authentication, schema. The same steps serve COM_CHANGE_USER.
//!
//! An unknown user cannot be told from a wrong password: both take the whole exchange and get the same words.

mod exchange;
mod judge;
mod prime;
mod prove;
mod secure;

use std::sync::Arc;

use self::exchange::Exchange;
use self::judge::{Evidence, Ruling};
use self::prime::Unprimed;
use self::secure::{UNMET, unmet};
use super::client::Client;
use super::clients::ClientHandle;
use super::discovered::Candidate;
use super::error::{SessionError, protocol_refusal, refusal};
use super::shared::Shared;
use super::users::{Claim, User};
use crate::accounts::TlsRule;
use crate::backend::{BackendError, Lease};
use crate::clock;
use crate::config::{AuthPlugin, OfferedCompression};
use crate::net::tls::Acceptor;
use crate::session::Session;
use crate::telemetry::{LoginFailure, ProtocolSide};
use crate::wire::auth::{CACHING_SHA2, NATIVE, NONCE_LEN, nonce};
use crate::wire::compression::Compression;
use crate::wire::handshake::{Greeting, HandshakeResponse, parse_change_user};
use crate::wire::inbox::RawCommand;
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
    /// The connection that the session must stay on, since its password has expired.
    pub(super) confined: Option<Lease>,
    pub(super) collation: u16,
    /// The client's connection attributes, as they came.
    pub(super) attributes: Arc<[u8]>,
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

/// Greets a client and logs it in.
pub(super) async fn log_in(
    shared: &Arc<Shared>,
    client: &mut Client,
    handle: &ClientHandle,
) -> Result<Box<LoggedIn>, LoginError> {
    let upstream = shared.greetings.primary();
    let nonce = random_nonce();
    let plugin = greeted_plugin(shared.config.proxy.default_auth, &upstream);
    let offer = shared.tls_offer(&upstream);
    let tls = if offer.is_some() { Capabilities::SSL } else { Capabilities::default() };
    let greeting = Greeting {
        version: shared.config.proxy.server_version.clone().unwrap_or_else(|| upstream.version.clone()),
        thread_id: handle.id,
        nonce,
        capabilities: shared.common_capabilities(&upstream) | tls | offered_compression(shared, &upstream),
        collation: upstream.collation,
        status: Status::AUTOCOMMIT,
        plugin: plugin.to_owned(),
    };
    let mut exchange = Exchange { shared, client, handle, sequence: 0 };
    exchange.client.nonce = nonce;
    exchange.write(&greeting.encode()).await?;
    let offered = greeting.capabilities.with(Capabilities::LONG_PASSWORD);
    let packet = Box::pin(exchange.secure(offer.as_deref(), offered)).await?;
    let response = match HandshakeResponse::parse(&packet, offered) {
        Ok(response) => response,
        Err(error) => return Err(exchange.malformed(error).await),
    };
    exchange.client.capabilities = response.capabilities;
    if shared.tls.as_ref().is_some_and(Acceptor::is_required) && !exchange.client.is_secure() {
        return Err(exchange.insecure().await?);
    }
    let compression = match chosen_compression(&response) {
        Ok(compression) => compression,
        Err(packet) => {
            exchange.refuse(&packet).await?;
            return Err(LoginError::Failed(LoginFailure::Unsupported, "no such level of compression"));
        }
    };
    let logged_in = exchange.finish(response, plugin, nonce).await?;
    if let Some(method) = compression {
        client.compress(method, shared.metrics.compression(ProtocolSide::Client), shared.held.clone());
    }
    Ok(logged_in)
}

/// The method that the greeting names: the configuration's, else the primary's own, as far as it is one of those that begin
/// with a proof that tells nothing. Clients of MariaDB verify a self-signed certificate by the password only if it is native.
fn greeted_plugin(configured: Option<AuthPlugin>, primary: &Greeting) -> &'static str {
    match configured {
        Some(AuthPlugin::Native) => NATIVE,
        None if primary.plugin == NATIVE => NATIVE,
        Some(AuthPlugin::CachingSha2) | None => CACHING_SHA2,
    }
}

/// The methods that a client is offered: what `proxy.compression` says, of what the primary has as well, so that a client
/// sees no more of a server than there is.
fn offered_compression(shared: &Shared, primary: &Greeting) -> Capabilities {
    let allowed = match shared.config.proxy.compression {
        OfferedCompression::Any => Capabilities::COMPRESSION,
        OfferedCompression::Zlib => Capabilities::COMPRESS,
        OfferedCompression::Zstd => Capabilities::ZSTD,
        OfferedCompression::Off => Capabilities::default(),
    };
    allowed & primary.capabilities
}

/// The method that a client asks for; of both it is zlib, as with servers.
fn chosen_compression(response: &HandshakeResponse) -> Result<Option<Compression>, ErrPacket> {
    if response.capabilities.contains(Capabilities::COMPRESS) {
        return Ok(Some(Compression::Zlib(ZLIB_LEVEL)));
    }
    if !response.capabilities.contains(Capabilities::ZSTD) {
        return Ok(None);
    }
    match response.zstd_level {
        level @ 1..=22 => Ok(Some(Compression::Zstd(i32::from(level)))),
        level => {
            Err(ErrPacket::new(3923, b"HY000", &format!("Invalid compression level {level} (pointsman: 1 to 22).")))
        }
    }
}

/// What servers use towards their clients.
const ZLIB_LEVEL: u32 = 6;

/// COM_CHANGE_USER: logs in anew on the same connection. On failure the connection ends, as servers do it.
pub(super) async fn change_user(
    shared: &Arc<Shared>,
    client: &mut Client,
    handle: &ClientHandle,
    payload: &[u8],
    collation: u16,
    sequence: u8,
) -> Result<Box<LoggedIn>, LoginError> {
    let max_packet = u32::try_from(client.max_packet).unwrap_or(u32::MAX);
    let capabilities = client.capabilities;
    let mut exchange = Exchange { shared, client, handle, sequence };
    let mut response = match parse_change_user(payload, capabilities, max_packet) {
        Ok(response) => response,
        Err(error) => {
            exchange.refuse(&ErrPacket::new(1047, b"08S01", "Unknown command")).await?;
            return Err(LoginError::Session(LoginFailure::Protocol, error.into()));
        }
    };
    if response.collation == 0 {
        response.collation = collation;
    }
    let nonce = exchange.client.nonce;
    // A client that does not know of methods cannot be asked: the greeting's nonce serves again, as with servers.
    if !capabilities.contains(Capabilities::PLUGIN_AUTH) {
        return exchange.finish(response, NATIVE, nonce).await;
    }
    // Others are always asked.
    let plugin = response.plugin.clone().filter(|plugin| plugin == NATIVE).map_or(CACHING_SHA2, |_| NATIVE);
    response.plugin = Some(String::new());
    exchange.finish(response, plugin, nonce).await
}

impl Exchange<'_> {
    /// Verifies the password, then the user's limit, then the schema; answers.
    async fn finish(
        &mut self,
        response: HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Box<LoggedIn>, LoginError> {
        let name: Arc<str> = String::from_utf8_lossy(&response.user).into();
        let (claim, ruling, used_password, native_nonce) = self.who(&response, plugin, nonce).await?;
        let user = match ruling {
            Ruling::Proven(user) => user,
            Ruling::Wrong => {
                let label = if claim.is_known() { LoginFailure::WrongPassword } else { LoginFailure::UnknownUser };
                return Err(self.deny(&name, used_password, label).await?);
            }
            Ruling::Refused(packet) => {
                self.refuse(&packet).await?;
                return Err(LoginError::Failed(LoginFailure::Refused, "the server refuses the account"));
            }
        };
        let binding = self.binding(&user, native_nonce, &response);
        if !self.is_way_in(&user, &claim) {
            // As good as a wrong password, as with servers.
            return Err(self.deny(&name, used_password, LoginFailure::TlsRequired).await?);
        }
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
        let (base, confined) = match self.prime(&user, &response, matches!(claim, Claim::Discovered(_))).await {
            Ok(primed) => primed,
            Err(Unprimed::Denied) => {
                // What it proved was right when it was read: the account has changed since.
                if let Claim::Discovered(candidate) = &claim {
                    candidate.forget();
                    if candidate.tls() != &TlsRule::None {
                        self.refuse(&unmet(&name)).await?;
                        return Err(LoginError::Failed(LoginFailure::Refused, UNMET));
                    }
                }
                return Err(self.deny(&name, used_password, LoginFailure::Refused).await?);
            }
            Err(Unprimed::Told(packet, label)) => {
                self.refuse(&packet).await?;
                return Err(LoginError::Failed(label, "the account or its schema could not be used"));
            }
        };
        let name = user.account.user.clone();
        self.handle.set_user(name.clone());
        let mut session =
            Session::new(self.handle.id, name, response.capabilities, response.schema.as_deref(), base.clone());
        if let Some(base) = &base {
            session.learn(base);
        }
        let sequence = self.sequence;
        let schema = response.schema.as_deref().filter(|schema| !schema.is_empty());
        match (schema, binding) {
            // Servers report it as a change of state (MariaDB 10.11, MySQL 9.7).
            (Some(schema), binding) => {
                self.client.ok_in(schema, session.status(), binding.as_deref().unwrap_or_default(), sequence).await?;
            }
            (None, Some(binding)) => self.client.ok_saying(session.status(), &binding, sequence).await?,
            (None, None) => self.client.ok(session.status(), 0, sequence).await?,
        }
        if confined.is_some() {
            session.confine();
        }
        let attributes = response.attributes.into();
        Ok(Box::new(LoggedIn { session, user: guard, confined, collation: response.collation, attributes }))
    }
}

impl Exchange<'_> {
    /// Who the client is. Where the servers' accounts count and the proof is none, a newer list of them may know better: the
    /// account, or its password, may be a second old. That wait is the same for an account that is not there.
    async fn who(
        &mut self,
        response: &HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<(Claim, Ruling, bool, Option<[u8; NONCE_LEN]>), LoginError> {
        let shared = self.shared;
        let address = self.handle.address().ip();
        if let Some(discovered) = shared.users.discovered() {
            discovered.refreshed().await;
        }
        let claim = shared.users.claim(&response.user, address);
        let (evidence, used_password) = self.prove(&claim, response, plugin, nonce).await?;
        let native_nonce = match &evidence {
            Evidence::Native(nonce, _) => Some(*nonce),
            Evidence::Password(_) | Evidence::Good(_) | Evidence::None => None,
        };
        let proven = clock::now();
        let ruling = self.judge(&claim, &evidence, response.capabilities).await;
        let (claim, ruling) = match (&claim, &ruling, shared.users.discovered()) {
            (Claim::Discovered(_), Ruling::Wrong, Some(discovered)) if discovered.newer(proven).await => {
                let claim = shared.users.claim(&response.user, address);
                let ruling = self.judge(&claim, &evidence, response.capabilities).await;
                (claim, ruling)
            }
            _ => (claim, ruling),
        };
        let ruling = match (ruling, &claim) {
            (Ruling::Proven(user), Claim::Discovered(candidate)) => self.barred(user, candidate, response).await,
            (ruling, _) => ruling,
        };
        Ok((claim, ruling, used_password, native_nonce))
    }

    /// A locked account, or one whose password expired, gets the server's own words.
    async fn barred(&self, user: Arc<User>, candidate: &Candidate, response: &HandshakeResponse) -> Ruling {
        let handles = response.capabilities.contains(Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS);
        let barred = candidate.entry().is_some_and(|entry| entry.locked || (entry.expired && !handles));
        if !barred {
            return Ruling::Proven(user);
        }
        match self.try_login(user.account.clone(), response.capabilities).await {
            Err(error @ BackendError::Refused { .. }) => Ruling::Refused(refusal(&error)),
            // It is no longer so.
            _ => Ruling::Proven(user),
        }
    }

    /// Whether the account may be used on the client's stream.
    fn is_way_in(&self, user: &User, claim: &Claim) -> bool {
        let meets = match claim {
            Claim::Discovered(candidate) => self.meets(candidate),
            Claim::Configured(_) | Claim::Nobody(_) => true,
        };
        meets && (self.client.is_secure() || !user.require_tls)
    }

    /// The server's words for every proof that is none.
    async fn deny(&mut self, name: &str, used_password: bool, label: LoginFailure) -> Result<LoginError, LoginError> {
        let text = format!(
            "Access denied for user '{name}'@'{}' (using password: {})",
            self.handle.address().host(),
            if used_password { "YES" } else { "NO" }
        );
        self.refuse(&ErrPacket::new(1045, b"28000", &text)).await?;
        Ok(LoginError::Failed(label, "access denied"))
    }
}

fn admit(user: &Arc<User>) -> Option<UserGuard> {
    use std::sync::atomic::Ordering::Relaxed;
    let guard = UserGuard(user.clone());
    let before = user.connections.fetch_add(1, Relaxed);
    user.max_connections.is_none_or(|most| before < most).then_some(guard)
}

/// The error that ends a session whose client broke the protocol.
pub(super) async fn refuse_protocol(client: &mut Client, error: &ProtocolError, command: Option<&RawCommand>) {
    let sequence = command.map_or_else(|| client.answer_sequence(), |command| command.next_sequence);
    let _ = client.refuse(&protocol_refusal(error, "proxy.max_packet"), sequence).await;
}
