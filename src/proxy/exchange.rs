//! What goes to a server for a job, in one write where that is safe: the session's state, a PREPARE, the command; and the
//! replies, of which the client gets the last.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes};

use super::binlog::relay_binlog;
use super::execute::{Failure, Run};
use super::processes::list;
use super::relay::{RelayError, Taken, relay};
use crate::backend::{BackendError, Lease};
use crate::session::{Job, Preamble, Request};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::rows::Rows;
use crate::wire::statement::{
    ClientStatementId, ParameterTypes, ServerStatementId, parameter_types, rewrite_execute, rewrite_statement_id,
};
use crate::wire::writer::put_packet;
use crate::wire::{ErrPacket, Outcome, ReplyKind, ReplyTracker};

impl Run<'_> {
    /// Sends state and command, and relays the reply.
    pub(super) async fn exchange(
        &mut self,
        job: &Job,
        lease: &mut Lease,
        command: &RawCommand,
        taken: &mut Taken,
    ) -> Result<Outcome, Failure> {
        lease.dedicated |= job.replication;
        let statement = match job.request {
            Request::Execute(id) | Request::Statement(id) => Some(self.server_statement(lease, id).await?),
            Request::Forward | Request::Prepare(_) => None,
        };
        let wanted = self.session.settings().clone();
        let mut preamble = Preamble::default();
        let mut carries_state = false;
        // A connection whose password has expired takes no state, and its session has none.
        if !lease.sandboxed {
            preamble = Preamble::between(&lease.state, &wanted);
            carries_state = !preamble.is_empty();
            let own = self.session.own_insert_id(job).filter(|_| lease.has_insert_id);
            if let Some(id) = job.last_insert_id.or(own) {
                preamble.assign("last_insert_id", &id.to_string());
            }
            preamble.replay = job.replay;
        }
        let mut pending = Vec::new();
        if !preamble.is_empty() {
            pending = lease.prepare_state(&preamble, &wanted);
            // A write must not run in a state that the server refused; a read's result would only be thrown away.
            if !job.repeatable && (carries_state || job.replay.is_some()) {
                lease.flush().await?;
                lease.swallow_preamble(&std::mem::take(&mut pending)).await?;
            }
        }
        self.send(job, lease, command, statement).await?;
        if !pending.is_empty() {
            lease.swallow_preamble(&pending).await?;
        }
        let Some(kind) = job.reply else { return Ok(Outcome::default()) };
        let mut tracker = ReplyTracker::new(kind, lease.capabilities, self.client.capabilities);
        tracker = tracker.with_status(self.session.status()).with_cursor(job.cursor);
        if lease.stream.is_compressed() || self.client.stream.is_compressed() {
            tracker = tracker.with_sequence(command.next_sequence);
        }
        if let Request::Prepare(id) = job.request {
            tracker = tracker.with_statement(id);
        }
        if let Some(whole) = job.processes {
            let rows = list(self.shared, self.handle, whole).await;
            tracker = tracker.with_rows(Rows::new(rows, matches!(job.request, Request::Execute(_))));
        }
        let chosen = self.session.filter_for(job);
        let filter = chosen.as_ref().unwrap_or_else(|| self.session.filter());
        let relayed = if kind == ReplyKind::Binlog {
            Box::pin(relay_binlog(lease, self.client, self.handle, tracker, filter, taken)).await
        } else {
            relay(lease, self.client, tracker, filter, taken).await
        };
        match relayed {
            Ok(outcome) => {
                if lease.sandboxed && outcome.error.is_none() {
                    // It has a new password, and is as any other from now on.
                    lease.sandboxed = false;
                    let mariadb = lease.state.base.mariadb;
                    if let Err(error) = lease.set_up(mariadb).await {
                        tracing::debug!(%error, "after a new password");
                    }
                }
                Ok(outcome)
            }
            Err(RelayError::Server { error, forwarded }) => Err(Failure::Server(error, forwarded)),
            Err(RelayError::Client(error)) => Err(Failure::Client(error)),
        }
    }

    async fn send(
        &self,
        job: &Job,
        lease: &mut Lease,
        command: &RawCommand,
        statement: Option<ServerStatementId>,
    ) -> Result<(), BackendError> {
        let connection = &mut **lease;
        connection.statements.close_into(&mut connection.out);
        match (job.request, statement) {
            (Request::Execute(id), Some(server)) => {
                let known = self.session.statements().get(id);
                let parameters = known.map_or(0, |statement| statement.parameters);
                let types = known.and_then(|statement| statement.types.as_ref());
                let agreed = connection.capabilities;
                let sent = parameter_types(&command.payload, parameters, agreed);
                let missing = matches!(sent, Ok(ParameterTypes::AsBefore));
                let types = types.filter(|_| missing).map(Bytes::as_ref);
                let mut payload = rewrite_execute(&command.payload, server, parameters, types, agreed)
                    .map_err(|error| connection.broken(error))?;
                // A process list is shown whole: see Session::plan_execute.
                if job.processes.is_some()
                    && let Some(flags) = payload.get_mut(5)
                {
                    *flags = 0;
                }
                put_packet(&mut connection.out, 0, &payload);
            }
            (_, Some(server)) => {
                let payload =
                    rewrite_statement_id(&command.payload, server).map_err(|error| connection.broken(error))?;
                put_packet(&mut connection.out, 0, &payload);
            }
            // The hot path: one packet, as it came, straight to the socket.
            _ => match command.packet().filter(|_| job.text.is_none()) {
                Some(packet) if connection.out.is_empty() => return connection.write(packet).await,
                Some(packet) => connection.out.put_slice(packet),
                None => {
                    put_packet(&mut connection.out, 0, job.text.as_ref().unwrap_or(&command.payload));
                }
            },
        }
        connection.flush().await
    }

    /// The server's id of a prepared statement, prepared there first if need be, under the state that it was prepared
    /// in by the client.
    async fn server_statement(&self, lease: &mut Lease, id: ClientStatementId) -> Result<ServerStatementId, Failure> {
        let unknown = || Failure::Told(ErrPacket::new(1243, b"HY000", "Unknown prepared statement handler"));
        let statement = self.session.statements().get(id).ok_or_else(unknown)?;
        if !Preamble::between(&lease.state, self.session.settings()).reset
            && let Some(server) = lease.statements.get(statement.key)
        {
            return Ok(server);
        }
        let wanted = Arc::new(self.session.settings().for_prepare(&statement.settings));
        let preamble = Preamble::between(&lease.state, &wanted);
        let pending = if preamble.is_empty() { Vec::new() } else { lease.prepare_state(&preamble, &wanted) };
        let mut payload = Vec::with_capacity(statement.text.len().saturating_add(1));
        payload.push(code::STMT_PREPARE);
        payload.extend_from_slice(&statement.text);
        let connection = &mut **lease;
        connection.statements.close_into(&mut connection.out);
        put_packet(&mut connection.out, 0, &payload);
        connection.flush().await?;
        connection.swallow_preamble(&pending).await?;
        let outcome = connection.swallow(ReplyKind::Prepare).await?;
        match (outcome.prepared, outcome.error) {
            (Some(prepared), _) => {
                let limit = self.shared.config.pools.statements as usize;
                connection.statements.insert(statement.key, prepared.statement, limit);
                Ok(prepared.statement)
            }
            (None, Some(error)) => Err(Failure::Told(error)),
            (None, None) => Err(unknown()),
        }
    }
}
