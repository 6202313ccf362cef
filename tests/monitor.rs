//! The monitor against real servers: a private MariaDB here, and any server that the environment names.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a broken fixture must fail, and a skipped test says so")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pointsman::cluster::{Cluster, Flavor, Health, Lag, Replication};
use pointsman::config::{
    Address, AuthPlugin, Config, Consistency, Fallback, HttpConfig, LogConfig, LogFormat, MonitorConfig, PoolsConfig,
    ProxyConfig, RoutingConfig, Secret, ServerConfig, ServerRole,
};
use pointsman::monitor::{Monitor, probe_once};
use pointsman::telemetry::Metrics;
use prometheus::{Registry, TextEncoder};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A private server: gone, with its data, when dropped.
struct MariaDb {
    child: Child,
    port: u16,
    _data: tempfile::TempDir,
}

impl MariaDb {
    /// None: it is not installed.
    fn start() -> Option<Self> {
        let daemon = ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/local/sbin/mariadbd"];
        let Some(daemon) = daemon.into_iter().find(|path| Path::new(path).exists()) else {
            println!("skipped: no mariadbd");
            return None;
        };
        let data = tempfile::tempdir().unwrap();
        let datadir = format!("--datadir={}", data.path().join("data").display());
        // A server deletes all `#sql-temptable*` of its temporary directory when it starts, also those of another.
        let tmpdir = data.path().join("tmp");
        std::fs::create_dir(&tmpdir).unwrap();
        let installed = Command::new("mariadb-install-db")
            .env("TMPDIR", &tmpdir)
            .args(["--no-defaults", &datadir, "--user=root", "--auth-root-authentication-method=normal"])
            .arg("--skip-test-db")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&installed.stdout);
        assert!(installed.status.success(), "{said}\n{}", String::from_utf8_lossy(&installed.stderr));
        let init = data.path().join("init.sql");
        std::fs::write(
            &init,
            "CREATE USER mon@'127.0.0.1' IDENTIFIED BY 'monpw';
             GRANT SLAVE MONITOR ON *.* TO mon@'127.0.0.1';
             CREATE USER bare@'127.0.0.1' IDENTIFIED BY 'barepw';",
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(daemon)
            .args(["--no-defaults", &datadir, "--user=root", "--bind-address=127.0.0.1", "--skip-log-bin"])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", data.path().join("s").display()))
            .arg(format!("--init-file={}", init.display()))
            .arg(format!("--tmpdir={}", tmpdir.display()))
            .args(["--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, port, _data: data })
    }

    /// `kill -STOP` and the like.
    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// `kill -9`.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

fn server(name: &str, port: u16, role: ServerRole) -> ServerConfig {
    let address = Address { host: "127.0.0.1".into(), port };
    ServerConfig { name: name.into(), address, role, weight: 1, pools: vec!["default".into()] }
}

fn config(user: &str, password: &str, servers: Vec<ServerConfig>) -> Config {
    let second = Duration::from_secs(1);
    Config {
        proxy: ProxyConfig {
            listen: Address { host: "127.0.0.1".into(), port: 0 },
            max_connections: 10,
            login_timeout: second,
            idle_timeout: second,
            write_timeout: second,
            max_packet: 1 << 20,
            server_version: None,
            default_auth: AuthPlugin::Native,
            drain_timeout: second,
        },
        http: HttpConfig { listen: None },
        log: LogConfig { filter: "info".to_owned(), format: LogFormat::Text },
        servers,
        users: Vec::new(),
        monitor: MonitorConfig {
            user: Some(user.to_owned()),
            password: Secret::new(password.to_owned()),
            interval: Duration::from_millis(100),
            timeout: second,
            failures: 2,
        },
        routing: RoutingConfig {
            consistency: Consistency::Eventual,
            sticky_window: second,
            max_lag: second,
            fallback: Fallback::Primary,
            read_functions: Vec::new(),
            shape_cache: 100,
        },
        replica_pools: Vec::new(),
        rules: Vec::new(),
        pools: PoolsConfig {
            max_per_server: 1,
            size: 1,
            wait_timeout: second,
            max_waiting: 1,
            connect_timeout: second,
            idle_timeout: second,
            max_lifetime: second,
            statements: 1,
        },
    }
}

/// Waits until the first server is as `wanted`; says how long it took.
async fn wait(cluster: &ArcSwap<Cluster>, limit: Duration, wanted: impl Fn(&Cluster) -> bool) -> Duration {
    let started = tokio::time::Instant::now();
    let waiting = async {
        while !wanted(&cluster.load()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(limit, waiting).await.is_ok(), "not within {limit:?}: {:?}", cluster.load());
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_down_in_time() {
    let Some(mut maria) = MariaDb::start() else { return };
    let config = config("mon", "monpw", vec![server("db1", maria.port, ServerRole::Primary)]);
    let cluster = Arc::new(ArcSwap::from_pointee(Cluster::from_config(&config)));
    let registry = Registry::new();
    let metrics = Arc::new(Metrics::register(&registry, &["db1".into()], &[]).unwrap());
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let monitor = Monitor::start(&config, Arc::clone(&cluster), metrics, stop.clone(), &tracker);
    let mut generation = monitor.generation();

    // The server is still starting: it may be down at first, and comes up by itself.
    wait(&cluster, Duration::from_secs(30), |cluster| cluster.servers()[0].state.is_up()).await;
    let state = cluster.load().servers()[0].state.clone();
    assert_eq!((state.flavor, state.read_only), (Flavor::MariaDb, Some(false)));
    assert_eq!((state.replication, state.missing_grant), (Replication::None, None));
    generation.mark_unchanged();
    timeout(Duration::from_secs(1), generation.changed()).await.unwrap().unwrap();
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains("pointsman_server_up{server=\"db1\"} 1\n"), "{text}");

    maria.kill();
    let limit = config.monitor.interval * config.monitor.failures + config.monitor.timeout;
    let took = wait(&cluster, limit, |c| matches!(c.servers()[0].state.health, Health::Down { .. })).await;
    println!("down {took:?} after kill -9");

    stop.cancel();
    tracker.close();
    timeout(Duration::from_secs(2), tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn a_missing_grant_is_named_and_a_wrong_password_told() {
    let Some(maria) = MariaDb::start() else { return };
    let primary = server("db1", maria.port, ServerRole::Primary);
    let bare = config("bare", "barepw", vec![primary.clone()]);
    let seen = timeout(Duration::from_secs(30), async {
        loop {
            if let Ok(seen) = probe_once(&primary, &bare).await {
                break seen;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    let seen = seen.await.unwrap();
    assert_eq!(seen.missing_grant, Some("SLAVE MONITOR"));
    assert_eq!((seen.replication, seen.lag), (Replication::Unknown, Lag::Unknown));

    let wrong = config("bare", "hush", vec![primary.clone()]);
    let reason = probe_once(&primary, &wrong).await.unwrap_err();
    assert!(reason.contains("1045") && !reason.contains("hush"), "{reason}");
}

/// A server that accepts and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_is_down_and_comes_back() {
    let Some(maria) = MariaDb::start() else { return };
    let config = config("mon", "monpw", vec![server("db1", maria.port, ServerRole::Primary)]);
    let cluster = Arc::new(ArcSwap::from_pointee(Cluster::from_config(&config)));
    let metrics = Arc::new(Metrics::register(&Registry::new(), &["db1".into()], &[]).unwrap());
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    Monitor::start(&config, Arc::clone(&cluster), metrics, stop.clone(), &tracker);
    wait(&cluster, Duration::from_secs(30), |cluster| cluster.servers()[0].state.is_up()).await;

    maria.signal("-STOP");
    let limit = (config.monitor.interval + config.monitor.timeout) * (config.monitor.failures + 1);
    let down = wait(&cluster, limit, |cluster| !cluster.servers()[0].state.is_up()).await;
    let snapshot = cluster.load_full();
    let Health::Down { reason, .. } = &snapshot.servers()[0].state.health else { panic!("not down") };
    assert!(reason.contains("no answer within 1s"), "{reason}");
    // Long enough for connections that the stalled server never answers to be given up.
    sleep(Duration::from_secs(3)).await;
    maria.signal("-CONT");
    let up = wait(&cluster, Duration::from_secs(5), |cluster| cluster.servers()[0].state.is_up()).await;
    println!("down {down:?} after it stalled, up {up:?} after it went on");

    stop.cancel();
    tracker.close();
    timeout(Duration::from_secs(2), tracker.wait()).await.unwrap();
}

/// A connection that the server closed in between is no failure of the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_connection_is_replaced_without_a_failure() {
    use mysql_async::prelude::Queryable as _;
    let Some(maria) = MariaDb::start() else { return };
    let mut config = config("mon", "monpw", vec![server("db1", maria.port, ServerRole::Primary)]);
    config.monitor.failures = 1;
    let cluster = Arc::new(ArcSwap::from_pointee(Cluster::from_config(&config)));
    let metrics = Arc::new(Metrics::register(&Registry::new(), &["db1".into()], &[]).unwrap());
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    Monitor::start(&config, Arc::clone(&cluster), metrics, stop.clone(), &tracker);
    wait(&cluster, Duration::from_secs(30), |cluster| cluster.servers()[0].state.is_up()).await;

    let opts = mysql_async::OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(maria.port);
    let mut other =
        mysql_async::Conn::new(opts.user(Some("mon")).pass(Some("monpw")).prefer_socket(false)).await.unwrap();
    for _ in 0..5 {
        // A user may kill its own connections.
        let ids: Vec<u64> = other
            .query("SELECT id FROM information_schema.processlist WHERE user = 'mon' AND id <> CONNECTION_ID()")
            .await
            .unwrap();
        assert!(!ids.is_empty());
        for id in ids {
            let _ = other.query_drop(format!("KILL {id}")).await;
        }
        for _ in 0..30 {
            assert!(cluster.load().servers()[0].state.is_up(), "{:?}", cluster.load());
            sleep(Duration::from_millis(10)).await;
        }
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

/// Any server: `POINTSMAN_TEST_REPLICA=127.0.0.1:3306 POINTSMAN_TEST_USER=.. POINTSMAN_TEST_PASSWORD=..` names a replica
/// whose replication runs.
#[tokio::test]
async fn a_named_replica_is_observed() {
    let variable = |name: &str| std::env::var(format!("POINTSMAN_TEST_{name}"));
    let Ok(address) = variable("REPLICA") else {
        println!("skipped: no POINTSMAN_TEST_REPLICA");
        return;
    };
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let replica = server("r1", port, ServerRole::Replica);
    let config = config(&variable("USER").unwrap(), &variable("PASSWORD").unwrap(), vec![replica.clone()]);
    let seen = probe_once(&replica, &config).await.unwrap();
    println!("{seen:?}");
    assert_eq!(seen.replication, Replication::Running, "{:?}", seen.detail);
    assert!(matches!(seen.lag, Lag::Known(_)), "{seen:?}");
    assert!(seen.read_only);
}
