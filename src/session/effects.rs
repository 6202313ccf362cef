//! What a statement did to its connection that servers do not report, from its text: locks, temporary tables, handlers.

use super::plan::{Job, Request};
use super::{PinCause, Session};
use crate::sql::{Classified, Detail, Effects, PrimaryCause, StatementKind};
use crate::wire::{Outcome, Status};

impl Session {
    /// Pins that the statement's text took or released.
    pub(super) fn named_effects(&mut self, job: &Job, effects: Effects, outcome: &Outcome) {
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
            if got_lock(job, outcome) != Some(false) {
                pins.take(PinCause::UserLock, name);
            }
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
            // Nor what a stored function does.
            Some(_) if effects.contains(Effects::CALLS_UNKNOWN) => self.unclean = true,
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
    pub(super) fn failed_effects(&mut self, job: &Job, effects: Effects, code: u16) {
        let Some(classified) = &job.classified else { return };
        let several = effects.contains(Effects::OPAQUE);
        // One statement that the server did not understand did nothing.
        if !several && matches!(code, 1044 | 1046 | 1049 | 1052 | 1054 | 1064 | 1142 | 1146 | 1305 | 1582) {
            return;
        }
        self.unclean |= effects.contains(Effects::CALLS_UNKNOWN);
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
        self.unclean |= job.kind() == Some(StatementKind::Call);
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
    pub(super) fn writes(&self, job: &Job, outcome: &Outcome) -> bool {
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
            // PREPARE and DEALLOCATE run nothing.
            StatementKind::Prepare => job.effects().contains(Effects::OPAQUE),
            StatementKind::Multi | StatementKind::Opaque | StatementKind::Xa => {
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
}

/// Whether a GET_LOCK got its lock, where the statement asks for nothing else. None: nobody can tell.
fn got_lock(job: &Job, outcome: &Outcome) -> Option<bool> {
    let row = outcome.first_row.as_deref().filter(|_| outcome.rows == 1 && outcome.result_sets == 1)?;
    match (job.request, row) {
        // Binary: a byte of 0, a bit of the bitmap for NULL, the number.
        (Request::Execute(_), [0, nulls, value @ ..]) => {
            Some(*nulls & 0b100 == 0 && value.iter().any(|byte| *byte != 0))
        }
        (Request::Execute(_), _) => None,
        (_, [0xFB]) => Some(false),
        (_, [1, digit]) => Some(*digit != b'0'),
        _ => None,
    }
}

/// The name of what the job's statement takes or releases, when it is known.
pub(super) fn taken_by(job: &Job) -> Option<&[u8]> {
    taken(job.classified.as_ref()?)
}

/// The name of what a statement takes or releases, when it is known.
fn taken(classified: &Classified) -> Option<&[u8]> {
    if let Detail::Name(name) = &classified.detail { Some(name) } else { None }
}
