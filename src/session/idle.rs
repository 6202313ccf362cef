//! For how long a client may be silent: what its session's `wait_timeout` is, and what servers do when it is over. Knows no
//! clock.

use std::time::Duration;

use super::Session;
use crate::cluster::{Flavor, version_numbers};
use crate::wire::{Capabilities, ErrPacket};

/// How a server ends a client's connection that was idle for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdleEnd {
    /// The connection is reset, without a word: MariaDB (10.11, 11.8).
    Reset,
    /// It is closed, without a word: MySQL before 8.0.24.
    #[default]
    Close,
    /// An error of the sequence id 0, then the end: MySQL from 8.0.24.
    Told,
}

impl IdleEnd {
    /// What a server of this version does.
    pub(super) fn of(version: &str) -> Self {
        match Flavor::from_version(version) {
            Flavor::MariaDb => Self::Reset,
            Flavor::MySql | Flavor::Unknown if version_numbers(version) < [8, 0, 24] => Self::Close,
            Flavor::MySql | Flavor::Unknown => Self::Told,
        }
    }

    /// The error that is told: `ER_CLIENT_INTERACTION_TIMEOUT`, in MySQL's words (9.7).
    #[must_use]
    pub fn error() -> ErrPacket {
        let text = "The client was disconnected by the server because of inactivity. See wait_timeout and \
                    interactive_timeout for configuring this behavior.";
        ErrPacket::new(4031, b"HY000", text)
    }
}

impl Session {
    /// Tells it the primary's `@@global.wait_timeout` and `@@global.interactive_timeout` as they are at its login, in seconds.
    pub fn may_idle(&mut self, [wait, interactive]: [u64; 2]) {
        let interacts = self.capabilities.contains(Capabilities::INTERACTIVE);
        self.wait_timeout = Some(if interacts { interactive } else { wait });
    }

    /// For so long the client may be silent: the session's `wait_timeout`. None: not known yet.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let set = self.settings.variable("wait_timeout").and_then(|value| value.parse().ok());
        let base = || self.base.as_ref().and_then(|base| base.wait_timeout);
        set.or(self.wait_timeout).or_else(base).map(Duration::from_secs)
    }

    /// What a server does when that is over.
    #[must_use]
    pub fn idle_end(&self) -> IdleEnd {
        self.server.idle_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_ends_idle_clients_in_its_way() {
        for (version, end) in [
            ("10.11.14-MariaDB-0+deb12u2", IdleEnd::Reset),
            ("5.5.5-10.4.1-MariaDB", IdleEnd::Reset),
            ("5.7.44-log", IdleEnd::Close),
            ("8.0.23", IdleEnd::Close),
            ("8.0.24", IdleEnd::Told),
            ("9.7.4-2", IdleEnd::Told),
        ] {
            assert_eq!(IdleEnd::of(version), end, "{version}");
        }
    }
}
