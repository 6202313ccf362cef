//! One server's connection, and one observation by it: a single round trip once the server's version is known.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant};

use super::status::{self, StatusQuery};
use crate::backend::{Account, AccountId, BackendError, Connection, Login, QUERIED, Row};
use crate::cluster::{Flavor, Lag, Replication, Seen, ServerId};
use crate::config::{Config, ServerConfig};
use crate::net::tls::{Connector, Established};

/// `read_only` has more values than two in newer MariaDB, so it is read as text.
const STATE_QUERY: &str =
    "SELECT CAST(@@global.read_only AS CHAR), VERSION(), @@global.wait_timeout, @@global.interactive_timeout";
/// The statement needs a privilege: ER_SPECIFIC_ACCESS_DENIED_ERROR.
const ACCESS_DENIED: u16 = 1227;
/// The server does not know the statement: ER_PARSE_ERROR.
const SYNTAX_ERROR: u16 = 1064;
/// `utf8mb4_general_ci`, which servers of all versions have.
const COLLATION: u16 = 45;

/// The account that watches the servers: that of `[monitor]`, else the first of `[[users]]`.
pub(super) fn account(config: &Config) -> Account {
    let monitor = &config.monitor;
    let (user, password) = match (&monitor.user, config.users.first()) {
        (None, Some(first)) => (first.name.as_str(), &first.password),
        (user, _) => (user.as_deref().unwrap_or_default(), &monitor.password),
    };
    // Nobody else has it: these connections are not in the pools.
    Account::configured(AccountId(u64::MAX), user, password)
}

/// One server and the connection to it, kept between observations.
pub(super) struct Probe {
    login: Login,
    link: Option<Link>,
}

/// An open connection, and how to ask the server at its other end.
struct Link {
    connection: Connection,
    flavor: Flavor,
    version: Arc<str>,
    account: Arc<str>,
    /// How this server is asked for its replication; None: no statement that it knows.
    query: Option<StatusQuery>,
}

impl Probe {
    pub(super) fn new(account: Account, server: &ServerConfig, tls: Option<Arc<Connector>>, limit: Duration) -> Self {
        Self { login: login(account, server, tls, limit), link: None }
    }

    /// Observes the server within `timeout`. Not cancel safe: dropped in the middle, the connection is gone; the next
    /// call makes a new one.
    pub(super) async fn observe(&mut self, timeout: Duration) -> Result<Seen, Arc<str>> {
        let started = Instant::now();
        let mut link = self.link.take();
        let outcome = time::timeout(timeout, Box::pin(sample_or_reconnect(&mut link, &self.login))).await;
        match outcome {
            Ok(Ok(mut seen)) => {
                self.link = link;
                seen.took = started.elapsed();
                Ok(seen)
            }
            Ok(Err(error)) => Err(describe(&error)),
            Err(_elapsed) => Err(format!("no answer within {timeout:?}").into()),
        }
    }

    /// What TLS agreed on with the server; None: there is none.
    pub(super) fn tls(&self) -> Option<Established> {
        self.link.as_ref().and_then(|link| link.connection.stream.tls().cloned())
    }

    /// Says goodbye to the server.
    pub(super) async fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.connection.quit().await;
        }
    }
}

/// How the monitor's account logs in to a server.
pub(super) fn login(account: Account, server: &ServerConfig, tls: Option<Arc<Connector>>, limit: Duration) -> Login {
    Login {
        // Only for those who lease connections.
        server: ServerId(0),
        name: server.name.clone(),
        address: server.address.clone(),
        tls,
        account,
        collation: COLLATION,
        capabilities: QUERIED,
        compression: None,
        proxy_protocol: server.proxy_protocol,
        client: None,
        attributes: None,
        schema: None,
        // That of the observation comes first.
        limit: limit.saturating_mul(2),
    }
}

/// A connection that broke since the last observation says nothing of the server (it may have been killed, or timed
/// out): one that is new decides.
async fn sample_or_reconnect(link: &mut Option<Link>, login: &Login) -> Result<Seen, BackendError> {
    if let Some(open) = link {
        match sample(open).await {
            Err(error) if is_broken(&error) => *link = None,
            outcome => return outcome,
        }
    }
    sample(link.insert(connect(login).await?)).await
}

/// Also the errors that a server sends before it closes: 1053 (shutdown), 1927 (killed), 4031 (idle too long).
fn is_broken(error: &BackendError) -> bool {
    match error {
        BackendError::State { error, .. } => matches!(error.code, 1053 | 1927 | 4031),
        _ => true,
    }
}

async fn connect(login: &Login) -> Result<Link, BackendError> {
    let mut connection = login.connect().await?;
    let mut results = connection.query("SELECT VERSION(), CURRENT_USER()").await?;
    let row = first(&mut results);
    let text = |place| row.as_ref().and_then(|row| row.at(place)).unwrap_or_default().into();
    let (version, account): (Arc<str>, Arc<str>) = (text(0), text(1));
    let flavor = Flavor::from_version(&version);
    Ok(Link { connection, flavor, query: Some(StatusQuery::of(flavor, &version)), version, account })
}

/// The first row of the first result, which is taken out.
fn first(results: &mut Vec<Vec<Row>>) -> Option<Row> {
    if results.is_empty() {
        return None;
    }
    results.remove(0).into_iter().next()
}

/// One observation. Both statements go as one text, so it is one round trip; where the second is refused, the first is
/// asked alone.
async fn sample(link: &mut Link) -> Result<Seen, BackendError> {
    let mut missing_grant = None;
    while let Some(query) = link.query {
        match link.connection.query(&format!("{STATE_QUERY}; {}", query.as_str())).await {
            Ok(mut results) => {
                let state = first(&mut results);
                let rows = results.into_iter().next().unwrap_or_default();
                let (replication, lag, detail) = status::read(&rows);
                return seen(link, state.as_ref(), replication, lag, detail, None);
            }
            Err(BackendError::State { error, .. }) if error.code == SYNTAX_ERROR => link.query = query.next(),
            Err(BackendError::State { error, .. }) if error.code == ACCESS_DENIED => {
                missing_grant = Some(status::needed_grant(link.flavor, &link.version));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let mut results = link.connection.query(STATE_QUERY).await?;
    let state = first(&mut results);
    seen(link, state.as_ref(), Replication::Unknown, Lag::Unknown, None, missing_grant)
}

fn seen(
    link: &Link,
    state: Option<&Row>,
    replication: Replication,
    lag: Lag,
    detail: Option<Arc<str>>,
    missing_grant: Option<&'static str>,
) -> Result<Seen, BackendError> {
    let (Some(read_only), Some(version)) = (state.and_then(|row| row.at(0)), state.and_then(|row| row.at(1))) else {
        let what = "no row for @@read_only, VERSION()";
        return Err(link.connection.broken(crate::wire::ProtocolError::Malformed { packet: "row", what }));
    };
    let seconds = |place| state.and_then(|row| row.at(place))?.parse().ok();
    Ok(Seen {
        flavor: Flavor::from_version(&version),
        version: version.into(),
        read_only: status::read_only(&read_only),
        idle: seconds(2).zip(seconds(3)).map(<[u64; 2]>::from),
        replication,
        detail,
        lag,
        missing_grant,
        account: link.account.clone(),
        took: Duration::ZERO,
    })
}

/// For the log and for people; a server's own words where it spoke.
pub(super) fn describe(error: &BackendError) -> Arc<str> {
    match error {
        BackendError::State { error, .. } | BackendError::Refused { error, .. } => {
            format!("error {}: {}", error.code, error.message)
        }
        other => other.to_string(),
    }
    .into()
}
