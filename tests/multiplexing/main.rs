//! Thousands of sessions share a handful of connections, each doing by chance what binds state to a connection: SET, USE,
//! user variables, transactions, temporary tables, locks, prepared statements of both kinds. Each knows, by a model of
//! itself, what a connection of its own would show, and asks for it; they end in every way, also in the middle.
//!
//! `MULTIPLEXING_SEED=7` takes another seed than the committed one, `MULTIPLEXING_SESSIONS=100000` more sessions than
//! usual, `MULTIPLEXING_DIRECT=1` has them connect to the primary itself, which must satisfy the model too. What fails prints the seed and all that the session did; as sessions meet by chance, a second run may differ.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a broken fixture must fail the test"
)]
#![allow(missing_docs, unnameable_types, unreachable_pub, reason = "one program")]

mod answer;
mod held;
mod locks;
mod probes;
mod session;
mod state;
mod steps;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{APP, Account, MONITOR, OTHER, SandboxOptions};
use tokio::task::JoinSet;
use tokio::time::Instant;

use answer::Answer;
use locks::Locks;
use session::{Ledger, Log, Session, Then};
use state::SCHEMAS;
use support::Stage;
use support::random::Random;
use support::raw::{Login, Raw};

/// Sessions at once.
const TASKS: usize = 40;

/// Connections to a server for one account.
const POOL: u64 = 5;

/// Somebody gets an answer at least so often.
const STALL: Duration = Duration::from_secs(6);

/// Sessions of one family, unless told otherwise.
const SESSIONS: usize = 1000;

/// What the servers say of a session to which nothing was done.
#[derive(Debug)]
pub struct Defaults {
    pub mode: String,
    pub isolation: String,
    pub epoch: String,
}

/// What all sessions have in common.
#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub address: SocketAddr,
    pub flavor: Flavor,
    pub defaults: Defaults,
    pub locks: Locks,
    steps: AtomicU64,
    refusals: AtomicU64,
    slowest: Mutex<(Duration, String)>,
}

impl World {
    async fn new(stage: &Stage, flavor: Flavor, seed: u64) -> Self {
        let direct = std::env::var_os("MULTIPLEXING_DIRECT").is_some();
        let address = if direct { stage.servers.primary().address() } else { stage.listen() };
        let isolation = isolation(flavor);
        let mut direct = stage.servers.primary().connect(APP).await.unwrap();
        let defaults = format!("SELECT @@sql_mode, {isolation}, CAST(FROM_UNIXTIME(0) AS CHAR)");
        let (mode, isolation, epoch) = direct.query_first(defaults).await.unwrap().unwrap();
        direct.disconnect().await.unwrap();
        let defaults = Defaults { mode, isolation, epoch };
        let (steps, refusals) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { seed, address, flavor, defaults, locks: Locks::default(), steps, refusals, slowest: Mutex::default() }
    }

    /// Most sessions are of one account.
    pub fn account(&self, random: &mut Random) -> Account {
        if random.below(4) == 0 { OTHER } else { APP }
    }

    /// How the isolation level is asked for.
    pub fn isolation(&self) -> &'static str {
        isolation(self.flavor)
    }

    /// Something was asked and answered.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// How long a statement took: the slowest is told at the end, as it may show a wait for what nobody gives.
    pub fn took(&self, time: Duration, session: u64, sql: &str) {
        let mut slowest = self.slowest.lock().unwrap();
        if time > slowest.0 {
            *slowest = (time, format!("session {session}: {sql}"));
        }
    }

    /// A question got no answer, as the documents say of it.
    pub fn refused(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }
}

fn isolation(flavor: Flavor) -> &'static str {
    if flavor == Flavor::MySql { "@@transaction_isolation" } else { "@@tx_isolation" }
}

/// Sessions, one after the other.
async fn task(world: Arc<World>, number: usize, sessions: usize, log: Log) {
    let mut ledger = Ledger::default();
    for at in 0..sessions {
        log.lock().unwrap().clear();
        let mut session = Session::new(&world, &mut ledger, number, at, log.clone()).await;
        if session.random.below(4) == 0 {
            session.audit().await;
        }
        session.probe_some(2).await;
        let steps = 2 + session.random.below(14);
        let mut then = Then::GoesOn;
        for _ in 0..steps {
            then = session.step().await;
            if then == Then::HasEnded {
                break;
            }
            if session.random.below(2) == 0 {
                session.probe().await;
            }
        }
        if then == Then::GoesOn {
            session.leave().await;
        }
    }
}

async fn prepare(stage: &Stage) {
    let mut root = stage.servers.primary().root().await.unwrap();
    let mut statements = vec!["CREATE DATABASE muxb".to_owned()];
    statements.push(format!("GRANT PROCESS ON *.* TO '{}'@'%'", MONITOR.user));
    for account in [APP, OTHER] {
        statements.push(format!("GRANT ALL ON muxb.* TO '{}'@'%'", account.user));
    }
    for schema in SCHEMAS {
        statements.push(format!("CREATE TABLE {schema}.ref (id INT PRIMARY KEY, name VARCHAR(40))"));
        let rows = state::names(schema).into_iter().enumerate();
        let rows: Vec<String> = rows.map(|(at, name)| format!("({}, '{name}')", at + 1)).collect();
        statements.push(format!("INSERT INTO {schema}.ref VALUES {}", rows.join(", ")));
    }
    for task in 0..TASKS {
        statements.push(format!(
            "CREATE TABLE app.w{task} (id INT PRIMARY KEY AUTO_INCREMENT, owner INT, tag VARCHAR(40), \
             note VARCHAR(40), KEY (owner))"
        ));
    }
    statements.push("CREATE TABLE app.shadow (n INT PRIMARY KEY, x VARCHAR(60))".to_owned());
    statements.push("INSERT INTO app.shadow VALUES (1, 'real')".to_owned());
    statements.push("CREATE PROCEDURE app.leaks() SELECT 'leaked' INTO @a".to_owned());
    statements.push(
        "CREATE FUNCTION app.sets(v VARCHAR(60)) RETURNS VARCHAR(60) NO SQL BEGIN SET @a = v; RETURN v; END".to_owned(),
    );
    for statement in statements {
        root.query_drop(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    root.disconnect().await.unwrap();
    stage.servers.catch_up().await.unwrap();
}

/// Watches that no server ever has more connections of an account than its pool may hold; the most that were seen.
async fn watch(stage: &Stage, over: Arc<AtomicBool>) -> JoinSet<u64> {
    let mut watchers = JoinSet::new();
    for server in stage.servers.servers() {
        let (mut root, over) = (server.root().await.unwrap(), over.clone());
        watchers.spawn(async move {
            let mut most = 0;
            let mut beyond = 0;
            while !over.load(Ordering::Relaxed) {
                let counts: Vec<(String, u64)> = root
                    .query(
                        "SELECT user, COUNT(*) FROM information_schema.processlist WHERE user IN ('app', 'other') \
                         AND command NOT IN ('Killed', 'Busy') AND COALESCE(info, '') NOT LIKE 'KILL%' GROUP BY user",
                    )
                    .await
                    .unwrap();
                let now = counts.iter().map(|(_, count)| *count).max().unwrap_or_default();
                // Connections that kill are not the pool's, and a server needs a moment to see that one was closed.
                beyond = if now > POOL { beyond + 1 } else { 0 };
                assert!(beyond < 20, "for a second there are more connections than {POOL}: {counts:?}");
                if beyond == 0 {
                    most = most.max(now);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            root.disconnect().await.unwrap();
            most
        });
    }
    watchers
}

/// The clients of the proxy and the connections of the servers, after a session waited for too long.
async fn who_holds_what(stage: &Stage) -> String {
    let mut text = String::new();
    // Its own connections are not the ones that are fought for.
    let mut watcher = Raw::login(stage.listen(), &Login::new(MONITOR.user, MONITOR.password)).await;
    if let Answer::Rows(rows) = Answer::read(&watcher.query("SHOW PROCESSLIST").await, false) {
        for row in rows {
            text += &format!("client: {}\n", row.into_iter().flatten().collect::<Vec<_>>().join(" | "));
        }
    }
    for server in stage.servers.servers() {
        let mut root = server.root().await.unwrap();
        let rows: Vec<mysql_async::Row> = root.query("SHOW FULL PROCESSLIST").await.unwrap();
        for row in rows {
            text += &format!("{}: {:?}\n", server.name(), row.unwrap());
        }
    }
    text
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

async fn no_session_sees_what_another_did(flavor: Flavor) {
    let options = SandboxOptions { replicas: 1, ..SandboxOptions::default() };
    let Some(servers) = support::start(flavor, options).await else { return };
    let watcher = format!("[[users]]\nname='{}'\npassword='{}'\n", MONITOR.user, MONITOR.password);
    let extra = format!(
        "{watcher}[routing]\nsticky_window='1h'\nmax_lag='1h'\n\
         [pools]\nsize={POOL}\nmax_waiting=1000\nwait_timeout='60s'\n"
    );
    let proxy = support::proxy(&servers, &extra).await;
    let stage = Stage { servers, proxy };
    prepare(&stage).await;
    let seed = from_environment("MULTIPLEXING_SEED").unwrap_or(1);
    let sessions = from_environment("MULTIPLEXING_SESSIONS").map_or(SESSIONS, |number| number as usize);
    let each = sessions.div_ceil(TASKS);
    eprintln!("{flavor:?}: seed {seed}, {TASKS} tasks of {each} sessions");
    let world = Arc::new(World::new(&stage, flavor, seed).await);
    let over = Arc::new(AtomicBool::new(false));
    let direct = world.address != stage.listen();
    let mut watchers = if direct { JoinSet::new() } else { watch(&stage, over.clone()).await };

    let (mut tasks, mut logs) = (JoinSet::new(), HashMap::new());
    for number in 0..TASKS {
        let log = Log::default();
        let task = tasks.spawn(task(world.clone(), number, each, log.clone()));
        logs.insert(task.id(), log);
    }
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let Ok(ended) = tokio::time::timeout(Duration::from_millis(500), tasks.join_next_with_id()).await else {
            let steps = world.steps.load(Ordering::Relaxed);
            if steps != seen {
                (seen, since) = (steps, Instant::now());
            } else if since.elapsed() > STALL {
                panic!("seed {seed}: nobody gets an answer any more:\n{}", who_holds_what(&stage).await);
            }
            continue;
        };
        let Some(ended) = ended else { break };
        if let Err(error) = ended {
            let log = logs[&error.id()].lock().unwrap().join("\n");
            let others = who_holds_what(&stage).await;
            panic!("seed {seed}: {error}; what the session did:\n{log}\nthe others:\n{others}");
        }
    }
    over.store(true, Ordering::Relaxed);
    let mut most = Vec::new();
    while let Some(seen) = watchers.join_next().await {
        most.push(seen.unwrap());
    }

    let (steps, refusals) = (world.steps.load(Ordering::Relaxed), world.refusals.load(Ordering::Relaxed));
    let connects = stage.metric("pointsman_backend_connects_total", &["result=\"ok\""]).await;
    let pins = stage.metric("pointsman_pins_total", &[]).await;
    eprintln!(
        "{flavor:?}: {sessions} sessions, {steps} answers ({refusals} refused as documented), {pins} pins; \
         {connects} connections were made, at most {most:?} at once to a server for an account"
    );
    eprintln!("{flavor:?}: the slowest: {:?}", world.slowest.lock().unwrap());
    if direct {
        return stage.end().await;
    }
    assert!(refusals * 50 < steps, "too many refusals to prove anything");
    assert!(connects * 2.0 < sessions as f64, "connections were not shared");
    assert_eq!(stage.metric("pointsman_state_mismatches_total", &[]).await, 0.0);
    assert_eq!(stage.metric("pointsman_protocol_errors_total", &[]).await, 0.0);
    support::until("every pin is gone", || async {
        stage.metric("pointsman_pool_connections", &["state=\"busy\""]).await == 0.0
            && stage.metric("pointsman_clients", &[]).await == 0.0
    })
    .await;
    for server in stage.servers.servers() {
        let mut root = server.root().await.unwrap();
        assert_eq!(support::open_transactions(&mut root).await, Vec::<String>::new(), "on {}", server.name());
        root.disconnect().await.unwrap();
    }
    stage.end().await;
}

on_both!(no_session_sees_what_another_did);
