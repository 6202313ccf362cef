//! `caching_sha2_password`: the fast exchange is
//! `SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce)`; the full one sends the password under RSA.
//! [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{same, xor};

/// AuthMoreData: the fast exchange succeeded, an OK follows.
pub const FAST_AUTH_OK: u8 = 3;
/// AuthMoreData: the full exchange is wanted.
pub const FULL_AUTH: u8 = 4;
/// A client asks for the public key.
pub const REQUEST_PUBLIC_KEY: u8 = 2;
/// The same in `sha256_password`.
pub const REQUEST_SHA256_KEY: u8 = 1;

/// What a client sends to prove `password`; nothing for the empty one.
#[must_use]
pub fn scramble(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = digest(&SHA256, password);
    let twice = digest(&SHA256, once.as_ref());
    let salted = digest(&SHA256, &[twice.as_ref(), nonce].concat());
    xor::<32>(once.as_ref(), salted.as_ref()).to_vec()
}

/// Whether `response` proves `password` in the fast exchange.
#[must_use]
pub fn verify(password: &[u8], nonce: &[u8], response: &[u8]) -> bool {
    same(&scramble(password, nonce), response)
}

/// XORs the NUL-terminated password with the nonce, repeated: what goes under RSA, and its own inverse.
fn obfuscate(text: &[u8], nonce: &[u8]) -> Vec<u8> {
    text.iter().zip(nonce.iter().cycle()).map(|(a, b)| a ^ b).collect()
}

/// The full exchange, client side: `password` under the server's public key (PEM). None when the key is unusable.
#[must_use]
pub fn encrypt(password: &[u8], nonce: &[u8], public_key_pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(public_key_pem).ok()?;
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let key = PublicEncryptingKey::from_der(&STANDARD.decode(body).ok()?).ok()?;
    let key = OaepPublicEncryptingKey::new(key).ok()?;
    let plain = obfuscate(&[password, &[0]].concat(), nonce);
    let mut out = vec![0; key.ciphertext_size()];
    let len = key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut out, None).ok()?.len();
    out.truncate(len);
    Some(out)
}

/// The full exchange, server side: a key pair, made at start.
pub struct KeyPair {
    key: OaepPrivateDecryptingKey,
    public_pem: String,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

impl KeyPair {
    /// Makes a key pair of 2048 bits, as servers do. None when the system has no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).ok()?;
        let der: PublicKeyX509Der<'static> = key.public_key().as_der().ok()?;
        let encoded = STANDARD.encode(der.as_ref());
        let mut public_pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for (at, letter) in encoded.chars().enumerate() {
            // 64 letters a line, as PEM has it.
            if at > 0 && at.is_multiple_of(64) {
                public_pem.push('\n');
            }
            public_pem.push(letter);
        }
        public_pem.push_str("\n-----END PUBLIC KEY-----\n");
        Some(Self { key: OaepPrivateDecryptingKey::new(key).ok()?, public_pem })
    }

    /// The public key as clients get it.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The password that a client sent. None when it was encrypted under another key or with another nonce's form.
    #[must_use]
    pub fn decrypt(&self, cipher: &[u8], nonce: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let mut out = zeroize::Zeroizing::new(vec![0; self.key.min_output_size()]);
        let plain = self.key.decrypt(&OAEP_SHA1_MGF1SHA1, cipher, &mut out, None).ok()?;
        let mut text = zeroize::Zeroizing::new(obfuscate(plain, nonce));
        (text.pop()? == 0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // By Python's hashlib, from the formula.
        let proof = b"\xc7\x6e\x28\x98\x61\x2a\x4c\xf0\x42\xc7\x7f\xa8\xc4\x70\x2c\x4c\
                      \x64\xc0\xc2\xc5\x57\xc5\x3c\x4d\x75\x59\x5a\xaa\x6a\xba\xe8\x09";
        assert_eq!(scramble(b"secret", b"abcdefghijklmnopqrst"), proof);
    }

    #[test]
    fn fast_exchange() {
        let nonce = [0x11; 20];
        let response = scramble(b"secret", &nonce);
        assert!(verify(b"secret", &nonce, &response));
        assert!(!verify(b"other", &nonce, &response));
        assert!(verify(b"", &nonce, b""));
        assert!(!verify(b"secret", &nonce, b""));
    }

    #[test]
    fn full_exchange() {
        let pair = KeyPair::generate().unwrap();
        let nonce = [0x22; 20];
        let cipher = encrypt("pässword".as_bytes(), &nonce, pair.public_pem().as_bytes()).unwrap();
        assert_eq!(cipher.len(), 256);
        assert_eq!(pair.decrypt(&cipher, &nonce).unwrap().as_slice(), "pässword".as_bytes());
        assert!(pair.decrypt(&cipher, &[1; 20]).is_none_or(|text| text.as_slice() != "pässword".as_bytes()));
        assert!(pair.decrypt(&cipher[1..], &nonce).is_none());
        assert!(encrypt(b"x", &nonce, b"no key").is_none());
    }
}
