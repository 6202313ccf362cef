//! [`Metrics`]: every counter of the proxy, resolved at start, so that counting is an atomic add.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

use super::labels::{
    ClientRefusal, ConnectResult, Kind, LoginFailure, Origin, ProtocolSide, RetryCause, TargetLabel, TlsReload,
};
use super::pools::{PoolStatus, Pools};
use super::process::Process;
use super::statements::Statements;
use super::tls::{Tls, handshake_labels};
use crate::clock;
use crate::cluster::{Lag, Replication, ServerId, ServerState};
use crate::routing::RouteReason;

/// Whole statements: 50 us (a cached answer) to 60 s (a report).
const STATEMENT_BUCKETS: &[f64] = &[
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0,
    10.0, 30.0, 60.0,
];
/// What the proxy adds: 1 us to 100 ms.
const PROXY_BUCKETS: &[f64] =
    &[1e-6, 2.5e-6, 5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3];
/// Waiting for a connection: 10 us to 10 s.
const WAIT_BUCKETS: &[f64] =
    &[10e-6, 50e-6, 100e-6, 500e-6, 1e-3, 5e-3, 10e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0, 10.0];
/// Error codes that get a label of their own; a server defines thousands, and one proxy sees a few dozen.
const MAX_ERROR_CODES: usize = 200;

/// One statement or command, when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// The server that answered; None: pointsman did.
    pub server: Option<ServerId>,
    /// What that server was for this statement.
    pub target: TargetLabel,
    /// Why it went there.
    pub reason: RouteReason,
    /// What it is.
    pub kind: Kind,
    /// From the whole command having been read to the last byte of the reply being written.
    pub total: Duration,
    /// The part of `total` in which the proxy waited for a server or for the client: `0 <= waited <= total`.
    pub waited: Duration,
    /// Bytes of the command, as read from the client.
    pub bytes_from_client: u64,
    /// Bytes of the reply, as written to the client.
    pub bytes_to_client: u64,
    /// Bytes read from servers.
    pub bytes_from_server: u64,
    /// Bytes written to servers.
    pub bytes_to_server: u64,
    /// The error that the client got, and whose it was.
    pub error: Option<(u16, Origin)>,
}

/// Bytes of compressed connections on one side, both directions together.
#[derive(Debug, Clone)]
pub struct CompressionBytes {
    /// As packets.
    pub plain: IntCounter,
    /// As they went over the network.
    pub compressed: IntCounter,
}

/// All metrics. Shared by reference; each method is an atomic add or a few, and none blocks.
pub struct Metrics {
    statements: Statements,
    reasons: Vec<IntCounter>,
    statement_seconds: Vec<Histogram>,
    proxy_seconds: Vec<Histogram>,
    from_client: IntCounter,
    to_client: IntCounter,
    from_server: IntCounter,
    to_server: IntCounter,
    errors: Errors,
    clients: IntGauge,
    client_connections: IntCounter,
    client_refused: Vec<IntCounter>,
    logins_failed: Vec<IntCounter>,
    protocol_errors: Vec<IntCounter>,
    pins: Vec<(&'static str, IntCounter)>,
    retries: Vec<IntCounter>,
    abandoned: IntCounter,
    mismatches: Vec<(&'static str, IntCounter)>,
    compression: [CompressionBytes; 2],
    shape_hits: IntCounter,
    shape_misses: IntCounter,
    pools: Pools,
    servers: Vec<PerServer>,
    tls: Tls,
}

/// The series of one server.
struct PerServer {
    up: Gauge,
    read_only: Gauge,
    replication_running: Gauge,
    lag_seconds: Gauge,
    pool_wait_seconds: Histogram,
    connects: Vec<IntCounter>,
}

impl Metrics {
    /// Registers every metric. `servers` are the servers' names in the order of their ids; `pins` are all causes that
    /// [`Self::pinned`] will be told.
    ///
    /// # Errors
    ///
    /// When the registry holds a metric of one of these names.
    pub fn register(
        registry: &Registry,
        servers: &[Arc<str>],
        pins: &[&'static str],
        mismatches: &[&'static str],
    ) -> prometheus::Result<Self> {
        let make = Maker { registry };
        make.gauges("pointsman_build_info", "Always 1; the version is the label.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        let started = clock::wall().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        registry.register(Box::new(Process::new(started)?))?;
        let pools = Pools::new(servers)?;
        registry.register(Box::new(pools.clone()))?;

        let targets: Vec<&str> = TargetLabel::ALL.iter().map(|target| target.as_str()).collect();
        let bytes = make.counters("pointsman_bytes_total", "Bytes moved, by direction.", &["direction"])?;
        let statements = make.counters(
            "pointsman_statements_total",
            "Statements and commands, by where they went, why, and what they are.",
            &["target", "server", "reason", "kind"],
        )?;
        let compression = make.counters(
            "pointsman_compression_bytes_total",
            "Bytes of compressed connections, before compression and as they went over the network.",
            &["side", "form"],
        )?;
        let causes = make.counters("pointsman_pins_total", "Pins set on sessions, by cause.", &["cause"])?;
        let differing = make.counters(
            "pointsman_state_mismatches_total",
            "Replies that reported another session state than the statement's text says.",
            &["what"],
        )?;
        Ok(Self {
            statements: Statements::new(statements, servers),
            reasons: make.closed(
                "pointsman_route_reasons_total",
                "Statements and commands, by the reason of their route.",
                "reason",
                RouteReason::ALL.iter().map(|reason| reason.as_str()),
            )?,
            statement_seconds: make.histograms(
                "pointsman_statement_seconds",
                "Time from a command read to its reply written, in seconds.",
                "target",
                &targets,
                STATEMENT_BUCKETS,
            )?,
            proxy_seconds: make.histograms(
                "pointsman_proxy_seconds",
                "The part of pointsman_statement_seconds that the proxy added, in seconds.",
                "target",
                &targets,
                PROXY_BUCKETS,
            )?,
            from_client: bytes.with_label_values(&["from_client"]),
            to_client: bytes.with_label_values(&["to_client"]),
            from_server: bytes.with_label_values(&["from_server"]),
            to_server: bytes.with_label_values(&["to_server"]),
            errors: Errors::new(make.counters(
                "pointsman_errors_total",
                "Errors that clients got, by error number and whose error it was.",
                &["code", "origin"],
            )?),
            clients: make.own(IntGauge::new("pointsman_clients", "Clients connected now.")?)?,
            client_connections: make
                .own(IntCounter::new("pointsman_client_connections_total", "Clients accepted since the start.")?)?,
            client_refused: make.closed(
                "pointsman_client_refused_total",
                "Clients refused because of a limit.",
                "why",
                ClientRefusal::ALL.iter().map(|why| why.as_str()),
            )?,
            logins_failed: make.closed(
                "pointsman_logins_failed_total",
                "Logins of clients that failed.",
                "why",
                LoginFailure::ALL.iter().map(|why| why.as_str()),
            )?,
            protocol_errors: make.closed(
                "pointsman_protocol_errors_total",
                "Connections ended because a peer broke the protocol.",
                "side",
                ProtocolSide::ALL.iter().map(|side| side.as_str()),
            )?,
            pins: pins.iter().map(|cause| (*cause, causes.with_label_values(&[*cause]))).collect(),
            retries: make.closed(
                "pointsman_retries_total",
                "Statements that ran on another connection after a failure.",
                "why",
                RetryCause::ALL.iter().map(|why| why.as_str()),
            )?,
            mismatches: mismatches.iter().map(|what| (*what, differing.with_label_values(&[*what]))).collect(),
            abandoned: make.own(IntCounter::new(
                "pointsman_abandoned_statements_total",
                "Statements that were killed because their client went away.",
            )?)?,
            compression: ["client", "server"].map(|side| CompressionBytes {
                plain: compression.with_label_values(&[side, "plain"]),
                compressed: compression.with_label_values(&[side, "compressed"]),
            }),
            shape_hits: make
                .own(IntCounter::new("pointsman_shape_cache_hits_total", "Statements whose shape was known.")?)?,
            shape_misses: make
                .own(IntCounter::new("pointsman_shape_cache_misses_total", "Statements that had to be classified.")?)?,
            pools,
            servers: make.servers(servers)?,
            tls: make.tls()?,
        })
    }

    /// Those of TLS.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Counts a statement that is over.
    pub fn finish(&self, record: &Record) {
        self.statements.count(record.target, record.server, record.reason, record.kind);
        inc(&self.reasons, record.reason as usize);
        observe(self.statement_seconds.get(record.target as usize), record.total);
        observe(self.proxy_seconds.get(record.target as usize), record.total.saturating_sub(record.waited));
        for (counter, bytes) in [
            (&self.from_client, record.bytes_from_client),
            (&self.to_client, record.bytes_to_client),
            (&self.from_server, record.bytes_from_server),
            (&self.to_server, record.bytes_to_server),
        ] {
            if bytes > 0 {
                counter.inc_by(bytes);
            }
        }
        if let Some((code, origin)) = record.error {
            self.errors.count(code, origin);
        }
    }

    /// An error that a client got outside of any statement, such as at login.
    pub fn error(&self, code: u16, origin: Origin) {
        self.errors.count(code, origin);
    }

    /// A client was accepted.
    pub fn client_connected(&self) {
        self.clients.inc();
        self.client_connections.inc();
    }

    /// A client that was accepted is gone.
    pub fn client_gone(&self) {
        self.clients.dec();
    }

    /// A client was refused.
    pub fn client_refused(&self, why: ClientRefusal) {
        inc(&self.client_refused, why as usize);
    }

    /// A login failed.
    pub fn login_failed(&self, why: LoginFailure) {
        inc(&self.logins_failed, why as usize);
    }

    /// A peer broke the protocol.
    pub fn protocol_error(&self, side: ProtocolSide) {
        inc(&self.protocol_errors, side as usize);
    }

    /// What a compressed connection on this side counts into.
    #[must_use]
    pub fn compression(&self, side: ProtocolSide) -> CompressionBytes {
        let [client, server] = &self.compression;
        match side {
            ProtocolSide::Client => client.clone(),
            ProtocolSide::Server => server.clone(),
        }
    }

    /// A session was pinned. A cause that was not given at registration is not counted.
    pub fn pinned(&self, cause: &'static str) {
        if let Some((_, counter)) = self.pins.iter().find(|(known, _)| *known == cause) {
            counter.inc();
        }
    }

    /// A statement runs again elsewhere.
    pub fn retried(&self, why: RetryCause) {
        inc(&self.retries, why as usize);
    }

    /// A server reported another state than the statement's text says. What was not given at registration is not counted.
    pub fn state_mismatch(&self, what: &'static str) {
        if let Some((_, counter)) = self.mismatches.iter().find(|(known, _)| *known == what) {
            counter.inc();
        }
    }

    /// All that [`Self::state_mismatch`] counted.
    #[must_use]
    pub fn state_mismatches(&self) -> u64 {
        self.mismatches.iter().map(|(_, counter)| counter.get()).sum()
    }

    /// A statement is killed because its client went away.
    pub fn abandoned(&self) {
        self.abandoned.inc();
    }

    /// The shape cache's own counts, which only grow; called now and then.
    pub fn shapes(&self, hits: u64, misses: u64) {
        self.shape_hits.inc_by(hits.saturating_sub(self.shape_hits.get()));
        self.shape_misses.inc_by(misses.saturating_sub(self.shape_misses.get()));
    }

    /// A statement waited so long for a connection to a server, also when it got none in the end.
    pub fn pool_waited(&self, server: ServerId, waited: Duration) {
        observe(self.server(server).map(|server| &server.pool_wait_seconds), waited);
    }

    /// An attempt to connect to a server is over.
    pub fn backend_connected(&self, server: ServerId, result: ConnectResult) {
        if let Some(server) = self.server(server) {
            inc(&server.connects, result as usize);
        }
    }

    /// Shows what is known of a server.
    pub fn server_observed(&self, server: ServerId, state: &ServerState) {
        let Some(server) = self.server(server) else { return };
        let truth = |value: bool| if value { 1.0 } else { 0.0 };
        let up = state.is_up();
        server.up.set(truth(up));
        server.read_only.set(state.read_only.map_or(f64::NAN, truth));
        server.replication_running.set(match state.replication {
            Replication::Running => 1.0,
            Replication::Stopped => 0.0,
            Replication::None | Replication::Unknown => f64::NAN,
        });
        server.lag_seconds.set(match state.lag {
            Lag::Known(lag) if up => lag.as_secs_f64(),
            Lag::Known(_) | Lag::Unknown | Lag::Stopped => f64::NAN,
        });
    }

    /// From now on each scrape asks `status` for the pools' fill. Only the first call counts: says whether it was.
    pub fn watch_pools(&self, status: Arc<dyn PoolStatus>) -> bool {
        self.pools.watch(status)
    }

    fn server(&self, id: ServerId) -> Option<&PerServer> {
        self.servers.get(usize::from(id.0))
    }
}

fn inc(counters: &[IntCounter], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.inc();
    }
}

fn observe(histogram: Option<&Histogram>, time: Duration) {
    if let Some(histogram) = histogram {
        histogram.observe(time.as_secs_f64());
    }
}

/// `pointsman_errors_total`: a code gets its counter when it first occurs, up to [`MAX_ERROR_CODES`]; the others share
/// the label `other`. Errors are rare enough for a read lock, which nobody holds while waiting.
struct Errors {
    family: IntCounterVec,
    known: RwLock<HashMap<(u16, Origin), IntCounter>>,
}

impl Errors {
    fn new(family: IntCounterVec) -> Self {
        Self { family, known: RwLock::new(HashMap::new()) }
    }

    fn count(&self, code: u16, origin: Origin) {
        let key = (code, origin);
        if let Some(counter) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            counter.inc();
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_ERROR_CODES || known.contains_key(&key) {
            let new = || self.family.with_label_values(&[code.to_string().as_str(), origin.as_str()]);
            known.entry(key).or_insert_with(new).inc();
        } else {
            self.family.with_label_values(&["other", origin.as_str()]).inc();
        }
    }
}

/// Makes and registers metrics.
struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn own<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> prometheus::Result<M> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.own(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.own(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// One counter per value of a closed label, in their order, all present from the first scrape.
    fn closed(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = &'static str>,
    ) -> prometheus::Result<Vec<IntCounter>> {
        let family = self.counters(name, help, &[label])?;
        Ok(values.map(|value| family.with_label_values(&[value])).collect())
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<Vec<Histogram>> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let family = self.own(HistogramVec::new(options, &[label])?)?;
        Ok(values.iter().map(|value| family.with_label_values(&[*value])).collect())
    }

    fn tls(&self) -> prometheus::Result<Tls> {
        let handshakes = self.counters(
            "pointsman_tls_handshakes_total",
            "TLS handshakes that succeeded, by whose connection, version, and whether an earlier session went on.",
            &["side", "version", "resumed"],
        )?;
        let tls = Tls {
            handshakes: handshake_labels().map(|labels| handshakes.with_label_values(&labels)).collect(),
            failures: self.closed(
                "pointsman_tls_failures_total",
                "TLS handshakes that failed, by whose connection.",
                "side",
                ProtocolSide::ALL.iter().map(|side| side.as_str()),
            )?,
            reloads: self.closed(
                "pointsman_tls_reloads_total",
                "Looks at the files of TLS that found changed ones, or ones that are not good.",
                "result",
                TlsReload::ALL.iter().map(|result| result.as_str()),
            )?,
            expiry: self.own(Gauge::new(
                "pointsman_tls_certificate_expiry_timestamp_seconds",
                "When the certificate that clients see ends, in seconds since 1970; NaN: TLS is off.",
            )?)?,
        };
        tls.expires(None);
        Ok(tls)
    }

    fn servers(&self, servers: &[Arc<str>]) -> prometheus::Result<Vec<PerServer>> {
        let per_server = |name, help| self.gauges(name, help, &["server"]);
        let up = per_server("pointsman_server_up", "1: the server can be used; 0: it is down or was not seen yet.")?;
        let read_only = per_server("pointsman_server_read_only", "@@read_only; NaN: not seen yet.")?;
        let replication = per_server(
            "pointsman_server_replication_running",
            "1: replication runs; 0: it is stopped; NaN: the server replicates from none, or it is not known.",
        )?;
        let lag = per_server("pointsman_server_lag_seconds", "Replication lag; NaN: not known, stopped, or down.")?;
        let connects = self.counters(
            "pointsman_backend_connects_total",
            "Attempts to connect to a server, by their result.",
            &["server", "result"],
        )?;
        let names: Vec<&str> = servers.iter().map(AsRef::as_ref).collect();
        let waits = self.histograms(
            "pointsman_pool_wait_seconds",
            "Time that statements waited for a connection to a server, in seconds.",
            "server",
            &names,
            WAIT_BUCKETS,
        )?;
        let made = names.iter().zip(waits).map(|(name, pool_wait_seconds)| {
            let gauge = |family: &GaugeVec| family.with_label_values(&[*name]);
            let connects =
                ConnectResult::ALL.iter().map(|result| connects.with_label_values(&[*name, result.as_str()]));
            let made = PerServer {
                up: gauge(&up),
                read_only: gauge(&read_only),
                replication_running: gauge(&replication),
                lag_seconds: gauge(&lag),
                pool_wait_seconds,
                connects: connects.collect(),
            };
            made.read_only.set(f64::NAN);
            made.replication_running.set(f64::NAN);
            made.lag_seconds.set(f64::NAN);
            made
        });
        Ok(made.collect())
    }
}

#[cfg(test)]
mod tests;
