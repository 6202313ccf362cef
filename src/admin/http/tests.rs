use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::IntCounter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn start(ready: Ready) -> HttpServer {
    let registry = Registry::new();
    registry.register(Box::new(IntCounter::new("a_total", "A.").unwrap())).unwrap();
    HttpServer::start(&Address { host: "127.0.0.1".into(), port: 0 }, registry, ready).unwrap()
}

async fn exchange(server: &HttpServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

async fn get(server: &HttpServer, path: &str) -> String {
    exchange(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

#[tokio::test]
async fn the_pages_answer() {
    let up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&up);
    let server = start(Arc::new(move || {
        if seen.load(Ordering::Relaxed) { Ok(()) } else { Err("the primary `db1` is down".to_owned()) }
    }));

    let metrics = get(&server, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
    assert!(metrics.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("\na_total 0\n"), "{metrics}");

    let health = get(&server, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with("\r\n\r\nok\n"), "{health}");

    let unready = get(&server, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
    assert!(unready.ends_with("not ready: the primary `db1` is down\n"), "{unready}");
    up.store(true, Ordering::Relaxed);
    assert!(get(&server, "/readyz?verbose").await.starts_with("HTTP/1.1 200 "));
    server.stop();
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let server = start(Arc::new(|| Ok(())));
    let missing = get(&server, "/nope").await;
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    assert!(missing.contains("/metrics\n/healthz\n/readyz\n"), "{missing}");
    let post = exchange(&server, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").await;
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    assert!(post.to_lowercase().contains("allow: get, head"), "{post}");
    let head = exchange(&server, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    let nonsense = exchange(&server, "nonsense\r\n\r\n").await;
    assert!(nonsense.starts_with("HTTP/1.1 400 "), "{nonsense}");
    server.stop();
}

#[tokio::test]
async fn a_connection_serves_one_request() {
    let server = start(Arc::new(|| Ok(())));
    let two = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(exchange(&server, two).await.matches("HTTP/1.1 200").count(), 1);
    server.stop();
}

#[tokio::test]
async fn idle_connections_are_bounded() {
    let server = start(Arc::new(|| Ok(())));
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        idle.push(TcpStream::connect(server.local_addr()).await.unwrap());
    }
    let mut refused = TcpStream::connect(server.local_addr()).await.unwrap();
    assert_eq!(refused.read(&mut [0]).await.unwrap(), 0, "closed at once");
    drop(idle);
    // The slots come back as soon as the server has read the ends of those connections.
    let back = time::timeout(Duration::from_secs(5), async {
        loop {
            let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
            let mut reply = String::new();
            let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok();
            if sent && stream.read_to_string(&mut reply).await.is_ok() && reply.contains("200 OK") {
                break;
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    });
    back.await.unwrap();
    server.stop();
}

#[tokio::test]
async fn stopping_frees_the_port() {
    let server = start(Arc::new(|| Ok(())));
    let address = server.local_addr();
    let _open = TcpStream::connect(address).await.unwrap();
    server.stop();
    assert!(TcpStream::connect(address).await.is_err());
}
