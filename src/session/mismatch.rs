//! What a server reported otherwise than the text of the statement says. The report is believed; the difference shows
//! that a statement was misread, or that a server does what nobody knew of.

use super::plan::Job;
use super::variables::sets_for_itself;
use crate::sql::{Assignment, Detail, Effects, PrimaryCause, Scope, StatementKind, Value};
use crate::wire::{Outcome, Status};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// Whether a transaction is open.
    Transaction,
    /// Whether autocommit is on.
    Autocommit,
    /// The schema.
    Schema,
    /// A system variable.
    Variable,
    /// Some other change of the session's state.
    StateChange,
}

impl Mismatch {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Transaction, Self::Autocommit, Self::Schema, Self::Variable, Self::StateChange];

    /// It is of what was reported besides the status flags, which an error has no room for: an earlier statement's report may
    /// come with a later one's.
    pub(super) const fn is_report(self) -> bool {
        matches!(self, Self::Schema | Self::Variable | Self::StateChange)
    }

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Autocommit => "autocommit",
            Self::Schema => "schema",
            Self::Variable => "variable",
            Self::StateChange => "state_change",
        }
    }
}

/// Compares the reply to `job`, before which the status flags were these, with what its text says. `explained`: the text
/// explains the change of state that was reported. `moved`: the schema that was reported is another one; MariaDB reports it
/// also after an EXECUTE that went to its statement's schema and came back. None: nothing differs, or the text cannot tell.
pub(super) fn mismatch(job: &Job, before: Status, outcome: &Outcome, explained: bool, moved: bool) -> Option<Mismatch> {
    let classified = job.classified.as_ref()?;
    let shape = &*classified.shape;
    let telling = outcome.error.is_none()
        && !shape.effects.intersects(Effects::OPAQUE | Effects::CALLS_UNKNOWN)
        && !matches!(
            shape.cause,
            Some(PrimaryCause::UnknownFunction | PrimaryCause::ExecutableComment | PrimaryCause::Unparsed)
        );
    let after = outcome.status.filter(|_| telling)?;
    let kind = shape.kind;
    let autocommit = match &classified.detail {
        Detail::Set(Some(assignments)) => assigned(assignments, before),
        Detail::Set(None) => return None,
        Detail::None | Detail::Use(_) | Detail::Kill(_) | Detail::Names(_) | Detail::Name(_) => {
            Some(before.contains(Status::AUTOCOMMIT))
        }
    };
    if autocommit.is_some_and(|on| on != after.contains(Status::AUTOCOMMIT)) {
        return Some(Mismatch::Autocommit);
    }
    if transaction(kind, &shape.normalised, before).is_some_and(|open| open != after.contains(Status::IN_TRANS)) {
        return Some(Mismatch::Transaction);
    }
    if outcome.track.is_empty() {
        return None;
    }
    let plain = matches!(
        kind,
        StatementKind::Select
            | StatementKind::Show
            | StatementKind::Write
            | StatementKind::Do
            | StatementKind::Savepoint
            | StatementKind::Begin { .. }
    );
    match () {
        () if moved && plain => Some(Mismatch::Schema),
        // MySQL counts statements in one.
        () if plain
            && outcome.track.variables.iter().any(|(name, _)| &**name != "statement_id")
            && !sets_for_itself(job) =>
        {
            Some(Mismatch::Variable)
        }
        () if plain && outcome.track.state_changed && !explained => {
            let assigns = shape.effects.contains(Effects::ASSIGNS_USER_VARIABLE);
            (!assigns).then_some(Mismatch::StateChange)
        }
        () => None,
    }
}

/// Whether autocommit is on after these. None: only the server can tell.
fn assigned(assignments: &[Assignment], before: Status) -> Option<bool> {
    let mut on = Some(before.contains(Status::AUTOCOMMIT));
    for assignment in assignments {
        if &*assignment.name != "autocommit" || assignment.scope != Scope::Session {
            continue;
        }
        on = match &assignment.value {
            Value::Literal(text) => match text.trim_matches('\'').to_ascii_lowercase().as_str() {
                "1" | "on" | "true" => Some(true),
                "0" | "off" | "false" => Some(false),
                _ => None,
            },
            Value::Default | Value::Expression => None,
        };
    }
    on
}

/// Whether a transaction is open after a statement of this kind. None: the text cannot tell.
fn transaction(kind: StatementKind, normalised: &str, before: Status) -> Option<bool> {
    let open = before.contains(Status::IN_TRANS);
    match kind {
        StatementKind::Begin { .. } => Some(true),
        // AND CHAIN, and `completion_type`, begin another: then it is open still.
        StatementKind::Commit | StatementKind::Rollback if open => {
            (normalised.len() <= "rollback work".len()).then_some(false).filter(|_| before.contains(Status::AUTOCOMMIT))
        }
        StatementKind::Select
        | StatementKind::Show
        | StatementKind::Write
        | StatementKind::Do
        | StatementKind::Use
        | StatementKind::Savepoint
            if open || before.contains(Status::AUTOCOMMIT) =>
        {
            Some(open)
        }
        StatementKind::Select
        | StatementKind::Show
        | StatementKind::Write
        | StatementKind::Do
        | StatementKind::Use
        | StatementKind::Savepoint
        | StatementKind::Commit
        | StatementKind::Rollback
        | StatementKind::Empty
        | StatementKind::Ddl
        | StatementKind::Call
        | StatementKind::Set
        | StatementKind::SetTransaction
        | StatementKind::Kill
        | StatementKind::LockTables
        | StatementKind::UnlockTables
        | StatementKind::Handler
        | StatementKind::Prepare
        | StatementKind::Xa
        | StatementKind::Multi
        | StatementKind::Opaque => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Route, RouteReason, Target};
    use crate::sql::{Classifier, SqlContext};
    use crate::wire::SessionTrack;

    fn compare(sql: &str, before: Status, after: Status, track: SessionTrack) -> Option<Mismatch> {
        let classified =
            Classifier::new(10, [1, 2], &[]).classify(sql.as_bytes(), SqlContext::default(), &mut Vec::new());
        let moved = track.schema.is_some();
        let mut job = Job::command(Route::new(Target::Primary, RouteReason::Command), None);
        job.classified = Some(classified);
        mismatch(&job, before, &Outcome { status: Some(after), track, ..Outcome::default() }, false, moved)
    }

    #[test]
    fn reports_are_compared_with_texts() {
        let (on, off) = (Status::AUTOCOMMIT, Status(0));
        let open = on.with(Status::IN_TRANS);
        for (sql, before, after, wanted) in [
            ("BEGIN", on, open, None),
            ("BEGIN", on, on, Some(Mismatch::Transaction)),
            ("SELECT 1", on, on, None),
            ("SELECT 1", on, open, Some(Mismatch::Transaction)),
            ("SELECT 1", open, on, Some(Mismatch::Transaction)),
            ("COMMIT", open, on, None),
            ("COMMIT", open, open, Some(Mismatch::Transaction)),
            ("COMMIT AND CHAIN", open, open, None),
            ("SET autocommit = 0", on, off, None),
            ("SET autocommit = 0", on, on, Some(Mismatch::Autocommit)),
            ("SELECT 1", on, off, Some(Mismatch::Autocommit)),
            ("CALL p()", on, open, None),
            ("SELECT f()", on, open, None),
            ("UPDATE t SET a = 1", off, Status::IN_TRANS, None),
        ] {
            assert_eq!(compare(sql, before, after, SessionTrack::default()), wanted, "{sql}");
        }
        let schema = SessionTrack { schema: Some(b"a"[..].into()), ..SessionTrack::default() };
        assert_eq!(compare("SELECT 1", on, on, schema.clone()), Some(Mismatch::Schema));
        assert_eq!(compare("USE a", on, on, schema), None);
        let variable =
            SessionTrack { variables: vec![("sql_mode".into(), b"x"[..].into())], ..SessionTrack::default() };
        assert_eq!(compare("SELECT 1", on, on, variable.clone()), Some(Mismatch::Variable));
        assert_eq!(compare("SET sql_mode = 'x'", on, on, variable.clone()), None);
        assert_eq!(compare("SELECT /*+ SET_VAR(sql_mode='x') */ 1", on, on, variable), None);
        let changed = SessionTrack { state_changed: true, ..SessionTrack::default() };
        assert_eq!(compare("SELECT 1", on, on, changed.clone()), Some(Mismatch::StateChange));
        assert_eq!(compare("SELECT @a := 1", on, on, changed), None);
    }
}
