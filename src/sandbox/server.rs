//! One private server: its process, its connections, its replication, its general log.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::process::{Child, Command};

use super::accounts::Account;
use super::binaries::Binaries;
use super::error::SandboxError;
use super::folder::tail_of;
use super::template::{is_root, with_path};
use crate::clock;
use crate::cluster::Flavor;

/// A server that does not answer within this does not come up: a cold, shared machine needs a few seconds.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// `sockaddr_un.sun_path` holds 108 bytes, the last of them zero.
const SOCKET_PATH_LIMIT: usize = 107;

/// One private server on loopback.
#[derive(Debug)]
pub struct SandboxServer {
    name: String,
    id: u32,
    port: u16,
    folder: PathBuf,
    binaries: Binaries,
    extra: Vec<String>,
    general_log: bool,
    child: Mutex<Option<Child>>,
    /// So many bytes of the general log are forgotten.
    pub(super) log_forgotten: Mutex<u64>,
}

impl SandboxServer {
    /// A server whose files are in `folder`, where `data` is already; not started.
    pub(super) fn new(
        name: String,
        id: u32,
        folder: PathBuf,
        binaries: Binaries,
        extra: Vec<String>,
        general_log: bool,
    ) -> Result<Self, SandboxError> {
        let server = Self {
            name,
            id,
            port: 0,
            folder,
            binaries,
            extra,
            general_log,
            child: Mutex::new(None),
            log_forgotten: Mutex::new(0),
        };
        let path = server.socket();
        if path.as_os_str().len() > SOCKET_PATH_LIMIT {
            return Err(SandboxError::PathTooLong { path });
        }
        Ok(server)
    }

    /// `primary`, `replica1`, `replica2`, ...
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its TCP port; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("server.sock")
    }

    /// Its error log.
    #[must_use]
    pub fn error_log(&self) -> PathBuf {
        self.folder.join("error.log")
    }

    pub(super) fn general_log(&self) -> PathBuf {
        self.folder.join("general.log")
    }

    /// Its family.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.binaries.flavor
    }

    /// Its process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().and_then(Child::id)
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- connections ---

    /// How to connect as `account` over TCP, with the database `app` selected.
    ///
    /// `prefer_socket` is off: with it, the client library asks the server for its socket and leaves TCP for it, past
    /// whatever stands in between.
    #[must_use]
    pub fn opts(&self, account: Account) -> Opts {
        account.opts(self.address())
    }

    /// A connection as `account` over TCP.
    pub async fn connect(&self, account: Account) -> Result<Conn, SandboxError> {
        Conn::new(self.opts(account)).await.map_err(|error| self.sql_error("connect", error))
    }

    /// A connection as `root` over the Unix socket, so that no TCP client is counted and no password is needed.
    pub async fn root(&self) -> Result<Conn, SandboxError> {
        let socket = self.socket().to_string_lossy().into_owned();
        let opts = OptsBuilder::default().socket(Some(socket)).user(Some("root"));
        Conn::new(opts).await.map_err(|error| self.sql_error("connect", error))
    }

    /// Runs `statements` as `root`, one after the other, on one connection.
    pub async fn run<S: AsRef<str> + Sync>(&self, statements: &[S]) -> Result<(), SandboxError> {
        let mut root = self.root().await?;
        for statement in statements.iter().map(AsRef::as_ref) {
            root.query_drop(statement).await.map_err(|error| self.sql_error(statement, error))?;
        }
        // The connection is only closed: what was asked for is done.
        let _closed = root.disconnect().await;
        Ok(())
    }

    /// The first row that `query` gives `root`.
    pub async fn first<T>(&self, query: &str) -> Result<Option<T>, SandboxError>
    where
        T: mysql_async::prelude::FromRow + Send + 'static,
    {
        let mut root = self.root().await?;
        let row = root.query_first(query).await.map_err(|error| self.sql_error(query, error))?;
        let _closed = root.disconnect().await;
        Ok(row)
    }

    pub(super) fn sql_error(&self, statement: &str, source: mysql_async::Error) -> SandboxError {
        let statement = statement.chars().take(200).collect();
        SandboxError::Sql { name: self.name.clone(), statement, source: Box::new(source) }
    }

    // --- the process ---

    /// Starts the process on a free port, which it then keeps, without waiting for it.
    pub(super) fn launch_first(&mut self) -> Result<(), SandboxError> {
        self.port = free_port()?;
        self.launch(false)
    }

    /// Waits until it answers. Another process may have taken the port between finding and binding it: then the next
    /// one is tried.
    pub(super) async fn ready_first(&mut self) -> Result<(), SandboxError> {
        for _ in 0..3 {
            match self.ready().await {
                Err(SandboxError::NotReady { tail, .. }) if is_port_taken(&tail) => {
                    // Else the old complaint would stand in the tail of the next try.
                    let _best_effort = fs::write(self.error_log(), "");
                    self.launch_first()?;
                }
                done => return done,
            }
        }
        self.ready().await
    }

    /// Starts the process. `read_only` from its first moment, for a replica that comes back; a new one must first get
    /// its accounts.
    fn launch(&self, read_only: bool) -> Result<(), SandboxError> {
        let log = self.error_log();
        let append = || fs::OpenOptions::new().create(true).append(true).open(&log);
        let output = append().map_err(SandboxError::io(&log))?;
        let errors = append().map_err(SandboxError::io(&log))?;
        let mut command = Command::new(&self.binaries.server);
        command.args(self.arguments(read_only));
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(output).stderr(errors);
        // A group of its own: Ctrl-C in a terminal is for us, who then end the servers in order.
        command.kill_on_drop(true).process_group(0);
        let program = self.binaries.server.clone();
        let child = command.spawn().map_err(|source| SandboxError::Run { program, source })?;
        *self.child() = Some(child);
        Ok(())
    }

    async fn ready(&self) -> Result<(), SandboxError> {
        let began = clock::now();
        let what = loop {
            let exited = match self.child().as_mut() {
                Some(child) => child.try_wait().ok().flatten(),
                None => return Err(SandboxError::NotRunning(self.name.clone())),
            };
            if let Some(status) = exited {
                *self.child() = None;
                break format!("ended with {status} instead of starting");
            }
            if self.socket().exists()
                && let Ok(root) = self.root().await
            {
                let _closed = root.disconnect().await;
                return Ok(());
            }
            if clock::now().duration_since(began) > READY_LIMIT {
                break format!("did not answer within {READY_LIMIT:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Err(SandboxError::NotReady {
            name: self.name.clone(),
            program: self.binaries.server.clone(),
            what,
            log: self.error_log(),
            tail: tail_of(&self.error_log()),
        })
    }

    fn arguments(&self, read_only: bool) -> Vec<std::ffi::OsString> {
        let path = |option: &str, name: &str| with_path(option, &self.folder.join(name));
        let mut list: Vec<std::ffi::OsString> = vec!["--no-defaults".into()];
        if is_root() {
            list.push("--user=root".into());
        }
        if let Some(basedir) = &self.binaries.basedir {
            list.push(with_path("--basedir=", basedir));
            list.extend(own_folders(basedir));
        }
        list.extend([
            path("--datadir=", "data"),
            path("--socket=", "server.sock"),
            path("--pid-file=", "server.pid"),
            path("--tmpdir=", ""),
        ]);
        let mut options = vec![
            format!("--port={}", self.port),
            format!("--server-id={}", self.id),
            format!("--report-port={}", self.port),
        ];
        let common = [
            "--report-host=127.0.0.1",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--log-bin=binlog",
            "--relay-log=relay",
            "--binlog-format=ROW",
            // The data is thrown away: nothing has to survive a crash of the machine.
            "--sync-binlog=0",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=OFF",
            "--innodb-buffer-pool-size=32M",
            "--key-buffer-size=1M",
            "--max-connections=1000",
            "--table-open-cache=400",
        ];
        options.extend(common.map(str::to_owned));
        let own: &[&str] = match self.binaries.flavor {
            Flavor::MySql => &[
                "--gtid-mode=ON",
                "--enforce-gtid-consistency=ON",
                "--log-replica-updates=ON",
                "--innodb-redo-log-capacity=16M",
                "--replica-net-timeout=10",
                "--mysqlx=OFF",
                "--secure-file-priv=NULL",
            ],
            Flavor::MariaDb | Flavor::Unknown => &[
                "--log-slave-updates=ON",
                "--innodb-log-file-size=8M",
                "--slave-net-timeout=10",
                "--performance-schema=OFF",
                "--aria-pagecache-buffer-size=8M",
            ],
        };
        options.extend(own.iter().map(|option| (*option).to_owned()));
        if self.general_log {
            options.extend(["--log-output=FILE".to_owned(), "--general-log=1".to_owned()]);
            list.push(path("--general-log-file=", "general.log"));
        }
        if read_only {
            options.push(format!("--{}=ON", self.read_only_variable().replace('_', "-")));
        }
        // Last, so that they win.
        options.extend(self.extra.iter().cloned());
        list.extend(options.into_iter().map(Into::into));
        list
    }

    /// Ends it as a crash would (SIGKILL); its data stays for [`restart`](Self::restart).
    pub async fn kill(&self) -> Result<(), SandboxError> {
        let child = self.child().take();
        let Some(mut child) = child else { return Err(SandboxError::NotRunning(self.name.clone())) };
        child.kill().await.map_err(SandboxError::io(&self.folder))
    }

    /// Ends it in order (SQL `SHUTDOWN`); its data stays for [`restart`](Self::restart).
    pub async fn shutdown(&self) -> Result<(), SandboxError> {
        let mut root = self.root().await?;
        root.query_drop("SHUTDOWN").await.map_err(|error| self.sql_error("SHUTDOWN", error))?;
        drop(root);
        let child = self.child().take();
        let Some(mut child) = child else { return Ok(()) };
        if tokio::time::timeout(READY_LIMIT, child.wait()).await.is_err() {
            child.kill().await.map_err(SandboxError::io(&self.folder))?;
        }
        Ok(())
    }

    /// Starts it again on its data and its port, after ending it in order if it still runs. A replica comes back
    /// read-only and goes on replicating by itself.
    pub async fn restart(&self) -> Result<(), SandboxError> {
        if self.pid().is_some() {
            self.shutdown().await?;
        }
        let _stale = fs::remove_file(self.socket());
        self.launch(self.is_replica())?;
        self.ready().await
    }

    /// Stops its process without ending it (SIGSTOP): it accepts connections and never answers.
    pub async fn freeze(&self) -> Result<(), SandboxError> {
        self.signal("-STOP").await
    }

    /// Lets a frozen process go on (SIGCONT).
    pub async fn thaw(&self) -> Result<(), SandboxError> {
        self.signal("-CONT").await
    }

    async fn signal(&self, signal: &str) -> Result<(), SandboxError> {
        let pid = self.pid().ok_or_else(|| SandboxError::NotRunning(self.name.clone()))?.to_string();
        // The shell's own `kill`: the program of that name is in a package that may be missing.
        let script = ["-c", "kill \"$1\" \"$2\"", "sh", signal, &pid];
        let ran = Command::new("sh").args(script).stdin(Stdio::null()).output().await;
        let ran = ran.map_err(|source| SandboxError::Run { program: "sh".into(), source })?;
        if ran.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&ran.stderr).into_owned();
        Err(SandboxError::Failed { program: "kill".into(), status: ran.status.to_string(), log })
    }

    /// Asks the process to end at once, without waiting for it.
    pub(super) fn start_kill(&self) {
        if let Some(child) = self.child().as_mut() {
            let _already_gone = child.start_kill();
        }
    }

    /// Whether the process is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.child().as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Whether it was made a replica: the primary is server 1.
    pub(super) fn is_replica(&self) -> bool {
        self.id != 1
    }
}

/// Messages and plugins of a server that is not installed where it was built for.
fn own_folders(basedir: &Path) -> Vec<std::ffi::OsString> {
    let messages = ["share/mysql", "share/mariadb"].map(|name| ("--lc-messages-dir=", basedir.join(name)));
    let plugins = ["lib/mysql/plugin", "lib/plugin"].map(|name| ("--plugin-dir=", basedir.join(name)));
    let present = |list: [(&'static str, PathBuf); 2]| list.into_iter().find(|(_, folder)| folder.is_dir());
    [present(messages), present(plugins)]
        .into_iter()
        .flatten()
        .map(|(option, folder)| with_path(option, &folder))
        .collect()
}

fn is_port_taken(log: &str) -> bool {
    log.contains("Address already in use")
        || log.contains("another mysqld server running on port")
        || log.contains("Bind on TCP/IP port")
}

/// A TCP port on 127.0.0.1 that is free now.
///
/// Ports below the range that the system gives to outgoing connections are tried first: a server that is killed must
/// get its port back at its restart, while thousands of clients come and go.
pub fn free_port() -> Result<u16, SandboxError> {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new();
    for attempt in 0..64_u64 {
        let port = 20_000 + u16::try_from(random.hash_one(attempt) % 12_000).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(SandboxError::NoPort)?;
    Ok(listener.local_addr().map_err(SandboxError::NoPort)?.port())
}
