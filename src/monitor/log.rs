//! Says in the log what changed, once, at the level of its reader: `warn` needs action, `info` is to be known.

use crate::cluster::{Change, Replication, Role, Server};

pub(super) fn change(server: &Server, change: &Change) {
    let name = &*server.name;
    match change {
        Change::Up { was_down: None } => tracing::info!(server = name, address = %server.address, "server is up"),
        Change::Up { was_down: Some(time) } => {
            tracing::info!(server = name, down_seconds = time.as_secs_f64(), "server is up again");
        }
        Change::Down { reason, failures } => {
            tracing::warn!(server = name, address = %server.address, %reason, failures, "server is down");
        }
        Change::Version { version } => tracing::info!(server = name, %version, "server version"),
        Change::ReadOnly { read_only } => tracing::info!(server = name, read_only, "read_only changed"),
        Change::Replication { now: Replication::Stopped, detail } => {
            let detail = detail.as_deref().unwrap_or("no detail");
            if server.role == Role::Replica {
                tracing::warn!(server = name, detail, "replication is stopped: it gets no reads");
            } else {
                tracing::info!(server = name, detail, "replication is stopped");
            }
        }
        Change::Replication { now, .. } => match now {
            Replication::Running => tracing::info!(server = name, "replication runs"),
            Replication::None => tracing::info!(server = name, "replicates from no server any more"),
            Replication::Stopped | Replication::Unknown => {}
        },
        Change::Warned(warning) => tracing::warn!(server = name, "{warning}"),
        Change::Cleared(warning) => tracing::info!(server = name, "no longer so: {warning}"),
    }
}
