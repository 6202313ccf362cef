//! The pools of all servers: one for each server, account and form of results, with one cap on the connections of a server over
//! all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::account::{Account, AccountId};
use super::capacity::{Capacity, Limits};
use super::connect::Login;
use super::connection::Connection;
use super::error::BackendError;
use super::pool::{Pool, PoolKey};
use crate::clock;
use crate::cluster::{Cluster, ServerId};
use crate::config::{Config, Endpoint, PoolsConfig};
use crate::net::Host;
use crate::net::tls::{Connector, Established};
use crate::telemetry::CompressionBytes;
use crate::wire::Capabilities;
use crate::wire::compression::Compression;
use crate::wire::proxy_protocol::ProxyVersion;

/// Called for each attempt to connect, with what TLS agreed on (if there is TLS), or why it failed.
pub type OnConnect = Arc<dyn Fn(ServerId, Result<Option<&Established>, &BackendError>) + Send + Sync>;

/// The pools of one server.
pub struct ServerPools {
    id: ServerId,
    name: Arc<str>,
    address: Endpoint,
    tls: Option<Arc<Connector>>,
    pub(super) compression: Option<(Compression, CompressionBytes)>,
    proxy_protocol: Option<ProxyVersion>,
    pub(super) limits: PoolsConfig,
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    /// Never held while `pools` is waited for.
    capacity: Mutex<Capacity<Box<Connection>>>,
    /// What it said that it can do when it was last connected to; 0: not known.
    capabilities: AtomicU64,
    running: AtomicU32,
    started: Instant,
    /// Milliseconds after that at which the pools were tidied last.
    looked: AtomicU64,
    /// Connections are being made so that the next statement finds one.
    warming: AtomicBool,
    /// Told whenever somebody begins to wait.
    pub(super) wanted: Notify,
    pub(super) on_connect: OnConnect,
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
            schema: None,
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
        u32::try_from(self.capacity().waiting()).unwrap_or(u32::MAX)
    }

    /// A statement begins to run on it.
    pub fn begin(&self) {
        self.running.fetch_add(1, Relaxed);
    }

    /// A statement has ended.
    pub fn end(&self) {
        self.running.fetch_sub(1, Relaxed);
    }

    /// Connections in use or being made, and idle ones.
    #[must_use]
    pub fn usage(&self) -> (u32, u32) {
        self.capacity().usage()
    }

    pub(super) fn capacity(&self) -> MutexGuard<'_, Capacity<Box<Connection>>> {
        self.capacity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool of this key, made when it is first asked for.
    pub fn pool(self: &Arc<Self>, key: &PoolKey, account: &Account) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(key) {
            return pool.clone();
        }
        let index = self.capacity().add(key.user.clone());
        let pool = Arc::new(Pool::new(self.clone(), index, key.clone(), account.clone()));
        pools.insert(key.clone(), pool.clone());
        pool
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

    /// Closes connections that nobody is to have, with a goodbye: servers count those that end without a word, and log them.
    pub(super) fn close(&self, connections: impl IntoIterator<Item = Box<Connection>>) {
        for connection in connections {
            tracing::debug!(server = &*self.name, id = connection.thread_id, "closed an idle connection");
            // Without a runtime the process is ending.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(connection.quit());
            }
        }
    }

    /// Whether a connection is too old, by the last look of [`Self::tidy`] at the clock.
    pub(super) fn is_over(&self, connection: &Connection) -> bool {
        let looked = Duration::from_millis(self.looked.load(Relaxed));
        self.started.checked_add(looked).is_some_and(|now| connection.expires <= now)
    }

    /// Closes connections that are too old, or idle for too long, and forgets pools that are empty and nobody's. To be
    /// called now and then.
    pub fn tidy(&self) {
        let now = clock::now();
        let looked = now.saturating_duration_since(self.started).as_millis();
        self.looked.store(u64::try_from(looked).unwrap_or(u64::MAX), Relaxed);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody can get a pool while this lock is held: what is nobody's now is so until it is forgotten.
        pools.retain(|_, pool| {
            let (retired, least) = (pool.retired.load(Relaxed), self.least(pool));
            let mut capacity = self.capacity();
            let closed = capacity.retain(pool.index, |connection, since, size| {
                let idle = now.saturating_duration_since(since);
                let usable = !retired
                    && idle < connection.patience
                    && now < connection.expires
                    && connection.stream.is_untouched();
                usable && (idle < self.limits.idle_timeout || size <= least)
            });
            let unused = Arc::strong_count(pool) == 1 && capacity.remove(pool.index);
            drop(capacity);
            self.close(closed);
            !unused
        });
    }

    /// Makes connections until each pool that is in use has `pools.min_idle` of them, so that the next statement finds one. To be
    /// called now and then; what cannot be made is made another time.
    pub async fn warm(&self) {
        if self.warming.swap(true, Relaxed) {
            return;
        }
        let wanting: Vec<(Arc<Pool>, u32)> = {
            let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.values().map(|pool| (pool.clone(), self.least(pool))).collect()
        };
        for (pool, least) in wanting {
            let few = || {
                let mut capacity = self.capacity();
                capacity.size(pool.index) < least && capacity.reserve(pool.index)
            };
            for _ in 0..least {
                if !few() || pool.make().await.is_err() {
                    break;
                }
            }
        }
        self.warming.store(false, Relaxed);
    }

    /// So many connections are kept in a pool however long they are idle: none unless a session has the pool.
    fn least(&self, pool: &Arc<Pool>) -> u32 {
        // One is the map's.
        let used = Arc::strong_count(pool) > 1 && !pool.is_dedicated() && !pool.retired.load(Relaxed);
        if used { self.limits.min_idle.min(self.limits.size) } else { 0 }
    }

    /// This account is no longer as it was: its idle connections are closed, and those in use when they come back.
    pub fn retire(&self, account: AccountId) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, pool) in pools.iter().filter(|(key, _)| key.account == account) {
            pool.retired.store(true, Relaxed);
            let closed = self.capacity().retain(pool.index, |_, _, _| false);
            self.close(closed);
        }
    }

    /// How many pools there are.
    #[must_use]
    pub fn pools(&self) -> usize {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).len()
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
                    pools: Mutex::default(),
                    capacity: Mutex::new(Capacity::new(Limits {
                        server: config.pools.max_per_server,
                        user: config.pools.size,
                        connecting: config.pools.max_connecting,
                    })),
                    capabilities: AtomicU64::new(0),
                    running: AtomicU32::new(0),
                    started: clock::now(),
                    looked: AtomicU64::new(0),
                    warming: AtomicBool::new(false),
                    wanted: Notify::new(),
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
