//! What a reply did to the settings: what the server reports, and what a SET's text says where it reports nothing.

use std::sync::Arc;

use super::plan::Job;
use super::settings::is_charset;
use super::tracking::{choose, is_hidden};
use super::{PinCause, Session};
use crate::sql::{
    Assignment, Detail, Effects, PrimaryCause, Scope, StatementKind, Value, is_set_statement, set_for_statement,
};
use crate::wire::Outcome;

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

impl Session {
    /// Settings that the reply changed. True: the change of state that the server reported is fully explained.
    pub(super) fn settings_after(&mut self, job: &Job, outcome: &Outcome) -> bool {
        let before = Arc::as_ptr(&self.settings);
        let passing = !outcome.track.variables.is_empty() && sets_for_itself(job);
        let kept = passing.then(|| {
            let own = own_variables(job);
            let mut track = outcome.track.clone();
            track.variables.retain(|(name, _)| own.as_ref().is_some_and(|own| !own.iter().any(|one| sets(one, name))));
            track
        });
        if !self.settings.absorb(kept.as_ref().unwrap_or(&outcome.track)) {
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
            // What its triggers and functions set besides is not known.
            let plain = matches!(
                classified.shape.kind,
                StatementKind::Write | StatementKind::Select | StatementKind::Do | StatementKind::Show
            );
            if plain && !passing && !outcome.track.variables.is_empty() {
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
            if *scope == Scope::Session {
                choose(&mut self.filter, name, value);
                if &**name == "session_track_gtids" && matches!(value, Value::Default) {
                    self.filter.gtids = self.base.as_ref().is_some_and(|base| base.tells_gtids);
                }
            }
            match (scope, value) {
                (Scope::Global, _) => {}
                (Scope::NextTransaction, _) => self.pins.set(PinCause::NextTransaction, true),
                // Its bytes mean the same under every character set and SQL mode.
                (Scope::User, Value::Literal(literal)) if sure && literal.is_ascii() && !literal.contains('\\') => {
                    let settings = Arc::make_mut(&mut self.settings);
                    if settings.takes(name, literal) {
                        settings.user_variables.insert(name.clone(), literal.clone());
                    } else {
                        settings.user_variables.remove(name);
                        self.pins.set(PinCause::UserVariable, true);
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
                (Scope::Session, _) if is_hidden(name) => {}
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
}

/// Whether a statement sets variables for itself alone, by the hint SET_VAR or MariaDB's SET STATEMENT: both families may
/// report them as if they stayed (MySQL 9.7, MariaDB 10.11).
pub(super) fn sets_for_itself(job: &Job) -> bool {
    job.classified.as_ref().is_some_and(|classified| {
        let text = &*classified.shape.normalised;
        is_set_statement(text) || (text.contains("/*+") && text.to_ascii_uppercase().contains("SET_VAR"))
    })
}

/// Whether it is MariaDB's `SET STATEMENT x = y FOR statement`. What that set is taken back behind its reply, which is reported
/// with a later one of the same connection.
pub(super) fn takes_back(job: &Job) -> bool {
    job.classified.as_ref().is_some_and(|classified| is_set_statement(&classified.shape.normalised))
}

/// The variables that it sets for itself alone. None: all that are reported.
fn own_variables(job: &Job) -> Option<Vec<Box<str>>> {
    let text = &*job.classified.as_ref()?.shape.normalised;
    if is_set_statement(text) { set_for_statement(text) } else { None }
}

/// Whether setting one variable changes the other.
fn sets(one: &str, other: &str) -> bool {
    one == other || (is_charset(one) && is_charset(other))
}
