//! Prepared statements and the opening SET through the proxy, on real servers: what is asked of servers and what is
//! remembered, counted by the servers themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod support;

use bytes::BytesMut;
use pointsman::cluster::Flavor;
use pointsman::sandbox::Sandbox;
use pointsman::wire::writer::put_packet;
use support::Stage;
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw, execute_payload};

on_both!(
    servers_number_statements_one_after_the_other,
    a_repeated_prepare_is_answered_at_once,
    a_php_page_costs_its_queries_only,
    another_state_is_another_statement,
    ddl_through_the_proxy_is_seen_by_the_next_prepare,
    ddl_past_the_proxy_is_noticed,
    what_a_session_alone_has_is_not_remembered,
    warnings_and_counts_are_those_of_direct_connections,
    types_of_one_session_are_not_those_of_another,
    the_servers_limit_of_statements_makes_room,
    a_remembered_set_does_what_it_did,
    text_prepare_keeps_its_numbers_apart,
);

/// One connection to each server, so that it is known which one is used.
const ONE: &str = "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=1\nwait_timeout='5s'\n";

async fn stage(flavor: Flavor) -> Option<Stage> {
    stage_with(flavor, ONE).await
}

async fn stage_with(flavor: Flavor, extra: &str) -> Option<Stage> {
    let stage = support::stage_on(flavor, 0, extra).await?;
    stage
        .prepare(&[
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT, w VARCHAR(20))",
            "INSERT INTO t (v, w) VALUES (1, 'one'), (2, 'two'), (3, 'three')",
        ])
        .await;
    Some(stage)
}

async fn client(stage: &Stage) -> Raw {
    Raw::login(stage.listen(), &Login::app()).await
}

async fn direct(servers: &Sandbox) -> Raw {
    Raw::login(servers.primary().address(), &Login::app()).await
}

/// The commands that the primary was sent since the last time, but for those of the monitor and the test itself.
fn sent(stage: &Stage) -> Vec<String> {
    let seen = stage.servers.primary().commands_seen().unwrap();
    stage.servers.primary().forget_queries().unwrap();
    let ours = |text: &str| {
        text.contains(" t ")
            || text.to_lowercase().contains("names 'utf8mb4'")
            || text.contains("@@collation_connection, ' '")
    };
    seen.iter().filter(|one| ours(&one.text)).map(|one| format!("{} {}", one.command, one.text)).collect()
}

/// How many of them are of this kind.
fn count(sent: &[String], command: &str) -> usize {
    sent.iter().filter(|line| line.starts_with(command)).count()
}

/// The payloads. MariaDB lists the variables that a SET changed in no certain order: their bytes are sorted.
fn cells(packets: &[Packet]) -> Vec<Vec<u8>> {
    let sorted = |packet: &Packet| {
        let mut payload = packet.payload.clone();
        if payload.starts_with(&[0, 0, 0]) && payload.len() > 7 {
            payload.sort_unstable();
        }
        payload
    };
    packets.iter().map(sorted).collect()
}

/// Asserts that these are the same packets.
#[track_caller]
fn same(ours: &[Packet], theirs: &[Packet], what: &str) {
    let different = ours.iter().zip(theirs).find(|(ours, theirs)| ours != theirs);
    let counts = (ours.len(), theirs.len());
    assert!(different.is_none() && counts.0 == counts.1, "{what}: {counts:?} packets; {different:?}");
}

/// The payloads of a PREPARE's reply without the statement's id.
fn prepared(packets: &[Packet]) -> Vec<Vec<u8>> {
    let mut cells = cells(packets);
    if cells[0][0] == 0 {
        cells[0][1..5].fill(0);
    }
    cells
}

/// The id in a PREPARE_OK.
fn id(packet: &Packet) -> u32 {
    assert!(packet.is_ok(), "{packet:?}");
    u32::from_le_bytes(packet.payload[1..5].try_into().unwrap())
}

/// What the proxy relies on: ids go up by one, failed ones too, and an EXECUTE of an id that is not there does nothing.
async fn servers_number_statements_one_after_the_other(flavor: Flavor) {
    let Some(servers) = support::servers_of(flavor, 0, &[]).await else { return };
    numbering(&servers).await;
    servers.stop().await;
    if flavor == Flavor::MariaDb
        && let Some(newer) = support::newer_mariadb(&[]).await
    {
        numbering(&newer).await;
        newer.stop().await;
    }
}

async fn numbering(servers: &Sandbox) {
    let mut raw = direct(servers).await;
    assert_eq!(raw.prepare("SELECT 1").await.1, 1);
    assert_eq!(raw.prepare("SELECT 2").await.1, 2);
    // Failed: it has taken number 3.
    assert_eq!(raw.prepare("SELECT nothing").await.0[0].error().code, 1054);
    // PREPARE and EXECUTE in one write.
    let mut both = BytesMut::new();
    put_packet(&mut both, 0, b"\x16SELECT 4");
    put_packet(&mut both, 0, &execute_payload(4, 0, &[]));
    raw.write(&both).await;
    raw.sequence = 1;
    assert_eq!(id(&raw.read().await), 4);
    raw.read().await;
    raw.sequence = 1;
    assert!(raw.more_results().await.len() > 2);
    // The PREPARE fails: the EXECUTE finds nothing, whatever was prepared before.
    let mut both = BytesMut::new();
    put_packet(&mut both, 0, b"\x16SELECT nothing");
    put_packet(&mut both, 0, &execute_payload(5, 0, &[]));
    raw.write(&both).await;
    raw.sequence = 1;
    assert_eq!(raw.read().await.error().code, 1054);
    raw.sequence = 1;
    assert_eq!(raw.read().await.error().code, 1243);
    // A reset forgets the statements; ids may go on or begin anew.
    assert!(raw.one(b"\x1f").await.is_ok());
    let after = raw.prepare("SELECT 6").await.1;
    println!("{}: the first id behind a reset is {after}", servers.binaries().version());
    assert_eq!(raw.execute(5, 0, &[]).await[0].error().code, 1243);
}

async fn a_repeated_prepare_is_answered_at_once(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for capabilities in [CLASSIC, MODERN] {
        let login = Login { capabilities, ..Login::app() };
        let mut first = Raw::login(stage.listen(), &login).await;
        let sql = "SELECT id, v, w FROM t WHERE id > ? AND w <> ? ORDER BY id";
        let (reply, statement) = first.prepare(sql).await;
        let rows = first.execute(statement, 0, &[Some(b"1"), Some(b"x")]).await;
        assert!(count(&sent(&stage), "Prepare") > 0);
        let mut second = Raw::login(stage.listen(), &login).await;
        for _ in 0..20 {
            let (again, statement) = second.prepare(sql).await;
            assert_eq!(prepared(&again), prepared(&reply));
            assert_eq!(second.execute(statement, 0, &[Some(b"1"), Some(b"x")]).await, rows);
            second.send(&[&b"\x19"[..], &statement.to_le_bytes()].concat()).await;
        }
        let commands = sent(&stage);
        assert_eq!((count(&commands, "Prepare"), count(&commands, "Execute")), (0, 20), "{commands:?}");
        let mut straight = Raw::login(stage.servers.primary().address(), &login).await;
        let (same, statement) = straight.prepare(sql).await;
        assert_eq!(prepared(&same), prepared(&reply));
        assert_eq!(straight.execute(statement, 0, &[Some(b"1"), Some(b"x")]).await, rows);
    }
    assert!(stage.metric("pointsman_route_reasons_total", &["remembered"]).await >= 40.0);
    stage.end().await;
}

/// Laravel's.
const MODES: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
                     NO_ENGINE_SUBSTITUTION";

/// Laravel's opening and five prepared queries: the second page costs the server five EXECUTEs.
async fn a_php_page_costs_its_queries_only(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let page = async || {
        let mut php = Raw::login(stage.listen(), &Login { capabilities: CLASSIC, ..Login::app() }).await;
        php.run(&format!("set names 'utf8mb4' collate 'utf8mb4_unicode_ci', session sql_mode='{MODES}'")).await;
        for at in 0..5 {
            let (_, statement) = php.prepare(&format!("SELECT w FROM t WHERE id = ? LIMIT {at}, 1")).await;
            let rows = php.execute(statement, 0, &[Some(b"2")]).await;
            assert_eq!(rows.len(), if at == 0 { 5 } else { 4 });
            php.send(&[&b"\x19"[..], &statement.to_le_bytes()].concat()).await;
        }
        assert_eq!(
            php.value("SELECT CONCAT(@@collation_connection, ' ', @@sql_mode)").await,
            format!("utf8mb4_unicode_ci {MODES}")
        );
    };
    page().await;
    page().await;
    sent(&stage);
    page().await;
    page().await;
    let commands = sent(&stage);
    let counts = ["Prepare", "Execute", "Close", "Query"].map(|command| count(&commands, command));
    assert_eq!(counts, [0, 10, 0, 2], "{commands:?}");
    stage.end().await;
}

async fn another_state_is_another_statement(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let other = ["CREATE DATABASE app2", "CREATE TABLE app2.t (other INT)", "GRANT ALL ON app2.* TO 'app'@'%'"];
    stage.servers.primary().run(&other).await.unwrap();
    let mut one = client(&stage).await;
    let (first, _) = one.prepare("SELECT * FROM t").await;
    let mut two = client(&stage).await;
    two.run("USE app2").await;
    let (second, _) = two.prepare("SELECT * FROM t").await;
    assert_ne!(prepared(&first), prepared(&second));
    let (first, _) = one.prepare("SELECT \"w\" FROM t").await;
    let mut two = client(&stage).await;
    two.run("SET sql_mode = 'ANSI_QUOTES'").await;
    let (second, statement) = two.prepare("SELECT \"w\" FROM t").await;
    assert_ne!(prepared(&first), prepared(&second));
    // Held under the one mode, and wanted under the other.
    assert!(two.execute(statement, 0, &[]).await.iter().any(|row| row.payload.ends_with(b"\x03two")));
    let (_, statement) = one.prepare("SELECT \"w\" FROM t LIMIT 1").await;
    let rows = one.execute(statement, 0, &[]).await;
    assert!(rows.iter().any(|row| row.payload.ends_with(b"\x01w")), "{rows:?}");
    stage.end().await;
}

async fn ddl_through_the_proxy_is_seen_by_the_next_prepare(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut one = client(&stage).await;
    let sql = "SELECT * FROM t WHERE id = ?";
    let (three, statement) = one.prepare(sql).await;
    one.execute(statement, 0, &[Some(b"1")]).await;
    let mut two = client(&stage).await;
    assert_eq!(prepared(&two.prepare(sql).await.0), prepared(&three));
    for change in [
        "ALTER TABLE t ADD COLUMN x INT DEFAULT 7",
        "ALTER TABLE t RENAME COLUMN x TO y",
        "ALTER TABLE t MODIFY y BIGINT",
    ] {
        one.run(change).await;
        let (now, statement) = two.prepare(sql).await;
        let mut straight = direct(&stage.servers).await;
        let (expected, its) = straight.prepare(sql).await;
        assert_eq!(prepared(&now), prepared(&expected), "{change}");
        same(&two.execute(statement, 0, &[Some(b"1")]).await, &straight.execute(its, 0, &[Some(b"1")]).await, change);
    }
    one.run("DROP TABLE t").await;
    assert_eq!(two.prepare(sql).await.0[0].error().code, 1146);
    stage.end().await;
}

async fn ddl_past_the_proxy_is_noticed(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut client = client(&stage).await;
    let mut straight = direct(&stage.servers).await;
    let sql = "SELECT * FROM t WHERE id = ?";
    let page = async |client: &mut Raw| {
        let (reply, statement) = client.prepare(sql).await;
        (prepared(&reply), client.execute(statement, 0, &[Some(b"1")]).await)
    };
    let before = page(&mut client).await;
    assert_eq!(page(&mut client).await, before);
    straight.run("ALTER TABLE t ADD COLUMN x INT DEFAULT 7").await;
    // The result is right at once; what PREPARE says, from the next on.
    let (_, rows) = page(&mut client).await;
    let now = page(&mut straight).await;
    // The flag at the end says that the columns are not those of the PREPARE, which is true here.
    same(&rows[..rows.len() - 1], &now.1[..now.1.len() - 1], "at once");
    let next = page(&mut client).await;
    assert_eq!(next.0, now.0);
    same(&next.1, &now.1, "then");
    straight.run("ALTER TABLE t DROP COLUMN w").await;
    let sql = "SELECT w FROM t";
    assert_eq!(client.prepare(sql).await.0[0].error().code, 1054);
    straight.run("ALTER TABLE t ADD COLUMN w INT").await;
    let (_, its) = straight.prepare(sql).await;
    straight.execute(its, 0, &[]).await;
    // Remembered from the second on: the first was to take the error's warning away.
    for _ in 0..2 {
        let (_, statement) = client.prepare(sql).await;
        client.execute(statement, 0, &[]).await;
    }
    straight.run("ALTER TABLE t DROP COLUMN w").await;
    // Remembered, and wrong: the EXECUTE says so, and the next PREPARE.
    assert_eq!(straight.execute(its, 0, &[]).await[0].error().code, 1054);
    let (_, statement) = client.prepare(sql).await;
    assert_eq!(client.execute(statement, 0, &[]).await[0].error().code, 1054);
    assert_eq!(client.prepare(sql).await.0[0].error().code, 1054);
    assert_eq!(client.value("SELECT 5").await, "5");
    stage.end().await;
}

async fn what_a_session_alone_has_is_not_remembered(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut one = client(&stage).await;
    let sql = "SELECT * FROM t";
    let (shared, _) = one.prepare(sql).await;
    one.run("CREATE TEMPORARY TABLE t (only_here INT)").await;
    let (own, statement) = one.prepare(sql).await;
    assert_ne!(prepared(&own), prepared(&shared));
    assert_eq!(one.execute(statement, 0, &[]).await.len(), 3);
    one.run("DROP TEMPORARY TABLE t").await;
    let (again, statement) = one.prepare(sql).await;
    assert_eq!(prepared(&again), prepared(&shared));
    assert_eq!(one.execute(statement, 0, &[]).await.len(), 4 + 3 + 1);
    // A locked table: others cannot be prepared.
    one.run("LOCK TABLES t READ").await;
    let mut straight = direct(&stage.servers).await;
    straight.run("LOCK TABLES t READ").await;
    let other = "SELECT 1 FROM mysql.user";
    assert_eq!(prepared(&one.prepare(other).await.0), prepared(&straight.prepare(other).await.0));
    stage.end().await;
}

async fn warnings_and_counts_are_those_of_direct_connections(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut warm = client(&stage).await;
    for sql in ["SELECT v FROM t WHERE id = ?", "UPDATE t SET v = v + 1 WHERE id > ?"] {
        warm.prepare(sql).await;
        warm.prepare(sql).await;
    }
    for script in [
        // A PREPARE takes the warnings away, but not the counts.
        &["SELECT 1/0, CAST('x' AS SIGNED)", "P", "SHOW WARNINGS"][..],
        &["SELECT nothing", "P", "SHOW WARNINGS"],
        &["UPDATE t SET v = v", "P", "SELECT ROW_COUNT()"],
        &["SELECT SQL_CALC_FOUND_ROWS id FROM t LIMIT 1", "P", "SELECT FOUND_ROWS()"],
        &["SELECT LAST_INSERT_ID(9)", "P", "SELECT LAST_INSERT_ID()"],
        &["BEGIN", "UPDATE t SET v = v + 1", "P", "SELECT COUNT(*) FROM t", "ROLLBACK", "P", "SELECT @@warning_count"],
    ] {
        let mut replies = Vec::new();
        // One after the other: a transaction of the one would keep the other waiting.
        for mut raw in [client(&stage).await, direct(&stage.servers).await] {
            let mut all = Vec::new();
            for step in script {
                all.push(if *step == "P" {
                    prepared(&raw.prepare("SELECT v FROM t WHERE id = ?").await.0)
                } else {
                    cells(&raw.query(step).await)
                });
            }
            replies.push(all);
        }
        assert_eq!(replies[0], replies[1], "{script:?}");
    }
    stage.end().await;
}

/// MySQL keeps the types of the first EXECUTE: with `SELECT ?` the type shows.
async fn types_of_one_session_are_not_those_of_another(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let typed = |id: u32, kind: u8, value: &[u8]| {
        let mut payload = execute_payload(id, 0, &[Some(b"")]).to_vec();
        payload.truncate(payload.len() - 3);
        payload.extend_from_slice(&[kind, 0]);
        payload.extend_from_slice(value);
        payload
    };
    let shapes: [(u8, Vec<u8>); 4] = [
        (0xFD, b"\x041.50".to_vec()),
        (0x08, 7_i64.to_le_bytes().to_vec()),
        (0x05, 2.5_f64.to_le_bytes().to_vec()),
        (0xFD, b"\x03abc".to_vec()),
    ];
    for (kind, value) in &shapes {
        let mut through = client(&stage).await;
        let mut straight = direct(&stage.servers).await;
        let sql = "SELECT ?, ? IS NULL";
        let sql = &sql[..8];
        let (_, ours) = through.prepare(sql).await;
        let (_, theirs) = straight.prepare(sql).await;
        let ours = through.results(&typed(ours, *kind, value)).await;
        let theirs = straight.results(&typed(theirs, *kind, value)).await;
        assert_eq!(cells(&ours), cells(&theirs), "type {kind:#x}");
    }
    // One after the other by one session: each is as it was for the first, as directly.
    let mut through = client(&stage).await;
    let mut straight = direct(&stage.servers).await;
    let (_, ours) = through.prepare("SELECT ?").await;
    let (_, theirs) = straight.prepare("SELECT ?").await;
    for (kind, value) in shapes.iter().rev().chain(&shapes) {
        let ours = through.results(&typed(ours, *kind, value)).await;
        let theirs = straight.results(&typed(theirs, *kind, value)).await;
        assert_eq!(cells(&ours), cells(&theirs), "then type {kind:#x}");
    }
    stage.end().await;
}

async fn the_servers_limit_of_statements_makes_room(flavor: Flavor) {
    let Some(stage) = stage_with(flavor, ONE).await else { return };
    stage.servers.primary().run(&["SET GLOBAL max_prepared_stmt_count = 4"]).await.unwrap();
    let mut client = client(&stage).await;
    let mut ids = Vec::new();
    for at in 0..4 {
        ids.push(client.prepare(&format!("SELECT {at} + ?")).await.1);
    }
    // The server has no room for a fifth, and says so as it would directly.
    assert_eq!(client.prepare("SELECT 5 + ?").await.0[0].error().code, 1461);
    for id in ids {
        client.send(&[&b"\x19"[..], &id.to_le_bytes()].concat()).await;
    }
    // Of a remembered one only the EXECUTE shows it: what the connection holds makes room.
    stage.servers.primary().run(&["SET GLOBAL max_prepared_stmt_count = 100"]).await.unwrap();
    client.run("DO 1").await;
    client.prepare("SELECT 5 + ?").await;
    drop(client);
    let mut client = Raw::login(stage.listen(), &Login::app()).await;
    client.run("SET @x = 1").await;
    drop(client);
    // The connection is reset for it, and holds nothing then.
    let mut client = Raw::login(stage.listen(), &Login::app()).await;
    assert_eq!(client.value("SELECT @x IS NULL").await, "1");
    for at in 0..4 {
        let (_, id) = client.prepare(&format!("SELECT {at} + ?, 1")).await;
        client.execute(id, 0, &[Some(b"1")]).await;
    }
    stage.servers.primary().run(&["SET GLOBAL max_prepared_stmt_count = 4"]).await.unwrap();
    let (_, again) = client.prepare("SELECT 5 + ?").await;
    assert!(client.execute(again, 0, &[Some(b"1")]).await.len() > 2);
    stage.servers.primary().run(&["SET GLOBAL max_prepared_stmt_count = 0"]).await.unwrap();
    let (_, again) = client.prepare("SELECT 5 + ?").await;
    let refused = client.execute(again, 0, &[Some(b"1")]).await;
    // Held, or not to be prepared by anybody.
    assert!(refused[0].payload[0] != 0xFF || refused[0].error().code == 1461, "{refused:?}");
    stage.servers.primary().run(&["SET GLOBAL max_prepared_stmt_count = 16382"]).await.unwrap();
    assert_eq!(client.value("SELECT 5").await, "5");
    stage.end().await;
}

async fn a_remembered_set_does_what_it_did(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let sets = [
        "SET NAMES latin1",
        "SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+05:00'",
        "SET autocommit = 0",
        "SET autocommit = 1",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET @a = 5, @b = 'text'",
    ];
    let isolation = if flavor == Flavor::MariaDb { "tx_isolation" } else { "transaction_isolation" };
    let ask = format!(
        "SELECT CONCAT_WS(',', @@character_set_client, @@sql_mode, @@time_zone, @@autocommit, @@{isolation}, @a, @b)"
    );
    let mut seen = Vec::new();
    for round in 0..3 {
        let mut through = client(&stage).await;
        let mut straight = direct(&stage.servers).await;
        for set in sets {
            assert_eq!(cells(&through.query(set).await), cells(&straight.query(set).await), "{set}, round {round}");
            assert_eq!(through.value(&ask).await, straight.value(&ask).await, "{set}, round {round}");
            through.run("COMMIT").await;
        }
        seen.push(stage.metric("pointsman_route_reasons_total", &["remembered"]).await);
    }
    assert!(seen[2] >= seen[1] + 5.0 && seen[0] < 0.5, "{seen:?}");
    // What a server refuses is asked each time.
    let mut through = client(&stage).await;
    for _ in 0..2 {
        assert_eq!(through.query("SET sql_mode = 'NOTHING_LIKE_IT'").await[0].error().code, 1231);
        assert_eq!(through.value("SELECT @@sql_mode = 'NOTHING_LIKE_IT'").await, "0");
    }
    stage.end().await;
}

/// Statements prepared by text take numbers too.
async fn text_prepare_keeps_its_numbers_apart(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut warm = client(&stage).await;
    let insert = "INSERT INTO t (v) VALUES (? + 100)";
    let (_, statement) = warm.prepare(insert).await;
    warm.execute(statement, 0, &[Some(b"1")]).await;
    warm.run("DELETE FROM t WHERE v > 100").await;
    drop(warm);
    let mut client = client(&stage).await;
    client.run("PREPARE doubled FROM 'INSERT INTO t (v) VALUES (?), (?)'").await;
    client.run("PREPARE more FROM 'DELETE FROM t WHERE 1 = ?'").await;
    for at in 0..5 {
        let sql = format!("INSERT INTO t (v) VALUES (? + 10{at})");
        let (_, statement) = client.prepare(&sql).await;
        assert!(client.execute(statement, 0, &[Some(b"0")]).await[0].is_ok());
        let (_, statement) = client.prepare(&sql).await;
        assert!(client.execute(statement, 0, &[Some(b"0")]).await[0].is_ok());
    }
    assert_eq!(client.value("SELECT COUNT(*) FROM t WHERE v >= 100").await, "10");
    assert_eq!(client.value("SELECT COUNT(*) FROM t WHERE v < 100").await, "3");
    stage.end().await;
}
