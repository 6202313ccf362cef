//! How an observation of one server changes the snapshot.
//!
//! Down takes [`Rules::failures`] failures in a row, Up takes one success: a single lost packet moves nothing, and a
//! server that answers is used at once. Lag has no such hysteresis: it is measured, not guessed, and a limit that is
//! passed for one sample keeps new reads away for one sample; running ones are left alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::change::changes;
use super::{Change, Cluster, Flavor, Health, Lag, Replication, Server, ServerId, ServerState};
use crate::config::MonitorConfig;

/// An observation older than this many intervals is not trusted.
const STALE_INTERVALS: u32 = 4;

/// What the monitor saw of one server at one time.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The server.
    pub server: ServerId,
    /// What was seen, or why nothing was.
    pub seen: Result<Seen, Arc<str>>,
}

/// What a server said of itself.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its version string.
    pub version: Arc<str>,
    /// Its family.
    pub flavor: Flavor,
    /// `@@read_only`.
    pub read_only: bool,
    /// `@@global.wait_timeout` and `@@global.interactive_timeout`, in seconds.
    pub idle: Option<[u64; 2]>,
    /// Whether replication runs.
    pub replication: Replication,
    /// Why replication does not run: the threads' states and error numbers, for people.
    pub detail: Option<Arc<str>>,
    /// How far it is behind.
    pub lag: Lag,
    /// The privilege that the monitor's account lacks to see replication.
    pub missing_grant: Option<&'static str>,
    /// The monitor's account, as CURRENT_USER() has it.
    pub account: Arc<str>,
    /// How long the observation took.
    pub took: Duration,
}

/// How observations are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// After so many failures in a row a server is down; 1 or more.
    pub failures: u32,
    /// What was seen longer ago than this is not trusted: see [`ServerState::lag_at`].
    pub stale_after: Duration,
}

impl Rules {
    /// The rules that `[monitor]` implies. What was seen is trusted for four intervals, and never for less than one
    /// observation may take: a server that answers slowly is not stale.
    #[must_use]
    pub fn from_config(monitor: &MonitorConfig) -> Self {
        let intervals = monitor.interval.saturating_mul(STALE_INTERVALS);
        let slowest = monitor.interval.saturating_add(monitor.timeout);
        Self { failures: monitor.failures, stale_after: intervals.max(slowest) }
    }
}

impl Cluster {
    /// The snapshot after `observation`, made at `now`, and what of it an operator must hear. An observation of a server
    /// that is not in the snapshot changes nothing.
    #[must_use]
    pub fn observe(&self, observation: &Observation, rules: &Rules, now: Instant) -> (Self, Vec<Change>) {
        let mut servers = self.servers.clone();
        let mut told = Vec::new();
        if let Some(slot) = servers.get_mut(usize::from(observation.server.0)) {
            let state = match &observation.seen {
                Ok(seen) => succeeded(seen, now),
                Err(reason) => failed(&slot.state, reason, rules, now),
            };
            let detail = observation.seen.as_ref().ok().and_then(|seen| seen.detail.as_ref());
            told = changes(slot.role, &slot.state, &state, detail);
            *slot = Arc::new(Server { state, ..Server::clone(slot) });
        }
        (Self { servers }, told)
    }
}

/// All of the state comes from the newest success.
fn succeeded(seen: &Seen, now: Instant) -> ServerState {
    ServerState {
        health: Health::Up,
        read_only: Some(seen.read_only),
        idle: seen.idle,
        replication: seen.replication,
        lag: seen.lag,
        version: Some(Arc::clone(&seen.version)),
        flavor: seen.flavor,
        observed: Some(now),
        seen: Some(now),
        missing_grant: seen.missing_grant,
        failures: 0,
    }
}

/// What was seen stays, with its time, so that it ages ([`ServerState::lag_at`]).
fn failed(old: &ServerState, reason: &Arc<str>, rules: &Rules, now: Instant) -> ServerState {
    let failures = old.failures.saturating_add(1);
    let health = match &old.health {
        // `since` is the time of the step, the reason the newest: a refused connection may have become a timeout.
        Health::Down { since, .. } => Health::Down { since: *since, reason: Arc::clone(reason) },
        Health::Unknown | Health::Up if failures >= rules.failures => {
            Health::Down { since: now, reason: Arc::clone(reason) }
        }
        health @ (Health::Unknown | Health::Up) => health.clone(),
    };
    ServerState { health, observed: Some(now), failures, ..old.clone() }
}

#[cfg(test)]
mod tests;
