//! Watches the servers: one task and one connection each. Publishes what it sees as a new [`Cluster`] and logs each
//! change once. What an observation means is decided in [`crate::cluster`], not here.

mod accounts;
mod log;
mod probe;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::cluster::{Cluster, Observation, Rules, Seen, ServerId};
use crate::config::{Config, ServerConfig};
use crate::net::tls::{Connector, Established};
use crate::telemetry::Metrics;
pub use accounts::AccountReader;
use probe::{Probe, account};

/// The tasks that watch the servers; they end with the token that [`Monitor::start`] was given.
#[derive(Debug)]
pub struct Monitor {
    generation: watch::Receiver<u64>,
}

impl Monitor {
    /// Starts one task per configured server in `tracker`. Each publishes into `cluster`, whose servers are those of
    /// `config`, in its order, as is `tls`. Needs a tokio runtime.
    pub fn start(
        config: &Config,
        tls: &[Option<Arc<Connector>>],
        cluster: Arc<ArcSwap<Cluster>>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
        tracker: &TaskTracker,
    ) -> Self {
        let (sender, generation) = watch::channel(0);
        let publisher = Arc::new(Publisher {
            cluster,
            metrics,
            rules: Rules::from_config(&config.monitor),
            generation: sender,
            publishing: Mutex::new(()),
        });
        for (id, (server, tls)) in (0..).zip(config.servers.iter().zip(tls)) {
            let watcher = Watcher {
                id: ServerId(id),
                probe: Probe::new(account(config), server, tls.clone(), config.monitor.timeout),
                publisher: Arc::clone(&publisher),
                interval: config.monitor.interval,
                timeout: config.monitor.timeout,
            };
            tracker.spawn(watcher.run(stop.clone()));
        }
        Self { generation }
    }

    /// Counts the observations of all servers: who waits for a change of the cluster waits for the next value, and
    /// then looks.
    #[must_use]
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.generation.clone()
    }
}

/// Observes a server once, by a connection of its own, within `monitor.timeout`: for `pointsman check --connect`.
///
/// # Errors
///
/// Why nothing was seen, in words.
pub async fn probe_once(
    server: &ServerConfig,
    tls: Option<Arc<Connector>>,
    config: &Config,
) -> Result<(Seen, Option<Established>), Arc<str>> {
    let mut probe = Probe::new(account(config), server, tls, config.monitor.timeout);
    let seen = probe.observe(config.monitor.timeout).await;
    let tls = probe.tls();
    probe.close().await;
    seen.map(|seen| (seen, tls))
}

/// Makes a new snapshot from each observation.
struct Publisher {
    cluster: Arc<ArcSwap<Cluster>>,
    metrics: Arc<Metrics>,
    rules: Rules,
    generation: watch::Sender<u64>,
    /// Two observations must not both start from the same snapshot. Not held across an await.
    publishing: Mutex<()>,
}

impl Publisher {
    /// Publishes `seen`; returns how many observations in a row failed, and whether the server is down.
    fn publish(&self, server: ServerId, seen: Result<Seen, Arc<str>>) -> (u32, bool) {
        let observation = Observation { server, seen };
        let (cluster, changes) = {
            let _one = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
            let (cluster, changes) = self.cluster.load().observe(&observation, &self.rules, clock::now());
            let cluster = Arc::new(cluster);
            self.cluster.store(Arc::clone(&cluster));
            (cluster, changes)
        };
        self.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
        let Some(server) = cluster.server(server) else { return (0, false) };
        self.metrics.server_observed(server.id, &server.state);
        if let Err(reason) = &observation.seen {
            tracing::debug!(server = %server.name, %reason, failures = server.state.failures, "observation failed");
        }
        for change in &changes {
            log::change(server, change);
        }
        (server.state.failures, server.state.failures >= self.rules.failures)
    }
}

/// Watches one server.
struct Watcher {
    id: ServerId,
    probe: Probe,
    publisher: Arc<Publisher>,
    interval: Duration,
    timeout: Duration,
}

impl Watcher {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let started = Instant::now();
            // Dropping the observation in the middle is fine: the connection goes with it.
            let seen = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                seen = self.probe.observe(self.timeout) => seen,
            };
            let (failures, down) = self.publisher.publish(self.id, seen);
            let pause = if down { back_off(failures, self.interval, self.timeout) } else { self.interval };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = time::sleep_until(started + pause) => {}
            }
        }
        self.probe.close().await;
    }
}

/// The pause between two attempts on a server that is down: doubles from `interval` up to `timeout`, give or take a
/// quarter, so that the proxies of a fleet do not knock all at once. Never shorter than three quarters of `interval`.
fn back_off(failures: u32, interval: Duration, timeout: Duration) -> Duration {
    let doubled = interval.saturating_mul(1 << failures.min(10));
    let pause = doubled.min(timeout.max(interval));
    pause.mul_f64(0.75 + 0.5 * fraction())
}

/// A number in `0.0..1.0`. Spreading attempts needs no better source than the hasher's random keys.
fn fraction() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let bits = (RandomState::new().hash_one(0_u8) >> 32) as u32;
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_is_bounded_by_the_timeout() {
        let (interval, timeout) = (Duration::from_millis(500), Duration::from_secs(2));
        for failures in 2..100 {
            let pause = back_off(failures, interval, timeout);
            assert!(pause >= interval && pause <= timeout.mul_f64(1.25), "{failures}: {pause:?}");
        }
        let slow = Duration::from_secs(60);
        assert!(back_off(50, slow, timeout) <= slow.mul_f64(1.25), "an interval above the timeout stays");
    }
}
