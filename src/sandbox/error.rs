//! What can go wrong with private servers, in words that say what to do.

use std::io;
use std::path::PathBuf;

/// Why a sandbox could not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No server programs were found.
    #[error(
        "no {wanted} server program found (looked in {looked}). On Debian or Ubuntu: apt-get install {package}; \
         or name the folder of the programs in POINTSMAN_SANDBOX_BIN"
    )]
    NoServer {
        /// The family that was asked for.
        wanted: &'static str,
        /// The folders that were searched.
        looked: String,
        /// The Debian packages that have it.
        package: &'static str,
    },
    /// A program could not be run at all.
    #[error("cannot run {}: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{} failed ({status}); the end of its log:\n{log}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its exit status.
        status: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// A server did not come up.
    #[error("{name} ({}) {what}; the end of {}:\n{tail}", program.display(), log.display())]
    NotReady {
        /// The server's name in the sandbox.
        name: String,
        /// The program.
        program: PathBuf,
        /// What happened.
        what: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A replica did not apply in time what the primary has.
    #[error("{name} did not reach the primary's position {position} within {waited:?} ({state})")]
    Behind {
        /// The server's name in the sandbox.
        name: String,
        /// The position that was waited for.
        position: String,
        /// How long was waited.
        waited: std::time::Duration,
        /// What the replica says of its replication.
        state: String,
    },
    /// A server refused a statement.
    #[error("{name}: {source} (statement: {statement})")]
    Sql {
        /// The server's name in the sandbox.
        name: String,
        /// The statement, or `connect`.
        statement: String,
        /// What the client library said.
        source: Box<mysql_async::Error>,
    },
    /// A file or a folder could not be made or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder's name leaves no room for a socket's name in it.
    #[error("{} is too long for a socket: choose a base folder with a shorter name", path.display())]
    PathTooLong {
        /// The socket that cannot be.
        path: PathBuf,
    },
    /// No TCP port could be had.
    #[error("no free TCP port on 127.0.0.1: {0}")]
    NoPort(io::Error),
    /// The server is not running.
    #[error("{0} is not running")]
    NotRunning(String),
}

impl SandboxError {
    /// Turns an I/O error into one that names its path.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
