//! A borrowed connection. It goes back to its pool only when it is clean; otherwise it is closed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::error::BackendError;
use super::pool::Pool;
use crate::clock;
use crate::session::{Preamble, Settings};

/// Resetting a connection takes one round trip; a server that needs longer is in trouble.
const CLEANSE_LIMIT: Duration = Duration::from_secs(2);

/// A borrowed connection.
#[derive(Debug)]
pub struct Lease {
    /// None only while it is dropped. Boxed: a lease is moved some thirty times on its way from the pool and back.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
    /// A session's state hangs on it: a transaction, locks. Whoever drops it without ending that (a panic, a task that
    /// is cut) must not give it to others.
    pub bound: bool,
    /// It serves one client alone, a replica or one with its own attributes, and is closed when that leaves it.
    pub dedicated: bool,
}

impl Lease {
    pub(super) fn new(connection: Box<Connection>, pool: Arc<Pool>) -> Self {
        let dedicated = connection.sandboxed || pool.is_dedicated();
        Self { connection: Some(connection), pool, bound: false, dedicated }
    }

    /// Closes it.
    pub fn discard(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.close(connection);
        }
    }

    /// Ends what a session left on it (a transaction, locks, temporary tables) before it goes back.
    pub async fn cleanse(mut self) {
        if self.busy || self.dedicated {
            return self.discard();
        }
        if !matches!(tokio::time::timeout(CLEANSE_LIMIT, self.reset()).await, Ok(Ok(()))) {
            self.discard();
        }
    }

    /// Takes it back to what a fresh session has, but for the schema.
    ///
    /// # Errors
    /// When the server refused, or the connection broke.
    pub async fn reset(&mut self) -> Result<(), BackendError> {
        let connection = &mut **self;
        let held = &connection.state.settings;
        let fresh = Arc::new(Settings {
            schema: held.schema.clone(),
            multi_statements: held.multi_statements,
            ..Settings::default()
        });
        connection.state.known = false;
        let preamble = if connection.sandboxed {
            Preamble { reset: true, ..Preamble::default() }
        } else {
            Preamble::between(&connection.state, &fresh)
        };
        let replies = connection.prepare_state(&preamble, &fresh);
        connection.flush().await?;
        let reset = connection.swallow_preamble(&replies).await;
        if matches!(reset, Ok(()) | Err(BackendError::State { .. })) {
            connection.busy = false;
        }
        self.bound &= reset.is_err();
        reset
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        #[expect(clippy::expect_used, reason = "taken by discard and drop only, after which no Lease is left")]
        self.connection.as_ref().expect("a lease in use")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        #[expect(clippy::expect_used, reason = "taken by discard and drop only, after which no Lease is left")]
        self.connection.as_mut().expect("a lease in use")
    }
}

impl Drop for Lease {
    /// A connection in the middle of a reply, with something that was never sent, with a session's transaction or locks on
    /// it, or with a schema that its pool's sessions do not have, is closed.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        connection.stream.release();
        let schema = connection.state.settings.schema.is_some() && !self.pool.key.schema;
        let unsent = !connection.out.is_empty();
        if self.bound || self.dedicated || connection.busy || unsent || !connection.inbox.is_empty() || schema {
            self.pool.close(connection);
        } else {
            self.pool.give_back(connection, clock::now());
        }
    }
}
