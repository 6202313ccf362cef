//! What a server would answer to a statement that succeeds: for `explain`, which runs statements through the session
//! model without any server. Never used where there is a server to ask.

use super::plan::Job;
use super::{Request, Session};
use crate::sql::{Detail, Effects, Scope, StatementKind, Value};
use crate::wire::statement::{PrepareOk, ServerStatementId};
use crate::wire::{Outcome, SessionTrack, Status};

impl Session {
    /// The outcome of `job` if it succeeds and changes one row where it writes.
    #[must_use]
    pub fn predict(&self, job: &Job) -> Outcome {
        let mut status = self.status;
        let mut outcome = Outcome { prepared: prepared(job), ..Outcome::default() };
        let effects = job.effects();
        let autocommit = status.contains(Status::AUTOCOMMIT);
        match job.kind() {
            Some(StatementKind::Begin { read_only }) => {
                status = status.with(Status::IN_TRANS);
                if read_only {
                    status = status.with(Status::IN_TRANS_READONLY);
                }
            }
            Some(StatementKind::Commit | StatementKind::Rollback | StatementKind::Ddl)
                if !effects.contains(Effects::CREATES_TEMPORARY) =>
            {
                status = status.without(Status::IN_TRANS).without(Status::IN_TRANS_READONLY);
            }
            Some(StatementKind::Write) => {
                outcome.affected_rows = 1;
                if !autocommit {
                    status = status.with(Status::IN_TRANS);
                }
            }
            Some(StatementKind::Select | StatementKind::Show) => {
                outcome.result_sets = 1;
                outcome.rows = 1;
                if !autocommit {
                    status = status.with(Status::IN_TRANS);
                }
            }
            _ => {}
        }
        if let Some(classified) = &job.classified {
            match &classified.detail {
                Detail::Set(Some(assignments)) => {
                    for assignment in assignments {
                        let Value::Literal(text) = &assignment.value else { continue };
                        if assignment.scope != Scope::Session {
                            continue;
                        }
                        let value = text.trim_matches('\'');
                        report(&mut outcome.track, &assignment.name, value);
                        if &*assignment.name == "autocommit" {
                            let on = matches!(&*value.to_ascii_lowercase(), "1" | "on" | "true");
                            status =
                                if on { status.with(Status::AUTOCOMMIT) } else { status.without(Status::AUTOCOMMIT) };
                        }
                    }
                }
                Detail::Use(schema) => outcome.track.schema = Some(schema.as_slice().into()),
                Detail::None | Detail::Set(None) | Detail::Kill(_) | Detail::Names(_) | Detail::Name(_) => {}
            }
        }
        outcome.status = Some(status);
        outcome
    }
}

fn prepared(job: &Job) -> Option<PrepareOk> {
    matches!(job.request, Request::Prepare(_)).then_some(PrepareOk {
        statement: ServerStatementId(1),
        columns: 0,
        parameters: 0,
        warnings: 0,
    })
}

fn report(track: &mut SessionTrack, name: &str, value: &str) {
    match name {
        "names" | "character set" => {
            let charset = value.split(' ').next().unwrap_or(value);
            for name in ["character_set_client", "character_set_connection", "character_set_results"] {
                track.variables.push((name.into(), charset.as_bytes().into()));
            }
        }
        _ => {
            track.variables.push((name.into(), value.as_bytes().into()));
        }
    }
}
