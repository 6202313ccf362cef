//! The pools of connections, on real servers: who waits, for how long, and what is said; when connections are made and closed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod support;

use std::time::{Duration, Instant};

use pointsman::cluster::Flavor;
use support::Stage;
use support::raw::{Login, Raw};

on_both!(
    who_waits_in_vain_is_told_who_holds,
    a_connection_that_is_only_kept_is_given_up_soon,
    connections_are_kept_warm_and_replaced,
    the_servers_patience_is_respected,
    a_storm_of_clients_is_none_of_logins,
    a_connection_that_fits_is_preferred,
    who_waits_for_another_pool_gets_its_turn,
    clients_that_went_away_keep_no_place,
    a_server_that_ends_idle_connections_is_noticed,
);

async fn stage(flavor: Flavor, pools: &str) -> Option<Stage> {
    let extra = format!("[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\n{pools}\n");
    let stage = support::stage_on(flavor, 0, &extra).await?;
    stage.prepare(&["CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)"]).await;
    Some(stage)
}

async fn client(stage: &Stage) -> Raw {
    Raw::login(stage.listen(), &Login::app()).await
}

/// The server's ids of the application's connections.
async fn connections(stage: &Stage) -> Vec<u64> {
    let query = "SELECT GROUP_CONCAT(id ORDER BY id) FROM information_schema.processlist WHERE user = 'app'";
    let ids: Option<String> = stage.servers.primary().first(query).await.unwrap().unwrap();
    ids.unwrap_or_default().split(',').filter_map(|id| id.parse().ok()).collect()
}

async fn who_waits_in_vain_is_told_who_holds(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=1\nmin_idle=0\nwait_timeout='300ms'").await else { return };
    let mut holder = client(&stage).await;
    let id = holder.value("SELECT CONNECTION_ID()").await;
    holder.run("BEGIN").await;
    let mut other = client(&stage).await;
    let error = other.query("SELECT 1").await[0].error();
    assert_eq!(error.code, 1203);
    let text = error.message.to_string();
    for part in [
        "pointsman: no connection to `primary` for user `app` became free within 300 ms",
        "at most 1 are made for one user",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains(&format!("held by client {id} of `app` for ")) && text.contains("(transaction)"), "{text}");
    holder.run("COMMIT").await;
    assert_eq!(other.value("SELECT 1").await, "1");
    stage.end().await;
}

/// After an INSERT the connection is kept, since it alone knows LAST_INSERT_ID(); others need not wait for it.
async fn a_connection_that_is_only_kept_is_given_up_soon(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=1\nwait_timeout='5s'").await else { return };
    let mut one = client(&stage).await;
    let mut two = client(&stage).await;
    let began = Instant::now();
    for round in 0..10 {
        one.run("INSERT INTO t (v) VALUES (1)").await;
        two.run("INSERT INTO t (v) VALUES (2)").await;
        let ids = (one.value("SELECT LAST_INSERT_ID()").await, two.value("SELECT LAST_INSERT_ID()").await);
        assert_eq!(ids, ((2 * round + 1).to_string(), (2 * round + 2).to_string()));
    }
    // Forty changes of hands, each of which took a fifth of a second when the holder looked only then.
    println!("forty changes of hands: {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    stage.end().await;
}

async fn connections_are_kept_warm_and_replaced(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=5\nmin_idle=3\nidle_timeout='300ms'\nmax_lifetime='5s'").await else {
        return;
    };
    let mut one = client(&stage).await;
    one.value("SELECT 1").await;
    support::until("three are kept", async || connections(&stage).await.len() == 3).await;
    let before = connections(&stage).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(connections(&stage).await, before, "idle for longer than idle_timeout, and kept");
    support::until("all are replaced", async || {
        let now = connections(&stage).await;
        now.len() == 3 && now.iter().all(|id| !before.contains(id))
    })
    .await;
    assert_eq!(one.value("SELECT 5").await, "5");
    // Nobody uses them any more.
    drop(one);
    support::until("none is kept", async || connections(&stage).await.is_empty()).await;
    stage.end().await;
}

async fn the_servers_patience_is_respected(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=5\nmin_idle=0\nidle_timeout='1h'").await else { return };
    stage.servers.primary().run(&["SET GLOBAL wait_timeout = 3"]).await.unwrap();
    let aborted = async || {
        let query = "SHOW GLOBAL STATUS LIKE 'Aborted_clients'";
        stage.servers.primary().first::<(String, u64)>(query).await.unwrap().unwrap().1
    };
    let before = aborted().await;
    let mut one = client(&stage).await;
    one.value("SELECT 1").await;
    support::until("it is closed before the server does it", async || connections(&stage).await.is_empty()).await;
    assert_eq!(aborted().await, before, "it was closed without a word");
    assert_eq!(one.value("SELECT 5").await, "5");
    stage.end().await;
}

async fn a_storm_of_clients_is_none_of_logins(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=40\nmax_connecting=2\nwait_timeout='20s'").await else { return };
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(client(&stage).await);
    }
    let all = clients.into_iter().map(|mut client| async move {
        client.run("DO SLEEP(0.5)").await;
        client
    });
    let tasks: Vec<_> = all.map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (_, most): (String, u64) =
        stage.servers.primary().first("SHOW GLOBAL STATUS LIKE 'Max_used_connections'").await.unwrap().unwrap();
    assert!(most > 5, "{most} at once: the test shows nothing");
    assert!(stage.metric("pointsman_errors_total", &[]).await < 0.5);
    stage.end().await;
}

/// How often the primary did this.
async fn counted(stage: &Stage, counter: &str) -> u64 {
    let query = format!("SHOW GLOBAL STATUS LIKE '{counter}'");
    stage.servers.primary().first::<(String, u64)>(&query).await.unwrap().unwrap().1
}

/// Sessions of different state, and with different statements, each find the connection that served their like before.
async fn a_connection_that_fits_is_preferred(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=4\nmin_idle=2").await else { return };
    let (mut plain, mut ansi) = (client(&stage).await, client(&stage).await);
    ansi.run("SET sql_mode = 'ANSI_QUOTES'").await;
    // Two at the same time, so that there are two.
    plain.run("BEGIN").await;
    ansi.run("BEGIN").await;
    plain.run("COMMIT").await;
    ansi.run("COMMIT").await;
    let before = counted(&stage, "Com_set_option").await;
    for _ in 0..30 {
        assert_eq!(plain.value("SELECT \"v\"").await, "v");
        ansi.run("SELECT \"v\" FROM t").await;
    }
    let sets = counted(&stage, "Com_set_option").await - before;
    println!("{sets} SETs for 60 statements of two states");
    assert!(sets <= 2, "{sets}");

    let (mut one, mut two) = (client(&stage).await, client(&stage).await);
    let (_, first) = one.prepare("SELECT 1").await;
    let (_, second) = two.prepare("SELECT 2").await;
    one.run("BEGIN").await;
    two.run("BEGIN").await;
    one.execute(first, 0, &[]).await;
    two.execute(second, 0, &[]).await;
    one.run("COMMIT").await;
    two.run("COMMIT").await;
    let before = counted(&stage, "Com_stmt_prepare").await;
    for _ in 0..30 {
        one.execute(first, 0, &[]).await;
        two.execute(second, 0, &[]).await;
    }
    let prepares = counted(&stage, "Com_stmt_prepare").await - before;
    println!("{prepares} PREPAREs for 60 EXECUTEs");
    assert!(prepares <= 2, "{prepares}");
    stage.end().await;
}

/// Four clients keep the only connection busy for ever, and wait for it in turn; one of another kind is not starved by them.
async fn who_waits_for_another_pool_gets_its_turn(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=1\nwait_timeout='5s'").await else { return };
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut busy = Vec::new();
    for _ in 0..4 {
        let (mut client, over) = (client(&stage).await, over.clone());
        busy.push(tokio::spawn(async move {
            let mut statements = 0_u32;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                client.run("SELECT 1").await;
                statements += 1;
            }
            statements
        }));
    }
    let mut login = Login::app();
    login.schema = None;
    let mut other = Raw::login(stage.listen(), &login).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let began = Instant::now();
        assert_eq!(other.value("SELECT 2").await, "2");
        slowest = slowest.max(began.elapsed());
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut statements = 0;
    for task in busy {
        statements += task.await.unwrap();
    }
    println!("10 statements of another pool beside {statements}; the slowest waited {slowest:?}");
    assert!(statements > 10, "{statements}: the test shows nothing");
    assert!(stage.metric("pointsman_errors_total", &[]).await < 0.5);
    stage.end().await;
}

/// What is given up while it waits, or has just got its turn, is passed on: no place is lost by clients that break off.
async fn clients_that_went_away_keep_no_place(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=2\nmin_idle=0\nwait_timeout='10s'").await else { return };
    for round in 0..60_u64 {
        let mut all = Vec::new();
        for _ in 0..6 {
            let mut client = client(&stage).await;
            client.send(b"\x03SELECT SLEEP(0.002)").await;
            all.push(client);
        }
        tokio::time::sleep(Duration::from_millis(round % 8)).await;
        drop(all);
    }
    let (mut one, mut two) = (client(&stage).await, client(&stage).await);
    one.run("BEGIN").await;
    two.run("BEGIN").await;
    // A server needs its time to end what was cut off.
    support::until("both are there again, and no other", async || connections(&stage).await.len() == 2).await;
    support::until("nobody waits", async || stage.metric("pointsman_pool_waiting", &[]).await < 0.5).await;
    stage.end().await;
}

/// A write must not be sent to a connection that has ended: nobody could tell whether it ran.
async fn a_server_that_ends_idle_connections_is_noticed(flavor: Flavor) {
    let Some(stage) = stage(flavor, "size=4\nmin_idle=0").await else { return };
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(client(&stage).await);
    }
    for round in 0..5_usize {
        for client in &mut all {
            client.run("BEGIN").await;
        }
        for client in &mut all {
            client.run("COMMIT").await;
        }
        let ids = connections(&stage).await;
        assert_eq!(ids.len(), 4);
        for id in &ids {
            stage.servers.primary().run(&[&format!("KILL {id}")]).await.unwrap();
        }
        support::until("they have ended", async || {
            let now = connections(&stage).await;
            ids.iter().all(|id| !now.contains(id))
        })
        .await;
        for client in &mut all {
            client.run("INSERT INTO t (v) VALUES (1)").await;
        }
        let rows: u64 = stage.servers.primary().first("SELECT COUNT(*) FROM app.t").await.unwrap().unwrap();
        assert_eq!(rows as usize, (round + 1) * all.len());
    }
    assert!(stage.metric("pointsman_errors_total", &[]).await < 0.5);
    stage.end().await;
}
