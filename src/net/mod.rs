//! Streams to clients and servers: sockets, and what lies over them (TLS). Knows nothing of what is said on them.

mod channel;
mod compressed;
mod listen;
mod peer;
mod socket;
mod stream;
pub mod tls;

pub use compressed::Held;
pub use listen::{Listener, SocketFile};
pub use peer::{Host, Peer};
pub use stream::Stream;
