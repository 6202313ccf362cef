//! `pointsman check`: everything that is wrong with a configuration, at once; with `--connect` also the servers.

use std::process::ExitCode;
use std::sync::Arc;

use super::load::ConfigArgs;
use super::print;
use crate::accounts::grantee;
use crate::cluster::{Lag, Replication};
use crate::config::{AuthMode, Config, Endpoint, ServerConfig, ServerRole};
use crate::monitor::{AccountReader, probe_once};
use crate::net::tls::Connector;

/// `pointsman check`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also log in to every server as the monitor, and look at read_only and replication
    #[arg(long)]
    connect: bool,
}

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    print(&format!("{}\n", loaded.config.summary().trim_end()));
    for note in &loaded.notes {
        print(&format!("note: {note}\n"));
    }
    if !args.connect {
        print("The configuration is good.\n");
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let good = runtime.block_on(servers(&loaded.config));
    print(if good {
        "The configuration and the servers are good.\n"
    } else {
        "Not all servers are as they should be.\n"
    });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn servers(config: &Config) -> bool {
    let mut good = true;
    for server in &config.servers {
        let probed = match Connector::new(&server.tls, host(server)) {
            Ok(tls) => probe_once(server, tls.map(Arc::new), config).await,
            Err(error) => Err(error.to_string().into()),
        };
        let line = match probed {
            Err(reason) => {
                good = false;
                format!("{}: FAILED: {reason}", server.name)
            }
            Ok((seen, tls)) => {
                let tls =
                    tls.map_or_else(|| "no TLS".to_owned(), |tls| format!("{} {}", tls.version.as_str(), tls.cipher));
                let mut wrong: Vec<String> = Vec::new();
                match server.role {
                    ServerRole::Primary if seen.read_only => wrong.push("the primary is read_only".into()),
                    ServerRole::Replica if !seen.read_only => wrong.push("the replica is not read_only: set it".into()),
                    ServerRole::Primary | ServerRole::Replica => {}
                }
                if server.role == ServerRole::Replica {
                    match seen.replication {
                        Replication::None => wrong.push("it replicates from nobody".into()),
                        Replication::Stopped => wrong.push("replication is stopped".into()),
                        Replication::Unknown => wrong.push("replication cannot be seen".into()),
                        Replication::Running => {}
                    }
                }
                if let Some(privilege) = seen.missing_grant {
                    let account = grantee(&seen.account);
                    wrong.push(format!(
                        "the monitor's account lacks a privilege; run on the primary: GRANT {privilege} ON *.* TO {account}"
                    ));
                }
                good &= wrong.is_empty();
                let lag = match seen.lag {
                    Lag::Known(lag) => format!(", lag {} ms", lag.as_millis()),
                    Lag::Stopped => ", lag unknown: stopped".to_owned(),
                    Lag::Unknown => String::new(),
                };
                let header = server.proxy_protocol.map(|version| format!(", PROXY {} taken", version.as_str()));
                let header = header.unwrap_or_default();
                let verdict = if wrong.is_empty() { "ok".to_owned() } else { format!("WRONG: {}", wrong.join("; ")) };
                format!(
                    "{}: {verdict} ({}, {tls}{header}{lag}, answered in {} ms)",
                    server.name,
                    seen.version,
                    seen.took.as_millis()
                )
            }
        };
        print(&format!("{line}\n"));
        if server.role == ServerRole::Primary && config.proxy.auth == AuthMode::Discover {
            let (line, read) = accounts(config, server).await;
            good &= read;
            print(&format!("{line}\n"));
        }
    }
    good
}

/// The name that a server's certificate must have.
fn host(server: &ServerConfig) -> &str {
    match &server.address {
        Endpoint::Tcp(address) => &address.host,
        Endpoint::Unix(_) => "localhost",
    }
}

/// Whether the accounts can be read, in words too.
async fn accounts(config: &Config, server: &ServerConfig) -> (String, bool) {
    let tls = Connector::new(&server.tls, host(server)).ok().flatten().map(Arc::new);
    match AccountReader::new(config, server, tls).read(config.monitor.timeout).await {
        Ok(directory) => (format!("{}: {} accounts may log in", server.name, directory.len()), true),
        Err(reason) => (format!("{}: WRONG: the accounts cannot be read: {reason}", server.name), false),
    }
}
