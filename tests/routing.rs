//! Who ran what, proven by the servers' own general logs.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;

on_both!(
    reads_run_on_replicas_and_writes_on_the_primary,
    connection_id_is_the_one_of_the_greeting,
    insert_ids_are_the_sessions_own
);

async fn reads_run_on_replicas_and_writes_on_the_primary(flavor: Flavor) {
    let Some(stage) = support::stage_on(flavor, 2, "").await else { return };
    stage
        .prepare(&["CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)", "INSERT INTO t (v) VALUES (1), (2)"])
        .await;
    let mut client = stage.client().await;
    let rows: Vec<i32> = client.query("SELECT v FROM t WHERE id > 0 ORDER BY 1").await.unwrap();
    assert_eq!(rows, [1, 2]);
    let on = stage.ran_on("SELECT v FROM t WHERE id > 0");
    assert_eq!(on.len(), 1, "{on:?}");
    assert!(on[0].starts_with("replica"), "{on:?}");
    client.query_drop("INSERT INTO t (v) VALUES (3)").await.unwrap();
    assert_eq!(stage.ran_on("INSERT INTO t (v) VALUES (3)"), ["primary"]);
    // It must see its own write.
    let count: Option<i32> = client.query_first("SELECT COUNT(*) FROM t").await.unwrap();
    assert_eq!(count, Some(3));
    assert_eq!(stage.ran_on("SELECT COUNT(*) FROM t"), ["primary"]);
    stage.end().await;
}

async fn connection_id_is_the_one_of_the_greeting(flavor: Flavor) {
    let Some(stage) = support::stage_on(flavor, 0, "").await else { return };
    let mut client = stage.client().await;
    let id = client.id();
    let text: Option<u32> = client.query_first("SELECT CONNECTION_ID()").await.unwrap();
    let binary: Option<u32> = client.exec_first("SELECT CONNECTION_ID() AS id", ()).await.unwrap();
    assert_eq!((text, binary), (Some(id), Some(id)));
    stage.end().await;
}

async fn insert_ids_are_the_sessions_own(flavor: Flavor) {
    let Some(stage) = support::stage_on(flavor, 1, "[pools]\nsize = 1\nmax_per_server = 1\n").await else { return };
    stage.prepare(&["CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT) AUTO_INCREMENT = 77"]).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    one.query_drop("INSERT INTO t (v) VALUES (1)").await.unwrap();
    // The only connection to the primary is needed by another: what it knew is remembered.
    two.query_drop("UPDATE t SET v = 2").await.unwrap();
    let seen: Option<u64> = two.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
    assert_eq!(seen, Some(0));
    let seen: Option<u64> = one.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
    assert_eq!(seen, Some(77));
    one.query_drop("INSERT INTO t (id, v) VALUES (500, LAST_INSERT_ID())").await.unwrap();
    let seen: Option<(u64, u64)> = one.query_first("SELECT LAST_INSERT_ID(), v FROM t WHERE id = 500").await.unwrap();
    assert_eq!(seen, Some((77, 77)));
    stage.end().await;
}
