//! What the servers and the proxy say of themselves. The servers' own counters are the judge: they do not depend on
//! what the proxy believes it did.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::cluster::Flavor;
use crate::sandbox::{APP, Sandbox, SandboxServer};

/// Linux tells CPU time in hundredths of a second on every architecture (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A page of metrics is a few hundred KiB at most.
const METRICS_LIMIT: u64 = 8 * 1024 * 1024;

/// So long may `/metrics` take before the screen goes on without it.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

/// MariaDB counts by account with this option, MySQL always does, so that replication, the monitor and our own questions
/// are not in the numbers. (`Com_insert` and its kin count replicated rows too, in both families.)
pub(super) fn server_options(flavor: Flavor) -> Vec<String> {
    let mut options = vec!["--innodb-buffer-pool-size=64M".to_owned()];
    if flavor == Flavor::MariaDb {
        options.push("--userstat=1".to_owned());
    }
    options
}

/// Counters of one server since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) statements: u64,
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) rows_read: u64,
    pub(super) cpu: Duration,
    /// The number of the last transaction that it wrote or applied.
    pub(super) transaction: u64,
}

impl Counters {
    /// What was added since `before`; the transaction stays that of now.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            statements: self.statements.saturating_sub(before.statements),
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            rows_read: self.rows_read.saturating_sub(before.rows_read),
            cpu: self.cpu.saturating_sub(before.cpu),
            transaction: self.transaction,
        }
    }
}

/// All servers at one time, the primary first.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) servers: Vec<Counters>,
    /// The proxy's statements by target and reason; empty if it could not be asked.
    pub(super) routed: BTreeMap<(String, String), u64>,
}

impl Sample {
    /// How many transactions a server is behind the primary.
    pub(super) fn behind(&self, server: usize) -> u64 {
        let number = |index: usize| self.servers.get(index).map(|counters| counters.transaction).unwrap_or_default();
        number(0).saturating_sub(number(server))
    }
}

/// Asks the servers again and again, each over a connection that stays.
pub(super) struct Observer<'a> {
    servers: Vec<(&'a SandboxServer, Conn)>,
    http: Option<SocketAddr>,
}

impl<'a> Observer<'a> {
    pub(super) async fn new(sandbox: &'a Sandbox, http: Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        for server in sandbox.servers() {
            servers.push((server, server.root().await?));
        }
        Ok(Self { servers, http })
    }

    pub(super) async fn sample(&mut self) -> anyhow::Result<Sample> {
        let at = Instant::now();
        let mut servers = Vec::with_capacity(self.servers.len());
        // Replicas first: a transaction that the primary writes meanwhile counts as not applied, never the reverse.
        for (server, conn) in self.servers.iter_mut().rev() {
            servers.push(counters(server, conn).await.with_context(|| format!("cannot ask {}", server.name()))?);
        }
        servers.reverse();
        let routed = match self.http {
            Some(http) => match tokio::time::timeout(METRICS_TIMEOUT, scrape(http)).await {
                Ok(Ok(text)) => routed(&text),
                Ok(Err(_)) | Err(_) => BTreeMap::new(),
            },
            None => BTreeMap::new(),
        };
        Ok(Sample { at, servers, routed })
    }
}

async fn counters(server: &SandboxServer, conn: &mut Conn) -> anyhow::Result<Counters> {
    let mut found = match server.flavor() {
        Flavor::MariaDb => by_account(conn).await?,
        Flavor::MySql | Flavor::Unknown => by_event(conn).await?,
    };
    found.cpu = server.pid().and_then(cpu_time).unwrap_or_default();
    // The connection is at hand, so the position is not asked through `SandboxServer::position`.
    let query = match (server.flavor(), server.name() == "primary") {
        (Flavor::MySql, _) => "SELECT @@global.gtid_executed",
        (_, true) => "SELECT @@global.gtid_binlog_pos",
        (_, false) => "SELECT @@global.gtid_slave_pos",
    };
    let position: Option<String> = conn.query_first(query).await?;
    found.transaction = last_number(&position.unwrap_or_default());
    Ok(found)
}

/// MariaDB with `userstat`: the application's own.
async fn by_account(conn: &mut Conn) -> anyhow::Result<Counters> {
    let query = format!(
        "SELECT CAST(select_commands AS UNSIGNED), CAST(update_commands AS UNSIGNED), CAST(other_commands AS UNSIGNED), \
         CAST(rows_read AS UNSIGNED) FROM information_schema.user_statistics WHERE user = '{}'",
        APP.user
    );
    let row: Option<(u64, u64, u64, u64)> = conn.query_first(query).await?;
    let (reads, writes, others, rows_read) = row.unwrap_or_default();
    Ok(Counters { statements: reads + writes + others, reads, writes, rows_read, ..Counters::default() })
}

/// MySQL's performance schema: the application's own. Executions of prepared statements are one event whatever they
/// do; in this shop those that write change one row each, and those that read none.
async fn by_event(conn: &mut Conn) -> anyhow::Result<Counters> {
    const WRITES: [&str; 4] = ["insert", "update", "delete", "replace"];
    let query = format!(
        "SELECT event_name, count_star, sum_rows_affected, sum_rows_examined \
         FROM performance_schema.events_statements_summary_by_user_by_event_name \
         WHERE user = '{}' AND count_star > 0",
        APP.user
    );
    let rows: Vec<(String, u64, u64, u64)> = conn.query(query).await?;
    let mut sum = Counters::default();
    for (event, count, changed, examined) in rows {
        if event == "statement/com/Execute" {
            sum.statements += count;
            sum.writes += changed;
            sum.reads += count.saturating_sub(changed);
        } else if let Some(kind) = event.strip_prefix("statement/sql/") {
            sum.statements += count;
            // `insert_select`, `update_multi` and others of their kin write too.
            if WRITES.iter().any(|name| kind.starts_with(name)) {
                sum.writes += count;
            } else if kind == "select" {
                sum.reads += count;
            }
        }
        sum.rows_read += examined;
    }
    Ok(sum)
}

/// The last number of a GTID position: `0-1-123` or `uuid:1-123`.
fn last_number(position: &str) -> u64 {
    position.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// User and system time of a process, from `/proc/PID/stat`.
fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    ticks(&stat).map(|ticks| TICK * ticks)
}

/// Fields 14 and 15; the second field, the program's name in parentheses, may hold blanks itself.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

async fn scrape(http: SocketAddr) -> anyhow::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(http).await?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").await?;
    let mut bytes = Vec::new();
    stream.take(METRICS_LIMIT).read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
    let ok = head.lines().next().is_some_and(|line| line.split_whitespace().nth(1) == Some("200"));
    anyhow::ensure!(ok, "/metrics answered {head}");
    Ok(body.to_owned())
}

/// The sums of `pointsman_statements_total` by target and reason.
fn routed(metrics: &str) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("pointsman_statements_total{") else { continue };
        let Some((labels, value)) = rest.rsplit_once("} ") else { continue };
        let label = |name: &str| {
            // Values of these labels are names without quotes or commas.
            let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned()).unwrap_or_default()
        };
        // Counters are written as floating point by some libraries.
        let count = value.split_whitespace().next().and_then(|value| value.split('.').next()?.parse::<u64>().ok());
        let Some(count @ 1..) = count else { continue };
        *sums.entry((label("target"), label("reason"))).or_insert(0) += count;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_both_families() {
        assert_eq!(last_number("0-1-123"), 123);
        assert_eq!(last_number("3E11FA47-71CA-11E1-9E33-C80AA9429562:1-77"), 77);
        assert_eq!(last_number(""), 0);
    }

    #[test]
    fn a_program_name_with_blanks() {
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20";
        assert_eq!(ticks(stat), Some(150));
    }

    #[test]
    fn metrics_are_summed_over_servers() {
        let text = "# TYPE pointsman_statements_total counter\n\
                    pointsman_statements_total{reason=\"read\",server=\"replica1\",target=\"replica\"} 5\n\
                    pointsman_statements_total{server=\"replica2\",target=\"replica\",reason=\"read\"} 7.0\n\
                    pointsman_statements_total{server=\"primary\",target=\"primary\",reason=\"ddl\"} 0\n";
        let sums = routed(text);
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), [(("replica".to_owned(), "read".to_owned()), 12)]);
    }
}
