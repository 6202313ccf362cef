//! MariaDB's `parsec` (11.6 and later): Ed25519 under a key derived from the password and the account's salt; the client
//! signs the server's nonce and one of its own.
//! [Page](https://mariadb.com/kb/en/authentication-plugin-parsec/).

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA512, derive};
use aws_lc_rs::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

/// The length of either side's nonce in bytes.
pub const NONCE_LEN: usize = 32;
/// Servers make it up to 8192 rounds today; a server may not keep us busy with more.
const MAX_FACTOR: u8 = 6;

/// How a key is made of a password: the account's *extended salt*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt<'a> {
    rounds: NonZeroU32,
    salt: &'a [u8],
}

impl<'a> Salt<'a> {
    /// Reads what a server sends: `P`, the power of two of the rounds above 1024, the salt.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        match data {
            [b'P', factor @ 0..=MAX_FACTOR, salt @ ..] if !salt.is_empty() => {
                Some(Self { rounds: NonZeroU32::new(1024 << factor)?, salt })
            }
            _ => None,
        }
    }
}

/// What a client answers: its nonce and the signature of both. None for a nonce of another length.
#[must_use]
pub fn respond(password: &[u8], salt: Salt<'_>, server: &[u8], client: [u8; NONCE_LEN]) -> Option<Vec<u8>> {
    if server.len() != NONCE_LEN {
        return None;
    }
    let key = key(password, salt)?;
    let signature = key.sign(&[server, &client].concat());
    Some([&client[..], signature.as_ref()].concat())
}

/// The key pair of a password.
fn key(password: &[u8], salt: Salt<'_>) -> Option<Ed25519KeyPair> {
    let mut seed = Zeroizing::new([0; 32]);
    derive(PBKDF2_HMAC_SHA512, salt.rounds, salt.salt, password, &mut *seed);
    Ed25519KeyPair::from_seed_unchecked(&*seed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, KeyPair as _, UnparsedPublicKey};

    #[test]
    fn only_known_salts_are_read() {
        assert!(Salt::parse(b"P\x00eighteen bytes sal").is_some_and(|salt| salt.rounds.get() == 1024));
        assert!(Salt::parse(b"P\x03eighteen bytes sal").is_some_and(|salt| salt.rounds.get() == 8192));
        for bad in [&b""[..], b"P", b"P\x00", b"Q\x00salt", b"P\x07salt", b"P\xffsalt"] {
            assert_eq!(Salt::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn both_nonces_are_signed() {
        let salt = Salt::parse(b"P\x00eighteen bytes sal").unwrap();
        let (server, client) = ([1; NONCE_LEN], [2; NONCE_LEN]);
        let answer = respond(b"secret", salt, &server, client).unwrap();
        let (nonce, signature) = answer.split_at(NONCE_LEN);
        assert_eq!(nonce, client);
        let public = key(b"secret", salt).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public.public_key().as_ref());
        assert!(public.verify(&[server, client].concat(), signature).is_ok());
        assert!(public.verify(&[client, server].concat(), signature).is_err());
        assert_ne!(respond(b"Secret", salt, &server, client).unwrap(), answer);
        assert_eq!(respond(b"secret", salt, &[1; 20], client), None);
    }
}
