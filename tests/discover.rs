//! `auth = "discover"`: accounts as the servers have them, with nothing about them in the configuration.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]
#![allow(clippy::print_stdout, reason = "what was measured is shown")]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::sandbox::{LoggedCommand, MONITOR, Sandbox};
use pointsman::wire::auth::{CACHING_SHA2, NATIVE, SHA256};
use pointsman::wire::{Capabilities, ErrPacket};
use support::Stage;
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw};
use tokio::process::Command;

/// Servers whose monitor may read the accounts, and a proxy that knows nobody.
async fn stage_of(servers: Sandbox, extra: &str) -> Stage {
    let table = if servers.flavor() == Flavor::MySql { "user" } else { "global_priv" };
    servers.primary().run(&[format!("GRANT SELECT ON mysql.{table} TO monitor")]).await.unwrap();
    let proxy = proxy_of(&servers, extra).await;
    Stage { servers, proxy }
}

async fn proxy_of(servers: &Sandbox, extra: &str) -> support::Proxy {
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
    one_login_at_the_server_decides_for_many_clients,
    real_clients_log_in_with_nothing_configured,
    an_expired_password_can_be_changed,
    an_expired_password_has_its_schema,
    the_key_that_is_shown_is_the_one_that_is_used,
    what_is_changed_through_the_proxy_counts_at_once,
    the_grants_that_check_tells_are_all_that_is_missing,
    a_user_that_is_not_there_takes_as_long_as_one_that_is,
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

/// What is changed through the proxy counts for the next login, whoever was let in just before.
async fn what_is_changed_through_the_proxy_counts_at_once(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at = stage.listen();
    stage
        .servers
        .primary()
        .run(&["CREATE USER 'mine'@'%' IDENTIFIED BY 'x'", "GRANT ALL ON *.* TO 'app'@'%' WITH GRANT OPTION"])
        .await
        .unwrap();
    let plugin = if flavor == Flavor::MySql { CACHING_SHA2 } else { NATIVE };
    let mine = Login::new("mine", "x").plugin(plugin);
    // By a new connection: rights are looked up at the login.
    let mut admin = Raw::login(at, &Login::app().plugin(plugin)).await;
    for change in ["ACCOUNT LOCK", "ACCOUNT UNLOCK"] {
        for _ in 0..2 {
            let here = Raw::login_uncertain(at, &mine).await.map(|_| ());
            let there = Raw::login_uncertain(stage.servers.primary().address(), &mine).await.map(|_| ());
            assert_eq!(here, there, "before {change}");
        }
        admin.run(&format!("ALTER USER 'mine'@'%' {change}")).await;
    }
    Raw::login(at, &mine).await;
    admin.run("ALTER USER 'mine'@'%' PASSWORD EXPIRE").await;
    let here = Raw::login_uncertain(at, &mine).await.map(|_| ());
    let there = Raw::login_uncertain(stage.servers.primary().address(), &mine).await.map(|_| ());
    assert_eq!(here, there);
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

/// How often somebody tried to log in to the server as this user.
fn logins_of(stage: &Stage, user: &str) -> usize {
    let of = |text: &str| text.starts_with(&format!("{user}@")) || text.contains(&format!("'{user}'@"));
    let log = stage.servers.primary().commands_seen().unwrap();
    let tries = log.iter().filter(|command| command.command == "Connect" && of(&command.text));
    tries.map(|command| command.connection).collect::<BTreeSet<_>>().len()
}

async fn one_login_at_the_server_decides_for_many_clients(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at = stage.listen();
    let method = match flavor {
        Flavor::MySql => "IDENTIFIED WITH caching_sha2_password BY 'right'",
        _ => "IDENTIFIED VIA mysql_native_password USING PASSWORD('right') OR unix_socket",
    };
    stage.servers.primary().run(&[format!("CREATE USER 'storm'@'%' {method}")]).await.unwrap();
    // A newer list, so that the account is known.
    refused(at, &Login::new("storm", "first wrong")).await;

    // Wrong ones: the server sees few, whatever comes.
    let before = logins_of(&stage, "storm");
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..30 {
        all.spawn(async move { Raw::login_uncertain(at, &login_of("wrong")).await.is_ok() });
    }
    assert!(all.join_all().await.into_iter().all(|entered| !entered));
    let wrong = logins_of(&stage, "storm") - before;
    assert!(wrong <= 2, "{wrong} logins at the server for one wrong password");
    for nth in 0..20 {
        refused(at, &login_of(&format!("guess {nth}"))).await;
    }
    let guessed = logins_of(&stage, "storm") - before;
    assert!(guessed <= 8, "{guessed} logins at the server for 21 wrong passwords");

    // Right ones, of an account that nobody has used: one login to find out, and what the pool needs.
    stage.servers.primary().run(&[format!("CREATE USER 'calm'@'%' {method}")]).await.unwrap();
    refused(at, &Login::new("calm", "wrong")).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..30 {
        all.spawn(
            async move { Raw::login_uncertain(at, &Login::new("calm", "right").plugin(CACHING_SHA2)).await.is_ok() },
        );
    }
    assert!(all.join_all().await.into_iter().all(|entered| entered));
    // The login that found out took leave; the others are those of the pool.
    let log = stage.servers.primary().commands_seen().unwrap();
    let of = |command: &&LoggedCommand| command.command == "Connect" && command.text.starts_with("calm@");
    let connections: BTreeSet<u64> = log.iter().filter(of).map(|command| command.connection).collect();
    let left = log.iter().filter(|command| command.command == "Quit" && connections.contains(&command.connection));
    assert_eq!(left.count(), 1, "logins to find out about one right password of 30 clients");
    // Known now: the fast exchange, and wrong ones harm nobody who is right.
    for nth in 0..10 {
        refused(at, &Login::new("calm", &format!("guess {nth}")).plugin(CACHING_SHA2)).await;
        let mut client = Raw::open(at).await;
        let packets = client.log_in(&Login::new("calm", "right").plugin(CACHING_SHA2)).await;
        assert_eq!(packets[0].payload, [1, 3]);
        assert!(packets[1].is_ok());
    }
    stage.end().await;
}

fn login_of(password: &str) -> Login {
    Login::new("storm", password).plugin(CACHING_SHA2)
}

/// Programs that log in as they do, and print CURRENT_USER(): a name, the program and its arguments.
fn programs(at: SocketAddr, user: &str, password: &str) -> Vec<(&'static str, PathBuf, Vec<String>)> {
    let (host, port) = (at.ip().to_string(), at.port().to_string());
    let python = support::target().join("clients/python/bin/python");
    let cli = |more: &[&str]| {
        let mut arguments: Vec<String> = more.iter().map(|argument| (*argument).to_owned()).collect();
        arguments.extend([format!("-h{host}"), format!("-P{port}"), format!("-u{user}"), format!("-p{password}")]);
        arguments.extend(["-N", "-B", "-e", "SELECT CURRENT_USER()"].map(str::to_owned));
        arguments
    };
    let script = |code: &str| {
        let code =
            code.replace("HOST", &host).replace("PORT", &port).replace("USER", user).replace("PASSWORD", password);
        vec!["-c".to_owned(), code]
    };
    let pymysql = "import pymysql; c = pymysql.connect(host='HOST', port=PORT, user='USER', password='PASSWORD').cursor(); \
                   c.execute('SELECT current_user()'); print(c.fetchone()[0])";
    let connector = "import mysql.connector as m; k = m.connect(host='HOST', port=PORT, user='USER', password='PASSWORD', \
                     ssl_disabled=True); c = k.cursor(); c.execute('SELECT current_user()'); print(c.fetchone()[0])";
    let php = "$c = new mysqli('HOST', 'USER', 'PASSWORD', '', PORT); echo $c->query('SELECT current_user()')->fetch_row()[0];";
    let mut php = script(php);
    php[0] = "-r".to_owned();
    vec![
        ("mariadb", "mariadb".into(), cli(&["--no-defaults", "--skip-ssl"])),
        (
            "mysql 9",
            support::target().join("mysql/bin/mysql"),
            cli(&["--no-defaults", "--ssl-mode=DISABLED", "--get-server-public-key"]),
        ),
        ("PyMySQL", python.clone(), script(pymysql)),
        ("mysql-connector-python", python, script(connector)),
        ("mysqli", "php".into(), php),
    ]
}

async fn real_clients_log_in_with_nothing_configured(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut tried = 0;
    for (name, program, arguments) in programs(stage.listen(), "app", "app-secret") {
        // The first takes the full exchange, the second the fast one.
        for _ in 0..2 {
            let output = Command::new(&program).args(&arguments).kill_on_drop(true).output();
            let Ok(Ok(output)) = tokio::time::timeout(Duration::from_secs(30), output).await else {
                eprintln!("skipped: {name} is not here");
                break;
            };
            let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(said.trim(), "app@%", "{name}: {complained}");
            tried += 1;
        }
    }
    assert!(tried > 0);
    stage.end().await;
}

#[tokio::test]
async fn every_method_of_the_newer_mariadb_is_discovered() {
    let Some(servers) = support::newer_mariadb(&[]).await else { return };
    let users = [
        "INSTALL SONAME 'auth_ed25519'",
        "INSTALL SONAME 'auth_parsec'",
        "CREATE USER 'native'@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('x')",
        "CREATE USER 'ed25519'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x')",
        "CREATE USER 'parsec'@'%' IDENTIFIED VIA parsec USING PASSWORD('x')",
    ];
    servers.primary().run(&users).await.unwrap();
    let stage = stage_of(servers, "").await;
    for user in ["native", "ed25519", "parsec"] {
        for plugin in [NATIVE, CACHING_SHA2, SHA256, "dialog"] {
            let mut client = Raw::login(stage.listen(), &Login::new(user, "x").plugin(plugin)).await;
            assert_eq!(client.value("SELECT CURRENT_USER()").await, format!("{user}@%"), "{plugin}");
            let error = refused(stage.listen(), &Login::new(user, "wrong").plugin(plugin)).await;
            assert_eq!((error.code, &*error.message), (1045, &*denied(user)), "{plugin}");
        }
    }
    stage.end().await;
}

/// Two accounts of one name and password: the server must not lend the client the rights of the wrong one. Clients by a Unix
/// socket are `localhost`, and the proxy comes by TCP.
#[tokio::test]
async fn nobody_gets_the_rights_of_another_account_of_its_name() {
    let Some(servers) = support::servers(0).await else { return };
    let users =
        ["CREATE USER 'two'@'localhost' IDENTIFIED BY 'same'", "CREATE USER 'two'@'127.0.0.1' IDENTIFIED BY 'same'"];
    servers.primary().run(&users).await.unwrap();
    servers.primary().run(&["GRANT SELECT ON mysql.global_priv TO monitor"]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("p.sock");
    let mut text = format!(
        "[proxy]\nlisten='127.0.0.1:0'\nsocket='{}'\nauth='discover'\n[http]\nlisten='127.0.0.1:0'\n[monitor]\nuser='{}'\n\
         password='{}'\n",
        socket.display(),
        MONITOR.user,
        MONITOR.password
    );
    text += &format!("[[servers]]\naddress='{}'\nrole='primary'\n", servers.primary().address());
    let proxy = support::proxy_of(&text).await;
    let mut near = Raw::login(proxy.listen(), &Login::new("two", "same")).await;
    assert_eq!(near.value("SELECT CURRENT_USER()").await, "two@127.0.0.1");
    let arguments = [format!("-S{}", socket.display()), "-utwo".into(), "-psame".into(), "-eSELECT 1".into()];
    let output = Command::new("mariadb").arg("--no-defaults").args(arguments).output().await;
    if let Ok(output) = output {
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(complained.contains("two@127.0.0.1") && complained.contains("two@localhost"), "{complained}");
    }
    proxy.stop().await;
    servers.stop().await;
}

/// A password that has expired, of an account that the proxy discovers and of one that it is told: who can handle it gets in and
/// may set a new one, and nothing else. MariaDB lets everybody in by default.
async fn an_expired_password_can_be_changed(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let primary = stage.servers.primary();
    let users = "[[users]]\nname='told1'\npassword='x'\n[[users]]\nname='told0'\npassword='x'\n";
    let told = support::proxy(&stage.servers, users).await;
    for capable in [true, false] {
        let mut said: Vec<(&str, Vec<String>)> = Vec::new();
        for (way, at) in [("direct", primary.address()), ("found", stage.listen()), ("told", told.listen())] {
            let user = format!("{way}{}", u8::from(capable));
            let create = [
                format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE"),
                format!("GRANT ALL ON app.* TO '{user}'@'%'"),
            ];
            primary.run(&create).await.unwrap();
            let form = if capable { MODERN | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS } else { MODERN };
            let plugin = if flavor == Flavor::MySql { CACHING_SHA2 } else { NATIVE };
            let login = |password: &str| Login::new(&user, password).plugin(plugin).with(form);
            let mut heard = vec![format!("{}", refused(at, &login("wrong")).await.code)];
            let mut client = match Raw::login_uncertain(at, &login("x")).await {
                Ok(client) => client,
                Err(error) => {
                    heard.push(format!("{error:?}").replace(&user, "U"));
                    said.push((way, heard));
                    continue;
                }
            };
            expired(&mut client, flavor, &mut heard).await;
            // The new one counts for all, the old one for nobody. Of one that it was told the proxy knows no other.
            if way != "told" {
                let mut anew = Raw::login(at, &login("y")).await;
                assert_eq!(anew.value("SELECT 2").await, "2");
                assert_eq!(refused(at, &login("x")).await.code, 1045);
            }
            said.push((way, heard.into_iter().map(|line| line.replace(&user, "U")).collect()));
        }
        let (_, direct) = said.remove(0);
        assert!(direct.iter().any(|line| line.contains(if capable || flavor == Flavor::MariaDb {
            "1820"
        } else {
            "1862"
        })));
        for (way, heard) in said {
            assert_eq!(heard, direct, "{way}, {capable}");
        }
    }
    told.stop().await;
    stage.end().await;
}

/// The schema of a login holds before and after the new password.
async fn an_expired_password_has_its_schema(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let primary = stage.servers.primary();
    let plugin = if flavor == Flavor::MySql { CACHING_SHA2 } else { NATIVE };
    let new = match flavor {
        Flavor::MySql => "ALTER USER USER() IDENTIFIED BY 'y'",
        _ => "SET PASSWORD = PASSWORD('y')",
    };
    stage.prepare(&["CREATE TABLE found (id INT)", "INSERT INTO found VALUES (5)"]).await;
    let mut said = Vec::new();
    for (user, at) in [("direct", primary.address()), ("found", stage.listen())] {
        let create = [
            format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE"),
            format!("GRANT ALL ON app.* TO '{user}'@'%'"),
        ];
        primary.run(&create).await.unwrap();
        let form = MODERN | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS;
        let login =
            |schema: &str| Login { schema: Some(schema.into()), ..Login::new(user, "x") }.plugin(plugin).with(form);
        let mut heard = vec![format!("{:?}", Raw::login_uncertain(at, &login("nowhere")).await.map(|_| ()))];
        let mut client = Raw::login(at, &login("app")).await;
        heard.push(format!("{:?}", client.query("SELECT id FROM found").await.pop().unwrap().error()));
        client.run(new).await;
        heard.push(client.value("SELECT id FROM found").await);
        heard.push(client.value("SELECT DATABASE()").await);
        said.push(heard.into_iter().map(|line| line.replace(user, "U")).collect::<Vec<_>>());
    }
    assert_eq!(said[1], said[0]);
    stage.end().await;
}

/// A client may keep the key of its server, as SHOW STATUS tells it, and hide its password by that (MySQL).
async fn the_key_that_is_shown_is_the_one_that_is_used(flavor: Flavor) {
    if flavor != Flavor::MySql {
        return;
    }
    let Some(stage) = stage(flavor).await else { return };
    stage.servers.primary().run(&["CREATE USER 'keyed'@'%' IDENTIFIED BY 'k'"]).await.unwrap();
    let mut client = Raw::open(stage.listen()).await;
    let packets = client.log_in(&Login::new("keyed", "k").plugin(CACHING_SHA2)).await;
    assert!(packets.last().unwrap().is_ok());
    let used = packets.iter().find_map(|packet| packet.payload.strip_prefix(b"\x01-----")).unwrap();
    for name in ["Caching_sha2_password_rsa_public_key", "Rsa_public_key"] {
        let asks =
            format!("SELECT variable_value FROM performance_schema.global_status WHERE variable_name = '{name}'");
        let shown = client.value(&asks).await;
        assert_eq!(
            shown.strip_prefix("-----").map(str::trim_end),
            std::str::from_utf8(used).ok().map(str::trim_end),
            "{name}"
        );
    }
    stage.end().await;
}

/// What is heard on a connection whose password has expired, and after a new one.
async fn expired(client: &mut Raw, flavor: Flavor, heard: &mut Vec<String>) {
    let new = match flavor {
        Flavor::MySql => "ALTER USER USER() IDENTIFIED BY 'y'",
        _ => "SET PASSWORD = PASSWORD('y')",
    };
    let answer = |packet: Packet| match packet.payload.first() {
        Some(0xFF) => format!("{:?}", packet.error()),
        first => format!("{first:?}"),
    };
    // A reset in the middle, too: the session has no other connection to go to.
    let (reset, ping, init) = (&b"\x1f"[..], &b"\x0e"[..], &b"\x02app"[..]);
    for _ in 0..2 {
        for statement in
            ["SELECT 1", "USE app", "INSERT INTO app.t VALUES (1)", "BEGIN", "SET @mine = 1", "SHOW TABLES"]
        {
            heard.push(format!("{statement}: {}", answer(client.query(statement).await.pop().unwrap())));
        }
        heard.push(format!("PREPARE: {}", answer(client.prepare("SELECT 1").await.0.swap_remove(0))));
        for command in [init, ping, reset] {
            heard.push(format!("{command:?}: {}", answer(client.one(command).await)));
        }
    }
    client.run(new).await;
    heard.push(client.value("SELECT CURRENT_USER()").await);
    client.run("SET @mine = 4").await;
    heard.push(client.value("SELECT @mine").await);
    heard.push(answer(client.one(init).await));
    heard.push(client.value("SELECT DATABASE()").await);
    heard.push(answer(client.one(reset).await));
    heard.push(client.value("SELECT CONCAT(IFNULL(@mine, 'none'), IFNULL(DATABASE(), 'none'))").await);
    let (_, statement) = client.prepare("SELECT 5").await;
    heard.push(format!("{}", client.execute(statement, 0, &[]).await.len()));
}

/// `pointsman check --connect` with this configuration: whether all is good, and its words.
async fn check(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pointsman.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    let output = command.args(["check", "--connect", "--config"]).arg(&file).output().await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `check --connect` tells to run is all that a monitor's account needs.
async fn the_grants_that_check_tells_are_all_that_is_missing(flavor: Flavor) {
    let Some(servers) = support::servers_of(flavor, 1, &[]).await else { return };
    servers.primary().run(&["CREATE USER 'wa`tch'@'127.0.%' IDENTIFIED BY 'w'"]).await.unwrap();
    servers.catch_up().await.unwrap();
    let mut text = "[proxy]\nauth='discover'\n[monitor]\nuser='wa`tch'\npassword='w'\n".to_owned();
    for server in servers.servers() {
        let role = if server.name() == "primary" { "primary" } else { "replica" };
        text += &format!("[[servers]]\nname='{}'\naddress='{}'\nrole='{role}'\n", server.name(), server.address());
    }
    let (good, said) = check(&text).await;
    assert!(!good, "{said}");
    let mut grants: Vec<&str> = Vec::new();
    for line in said.lines() {
        let Some((_, rest)) = line.split_once("run on the primary: ") else { continue };
        // Behind it stands what was seen of the server.
        grants.push(rest.split(" (").next().unwrap());
    }
    assert_eq!(grants.len(), 3, "for the primary, the accounts and the replica: {said}");
    servers.primary().run(&grants).await.unwrap();
    servers.catch_up().await.unwrap();
    let (good, said) = check(&text).await;
    assert!(good && said.contains("accounts may log in"), "{said}");
    servers.stop().await;
}

/// How long a login takes that fails.
async fn time_of(at: SocketAddr, user: &str, password: &str, plugin: &str) -> Duration {
    let mut client = Raw::open(at).await;
    let began = tokio::time::Instant::now();
    let packets = client.log_in(&Login::new(user, password).plugin(plugin)).await;
    let took = began.elapsed();
    assert_eq!(packets.last().unwrap().error().code, 1045);
    took
}

/// Whether there is such an account cannot be told from how long a wrong password takes.
async fn a_user_that_is_not_there_takes_as_long_as_one_that_is(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let told = support::proxy(&stage.servers, "").await;
    for (how, at, tries) in [("configured", told.listen(), 75), ("discover", stage.listen(), 21)] {
        for plugin in [NATIVE, CACHING_SHA2] {
            // In turns, since the machine has other things to do, too.
            let (mut known, mut unknown) = (Vec::new(), Vec::new());
            for nth in 0..tries {
                let password = format!("wrong {nth}");
                known.push(time_of(at, "app", &password, plugin).await);
                unknown.push(time_of(at, "nobody", &password, plugin).await);
            }
            let [known, unknown] = [known, unknown].map(|mut times| {
                times.sort();
                times[tries / 2].as_secs_f64()
            });
            let ratio = unknown / known;
            println!("{flavor:?}, {how}, {plugin}: {unknown:.5} s unknown, {known:.5} s known: {ratio:.2}");
            assert!((0.4..2.5).contains(&ratio), "{flavor:?}, {how}, {plugin}: {ratio:.2}");
        }
    }
    told.stop().await;
    stage.end().await;
}
