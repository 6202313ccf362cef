//! Clients and servers that break the protocol, go silent or go away: each has an outcome, is counted, is bounded in time,
//! and harms nobody else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::time::Duration;

use pointsman::wire::{Capabilities, ErrPacket};
use support::fake::{CUT_AFTER, Fake, Mode};
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw, execute_payload};
use support::{Stage, stage, until};
use tokio::time::Instant;

fn last_error(packets: &[Packet]) -> ErrPacket {
    packets.last().unwrap().error()
}

/// All server connections are back in their pools.
async fn settled(stage: &Stage) {
    until("no connection is in use", || async {
        stage.metric("pointsman_pool_connections", &["state=\"busy\""]).await == 0.0
    })
    .await;
}

#[tokio::test]
async fn clients_that_do_not_speak_the_protocol() {
    let Some(stage) = stage(0, "[proxy]\nlisten='127.0.0.1:0'\nlogin_timeout='1s'\n").await else { return };
    let at = stage.listen();
    let mut bystander = Raw::login(at, &Login::app()).await;

    // Another protocol, an oversized login, a wrong sequence id, noise.
    for noise in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        &[0xFF; 200],
        &[1, 0, 1, 1, 0],
        &[4, 0, 0, 9, 1, 2, 3, 4],
        &[0, 0, 0, 1],
        &[3, 0, 0, 1, 1, 2, 3],
    ] {
        let mut client = Raw::open(at).await;
        client.write(noise).await;
        client.sequence = 1;
        let told = client.read_error().await;
        assert_eq!((told.code, &told.sql_state), (1043, b"08S01"), "{noise:?}: {told:?}");
        assert!(client.is_closed().await);
        assert_eq!(bystander.value("SELECT 1").await, "1");
    }
    // The protocol before 4.1.
    let mut client = Raw::open(at).await;
    client.answer(b"\x01\x00\x00\x00\x01app\0").await;
    assert_eq!(client.read().await.error().code, 1251);

    // A login cut off anywhere: an end, within the time of a login.
    let whole = {
        use pointsman::wire::handshake::HandshakeResponse;
        let response = HandshakeResponse {
            capabilities: MODERN.with(Capabilities::CONNECT_WITH_DB),
            max_packet: 1 << 24,
            collation: 45,
            user: b"app".to_vec(),
            auth_response: vec![7; 20],
            schema: Some(b"app".to_vec()),
            plugin: Some("mysql_native_password".to_owned()),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        response.encode()
    };
    for cut in 0..whole.len() {
        let mut client = Raw::open(at).await;
        client.answer(&whole[..cut]).await;
        let packet = client.read().await;
        let refused = packet.payload[0] == 0xFF && matches!(packet.error().code, 1043 | 1045);
        assert!(refused || packet.payload[0] == 0xFE, "{cut}: {packet:?}");
    }
    assert!(stage.metric("pointsman_protocol_errors_total", &["client"]).await >= 6.0);
    assert!(stage.metric("pointsman_logins_failed_total", &["protocol"]).await >= 6.0);
    until("the log-ins are over", || async { stage.proxy.shared().clients.len() == 1 }).await;
    assert_eq!(bystander.value("SELECT 2").await, "2");
    stage.end().await;
}

#[tokio::test]
async fn commands_that_are_wrong() {
    let extra = "[proxy]\nlisten='127.0.0.1:0'\nmax_packet='1MiB'\nidle_timeout='1s'\n";
    let Some(stage) = stage(0, extra).await else { return };
    let at = stage.listen();

    // Out of order: the connection ends.
    let mut client = Raw::login(at, &Login::app()).await;
    client.write(&[1, 0, 0, 5, 0x0e]).await;
    client.sequence = 1;
    let told = client.read_error().await;
    assert_eq!((told.code, &told.sql_state), (1156, b"08S01"));
    assert!(client.is_closed().await);

    // Too long, and all of it sent: the client must find the error, and not a reset.
    let mut client = Raw::login(at, &Login::app()).await;
    let long = [&b"\x03SELECT '"[..], &vec![b'x'; 5 << 20], b"'"].concat();
    client.send(&long).await;
    client.sequence = 1;
    let told = client.read_error().await;
    assert_eq!((told.code, &told.sql_state), (1153, b"08S01"));
    assert!(told.message.contains("proxy.max_packet is 1048576"), "{}", told.message);
    assert!(client.is_closed().await);
    // Only announced.
    let mut client = Raw::login(at, &Login::app()).await;
    client.write(&[0, 0, 0x20, 0, 3]).await;
    client.sequence = 1;
    assert_eq!(client.read_error().await.code, 1153);
    // As long as may be.
    let mut client = Raw::login(at, &Login::app()).await;
    let just = [&b"\x03SELECT '"[..], &vec![b'x'; (1 << 20) - 10], b"'"].concat();
    assert_eq!(client.results(&just).await.len(), 4);

    // Unknown and cut-off commands: the connection goes on.
    let mut direct = Raw::login(stage.servers.primary().address(), &Login::app()).await;
    for unknown in [&b"\x99"[..], b"", b"\x00"] {
        let told = client.one(unknown).await.error();
        assert_eq!((told.code, &told.sql_state), (1047, b"08S01"), "{unknown:?}");
        assert!(told.message.starts_with("Unknown command"), "{}", told.message);
    }
    for cut in [&b"\x17\x01"[..], b"\x1c\x01\0", b"\x1a"] {
        // Which of the two, `tests/commands.rs` compares with the servers.
        let told = client.one(cut).await.error();
        assert!([1835, 1243].contains(&told.code), "{cut:?}: {told:?}");
        assert_eq!(client.value("SELECT 5").await, "5");
    }
    // No reply to what has none, however wrong.
    for silent in [&b"\x19\x01"[..], b"\x18\x01", b"\x19\x63\0\0\0", b"\x18\x63\0\0\0\0\0abc"] {
        client.send(silent).await;
        assert_eq!(client.value("SELECT 6").await, "6");
    }
    // Statements that are not there, in the server's words.
    for wrong in [
        execute_payload(99, 0, &[]).to_vec(),
        b"\x1a\x63\0\0\0".to_vec(),
        b"\x1c\x63\0\0\0\x01\0\0\0".to_vec(),
        b"\x04nowhere\0".to_vec(),
        b"\x02nowhere".to_vec(),
        // COM_DEBUG, which this account may not.
        b"\x0d\x01".to_vec(),
    ] {
        assert_eq!(client.one(&wrong).await, direct.one(&wrong).await, "{wrong:?}");
    }
    // An EXECUTE cut off anywhere.
    let (_, id) = client.prepare("SELECT ?, ?").await;
    let whole = execute_payload(id, 0, &[Some(b"abc"), Some(b"def")]);
    for cut in 6..whole.len() {
        client.send(&whole[..cut]).await;
        let packets = client.more_results().await;
        if let Some(packet) = packets.last().filter(|packet| packet.payload[0] == 0xFF) {
            assert!(matches!(packet.error().code, 1210 | 1835), "{cut}: {:?}", packet.error());
        }
        assert_eq!(client.value("SELECT 7").await, "7", "{cut}");
    }
    assert_eq!(client.execute(id, 0, &[Some(b"abc"), None]).await.len(), 5);

    // Half a command, and half of a long one, then silence: idle, and told so.
    for half in [&[5, 0, 0, 0, 3, b'S'][..], &[9, 0][..]] {
        let mut client = Raw::login(at, &Login::app()).await;
        client.write(half).await;
        client.sequence = 0;
        assert_eq!(client.read_error().await.code, 4031);
        assert!(client.is_closed().await);
    }
    // Gone in the middle of a command, of a statement, of a transaction.
    let mut client = Raw::login(at, &Login::app()).await;
    client.run("CREATE TABLE left_behind (a INT)").await;
    client.write(&[200, 0, 0, 0, 3, b'S']).await;
    drop(client);
    let mut client = Raw::login(at, &Login::app()).await;
    client.send(b"\x03SELECT SLEEP(0.3)").await;
    drop(client);
    let mut client = Raw::login(at, &Login::app()).await;
    client.run("BEGIN").await;
    client.run("INSERT INTO left_behind VALUES (1)").await;
    drop(client);
    settled(&stage).await;
    let mut client = Raw::login(at, &Login::app()).await;
    client.run("LOCK TABLES left_behind WRITE").await;
    assert_eq!(client.value("SELECT COUNT(*) FROM left_behind").await, "0");
    drop(client);
    settled(&stage).await;
    Raw::login(at, &Login::app()).await.run("DROP TABLE left_behind").await;
    stage.end().await;
}

#[tokio::test]
async fn a_full_pool_refuses_in_time_and_says_why() {
    let extra = "[pools]\nsize=1\nmax_per_server=1\nwait_timeout='400ms'\nmax_waiting=1\n";
    let Some(stage) = stage(0, extra).await else { return };
    let at = stage.listen();
    // Logged in before the pool is full, in the same form and in another.
    let mut holder = Raw::login(at, &Login::app()).await;
    let mut same = Raw::login(at, &Login::app()).await;
    let mut third = Raw::login(at, &Login::app()).await;
    let mut other = Raw::login(at, &Login::app().with(CLASSIC)).await;
    let mut stranger =
        Raw::login(at, &Login { schema: Some("app".into()), ..Login::new("other", "other-secret") }).await;
    holder.run("BEGIN").await;
    for (client, setting) in
        [(&mut same, "pools.size"), (&mut other, "pools."), (&mut stranger, "pools.max_per_server")]
    {
        let began = Instant::now();
        let told = last_error(&client.query("SELECT 1").await);
        let took = began.elapsed();
        assert_eq!((told.code, &told.sql_state), (1203, b"42000"));
        for part in ["`primary`", "400 ms", "1 are in use", setting, "pools.wait_timeout"] {
            assert!(told.message.contains(part), "{part}: {}", told.message);
        }
        assert!(took > Duration::from_millis(350) && took < Duration::from_millis(1500), "{took:?}");
    }
    // One may wait, one more is refused at once; who waits gets its turn.
    same.send(b"\x03SELECT 'waited'").await;
    until("one waits", || async { stage.metric("pointsman_pool_waiting", &[]).await == 1.0 }).await;
    let began = Instant::now();
    let told = last_error(&third.query("SELECT 1").await);
    assert_eq!(told.code, 1203);
    assert!(told.message.contains("pools.max_waiting"), "{}", told.message);
    assert!(began.elapsed() < Duration::from_millis(200));
    holder.run("COMMIT").await;
    assert_eq!(same.more_results().await.len(), 4);
    // Another form takes the place of an idle connection.
    for client in [&mut other, &mut stranger, &mut holder, &mut third] {
        assert_eq!(client.value("SELECT 3").await, "3");
    }
    assert!(stage.metric("pointsman_errors_total", &["1203"]).await >= 4.0);
    stage.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let Some(stage) = stage(0, "[proxy]\nlisten='127.0.0.1:0'\nwrite_timeout='500ms'\n").await else { return };
    let at = stage.listen();
    let mut lazy = Raw::login(at, &Login::app()).await;
    lazy.send(b"\x03SELECT REPEAT('x', 1000) FROM seq_1_to_100000").await;
    let mut bystander = Raw::login(at, &Login::app()).await;
    let began = Instant::now();
    while stage.proxy.shared().clients.len() > 1 {
        assert_eq!(bystander.value("SELECT 1").await, "1");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(began.elapsed() < Duration::from_secs(5), "the client is still there");
    }
    settled(&stage).await;
    // What was left of its result reaches nobody.
    for number in 0..5 {
        let mut client = Raw::login(at, &Login::app()).await;
        assert_eq!(client.value(&format!("SELECT {number}")).await, number.to_string());
    }
    drop(lazy);
    stage.end().await;
}

/// A real primary and a real replica, each behind a fake.
async fn fakes(extra: &str) -> Option<(pointsman::sandbox::Sandbox, support::Proxy, Fake, Fake)> {
    let servers = support::servers(1).await?;
    let primary = Fake::before(servers.primary().address()).await;
    let replica = Fake::before(servers.replicas()[0].address()).await;
    let text = support::configuration(&servers, extra)
        .replace(&servers.primary().address().to_string(), &primary.address.to_string())
        .replace(&servers.replicas()[0].address().to_string(), &replica.address.to_string());
    let proxy = support::proxy_of(&text).await;
    Some((servers, proxy, primary, replica))
}

const EVENTUAL: &str = "[routing]\nconsistency='eventual'\n[pools]\nconnect_timeout='500ms'\n";

#[tokio::test]
async fn servers_that_break_a_reply() {
    let Some((servers, proxy, primary, replica)) = fakes(EVENTUAL).await else { return };
    let stage = Stage { servers, proxy };
    stage.prepare(&["CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)"]).await;
    let at = stage.listen();
    let mut bystander = Raw::login(at, &Login::app()).await;
    let login = Login::app();
    until("reads go to the replica", || async {
        Raw::login(at, &login).await.run("SELECT a FROM t").await;
        stage.ran_on("SELECT a FROM t").contains(&"replica1".to_owned())
    })
    .await;

    // A read whose reply broke before its first byte runs on the primary... unless the fault meets it there too.
    for fault in ["close", "half", "garbage"] {
        let (before, mut client) = (replica.faults(), Raw::login(at, &login).await);
        let told = last_error(&client.query(&format!("SELECT a, 1 FROM t /* fault:{fault} */")).await);
        assert_eq!((told.code, &told.sql_state), (1158, b"08S01"), "{fault}: {told:?}");
        assert!(told.message.starts_with("Lost connection to MySQL server during query"), "{}", told.message);
        assert!(replica.faults() > before, "{fault}");
        assert!(primary.faults() > 0, "{fault}: tried on the primary");
        // A read's session goes on.
        assert_eq!(client.value("SELECT a FROM t").await, "1", "{fault}");
        // The fate of a write is not known: the session ends, and it is not sent again.
        let before = primary.faults();
        // Without a word: a client's library says 2013 then, and takes 2013 in a packet for malformed.
        client.try_send(&[b"\x03INSERT INTO t VALUES (2) /* fault:", fault.as_bytes(), b" */"].concat()).await;
        assert!(client.is_closed().await, "{fault}");
        assert_eq!(primary.faults(), before + 1, "{fault}");
        assert_eq!(bystander.value("SELECT 1").await, "1");
    }
    assert!(stage.metric("pointsman_protocol_errors_total", &["server"]).await >= 2.0);
    assert!(stage.metric("pointsman_retries_total", &["read_lost"]).await >= 2.0);

    // In the middle of a result: the client has a part of it, and its connection ends.
    let mut client = Raw::login(at, &login).await;
    client.send(b"\x03SELECT REPEAT('x', 1000) FROM t, seq_1_to_1000 /* fault:cut */").await;
    let mut got = 0;
    while let Ok(packet) = client.try_read().await {
        got += packet.payload.len() + 4;
    }
    assert!(got > CUT_AFTER / 2 && got <= CUT_AFTER, "{got}");

    // A server that never answers: KILL frees the one who waits for it.
    let mut stuck = Raw::login(at, &login).await;
    let id = stuck.greeting.as_ref().unwrap().thread_id;
    stuck.send(b"\x03INSERT INTO t VALUES (3) /* fault:silent */").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    bystander.run(&format!("KILL {id}")).await;
    assert!(matches!(stuck.try_read().await, Ok(_) | Err(_)));
    until("it is gone", || async { stage.proxy.shared().clients.get(id).is_none() }).await;

    // In a transaction nothing is tried elsewhere.
    let mut client = Raw::login(at, &login).await;
    client.run("BEGIN").await;
    client.try_send(b"\x03SELECT a, 2 FROM t /* fault:close */").await;
    assert!(client.is_closed().await);
    assert_eq!(bystander.value("SELECT COUNT(*) FROM t").await, "1");
    stage.end().await;
}

#[tokio::test]
async fn servers_that_cannot_be_logged_in_to() {
    let Some((servers, proxy, primary, replica)) = fakes(EVENTUAL).await else { return };
    let stage = Stage { servers, proxy };
    stage.prepare(&["CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)"]).await;
    let at = stage.listen();
    let login = Login::app();
    // Waits until the proxy holds no idle connection, so that the next statement must connect.
    let fresh = |client: u32| {
        // Each form of a login has a pool of its own.
        let bits =
            [Capabilities::FOUND_ROWS, Capabilities::ODBC, Capabilities::IGNORE_SPACE, Capabilities::INTERACTIVE];
        let mut form = MODERN;
        for (at, bit) in bits.into_iter().enumerate() {
            if client >> at & 1 == 1 {
                form = form.with(bit);
            }
        }
        login.clone().with(form)
    };
    for (number, mode) in
        [Mode::Close, Mode::Silent, Mode::Garbage, Mode::HalfGreeting, Mode::CloseAtLogin, Mode::RefuseLogin]
            .into_iter()
            .enumerate()
    {
        // The primary answers its login, which makes it known; then both misbehave.
        let mut client = Raw::login(at, &fresh(u32::try_from(number).unwrap() + 1)).await;
        let mut bystander = Raw::login(at, &login).await;
        bystander.run("BEGIN").await;
        client.run("SELECT 1").await;
        replica.set(mode);
        // Nothing was sent to the replica: the read runs on the primary.
        let began = Instant::now();
        assert_eq!(client.value("SELECT a FROM t").await, "1", "{mode:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{mode:?}: {:?}", began.elapsed());

        primary.set(mode);
        let mut alone = Raw::login_uncertain(at, &fresh(u32::try_from(number).unwrap() + 8)).await;
        if let Ok(alone) = &mut alone {
            let began = Instant::now();
            let told = last_error(&alone.query("INSERT INTO t VALUES (2)").await);
            let expected = if mode == Mode::RefuseLogin { 1045 } else { 1429 };
            assert_eq!(told.code, expected, "{mode:?}: {told:?}");
            assert!(told.message.contains("pointsman") && told.message.contains("`primary`"), "{}", told.message);
            assert!(began.elapsed() < Duration::from_secs(2), "{mode:?}: {:?}", began.elapsed());
        } else {
            assert_eq!(mode, Mode::RefuseLogin, "{:?}", alone.err());
        }
        // Who has a connection goes on.
        assert_eq!(bystander.value("SELECT COUNT(*) FROM t").await, "1", "{mode:?}");
        primary.set(Mode::Pass);
        replica.set(Mode::Pass);
        // Nothing of the statement was sent, so the session goes on.
        if let Ok(alone) = &mut alone {
            until("the primary is back", || async {
                Raw::login(at, &login).await.query("SELECT 1 FOR UPDATE").await.len() == 4
            })
            .await;
            alone.run("DELETE FROM t WHERE a = 2").await;
        }
        until("the replica is up", || async { stage.metric("pointsman_server_up", &["replica1"]).await == 1.0 }).await;
    }
    for (result, least) in [("network", 2.0), ("timeout", 2.0), ("denied", 1.0), ("error", 1.0)] {
        let count = stage.metric("pointsman_backend_connects_total", &[result]).await;
        assert!(count >= least, "{result}: {count}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_server_that_is_down_or_frozen() {
    let extra = "[routing]\nconsistency='eventual'\n[pools]\nconnect_timeout='500ms'\n";
    let Some(stage) = stage(1, extra).await else { return };
    stage.prepare(&["CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)"]).await;
    let at = stage.listen();
    let mut reader = Raw::login(at, &Login::app()).await;
    until("reads go to the replica", || async {
        Raw::login(at, &Login::app()).await.run("SELECT a FROM t").await;
        stage.ran_on("SELECT a FROM t").contains(&"replica1".to_owned())
    })
    .await;
    let mut writer = Raw::login(at, &Login::app()).await;
    let mut inside = Raw::login(at, &Login::app()).await;
    inside.run("BEGIN").await;

    // Frozen: connects time out, and nobody else waits.
    stage.servers.primary().freeze().await.unwrap();
    let mut other = Raw::login(at, &Login::app()).await;
    let began = Instant::now();
    // A connection that is in the pool is not known to be dead; a new one is not answered.
    let fresh = Login::app().with(MODERN.with(Capabilities::ODBC));
    let mut fresh = Raw::login(at, &fresh).await;
    let told = last_error(&fresh.query("INSERT INTO t VALUES (4)").await);
    assert_eq!(told.code, 1429, "{told:?}");
    assert!(told.message.contains("did not complete a login within 500 ms"), "{}", told.message);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(reader.value("SELECT MIN(a) FROM t").await, "1");
    assert_eq!(other.value("SELECT MIN(a) FROM t").await, "1");
    stage.servers.primary().thaw().await.unwrap();
    stage.servers.primary().kill().await.unwrap();
    // In a transaction: the client is told without asking.
    inside.sequence = 0;
    assert!(inside.is_closed().await);
    // Its connection may be known to be dead, or not yet.
    writer.try_send(b"\x03INSERT INTO t VALUES (2)").await;
    if let Ok(told) = writer.try_read().await {
        assert_eq!(told.error().code, 1429);
    }
    let mut writer = Raw::login(at, &Login::app()).await;
    let told = last_error(&writer.query("INSERT INTO t VALUES (2)").await);
    assert_eq!((told.code, &told.sql_state), (1429, b"HY000"));
    assert!(told.message.contains("cannot connect to `primary`"), "{}", told.message);
    stage.servers.primary().restart().await.unwrap();
    until("the same session writes again", || async {
        stage.servers.primary().connect(pointsman::sandbox::APP).await.is_ok()
    })
    .await;
    writer.run("INSERT INTO t VALUES (2)").await;

    assert!(stage.metric("pointsman_backend_connects_total", &["timeout"]).await >= 1.0);
    stage.end().await;
}

#[tokio::test]
async fn long_data_that_cannot_be_kept_is_not_forgotten() {
    let Some((servers, proxy, primary, _replica)) = fakes(EVENTUAL).await else { return };
    let stage = Stage { servers, proxy };
    stage.prepare(&["CREATE TABLE t (a LONGBLOB)"]).await;
    let mut client = Raw::login(stage.listen(), &Login::app()).await;
    let (_, id) = client.prepare("INSERT INTO t VALUES (?)").await;
    client.send(&[&b"\x18"[..], &id.to_le_bytes(), &[0, 0], b"lost /* fault:close */"].concat()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(primary.faults() > 0);
    // The EXECUTE must not insert what is left of its parameter, nor may an error come that nobody asked for.
    client.sequence = 0;
    client.try_send(&execute_payload(id, 0, &[Some(b"x")])).await;
    client.sequence = 1;
    if let Ok(packet) = client.try_read().await {
        assert_eq!(packet.payload[0], 0xFF, "{packet:?}");
    }
    assert_eq!(Raw::login(stage.listen(), &Login::app()).await.value("SELECT COUNT(*) FROM t").await, "0");
    stage.end().await;
}
