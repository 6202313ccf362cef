//! The program itself, as a process of its own: how much memory large results take, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by it, figures are for people"
)]

mod support;

use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::sandbox::{Sandbox, SandboxOptions, free_port};
use support::raw::{Login, Raw, execute_payload};
use support::until;
use support::wire::Method;
use tokio::time::Instant;

/// The proxy as a process.
struct Program {
    child: Child,
    at: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Program {
    async fn start(servers: &Sandbox, extra: &str) -> Self {
        let port = free_port().unwrap();
        let at: SocketAddr = ([127, 0, 0, 1], port).into();
        let text = support::configuration(servers, &format!("[proxy]\nlisten='{at}'\n{extra}")).replacen(
            "[http]\nlisten='127.0.0.1:0'",
            "[http]\nlisten=''",
            1,
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pointsman.toml");
        std::fs::write(&file, text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["run", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let program = Self { child, at, _folder: folder };
        until("it listens", || async { tokio::net::TcpStream::connect(at).await.is_ok() }).await;
        program
    }

    /// A line of `/proc/PID/status`, in KiB.
    fn kib(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Its exit status, and how long it took.
    async fn ended(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < Duration::from_secs(15), "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ROWS: u64 = 1_000_000;
/// A header, the length of the text in three bytes, and the text.
const ROW: u64 = 4 + 3 + 1000;
const MOST_KIB: u64 = 16 << 10;

#[tokio::test]
async fn large_results_take_no_memory() {
    let Some(servers) = support::servers_without_log(0).await else { return };
    let program = Program::start(&servers, "").await;
    // What it has once it has served somebody.
    let mut client = Raw::login(program.at, &Login::app()).await;
    client.run("SELECT REPEAT('x', 1000) FROM seq_1_to_100").await;
    let before = program.kib("VmRSS");

    let began = Instant::now();
    client.send(format!("\x03SELECT REPEAT('x', 1000) FROM seq_1_to_{ROWS}").as_bytes()).await;
    client.read().await;
    client.read().await;
    let mut left = ROWS * ROW;
    let mut buffer = vec![0; 1 << 18];
    while left > 0 {
        let room = buffer.len().min(usize::try_from(left).unwrap());
        left -= client.stream.read(&mut buffer[..room]).await.unwrap() as u64;
    }
    client.sequence = u8::try_from((3 + ROWS) % 256).unwrap();
    assert_eq!(client.read().await.payload[0], 0xFE);
    let (all, took) = (program.kib("VmHWM"), began.elapsed());
    println!("a result of {} MB in {took:?}: {} KiB before, at most {all} KiB", ROWS * ROW / 1_000_000, before);
    assert!(all - before < MOST_KIB, "{before} KiB before, {all} KiB at most");

    // Slow readers: the server waits, not the proxy's memory.
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut client = Raw::login(program.at, &Login::app()).await;
        client.send(format!("\x03SELECT REPEAT('y', 1000) FROM seq_1_to_{ROWS}").as_bytes()).await;
        slow.push(client);
    }
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for client in &mut slow {
            assert!(client.stream.read(&mut buffer).await.unwrap() > 0);
        }
    }
    let all = program.kib("VmHWM");
    println!("8 slow readers besides: at most {all} KiB");
    assert!(all - before < MOST_KIB, "{before} KiB before, {all} KiB at most");
    drop(slow);

    // A long command is given back as well.
    let mut client = Raw::login(program.at, &Login::app()).await;
    let (_, id) = client.prepare("SELECT LENGTH(?)").await;
    let long = vec![b'z'; 12 << 20];
    client.execute(id, 0, &[Some(&long)]).await;
    client.run("SELECT 1").await;
    until("its memory is given back", || async { program.kib("VmRSS") < before + MOST_KIB }).await;
    println!("after a command of 12 MB: {} KiB", program.kib("VmRSS"));
    client.run("SELECT 2").await;
    servers.stop().await;
}

/// 200 MB in rows of 1000 bytes and of 4 MB, and 200 MB of long data, to and from clients that compress.
#[tokio::test]
async fn large_compressed_results_take_no_memory() {
    let extra = vec!["--max-allowed-packet=256M".to_owned()];
    for (flavor, method) in [(Flavor::MariaDb, Method::Zlib), (Flavor::MySql, Method::Zstd)] {
        let options = SandboxOptions { replicas: 0, extra: extra.clone(), ..SandboxOptions::default() };
        let Some(servers) = support::start(flavor, options).await else { return };
        let program = Program::start(&servers, "").await;
        let login = Login { compression: Some(method), ..Login::app() };
        let mut client = Raw::login(program.at, &login).await;
        client.run("CREATE TABLE ten (a INT)").await;
        client.run("INSERT INTO ten VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)").await;
        client.run("CREATE TABLE wide (a INT, b LONGBLOB)").await;
        let before = program.kib("VmRSS");
        let tables = ["a", "b", "c", "d", "e"].map(|name| format!("ten {name}")).join(", ");
        let (long, (rows, row)) = ("'w', 4000000", (50, 4 + 4 + 4_000_000));
        for (sql, rows, row) in [
            (format!("SELECT RPAD(SHA2(a.a, 256), 2000, SHA2(b.a * e.a, 512)) FROM {tables}"), 100_000, 4 + 3 + 2000),
            (format!("SELECT REPEAT({long}) FROM ten a, ten b LIMIT {rows}"), rows, row),
        ] {
            let began = Instant::now();
            client.send(format!("\x03{sql}").as_bytes()).await;
            client.read().await;
            client.read().await;
            let mut left: u64 = rows * row;
            let mut buffer = vec![0; 1 << 18];
            while left > 0 {
                let room = buffer.len().min(usize::try_from(left).unwrap());
                client.stream.read_exact(&mut buffer[..room]).await.unwrap();
                left -= room as u64;
            }
            client.sequence = u8::try_from((3 + rows) % 256).unwrap();
            assert_eq!(client.read().await.payload[0], 0xFE);
            let (all, took) = (program.kib("VmHWM"), began.elapsed());
            println!(
                "{method:?}: {} MB in rows of {row} in {took:?}: {before} KiB before, at most {all} KiB",
                rows * row / 1_000_000
            );
            assert!(all - before < 2 * MOST_KIB, "{before} KiB before, {all} KiB at most");
        }
        let began = Instant::now();
        let (_, id) = client.prepare("SELECT LENGTH(?)").await;
        let piece = [&b"\x18"[..], &id.to_le_bytes(), &[0, 0], &vec![b'z'; 1_000_000]].concat();
        for _ in 0..200 {
            client.send(&piece).await;
        }
        let mut run = execute_payload(id, 0, &[Some(b"")]);
        run.truncate(run.len() - 1);
        let types = run.len() - 2;
        run[types..].copy_from_slice(&[0xFC, 0]);
        let said = client.results(&run).await;
        let length = 200_000_000_u32.to_le_bytes();
        assert!(said.iter().any(|packet| packet.payload.get(2..6) == Some(&length)), "{said:?}");
        let (all, took) = (program.kib("VmHWM"), began.elapsed());
        println!("{method:?}: 200 MB of long data in {took:?}: {before} KiB before, at most {all} KiB");
        assert!(all - before < 2 * MOST_KIB, "{before} KiB before, {all} KiB at most");
        servers.stop().await;
    }
}

const IDLE_CLIENTS: u64 = 1000;
/// Bytes of memory for each. The tasks are as large in this build as in an optimised one; what is larger is little.
const MOST_EACH: u64 = 8 << 10;

#[tokio::test]
async fn an_idle_client_takes_little_memory() {
    let Some(servers) = support::servers_without_log(0).await else { return };
    let program = Program::start(&servers, "").await;
    let ask = async |client: &mut Raw| drop(client.run("SELECT 1").await);
    // What it has once it has served some.
    let mut some = Vec::new();
    for _ in 0..64 {
        some.push(Raw::login(program.at, &Login::app()).await);
    }
    for client in &mut some {
        ask(client).await;
    }
    drop(some);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = program.kib("VmRSS");
    let each = || (program.kib("VmRSS").saturating_sub(before) << 10) / IDLE_CLIENTS;

    let mut idle = Vec::new();
    for _ in 0..IDLE_CLIENTS {
        idle.push(Raw::login(program.at, &Login::app()).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let logged_in = each();
    for client in &mut idle {
        ask(client).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = each();
    println!("{IDLE_CLIENTS} idle clients: {logged_in} bytes each after their login, {asked} after a query of each");
    assert!(logged_in < MOST_EACH && asked < MOST_EACH, "{logged_in} and {asked} bytes each");
    servers.stop().await;
}

#[tokio::test]
async fn a_drain_lets_work_finish() {
    let Some(servers) = support::servers_without_log(0).await else { return };
    let mut program = Program::start(&servers, "drain_timeout='10s'\n").await;
    let at = program.at;
    let mut idle = Raw::login(at, &Login::app()).await;
    let mut running = Raw::login(at, &Login::app()).await;
    let mut inside = Raw::login(at, &Login::app()).await;
    running.run("CREATE TABLE t (a INT)").await;
    inside.run("BEGIN").await;
    inside.run("INSERT INTO t VALUES (1)").await;
    running.send(b"\x03SELECT SLEEP(1), 'done'").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    program.terminate();

    let told = idle.read_error().await;
    assert_eq!((told.code, &told.sql_state), (1053, b"08S01"));
    assert!(idle.is_closed().await);
    until("it listens no more", || async { tokio::net::TcpStream::connect(at).await.is_err() }).await;
    // What runs finishes, then it is idle.
    let packets = running.more_results().await;
    assert!(packets[packets.len() - 2].payload.ends_with(b"\x04done"), "{packets:?}");
    assert_eq!(running.read_error().await.code, 1053);
    // So does a transaction.
    inside.run("INSERT INTO t VALUES (2)").await;
    assert!(program.child.try_wait().unwrap().is_none());
    inside.run("COMMIT").await;
    assert_eq!(inside.read_error().await.code, 1053);
    drop((idle, running, inside));
    let (status, took) = program.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let count: Option<u32> = servers.primary().first("SELECT COUNT(*) FROM app.t").await.unwrap();
    assert_eq!(count, Some(2));

    // A second signal does not wait.
    let mut program = Program::start(&servers, "drain_timeout='10s'\n").await;
    let mut inside = Raw::login(program.at, &Login::app()).await;
    inside.run("BEGIN").await;
    inside.run("INSERT INTO t VALUES (3)").await;
    program.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    inside.run("SELECT 1").await;
    assert!(program.child.try_wait().unwrap().is_none());
    program.terminate();
    let (status, took) = program.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(inside.try_read().await.is_err());
    let count: Option<u32> = servers.primary().first("SELECT COUNT(*) FROM app.t").await.unwrap();
    assert_eq!(count, Some(2));

    // Neither does the limit.
    let mut program = Program::start(&servers, "drain_timeout='500ms'\n").await;
    let mut inside = Raw::login(program.at, &Login::app()).await;
    inside.run("BEGIN").await;
    program.terminate();
    let (status, took) = program.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(took > Duration::from_millis(400) && took < Duration::from_secs(3), "{took:?}");
    servers.stop().await;
}
