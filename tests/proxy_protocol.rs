//! The PROXY protocol of load balancers, in front of real logins.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pointsman::cluster::Flavor;
use pointsman::sandbox::Sandbox;
use pointsman::wire::ErrPacket;
use support::raw::{Login, Raw};
use support::{Stage, configuration, servers_of, stage, until};

const V1: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 3306\r\n";
/// PROXY, TCP over IPv4, with an addition of seven bytes.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xcb\0\x71\x08\x0a\0\0\x01\x30\x39\x0c\xea\x03\0\x04abcd";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn trusting(networks: &str) -> String {
    format!("[proxy]\nlisten='127.0.0.1:0'\nlogin_timeout='2s'\nproxy_protocol_from=[{networks}]\n")
}

#[tokio::test]
async fn a_listed_load_balancer_names_the_client() {
    let Some(stage) = stage(0, &trusting("'127.0.0.0/8'")).await else { return };
    let at = stage.listen();
    let cases = [(V1, "203.0.113.7"), (V2, "203.0.113.8"), (LOCAL, "127.0.0.1"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")];
    for (header, host) in cases {
        for step in [1, 7, header.len()] {
            let mut raw = Raw::dial(at).await;
            for part in header.chunks(step) {
                raw.write(part).await;
                tokio::task::yield_now().await;
            }
            let mut raw = raw.greeted().await;
            let refused = raw.log_in(&Login::new("app", "wrong")).await.last().unwrap().error();
            let text = format!("Access denied for user 'app'@'{host}' (using password: YES)");
            assert_eq!((refused.code, &*refused.message), (1045, &*text));
        }
        let mut raw = Raw::dial(at).await;
        raw.write(header).await;
        let mut raw = raw.greeted().await;
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

/// A MariaDB that believes the proxy, and a proxy that tells it of its clients.
async fn told(version: &str, proxy: &str, extra: &str) -> Option<Stage> {
    let servers = servers_of(Flavor::MariaDb, 1, &["--proxy-protocol-networks=127.0.0.1"]).await?;
    let accounts = [
        "CREATE USER 'two'@'127.0.0.2' IDENTIFIED BY 'same'",
        "GRANT ALL ON *.* TO 'two'@'127.0.0.2'",
        "CREATE USER 'two'@'%' IDENTIFIED BY 'same'",
        "CREATE USER 'near'@'localhost' IDENTIFIED BY 'same'",
        "GRANT SELECT ON mysql.global_priv TO monitor",
    ];
    servers.primary().run(&accounts).await.unwrap();
    servers.catch_up().await.unwrap();
    let proxy = if proxy.is_empty() { String::new() } else { format!("[proxy]\nlisten='127.0.0.1:0'\n{proxy}\n") };
    let users = "[[users]]\nname='two'\npassword='same'\n[[users]]\nname='near'\npassword='same'\n";
    let users = if proxy.contains("discover") { "" } else { users };
    let text = configuration(&servers, &format!("{proxy}{users}{extra}"));
    let proxy = support::proxy_of(&telling(&text, version)).await;
    Some(Stage { servers, proxy })
}

/// The configuration with servers that are told of clients.
fn telling(text: &str, version: &str) -> String {
    ["primary", "replica"].iter().fold(text.to_owned(), |text, role| {
        text.replace(&format!("role='{role}'\n"), &format!("role='{role}'\nproxy_protocol='{version}'\n"))
    })
}

async fn from(own: &str, at: SocketAddr, login: &Login) -> Result<Raw, ErrPacket> {
    let mut raw = Raw::dial_from(own.parse().unwrap(), at).await.greeted().await;
    let last = raw.log_in(login).await.pop().unwrap();
    if last.is_ok() { Ok(raw) } else { Err(last.error()) }
}

fn two() -> Login {
    Login::new("two", "same")
}

/// A statement that only the primary runs, and one for a replica.
const WHO: [&str; 2] = ["/* pointsman: primary */ SELECT CURRENT_USER() LIKE 'app@%', USER()", "SELECT 1, USER()"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_see_the_clients_and_no_two_share_a_connection() {
    for version in ["v1", "v2"] {
        let Some(stage) = told(version, "", "").await else { return };
        let at = stage.listen();
        let mut tasks = Vec::new();
        for last in 2..8 {
            tasks.push(tokio::spawn(async move {
                let mut client = from(&format!("127.0.0.{last}"), at, &Login::app()).await.unwrap();
                for turn in 0..30 {
                    let row = client.run(WHO[turn % 2]).await;
                    let row = String::from_utf8_lossy(&row[3].payload).into_owned();
                    assert!(row.ends_with(&format!("app@127.0.0.{last}")), "{version}: {row}");
                }
                client
            }));
        }
        let mut clients = Vec::new();
        for task in tasks {
            clients.push(task.await.unwrap());
        }
        let host = "SELECT host FROM information_schema.processlist WHERE info LIKE 'SELECT host %'";
        assert_eq!(clients[0].value(host).await, "127.0.0.2", "without a port: the connection is nobody's alone");
        // The proxy's own connections are its own.
        let monitor = "SELECT COUNT(*) > 0 AND MIN(host LIKE '127.0.0.1:%') FROM information_schema.processlist WHERE user = 'monitor'";
        assert_eq!(stage.servers.primary().first::<String>(monitor).await.unwrap().unwrap(), "1");

        // The account of that address alone has rights.
        let mut near = from("127.0.0.2", at, &two()).await.unwrap();
        assert_eq!(near.value("SELECT CURRENT_USER()").await, "two@127.0.0.2");
        let mut far = from("127.0.0.3", at, &two()).await.unwrap();
        assert_eq!(far.value("SELECT CURRENT_USER()").await, "two@%");
        let denied = far.query("CREATE TABLE app.t (a INT)").await.pop().unwrap().error();
        assert_eq!(denied.code, 1142, "{denied:?}");
        let into = |schema: &str| Login { schema: Some(schema.into()), ..two() };
        assert!(from("127.0.0.2", at, &into("mysql")).await.is_ok());
        let denied = from("127.0.0.3", at, &into("mysql")).await.err().unwrap();
        assert_eq!(denied.code, 1044, "{denied:?}");
        // And an account that no address has is the server's to refuse.
        let denied = from("127.0.0.3", at, &Login::new("near", "same")).await.err().unwrap();
        assert_eq!(denied.code, 1045, "{denied:?}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxys_own_connections_speak_for_their_client() {
    let Some(stage) = told("v2", "", "").await else { return };
    let at = stage.listen();
    let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SELECT SLEEP(5_)'";
    let runs = || async { stage.servers.primary().first::<u64>(running).await.unwrap() };
    stage.servers.primary().run(&["DROP USER 'two'@'%'"]).await.unwrap();
    // KILL QUERY by another client, of an account that is there for this address alone.
    let mut victim = from("127.0.0.2", at, &two()).await.unwrap();
    let mut killer = from("127.0.0.2", at, &two()).await.unwrap();
    let id = victim.greeting.as_ref().unwrap().thread_id;
    let sleeping =
        tokio::spawn(async move { victim.query("/* pointsman: primary */ SELECT SLEEP(50)").await.pop().unwrap() });
    until("it runs", || async { runs().await == Some(1) }).await;
    killer.run(&format!("KILL QUERY {id}")).await;
    until("it is killed", || async { runs().await == Some(0) }).await;
    let _ = sleeping.await.unwrap();
    // A client that goes away.
    let mut gone = from("127.0.0.2", at, &two()).await.unwrap();
    gone.send(b"\x03/* pointsman: primary */ SELECT SLEEP(51)").await;
    until("it runs", || async { runs().await == Some(1) }).await;
    drop(gone);
    until("it is killed", || async { runs().await == Some(0) }).await;
    // SHOW GRANTS, by which a foreign client may be killed.
    let mut other = from("127.0.0.3", at, &Login::app()).await.unwrap();
    let foreign = other.greeting.as_ref().unwrap().thread_id;
    killer.run(&format!("KILL {foreign}")).await;
    until("it is gone", || async { stage.proxy.shared().clients.get(foreign).is_none() }).await;
    assert!(other.is_closed().await);
    // The binary log, up to its present end.
    let mut replica = from("127.0.0.2", at, &two()).await.unwrap();
    let file = replica.run("SHOW MASTER STATUS").await;
    let file = String::from_utf8_lossy(&file[5].payload[1..=13]).into_owned();
    replica.send(&[&b"\x12\x04\0\0\0\x01\0\x63\0\0\0"[..], file.as_bytes()].concat()).await;
    let first = replica.read().await;
    assert!(first.is_ok(), "{first:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_came_in_goes_out() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("p.sock");
    for (version, unix) in [("v1", "127.0.0.1"), ("v2", "localhost")] {
        let own = format!("proxy_protocol_from=['127.0.0.9']\nsocket='{}'", socket.display());
        let Some(stage) = told(version, &own, "").await else { return };
        for (header, host) in [
            (&b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 3306\r\n"[..], "203.0.113.7"),
            (b"PROXY TCP6 2001:db8::9 ::1 12345 3306\r\n", "2001:db8::9"),
            // A health check speaks for itself.
            (LOCAL, "127.0.0.9"),
        ] {
            let mut raw = Raw::dial_from("127.0.0.9".parse().unwrap(), stage.listen()).await;
            raw.write(header).await;
            let mut raw = raw.greeted().await;
            assert!(raw.log_in(&Login::app()).await.pop().unwrap().is_ok());
            assert_eq!(raw.value("SELECT USER()").await, format!("app@{host}"), "{version}");
        }
        // By the Unix socket.
        let opts = OptsBuilder::default().socket(socket.to_str()).user(Some("app")).pass(Some("app-secret"));
        let mut conn = Conn::new(opts).await.unwrap();
        let user: Option<String> = conn.query_first("SELECT USER()").await.unwrap();
        assert_eq!(user.unwrap(), format!("app@{unix}"), "{version}");
        let _ = conn.disconnect().await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovered_accounts_are_judged_where_their_client_is() {
    let options = ["--proxy-protocol-networks=127.0.0.1"];
    let Some(servers) = support::newer_mariadb(&options).await else { return };
    let accounts = [
        "INSTALL SONAME 'auth_ed25519'",
        "CREATE USER 'native'@'127.0.0.2' IDENTIFIED VIA mysql_native_password USING PASSWORD('x')",
        "CREATE USER 'judged'@'127.0.0.2' IDENTIFIED VIA ed25519 USING PASSWORD('x')",
        "CREATE USER 'judged'@'127.0.0.3' IDENTIFIED VIA ed25519 USING PASSWORD('y')",
        "GRANT SELECT ON mysql.global_priv TO monitor",
    ];
    servers.primary().run(&accounts).await.unwrap();
    // With the TLS that this MariaDB offers: the header stands before it.
    let text = configuration(&servers, "[proxy]\nlisten='127.0.0.1:0'\nauth='discover'\n");
    let text = telling(&text, "v2").replace("proxy_protocol=", "tls='required'\nproxy_protocol=");
    let proxy = support::proxy_of(&text).await;
    for (user, own, password, host) in [
        ("native", "127.0.0.2", "x", Some("127.0.0.2")),
        ("native", "127.0.0.3", "x", None),
        ("judged", "127.0.0.2", "x", Some("127.0.0.2")),
        ("judged", "127.0.0.3", "x", None),
        ("judged", "127.0.0.3", "y", Some("127.0.0.3")),
        ("judged", "127.0.0.4", "x", None),
    ] {
        let login = Login::new(user, password).plugin("caching_sha2_password");
        match (from(own, proxy.listen(), &login).await, host) {
            (Ok(mut client), Some(host)) => {
                let who = client.value("SELECT CONCAT(CURRENT_USER(), ' ', USER())").await;
                assert_eq!(who, format!("{user}@{host} {user}@{own}"));
                let asks = "SELECT CONCAT('', VARIABLE_VALUE) FROM information_schema.session_status";
                let tls = client.value(&format!("{asks} WHERE VARIABLE_NAME = 'Ssl_version'")).await;
                assert!(tls.contains("TLSv1"), "{tls:?}");
            }
            (Err(error), None) => assert_eq!(error.code, 1045, "{error:?}"),
            (Ok(_), None) => panic!("{user} from {own}"),
            (Err(error), Some(_)) => panic!("{user} from {own}: {error:?}"),
        }
    }
    proxy.stop().await;
    servers.stop().await;
}

/// Addresses come and go: their connections make room for others, and their pools are forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_of_addresses_are_bounded() {
    let limits = "[pools]\nmax_per_server=4\nsize=4\nidle_timeout='1s'\nwait_timeout='3s'\n";
    let Some(stage) = told("v2", "", limits).await else { return };
    let primary = stage.proxy.shared().pools.servers()[0].clone();
    let mut most = 0;
    for last in 2..60 {
        let mut client = from(&format!("127.0.0.{last}"), stage.listen(), &Login::app()).await.unwrap();
        assert_eq!(client.value("/* pointsman: primary */ SELECT USER()").await, format!("app@127.0.0.{last}"));
        let (busy, idle) = primary.usage();
        most = most.max(busy + idle);
        assert!(busy + idle <= 4, "{busy} busy, {idle} idle");
    }
    assert_eq!(most, 4, "connections of addresses that are gone are kept for a while");
    until("no pool is left", || async { primary.pools() == 0 && primary.usage() == (0, 0) }).await;
    stage.end().await;
}

/// `pointsman check --connect` with this configuration: whether all is good, and its words.
async fn check(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pointsman.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pointsman"));
    let output = command.args(["check", "--connect", "--config"]).arg(&file).output().await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `check` and a client are told of a server that refuses the header with these words, or takes it.
async fn is_told_apart(servers: Option<Sandbox>, refused: Option<&str>) {
    let Some(servers) = servers else { return };
    for version in ["v1", "v2"] {
        let text = telling(&configuration(&servers, ""), version);
        let (good, said) = check(&text).await;
        let Some(words) = refused else {
            assert!(good && said.contains(&format!("PROXY {version} taken")), "{said}");
            continue;
        };
        assert!(!good && said.contains(words) && said.contains("servers.proxy_protocol"), "{said}");
        let proxy = support::proxy_of(&text).await;
        let mut client = Raw::login(proxy.listen(), &Login::new("app", "app-secret")).await;
        let error = client.query("SELECT 1").await.pop().unwrap().error();
        assert_eq!(error.code, 1429, "{error:?}");
        assert!(error.message.contains("servers.proxy_protocol"), "{error:?}");
        proxy.stop().await;
    }
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_that_takes_the_header_is_told_apart_from_one_that_does_not() {
    is_told_apart(servers_of(Flavor::MariaDb, 0, &["--proxy-protocol-networks=127.0.0.1"]).await, None).await;
    let words = Some("Proxy header is not accepted from 127.0.0.1");
    is_told_apart(servers_of(Flavor::MariaDb, 0, &[]).await, words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_told_by_its_unix_socket() {
    let Some(servers) = servers_of(Flavor::MariaDb, 0, &["--proxy-protocol-networks=localhost"]).await else { return };
    let primary = servers.primary();
    let text = configuration(&servers, "").replace(&primary.address().to_string(), &primary.socket().to_string_lossy());
    let text = telling(&text, "v2");
    let (good, said) = check(&text).await;
    assert!(good && said.contains("PROXY v2 taken"), "{said}");
    let proxy = support::proxy_of(&text).await;
    let mut client = from("127.0.0.5", proxy.listen(), &Login::app()).await.unwrap();
    assert_eq!(client.value("SELECT USER()").await, "app@127.0.0.5");
    proxy.stop().await;
    servers.stop().await;
}

/// It offers TLS, and refuses the header in the middle of the handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_mariadb_that_takes_no_header_is_told_apart() {
    is_told_apart(support::newer_mariadb(&[]).await, Some("did not take the header")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mysql_takes_no_header_and_is_told_apart() {
    is_told_apart(servers_of(Flavor::MySql, 0, &[]).await, Some("did not take the header")).await;
}

#[tokio::test]
async fn one_too_many_is_told_so_behind_its_header() {
    let limits = format!("{}max_connections=1\n", trusting("'127.0.0.0/8'"));
    let Some(stage) = stage(0, &limits).await else { return };
    let at = stage.listen();
    let mut first = Raw::dial(at).await;
    first.write(V1).await;
    let mut first = first.greeted().await;
    assert!(first.log_in(&Login::app()).await.pop().unwrap().is_ok());

    let mut second = Raw::dial(at).await;
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(300), second.stream.peek(&mut byte)).await;
    assert!(early.is_err(), "{early:?}");
    second.write(V2).await;
    let error = second.read().await.error();
    assert_eq!(error.code, 1040, "{error:?}");
    assert!(second.is_closed().await);
    // A health check, too.
    let mut check = Raw::dial(at).await;
    check.write(LOCAL).await;
    assert_eq!(check.read().await.error().code, 1040);
    // Who says nothing, or something else, is told nothing; and not many are waited for.
    let mut wrong = Raw::dial(at).await;
    wrong.write(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(wrong.read().await.error().code, 1043);
    let began = tokio::time::Instant::now();
    let mut silent = Vec::new();
    for _ in 0..130 {
        silent.push(Raw::dial(at).await);
    }
    let mut last = silent.pop().unwrap();
    assert!(last.is_closed().await);
    assert!(began.elapsed() < Duration::from_secs(1), "beyond the places it is closed at once: {:?}", began.elapsed());
    assert!(silent[0].is_closed().await);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(first.value("SELECT 7").await, "7");
    stage.end().await;
}
