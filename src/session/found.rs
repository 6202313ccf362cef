//! FOUND_ROWS(): what it must answer, and who knows it. It outlives statements that have no result set of their own
//! (SET, BEGIN, INSERT ... VALUES: MariaDB 10.11), so it is followed apart from what else can be asked about the last one.

use super::plan::{Job, Slot};
use crate::sql::{Assignment, Detail, Effects, StatementKind, Value};
use crate::wire::Outcome;

/// A result of so many rows at most is not worth keeping a connection for: FOUND_ROWS() is made again elsewhere, where it cannot
/// be put into the text.
pub(super) const REPLAYED_ROWS: u64 = 1000;

/// What FOUND_ROWS() must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// This.
    Rows(u64),
    /// What the connection in this slot answers; the number, if it is known.
    On(Slot, Option<u64>),
    /// The connection that knew was given back, or nobody can tell.
    Lost,
}

impl Default for Found {
    /// What a fresh connection answers.
    fn default() -> Self {
        Self::Rows(0)
    }
}

/// What a statement does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// Nothing.
    No,
    /// It becomes the number of rows of its result.
    Rows,
    /// It becomes something that the connection knows.
    Yes,
    /// Perhaps something.
    Perhaps,
}

impl Found {
    /// After `job` ran in `slot`. `limited`: `sql_select_limit` is set.
    pub(super) fn after(self, job: &Job, slot: Slot, outcome: &Outcome, limited: bool, mariadb: bool) -> Self {
        let counts = if mariadb { Effects::COUNTS_FOUND } else { Effects::COUNTS_FOUND_ON_MYSQL };
        match touch(job, outcome, limited) {
            Touch::No if outcome.error.is_none() && job.effects().intersects(counts) => Self::On(slot, None),
            Touch::No => self,
            Touch::Rows if outcome.rows <= REPLAYED_ROWS => Self::Rows(outcome.rows),
            Touch::Rows => Self::On(slot, Some(outcome.rows)),
            Touch::Yes => Self::On(slot, None),
            // Whatever it did, it did there.
            Touch::Perhaps if self.is_on(slot) => Self::On(slot, None),
            Touch::Perhaps => Self::Lost,
        }
    }

    /// The connection in this slot was given back, or lost.
    pub(super) fn let_go(&mut self, slot: Slot) {
        match *self {
            Self::On(on, Some(rows)) if on == slot => *self = Self::Rows(rows),
            Self::On(on, None) if on == slot => *self = Self::Lost,
            Self::On(..) | Self::Rows(_) | Self::Lost => {}
        }
    }

    /// Whether the connection in this slot knows it.
    pub(super) fn is_on(self, slot: Slot) -> bool {
        matches!(self, Self::On(on, _) if on == slot)
    }

    /// The number, if it is known.
    pub(super) fn known(self) -> Option<u64> {
        match self {
            Self::Rows(rows) | Self::On(_, Some(rows)) => Some(rows),
            Self::On(_, None) | Self::Lost => None,
        }
    }
}

fn touch(job: &Job, outcome: &Outcome, limited: bool) -> Touch {
    let Some(classified) = &job.classified else { return Touch::No };
    let shape = &*classified.shape;
    let effects = shape.effects;
    if let Some(error) = &outcome.error {
        // Refused before it ran: no such table, column, schema or function, or no grammar.
        let before = matches!(error.code, 1044 | 1046 | 1049 | 1052 | 1054 | 1064 | 1142 | 1146 | 1193 | 1231 | 1305);
        return if before && shape.kind != StatementKind::Multi { Touch::No } else { Touch::Perhaps };
    }
    match shape.kind {
        StatementKind::Select if effects.intersects(Effects::CALC_FOUND_ROWS | Effects::HAS_LIMIT) || limited => {
            Touch::Yes
        }
        StatementKind::Select if outcome.result_sets == 1 && !job.cursor => Touch::Rows,
        StatementKind::Select => Touch::Yes,
        StatementKind::Show if effects.contains(Effects::ASKS_DIAGNOSTICS) => Touch::No,
        StatementKind::Show => match shape.normalised.to_ascii_lowercase() {
            text if text.starts_with("show create") => Touch::No,
            text if text.starts_with("show") && shape.cause.is_some() => Touch::Perhaps,
            _ => Touch::Yes,
        },
        StatementKind::Set => {
            let plain = |all: &[Assignment]| all.iter().all(|one| !matches!(one.value, Value::Expression));
            if matches!(&classified.detail, Detail::Set(Some(all)) if plain(all)) { Touch::No } else { Touch::Perhaps }
        }
        StatementKind::Begin { .. }
        | StatementKind::Commit
        | StatementKind::Rollback
        | StatementKind::Savepoint
        | StatementKind::SetTransaction
        | StatementKind::Use
        | StatementKind::Kill
        | StatementKind::UnlockTables
        | StatementKind::LockTables
        | StatementKind::Empty => Touch::No,
        StatementKind::Write | StatementKind::Ddl | StatementKind::Do
            if outcome.result_sets == 0
                && !effects.intersects(Effects::RUNS_QUERY | Effects::OPAQUE | Effects::CALLS_UNKNOWN) =>
        {
            Touch::No
        }
        StatementKind::Opaque if effects.contains(Effects::ASKS_DIAGNOSTICS) => Touch::No,
        StatementKind::Write
        | StatementKind::Ddl
        | StatementKind::Do
        | StatementKind::Call
        | StatementKind::Multi
        | StatementKind::Prepare
        | StatementKind::Xa
        | StatementKind::Handler
        | StatementKind::Opaque => Touch::Perhaps,
    }
}
