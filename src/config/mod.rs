//! The configuration: TOML text and environment in, typed values or a list of problems out. No files are read here
//! and no environment: both are passed in.

mod build;
pub mod certificates;
mod checks;
mod environment;
mod file;
mod networks;
mod parse;
mod problem;
mod raw;
pub mod schema;
mod secrets;
mod settings;
mod summary;
mod tls;
mod units;
mod values;

use std::sync::Arc;
use std::time::Duration;

use crate::wire::compression::Compression;
use crate::wire::proxy_protocol::ProxyVersion;

pub use environment::{CONFIG_NAME, LIST_NAMES, NoVariables, SANDBOX_NAME, SHORT_NAMES, Variables};
pub use networks::Networks;
pub use parse::{Loaded, Source, parse};
pub use problem::{Origin, Problem, Problems};
pub use settings::{SECTIONS, section};
pub use tls::{ClientCertificate, IdentityFiles, ServerTlsConfig, ServerTlsMode, TlsConfig, TlsMode};
pub use units::{Address, Endpoint, Secret};

/// Everything that can be configured. Cannot hold a bad value: see `parse`.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[proxy]`: the side that clients see.
    pub proxy: ProxyConfig,
    /// `[tls]`: TLS towards clients.
    pub tls: TlsConfig,
    /// `[admin]`: reserved for the console.
    pub admin: AdminConfig,
    /// `[http]`: metrics and health.
    pub http: HttpConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// `[[servers]]`: exactly one primary, any number of replicas.
    pub servers: Vec<ServerConfig>,
    /// `[[users]]`: the accounts that clients log in with, used towards the servers too.
    pub users: Vec<UserConfig>,
    /// `[monitor]`.
    pub monitor: MonitorConfig,
    /// `[routing]`.
    pub routing: RoutingConfig,
    /// `[[replica_pools]]`: always holds one named `default`.
    pub replica_pools: Vec<ReplicaPoolConfig>,
    /// `[[rules]]`, in order.
    pub rules: Vec<RuleConfig>,
    /// `[pools]`: the pools of backend connections.
    pub pools: PoolsConfig,
}

/// `[proxy]`.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Where clients connect. Default `127.0.0.1:6033`.
    pub listen: Address,
    /// The Unix socket where clients of this machine connect as well. Default: none.
    pub socket: Option<Arc<str>>,
    /// The permissions of the socket's file. Default 0777, as servers have it.
    pub socket_mode: u32,
    /// At most so many clients at once; one more gets error 1040. Default 10000, range 1 to 1000000.
    pub max_connections: u32,
    /// A login must be complete within this. Default 10 s.
    pub login_timeout: Duration,
    /// Peers that begin with a header of the PROXY protocol, and are believed. Default: none.
    pub proxy_protocol_from: Networks,
    /// A client that is silent for so long is disconnected; zero: never. Default 8 h.
    pub idle_timeout: Duration,
    /// A statement whose client goes away is killed on its server. Default true.
    pub kill_on_disconnect: bool,
    /// A client that takes no byte of its result for so long is disconnected. Default 60 s.
    pub write_timeout: Duration,
    /// The longest command of a client, in bytes; a longer one gets error 1153. Default 64 MiB, range 1 KiB to 1 GiB.
    pub max_packet: usize,
    /// The version in the greeting. None: that of the primary, or a fixed one until it was seen.
    pub server_version: Option<String>,
    /// Who may log in. Default `configured`.
    pub auth: AuthMode,
    /// Time between two looks at the servers' accounts, with [`AuthMode::Discover`]. Default 5 s, range 100 ms to 1 h.
    pub auth_refresh: Duration,
    /// The authentication plugin that the greeting names. None: that of the primary's greeting.
    pub default_auth: Option<AuthPlugin>,
    /// The compression that clients are offered, if the primary offers it as well. Default any.
    pub compression: OfferedCompression,
    /// At SIGTERM, running statements and open transactions get so long to finish. Default 30 s.
    pub drain_timeout: Duration,
}

/// Who may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Those of `[[users]]`.
    Configured,
    /// Also every account of the servers.
    Discover,
}

/// The compression that clients are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferedCompression {
    /// Both methods.
    Any,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
    /// None.
    Off,
}

/// How a client proves its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPlugin {
    /// `mysql_native_password`.
    Native,
    /// `caching_sha2_password`.
    CachingSha2,
}

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where a later version serves its console; this one does not listen there. Default `127.0.0.1:6032`. None (`""`):
    /// nowhere.
    pub listen: Option<Address>,
}

/// `[http]`.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where `/metrics`, `/healthz` and `/readyz` are served. Default `127.0.0.1:6070`. None (`""`): nowhere.
    pub listen: Option<Address>,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A `tracing` filter such as `info` or `pointsman=debug`. Default `info`.
    pub filter: String,
    /// `text` (default) or `json`.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// One of `[[servers]]`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Unique; default: its address.
    pub name: Arc<str>,
    /// `host:port`, where the port defaults to 3306, or the path of a Unix socket.
    pub address: Endpoint,
    /// `primary` or `replica`.
    pub role: ServerRole,
    /// Share of reads; default 1, range 0 to 1000. Not allowed on the primary.
    pub weight: u32,
    /// The compression of connections to it. Default none.
    pub compression: Option<Compression>,
    /// The version of the PROXY protocol by which it is told of clients' addresses. Default none.
    pub proxy_protocol: Option<ProxyVersion>,
    /// The replica pools it belongs to; default `["default"]`. Not allowed on the primary.
    pub pools: Vec<Arc<str>>,
    /// TLS towards it.
    pub tls: ServerTlsConfig,
}

/// What a server is configured to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRole {
    /// Takes writes.
    Primary,
    /// Takes reads.
    Replica,
}

/// One of `[[users]]`. The password comes from exactly one of `password`, `password_file`, `password_env`.
#[derive(Debug, Clone)]
pub struct UserConfig {
    /// The account's name, unique.
    pub name: String,
    /// Its password; may be empty.
    pub password: Secret,
    /// At most so many clients of this user at once; None: only `proxy.max_connections` counts. One more gets 1203.
    pub max_connections: Option<u32>,
    /// Overrides `routing.consistency`.
    pub consistency: Option<Consistency>,
    /// Its clients must come by TLS. Default false.
    pub require_tls: bool,
}

/// `[monitor]`.
#[derive(Debug, Clone)]
pub struct MonitorConfig {
    /// The account that watches the servers. None: the first of `[[users]]` is used, and `check` says so.
    pub user: Option<String>,
    /// Its password (`password`, `password_file` or `password_env`).
    pub password: Secret,
    /// Time between two observations of a server. Default 500 ms, range 10 ms to 60 s.
    pub interval: Duration,
    /// An observation that takes longer has failed. Default 2 s.
    pub timeout: Duration,
    /// After so many failures in a row a server is down. Default 2, range 1 to 100.
    pub failures: u32,
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Any replica within the lag limit.
    Eventual,
    /// After a write this session reads the primary for that long.
    Sticky(Duration),
    /// Read your own writes. Until GTIDs are followed it is the sticky window `routing.sticky_window`.
    Session,
    /// See everyone's writes. Until GTIDs are followed it is the sticky window of the newest write of anyone.
    Global,
}

/// `[routing]`.
#[derive(Debug, Clone)]
pub struct RoutingConfig {
    /// `eventual`, `sticky=2s`, `session` (default), `global`.
    pub consistency: Consistency,
    /// The window that stands in for `session` and `global` where GTIDs are not followed. Default 2 s.
    pub sticky_window: Duration,
    /// The lag limit of the `default` replica pool. Default 1 s.
    pub max_lag: Duration,
    /// What happens to a read when no replica qualifies, in the `default` replica pool.
    pub fallback: Fallback,
    /// Stored functions that only read, as `name` or `schema.name`, lower case.
    pub read_functions: Vec<String>,
    /// How many statement shapes are remembered. Default 10000, range 100 to 1000000.
    pub shape_cache: usize,
}

/// What happens to a read when no replica qualifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// It runs on the primary (default).
    Primary,
    /// It is refused with an error.
    Refuse,
}

/// One of `[[replica_pools]]`: replicas kept for a purpose.
#[derive(Debug, Clone)]
pub struct ReplicaPoolConfig {
    /// Named by `servers.pools`, hints and rules.
    pub name: Arc<str>,
    /// Lag limit; default: `routing.max_lag`.
    pub max_lag: Duration,
    /// Default: `routing.fallback`.
    pub fallback: Fallback,
}

/// One of `[[rules]]`: all given conditions must hold; the first rule that holds decides.
#[derive(Debug, Clone)]
pub struct RuleConfig {
    /// For logs and `explain`; default `rule N`.
    pub name: Arc<str>,
    /// The user's name.
    pub user: Option<String>,
    /// The current schema.
    pub schema: Option<String>,
    /// A table that the statement names, as `table` or `schema.table`.
    pub table: Option<String>,
    /// The statement's fingerprint, 32 hexadecimal digits, as `explain` prints it.
    pub fingerprint: Option<u128>,
    /// A regular expression on the normalised text.
    pub regex: Option<regex::Regex>,
    /// `primary`, `replica`, or `pool=NAME`.
    pub target: Option<RuleTarget>,
    /// Another lag limit for what the rule matches.
    pub max_lag: Option<Duration>,
    /// Another consistency for what the rule matches.
    pub consistency: Option<Consistency>,
}

/// Where a rule sends what it matches. A rule never sends a write to a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleTarget {
    /// The primary.
    Primary,
    /// The default replica pool, whatever the consistency says.
    Replica,
    /// This replica pool.
    Pool(Arc<str>),
}

/// `[pools]`.
#[derive(Debug, Clone)]
pub struct PoolsConfig {
    /// At most so many connections to one server, of all users together. Default 200, range 1 to 100000.
    pub max_per_server: u32,
    /// At most so many connections to one server for one user. Default 100, range 1 to 100000.
    pub size: u32,
    /// A statement waits so long for a connection, then gets error 1203. Default 5 s.
    pub wait_timeout: Duration,
    /// At most so many statements wait for one server; one more gets error 1203 at once. Default 10000.
    pub max_waiting: u32,
    /// Connecting and logging in to a server may take so long. Default 3 s.
    pub connect_timeout: Duration,
    /// At most so many logins to one server at the same time. Default 10, range 1 to 10000.
    pub max_connecting: u32,
    /// So many connections are kept of each kind that sessions use, however long they are idle. Default 1, range 0 to 10000.
    pub min_idle: u32,
    /// A connection idle for so long is closed. Default 60 s.
    pub idle_timeout: Duration,
    /// A connection older than this is closed when it comes back. Default 1 h.
    pub max_lifetime: Duration,
    /// At most so many prepared statements are kept on one connection. Default 80 (times 200 connections: below 16382), range 1 to 100000.
    pub statements: u32,
    /// Replies to PREPARE and SET that are remembered, for all sessions, in bytes; 0: none. Default 16 MiB, range 0 to 1 GiB.
    pub remembered: usize,
}
