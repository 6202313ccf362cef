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
    one.run("DO 1").await;
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
    one.run("DO 1").await;
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
