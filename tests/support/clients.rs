//! Real clients that do their work once directly against the primary and once through the proxy, on the same data: what
//! they print must be the same to the byte, and the servers' logs must show the split.
//!
//! A client that is not installed is skipped with the reason; where CI is set, that is a failure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pointsman::clock;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{APP, Binaries};
use tokio::process::Command;

use super::Stage;

const SETUP: &str = include_str!("../clients/setup.sql");
/// The schema that the clients find.
pub const SCHEMA: &str = "shop";
/// Far more than any client needs: one that hangs shall not hang the tests.
const LIMIT: Duration = Duration::from_secs(90);
/// Reads after a write of anyone stay on the primary for the whole run, so that nothing depends on the replica's speed:
/// some clients write on one connection and read on another.
pub const CONFIG: &str = "[routing]\nconsistency='global'\nsticky_window='300s'\nmax_lag='10s'\n";
/// The same for clients that are many processes, of which each must read on the replica until it writes.
pub const STICKY: &str = "[routing]\nconsistency='sticky=60s'\nmax_lag='10s'\n";
/// What the clients need of the servers: files of the client, and values of 17 MiB.
const SERVER_OPTIONS: &[&str] = &["--local-infile=ON", "--max-allowed-packet=64M"];

/// One client: a program and what comes before host, port, user, password and schema.
#[derive(Clone)]
pub struct Client {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Parts of statements that must have run on the replica only.
    pub on_replica: &'static [&'static str],
    /// Parts of statements that must have run on the primary only.
    pub on_primary: &'static [&'static str],
    /// How the proxy is configured.
    pub config: &'static str,
}

pub const PAGE: &[&str] = &["'before' AS phase, o.id", "'before' AS phase, COUNT(*)", "'before' AS phase, orders.*"];
/// Of the page, what every client reads.
pub const ONE_PAGE: &[&str] = &["'before' AS phase, orders.*"];
pub const CHECKOUT: &[&str] = &[
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
    pub fn new(name: &'static str, program: impl Into<PathBuf>, script: &str, mode: &str) -> Self {
        let script = scripts().join(script);
        let program = program.into();
        let mut arguments = vec![script.to_str().unwrap().to_owned(), mode.to_owned()];
        if program == Path::new("php") {
            // php.ini of Debian forbids it for mysqli.
            arguments.splice(0..0, ["-d".to_owned(), "mysqli.allow_local_infile=1".to_owned()]);
            // One value of 17 MiB is there several times.
            arguments.splice(0..0, ["-d".to_owned(), "memory_limit=1G".to_owned()]);
        }
        Self { name, program, arguments, on_replica: PAGE, on_primary: CHECKOUT, config: CONFIG }
    }

    /// What it prints, working against this address.
    async fn transcript(&self, address: SocketAddr, way: &str) -> Result<String, String> {
        let output = command(&self.program)
            .args(&self.arguments)
            .args([address.ip().to_string(), address.port().to_string()])
            .args([APP.user, APP.password, SCHEMA])
            .env("PYTHONIOENCODING", "utf-8")
            .env("PYTHONWARNINGS", "ignore")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LC_ALL", "C.UTF-8")
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

/// The clients' own files.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| line.chars().take(300).collect::<String>()).collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

/// The folder of the build.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// The folder of what scripts/install-deps.sh installs for a language.
pub fn installed(language: &str) -> PathBuf {
    target().join("clients").join(language)
}

/// The Python of the drivers that Debian does not have.
pub fn python() -> PathBuf {
    installed("python").join("bin/python3")
}

/// A program that finds what scripts/install-deps.sh installed.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env("CLIENTS_NODE", installed("node")).env("MYSQL_BIN", target().join("mysql/bin"));
    command
}

/// Whether `program` with these arguments succeeds, which tells whether a client is installed.
pub async fn works(program: impl AsRef<Path>, arguments: &[&str]) -> bool {
    command(program).args(arguments).output().await.is_ok_and(|output| output.status.success())
}

/// Says why a client is skipped; where CI is set, a skip would hide that nothing was tested.
pub fn missing(client: &str, remedy: &str) {
    assert!(std::env::var_os("CI").is_none(), "{client} is not installed, and CI is set: {remedy}");
    eprintln!("skipped: {client} is not installed: {remedy}");
}

/// The schema as every client finds it, on all servers.
pub async fn set_up(stage: &Stage) {
    let mut root = stage.servers.primary().root().await.unwrap();
    root.query_drop("SET NAMES utf8mb4").await.unwrap();
    let text: String = SETUP.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    for statement in text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        root.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    if stage.servers.flavor() == Flavor::MySql {
        // What MySQL's own import asks for.
        root.query_drop("GRANT SESSION_VARIABLES_ADMIN ON *.* TO 'app'@'%'").await.unwrap();
    }
    root.disconnect().await.unwrap();
    stage.servers.catch_up().await.unwrap();
    for server in stage.servers.servers() {
        server.forget_queries().unwrap();
    }
}

/// The first lines that differ, from shortly before the place where they do.
pub fn difference(name: &str, direct: &str, proxied: &str) -> Option<String> {
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

/// Servers of this family as the clients need them, and a proxy; None after having said why not.
pub async fn stage(flavor: Flavor, config: &str) -> Option<Stage> {
    let servers = super::servers_of(flavor, 1, SERVER_OPTIONS).await?;
    let proxy = super::proxy(&servers, config).await;
    Some(Stage { servers, proxy })
}

/// Runs each client both ways on the same servers of this family, and compares.
pub async fn compare(flavor: Flavor, clients: Vec<Client>) {
    if clients.is_empty() {
        return;
    }
    let Some(mut stage) = stage(flavor, CONFIG).await else { return };
    compare_on(&mut stage, &clients).await;
    stage.end().await;
}

/// The same on these servers.
pub async fn compare_on(stage: &mut Stage, clients: &[Client]) {
    let mut problems = Vec::new();
    for client in clients {
        // A fresh proxy, to which nobody has written yet: each client's page must go to the replica.
        anew(stage, client.config).await;
        problems.extend(compare_one(stage, client).await);
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Puts a fresh proxy in front of the servers.
pub async fn anew(stage: &mut Stage, config: &str) {
    let proxy = super::proxy(&stage.servers, config).await;
    std::mem::replace(&mut stage.proxy, proxy).stop().await;
}

async fn compare_one(stage: &Stage, client: &Client) -> Vec<String> {
    let began = clock::now();
    set_up(stage).await;
    let direct = client.transcript(stage.servers.primary().address(), "direct").await;
    let directly = began.elapsed();
    set_up(stage).await;
    let proxied = client.transcript(stage.listen(), "proxied").await;
    let (direct, proxied) = match (direct, proxied) {
        (Ok(direct), Ok(proxied)) => (direct, proxied),
        (direct, proxied) => return direct.err().into_iter().chain(proxied.err()).collect(),
    };
    eprintln!("{}: {} bytes; direct {directly:?}, both {:?}", client.name, direct.len(), began.elapsed());
    assert!(direct.len() > 1000, "{} saw next to nothing: {direct}", client.name);
    let mut problems = Vec::from_iter(difference(client.name, &direct, &proxied));
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
    // Every client does its page before its first write: the counters must agree with the logs.
    let reads = stage.metric("pointsman_statements_total", &["target=\"replica\"", "reason=\"read\""]).await;
    if reads < 1.0 && !client.on_replica.is_empty() {
        problems.push(format!("{}: {reads} reads ran on the replica, by the metrics", client.name));
    }
    problems
}

/// The programs of a server family, if they are here.
pub fn server_programs(flavor: Flavor) -> Option<Binaries> {
    super::binaries(flavor).ok()
}
