//! LOAD DATA LOCAL that ends in the middle of its file: the client goes away, breaks, or is killed. Nothing of it stays, as
//! directly, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by them")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use pointsman::wire::header::PacketHeader;
use support::raw::{Login, Raw};
use support::wire::Method;
use support::{Stage, until};

on_both!(a_file_that_ends_in_the_middle_leaves_nothing,);

const LOAD: &str = "LOAD DATA LOCAL INFILE 'x' INTO TABLE loaded";

async fn ends(client: &mut Raw) -> String {
    match client.try_read().await {
        Ok(packet) => packet.told(),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => "silent".to_owned(),
        Err(_) => "closed".to_owned(),
    }
}

/// Begins a load, and sends this much of its file.
async fn begin(address: SocketAddr, login: &Login, transaction: bool) -> (Raw, String) {
    let mut client = Raw::login(address, login).await;
    if transaction {
        client.run("BEGIN").await;
        client.run("INSERT INTO loaded VALUES (-1, 'before')").await;
    }
    let id = client.value("SELECT CONNECTION_ID()").await;
    assert_eq!(client.query(LOAD).await[0].payload[0], 0xFB);
    for piece in 0..20 {
        let rows: String = (0..100).map(|row| format!("{}\ttext\n", piece * 100 + row)).collect();
        client.answer(rows.as_bytes()).await;
    }
    (client, id)
}

async fn a_file_that_ends_in_the_middle_leaves_nothing(flavor: Flavor) {
    let Some(servers) = support::servers_of(flavor, 0, &["--local-infile=1"]).await else { return };
    let stage = Stage { proxy: support::proxy(&servers, "").await, servers };
    stage.prepare(&["CREATE TABLE loaded (a INT PRIMARY KEY, b VARCHAR(100))"]).await;
    let mut root = stage.servers.primary().root().await.unwrap();
    let mut neighbour = Raw::login(stage.listen(), &Login::app_on(flavor)).await;
    neighbour.run("CREATE TEMPORARY TABLE mine (a INT)").await;
    for compression in [None, Some(Method::Zlib)] {
        let login = Login { compression, ..Login::app_on(flavor) };
        for transaction in [false, true] {
            for how in ["leaves", "leaves in a packet", "is killed", "its query is killed", "is killed and goes on"] {
                let mut seen = Vec::new();
                for address in [stage.servers.primary().address(), stage.listen()] {
                    let (mut client, id) = begin(address, &login, transaction).await;
                    let mut other = Raw::login(address, &login).await;
                    let came = match how {
                        "leaves" => {
                            drop(client);
                            String::new()
                        }
                        "leaves in a packet" => {
                            let header = PacketHeader { payload_len: 5000, sequence: client.sequence }.encode();
                            client.write(&[&header[..], b"9999\tnot all"].concat()).await;
                            drop(client);
                            String::new()
                        }
                        "its query is killed" => {
                            other.run(&format!("KILL QUERY {id}")).await;
                            client.answer("7777\tbehind\n".repeat(50).as_bytes()).await;
                            client.answer(b"").await;
                            let came = ends(&mut client).await;
                            client.run("ROLLBACK").await;
                            format!("{came}, then {}", client.value("SELECT 5").await)
                        }
                        "is killed" => {
                            other.run(&format!("KILL {id}")).await;
                            let came = ends(&mut client).await;
                            // The server may say why.
                            if came.starts_with("1927") || came.starts_with("4031") || came.starts_with("3169") {
                                "closed".into()
                            } else {
                                came
                            }
                        }
                        _ => {
                            other.run(&format!("KILL {id}")).await;
                            tokio::time::sleep(Duration::from_millis(200)).await;
                            client.try_answer("7777\tbehind\n".repeat(50).as_bytes()).await;
                            client.try_answer(b"").await;
                            let came = ends(&mut client).await;
                            if came == "served" { came } else { "closed".into() }
                        }
                    };
                    let what = format!("{how}, in a transaction: {transaction}, {compression:?}, {address}");
                    // The server has nothing of it any more.
                    let running =
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE 'LOAD DATA LOCAL%'";
                    let mut left = 1;
                    for _ in 0..200 {
                        left = root.query_first::<u32, _>(running).await.unwrap().unwrap();
                        if left == 0 {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    assert_eq!(left, 0, "{what}: it still runs");
                    let open = support::open_transactions(&mut root).await;
                    assert!(open.is_empty(), "{what}: {open:?}");
                    let rows: Option<u32> = root.query_first("SELECT COUNT(*) FROM app.loaded").await.unwrap();
                    seen.push((came, rows));
                    root.query_drop("DELETE FROM app.loaded").await.unwrap();
                    assert_eq!(neighbour.value("SELECT COUNT(*) FROM mine").await, "0");
                    assert_eq!(other.value("SELECT 'there'").await, "there");
                }
                assert_eq!(seen[1], seen[0], "{how}, in a transaction: {transaction}, {compression:?}");
            }
        }
    }
    // And the next load works.
    let (mut client, _) = begin(stage.listen(), &Login::app_on(flavor), false).await;
    client.answer(b"").await;
    assert_eq!(ends(&mut client).await, "served");
    assert_eq!(client.value("SELECT COUNT(*) FROM loaded").await, "2000");
    until("no connection is lost", || async { stage.metric("pointsman_clients", &[]).await <= 2.0 }).await;
    stage.end().await;
}
