//! The composition root: builds all parts in reading order and passes each what it needs. No part reaches out.

mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::tls::Tls;
use crate::admin::{HttpServer, Ready};
use crate::backend::{BackendError, OnConnect, Pools, read_greeting};
use crate::clock;
use crate::cluster::{Cluster, ServerId};
use crate::config::{Config, MonitorConfig, ServerRole};
use crate::monitor::{AccountReader, Monitor};
use crate::net::tls::{Acceptor, Established, Version};
use crate::net::{Held, Listener};
use crate::proxy::{
    Clients, Discovered, Globals, Greetings, KnownGrants, Memory, Poke, Shared, Users, accept, janitor,
};
use crate::routing::Policy;
use crate::session::{Mismatch, PinCause};
use crate::sql::Classifier;
use crate::telemetry::{ConnectResult, Metrics, PoolSample, PoolStatus, ProtocolSide, TlsVersion};
use crate::wire::auth::caching_sha2::KeyPair;

/// A server that is asked for its greeting must not keep the others waiting for longer.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// When a server's greeting is asked for again.
const GREETING_AGAIN: Duration = Duration::from_secs(60);

/// The same, while none was seen.
const GREETING_RETRY: Duration = Duration::from_millis(200);

/// How long a start waits for the servers to be seen, so that the first client finds them known.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Failing logins have the accounts read again, but not more often than this.
const ACCOUNTS_PAUSE: Duration = Duration::from_millis(200);

/// A proxy that runs.
pub struct RunningProxy {
    shared: Arc<Shared>,
    listen: SocketAddr,
    http: Option<HttpServer>,
    /// Set: no new clients, and those that depend on nothing leave.
    drain: CancellationToken,
    /// Set: everyone leaves at once.
    cut: CancellationToken,
    /// Clients.
    clients: TaskTracker,
    /// Monitor and housekeeping.
    stop: CancellationToken,
    helpers: TaskTracker,
    /// Looks at the files of TLS now.
    reload: Arc<Notify>,
}

/// Starts a proxy. Needs a tokio runtime.
///
/// # Errors
/// When an address cannot be bound, or the system has no randomness.
pub async fn start(mut config: Config) -> anyhow::Result<RunningProxy> {
    watch_as_first_user(&mut config);
    let cluster = Cluster::from_config(&config);
    let names: Vec<Arc<str>> = cluster.servers().iter().map(|server| server.name.clone()).collect();
    let registry = Registry::new();
    let pins: Vec<&'static str> = PinCause::ALL.iter().map(|cause| cause.as_str()).collect();
    let metrics =
        Arc::new(Metrics::register(&registry, &names, &pins, &Mismatch::ALL.map(Mismatch::as_str)).context("metrics")?);

    let counted = metrics.clone();
    let on_connect: OnConnect = Arc::new(move |server, made| count_connect(&counted, server, made));
    let tls = Tls::of(&config)?;
    let acceptor = Acceptor::new(&config.tls).context("[tls]")?;
    let pools = Pools::new(&config, &cluster, &tls.connectors, &on_connect, &metrics.compression(ProtocolSide::Server));
    let classifier = Classifier::new(config.routing.shape_cache, random_keys()?, &config.routing.read_functions);
    let users = Users::new(&config, random()?);
    let started = clock::now();
    let shared = Arc::new(Shared {
        policy: Policy::new(&config),
        cluster: Arc::new(ArcSwap::from_pointee(cluster)),
        pools,
        classifier,
        metrics: metrics.clone(),
        users,
        secret: random_keys()?,
        tls: acceptor,
        rsa: KeyPair::generate().context("no randomness for an RSA key")?,
        memory: Memory::new(config.pools.remembered as u64),
        clients: Clients::default(),
        grants: KnownGrants::default(),
        greetings: Greetings::default(),
        started,
        last_global_write: AtomicU64::new(0),
        globals: Globals::new(started),
        aborted_clients: AtomicU64::new(0),
        held: Held::default(),
        told: Shared::throttle(),
        config,
    });
    metrics.watch_pools(Arc::new(Usage(shared.clone())));

    let (drain, cut, stop) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let (clients, helpers) = (TaskTracker::new(), TaskTracker::new());
    // The ports first: one that is taken must be known at once.
    let (listeners, listen) = bind(&shared.config).await?;
    let http = match &shared.config.http.listen {
        Some(address) => Some(
            HttpServer::start(address, registry, ready(&shared, &drain))
                .with_context(|| format!("http.listen: cannot listen on {address}"))?,
        ),
        None => None,
    };
    let monitor =
        Monitor::start(&shared.config, &tls.connectors, shared.cluster.clone(), metrics, stop.clone(), &helpers);
    let primary =
        shared.config.servers.iter().zip(&tls.connectors).find(|(server, _)| server.role == ServerRole::Primary);
    if let (Some(discovered), Some((server, connector))) = (shared.users.discovered(), primary) {
        let reader = AccountReader::new(&shared.config, server, connector.clone());
        helpers.spawn(follow_accounts(shared.clone(), discovered.clone(), reader, stop.clone()));
    }
    let reload = Arc::new(Notify::new());
    helpers.spawn(tls.follow(shared.clone(), reload.clone(), stop.clone()));
    helpers.spawn(janitor(shared.clone(), stop.clone()));
    helpers.spawn(follow_greetings(shared.clone(), stop.clone()));
    first_look(&shared, monitor.generation()).await;
    for listener in listeners {
        clients.spawn(accept(listener, shared.clone(), clients.clone(), drain.clone(), cut.clone()));
    }
    tracing::info!(
        listen = %listen,
        socket = shared.config.proxy.socket.as_deref(),
        http = http.as_ref().map(|http| tracing::field::display(http.local_addr())),
        version = env!("CARGO_PKG_VERSION"),
        "pointsman serves"
    );
    Ok(RunningProxy { shared, listen, http, drain, cut, clients, stop, helpers, reload })
}

impl RunningProxy {
    /// Where clients connect.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where metrics and health are served.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(HttpServer::local_addr)
    }

    /// Looks at the files of TLS now, as at each `tls.reload_interval`. What is not good in them changes nothing and is
    /// logged.
    pub fn reload_certificates(&self) {
        self.reload.notify_one();
    }

    /// What its sessions share; for tests.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// No new clients; those that depend on nothing leave, running statements and open transactions finish, up to
    /// `proxy.drain_timeout` or until `hurry`. False: something had to be cut.
    pub async fn drain(&self, hurry: impl Future<Output = ()>) -> bool {
        self.drain.cancel();
        self.clients.close();
        for client in self.shared.clients.all() {
            client.poke(Poke::Drain);
        }
        let limit = self.shared.config.proxy.drain_timeout;
        tokio::select! {
            () = self.clients.wait() => true,
            () = tokio::time::sleep(limit) => false,
            () = hurry => false,
        }
    }

    /// Ends everything at once. Call [`Self::drain`] before.
    pub async fn stop(self) {
        self.drain.cancel();
        self.cut.cancel();
        self.clients.close();
        self.clients.wait().await;
        self.stop.cancel();
        self.helpers.close();
        self.helpers.wait().await;
        if let Some(http) = self.http {
            http.stop();
        }
    }
}

/// The sockets for clients, and the address of the TCP one.
async fn bind(config: &Config) -> anyhow::Result<(Vec<Listener>, SocketAddr)> {
    let proxy = &config.proxy;
    let tcp = Listener::bind_tcp(&proxy.listen)
        .await
        .with_context(|| format!("proxy.listen: cannot listen on {}", proxy.listen))?;
    let listen = tcp.local_addr()?.context("proxy.listen is no TCP address")?;
    let mut listeners = vec![tcp];
    if let Some(path) = &proxy.socket {
        let socket = Listener::bind_unix(path, proxy.socket_mode)
            .with_context(|| format!("proxy.socket: cannot listen on {path}"))?;
        listeners.push(socket);
    }
    Ok((listeners, listen))
}

/// Without a monitor account the first user watches; `check` says so.
fn watch_as_first_user(config: &mut Config) {
    if config.monitor.user.is_none()
        && let Some(first) = config.users.first()
    {
        config.monitor = MonitorConfig {
            user: Some(first.name.clone()),
            password: first.password.clone(),
            ..config.monitor.clone()
        };
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no randomness"))?;
    Ok(bytes)
}

fn random_keys() -> io::Result<[u64; 2]> {
    let whole = u128::from_le_bytes(random()?);
    Ok([
        u64::try_from(whole >> 64).unwrap_or_default(),
        u64::try_from(whole & u128::from(u64::MAX)).unwrap_or_default(),
    ])
}

/// Counts an attempt to connect to a server, and its TLS.
fn count_connect(metrics: &Metrics, server: ServerId, made: Result<Option<&Established>, &BackendError>) {
    metrics.backend_connected(server, result_of(made.err()));
    match made {
        Ok(Some(tls)) => {
            let version = match tls.version {
                Version::Tls12 => TlsVersion::V12,
                Version::Tls13 => TlsVersion::V13,
            };
            metrics.tls().established(ProtocolSide::Server, version, tls.resumed);
        }
        Err(BackendError::Tls { .. }) => metrics.tls().failed(ProtocolSide::Server),
        Ok(None) | Err(_) => {}
    }
}

fn result_of(error: Option<&BackendError>) -> ConnectResult {
    match error {
        None => ConnectResult::Ok,
        Some(BackendError::Connect { .. } | BackendError::Lost { .. }) => ConnectResult::Network,
        Some(BackendError::Tls { .. }) => ConnectResult::Tls,
        Some(BackendError::ConnectTimeout { .. }) => ConnectResult::Timeout,
        Some(BackendError::Refused { error, .. }) if matches!(error.code, 1040 | 1203 | 1226) => ConnectResult::Full,
        Some(
            BackendError::Header { .. }
            | BackendError::Refused { .. }
            | BackendError::Plugin { .. }
            | BackendError::Mistaken { .. },
        ) => ConnectResult::Denied,
        Some(
            BackendError::TooOld { .. }
            | BackendError::Incapable { .. }
            | BackendError::PoolFull { .. }
            | BackendError::Protocol { .. }
            | BackendError::State { .. },
        ) => ConnectResult::Error,
    }
}

/// Ready: not draining, and a primary is up.
fn ready(shared: &Arc<Shared>, drain: &CancellationToken) -> Ready {
    let (shared, drain) = (shared.clone(), drain.clone());
    Arc::new(move || {
        if drain.is_cancelled() {
            return Err("pointsman is shutting down".to_owned());
        }
        match shared.cluster.load().primary() {
            Some(primary) if primary.state.is_up() => Ok(()),
            Some(primary) => Err(format!("the primary `{}` is not up", primary.name)),
            None => Err("no primary is configured".to_owned()),
        }
    })
}

/// Waits until every server was looked at once, or for [`FIRST_LOOK`].
async fn first_look(shared: &Arc<Shared>, mut generation: tokio::sync::watch::Receiver<u64>) {
    let all = async {
        loop {
            let observed = shared.cluster.load().servers().iter().all(|server| server.state.observed.is_some());
            let greeted = shared.cluster.load().servers().iter().all(|server| {
                !server.state.is_up()
                    || shared.pools.server(server.id).is_none_or(|pools| pools.capabilities().is_some())
            });
            let accounts = shared.users.discovered().is_none_or(|discovered| discovered.is_known());
            if observed && greeted && accounts && shared.greetings.is_known() {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(20), generation.changed()).await;
        }
    };
    if tokio::time::timeout(FIRST_LOOK, all).await.is_err() {
        tracing::warn!("not every server was seen yet; clients are served all the same");
    }
}

/// Learns the servers' greetings: the primary's is what clients get to see as pointsman's, with the capabilities that all
/// of them have. Looks again now and then: an upgraded server has another version.
async fn follow_greetings(shared: Arc<Shared>, stop: CancellationToken) {
    let mut due = vec![clock::now(); shared.pools.servers().len()];
    loop {
        let now = clock::now();
        let primary = shared.cluster.load().primary().map(|primary| primary.id);
        for (server, due) in shared.pools.servers().iter().zip(&mut due).filter(|(_, due)| **due <= now) {
            let limit = shared.config.pools.connect_timeout.min(GREETING_LIMIT);
            let again = match read_greeting(server.name(), server.address(), server.proxy_protocol(), limit).await {
                Ok(greeting) => {
                    server.learn(greeting.capabilities);
                    if primary == Some(server.id()) {
                        shared.greetings.keep(greeting);
                    }
                    GREETING_AGAIN
                }
                Err(error) => {
                    tracing::debug!(%error, "no greeting from a server");
                    let known = server.capabilities().is_some();
                    if known && primary != Some(server.id()) { GREETING_AGAIN } else { GREETING_RETRY }
                }
            };
            *due = clock::now() + again;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(GREETING_RETRY) => {}
        }
    }
}

/// Reads the primary's accounts again and again, and when a login wants to know whether they have changed.
async fn follow_accounts(
    shared: Arc<Shared>,
    discovered: Arc<Discovered>,
    mut reader: AccountReader,
    stop: CancellationToken,
) {
    let mut failed = None;
    loop {
        let asked = clock::now();
        match reader.read(shared.config.monitor.timeout).await {
            Ok(directory) => {
                if failed.take().is_some() || !discovered.is_known() {
                    tracing::info!(accounts = directory.len(), "the server's accounts are read");
                }
                discovered.adopt(directory, asked, &shared.pools);
            }
            Err(reason) => {
                // Once for each reason: what was known counts until it can be read again.
                if failed.as_ref() != Some(&reason) {
                    tracing::warn!(%reason, "the server's accounts cannot be read: those known so far count");
                }
                failed = Some(reason);
            }
        }
        let again = async {
            tokio::time::sleep(ACCOUNTS_PAUSE).await;
            let rest = shared.config.proxy.auth_refresh.saturating_sub(ACCOUNTS_PAUSE);
            let _ = tokio::time::timeout(rest, discovered.wanted()).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = again => {}
        }
    }
}

/// The pools' fill, for `/metrics`.
struct Usage(Arc<Shared>);

impl PoolStatus for Usage {
    fn pools(&self) -> Vec<PoolSample> {
        let classifier = &self.0.classifier;
        self.0.metrics.shapes(classifier.hits(), classifier.misses());
        let sample = |server: &Arc<crate::backend::ServerPools>| {
            let (busy, idle) = server.usage();
            PoolSample {
                server: server.name().clone(),
                busy: busy.into(),
                idle: idle.into(),
                waiting: server.waiting().into(),
            }
        };
        self.0.pools.servers().iter().map(sample).collect()
    }
}

impl std::fmt::Debug for RunningProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningProxy").field("listen", &self.listen).finish_non_exhaustive()
    }
}
