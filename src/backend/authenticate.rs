//! The proxy proves an account to a server, by whatever method the server asks for.

use super::account::{Account, Credential};
use super::connect::{Login, LoginPhase, MAX_PACKET, PhaseError};
use crate::wire::auth::{CACHING_SHA2, CLEAR, ED25519, NATIVE, PARSEC, SHA256, caching_sha2, ed25519, native, parsec};
use crate::wire::handshake::{AuthReply, Greeting, HandshakeResponse};
use crate::wire::{Capabilities, ErrPacket, ProtocolError};

/// What servers are told of a connection that is shared: the proxy's own attributes, since a client's describe one client.
fn own_attributes() -> Vec<u8> {
    let pid = std::process::id().to_string();
    let mut out = bytes::BytesMut::new();
    for (name, value) in [
        ("_client_name", "pointsman"),
        ("_client_version", env!("CARGO_PKG_VERSION")),
        ("_pid", &pid),
        ("program_name", "pointsman"),
    ] {
        crate::wire::writer::put_lenenc_bytes(&mut out, name.as_bytes());
        crate::wire::writer::put_lenenc_bytes(&mut out, value.as_bytes());
    }
    out.to_vec()
}

/// Why a proof failed.
#[derive(Debug)]
pub(super) enum AuthError {
    /// The connection or the protocol broke.
    Phase(PhaseError),
    /// The server refused.
    Refused(ErrPacket),
    /// The server asks for this method, which cannot be served, because of this.
    Plugin(String, &'static str),
}

impl From<PhaseError> for AuthError {
    fn from(error: PhaseError) -> Self {
        Self::Phase(error)
    }
}

/// The methods that servers may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Native,
    CachingSha2,
    Sha256,
    Clear,
    Ed25519,
    Parsec,
}

impl Method {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            NATIVE => Self::Native,
            CACHING_SHA2 => Self::CachingSha2,
            SHA256 => Self::Sha256,
            CLEAR => Self::Clear,
            ED25519 => Self::Ed25519,
            PARSEC => Self::Parsec,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Native => NATIVE,
            Self::CachingSha2 => CACHING_SHA2,
            Self::Sha256 => SHA256,
            Self::Clear => CLEAR,
            Self::Ed25519 => ED25519,
            Self::Parsec => PARSEC,
        }
    }
}

/// Sends the login and answers what the server asks, until it accepts or refuses.
pub(super) async fn authenticate(
    phase: &mut LoginPhase,
    greeting: &Greeting,
    login: &Login,
    (capabilities, zstd_level): (Capabilities, u8),
) -> Result<(), AuthError> {
    let account = &login.account;
    // Before anything else is asked for, only methods are used whose first proof tells nothing.
    let method = match (&*greeting.plugin, &account.credential) {
        (CACHING_SHA2, Credential::Password(_)) => Method::CachingSha2,
        _ => Method::Native,
    };
    let mut proof = Proof { account, method, nonce: greeting.nonce.to_vec() };
    let response = HandshakeResponse {
        capabilities,
        max_packet: MAX_PACKET,
        collation: login.collation,
        user: account.user.as_bytes().to_vec(),
        auth_response: proof.first(phase)?,
        schema: login.schema.clone(),
        plugin: Some(method.name().to_owned()),
        attributes: login.attributes.as_deref().map_or_else(own_attributes, <[u8]>::to_vec),
        zstd_level,
    };
    phase.write(&response.encode()).await?;
    loop {
        let packet = phase.read().await?;
        match AuthReply::parse(&packet).map_err(PhaseError::Protocol)? {
            AuthReply::Ok => return Ok(()),
            AuthReply::Err => {
                let error = ErrPacket::parse(&packet).unwrap_or_else(|error| {
                    ErrPacket::new(1043, b"08S01", &format!("an unreadable error packet: {error}"))
                });
                return Err(AuthError::Refused(error));
            }
            AuthReply::Switch { plugin, data } => {
                proof.method = Method::named(plugin)
                    .ok_or_else(|| AuthError::Plugin(plugin.to_owned(), "which pointsman does not speak"))?;
                proof.nonce = data.to_vec();
                let first = proof.first(phase)?;
                phase.write(&first).await?;
            }
            AuthReply::NextFactor { plugin } => {
                let plugin = format!("{plugin} (a further factor)");
                return Err(AuthError::Plugin(plugin, "and pointsman has one password for an account"));
            }
            AuthReply::More(data) => {
                if let Some(answer) = proof.next(phase, data)? {
                    phase.write(&answer).await?;
                }
            }
        }
    }
}

/// A proof on its way.
struct Proof<'a> {
    account: &'a Account,
    method: Method,
    nonce: Vec<u8>,
}

impl Proof<'_> {
    fn password(&self) -> Result<&[u8], AuthError> {
        match &self.account.credential {
            Credential::Password(password) => Ok(password.expose()),
            Credential::Native(_) => Err(AuthError::Plugin(
                self.method.name().to_owned(),
                "and of this account only what mysql_native_password needs is known",
            )),
        }
    }

    /// What answers the method's nonce.
    fn first(&self, phase: &LoginPhase) -> Result<Vec<u8>, AuthError> {
        if let (Method::Native, Credential::Native(key)) = (self.method, &self.account.credential) {
            return Ok(key.scramble(&self.nonce));
        }
        let password = self.password()?;
        Ok(match self.method {
            Method::Native => native::scramble(password, &self.nonce),
            // The empty password is one NUL byte there.
            Method::CachingSha2 | Method::Sha256 if password.is_empty() => vec![0],
            Method::CachingSha2 => caching_sha2::scramble(password, &self.nonce),
            // A Unix socket is nothing to this one: the server waits for RSA.
            Method::Sha256 if phase.is_tls() => with_nul(password),
            Method::Sha256 => vec![caching_sha2::REQUEST_SHA256_KEY],
            Method::Clear if phase.is_secure() => with_nul(password),
            Method::Clear => {
                return Err(AuthError::Plugin(
                    CLEAR.to_owned(),
                    "which pointsman speaks over TLS and Unix sockets only",
                ));
            }
            Method::Ed25519 => ed25519::sign(password, &self.nonce).to_vec(),
            // The account's salt is asked for.
            Method::Parsec => Vec::new(),
        })
    }

    /// What answers more data of the method's; None: nothing does.
    fn next(&self, phase: &LoginPhase, data: &[u8]) -> Result<Option<Vec<u8>>, AuthError> {
        let malformed =
            |what| AuthError::Phase(PhaseError::Protocol(ProtocolError::Malformed { packet: "AuthMoreData", what }));
        match (self.method, data) {
            (Method::CachingSha2, [caching_sha2::FAST_AUTH_OK]) => Ok(None),
            (Method::CachingSha2, [caching_sha2::FULL_AUTH]) if phase.is_secure() => {
                Ok(Some(with_nul(self.password()?)))
            }
            (Method::CachingSha2, [caching_sha2::FULL_AUTH]) => Ok(Some(vec![caching_sha2::REQUEST_PUBLIC_KEY])),
            (Method::CachingSha2 | Method::Sha256, key) => {
                let cipher = caching_sha2::encrypt(self.password()?, &self.nonce, key);
                Ok(Some(cipher.ok_or_else(|| malformed("not a public key"))?))
            }
            (Method::Parsec, salt) => {
                let salt = parsec::Salt::parse(salt).ok_or_else(|| malformed("not a salt of parsec"))?;
                let mut nonce = [0; parsec::NONCE_LEN];
                aws_lc_rs::rand::fill(&mut nonce).map_err(|_| malformed("no randomness for an answer"))?;
                let answer = parsec::respond(self.password()?, salt, &self.nonce, nonce);
                Ok(Some(answer.ok_or_else(|| malformed("not a nonce of parsec"))?))
            }
            (Method::Native | Method::Clear | Method::Ed25519, _) => Err(malformed("unasked")),
        }
    }
}

fn with_nul(password: &[u8]) -> Vec<u8> {
    [password, &[0]].concat()
}
