//! How a client proves who it is.

use zeroize::Zeroizing;

use super::exchange::Exchange;
use super::judge::Evidence;
use super::{LoginError, random_nonce};
use crate::backend::Password;
use crate::proxy::users::Claim;
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

impl Exchange<'_> {
    /// Lets the client prove its claim; gives what it sent, and whether it used a password at all. `plugin`: what a client is
    /// asked to use whose own method is not served.
    pub(super) async fn prove(
        &mut self,
        claim: &Claim,
        response: &HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<(Evidence, bool), LoginError> {
        let Answer { method, nonce, proof } = self.answer(claim, response, plugin, nonce).await?;
        // Where a text is ended by a NUL, the empty password is just that.
        let empty = proof.is_empty() || (method != NATIVE && *proof == [0]);
        if empty {
            return Ok((Evidence::Password(Password::default()), false));
        }
        let evidence = match method {
            NATIVE => Evidence::Native(nonce, proof),
            CACHING_SHA2 => match claim.by_fast(&nonce, &proof) {
                Some(user) => {
                    self.write(&[1, caching_sha2::FAST_AUTH_OK]).await?;
                    Evidence::Good(user)
                }
                // All passwords are known, so that this is none of them. Without TLS a client may be unable to give more.
                None if self.shared.users.discovered().is_none() => Evidence::None,
                None => {
                    self.write(&[1, caching_sha2::FULL_AUTH]).await?;
                    let sent = self.read().await?.into();
                    self.full(caching_sha2::REQUEST_PUBLIC_KEY, sent, &nonce).await?
                }
            },
            _ => self.full(caching_sha2::REQUEST_SHA256_KEY, proof, &nonce).await?,
        };
        Ok((evidence, true))
    }

    /// The client's first proof by a method that can be served.
    async fn answer(
        &mut self,
        claim: &Claim,
        response: &HandshakeResponse,
        plugin: &'static str,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Answer, LoginError> {
        let secure = self.client.is_secure();
        let proof = &response.auth_response;
        // Also where only the password can tell what is not known yet: what is known may do, and an empty proof needs none.
        let mut native = claim.knows_native() || proof.is_empty() || claim.by_native(&nonce, proof).is_some();
        // Who cannot be asked for another method, and is nobody: as the primary has it.
        if !response.capabilities.contains(Capabilities::PLUGIN_AUTH) && !claim.is_known() {
            native |= self.shared.greetings.primary().plugin == NATIVE;
        }
        let method = match response.plugin.as_deref() {
            None | Some(NATIVE) if native => Some(NATIVE),
            Some(CACHING_SHA2) => Some(CACHING_SHA2),
            Some(SHA256) => Some(SHA256),
            Some(CLEAR) if secure => Some(CLEAR),
            _ => None,
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
        let plugin = if plugin == NATIVE && !claim.knows_native() { CACHING_SHA2 } else { plugin };
        // At COM_CHANGE_USER clients' libraries sign for the native method what they were sent last, and do not look at what
        // comes with the request; servers send the same again.
        let nonce = if plugin == NATIVE { self.client.nonce } else { random_nonce() };
        self.client.nonce = nonce;
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
        key_request: u8,
        mut sent: Zeroizing<Vec<u8>>,
        nonce: &[u8; NONCE_LEN],
    ) -> Result<Evidence, LoginError> {
        let password = if *sent == [key_request] {
            let key = [&[1], self.shared.rsa.public_pem().as_bytes()].concat();
            self.write(&key).await?;
            sent = self.read().await?.into();
            self.shared.rsa.decrypt(&sent, nonce)
        } else if self.client.is_secure() {
            (sent.pop() == Some(0)).then_some(sent)
        } else {
            self.shared.rsa.decrypt(&sent, nonce)
        };
        Ok(password.map_or(Evidence::None, |password| Evidence::Password(Password::new(password))))
    }
}
