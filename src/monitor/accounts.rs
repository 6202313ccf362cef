//! Reads the accounts of the primary with the monitor's account, for `proxy.auth = "discover"`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time;

use super::probe::{account, describe, login};
use crate::accounts::{Directory, Entry, from_mariadb, from_mysql, grantee};
use crate::backend::{BackendError, Connection, Login, Row};
use crate::cluster::Flavor;
use crate::config::{Config, ServerConfig};
use crate::net::tls::Connector;
use crate::wire::proxy_protocol::ProxyVersion;

/// At most so many accounts are known; those beyond are none for the proxy.
const MAX_ACCOUNTS: usize = 10_000;
/// So many are asked for at once: a row is below 2 KiB.
const PAGE: usize = 100;
/// ER_TABLEACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR.
const DENIED: [u16; 3] = [1142, 1044, 1143];

/// The connection that reads accounts, kept in between.
#[derive(Debug)]
pub struct AccountReader {
    login: Login,
    connection: Option<Connection>,
    /// Who it is, as CURRENT_USER() has it.
    account: String,
}

impl AccountReader {
    /// Reads those of `server` with the account of `[monitor]`.
    #[must_use]
    pub fn new(config: &Config, server: &ServerConfig, tls: Option<Arc<Connector>>) -> Self {
        Self {
            login: login(account(config), server, tls, config.monitor.timeout),
            connection: None,
            account: String::new(),
        }
    }

    /// Reads the accounts.
    ///
    /// # Errors
    /// Says what went wrong; where a privilege is missing, the GRANT to run.
    pub async fn read(&mut self, timeout: Duration) -> Result<Directory, Arc<str>> {
        // A connection that failed, or is in the middle of something, is not used again.
        let mut connection = self.connection.take();
        if connection.as_mut().is_some_and(|connection| connection.is_dead()) {
            connection = None;
        }
        let (login, account) = (&self.login, &mut self.account);
        let reading = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => login.connect().await?,
            };
            let directory = read(&mut connection, login.proxy_protocol, account).await?;
            Ok::<_, BackendError>((connection, directory))
        };
        match time::timeout(timeout, Box::pin(reading)).await {
            Ok(Ok((connection, directory))) => {
                self.connection = Some(connection);
                Ok(directory)
            }
            Ok(Err(BackendError::State { error, .. })) if DENIED.contains(&error.code) => {
                let table = if error.message.contains("global_priv") { "global_priv" } else { "user" };
                let account = grantee(&self.account);
                Err(format!("{}; run on the primary: GRANT SELECT ON mysql.{table} TO {account}", error.message).into())
            }
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err(format!("no answer within {timeout:?}").into()),
        }
    }
}

async fn read(
    connection: &mut Connection,
    told_by: Option<ProxyVersion>,
    account: &mut String,
) -> Result<Directory, BackendError> {
    let about = connection.query("SELECT VERSION(), USER(), CURRENT_USER()").await?;
    let about = |place| about.first().and_then(|rows| rows.first()).and_then(|row| row.at(place)).unwrap_or_default();
    let (version, user) = (about(0), about(1));
    *account = about(2);
    let (mariadb, table) = match Flavor::from_version(&version) {
        Flavor::MariaDb => (true, "SELECT Host, User, Priv FROM mysql.global_priv"),
        Flavor::MySql | Flavor::Unknown => (false, "SELECT * FROM mysql.user"),
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen = 0_usize;
    loop {
        let results = connection.query(&format!("{table} ORDER BY Host, User LIMIT {PAGE} OFFSET {seen}")).await?;
        let rows = results.into_iter().next().unwrap_or_default();
        entries.extend(rows.iter().filter_map(if mariadb { of_mariadb } else { of_mysql }));
        seen = seen.saturating_add(rows.len());
        if rows.len() < PAGE {
            break;
        }
        if seen >= MAX_ACCOUNTS {
            tracing::warn!(known = MAX_ACCOUNTS, "the server has more accounts than are read: some cannot log in");
            break;
        }
    }
    let seen_as = user.rsplit_once('@').map_or("", |(_, host)| host);
    Ok(Directory::new(entries, seen_as, told_by))
}

fn of_mariadb(row: &Row) -> Option<Entry> {
    from_mariadb(&row.at(0)?, &row.at(1)?, &row.at(2)?)
}

fn of_mysql(row: &Row) -> Option<Entry> {
    let columns: Vec<(&str, Vec<u8>)> = row.columns().map(|(name, value)| (name, value.to_vec())).collect();
    from_mysql(&columns)
}
