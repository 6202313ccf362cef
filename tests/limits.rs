//! Commands that are as long as may be, and a byte longer: of the server's `max_allowed_packet` and of `proxy.max_packet`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by them")]

mod support;

use std::net::SocketAddr;

use pointsman::cluster::Flavor;
use pointsman::wire::header::MAX_PAYLOAD;
use support::Stage;
use support::raw::{Login, Raw, execute_payload};
use support::wire::Method;

on_both!(
    commands_of_any_length_end_as_at_the_server,
    what_becomes_too_long_is_refused_as_by_the_server,
    the_proxys_own_limit_is_exact,
);

const TOO_LONG: &str = "1153 08S01 Got a packet bigger than 'max_allowed_packet' bytes";

async fn stage(flavor: Flavor, limit: &str, extra: &str) -> Option<Stage> {
    let servers = support::servers_of(flavor, 0, &[&format!("--max-allowed-packet={limit}")]).await?;
    let proxy = support::proxy(&servers, extra).await;
    Some(Stage { servers, proxy })
}

/// An EXECUTE of a statement whose one parameter, a BLOB, came as long data.
fn execute_long(id: u32) -> Vec<u8> {
    let mut run = execute_payload(id, 0, &[Some(b"")]).to_vec();
    run.truncate(run.len() - 1);
    let types = run.len() - 2;
    run[types..].copy_from_slice(&[0xFC, 0]);
    run
}

/// The kinds of command that may be long.
const KINDS: [&str; 4] = ["query", "prepare", "execute", "long data"];

/// What comes of a command of this kind whose payload has `len` bytes.
async fn came_of(address: SocketAddr, login: &Login, kind: &str, len: usize) -> String {
    let mut client = Raw::login(address, login).await;
    let (_, id) = client.prepare("SELECT LENGTH(?)").await;
    let text = |first: &[u8]| [first, b"SELECT LENGTH('", &vec![b'x'; len - 18], b"')"].concat();
    let payload = match kind {
        "query" => text(b"\x03"),
        "prepare" => text(b"\x16"),
        "execute" => {
            let around = execute_payload(id, 0, &[Some(&vec![b'x'; len - 100])]).len() - (len - 100);
            execute_payload(id, 0, &[Some(&vec![b'x'; len - around])]).to_vec()
        }
        _ => [&b"\x18"[..], &id.to_le_bytes(), &[0, 0], &vec![b'x'; len - 7]].concat(),
    };
    assert_eq!(payload.len(), len, "{kind}");
    client.try_send(&payload).await;
    client.sequence = u8::try_from(len / MAX_PAYLOAD + 1).unwrap();
    if kind == "long data" {
        // It has no reply, unless it is too long.
        if let Ok(Ok(packet)) = tokio::time::timeout(std::time::Duration::from_millis(700), client.try_read()).await {
            let told = packet.told();
            return if client.is_closed().await { told } else { format!("{told}, and goes on") };
        }
        client.try_send(&execute_long(id)).await;
        client.sequence = 1;
    }
    let Ok(first) = client.try_read().await else { return "closed".to_owned() };
    let told = first.told();
    if told != "served" {
        return if client.is_closed().await { told } else { format!("{told}, and goes on") };
    }
    told
}

/// What the server says before it resets the connection is mostly lost on its own client; never on one of the proxy's.
async fn commands_of_any_length_end_as_at_the_server(flavor: Flavor) {
    const MIB: usize = 1 << 20;
    for (limit, lens) in [
        ("1M", &[MIB / 2, MIB - 2, MIB - 1, MIB, MIB + 1, 3 * MIB][..]),
        ("20M", &[MAX_PAYLOAD, 20 * MIB - 1, 20 * MIB]),
    ] {
        let Some(stage) = stage(flavor, limit, "").await else { return };
        let direct = stage.servers.primary().address();
        for compression in [None, Some(Method::Zlib)] {
            let login = Login { compression, ..Login::app_on(flavor) };
            for kind in KINDS {
                for &len in lens {
                    // Of compressed packets servers count some bytes more.
                    if compression.is_some() && (kind == "prepare" || len > MAX_PAYLOAD || len.abs_diff(MIB) < 9) {
                        continue;
                    }
                    let proxied = came_of(stage.listen(), &login, kind, len).await;
                    let mut directly = came_of(direct, &login, kind, len).await;
                    if directly == "closed" {
                        directly = TOO_LONG.to_owned();
                    }
                    assert_eq!(proxied, directly, "{kind} of {len} with {limit}, {compression:?}");
                    assert!([TOO_LONG, "served"].contains(&&*proxied), "{proxied}");
                }
            }
        }
        // Nobody else noticed.
        let mut other = Raw::login(stage.listen(), &Login::app_on(flavor)).await;
        assert_eq!(other.value("SELECT 'there'").await, "there");
        stage.end().await;
    }
}

async fn what_becomes_too_long_is_refused_as_by_the_server(flavor: Flavor) {
    let Some(stage) = stage(flavor, "1M", "").await else { return };
    let mut seen = Vec::new();
    for address in [stage.servers.primary().address(), stage.listen()] {
        let mut log = Vec::new();
        for compression in [None, Some(Method::Zlib)] {
            let mut client = Raw::login(address, &Login { compression, ..Login::app_on(flavor) }).await;
            let (_, id) = client.prepare("SELECT LENGTH(?)").await;
            for pieces in [2, 6] {
                for _ in 0..pieces {
                    client.send(&[&b"\x18"[..], &id.to_le_bytes(), &[0, 0], &vec![b'x'; 500_000]].concat()).await;
                }
                log.push(client.results(&execute_long(id)).await.last().unwrap().told());
            }
            for sql in [
                "SELECT REPEAT('y', 1048575)",
                "SELECT REPEAT('y', 1048576)",
                "SELECT REPEAT('y', 1048577)",
                "SELECT CONCAT(REPEAT('y', 1000000), REPEAT('z', 1000000)) IS NULL",
            ] {
                log.push(client.query(sql).await.last().unwrap().told());
                log.push(client.value("SELECT 5").await);
            }
        }
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    stage.end().await;
}

async fn the_proxys_own_limit_is_exact(flavor: Flavor) {
    const LIMIT: usize = 17 << 20;
    let extra = "[proxy]\nlisten='127.0.0.1:0'\nmax_packet='17MiB'\n";
    let Some(stage) = stage(flavor, "64M", extra).await else { return };
    for kind in KINDS {
        for (len, served) in [(LIMIT, true), (LIMIT + 1, false)] {
            let came = came_of(stage.listen(), &Login::app_on(flavor), kind, len).await;
            if served {
                assert_eq!(came, "served", "{kind} of {len}");
            } else {
                assert!(
                    came.starts_with("1153 08S01 ") && came.contains("proxy.max_packet is 17825792"),
                    "{kind}: {came}"
                );
            }
        }
    }
    stage.end().await;
}
