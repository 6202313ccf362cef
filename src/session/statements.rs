//! The prepared statements of one session (binary protocol), by the ids that its client knows.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Arc;

use bytes::Bytes;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::memory::MemoryKey;
use super::settings::Settings;
use crate::sql::Classified;
use crate::wire::statement::ClientStatementId;

/// At most so many prepared statements of one session; one more gets error 1461, as `max_prepared_stmt_count` gives it.
pub const MAX_STATEMENTS: usize = 16_382;

/// What a statement is known by on server connections: its text and the state under which it was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementKey(pub u128);

impl StatementKey {
    /// The key of a text prepared under `settings`. `keys` are secret, so that nobody can make two texts collide.
    #[must_use]
    pub fn new(keys: [u64; 2], text: &[u8], settings: &Settings) -> Self {
        let [first, second] = keys;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        let mut write = |part: &[u8]| {
            hasher.write_usize(part.len());
            hasher.write(part);
        };
        write(text);
        write(settings.schema.as_deref().unwrap_or_default());
        for (name, value) in settings.prepared_under() {
            write(name.as_bytes());
            write(value.as_bytes());
        }
        Self(hasher.finish128().as_u128())
    }

    /// The key of the same statement first executed with parameters of these types: MySQL (9.7) keeps the types of the first
    /// EXECUTE for all that follow, so they are no other session's business.
    #[must_use]
    pub fn typed(self, keys: [u64; 2], types: &[u8]) -> Self {
        let [first, second] = keys;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(types);
        Self(self.0 ^ hasher.finish128().as_u128())
    }

    /// A key that no other client statement has: cursors and long data must not be shared.
    #[must_use]
    pub fn alone(self, session: u64, statement: ClientStatementId) -> Self {
        Self(self.0 ^ (u128::from(session) << 32 | u128::from(statement.0) | 1 << 127))
    }
}

/// One prepared statement of a session.
#[derive(Debug, Clone)]
pub struct ClientStatement {
    /// Its text.
    pub text: Bytes,
    /// What it is.
    pub classified: Classified,
    /// The state under which it was prepared, which it keeps.
    pub settings: Arc<Settings>,
    /// What server connections know it by.
    pub key: StatementKey,
    /// What the connection that prepared it knows it by until it is executed.
    pub prepared_as: StatementKey,
    /// Its parameters.
    pub parameters: u16,
    /// The parameter types of the last EXECUTE that sent them.
    pub types: Option<Bytes>,
    /// MySQL: they were others at the first. On a connection that does not hold the statement with those, it must not become
    /// one that others share.
    pub varied: bool,
    /// A cursor is open.
    pub cursor: bool,
    /// Long data was sent for the next EXECUTE.
    pub long_data: bool,
    /// It once had a cursor or long data: its server statement is its own.
    pub alone: bool,
    /// By what the reply to its PREPARE is remembered.
    pub memory: Option<MemoryKey>,
}

/// The prepared statements of one session.
#[derive(Debug, Default)]
pub struct Statements {
    by_id: HashMap<ClientStatementId, ClientStatement>,
    last: u32,
    /// The last PREPARE failed, or its statement is closed.
    last_is_gone: bool,
}

impl Statements {
    /// The id that the next PREPARE gives.
    pub fn next_id(&mut self) -> ClientStatementId {
        loop {
            // -1 names "the statement prepared last" in MariaDB's protocol.
            self.last = self.last.wrapping_add(1);
            let id = ClientStatementId(self.last);
            if self.last != 0 && self.last != u32::MAX && !self.by_id.contains_key(&id) {
                self.last_is_gone = true;
                return id;
            }
        }
    }

    /// The statement prepared last, if it was and is not closed.
    #[must_use]
    pub fn last(&self) -> Option<ClientStatementId> {
        Some(ClientStatementId(self.last)).filter(|id| !self.last_is_gone && self.by_id.contains_key(id))
    }

    /// Keeps a statement.
    pub fn insert(&mut self, id: ClientStatementId, statement: ClientStatement) {
        self.last_is_gone &= id.0 != self.last;
        self.by_id.insert(id, statement);
    }

    /// The statement of this id.
    #[must_use]
    pub fn get(&self, id: ClientStatementId) -> Option<&ClientStatement> {
        self.by_id.get(&id)
    }

    /// The statement of this id.
    pub fn get_mut(&mut self, id: ClientStatementId) -> Option<&mut ClientStatement> {
        self.by_id.get_mut(&id)
    }

    /// Forgets it.
    pub fn remove(&mut self, id: ClientStatementId) -> Option<ClientStatement> {
        self.by_id.remove(&id)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_id.clear();
    }

    /// Gives back the room of those that were closed.
    pub fn shrink(&mut self) {
        self.by_id.shrink_to_fit();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether any has an open cursor.
    #[must_use]
    pub fn any_cursor(&self) -> bool {
        self.by_id.values().any(|statement| statement.cursor)
    }

    /// Whether any has long data waiting.
    #[must_use]
    pub fn any_long_data(&self) -> bool {
        self.by_id.values().any(|statement| statement.long_data)
    }
}
