//! Real clients do their work once directly against the primary and once through the proxy, on the same data: what they
//! print must be the same to the byte, and the servers' logs must show the split.
//!
//! A client that is not installed is skipped with the reason; where CI is set, that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped client says why")]

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pointsman::sandbox::APP;
use support::Stage;
use tokio::process::Command;

const SETUP: &str = include_str!("clients/setup.sql");
const SCHEMA: &str = "shop";
/// Far more than any client needs: one that hangs shall not hang the tests.
const LIMIT: Duration = Duration::from_secs(60);
/// Reads after a write of the session stay on the primary for the whole run, so that nothing depends on the replica's
/// speed.
const CONFIG: &str = "[routing]\nconsistency='sticky=60s'\nmax_lag='10s'\n";

/// One client: a program and what comes before host, port, user, password and schema.
struct Client {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// Parts of statements that must have run on the replica only.
    on_replica: &'static [&'static str],
    /// Parts of statements that must have run on the primary only.
    on_primary: &'static [&'static str],
}

const PAGE: &[&str] = &["'before' AS phase, o.id", "'before' AS phase, COUNT(*)", "'before' AS phase, orders.*"];
const CHECKOUT: &[&str] = &[
    "FOR UPDATE",
    "UPDATE products SET stock",
    "INSERT INTO orders",
    "INSERT INTO items",
    "LAST_INSERT_ID()",
    "'bought' AS phase",
    "'returned' AS phase",
    "INSERT INTO imports",
    "LOAD DATA LOCAL",
];

impl Client {
    fn new(name: &'static str, program: impl Into<PathBuf>, script: &str, mode: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let program = program.into();
        let mut arguments = vec![script.to_str().unwrap().to_owned(), mode.to_owned()];
        if program == Path::new("php") {
            // php.ini of Debian forbids it for mysqli.
            arguments.splice(0..0, ["-d".to_owned(), "mysqli.allow_local_infile=1".to_owned()]);
        }
        Self { name, program, arguments, on_replica: PAGE, on_primary: CHECKOUT }
    }

    /// What it prints, working against this address.
    async fn transcript(&self, address: SocketAddr, way: &str) -> Result<String, String> {
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .args([address.ip().to_string(), address.port().to_string()])
            .args([APP.user, APP.password, SCHEMA])
            .env("CLIENTS_NODE", installed("node"))
            .env("PYTHONIOENCODING", "utf-8")
            .env("PYTHONWARNINGS", "ignore")
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(LIMIT, output).await;
        let Ok(output) = output else { return Err(format!("{}, {way}, hangs", self.name)) };
        let output = output.unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() || !complained.is_empty() {
            let tail = last_lines(&said);
            return Err(format!("{}, {way}: {}\n{complained}\nafter: {tail}", self.name, output.status));
        }
        Ok(said.into_owned())
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| line.chars().take(300).collect::<String>()).collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

/// The folder of what scripts/install-deps.sh installs for a language.
fn installed(language: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    target.join("clients").join(language)
}

/// Whether `program` with these arguments succeeds, which tells whether a client is installed.
async fn works(program: impl AsRef<Path>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).env("CLIENTS_NODE", installed("node"));
    command.output().await.is_ok_and(|output| output.status.success())
}

/// Says why a client is skipped; where CI is set, a skip would hide that nothing was tested.
fn missing(client: &str, remedy: &str) {
    assert!(std::env::var_os("CI").is_none(), "{client} is not installed, and CI is set: {remedy}");
    eprintln!("skipped: {client} is not installed: {remedy}");
}

/// The schema as every client finds it, on all servers.
async fn set_up(stage: &Stage) {
    let mut root = stage.servers.primary().root().await.unwrap();
    root.query_drop("SET NAMES utf8mb4").await.unwrap();
    let text: String = SETUP.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    for statement in text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        root.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    root.disconnect().await.unwrap();
    stage.servers.catch_up().await.unwrap();
    for server in stage.servers.servers() {
        server.forget_queries().unwrap();
    }
}

/// The first lines that differ, from shortly before the place where they do.
fn difference(name: &str, direct: &str, proxied: &str) -> Option<String> {
    if direct == proxied {
        return None;
    }
    let differing = direct.lines().zip(proxied.lines()).enumerate().filter(|(_, (one, other))| one != other);
    let shown: Vec<_> = differing
        .take(3)
        .map(|(number, (one, other))| {
            let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
            let part = |line: &str| line.chars().skip(same.saturating_sub(60)).take(160).collect::<String>();
            format!("line {}, character {same}:\n  direct:  {}\n  proxied: {}", number + 1, part(one), part(other))
        })
        .collect();
    let lengths = format!("{} lines directly, {} proxied", direct.lines().count(), proxied.lines().count());
    Some(format!("{name}: {lengths}\n{}", shown.join("\n")))
}

/// Runs each client both ways and compares.
async fn compare(clients: Vec<Client>) {
    if clients.is_empty() {
        return;
    }
    let Some(stage) = support::stage(1, CONFIG).await else { return };
    let mut problems = Vec::new();
    for client in &clients {
        let began = std::time::Instant::now();
        set_up(&stage).await;
        let direct = client.transcript(stage.servers.primary().address(), "direct").await;
        let directly = began.elapsed();
        set_up(&stage).await;
        let proxied = client.transcript(stage.listen(), "proxied").await;
        let (direct, proxied) = match (direct, proxied) {
            (Ok(direct), Ok(proxied)) => (direct, proxied),
            (direct, proxied) => {
                problems.extend(direct.err());
                problems.extend(proxied.err());
                continue;
            }
        };
        eprintln!("{}: {} bytes; direct {directly:?}, both {:?}", client.name, direct.len(), began.elapsed());
        assert!(direct.len() > 1000, "{} saw next to nothing: {direct}", client.name);
        problems.extend(difference(client.name, &direct, &proxied));
        for (parts, wanted) in [(client.on_replica, "replica1"), (client.on_primary, "primary")] {
            for part in parts {
                let on = stage.ran_on(part);
                if !on.is_empty() && on != [wanted] {
                    problems.push(format!("{}: {part} ran on {on:?}, not on {wanted}", client.name));
                }
                if on.is_empty() && wanted == "replica1" {
                    problems.push(format!("{}: {part} ran nowhere", client.name));
                }
            }
        }
    }
    // Every client did its page before its first write: the counters must agree with the logs.
    let reads = stage.metric("pointsman_statements_total", &["target=\"replica\"", "reason=\"read\""]).await;
    if reads < 1.0 {
        problems.push(format!("{reads} reads ran on the replica, by the metrics"));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mariadb_command_line() {
    if !works("mariadb", &["--version"]).await || !works("mariadb-dump", &["--version"]).await {
        return missing("mariadb", "scripts/install-deps.sh test");
    }
    let dump = Client { on_replica: &[], ..Client::new("mariadb-dump", "sh", "shell/scenario.sh", "dump") };
    compare(vec![
        Client::new("mariadb", "sh", "shell/scenario.sh", "batch"),
        Client::new("mariadb --quick", "sh", "shell/scenario.sh", "quick"),
        dump,
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn php_pdo() {
    if !works("php", &["-r", "exit(extension_loaded('pdo_mysql') ? 0 : 1);"]).await {
        return missing("PHP's PDO for MySQL", "scripts/install-deps.sh test");
    }
    compare(vec![
        Client::new("PDO, native prepares", "php", "php/pdo.php", "native"),
        Client::new("PDO, emulated prepares", "php", "php/pdo.php", "emulated"),
        Client::new("PDO, opened as by Laravel", "php", "php/pdo.php", "laravel"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn php_mysqli() {
    if !works("php", &["-r", "exit(function_exists('mysqli_execute_query') ? 0 : 1);"]).await {
        return missing("PHP's mysqli (8.2 or later)", "scripts/install-deps.sh test");
    }
    compare(vec![
        Client::new("mysqli, text", "php", "php/mysqli.php", "text"),
        Client::new("mysqli, prepared", "php", "php/mysqli.php", "prepared"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laravels_query_builder() {
    let there = "exit(is_file('/usr/share/php/Illuminate/Database/autoload.php') ? 0 : 1);";
    if !works("php", &["-r", there]).await {
        return missing("Illuminate", "scripts/install-deps.sh test");
    }
    let builder = |name, mode| Client {
        on_replica: &["'before' as phase, orders.*"],
        on_primary: &["for update", "update `products`", "insert into `orders`", "insert into `items`", "'bought' as"],
        ..Client::new(name, "php", "php/illuminate.php", mode)
    };
    compare(vec![builder("Illuminate", "one"), builder("Illuminate, read and write connections", "split")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_drivers() {
    let mut clients = Vec::new();
    let own = installed("python").join("bin/python3");
    for (name, module, mode) in [
        ("PyMySQL", "pymysql", "pymysql"),
        ("MySQL Connector/Python", "mysql.connector", "connector"),
        ("MySQL Connector/Python, prepared", "mysql.connector", "connector-prepared"),
    ] {
        let import = format!("import {module}");
        let import = ["-c", import.as_str()];
        if works(&own, &import).await {
            clients.push(Client::new(name, &own, "python/scenario.py", mode));
        } else if works("python3", &import).await {
            clients.push(Client::new(name, "python3", "python/scenario.py", mode));
        } else {
            missing(name, "scripts/install-deps.sh test");
        }
    }
    compare(clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_mysql2() {
    if !works("node", &["-e", "require(process.env.CLIENTS_NODE + '/node_modules/mysql2')"]).await {
        return missing("mysql2 for Node", "scripts/install-deps.sh test");
    }
    compare(vec![
        Client::new("mysql2, query", "node", "node/scenario.cjs", "query"),
        Client::new("mysql2, execute", "node", "node/scenario.cjs", "execute"),
    ])
    .await;
}
