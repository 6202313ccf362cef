//! Streams to clients and servers: sockets, and what lies over them. Knows nothing of what is said on them.

mod listen;
mod peer;
mod socket;
mod stream;

pub use listen::{Listener, SocketFile};
pub use peer::{Host, Peer};
pub use stream::Stream;
