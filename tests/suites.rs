//! The drivers' own test suites, each run directly against the primary and then through the proxy: no test that passes directly
//! may fail through the proxy. scripts/get-suites.sh brings the suites; `make test-clients` runs all of this.
//!
//! A suite that is not there is skipped with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped suite says why; the counts are what one runs this for")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use pointsman::cluster::Flavor;
use support::Stage;
use support::clients::{command, python, scripts, target};
use tokio::process::Command;

/// Suites test many connections at once, of which one writes what another reads.
const CONFIG: &str =
    "[routing]\nconsistency='global'\nsticky_window='2s'\nmax_lag='10s'\n[[users]]\nname='suite'\npassword='suite'\n";
const USER: &str = "suite";
/// A suite that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(1200);

/// A suite: the folder that get-suites.sh gives it, and how it is run there.
struct Suite {
    name: &'static str,
    folder: &'static str,
    /// The schemas that it wants to find.
    schemas: &'static [&'static str],
    run: fn(&mut Self, SocketAddr) -> Command,
    /// What a line says of a test.
    read: fn(&str, &mut Verdicts),
    /// Parts of the names of tests that are not compared, with the reason in the test.
    besides: &'static [&'static str],
    labels: &'static str,
}

/// Each test with whether it passed; the file that the lines now are of.
#[derive(Default)]
struct Verdicts {
    tests: BTreeMap<String, bool>,
    file: String,
}

impl Suite {
    fn folder(&self) -> PathBuf {
        target().join("suites").join(self.folder)
    }

    async fn verdicts(&mut self, stage: &Stage, address: SocketAddr) -> BTreeMap<String, bool> {
        let mut root = Vec::new();
        for schema in self.schemas {
            root.push(format!("DROP DATABASE IF EXISTS {schema}"));
            root.push(format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"));
        }
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

async fn compare(flavor: Flavor, mut suite: Suite) {
    if !suite.folder().is_dir() {
        eprintln!("skipped: the suite of {} is not here: scripts/get-suites.sh", suite.name);
        return;
    }
    let options = ["--local-infile=ON", "--max-allowed-packet=64M"];
    let Some(servers) = support::servers_of(flavor, 1, &options).await else { return };
    let made = ["CREATE USER suite@'%' IDENTIFIED BY 'suite'", "GRANT ALL ON *.* TO suite@'%' WITH GRANT OPTION"];
    servers.primary().run(&made).await.unwrap();
    servers.catch_up().await.unwrap();
    let proxy = support::proxy(&servers, CONFIG).await;
    let stage = Stage { servers, proxy };
    let direct = suite.verdicts(&stage, stage.servers.primary().address()).await;
    let proxied = suite.verdicts(&stage, stage.listen()).await;
    let passed = |tests: &BTreeMap<String, bool>| tests.values().filter(|passed| **passed).count();
    let only_direct: Vec<_> = direct
        .iter()
        .filter(|(name, passed)| **passed && proxied.get(*name) != Some(&true))
        .map(|(name, _)| name.as_str())
        .filter(|name| !suite.besides.iter().any(|part| name.contains(part)))
        .collect();
    eprintln!(
        "suite {} on {flavor:?} {}: {} tests, {} pass directly, {} through the proxy, {} only directly",
        suite.name,
        stage.servers.binaries().version(),
        direct.len(),
        passed(&direct),
        passed(&proxied),
        only_direct.len()
    );
    assert!(only_direct.is_empty(), "{}: passed only directly:\n{}", suite.name, only_direct.join("\n"));
    stage.end().await;
}

/// Lines as of pytest -rA, and of ours for Django.
fn read_words(line: &str, verdicts: &mut Verdicts) {
    let Some((word, rest)) = line.split_once(' ') else { return };
    let name = rest.split(" - ").next().unwrap_or(rest).to_owned();
    match word {
        "PASSED" => _ = verdicts.tests.entry(name).or_insert(true),
        "FAILED" | "ERROR" => _ = verdicts.tests.insert(name, false),
        _ => {}
    }
}

/// What `prove -v` prints: the name of a file, and a line for each of its tests.
fn read_tap(line: &str, verdicts: &mut Verdicts) {
    if let Some((file, _)) = line.split_once(" ..").filter(|(file, _)| file.starts_with("t/")) {
        file.trim().clone_into(&mut verdicts.file);
    }
    let (passed, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(rest), _) if !rest.contains("# skip") => (true, rest),
        (_, Some(rest)) if !rest.contains("# TODO") => (false, rest),
        _ => return,
    };
    let number = rest.split_whitespace().next().unwrap_or_default();
    if number.parse::<u32>().is_ok() {
        verdicts.tests.insert(format!("{} {number}", verdicts.file), passed);
    }
}

/// What PHP's run-tests.php prints.
fn read_phpt(line: &str, verdicts: &mut Verdicts) {
    // What it is at stands before, and is written over.
    let line = line.rsplit('\r').next().unwrap_or(line);
    let Some((word, rest)) = line.split_once(' ') else { return };
    let Some((_, file)) = rest.rsplit_once('[') else { return };
    let file = file.trim_end().trim_end_matches(']').to_owned();
    match word {
        "PASS" => _ = verdicts.tests.insert(file, true),
        "FAIL" | "LEAK" | "BORK" => _ = verdicts.tests.insert(file, false),
        _ => {}
    }
}

fn run_mysqlclient(suite: &mut Suite, address: SocketAddr) -> Command {
    let login = format!(
        "[MySQLdb-tests]\nhost={}\nport={}\nuser={USER}\npassword={USER}\ndatabase=test\ndefault-character-set=utf8mb4\n",
        address.ip(),
        address.port()
    );
    std::fs::write(suite.folder().join("tests/pointsman.cnf"), login).unwrap();
    let mut run = command(python());
    run.args(["-m", "pytest", "-q", "-rpfEsx", "--tb=short", "-p", "no:cacheprovider", "tests"]);
    run.env("TESTDB", "pointsman.cnf");
    run
}

fn run_django(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command(python());
    run.arg("tests/runtests.py").args(["--settings=django_suite", "--parallel=1", "--noinput"]);
    run.args(suite.labels.split_whitespace());
    run.env("PYTHONPATH", scripts().join("python"));
    run.env("SUITE_HOST", address.ip().to_string()).env("SUITE_PORT", address.port().to_string());
    run.env("SUITE_USER", USER).env("SUITE_PASSWORD", USER);
    run
}

fn run_sqlalchemy(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command(python());
    run.args(["-m", "pytest", "-q", "-rpfE", "--tb=short", "-p", "no:cacheprovider"]);
    run.args(["test/dialect/mysql", "test/dialect/test_suite.py"]);
    run.arg("--dburi").arg(format!("mysql+{}://{USER}:{USER}@{address}/test?charset=utf8mb4", suite.labels));
    run
}

fn run_dbd(suite: &mut Suite, address: SocketAddr) -> Command {
    let login = format!("DBI:{}:database=test;host={};port={}", suite.labels, address.ip(), address.port());
    let mut run = command("prove");
    run.args(["-v", "t/"]).env("DBI_DSN", login).env("DBI_USER", USER).env("DBI_PASS", USER);
    run
}

fn run_php(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command("php");
    run.args(["run-tests.php", "-q", "-p", "/usr/bin/php", "--no-color", "--set-timeout", "60", suite.labels]);
    run.args(["-d", "mysqli.allow_local_infile=1"]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    run.env("MYSQL_TEST_HOST", &host).env("MYSQL_TEST_PORT", &port).env("MYSQL_TEST_DB", "test");
    run.env("MYSQL_TEST_USER", USER).env("MYSQL_TEST_PASSWD", USER);
    run.env("PDO_MYSQL_TEST_DSN", format!("mysql:host={host};port={port};dbname=test"));
    run.env("PDO_MYSQL_TEST_USER", USER).env("PDO_MYSQL_TEST_PASS", USER);
    run.env("NO_INTERACTION", "1");
    run
}

const MYSQLCLIENT: Suite = Suite {
    name: "mysqlclient",
    folder: "mysqlclient",
    schemas: &["test"],
    run: run_mysqlclient,
    read: read_words,
    besides: &[],
    labels: "",
};
const DJANGO: Suite = Suite {
    name: "Django",
    folder: "Django",
    schemas: &[],
    run: run_django,
    read: read_words,
    besides: &[],
    labels: "backends basic transactions select_for_update bulk_create introspection inspectdb",
};
const SQLALCHEMY: Suite = Suite {
    name: "SQLAlchemy on mysqlclient",
    folder: "SQLAlchemy",
    schemas: &["test", "test_schema"],
    run: run_sqlalchemy,
    read: read_words,
    besides: &[],
    labels: "mysqldb",
};
const DBD: Suite = Suite {
    name: "DBD::mysql",
    folder: "dbd-mysql",
    schemas: &["test"],
    run: run_dbd,
    read: read_tap,
    besides: &[],
    labels: "mysql",
};
const PHP: Suite = Suite {
    name: "PHP's mysqli",
    folder: "php",
    schemas: &["test"],
    run: run_php,
    read: read_phpt,
    besides: &[],
    labels: "ext/mysqli/tests",
};

/// A test on each family; those that take minutes only run when they are asked for.
macro_rules! suites {
    ($($name:ident: $suite:expr;)*) => {
        mod mariadb { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] #[ignore = "minutes: make test-clients"]
            async fn $name() { use super::*; compare(Flavor::MariaDb, $suite).await; })* }
        mod mysql { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] #[ignore = "minutes: make test-clients"]
            async fn $name() { use super::*; compare(Flavor::MySql, $suite).await; })* }
    };
}

suites! {
    mysqlclient: MYSQLCLIENT;
    django: DJANGO;
    sqlalchemy_mysqlclient: SQLALCHEMY;
    sqlalchemy_pymysql: Suite { name: "SQLAlchemy on PyMySQL", labels: "pymysql", ..SQLALCHEMY };
    sqlalchemy_asyncmy: Suite { name: "SQLAlchemy on asyncmy", labels: "asyncmy", ..SQLALCHEMY };
    dbd_mysql: DBD;
    dbd_mariadb: Suite { name: "DBD::MariaDB", folder: "dbd-mariadb", labels: "MariaDB", ..DBD };
    php_mysqli: PHP;
    php_pdo_mysql: Suite { name: "PHP's pdo_mysql", labels: "ext/pdo_mysql/tests", ..PHP };
}
