//! What a reply did to the session: pins, settings, the things that can be asked about.

use std::time::Instant;

use bytes::Bytes;

use super::mismatch::{Mismatch, mismatch};
use super::plan::{Job, Request, Slot};
use super::statements::{ClientStatement, StatementKey};
use super::variables::takes_back;
use super::{Last, PinCause, Session};
use crate::sql::{Effects, StatementKind};
use crate::wire::statement::ClientStatementId;
use crate::wire::{Outcome, SessionTrack, Status};

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

/// Flags that hold for the session until something changes them.
const OF_SESSION: Status = Status::IN_TRANS
    .with(Status::AUTOCOMMIT)
    .with(Status::NO_BACKSLASH_ESCAPES)
    .with(Status::IN_TRANS_READONLY)
    .with(Status::ANSI_QUOTES);

/// Flags that say what `sql_mode` is.
const OF_SQL_MODE: Status = Status::NO_BACKSLASH_ESCAPES.with(Status::ANSI_QUOTES);

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
            if status & OF_SQL_MODE != before & OF_SQL_MODE && takes_back(job) {
                self.status = self.status.without(OF_SQL_MODE).with(before & OF_SQL_MODE);
            }
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
        } else if job.own_attributes && outcome.error.is_none() {
            self.pins.set(PinCause::ConnectAttributes, true);
        }
        let held = self.settings.schema.as_deref().unwrap_or_default();
        let moved = outcome.track.schema.as_deref().is_some_and(|schema| schema != held);
        let explained = self.settings_after(job, outcome);
        match &outcome.error {
            Some(error) => self.failed_effects(job, effects, error.code),
            None => self.named_effects(job, effects, outcome),
        }
        self.texts_after(job, outcome.error.is_some());
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
        self.retracked(job, outcome);
        self.settle(slot);
        // What an error had no room to report comes with a later OK of its connection, not always the next (MariaDB 10.11).
        let late = self.unreported == Some(slot);
        let back = takes_back(job);
        if outcome.error.is_some() || back {
            self.unreported = Some(slot);
        } else if late && !outcome.track.is_empty() {
            self.unreported = None;
            self.takes_back = self.takes_back.filter(|on| *on != slot);
        }
        if back {
            self.takes_back = Some(slot);
        }
        let differs = mismatch(job, before, outcome, explained, moved);
        let mismatch = differs.filter(|what| !late || !what.is_report());
        Absorbed { ask_status: asks, wrote, mismatch }
    }

    /// Takes in the reply to a COM_PING that the shell sent after an error: the status flags, and what an error has no room
    /// to report.
    pub fn absorb_status(&mut self, slot: Slot, outcome: &Outcome) {
        self.absorb_report(&outcome.track);
        let Some(status) = outcome.status else { return };
        let kept = !self.status.contains(Status::IN_TRANS) && self.pins.has(PinCause::Transaction);
        let savepoint = !status.contains(Status::AUTOCOMMIT) && kept;
        self.status = status & OF_SESSION;
        self.pins.set(PinCause::Transaction, status.contains(Status::IN_TRANS) || savepoint);
        self.settle(slot);
    }

    /// A change of state that no statement at hand explains.
    fn absorb_report(&mut self, track: &SessionTrack) {
        if track.is_empty() {
            return;
        }
        let told = track.schema.is_some() || !track.variables.is_empty();
        if !self.settings.absorb(track) || (track.state_changed && !told) {
            self.pins.set(PinCause::UnknownState, true);
        }
        self.reread();
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
        let mut key = StatementKey::new(keys, text, &self.settings);
        // MySQL describes a variable by the type that it has at the PREPARE: another session's may have another.
        let variables = Effects::READS_USER_VARIABLE | Effects::ASSIGNS_USER_VARIABLE;
        let alone = !self.is_mariadb() && classified.shape.effects.intersects(variables);
        if alone {
            key = key.alone(u64::from(self.id), id);
        }
        self.statements.insert(
            id,
            ClientStatement {
                key,
                prepared_as: key,
                text: text.clone(),
                classified,
                settings: self.settings.clone(),
                parameters: prepared.parameters,
                types: None,
                varied: false,
                cursor: false,
                long_data: false,
                alone,
                memory: job.memory,
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
}
