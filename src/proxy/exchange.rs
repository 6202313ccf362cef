//! What goes to a server for a job, in one write where that is safe: the session's state, a PREPARE, the command; and the
//! replies, of which the client gets the last.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::binlog::relay_binlog;
use super::execute::{Failure, Run};
use super::prepare::Placed;
use super::processes::list;
use super::relay::{RelayError, Taken, relay};
use super::status::own_status;
use crate::backend::{BackendError, Lease};
use crate::session::{Job, Preamble, Request, Session, Settings};
use crate::sql::{Effects, PrimaryCause, StatementKind};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::rows::Rows;
use crate::wire::statement::{
    ParameterTypes, ServerStatementId, parameter_types, rewrite_execute, rewrite_statement_id,
};
use crate::wire::status::StatusRows;
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
        // The server would say so too, and reset the connection while the rest of it comes: its word is lost by that.
        if command.payload.len() > lease.longest_command {
            let text = "Got a packet bigger than 'max_allowed_packet' bytes";
            return Err(Failure::Told(ErrPacket::new(1153, b"08S01", text)));
        }
        lease.dedicated |= job.replication;
        self.ask(job, lease, command).await?;
        if prepares_by_text(job) {
            lease.statements.lose_count();
        }
        let Some(kind) = job.reply else { return Ok(Outcome::default()) };
        let mut tracker = self.tracker(kind, job, lease, command);
        if let Some(whole) = job.processes {
            let rows = Box::pin(list(self.shared, self.handle, whole)).await;
            tracker = tracker.with_rows(Rows::new(rows, matches!(job.request, Request::Execute(_))));
        }
        // Only of use when the reply is the command's: not of what was said before it.
        self.client.copy = job.memory.map(|_| BytesMut::new());
        let chosen = self.session.filter_for(job);
        let filter = chosen.as_ref().unwrap_or_else(|| self.session.filter());
        let relayed = if kind == ReplyKind::Binlog {
            Box::pin(relay_binlog(lease, self.client, self.handle, &mut tracker, filter, taken)).await
        } else {
            relay(lease, self.client, &mut tracker, filter, taken).await
        };
        let outcome = relayed.map_err(|error| match error {
            RelayError::Server { error, forwarded } => Failure::Server(error, forwarded),
            RelayError::Client(error) => Failure::Client(error),
        })?;
        if lease.sandboxed || self.session.retracks(job) {
            Box::pin(self.settle(job, lease, &outcome)).await?;
        }
        Ok(outcome)
    }

    /// Brings the connection to the session's state and sends the command; reads all replies but its own.
    async fn ask(&self, job: &Job, lease: &mut Lease, command: &RawCommand) -> Result<(), Failure> {
        let wanted = self.session.settings().clone();
        let mut preamble = between(lease, &wanted);
        let placed = self.place(job, lease, &preamble).await?;
        if matches!(placed, Placed::Prepared(_)) {
            preamble = between(lease, &wanted);
        }
        let carries_state = !preamble.is_empty();
        if !lease.sandboxed {
            let own = self.session.own_insert_id(job).filter(|id| lease.has_insert_id || *id != 0);
            if let Some(id) = job.last_insert_id.or(own) {
                preamble.assign("last_insert_id", &id.to_string());
            }
            preamble.replay = job.replay;
            self.session.show_tracking(job, &mut preamble);
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
        if let Placed::Ahead(id, ..) = placed {
            self.put_ahead(job, id, lease)?;
        }
        self.send(job, lease, command, placed.id()).await?;
        if !pending.is_empty() {
            lease.swallow_preamble(&pending).await?;
        }
        if let Placed::Ahead(id, key, guess) = placed
            && let Some(id) = Box::pin(self.swallow_ahead(job, id, lease, key, guess)).await?
        {
            self.send(job, lease, command, Some(id)).await?;
        }
        Ok(())
    }

    /// What walks the reply to `job`.
    fn tracker(&self, kind: ReplyKind, job: &Job, lease: &Lease, command: &RawCommand) -> ReplyTracker {
        let mut tracker = ReplyTracker::new(kind, lease.capabilities, self.client.capabilities)
            .with_status(self.session.status())
            .with_cursor(job.cursor)
            .with_first_row(job.asks_for_lock());
        if lease.stream.is_compressed() || self.client.stream.is_compressed() {
            tracker = tracker.with_sequence(command.next_sequence);
        }
        if command.payload.first() == Some(&code::INIT_DB) {
            tracker = tracker.with_warnings(self.session.warnings_before());
        }
        if let Request::Prepare(id) = job.request {
            tracker = tracker.with_statement(id);
        }
        if let Some(asked) = &job.status {
            let own = own_status(self.shared, self.client, self.session.statement_counts());
            let rows = if asked.shows {
                StatusRows::of_show(asked.global, own)
            } else {
                StatusRows::of_tables(asked.variable.clone(), own)
            };
            tracker = tracker.with_status_rows(rows.binary(!matches!(job.request, Request::Forward)));
        }
        if let Request::Execute(id) = job.request {
            let remembered = self.session.statements().get(id).is_some_and(|statement| statement.memory.is_some());
            tracker = tracker.with_digest(remembered);
        }
        tracker
    }

    /// What few replies ask for when they are over.
    async fn settle(&mut self, job: &Job, lease: &mut Lease, outcome: &Outcome) -> Result<(), Failure> {
        if self.session.retracks(job) {
            self.retrack(job, lease, outcome).await.map_err(|error| Failure::Server(error, 1))?;
        }
        if lease.sandboxed && outcome.error.is_none() {
            // It has a new password, and is as any other from now on.
            lease.sandboxed = false;
            let mariadb = lease.state.base.mariadb;
            if let Err(error) = lease.set_up(mariadb).await {
                tracing::debug!(%error, "after a new password");
            }
            // Of what the session wants it has nothing yet.
            lease.state.known = false;
        }
        Ok(())
    }

    /// The connection showed or set what the client is told of its session's state: it tells the proxy everything again.
    async fn retrack(&mut self, job: &Job, lease: &mut Lease, outcome: &Outcome) -> Result<(), BackendError> {
        if self.session.chooses_tracking(job) && outcome.error.is_none() {
            let chosen = lease.query_row(Session::ASKS_TRACKING).await?;
            self.session.tracking_chosen(job, &chosen);
        }
        lease.send_query(&self.session.tracking_set());
        lease.flush().await?;
        lease.swallow(ReplyKind::Results).await.map(|_| ())
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
}

/// What brings the connection to these settings. One whose password has expired takes no state, and its session has none.
fn between(lease: &Lease, wanted: &Arc<Settings>) -> Preamble {
    if lease.sandboxed { Preamble::default() } else { Preamble::between(&lease.state, wanted) }
}

/// Whether it may have the server prepare statements that the proxy does not see: the numbers of later ones are not known then.
fn prepares_by_text(job: &Job) -> bool {
    let Some(classified) = &job.classified else { return false };
    classified.shape.cause == Some(PrimaryCause::ExecutableComment)
        || classified.shape.effects.contains(Effects::PREPARES_UNNAMED)
        || matches!(
            classified.shape.kind,
            StatementKind::Prepare | StatementKind::Call | StatementKind::Opaque | StatementKind::Multi
        )
}
