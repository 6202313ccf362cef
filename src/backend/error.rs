//! What can go wrong with a server, and how far a command had come when it did.

use std::sync::Arc;

use crate::wire::{Capabilities, ErrPacket, ProtocolError};

/// How far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No connection yet, or nothing of the command was sent.
    NotSent,
    /// The command, or a part of it, was sent, and its fate is unknown.
    MayHaveRun,
}

/// A failure on the server's side.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The server could not be reached.
    #[error("cannot connect to `{server}` ({address}): {error}")]
    Connect {
        /// The server's name.
        server: Arc<str>,
        /// Its address.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// There is no TLS with the server as its settings demand.
    #[error("no TLS with `{server}`: {reason}")]
    Tls {
        /// The server's name.
        server: Arc<str>,
        /// Why.
        reason: String,
    },
    /// The server did not take the header of the PROXY protocol.
    #[error(
        "`{server}` did not take the header of the PROXY protocol that `servers.proxy_protocol` asks for ({reason}): MariaDB takes \
         it from the addresses in its proxy_protocol_networks, MySQL's community server from nobody"
    )]
    Header {
        /// The server's name.
        server: Arc<str>,
        /// What it said, or how it ended.
        reason: String,
    },
    /// The server refused the login.
    #[error("`{server}` refused the login of user `{user}`: {} ({})", error.message, error.code)]
    Refused {
        /// The server's name.
        server: Arc<str>,
        /// The user.
        user: Arc<str>,
        /// What it said.
        error: ErrPacket,
    },
    /// The server asks for an authentication that pointsman does not speak.
    #[error("`{server}` wants the authentication method `{plugin}` for user `{user}`, {why}")]
    Plugin {
        /// The server's name.
        server: Arc<str>,
        /// The user.
        user: Arc<str>,
        /// The method.
        plugin: String,
        /// Why it cannot be served, as a clause.
        why: &'static str,
    },
    /// The server takes the proxy for another account than the client is.
    #[error(
        "`{server}` takes pointsman, by the address that it connects from, for the account `{taken_for}`, and the client is \
         `{expected}`: give that account a host part that matches both, or remove the other"
    )]
    Mistaken {
        /// The server's name.
        server: Arc<str>,
        /// The account of the client.
        expected: Arc<str>,
        /// What CURRENT_USER() was.
        taken_for: String,
    },
    /// The server cannot report changes of session state.
    #[error("`{server}` is version {version}, which does not track session state: MariaDB 10.2 or MySQL 5.7 is needed")]
    TooOld {
        /// The server's name.
        server: Arc<str>,
        /// Its version.
        version: String,
    },
    /// The server cannot do what was agreed on with the client when it logged in.
    #[error("`{server}` cannot do what was agreed on with this client (capability bits {:#x}); connect again", lacks.0)]
    Incapable {
        /// The server's name.
        server: Arc<str>,
        /// What it cannot do.
        lacks: Capabilities,
        /// What it can do.
        offered: Capabilities,
    },
    /// Connecting and logging in took too long.
    #[error("`{server}` did not complete a login within {limit_ms} ms")]
    ConnectTimeout {
        /// The server's name.
        server: Arc<str>,
        /// `pools.connect_timeout`.
        limit_ms: u128,
    },
    /// No connection became free in time, or too many statements wait already.
    #[error("{text}")]
    PoolFull {
        /// Who holds what, and what to do.
        text: String,
    },
    /// The connection broke.
    #[error("lost connection to `{server}`: {error}")]
    Lost {
        /// The server's name.
        server: Arc<str>,
        /// How far the command had come.
        phase: Phase,
        /// Why.
        error: std::io::Error,
    },
    /// The server broke the protocol.
    #[error("`{server}` broke the protocol: {error}")]
    Protocol {
        /// The server's name.
        server: Arc<str>,
        /// How far the command had come.
        phase: Phase,
        /// How.
        error: ProtocolError,
    },
    /// The server would not take the session's state.
    #[error("`{server}` did not accept the session's state: {} ({})", error.message, error.code)]
    State {
        /// The server's name.
        server: Arc<str>,
        /// What it said.
        error: ErrPacket,
    },
}

impl BackendError {
    /// Whether the command surely did not run.
    #[must_use]
    pub fn is_before(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Header { .. }
            | Self::Refused { .. }
            | Self::Plugin { .. }
            | Self::Mistaken { .. }
            | Self::TooOld { .. }
            | Self::Incapable { .. }
            | Self::ConnectTimeout { .. }
            | Self::PoolFull { .. }
            | Self::State { .. } => true,
            Self::Lost { phase, .. } | Self::Protocol { phase, .. } => *phase == Phase::NotSent,
        }
    }
}
