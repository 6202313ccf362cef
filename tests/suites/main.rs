//! The drivers' own test suites, each run directly against the primary and then through the proxy: no test that passes directly
//! may fail through the proxy. scripts/get-suites.sh brings the suites. A cut of those that need no large download runs with all
//! other tests; `make test-clients` runs them whole.
//!
//! A suite that is not there is skipped with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped suite says why; the counts are what one runs this for")]

mod read;
mod runners;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use pointsman::clock;
use pointsman::cluster::Flavor;
use pointsman::sandbox::MONITOR;
use read::Verdicts;
use runners::{
    ACTIVE_RECORD, CONNECTOR_C, CONNECTOR_J, CONNECTOR_PYTHON, DBD, DJANGO, MYSQL_ASYNC, MYSQLCLIENT, PHP, PYMYSQL,
    SQLALCHEMY, SQLX,
};
use support::Stage;
use support::clients::target;
use support::tls::Authority;
use tokio::process::Command;

/// Suites test many connections at once, of which one writes what another reads; and they make accounts of their own.
const CONFIG: &str = "[proxy]\nlisten='127.0.0.1:0'\nauth='discover'\n[routing]\nconsistency='global'\nsticky_window='2s'\nmax_lag='10s'\n";
/// A suite that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(2400);

/// A suite: the folder that get-suites.sh gives it, and how it is run there.
struct Suite {
    name: &'static str,
    folder: &'static str,
    /// The schemas that it wants to find.
    schemas: &'static [&'static str],
    /// What root runs on the primary before each of the two runs.
    setup: &'static [&'static str],
    run: fn(&mut Self, SocketAddr) -> Command,
    /// What a line says of a test.
    read: fn(&str, &mut Verdicts),
    /// Parts of the suite, in the words of its runner; empty: all of it.
    labels: &'static str,
    /// Tests that are known to pass only directly: a part of their name, and what is missing.
    known: &'static [(&'static str, &'static str)],
}

impl Suite {
    fn folder(&self) -> PathBuf {
        target().join("suites").join(self.folder)
    }

    /// Whether it was brought, or a line that it was not.
    fn is_here(&self) -> bool {
        let here = self.folder().is_dir();
        if !here {
            eprintln!("skipped: the suite of {} is not here: scripts/get-suites.sh says why", self.name);
        }
        here
    }

    async fn verdicts(&mut self, stage: &Stage, address: SocketAddr) -> BTreeMap<String, bool> {
        let mut root = Vec::new();
        for schema in self.schemas {
            root.push(format!("DROP DATABASE IF EXISTS {schema}"));
            root.push(format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"));
        }
        root.extend(self.setup.iter().map(|statement| (*statement).to_owned()));
        stage.servers.primary().run(&root).await.unwrap();
        stage.servers.catch_up().await.unwrap();
        let run = self.run;
        let mut command = run(self, address);
        command.current_dir(self.folder()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await.expect("a suite that ends").unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let mut verdicts = Verdicts::default();
        for line in said.lines() {
            (self.read)(line, &mut verdicts);
        }
        let complained = String::from_utf8_lossy(&output.stderr);
        let log = target().join("suites").join(format!("{}.{}.log", self.folder, address.port()));
        std::fs::write(&log, format!("{said}\n{complained}")).unwrap();
        let last: Vec<_> = complained.lines().rev().take(5).collect();
        assert!(!verdicts.tests.is_empty(), "{}: no test ran: {last:?}; {}", self.name, log.display());
        verdicts.tests
    }
}

/// Servers as the suites need them, and a proxy; None after having said why not.
async fn stage(flavor: Flavor) -> Option<Stage> {
    let authority = Authority::new();
    authority.sign("server", &["localhost", "127.0.0.1"]);
    let mut options = authority.server_options("server");
    options.push("--local-infile=ON".to_owned());
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let servers = support::servers_of(flavor, 1, &options).await?;
    let accounts = if flavor == Flavor::MySql { "mysql.user" } else { "mysql.global_priv" };
    let made = [
        "CREATE USER suite@'%' IDENTIFIED BY 'suite'".to_owned(),
        "GRANT ALL ON *.* TO suite@'%' WITH GRANT OPTION".to_owned(),
        format!("GRANT SELECT ON {accounts} TO {}", MONITOR.user),
    ];
    servers.primary().run(&made).await.unwrap();
    servers.catch_up().await.unwrap();
    let proxy = support::proxy(&servers, CONFIG).await;
    // What suites do that the statements' texts do not explain is shown below, and judged by the other tests.
    proxy.expect_mismatches();
    Some(Stage { servers, proxy })
}

/// Runs a whole suite both ways. What was counted goes into docs/compatibility.md (see tests/compatibility.rs).
async fn compare(flavor: Flavor, suite: Suite) {
    if !suite.is_here() {
        return;
    }
    let Some(stage) = stage(flavor).await else { return };
    compare_on(&stage, suite, true).await;
    stage.end().await;
}

/// Runs parts of several suites both ways, on the same servers, which take longer to start than most parts to run.
async fn compare_all(flavor: Flavor, suites: Vec<Suite>) {
    let Some(stage) = stage(flavor).await else { return };
    for suite in suites.into_iter().filter(Suite::is_here) {
        compare_on(&stage, suite, false).await;
    }
    stage.end().await;
}

async fn compare_on(stage: &Stage, mut suite: Suite, mut whole: bool) {
    // To look into one part.
    if let Ok(parts) = std::env::var("SUITE_PARTS") {
        (suite.labels, whole) = (parts.leak(), false);
    }
    let flavor = stage.servers.flavor();
    let began = clock::now();
    let direct = suite.verdicts(stage, stage.servers.primary().address()).await;
    let directly = began.elapsed();
    let proxied = suite.verdicts(stage, stage.listen()).await;
    let passed = |tests: &BTreeMap<String, bool>| tests.values().filter(|passed| **passed).count();
    let only_direct: Vec<_> = direct
        .iter()
        .filter(|(name, passed)| **passed && proxied.get(*name) != Some(&true))
        .map(|(name, _)| name.as_str())
        .collect();
    let known = |name: &str| suite.known.iter().find(|(part, _)| name.contains(part));
    for (part, missing) in suite.known {
        let now = only_direct.iter().any(|name| name.contains(part));
        if whole || now {
            eprintln!("{part}: {}", if now { *missing } else { "passes now, or nowhere: it need not be listed" });
        }
    }
    let new: Vec<_> = only_direct.iter().copied().filter(|name| known(name).is_none()).collect();
    let (version, counts) = (stage.servers.binaries().version(), [direct.len(), passed(&direct), passed(&proxied)]);
    eprintln!(
        "suite {} on {flavor:?} {version}: {} tests, {} pass directly, {} through the proxy, {} only directly; {:?} and {:?}",
        suite.name,
        counts[0],
        counts[1],
        counts[2],
        only_direct.len(),
        directly,
        began.elapsed().saturating_sub(directly)
    );
    if whole {
        let folder = target().join("suites/counts");
        std::fs::create_dir_all(&folder).unwrap();
        let [tests, direct, proxied] = counts;
        let row = format!("{} | {version} | {tests} | {direct} | {proxied} | {}", suite.name, only_direct.len());
        std::fs::write(folder.join(format!("{}.{flavor:?}", suite.name.replace('/', "-"))), row).unwrap();
    }
    for line in support::proxy::logged() {
        eprintln!("another state than the statement says: {line}");
    }
    assert!(new.is_empty(), "{}: passed only directly:\n{}", suite.name, new.join("\n"));
}

/// Whole suites, which take minutes: only when they are asked for.
macro_rules! whole {
    ($($name:ident: $suite:expr;)*) => {
        mod mariadb { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] #[ignore = "minutes: make test-clients"]
            async fn $name() { use super::*; compare(Flavor::MariaDb, $suite).await; })* }
        mod mysql { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] #[ignore = "minutes: make test-clients"]
            async fn $name() { use super::*; compare(Flavor::MySql, $suite).await; })* }
    };
}

whole! {
    mysqlclient: MYSQLCLIENT;
    pymysql: PYMYSQL;
    connector_python: CONNECTOR_PYTHON;
    django: DJANGO;
    sqlalchemy_mysqlclient: SQLALCHEMY;
    sqlalchemy_pymysql: Suite { name: "SQLAlchemy on PyMySQL", run: runners::sqlalchemy_on_pymysql, ..SQLALCHEMY };
    sqlalchemy_asyncmy: Suite { name: "SQLAlchemy on asyncmy", run: runners::sqlalchemy_on_asyncmy, ..SQLALCHEMY };
    dbd_mysql: DBD;
    dbd_mariadb: Suite { name: "DBD::MariaDB", folder: "dbd-mariadb", run: runners::dbd_mariadb, ..DBD };
    php_mysqli: PHP;
    php_pdo_mysql: Suite { name: "PHP's pdo_mysql", labels: "ext/pdo_mysql/tests", ..PHP };
    connector_c: CONNECTOR_C;
    connector_j: CONNECTOR_J;
    active_record: ACTIVE_RECORD;
    mysql_async: MYSQL_ASYNC;
    sqlx: SQLX;
}

/// Without what waits, and what mysqlclient's tests have, too.
const PYMYSQL_CUT: &str = "pymysql.tests.test_basic pymysql.tests.test_cursor pymysql.tests.test_SSCursor \
                           pymysql.tests.test_DictCursor pymysql.tests.test_load_local pymysql.tests.test_nextset";
const DBD_CUT: &str = "t/10connect.t t/20createdrop.t t/30insertfetch.t t/35prepare.t t/40server_prepare.t t/50chopblanks.t \
                       t/70takeimp.t t/80procs.t";
const PDO_CUT: &str = "ext/pdo_mysql/tests/pdo_mysql___construct.phpt ext/pdo_mysql/tests/pdo_mysql_commit.phpt \
                       ext/pdo_mysql/tests/pdo_mysql_errorinfo.phpt ext/pdo_mysql/tests/pdo_mysql_exec.phpt \
                       ext/pdo_mysql/tests/pdo_mysql_prepare_emulated.phpt ext/pdo_mysql/tests/pdo_mysql_prepare_native.phpt \
                       ext/pdo_mysql/tests/pdo_mysql_rollback.phpt ext/pdo_mysql/tests/pdo_mysql_stmt_multiquery.phpt \
                       ext/pdo_mysql/tests/pdo_mysql_stmt_nextrowset.phpt ext/pdo_mysql/tests/pdo_mysql_types.phpt";

/// The cut that runs with all other tests. Two that write into one folder are not both in it.
mod a_cut {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_mariadb() {
        let suites = vec![
            Suite { labels: PYMYSQL_CUT, ..PYMYSQL },
            Suite { labels: "test/dialect/mysql/test_types.py", ..SQLALCHEMY },
            Suite { labels: DBD_CUT, ..DBD },
        ];
        compare_all(Flavor::MariaDb, suites).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_mysql() {
        let suites = vec![
            Suite {
                labels: "tests/test_MySQLdb_dbapi20.py tests/test_connection.py tests/test_cursor.py",
                ..MYSQLCLIENT
            },
            Suite { labels: "transactions select_for_update", ..DJANGO },
            Suite { name: "PHP's pdo_mysql", labels: PDO_CUT, ..PHP },
        ];
        compare_all(Flavor::MySql, suites).await;
    }
}
