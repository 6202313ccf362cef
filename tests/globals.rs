//! Global variables: a session begins with those that hold when it logs in, and keeps what decides how its text is read, on
//! whatever connection its statements run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by them")]

mod support;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use support::{Stage, stage_on};

on_both!(
    a_new_session_has_the_globals_of_its_login,
    a_session_keeps_how_its_text_is_read,
    what_is_set_beside_the_proxy_misleads_nobody,
);

/// Two connections at most to each server: sessions share them for certain.
const SHARED: &str = "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=2\nwait_timeout='3s'\n";

/// Servers on which the application may set globals, with both connections of the pool made.
async fn stage(flavor: Flavor) -> Option<(Stage, Conn)> {
    let stage = stage_on(flavor, 1, SHARED).await?;
    let right = if flavor == Flavor::MySql { "SYSTEM_VARIABLES_ADMIN, SUPER" } else { "SUPER" };
    stage.servers.primary().run(&[format!("GRANT {right} ON *.* TO 'app'@'%'")]).await.unwrap();
    let (mut one, mut other) = (stage.client().await, stage.client().await);
    for client in [&mut one, &mut other] {
        client.query_drop("BEGIN").await.unwrap();
    }
    for client in [&mut one, &mut other] {
        client.query_drop("ROLLBACK").await.unwrap();
    }
    Some((stage, one))
}

async fn text(client: &mut Conn, query: &str) -> String {
    let value: Option<String> = client.query_first(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    value.unwrap()
}

/// What the client has of a variable, each time that it asks.
async fn has(client: &mut Conn, variable: &str, wanted: &str) {
    for _ in 0..4 {
        assert_eq!(text(client, &format!("SELECT CAST(@@{variable} AS CHAR)")).await, wanted, "{variable}");
    }
}

async fn a_new_session_has_the_globals_of_its_login(flavor: Flavor) {
    let Some((stage, mut old)) = stage(flavor).await else { return };
    old.query_drop("SET GLOBAL div_precision_increment = 7, GLOBAL lock_wait_timeout = 4321").await.unwrap();
    let mut new = stage.client().await;
    has(&mut new, "div_precision_increment", "7").await;
    has(&mut new, "lock_wait_timeout", "4321").await;
    // By a statement that was prepared, and among others.
    old.exec_drop("SET @@GLOBAL.div_precision_increment = 8", ()).await.unwrap();
    has(&mut stage.client().await, "div_precision_increment", "8").await;
    old.query_drop("SET @a = 1; SET GLOBAL div_precision_increment = 9").await.unwrap();
    has(&mut stage.client().await, "div_precision_increment", "9").await;
    // So has one that begins anew.
    new.reset().await.unwrap();
    has(&mut new, "div_precision_increment", "9").await;
    stage.end().await;
}

async fn a_session_keeps_how_its_text_is_read(flavor: Flavor) {
    let Some((stage, mut old)) = stage(flavor).await else { return };
    let mode = text(&mut old, "SELECT @@sql_mode").await;
    old.query_drop(format!("SET GLOBAL sql_mode = 'ANSI_QUOTES,{mode}'")).await.unwrap();
    old.query_drop("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED").await.unwrap();
    let isolation = if flavor == Flavor::MySql { "transaction_isolation" } else { "tx_isolation" };
    let mut new = stage.client().await;
    // By turns on the same connections.
    for _ in 0..3 {
        assert_eq!(text(&mut old, r#"SELECT "word""#).await, "word");
        assert_eq!(text(&mut new, r#"SELECT 'it' AS "word""#).await, "it");
        new.query_drop(r#"SELECT "word""#).await.unwrap_err();
        has(&mut old, "sql_mode", &mode).await;
        assert!(text(&mut new, "SELECT @@sql_mode").await.starts_with("ANSI_QUOTES,"));
        has(&mut old, isolation, "REPEATABLE-READ").await;
        has(&mut new, isolation, "READ-COMMITTED").await;
    }
    // What it sets itself is its own.
    old.query_drop("SET sql_mode = ''").await.unwrap();
    has(&mut old, "sql_mode", "").await;
    stage.end().await;
}

async fn what_is_set_beside_the_proxy_misleads_nobody(flavor: Flavor) {
    let Some((stage, mut old)) = stage(flavor).await else { return };
    let mode = text(&mut old, "SELECT @@sql_mode").await;
    for server in stage.servers.servers() {
        server.run(&["SET GLOBAL sql_mode = 'ANSI_QUOTES'"]).await.unwrap();
    }
    // A connection that began then serves sessions that began before.
    old.query_drop("KILL CONNECTION_ID()").await.unwrap_err();
    let ids: Vec<u64> = stage
        .servers
        .primary()
        .root()
        .await
        .unwrap()
        .query("SELECT id FROM information_schema.processlist WHERE user = 'app'")
        .await
        .unwrap();
    let kills: Vec<_> = ids.iter().map(|id| format!("KILL {id}")).collect();
    stage.servers.primary().run(&kills).await.unwrap();
    let mut client = stage.client().await;
    for _ in 0..3 {
        assert_eq!(text(&mut client, r#"SELECT "word" /* pointsman: primary */"#).await, "word");
        assert_eq!(text(&mut client, r#"SELECT "word""#).await, "word");
        has(&mut client, "sql_mode", &mode).await;
    }
    stage.end().await;
}
