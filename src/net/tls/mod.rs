//! TLS by rustls, towards clients and servers. Knows nothing of MySQL: what is encrypted, and when it begins, is said by
//! the callers.

mod acceptor;
mod connector;
mod files;
mod names;
mod session;

pub use acceptor::{Acceptor, Offer};
pub use connector::Connector;
pub use files::SetupError;
pub use names::{CertificateNames, cipher_list};
pub(super) use session::Session;
pub use session::{Established, Version};

#[cfg(test)]
mod tests;
