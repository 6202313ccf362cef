//! The edges of the protocol: what servers refuse in the middle, what is longer than they take, what a reset leaves, and
//! names and statements of no length. The same conversation directly and through the proxy must go the same way.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by them")]

mod support;

use std::net::SocketAddr;

use bytes::BytesMut;
use pointsman::cluster::Flavor;
use pointsman::wire::writer::put_packet;
use support::Stage;
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw};

on_both!(
    files_are_refused_as_by_the_server,
    a_reset_leaves_what_the_server_leaves,
    names_and_statements_of_no_length_pass,
);

fn login(flavor: Flavor) -> Login {
    Login::app().with(MODERN).plugin(if flavor == Flavor::MySql {
        "caching_sha2_password"
    } else {
        "mysql_native_password"
    })
}

async fn stage(flavor: Flavor, extra: &[&str]) -> Option<Stage> {
    let servers = support::servers_of(flavor, 0, extra).await?;
    let proxy = support::proxy(&servers, "").await;
    Some(Stage { servers, proxy })
}

/// A packet for people to compare: an error's number and text, else its bytes.
fn told(packet: &Packet) -> String {
    if packet.payload.first() == Some(&0xFF) {
        let error = packet.error();
        return format!("{} {}", error.code, error.message);
    }
    format!("{}", packet.payload.escape_ascii())
}

/// The last packet of a reply, or how the connection ended.
async fn ends(client: &mut Raw) -> String {
    match client.try_read().await {
        Ok(packet) => told(&packet),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => "silent".to_owned(),
        Err(_) => "closed".to_owned(),
    }
}

/// LOAD DATA LOCAL with this file in pieces of 1000 bytes; what came of it.
async fn load(client: &mut Raw, sql: &str, file: &[u8]) -> String {
    let packets = client.query(sql).await;
    if packets[0].payload[0] != 0xFB {
        return told(&packets[0]);
    }
    for piece in file.chunks(1000) {
        client.answer(piece).await;
    }
    client.answer(b"").await;
    ends(client).await
}

async fn files_are_refused_as_by_the_server(flavor: Flavor) {
    let Some(stage) = stage(flavor, &["--local-infile=1", "--log-bin-trust-function-creators=1"]).await else { return };
    stage
        .servers
        .primary()
        .run(&["CREATE TABLE app.strict (a INT PRIMARY KEY, b VARCHAR(10) NOT NULL, CHECK (a < 1000))"])
        .await
        .unwrap();
    let addresses: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    let rows: String = (0..3000).map(|at| format!("{at}\ttext\n")).collect();
    let mut seen = Vec::new();
    for address in addresses {
        let mut log = Vec::new();
        let mut client = Raw::login(address, &login(flavor)).await;
        let mut say = |what: &str, came: String| log.push(format!("{what}: {came}"));
        let into = "LOAD DATA LOCAL INFILE 'x' INTO TABLE strict";
        say("columns that are not there", load(&mut client, &format!("{into} (a, b, c)"), rows.as_bytes()).await);
        say(
            "a table that is not there",
            load(&mut client, "LOAD DATA LOCAL INFILE 'x' INTO TABLE nowhere", rows.as_bytes()).await,
        );
        say("too few columns", load(&mut client, into, b"1\n2\n").await);
        say("again, duplicate keys", load(&mut client, into, b"1\tb\n1\tc\n").await);
        say("replaced", load(&mut client, &into.replace("INTO", "REPLACE INTO"), b"1\tb\n1\tc\n").await);
        say("a constraint in the middle", load(&mut client, into, rows.as_bytes()).await);
        say("bad numbers", load(&mut client, into, "x\ty\n".repeat(2000).as_bytes()).await);
        say("a signal in a trigger", {
            client.run("DROP TRIGGER IF EXISTS stops").await;
            client.run("CREATE TRIGGER stops BEFORE INSERT ON strict FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'").await;
            load(&mut client, into, rows.as_bytes()).await
        });
        client.run("DROP TRIGGER stops").await;
        say("it goes on", client.value("SELECT COUNT(*) FROM strict").await);
        client.run("DELETE FROM strict").await;
        // The client refuses: an empty packet, at once.
        say("an empty file", load(&mut client, into, b"").await);
        say("it goes on", client.value("SELECT 1").await);
        // Its connection is cut in the middle: nothing of it stays.
        let mut cut = Raw::login(address, &login(flavor)).await;
        cut.query(into).await;
        cut.answer(b"5\tfive\n6\tsi").await;
        drop(cut);
        tokio::time::sleep(std::time::Duration::from_millis(1000)).await;
        say("cut", client.value("SELECT COUNT(*) FROM strict").await);
        stage.servers.primary().run(&["SET GLOBAL local_infile = 0"]).await.unwrap();
        say("not allowed", load(&mut client, into, rows.as_bytes()).await);
        say("it goes on", client.value("SELECT 2").await);
        stage.servers.primary().run(&["SET GLOBAL local_infile = 1"]).await.unwrap();
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    stage.end().await;
}

async fn a_reset_leaves_what_the_server_leaves(flavor: Flavor) {
    let Some(stage) = stage(flavor, &[]).await else { return };
    stage.prepare(&["CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)"]).await;
    let addresses: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    let mut seen = Vec::new();
    for address in addresses {
        let mut log = Vec::new();
        let mut client = Raw::login(address, &login(flavor).with(CLASSIC)).await;
        let mut other = Raw::login(address, &login(flavor).with(CLASSIC)).await;
        client.run("CREATE TEMPORARY TABLE own (a INT)").await;
        client.run("SELECT GET_LOCK('held', 5)").await;
        client.run("SET @v = 5, SESSION sql_mode = 'ANSI', autocommit = 0").await;
        client.run("LOCK TABLES t WRITE").await;
        client.run("UNLOCK TABLES").await;
        let (_, id) = client.prepare("SELECT a FROM t ORDER BY a").await;
        client.execute(id, 1, &[]).await;
        client.run("INSERT INTO t VALUES (50)").await;
        client.run("HANDLER t OPEN").await;
        log.push(other.value("SELECT GET_LOCK('held', 0)").await);
        log.push(told(&client.one(b"\x1f").await));
        for sql in [
            "SELECT COUNT(*) FROM own",
            "SELECT IFNULL(@v, 'none')",
            "SELECT @@sql_mode LIKE '%ANSI%'",
            "SELECT @@autocommit",
            "SELECT COUNT(*) FROM t",
            "SELECT DATABASE()",
            "SELECT LAST_INSERT_ID()",
            "SELECT ROW_COUNT()",
            "HANDLER t READ FIRST",
        ] {
            let packets = client.query(sql).await;
            log.push(format!("{sql}: {:?}", packets.iter().map(told).collect::<Vec<_>>()));
        }
        log.push(other.value("SELECT GET_LOCK('held', 1)").await);
        client.send(&[&b"\x1c"[..], &id.to_le_bytes(), &[1, 0, 0, 0]].concat()).await;
        log.push(format!("fetch: {}", client.read().await.error().code));
        log.push(format!("execute: {}", client.execute(id, 0, &[]).await[0].error().code));
        // Without the privilege, nobody ends the server.
        for form in [&b"\x08"[..], b"\x03SHUTDOWN"] {
            log.push(format!("shutdown: {}", told(&client.one(form).await)));
        }
        log.push(client.value("SELECT 'there'").await);
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    stage.end().await;
}

async fn names_and_statements_of_no_length_pass(flavor: Flavor) {
    let Some(stage) = stage(flavor, &[]).await else { return };
    let addresses: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    let mut seen = Vec::new();
    for address in addresses {
        let mut log = Vec::new();
        let mut nobody = login(flavor);
        nobody.user = String::new();
        log.push(match Raw::login_uncertain(address, &nobody).await {
            Ok(_) => "logged in".to_owned(),
            Err(error) => format!("{} {}", error.code, error.message),
        });
        let mut none = login(flavor);
        none.schema = Some(String::new());
        let mut client = Raw::login(address, &none).await;
        log.push(told(&client.query("SELECT DATABASE()").await[2]));
        for command in [
            &b"\x02"[..],
            b"\x03",
            b"\x16",
            b"\x03;",
            b"\x03 ",
            b"\x03/**/",
            b"\x03USE ``",
            b"\x03SELECT ``",
            b"\x03SELECT '' AS ``",
        ] {
            log.push(format!("{command:?} {}", told(client.results(command).await.last().unwrap())));
        }
        client.run("USE app").await;
        log.push(told(&client.one(b"\x02").await));
        log.push(client.value("SELECT DATABASE()").await);
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    stage.end().await;
}

/// PREPARE and EXECUTE of "the statement prepared last" in one write, with as many parameters as a client's own count says.
#[tokio::test]
async fn executes_that_do_not_fit_their_statement_hit_nobody_else() {
    let Some(stage) = stage(Flavor::MariaDb, &[]).await else { return };
    let addresses: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    let mut seen = Vec::new();
    for address in addresses {
        let mut log = Vec::new();
        let login = login(Flavor::MariaDb);
        let mut client = Raw::login(address, &login).await;
        let columns = |count: usize| (1..=count).map(|at| format!("f{at}")).collect::<Vec<_>>().join(", ");
        let table = (1..=17).map(|at| format!("f{at} CHAR(36)")).collect::<Vec<_>>().join(", ");
        client.run(&format!("CREATE TEMPORARY TABLE own ({table})")).await;
        let with =
            |count: usize| format!("INSERT INTO own ({}) VALUES ({})", columns(count), vec!["?"; count].join(", "));
        let text = [&[36][..], &[b'7'; 36]].concat();
        for (fields, sent, first) in (1..=16)
            .map(|sent| (17, sent, 0xFE))
            .chain([(1, 0, 0xFE), (17, 17, 0xFE)])
            .chain((1..=8).map(|sent| (9, sent, 1)))
            .chain((0..=18).map(|sent| (0, sent, 1)))
        {
            let sql = if fields == 0 { "INSERT INTO own (f1) VALUES ('literal')".to_owned() } else { with(fields) };
            let mut execute = [&[0x17][..], &[0xFF; 4], &[0, 1, 0, 0, 0]].concat();
            if sent > 0 {
                execute.extend_from_slice(&vec![0; usize::div_ceil(sent, 8)]);
                execute.push(1);
                for at in 0..sent {
                    execute.extend_from_slice(&[if at == 0 { first } else { 0xFE }, 0]);
                }
                for at in 0..sent {
                    execute.extend_from_slice(if at == 0 && first == 1 { &[7] } else { &text });
                }
            }
            let mut out = BytesMut::new();
            put_packet(&mut out, 0, &[b"\x16", sql.as_bytes()].concat());
            put_packet(&mut out, 0, &execute);
            client.write(&out).await;
            client.sequence = 1;
            for _ in 0..=fields {
                client.read().await;
            }
            client.sequence = 1;
            let came = ends(&mut client).await;
            log.push(format!("{fields} {sent} {first}: {came}"));
            if came == "closed" || came == "silent" {
                break;
            }
        }
        for _ in 0..5 {
            let mut other = Raw::login(address, &login).await;
            log.push(other.value("SELECT 'others'").await);
            other.run("CREATE TEMPORARY TABLE x (a INT)").await;
            log.push(other.value("SELECT COUNT(*) FROM x").await);
        }
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    stage.end().await;
}
