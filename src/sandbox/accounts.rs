//! The accounts that every sandbox has.

use std::net::SocketAddr;

use mysql_async::{Opts, OptsBuilder};

use crate::cluster::Flavor;

/// The database that the accounts may use.
pub const DATABASE: &str = "app";

/// An account of the sandbox. Its servers listen on loopback only and live shorter than a secret would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub user: &'static str,
    /// Its password.
    pub password: &'static str,
}

/// The application: all rights on the database `app`.
pub const APP: Account = Account { user: "app", password: "app-secret" };

/// Another application, with the same rights: for what must not be shared between users.
pub const OTHER: Account = Account { user: "other", password: "other-secret" };

/// May watch replication, and nothing else.
pub const MONITOR: Account = Account { user: "monitor", password: "monitor-secret" };

/// Used by the replicas: may read the binary log.
pub const REPLICATION: Account = Account { user: "repl", password: "repl-secret" };

impl Account {
    /// How to connect as this account to `address`, with the database `app` selected: a server of the sandbox or
    /// something in front of it.
    #[must_use]
    pub fn opts(self, address: SocketAddr) -> Opts {
        OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .user(Some(self.user))
            .pass(Some(self.password))
            .db_name((self != MONITOR && self != REPLICATION).then_some(DATABASE))
            // On, the library would ask for the server's socket and leave TCP for it, past a proxy in between.
            .prefer_socket(false)
            .into()
    }
}

/// What makes the accounts on one server, without a trace in its binary log: they are made on each server, so that
/// replicating from the log's begin meets none of them.
pub(super) fn statements(flavor: Flavor, anonymous_hosts: &[String]) -> Vec<String> {
    let plugin = |password: &str| match flavor {
        Flavor::MySql => format!("IDENTIFIED WITH caching_sha2_password BY '{password}'"),
        Flavor::MariaDb | Flavor::Unknown => format!("IDENTIFIED BY '{password}'"),
    };
    let mut list = vec!["SET SESSION sql_log_bin = 0".to_owned()];
    // An anonymous account of a host is more specific than `app`@`%` and would be taken instead.
    list.extend(anonymous_hosts.iter().map(|host| format!("DROP USER ''@'{host}'")));
    list.push(format!("CREATE DATABASE {DATABASE}"));
    for account in [APP, OTHER, MONITOR, REPLICATION] {
        list.push(format!("CREATE USER '{}'@'%' {}", account.user, plugin(account.password)));
    }
    for account in [APP, OTHER] {
        list.push(format!("GRANT ALL ON {DATABASE}.* TO '{}'@'%'", account.user));
    }
    match flavor {
        Flavor::MySql => {
            list.push("GRANT REPLICATION CLIENT ON *.* TO 'monitor'@'%'".to_owned());
            list.push("GRANT SELECT ON performance_schema.* TO 'monitor'@'%'".to_owned());
        }
        Flavor::MariaDb | Flavor::Unknown => {
            // REPLICATION CLIENT is BINLOG MONITOR since 10.5.2; since 10.5.9 SHOW REPLICA STATUS needs the second.
            // Before, that one is not known and only an executable comment with its version is understood by both.
            list.push("GRANT REPLICATION CLIENT /*M!100509 , SLAVE MONITOR */ ON *.* TO 'monitor'@'%'".to_owned());
        }
    }
    list.push("GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'".to_owned());
    list
}
