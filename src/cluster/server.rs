//! One server: what the configuration says of it and what was last seen of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server's place in the configuration; stable while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub u16);

/// What the configuration says a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Takes all writes.
    Primary,
    /// Replicates from the primary and takes reads.
    Replica,
}

/// Which family of server it is, by its version string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flavor {
    /// Not seen yet.
    #[default]
    Unknown,
    /// MariaDB.
    MariaDb,
    /// MySQL, Percona Server and others of its kin.
    MySql,
}

impl Flavor {
    /// The family that a server's version string names. A server that calls itself nothing known is taken for MySQL:
    /// the monitor corrects itself when that server does not know MySQL's statements.
    #[must_use]
    pub fn from_version(version: &str) -> Self {
        if version.is_empty() {
            Self::Unknown
        } else if version.to_ascii_lowercase().contains("mariadb") {
            Self::MariaDb
        } else {
            Self::MySql
        }
    }
}

/// The first three numbers of a server's version; what is missing is 0. `5.5.5-` is what MariaDB puts before its own for old
/// clients.
#[must_use]
pub fn version_numbers(version: &str) -> [u32; 3] {
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// Whether a server can be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    /// Not observed yet: a primary is tried, a replica is not.
    #[default]
    Unknown,
    /// The last observation succeeded.
    Up,
    /// The last observations failed.
    Down {
        /// Since when.
        since: Instant,
        /// What failed, for people.
        reason: Arc<str>,
    },
}

/// Whether replication runs on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Replication {
    /// Not observed yet.
    #[default]
    Unknown,
    /// The server replicates from no other.
    None,
    /// The IO and the SQL thread both run.
    Running,
    /// One of the threads, or both, do not run.
    Stopped,
}

/// How far a replica is behind. A plain duration, whatever it was measured by: `Seconds_Behind_*` has a resolution of one
/// second, positions compared by GTID have one of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lag {
    /// Not observed, or the server cannot tell.
    #[default]
    Unknown,
    /// Behind by this much.
    Known(Duration),
    /// Replication is stopped: behind by an unknown and growing amount.
    Stopped,
}

/// What was last seen of a server.
#[derive(Debug, Clone, Default)]
pub struct ServerState {
    /// Whether it can be used.
    pub health: Health,
    /// `@@read_only`, when seen.
    pub read_only: Option<bool>,
    /// `@@global.wait_timeout` and `@@global.interactive_timeout`, in seconds, when seen.
    pub idle: Option<[u64; 2]>,
    /// Whether replication runs.
    pub replication: Replication,
    /// How far it is behind.
    pub lag: Lag,
    /// Its version string as its handshake gives it.
    pub version: Option<Arc<str>>,
    /// Its family.
    pub flavor: Flavor,
    /// When it was last observed, successfully or not.
    pub observed: Option<Instant>,
    /// When it was last observed successfully: the time that `lag`, `replication` and `read_only` are of.
    /// `seen <= observed`.
    pub seen: Option<Instant>,
    /// The privilege that the monitor's account lacks to see replication; None: it lacks none, or was not seen yet.
    pub missing_grant: Option<&'static str>,
    /// How many observations in a row failed.
    pub failures: u32,
}

impl ServerState {
    /// Whether the last observations succeeded. A server that was never observed is not up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.health, Health::Up)
    }

    /// Whether the last successful observation is older than `stale_after` (see [`super::Rules::stale_after`]).
    #[must_use]
    pub fn is_stale(&self, now: Instant, stale_after: Duration) -> bool {
        self.seen.is_none_or(|seen| now.saturating_duration_since(seen) > stale_after)
    }

    /// The lag as far as it can be trusted at `now`: `Unknown` for a server that is not up, and when the last successful
    /// observation is stale. A replica whose lag is not known is not read from.
    #[must_use]
    pub fn lag_at(&self, now: Instant, stale_after: Duration) -> Lag {
        if !self.is_up() || self.is_stale(now, stale_after) { Lag::Unknown } else { self.lag }
    }
}

/// One server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name in logs, metrics and hints.
    pub name: Arc<str>,
    /// `host:port`.
    pub address: Arc<str>,
    /// What the configuration says it is.
    pub role: Role,
    /// Its share of reads against the other replicas; 0 takes none.
    pub weight: u32,
    /// The replica pools it belongs to.
    pub pools: Vec<Arc<str>>,
    /// What was last seen of it.
    pub state: ServerState,
}
