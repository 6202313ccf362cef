//! Every authentication method of clients over every one of servers, with real servers behind the proxy.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::fmt::Write as _;
use std::net::SocketAddr;

use pointsman::cluster::Flavor;
use pointsman::sandbox::Sandbox;
use pointsman::wire::auth::{CACHING_SHA2, NATIVE, SHA256};
use support::raw::{Login, Raw};

/// An account whose method at the server is this one: its name, and how it is identified there.
type Account = (&'static str, &'static str);

const PASSWORD: &str = "pä$$ 'word'";
const QUOTED: &str = "pä$$ ''word''";

/// Those that this server can have.
async fn accounts(servers: &Sandbox) -> Vec<Account> {
    let all: &[(&str, &str, &str)] = match servers.flavor() {
        Flavor::MySql => &[
            ("sha2", "IDENTIFIED WITH caching_sha2_password BY 'P'", ""),
            ("sha256", "IDENTIFIED WITH sha256_password BY 'P'", ""),
        ],
        _ => &[
            ("native", "IDENTIFIED VIA mysql_native_password USING PASSWORD('P')", ""),
            ("ed25519", "IDENTIFIED VIA ed25519 USING PASSWORD('P')", "INSTALL SONAME 'auth_ed25519'"),
            ("parsec", "IDENTIFIED VIA parsec USING PASSWORD('P')", "INSTALL SONAME 'auth_parsec'"),
            ("sha2", "IDENTIFIED VIA caching_sha2_password USING PASSWORD('P')", ""),
        ],
    };
    let mut made = Vec::new();
    for (name, identified, install) in all {
        if !install.is_empty()
            && let Err(error) = servers.primary().run(&[install]).await
        {
            eprintln!("no method for {name} on {}: {error}", servers.binaries().version());
            continue;
        }
        let create = format!("CREATE USER '{name}'@'%' {}", identified.replace("'P'", &format!("'{QUOTED}'")));
        if let Err(error) = servers.primary().run(&[create]).await {
            eprintln!("no method for {name} on {}: {error}", servers.binaries().version());
            continue;
        }
        made.push((*name, *identified));
    }
    made
}

fn configured(accounts: &[Account]) -> String {
    let mut text = String::new();
    for (name, _) in accounts {
        writeln!(text, "[[users]]\nname=\"{name}\"\npassword=\"{PASSWORD}\"").unwrap();
    }
    text
}

/// Each account with each method, twice: anew, and with what the first left behind. A wrong password is none by any.
async fn matrix(at: SocketAddr, accounts: &[Account], version: &str) {
    for (name, identified) in accounts {
        for plugin in [NATIVE, CACHING_SHA2, SHA256, "dialog", "mysql_clear_password"] {
            for _ in 0..2 {
                let mut client = Raw::open(at).await;
                let packets = client.log_in(&Login::new(name, PASSWORD).plugin(plugin)).await;
                let last = packets.last().unwrap();
                assert!(last.is_ok(), "{version}: {plugin} over {identified}: {:?}", last.error());
                assert_eq!(client.value("SELECT CURRENT_USER()").await, format!("{name}@%"));
                let changed = client.change_user(&Login::new(name, PASSWORD).plugin(plugin)).await;
                assert!(changed.last().unwrap().is_ok(), "{version}: {plugin} over {identified}, change of user");
                assert_eq!(client.value("SELECT CURRENT_USER()").await, format!("{name}@%"));
            }
            for wrong in ["wrong", ""] {
                let error = Raw::login_uncertain(at, &Login::new(name, wrong).plugin(plugin)).await.err().unwrap();
                let using = if wrong.is_empty() { "NO" } else { "YES" };
                let text = format!("Access denied for user '{name}'@'127.0.0.1' (using password: {using})");
                assert_eq!((error.code, &*error.message), (1045, &*text), "{version}: {plugin} over {identified}");
            }
        }
    }
}

async fn configured_users(servers: Sandbox, must: &[&str]) {
    let accounts = accounts(&servers).await;
    for name in must {
        assert!(accounts.iter().any(|(have, _)| have == name), "{name} is missing: {accounts:?}");
    }
    let text = support::configuration(&servers, &configured(&accounts));
    let (tcp, socket) = (servers.primary().address().to_string(), servers.primary().socket());
    for address in [&tcp, socket.to_str().unwrap()] {
        let text = text.replace(&format!("address='{tcp}'"), &format!("address='{address}'"));
        assert!(text.contains(&format!("address='{address}'")));
        let proxy = support::proxy_of(&text).await;
        matrix(proxy.listen(), &accounts, &format!("{} at {address}", servers.binaries().version())).await;
        proxy.stop().await;
    }
    servers.stop().await;
}

#[tokio::test]
async fn configured_users_on_mariadb() {
    let Some(servers) = support::servers(0).await else { return };
    configured_users(servers, &["native"]).await;
}

#[tokio::test]
async fn configured_users_on_newer_mariadb() {
    // Its own caching_sha2_password asks for the whole password: with TLS, and by RSA, whose keys it makes when it is loaded
    // at the start.
    for tls in [&[][..], &["--skip-ssl"]] {
        let options = [&["--plugin-load-add=auth_mysql_sha2"], tls].concat();
        let Some(servers) = support::newer_mariadb(&options).await else { return };
        configured_users(servers, &["native", "ed25519", "parsec", "sha2"]).await;
    }
}

#[tokio::test]
async fn configured_users_on_mysql() {
    let Some(servers) = support::servers_of(Flavor::MySql, 0, &[]).await else { return };
    configured_users(servers, &["sha2"]).await;
}
