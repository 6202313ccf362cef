//! What an operator must know of a server: each thing is told when it changes, not at each observation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Health, Lag, Replication, Role, ServerState};

/// What an observation changed. The monitor logs each; nobody else needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The server can be used.
    Up {
        /// How long it was down; None: it was not observed before.
        was_down: Option<Duration>,
    },
    /// The server cannot be used.
    Down {
        /// What failed last.
        reason: Arc<str>,
        /// How many observations in a row failed.
        failures: u32,
    },
    /// The server's version is known, or another than before.
    Version {
        /// As the server gives it.
        version: Arc<str>,
    },
    /// `@@read_only` is another than before.
    ReadOnly {
        /// What it is now.
        read_only: bool,
    },
    /// Replication runs, is stopped, or is configured no more.
    Replication {
        /// What it is now.
        now: Replication,
        /// Which thread does not run and the error numbers, where the server said so.
        detail: Option<Arc<str>>,
    },
    /// Something about the server needs action.
    Warned(Warning),
    /// What a warning said no longer holds.
    Cleared(Warning),
}

/// A condition that needs an operator: it is told once when it begins and once when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// A configured replica accepts writes of ordinary users.
    ReplicaWritable,
    /// A configured replica replicates from nobody, so its data is of an unknown age.
    ReplicaWithoutSource,
    /// The configured primary is read-only, so every write fails.
    PrimaryReadOnly,
    /// Replication runs, but the server cannot say how far it is behind (`Seconds_Behind_*` is NULL).
    LagUnknown,
    /// The monitor's account may not see replication.
    MissingGrant(&'static str),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReplicaWritable => {
                f.write_str("configured as a replica, but not read_only: a stray write would make it differ")
            }
            Self::ReplicaWithoutSource => {
                f.write_str("configured as a replica, but replicates from no server: it gets no reads")
            }
            Self::PrimaryReadOnly => f.write_str("configured as the primary, but read_only: every write fails"),
            Self::LagUnknown => {
                f.write_str("replication runs, but the server does not say how far it is behind: it gets no reads")
            }
            Self::MissingGrant(grant) => write!(
                f,
                "the monitor's account may not see replication, so the lag is unknown and the server gets no reads; \
                 needed: GRANT {grant} ON *.* TO the account of [monitor]"
            ),
        }
    }
}

/// What the operator must hear of the step from `old` to `new`, in the order in which it is best read.
pub(super) fn changes(role: Role, old: &ServerState, new: &ServerState, detail: Option<&Arc<str>>) -> Vec<Change> {
    let mut changes = Vec::new();
    if new.version != old.version
        && let Some(version) = &new.version
    {
        changes.push(Change::Version { version: Arc::clone(version) });
    }
    match (&old.health, &new.health) {
        (Health::Down { since, .. }, Health::Up) => {
            let was_down = new.observed.map(|now| now.saturating_duration_since(*since));
            changes.push(Change::Up { was_down });
        }
        (Health::Unknown, Health::Up) => changes.push(Change::Up { was_down: None }),
        (Health::Unknown | Health::Up, Health::Down { reason, .. }) => {
            changes.push(Change::Down { reason: Arc::clone(reason), failures: new.failures });
        }
        (Health::Up, Health::Up) | (Health::Down { .. }, Health::Down { .. }) | (_, Health::Unknown) => {}
    }
    if let (Some(old), Some(new)) = (old.read_only, new.read_only)
        && old != new
    {
        changes.push(Change::ReadOnly { read_only: new });
    }
    if replication_is_news(old.replication, new.replication) {
        changes.push(Change::Replication { now: new.replication, detail: detail.cloned() });
    }
    warnings_between(role, old, new, &mut changes);
    changes
}

/// That replication runs on a server seen for the first time is as it should be, and that it is unknown is the missing
/// grant's affair.
fn replication_is_news(old: Replication, new: Replication) -> bool {
    match (old, new) {
        (_, Replication::Unknown) | (Replication::Unknown, Replication::None | Replication::Running) => false,
        (old, new) => old != new,
    }
}

fn warnings_between(role: Role, old: &ServerState, new: &ServerState, changes: &mut Vec<Change>) {
    let before = warnings(role, old);
    let after = warnings(role, new);
    for warning in after.iter().flatten().filter(|warning| !before.contains(&Some(**warning))) {
        changes.push(Change::Warned(*warning));
    }
    for warning in before.iter().flatten().filter(|warning| !after.contains(&Some(**warning))) {
        changes.push(Change::Cleared(*warning));
    }
}

/// The conditions that hold in a state. A server that is down keeps what was last seen of it, so that a restart
/// neither clears nor repeats anything.
fn warnings(role: Role, state: &ServerState) -> [Option<Warning>; 4] {
    let replica = role == Role::Replica;
    [
        match (role, state.read_only) {
            (Role::Replica, Some(false)) => Some(Warning::ReplicaWritable),
            (Role::Primary, Some(true)) => Some(Warning::PrimaryReadOnly),
            (Role::Replica, Some(true)) | (Role::Primary, Some(false)) | (_, None) => None,
        },
        (replica && state.replication == Replication::None).then_some(Warning::ReplicaWithoutSource),
        (replica && state.replication == Replication::Running && state.lag == Lag::Unknown)
            .then_some(Warning::LagUnknown),
        // Nobody asks for the primary's own lag, so its grant is not worth a warning.
        state.missing_grant.filter(|_| replica).map(Warning::MissingGrant),
    ]
}
