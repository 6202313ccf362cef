//! How a session ends, and the only place where failures become MySQL errors that clients see.

use crate::backend::{BackendError, Phase};
use crate::wire::{ErrPacket, ProtocolError};

/// Why a session ends before its client says so.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The client's connection broke, or it stopped taking its result.
    #[error("client: {0}")]
    Client(#[from] std::io::Error),
    /// The client broke the protocol.
    #[error("client: {0}")]
    Protocol(#[from] ProtocolError),
    /// A server failed after a part of its reply had reached the client.
    #[error("{0}")]
    Backend(#[from] BackendError),
    /// It was told so, and has been told why.
    #[error("{0}")]
    Ended(&'static str),
}

/// What the client is told of a server's failure. Numbers from 2000 on are the clients' own: libmariadb takes an ERR packet with one for
/// malformed (2027, 3.3), and the text would never be seen. The text of a lost connection is what frameworks know it by.
#[must_use]
pub(super) fn refusal(error: &BackendError) -> ErrPacket {
    match error {
        BackendError::Connect { .. }
        | BackendError::Tls { .. }
        | BackendError::Header { .. }
        | BackendError::ConnectTimeout { .. }
        | BackendError::Protocol { phase: Phase::NotSent, .. } => ErrPacket::new(
            1429,
            b"HY000",
            &format!("pointsman: {error}; nothing was sent to it, so the statement can be tried again"),
        ),
        // The server's own words, for a locked account, an expired password, its limits.
        BackendError::Refused { error: refused, .. } if refused.code != 1045 => refused.clone(),
        BackendError::Refused { .. } | BackendError::Plugin { .. } => ErrPacket::new(
            1045,
            b"28000",
            &format!("pointsman: {error}; the account in the configuration must be the server's"),
        ),
        BackendError::Mistaken { .. } => ErrPacket::new(1045, b"28000", &format!("pointsman: {error}")),
        BackendError::TooOld { .. } | BackendError::Incapable { .. } => {
            ErrPacket::new(1105, b"HY000", &format!("pointsman: {error}"))
        }
        BackendError::PoolFull { text } => ErrPacket::new(1203, b"42000", text),
        BackendError::State { error, .. } => ErrPacket::new(error.code, &error.sql_state, &error.message),
        BackendError::Lost { server, error, .. } => ErrPacket::new(
            1158,
            b"08S01",
            &format!("Lost connection to MySQL server during query (pointsman: server `{server}`: {error})"),
        ),
        BackendError::Protocol { server, error, .. } => ErrPacket::new(
            1158,
            b"08S01",
            &format!("Lost connection to MySQL server during query (pointsman: server `{server}` sent a {error})"),
        ),
    }
}

/// The error for a client that broke the protocol.
#[must_use]
pub(super) fn protocol_refusal(error: &ProtocolError, limit_name: &str) -> ErrPacket {
    match error {
        ProtocolError::OutOfOrder { .. } => {
            ErrPacket::new(1156, b"08S01", &format!("Got packets out of order (pointsman: {error})"))
        }
        ProtocolError::TooLarge { limit } => ErrPacket::new(
            1153,
            b"08S01",
            &format!("Got a packet bigger than 'max_allowed_packet' bytes (pointsman: {limit_name} is {limit})"),
        ),
        ProtocolError::Truncated { .. } | ProtocolError::Malformed { .. } => {
            ErrPacket::new(1835, b"HY000", &format!("Malformed communication packet (pointsman: {error})"))
        }
    }
}
