//! How an observation of one server changes the snapshot.

use std::sync::Arc;
use std::time::Duration;

use super::{Flavor, Lag, Replication, ServerId};

/// What the monitor saw of one server at one time.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The server.
    pub server: ServerId,
    /// What was seen, or why nothing was.
    pub seen: Result<Seen, Arc<str>>,
}

/// What a server said of itself.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its version string.
    pub version: Arc<str>,
    /// Its family.
    pub flavor: Flavor,
    /// `@@read_only`.
    pub read_only: bool,
    /// Whether replication runs.
    pub replication: Replication,
    /// How far it is behind.
    pub lag: Lag,
    /// How long the observation took.
    pub took: Duration,
}
