//! `auth = "discover"`: accounts as the servers have them, with nothing about them in the configuration.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pointsman::app::RunningProxy;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{MONITOR, Sandbox};
use pointsman::wire::auth::{CACHING_SHA2, NATIVE, SHA256};
use pointsman::wire::{Capabilities, ErrPacket};
use support::Stage;
use support::raw::{CLASSIC, Login, Raw};

/// Servers whose monitor may read the accounts, and a proxy that knows nobody.
async fn stage_of(servers: Sandbox, extra: &str) -> Stage {
    let table = if servers.flavor() == Flavor::MySql { "user" } else { "global_priv" };
    servers.primary().run(&[format!("GRANT SELECT ON mysql.{table} TO monitor")]).await.unwrap();
    let proxy = proxy_of(&servers, extra).await;
    Stage { servers, proxy }
}

async fn proxy_of(servers: &Sandbox, extra: &str) -> RunningProxy {
    let mut text = format!(
        "[proxy]\nlisten='127.0.0.1:0'\nauth='discover'\nauth_refresh='60s'\n[http]\nlisten='127.0.0.1:0'\n\
         [monitor]\nuser='{}'\npassword='{}'\ninterval='50ms'\n",
        MONITOR.user, MONITOR.password
    );
    for server in servers.servers() {
        let role = if server.name() == "primary" { "primary" } else { "replica" };
        text += &format!("[[servers]]\nname='{}'\naddress='{}'\nrole='{role}'\n", server.name(), server.address());
    }
    support::proxy_of(&(text + extra)).await
}

async fn stage(flavor: Flavor) -> Option<Stage> {
    Some(stage_of(support::servers_of(flavor, 0, &[]).await?, "").await)
}

async fn refused(at: SocketAddr, login: &Login) -> ErrPacket {
    match Raw::login_uncertain(at, login).await {
        Err(error) => error,
        Ok(_) => panic!("{login:?} got in"),
    }
}

fn denied(user: &str) -> String {
    format!("Access denied for user '{user}'@'127.0.0.1' (using password: YES)")
}

on_both! {
    accounts_are_known_by_themselves,
    a_new_password_counts_at_once_and_the_old_one_no_more,
    hosts_are_the_clients_own,
    refusals_are_the_servers,
}

async fn accounts_are_known_by_themselves(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at = stage.listen();
    let create = ["CREATE USER 'blank'@'%' IDENTIFIED BY ''"];
    stage.servers.primary().run(&create).await.unwrap();
    // Also one that was made after the proxy read the accounts.
    for (user, password) in [("app", "app-secret"), ("other", "other-secret"), ("blank", "")] {
        for plugin in [NATIVE, CACHING_SHA2, SHA256, "dialog", "mysql_clear_password"] {
            for _ in 0..2 {
                let mut client = Raw::login(at, &Login::new(user, password).plugin(plugin)).await;
                assert_eq!(client.value("SELECT CURRENT_USER()").await, format!("{user}@%"), "{plugin}");
                let changed = client.change_user(&Login::new("app", "app-secret").plugin(plugin)).await;
                assert!(changed.last().unwrap().is_ok(), "{plugin}");
                assert_eq!(client.value("SELECT CURRENT_USER()").await, "app@%");
            }
            let error = refused(at, &Login::new(user, "wrong").plugin(plugin)).await;
            assert_eq!((error.code, &*error.message), (1045, &*denied(user)), "{plugin}");
        }
    }
    let error = refused(at, &Login::new("nobody", "wrong")).await;
    assert_eq!((error.code, &*error.message), (1045, &*denied("nobody")));
    // A client that does not know of methods: what is known may do.
    let plain = CLASSIC.without(Capabilities::PLUGIN_AUTH).without(Capabilities::PLUGIN_AUTH_LENENC);
    let mut client = Raw::login(at, &Login::app().plugin("").with(plain)).await;
    assert_eq!(client.value("SELECT CURRENT_USER()").await, "app@%");
    // KILL is by the discovered name, too.
    let mut victim = Raw::login(at, &Login::app()).await;
    let id = victim.greeting.as_ref().unwrap().thread_id;
    let mut stranger = Raw::login(at, &Login::new("other", "other-secret")).await;
    assert_eq!(stranger.query(&format!("KILL {id}")).await.last().unwrap().error().code, 1095);
    victim.send(b"\x03SELECT SLEEP(30)").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.run(&format!("KILL QUERY {id}")).await;
    let slept = victim.more_results().await;
    assert!(slept.len() < 10);
    stage.end().await;
}

async fn a_new_password_counts_at_once_and_the_old_one_no_more(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at = stage.listen();
    let primary = stage.servers.primary();
    let login = |password: &str| Login::new("app", password).plugin(CACHING_SHA2);
    let mut before = Raw::login(at, &login("app-secret")).await;
    before.run("SET @mine = 7").await;
    primary.run(&["ALTER USER 'app'@'%' IDENTIFIED BY 'second'"]).await.unwrap();
    // The new one at once, whoever saw the old one before.
    let mut after = Raw::login(at, &login("second")).await;
    assert_eq!(after.value("SELECT CURRENT_USER()").await, "app@%");
    assert_eq!(refused(at, &login("app-secret")).await.code, 1045);
    // Who was in stays in, as without a proxy; also where the session needs another connection.
    assert_eq!(before.value("SELECT @mine").await, "7");
    primary.run(&[kill_all(flavor)]).await.ok();
    let mut again = Raw::login(at, &login("second")).await;
    assert_eq!(again.value("SELECT 1").await, "1");

    // Locked, dropped, and made anew with another password.
    primary.run(&["ALTER USER 'app'@'%' ACCOUNT LOCK"]).await.unwrap();
    support::until("the lock is seen", || async { Raw::login_uncertain(at, &login("wrong")).await.is_err() }).await;
    let here = refused(at, &login("second")).await;
    let there = refused(primary.address(), &login("second")).await;
    assert_eq!(here, there);
    primary.run(&["DROP USER 'app'@'%'"]).await.unwrap();
    refused(at, &login("wrong")).await;
    assert_eq!(refused(at, &login("second")).await.code, 1045);
    primary.run(&["CREATE USER 'app'@'%' IDENTIFIED BY 'third'"]).await.unwrap();
    let mut anew = Raw::login(at, &login("third")).await;
    assert_eq!(anew.value("SELECT CURRENT_USER()").await, "app@%");
    // It has no rights any more: connections of the old account serve it not.
    let none = anew.query("SELECT * FROM app.x").await.last().unwrap().error();
    assert_eq!(none.code, 1142, "{none:?}");
    assert_eq!(refused(at, &login("second")).await.code, 1045);
    stage.end().await;
}

fn kill_all(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "SELECT 1",
        _ => "KILL USER app",
    }
}

async fn hosts_are_the_clients_own(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at = stage.listen();
    let users = [
        "CREATE USER 'h'@'127.0.0._' IDENTIFIED BY 'near'",
        "CREATE USER 'h'@'%' IDENTIFIED BY 'far'",
        "CREATE USER 'h'@'10.0.0.0/255.0.0.0' IDENTIFIED BY 'net'",
        "CREATE USER 'away'@'10.%' IDENTIFIED BY 'away'",
    ];
    stage.servers.primary().run(&users).await.unwrap();
    for plugin in [NATIVE, CACHING_SHA2] {
        let mut client = Raw::login(at, &Login::new("h", "near").plugin(plugin)).await;
        assert_eq!(client.value("SELECT CURRENT_USER()").await, "h@127.0.0._");
        for password in ["far", "net"] {
            assert_eq!(refused(at, &Login::new("h", password).plugin(plugin)).await.code, 1045);
        }
        assert_eq!(&*refused(at, &Login::new("away", "away").plugin(plugin)).await.message, denied("away"));
    }
    stage.end().await;
}

async fn refusals_are_the_servers(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let (at, direct) = (stage.listen(), stage.servers.primary().address());
    let users = [
        "CREATE USER 'locked'@'%' IDENTIFIED BY 'x' ACCOUNT LOCK",
        "CREATE USER 'expired'@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE",
        "CREATE USER 'few'@'%' IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1",
        "CREATE USER 'tls'@'%' IDENTIFIED BY 'x' REQUIRE SSL",
        "CREATE USER 'cert'@'%' IDENTIFIED BY 'x' REQUIRE X509",
        "CREATE USER 'poor'@'%' IDENTIFIED BY 'x'",
    ];
    stage.servers.primary().run(&users).await.unwrap();
    let plugin = if flavor == Flavor::MySql { CACHING_SHA2 } else { NATIVE };
    // MariaDB lets an expired password in, and refuses statements.
    let users: &[&str] =
        if flavor == Flavor::MySql { &["locked", "expired", "tls", "cert"] } else { &["locked", "tls", "cert"] };
    for user in users {
        for _ in 0..2 {
            let here = refused(at, &Login::new(user, "x").plugin(plugin)).await;
            let there = refused(direct, &Login::new(user, "x").plugin(plugin)).await;
            assert_eq!(here, there, "{user}");
            // Who does not know the password is told nothing of the lock.
            let here = refused(at, &Login::new(user, "wrong").plugin(plugin)).await;
            let there = refused(direct, &Login::new(user, "wrong").plugin(plugin)).await;
            assert_eq!(here, there, "{user}");
        }
    }
    for schema in ["mysql", "nowhere"] {
        let login = Login { schema: Some(schema.into()), ..Login::new("poor", "x").plugin(plugin) };
        assert_eq!(refused(at, &login).await, refused(direct, &login).await, "{schema}");
    }
    // The server's limit counts where the server is.
    let held = Raw::login(direct, &Login::new("few", "x").plugin(plugin)).await;
    let here = refused(at, &Login::new("few", "x").plugin(plugin)).await;
    let there = refused(direct, &Login::new("few", "x").plugin(plugin)).await;
    assert_eq!(here, there);
    drop(held);
    assert!(stage.metric("pointsman_logins_failed_total", &["refused"]).await >= 2.0);
    stage.end().await;
}
