//! One attempt to run a job: a connection is taken, waited for, and what comes of a client or a statement that ends in the middle.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use super::client::Client;
use super::clients::{ClientHandle, Poke};
use super::error::SessionError;
use super::execute::{Failure, INTERRUPTED, KILLED, Run};
use super::kill::kill_thread;
use super::relay::{Taken, gone};
use crate::backend::{BackendError, Lease, Phase, ServerPools, Wanted};
use crate::clock;
use crate::cluster::ServerId;
use crate::routing::Target;
use crate::session::{Job, Request, Slot};
use crate::sql::{Effects, StatementKind};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::writer::put_packet;
use crate::wire::{ErrPacket, Outcome, ReplyKind};

/// What an attempt did.
pub(super) struct Attempt {
    pub(super) server: ServerId,
    pub(super) outcome: Outcome,
}

impl Run<'_> {
    /// One attempt on one server.
    pub(super) async fn attempt(
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
        if lease.sandboxed && slot == Slot::Primary {
            // It has expired since the login: only this connection can get a new one.
            self.session.confine();
        }
        if !lease.sandboxed {
            if self.session.is_informed() {
                self.session.keep_defaults(&mut lease.state);
            } else {
                let base = lease.state.base.clone();
                self.shared.greetings.keep_base(self.leases.collation, self.leases.capabilities, &base);
                self.session.learn(&base);
            }
        }
        let pools = self.shared.pools.server(server).cloned();
        let running = Running::new(pools.as_deref(), self.handle, server, lease.thread_id);
        let result = self.exchange(job, &mut lease, command, taken).await;
        if running.end() {
            Box::pin(self.outlive(&mut lease, &result)).await?;
        }
        // A connection that failed is closed; one whose reply is over goes on.
        match result {
            Ok(outcome) => {
                lease.busy = false;
                let id = self.session.id();
                lease.served = Some(if lease.served.is_none_or(|served| served == id) { id } else { 0 });
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
        let client = self.leases.client;
        self.shared.metrics.abandoned();
        tokio::spawn(async move {
            // The thread's id stays its own while the connection lives.
            if let Err(error) = kill_thread(&shared, (&account, client), server, lease.thread_id, false).await {
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
    pub(super) async fn lease(&mut self, job: &Job, slot: Slot, taken: &mut Taken) -> Result<Lease, Failure> {
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
        let pool =
            if job.own_attributes { self.leases.own_pool(server, schema) } else { self.leases.pool(server, schema) };
        let mut waited = Duration::ZERO;
        // What was set since a connection was made it has not, and what is known of it holds only until it is reset.
        let made_after = if slot == Slot::Primary { self.shared.globals.last_set() } else { None };
        let statement = match job.request {
            Request::Execute(id) | Request::Statement(id) => self.session.statements().get(id).map(|one| one.key),
            Request::Forward | Request::Prepare(_) => None,
        };
        let mut lease = pin!(pool.lease(Wanted { settings: self.session.settings(), statement, made_after }));
        // An idle connection is there at once, mostly: then there is nothing to measure.
        let lease = match poll_fn(|context| Poll::Ready(lease.as_mut().poll(context))).await {
            Poll::Ready(lease) => lease,
            Poll::Pending => {
                let before = clock::now();
                let lease = wait(lease, self.handle, self.client, server.id()).await;
                let now = clock::now();
                waited = now.saturating_duration_since(before);
                taken.waited += waited;
                lease?.map_err(|error| self.shared.name_holders(error, server.id(), now))
            }
        };
        self.shared.metrics.pool_waited(server.id(), waited);
        let mut lease = lease?;
        if lease.served.is_some_and(|served| served != self.session.id()) && self.session.reads_unset(job) {
            // Triggers and routines may have left what no server reports.
            lease.state.known = false;
        }
        Ok(lease)
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
