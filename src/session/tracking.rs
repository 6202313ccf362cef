//! What the client chose to be told of its session's state (`session_track_*`). The servers' connections tell the proxy more:
//! what the client chose is kept here, is what it gets to see in replies, and is on the connection while a statement shows it.

use std::sync::Arc;

use super::plan::{Job, Request};
use super::settings::{Preamble, SYSTEM_VARIABLES, literal, tracked_variables, tracking_of};
use super::{Last, Session};
use crate::sql::{Assignment, Detail, Effects, Scope, StatementKind, Value};
use crate::wire::{Outcome, TrackFilter};

/// The variables that pointsman sets on servers' connections for itself. The others of `session_track_*` are carried from one
/// connection to the next as any variable.
const HIDDEN: [&str; 3] = ["session_track_schema", "session_track_state_change", SYSTEM_VARIABLES];

/// Whether the session's value of a variable is the client's own and not that of its connections.
pub(super) fn is_hidden(name: &str) -> bool {
    HIDDEN.contains(&name)
}

/// What a client chose, as a server shows it, in the order of [`HIDDEN`]. None: nothing, so the server's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chosen([Option<Box<[u8]>>; 3]);

impl Session {
    /// Asks a connection for what [`Self::tracking_chosen`] takes.
    pub const ASKS_TRACKING: &'static str =
        "SELECT @@session_track_schema,@@session_track_state_change,@@session_track_system_variables";

    /// Brings what the client chose to the connection, if `job` shows it or reads it.
    pub fn show_tracking(&self, job: &Job, preamble: &mut Preamble) {
        let reads = || choices(job).any(|one| matches!(one.value, Value::Expression));
        if !shows(job) && !reads() {
            return;
        }
        for (name, value) in HIDDEN.into_iter().zip(&self.chosen.0) {
            match value {
                Some(value) if value.is_empty() => preamble.assign(name, "''"),
                Some(value) => preamble.assign(name, &literal(name, value)),
                None => preamble.assign(name, "DEFAULT"),
            }
        }
    }

    /// Whether the connection must be made to tell the proxy everything again, after `job`.
    #[must_use]
    pub fn retracks(&self, job: &Job) -> bool {
        shows(job) || chooses(job)
    }

    /// Whether the job chooses what the client is told: the connection is then asked for it.
    #[must_use]
    pub fn chooses_tracking(&self, job: &Job) -> bool {
        chooses(job)
    }

    /// The SET that makes a connection tell what the proxy must know, and what the client chose besides.
    #[must_use]
    pub fn tracking_set(&self) -> String {
        format!("SET {}", tracking_of(self.is_mariadb(), &self.settings))
    }

    /// Takes in what the client chose by `job`, as its connection shows it now.
    pub fn tracking_chosen(&mut self, job: &Job, values: &[Vec<u8>]) {
        for Assignment { name, value, .. } in choices(job) {
            let chosen = HIDDEN.iter().zip(values).zip(&mut self.chosen.0).find(|((one, _), _)| **one == &**name);
            let Some(((_, shown), chosen)) = chosen else { continue };
            if matches!(value, Value::Default) {
                choose(&mut self.filter, name, value);
                *chosen = None;
            } else {
                let text = String::from_utf8_lossy(shown).into_owned();
                choose(&mut self.filter, name, &Value::Literal(text.into()));
                *chosen = Some(shown.as_slice().into());
            }
        }
        // MariaDB's connections tell of all variables.
        let (known, mariadb) = (tracked_variables(self.is_mariadb()), self.is_mariadb());
        let more: Vec<_> = self
            .filter
            .variables
            .iter()
            .filter(|name| !mariadb && !known.split(',').any(|one| one == &***name))
            .map(|name| &**name)
            .collect();
        let list = match more.as_slice() {
            [] => None,
            more if more.contains(&"*") => Some("'*'".into()),
            more => Some(format!("'{known},{}'", more.join(",").replace('\'', "")).into()),
        };
        let held = self.settings.variables.get(SYSTEM_VARIABLES);
        if held != list.as_ref() {
            let settings = Arc::make_mut(&mut self.settings);
            settings.variables.remove(SYSTEM_VARIABLES);
            settings.variables.extend(list.map(|list| (SYSTEM_VARIABLES.into(), list)));
        }
    }

    /// The connection was made to tell everything again behind `job`: what it knew of that is over-written.
    pub(super) fn retracked(&mut self, job: &Job, outcome: &Outcome) {
        if !self.retracks(job) || outcome.error.is_some() {
            return;
        }
        let diagnostics = outcome.warnings > 0;
        self.last = Last { lost: diagnostics, failed: outcome.result_sets > 0, ..self.last };
        if diagnostics {
            self.last.slot = None;
        }
    }

    /// Which session state changes the client gets to see in the reply to `job`: a statement that chooses what the client
    /// is told is reported by its own choice already. None: as before.
    #[must_use]
    pub fn filter_for(&self, job: &Job) -> Option<TrackFilter> {
        let Detail::Set(Some(assignments)) = &job.classified.as_ref()?.detail else { return None };
        let mut filter = None;
        for Assignment { name, value, .. } in assignments.iter().filter(|one| is_choice(one)) {
            choose(filter.get_or_insert_with(|| self.filter.clone()), name, value);
        }
        filter
    }
}

fn is_choice(assignment: &Assignment) -> bool {
    assignment.scope == Scope::Session && assignment.name.starts_with("session_track_")
}

fn shows(job: &Job) -> bool {
    job.effects().contains(Effects::ASKS_TRACKING)
        && !matches!(job.request, Request::Prepare(_))
        && matches!(job.kind(), Some(StatementKind::Select | StatementKind::Show | StatementKind::Do))
}

fn chooses(job: &Job) -> bool {
    choices(job).next().is_some()
}

/// What the job sets of the hidden variables.
fn choices(job: &Job) -> impl Iterator<Item = &Assignment> {
    let all: &[Assignment] = match job.classified.as_ref().map(|classified| &classified.detail) {
        Some(Detail::Set(Some(all))) if !matches!(job.request, Request::Prepare(_)) => all,
        _ => &[],
    };
    all.iter().filter(|one| is_choice(one) && is_hidden(&one.name))
}

/// What a SET of a `session_track_` variable chooses.
pub(super) fn choose(filter: &mut TrackFilter, name: &str, value: &Value) {
    let text = match value {
        Value::Literal(literal) => literal.trim_matches('\'').to_ascii_lowercase(),
        Value::Default => {
            let default = TrackFilter::default();
            match name {
                "session_track_schema" => filter.schema = default.schema,
                "session_track_state_change" => filter.state_change = default.state_change,
                SYSTEM_VARIABLES => filter.variables = default.variables,
                "session_track_transaction_info" => filter.transaction = default.transaction,
                "session_track_gtids" => filter.gtids = default.gtids,
                _ => {}
            }
            return;
        }
        Value::Expression => return,
    };
    let on = matches!(&*text, "1" | "on" | "true");
    match name {
        "session_track_schema" => filter.schema = on,
        "session_track_state_change" => filter.state_change = on,
        SYSTEM_VARIABLES => {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            filter.variables = names.map(|name| name.to_owned().into()).collect();
        }
        "session_track_transaction_info" => filter.transaction = !matches!(&*text, "off" | "0"),
        "session_track_gtids" => filter.gtids = !matches!(&*text, "off" | "0"),
        _ => {}
    }
}
