//! [`Raw`] into [`Config`]. What was not understood was reported before and stands here with its default, so that the
//! checks across settings run in the same go.

use std::sync::Arc;

use super::checks;
use super::environment::Variables;
use super::networks::Networks;
use super::problem::Findings;
use super::raw::{Block, Raw};
use super::secrets;
use super::tls;
use super::units::Secret;
use super::{
    AdminConfig, AuthMode, AuthPlugin, Config, Fallback, HttpConfig, LogConfig, LogFormat, MonitorConfig,
    OfferedCompression, PoolsConfig, ProxyConfig, ReplicaPoolConfig, RoutingConfig, RuleConfig, ServerConfig,
    ServerRole, UserConfig,
};
use crate::wire::compression::Compression;
use crate::wire::proxy_protocol::ProxyVersion;

/// The name of the replica pool that always exists.
pub(super) const DEFAULT_POOL: &str = "default";

/// The typed configuration; None if something required is missing, which has been reported.
pub(super) fn build(raw: &Raw, variables: &impl Variables, findings: &mut Findings) -> Option<Config> {
    // Everything is read before the first `?`, so that every problem is found.
    let servers = servers(raw, findings);
    let users = users(raw, variables, findings);
    let monitor = monitor(raw.single("monitor")?, !raw.list("users").is_empty(), variables, findings);
    let routing = routing(raw.single("routing")?);
    let rules = rules(raw, findings);
    checks::check(raw, findings);
    tls::check(raw, variables, findings);
    let routing = routing?;
    Some(Config {
        proxy: proxy(raw.single("proxy")?)?,
        tls: tls::tls(raw.single("tls")?)?,
        admin: AdminConfig { listen: raw.single("admin")?.address("listen") },
        http: HttpConfig { listen: raw.single("http")?.address("listen") },
        log: log(raw.single("log")?)?,
        servers,
        users,
        monitor: monitor?,
        replica_pools: replica_pools(raw, &routing, findings),
        routing,
        rules,
        pools: pools(raw.single("pools")?)?,
    })
}

/// Reports that `key` is missing in `block`, unless it is there and was not understood.
fn require(block: &Block, key: &str, findings: &mut Findings) {
    if !block.has(key) {
        findings.problem(&block.at, format!("`{key}` is missing in {}", block.section.header()));
    }
}

fn proxy(block: &Block) -> Option<ProxyConfig> {
    Some(ProxyConfig {
        listen: block.address("listen")?,
        socket: block.text("socket").map(Arc::from),
        socket_mode: block.number("socket_mode")?,
        max_connections: block.number("max_connections")?,
        login_timeout: block.duration("login_timeout")?,
        proxy_protocol_from: Networks::new(&block.list("proxy_protocol_from")),
        idle_timeout: block.duration("idle_timeout")?,
        kill_on_disconnect: block.flag("kill_on_disconnect"),
        write_timeout: block.duration("write_timeout")?,
        max_packet: block.bytes("max_packet")?,
        server_version: block.text("server_version").filter(|version| !version.is_empty()),
        auth: if block.text("auth")? == "discover" { AuthMode::Discover } else { AuthMode::Configured },
        auth_refresh: block.duration("auth_refresh")?,
        default_auth: block.text("default_auth").map(|plugin| match plugin.as_str() {
            "mysql_native_password" => AuthPlugin::Native,
            _ => AuthPlugin::CachingSha2,
        }),
        compression: match block.text("compression")?.as_str() {
            "zlib" => OfferedCompression::Zlib,
            "zstd" => OfferedCompression::Zstd,
            "off" => OfferedCompression::Off,
            _ => OfferedCompression::Any,
        },
        drain_timeout: block.duration("drain_timeout")?,
    })
}

fn log(block: &Block) -> Option<LogConfig> {
    let format = if block.text("format")? == "json" { LogFormat::Json } else { LogFormat::Text };
    Some(LogConfig { filter: block.text("filter")?, format })
}

fn servers(raw: &Raw, findings: &mut Findings) -> Vec<ServerConfig> {
    let mut servers = Vec::new();
    for block in raw.list("servers") {
        require(block, "address", findings);
        require(block, "role", findings);
        let (Some(address), Some(role)) = (block.endpoint("address"), block.text("role")) else { continue };
        let role = if role == "primary" { ServerRole::Primary } else { ServerRole::Replica };
        let name = block.text("name").unwrap_or_else(|| address.to_string());
        servers.push(ServerConfig {
            name: Arc::from(name),
            address,
            role,
            compression: compression(block, findings),
            proxy_protocol: match block.text("proxy_protocol").as_deref() {
                Some("v1") => Some(ProxyVersion::V1),
                Some("v2") => Some(ProxyVersion::V2),
                _ => None,
            },
            weight: block.number("weight").unwrap_or(1),
            pools: if role == ServerRole::Primary { Vec::new() } else { block.names("pools") },
            tls: tls::server(block),
        });
    }
    servers
}

fn compression(block: &Block, findings: &mut Findings) -> Option<Compression> {
    let level = block.number("compression_level");
    match block.text("compression")?.as_str() {
        "zlib" => {
            if let Some(level) = level.filter(|level| *level > 9) {
                let text = format!("the level of zlib is 1 to 9, found {level}");
                findings.problem(block.place("compression_level"), text);
            }
            Some(Compression::Zlib(level.unwrap_or(6)))
        }
        "zstd" => Some(Compression::Zstd(level.and_then(|level| i32::try_from(level).ok()).unwrap_or(3))),
        _ => {
            if level.is_some() {
                let at = block.place("compression_level");
                findings.note(format!("{at}: `compression_level` is of no effect without `compression`"));
            }
            None
        }
    }
}

fn users(raw: &Raw, variables: &impl Variables, findings: &mut Findings) -> Vec<UserConfig> {
    let mut users = Vec::new();
    for block in raw.list("users") {
        require(block, "name", findings);
        let name = block.text("name");
        let owner = name.as_ref().map_or_else(|| "this user".to_owned(), |name| format!("user `{name}`"));
        let password = secrets::resolve(block, &owner, variables, findings);
        let (Some(name), Some(password)) = (name, password) else { continue };
        users.push(UserConfig {
            name,
            password,
            max_connections: block.number("max_connections"),
            consistency: block.consistency("consistency"),
            require_tls: block.flag("require_tls"),
        });
    }
    users
}

fn monitor(
    block: &Block,
    users_given: bool,
    variables: &impl Variables,
    findings: &mut Findings,
) -> Option<MonitorConfig> {
    let user = block.text("user");
    let mut password = Secret::default();
    if block.has("user") {
        // On a problem the empty password stands in: the configuration is not used then.
        password = secrets::resolve(block, "the monitor", variables, findings).unwrap_or_default();
    } else if let Some(key) = secrets::PASSWORD_KEYS.iter().find(|key| block.has(key)) {
        findings.problem(block.place(key), "the monitor has a password and no name: write `user` in [monitor]");
    } else if users_given {
        findings.note("monitor.user is not set: the first of [[users]] watches the servers");
    }
    Some(MonitorConfig {
        user,
        password,
        interval: block.duration("interval")?,
        timeout: block.duration("timeout")?,
        failures: block.number("failures")?,
    })
}

fn fallback(text: &str) -> Fallback {
    if text == "refuse" { Fallback::Refuse } else { Fallback::Primary }
}

fn routing(block: &Block) -> Option<RoutingConfig> {
    Some(RoutingConfig {
        consistency: block.consistency("consistency")?,
        sticky_window: block.duration("sticky_window")?,
        max_lag: block.duration("max_lag")?,
        fallback: fallback(&block.text("fallback")?),
        read_functions: block.list("read_functions"),
        shape_cache: block.bytes("shape_cache")?,
    })
}

fn replica_pools(raw: &Raw, routing: &RoutingConfig, findings: &mut Findings) -> Vec<ReplicaPoolConfig> {
    let default =
        ReplicaPoolConfig { name: Arc::from(DEFAULT_POOL), max_lag: routing.max_lag, fallback: routing.fallback };
    let mut pools = vec![default];
    for block in raw.list("replica_pools") {
        require(block, "name", findings);
        let Some(name) = block.text("name") else { continue };
        pools.push(ReplicaPoolConfig {
            name: Arc::from(name),
            max_lag: block.duration("max_lag").unwrap_or(routing.max_lag),
            fallback: block.text("fallback").map_or(routing.fallback, |text| fallback(&text)),
        });
    }
    pools
}

fn rules(raw: &Raw, findings: &mut Findings) -> Vec<RuleConfig> {
    const CONDITIONS: &[&str] = &["user", "schema", "table", "fingerprint", "regex"];
    const EFFECTS: &[&str] = &["target", "max_lag", "consistency"];
    let mut rules = Vec::new();
    for (index, block) in raw.list("rules").iter().enumerate() {
        let name = block.text("name").unwrap_or_else(|| format!("rule {}", index + 1));
        for (keys, what) in [(CONDITIONS, "condition"), (EFFECTS, "effect")] {
            if !keys.iter().any(|key| block.has(key)) {
                let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
                findings.problem(&block.at, format!("`{name}` has no {what}: write one of {}", keys.join(", ")));
            }
        }
        rules.push(RuleConfig {
            name: Arc::from(name),
            user: block.text("user"),
            schema: block.text("schema"),
            table: block.text("table"),
            fingerprint: block.fingerprint("fingerprint"),
            regex: block.regex("regex"),
            target: block.target("target"),
            max_lag: block.duration("max_lag"),
            consistency: block.consistency("consistency"),
        });
    }
    rules
}

fn pools(block: &Block) -> Option<PoolsConfig> {
    Some(PoolsConfig {
        max_per_server: block.number("max_per_server")?,
        size: block.number("size")?,
        wait_timeout: block.duration("wait_timeout")?,
        max_waiting: block.number("max_waiting")?,
        connect_timeout: block.duration("connect_timeout")?,
        max_connecting: block.number("max_connecting")?,
        min_idle: block.number("min_idle")?,
        idle_timeout: block.duration("idle_timeout")?,
        max_lifetime: block.duration("max_lifetime")?,
        statements: block.number("statements")?,
        remembered: block.bytes("remembered")?,
    })
}
