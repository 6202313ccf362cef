//! How a client proves who it is.

use zeroize::Zeroizing;

use super::exchange::Exchange;
use super::{LoginError, random_nonce};
use crate::backend::Password;
use crate::proxy::users::{Claim, User};
use crate::telemetry::LoginFailure;
use crate::wire::auth::{CACHING_SHA2, CLEAR, NATIVE, NONCE_LEN, SHA256, caching_sha2};
use crate::wire::handshake::{HandshakeResponse, auth_switch};
use crate::wire::{Capabilities, ErrPacket};

/// A client's side of an exchange, as far as one packet goes.
struct Answer {
    method: &'static str,
    nonce: [u8; NONCE_LEN],
    proof: Zeroizing<Vec<u8>>,
}

/// What a client's proof came to.
pub(super) struct Proof {
    /// Who it is, if it proved it.
    pub(super) user: Option<std::sync::Arc<User>>,
    /// Whether it used a password at all.
    pub(super) used_password: bool,
    /// The nonce that it answered by `mysql_native_password`; None: another method.
    pub(super) native_nonce: Option<[u8; NONCE_LEN]>,
}

impl Exchange<'_> {
    /// Lets the client prove its claim. `plugin`: what a client is asked to use whose own method is not served.
    pub(super) async fn prove(
        &mut self,
        claim: &Claim,
        response: &HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Proof, LoginError> {
        let answer = self.answer(response, plugin, nonce).await?;
        let proof = &answer.proof;
        // Where a text is ended by a NUL, the empty password is just that.
        let empty = proof.is_empty() || (answer.method != NATIVE && **proof == [0]);
        if empty {
            return Ok(Proof {
                user: claim.by_password(&Password::default()),
                used_password: false,
                native_nonce: None,
            });
        }
        let user = match answer.method {
            NATIVE => claim.by_native(&answer.nonce, proof),
            CACHING_SHA2 => match claim.by_fast(&answer.nonce, proof) {
                Some(user) => {
                    self.write(&[1, caching_sha2::FAST_AUTH_OK]).await?;
                    Some(user)
                }
                None => {
                    self.write(&[1, caching_sha2::FULL_AUTH]).await?;
                    let sent = self.read().await?;
                    self.full(claim, caching_sha2::REQUEST_PUBLIC_KEY, sent, &answer.nonce).await?
                }
            },
            _ => self.full(claim, caching_sha2::REQUEST_SHA256_KEY, answer.proof.to_vec(), &answer.nonce).await?,
        };
        let native_nonce = (answer.method == NATIVE).then_some(answer.nonce);
        Ok(Proof { user, used_password: true, native_nonce })
    }

    /// The client's first proof by a method that can be served.
    async fn answer(
        &mut self,
        response: &HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Answer, LoginError> {
        let secure = self.client.stream.is_secure();
        let method = match response.plugin.as_deref() {
            None | Some(NATIVE) => Some(NATIVE),
            Some(CACHING_SHA2) => Some(CACHING_SHA2),
            Some(SHA256) => Some(SHA256),
            Some(CLEAR) if secure => Some(CLEAR),
            Some(_) => None,
        };
        // A client that does not know the greeting's method (MySQL 9 of native, a MariaDB 10.11 that logs in as a replica of
        // caching_sha2) names its own with nothing in it, and waits to be asked.
        let waits = method
            .filter(|own| matches!(*own, NATIVE | CACHING_SHA2) && *own != plugin && response.auth_response.is_empty());
        let plugin = waits.unwrap_or(plugin);
        if let Some(method) = method.filter(|_| waits.is_none()) {
            return Ok(Answer { method, nonce, proof: response.auth_response.clone().into() });
        }
        if !response.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            return Err(self.too_old().await?);
        }
        let nonce = random_nonce();
        self.write(&auth_switch(plugin, &nonce)).await?;
        Ok(Answer { method: plugin, nonce, proof: self.read().await?.into() })
    }

    /// A client that does not know of methods cannot be asked for another one.
    async fn too_old(&mut self) -> Result<LoginError, LoginError> {
        let text =
            "Client does not support authentication protocol requested by server; consider upgrading MySQL client";
        self.refuse(&ErrPacket::new(1251, b"08004", text)).await?;
        Ok(LoginError::Failed(LoginFailure::Unsupported, "the client does not know of authentication methods"))
    }

    /// The password itself: under RSA, whose key a client may ask for by this byte, or as it is where nobody can read it.
    async fn full(
        &mut self,
        claim: &Claim,
        key_request: u8,
        sent: Vec<u8>,
        nonce: &[u8; NONCE_LEN],
    ) -> Result<Option<std::sync::Arc<User>>, LoginError> {
        let mut sent = Zeroizing::new(sent);
        let password = if *sent == [key_request] {
            let key = [&[1], self.shared.rsa.public_pem().as_bytes()].concat();
            self.write(&key).await?;
            sent = self.read().await?.into();
            self.shared.rsa.decrypt(&sent, nonce)
        } else if self.client.stream.is_secure() {
            (sent.pop() == Some(0)).then_some(sent)
        } else {
            self.shared.rsa.decrypt(&sent, nonce)
        };
        Ok(password.and_then(|password| claim.by_password(&Password::new(password))))
    }
}
