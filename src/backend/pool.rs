//! One pool: connections to one server for one account and one form of results, and how one is taken from it, waited for, and
//! made. Who gets which is decided in `capacity.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::account::{Account, AccountId, Credential};
use super::capacity::{Granted, Limit, PoolIndex, Taken, Ticket};
use super::connect::Login;
use super::connection::Connection;
use super::error::BackendError;
use super::lease::Lease;
use super::pools::ServerPools;
use crate::net::Host;
use crate::session::{Settings, StatementKey};
use crate::wire::Capabilities;

/// What connections of one pool have in common beside their server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The user's name.
    pub user: Arc<str>,
    /// The account as it is now.
    pub account: AccountId,
    /// The collation of the login.
    pub collation: u16,
    /// The capabilities that shape results.
    pub capabilities: Capabilities,
    /// Whether its sessions have a schema: a connection cannot be taken back to having none.
    pub schema: bool,
    /// Where its clients come from, if the server is told: see [`ServerPools::told_of`].
    pub client: Option<Host>,
    /// The client's own connection attributes, as its login carried them, for connections that each serve one session alone.
    /// None: pointsman's.
    pub attributes: Option<Arc<[u8]>>,
}

/// What a connection must be, and what it should have, so that as little as possible must be sent in front of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The session's state.
    pub settings: &'a Arc<Settings>,
    /// A prepared statement.
    pub statement: Option<StatementKey>,
    /// One that was made until then has not what a new session has, and is closed.
    pub made_after: Option<Instant>,
}

impl Wanted<'_> {
    /// State and statement: nothing is fitter.
    const BEST: u8 = 3;

    /// The state counts more: without it a write waits for a round trip, a PREPARE goes with its EXECUTE.
    fn fitness(self, connection: &Connection) -> u8 {
        let state = &connection.state;
        let fits = state.known && (Arc::ptr_eq(&state.settings, self.settings) || state.settings == *self.settings);
        let holds = self.statement.is_none_or(|key| connection.statements.holds(key));
        u8::from(fits) << 1 | u8::from(holds)
    }
}

/// A pool of connections to one server; forgotten when nobody has it and it holds no connection.
#[derive(Debug)]
pub struct Pool {
    pub(super) server: Arc<ServerPools>,
    pub(super) index: PoolIndex,
    pub(super) key: PoolKey,
    account: Account,
    /// The account is no longer as it was: what comes back is closed.
    pub(super) retired: AtomicBool,
}

impl Pool {
    pub(super) fn new(server: Arc<ServerPools>, index: PoolIndex, key: PoolKey, account: Account) -> Self {
        Self { server, index, key, account, retired: AtomicBool::new(false) }
    }

    /// Whether each of its connections serves one session alone.
    pub(super) fn is_dedicated(&self) -> bool {
        self.key.attributes.is_some()
    }

    /// Borrows a connection, if there can be one that has what is wanted.
    ///
    /// # Errors
    /// When none could be made, or none became free within `pools.wait_timeout`.
    pub async fn lease(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Lease, BackendError> {
        match self.take(wanted) {
            Taken::Connection(connection) => Ok(Lease::new(connection, self.clone())),
            // The futures of what is rare are not carried about with that of every statement.
            Taken::Place(closed) => {
                self.server.close(closed);
                Box::pin(self.make()).await
            }
            Taken::Nothing => Box::pin(self.wait(wanted)).await,
        }
    }

    /// An idle connection that is fit for use, or a place to make one.
    fn take(self: &Arc<Self>, wanted: Wanted<'_>) -> Taken<Box<Connection>> {
        loop {
            let taken = self.server.capacity().take(self.index, Wanted::BEST, |idle| wanted.fitness(idle));
            let Taken::Connection(connection) = taken else { return taken };
            if let Some(connection) = self.check(connection, wanted) {
                return Taken::Connection(connection);
            }
        }
    }

    /// The connection, if it is fit for use; else it is closed.
    fn check(&self, mut connection: Box<Connection>, wanted: Wanted<'_>) -> Option<Box<Connection>> {
        let over = connection.busy || connection.is_dead() || self.retired.load(Relaxed);
        let outdated = wanted.made_after.is_some_and(|then| connection.created <= then);
        if over || outdated || self.server.is_over(&connection) {
            self.close(connection);
            return None;
        }
        Some(connection)
    }

    /// Waits in line.
    async fn wait(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Lease, BackendError> {
        let server = &self.server;
        let deadline = tokio::time::Instant::now() + server.limits.wait_timeout;
        let mut first = false;
        loop {
            let mut waiting = Waiting::begin(self, first)?;
            server.wanted.notify_waiters();
            let granted = match tokio::time::timeout_at(deadline, &mut waiting.granted).await {
                Ok(Ok(granted)) => {
                    waiting.over = true;
                    granted
                }
                // It may have become its turn just now.
                Ok(Err(_)) | Err(_) => waiting.cancel().ok_or_else(|| self.full())?,
            };
            let Granted::Connection(connection) = granted else { return self.make().await };
            if let Some(connection) = self.check(connection, wanted) {
                return Ok(Lease::new(connection, self.clone()));
            }
            // It has waited for its turn once.
            first = true;
        }
    }

    /// Makes a connection at a place that was got for it.
    pub(super) async fn make(self: &Arc<Self>) -> Result<Lease, BackendError> {
        let place = Place(Some(self));
        let server = &self.server;
        let made = self.log_in().await;
        match &made {
            Ok(connection) => server.learn(connection.offered),
            Err(BackendError::Incapable { offered, .. }) => server.learn(*offered),
            Err(_) => {}
        }
        let told = made.as_ref().map(|connection| connection.stream.tls());
        (server.on_connect)(server.id(), told);
        let mut connection = Box::new(made?);
        connection.expires = expiry(connection.created, server.limits.max_lifetime, connection.thread_id);
        place.taken();
        Ok(Lease::new(connection, self.clone()))
    }

    /// How its connections log in.
    #[must_use]
    pub fn login(&self) -> Login {
        Login {
            collation: self.key.collation,
            // The connection shows it, and who must not have it is told at the login.
            capabilities: self.key.capabilities | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS,
            compression: self.server.compression.clone(),
            attributes: self.key.attributes.clone(),
            ..self.server.login(&self.account, self.key.client)
        }
    }

    /// Logs in. A session that began before the account's password changed goes on with the one that is known since.
    async fn log_in(&self) -> Result<Connection, BackendError> {
        let mut login = self.login();
        let made = login.connect().await;
        match (made, self.account.rotation.load_full()) {
            (Err(BackendError::Refused { error, .. }), Some(newest)) if error.code == 1045 => {
                login.account.credential = Credential::clone(&newest);
                login.connect().await
            }
            (made, _) => made,
        }
    }

    /// Takes a connection back, for whoever waits or comes next.
    pub(super) fn give_back(&self, connection: Box<Connection>, now: Instant) {
        if self.retired.load(Relaxed) {
            return self.close(connection);
        }
        let closed = self.server.capacity().give_back(self.index, connection, now);
        self.server.close(closed);
    }

    /// Closes a connection of this pool.
    pub(super) fn close(&self, connection: Box<Connection>) {
        // What the server sees of it should come before the next login.
        drop(connection);
        let closed = self.server.capacity().closed(self.index);
        self.server.close(closed);
    }

    fn full(&self) -> BackendError {
        let server = &self.server;
        let (limit, (busy, idle), waiting) = {
            let capacity = server.capacity();
            (capacity.limit(self.index), capacity.usage(), capacity.waiting())
        };
        let setting = match limit {
            Some(Limit::User) | None => "pools.size",
            Some(Limit::Server) => "pools.max_per_server",
            Some(Limit::Connecting) => "pools.max_connecting",
        };
        let text = format!(
            "pointsman: no connection to `{}` for user `{}` became free within {} ms: {busy} are in use, {idle} idle, \
             {waiting} statements wait; at most {} are made for one user and {} in all (see {setting}, pools.wait_timeout)",
            server.name(),
            self.key.user,
            server.limits.wait_timeout.as_millis(),
            server.limits.size,
            server.limits.max_per_server
        );
        BackendError::PoolFull { text }
    }
}

/// When a connection is closed as too old: up to a tenth earlier than it may, so that those made together do not all go together.
fn expiry(created: Instant, lifetime: Duration, thread_id: u32) -> Instant {
    let early = lifetime.mul_f64(f64::from(thread_id.wrapping_mul(0x9E37_79B9) >> 16) / 655_360.0);
    created.checked_add(lifetime.saturating_sub(early)).unwrap_or(created)
}

/// A place at which a connection is being made. Whoever drops it made none.
struct Place<'a>(Option<&'a Arc<Pool>>);

impl Place<'_> {
    /// The connection is there.
    fn taken(mut self) {
        if let Some(pool) = self.0.take() {
            let closed = pool.server.capacity().made();
            pool.server.close(closed);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(pool) = self.0 {
            let closed = pool.server.capacity().failed(pool.index);
            pool.server.close(closed);
        }
    }
}

/// A place in the line. Whoever drops it waits no more, and passes on what it got.
struct Waiting<'a> {
    pool: &'a Arc<Pool>,
    ticket: Ticket,
    granted: oneshot::Receiver<Granted<Box<Connection>>>,
    over: bool,
}

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Arc<Pool>, first: bool) -> Result<Self, BackendError> {
        let server = &pool.server;
        let mut capacity = server.capacity();
        if capacity.waiting() >= server.limits.max_waiting as usize {
            let text = format!(
                "pointsman: {} statements wait for a connection to `{}` already, and user `{}` would be one more; \
                 see pools.max_waiting",
                server.limits.max_waiting,
                server.name(),
                pool.key.user
            );
            return Err(BackendError::PoolFull { text });
        }
        let (ticket, granted) = capacity.wait(pool.index, first);
        Ok(Self { pool, ticket, granted, over: false })
    }

    /// Leaves the line. Some: it was its turn.
    fn cancel(&mut self) -> Option<Granted<Box<Connection>>> {
        if std::mem::replace(&mut self.over, true) || self.pool.server.capacity().cancel(self.ticket) {
            return None;
        }
        self.granted.try_recv().ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        match self.cancel() {
            None => {}
            Some(Granted::Connection(connection)) => self.pool.give_back(connection, crate::clock::now()),
            Some(Granted::Place) => drop(Place(Some(self.pool))),
        }
    }
}
