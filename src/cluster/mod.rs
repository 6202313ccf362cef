//! The servers as they are known now: an immutable snapshot ([`Cluster`]) and how an [`Observation`] of the monitor
//! changes it. No sockets, no clock: `now` is an argument.

mod observe;
mod server;

use std::sync::Arc;

pub use observe::{Observation, Seen};
pub use server::{Flavor, Health, Lag, Replication, Role, Server, ServerId, ServerState};

/// An immutable snapshot of all servers. The monitor makes a new one from each observation; sessions read it.
#[derive(Debug, Clone)]
pub struct Cluster {
    servers: Vec<Arc<Server>>,
}

impl Cluster {
    /// A cluster of `servers`; each server's id is its place in the list.
    #[must_use]
    pub fn new(servers: Vec<Server>) -> Self {
        Self { servers: servers.into_iter().map(Arc::new).collect() }
    }

    /// All servers, in the order of the configuration.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server with this id.
    #[must_use]
    pub fn server(&self, id: ServerId) -> Option<&Arc<Server>> {
        self.servers.get(usize::from(id.0))
    }

    /// The configured primary. (Finding it by `read_only` after a failover belongs to a later version.)
    #[must_use]
    pub fn primary(&self) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.role == Role::Primary)
    }

    /// The configured replicas, usable or not.
    pub fn replicas(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.servers.iter().filter(|server| server.role == Role::Replica)
    }
}
