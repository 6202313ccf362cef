//! `mysql_native_password`: `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};

use super::{same, xor};

/// What a client sends to prove `password`; nothing for the empty one.
#[must_use]
pub fn scramble(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = digest(&SHA1, password);
    let twice = digest(&SHA1, once.as_ref());
    let salted = digest(&SHA1, &[nonce, twice.as_ref()].concat());
    xor::<20>(once.as_ref(), salted.as_ref()).to_vec()
}

/// Whether `response` proves `password`.
#[must_use]
pub fn verify(password: &[u8], nonce: &[u8], response: &[u8]) -> bool {
    same(&scramble(password, nonce), response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        let nonce = [0x01; 20];
        let response = scramble(b"secret", &nonce);
        assert_eq!(response.len(), 20);
        assert!(verify(b"secret", &nonce, &response));
        assert!(!verify(b"Secret", &nonce, &response));
        assert!(!verify(b"secret", &[2; 20], &response));
        assert!(!verify(b"secret", &nonce, b""));
        assert!(verify(b"", &nonce, b""));
        assert!(!verify(b"", &nonce, &response));
    }
}
