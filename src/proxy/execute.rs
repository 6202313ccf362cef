//! Runs one job: an attempt, what came of it, and once more elsewhere where that is proven safe.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::attempt::Attempt;
use super::client::Client;
use super::clients::{ClientHandle, Poke};
use super::error::{SessionError, refusal};
use super::labels::kind_label;
use super::leases::{Leases, release};
use super::memory::Remembered;
use super::relay::Taken;
use super::shared::Shared;
use crate::accounts::changes_accounts;
use crate::backend::{BackendError, Lease, Phase};
use crate::clock;
use crate::cluster::{Role, ServerId};
use crate::routing::{Route, RouteReason, Target};
use crate::session::{Job, Preamble, Request, Session, Slot};
use crate::sql::{Effects, StatementKind};
use crate::telemetry::{Origin, ProtocolSide, Record, RetryCause, TargetLabel};
use crate::wire::command::code;
use crate::wire::err::PACKET_TOO_LARGE;
use crate::wire::inbox::RawCommand;
use crate::wire::writer::put_packet;
use crate::wire::{Command, ErrPacket, Outcome, ReplyKind};

/// The error of a statement that was killed: `ER_QUERY_INTERRUPTED`.
pub(super) const INTERRUPTED: u16 = 1317;

/// Why the session of a killed client ends.
pub(super) const KILLED: &str = "it was killed";

/// Everything that running a job needs.
pub(super) struct Run<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) client: &'a mut Client,
    pub(super) handle: &'a ClientHandle,
    pub(super) session: &'a mut Session,
    pub(super) leases: &'a mut Leases,
}

/// Why an attempt failed.
pub(super) enum Failure {
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

impl Run<'_> {
    /// Runs `job` for `command`, which came at `began`. Returns when it ended, and the code of the error that the client got.
    pub(super) async fn run(
        &mut self,
        mut job: Box<Job>,
        command: &RawCommand,
        began: Instant,
    ) -> Result<(Instant, Option<u16>), SessionError> {
        let bytes_out = self.client.bytes_out;
        if let Some(ended) = self.recall(&job, command, began).await? {
            return Ok((ended, None));
        }
        // What is remembered of statements is of no use once a table is another.
        let _changing = changes_tables(&job).then(|| self.shared.memory.change());
        let mut taken = Taken::default();
        if self.session.has_left_replica()
            && let Some(lease) = self.leases.slot(Slot::Replica).take()
        {
            Box::pin(self.leave_replica(lease)).await;
        }
        self.session.moves_on(&job);
        // Who waits for one connection must not keep another that is of no more use: two such would wait for each other.
        let other = match job.slot(self.session.pinned()) {
            Slot::Primary => Slot::Replica,
            Slot::Replica => Slot::Primary,
        };
        self.leases.give_back_one(other, self.session);
        self.carry_insert_id(&mut job).await;
        if job.own_attributes
            && let Some(lease) = self.leases.slot(Slot::Primary).take()
        {
            Box::pin(release(lease, Slot::Primary, self.session)).await;
        }
        let mut retried = false;
        loop {
            let slot = job.slot(self.session.pinned());
            let attempt = self.attempt(&job, slot, command, &mut taken).await;
            let mut ended = clock::now();
            let (server, error) = match attempt {
                Ok(attempt) => {
                    let error = attempt.outcome.error.as_ref().map(|error| (error.code, Origin::Server));
                    if self.absorb(&job, slot, &attempt, command, ended) {
                        Box::pin(self.ask_status(slot)).await;
                        ended = clock::now();
                    }
                    self.bind(&job, slot);
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
                Err(Failure::Told(error)) if job.reply.is_none() && error.code != PACKET_TOO_LARGE => {
                    tracing::info!(client = %self.handle.address(), id = self.handle.id, error = &*error.message, "long data was lost");
                    return Err(SessionError::Ended("the server did not take long data"));
                }
                Err(Failure::Told(error)) => {
                    let outcome = Outcome { error: Some(error.clone()), ..Outcome::default() };
                    self.check_memory(&job, &outcome);
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
                    self.shared.metrics.error(packet.code, Origin::Proxy);
                    // What the session had there is gone, or the fate of a write is unknown: the client must see its
                    // connection end, as it would have directly, without a word: its library then says 2013.
                    let ends = pinned || (!error.is_before() && !job.repeatable);
                    if !ends || !matches!(error, BackendError::Lost { .. } | BackendError::Protocol { .. }) {
                        self.client.refuse(&packet, command.next_sequence).await?;
                    }
                    if ends {
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
            return Ok((ended, error.map(|(code, _)| code)));
        }
    }

    /// Answers `job` by what a server answered before, if that is remembered and still holds.
    async fn recall(
        &mut self,
        job: &Job,
        command: &RawCommand,
        began: Instant,
    ) -> Result<Option<Instant>, SessionError> {
        let Some(remembered) = job.memory.and_then(|key| self.shared.memory.get(key)) else { return Ok(None) };
        // Its packets are numbered as those of most commands' replies.
        if command.next_sequence != 1 {
            return Ok(None);
        }
        let statement = if let Request::Prepare(id) = job.request { Some(id) } else { None };
        self.session.moves_on(job);
        self.client.repeat(&remembered.reply, statement).await?;
        let now = clock::now();
        let text = prepared_text(job, command);
        self.session.absorb(job, Slot::Primary, &remembered.outcome, &text, self.shared.keys(), now);
        if let Some(settings) = &remembered.settings {
            self.session.share_settings(settings);
        }
        self.leases.give_back(self.session);
        self.shared.metrics.finish(&Record {
            server: None,
            target: TargetLabel::Proxy,
            reason: RouteReason::Remembered,
            kind: kind_label(job, command, self.session.capabilities()),
            total: now.saturating_duration_since(began),
            waited: Duration::ZERO,
            bytes_from_client: command.payload.len() as u64 + 4,
            bytes_to_client: remembered.reply.len() as u64,
            bytes_from_server: 0,
            bytes_to_server: 0,
            error: None,
        });
        Ok(Some(now))
    }

    /// Remembers what came of `job`, whose reply the client has.
    fn remember(&mut self, job: &Job, slot: Slot, command: &RawCommand, outcome: &Outcome) {
        let Some(reply) = self.client.copy.take() else { return };
        let Some(key) = job.memory.filter(|_| command.next_sequence == 1) else { return };
        if outcome.error.is_some() || outcome.warnings > 0 {
            return;
        }
        let settings = match job.request {
            Request::Prepare(_) if outcome.prepared.is_some() => None,
            Request::Forward if self.session.is_carried(slot) && outcome.result_sets == 0 => {
                Some(self.session.settings().clone())
            }
            _ => return,
        };
        self.shared.memory.keep(key, Remembered::new(reply.freeze(), outcome.clone(), settings));
    }

    /// What an EXECUTE says of what is remembered of its PREPARE.
    fn check_memory(&self, job: &Job, outcome: &Outcome) {
        let Request::Execute(id) = job.request else { return };
        let Some(key) = self.session.statements().get(id).and_then(|statement| statement.memory) else { return };
        match &outcome.error {
            Some(error) if TELLS_OF_CHANGES.contains(&error.code) => self.shared.memory.forget(key),
            Some(_) => {}
            None if outcome.digest != 0 => self.shared.memory.compare(key, outcome.digest),
            None => {}
        }
    }

    /// A read-only transaction on a replica may ask for the LAST_INSERT_ID() that the primary's connection knows.
    async fn carry_insert_id(&mut self, job: &mut Job) {
        let asks = job.effects().contains(Effects::ASKS_LAST_INSERT_ID);
        if !asks || !self.session.holds_insert_id() || job.slot(self.session.pinned()) != Slot::Replica {
            return;
        }
        let Some(lease) = self.leases.slot(Slot::Primary) else { return };
        match Box::pin(lease.query_number("SELECT LAST_INSERT_ID()")).await {
            Ok(id) => {
                job.last_insert_id = id;
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
            let value = lease.query_number(&String::from_utf8_lossy(text)).await;
            if !matches!(value, Err(BackendError::Lost { .. } | BackendError::Protocol { .. })) {
                lease.busy = false;
                *self.leases.slot(slot) = Some(lease);
            }
            Ok(value?.unwrap_or(0))
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

    /// The session has left the replica on which it held `lease`.
    async fn leave_replica(&mut self, mut lease: Lease) {
        if let Some(query) = self.session.asks_left_variables() {
            match lease.query_row(&query).await {
                Ok(values) => self.session.carry_left_variables(&values),
                Err(error) => tracing::debug!(%error, "lost what GET DIAGNOSTICS had told"),
            }
        }
        lease.cleanse().await;
    }

    /// Takes in what came of the job, which ended `now`. True: the connection must be asked for its status.
    fn absorb(&mut self, job: &Job, slot: Slot, attempt: &Attempt, command: &RawCommand, now: Instant) -> bool {
        let outcome = &attempt.outcome;
        let text = prepared_text(job, command);
        let pins = self.session.pins().first();
        let absorbed = self.session.absorb(job, slot, outcome, &text, self.shared.keys(), now);
        if absorbed.wrote {
            self.shared.wrote(now);
            if let Some(discovered) = self.shared.users.discovered()
                && let Ok(Command::Query(text)) = Command::parse(&command.payload, self.session.capabilities())
                && changes_accounts(text)
            {
                discovered.outdate(now);
            }
        }
        if slot == Slot::Primary && outcome.error.is_none() && job.sets_globals() {
            self.shared.globals_set(now);
        }
        if absorbed.mismatch.is_none() {
            self.remember(job, slot, command, outcome);
        }
        self.check_memory(job, outcome);
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
        let Some(lease) = self.leases.slot(slot) else { return false };
        lease.state.settings = settings;
        match (key, outcome.prepared) {
            (Some(key), Some(prepared)) => lease.statements.insert(key, prepared.statement, limit),
            _ if matches!(job.request, Request::Prepare(_)) => lease.statements.failed(),
            _ => {}
        }
        absorbed.ask_status
    }

    /// Marks on the connection what hangs on it now.
    fn bind(&mut self, job: &Job, slot: Slot) {
        if let Some(lease) = self.leases.slot(slot) {
            lease.bound = self.session.must_cleanse(slot);
            lease.has_insert_id |= job.last_insert_id.is_some() || self.session.holds_insert_id();
        }
    }

    /// After an error that may have ended or begun a transaction: COM_PING's OK carries the flags, and leaves the
    /// warnings as they are (MariaDB 10.11).
    async fn ask_status(&mut self, slot: Slot) {
        let Some(lease) = self.leases.slot(slot) else { return };
        let connection = &mut **lease;
        put_packet(&mut connection.out, 0, &[code::PING]);
        let asked = async {
            connection.flush().await?;
            connection.swallow(ReplyKind::Simple).await
        };
        match asked.await {
            Ok(outcome) => {
                lease.busy = false;
                self.session.absorb_status(slot, &outcome);
            }
            Err(error) => {
                tracing::debug!(%error, "lost a connection while asking for its state");
                *self.leases.slot(slot) = None;
                self.session.lost(slot);
            }
        }
    }
}

/// Errors by which a server tells that a statement is no longer what it was when it was prepared: of columns, tables, schemas,
/// rights, routines, views, and of a statement that must be prepared again.
const TELLS_OF_CHANGES: [u16; 10] = [1049, 1054, 1109, 1142, 1143, 1146, 1243, 1305, 1356, 1615];

/// Whether `job` may change a table, or what a text means.
fn changes_tables(job: &Job) -> bool {
    let kind = match job.kind() {
        _ if matches!(job.request, Request::Prepare(_) | Request::Statement(_)) => return false,
        Some(kind) => kind,
        None => return false,
    };
    let effects = job.effects();
    match kind {
        StatementKind::Ddl => !effects.contains(Effects::CREATES_TEMPORARY),
        StatementKind::Multi | StatementKind::Opaque | StatementKind::Prepare => !job.is_read(),
        _ => false,
    }
}

/// The text of a PREPARE, as it was sent; else nothing.
fn prepared_text(job: &Job, command: &RawCommand) -> Bytes {
    match job.request {
        Request::Prepare(_) => {
            let sent = job.text.as_ref().unwrap_or(&command.payload);
            Bytes::copy_from_slice(sent.get(1..).unwrap_or_default())
        }
        Request::Forward | Request::Execute(_) | Request::Statement(_) => Bytes::new(),
    }
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
