//! What a reply did to the session: pins, settings, the things that can be asked about.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::found::Found;
use super::mismatch::{Mismatch, mismatch};
use super::plan::{Job, Request, Slot};
use super::statements::{ClientStatement, StatementKey};
use super::{Last, PinCause, Session};
use crate::routing::Target;
use crate::sql::{Assignment, Classified, Detail, Effects, PrimaryCause, Scope, StatementKind, Value};
use crate::wire::statement::ClientStatementId;
use crate::wire::{Outcome, Status, TrackFilter};

/// What the shell must do with the connection that ran a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absorbed {
    /// The reply did not say whether a transaction is open, and it may be: ask by COM_PING.
    pub ask_status: bool,
    /// A write: other sessions under `global` consistency count it.
    pub wrote: bool,
    /// The server reported otherwise than the statement's text says.
    pub mismatch: Option<Mismatch>,
}

/// Variables that belong to one connection and must not reach another session, nor be replayed on another server.
const UNSHARED: [&str; 20] = [
    "sql_log_bin",
    "sql_log_off",
    "insert_id",
    "last_insert_id",
    "identity",
    "timestamp",
    "rand_seed1",
    "rand_seed2",
    "pseudo_thread_id",
    "pseudo_slave_mode",
    "pseudo_replica_mode",
    "gtid_next",
    "gtid_domain_id",
    "gtid_seq_no",
    "server_id",
    "skip_replication",
    "wsrep_on",
    "binlog_format",
    "sql_big_tables",
    "debug",
];

/// Flags that hold for the session until something changes them.
const OF_SESSION: Status = Status::IN_TRANS
    .with(Status::AUTOCOMMIT)
    .with(Status::NO_BACKSLASH_ESCAPES)
    .with(Status::IN_TRANS_READONLY)
    .with(Status::ANSI_QUOTES);

impl Session {
    /// Takes in the reply to `job`, which ran in `slot`. `text` is the statement's, for a PREPARE.
    pub fn absorb(
        &mut self,
        job: &Job,
        slot: Slot,
        outcome: &Outcome,
        text: &Bytes,
        keys: [u64; 2],
        now: Instant,
    ) -> Absorbed {
        let effects = job.effects();
        let before = self.status;
        if let Some(status) = outcome.status {
            // What stays is said again by what the proxy answers; the rest is of the one statement.
            self.status = status & OF_SESSION;
        }
        let asks = self.transaction(job, outcome, before);
        // SHOW WARNINGS leaves what it shows, but counts for none itself (MySQL 9.7).
        self.conditions = if outcome.error.is_some() { 1 } else { outcome.warnings };
        match job.request {
            Request::Prepare(id) => {
                self.prepared(id, job, outcome, text, keys);
                // It makes the variable, if not its value yet.
                if outcome.error.is_none() && effects.contains(Effects::ASSIGNS_USER_VARIABLE) {
                    self.pins.set(PinCause::UserVariable, true);
                }
                if outcome.error.is_some() {
                    self.last = Last { slot: Some(slot), failed: true, ..Last::default() };
                }
                self.settle(slot);
                return Absorbed { ask_status: asks, wrote: false, mismatch: None };
            }
            Request::Execute(id) => self.executed(id, job, outcome),
            Request::Statement(id) => self.statement_command(id, job, outcome),
            Request::Forward => {}
        }
        if job.replication && outcome.error.is_none() {
            self.pins.set(PinCause::Replication, true);
        }
        let held = self.settings.schema.as_deref().unwrap_or_default();
        let moved = outcome.track.schema.as_deref().is_some_and(|schema| schema != held);
        let explained = self.settings_after(job, outcome);
        match &outcome.error {
            Some(error) => self.failed_effects(job, effects, error.code),
            None => self.named_effects(job, effects),
        }
        if outcome.track.state_changed && !explained {
            self.pins.set(PinCause::UnknownState, true);
        }
        let wrote = self.writes(job, outcome);
        if wrote {
            self.last_write = Some(now);
        }
        // What is not committed yet counts once more when it is.
        let open = outcome.status.unwrap_or(before).contains(Status::IN_TRANS);
        let anew =
            matches!(job.kind(), Some(StatementKind::Begin { .. } | StatementKind::Commit | StatementKind::Rollback));
        self.wrote_in_transaction = open && !anew && (wrote || self.wrote_in_transaction);
        self.remember(job, slot, outcome, effects);
        self.settle(slot);
        Absorbed { ask_status: asks, wrote, mismatch: mismatch(job, before, outcome, explained, moved) }
    }

    /// Takes in the status flags of a COM_PING that the shell sent after an error.
    pub fn absorb_status(&mut self, slot: Slot, status: Status) {
        let kept = !self.status.contains(Status::IN_TRANS) && self.pins.has(PinCause::Transaction);
        let savepoint = !status.contains(Status::AUTOCOMMIT) && kept;
        self.status = status & OF_SESSION;
        self.pins.set(PinCause::Transaction, status.contains(Status::IN_TRANS) || savepoint);
        self.settle(slot);
    }

    /// Pinned or not, and where.
    fn settle(&mut self, slot: Slot) {
        if self.pins.is_empty() {
            self.pinned = None;
        } else if self.pinned.is_none() {
            self.pinned = Some(slot);
        }
    }

    /// The transaction, as the server's flags have it. True: they do not tell.
    fn transaction(&mut self, job: &Job, outcome: &Outcome, before: Status) -> bool {
        let kind = job.kind();
        if let Some(status) = outcome.status {
            let open = status.contains(Status::IN_TRANS);
            let saved = kind == Some(StatementKind::Savepoint) && outcome.error.is_none();
            let kept = !before.contains(Status::IN_TRANS) && self.pins.has(PinCause::Transaction);
            let ends = matches!(
                kind,
                Some(
                    StatementKind::Commit | StatementKind::Rollback | StatementKind::Begin { .. } | StatementKind::Ddl
                )
            );
            // With autocommit off a savepoint lives on its connection before a transaction is open.
            let savepoint = !status.contains(Status::AUTOCOMMIT) && (saved || kept) && !ends;
            self.pins.set(PinCause::Transaction, open || savepoint);
            // SET TRANSACTION held for one transaction; without BEGIN, for one statement.
            if self.pins.has(PinCause::NextTransaction)
                && !open
                && kind.is_some_and(|kind| {
                    !matches!(
                        kind,
                        StatementKind::Set | StatementKind::SetTransaction | StatementKind::Use | StatementKind::Show
                    )
                })
            {
                self.pins.set(PinCause::NextTransaction, false);
            }
            if kind == Some(StatementKind::SetTransaction) && outcome.error.is_none() && !open {
                self.pins.set(PinCause::NextTransaction, true);
            }
        }
        // An error carries no flags: it may have ended the transaction (a deadlock), or begun one.
        outcome.error.is_some()
            && (before.contains(Status::IN_TRANS)
                || !before.contains(Status::AUTOCOMMIT)
                || self.pins.has(PinCause::Transaction)
                || job.effects().contains(Effects::OPAQUE))
    }

    fn prepared(&mut self, id: ClientStatementId, job: &Job, outcome: &Outcome, text: &Bytes, keys: [u64; 2]) {
        let (Some(prepared), Some(classified)) = (outcome.prepared, job.classified.clone()) else { return };
        self.statements.insert(
            id,
            ClientStatement {
                key: StatementKey::new(keys, text, &self.settings),
                text: text.clone(),
                classified,
                settings: self.settings.clone(),
                parameters: prepared.parameters,
                types: None,
                cursor: false,
                long_data: false,
                alone: false,
            },
        );
    }

    fn executed(&mut self, id: ClientStatementId, job: &Job, outcome: &Outcome) {
        let opened = job.cursor && outcome.status.is_some_and(|status| status.contains(Status::CURSOR_EXISTS));
        let Some(statement) = self.statements.get_mut(id) else { return };
        let had = statement.cursor || statement.long_data;
        statement.cursor = opened;
        statement.long_data = false;
        if opened {
            self.pins.set(PinCause::Cursor, true);
        }
        if had {
            self.unpin_statements();
        }
    }

    fn statement_command(&mut self, id: ClientStatementId, job: &Job, outcome: &Outcome) {
        let Some(statement) = self.statements.get_mut(id) else { return };
        match job.reply {
            // Long data: no reply.
            None => {
                statement.long_data = true;
                self.pins.set(PinCause::LongData, true);
            }
            Some(crate::wire::ReplyKind::Rows) => {
                let over = outcome.error.is_some()
                    || outcome.status.is_some_and(|status| status.contains(Status::LAST_ROW_SENT));
                if over {
                    statement.cursor = false;
                    self.unpin_statements();
                }
            }
            Some(_) => {
                statement.cursor = false;
                statement.long_data = false;
                self.unpin_statements();
            }
        }
    }

    fn unpin_statements(&mut self) {
        if !self.statements.any_cursor() {
            self.pins.set(PinCause::Cursor, false);
        }
        if !self.statements.any_long_data() {
            self.pins.set(PinCause::LongData, false);
        }
    }

    /// Settings that the reply changed. True: the change of state that the server reported is fully explained.
    fn settings_after(&mut self, job: &Job, outcome: &Outcome) -> bool {
        let before = Arc::as_ptr(&self.settings);
        if !self.settings.absorb(&outcome.track) {
            self.pins.set(PinCause::UnknownState, true);
        }
        let mut explained = outcome.track.schema.is_some() || !outcome.track.variables.is_empty();
        if let Some(classified) = &job.classified {
            match &classified.detail {
                Detail::Set(assignments) if outcome.error.is_none() => {
                    // A server skips an executable comment that is not for its version.
                    let sure = classified.shape.cause != Some(PrimaryCause::ExecutableComment);
                    explained = match assignments {
                        Some(assignments) => self.assigned(assignments, outcome, sure),
                        None => false,
                    };
                }
                Detail::Use(schema) if outcome.error.is_none() && outcome.track.schema.is_none() => {
                    Arc::make_mut(&mut self.settings).schema = Some(schema.as_slice().into());
                    explained = true;
                }
                Detail::None
                | Detail::Set(_)
                | Detail::Use(_)
                | Detail::Kill(_)
                | Detail::Names(_)
                | Detail::Name(_) => {}
            }
            // A procedure, or several statements in one: what else they set is not known.
            if classified.shape.effects.contains(Effects::OPAQUE) {
                explained = false;
            }
            // Their state is known by name.
            let known =
                Effects::CREATES_TEMPORARY | Effects::DROPS_TEMPORARY | Effects::PREPARES | Effects::DEALLOCATES;
            explained |=
                classified.shape.effects.intersects(known) && !classified.shape.effects.contains(Effects::OPAQUE);
            // Nothing else was to change with these.
            explained |= matches!(
                classified.shape.kind,
                StatementKind::Begin { .. } | StatementKind::Commit | StatementKind::Rollback
            );
        } else if outcome.track.schema.is_some() {
            explained = true;
        }
        if before != Arc::as_ptr(&self.settings) || !outcome.track.is_empty() {
            self.reread();
        }
        explained
    }

    /// The assignments of a SET that succeeded. False: not all of them can be carried to another connection.
    /// `sure`: they were executed, whatever was reported.
    fn assigned(&mut self, assignments: &[Assignment], outcome: &Outcome, sure: bool) -> bool {
        let mut explained = true;
        let reported = |name: &str| outcome.track.variables.iter().any(|(reported, _)| &**reported == name);
        for Assignment { scope, name, value } in assignments {
            match (scope, value) {
                (Scope::Global, _) => {}
                (Scope::NextTransaction, _) => self.pins.set(PinCause::NextTransaction, true),
                // Its bytes mean the same under every character set and SQL mode.
                (Scope::User, Value::Literal(literal)) if sure && literal.is_ascii() && !literal.contains('\\') => {
                    let settings = Arc::make_mut(&mut self.settings);
                    if settings.user_variables.len() >= super::settings::MAX_VARIABLES {
                        self.pins.set(PinCause::UserVariable, true);
                    } else {
                        settings.user_variables.insert(name.clone(), literal.clone());
                    }
                }
                (Scope::User, _) => self.pins.set(PinCause::UserVariable, true),
                (Scope::Session, value) if UNSHARED.contains(&&**name) => {
                    let back = matches!(value, Value::Default)
                        || matches!(value, Value::Literal(literal) if &**name == "sql_log_bin" && matches!(&**literal, "1" | "ON" | "on"));
                    if back {
                        self.pins.release(PinCause::SessionVariable, name.as_bytes());
                    } else {
                        self.pins.take(PinCause::SessionVariable, Some(name.as_bytes()));
                    }
                    Arc::make_mut(&mut self.settings).variables.remove(name);
                }
                (Scope::Session, value) if name.starts_with("session_track_") => self.retrack(name, value),
                (Scope::Session, value) => match &**name {
                    "names" | "character set" => {
                        let seen = reported("character_set_client");
                        let literal = match value {
                            Value::Literal(literal) if &**name == "names" && (seen || sure) => Some(&**literal),
                            Value::Literal(_) | Value::Default | Value::Expression => None,
                        };
                        Arc::make_mut(&mut self.settings).named(literal);
                        // SET CHARACTER SET takes the schema's collation of that moment.
                        let seen = seen && &**name == "names";
                        explained &= seen;
                    }
                    _ if reported(name) => {}
                    _ if super::ALIASES
                        .iter()
                        .any(|all| all.contains(&&**name) && all.iter().any(|one| reported(one))) => {}
                    // Not reported: an older server, or a variable that is not tracked. The text is all there is.
                    _ if !sure => {}
                    _ => match value {
                        Value::Literal(literal) => {
                            Arc::make_mut(&mut self.settings).variables.insert(name.clone(), literal.clone());
                        }
                        Value::Default => {
                            Arc::make_mut(&mut self.settings).variables.remove(name);
                        }
                        Value::Expression => explained = false,
                    },
                },
            }
        }
        explained
    }

    /// The client chooses what it is told; the connection goes on telling the proxy everything.
    fn retrack(&mut self, name: &str, value: &Value) {
        // The statement changed it on the connection too, which is therefore unfit for others.
        self.pins.set(PinCause::SessionVariable, true);
        choose(&mut self.filter, name, value);
    }

    /// Which session state changes the client gets to see in the reply to `job`: a statement that chooses what the client
    /// is told is reported by its own choice already. None: as before.
    #[must_use]
    pub fn filter_for(&self, job: &Job) -> Option<TrackFilter> {
        let Detail::Set(Some(assignments)) = &job.classified.as_ref()?.detail else { return None };
        let chooses = |assignment: &&Assignment| {
            assignment.scope == Scope::Session && assignment.name.starts_with("session_track_")
        };
        let mut filter = None;
        for Assignment { name, value, .. } in assignments.iter().filter(chooses) {
            choose(filter.get_or_insert_with(|| self.filter.clone()), name, value);
        }
        filter
    }

    /// Pins that the statement's text took or released.
    fn named_effects(&mut self, job: &Job, effects: Effects) {
        if effects.is_empty() && job.kind() != Some(StatementKind::Ddl) {
            return;
        }
        let opaque = effects.contains(Effects::OPAQUE);
        let Some(classified) = &job.classified else { return };
        let name = taken(classified).filter(|_| !opaque);
        let pins = &mut self.pins;
        if effects.contains(Effects::LOCKS_TABLES) {
            pins.set(PinCause::TableLock, true);
        }
        if effects.contains(Effects::UNLOCKS_TABLES) && !effects.contains(Effects::LOCKS_TABLES) {
            pins.set(PinCause::TableLock, false);
        }
        if effects.contains(Effects::GETS_LOCK) {
            pins.take(PinCause::UserLock, name);
        } else if effects.contains(Effects::RELEASES_LOCK)
            && let Some(name) = name
        {
            pins.release(PinCause::UserLock, name);
        }
        if effects.contains(Effects::RELEASES_ALL_LOCKS) && !effects.contains(Effects::GETS_LOCK) && !opaque {
            pins.release_all(PinCause::UserLock);
        }
        self.temporary_tables(job, effects);
        let pins = &mut self.pins;
        if effects.contains(Effects::OPENS_HANDLER) {
            pins.take(PinCause::Handler, name);
        }
        if effects.contains(Effects::CLOSES_HANDLER)
            && let Some(name) = name
        {
            pins.release(PinCause::Handler, name);
        }
        if effects.contains(Effects::PREPARES) {
            pins.take(PinCause::TextPrepared, name);
        }
        if effects.contains(Effects::DEALLOCATES)
            && let Some(name) = name
        {
            pins.release(PinCause::TextPrepared, name);
        }
        if effects.contains(Effects::XA_STARTS) {
            pins.set(PinCause::Xa, true);
        } else if effects.contains(Effects::XA_ENDS) && !opaque {
            pins.set(PinCause::Xa, false);
        }
        if effects.contains(Effects::ASSIGNS_USER_VARIABLE) {
            pins.set(PinCause::UserVariable, true);
        }
        if effects.contains(Effects::USES_SEQUENCE) {
            self.holds_sequence = true;
        }
        match job.kind() {
            // Not all that a procedure does to its connection is reported: GET_LOCK(), SELECT .. INTO @x.
            Some(StatementKind::Call) => self.unclean = true,
            // Nor what a statement does that nobody could read: SET ROLE, BEGIN NOT ATOMIC, EXECUTE of a text.
            Some(StatementKind::Opaque | StatementKind::Prepare)
                if opaque && classified.shape.cause != Some(PrimaryCause::Unreadable) =>
            {
                self.pins.set(PinCause::UnknownState, true);
            }
            _ => {}
        }
    }

    /// A statement that failed may have done a part: what it takes may be taken, and nothing is known to be released.
    fn failed_effects(&mut self, job: &Job, effects: Effects, code: u16) {
        let Some(classified) = &job.classified else { return };
        let several = effects.contains(Effects::OPAQUE);
        // One statement that the server did not understand did nothing.
        if !several && matches!(code, 1044 | 1046 | 1049 | 1052 | 1054 | 1064 | 1142 | 1146 | 1305 | 1582) {
            return;
        }
        let name = taken(classified).filter(|_| !several);
        let pins = &mut self.pins;
        if effects.contains(Effects::GETS_LOCK) {
            pins.take(PinCause::UserLock, name);
        }
        if effects.contains(Effects::ASSIGNS_USER_VARIABLE) {
            pins.set(PinCause::UserVariable, true);
        }
        self.holds_sequence |= effects.contains(Effects::USES_SEQUENCE);
        if !several {
            return;
        }
        for (effect, cause) in [
            (Effects::CREATES_TEMPORARY, PinCause::TemporaryTable),
            (Effects::OPENS_HANDLER, PinCause::Handler),
            (Effects::PREPARES, PinCause::TextPrepared),
        ] {
            if effects.contains(effect) {
                pins.take(cause, None);
            }
        }
        for (effect, cause) in [(Effects::LOCKS_TABLES, PinCause::TableLock), (Effects::XA_STARTS, PinCause::Xa)] {
            if effects.contains(effect) {
                pins.set(cause, true);
            }
        }
    }

    fn temporary_tables(&mut self, job: &Job, effects: Effects) {
        let names = Effects::CREATES_TEMPORARY | Effects::DROPS_TEMPORARY;
        if !effects.intersects(names) {
            let renames = |shape: &crate::sql::Shape| {
                shape.kind == StatementKind::Ddl && shape.normalised.to_ascii_lowercase().contains("rename")
            };
            if self.pins.has(PinCause::TemporaryTable) && job.classified.as_ref().is_some_and(|one| renames(&one.shape))
            {
                // It may have another name now.
                self.pins.take(PinCause::TemporaryTable, None);
            }
            return;
        }
        let tables = match job.classified.as_ref().map(|classified| &classified.detail) {
            Some(Detail::Names(tables)) => tables.as_slice(),
            _ => &[],
        };
        let creates = effects.contains(Effects::CREATES_TEMPORARY);
        if creates && tables.is_empty() {
            self.pins.take(PinCause::TemporaryTable, None);
        }
        for table in tables {
            let schema = table
                .schema
                .as_deref()
                .map_or_else(|| self.settings.schema.clone().unwrap_or_default(), |schema| schema.as_bytes().into());
            let name = [&schema, table.table.to_lowercase().as_bytes()].join(&b'.');
            if creates {
                self.pins.take(PinCause::TemporaryTable, Some(&name));
            } else {
                self.pins.release(PinCause::TemporaryTable, &name);
            }
        }
    }

    /// Whether it wrote, as the server reports it: a GTID, changed rows, an insert id. DDL always counts.
    fn writes(&self, job: &Job, outcome: &Outcome) -> bool {
        if outcome.track.gtid.is_some() {
            return true;
        }
        let Some(kind) = job.kind() else { return false };
        // Whatever ends a transaction may commit it: BEGIN, SET autocommit = 1, LOCK TABLES, DDL, a procedure.
        let open = outcome.status.is_some_and(|status| status.contains(Status::IN_TRANS));
        let ends = !open || matches!(kind, StatementKind::Begin { .. } | StatementKind::Commit);
        if self.wrote_in_transaction && ends && kind != StatementKind::Rollback {
            return true;
        }
        match kind {
            StatementKind::Write => outcome.affected_rows > 0 || outcome.error.is_some(),
            StatementKind::Ddl | StatementKind::Call => true,
            StatementKind::Multi | StatementKind::Prepare | StatementKind::Opaque | StatementKind::Xa => {
                job.classified.as_ref().is_some_and(|classified| classified.shape.cause.is_some())
            }
            StatementKind::Do | StatementKind::Select => {
                let may = |cause| matches!(cause, PrimaryCause::UnknownFunction | PrimaryCause::Sequence);
                job.classified.as_ref().is_some_and(|classified| classified.shape.cause.is_some_and(may))
            }
            StatementKind::Empty
            | StatementKind::Show
            | StatementKind::Begin { .. }
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Savepoint
            | StatementKind::Set
            | StatementKind::SetTransaction
            | StatementKind::Use
            | StatementKind::Kill
            | StatementKind::LockTables
            | StatementKind::UnlockTables
            | StatementKind::Handler => false,
        }
    }

    /// What the next statement may ask about this one.
    fn remember(&mut self, job: &Job, slot: Slot, outcome: &Outcome, effects: Effects) {
        // The number in the OK packet is not always LAST_INSERT_ID(): an explicit value shows there too, and a
        // procedure's does not. The connection knows.
        let holds = job.may_touch_insert_id()
            || outcome.last_insert_id != 0
            // RETURNING: the number is not in the packet that ends the rows.
            // Nor when a later row was refused.
            || (job.kind() == Some(StatementKind::Write) && (outcome.result_sets > 0 || outcome.error.is_some()))
            || (job.last_insert_id.is_some() && outcome.error.is_none())
            || sets_insert_id(job);
        if holds && slot == Slot::Primary {
            self.holds_insert_id = true;
        }
        match job.replay {
            Some(replay) if replay.found.is_some() => self.found = Found::On(slot),
            Some(_) => self.found.let_go(slot),
            None => {}
        }
        let limited = self.settings.variables.contains_key("sql_select_limit");
        self.found = self.found.after(job, slot, outcome, limited);
        let result = outcome.result_sets > 0;
        // A statement that asks leaves what it asked about as it was.
        if effects.contains(Effects::ASKS_DIAGNOSTICS) && outcome.error.is_none() {
            self.last = Last { slot: self.last.slot.or(Some(slot)), result, ..Last::default() };
            return;
        }
        let diagnostics = outcome.warnings > 0 || outcome.error.is_some();
        // Of several results only the connection knows what the last one was.
        let several = effects.contains(Effects::OPAQUE) || job.kind() == Some(StatementKind::Multi);
        let (counted, failed) = (outcome.affected_rows > 0 || several, outcome.error.is_some());
        let asked = diagnostics || counted || self.found == Found::On(slot);
        self.last = Last { slot: asked.then_some(slot), result, counted, failed, lost: false };
    }

    /// Whether the connection in this slot must be kept for this session until its next command, or longer.
    #[must_use]
    pub fn keeps(&self, slot: Slot) -> bool {
        self.pinned == Some(slot)
            || (slot == Slot::Primary && (self.holds_insert_id || self.holds_sequence))
            || self.last.slot == Some(slot)
    }

    /// Whether a connection is kept only for what may be asked about it, which ends after [`super::HOLD`].
    #[must_use]
    pub fn holds_only(&self, slot: Slot) -> bool {
        self.keeps(slot) && self.pinned != Some(slot) && !(slot == Slot::Primary && self.holds_sequence)
    }

    /// Whether LAST_INSERT_ID() must be asked from the primary's connection before it is given back.
    #[must_use]
    pub fn holds_insert_id(&self) -> bool {
        self.holds_insert_id
    }

    /// Whether the connection in this slot may hold what is not known of: nobody else may have it as it is.
    #[must_use]
    pub fn must_cleanse(&self, slot: Slot) -> bool {
        (self.pinned == Some(slot) && !self.pins.is_empty()) || (slot == Slot::Primary && self.unclean)
    }

    /// The connection in this slot goes back to its pool; `last_insert_id` is what it answered.
    pub fn released(&mut self, slot: Slot, last_insert_id: Option<u64>) {
        if slot == Slot::Primary && self.holds_insert_id {
            self.last_insert_id = last_insert_id;
            self.holds_insert_id = false;
            self.unclean = false;
        }
        self.let_go(slot);
    }

    /// The connection in this slot went back to its pool: what it knew of the last statements is lost.
    pub fn let_go(&mut self, slot: Slot) {
        if self.last.slot == Some(slot) {
            self.last = Last { lost: true, ..Last::default() };
        }
        self.found.let_go(slot);
    }

    /// The client sent another command: what the last one left can no longer be asked, unless this one asks.
    pub fn moves_on(&mut self, job: &Job) {
        let asks = Effects::ASKS_DIAGNOSTICS | Effects::ASKS_FOUND_ROWS | Effects::ASKS_ROW_COUNT;
        if job.classified.is_some() && !job.effects().intersects(asks) && !matches!(job.request, Request::Prepare(_)) {
            self.last = Last::default();
        }
        if matches!(job.route.target, Target::Pinned) && self.pinned.is_none() && job.held.is_none() {
            self.pinned = Some(Slot::Primary);
        }
    }
}

/// Whether it is a SET of what LAST_INSERT_ID() answers.
fn sets_insert_id(job: &Job) -> bool {
    let Some(Detail::Set(Some(assignments))) = job.classified.as_ref().map(|classified| &classified.detail) else {
        return false;
    };
    assignments.iter().any(|one| matches!(&*one.name, "last_insert_id" | "identity"))
}

/// What a SET of a `session_track_` variable chooses.
fn choose(filter: &mut TrackFilter, name: &str, value: &Value) {
    let text = match value {
        Value::Literal(literal) => literal.trim_matches('\'').to_ascii_lowercase(),
        Value::Default | Value::Expression => return,
    };
    let on = matches!(&*text, "1" | "on" | "true");
    match name {
        "session_track_schema" => filter.schema = on,
        "session_track_state_change" => filter.state_change = on,
        "session_track_system_variables" => {
            filter.variables = text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect();
        }
        "session_track_transaction_info" => filter.transaction = !matches!(&*text, "off" | "0"),
        "session_track_gtids" => filter.gtids = !matches!(&*text, "off" | "0"),
        _ => {}
    }
}

/// The name of what a statement takes or releases, when it is known.
fn taken(classified: &Classified) -> Option<&[u8]> {
    if let Detail::Name(name) = &classified.detail { Some(name) } else { None }
}
