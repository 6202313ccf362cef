//! What a session is told of its state, and that a connection of a pool is as a fresh one: what a client sees through the
//! proxy is compared with what it sees directly, on MariaDB and MySQL.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by them")]

mod support;

use std::net::SocketAddr;

use pointsman::cluster::Flavor;
use pointsman::wire::Capabilities;
use pointsman::wire::command::code;
use support::raw::{Login, MODERN, Packet, Raw};
use support::{Stage, stage_on};

on_both!(
    a_reset_connection_is_as_a_fresh_one,
    a_reset_of_the_client_leaves_what_a_server_leaves,
    a_client_is_told_what_it_chose_and_sees_its_choice,
    what_is_known_is_answered_without_the_connection,
    functions_of_writes_leave_nothing_to_others,
    triggers_leave_no_variables_to_others,
    the_holder_of_a_lock_is_named_as_clients_know_it,
    what_one_family_has_alone,
);

/// One connection, so that the next session has that of the last.
const ONE: &str = "[routing]\nmax_lag='1h'\n[pools]\nsize=1\nwait_timeout='3s'\n";

/// What differs between any two connections.
const OWN: &[&str] =
    &["pseudo_thread_id", "timestamp", "rand_seed1", "rand_seed2", "last_gtid", "gtid_binlog_pos", "statement_id"];

/// All that a session can see of its variables, as the primary has them.
async fn variables(client: &mut Raw) -> Vec<String> {
    let packets = client.query("SHOW SESSION VARIABLES /* pointsman: primary */").await;
    let rows = packets.iter().filter_map(text_row);
    rows.filter(|row| !OWN.iter().any(|own| row.starts_with(&format!("{own} =")))).collect()
}

/// `name = value` of a row of two columns.
fn text_row(packet: &Packet) -> Option<String> {
    let payload = &packet.payload;
    let len = usize::from(*payload.first().filter(|len| **len < 0xFB)?);
    let name = payload.get(1..=len)?;
    let value = payload.get(len + 1..)?;
    // Definitions of columns begin with `def`, and are no rows.
    if name == b"def" || name.is_empty() {
        return None;
    }
    let value = match value.first()? {
        0xFC => value.get(3..)?,
        0xFB => b"NULL",
        _ => value.get(1..)?,
    };
    Some(format!("{} = {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
}

fn differing(direct: &[String], through: &[String]) -> Vec<String> {
    let only = |these: &[String], those: &[String], side: &str| {
        these.iter().filter(|one| !those.contains(one)).map(|one| format!("{side}: {one}")).collect::<Vec<_>>()
    };
    [only(direct, through, "directly"), only(through, direct, "through the proxy")].concat()
}

async fn both(stage: &Stage, login: &Login) -> [Raw; 2] {
    let at: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    [Raw::login(at[0], login).await, Raw::login(at[1], login).await]
}

/// Each form of a login that sets something.
fn logins() -> Vec<Login> {
    [MODERN, MODERN.with(Capabilities::IGNORE_SPACE), MODERN.with(Capabilities::INTERACTIVE)]
        .into_iter()
        .map(|form| Login::app().with(form))
        .collect()
}

/// A stage whose sessions differ by INTERACTIVE: otherwise there is nothing to tell them by.
async fn stage_with_timeouts(flavor: Flavor) -> Option<Stage> {
    let stage = stage_on(flavor, 0, ONE).await?;
    let timeouts = ["SET GLOBAL wait_timeout = 4000", "SET GLOBAL interactive_timeout = 5000"];
    stage.servers.primary().run(&timeouts).await.unwrap();
    Some(stage)
}

async fn a_reset_connection_is_as_a_fresh_one(flavor: Flavor) {
    let Some(stage) = stage_with_timeouts(flavor).await else { return };
    for login in logins() {
        let mut last = Raw::login(stage.listen(), &login).await;
        // It leaves what makes its connection be reset.
        last.run("SELECT @x := 1").await;
        last.run("SET time_zone = '+03:00'").await;
        last.send(&[code::QUIT]).await;
        assert!(last.is_closed().await);
        let [mut direct, mut through] = both(&stage, &login).await;
        assert_eq!(through.value("SELECT @x IS NULL").await, "1");
        let (direct, through) = (variables(&mut direct).await, variables(&mut through).await);
        assert!(direct.len() > 300, "{}", direct.len());
        let differing = differing(&direct, &through);
        assert!(differing.is_empty(), "{:?}: {differing:#?}", login.capabilities);
    }
    stage.end().await;
}

async fn a_reset_of_the_client_leaves_what_a_server_leaves(flavor: Flavor) {
    let Some(stage) = stage_with_timeouts(flavor).await else { return };
    for login in logins() {
        let [mut direct, mut through] = both(&stage, &login).await;
        for client in [&mut direct, &mut through] {
            client.run("SET time_zone = '+03:00', sql_mode = 'ANSI_QUOTES', wait_timeout = 77").await;
            assert!(client.one(&[code::RESET_CONNECTION]).await.is_ok());
        }
        let differing = differing(&variables(&mut direct).await, &variables(&mut through).await);
        assert!(differing.is_empty(), "{:?}: {differing:#?}", login.capabilities);
    }
    stage.end().await;
}

const ASKS: &str = "SELECT @@session_track_schema, @@session_track_state_change, @@session_track_system_variables";

async fn a_client_is_told_what_it_chose_and_sees_its_choice(flavor: Flavor) {
    let Some(stage) = stage_on(flavor, 1, "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n").await else { return };
    let [mut direct, mut through] = both(&stage, &Login::app()).await;
    for statement in [
        ASKS,
        "SHOW VARIABLES LIKE 'session_track%'",
        "SET session_track_schema = OFF",
        ASKS,
        "USE app",
        "SET session_track_state_change = 1, @y = 4",
        "SET @x = 5",
        ASKS,
        "SELECT ROW_COUNT()",
        "SET session_track_state_change = DEFAULT",
        "SET session_track_system_variables = 'sql_mode,TIME_ZONE'",
        "SET sql_mode = '', autocommit = 1",
        "SHOW SESSION VARIABLES LIKE 'session_track%'",
        "SET session_track_system_variables = CONCAT(@@session_track_system_variables, ',auto_increment_increment')",
        "SET auto_increment_increment = 3",
        "SET lc_time_names = 'de_DE'",
        ASKS,
        "SET session_track_system_variables = ''",
        "SET time_zone = '+01:00'",
        ASKS,
        "SET session_track_system_variables = DEFAULT, session_track_schema = DEFAULT",
        "SET time_zone = '+02:00'",
        "USE app",
        "SELECT @@session.session_track_schema AS tracked",
        "SET session_track_schema = 7",
        ASKS,
    ] {
        let (wanted, got) = (direct.query(statement).await, through.query(statement).await);
        let payloads = |packets: &[Packet]| packets.iter().map(|packet| packet.payload.clone()).collect::<Vec<_>>();
        assert_eq!(payloads(&wanted), payloads(&got), "{statement}");
    }
    // It is pinned by none of it.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    through.run("SELECT 'unpinned'").await;
    assert_eq!(stage.ran_on("'unpinned'"), ["replica1"]);
    if flavor == Flavor::MySql {
        stage.prepare(&["CREATE TABLE g (a INT)"]).await;
        let uuid = direct.value("SELECT @@server_uuid").await;
        for (choice, told) in [("OFF", false), ("OWN_GTID", true), ("OFF", false)] {
            through.run(&format!("SET session_track_gtids = '{choice}'")).await;
            let packets = through.query("INSERT INTO g VALUES (1)").await;
            let text = String::from_utf8_lossy(&packets[0].payload).into_owned();
            assert_eq!(text.contains(&uuid), told, "{choice}: {text}");
        }
    } else {
        stage.prepare(&["CREATE TABLE g (a INT)"]).await;
        for (choice, told) in [("''", false), ("'last_gtid'", true), ("DEFAULT", false)] {
            through.run(&format!("SET session_track_system_variables = {choice}")).await;
            let packets = through.query("INSERT INTO g VALUES (1)").await;
            let text = String::from_utf8_lossy(&packets[0].payload).into_owned();
            assert_eq!(text.contains("last_gtid"), told, "{choice}: {text}");
        }
    }
    stage.end().await;
}

/// What a statement left is asked after another session had the only connection.
async fn what_is_known_is_answered_without_the_connection(flavor: Flavor) {
    let Some(stage) = stage_on(flavor, 1, ONE).await else { return };
    let made = ["", "2"].map(|table| {
        [
            format!("CREATE TABLE asked{table} (id INT AUTO_INCREMENT PRIMARY KEY, a INT)"),
            format!("INSERT INTO asked{table} (a) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11)"),
        ]
    });
    stage.prepare(&made.iter().flatten().map(String::as_str).collect::<Vec<_>>()).await;
    let [mut direct, mut through] = both(&stage, &Login::app().with(MODERN)).await;
    let mut other = Raw::login(stage.listen(), &Login::app().with(MODERN)).await;
    let all = "SELECT FOUND_ROWS(), ROW_COUNT() AS n, LAST_INSERT_ID(), @@identity, @@last_insert_id `x`";
    let lists: &[(&[&str], &str)] = &[
        (&[], all),
        (&["SELECT id FROM asked LIMIT 2"], all),
        (&["SELECT id FROM asked LIMIT 0"], all),
        (&["SELECT x.id FROM asked x JOIN asked y JOIN asked z"], all),
        (&["SELECT id FROM asked", "DELETE FROM asked WHERE id > 10"], all),
        (&["SELECT id FROM asked", "INSERT INTO asked (a) VALUES (LAST_INSERT_ID()), (5)"], all),
        (&["SELECT id FROM asked", "REPLACE INTO asked VALUES (1, ROW_COUNT())"], all),
        (&["SELECT id FROM asked LIMIT 1", "SELECT nothing FROM asked"], all),
        (&["SELECT id FROM asked LIMIT 3", "SET @x = 1"], all),
        (&["UPDATE asked SET a = a + 1 WHERE id < 4"], "SELECT ROW_COUNT(), LAST_INSERT_ID() + 1 more"),
        (&["INSERT INTO asked (a) VALUES (7)"], "SELECT a, LAST_INSERT_ID() FROM asked WHERE id = LAST_INSERT_ID()"),
        (
            &["SELECT id FROM asked LIMIT 3"],
            "SELECT IFNULL(NULL, FOUND_ROWS()), CONCAT(ROW_COUNT(), '') FROM asked LIMIT 1",
        ),
        (&["DELETE FROM asked WHERE id = 5"], "SELECT (SELECT ROW_COUNT()), 1"),
    ];
    let own = |sql: &str| sql.replace("asked", "asked2");
    for (statements, asks) in lists {
        for prepared in [false, true] {
            for statement in *statements {
                direct.query(statement).await;
                through.query(&own(statement)).await;
            }
            let several = asks.contains("(SELECT ROW_COUNT");
            if !several {
                other.run("DO (SELECT 1 FROM (SELECT 1) d) /* pointsman: primary */").await;
                other.run("SELECT id FROM asked2 WHERE id = 1").await;
            }
            let mut answers = Vec::new();
            for (raw, asks) in [(&mut direct, (*asks).to_owned()), (&mut through, own(asks))] {
                if prepared {
                    let (mut packets, id) = raw.prepare(&asks).await;
                    packets.remove(0);
                    packets.extend(raw.execute(id, 0, &[]).await);
                    answers.push(packets);
                } else {
                    answers.push(raw.query(&asks).await);
                }
            }
            let shown = answers.pop().unwrap().into_iter().map(|packet| {
                let text = String::from_utf8_lossy(&packet.payload).replace("asked2", "asked");
                // The length of the table's name.
                text.replace("\u{6}asked", "\u{5}asked").into_bytes()
            });
            let direct =
                answers[0].iter().map(|packet| String::from_utf8_lossy(&packet.payload).into_owned().into_bytes());
            assert_eq!(direct.collect::<Vec<_>>(), shown.collect::<Vec<_>>(), "{statements:?} {asks} {prepared}");
        }
    }
}

/// Servers with these tables, functions and triggers, and a proxy with one connection to them.
async fn with_routines(flavor: Flavor, made: &[&str]) -> Option<Stage> {
    let stage = stage_on(flavor, 0, ONE).await?;
    stage.servers.primary().run(&["SET GLOBAL log_bin_trust_function_creators = 1"]).await.unwrap();
    stage.prepare(made).await;
    Some(stage)
}

/// A function that a write calls takes a lock and sets a variable, and no server reports it.
async fn functions_of_writes_leave_nothing_to_others(flavor: Flavor) {
    let made = [
        "CREATE TABLE w (id INT AUTO_INCREMENT PRIMARY KEY, a INT)",
        "CREATE FUNCTION kept(n INT) RETURNS INT DETERMINISTIC RETURN GET_LOCK('of_write', 1) + (@left := n) - 1",
    ];
    let Some(stage) = with_routines(flavor, &made).await else { return };
    let login = Login::app().with(MODERN);
    for (at, write) in [
        "INSERT INTO w (a) VALUES (kept(5))",
        "UPDATE w SET a = app.kept(5)",
        "REPLACE INTO w (a) SELECT kept(5)",
        "DELETE FROM w WHERE a = kept(5) + 70",
        "CREATE TABLE filled AS SELECT kept(5) AS a",
    ]
    .into_iter()
    .enumerate()
    {
        let mut writes = Raw::login(stage.listen(), &login).await;
        writes.run(write).await;
        assert_eq!(writes.value("SELECT @left").await, "5", "{write}");
        assert_eq!(writes.value("SELECT IS_USED_LOCK('of_write') = CONNECTION_ID()").await, "1", "{write}");
        writes.run("DO 0").await;
        if at % 2 == 0 {
            drop(writes);
        }
        // It waits for the only connection.
        let mut other = Raw::login(stage.listen(), &login).await;
        assert_eq!(other.value("SELECT CONCAT(@left IS NULL, IS_FREE_LOCK('of_write'))").await, "11", "{write}");
    }
}

/// What a trigger sets without a report is not found by a session that has not set it.
async fn triggers_leave_no_variables_to_others(flavor: Flavor) {
    let made = [
        "CREATE TABLE w (id INT AUTO_INCREMENT PRIMARY KEY, a INT)",
        "CREATE TABLE v (id INT AUTO_INCREMENT PRIMARY KEY, a INT)",
        "CREATE TRIGGER left_by_w BEFORE INSERT ON w FOR EACH ROW SET NEW.a = (@left := 7)",
        "CREATE TRIGGER left_by_v BEFORE INSERT ON v FOR EACH ROW SET @told = 8",
    ];
    let Some(stage) = with_routines(flavor, &made).await else { return };
    // What a trigger does is not in the text.
    stage.proxy.expect_mismatches();
    let login = Login::app().with(MODERN);
    let mut writes = Raw::login(stage.listen(), &login).await;
    writes.run("INSERT INTO w (a) VALUES (1)").await;
    let mut other = Raw::login(stage.listen(), &login).await;
    assert_eq!(other.value("SELECT @left IS NULL").await, "1");
    other.run("SET @mine = 3").await;
    assert_eq!(other.value("SELECT @mine").await, "3");
    // What servers report stays with its session.
    writes.run("INSERT INTO v (a) VALUES (1)").await;
    assert_eq!(writes.value("SELECT @told").await, "8");
    drop(writes);
    assert_eq!(other.value("SELECT @told IS NULL").await, "1");
}

async fn the_holder_of_a_lock_is_named_as_clients_know_it(flavor: Flavor) {
    let Some(stage) = stage_on(flavor, 0, "").await else { return };
    let login = Login::app().with(MODERN);
    let mut holder = Raw::login(stage.listen(), &login).await;
    let mut other = Raw::login(stage.listen(), &login).await;
    let id = holder.greeting.as_ref().unwrap().thread_id.to_string();
    holder.run("DO GET_LOCK('held', 1)").await;
    for raw in [&mut holder, &mut other] {
        assert_eq!(raw.value("SELECT IS_USED_LOCK('held')").await, id);
        assert_eq!(raw.value("SELECT CONCAT('x', IS_USED_LOCK('held')) FROM (SELECT 1) d").await, format!("x{id}"));
        let (_, statement) = raw.prepare("SELECT IS_USED_LOCK('held')").await;
        let packets = raw.execute(statement, 0, &[]).await;
        let row = &packets[packets.len() - 2].payload;
        assert_eq!(u32::from_le_bytes(*row[2..].first_chunk().unwrap()).to_string(), id);
    }
    assert_eq!(other.value("SELECT IS_USED_LOCK('held') = CONNECTION_ID()").await, "0");
    assert_eq!(holder.value("SELECT IS_USED_LOCK('held') = CONNECTION_ID()").await, "1");
    // One that came directly has the server's own id; and the column is what it is there.
    let mut direct = Raw::login(stage.servers.primary().address(), &login).await;
    let own = direct.greeting.as_ref().unwrap().thread_id.to_string();
    direct.run("DO GET_LOCK('directly', 1)").await;
    assert_eq!(other.value("SELECT IS_USED_LOCK('directly')").await, own);
    let asks = "SELECT IS_USED_LOCK('directly'), IS_USED_LOCK('free')";
    assert_eq!(direct.query(asks).await, other.query(asks).await);
}

async fn what_one_family_has_alone(flavor: Flavor) {
    let Some(stage) = stage_on(flavor, 1, "").await else { return };
    stage.prepare(&["CREATE TABLE alone (id INT AUTO_INCREMENT PRIMARY KEY, a INT)"]).await;
    let login = Login::app().with(MODERN);
    if flavor == Flavor::MySql {
        // Sessions that did not ask are told of their GTIDs.
        stage.servers.primary().run(&["SET GLOBAL session_track_gtids = OWN_GTID"]).await.unwrap();
        let [mut direct, mut through] = both(&stage, &login).await;
        for insert in ["INSERT INTO alone (a) VALUES (1)", "INSERT INTO alone (a) VALUES (2)"] {
            let (told, seen) = (direct.query(insert).await, through.query(insert).await);
            assert_eq!(told[0].payload.len(), seen[0].payload.len(), "{insert}");
            assert!(told[0].payload.len() > 40, "no GTID in {told:?}");
        }
        return;
    }
    let mut raw = Raw::login(stage.listen(), &login).await;
    raw.run("EXECUTE IMMEDIATE 'INSERT INTO alone (a) VALUES (?)' USING 5").await;
    assert_eq!(raw.value("EXECUTE IMMEDIATE 'SELECT a FROM alone'").await, "5");
    let (_, statement) = raw.prepare("SELECT a + ? FROM alone").await;
    assert!(raw.execute(statement, 0, &[Some(b"1")]).await.len() > 2);
    assert!(stage.metric("pointsman_route_reasons_total", &["pinned_"]).await < 0.5, "it pins");
    raw.run("EXECUTE IMMEDIATE 'SET @a = 1, @b = CONNECTION_ID()'").await;
    assert_eq!(raw.value("SELECT @a").await, "1");
    assert!(stage.metric("pointsman_route_reasons_total", &["pinned_user_variable"]).await > 0.5, "it does not pin");
    // All of one account, and nobody else.
    let mut same = Raw::login(stage.listen(), &login).await;
    let other = pointsman::sandbox::OTHER;
    let mut stays = Raw::login(stage.listen(), &Login::new(other.user, other.password).with(MODERN)).await;
    raw.send(b"\x03KILL USER CURRENT_USER()").await;
    assert_eq!(raw.read().await.error().code, 1927);
    assert!(same.is_closed().await);
    assert_eq!(stays.value("SELECT 1").await, "1");
}
