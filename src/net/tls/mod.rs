//! TLS by rustls, towards clients and servers. Knows nothing of MySQL: what is encrypted, and when it begins, is said by
//! the callers.

mod session;

pub(super) use session::Session;
pub use session::{Established, Version};

#[cfg(test)]
mod tests;
