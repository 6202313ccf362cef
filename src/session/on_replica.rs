//! A session that is pinned to a replica, by a READ ONLY transaction as a rule: what may run there, and how it leaves.

use std::sync::Arc;

use super::{PinCause, Pins, Session, Slot, literal};
use crate::sql::{Classified, Effects, PrimaryCause, StatementKind};
use crate::wire::Status;

/// Whether a statement may run on the replica that the session is pinned to.
pub(super) enum OnReplica {
    Stays,
    /// It ends what pins the session, and runs on the primary.
    Leaves,
    /// The primary would say that the transaction is READ ONLY; the replica, that the server is.
    Write,
    Refused,
}

impl Session {
    /// Whether a statement may run where the session is pinned to a replica: by a READ ONLY transaction, as a rule.
    pub(super) fn on_replica(&self, classified: &Classified) -> OnReplica {
        let shape = &*classified.shape;
        let lasting = Effects::GETS_LOCK
            | Effects::RELEASES_LOCK
            | Effects::SETS_LAST_INSERT_ID
            | Effects::CREATES_TEMPORARY
            | Effects::OPENS_HANDLER
            | Effects::XA_STARTS;
        let only_transaction = self.pins.all().eq([PinCause::Transaction]);
        // What GET DIAGNOSTICS told of a read there can be carried to the primary.
        if self.pins.all().eq([PinCause::UserVariable]) && !self.diagnosed.is_empty() {
            let asks = Effects::ASKS_DIAGNOSTICS | Effects::ASKS_FOUND_ROWS | Effects::ASKS_ROW_COUNT;
            return if shape.effects.intersects(asks) { OnReplica::Stays } else { OnReplica::Leaves };
        }
        let ends = matches!(shape.kind, StatementKind::Begin { .. } | StatementKind::LockTables);
        let plain = matches!(
            shape.kind,
            StatementKind::Commit
                | StatementKind::Rollback
                | StatementKind::Savepoint
                | StatementKind::Set
                | StatementKind::Use
        );
        let in_transaction = self.pins.has(PinCause::Transaction);
        if ends && only_transaction {
            return OnReplica::Leaves;
        }
        // What outlives the transaction, or means nothing there; what nobody can see into: a procedure may commit, and
        // write as its definer, whom the server's read_only does not stop; DDL, which commits on one family of servers.
        if shape.effects.intersects(lasting | Effects::OPAQUE)
            || shape.cause == Some(PrimaryCause::LockingRead)
            || shape.kind == StatementKind::Ddl
        {
            return OnReplica::Refused;
        }
        if shape.kind == StatementKind::Write && in_transaction {
            return OnReplica::Write;
        }
        // Without a transaction nothing but the server's read_only would keep a write away.
        if plain || in_transaction || shape.cause.is_none() { OnReplica::Stays } else { OnReplica::Refused }
    }

    /// A READ ONLY transaction on a replica ends by something that begins on the primary.
    pub(super) fn leave_replica(&mut self) {
        self.pins = Pins::default();
        self.pinned = None;
        self.left_replica = true;
        self.let_go(Slot::Replica);
        self.status = self.status.without(Status::IN_TRANS).without(Status::IN_TRANS_READONLY);
    }

    /// The query for the user variables that GET DIAGNOSTICS set on the replica that the session leaves.
    #[must_use]
    pub fn asks_left_variables(&self) -> Option<String> {
        let names: Vec<_> = self.diagnosed.iter().map(|name| format!("@`{}`", name.replace('`', "``"))).collect();
        (!names.is_empty()).then(|| format!("SELECT {}", names.join(",")))
    }

    /// Takes their values along, as literals: numbers, or texts of the server's.
    pub fn carry_left_variables(&mut self, values: &[Vec<u8>]) {
        let settings = Arc::make_mut(&mut self.settings);
        for (name, value) in std::mem::take(&mut self.diagnosed).into_iter().zip(values) {
            settings.user_variables.insert(name, literal("", value));
        }
    }

    /// Whether the connection to the replica holds a transaction that the session has left. Tells it once.
    pub fn has_left_replica(&mut self) -> bool {
        std::mem::take(&mut self.left_replica)
    }
}
