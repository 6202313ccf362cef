//! What is measured against: private servers, pointsman as processes of its own, and relays that stand for a network.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{Binaries, Sandbox, SandboxOptions};

use super::relay::Relay;
use super::shapes;
use super::support::program::{self, Behind, Program, this_build};

/// Connections to the server that pointsman may have: `pools.size`.
pub(crate) const POOL: usize = 50;

/// One way to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// No proxy.
    Direct,
    /// Another build of pointsman.
    Previous,
    Pointsman,
}

impl Via {
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Previous, Self::Pointsman];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Previous => "previous",
            Self::Pointsman => "pointsman",
        }
    }
}

/// A way, and what is at its end.
pub(crate) struct Route {
    program: Option<Program>,
    relay: Option<Relay>,
    address: SocketAddr,
}

impl Route {
    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process in between.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.program.as_ref().map(Program::pid)
    }

    /// Round trips to the server until now, if a relay counts them.
    pub(crate) fn round_trips(&self) -> u64 {
        self.relay.as_ref().map_or(0, Relay::round_trips)
    }
}

/// A primary of one family, with its rows.
pub(crate) struct Stage {
    pub(crate) servers: Sandbox,
    previous: Option<PathBuf>,
}

impl Stage {
    pub(crate) async fn start(flavor: Flavor, previous: Option<&Path>) -> anyhow::Result<Self> {
        let binaries = match flavor {
            Flavor::MySql => {
                // Where scripts/get-mysql.sh puts it, or installed.
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mysql/bin");
                Binaries::find_at(&folder, flavor).or_else(|_| Binaries::find(Some(flavor)))?
            }
            Flavor::MariaDb | Flavor::Unknown => Binaries::find(Some(flavor))?,
        };
        let extra = vec!["--max-connections=500".to_owned(), "--innodb-flush-log-at-trx-commit=2".to_owned()];
        let options = SandboxOptions { replicas: 0, binaries: Some(binaries), extra, ..SandboxOptions::default() };
        let servers = Sandbox::start(options).await?;
        shapes::prepare(&servers).await?;
        Ok(Self { servers, previous: previous.map(Path::to_owned) })
    }

    /// A way of its own to the primary, with a network in between or not. `name`: for its files.
    pub(crate) fn path(&self, via: Via, far: bool, name: &str) -> anyhow::Result<Route> {
        let primary = self.servers.primary().address();
        let relay = far.then(|| Relay::start(primary)).transpose()?;
        let server = relay.as_ref().map_or(primary, Relay::address);
        let build = match via {
            Via::Direct => return Ok(Route { program: None, relay, address: server }),
            Via::Previous => self.previous.clone().context("no other build was named")?,
            Via::Pointsman => this_build(),
        };
        let name = format!("{}-{name}", via.name());
        let pools = format!("[pools]\nsize = {POOL}\n");
        let behind = [Behind { name: "primary", address: server }];
        let program = program::pointsman(&build, self.servers.folder(), &name, &behind, &pools)?;
        let address = SocketAddr::from(([127, 0, 0, 1], program.port()));
        Ok(Route { program: Some(program), relay, address })
    }
}
