//! The prepared statements that one server connection holds, bounded, least recently used first out.

use std::collections::HashMap;

use bytes::{BufMut as _, BytesMut};

use crate::session::StatementKey;
use crate::wire::command::code;
use crate::wire::statement::ServerStatementId;
use crate::wire::writer::put_with;

#[derive(Debug)]
struct Held {
    id: ServerStatementId,
    used: u64,
}

/// The statements of one connection. Those that fell out are closed with the next write.
#[derive(Debug)]
pub struct HeldStatements {
    by_key: HashMap<StatementKey, Held>,
    clock: u64,
    closing: Vec<ServerStatementId>,
    /// The id that the next PREPARE gets; None: not known.
    next: Option<u32>,
}

impl Default for HeldStatements {
    fn default() -> Self {
        Self { by_key: HashMap::new(), clock: 0, closing: Vec::new(), next: Some(1) }
    }
}

impl HeldStatements {
    /// The server's id of a statement, when the connection holds it. One that was prepared and never executed is held as
    /// `prepared_as`, and is `key`'s from now on.
    pub fn find(&mut self, key: StatementKey, prepared_as: StatementKey) -> Option<ServerStatementId> {
        self.clock = self.clock.wrapping_add(1);
        if let Some(held) = self.by_key.get_mut(&key) {
            held.used = self.clock;
            return Some(held.id);
        }
        let id = self.by_key.remove(&prepared_as)?.id;
        self.by_key.insert(key, Held { id, used: self.clock });
        Some(id)
    }

    /// Whether it holds a statement.
    #[must_use]
    pub fn holds(&self, key: StatementKey) -> bool {
        self.by_key.contains_key(&key)
    }

    /// The id that the next PREPARE will get, if that is known: servers count them, failed ones too.
    #[must_use]
    pub fn next_id(&self) -> Option<ServerStatementId> {
        self.next.map(ServerStatementId)
    }

    /// A PREPARE failed.
    pub fn failed(&mut self) {
        self.next = self.next.and_then(|next| next.checked_add(1));
    }

    /// Statements may have been prepared that are not known of.
    pub fn lose_count(&mut self) {
        self.next = None;
    }

    /// Keeps a statement that was just prepared; at most `limit` of them.
    pub fn insert(&mut self, key: StatementKey, id: ServerStatementId, limit: usize) {
        self.clock = self.clock.wrapping_add(1);
        self.next = id.0.checked_add(1);
        if let Some(old) = self.by_key.insert(key, Held { id, used: self.clock }) {
            self.closing.push(old.id);
        }
        if self.by_key.len() > limit.max(1)
            && let Some(oldest) = self.by_key.iter().min_by_key(|(_, held)| held.used).map(|(key, _)| *key)
        {
            self.forget(oldest);
        }
    }

    /// Closes all with the next write.
    pub fn close_all(&mut self) {
        self.closing.extend(self.by_key.drain().map(|(_, held)| held.id));
    }

    /// Closes a statement with the next write.
    pub fn forget(&mut self, key: StatementKey) {
        if let Some(held) = self.by_key.remove(&key) {
            self.closing.push(held.id);
        }
    }

    /// The connection was reset: the server forgot them all.
    pub fn clear(&mut self) {
        self.by_key.clear();
        self.closing.clear();
    }

    /// Appends COM_STMT_CLOSE, which has no reply, for those that fell out.
    pub fn close_into(&mut self, out: &mut BytesMut) {
        for id in self.closing.drain(..) {
            put_with(out, 0, |out| {
                out.put_u8(code::STMT_CLOSE);
                out.put_u32_le(id.0);
            });
        }
    }

    /// How many it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_falls_out_and_is_closed() {
        let mut held = HeldStatements::default();
        held.insert(StatementKey(1), ServerStatementId(11), 2);
        held.insert(StatementKey(2), ServerStatementId(12), 2);
        assert_eq!(held.find(StatementKey(1), StatementKey(1)), Some(ServerStatementId(11)));
        held.insert(StatementKey(3), ServerStatementId(13), 2);
        assert_eq!(held.find(StatementKey(2), StatementKey(2)), None);
        assert_eq!(held.len(), 2);
        let mut out = BytesMut::new();
        held.close_into(&mut out);
        assert_eq!(&out[..], b"\x05\0\0\0\x19\x0c\0\0\0");
        out.clear();
        held.close_into(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn preparing_again_closes_the_old_one() {
        let mut held = HeldStatements::default();
        held.insert(StatementKey(1), ServerStatementId(11), 2);
        held.insert(StatementKey(1), ServerStatementId(12), 2);
        let mut out = BytesMut::new();
        held.close_into(&mut out);
        assert_eq!(out.len(), 9);
        assert_eq!(held.find(StatementKey(1), StatementKey(1)), Some(ServerStatementId(12)));
    }
}
