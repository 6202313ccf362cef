//! Why a session is bound to one connection, and when that ends.

use std::collections::BTreeMap;

use crate::routing::RouteReason;

/// Why a session is bound to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PinCause {
    /// An open transaction, also an implicit one under autocommit = 0.
    Transaction,
    /// SET TRANSACTION waits for the next transaction.
    NextTransaction,
    /// XA, until it is committed or rolled back.
    Xa,
    /// LOCK TABLES, FLUSH TABLES WITH READ LOCK.
    TableLock,
    /// GET_LOCK.
    UserLock,
    /// A temporary table.
    TemporaryTable,
    /// An open HANDLER.
    Handler,
    /// An open cursor.
    Cursor,
    /// A text-protocol prepared statement.
    TextPrepared,
    /// A user variable that cannot be replayed.
    UserVariable,
    /// A session variable that must not be shared.
    SessionVariable,
    /// Long data for a prepared statement.
    LongData,
    /// COM_REGISTER_SLAVE: the client is a replica.
    Replication,
    /// The password has expired: the server takes nothing but a new one, on this connection.
    ExpiredPassword,
    /// The connection was opened with the client's own attributes, since it asked for them.
    ConnectAttributes,
    /// The server reported a change of state that cannot be replayed.
    UnknownState,
}

impl PinCause {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Transaction,
        Self::NextTransaction,
        Self::Xa,
        Self::TableLock,
        Self::UserLock,
        Self::TemporaryTable,
        Self::Handler,
        Self::Cursor,
        Self::TextPrepared,
        Self::UserVariable,
        Self::SessionVariable,
        Self::LongData,
        Self::Replication,
        Self::ExpiredPassword,
        Self::ConnectAttributes,
        Self::UnknownState,
    ];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::NextTransaction => "next_transaction",
            Self::Xa => "xa",
            Self::TableLock => "table_lock",
            Self::UserLock => "user_lock",
            Self::TemporaryTable => "temporary_table",
            Self::Handler => "handler",
            Self::Cursor => "cursor",
            Self::TextPrepared => "text_prepared",
            Self::UserVariable => "user_variable",
            Self::SessionVariable => "session_variable",
            Self::LongData => "long_data",
            Self::Replication => "replication",
            Self::ExpiredPassword => "expired_password",
            Self::ConnectAttributes => "connect_attributes",
            Self::UnknownState => "unknown_state",
        }
    }

    /// The route's reason while it holds.
    #[must_use]
    pub const fn reason(self) -> RouteReason {
        match self {
            Self::Transaction => RouteReason::PinnedTransaction,
            Self::NextTransaction => RouteReason::PinnedNextTransaction,
            Self::Xa => RouteReason::PinnedXa,
            Self::TableLock => RouteReason::PinnedTableLock,
            Self::UserLock => RouteReason::PinnedUserLock,
            Self::TemporaryTable => RouteReason::PinnedTemporaryTable,
            Self::Handler => RouteReason::PinnedHandler,
            Self::Cursor => RouteReason::PinnedCursor,
            Self::TextPrepared => RouteReason::PinnedTextPrepared,
            Self::UserVariable => RouteReason::PinnedUserVariable,
            Self::SessionVariable => RouteReason::PinnedSessionVariable,
            Self::LongData => RouteReason::PinnedLongData,
            Self::Replication => RouteReason::PinnedReplication,
            Self::ExpiredPassword => RouteReason::PinnedExpiredPassword,
            Self::ConnectAttributes => RouteReason::PinnedConnectAttributes,
            Self::UnknownState => RouteReason::PinnedUnknownState,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// At most so many names of locks, tables, handlers and statements are followed one by one; beyond, the pin lasts
/// until a reset.
const MAX_NAMES: usize = 256;

/// The pins of a session.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    causes: u32,
    /// How often each was taken: a lock that was taken twice must be released twice.
    names: BTreeMap<PinCause, BTreeMap<Box<[u8]>, u32>>,
    /// Something was taken whose name is not known: only a reset, or the release of all, ends it.
    nameless: u32,
}

impl Pins {
    /// The cause that stands first, if any.
    #[must_use]
    pub fn first(&self) -> Option<PinCause> {
        if self.causes == 0 {
            return None;
        }
        PinCause::ALL.into_iter().find(|cause| self.has(*cause))
    }

    /// All causes.
    pub fn all(&self) -> impl Iterator<Item = PinCause> + '_ {
        PinCause::ALL.into_iter().filter(|cause| self.has(*cause))
    }

    /// Whether this cause holds.
    #[must_use]
    pub fn has(&self, cause: PinCause) -> bool {
        self.causes & cause.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.causes == 0
    }

    /// Sets or ends a cause that has no names.
    pub fn set(&mut self, cause: PinCause, holds: bool) {
        if holds {
            self.causes |= cause.bit();
        } else {
            self.causes &= !cause.bit();
        }
    }

    /// Takes something by name; None: its name is not known.
    pub fn take(&mut self, cause: PinCause, name: Option<&[u8]>) {
        self.set(cause, true);
        let names = self.names.entry(cause).or_default();
        match name {
            Some(name) if names.len() < MAX_NAMES || names.contains_key(name) => {
                let times = names.entry(name.into()).or_insert(0);
                // A GET_LOCK that got nothing counts too: the pin may last too long, never too short.
                *times = if cause == PinCause::UserLock { times.saturating_add(1) } else { 1 };
            }
            _ => self.nameless |= cause.bit(),
        }
    }

    /// Releases something by name; the cause ends with its last name.
    pub fn release(&mut self, cause: PinCause, name: &[u8]) {
        let Some(names) = self.names.get_mut(&cause) else { return };
        if let Some(times) = names.get_mut(name) {
            *times = times.saturating_sub(1);
            if *times == 0 {
                names.remove(name);
            }
        }
        if names.is_empty() && self.nameless & cause.bit() == 0 {
            self.release_all(cause);
        }
    }

    /// Whether this name was taken.
    #[must_use]
    pub fn holds(&self, cause: PinCause, name: &[u8]) -> bool {
        self.names.get(&cause).is_some_and(|names| names.contains_key(name))
    }

    /// Ends a cause with all its names.
    pub fn release_all(&mut self, cause: PinCause) {
        self.set(cause, false);
        self.nameless &= !cause.bit();
        self.names.remove(&cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_pin_ends_with_its_last_name() {
        let mut pins = Pins::default();
        pins.take(PinCause::TemporaryTable, Some(b"a"));
        pins.take(PinCause::TemporaryTable, Some(b"b"));
        pins.release(PinCause::TemporaryTable, b"a");
        pins.release(PinCause::TemporaryTable, b"other");
        assert_eq!(pins.first(), Some(PinCause::TemporaryTable));
        pins.release(PinCause::TemporaryTable, b"b");
        assert!(pins.is_empty());
    }

    #[test]
    fn a_lock_taken_twice_is_released_twice() {
        let mut pins = Pins::default();
        pins.take(PinCause::UserLock, Some(b"a"));
        pins.take(PinCause::UserLock, Some(b"a"));
        pins.release(PinCause::UserLock, b"a");
        assert!(pins.has(PinCause::UserLock));
        pins.release(PinCause::UserLock, b"a");
        assert!(pins.is_empty());
        // PREPARE of a name that is there takes its place.
        pins.take(PinCause::TextPrepared, Some(b"p"));
        pins.take(PinCause::TextPrepared, Some(b"p"));
        pins.release(PinCause::TextPrepared, b"p");
        assert!(pins.is_empty());
    }

    #[test]
    fn a_nameless_one_only_with_all() {
        let mut pins = Pins::default();
        pins.take(PinCause::UserLock, None);
        pins.take(PinCause::UserLock, Some(b"x"));
        pins.release(PinCause::UserLock, b"x");
        assert!(pins.has(PinCause::UserLock));
        pins.release_all(PinCause::UserLock);
        assert!(pins.is_empty());
    }
}
