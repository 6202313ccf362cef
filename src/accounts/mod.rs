//! The accounts of the servers as values: who may log in from where, and by what. Reads the rows of the servers' own tables;
//! asks nobody, keeps no password.

mod directory;
mod host;
mod rows;

pub use directory::{ClientTls, Directory, Entry, Method, Origin, TlsRule, grantee};
pub use host::HostPattern;
pub use rows::{from_mariadb, from_mysql};

/// Whether a statement that wrote may have changed accounts (`ALTER USER` and its like). It may say yes of others.
#[must_use]
pub fn changes_accounts(text: &[u8]) -> bool {
    let head = text.get(..LOOKED_AT.min(text.len())).unwrap_or_default();
    let holds = |word: &[u8]| head.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    holds(b"USER") || holds(b"PRIVILEGES")
}

/// So many bytes of a statement are looked at: a comment may stand before it.
const LOOKED_AT: usize = 512;

#[cfg(test)]
mod tests {
    use super::changes_accounts;

    #[test]
    fn statements_about_accounts_are_known() {
        for text in
            ["ALTER USER a PASSWORD EXPIRE", "/* x */ drop user a", "FLUSH privileges", "CREATE OR REPLACE USER a"]
        {
            assert!(changes_accounts(text.as_bytes()), "{text}");
        }
        for text in ["", "INSERT INTO t VALUES (1)", "CREATE TABLE t (a INT)"] {
            assert!(!changes_accounts(text.as_bytes()), "{text}");
        }
    }
}
