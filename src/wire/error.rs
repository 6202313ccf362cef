//! What can be wrong with bytes that a peer sent.

/// A peer broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A packet ended before a field of it.
    #[error("truncated {packet} packet")]
    Truncated {
        /// The packet's name in the protocol pages.
        packet: &'static str,
    },
    /// A field holds what it must not.
    #[error("malformed {packet} packet: {what}")]
    Malformed {
        /// The packet's name in the protocol pages.
        packet: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A packet came with another sequence id than it must have.
    #[error("packets out of order: sequence id {got} where {expected} was expected")]
    OutOfOrder {
        /// The sequence id that the packet should have had.
        expected: u8,
        /// The one that it had.
        got: u8,
    },
    /// A packet, or a command of several packets, is longer than the limit.
    #[error("packet of more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}
