//! Checks across settings: names that must be unique or must exist, and values that contradict each other.

use std::collections::BTreeMap;

use super::build::DEFAULT_POOL;
use super::networks::Networks;
use super::problem::{Findings, Origin, nearest, suggestion};
use super::raw::{Block, Raw};
use super::{Address, Endpoint, RuleTarget};

/// Reports every contradiction.
pub(super) fn check(raw: &Raw, findings: &mut Findings) {
    roles(raw, findings);
    unique_names(raw, findings);
    replica_pools(raw, findings);
    users(raw, findings);
    addresses(raw, findings);
    socket(raw, findings);
    proxy_protocol(raw, findings);
    limits(raw, findings);
}

/// The role as given; None if it is missing or was not understood.
fn is_primary(server: &Block) -> Option<bool> {
    server.text("role").map(|role| role == "primary")
}

fn roles(raw: &Raw, findings: &mut Findings) {
    let servers = raw.list("servers");
    let mut primaries = servers.iter().filter(|server| is_primary(server) == Some(true));
    // A server whose role was not understood may have been meant as the primary.
    if let (Some(first), Some(second)) = (primaries.next(), primaries.next()) {
        let text = format!("more than one server is the primary; the first one is at {}", first.place("role"));
        findings.problem(second.place("role"), text);
    } else if servers.iter().all(|server| is_primary(server) == Some(false)) {
        findings.problem(
            &raw.whole,
            "no server is the primary: write [[servers]] with `role = \"primary\"`, or set POINTSMAN_PRIMARY",
        );
    }
    for server in servers.iter().filter(|server| is_primary(server) == Some(true)) {
        for key in ["weight", "pools"] {
            if let Some(given) = server.given.get(key) {
                findings.problem(&given.key_at, format!("`{key}` is for replicas; this server is the primary"));
            }
        }
    }
    if servers.iter().all(|server| is_primary(server) == Some(true)) {
        findings.note("no replica is configured: everything runs on the primary");
    }
}

fn unique_names(raw: &Raw, findings: &mut Findings) {
    for (list, what) in [("servers", "server"), ("users", "user"), ("replica_pools", "replica pool"), ("rules", "rule")]
    {
        let mut seen: BTreeMap<String, &Origin> = BTreeMap::new();
        for block in raw.list(list) {
            let Some(name) = block.text("name") else { continue };
            if let Some(first) = seen.get(&name) {
                let text = format!("there is a {what} named `{name}` already, at {first}");
                findings.problem(block.place("name"), text);
            } else {
                seen.insert(name, block.place("name"));
            }
        }
    }
}

fn replica_pools(raw: &Raw, findings: &mut Findings) {
    let mut pools: Vec<String> = vec![DEFAULT_POOL.to_owned()];
    for block in raw.list("replica_pools") {
        match block.text("name") {
            Some(name) if name == DEFAULT_POOL => findings.problem(
                block.place("name"),
                "the pool `default` always exists: set `max_lag` and `fallback` in [routing] instead",
            ),
            Some(name) => pools.push(name),
            None => {}
        }
    }
    let known: Vec<&str> = pools.iter().map(String::as_str).collect();
    let unknown = |pool: &str| {
        let hint = suggestion(pool, &known);
        format!("there is no replica pool `{pool}`{hint}; a pool is declared by [[replica_pools]]")
    };
    for block in raw.list("servers") {
        for pool in block.list("pools").iter().filter(|pool| !known.contains(&pool.as_str())) {
            findings.problem(block.place("pools"), unknown(pool));
        }
        if block.has("pools") && block.list("pools").is_empty() {
            findings.problem(block.place("pools"), "the list is empty: name a pool, or leave the key out");
        }
    }
    for block in raw.list("rules") {
        if let Some(RuleTarget::Pool(pool)) = block.target("target")
            && !known.contains(&&*pool)
        {
            findings.problem(block.place("target"), unknown(&pool));
        }
    }
    let replicas: Vec<&Block> = raw.list("servers").iter().filter(|server| is_primary(server) == Some(false)).collect();
    for pool in &pools {
        let has_member = replicas.iter().any(|server| server.list("pools").contains(pool));
        if !has_member && (pool != DEFAULT_POOL || !replicas.is_empty()) {
            findings
                .note(format!("no replica belongs to the pool `{pool}`: its `fallback` applies to every read of it"));
        }
    }
}

fn users(raw: &Raw, findings: &mut Findings) {
    let users = raw.list("users");
    let discover = raw.single("proxy").and_then(|proxy| proxy.text("auth")).is_some_and(|auth| auth == "discover");
    if discover && raw.single("monitor").is_some_and(|monitor| !monitor.has("user")) {
        let text = "proxy.auth is \"discover\" and there is no account to read the servers' accounts with: write `user` in \
                    [monitor]";
        findings.problem(&raw.whole, text);
    }
    if users.is_empty() && !discover {
        findings.problem(
            &raw.whole,
            "no user is configured: write [[users]] with `name` and a password, or set POINTSMAN_USER and \
             POINTSMAN_PASSWORD",
        );
        return;
    }
    let names: Vec<String> = users.iter().filter_map(|user| user.text("name")).collect();
    for rule in raw.list("rules") {
        if let Some(user) = rule.text("user").filter(|user| !discover && !names.contains(user)) {
            let near = nearest(&user, names.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let at = rule.place("user");
            findings.note(format!("{at}: the rule never applies, since there is no user `{user}`{hint}"));
        }
    }
    let most = raw.single("proxy").and_then(|proxy| proxy.number("max_connections"));
    for user in users {
        if let (Some(limit), Some(most)) = (user.number("max_connections"), most)
            && limit > most
        {
            let at = user.place("max_connections");
            findings.note(format!("{at}: {limit} connections of a user are more than proxy.max_connections ({most})"));
        }
    }
}

fn addresses(raw: &Raw, findings: &mut Findings) {
    let mut seen: Vec<(Endpoint, Origin)> = Vec::new();
    for server in raw.list("servers") {
        let Some(address) = server.endpoint("address") else { continue };
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == address) {
            let text = format!("the server at {first} has the address {address} already");
            findings.problem(server.place("address"), text);
        }
        seen.push((address, server.place("address").clone()));
    }
    let listeners: Vec<(&Block, Address)> = ["proxy", "admin", "http"]
        .iter()
        .filter_map(|name| raw.single(name))
        .filter_map(|block| block.address("listen").map(|address| (block, address)))
        .collect();
    for (index, (block, address)) in listeners.iter().enumerate() {
        let other = listeners.iter().take(index).find(|(_, other)| overlap(address, other));
        if let Some((other, _)) = other {
            // A listener that stands at its default cannot be the one to blame.
            let blamed = if block.has("listen") { block } else { other };
            let text = format!(
                "`{}.listen` and `{}.listen` are the same address {address}; change one of them",
                other.section.name, block.section.name
            );
            findings.problem(blamed.place("listen"), text);
        }
        let own = Endpoint::Tcp(address.clone());
        for server in raw.list("servers").iter().filter(|server| server.endpoint("address").as_ref() == Some(&own)) {
            let text = format!("{address} is `{}.listen`: the proxy would connect to itself", block.section.name);
            findings.problem(server.place("address"), text);
        }
    }
}

/// The proxy's own Unix socket.
fn socket(raw: &Raw, findings: &mut Findings) {
    let Some(proxy) = raw.single("proxy") else { return };
    let Some(path) = proxy.text("socket") else {
        if proxy.has("socket_mode") && !proxy.has("socket") {
            let at = proxy.place("socket_mode");
            findings.note(format!("{at}: `socket_mode` is of no effect without `socket`"));
        }
        return;
    };
    let own = Endpoint::Unix(path.into());
    for server in raw.list("servers").iter().filter(|server| server.endpoint("address").as_ref() == Some(&own)) {
        let text = format!("{own} is `proxy.socket`: the proxy would connect to itself");
        findings.problem(server.place("address"), text);
    }
}

/// Whom the header of the PROXY protocol comes from, and goes to.
fn proxy_protocol(raw: &Raw, findings: &mut Findings) {
    if let Some(proxy) = raw.single("proxy") {
        let from = Networks::new(&proxy.list("proxy_protocol_from"));
        let at = proxy.place("proxy_protocol_from");
        if from.hold_all() {
            findings.note(format!(
                "{at}: `proxy_protocol_from` holds every address: anyone who reaches `proxy.listen` can pose as any address; list \
                 the load balancers alone"
            ));
        }
        if from.contain(None) && !proxy.has("socket") {
            findings.note(format!("{at}: `unix` in `proxy_protocol_from` is of no effect without `proxy.socket`"));
        }
    }
    let servers = raw.list("servers");
    let tells = |server: &&Block| server.text("proxy_protocol").is_some_and(|version| version != "off");
    if let (Some(told), Some(untold)) = (servers.iter().find(tells), servers.iter().find(|server| !tells(server))) {
        let at = untold.place("address");
        let other = told.place("proxy_protocol");
        findings.note(format!(
            "{at}: this server sees pointsman's address and another one ({other}) those of clients: an account may be \
             another one here than there; set `proxy_protocol` on all servers"
        ));
    }
}

/// Whether both cannot be listened on at once.
fn overlap(left: &Address, right: &Address) -> bool {
    left.port != 0 && left.port == right.port && (left.host == right.host || left.is_wildcard() || right.is_wildcard())
}

fn limits(raw: &Raw, findings: &mut Findings) {
    let Some(pools) = raw.single("pools") else { return };
    if let (Some(size), Some(most)) = (pools.number("size"), pools.number("max_per_server"))
        && size > most
    {
        let blamed = if pools.has("size") { "size" } else { "max_per_server" };
        let text = format!("`pools.size` ({size}) is above `pools.max_per_server` ({most})");
        findings.problem(pools.place(blamed), text);
    }
}
