//! What the load runs against: private servers, HAProxy, and pointsman as processes of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pointsman::sandbox::{Sandbox, SandboxOptions, free_port};

use super::support::program::{self, Behind, Program, this_build};

/// One way to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// No proxy.
    Direct,
    /// HAProxy, mode tcp: what a proxy costs that does not look at what it forwards.
    HaProxy,
    /// pointsman with the primary alone.
    Pointsman,
    /// pointsman with the primary and a replica.
    Split,
    /// Another build of pointsman with the primary alone.
    Previous,
}

impl Via {
    pub(crate) const ALL: [Self; 5] = [Self::Direct, Self::HaProxy, Self::Previous, Self::Pointsman, Self::Split];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::HaProxy => "haproxy",
            Self::Pointsman => "pointsman",
            Self::Split => "pointsman+replica",
            Self::Previous => "previous",
        }
    }
}

/// Everything that runs. The proxies go before their servers.
pub(crate) struct Stage {
    haproxy: Program,
    pointsman: Program,
    split: Program,
    previous: Option<Program>,
    pub(crate) servers: Sandbox,
}

impl Stage {
    /// Starts all. `previous`: the program of another build to compare with.
    pub(crate) async fn start(previous: Option<&Path>) -> anyhow::Result<Self> {
        // The clients' connections of the memory measurement come on top of the pools'.
        let extra = vec!["--max-connections=500".to_owned(), "--innodb-flush-log-at-trx-commit=2".to_owned()];
        let options = SandboxOptions { replicas: 1, extra, ..SandboxOptions::default() };
        let servers = Sandbox::start(options).await?;
        Ok(Self {
            haproxy: haproxy(&servers)?,
            pointsman: pointsman(&servers, &this_build(), "alone", 0)?,
            split: pointsman(&servers, &this_build(), "split", 1)?,
            previous: previous.map(|program| pointsman(&servers, program, "previous", 0)).transpose()?,
            servers,
        })
    }

    fn proxy(&self, via: Via) -> Option<&Program> {
        match via {
            Via::Direct => None,
            Via::HaProxy => Some(&self.haproxy),
            Via::Pointsman => Some(&self.pointsman),
            Via::Split => Some(&self.split),
            Via::Previous => self.previous.as_ref(),
        }
    }

    /// Where clients connect.
    pub(crate) fn port(&self, via: Via) -> u16 {
        self.proxy(via).map_or_else(|| self.servers.primary().port(), Program::port)
    }

    /// The same.
    pub(crate) fn address(&self, via: Via) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port(via)))
    }

    /// The process in between.
    pub(crate) fn pid(&self, via: Via) -> Option<u32> {
        self.proxy(via).map(|proxy| proxy.pid())
    }
}

/// HAProxy's program; Debian has it where an ordinary user's PATH does not look.
pub(crate) fn haproxy_program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut found = std::env::split_paths(&path).chain(more).map(|folder| folder.join("haproxy"));
    found.find(|program| program.exists()).unwrap_or_else(|| "haproxy".into())
}

fn haproxy(servers: &Sandbox) -> anyhow::Result<Program> {
    let port = free_port()?;
    let config = format!(
        "global\n  nbthread 2\n  maxconn 4000\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen mysql\n  bind 127.0.0.1:{port}\n  server primary {}\n",
        servers.primary().address()
    );
    let file = servers.folder().join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut command = Command::new(haproxy_program());
    // -db: stay in the foreground.
    command.arg("-db").arg("-f").arg(&file);
    Program::start(command, servers.folder(), "haproxy", port)
}

fn pointsman(servers: &Sandbox, build: &Path, name: &str, replicas: usize) -> anyhow::Result<Program> {
    let behind = servers.servers().iter().take(replicas + 1);
    let behind: Vec<_> = behind.map(|server| Behind { name: server.name(), address: server.address() }).collect();
    program::pointsman(build, servers.folder(), name, &behind, "")
}
