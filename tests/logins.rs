//! Logins, packet by packet, in every form that clients and servers know.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::sandbox::APP;
use pointsman::wire::auth::{CACHING_SHA2, NATIVE, SHA256};
use pointsman::wire::handshake::Greeting;
use pointsman::wire::{Capabilities, ErrPacket};
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw};
use support::{Stage, stage};

const MORE_USERS: &str = "[[users]]\nname='blank'\npassword=''\n[[users]]\nname='single'\npassword='single-secret'\n\
                          max_connections=1\n[[users]]\nname='ghost'\npassword='nowhere-else'\n";

async fn stage_with_users(extra: &str) -> Option<Stage> {
    let stage = stage(0, &format!("{extra}\n{MORE_USERS}")).await?;
    let users = ["CREATE USER 'blank'@'%' IDENTIFIED BY ''", "CREATE USER 'single'@'%' IDENTIFIED BY 'single-secret'"];
    stage.servers.primary().run(&users).await.unwrap();
    Some(stage)
}

fn last_error(packets: &[Packet]) -> ErrPacket {
    packets.last().unwrap().error()
}

/// First bytes of packets, AuthMoreData with their second: the shape of an exchange, without what is random.
fn shape(packets: &[Packet]) -> Vec<(u8, Vec<u8>, usize)> {
    let told = |payload: &[u8]| match payload {
        [1, rest @ ..] if rest.len() > 1 => vec![1],
        [0xFE, rest @ ..] => rest.split(|byte| *byte == 0).next().unwrap().to_vec(),
        other => other.to_vec(),
    };
    packets.iter().map(|packet| (packet.sequence, told(&packet.payload), packet.payload.len())).collect()
}

#[tokio::test]
async fn every_method_proves_the_password_and_nothing_else_does() {
    let Some(stage) = stage_with_users("").await else { return };
    let at = stage.listen();

    // The greeting names the primary's method, the id is the connection's, and no two nonces are equal.
    let mut first = Raw::open(at).await;
    let second = Raw::open(at).await;
    let (one, two) = (first.greeting.clone().unwrap(), second.greeting.clone().unwrap());
    assert_eq!(one.plugin, NATIVE);
    assert_ne!(one.nonce, two.nonce);
    assert_ne!(one.thread_id, two.thread_id);
    assert!(one.nonce.iter().all(|byte| *byte != 0 && byte.is_ascii()));
    // Another primary, another method.
    let mysql = Greeting { plugin: CACHING_SHA2.to_owned(), ..one.clone() };
    stage.proxy.shared().greetings.keep(mysql);
    assert_eq!(Raw::open(at).await.greeting.unwrap().plugin, CACHING_SHA2);
    stage.proxy.shared().greetings.keep(one.clone());
    assert!(first.log_in(&Login::app()).await.last().unwrap().is_ok());
    assert_eq!(first.value("SELECT CONNECTION_ID()").await, one.thread_id.to_string());

    // native: OK at once. caching_sha2 fast: 0x03, then OK.
    let native = Raw::open(at).await.log_in(&Login::app()).await;
    assert_eq!(native.len(), 1);
    let fast = Raw::open(at).await.log_in(&Login::app().plugin(CACHING_SHA2)).await;
    assert_eq!(fast.len(), 2);
    assert_eq!(fast[0].payload, [1, 3]);
    assert!(fast[1].is_ok());

    // What is known for wrong is refused at once: a client without TLS may be unable to send more, and say so instead.
    let login = Login { spoil: true, ..Login::app().plugin(CACHING_SHA2) };
    let spoilt = Raw::open(at).await.log_in(&login).await;
    assert_eq!((spoilt.len(), last_error(&spoilt).code), (1, 1045));
    // In full: the password under RSA.
    let mut client = Raw::open(at).await;
    let full = client.log_in(&Login::app().plugin(SHA256)).await;
    assert_eq!(full.len(), 2);
    assert!(full[0].payload.starts_with(b"\x01-----BEGIN PUBLIC KEY-----\n"));
    assert!(full[1].is_ok());
    assert_eq!(client.value("SELECT 'works'").await, "works");

    // An unknown method is switched; so is none under PLUGIN_AUTH.
    for capabilities in [MODERN, CLASSIC] {
        let switched = Raw::open(at).await.log_in(&Login::app().plugin("dialog").with(capabilities)).await;
        assert!(switched[0].payload.starts_with(b"\xfemysql_native_password\0"), "{switched:?}");
        assert_eq!(switched[0].payload.len(), 1 + 22 + 21);
        assert!(switched.last().unwrap().is_ok());
    }
    // A client that does not know of methods.
    for plain in [
        MODERN.without(Capabilities::PLUGIN_AUTH),
        CLASSIC.without(Capabilities::PLUGIN_AUTH).without(Capabilities::PLUGIN_AUTH_LENENC),
    ] {
        let packets = Raw::open(at).await.log_in(&Login::app().plugin("").with(plain)).await;
        assert_eq!(packets.len(), 1);
        assert!(packets[0].is_ok());
        let wrong = Login { password: "wrong".into(), ..Login::app().plugin("").with(plain) };
        assert_eq!(last_error(&Raw::open(at).await.log_in(&wrong).await).code, 1045);
    }

    // No password.
    for plugin in [NATIVE, CACHING_SHA2, "dialog"] {
        let mut client = Raw::login(at, &Login::new("blank", "").plugin(plugin)).await;
        assert_eq!(client.value("SELECT CURRENT_USER()").await, "blank@%");
        let wrong = Raw::open(at).await.log_in(&Login::new("blank", "guess").plugin(plugin)).await;
        assert_eq!(
            last_error(&wrong).message,
            "Access denied for user 'blank'@'127.0.0.1' (using password: YES)".into()
        );
    }

    // An account that the proxy knows and the server does not.
    // Also when the form of its login is known from others.
    let refused = last_error(&Raw::open(at).await.log_in(&Login::new("ghost", "nowhere-else")).await);
    assert_eq!((refused.code, &refused.sql_state), (1045, b"28000"));
    assert!(refused.message.contains("pointsman") && refused.message.contains("ghost"), "{}", refused.message);
    stage.end().await;
}

#[tokio::test]
async fn refusals_are_the_servers_own_and_tell_nothing() {
    let Some(stage) = stage_with_users("").await else { return };
    let (at, direct) = (stage.listen(), stage.servers.primary().address());

    // Word for word, packet for packet.
    for password in ["wrong", ""] {
        let login = Login::new("app", password);
        let here = Raw::open(at).await.log_in(&login).await;
        let there = Raw::open(direct).await.log_in(&login).await;
        assert_eq!(last_error(&here), last_error(&there));
        let using = if password.is_empty() { "NO" } else { "YES" };
        let text = format!("Access denied for user 'app'@'127.0.0.1' (using password: {using})");
        assert_eq!(&*last_error(&here).message, text);
        // Without a proof it may be one that waits for a nonce of its own method, and is given one.
        if !password.is_empty() {
            assert_eq!(here, there);
        }
    }
    for schema in ["nowhere", "mysql"] {
        let login = Login { schema: Some(schema.into()), ..Login::app() };
        let here = Raw::open(at).await.log_in(&login).await;
        let there = Raw::open(direct).await.log_in(&login).await;
        assert_eq!(last_error(&here), last_error(&there));
    }
    stage.servers.primary().run(&["GRANT ALL ON nowhere.* TO 'app'@'%'"]).await.unwrap();
    let login = Login { schema: Some("nowhere".into()), ..Login::app() };
    assert_eq!(last_error(&Raw::open(at).await.log_in(&login).await).code, 1049);

    // Whether an account exists cannot be seen.
    for plugin in [NATIVE, CACHING_SHA2, "dialog", ""] {
        for password in ["wrong", ""] {
            let mut known = Raw::open(at).await;
            let mut unknown = Raw::open(at).await;
            let known = known.log_in(&Login::new("app", password).plugin(plugin)).await;
            let unknown = unknown.log_in(&Login::new("bpp", password).plugin(plugin)).await;
            let mut expected = shape(&known);
            for part in &mut expected {
                part.1 = String::from_utf8_lossy(&part.1).replace("'app'", "'bpp'").into_bytes();
            }
            let mut got = shape(&unknown);
            for part in &mut got {
                part.1 = String::from_utf8_lossy(&part.1).into_owned().into_bytes();
            }
            assert_eq!(got, expected, "{plugin} {password}");
        }
    }
    assert!(stage.metric("pointsman_logins_failed_total", &["wrong_password"]).await >= 4.0);
    assert!(stage.metric("pointsman_logins_failed_total", &["unknown_user"]).await >= 4.0);
    assert!(stage.metric("pointsman_logins_failed_total", &["schema"]).await >= 2.0);
    // The connection is closed, and nobody else is harmed.
    let mut client = Raw::open(at).await;
    client.log_in(&Login::new("app", "wrong")).await;
    assert!(client.is_closed().await);
    assert_eq!(Raw::login(at, &Login::app()).await.value("SELECT 7").await, "7");
    stage.end().await;
}

#[tokio::test]
async fn limits_and_time_outs() {
    let extra = "[proxy]\nlisten='127.0.0.1:0'\nmax_connections=3\nlogin_timeout='400ms'\n\
                 default_auth='caching_sha2_password'\n";
    let Some(stage) = stage_with_users(extra).await else { return };
    let at = stage.listen();
    let mut first = Raw::open(at).await;
    assert_eq!(first.greeting.as_ref().unwrap().plugin, CACHING_SHA2);
    assert!(first.log_in(&Login::new("single", "single-secret")).await.last().unwrap().is_ok());
    // An unknown method is switched to what the greeting names.
    let switched = Raw::open(at).await.log_in(&Login::app().plugin("dialog")).await;
    assert!(switched[0].payload.starts_with(b"\xfecaching_sha2_password\0"));

    // users.max_connections; the one who changes to itself is not counted twice.
    let second = last_error(&Raw::open(at).await.log_in(&Login::new("single", "single-secret")).await);
    assert_eq!((second.code, &second.sql_state), (1203, b"42000"));
    assert!(second.message.contains("users.max_connections is 1"), "{}", second.message);
    assert_eq!(stage.metric("pointsman_client_refused_total", &["user_connections"]).await, 1.0);
    let again = first.change_user(&Login::new("single", "single-secret")).await;
    assert!(again.last().unwrap().is_ok(), "{:?}", last_error(&again));
    drop(first);
    support::until("the place is free again", || async {
        Raw::open(at).await.log_in(&Login::new("single", "single-secret")).await.last().unwrap().is_ok()
    })
    .await;

    // proxy.max_connections.
    support::until("all have left", || async { stage.proxy.shared().clients.is_empty() }).await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(Raw::login(at, &Login::app()).await);
    }
    let mut outside = Raw::dial(at).await;
    let refused = outside.read().await;
    assert_eq!(refused.sequence, 0);
    assert_eq!((refused.error().code, &refused.error().sql_state), (1040, b"08004"));
    assert!(refused.error().message.starts_with("Too many connections"), "{}", refused.error().message);
    assert!(outside.is_closed().await);
    assert_eq!(inside[0].value("SELECT 1").await, "1");
    drop(inside);
    support::until("all have left", || async { stage.proxy.shared().clients.is_empty() }).await;

    // Silent, before the login and in its middle.
    let before = tokio::time::Instant::now();
    let mut silent = Raw::open(at).await;
    let mut halfway = Raw::open(at).await;
    halfway.write(&[60, 0, 0, 1, 5, 5]).await;
    assert!(silent.is_closed().await && halfway.is_closed().await);
    assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
    assert_eq!(stage.metric("pointsman_logins_failed_total", &["timeout"]).await, 2.0);
    stage.end().await;
}

#[tokio::test]
async fn change_user_is_a_login_anew() {
    let Some(stage) = stage_with_users("").await else { return };
    let at = stage.listen();
    for (capabilities, plugin) in [(MODERN, NATIVE), (MODERN, CACHING_SHA2), (CLASSIC, "dialog"), (CLASSIC, NATIVE)] {
        let mut client = Raw::login(at, &Login::app().with(capabilities)).await;
        let id = client.value("SELECT CONNECTION_ID()").await;
        client.run("SET @mine = 5, SESSION sql_mode = 'ANSI'").await;
        client.run("CREATE TEMPORARY TABLE mine (a INT)").await;
        client.run("BEGIN").await;
        let (_, statement) = client.prepare("SELECT 1").await;
        let other = Login { schema: Some("app".into()), ..Login::new("other", "other-secret") };
        let packets = client.change_user(&other.plugin(plugin)).await;
        assert!(packets.last().unwrap().is_ok(), "{plugin}: {:?}", last_error(&packets));
        assert_eq!(packets[0].payload[0], 0xFE, "{plugin}");
        assert_eq!(client.value("SELECT CURRENT_USER()").await, "other@%");
        assert_eq!(client.value("SELECT CONNECTION_ID()").await, id);
        assert_eq!(client.value("SELECT CONCAT(IFNULL(@mine, 'none'), @@in_transaction)").await, "none0");
        assert!(!client.value("SELECT @@sql_mode").await.contains("ANSI"));
        assert_eq!(last_error(&client.query("SELECT * FROM mine").await).code, 1146);
        assert_eq!(last_error(&client.execute(statement, 0, &[]).await).code, 1243);
        // Without a schema there is none.
        let none = client.change_user(&Login::app().plugin(plugin)).await;
        assert!(none.last().unwrap().is_ok());
        let none = client.change_user(&Login::new("app", "app-secret").plugin(plugin)).await;
        assert!(none.last().unwrap().is_ok());
        assert_eq!(client.value("SELECT IFNULL(DATABASE(), 'none')").await, "none");
    }
    // A client without methods proves with the greeting's nonce, as servers have it.
    let plain = CLASSIC.without(Capabilities::PLUGIN_AUTH).without(Capabilities::PLUGIN_AUTH_LENENC);
    let mut client = Raw::login(at, &Login::app().plugin("").with(plain)).await;
    let changed = client.change_user(&Login::new("other", "other-secret").plugin("")).await;
    assert_eq!(changed.len(), 1);
    assert!(changed[0].is_ok(), "{:?}", last_error(&changed));
    assert_eq!(client.value("SELECT CURRENT_USER()").await, "other@%");

    // A wrong password ends the connection, with the words of the server.
    let mut client = Raw::login(at, &Login::app()).await;
    let mut direct = Raw::login(stage.servers.primary().address(), &Login::app()).await;
    let here = last_error(&client.change_user(&Login::new("other", "wrong")).await);
    let there = last_error(&direct.change_user(&Login::new("other", "wrong")).await);
    assert_eq!(here, there);
    assert_eq!(here.code, 1045);
    assert!(client.is_closed().await);
    // Cut off in its middle.
    let mut client = Raw::login(at, &Login::app()).await;
    let cut = client.one(b"\x11other").await.error();
    assert_eq!(cut.code, 1047, "{cut:?}");
    stage.end().await;
}

#[tokio::test]
async fn mysql_accounts_by_caching_sha2() {
    let Some(servers) = support::servers_of(Flavor::MySql, 0, &[]).await else { return };
    let proxy = support::proxy(&servers, "").await;
    for login in
        [Login::app(), Login::app().plugin(CACHING_SHA2), Login::app().plugin(SHA256), Login::app().with(CLASSIC)]
    {
        // The server's cache is empty after FLUSH PRIVILEGES: the login in full puts the account into it, and the next
        // one is fast. Each is a connection anew, since the one before was killed.
        servers.primary().run(&["FLUSH PRIVILEGES"]).await.unwrap();
        for _ in 0..2 {
            let mut client = Raw::login(proxy.listen(), &login).await;
            assert_eq!(client.value("SELECT CURRENT_USER()").await, format!("{}@%", APP.user));
            drop(client);
            let query = "SELECT CAST(MAX(ID) AS UNSIGNED) FROM information_schema.processlist WHERE USER = 'app'";
            while let Some(Some(id)) = servers.primary().first::<Option<u64>>(query).await.unwrap() {
                servers.primary().run(&[format!("KILL {id}")]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let wrong = last_error(&Raw::open(proxy.listen()).await.log_in(&Login::new("app", "wrong")).await);
    assert_eq!(&*wrong.message, "Access denied for user 'app'@'127.0.0.1' (using password: YES)");
    proxy.stop().await;
    servers.stop().await;
}
