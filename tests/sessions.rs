//! Session state through the proxy, on real servers: who ran what is proven by their general logs, what a session sees by
//! what it would see directly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod support;

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Value};
use pointsman::cluster::Flavor;
use pointsman::sandbox::APP;
use support::Stage;

on_both!(
    a_pin_lasts_as_long_as_its_cause,
    a_read_only_transaction_runs_on_one_replica_whole,
    settings_follow_the_session_to_every_server,
    questions_about_the_previous_statement_are_answered_exactly,
    prepared_statements_are_routed_anew_each_time,
    nothing_of_a_session_reaches_the_next,
    a_lock_that_was_not_got_is_not_held,
    locks_of_a_client_that_vanishes_are_free_at_once,
    errors_and_kills_end_what_they_end,
    hints_rules_and_windows_decide_where_reads_go,
    a_replica_that_is_not_fit_is_not_read,
    a_change_of_user_is_a_new_session,
);

/// Two connections at most to each server: sessions share them for certain.
const SHARED: &str = "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=2\nwait_timeout='3s'\n";

async fn stage(flavor: Flavor) -> Option<Stage> {
    stage_with(flavor, SHARED).await
}

async fn stage_with(flavor: Flavor, extra: &str) -> Option<Stage> {
    let stage = support::stage_on(flavor, 1, extra).await?;
    stage
        .prepare(&[
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT UNIQUE)",
            "INSERT INTO t (v) VALUES (1), (2), (3)",
        ])
        .await;
    Some(stage)
}

/// Where a read of this client runs now.
async fn reads_on(stage: &Stage, client: &mut Conn) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark{}", NEXT.fetch_add(1, Ordering::Relaxed));
    // Past the sticky window of whatever came before.
    tokio::time::sleep(Duration::from_millis(5)).await;
    client.query_drop(format!("SELECT '{mark}'")).await.unwrap();
    let mut on = stage.ran_on(&mark);
    assert_eq!(on.len(), 1, "{mark} ran on {on:?}");
    on.remove(0)
}

async fn run(client: &mut Conn, statement: &str) {
    client.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn one(client: &mut Conn, query: &str) -> Value {
    client.query_first(query).await.unwrap_or_else(|error| panic!("{query}: {error}")).unwrap()
}

async fn number(client: &mut Conn, query: &str) -> i64 {
    let value: Option<i64> = client.query_first(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    value.unwrap()
}

async fn text(client: &mut Conn, query: &str) -> String {
    let value: Option<String> = client.query_first(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    value.unwrap()
}

fn code(result: Result<(), mysql_async::Error>) -> u16 {
    match result {
        Err(mysql_async::Error::Server(error)) => error.code,
        Err(error) => panic!("{error}"),
        Ok(()) => 0,
    }
}

/// Each: what pins, what releases.
async fn a_pin_lasts_as_long_as_its_cause(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    stage
        .prepare(&[
            "CREATE PROCEDURE makes_table() CREATE TEMPORARY TABLE made (a INT)",
            "CREATE PROCEDURE begins() START TRANSACTION",
        ])
        .await;
    let pins: &[(&[&str], &[&str])] = &[
        (&["BEGIN"], &["COMMIT"]),
        (&["START TRANSACTION"], &["ROLLBACK"]),
        (&["BEGIN", "SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"], &["COMMIT"]),
        (&["BEGIN", "COMMIT AND CHAIN"], &["COMMIT"]),
        (&["SET autocommit = 0", "SELECT v FROM t"], &["SET autocommit = 1"]),
        (&["XA START 'x'"], &["XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"]),
        (&["XA START 'y'", "XA END 'y'"], &["XA ROLLBACK 'y'"]),
        (&["SET TRANSACTION ISOLATION LEVEL READ COMMITTED"], &["SELECT v FROM t"]),
        (&["LOCK TABLES t READ"], &["UNLOCK TABLES"]),
        (&["SELECT GET_LOCK('a', 0)"], &["SELECT RELEASE_LOCK('A')"]),
        (&["DO GET_LOCK('a', 0)", "DO GET_LOCK('b', 0)", "DO RELEASE_LOCK('a')"], &["DO RELEASE_LOCK('b')"]),
        (&["SELECT GET_LOCK(CONCAT('a', 'b'), 0)", "SELECT RELEASE_LOCK('ab')"], &["SELECT RELEASE_ALL_LOCKS()"]),
        (&["DO GET_LOCK('n', 0)", "DO GET_LOCK('n', 0)", "DO RELEASE_LOCK('n')"], &["DO RELEASE_ALL_LOCKS()"]),
        (&["DO GET_LOCK('n', 0)", "SELECT GET_LOCK('n', 0)", "DO RELEASE_LOCK('n')"], &["SELECT RELEASE_LOCK('N')"]),
        (&["CREATE TEMPORARY TABLE x (a INT)"], &["DROP TEMPORARY TABLE x"]),
        (
            &["CREATE TEMPORARY TABLE x (a INT)", "CREATE TEMPORARY TABLE y (a INT)", "DROP TABLE x"],
            &["DROP TABLE app.y"],
        ),
        (&["HANDLER t OPEN", "HANDLER t READ FIRST"], &["HANDLER t CLOSE"]),
        (&["HANDLER t OPEN AS h"], &["HANDLER h CLOSE"]),
        (&["PREPARE p FROM 'SELECT 1'"], &["DEALLOCATE PREPARE p"]),
        (&["PREPARE p FROM 'SELECT 1'"], &["DROP PREPARE p"]),
        // EXECUTE does what the text does, and no more.
        (&["PREPARE p FROM 'SELECT 1'", "EXECUTE p"], &["DEALLOCATE PREPARE p"]),
        (
            &["SET @n = 700", "PREPARE p FROM 'INSERT INTO t (v) VALUES (?)'", "EXECUTE p USING @n"],
            &["DEALLOCATE PREPARE p", "DELETE FROM t WHERE v = 700"],
        ),
        (
            &["PREPARE p FROM 'SELECT GET_LOCK(''a'', 0)'", "EXECUTE p", "DEALLOCATE PREPARE p"],
            &["DO RELEASE_LOCK('a')"],
        ),
        (&["PREPARE p FROM 'SET @n = 7'", "EXECUTE p"], &["DROP PREPARE p"]),
        (&["SET timestamp = 5"], &["SET timestamp = DEFAULT"]),
        (&["CALL begins()"], &["COMMIT"]),
    ];
    let mut client = stage.client().await;
    for (take, release) in pins {
        assert_eq!(reads_on(&stage, &mut client).await, "replica1", "before {take:?}");
        for statement in *take {
            run(&mut client, statement).await;
        }
        assert_eq!(reads_on(&stage, &mut client).await, "primary", "after {take:?}");
        for statement in *release {
            run(&mut client, statement).await;
        }
        assert_eq!(reads_on(&stage, &mut client).await, "replica1", "after {release:?}");
    }
    // Only a reset ends these.
    for statement in
        ["SELECT @x := 5", "SELECT v INTO @x FROM t LIMIT 1", "SET @x = (SELECT MAX(v) FROM t)", "CALL makes_table()"]
    {
        assert_eq!(reads_on(&stage, &mut client).await, "replica1", "before {statement}");
        run(&mut client, statement).await;
        assert_eq!(reads_on(&stage, &mut client).await, "primary", "after {statement}");
        client.reset().await.unwrap();
    }
    // What can be carried along pins nothing.
    for statement in
        ["SET @x = 1, @y = 'a'", "SET sql_mode = 'ANSI'", "USE app", "SET NAMES latin1", "SET time_zone = '+01:00'"]
    {
        run(&mut client, statement).await;
        assert_eq!(reads_on(&stage, &mut client).await, "replica1", "after {statement}");
    }
    stage.end().await;
}

async fn a_read_only_transaction_runs_on_one_replica_whole(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut client = stage.client().await;
    run(&mut client, "INSERT INTO t (v) VALUES (50)").await;
    stage.servers.catch_up().await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    run(&mut client, "START TRANSACTION READ ONLY").await;
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    // The number that only the primary's connection knows.
    assert_eq!(number(&mut client, "SELECT LAST_INSERT_ID()").await, 4);
    assert_eq!(number(&mut client, "SELECT COUNT(*) FROM t /* whole */").await, 4);
    assert_eq!(stage.ran_on("/* whole */"), ["replica1"]);
    // What has no place there, or would outlive it, is refused; the replica's own refusal is never what a client sees.
    for statement in [
        "INSERT INTO t (v) VALUES (51)",
        "SELECT GET_LOCK('a', 0)",
        "CREATE TEMPORARY TABLE x (a INT)",
        "SELECT v FROM t FOR UPDATE",
    ] {
        assert_eq!(code(client.query_drop(statement).await), 1792, "{statement}");
    }
    run(&mut client, "COMMIT").await;
    run(&mut client, "INSERT INTO t (v) VALUES (52)").await;

    // Another transaction ends it, and must not run on the replica.
    tokio::time::sleep(Duration::from_millis(5)).await;
    run(&mut client, "START TRANSACTION READ ONLY").await;
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    run(&mut client, "BEGIN").await;
    run(&mut client, "INSERT INTO t (v) VALUES (53)").await;
    assert_eq!(reads_on(&stage, &mut client).await, "primary");
    run(&mut client, "ROLLBACK").await;
    assert_eq!(number(&mut client, "SELECT COUNT(*) FROM t WHERE v = 53 /* pointsman: primary */").await, 0);
    stage.end().await;
}

async fn settings_follow_the_session_to_every_server(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    stage.servers.primary().run(&["CREATE DATABASE other", "GRANT ALL ON other.* TO app@'%'"]).await.unwrap();
    stage.servers.catch_up().await.unwrap();
    let mut client = stage.client().await;
    let mut bystander = stage.client().await;
    // Laravel's opening.
    run(&mut client, "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci', SESSION sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE';").await;
    assert_eq!(text(&mut client, "SELECT COLLATION('a') /* laravel */").await, "utf8mb4_unicode_ci");
    assert_eq!(stage.ran_on("/* laravel */"), ["replica1"]);
    // On either server; an expression shows it without naming the variable.
    let shown: &[(&str, &str, &str)] = &[
        ("SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", "SELECT 'a' || \"v\" FROM t WHERE v = 1", "a1"),
        ("SET sql_mode = ''", "SELECT 'a' || 1 IS NULL", "0"),
        ("SET time_zone = '+05:30'", "SELECT FROM_UNIXTIME(0)", "1970-01-01 05:30:00"),
        ("SET NAMES latin1", "SELECT CHARSET('a')", "latin1"),
        ("SET NAMES utf8mb4", "SELECT CHARSET('a')", "utf8mb4"),
        ("SET collation_connection = 'utf8mb4_bin'", "SELECT COLLATION('a')", "utf8mb4_bin"),
        ("SET div_precision_increment = 2", "SELECT 1/3", "0.33"),
        ("SET @x = 'mine'", "SELECT @x", "mine"),
        ("SET lc_time_names = 'de_DE'", "SELECT DAYNAME('2024-01-01')", "Montag"),
        ("USE other", "SELECT DATABASE()", "other"),
    ];
    for (nth, (set, ask, expected)) in shown.iter().enumerate() {
        run(&mut client, set).await;
        // One use of the same connections by somebody else in between.
        run(&mut bystander, "SELECT 1 /* pointsman: primary */").await;
        run(&mut bystander, "SELECT 1").await;
        let replica = format!("{ask} /* r{nth} */");
        assert_eq!(text(&mut client, &replica).await, *expected, "{set}, on the replica");
        assert_eq!(stage.ran_on(&format!("/* r{nth} */")), ["replica1"], "{ask}");
        let primary = format!("{ask} /* pointsman: primary */");
        assert_eq!(text(&mut client, &primary).await, *expected, "{set}, on the primary");
    }
    assert_eq!(text(&mut bystander, "SELECT FROM_UNIXTIME(0) = '1970-01-01 05:30:00'").await, "0");
    assert_eq!(one(&mut bystander, "SELECT @x").await, Value::NULL);
    assert_eq!(text(&mut bystander, "SELECT DATABASE()").await, "app");
    assert_eq!(text(&mut bystander, "SELECT DAYNAME('2024-01-01')").await, "Monday");

    // Isolation levels and access modes, under whichever name the server has for them.
    run(&mut client, "SET SESSION TRANSACTION READ ONLY").await;
    assert_eq!(code(client.query_drop("CREATE TABLE no (a INT)").await), 1792);
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    run(&mut client, "SET SESSION TRANSACTION READ WRITE").await;
    run(&mut client, "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    assert_eq!(reads_on(&stage, &mut client).await, "primary");
    run(&mut client, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    stage.end().await;
}

async fn questions_about_the_previous_statement_are_answered_exactly(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut client = stage.client().await;
    let mut other = stage.client().await;

    // Nobody sees another's LAST_INSERT_ID(), on connections that they share.
    run(&mut other, "INSERT INTO t (v) VALUES (100)").await;
    drop(other);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(number(&mut client, "SELECT LAST_INSERT_ID()").await, 0);
    run(&mut client, "BEGIN").await;
    assert_eq!(number(&mut client, "SELECT LAST_INSERT_ID()").await, 0);
    run(&mut client, "COMMIT").await;
    run(&mut client, "INSERT INTO t (v) VALUES (101)").await;
    let mine = i64::try_from(client.last_insert_id().unwrap()).unwrap();
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    assert_eq!(number(&mut client, "SELECT LAST_INSERT_ID()").await, mine);
    // An explicit id is in the OK packet and is not LAST_INSERT_ID().
    run(&mut client, "INSERT INTO t (id, v) VALUES (500, 102)").await;
    assert_eq!(number(&mut client, "SELECT LAST_INSERT_ID()").await, mine);
    run(&mut client, "UPDATE t SET v = LAST_INSERT_ID(777) WHERE id = 500").await;
    assert_eq!(number(&mut client, "SELECT LAST_INSERT_ID()").await, 777);
    let prepared: Option<i64> = client.exec_first("SELECT LAST_INSERT_ID() + ?", (1,)).await.unwrap();
    assert_eq!(prepared, Some(778));
    assert_eq!(number(&mut client, "SELECT @@identity").await, 777);

    // FOUND_ROWS() outlives statements without a result of their own.
    run(&mut client, "SELECT v FROM t WHERE id < 3").await;
    assert_eq!(number(&mut client, "SELECT FOUND_ROWS()").await, 2);
    run(&mut client, "SELECT v FROM t WHERE id < 3").await;
    run(&mut client, "BEGIN").await;
    assert_eq!(number(&mut client, "SELECT FOUND_ROWS()").await, 2);
    run(&mut client, "COMMIT").await;
    run(&mut client, "SELECT SQL_CALC_FOUND_ROWS v FROM t WHERE id < 4 LIMIT 1").await;
    assert_eq!(number(&mut client, "SELECT FOUND_ROWS()").await, 3);
    let rows: Vec<i32> =
        client.exec("SELECT SQL_CALC_FOUND_ROWS v FROM t WHERE id < ? ORDER BY id LIMIT 1, 1", (4,)).await.unwrap();
    assert_eq!(rows, [2]);
    let found: Option<i64> = client.exec_first("SELECT FOUND_ROWS()", ()).await.unwrap();
    assert_eq!(found, Some(3));

    run(&mut client, "UPDATE t SET v = v + 1000 WHERE id < 3").await;
    assert_eq!(number(&mut client, "SELECT ROW_COUNT()").await, 2);
    assert_eq!(number(&mut client, "SELECT ROW_COUNT()").await, -1);
    run(&mut client, "DO 1").await;
    assert_eq!(number(&mut client, "SELECT ROW_COUNT()").await, 0);

    // Warnings, of a replica and of the primary.
    run(&mut client, "SELECT CAST(CONCAT(id, 'x') AS SIGNED) FROM t WHERE id = 1").await;
    let warnings: Vec<(String, u16, String)> = client.query("SHOW WARNINGS").await.unwrap();
    assert_eq!((warnings.len(), warnings[0].1), (1, 1292), "{warnings:?}");
    assert_eq!(stage.ran_on("SHOW WARNINGS"), ["replica1"]);
    run(&mut client, "INSERT IGNORE INTO t (v) VALUES (3)").await;
    let warnings: Vec<(String, u16, String)> = client.query("SHOW WARNINGS").await.unwrap();
    assert_eq!((warnings.len(), warnings[0].1), (1, 1062), "{warnings:?}");
    run(&mut client, "SELECT v FROM t WHERE id = 1").await;
    let warnings: Vec<(String, u16, String)> = client.query("SHOW WARNINGS").await.unwrap();
    assert_eq!(warnings.len(), 0);
    assert_eq!(code(client.query_drop("SELECT nothing FROM t").await), 1054);
    let errors: Vec<(String, u16, String)> = client.query("SHOW ERRORS").await.unwrap();
    assert_eq!(errors[0].1, 1054);
    assert!(client.prep("SELECT nothing FROM nowhere").await.is_err());
    let errors: Vec<(String, u16, String)> = client.query("SHOW ERRORS").await.unwrap();
    assert_eq!(errors[0].1, 1146);
    assert_eq!(code(client.query_drop("INSERT INTO t (v) VALUES (3)").await), 1062);
    run(&mut client, "GET DIAGNOSTICS CONDITION 1 @code = MYSQL_ERRNO").await;
    assert_eq!(number(&mut client, "SELECT @code").await, 1062);
    stage.end().await;
}

async fn prepared_statements_are_routed_anew_each_time(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    stage.servers.primary().run(&["CREATE DATABASE other", "GRANT ALL ON other.* TO app@'%'"]).await.unwrap();
    stage
        .prepare(&[
            "CREATE TABLE other.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)",
            "INSERT INTO other.t (v) VALUES (9)",
        ])
        .await;
    let mut client = stage.client().await;
    let read = client.prep("SELECT v FROM t WHERE id = ? /* again */").await.unwrap();
    for expected in ["replica1", "primary", "replica1"] {
        if expected == "primary" {
            run(&mut client, "BEGIN").await;
        }
        for server in stage.servers.servers() {
            server.forget_queries().unwrap();
        }
        let v: Option<i32> = client.exec_first(&read, (1,)).await.unwrap();
        assert_eq!(v, Some(1));
        assert_eq!(stage.ran_on("/* again */"), [expected]);
        if expected == "primary" {
            run(&mut client, "COMMIT").await;
        }
    }
    // It keeps the schema that it was prepared in.
    run(&mut client, "USE other").await;
    let v: Option<i32> = client.exec_first(&read, (1,)).await.unwrap();
    assert_eq!(v, Some(1));
    assert_eq!(number(&mut client, "SELECT v FROM t").await, 9);
    run(&mut client, "USE app").await;

    // To prepare it where it is not held yet must not end the transaction that runs there.
    let fresh = client.prep("SELECT COUNT(*) FROM t WHERE v > ? /* fresh */").await.unwrap();
    let _: Option<i64> = client.exec_first(&fresh, (0,)).await.unwrap();
    run(&mut client, "SET autocommit = 0").await;
    run(&mut client, "INSERT INTO t (v) VALUES (200)").await;
    let count: Option<i64> = client.exec_first(&fresh, (199,)).await.unwrap();
    assert_eq!(count, Some(1));
    run(&mut client, "ROLLBACK").await;
    let count: Option<i64> = client.exec_first(&fresh, (199,)).await.unwrap();
    assert_eq!(count, Some(0));
    run(&mut client, "ROLLBACK").await;
    run(&mut client, "SET autocommit = 1").await;

    // Types and NULLs are bound anew, also where the statement is prepared only now.
    let mut echo = client.prep("SELECT ?").await.unwrap();
    for value in
        [Value::NULL, Value::Int(-7), Value::Double(1.5), Value::Bytes(b"text".to_vec()), Value::UInt(u64::MAX)]
    {
        if flavor == Flavor::MySql {
            // There a parameter keeps the type of its first EXECUTE.
            echo = client.prep(format!("SELECT ? /* {value:?} */")).await.unwrap();
        }
        for _ in 0..2 {
            let seen: Option<Value> = client.exec_first(&echo, (value.clone(),)).await.unwrap();
            assert_eq!(seen, Some(value.clone()));
            run(&mut client, "BEGIN").await;
            let seen: Option<Value> = client.exec_first(&echo, (value.clone(),)).await.unwrap();
            assert_eq!(seen, Some(value.clone()));
            run(&mut client, "COMMIT").await;
        }
    }

    // DDL in between.
    let all = client.prep("SELECT * FROM t WHERE id = ?").await.unwrap();
    let row: Option<mysql_async::Row> = client.exec_first(&all, (1,)).await.unwrap();
    assert_eq!(row.unwrap().len(), 2);
    run(&mut client, "ALTER TABLE t ADD COLUMN w INT DEFAULT 6").await;
    stage.servers.catch_up().await.unwrap();
    let row: Option<mysql_async::Row> = client.exec_first(&all, (1,)).await.unwrap();
    assert_eq!(row.unwrap().len(), 3);
    stage.end().await;
}

async fn nothing_of_a_session_reaches_the_next(flavor: Flavor) {
    let Some(stage) =
        stage_with(flavor, "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=1\nwait_timeout='3s'\n").await
    else {
        return;
    };
    stage
        .prepare(&[
            "CREATE PROCEDURE takes() DO GET_LOCK('taken', 0)",
            "CREATE PROCEDURE into_x() SELECT 71 INTO @x",
            "CREATE PROCEDURE fails() BEGIN SELECT 71 INTO @x; SIGNAL SQLSTATE '45000'; END",
        ])
        .await;
    let functions = [
        "CREATE FUNCTION app.taking() RETURNS INT NO SQL RETURN GET_LOCK('taken', 0)",
        "CREATE FUNCTION app.leaving() RETURNS INT NO SQL BEGIN SELECT 71 INTO @x; RETURN 1; END",
    ];
    stage.servers.primary().run(&functions).await.unwrap();
    let leave: &[&[&str]] = &[
        &["BEGIN", "UPDATE t SET v = 900 WHERE id = 1"],
        &["SET autocommit = 0", "UPDATE t SET v = 900 WHERE id = 1"],
        &["LOCK TABLES t WRITE"],
        &["SELECT GET_LOCK('taken', 0)"],
        &["CALL takes()"],
        &["CALL into_x()"],
        &["CALL fails()"],
        &["SELECT taking()"],
        &["DO taking()"],
        &["SELECT leaving()"],
        &["SET @y = leaving()"],
        &["PREPARE p FROM 'SELECT leaving()'", "EXECUTE p", "DEALLOCATE PREPARE p"],
        &["CREATE TEMPORARY TABLE tmp (a INT)"],
        &["SELECT @x := 71"],
        &["SET @x = 71"],
        &["SELECT GET_LOCK('taken', 0); SELECT nothing"],
        &["SET sql_mode = 'ANSI_QUOTES', time_zone = '+03:00', sql_select_limit = 1"],
        &["START TRANSACTION READ ONLY", "SELECT v FROM t"],
        &["SET SESSION TRANSACTION READ ONLY"],
        &["INSERT INTO t (v) VALUES (300)", "DELETE FROM t WHERE v = 300"],
        &["HANDLER t OPEN"],
        &["PREPARE p FROM 'SELECT 1'"],
        &["USE information_schema"],
    ];
    for statements in leave {
        let mut client = stage.client().await;
        for statement in *statements {
            let _may_fail = client.query_drop(*statement).await;
        }
        client.disconnect().await.unwrap();
        // The one connection to each server is the next session's.
        let mut next = stage.client().await;
        assert_eq!(number(&mut next, "SELECT LAST_INSERT_ID()").await, 0, "after {statements:?}");
        assert_eq!(number(&mut next, "SELECT IS_FREE_LOCK('taken')").await, 1, "after {statements:?}");
        assert_eq!(one(&mut next, "SELECT @x").await, Value::NULL, "after {statements:?}");
        assert_eq!(text(&mut next, "SELECT DATABASE()").await, "app", "after {statements:?}");
        assert_eq!(number(&mut next, "SELECT \"1\" + 0").await, 1, "after {statements:?}");
        let rows: Vec<i32> = next.query("SELECT v FROM t ORDER BY id /* pointsman: primary */").await.unwrap();
        assert_eq!(rows, [1, 2, 3], "after {statements:?}");
        assert_eq!(code(next.query_drop("SELECT * FROM tmp /* pointsman: primary */").await), 1146);
        assert_eq!(code(next.query_drop("EXECUTE p").await), 1243, "after {statements:?}");
        run(&mut next, "UPDATE t SET v = v WHERE id = 1").await;
        assert_eq!(reads_on(&stage, &mut next).await, "replica1", "after {statements:?}");
        next.disconnect().await.unwrap();
    }
    stage.end().await;
}

async fn a_lock_that_was_not_got_is_not_held(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut holder = stage.servers.primary().connect(APP).await.unwrap();
    assert_eq!(number(&mut holder, "SELECT GET_LOCK('busy', 0)").await, 1);
    let mut client = stage.client().await;
    assert_eq!(number(&mut client, "SELECT GET_LOCK('busy', 0)").await, 0);
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    let statement = client.prep("SELECT GET_LOCK('busy', 0) AS got").await.unwrap();
    let got: Option<i64> = client.exec_first(&statement, ()).await.unwrap();
    assert_eq!(got, Some(0));
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    run(&mut holder, "DO RELEASE_LOCK('busy')").await;
    let got: Option<i64> = client.exec_first(&statement, ()).await.unwrap();
    assert_eq!(got, Some(1));
    assert_eq!(reads_on(&stage, &mut client).await, "primary");
    // Who holds it is the client, by whichever id.
    assert_eq!(number(&mut client, "SELECT IS_USED_LOCK('busy') = CONNECTION_ID()").await, 1);
    let mut other = stage.client().await;
    assert_eq!(number(&mut other, "SELECT CONNECTION_ID() <=> IS_USED_LOCK('busy')").await, 0);
    // Taken once, whatever failed before.
    run(&mut client, "DO RELEASE_LOCK('busy')").await;
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    assert_eq!(number(&mut client, "SELECT GET_LOCK('busy', 0)").await, 1);
    assert_eq!(reads_on(&stage, &mut client).await, "primary");
    stage.end().await;
}

async fn locks_of_a_client_that_vanishes_are_free_at_once(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut client = stage.client().await;
    run(&mut client, "BEGIN").await;
    run(&mut client, "UPDATE t SET v = 900 WHERE id = 1").await;
    run(&mut client, "DO GET_LOCK('held', 0)").await;
    // Without COM_QUIT.
    drop(client);
    let mut other = stage.client().await;
    let limit = Duration::from_secs(3);
    tokio::time::timeout(limit, other.query_drop("UPDATE t SET v = 1 WHERE id = 1")).await.unwrap().unwrap();
    assert_eq!(number(&mut other, "SELECT GET_LOCK('held', 1)").await, 1);
    stage.end().await;
}

async fn errors_and_kills_end_what_they_end(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    // A deadlock rolls back: the session is free again.
    let mut client = stage.client().await;
    let mut other = stage.client().await;
    run(&mut client, "BEGIN").await;
    run(&mut other, "BEGIN").await;
    run(&mut client, "UPDATE t SET v = 11 WHERE id = 1").await;
    run(&mut other, "UPDATE t SET v = 22 WHERE id = 2").await;
    run(&mut other, "INSERT INTO t (v) VALUES (70), (71), (72)").await;
    let waits = client.query_drop("UPDATE t SET v = 12 WHERE id = 2");
    let (first, second) = tokio::join!(waits, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.query_drop("UPDATE t SET v = 21 WHERE id = 1").await
    });
    let codes = [code(first), code(second)];
    assert!(codes == [1213, 0] || codes == [0, 1213], "{codes:?}");
    let victim = if codes[0] == 1213 { &mut client } else { &mut other };
    assert_eq!(reads_on(&stage, victim).await, "replica1");
    run(&mut client, "ROLLBACK").await;
    run(&mut other, "ROLLBACK").await;
    // Another error leaves the transaction open.
    run(&mut client, "BEGIN").await;
    assert_eq!(code(client.query_drop("INSERT INTO t (v) VALUES (1)").await), 1062);
    assert_eq!(reads_on(&stage, &mut client).await, "primary");
    run(&mut client, "ROLLBACK").await;

    // KILL by the id that the client knows.
    let id = client.id();
    let sleeper = tokio::spawn(async move {
        let slept: Result<Option<i64>, _> = client.query_first("SELECT SLEEP(20)").await;
        (client, slept)
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    run(&mut other, &format!("KILL QUERY {id}")).await;
    let (mut client, slept) = tokio::time::timeout(Duration::from_secs(5), sleeper).await.unwrap().unwrap();
    assert!(matches!(slept, Ok(Some(1)) | Err(mysql_async::Error::Server(_))), "{slept:?}");
    run(&mut client, "SELECT 1").await;
    run(&mut other, &format!("KILL {id}")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(client.query_drop("SELECT 1").await.is_err());
    assert_eq!(code(other.query_drop("KILL 999999").await), 1094);
    stage.end().await;
}

async fn hints_rules_and_windows_decide_where_reads_go(flavor: Flavor) {
    let extra = "[routing]\nconsistency='sticky=400ms'\nmax_lag='1h'\n\
                 [[replica_pools]]\nname='reports'\n\
                 [[rules]]\ntable='t'\nregex='(?i)count'\ntarget='primary'\n";
    let Some(stage) = stage_with(flavor, extra).await else { return };
    let mut client = stage.client().await;
    run(&mut client, "SELECT v FROM t /* one */ /* pointsman: primary */").await;
    assert_eq!(stage.ran_on("/* one */"), ["primary"]);
    run(&mut client, "SELECT COUNT(*) FROM t /* two */").await;
    assert_eq!(stage.ran_on("/* two */"), ["primary"]);
    // No replica is in that pool.
    run(&mut client, "SELECT v FROM t /* three */ /* pointsman: pool=reports */").await;
    assert_eq!(stage.ran_on("/* three */"), ["primary"]);
    // A hint never sends a write to a replica.
    for (nth, statement) in [
        "INSERT INTO t (v) VALUES (400)",
        "SELECT v FROM t FOR UPDATE",
        "SELECT v FROM t LOCK IN SHARE MODE",
        "SELECT 1; DELETE FROM t WHERE v = 400",
        "SELECT GET_LOCK('x', 0)",
        "DO RELEASE_ALL_LOCKS()",
    ]
    .iter()
    .enumerate()
    {
        run(&mut client, &format!("/* pointsman: replica */ {statement} /* h{nth} */")).await;
        assert_eq!(stage.ran_on(&format!("/* h{nth} */")), ["primary"], "{statement}");
    }
    // Sticky for a while after a write, but not for one who says that it need not be.
    run(&mut client, "UPDATE t SET v = 500 WHERE id = 1").await;
    run(&mut client, "SELECT v FROM t /* four */").await;
    assert_eq!(stage.ran_on("/* four */"), ["primary"]);
    run(&mut client, "/* pointsman: replica */ SELECT v FROM t /* five */").await;
    assert_eq!(stage.ran_on("/* five */"), ["replica1"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    // The window begins when the transaction commits, whatever commits it.
    run(&mut client, "SET autocommit = 0").await;
    run(&mut client, "UPDATE t SET v = 501 WHERE id = 1").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    run(&mut client, "SET autocommit = 1").await;
    assert_eq!(number(&mut client, "SELECT v FROM t WHERE id = 1 /* six */").await, 501);
    assert_eq!(stage.ran_on("/* six */"), ["primary"]);
    stage.end().await;
}

async fn a_replica_that_is_not_fit_is_not_read(flavor: Flavor) {
    let extra = "[routing]\nconsistency='eventual'\nmax_lag='1s'\n";
    let Some(stage) = stage_with(flavor, extra).await else { return };
    let replica = &stage.servers.replicas()[0];
    let mut client = stage.client().await;
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");

    replica.stop_sql_thread().await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(reads_on(&stage, &mut client).await, "primary");
    assert!(
        stage.metric("pointsman_statements_total", &["reason=\"replicas_stopped\""]).await > 0.0,
        "{}",
        stage.metrics().await
    );
    replica.start_sql_thread().await.unwrap();
    reads_come_to_the_replica(&stage, &mut client).await;

    replica.kill().await.unwrap();
    run(&mut client, "SELECT v FROM t").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    run(&mut client, "SELECT v FROM t").await;
    assert!(
        stage.metric("pointsman_statements_total", &["reason=\"replicas_down\""]).await > 0.0,
        "{}",
        stage.metrics().await
    );
    replica.restart().await.unwrap();
    reads_come_to_the_replica(&stage, &mut client).await;
    stage.end().await;
}

/// Within ten seconds: a server that begins again is seen when the monitor looks.
async fn reads_come_to_the_replica(stage: &Stage, client: &mut Conn) {
    for _ in 0..100 {
        if reads_on(stage, client).await == "replica1" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the replica is not read again");
}

async fn a_change_of_user_is_a_new_session(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut client = stage.client().await;
    run(&mut client, "SET @x = 5, time_zone = '+03:00'").await;
    run(&mut client, "BEGIN").await;
    run(&mut client, "UPDATE t SET v = 900 WHERE id = 1").await;
    let opts = mysql_async::ChangeUserOpts::new()
        .with_user(Some(APP.user.to_owned()))
        .with_pass(Some(APP.password.to_owned()))
        .with_db_name(Some("app".to_owned()));
    client.change_user(opts).await.unwrap();
    assert_eq!(one(&mut client, "SELECT @x").await, Value::NULL);
    assert_eq!(number(&mut client, "SELECT v FROM t WHERE id = 1 /* pointsman: primary */").await, 1);
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    // And a reset: all but the schema.
    run(&mut client, "SET @x = 5").await;
    run(&mut client, "BEGIN").await;
    client.reset().await.unwrap();
    assert_eq!(one(&mut client, "SELECT @x").await, Value::NULL);
    assert_eq!(reads_on(&stage, &mut client).await, "replica1");
    stage.end().await;
}
