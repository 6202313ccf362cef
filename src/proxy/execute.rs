//! Runs one job: takes a connection, gives it the session's state, sends the command, relays the reply, and once more
//! elsewhere where that is proven safe.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes};

use super::binlog::relay_binlog;
use super::client::Client;
use super::clients::{ClientHandle, Poke};
use super::error::{SessionError, refusal};
use super::kill::kill_thread;
use super::processes::list;
use super::relay::{RelayError, Taken, gone, relay};
use super::shared::Shared;
use super::users::User;
use crate::backend::{BackendError, Lease, Phase, Pool, PoolKey, ServerPools};
use crate::clock;
use crate::cluster::{Role, ServerId};
use crate::routing::{Route, RouteReason, Target};
use crate::session::{Job, Preamble, Request, Session, Slot};
use crate::sql::{Effects, StatementKind};
use crate::telemetry::{Command as CommandLabel, Kind, Origin, ProtocolSide, Record, RetryCause, TargetLabel};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::rows::Rows;
use crate::wire::statement::{
    ParameterTypes, ServerStatementId, parameter_types, rewrite_execute, rewrite_statement_id,
};
use crate::wire::writer::put_packet;
use crate::wire::{Capabilities, Command, ErrPacket, Outcome, ReplyKind, ReplyTracker};

/// What a session holds of servers: at most one connection to the primary and one to a replica.
pub(super) struct Leases {
    primary: Option<Lease>,
    replica: Option<Lease>,
    /// The pools of this session's account and form, by server, so that a statement needs no look-up.
    pools: Vec<(ServerId, bool, Pool)>,
    user: Arc<User>,
    collation: u16,
    capabilities: Capabilities,
}

impl Leases {
    pub(super) fn new(user: Arc<User>, collation: u16, capabilities: Capabilities) -> Self {
        let capabilities = capabilities & Capabilities::SHAPING;
        Self { primary: None, replica: None, pools: Vec::new(), user, collation, capabilities }
    }

    pub(super) fn slot(&mut self, slot: Slot) -> &mut Option<Lease> {
        match slot {
            Slot::Primary => &mut self.primary,
            Slot::Replica => &mut self.replica,
        }
    }

    /// Gives back what the session does not keep.
    pub(super) fn give_back(&mut self, session: &mut Session) {
        for slot in [Slot::Primary, Slot::Replica] {
            self.give_back_one(slot, session);
        }
    }

    fn give_back_one(&mut self, slot: Slot, session: &mut Session) {
        if !session.keeps(slot) {
            if let Some(mut lease) = self.slot(slot).take() {
                lease.bound = session.must_cleanse(slot);
            }
            session.let_go(slot);
        }
    }

    /// The session ends, or is reset: what it left on its connections goes before they go back.
    pub(super) async fn end(&mut self, session: &Session) {
        for slot in [Slot::Primary, Slot::Replica] {
            let Some(lease) = self.slot(slot).take() else { continue };
            if session.must_cleanse(slot) {
                lease.cleanse().await;
            }
        }
    }

    fn pool(&mut self, server: &Arc<ServerPools>, schema: bool) -> Pool {
        let known = self.pools.iter().find(|(id, with, _)| *id == server.id() && *with == schema);
        if let Some((_, _, pool)) = known {
            return pool.clone();
        }
        let key = PoolKey {
            user: self.user.account.user.clone(),
            account: self.user.account.id,
            collation: self.collation,
            capabilities: self.capabilities,
            schema,
        };
        let pool = server.pool(&key, &self.user.account);
        self.pools.push((server.id(), schema, pool.clone()));
        pool
    }
}

impl Drop for Leases {
    /// Leases are left only when the session was cut short, by a panic or in a hurry: what it left on them is not known.
    fn drop(&mut self) {
        for lease in [self.primary.take(), self.replica.take()].into_iter().flatten() {
            lease.discard();
        }
    }
}

/// The error of a statement that was killed: `ER_QUERY_INTERRUPTED`.
const INTERRUPTED: u16 = 1317;

/// Why the session of a killed client ends.
const KILLED: &str = "it was killed";

/// Everything that running a job needs.
pub(super) struct Run<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) client: &'a mut Client,
    pub(super) handle: &'a ClientHandle,
    pub(super) session: &'a mut Session,
    pub(super) leases: &'a mut Leases,
}

/// Why an attempt failed.
enum Failure {
    /// A server failed; so many bytes of the reply reached the client.
    Server(BackendError, u64),
    /// The client failed.
    Client(SessionError),
    /// The server refused something that the statement needs: the client is told, and all goes on.
    Told(ErrPacket),
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Server(error, 0)
    }
}

/// What an attempt did.
struct Attempt {
    server: ServerId,
    outcome: Outcome,
}

impl Run<'_> {
    /// Runs `job` for `command`, which came at `began`. Returns when it ended.
    pub(super) async fn run(
        &mut self,
        mut job: Job,
        command: &RawCommand,
        began: Instant,
    ) -> Result<Instant, SessionError> {
        let bytes_out = self.client.bytes_out;
        let mut taken = Taken::default();
        if self.session.has_left_replica()
            && let Some(mut lease) = self.leases.slot(Slot::Replica).take()
        {
            if let Some(query) = self.session.asks_left_variables() {
                match lease.query_row(&query).await {
                    Ok(values) => self.session.carry_left_variables(&values),
                    Err(error) => tracing::debug!(%error, "lost what GET DIAGNOSTICS had told"),
                }
            }
            lease.cleanse().await;
        }
        self.session.moves_on(&job);
        // Who waits for one connection must not keep another that is of no more use: two such would wait for each other.
        let other = match job.slot(self.session.pinned()) {
            Slot::Primary => Slot::Replica,
            Slot::Replica => Slot::Primary,
        };
        self.leases.give_back_one(other, self.session);
        self.carry_insert_id(&mut job).await;
        let mut retried = false;
        loop {
            let slot = job.slot(self.session.pinned());
            let attempt = self.attempt(&job, slot, command, &mut taken).await;
            let mut ended = clock::now();
            let (server, error) = match attempt {
                Ok(attempt) => {
                    let error = attempt.outcome.error.as_ref().map(|error| (error.code, Origin::Server));
                    if self.absorb(&job, slot, &attempt, command, ended).await? {
                        ended = clock::now();
                    }
                    if error.is_none() && job.releases() {
                        if let Some(lease) = self.leases.slot(slot).take() {
                            lease.discard();
                        }
                        self.session.lost(slot);
                        return Err(SessionError::Ended("its statement said RELEASE"));
                    }
                    (Some(attempt.server), error)
                }
                Err(Failure::Client(error)) => return Err(error),
                // Its statement was killed with it: the server ended the connection, and so does the proxy.
                Err(Failure::Server(..)) if self.handle.is_poked(Poke::Killed) => {
                    *self.leases.slot(slot) = None;
                    self.session.lost(slot);
                    return Err(SessionError::Ended(KILLED));
                }
                // Long data has no reply, and an EXECUTE must not run without it: the session cannot go on.
                Err(Failure::Told(error)) if job.reply.is_none() => {
                    tracing::info!(client = %self.handle.address(), id = self.handle.id, error = &*error.message, "long data was lost");
                    return Err(SessionError::Ended("the server did not take long data"));
                }
                Err(Failure::Told(error)) => {
                    self.client.refuse(&error, command.next_sequence).await?;
                    (None, Some((error.code, Origin::Server)))
                }
                Err(Failure::Server(error, forwarded)) => {
                    let pinned = self.session.pinned() == Some(slot) || job.held == Some(slot);
                    *self.leases.slot(slot) = None;
                    self.session.lost(slot);
                    if matches!(error, BackendError::Protocol { .. }) {
                        self.shared.metrics.protocol_error(ProtocolSide::Server);
                        if let Some(suppressed) = self.shared.tells("a server broke the protocol") {
                            tracing::warn!(%error, suppressed, "a server broke the protocol");
                        }
                    }
                    if forwarded > 0 {
                        return Err(error.into());
                    }
                    if !retried
                        && !pinned
                        && let Some(next) = elsewhere(&job, &error)
                    {
                        retried = true;
                        self.shared.metrics.retried(next.1);
                        tracing::debug!(%error, "a read runs on the primary instead");
                        job.route = next.0;
                        continue;
                    }
                    if let Some(suppressed) = self.shared.tells("a statement failed") {
                        let (client, id) = (self.handle.address(), self.handle.id);
                        tracing::info!(%client, id, %error, suppressed, "a statement failed");
                    }
                    if job.reply.is_none() {
                        return Err(SessionError::Ended("a server failed before it had taken long data"));
                    }
                    let packet = refusal(&error);
                    self.client.refuse(&packet, command.next_sequence).await?;
                    self.shared.metrics.error(packet.code, Origin::Proxy);
                    if pinned || (!error.is_before() && !job.repeatable) {
                        // What the session had there is gone, or the fate of a write is unknown: the client must see
                        // its connection end, as it would have directly.
                        return Err(SessionError::Ended("lost the connection that it depended on"));
                    }
                    (None, Some((packet.code, Origin::Proxy)))
                }
            };
            self.leases.give_back(self.session);
            let total = ended.saturating_duration_since(began);
            self.shared.metrics.finish(&Record {
                server,
                target: self.target_label(server),
                reason: job.route.reason,
                kind: kind_label(&job, command, self.session.capabilities()),
                total,
                waited: taken.waited.min(total),
                bytes_from_client: command.payload.len() as u64 + 4,
                bytes_to_client: self.client.bytes_out.wrapping_sub(bytes_out),
                bytes_from_server: taken.bytes,
                bytes_to_server: command.payload.len() as u64 + 4,
                error,
            });
            return Ok(ended);
        }
    }

    /// A read-only transaction on a replica may ask for the LAST_INSERT_ID() that the primary's connection knows.
    async fn carry_insert_id(&mut self, job: &mut Job) {
        let asks = job.effects().contains(Effects::ASKS_LAST_INSERT_ID);
        if !asks || !self.session.holds_insert_id() || job.slot(self.session.pinned()) != Slot::Replica {
            return;
        }
        let Some(lease) = self.leases.slot(Slot::Primary) else { return };
        match lease.query_row("SELECT LAST_INSERT_ID()").await {
            Ok(row) => {
                job.last_insert_id = row.first().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                self.session.released(Slot::Primary, job.last_insert_id);
            }
            Err(error) => {
                tracing::debug!(%error, "lost a held connection");
                *self.leases.slot(Slot::Primary) = None;
                self.session.lost(Slot::Primary);
            }
        }
    }

    /// The one number that `job` asks for by a text of its own.
    pub(super) async fn evaluate(&mut self, job: &Job) -> Result<u64, ErrPacket> {
        self.session.moves_on(job);
        let slot = job.slot(self.session.pinned());
        let asked = async {
            let mut lease = self.lease(job, slot, &mut Taken::default()).await?;
            let wanted = self.session.settings().clone();
            let preamble = Preamble::between(&lease.state, &wanted);
            if !preamble.is_empty() {
                let pending = lease.prepare_state(&preamble, &wanted);
                lease.flush().await?;
                lease.swallow_preamble(&pending).await?;
            }
            let text = job.text.as_ref().and_then(|text| text.get(1..)).unwrap_or_default();
            let row = lease.query_row(&String::from_utf8_lossy(text)).await;
            if !matches!(row, Err(BackendError::Lost { .. } | BackendError::Protocol { .. })) {
                lease.busy = false;
                *self.leases.slot(slot) = Some(lease);
            }
            Ok(row?.first().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0))
        };
        let value = asked.await;
        self.leases.give_back(self.session);
        value.map_err(|failure| match failure {
            Failure::Server(error, _) => refusal(&error),
            Failure::Told(error) => error,
            Failure::Client(_) => ErrPacket::new(INTERRUPTED, b"70100", "Query execution was interrupted"),
        })
    }

    fn target_label(&self, server: Option<ServerId>) -> TargetLabel {
        match server.and_then(|id| self.shared.cluster.load().server(id).map(|server| server.role)) {
            Some(Role::Primary) => TargetLabel::Primary,
            Some(Role::Replica) => TargetLabel::Replica,
            None => TargetLabel::Proxy,
        }
    }

    /// One attempt on one server.
    async fn attempt(
        &mut self,
        job: &Job,
        slot: Slot,
        command: &RawCommand,
        taken: &mut Taken,
    ) -> Result<Attempt, Failure> {
        let mut lease = self.lease(job, slot, taken).await?;
        let server = lease.server;
        if self.handle.is_poked(Poke::Killed) {
            *self.leases.slot(slot) = Some(lease);
            return Err(Failure::Client(SessionError::Ended(KILLED)));
        }
        if !self.session.is_informed() && !lease.sandboxed {
            let base = lease.state.base.clone();
            self.shared.greetings.keep_base(self.leases.collation, self.leases.capabilities, &base);
            self.session.learn(&base);
        }
        let pools = self.shared.pools.server(server).cloned();
        let running = Running::new(pools.as_deref(), self.handle, server, lease.thread_id);
        let result = self.exchange(job, &mut lease, command, taken).await;
        if running.end() {
            self.outlive(&mut lease, &result).await?;
        }
        // A connection that failed is closed; one whose reply is over goes on.
        match result {
            Ok(outcome) => {
                lease.busy = false;
                *self.leases.slot(slot) = Some(lease);
                Ok(Attempt { server, outcome })
            }
            Err(Failure::Told(error)) => {
                lease.busy = false;
                *self.leases.slot(slot) = Some(lease);
                Err(Failure::Told(error))
            }
            Err(failure) => {
                if matches!(failure, Failure::Client(_)) {
                    self.abandon(job, lease);
                }
                Err(failure)
            }
        }
    }

    /// The client is gone and its statement runs: nobody waits for it any more. A server notices by itself only when it
    /// writes. What ends a transaction is left to finish, as it would be directly.
    fn abandon(&self, job: &Job, lease: Lease) {
        let finishes = matches!(job.kind(), Some(StatementKind::Commit | StatementKind::Rollback | StatementKind::Xa));
        if !self.client.watched || finishes || job.replication {
            return lease.discard();
        }
        let (shared, account, server) = (self.shared.clone(), self.leases.user.account.clone(), lease.server);
        self.shared.metrics.abandoned();
        tokio::spawn(async move {
            // The thread's id stays its own while the connection lives.
            if let Err(error) = kill_thread(&shared, &account, server, lease.thread_id, false).await {
                tracing::debug!(%error, "could not kill the statement of a client that went away");
            }
            lease.discard();
        });
    }

    /// A KILL of the statement is under way, and it has ended. Whoever runs something on its connection next must not be
    /// hit: the connection stays here until the KILL is over, and until the server has answered once more.
    async fn outlive(&self, lease: &mut Lease, result: &Result<Outcome, Failure>) -> Result<(), Failure> {
        // If this session is cut in the meantime the connection is closed.
        lease.busy = true;
        self.handle.kills_over().await;
        if self.handle.is_poked(Poke::Killed) {
            return Err(Failure::Client(SessionError::Ended(KILLED)));
        }
        let Ok(outcome) = result else { return Ok(()) };
        if outcome.error.as_ref().is_some_and(|error| error.code == INTERRUPTED) {
            return Ok(());
        }
        put_packet(&mut lease.out, 0, &[code::PING]);
        lease.flush().await.map_err(too_late)?;
        lease.swallow(ReplyKind::Simple).await.map(|_| ()).map_err(too_late)
    }

    /// The connection for a job: the one that the session holds, or one from a pool.
    async fn lease(&mut self, job: &Job, slot: Slot, taken: &mut Taken) -> Result<Lease, Failure> {
        let held = self.leases.slot(slot).take();
        let wanted = match job.route.target {
            Target::Pinned | Target::Refuse | Target::Proxy => {
                return held.ok_or_else(|| {
                    let error = std::io::Error::other("the connection that the session depended on is gone");
                    Failure::Server(BackendError::Lost { server: "?".into(), phase: Phase::NotSent, error }, 0)
                });
            }
            Target::Primary => self.shared.cluster.load().primary().map(|primary| primary.id),
            Target::Replica(id) => Some(id),
        };
        let schema = self.session.settings().schema.is_some();
        if let Some(mut lease) = held.filter(|lease| Some(lease.server) == wanted) {
            if !lease.is_dead() {
                return Ok(lease);
            }
            // It was kept because it knows something: a statement that asks must not be answered by another.
            let asks = Effects::ASKS_LAST_INSERT_ID | Effects::USES_SEQUENCE | Effects::OPAQUE;
            if self.session.keeps(slot) && job.effects().intersects(asks) {
                let error = std::io::Error::other("the connection that ran the statement it asks about is gone");
                return Err(Failure::Server(lease.lost(Phase::NotSent, error), 0));
            }
            self.session.lost(slot);
            lease.discard();
        }
        self.session.let_go(slot);
        let server = wanted.and_then(|id| self.shared.pools.server(id)).ok_or_else(|| {
            let text = "pointsman: no primary is configured".to_owned();
            Failure::Server(BackendError::PoolFull { text }, 0)
        })?;
        let server = server.clone();
        let pool = self.leases.pool(&server, schema);
        let mut waited = Duration::ZERO;
        let mut lease = pin!(server.lease(&pool));
        // An idle connection is there at once, mostly: then there is nothing to measure.
        let lease = match poll_fn(|context| Poll::Ready(lease.as_mut().poll(context))).await {
            Poll::Ready(lease) => lease,
            Poll::Pending => {
                let before = clock::now();
                let lease = wait(lease, self.handle, self.client, server.id()).await;
                waited = clock::now().saturating_duration_since(before);
                taken.waited += waited;
                lease?
            }
        };
        self.shared.metrics.pool_waited(server.id(), waited);
        Ok(lease?)
    }

    /// Sends state and command, and relays the reply.
    async fn exchange(
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
        let mut preamble = if lease.sandboxed { Preamble::default() } else { Preamble::between(&lease.state, &wanted) };
        let carries_state = !preamble.is_empty();
        let own = self.session.own_insert_id(job).filter(|_| lease.has_insert_id);
        if let Some(id) = job.last_insert_id.or(own) {
            preamble.assign("last_insert_id", &id.to_string());
        }
        preamble.replay = job.replay;
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
    async fn server_statement(
        &self,
        lease: &mut Lease,
        id: crate::wire::statement::ClientStatementId,
    ) -> Result<ServerStatementId, Failure> {
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

    /// Takes in what came of the job, which ended `now`. True: it took a round trip more.
    async fn absorb(
        &mut self,
        job: &Job,
        slot: Slot,
        attempt: &Attempt,
        command: &RawCommand,
        now: Instant,
    ) -> Result<bool, SessionError> {
        let outcome = &attempt.outcome;
        let text = match job.request {
            Request::Prepare(_) => {
                let sent = job.text.as_ref().unwrap_or(&command.payload);
                Bytes::copy_from_slice(sent.get(1..).unwrap_or_default())
            }
            Request::Forward | Request::Execute(_) | Request::Statement(_) => Bytes::new(),
        };
        let pins = self.session.pins().first();
        let absorbed = self.session.absorb(job, slot, outcome, &text, self.shared.keys, now);
        if absorbed.wrote {
            self.shared.wrote(now);
        }
        if let Some(what) = absorbed.mismatch {
            self.shared.metrics.state_mismatch(what.as_str());
            if let (Some(classified), Some(suppressed)) = (&job.classified, self.shared.tells("state mismatch")) {
                // The fingerprint, never the literals.
                let (fingerprint, what) = (classified.shape.fingerprint.0, what.as_str());
                tracing::info!(
                    what,
                    fingerprint = format!("{fingerprint:032x}"),
                    suppressed,
                    "a server reported another state than the statement says"
                );
            }
        }
        if let Some(cause) = self.session.pins().first().filter(|cause| pins != Some(*cause)) {
            self.shared.metrics.pinned(cause.as_str());
        }
        let settings = self.session.settings().clone();
        let (key, limit) = match job.request {
            Request::Prepare(id) => {
                (self.session.statements().get(id).map(|kept| kept.key), self.shared.config.pools.statements as usize)
            }
            Request::Forward | Request::Execute(_) | Request::Statement(_) => (None, 0),
        };
        let Some(lease) = self.leases.slot(slot) else { return Ok(false) };
        lease.state.settings = settings;
        if let (Some(key), Some(prepared)) = (key, outcome.prepared) {
            lease.statements.insert(key, prepared.statement, limit);
        }
        if absorbed.ask_status && !self.ask_status(slot).await {
            *self.leases.slot(slot) = None;
            self.session.lost(slot);
        }
        if let Some(lease) = self.leases.slot(slot) {
            lease.bound = self.session.must_cleanse(slot);
            lease.has_insert_id |= job.last_insert_id.is_some() || self.session.holds_insert_id();
        }
        Ok(absorbed.ask_status)
    }

    /// After an error that may have ended or begun a transaction: COM_PING's OK carries the flags, and leaves the
    /// warnings as they are (MariaDB 10.11). False: the connection broke.
    async fn ask_status(&mut self, slot: Slot) -> bool {
        let Some(lease) = self.leases.slot(slot) else { return true };
        let connection = &mut **lease;
        put_packet(&mut connection.out, 0, &[code::PING]);
        let asked = async {
            connection.flush().await?;
            connection.swallow(ReplyKind::Simple).await
        };
        match asked.await {
            Ok(outcome) => {
                lease.busy = false;
                if let Some(status) = outcome.status {
                    self.session.absorb_status(slot, status);
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "lost a connection while asking for its state");
                false
            }
        }
    }
}

/// Waits for a connection, unless the statement or the client is killed.
async fn wait(
    lease: Pin<&mut impl Future<Output = Result<Lease, BackendError>>>,
    handle: &ClientHandle,
    client: &Client,
    server: ServerId,
) -> Result<Result<Lease, BackendError>, Failure> {
    // One that came too late for an earlier statement.
    handle.take_interrupt();
    let _waiting = WaitingFor::new(handle, server);
    let told = async {
        loop {
            if handle.is_poked(Poke::Killed) {
                return Failure::Client(SessionError::Ended(KILLED));
            }
            if handle.take_interrupt() {
                return Failure::Told(ErrPacket::new(INTERRUPTED, b"70100", "Query execution was interrupted"));
            }
            handle.poked().await;
        }
    };
    tokio::select! {
        biased;
        lease = lease => Ok(lease),
        failure = told => Err(failure),
        () = client.gone() => Err(Failure::Client(gone().into())),
    }
}

/// Tells others what a client waits for.
struct WaitingFor<'a>(&'a ClientHandle);

impl<'a> WaitingFor<'a> {
    fn new(handle: &'a ClientHandle, server: ServerId) -> Self {
        handle.set_waiting(Some(server));
        Self(handle)
    }
}

impl Drop for WaitingFor<'_> {
    fn drop(&mut self) {
        self.0.set_waiting(None);
    }
}

/// The client has the whole reply; only the connection is lost.
fn too_late(error: BackendError) -> Failure {
    Failure::Server(error, 1)
}

/// Where a job may run instead, after a failure before the client had a byte.
fn elsewhere(job: &Job, error: &BackendError) -> Option<(Route, RetryCause)> {
    let on_replica = matches!(job.route.target, Target::Replica(_));
    let read_only = job.route.reason == RouteReason::ReadOnlyTransaction;
    let primary = |cause| Some((Route::new(Target::Primary, RouteReason::ReplicasDown), cause));
    match error {
        BackendError::Lost { phase: Phase::MayHaveRun, .. }
        | BackendError::Protocol { phase: Phase::MayHaveRun, .. } => {
            job.repeatable.then(|| primary(RetryCause::ReadLost)).flatten()
        }
        // Nothing was sent: any statement that went to a replica may go to the primary.
        _ if on_replica && (job.repeatable || read_only) => primary(RetryCause::Connect),
        _ => None,
    }
}

fn kind_label(job: &Job, command: &RawCommand, agreed: Capabilities) -> Kind {
    if let Some(kind) = job.kind() {
        return Kind::Statement(kind);
    }
    Kind::Command(Command::parse(&command.payload, agreed).map_or(CommandLabel::Other, command_label))
}

/// A command's label in metrics.
pub(super) fn command_label(command: Command<'_>) -> CommandLabel {
    match command {
        Command::Ping => CommandLabel::Ping,
        Command::InitDb(_) => CommandLabel::InitDb,
        Command::FieldList(_) => CommandLabel::FieldList,
        Command::StmtPrepare(_) => CommandLabel::StmtPrepare,
        Command::StmtClose { .. } => CommandLabel::StmtClose,
        Command::StmtReset { .. } => CommandLabel::StmtReset,
        Command::StmtFetch { .. } => CommandLabel::StmtFetch,
        Command::StmtSendLongData { .. } => CommandLabel::StmtLongData,
        Command::SetOption(_) => CommandLabel::SetOption,
        Command::ResetConnection => CommandLabel::ResetConnection,
        Command::ChangeUser(_) => CommandLabel::ChangeUser,
        Command::Statistics => CommandLabel::Statistics,
        Command::ProcessKill(_) => CommandLabel::ProcessKill,
        Command::Quit => CommandLabel::Quit,
        Command::BinlogDump => CommandLabel::BinlogDump,
        Command::RegisterReplica => CommandLabel::RegisterSlave,
        Command::Refresh => CommandLabel::Refresh,
        Command::ProcessInfo => CommandLabel::ProcessInfo,
        Command::Debug => CommandLabel::Debug,
        Command::Shutdown => CommandLabel::Shutdown,
        Command::Query(_) | Command::StmtExecute { .. } | Command::StmtBulkExecute { .. } | Command::Unknown(_) => {
            CommandLabel::Other
        }
    }
}

/// Counts a running statement, for balancing, and tells KILL where it runs.
struct Running<'a> {
    pools: Option<&'a ServerPools>,
    handle: &'a ClientHandle,
    ended: bool,
}

impl<'a> Running<'a> {
    fn new(pools: Option<&'a ServerPools>, handle: &'a ClientHandle, server: ServerId, thread: u32) -> Self {
        if let Some(pools) = pools {
            pools.begin();
        }
        handle.begin(server, thread);
        Self { pools, handle, ended: false }
    }

    /// It has ended. True: a KILL of it is under way.
    fn end(mut self) -> bool {
        self.ended = true;
        self.handle.end()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(pools) = self.pools {
            pools.end();
        }
        // The task was cut: its connection is closed.
        if !self.ended {
            let _ = self.handle.end();
        }
    }
}
