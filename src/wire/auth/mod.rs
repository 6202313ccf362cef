//! Authentication as pure functions: scrambles, and what a server stores or sends.
//! [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods.html).

pub mod caching_sha2;
pub mod ed25519;
pub mod native;
pub mod parsec;

/// The length of a scramble's random part in bytes.
pub const NONCE_LEN: usize = 20;

/// `mysql_native_password`.
pub const NATIVE: &str = "mysql_native_password";
/// `caching_sha2_password`.
pub const CACHING_SHA2: &str = "caching_sha2_password";
/// `sha256_password`: the full exchange of [`caching_sha2`], with another byte to ask for the key.
pub const SHA256: &str = "sha256_password";
/// MariaDB's `client_ed25519`.
pub const ED25519: &str = "client_ed25519";
/// MariaDB's `parsec`.
pub const PARSEC: &str = "parsec";
/// `mysql_clear_password`.
pub const CLEAR: &str = "mysql_clear_password";

/// Random bytes as a greeting's nonce: servers avoid NUL, which ends the string, and `$`.
#[must_use]
pub fn nonce(mut random: [u8; NONCE_LEN]) -> [u8; NONCE_LEN] {
    for byte in &mut random {
        *byte &= 0x7F;
        if *byte == 0 || *byte == b'$' {
            *byte = byte.wrapping_add(1);
        }
    }
    random
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

fn xor<const N: usize>(a: &[u8], b: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a ^ b;
    }
    out
}
