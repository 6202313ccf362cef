//! Who ran what, proven by the servers' own general logs.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use mysql_async::prelude::Queryable as _;

#[tokio::test]
async fn reads_run_on_replicas_and_writes_on_the_primary() {
    let Some(stage) = support::stage(2, "").await else { return };
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
