//! The binary log through the proxy: the tools that read it, and a real replica.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use pointsman::sandbox::REPLICATION;
use support::{Stage, proxy, until};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

on_both!(tools_read_the_same_log, a_tool_that_never_stops_is_fed_and_ended, a_replica_follows_through_the_proxy);

async fn stage(flavor: Flavor, replicas: usize) -> Option<Stage> {
    let servers = support::servers_of(flavor, replicas, &[]).await?;
    let user = format!("[[users]]\nname='{}'\npassword='{}'\n", REPLICATION.user, REPLICATION.password);
    let proxy = proxy(&servers, &user).await;
    Some(Stage { servers, proxy })
}

/// The family's tool, or None after having said that it is not here.
fn tool(stage: &Stage) -> Option<PathBuf> {
    let name = if stage.servers.flavor() == Flavor::MySql { "mysqlbinlog" } else { "mariadb-binlog" };
    let beside = stage.servers.binaries().server().with_file_name(name);
    let found = [beside, Path::new("/usr/bin").join(name)].into_iter().find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing: scripts/install-deps.sh test");
        eprintln!("skipped: {name} is not here");
    }
    found
}

fn read(tool: &Path, stage: &Stage, port: u16, more: &[&str]) -> Command {
    let mut command = Command::new(tool);
    command.args(["--no-defaults", "--host=127.0.0.1", "--protocol=TCP"]);
    command.args([format!("--port={port}"), format!("--user={}", REPLICATION.user)]);
    command.arg(format!("--password={}", REPLICATION.password));
    if stage.servers.flavor() == Flavor::MySql {
        command.args(["--get-server-public-key", "--ssl-mode=DISABLED"]);
    }
    command.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn log_file(stage: &Stage) -> String {
    let status = match stage.servers.flavor() {
        Flavor::MySql => "SHOW BINARY LOG STATUS",
        _ => "SHOW MASTER STATUS",
    };
    let mut root = stage.servers.primary().root().await.unwrap();
    let row: Row = root.query_first(status).await.unwrap().unwrap();
    row.get(0).unwrap()
}

async fn tools_read_the_same_log(flavor: Flavor) {
    let Some(stage) = stage(flavor, 0).await else { return };
    let Some(tool) = tool(&stage) else { return };
    let mut statements = vec!["CREATE TABLE logged (a INT PRIMARY KEY, b LONGBLOB)".to_owned()];
    statements.extend((0..50).map(|at| format!("INSERT INTO logged VALUES ({at}, REPEAT('b', {}))", at * 1000)));
    // An event of more than one packet.
    statements
        .push("INSERT INTO logged VALUES (1000, REPEAT('c', 10000000)), (1001, REPEAT('d', 10000000))".to_owned());
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    stage.prepare(&statements).await;
    let file = log_file(&stage).await;
    let by_position = ["--read-from-remote-server", &file];
    let by_gtid = ["--read-from-remote-source=BINLOG-DUMP-GTIDS", &file];
    let ways = if flavor == Flavor::MySql { vec![&by_position, &by_gtid] } else { vec![&by_position] };
    for way in ways {
        let mut outputs = Vec::new();
        for port in [stage.servers.primary().port(), stage.listen().port()] {
            let output = read(&tool, &stage, port, way).output().await.unwrap();
            assert!(output.status.success(), "{way:?}: {}", String::from_utf8_lossy(&output.stderr));
            outputs.push(output.stdout);
        }
        assert!(outputs[0].len() > 20_000_000, "{way:?}: {} bytes", outputs[0].len());
        assert!(outputs[0] == outputs[1], "{way:?}: {} bytes directly, {} here", outputs[0].len(), outputs[1].len());
    }
    // What the server says of a log that it does not have reaches the tool.
    let mut outputs = Vec::new();
    for port in [stage.servers.primary().port(), stage.listen().port()] {
        let output =
            read(&tool, &stage, port, &["--read-from-remote-server", "nothing.000009"]).output().await.unwrap();
        assert!(!output.status.success());
        outputs.push(String::from_utf8(output.stderr).unwrap());
    }
    assert_eq!(outputs[1], outputs[0]);
    assert!(outputs[0].contains("Could not find first log file"), "{}", outputs[0]);
    stage.end().await;
}

async fn dumps(stage: &Stage) -> u64 {
    let mut root = stage.servers.primary().root().await.unwrap();
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    root.query_first(count).await.unwrap().unwrap()
}

async fn a_tool_that_never_stops_is_fed_and_ended(flavor: Flavor) {
    let Some(stage) = stage(flavor, 0).await else { return };
    let Some(tool) = tool(&stage) else { return };
    stage.prepare(&["CREATE TABLE fed (a INT)"]).await;
    let file = log_file(&stage).await;
    let more = ["--read-from-remote-server", "--stop-never", &file];
    let mut child = read(&tool, &stage, stage.listen().port(), &more).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for at in 0..3 {
        stage.prepare(&[&format!("CREATE TABLE fed_{at} (a INT)")]).await;
        let wanted = format!("fed_{at}");
        let seen = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(&wanted) {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap(), "{wanted}");
    }
    assert_eq!(dumps(&stage).await, 1);
    let idle = stage.metric("pointsman_pool_connections", &["state=\"idle\""]).await;
    child.kill().await.unwrap();
    // The server finds that nobody listens when it next says something.
    let mut at = 0;
    until("the dump ended", || {
        at += 1;
        let table = format!("CREATE TABLE ended_{at} (a INT)");
        let stage = &stage;
        async move {
            stage.prepare(&[&table]).await;
            dumps(stage).await == 0 && stage.proxy.shared().clients.all().is_empty()
        }
    })
    .await;
    assert_eq!(stage.metric("pointsman_pool_connections", &["state=\"idle\""]).await, idle, "it went to the pool");
    stage.end().await;
}

async fn a_replica_follows_through_the_proxy(flavor: Flavor) {
    let Some(stage) = stage(flavor, 1).await else { return };
    stage.prepare(&["CREATE TABLE followed (a INT PRIMARY KEY)", "INSERT INTO followed VALUES (1)"]).await;
    let replica = &stage.servers.replicas()[0];
    let port = stage.listen().port();
    let password = REPLICATION.password;
    let (stop, source, start) = match flavor {
        Flavor::MySql => (
            "STOP REPLICA",
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_PORT = {port}, SOURCE_PASSWORD = '{password}', SOURCE_SSL = 0"
            ),
            "START REPLICA",
        ),
        _ => (
            "STOP SLAVE",
            format!(
                "CHANGE MASTER TO MASTER_PORT = {port}, MASTER_PASSWORD = '{password}', MASTER_USE_GTID = slave_pos"
            ),
            "START SLAVE",
        ),
    };
    replica.run(&[stop, &source, start]).await.unwrap();
    until("the replica is here", || async {
        dumps(&stage).await == 1 && !stage.proxy.shared().clients.all().is_empty()
    })
    .await;
    until("it reads", || async { replica.replication_state().await.starts_with("IO thread Yes") }).await;
    stage.prepare(&["INSERT INTO followed VALUES (2), (3)", "CREATE TABLE behind (b LONGTEXT)"]).await;
    stage.prepare(&["INSERT INTO behind VALUES (REPEAT('x', 9000000)), (REPEAT('y', 9000000))"]).await;
    let count: u64 =
        replica.first("SELECT COUNT(*) + (SELECT COUNT(*) FROM app.behind) FROM app.followed").await.unwrap().unwrap();
    assert_eq!(count, 5);

    // KILL ends it, and it comes again.
    let id = stage.proxy.shared().clients.all()[0].id;
    let mut other = mysql_async::Conn::new(REPLICATION.opts(stage.listen())).await.unwrap();
    other.query_drop(format!("KILL {id}")).await.unwrap();
    until("it was killed", || async { stage.proxy.shared().clients.get(id).is_none() }).await;
    stage.prepare(&["INSERT INTO followed VALUES (4)"]).await;
    let count: u64 = replica.first("SELECT COUNT(*) FROM app.followed").await.unwrap().unwrap();
    assert_eq!(count, 4);
    other.disconnect().await.unwrap();

    // A proxy that shuts down does not wait for it.
    assert!(stage.proxy.drain(std::future::pending()).await, "something had to be cut");
    stage.end().await;
}
