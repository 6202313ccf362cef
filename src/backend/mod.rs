//! Connections to servers and their pools. Knows nothing of clients; moves bytes and waits.

mod account;
mod authenticate;
mod capacity;
mod connect;
mod connection;
mod error;
mod held;
mod lease;
mod pool;
mod pools;
mod query;

pub use account::{Account, AccountId, Credential, Password, Rotation};
pub use connect::{Login, read_greeting};
pub use connection::Connection;
pub use error::{BackendError, Phase};
pub use held::HeldStatements;
pub use lease::Lease;
pub use pool::{Pool, PoolKey, Wanted};
pub use pools::{OnConnect, Pools, ServerPools};
pub use query::{QUERIED, Row};
