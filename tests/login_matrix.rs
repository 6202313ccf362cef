//! Every way to log in, against the server's own answer: methods of clients, methods of servers, TCP, TLS and Unix sockets, accounts
//! of every kind, of users that are configured and of accounts that are discovered; by a login and by COM_CHANGE_USER.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "what was compared is counted")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use pointsman::cluster::Flavor;
use pointsman::sandbox::{Sandbox, SandboxOptions};
use pointsman::wire::auth::{CACHING_SHA2, CLEAR, NATIVE, SHA256};
use pointsman::wire::{Capabilities, ErrPacket};
use support::login::{Doors, Visitor, Way};
use support::raw::{Login, MODERN, Raw};
use support::tls::Authority;

/// What a client says of itself and its password.
#[derive(Debug, Clone, Copy)]
struct Case {
    user: &'static str,
    password: &'static str,
    schema: Option<&'static str>,
    /// It says that it can handle an expired password.
    capable: bool,
}

const fn case(user: &'static str, password: &'static str) -> Case {
    Case { user, password, schema: None, capable: false }
}

/// Each kind of account, each with a right and a wrong password.
const CASES: &[Case] = &[
    case("user", "x"),
    Case { schema: Some("app"), ..case("app", "app-secret") },
    Case { schema: Some("mysql"), ..case("user", "x") },
    Case { schema: Some("nowhere"), ..case("user", "x") },
    case("user", "wrong"),
    case("user", ""),
    case("nobody", "x"),
    case("nobody", ""),
    case("", "x"),
    case("blank", ""),
    case("blank", "x"),
    case("locked", "x"),
    case("locked", "wrong"),
    case("expired", "x"),
    Case { capable: true, ..case("expired", "x") },
    Case { capable: true, ..case("expired", "wrong") },
    case("tls", "x"),
    case("tls", "wrong"),
];

/// The same of accounts by each of a server's methods.
const METHODS_OF_SERVERS: &[Case] = &[
    case("native", "x"),
    case("native", "wrong"),
    case("ed25519", "x"),
    case("ed25519", "wrong"),
    case("ed25519", ""),
    case("parsec", "x"),
    case("parsec", "wrong"),
    case("parsec", ""),
    case("sha2", "x"),
    case("sha2", "wrong"),
    case("sha256", "x"),
    case("sha256", "wrong"),
];

/// The methods that clients begin with; `""`: a client that does not know of methods.
const METHODS: &[&str] = &[NATIVE, CACHING_SHA2, SHA256, CLEAR, "dialog", ""];

const WAYS: [Way; 3] = [Way::Tcp, Way::Tls, Way::Unix];

/// How a login ended: what clients' libraries tell, or nothing.
type Ending = Result<(), (u16, String, String)>;

/// The server sees pointsman by TCP where the client came by a Unix socket, and says so.
fn ending(result: Result<(), ErrPacket>) -> Ending {
    result.map_err(|error| {
        let text = error.message.replace("@'localhost'", "@'127.0.0.1'");
        (error.code, String::from_utf8_lossy(&error.sql_state).into_owned(), text)
    })
}

/// How all cases end, by method, way and case, first as a login and then as COM_CHANGE_USER.
async fn endings(doors: &Doors, cases: &[Case]) -> BTreeMap<(String, String, String, &'static str), Ending> {
    let mut all = tokio::task::JoinSet::new();
    for way in WAYS {
        for plugin in METHODS {
            let (doors, cases) = (doors.clone(), cases.to_vec());
            all.spawn(async move {
                let mut found = Vec::new();
                for case in cases {
                    let mut form = MODERN;
                    if plugin.is_empty() {
                        form = form.without(Capabilities::PLUGIN_AUTH).without(Capabilities::PLUGIN_AUTH_LENENC);
                    }
                    if case.capable {
                        form = form | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS;
                    }
                    let login = Login::new(case.user, case.password).plugin(plugin).with(form);
                    let login = Login { schema: case.schema.map(str::to_owned), ..login };
                    let mut visitor = Visitor::open(&doors, way).await;
                    let result = visitor.log_in(&login).await;
                    if result.is_ok() {
                        assert!(visitor.ping().await, "{login:?}");
                    }
                    let key = |what| (format!("{way:?}"), (*plugin).to_owned(), format!("{case:?}"), what);
                    found.push((key("login"), ending(result)));
                    // By a method that each server knows, and then by this one.
                    let own = Login::new("user", "x").plugin(plugin).with(form);
                    let Ok(mut visitor) = Visitor::login(&doors, way, &own).await else { continue };
                    let result = visitor.change_user(&login).await;
                    if result.is_ok() {
                        assert!(visitor.ping().await, "{login:?}");
                    }
                    found.push((key("change of user"), ending(result)));
                }
                found
            });
        }
    }
    all.join_all().await.into_iter().flatten().collect()
}

/// Compares a proxy with the server itself; returns how many logins were equal.
fn compare(
    what: &str,
    direct: &BTreeMap<(String, String, String, &'static str), Ending>,
    here: &BTreeMap<(String, String, String, &'static str), Ending>,
    allowed: impl Fn(&str, &str, &Ending, &Ending) -> bool,
) -> usize {
    let mut text = String::new();
    let mut equal = 0;
    for (key, ending) in here {
        match direct.get(key) {
            Some(expected) if expected == ending => equal += 1,
            Some(expected) if allowed(&key.0, &key.2, expected, ending) => {}
            Some(expected) => writeln!(text, "{key:?}\n  directly {expected:?}\n  here     {ending:?}").unwrap(),
            // Directly the session to change could not begin.
            None => {}
        }
    }
    let missing = direct.keys().filter(|key| !here.contains_key(*key)).count();
    assert!(text.is_empty() && missing == 0, "{what}: {missing} are missing\n{text}");
    eprintln!("{what}: {equal} of {} logins as directly", here.len());
    equal
}

/// Better than the server: a client that knows of no methods gets in where the server says 1251 of its own account's method.
fn is_better(expected: &Ending) -> bool {
    matches!(expected, Err((1251, ..)))
}

/// Of an empty password MariaDB's own methods say that one was used, and of another one that none was.
fn is_quirk(expected: &Ending, ending: &Ending) -> bool {
    let plain = |ending: &Ending| ending.clone().map_err(|(code, _, text)| (code, text.replace("YES)", "NO)")));
    plain(expected) == plain(ending)
}

/// A server with these accounts, and the configuration's part for each.
async fn server(flavor: Flavor, newer: bool, authority: &Authority) -> Option<(Sandbox, String)> {
    authority.sign("server", &["localhost"]);
    let mut extra = authority.server_options("server");
    if newer {
        extra.push("--plugin-load-add=auth_ed25519;auth_parsec;auth_mysql_sha2".to_owned());
    }
    let sandbox = if newer {
        support::newer_mariadb(&extra.iter().map(String::as_str).collect::<Vec<_>>()).await?
    } else {
        support::start(flavor, SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() }).await?
    };
    let mysql = flavor == Flavor::MySql;
    let table = if mysql { "user" } else { "global_priv" };
    let by = |plugin: &str, password: &str| {
        if mysql {
            format!("IDENTIFIED WITH {plugin} BY '{password}'")
        } else {
            format!("IDENTIFIED VIA {plugin} USING PASSWORD('{password}')")
        }
    };
    let mut accounts = vec![
        ("user", "IDENTIFIED BY 'x'".to_owned()),
        ("blank", "IDENTIFIED BY ''".to_owned()),
        ("locked", "IDENTIFIED BY 'x' ACCOUNT LOCK".to_owned()),
        ("expired", "IDENTIFIED BY 'x' PASSWORD EXPIRE".to_owned()),
        ("tls", "IDENTIFIED BY 'x' REQUIRE SSL".to_owned()),
    ];
    if newer {
        accounts.push(("native", by(NATIVE, "x")));
        accounts.extend(["ed25519", "parsec"].map(|plugin| (plugin, by(plugin, "x"))));
    }
    if newer || mysql {
        accounts.push(("sha2", by(CACHING_SHA2, "x")));
    }
    if mysql {
        accounts.push(("sha256", by(SHA256, "x")));
    }
    let mut statements = vec![format!("GRANT SELECT ON mysql.{table} TO monitor")];
    let mut configured = String::new();
    for (user, identified) in &accounts {
        statements.push(format!("CREATE USER '{user}'@'%' {identified}"));
        let password = if *user == "blank" { "" } else { "x" };
        writeln!(configured, "[[users]]\nname='{user}'\npassword='{password}'\nrequire_tls={}", *user == "tls")
            .unwrap();
    }
    sandbox.primary().run(&statements).await.unwrap();
    Some((sandbox, configured))
}

async fn matrix(flavor: Flavor, newer: bool) {
    let authority = Authority::new();
    let Some((sandbox, configured)) = server(flavor, newer, &authority).await else { return };
    let sandbox = Arc::new(sandbox);
    let cases = match (flavor, newer) {
        (_, true) => METHODS_OF_SERVERS.to_vec(),
        (Flavor::MySql, _) => [CASES, METHODS_OF_SERVERS].concat(),
        _ => CASES.to_vec(),
    };
    let primary = Doors::new(sandbox.primary().address(), &sandbox.primary().socket());
    let direct = endings(&primary, &cases).await;
    let folder = tempfile::tempdir().unwrap();
    for auth in ["configured", "discover"] {
        let socket = folder.path().join(auth);
        let head = format!("[proxy]\nlisten='127.0.0.1:0'\nsocket='{}'\nauth='{auth}'\n", socket.display());
        let mut text = support::configuration(&sandbox, &head);
        if auth == "configured" {
            text += &configured;
        } else {
            // Nobody is named.
            let (before, rest) = text.split_once("[[users]]").unwrap();
            text = format!("{before}[[servers]]{}", rest.split_once("[[servers]]").unwrap().1);
        }
        let proxy = support::proxy_of(&text).await;
        let here = endings(&Doors::new(proxy.listen(), &socket), &cases).await;
        let equal = compare(
            &format!("{} {auth}", sandbox.binaries().version()),
            &direct,
            &here,
            |way, case, expected, ending| {
                // `users.require_tls` takes a Unix socket for as good.
                let exempt = auth == "configured" && way == "Unix" && case.contains("\"tls\"");
                exempt || is_better(expected) || (newer && is_quirk(expected, ending))
            },
        );
        assert!(equal * 10 > here.len() * 7, "{equal} of {}", here.len());
        proxy.stop().await;
    }
    Arc::into_inner(sandbox).unwrap().stop().await;
}

on_both! { every_login_ends_as_directly, anonymous_accounts_are_found }

async fn every_login_ends_as_directly(flavor: Flavor) {
    matrix(flavor, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_of_the_newer_mariadb_ends_as_directly() {
    matrix(Flavor::MariaDb, true).await;
}

/// An account without a name is that of everybody from its hosts.
async fn anonymous_accounts_are_found(flavor: Flavor) {
    let authority = Authority::new();
    let Some((sandbox, _)) = server(flavor, false, &authority).await else { return };
    sandbox.primary().run(&["CREATE USER ''@'%' IDENTIFIED BY 'anon'"]).await.unwrap();
    let text = support::configuration(&sandbox, "[proxy]\nlisten='127.0.0.1:0'\nauth='discover'\n");
    let proxy = support::proxy_of(&text).await;
    let direct = sandbox.primary().address();
    for plugin in METHODS {
        for (name, password) in [("whoever", "anon"), ("", "anon"), ("whoever", "wrong"), ("user", "x")] {
            let mut said = Vec::new();
            for at in [direct, proxy.listen()] {
                let mut form = MODERN;
                if plugin.is_empty() {
                    form = form.without(Capabilities::PLUGIN_AUTH).without(Capabilities::PLUGIN_AUTH_LENENC);
                }
                said.push(
                    match Raw::login_uncertain(at, &Login::new(name, password).plugin(plugin).with(form)).await {
                        Ok(mut client) => Ok(client.value("SELECT CURRENT_USER()").await),
                        Err(error) => Err((error.code, error.message)),
                    },
                );
            }
            let better = matches!(said[0], Err((1251, _)));
            assert!(said[0] == said[1] || better, "{plugin} {name} {password}: {said:?}");
        }
    }
    proxy.stop().await;
    sandbox.stop().await;
}
