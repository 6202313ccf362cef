//! How a client proves its password.

use super::exchange::Exchange;
use super::{LoginError, random_nonce};
use crate::proxy::shared::User;
use crate::wire::Capabilities;
use crate::wire::auth::{CACHING_SHA2, NATIVE, NONCE_LEN, caching_sha2, native};
use crate::wire::handshake::{HandshakeResponse, auth_switch};

impl Exchange<'_> {
    /// Whether the client proved the password, and whether it used one.
    pub(super) async fn verify(
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
}
