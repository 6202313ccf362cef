//! MariaDB's `client_ed25519`: a signature of the nonce under a key made of the password.
//! [Page](https://mariadb.com/kb/en/connection/#client_ed25519-plugin).
//!
//! It is Ed25519 whose *expanded* secret key is SHA512(password). Libraries take a seed of 32 bytes and hash that, so the
//! expanded key has to be handed to them by their lower entrance.

use aws_lc_rs::digest::{SHA512, digest};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use zeroize::Zeroizing;

/// The length of a server's nonce in bytes.
pub const NONCE_LEN: usize = 32;

/// The signature of `nonce` that proves `password`. MariaDB signs with the empty password as with any other.
#[must_use]
pub fn sign(password: &[u8], nonce: &[u8]) -> [u8; 64] {
    let mut expanded = Zeroizing::new([0; 64]);
    for (place, byte) in expanded.iter_mut().zip(digest(&SHA512, password).as_ref()) {
        *place = *byte;
    }
    let secret = ExpandedSecretKey::from_bytes(&expanded);
    let public = VerifyingKey::from(&secret);
    raw_sign::<ed25519_dalek::Sha512>(&secret, nonce, &public).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use ed25519_dalek::Signature;

    /// `ed25519_password('secret')`, as MariaDB's documentation shows it.
    const STORED: &str = "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";

    #[test]
    fn the_stored_key_of_mariadb_verifies_the_signature() {
        let stored: [u8; 32] = STANDARD_NO_PAD.decode(STORED).unwrap().try_into().unwrap();
        let key = VerifyingKey::from_bytes(&stored).unwrap();
        let nonce = [0x11; NONCE_LEN];
        let signed = |password: &[u8]| Signature::from_bytes(&sign(password, &nonce));
        assert!(key.verify_strict(&nonce, &signed(b"secret")).is_ok());
        assert!(key.verify_strict(&nonce, &signed(b"Secret")).is_err());
        assert!(key.verify_strict(&[0x12; NONCE_LEN], &signed(b"secret")).is_err());
    }
}
