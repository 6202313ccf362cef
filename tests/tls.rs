//! TLS towards clients and servers, with real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::config::{Loaded, Source, parse};
use pointsman::net::Stream;
use pointsman::sandbox::SandboxOptions;
use pointsman::wire::handshake::{Greeting, ssl_request};
use pointsman::wire::writer::put_packet;
use pointsman::wire::{Capabilities, ErrPacket, Inbox};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use support::raw::{Login, Raw};
use support::tls::{Authority, Files, cli, client_config, mariadb, mysql, newer_mariadb};
use support::{Stage, configuration, start, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

on_both!(
    clients_come_with_tls_or_without_as_configured,
    clients_certificates_are_verified,
    servers_are_verified_as_far_as_configured,
    accounts_that_demand_tls_are_served,
    what_discovered_accounts_demand_of_certificates_is_demanded_of_the_clients_own,
    sessions_are_gone_on_with,
    large_packets_pass_both_ways,
);

/// Servers with certificates of `authority` for `localhost`, and a proxy with this [tls] and this TLS of servers.
async fn stage(flavor: Flavor, authority: &Authority, tls: &str, servers: &str) -> Option<Stage> {
    authority.sign("server", &["localhost", "db.test"]);
    let extra = authority.server_options("server");
    let options = SandboxOptions { replicas: 0, general_log: true, extra, ..SandboxOptions::default() };
    let sandbox = start(flavor, options).await?;
    let proxy = support::Proxy::start(load(&config(&sandbox, tls, servers)).config).await;
    Some(Stage { servers: sandbox, proxy })
}

fn config(sandbox: &pointsman::sandbox::Sandbox, tls: &str, servers: &str) -> String {
    let text = configuration(sandbox, &format!("[tls]\n{tls}\n"));
    text.replace("role='primary'\n", &format!("role='primary'\n{servers}\n"))
        .replace("listen='127.0.0.1:0'\n[http]", "listen='127.0.0.1:0'\nlogin_timeout='2s'\n[http]")
}

fn load(text: &str) -> Loaded {
    parse(Some(Source { name: "test", text }), &Files).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

async fn clients_come_with_tls_or_without_as_configured(flavor: Flavor) {
    let authority = Authority::new();
    authority.sign("proxy", &["127.0.0.1"]);
    let pair = format!(
        "certificate='{}'\nkey='{}'",
        authority.path("proxy.pem").display(),
        authority.path("proxy.key").display()
    );
    for mode in ["off", "optional", "required"] {
        // With a certificate of its own, and with a self-signed one.
        for pair in [&*pair, ""] {
            let Some(stage) = stage(flavor, &authority, &format!("mode='{mode}'\n{pair}"), "").await else { return };
            let at = stage.listen();
            let plain = Raw::open(at).await.log_in(&Login::app()).await;
            if mode == "required" {
                let error = plain.last().unwrap().error();
                assert_eq!((plain.len(), error.code, &error.sql_state), (1, 3159, b"HY000"));
                assert!(error.message.contains("tls.mode"), "{}", error.message);
            } else {
                assert!(plain.last().unwrap().is_ok(), "{mode}");
            }
            let ca = format!("--ssl-ca={}", authority.path("ca.pem").display());
            if let Some(program) = mysql() {
                let said = cli(&program, at, &["--ssl-mode=REQUIRED", "-e", "SELECT 'served'"], "").await;
                assert_eq!(said.is_ok(), mode != "off", "{mode}: {said:?}");
                let verified = cli(&program, at, &["--ssl-mode=VERIFY_IDENTITY", &ca, "-e", "SELECT 1"], "").await;
                assert_eq!(verified.is_ok(), mode != "off" && !pair.is_empty(), "{mode}: {verified:?}");
                for version in ["TLSv1.2", "TLSv1.3"] {
                    let option = format!("--tls-version={version}");
                    let said = cli(&program, at, &["--ssl-mode=REQUIRED", &option, "-e", "SELECT 'served'"], "").await;
                    assert_eq!(said.is_ok(), mode != "off", "{mode}: {said:?}");
                }
                let plain =
                    cli(&program, at, &["--ssl-mode=DISABLED", "--get-server-public-key", "-e", "SELECT 1"], "").await;
                assert_eq!(plain.is_ok(), mode != "required", "{mode}: {plain:?}");
            }
            if let Some(program) = mariadb() {
                let said = cli(&program, at, &["--ssl", "-e", "SELECT 'served'"], "").await;
                // This one falls back to plain.
                assert_eq!(said, Ok("served\n".to_owned()), "{mode}");
            }
            if mode != "off" {
                let made = stage.metric("pointsman_tls_handshakes_total", &["side=\"client\""]).await;
                assert!(made >= 1.0, "{made}");
                let expiry = stage.metric("pointsman_tls_certificate_expiry_timestamp_seconds", &[]).await;
                assert!(expiry > 1.7e9, "{expiry}");
            }
            stage.end().await;
        }
    }
}

async fn clients_certificates_are_verified(flavor: Flavor) {
    let Some(program) = mysql() else { return };
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (of, name) in [(&authority, "proxy"), (&authority, "good"), (&stranger, "bad")] {
        of.sign(name, &["127.0.0.1"]);
    }
    let base = format!(
        "certificate='{}'\nkey='{}'\nclient_ca='{}'\nmode='required'\n",
        authority.path("proxy.pem").display(),
        authority.path("proxy.key").display(),
        authority.path("ca.pem").display()
    );
    for (wanted, absent) in [("optional", true), ("required", false)] {
        let Some(stage) = stage(flavor, &authority, &format!("{base}client_certificate='{wanted}'"), "").await else {
            return;
        };
        let shown = |of: &Authority, name: &str| {
            [
                format!("--ssl-cert={}", of.path(&format!("{name}.pem")).display()),
                format!("--ssl-key={}", of.path(&format!("{name}.key")).display()),
            ]
        };
        for version in ["--tls-version=TLSv1.2", "--tls-version=TLSv1.3"] {
            let run = async |shown: &[String]| {
                let mut arguments = vec!["--ssl-mode=REQUIRED", version, "-e", "SELECT 'served'"];
                arguments.extend(shown.iter().map(String::as_str));
                cli(&program, stage.listen(), &arguments, "").await
            };
            assert_eq!(run(&shown(&authority, "good")).await, Ok("served\n".to_owned()));
            assert!(run(&shown(&stranger, "bad")).await.is_err(), "{wanted} {version}");
            assert_eq!(run(&[]).await.is_ok(), absent, "{wanted} {version}");
        }
        assert!(stage.metric("pointsman_tls_failures_total", &["client"]).await >= 2.0);
        stage.end().await;
    }
}

async fn servers_are_verified_as_far_as_configured(flavor: Flavor) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let Some(first) = stage(flavor, &authority, "mode='off'", "").await else { return };
    let (ca, other) = (authority.path("ca.pem"), stranger.path("ca.pem"));
    first.proxy.stop().await;
    let table = [
        ("tls='off'".to_owned(), Some(false)),
        (String::new(), Some(true)),
        ("tls='required'".to_owned(), Some(true)),
        (format!("tls='verify_ca'\ntls_ca='{}'", ca.display()), Some(true)),
        (format!("tls='verify_ca'\ntls_ca='{}'", other.display()), None),
        (format!("tls='verify_identity'\ntls_ca='{}'\ntls_server_name='db.test'", ca.display()), Some(true)),
        // The certificate is not for the address.
        (format!("tls='verify_identity'\ntls_ca='{}'", ca.display()), None),
        (format!("tls='verify_identity'\ntls_ca='{}'\ntls_server_name='db.test'", other.display()), None),
    ];
    let mut servers = first.servers;
    for (settings, expected) in table {
        let proxy = support::Proxy::start(load(&config(&servers, "", &settings)).config).await;
        let stage = Stage { servers, proxy };
        let mut client = Raw::open(stage.listen()).await;
        let login = client.log_in(&Login::app()).await;
        match expected {
            Some(encrypted) => {
                assert!(login.last().unwrap().is_ok(), "{settings}: {login:?}");
                // Within an expression it is the server's own.
                let schema = if flavor == Flavor::MySql { "performance_schema" } else { "information_schema" };
                let asks = "SELECT CONCAT('', VARIABLE_VALUE) FROM";
                let asks = format!("{asks} {schema}.session_status WHERE VARIABLE_NAME = 'Ssl_cipher'");
                assert_eq!(!client.value(&asks).await.is_empty(), encrypted, "{settings}");
                let up = stage.metric("pointsman_server_up", &["primary"]).await;
                assert!((up - 1.0).abs() < 0.1, "the monitor has TLS, too: {settings}");
            }
            None => {
                // The login succeeds without the primary; a statement needs it.
                let error = if login.last().unwrap().is_ok() {
                    client.query("SELECT 1 FOR UPDATE").await.last().unwrap().error()
                } else {
                    login.last().unwrap().error()
                };
                assert_eq!(error.code, 1429, "{settings}: {error:?}");
                assert!(error.message.contains("no TLS with `primary`"), "{}", error.message);
                assert!(stage.metric("pointsman_tls_failures_total", &["server"]).await >= 1.0);
                assert!(stage.metric("pointsman_server_up", &["primary"]).await < 0.5, "nor does the monitor trust it");
            }
        }
        stage.proxy.stop().await;
        servers = stage.servers;
    }
    servers.stop().await;
}

/// Those that servers make themselves have no names and, self-signed by `openssl req -x509`, are authorities.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_as_they_are_found_in_the_field_are_verified() {
    let options = SandboxOptions { replicas: 0, ..SandboxOptions::default() };
    if let Some(servers) = start(Flavor::MySql, options).await {
        let own = servers.folder().join("primary/data/ca.pem");
        let settings = format!("tls='verify_ca'\ntls_ca='{}'", own.display());
        let proxy = support::Proxy::start(load(&config(&servers, "", &settings)).config).await;
        let mut client = Raw::login(proxy.listen(), &Login::app()).await;
        assert_eq!(client.value("SELECT 'served' FOR UPDATE").await, "served");
        proxy.stop().await;
        servers.stop().await;
    }
    let authority = Authority::new();
    authority.self_sign("own", &["db.test"]);
    let extra = authority.server_options("own");
    let options = SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() };
    let Some(mut servers) = start(Flavor::MariaDb, options).await else { return };
    for (mode, name, good) in
        [("verify_ca", "else", true), ("verify_identity", "db.test", true), ("verify_identity", "else", false)]
    {
        let path = authority.path("own.pem");
        let settings = format!("tls='{mode}'\ntls_ca='{}'\ntls_server_name='{name}'", path.display());
        let proxy = support::Proxy::start(load(&config(&servers, "", &settings)).config).await;
        let login = Raw::open(proxy.listen()).await.log_in(&Login::app()).await;
        let stage = Stage { servers, proxy };
        let up = stage.metric("pointsman_server_up", &["primary"]).await > 0.5;
        assert_eq!(up, good, "{mode} {name}: {login:?}");
        stage.proxy.stop().await;
        servers = stage.servers;
    }
    servers.stop().await;
}

async fn accounts_that_demand_tls_are_served(flavor: Flavor) {
    let authority = Authority::new();
    authority.sign("client", &["pointsman"]);
    let servers = format!(
        "tls_certificate='{}'\ntls_key='{}'\n",
        authority.path("client.pem").display(),
        authority.path("client.key").display()
    );
    let Some(stage) = stage(flavor, &authority, "", &servers).await else { return };
    for demand in ["SSL", "X509"] {
        stage.servers.primary().run(&[format!("ALTER USER 'app'@'%' REQUIRE {demand}")]).await.unwrap();
        let refused = Raw::open(stage.servers.primary().address()).await.log_in(&Login::app()).await;
        assert_eq!(refused.last().unwrap().error().code, 1045, "directly, without TLS");
        let mut client = Raw::login(stage.listen(), &Login::app()).await;
        assert_eq!(client.value("SELECT 'served' FOR UPDATE").await, "served");
    }
    stage.proxy.stop().await;
    // Without the certificate the server refuses.
    let proxy = support::Proxy::start(load(&config(&stage.servers, "", "")).config).await;
    let refused = Raw::open(proxy.listen()).await.log_in(&Login::app()).await;
    assert_eq!(refused.last().unwrap().error().code, 1045);
    proxy.stop().await;
    stage.servers.stop().await;
}

/// `REQUIRE` X509, SUBJECT, ISSUER and CIPHER, with each certificate, directly and through the proxy.
async fn what_discovered_accounts_demand_of_certificates_is_demanded_of_the_clients_own(flavor: Flavor) {
    let Some(program) = mariadb() else { return };
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (of, name) in [(&authority, "proxy"), (&authority, "shared"), (&authority, "good"), (&stranger, "bad")] {
        of.sign(name, &["127.0.0.1"]);
    }
    let pair = |name: &str| {
        let of = if name == "bad" { &stranger } else { &authority };
        [of.path(&format!("{name}.pem")), of.path(&format!("{name}.key"))].map(|path| path.display().to_string())
    };
    let [certificate, key] = pair("proxy");
    let ca = authority.path("ca.pem").display().to_string();
    let tls = format!("certificate='{certificate}'\nkey='{key}'\nclient_ca='{ca}'\nclient_certificate='optional'\n");
    let [shown, shown_key] = pair("shared");
    let servers = format!("tls_certificate='{shown}'\ntls_key='{shown_key}'\n");
    authority.sign("server", &["localhost"]);
    let mut extra = authority.server_options("server");
    if flavor == Flavor::MySql {
        // It would prefer another one than clients do.
        extra.push("--tls-ciphersuites=TLS_AES_256_GCM_SHA384".to_owned());
    }
    let options = SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() };
    let Some(sandbox) = start(flavor, options).await else { return };
    let table = if flavor == Flavor::MySql { "user" } else { "global_priv" };
    let mut made = vec![format!("GRANT SELECT ON mysql.{table} TO monitor")];
    let demands = [
        ("x509", "X509"),
        ("shared", "SUBJECT '/CN=shared'"),
        ("issuer", "ISSUER '/CN=test authority'"),
        ("foreign", "ISSUER '/CN=another authority'"),
        ("cipher", "CIPHER 'TLS_AES_256_GCM_SHA384'"),
        ("weak", "CIPHER 'TLS_AES_128_CCM_SHA256'"),
        ("all", "SUBJECT '/CN=shared' AND ISSUER '/CN=test authority' AND CIPHER 'TLS_AES_256_GCM_SHA384'"),
        // The server sees another one than the client's.
        ("unmet", "SUBJECT '/CN=good'"),
        ("ssl", "SSL"),
    ];
    made.extend(demands.map(|(user, demand)| format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'x' REQUIRE {demand}")));
    sandbox.primary().run(&made).await.unwrap();
    let text = config(&sandbox, &tls, &servers).replace("login_timeout=", "auth='discover'\nlogin_timeout=");
    let proxy = support::Proxy::start(load(&text).config).await;
    let stage = Stage { servers: sandbox, proxy };
    let mut entered = 0;
    for (user, _) in demands {
        for name in ["", "none", "good", "shared", "bad"] {
            let run = async |address: SocketAddr, password: &str| {
                let user = format!("-u{user}");
                let mut arguments =
                    vec![user, format!("-p{password}"), "-e".to_owned(), "SELECT CURRENT_USER()".to_owned()];
                arguments.push(if name.is_empty() { "--skip-ssl" } else { "--ssl" }.to_owned());
                if !matches!(name, "" | "none") {
                    let [certificate, key] = pair(name);
                    arguments.extend([format!("--ssl-cert={certificate}"), format!("--ssl-key={key}")]);
                }
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                cli(&program, address, &arguments, "").await
            };
            let direct = run(stage.servers.primary().address(), "x").await;
            let here = run(stage.listen(), "x").await;
            let wrong = run(stage.listen(), "wrong").await.unwrap_err();
            match (user, name) {
                ("unmet", "good") => {
                    assert_eq!(direct, Ok("unmet@%\n".to_owned()));
                    let error = here.unwrap_err();
                    assert!(error.contains("1045") && error.contains("servers.tls_certificate"), "{error}");
                }
                _ => {
                    // A certificate that is not good ends the handshake; of what follows, words are the server's.
                    let words = |said: &Result<String, String>| match said {
                        Err(_) if name == "bad" => Err(String::new()),
                        other => other.clone(),
                    };
                    assert_eq!(words(&here), words(&direct), "{user} {name}");
                    entered += usize::from(here.is_ok());
                    assert!(name == "bad" || wrong.contains("1045"), "{user} {name}: {wrong}");
                }
            }
        }
    }
    // x509, issuer: 2 each, shared, all: 1 each, ssl: 3, cipher: 3, of which one without a certificate.
    assert_eq!(entered, if flavor == Flavor::MySql { 11 } else { 12 });
    stage.end().await;
}

async fn sessions_are_gone_on_with(flavor: Flavor) {
    let authority = Authority::new();
    let Some(stage) = stage(flavor, &authority, "", "").await else { return };
    // Clients: in both versions.
    for (version, label) in [(&rustls::version::TLS12, "version=\"1.2\""), (&rustls::version::TLS13, "version=\"1.3\"")]
    {
        let config = client_config(&[version]);
        for expected in [false, true, true] {
            let mut client = Encrypted::open(stage.listen(), &config).await;
            assert_eq!(client.stream.tls().unwrap().resumed, expected, "{label}");
            client.log_in().await;
        }
        let resumed = ["client", label, "resumed=\"true\""];
        assert!((stage.metric("pointsman_tls_handshakes_total", &resumed).await - 2.0).abs() < 0.1);
    }
    // Servers: connections beyond the first.
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::login(stage.listen(), &Login::app()).await;
        client.query("BEGIN").await;
        client.query("SELECT 1 FOR UPDATE").await;
        held.push(client);
    }
    let resumed = stage.metric("pointsman_tls_handshakes_total", &["\"server\"", "resumed=\"true\""]).await;
    eprintln!("{flavor:?}: {resumed} handshakes with the server went on");
    if flavor == Flavor::MySql {
        assert!(resumed >= 2.0, "{resumed}");
    }
    stage.end().await;
}

async fn large_packets_pass_both_ways(flavor: Flavor) {
    let authority = Authority::new();
    let Some(stage) = stage(flavor, &authority, "", "").await else { return };
    let longer = 17 << 20;
    let statement = format!("SELECT CONCAT(LENGTH('{}'), REPEAT('y', {longer}));\n", "x".repeat(longer));
    for program in [mysql(), mariadb()].into_iter().flatten() {
        let mode = if program.ends_with("mysql") { "--ssl-mode=REQUIRED" } else { "--ssl" };
        let said = cli(&program, stage.listen(), &[mode, "--max-allowed-packet=64M"], &statement).await.unwrap();
        assert_eq!(said.trim_end().len(), longer + longer.to_string().len(), "{}", program.display());
        assert!(said.starts_with(&longer.to_string()));
    }
    // A client that ends TLS in the middle of a result: its connection to the server serves the next one.
    let mut client = Encrypted::open(stage.listen(), &client_config(&[&rustls::version::TLS13])).await;
    client.log_in().await;
    client.send(0, format!("\x03SELECT REPEAT('z', {longer})").as_bytes()).await;
    let mut begun = Inbox::default();
    client.stream.read(&mut begun).await.unwrap();
    client.stream.shutdown().await.unwrap();
    drop(client);
    let mut next = Raw::login(stage.listen(), &Login::app()).await;
    assert_eq!(next.value("SELECT 'served'").await, "served");
    // A server that goes in the middle of its result.
    let mut client = Raw::login(stage.listen(), &Login::app()).await;
    client.send(b"\x03SELECT REPEAT('z', 100000), SLEEP(1) FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) AS t").await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    stage.servers.primary().kill().await.unwrap();
    let mut last = client.try_read().await;
    while let Ok(packet) = &last {
        if packet.payload.first() == Some(&0xFF) {
            break;
        }
        last = client.try_read().await;
    }
    // Without a word: an error would say that only the statement failed.
    assert!(last.is_err(), "{last:?}");
    stage.end().await;
}

#[tokio::test]
async fn what_is_sent_in_clear_behind_the_request_is_never_taken_for_a_command() {
    let authority = Authority::new();
    let Some(stage) = stage(Flavor::MariaDb, &authority, "mode='required'", "").await else { return };
    let mut socket = TcpStream::connect(stage.listen()).await.unwrap();
    let mut greeting = vec![0; 1024];
    let len = socket.read(&mut greeting).await.unwrap();
    let greeting = Greeting::parse(&greeting[4..len]).unwrap();
    assert!(greeting.capabilities.contains(Capabilities::SSL));
    // The request and, in the same segment, what somebody on the way would have done.
    let mut out = bytes::BytesMut::new();
    let sequence = put_packet(&mut out, 1, &ssl_request(Capabilities::UNSEEN, 1 << 24, 45));
    put_packet(&mut out, sequence, b"\x03DROP TABLE injected");
    put_packet(&mut out, 0, b"\x03DROP TABLE injected");
    socket.write_all(&out).await.unwrap();
    // The handshake fails on it; nothing of it is run or answered in clear.
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut said)).await.expect("it ends");
    assert!(said.first().is_none_or(|byte| *byte == 0x15), "a TLS alert or nothing: {said:?}");
    assert_eq!(stage.servers.primary().queries_seen("injected").unwrap(), 0);
    assert!(stage.metric("pointsman_logins_failed_total", &["\"tls\""]).await >= 1.0);

    // A login that asks for TLS and goes on in clear.
    let mut client = Raw::open(stage.listen()).await;
    let mut login = ssl_request(Capabilities::UNSEEN, 1 << 24, 45).to_vec();
    login.extend_from_slice(b"app\0\0");
    client.answer(&login).await;
    assert_eq!(client.read().await.error().code, 1043);
    stage.end().await;
}

#[tokio::test]
async fn a_client_that_stops_in_the_handshake_is_ended_by_the_login_timeout() {
    let authority = Authority::new();
    let Some(stage) = stage(Flavor::MariaDb, &authority, "mode='required'", "").await else { return };
    let mut socket = TcpStream::connect(stage.listen()).await.unwrap();
    let mut bytes = vec![0; 1024];
    let _ = socket.read(&mut bytes).await.unwrap();
    let mut out = bytes::BytesMut::new();
    put_packet(&mut out, 1, &ssl_request(Capabilities::UNSEEN, 1 << 24, 45));
    // The begin of a record, and no more.
    out.extend_from_slice(&[0x16, 3, 1, 1, 0, 1]);
    socket.write_all(&out).await.unwrap();
    let ended = async { while socket.read(&mut bytes).await.is_ok_and(|len| len > 0) {} };
    tokio::time::timeout(Duration::from_secs(8), ended).await.expect("proxy.login_timeout is 2 s");
    assert!(stage.metric("pointsman_logins_failed_total", &["\"timeout\""]).await >= 1.0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_certificates_serve_and_no_connection_ends() {
    let authority = Authority::new();
    authority.sign("proxy", &["127.0.0.1"]);
    let tls = format!(
        "certificate='{}'\nkey='{}'\nreload_interval='0'",
        authority.path("proxy.pem").display(),
        authority.path("proxy.key").display()
    );
    let Some(stage) = stage(Flavor::MariaDb, &authority, &tls, "").await else { return };
    let config = client_config(&[&rustls::version::TLS13]);
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = Encrypted::open(stage.listen(), &config).await;
        client.log_in().await;
        clients.push(client);
    }
    // Load all the while.
    let running = tokio::spawn(async move {
        let began = pointsman::clock::now();
        let mut served = 0;
        while began.elapsed() < Duration::from_secs(3) {
            for client in &mut clients {
                client.ping().await;
                served += 1;
            }
        }
        served
    });
    let before = std::fs::read(authority.path("proxy.pem")).unwrap();
    authority.sign("proxy", &["127.0.0.1"]);
    stage.proxy.reload_certificates();
    until("the new certificate serves", async || stage.metric("pointsman_tls_reloads_total", &["changed"]).await > 0.5)
        .await;
    let mut fresh = Encrypted::open(stage.listen(), &config).await;
    assert!(!fresh.stream.tls().unwrap().resumed, "what an earlier certificate began is not gone on with");
    fresh.log_in().await;
    // A key that is not the certificate's changes nothing.
    std::fs::write(authority.path("proxy.pem"), before).unwrap();
    stage.proxy.reload_certificates();
    until("the bad pair is noticed", async || stage.metric("pointsman_tls_reloads_total", &["failed"]).await > 0.5)
        .await;
    Encrypted::open(stage.listen(), &config).await.log_in().await;
    let served = running.await.expect("no connection ended");
    assert!(served > 100, "{served}");
    stage.end().await;
}

#[tokio::test]
async fn a_client_of_mariadb_11_4_trusts_a_self_signed_certificate_by_the_password() {
    let Some(program) = newer_mariadb() else { return };
    let authority = Authority::new();
    let Some(stage) = stage(Flavor::MariaDb, &authority, "", "").await else { return };
    let port = stage.listen().port().to_string();
    // By name: for the address 127.0.0.1 that client does not look at all.
    let arguments = ["-h", "localhost", "-P", &port, "--ssl-verify-server-cert", "-e", "SELECT 'trusted'"];
    assert_eq!(cli(&program, stage.listen(), &arguments, "").await, Ok("trusted\n".to_owned()));
    stage.end().await;
}

#[tokio::test]
async fn a_wrong_pair_is_refused_with_its_place() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.sign("one", &["x"]);
    other.sign("two", &["x"]);
    let text = format!(
        "[[servers]]\naddress='a'\nrole='primary'\n[[users]]\nname='u'\npassword=''\n[tls]\ncertificate = '{}'\nkey = '{}'\n",
        authority.path("one.pem").display(),
        other.path("two.key").display()
    );
    let problems = parse(Some(Source { name: "f.toml", text: &text }), &Files).unwrap_err().to_string();
    assert!(problems.starts_with("f.toml:9:7: `key`: the file"), "{problems}");
    assert!(problems.contains("not the key of the certificate"), "{problems}");
}

/// A client under TLS that speaks packets.
struct Encrypted {
    stream: Stream,
    inbox: Inbox,
    greeting: Greeting,
}

impl Encrypted {
    async fn open(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let stream = Stream::from(TcpStream::connect(address).await.unwrap());
        let mut client = Self { stream, inbox: Inbox::default(), greeting: standin() };
        client.greeting = Greeting::parse(&client.read().await).unwrap();
        client.send(1, &ssl_request(client.greeting.capabilities, 1 << 24, 45)).await;
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(config.clone(), name).unwrap();
        client.stream.secure(session, b"").await.unwrap();
        client
    }

    async fn log_in(&mut self) {
        use pointsman::wire::auth::{NATIVE, native};
        use pointsman::wire::handshake::HandshakeResponse;
        let response = HandshakeResponse {
            capabilities: Capabilities::PROTOCOL_41
                .with(Capabilities::SECURE_CONNECTION)
                .with(Capabilities::PLUGIN_AUTH)
                .with(Capabilities::LONG_PASSWORD)
                .with(Capabilities::SSL),
            max_packet: 1 << 24,
            collation: 45,
            user: b"app".to_vec(),
            auth_response: native::scramble(b"app-secret", &self.greeting.nonce),
            schema: None,
            plugin: Some(NATIVE.to_owned()),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        self.send(2, &response.encode()).await;
        let answer = self.read().await;
        assert_eq!(answer.first(), Some(&0), "{:?}", ErrPacket::parse(&answer));
    }

    async fn ping(&mut self) {
        self.send(0, b"\x0e").await;
        assert_eq!(self.read().await.first(), Some(&0));
    }

    async fn send(&mut self, sequence: u8, payload: &[u8]) {
        let mut out = bytes::BytesMut::new();
        put_packet(&mut out, sequence, payload);
        self.stream.write_all(&out, None).await.unwrap();
    }

    async fn read(&mut self) -> Vec<u8> {
        loop {
            if let Some((_, packet)) = self.inbox.take(1 << 20).unwrap() {
                return packet[4..].to_vec();
            }
            self.stream.read(&mut self.inbox).await.unwrap();
        }
    }
}

fn standin() -> Greeting {
    Greeting {
        version: String::new(),
        thread_id: 0,
        nonce: [0; 20],
        capabilities: Capabilities::default(),
        collation: 0,
        status: pointsman::wire::Status::AUTOCOMMIT,
        plugin: String::new(),
    }
}
