//! The PROXY protocol of load balancers, in front of real logins.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::time::Duration;

use pointsman::wire::handshake::Greeting;
use support::raw::{Login, Raw};
use support::stage;

const V1: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 3306\r\n";
/// PROXY, TCP over IPv4, with an addition of seven bytes.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xcb\0\x71\x08\x0a\0\0\x01\x30\x39\x0c\xea\x03\0\x04abcd";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn trusting(networks: &str) -> String {
    format!("[proxy]\nlisten='127.0.0.1:0'\nlogin_timeout='2s'\nproxy_protocol_from=[{networks}]\n")
}

async fn greeted(mut raw: Raw) -> Raw {
    raw.greeting = Some(Greeting::parse(&raw.read().await.payload).unwrap());
    raw
}

#[tokio::test]
async fn a_listed_load_balancer_names_the_client() {
    let Some(stage) = stage(0, &trusting("'127.0.0.0/8'")).await else { return };
    let at = stage.listen();
    let cases = [(V1, "203.0.113.7"), (V2, "203.0.113.8"), (LOCAL, "127.0.0.1"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")];
    for (header, host) in cases {
        for step in [1, 7, header.len()] {
            let mut raw = Raw::dial(at).await;
            raw.stream.set_nodelay(true).unwrap();
            for part in header.chunks(step) {
                raw.write(part).await;
                tokio::task::yield_now().await;
            }
            let mut raw = greeted(raw).await;
            let refused = raw.log_in(&Login::new("app", "wrong")).await.last().unwrap().error();
            let text = format!("Access denied for user 'app'@'{host}' (using password: YES)");
            assert_eq!((refused.code, &*refused.message), (1045, &*text));
        }
        let mut raw = Raw::dial(at).await;
        raw.write(header).await;
        let mut raw = greeted(raw).await;
        assert!(raw.log_in(&Login::app()).await.last().unwrap().is_ok());
        let rows = raw.run("SHOW PROCESSLIST").await;
        let seen = rows.iter().any(|row| String::from_utf8_lossy(&row.payload).contains(&format!("{host}:")));
        assert!(seen, "{host}: {rows:?}");
        assert_eq!(raw.value("SELECT 7").await, "7");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_listed_peer_without_a_header_gets_no_greeting() {
    let Some(stage) = stage(0, &trusting("'127.0.0.1', '2001:db8::/32'")).await else { return };
    let at = stage.listen();
    // A client that has not heard of it waits for a greeting.
    let began = tokio::time::Instant::now();
    let mut silent = Raw::dial(at).await;
    assert!(silent.is_closed().await);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(stage.metric("pointsman_logins_failed_total", &["timeout"]).await, 1.0);
    for wrong in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROXY TCP4 1.2.3.4\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31"] {
        let mut raw = Raw::dial(at).await;
        raw.write(wrong).await;
        let error = raw.read().await.error();
        assert_eq!(error.code, 1043, "{error:?}");
        assert!(error.message.contains("proxy.proxy_protocol_from"), "{error:?}");
        assert!(raw.is_closed().await);
    }
    assert_eq!(stage.metric("pointsman_logins_failed_total", &["protocol"]).await, 3.0);
    stage.end().await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let Some(stage) = stage(0, &trusting("'10.0.0.0/8', 'unix'")).await else { return };
    let at = stage.listen();
    for header in [V1, V2] {
        let mut raw = Raw::open(at).await;
        raw.write(header).await;
        assert!(raw.try_read().await.map_or(true, |packet| packet.payload.first() == Some(&0xFF)));
    }
    let mut raw = Raw::open(at).await;
    let refused = raw.log_in(&Login::new("app", "wrong")).await.last().unwrap().error();
    assert!(refused.message.contains("'app'@'127.0.0.1'"), "{refused:?}");
    stage.end().await;
}
