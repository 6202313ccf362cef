//! Private servers with a proxy in front of them, inside the test's process.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken fixture must fail the test")]
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

pub mod clients;
pub mod fake;
pub mod login;
pub mod proxy;
pub mod random;
pub mod raw;
pub mod tls;
pub mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pointsman::app::RunningProxy;
use pointsman::cluster::Flavor;
use pointsman::config::{NoVariables, Source, parse};
use pointsman::sandbox::{APP, Account, Binaries, MONITOR, OTHER, Sandbox, SandboxError, SandboxOptions};

pub use self::proxy::Proxy;

/// Servers, and a proxy in front of them.
pub struct Stage {
    pub servers: Sandbox,
    pub proxy: Proxy,
}

/// MariaDB servers with general logs, or None after having said why not.
pub async fn servers(replicas: usize) -> Option<Sandbox> {
    servers_of(Flavor::MariaDb, replicas, &[]).await
}

/// Servers of this family with general logs and these further options, or None after having said why not.
pub async fn servers_of(flavor: Flavor, replicas: usize, extra: &[&str]) -> Option<Sandbox> {
    let extra = extra.iter().map(|option| (*option).to_owned()).collect();
    start(flavor, SandboxOptions { replicas, general_log: true, extra, ..SandboxOptions::default() }).await
}

/// Servers of this family, or None after having said why not.
pub async fn start(flavor: Flavor, options: SandboxOptions) -> Option<Sandbox> {
    let binaries = match binaries(flavor) {
        Ok(binaries) => binaries,
        Err(error) => {
            // A machine that tests for others must have it: a skip would hide that nothing was tested.
            let must = flavor == Flavor::MariaDb && std::env::var_os("CI").is_some();
            assert!(!must, "{error}");
            eprintln!("skipped: no {flavor:?} server here ({error})");
            return None;
        }
    };
    let options = SandboxOptions { binaries: Some(binaries), ..options };
    Some(Sandbox::start(options).await.expect("private servers"))
}

/// The newer MariaDB that scripts/get-mariadb.sh brings, or None after having said why not.
pub async fn newer_mariadb(extra: &[&str]) -> Option<Sandbox> {
    let extra = extra.iter().map(|option| (*option).to_owned()).collect();
    start_newer_mariadb(SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() }).await
}

/// The same with these options.
pub async fn start_newer_mariadb(options: SandboxOptions) -> Option<Sandbox> {
    let binaries = match Binaries::find_at(&target().join("mariadb/bin"), Flavor::MariaDb) {
        Ok(binaries) => binaries,
        Err(error) => {
            eprintln!("skipped: no newer MariaDB here ({error}); run scripts/get-mariadb.sh");
            return None;
        }
    };
    let options = SandboxOptions { binaries: Some(binaries), ..options };
    Some(Sandbox::start(options).await.expect("private servers"))
}

/// Cargo's folder, where scripts put what tests need.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// MySQL's programs are where scripts/get-mysql.sh puts them, or installed.
fn binaries(flavor: Flavor) -> Result<Binaries, SandboxError> {
    match flavor {
        Flavor::MySql => {
            Binaries::find_at(&target().join("mysql/bin"), flavor).or_else(|_| Binaries::find(Some(flavor)))
        }
        Flavor::MariaDb | Flavor::Unknown => Binaries::find(Some(flavor)),
    }
}

/// Servers that write no general log, for those who measure.
pub async fn servers_without_log(replicas: usize) -> Option<Sandbox> {
    start(Flavor::MariaDb, SandboxOptions { replicas, ..SandboxOptions::default() }).await
}

/// The configuration for these servers, with `extra` sections (TOML) behind it.
pub fn configuration(servers: &Sandbox, extra: &str) -> String {
    let mut text = String::from("[proxy]\nlisten='127.0.0.1:0'\n[http]\nlisten='127.0.0.1:0'\n");
    text.push_str(&format!(
        "[monitor]\nuser='{}'\npassword='{}'\ninterval='50ms'\n[[users]]\nname='{}'\npassword='{}'\n[[users]]\nname='{}'\npassword='{}'\n",
        MONITOR.user, MONITOR.password, APP.user, APP.password, OTHER.user, OTHER.password
    ));
    for server in servers.servers() {
        let role = if server.name() == "primary" { "primary" } else { "replica" };
        text.push_str(&format!(
            "[[servers]]\nname='{}'\naddress='{}'\nrole='{role}'\n",
            server.name(),
            server.address()
        ));
    }
    // A section that the test gives takes the place of ours.
    if extra.contains("[proxy]") {
        text = text.replacen("[proxy]\nlisten='127.0.0.1:0'\n", "", 1);
    }
    text + extra
}

/// A proxy for these servers.
pub async fn proxy(servers: &Sandbox, extra: &str) -> Proxy {
    proxy_of(&configuration(servers, extra)).await
}

/// A proxy with this configuration.
pub async fn proxy_of(text: &str) -> Proxy {
    let loaded = match parse(Some(Source { name: "test", text }), &NoVariables) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{problems}\n{text}"),
    };
    Proxy::start(loaded.config).await
}

/// Servers with so many replicas, and a proxy with `extra` configuration.
pub async fn stage(replicas: usize, extra: &str) -> Option<Stage> {
    stage_on(Flavor::MariaDb, replicas, extra).await
}

/// The same on servers of this family.
pub async fn stage_on(flavor: Flavor, replicas: usize, extra: &str) -> Option<Stage> {
    let servers = servers_of(flavor, replicas, &[]).await?;
    let proxy = proxy(&servers, extra).await;
    Some(Stage { servers, proxy })
}

/// Makes of each `async fn name(flavor: Flavor)` a test on MariaDB and one on MySQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod mariadb { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { super::$name(pointsman::cluster::Flavor::MariaDb).await; })* }
        mod mysql { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { super::$name(pointsman::cluster::Flavor::MySql).await; })* }
    };
}

impl Stage {
    /// Where clients connect.
    pub fn listen(&self) -> SocketAddr {
        self.proxy.listen()
    }

    /// A client of the proxy, in the schema `app`.
    pub async fn client(&self) -> Conn {
        self.client_as(APP).await
    }

    /// A client of the proxy with this account.
    pub async fn client_as(&self, account: Account) -> Conn {
        Conn::new(account.opts(self.listen())).await.expect("a login through the proxy")
    }

    /// A client of the proxy without a schema.
    pub async fn client_without_schema(&self) -> Conn {
        let opts = OptsBuilder::from_opts(APP.opts(self.listen())).db_name(None::<String>);
        Conn::new(opts).await.expect("a login through the proxy")
    }

    /// Runs statements on the primary, directly, and waits until the replicas have them.
    pub async fn prepare(&self, statements: &[&str]) {
        let mut direct = self.servers.primary().connect(APP).await.unwrap();
        for statement in statements {
            direct.query_drop(*statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        self.servers.catch_up().await.unwrap();
    }

    /// The names of the servers whose general logs hold a statement with this text.
    pub fn ran_on(&self, text: &str) -> Vec<String> {
        let seen = |server: &&pointsman::sandbox::SandboxServer| server.queries_seen(text).unwrap() > 0;
        self.servers.servers().iter().filter(seen).map(|server| server.name().to_owned()).collect()
    }

    /// `/metrics` as text.
    pub async fn metrics(&self) -> String {
        metrics_of(&self.proxy).await
    }

    /// The sum of a metric's series whose line holds all of `parts`.
    pub async fn metric(&self, name: &str, parts: &[&str]) -> f64 {
        let text = self.metrics().await;
        let matching = text.lines().filter(|line| {
            line.starts_with(name)
                && line[name.len()..].starts_with(['{', ' '])
                && parts.iter().all(|part| line.contains(part))
        });
        matching.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Ends all.
    pub async fn end(self) {
        self.proxy.stop().await;
        self.servers.stop().await;
    }
}

/// `/metrics` as text.
pub async fn metrics_of(proxy: &RunningProxy) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(proxy.http().unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Transactions of the application that are still open on a server a while after all its clients have gone. `root`: its
/// administrator's connection.
pub async fn open_transactions(root: &mut Conn) -> Vec<String> {
    let mut seen = Vec::new();
    // The table is made anew only when nobody has read it for 100 ms.
    for _ in 0..6 {
        seen = root
            .query_map(
                "SELECT COALESCE(p.db, ''), CONCAT(trx_state, ' ', p.command) FROM information_schema.innodb_trx \
                 JOIN information_schema.processlist p ON p.id = trx_mysql_thread_id WHERE p.user IN ('app', 'other')",
                |(schema, state): (String, String)| format!("a transaction in {schema} is left: {state}"),
            )
            .await
            .unwrap();
        if seen.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    seen
}

/// Waits until `holds`, for ten seconds at most.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within ten seconds: {what}");
}
