//! The private servers do what the other tests rely on.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken fixture must fail; a skip must be seen"
)]

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use pointsman::sandbox::{APP, Binaries, MONITOR, OTHER, Sandbox, SandboxError, SandboxOptions, SandboxServer};

/// The servers, or none where there are no server programs, after saying so.
async fn sandbox(options: SandboxOptions) -> Option<Sandbox> {
    match Sandbox::start(options).await {
        Ok(sandbox) => Some(sandbox),
        Err(error @ SandboxError::NoServer { .. }) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

async fn count(server: &SandboxServer) -> i64 {
    let mut conn = server.connect(APP).await.unwrap();
    conn.query_first("SELECT COUNT(*) FROM seen_by_all").await.unwrap().unwrap()
}

#[tokio::test]
async fn replicas_follow_and_logs_tell_who_ran_what() {
    let began = now();
    let options = SandboxOptions { general_log: true, ..SandboxOptions::default() };
    let Some(sandbox) = sandbox(options).await else { return };
    println!("{} with two replicas in {:?}", sandbox.binaries().version(), began.elapsed());
    let folder = sandbox.folder().to_owned();
    let replica = &sandbox.replicas()[0];

    let mut primary = sandbox.primary().connect(APP).await.unwrap();
    primary.query_drop("CREATE TABLE seen_by_all (id INT PRIMARY KEY, text VARCHAR(50))").await.unwrap();
    primary.query_drop("INSERT INTO seen_by_all VALUES (1, 'one'), (2, 'two')").await.unwrap();
    sandbox.catch_up().await.unwrap();
    for server in sandbox.servers() {
        assert_eq!(count(server).await, 2, "{}", server.name());
    }

    // Rows that are replicated are in no replica's log as statements (Both families count them in Com_insert, though).
    assert_eq!(sandbox.primary().queries_seen("INSERT INTO seen_by_all").unwrap(), 1);
    assert_eq!(replica.queries_seen("INSERT INTO seen_by_all").unwrap(), 0);
    assert_eq!(replica.queries_seen("FROM seen_by_all").unwrap(), 1);
    replica.forget_queries().unwrap();
    assert_eq!(replica.queries_seen("FROM seen_by_all").unwrap(), 0);
    let mut conn = replica.connect(APP).await.unwrap();
    let prepared: Vec<i64> = conn.exec("SELECT id FROM seen_by_all WHERE id > ?", (1,)).await.unwrap();
    assert_eq!(prepared, [2]);
    assert_eq!(replica.queries_seen("FROM seen_by_all").unwrap(), 1);

    // A stopped applier is stale; a started one is not.
    replica.stop_sql_thread().await.unwrap();
    primary.query_drop("INSERT INTO seen_by_all VALUES (3, 'three')").await.unwrap();
    let position = sandbox.primary().position().await.unwrap();
    sandbox.replicas()[1].wait_for(&position, Duration::from_secs(10)).await.unwrap();
    assert_eq!(count(&sandbox.replicas()[1]).await, 3);
    assert_eq!(count(replica).await, 2);
    let behind = sandbox.catch_up_within(Duration::from_millis(200)).await.unwrap_err();
    assert!(behind.to_string().contains("SQL thread No"), "{behind}");
    replica.start_sql_thread().await.unwrap();
    sandbox.catch_up().await.unwrap();
    assert_eq!(count(replica).await, 3);

    // A delayed one is behind by that much.
    replica.set_delay(Duration::from_secs(2)).await.unwrap();
    primary.query_drop("INSERT INTO seen_by_all VALUES (4, 'four')").await.unwrap();
    sandbox.catch_up_within(Duration::from_millis(500)).await.unwrap_err();
    sandbox.catch_up().await.unwrap();
    replica.set_delay(Duration::ZERO).await.unwrap();

    sandbox.stop().await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn accounts_and_faults() {
    let options = SandboxOptions { replicas: 1, ..SandboxOptions::default() };
    let Some(sandbox) = sandbox(options).await else { return };
    let (primary, replica) = (sandbox.primary(), &sandbox.replicas()[0]);
    for server in sandbox.servers() {
        for account in [APP, OTHER, MONITOR] {
            let mut conn = server.connect(account).await.unwrap();
            let name: String = conn.query_first("SELECT CURRENT_USER()").await.unwrap().unwrap();
            assert_eq!(name, format!("{}@%", account.user));
        }
    }
    let status = if sandbox.flavor() == pointsman::cluster::Flavor::MySql { "REPLICA" } else { "SLAVE" };
    let mut monitor = replica.connect(MONITOR).await.unwrap();
    let row: Option<mysql_async::Row> = monitor.query_first(format!("SHOW {status} STATUS")).await.unwrap();
    assert!(row.is_some());

    // Ordinary accounts cannot write to a replica until they may.
    let mut app = replica.connect(APP).await.unwrap();
    let refused = app.query_drop("CREATE TABLE here (id INT)").await.unwrap_err().to_string();
    assert!(refused.contains("1290"), "{refused}");
    replica.set_read_only(false).await.unwrap();
    app.query_drop("CREATE TABLE here (id INT)").await.unwrap();
    app.query_drop("DROP TABLE here").await.unwrap();
    replica.set_read_only(true).await.unwrap();

    // Killed and restarted, it has the same address, is read-only and replicates.
    let address = replica.address();
    let killed = replica.pid();
    replica.kill().await.unwrap();
    assert!(replica.connect(APP).await.is_err());
    replica.restart().await.unwrap();
    assert_eq!(replica.address(), address);
    assert_ne!(replica.pid(), killed);
    let mut app = primary.connect(APP).await.unwrap();
    app.query_drop("CREATE TABLE there (id INT)").await.unwrap();
    sandbox.catch_up().await.unwrap();
    let mut app = replica.connect(APP).await.unwrap();
    let refused = app.query_drop("INSERT INTO there VALUES (1)").await.unwrap_err().to_string();
    assert!(refused.contains("1290"), "{refused}");

    // Frozen, it takes connections and does not answer.
    replica.freeze().await.unwrap();
    let answered = tokio::time::timeout(Duration::from_millis(300), app.query_drop("SELECT 1")).await;
    assert!(answered.is_err());
    replica.thaw().await.unwrap();
    replica.connect(APP).await.unwrap().query_drop("SELECT 1").await.unwrap();

    // Dropped, nothing stays.
    let (folder, pid) = (sandbox.folder().to_owned(), primary.pid().unwrap());
    drop(sandbox);
    assert!(!folder.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let Ok(binaries) = Binaries::find(None) else { return };
    let extra = vec!["--no-such-option".to_owned()];
    let options = SandboxOptions { binaries: Some(binaries), replicas: 0, extra, ..SandboxOptions::default() };
    let error = Sandbox::start(options).await.unwrap_err().to_string();
    assert!(error.contains("no-such-option") && error.contains("primary"), "{error}");
}

#[expect(clippy::disallowed_methods, reason = "measured for people")]
fn now() -> Instant {
    Instant::now()
}
