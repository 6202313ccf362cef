//! Pools of connections: one `deadpool` pool for each server, account and form of results; one cap on the connections
//! of a server over all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics as ObjectMetrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::account::{Account, AccountId, Credential};
use super::connect::Login;
use super::connection::Connection;
use super::error::BackendError;
use super::lease::Lease;
use crate::clock;
use crate::cluster::{Cluster, ServerId};
use crate::config::{Config, Endpoint, PoolsConfig};
use crate::net::Host;
use crate::net::tls::{Connector, Established};
use crate::telemetry::CompressionBytes;
use crate::wire::Capabilities;
use crate::wire::compression::Compression;
use crate::wire::proxy_protocol::ProxyVersion;

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

/// A connection in a pool, with its share of the server's connections.
#[derive(Debug)]
pub struct Pooled {
    /// The connection. Boxed: a lease is moved some thirty times on its way from the pool and back.
    pub connection: Box<Connection>,
    _server: OwnedSemaphorePermit,
    _user: OwnedSemaphorePermit,
}

/// Makes and checks the connections of one pool.
#[derive(Debug)]
pub struct Manager {
    server: Arc<ServerPools>,
    key: PoolKey,
    account: Account,
    user: Arc<Semaphore>,
    /// The account is no longer as it was: what comes back is closed.
    retired: AtomicBool,
}

impl Manager {
    /// Logs in. A session that began before the account's password changed goes on with the one that is known since.
    async fn log_in(&self) -> Result<Connection, BackendError> {
        let server = &self.server;
        let mut login = Login {
            collation: self.key.collation,
            // The connection shows it, and who must not have it is told at the login.
            capabilities: self.key.capabilities | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS,
            compression: server.compression.clone(),
            attributes: self.key.attributes.clone(),
            ..server.login(&self.account, self.key.client)
        };
        let made = login.connect().await;
        match (made, self.account.rotation.load_full()) {
            (Err(BackendError::Refused { error, .. }), Some(newest)) if error.code == 1045 => {
                login.account.credential = Credential::clone(&newest);
                login.connect().await
            }
            (made, _) => made,
        }
    }

    /// Whether its sessions have a schema.
    pub(super) fn keeps_schema(&self) -> bool {
        self.key.schema
    }

    /// Whether each of its connections serves one session alone.
    pub(super) fn is_dedicated(&self) -> bool {
        self.key.attributes.is_some()
    }
}

impl managed::Manager for Manager {
    type Type = Pooled;
    type Error = BackendError;

    async fn create(&self) -> Result<Pooled, BackendError> {
        let server = &self.server;
        // The user's share first: who waits for it must not hold a place that others could use.
        let user_permit = server.permit(&self.user, &self.key, "pools.size").await?;
        let server_permit = server.permit(&server.permits, &self.key, "pools.max_per_server").await?;
        // A storm of clients is one of waiting here, not one of logins there.
        let connecting = tokio::time::timeout(server.limits.wait_timeout, server.connecting.acquire()).await;
        let Ok(_connecting) = connecting else { return Err(server.full(&self.key.user, "pools.max_connecting")) };
        let made = self.log_in().await;
        match &made {
            Ok(connection) => server.learn(connection.offered),
            Err(BackendError::Incapable { offered, .. }) => server.learn(*offered),
            Err(_) => {}
        }
        let told = made.as_ref().map(|connection| connection.stream.tls());
        (server.on_connect)(server.id, told);
        let mut connection = Box::new(made?);
        connection.expires = expiry(connection.created, self.server.limits.max_lifetime, connection.thread_id);
        Ok(Pooled { connection, _server: server_permit, _user: user_permit })
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &ObjectMetrics) -> RecycleResult<BackendError> {
        let connection = &mut pooled.connection;
        if connection.busy || connection.is_dead() || self.retired.load(Relaxed) || self.server.is_over(connection) {
            return Err(RecycleError::message("the server closed it, or it is too old"));
        }
        Ok(())
    }
}

/// A pool of connections to one server; forgotten when nobody has it and it holds no connection.
pub type Pool = Arc<managed::Pool<Manager>>;

/// Called for each attempt to connect, with what TLS agreed on (if there is TLS), or why it failed.
pub type OnConnect = Arc<dyn Fn(ServerId, Result<Option<&Established>, &BackendError>) + Send + Sync>;

/// The pools of one server.
pub struct ServerPools {
    id: ServerId,
    name: Arc<str>,
    address: Endpoint,
    tls: Option<Arc<Connector>>,
    compression: Option<(Compression, CompressionBytes)>,
    proxy_protocol: Option<ProxyVersion>,
    limits: PoolsConfig,
    pools: RwLock<HashMap<PoolKey, Pool>>,
    permits: Arc<Semaphore>,
    users: RwLock<HashMap<Arc<str>, Arc<Semaphore>>>,
    /// What it said that it can do when it was last connected to; 0: not known.
    capabilities: AtomicU64,
    running: AtomicU32,
    waiting: AtomicU32,
    started: Instant,
    /// Milliseconds after that at which the pools were tidied last.
    looked: AtomicU64,
    /// Connections are being made so that the next statement finds one.
    warming: AtomicBool,
    /// Told whenever somebody begins to wait.
    wanted: Notify,
    /// Places for those that log in at the same time.
    connecting: Semaphore,
    on_connect: OnConnect,
}

impl std::fmt::Debug for ServerPools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerPools").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ServerPools {
    /// The server.
    #[must_use]
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &Endpoint {
        &self.address
    }

    /// What it can do; None: it was never connected to.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        Some(Capabilities(self.capabilities.load(Relaxed))).filter(|known| *known != Capabilities::default())
    }

    /// It said that it can do this.
    pub fn learn(&self, capabilities: Capabilities) {
        self.capabilities.store(capabilities.0, Relaxed);
    }

    /// Whether it can serve a client with which these were agreed, as far as is known.
    #[must_use]
    pub fn is_able(&self, agreed: Capabilities) -> bool {
        self.capabilities().is_none_or(|known| agreed.lacking(known) == Capabilities::default())
    }

    /// TLS towards it; None: off.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Connector>> {
        self.tls.as_ref()
    }

    /// The version of the PROXY protocol by which it is told of clients. None: it is not.
    #[must_use]
    pub fn proxy_protocol(&self) -> Option<ProxyVersion> {
        self.proxy_protocol
    }

    /// What it is told of a client that comes from there. None: nothing, to it all clients are alike.
    #[must_use]
    pub fn told_of(&self, client: Host) -> Option<Host> {
        self.proxy_protocol.map(|_| client)
    }

    /// How an account logs in to it for a client that comes from there, beside the pools.
    #[must_use]
    pub fn login(&self, account: &Account, client: Option<Host>) -> Login {
        Login {
            server: self.id,
            name: self.name.clone(),
            address: self.address.clone(),
            tls: self.tls.clone(),
            account: account.clone(),
            // `utf8mb4_general_ci`, which servers of all versions have.
            collation: 45,
            capabilities: Capabilities::default(),
            compression: None,
            proxy_protocol: self.proxy_protocol,
            client,
            attributes: None,
            limit: self.limits.connect_timeout,
        }
    }

    /// Statements that run on it now, from this proxy.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.running.load(Relaxed)
    }

    /// Statements that wait for a connection to it.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// A statement begins to run on it.
    pub fn begin(&self) {
        self.running.fetch_add(1, Relaxed);
    }

    /// A statement has ended.
    pub fn end(&self) {
        self.running.fetch_sub(1, Relaxed);
    }

    /// Connections in use and idle.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        pools.values().fold((0, 0), |(busy, idle), pool| {
            let status = pool.status();
            // `available` counts down below zero while others wait.
            let free = status.available.min(status.size);
            (busy.saturating_add(status.size.saturating_sub(free)), idle.saturating_add(free))
        })
    }

    /// The pool of this key, made when it is first asked for.
    pub fn pool(self: &Arc<Self>, key: &PoolKey, account: &Account) -> Pool {
        if let Some(pool) = self.pools.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return pool.clone();
        }
        let user = {
            let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
            users.entry(key.user.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.limits.size as usize))).clone()
        };
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        pools
            .entry(key.clone())
            .or_insert_with(|| {
                let (server, key, account) = (self.clone(), key.clone(), account.clone());
                let manager = Manager { server, key, account, user, retired: AtomicBool::new(false) };
                // Cannot fail: a runtime is named whenever a time-out is.
                #[expect(clippy::expect_used, reason = "build() fails only for a time-out without a runtime")]
                managed::Pool::builder(manager)
                    .max_size(self.limits.size as usize)
                    .runtime(deadpool::Runtime::Tokio1)
                    .build()
                    .expect("a pool with a runtime")
                    .into()
            })
            .clone()
    }

    /// Borrows a connection.
    ///
    /// # Errors
    /// When none could be made, or none became free in time.
    pub async fn lease(self: &Arc<Self>, pool: &Pool) -> Result<Lease, BackendError> {
        let now = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
        match pool.timeout_get(&now).await {
            Ok(object) => Ok(Lease::new(object)),
            Err(PoolError::Timeout(_)) => self.wait(pool).await,
            Err(PoolError::Backend(error)) => Err(error),
            Err(other) => Err(BackendError::PoolFull { text: format!("pointsman: pool of `{}`: {other}", self.name) }),
        }
    }

    async fn wait(self: &Arc<Self>, pool: &Pool) -> Result<Lease, BackendError> {
        let _waiting = self.queue(&pool.manager().key.user)?;
        let wait = self.limits.wait_timeout;
        let limit = Timeouts { wait: Some(wait), create: None, recycle: None };
        match pool.timeout_get(&limit).await {
            Ok(object) => Ok(Lease::new(object)),
            Err(PoolError::Backend(error)) => Err(error),
            Err(_) => Err(self.full(&pool.manager().key.user, "pools.size")),
        }
    }

    /// A place among those that wait; given back when it is dropped.
    fn queue(self: &Arc<Self>, user: &str) -> Result<Waiting, BackendError> {
        let waiting = Waiting(self.clone());
        if self.waiting.fetch_add(1, Relaxed) >= self.limits.max_waiting {
            let text = format!(
                "pointsman: {} statements wait for a connection to `{}` already, and user `{user}` would be one more; \
                 see pools.max_waiting",
                self.limits.max_waiting, self.name
            );
            return Err(BackendError::PoolFull { text });
        }
        self.wanted.notify_waiters();
        Ok(waiting)
    }

    /// Waits until somebody waits for a connection. Cancel safe.
    pub async fn wanted(&self) {
        let mut wanted = std::pin::pin!(self.wanted.notified());
        // From here on none is missed.
        wanted.as_mut().enable();
        if self.waiting() == 0 {
            wanted.await;
        }
    }

    /// A share of the connections to this server, or of this user's. When there is none left, an idle connection of
    /// another pool is closed to make room.
    async fn permit(
        self: &Arc<Self>,
        permits: &Arc<Semaphore>,
        key: &PoolKey,
        setting: &str,
    ) -> Result<OwnedSemaphorePermit, BackendError> {
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = self.queue(&key.user)?;
        let deadline = tokio::time::Instant::now() + self.limits.wait_timeout;
        loop {
            self.evict(key, Arc::ptr_eq(permits, &self.permits));
            // An idle connection may turn up in another pool at any time: look again now and then.
            let again = (tokio::time::Instant::now() + Duration::from_millis(20)).min(deadline);
            match tokio::time::timeout_at(again, permits.clone().acquire_owned()).await {
                Ok(Ok(permit)) => return Ok(permit),
                Ok(Err(_)) => return Err(self.full(&key.user, setting)),
                Err(_) if tokio::time::Instant::now() >= deadline => return Err(self.full(&key.user, setting)),
                Err(_) => {}
            }
        }
    }

    /// Closes the connection of another pool of this server that is idle for longest; `any`: of another user too. So clients
    /// that are gone keep no place from others.
    fn evict(&self, key: &PoolKey, any: bool) {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        let others = pools.iter().filter(|(other, _)| *other != key && (any || other.user == key.user));
        let longest = others
            .filter_map(|(other, pool)| {
                let mut idle = None;
                pool.retain(|_, metrics| {
                    idle = idle.max(Some(metrics.last_used()));
                    true
                });
                Some((idle?, other, pool))
            })
            .max_by_key(|(idle, ..)| *idle);
        let Some((least, other, pool)) = longest else { return };
        let mut left = 1;
        pool.retain(|_, metrics| {
            let keep = left == 0 || metrics.last_used() < least;
            left = if keep { left } else { 0 };
            keep
        });
        if left == 0 {
            tracing::debug!(server = &*self.name, user = &*other.user, "closed an idle connection to make room");
        }
    }

    fn full(&self, user: &str, setting: &str) -> BackendError {
        let (busy, idle) = self.usage();
        let text = format!(
            "pointsman: no connection to `{}` for user `{user}` became free within {} ms: {busy} are in use, {idle} idle, \
             {} statements wait; at most {} are made for one user and {} in all (see {setting}, pools.wait_timeout)",
            self.name,
            self.limits.wait_timeout.as_millis(),
            self.waiting(),
            self.limits.size,
            self.limits.max_per_server
        );
        BackendError::PoolFull { text }
    }

    /// Whether a connection is too old, by the last look of [`Self::tidy`] at the clock.
    fn is_over(&self, connection: &Connection) -> bool {
        let looked = Duration::from_millis(self.looked.load(Relaxed));
        self.started.checked_add(looked).is_some_and(|now| connection.expires <= now)
    }

    /// Closes connections that are too old, or idle for too long, and forgets pools that are empty and nobody's. To be
    /// called now and then.
    pub fn tidy(&self) {
        let now = clock::now();
        let looked = now.saturating_duration_since(self.started).as_millis();
        self.looked.store(u64::try_from(looked).unwrap_or(u64::MAX), Relaxed);
        let mut empty = false;
        for pool in self.pools.read().unwrap_or_else(PoisonError::into_inner).values() {
            let retired = pool.manager().retired.load(Relaxed);
            let mut spare = pool.status().size.saturating_sub(self.least(pool));
            let closed = pool.retain(|pooled, metrics| {
                let idle = metrics.last_used();
                let usable = !retired
                    && idle < pooled.connection.patience
                    && now < pooled.connection.expires
                    && pooled.connection.stream.is_untouched();
                let keep = usable && (idle < self.limits.idle_timeout || spare == 0);
                spare = if keep { spare } else { spare.saturating_sub(1) };
                keep
            });
            // Servers count connections that end without a word, and log them.
            for pooled in closed.removed {
                tokio::spawn(async move { pooled.connection.quit().await });
            }
            empty |= is_unused(pool);
        }
        if empty {
            // Nobody can get a pool while this lock is held: what is nobody's now is so until it is forgotten.
            self.pools.write().unwrap_or_else(PoisonError::into_inner).retain(|_, pool| !is_unused(pool));
            self.users.write().unwrap_or_else(PoisonError::into_inner).retain(|_, user| Arc::strong_count(user) > 1);
        }
    }

    /// Makes connections until each pool that is in use has `pools.min_idle` of them, so that the next statement finds one. To be
    /// called now and then; what cannot be made is made another time.
    pub async fn warm(self: &Arc<Self>) {
        if self.warming.swap(true, Relaxed) {
            return;
        }
        let few = |pool: &Pool| pool.status().size < self.least(pool);
        let wanting: Vec<Pool> = {
            let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
            pools.values().filter(|pool| few(pool)).cloned().collect()
        };
        for pool in wanting {
            // All at once: one that is given back would be given out again.
            let mut made = Vec::new();
            while made.len() < self.limits.min_idle as usize && self.waiting() == 0 {
                let now =
                    Timeouts { wait: Some(Duration::ZERO), create: Some(self.limits.connect_timeout), recycle: None };
                match pool.timeout_get(&now).await {
                    Ok(object) => made.push(object),
                    Err(_) => break,
                }
            }
        }
        self.warming.store(false, Relaxed);
    }

    /// So many connections are kept in a pool however long they are idle: none unless a session has the pool.
    fn least(&self, pool: &Pool) -> usize {
        let manager = pool.manager();
        // One is the caller's, or the map's.
        let used = Arc::strong_count(pool) > 1 && !manager.is_dedicated() && !manager.retired.load(Relaxed);
        if used { self.limits.min_idle.min(self.limits.size) as usize } else { 0 }
    }

    /// This account is no longer as it was: its idle connections are closed, and those in use when they come back.
    pub fn retire(&self, account: AccountId) {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        for (_, pool) in pools.iter().filter(|(key, _)| key.account == account) {
            pool.manager().retired.store(true, Relaxed);
            pool.retain(|_, _| false);
        }
    }

    /// How many pools there are.
    #[must_use]
    pub fn pools(&self) -> usize {
        self.pools.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// When a connection is closed as too old: up to a tenth earlier than it may, so that those made together do not all go together.
fn expiry(created: Instant, lifetime: Duration, thread_id: u32) -> Instant {
    let early = lifetime.mul_f64(f64::from(thread_id.wrapping_mul(0x9E37_79B9) >> 16) / 655_360.0);
    created.checked_add(lifetime.saturating_sub(early)).unwrap_or(created)
}

fn is_unused(pool: &Pool) -> bool {
    Arc::strong_count(pool) == 1 && pool.status().size == 0
}

/// A place among those that wait.
struct Waiting(Arc<ServerPools>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// The pools of all servers.
#[derive(Debug)]
pub struct Pools {
    servers: Vec<Arc<ServerPools>>,
}

impl Pools {
    /// Pools for the servers of `cluster`, which stand in the order of the configuration, as `tls` does.
    #[must_use]
    pub fn new(
        config: &Config,
        cluster: &Cluster,
        tls: &[Option<Arc<Connector>>],
        on_connect: &OnConnect,
        compression: &CompressionBytes,
    ) -> Self {
        let servers = cluster
            .servers()
            .iter()
            .zip(&config.servers)
            .map(|(server, configured)| {
                Arc::new(ServerPools {
                    id: server.id,
                    name: server.name.clone(),
                    address: configured.address.clone(),
                    tls: tls.get(usize::from(server.id.0)).cloned().flatten(),
                    compression: configured.compression.map(|method| (method, compression.clone())),
                    proxy_protocol: configured.proxy_protocol,
                    limits: config.pools.clone(),
                    pools: RwLock::default(),
                    permits: Arc::new(Semaphore::new(config.pools.max_per_server as usize)),
                    users: RwLock::default(),
                    capabilities: AtomicU64::new(0),
                    running: AtomicU32::new(0),
                    waiting: AtomicU32::new(0),
                    started: clock::now(),
                    looked: AtomicU64::new(0),
                    warming: AtomicBool::new(false),
                    wanted: Notify::new(),
                    connecting: Semaphore::new(config.pools.max_connecting as usize),
                    on_connect: on_connect.clone(),
                })
            })
            .collect();
        Self { servers }
    }

    /// The pools of this server.
    #[must_use]
    pub fn server(&self, id: ServerId) -> Option<&Arc<ServerPools>> {
        self.servers.get(usize::from(id.0))
    }

    /// Those of all servers.
    #[must_use]
    pub fn servers(&self) -> &[Arc<ServerPools>] {
        &self.servers
    }

    /// This account is no longer as it was, on any server.
    pub fn retire(&self, account: AccountId) {
        for server in &self.servers {
            server.retire(account);
        }
    }

    /// Statements that run on a server now.
    #[must_use]
    pub fn load(&self, id: ServerId) -> u32 {
        self.server(id).map_or(0, |server| server.running())
    }
}

/// What `deadpool` hands out.
pub(super) type PooledObject = Object<Manager>;
