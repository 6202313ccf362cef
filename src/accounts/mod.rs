//! The accounts of the servers as values: who may log in from where, and by what. Reads the rows of the servers' own tables;
//! asks nobody, keeps no password.

mod directory;
mod host;
mod rows;

pub use directory::{ClientTls, Directory, Entry, Method, Origin, TlsRule, grantee};
pub use host::HostPattern;
pub use rows::{from_mariadb, from_mysql};
