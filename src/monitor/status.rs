//! What the replication status of a server means. No I/O.
//!
//! [`read`] is the one place that turns a status into a [`Lag`]: a source of milliseconds (positions compared by GTID)
//! takes the place of `Seconds_Behind_*` there.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Row;
use crate::cluster::{Flavor, Lag, Replication, version_numbers};

/// The statements that show replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusQuery {
    /// MySQL from 8.0.22; the only one from 8.4. MariaDB has it from 10.5, for the default connection alone.
    Replica,
    /// MariaDB: all named connections.
    AllSlaves,
    /// Older MySQL.
    Slave,
}

impl StatusQuery {
    /// The statement for a server of this version.
    pub(super) fn of(flavor: Flavor, version: &str) -> Self {
        match flavor {
            Flavor::MariaDb => Self::AllSlaves,
            Flavor::MySql | Flavor::Unknown if version_numbers(version) >= [8, 0, 22] => Self::Replica,
            Flavor::MySql | Flavor::Unknown => Self::Slave,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "SHOW REPLICA STATUS",
            Self::AllSlaves => "SHOW ALL SLAVES STATUS",
            Self::Slave => "SHOW SLAVE STATUS",
        }
    }

    /// What to try when the server does not know this one: a version string can be set to anything.
    pub(super) const fn next(self) -> Option<Self> {
        match self {
            Self::Replica => Some(Self::AllSlaves),
            Self::AllSlaves => Some(Self::Slave),
            Self::Slave => None,
        }
    }
}

/// The privilege that the statements need.
pub(super) fn needed_grant(flavor: Flavor, version: &str) -> &'static str {
    match flavor {
        Flavor::MariaDb if version_numbers(version) >= [10, 5, 0] => "SLAVE MONITOR",
        Flavor::MariaDb | Flavor::MySql | Flavor::Unknown => "REPLICATION CLIENT",
    }
}

/// Newer MariaDB says `NO_LOCK` and the like for kinds of read-only: all but off is on.
pub(super) fn read_only(value: &str) -> bool {
    !(value == "0" || value.eq_ignore_ascii_case("OFF"))
}

/// One channel of replication, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Channel {
    name: String,
    io: Thread,
    sql: Thread,
    behind: Option<u64>,
}

/// One of a channel's two threads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    /// `Yes`, `No`, `Connecting`, `Preparing`.
    state: String,
    errno: Option<String>,
}

impl Thread {
    /// A thread that is connecting receives nothing: the replica falls behind, whatever it says of its lag.
    fn runs(&self) -> bool {
        self.state.eq_ignore_ascii_case("yes")
    }
}

/// Replication, lag, and why it does not run, from the rows of a status. A server with several sources is as far
/// behind as the worst of them.
pub(super) fn read(rows: &[Row]) -> (Replication, Lag, Option<Arc<str>>) {
    let channels: Vec<Channel> = rows.iter().map(|row| channel(&|names| row.named(names))).collect();
    judge(&channels)
}

fn judge(channels: &[Channel]) -> (Replication, Lag, Option<Arc<str>>) {
    if channels.is_empty() {
        return (Replication::None, Lag::Unknown, None);
    }
    if let Some(stopped) = channels.iter().find(|channel| !channel.io.runs() || !channel.sql.runs()) {
        return (Replication::Stopped, Lag::Stopped, Some(detail(stopped)));
    }
    // NULL while both threads run is "cannot tell": neither 0 nor infinite.
    let worst: Option<Vec<u64>> = channels.iter().map(|channel| channel.behind).collect();
    let lag = worst.and_then(|all| all.into_iter().max()).map_or(Lag::Unknown, |s| Lag::Known(Duration::from_secs(s)));
    (Replication::Running, lag, None)
}

/// States and error numbers only: the texts of errors can hold rows.
fn detail(channel: &Channel) -> Arc<str> {
    let thread = |thread: &Thread| match &thread.errno {
        Some(errno) if errno != "0" => format!("{} (error {errno})", thread.state),
        Some(_) | None => thread.state.clone(),
    };
    let name = if channel.name.is_empty() { String::new() } else { format!("channel `{}`: ", channel.name) };
    format!("{name}IO thread: {}, SQL thread: {}", thread(&channel.io), thread(&channel.sql)).into()
}

/// A row, by `column`: the first of the given names that it has.
fn channel(column: &dyn Fn(&[&str]) -> Option<String>) -> Channel {
    let thread = |running: &[&str], errno: &[&str]| Thread {
        state: column(running).unwrap_or_else(|| "unknown".to_owned()),
        errno: column(errno),
    };
    Channel {
        name: column(&["Channel_Name", "Connection_name"]).unwrap_or_default(),
        io: thread(&["Replica_IO_Running", "Slave_IO_Running"], &["Last_IO_Errno"]),
        sql: thread(&["Replica_SQL_Running", "Slave_SQL_Running"], &["Last_SQL_Errno"]),
        behind: column(&["Seconds_Behind_Source", "Seconds_Behind_Master"]).and_then(|seconds| seconds.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Channels from texts such as `Slave_IO_Running=Yes Seconds_Behind_Master=NULL`.
    fn judged(rows: &[&str]) -> (Replication, Lag, Option<Arc<str>>) {
        let channels: Vec<Channel> = rows
            .iter()
            .map(|row| {
                let pairs: Vec<(&str, &str)> = row.split(' ').filter_map(|pair| pair.split_once('=')).collect();
                channel(&|names| {
                    let value = names.iter().find_map(|name| pairs.iter().find(|(known, _)| known == name))?.1;
                    (value != "NULL").then(|| value.to_owned())
                })
            })
            .collect();
        judge(&channels)
    }

    #[test]
    fn a_status_is_judged() {
        let mysql = "Replica_IO_Running=Yes Replica_SQL_Running=Yes Seconds_Behind_Source=";
        let maria = "Slave_IO_Running=Yes Slave_SQL_Running=Yes Seconds_Behind_Master=";
        let known = |seconds| Lag::Known(Duration::from_secs(seconds));
        let table = [
            (vec![], Replication::None, Lag::Unknown),
            (vec![format!("{mysql}0")], Replication::Running, known(0)),
            (vec![format!("{maria}7")], Replication::Running, known(7)),
            (vec![format!("{mysql}NULL")], Replication::Running, Lag::Unknown),
            (vec![format!("{maria}3"), format!("{maria}9")], Replication::Running, known(9)),
            (vec![format!("{maria}3"), format!("{maria}NULL")], Replication::Running, Lag::Unknown),
            (
                vec!["Slave_IO_Running=Connecting Slave_SQL_Running=Yes Seconds_Behind_Master=0".to_owned()],
                Replication::Stopped,
                Lag::Stopped,
            ),
            (
                vec!["Replica_IO_Running=No Replica_SQL_Running=No Seconds_Behind_Source=NULL".to_owned()],
                Replication::Stopped,
                Lag::Stopped,
            ),
            (vec!["Nonsense=1".to_owned()], Replication::Stopped, Lag::Stopped),
        ];
        for (rows, replication, lag) in table {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let judged = judged(&rows);
            assert_eq!((judged.0, judged.1), (replication, lag), "{rows:?}");
        }
    }

    #[test]
    fn the_detail_names_the_thread_and_the_error() {
        let row = "Connection_name=eu Slave_IO_Running=Yes Slave_SQL_Running=No Last_IO_Errno=0 Last_SQL_Errno=1062";
        let detail = judged(&[row]).2;
        assert_eq!(detail.as_deref(), Some("channel `eu`: IO thread: Yes, SQL thread: No (error 1062)"));
    }

    #[test]
    fn the_statement_and_the_grant_by_version() {
        let table = [
            ("8.0.21", StatusQuery::Slave, "REPLICATION CLIENT"),
            ("8.0.22", StatusQuery::Replica, "REPLICATION CLIENT"),
            ("9.7.4-1", StatusQuery::Replica, "REPLICATION CLIENT"),
            ("5.7.44-log", StatusQuery::Slave, "REPLICATION CLIENT"),
            ("10.11.6-MariaDB-0+deb12u1", StatusQuery::AllSlaves, "SLAVE MONITOR"),
            ("5.5.5-10.6.1-MariaDB", StatusQuery::AllSlaves, "SLAVE MONITOR"),
            ("10.4.32-MariaDB", StatusQuery::AllSlaves, "REPLICATION CLIENT"),
        ];
        for (version, query, grant) in table {
            let flavor = Flavor::from_version(version);
            assert_eq!((StatusQuery::of(flavor, version), needed_grant(flavor, version)), (query, grant), "{version}");
        }
    }

    #[test]
    fn read_only_has_more_than_two_values() {
        let values = ["0", "OFF", "1", "ON", "NO_LOCK", "NO_LOCK_NO_ADMIN"].map(read_only);
        assert_eq!(values, [false, false, true, true, true, true]);
    }
}
