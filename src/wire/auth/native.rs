//! `mysql_native_password`: `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`. Servers store SHA1(SHA1(password)).
//!
//! Who knows the stored hash and sees one proof has SHA1(password), which is all that a login needs: the scheme's
//! weakness, and what lets a proxy log in without the password.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};
use zeroize::Zeroizing;

use super::{same, xor};

/// SHA1(password): as good as the password for this method. Shown by nothing, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct NativeKey(Zeroizing<[u8; 20]>);

impl std::fmt::Debug for NativeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NativeKey(..)")
    }
}

/// SHA1(SHA1(password)), as servers store it.
#[derive(Clone, PartialEq, Eq)]
pub struct NativeHash([u8; 20]);

impl std::fmt::Debug for NativeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NativeHash(..)")
    }
}

fn sha1(data: &[u8]) -> [u8; 20] {
    xor::<20>(digest(&SHA1, data).as_ref(), &[0; 20])
}

impl NativeKey {
    /// That of a password.
    #[must_use]
    pub fn of(password: &[u8]) -> Self {
        Self(Zeroizing::new(sha1(password)))
    }

    /// What servers store of it.
    #[must_use]
    pub fn stored(&self) -> NativeHash {
        NativeHash(sha1(&*self.0))
    }

    /// What a client sends to prove that it has it.
    #[must_use]
    pub fn scramble(&self, nonce: &[u8]) -> Vec<u8> {
        let salted = self.stored().salted(nonce);
        xor::<20>(&*self.0, &salted).to_vec()
    }
}

impl NativeHash {
    /// Reads `*` and 40 hexadecimal digits, the form of `mysql.user` and `PASSWORD()`.
    #[must_use]
    pub fn parse(stored: &[u8]) -> Option<Self> {
        let digits = stored.strip_prefix(b"*").filter(|digits| digits.len() == 40)?;
        let mut hash = [0; 20];
        for (place, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair =
                std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            *place = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// One that no password has, made of 20 random bytes: for accounts that are not there.
    #[must_use]
    pub const fn decoy(random: [u8; 20]) -> Self {
        Self(random)
    }

    /// What proves to a client who a server is whose certificate it cannot verify: a byte 1, and in hexadecimal digits
    /// `SHA256(stored hash, nonce, fingerprint)`, where the fingerprint is SHA-256 of the certificate (MariaDB 11.4 and
    /// later; `run_plugin_auth` of Connector/C is what verifies it).
    #[must_use]
    pub fn binding(&self, nonce: &[u8], fingerprint: &[u8; 32]) -> Vec<u8> {
        let digest = digest(&SHA256, &[&self.0, nonce, fingerprint].concat());
        let digits = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        [&[1], digits.as_bytes()].concat()
    }

    /// Whether it is that of this key.
    #[must_use]
    pub fn is_of(&self, key: &NativeKey) -> bool {
        same(&sha1(&*key.0), &self.0)
    }

    fn salted(&self, nonce: &[u8]) -> [u8; 20] {
        sha1(&[nonce, &self.0].concat())
    }

    /// What the client must have had to send `proof`; None when it does not prove the password.
    #[must_use]
    pub fn recover(&self, nonce: &[u8], proof: &[u8]) -> Option<NativeKey> {
        let key = NativeKey(Zeroizing::new(xor::<20>(proof, &self.salted(nonce))));
        let right = self.is_of(&key);
        (right && proof.len() == 20).then_some(key)
    }
}

/// What a client sends to prove `password`; nothing for the empty one.
#[must_use]
pub fn scramble(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    NativeKey::of(password).scramble(nonce)
}

/// Whether `response` proves `password`.
#[must_use]
pub fn verify(password: &[u8], nonce: &[u8], response: &[u8]) -> bool {
    same(&scramble(password, nonce), response)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &[u8] = b"abcdefghijklmnopqrst";
    /// By Python's hashlib, from the formula.
    const PROOF: &[u8] = b"\x88\x17\xc5\x0f\xa7\x79\xda\xef\x01\x0e\xe7\x57\x78\x25\xb0\x84\x7d\xf9\x84\x2e";

    #[test]
    fn known_answer() {
        assert_eq!(scramble(b"secret", NONCE), PROOF);
        assert!(verify(b"secret", NONCE, PROOF));
        assert!(!verify(b"Secret", NONCE, PROOF));
        assert!(!verify(b"secret", &[2; 20], PROOF));
        assert!(!verify(b"secret", NONCE, b""));
        assert!(verify(b"", NONCE, b""));
        assert!(!verify(b"", NONCE, PROOF));
    }

    #[test]
    fn the_stored_hash_and_a_proof_give_the_key() {
        // PASSWORD('secret').
        let stored = NativeHash::parse(b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7").unwrap();
        let key = stored.recover(NONCE, PROOF).unwrap();
        assert!(key == NativeKey::of(b"secret"));
        assert_eq!(key.scramble(b"another nonce of any"), scramble(b"secret", b"another nonce of any"));
        assert!(stored.recover(&[2; 20], PROOF).is_none());
        assert!(stored.recover(NONCE, &PROOF[1..]).is_none());
        assert!(stored.recover(NONCE, b"").is_none());
        assert!(stored.recover(NONCE, &[PROOF, b"x"].concat()).is_none());
    }

    #[test]
    fn what_is_no_hash_is_not_read() {
        for bad in [&b""[..], b"invalid", b"*14E6", b"*14E65567ABDB5135D0CFD9A70B3032C179A49EEG", &[b'*'; 41]] {
            assert!(NativeHash::parse(bad).is_none());
        }
        assert_eq!(format!("{:?}", NativeKey::of(b"secret")), "NativeKey(..)");
    }
}
