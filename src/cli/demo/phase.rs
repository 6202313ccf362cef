//! One phase: the load runs against one target while the servers are watched.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::load::{Load, Tally};
use super::observe::{Counters, Observer};
use super::screen::{Moment, Screen, per_second};
use crate::sandbox::Sandbox;

/// What a phase showed.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) tally: Arc<Tally>,
    pub(super) elapsed: Duration,
    /// What each server did during it, the primary first.
    pub(super) servers: Vec<Counters>,
    /// The most transactions that any replica was behind at any sample.
    pub(super) behind: u64,
}

impl Phase {
    /// Runs the load against `target` for `whole`.
    pub(super) async fn run(
        title: &str,
        target: SocketAddr,
        whole: Duration,
        sandbox: &Sandbox,
        observer: &mut Observer<'_>,
        screen: &mut Screen,
    ) -> anyhow::Result<Self> {
        sandbox.catch_up().await?;
        let first = observer.sample().await?;
        let load = Load::start(target);
        let names: Vec<_> = sandbox.servers().iter().map(|server| server.name().to_owned()).collect();
        let end = first.at + whole;
        let (mut before, mut behind) = (first.clone(), 0);
        loop {
            tokio::time::sleep_until(end.min(Instant::now() + screen.interval())).await;
            let now = observer.sample().await?;
            behind = (1..names.len()).map(|index| now.behind(index)).fold(behind, u64::max);
            let (_, p50, p99) = load.tally.latency();
            let errors = load.tally.errors.load(Relaxed);
            let elapsed = now.at.duration_since(first.at);
            screen.show(&names, &Moment { phase: title, elapsed, whole, before: &before, now: &now, p50, p99, errors });
            before = now;
            if before.at >= end {
                break;
            }
        }
        let elapsed = before.at.duration_since(first.at);
        let servers = before.servers.iter().zip(&first.servers).map(|(now, then)| now.since(then)).collect();
        Ok(Self { tally: load.finish().await, elapsed, servers, behind })
    }

    /// `count` of the phase, a second.
    pub(super) fn rate(&self, count: u64) -> u64 {
        per_second(count, self.elapsed)
    }

    /// What the primary did.
    pub(super) fn primary(&self) -> Counters {
        self.servers.first().copied().unwrap_or_default()
    }

    /// Reads that replicas answered, and all reads.
    pub(super) fn reads(&self) -> (u64, u64) {
        let reads = |skip| self.servers.iter().skip(skip).map(|server| server.reads).sum();
        (reads(1), reads(0))
    }
}
