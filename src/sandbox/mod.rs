//! Private MariaDB or MySQL servers on loopback: one primary and its replicas, with real replication. The demo and the
//! integration tests use them.
//!
//! Everything of a sandbox is in one folder and goes away with it: when it is stopped or dropped, and also when this
//! process is killed. Nothing of the machine's own servers is touched.

mod accounts;
mod binaries;
mod error;
mod folder;
mod general_log;
mod replication;
mod server;
mod template;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use accounts::{APP, Account, DATABASE, MONITOR, OTHER, REPLICATION};
pub use binaries::Binaries;
pub use error::SandboxError;
pub use general_log::LoggedCommand;
pub use server::{SandboxServer, free_port};

use crate::clock;
use crate::cluster::Flavor;
use folder::{Folder, copy_folder};

/// Replicas on loopback are milliseconds behind; only a stopped one takes longer than this.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(15);

/// A server that was killed is gone within milliseconds; if it hangs in the kernel we do not wait for ever.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// What a sandbox shall be.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// How many replicas. Default 2.
    pub replicas: usize,
    /// The server programs; [`Binaries::find`] if none.
    pub binaries: Option<Binaries>,
    /// Leave the folder (data, logs) behind. Default: no.
    pub keep: bool,
    /// Where the folder is made. Default: the system's folder for temporary files.
    pub base: Option<PathBuf>,
    /// More options for every server, as on its command line.
    pub extra: Vec<String>,
    /// Log every command of every client, for [`SandboxServer::queries_seen`]. Default: no.
    pub general_log: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self { replicas: 2, binaries: None, keep: false, base: None, extra: Vec::new(), general_log: false }
    }
}

/// A running primary with its replicas.
#[derive(Debug)]
pub struct Sandbox {
    /// The primary first. Dropped before the folder, so that nobody writes to it any more.
    servers: Vec<SandboxServer>,
    folder: Folder,
    binaries: Binaries,
}

impl Sandbox {
    /// Starts the servers and their replication. If this fails, or is dropped before it is done, nothing stays.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let binaries = match options.binaries {
            Some(binaries) => binaries,
            None => Binaries::find(None)?,
        };
        let base = options.base.unwrap_or_else(std::env::temp_dir);
        let folder = Folder::create(&base, "sandbox", options.keep)?;
        template::make(&binaries, folder.path()).await?;

        let mut sandbox = Self { servers: Vec::new(), folder, binaries };
        let template = sandbox.folder().join("data");
        for id in 1..=u32::try_from(options.replicas).unwrap_or(u32::MAX).saturating_add(1) {
            let name = if id == 1 { "primary".to_owned() } else { format!("replica{}", id - 1) };
            let home = sandbox.folder().join(&name);
            std::fs::create_dir(&home).map_err(SandboxError::io(&home))?;
            copy_folder(&template, &home.join("data"))?;
            let (binaries, extra) = (sandbox.binaries.clone(), options.extra.clone());
            sandbox.servers.push(SandboxServer::new(name, id, home, binaries, extra, options.general_log)?);
        }
        std::fs::remove_dir_all(&template).map_err(SandboxError::io(&template))?;

        // All processes first: they come up side by side.
        for server in &mut sandbox.servers {
            server.launch_first()?;
        }
        for server in &mut sandbox.servers {
            server.ready_first().await?;
            server.create_accounts().await?;
        }
        let port = sandbox.primary().port();
        for replica in sandbox.replicas() {
            replica.follow(port).await?;
        }
        for replica in sandbox.replicas() {
            replica.wait_until_replicating(CATCH_UP_LIMIT).await?;
        }
        Ok(sandbox)
    }

    /// The primary.
    #[must_use]
    pub fn primary(&self) -> &SandboxServer {
        #[expect(clippy::indexing_slicing, reason = "`start` makes the primary before anything else")]
        &self.servers[0]
    }

    /// The replicas.
    #[must_use]
    pub fn replicas(&self) -> &[SandboxServer] {
        self.servers.get(1..).unwrap_or_default()
    }

    /// All servers, the primary first.
    #[must_use]
    pub fn servers(&self) -> &[SandboxServer] {
        &self.servers
    }

    /// The server with this name: `primary`, `replica1`, ...
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&SandboxServer> {
        self.servers.iter().find(|server| server.name() == name)
    }

    /// The programs that run.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The family of the servers.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.binaries.flavor()
    }

    /// Where everything is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until all replicas applied what the primary has written until now.
    pub async fn catch_up(&self) -> Result<(), SandboxError> {
        self.catch_up_within(CATCH_UP_LIMIT).await
    }

    /// The same with a limit of the caller's, for replicas that are delayed on purpose.
    pub async fn catch_up_within(&self, limit: Duration) -> Result<(), SandboxError> {
        let position = self.primary().position().await?;
        for replica in self.replicas() {
            replica.wait_for(&position, limit).await?;
        }
        Ok(())
    }

    /// Ends all servers and removes their folder (unless it shall be kept).
    pub async fn stop(self) {
        if self.folder.is_kept() {
            // Only data that somebody will look at is worth an orderly end.
            for server in self.servers.iter().rev() {
                let _killed_below_otherwise = server.shutdown().await;
            }
        }
        for server in &self.servers {
            let _not_running = server.kill().await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for server in &self.servers {
            server.start_kill();
        }
        let began = clock::now();
        while !self.servers.iter().all(SandboxServer::is_gone) && clock::now().duration_since(began) < GONE_LIMIT {
            // Nothing to await in a destructor; SIGKILL takes a few milliseconds.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
