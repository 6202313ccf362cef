//! Where a statement goes, and why: `decide`. No sockets, no clock.

mod reason;

pub use reason::RouteReason;
