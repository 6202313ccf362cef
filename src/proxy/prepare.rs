//! A prepared statement on the connection that is to run it: held already, prepared in the same write as its EXECUTE, or
//! prepared first. Knows nothing of where a statement goes.
//!
//! Servers number the statements of a connection one after the other (MariaDB 10.11 and 11.8, MySQL 9.7), so the id that a PREPARE
//! will give is known before its reply, unless the client has had statements prepared by text. An EXECUTE of an id that
//! does not exist does nothing but fail with 1243: a wrong guess costs a round trip, never a statement that runs twice.

use std::sync::Arc;

use super::execute::{Failure, Run};
use crate::backend::Lease;
use crate::session::{ClientStatement, Job, Preamble, Request, Settings, StatementKey};
use crate::wire::command::code;
use crate::wire::err::PACKET_TOO_LARGE;
use crate::wire::statement::{ClientStatementId, ServerStatementId};
use crate::wire::writer::put_packet;
use crate::wire::{ErrPacket, Outcome, ProtocolError, ReplyKind};

/// `ER_UNKNOWN_STMT_HANDLER`.
const UNKNOWN: u16 = 1243;

/// `ER_MAX_PREPARED_STMT_COUNT_REACHED`.
const TOO_MANY: u16 = 1461;

/// Where the statement of a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// The command names none.
    None,
    /// The connection holds it.
    Held(ServerStatementId),
    /// It was prepared just now, which may have changed the connection's state.
    Prepared(ServerStatementId),
    /// The PREPARE of the client's statement goes in front of the command and will give this id.
    Ahead(ClientStatementId, StatementKey, ServerStatementId),
}

impl Placed {
    /// The server's id of it.
    pub(super) fn id(self) -> Option<ServerStatementId> {
        match self {
            Self::None => None,
            Self::Held(id) | Self::Prepared(id) | Self::Ahead(_, _, id) => Some(id),
        }
    }
}

impl Run<'_> {
    /// Finds the statement that `job` names on a connection that `preamble` will give the session's state. Prepares it
    /// there unless that can be done in one write with the command.
    pub(super) async fn place(&self, job: &Job, lease: &mut Lease, preamble: &Preamble) -> Result<Placed, Failure> {
        let id = match job.request {
            Request::Execute(id) | Request::Statement(id) => id,
            Request::Forward | Request::Prepare(_) => return Ok(Placed::None),
        };
        let statement = self.client_statement(id)?;
        let mut key = statement.key;
        let text = text_of(job, statement);
        let mut prepared_as = statement.prepared_as;
        if job.text.is_some() {
            key = StatementKey::new(self.shared.keys(), text, &statement.settings);
            prepared_as = key;
        }
        if !preamble.reset
            && let Some(server) = lease.statements.find(key, prepared_as)
        {
            return Ok(Placed::Held(server));
        }
        if statement.varied && !statement.alone {
            key = key.alone(u64::from(self.session.id()), id);
            if !preamble.reset
                && let Some(server) = lease.statements.find(key, key)
            {
                return Ok(Placed::Held(server));
            }
        }
        let settings = self.session.settings();
        let wanted = if Arc::ptr_eq(settings, &statement.settings) {
            settings.clone()
        } else {
            Arc::new(settings.for_prepare(&statement.settings))
        };
        if matches!(job.request, Request::Execute(_))
            && wanted == *settings
            && let Some(guess) = lease.statements.next_id()
        {
            return Ok(Placed::Ahead(id, key, guess));
        }
        Box::pin(self.prepare_first(text, lease, key, wanted)).await.map(Placed::Prepared)
    }

    /// Prepares a statement under the settings `wanted`.
    async fn prepare_first(
        &self,
        text: &[u8],
        lease: &mut Lease,
        key: StatementKey,
        wanted: Arc<Settings>,
    ) -> Result<ServerStatementId, Failure> {
        let preamble = Preamble::between(&lease.state, &wanted);
        let pending = if preamble.is_empty() { Vec::new() } else { lease.prepare_state(&preamble, &wanted) };
        put_prepare(lease, text);
        lease.flush().await?;
        lease.swallow_preamble(&pending).await?;
        let outcome = lease.swallow(ReplyKind::Prepare).await?;
        self.prepared(lease, text, key, outcome).await
    }

    /// Puts the PREPARE in front of an EXECUTE.
    pub(super) fn put_ahead(&self, job: &Job, id: ClientStatementId, lease: &mut Lease) -> Result<(), Failure> {
        put_prepare(lease, text_of(job, self.client_statement(id)?));
        Ok(())
    }

    /// Reads the reply to the PREPARE that went in front of an EXECUTE by the id `guess`. Some: the guess was wrong, and the
    /// EXECUTE must be sent again with this id.
    ///
    /// # Errors
    /// When the server did not take the PREPARE: the EXECUTE then did nothing.
    pub(super) async fn swallow_ahead(
        &self,
        job: &Job,
        id: ClientStatementId,
        lease: &mut Lease,
        key: StatementKey,
        guess: ServerStatementId,
    ) -> Result<Option<ServerStatementId>, Failure> {
        let text = text_of(job, self.client_statement(id)?);
        let outcome = lease.swallow(ReplyKind::Prepare).await?;
        if outcome.prepared.is_some_and(|prepared| prepared.statement == guess) {
            return self.prepared(lease, text, key, outcome).await.map(|_| None);
        }
        let executed = lease.swallow(ReplyKind::Results).await?;
        // Longer than the server takes: it says so, and closes the connection.
        if let Some(error) = executed.error.clone().filter(|error| error.code == PACKET_TOO_LARGE) {
            return Err(Failure::Told(error));
        }
        if executed.error.as_ref().is_none_or(|error| error.code != UNKNOWN) {
            // It ran something, and nobody knows what.
            let what = "another statement id than the next";
            return Err(lease.broken(ProtocolError::Malformed { packet: "PREPARE_OK", what }).into());
        }
        self.prepared(lease, text, key, outcome).await.map(Some)
    }

    fn client_statement(&self, id: ClientStatementId) -> Result<&ClientStatement, Failure> {
        self.session.statements().get(id).ok_or_else(unknown)
    }

    /// Takes in the reply to a PREPARE of the proxy's own, which is sent once more if that is of use.
    async fn prepared(
        &self,
        lease: &mut Lease,
        text: &[u8],
        key: StatementKey,
        mut outcome: Outcome,
    ) -> Result<ServerStatementId, Failure> {
        if self.makes_room(lease, &outcome) {
            put_prepare(lease, text);
            lease.flush().await?;
            outcome = lease.swallow(ReplyKind::Prepare).await?;
        }
        match (outcome.prepared, outcome.error) {
            (Some(prepared), _) => {
                lease.statements.insert(key, prepared.statement, self.shared.config.pools.statements as usize);
                Ok(prepared.statement)
            }
            (None, Some(error)) => {
                lease.statements.failed();
                Err(Failure::Told(error))
            }
            (None, None) => Err(unknown()),
        }
    }

    /// The server holds as many statements as it may. True: this connection's are closed, which makes room.
    fn makes_room(&self, lease: &mut Lease, outcome: &Outcome) -> bool {
        let full = outcome.error.as_ref().is_some_and(|error| error.code == TOO_MANY);
        if full {
            lease.statements.failed();
        }
        let room = full && !lease.statements.is_empty();
        if room {
            if let Some(suppressed) = self.shared.tells("too many prepared statements") {
                let server = &*lease.name;
                tracing::warn!(
                    server,
                    suppressed,
                    "the server's max_prepared_stmt_count is reached: closed what one connection holds; lower pools.statements"
                );
            }
            lease.statements.close_all();
        }
        room
    }
}

/// What is prepared for an EXECUTE: the statement's text, or that with what is known of what it asks.
fn text_of<'a>(job: &'a Job, statement: &'a ClientStatement) -> &'a [u8] {
    job.text.as_ref().unwrap_or(&statement.text)
}

fn put_prepare(lease: &mut Lease, text: &[u8]) {
    let mut payload = Vec::with_capacity(text.len().saturating_add(1));
    payload.push(code::STMT_PREPARE);
    payload.extend_from_slice(text);
    let connection = &mut **lease;
    connection.statements.close_into(&mut connection.out);
    put_packet(&mut connection.out, 0, &payload);
}

fn unknown() -> Failure {
    Failure::Told(ErrPacket::new(1243, b"HY000", "Unknown prepared statement handler"))
}
