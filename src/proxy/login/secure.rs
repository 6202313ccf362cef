//! TLS at a login: its begin, its demand, and what tells a client that trusts no authority whom it reached.

use super::LoginError;
use super::exchange::Exchange;

use crate::accounts::ClientTls;
use crate::backend::Credential;
use crate::net::tls::{Established, Offer, Version};
use crate::proxy::discovered::Candidate;
use crate::proxy::error::SessionError;
use crate::proxy::users::User;
use crate::telemetry::{LoginFailure, ProtocolSide, TlsVersion};
use crate::wire::auth::NONCE_LEN;
use crate::wire::auth::native::NativeKey;
use crate::wire::handshake::{HandshakeResponse, is_ssl_request};
use crate::wire::{Capabilities, ErrPacket};

impl Exchange<'_> {
    /// The client's login, after it began TLS if it asked to. Whatever followed its request is TLS, also what was read
    /// already: nothing that somebody on the way sent in clear is ever taken for the client's words under TLS.
    pub(super) async fn secure(&mut self, offer: Option<&Offer>, offered: Capabilities) -> Result<Vec<u8>, LoginError> {
        let packet = self.read().await?;
        let Some(offer) = offer else { return Ok(packet) };
        match is_ssl_request(&packet, offered) {
            Ok(true) => {}
            Ok(false) => return Ok(packet),
            Err(error) => return Err(self.malformed(error).await),
        }
        let early = self.client.inbox.take_all();
        let begun = match offer.session() {
            Ok(session) => self.client.stream.secure(session, &early).await,
            Err(error) => Err(std::io::Error::other(error)),
        };
        let tls = self.shared.metrics.tls();
        if let Err(error) = begun {
            tls.failed(ProtocolSide::Client);
            if let Some(suppressed) = self.shared.tells("TLS with a client failed") {
                tracing::info!(client = %self.handle.address(), %error, suppressed, "TLS with a client failed");
            }
            return Err(LoginError::Session(LoginFailure::Tls, SessionError::Client(error)));
        }
        self.client.certificate = Some(offer.fingerprint);
        if let Some(established) = self.client.stream.tls() {
            tls.established(ProtocolSide::Client, version_label(established), established.resumed);
        }
        self.read().await
    }

    /// Refuses a client without TLS, before anything of its account was asked.
    pub(super) async fn insecure(&mut self) -> Result<LoginError, LoginError> {
        let text = "Connections using insecure transport are prohibited (pointsman: tls.mode is \"required\": connect \
                    with TLS)";
        self.refuse(&ErrPacket::new(3159, b"HY000", text)).await?;
        Ok(LoginError::Failed(LoginFailure::Insecure, "the client came without TLS"))
    }

    /// Whether the client came as the account demands it (`REQUIRE`). Servers do not take a Unix socket for TLS.
    pub(super) fn meets(&self, candidate: &Candidate) -> bool {
        let tls = self.client.stream.tls();
        let cipher = tls.map(Established::openssl_cipher).unwrap_or_default();
        let names = tls.and_then(|tls| tls.client_certificate.as_ref());
        let certificate = names.map(|names| (&*names.subject, &*names.issuer));
        candidate.tls().is_met_by(tls.map(|_| ClientTls { cipher: &cipher, certificate }))
    }

    /// What MariaDB's clients (11.4 and later) want to hear from a server whose certificate they cannot verify: a digest
    /// over the password's hash, the nonce, and the certificate, which only somebody who knows the hash can make, and
    /// which fits this certificate only. It goes as the message of the OK that ends the login.
    /// `native_nonce`: what the client answered by `mysql_native_password`; None: another method.
    pub(super) fn binding(
        &self,
        user: &User,
        native_nonce: Option<[u8; NONCE_LEN]>,
        response: &HandshakeResponse,
    ) -> Option<Vec<u8>> {
        // MySQL's clients have LONG_PASSWORD, and do not look.
        let mariadb = !response.capabilities.contains(Capabilities::LONG_PASSWORD);
        let fingerprint = self.client.certificate.filter(|_| mariadb)?;
        let hash = match &user.account.credential {
            Credential::Password(password) => NativeKey::of(password.expose()).stored(),
            Credential::Native(key) => key.stored(),
        };
        Some(hash.binding(&native_nonce?, &fingerprint))
    }
}

/// For the log.
pub(super) const UNMET: &str = "the server refuses an account that demands TLS or a certificate: it sees pointsman's";

/// For a client that has what its account demands, where the server does not let pointsman in. The server says no more than
/// that access is denied.
pub(super) fn unmet(name: &str) -> ErrPacket {
    let text = format!(
        "pointsman: the server denied access for user '{name}'. The account demands TLS or a certificate (REQUIRE), and the \
         server sees pointsman's: `servers.tls` must be on, and `servers.tls_certificate` be what the account demands; or \
         the password was wrong"
    );
    ErrPacket::new(1045, b"28000", &text)
}

/// The version's label.
fn version_label(established: &Established) -> TlsVersion {
    match established.version {
        Version::Tls12 => TlsVersion::V12,
        Version::Tls13 => TlsVersion::V13,
    }
}
