//! A configuration in a few lines, for `pointsman check`. Holds no secret.

use std::fmt::Write as _;

use super::schema::duration_text;
use super::{Address, AuthMode, Config, Consistency, Fallback, ServerRole};

impl Config {
    /// Several lines: listeners, servers, users by name, pools, consistency. No secrets.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = self.write_summary(&mut text);
        text
    }

    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        let http = self.http.listen.as_ref().map_or_else(|| "nowhere".to_owned(), Address::to_string);
        writeln!(out, "clients   {} (at most {})", self.proxy.listen, self.proxy.max_connections)?;
        if let Some(socket) = &self.proxy.socket {
            writeln!(out, "clients   {socket} (mode {:04o})", self.proxy.socket_mode)?;
        }
        writeln!(out, "http      {http}")?;
        for server in &self.servers {
            match server.role {
                ServerRole::Primary => writeln!(out, "primary   {} ({})", server.name, server.address)?,
                ServerRole::Replica => {
                    let pools = server.pools.join(", ");
                    let (name, address, weight) = (&server.name, &server.address, server.weight);
                    writeln!(out, "replica   {name} ({address}), weight {weight}, pools {pools}")?;
                }
            }
        }
        let users: Vec<&str> = self.users.iter().map(|user| user.name.as_str()).collect();
        let more = if self.proxy.auth == AuthMode::Discover { "and all of the primary's" } else { "" };
        writeln!(
            out,
            "users     {}",
            users.iter().copied().chain(Some(more)).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
        )?;
        let monitor = self.monitor.user.as_deref().or_else(|| users.first().copied()).unwrap_or_default();
        writeln!(out, "monitor   {monitor}, every {}", duration_text(self.monitor.interval))?;
        for pool in &self.replica_pools {
            let fallback = match pool.fallback {
                Fallback::Primary => "else the primary",
                Fallback::Refuse => "else refused",
            };
            writeln!(out, "reads     pool {}, lag up to {}, {fallback}", pool.name, duration_text(pool.max_lag))?;
        }
        writeln!(out, "rules     {}", self.rules.len())?;
        writeln!(out, "fresh     {}", self.routing.consistency)?;
        let pools = &self.pools;
        writeln!(out, "pools     {} per user and server, {} per server", pools.size, pools.max_per_server)
    }
}

impl std::fmt::Display for Consistency {
    /// As it is written in a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Eventual => f.write_str("eventual"),
            Self::Sticky(window) => write!(f, "sticky={}", duration_text(*window)),
            Self::Session => f.write_str("session"),
            Self::Global => f.write_str("global"),
        }
    }
}
