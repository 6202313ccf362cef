//! The monitor against real servers with real replication: what it sees, how soon, and what it makes of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken fixture must fail, and figures are told"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mysql_async::prelude::Queryable as _;
use pointsman::cluster::{Cluster, Flavor, Health, Lag, Replication};
use pointsman::config::{Config, NoVariables, Source, parse};
use pointsman::monitor::{Monitor, probe_once};
use pointsman::sandbox::{MONITOR, Sandbox};
use pointsman::telemetry::Metrics;
use prometheus::{Registry, TextEncoder};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A monitor that runs.
struct Watch {
    cluster: Arc<ArcSwap<Cluster>>,
    config: Config,
    registry: Registry,
    monitor: Monitor,
    stop: CancellationToken,
    tracker: TaskTracker,
}

fn config(servers: &Sandbox, extra: &str) -> Config {
    // The tests of this file give the section whole.
    let monitor = format!("[monitor]\nuser='{}'\npassword='{}'\ninterval='50ms'\n", MONITOR.user, MONITOR.password);
    let text = support::configuration(servers, "").replacen(&monitor, extra, 1);
    match parse(Some(Source { name: "test", text: &text }), &NoVariables) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("{problems}"),
    }
}

fn section(more: &str) -> String {
    format!(
        "[monitor]\nuser='{}'\npassword='{}'\ninterval='100ms'\ntimeout='1s'\n{more}",
        MONITOR.user, MONITOR.password
    )
}

fn watch(servers: &Sandbox, extra: &str) -> Watch {
    let config = config(servers, extra);
    let cluster = Arc::new(ArcSwap::from_pointee(Cluster::from_config(&config)));
    let names: Vec<Arc<str>> = config.servers.iter().map(|server| server.name.clone()).collect();
    let registry = Registry::new();
    let metrics = Arc::new(Metrics::register(&registry, &names, &[], &[]).unwrap());
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let monitor = Monitor::start(
        &config,
        &vec![None; config.servers.len()],
        Arc::clone(&cluster),
        metrics,
        stop.clone(),
        &tracker,
    );
    Watch { cluster, config, registry, monitor, stop, tracker }
}

impl Watch {
    /// Waits until the cluster is as `wanted`; says how long it took.
    async fn until(&self, limit: Duration, wanted: impl Fn(&Cluster) -> bool) -> Duration {
        let started = tokio::time::Instant::now();
        let waiting = async {
            while !wanted(&self.cluster.load()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(limit, waiting).await.is_ok(), "not within {limit:?}: {:?}", self.cluster.load());
        started.elapsed()
    }

    async fn all_up(&self) {
        self.until(Duration::from_secs(10), |cluster| cluster.servers().iter().all(|server| server.state.is_up()))
            .await;
    }

    async fn end(self, servers: Sandbox) {
        self.stop.cancel();
        self.tracker.close();
        timeout(Duration::from_secs(2), self.tracker.wait()).await.unwrap();
        servers.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_down_in_time() {
    let Some(servers) = support::servers(0).await else { return };
    let watch = watch(&servers, &section("failures=2\n"));
    watch.all_up().await;
    let state = watch.cluster.load().servers()[0].state.clone();
    assert_eq!((state.flavor, state.read_only), (Flavor::MariaDb, Some(false)));
    assert_eq!((state.replication, state.missing_grant), (Replication::None, None));
    let mut generation = watch.monitor.generation();
    generation.mark_unchanged();
    timeout(Duration::from_secs(1), generation.changed()).await.unwrap().unwrap();
    let text = TextEncoder::new().encode_to_string(&watch.registry.gather()).unwrap();
    assert!(text.contains("pointsman_server_up{server=\"primary\"} 1\n"), "{text}");

    servers.primary().kill().await.unwrap();
    let rules = &watch.config.monitor;
    let limit = rules.interval * rules.failures + rules.timeout;
    let took = watch.until(limit, |c| matches!(c.servers()[0].state.health, Health::Down { .. })).await;
    println!("down {took:?} after kill -9");
    watch.end(servers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replication_and_lag_are_seen() {
    let Some(servers) = support::servers(2).await else { return };
    let watch = watch(&servers, &section(""));
    watch.all_up().await;
    let cluster = watch.cluster.load_full();
    for replica in cluster.replicas() {
        assert_eq!(replica.state.replication, Replication::Running, "{replica:?}");
        assert_eq!(replica.state.read_only, Some(true), "{replica:?}");
        assert_eq!(replica.state.lag, Lag::Known(Duration::ZERO), "{replica:?}");
    }
    // A stopped SQL thread is not a lag of zero, and an IO thread that stopped is no idle one either.
    servers.replicas()[0].stop_sql_thread().await.unwrap();
    servers.replicas()[1].stop_io_thread().await.unwrap();
    let stopped = |cluster: &Cluster| cluster.replicas().all(|replica| replica.state.lag == Lag::Stopped);
    watch.until(Duration::from_secs(2), stopped).await;
    servers.replicas()[0].start_sql_thread().await.unwrap();
    servers.replicas()[1].start_io_thread().await.unwrap();
    let running = |cluster: &Cluster| cluster.replicas().all(|replica| matches!(replica.state.lag, Lag::Known(_)));
    watch.until(Duration::from_secs(5), running).await;
    watch.end(servers).await;
}

#[tokio::test]
async fn a_missing_grant_is_named_and_a_wrong_password_told() {
    let Some(servers) = support::servers(0).await else { return };
    servers.primary().run(&["CREATE USER bare@'%' IDENTIFIED BY 'barepw'"]).await.unwrap();
    let bare = config(&servers, "[monitor]\nuser='bare'\npassword='barepw'\n");
    let seen = probe_once(&bare.servers[0], None, &bare).await.unwrap().0;
    assert!(seen.missing_grant.is_some());
    assert_eq!((seen.replication, seen.lag), (Replication::Unknown, Lag::Unknown));

    let wrong = config(&servers, "[monitor]\nuser='bare'\npassword='hush'\n");
    let reason = probe_once(&wrong.servers[0], None, &wrong).await.unwrap_err();
    assert!(reason.contains("1045") && !reason.contains("hush"), "{reason}");
    servers.stop().await;
}

/// A server that accepts and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_is_down_and_comes_back() {
    let Some(servers) = support::servers(0).await else { return };
    let watch = watch(&servers, &section(""));
    watch.all_up().await;
    servers.primary().freeze().await.unwrap();
    let rules = &watch.config.monitor;
    let limit = (rules.interval + rules.timeout) * (rules.failures + 1);
    let down = watch.until(limit, |cluster| !cluster.servers()[0].state.is_up()).await;
    let snapshot = watch.cluster.load_full();
    let Health::Down { reason, .. } = &snapshot.servers()[0].state.health else { panic!("not down") };
    assert!(reason.contains("no answer within 1s"), "{reason}");
    // Long enough for connections that the stalled server never answers to be given up.
    sleep(Duration::from_secs(3)).await;
    servers.primary().thaw().await.unwrap();
    let up = watch.until(Duration::from_secs(5), |cluster| cluster.servers()[0].state.is_up()).await;
    println!("down {down:?} after it stalled, up {up:?} after it went on");
    watch.end(servers).await;
}

/// A connection that the server closed in between is no failure of the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_connection_is_replaced_without_a_failure() {
    let Some(servers) = support::servers(0).await else { return };
    let watch = watch(&servers, &section("failures=1\n"));
    watch.all_up().await;
    let mut root = servers.primary().root().await.unwrap();
    for _ in 0..5 {
        let query = format!("SELECT id FROM information_schema.processlist WHERE user = '{}'", MONITOR.user);
        let ids: Vec<u64> = root.query(query).await.unwrap();
        assert!(!ids.is_empty());
        for id in ids {
            let _ = root.query_drop(format!("KILL {id}")).await;
        }
        for _ in 0..30 {
            assert!(watch.cluster.load().servers()[0].state.is_up(), "{:?}", watch.cluster.load());
            sleep(Duration::from_millis(10)).await;
        }
    }
    watch.end(servers).await;
}
