//! The pools' fill, asked for at each scrape: nothing is counted on the hot path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

/// The pools of one server, or of one user on one server: samples of the same server are added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSample {
    /// The server's name.
    pub server: Arc<str>,
    /// Connections that a session holds.
    pub busy: u64,
    /// Connections that wait for a session.
    pub idle: u64,
    /// Statements that wait for a connection.
    pub waiting: u64,
}

/// Whoever owns the pools. Called from the thread that serves `/metrics`.
pub trait PoolStatus: Send + Sync {
    /// The pools' fill now.
    fn pools(&self) -> Vec<PoolSample>;
}

/// Fills the gauges when it is scraped. A clone is the same collector.
#[derive(Clone)]
pub(super) struct Pools {
    shared: Arc<Shared>,
}

struct Shared {
    connections: IntGaugeVec,
    waiting: IntGaugeVec,
    status: OnceLock<Arc<dyn PoolStatus>>,
    /// One scrape at a time fills the gauges.
    filling: Mutex<()>,
}

impl Pools {
    pub(super) fn new(servers: &[Arc<str>]) -> prometheus::Result<Self> {
        let connections = IntGaugeVec::new(
            Opts::new("pointsman_pool_connections", "Connections to a server, by what they do."),
            &["server", "state"],
        )?;
        let waiting = IntGaugeVec::new(
            Opts::new("pointsman_pool_waiting", "Statements that wait for a connection to a server."),
            &["server"],
        )?;
        for server in servers {
            connections.with_label_values(&[server.as_ref(), "busy"]);
            connections.with_label_values(&[server.as_ref(), "idle"]);
            waiting.with_label_values(&[server.as_ref()]);
        }
        let shared = Shared { connections, waiting, status: OnceLock::new(), filling: Mutex::new(()) };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn watch(&self, status: Arc<dyn PoolStatus>) -> bool {
        self.shared.status.set(status).is_ok()
    }
}

impl Shared {
    fn fill(&self, samples: &[PoolSample]) {
        let mut sums: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for sample in samples {
            let sum = sums.entry(&sample.server).or_default();
            *sum = (sum.0 + sample.busy, sum.1 + sample.idle, sum.2 + sample.waiting);
        }
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (server, (busy, idle, waiting)) in sums {
            self.connections.with_label_values(&[server, "busy"]).set(gauge(busy));
            self.connections.with_label_values(&[server, "idle"]).set(gauge(idle));
            self.waiting.with_label_values(&[server]).set(gauge(waiting));
        }
    }
}

impl Collector for Pools {
    fn desc(&self) -> Vec<&Desc> {
        let mut desc = self.shared.connections.desc();
        desc.extend(self.shared.waiting.desc());
        desc
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _one = self.shared.filling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = self.shared.status.get() {
            self.shared.fill(&status.pools());
        }
        let mut families = self.shared.connections.collect();
        families.extend(self.shared.waiting.collect());
        families
    }
}
