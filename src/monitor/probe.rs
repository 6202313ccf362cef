//! One server's connection, and one observation by it: a single round trip once the server's version is known.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, Row};
use tokio::time::{self, Instant};

use super::status::{self, StatusQuery};
use crate::cluster::{Flavor, Lag, Replication, Seen};
use crate::config::{Config, Endpoint, Secret, ServerConfig};

/// `read_only` has more values than two in newer MariaDB, so it is read as text.
const STATE_QUERY: &str = "SELECT CAST(@@global.read_only AS CHAR), VERSION()";
/// Saying goodbye to a server may take so long; then the socket is just closed.
const GOODBYE: Duration = Duration::from_millis(100);
/// The statement needs a privilege: ER_SPECIFIC_ACCESS_DENIED_ERROR.
const ACCESS_DENIED: u16 = 1227;
/// The server does not know the statement: ER_PARSE_ERROR.
const SYNTAX_ERROR: u16 = 1064;

/// The account that watches the servers.
pub(super) struct Account {
    user: Option<String>,
    password: Secret,
}

impl Account {
    /// That of `[monitor]`, else the first of `[[users]]`.
    pub(super) fn of(config: &Config) -> Self {
        let monitor = &config.monitor;
        match (&monitor.user, config.users.first()) {
            (None, Some(first)) => Self { user: Some(first.name.clone()), password: first.password.clone() },
            (user, _) => Self { user: user.clone(), password: monitor.password.clone() },
        }
    }
}

/// One server and the connection to it, kept between observations.
pub(super) struct Probe {
    opts: Opts,
    link: Option<Link>,
}

/// An open connection, and how to ask the server at its other end.
struct Link {
    conn: Conn,
    flavor: Flavor,
    version: Arc<str>,
    /// How this server is asked for its replication; None: no statement that it knows.
    query: Option<StatusQuery>,
}

impl Probe {
    pub(super) fn new(account: Account, server: &ServerConfig) -> Self {
        let opts = match &server.address {
            Endpoint::Tcp(address) => {
                OptsBuilder::default().ip_or_hostname(&*address.host).tcp_port(address.port).tcp_nodelay(true)
            }
            Endpoint::Unix(path) => OptsBuilder::default().socket(Some(&**path)),
        };
        let opts = opts
            .user(account.user)
            .pass(Some(account.password.expose()))
            .prefer_socket(false)
            .stmt_cache_size(0)
            // Given, so that connecting does not ask for them. A row of a status is far below the first.
            .max_allowed_packet(Some(16 * 1024 * 1024))
            .wait_timeout(Some(28_800))
            .connect_attribute("program_name", "pointsman-monitor")
            .into();
        Self { opts, link: None }
    }

    /// Observes the server within `timeout`. Not cancel safe: dropped in the middle, the connection must not be used
    /// again; the next call makes a new one.
    pub(super) async fn observe(&mut self, timeout: Duration) -> Result<Seen, Arc<str>> {
        let started = Instant::now();
        let mut link = self.link.take();
        // Boxed: the driver's futures are large, and there is one of these per server, not per statement.
        let outcome = time::timeout(timeout, Box::pin(sample_or_reconnect(&mut link, &self.opts))).await;
        match outcome {
            Ok(Ok(mut seen)) => {
                self.link = link;
                seen.took = started.elapsed();
                Ok(seen)
            }
            Ok(Err(error)) => {
                hang_up(link).await;
                Err(describe(&error))
            }
            Err(_elapsed) => {
                hang_up(link).await;
                Err(format!("no answer within {timeout:?}").into())
            }
        }
    }

    /// Says goodbye to the server.
    pub(super) async fn close(&mut self) {
        hang_up(self.link.take()).await;
    }
}

/// Without this, dropping the connection would leave a task that waits for the rest of its reply, for as long as a
/// stalled server stalls.
async fn hang_up(link: Option<Link>) {
    if let Some(link) = link {
        let _ = time::timeout(GOODBYE, link.conn.disconnect()).await;
    }
}

/// A connection that broke since the last observation says nothing of the server (it may have been killed, or timed
/// out): one that is new decides.
async fn sample_or_reconnect(link: &mut Option<Link>, opts: &Opts) -> Result<Seen, Error> {
    if let Some(open) = link {
        match sample(open).await {
            Err(error) if is_broken(&error) => *link = None,
            outcome => return outcome,
        }
    }
    sample(link.insert(connect(opts).await?)).await
}

/// Also the errors that a server sends before it closes: 1053 (shutdown), 1927 (killed), 4031 (idle too long).
fn is_broken(error: &Error) -> bool {
    match error {
        Error::Server(error) => matches!(error.code, 1053 | 1927 | 4031),
        Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => true,
    }
}

async fn connect(opts: &Opts) -> Result<Link, Error> {
    let mut conn = Conn::new(opts.clone()).await?;
    let version: Arc<str> = conn.query_first::<String, _>("SELECT VERSION()").await?.unwrap_or_default().into();
    let flavor = Flavor::from_version(&version);
    Ok(Link { conn, flavor, query: Some(StatusQuery::of(flavor, &version)), version })
}

/// One observation. Both statements go as one text, so it is one round trip; where the second is refused, the first is
/// asked alone.
async fn sample(link: &mut Link) -> Result<Seen, Error> {
    let mut missing_grant = None;
    while let Some(query) = link.query {
        match sample_both(&mut link.conn, query).await {
            Ok((state, rows)) => {
                let (replication, lag, detail) = status::read(&rows);
                return seen(state, replication, lag, detail, None);
            }
            Err(Error::Server(error)) if error.code == SYNTAX_ERROR => link.query = query.next(),
            Err(Error::Server(error)) if error.code == ACCESS_DENIED => {
                missing_grant = Some(status::needed_grant(link.flavor, &link.version));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let state = link.conn.query_first(STATE_QUERY).await?;
    seen(state, Replication::Unknown, Lag::Unknown, None, missing_grant)
}

async fn sample_both(conn: &mut Conn, query: StatusQuery) -> Result<(Option<Row>, Vec<Row>), Error> {
    let mut reply = conn.query_iter(format!("{STATE_QUERY}; {}", query.as_str())).await?;
    let state = reply.collect::<Row>().await?.pop();
    let rows = reply.collect::<Row>().await?;
    reply.drop_result().await?;
    Ok((state, rows))
}

fn seen(
    state: Option<Row>,
    replication: Replication,
    lag: Lag,
    detail: Option<Arc<str>>,
    missing_grant: Option<&'static str>,
) -> Result<Seen, Error> {
    let text = |column: usize| state.as_ref().and_then(|row| status::text(row.as_ref(column)));
    let (Some(read_only), Some(version)) = (text(0), text(1)) else {
        return Err(DriverError::UnexpectedPacket { payload: b"no row for @@read_only, VERSION()".to_vec() }.into());
    };
    Ok(Seen {
        flavor: Flavor::from_version(&version),
        version: version.into(),
        read_only: status::read_only(&read_only),
        replication,
        detail,
        lag,
        missing_grant,
        took: Duration::ZERO,
    })
}

/// For the log and for people. The driver's texts hold no password.
fn describe(error: &Error) -> Arc<str> {
    match error {
        Error::Server(error) => format!("error {}: {}", error.code, error.message),
        Error::Io(error) => error.to_string(),
        Error::Driver(_) | Error::Other(_) | Error::Url(_) => error.to_string(),
    }
    .into()
}
