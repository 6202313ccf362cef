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
