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
use mysql_async::{Conn, OptsBuilder, Row, TxOpts, from_row};
use pointsman::clock;
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
        let began = clock::now();
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

/// What mysql_async sees of the scenario, one line a step.
async fn with_mysql_async(address: SocketAddr) -> Result<String, mysql_async::Error> {
    use std::fmt::Write as _;
    let statements: serde_json::Value = serde_json::from_str(include_str!("clients/statements.json")).unwrap();
    let text = |name: &str| statements[name].as_str().unwrap().to_owned();
    let opts = OptsBuilder::from_opts(APP.opts(address)).db_name(Some(SCHEMA));
    let mut conn = Conn::new(opts.clone()).await?;
    let mut said = String::new();
    for phase in ["before", "bought", "returned"] {
        if phase != "before" {
            let mut transaction = conn.start_transaction(TxOpts::default()).await?;
            let locked: Vec<Row> = transaction.exec(text("lock"), (3,)).await?;
            writeln!(said, "lock {locked:?}").unwrap();
            transaction.exec_drop(text("take"), (2, 3)).await?;
            writeln!(said, "take {} {}", transaction.affected_rows(), transaction.info()).unwrap();
            transaction.exec_drop(text("order"), (7, "39.98", r#"{"gift": "🎁"}"#, None::<String>)).await?;
            let id = transaction.last_insert_id();
            writeln!(said, "order {id:?}").unwrap();
            transaction.exec_drop(text("last_item"), (1, 3, 2)).await?;
            transaction.exec_batch(text("item"), [(id, 2, 4, 1), (id, 3, 5, 1)]).await?;
            if phase == "bought" { transaction.commit().await? } else { transaction.rollback().await? }
        }
        for (name, values) in
            [("latest", vec!["7"]), ("count", vec!["7"]), ("one", vec!["107"]), ("join", vec!["7", "1000.50"])]
        {
            let values: Vec<mysql_async::Value> = values.into_iter().map(Into::into).collect();
            let mut result = conn.exec_iter(text(name).replace("{phase}", phase), values).await?;
            for column in result.columns_ref() {
                let (kind, flags) = (column.column_type(), column.flags());
                writeln!(said, "{} {} {kind:?} {flags:?}", column.org_table_str(), column.name_str()).unwrap();
            }
            let rows: Vec<Row> = result.collect().await?;
            writeln!(said, "{phase} {name} {rows:?}").unwrap();
        }
    }
    let name = "é".repeat(1000);
    for begin in 0..4 {
        let rows: Vec<_> = (0..1000).map(|i| format!("({}, LEFT('{name}', 40), {i}.25)", begin * 1000 + i)).collect();
        conn.query_drop(text("import").replace("{rows}", &rows.join(", "))).await?;
        writeln!(said, "import {} {}", conn.affected_rows(), conn.info()).unwrap();
    }
    for wrong in statements["errors"].as_array().unwrap() {
        let saw = conn.query_drop(wrong.as_str().unwrap()).await;
        writeln!(said, "{saw:?}").unwrap();
        let saw = conn.exec_drop(wrong.as_str().unwrap(), ()).await;
        writeln!(said, "{saw:?}").unwrap();
    }
    for binary in [false, true] {
        let mut other = Conn::new(opts.clone()).await?;
        let (mut count, mut sum, mut bytes) = (0_u64, 0_u64, 0_usize);
        let mut add = |(n, text): (u64, String)| (count, sum, bytes) = (count + 1, sum + n, bytes + text.len());
        if binary {
            other.exec_iter(text("million"), ()).await?.for_each(|row| add(from_row(row))).await?;
        } else {
            other.query_iter(text("million")).await?.for_each(|row| add(from_row(row))).await?;
        }
        writeln!(said, "million {count} {sum} {bytes}").unwrap();
        other.reset().await?;
        let schema: Option<String> = other.query_first("SELECT DATABASE()").await?;
        writeln!(said, "reset {schema:?}").unwrap();
    }
    Ok(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_async_of_rust() {
    let Some(stage) = support::stage(1, CONFIG).await else { return };
    set_up(&stage).await;
    let direct = with_mysql_async(stage.servers.primary().address()).await.unwrap();
    set_up(&stage).await;
    let proxied = with_mysql_async(stage.listen()).await.unwrap();
    assert_eq!(difference("mysql_async", &direct, &proxied), None);
    for part in PAGE {
        assert_eq!(stage.ran_on(part), ["replica1"], "{part}");
    }
    for part in ["FOR UPDATE", "UPDATE products SET stock", "INSERT INTO orders", "INSERT INTO items"] {
        assert_eq!(stage.ran_on(part), ["primary"], "{part}");
    }
    stage.end().await;
}

/// A right that is taken away counts at once, also on connections and for statements that were used before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_are_taken_away_are_gone() {
    let Some(stage) = support::stage(1, CONFIG).await else { return };
    set_up(&stage).await;
    let root = |statement: &'static str| {
        let servers = &stage.servers;
        async move {
            servers.primary().root().await.unwrap().query_drop(statement).await.unwrap();
            servers.catch_up().await.unwrap();
        }
    };
    root("INSERT INTO vault.secrets VALUES (42)").await;
    root("GRANT SELECT ON vault.secrets TO 'app'@'%'").await;
    let opts = OptsBuilder::from_opts(APP.opts(stage.listen())).db_name(Some(SCHEMA));
    let mut conn = Conn::new(opts).await.unwrap();
    let read = "SELECT id FROM vault.secrets WHERE id > ?";
    assert_eq!(conn.exec_first::<i32, _, _>(read, (1,)).await.unwrap(), Some(42));
    assert_eq!(stage.ran_on("FROM vault.secrets WHERE id > 1"), ["replica1"]);
    root("REVOKE SELECT ON vault.secrets FROM 'app'@'%'").await;
    for _ in 0..2 {
        match conn.exec_first::<i32, _, _>(read, (1,)).await {
            Err(mysql_async::Error::Server(error)) => assert_eq!((error.code, &*error.state), (1142, "42000")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(conn.query_first::<i32, _>("SELECT 1").await.unwrap(), Some(1));
    stage.end().await;
}
