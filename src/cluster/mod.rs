//! The servers as they are known now: an immutable snapshot ([`Cluster`]) and how an [`Observation`] of the monitor
//! changes it. No sockets, no clock: `now` is an argument.

mod change;
mod observe;
mod server;

use std::sync::Arc;

use crate::config::{Config, ServerRole};

pub use change::{Change, Warning};
pub use observe::{Observation, Rules, Seen};
pub use server::{Flavor, Health, Lag, Replication, Role, Server, ServerId, ServerState, version_numbers};

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

    /// The configured servers, none of them observed yet.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let servers = (0..).zip(&config.servers).map(|(id, server)| Server {
            id: ServerId(id),
            name: Arc::clone(&server.name),
            address: server.address.to_string().into(),
            role: match server.role {
                ServerRole::Primary => Role::Primary,
                ServerRole::Replica => Role::Replica,
            },
            weight: server.weight,
            pools: server.pools.clone(),
            state: ServerState::default(),
        });
        Self::new(servers.collect())
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
