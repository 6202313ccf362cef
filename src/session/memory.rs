//! Which replies may be given again without asking a server: to the PREPARE of a text that was prepared before under the same
//! state, and to a SET of literals that a server took before in the same state. Knows when, and by which key; not what
//! was answered.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::{Environment, PinCause, Request, Session, Slot};
use crate::sql::{Assignment, Classified, Detail, Effects, Scope, StatementKind, Value};
use crate::wire::TrackFilter;

/// A reply is remembered by everything that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoryKey(pub u128);

/// What replies depend on outside the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryScope {
    /// The account, with the rights that it has now.
    pub account: u64,
    /// The collation of the login.
    pub collation: u16,
    /// Counts the changes of tables that went through the proxy.
    pub generation: u64,
}

/// What makes a statement's metadata depend on more than its text and the session's settings.
const BOUND: Effects = Effects::READS_USER_VARIABLE
    .union(Effects::ASSIGNS_USER_VARIABLE)
    .union(Effects::LISTS_PROCESSES)
    .union(Effects::OPAQUE)
    .union(Effects::SERVER_BOUND)
    .union(Effects::USES_SEQUENCE);

impl Session {
    /// By what the reply to this statement is remembered; None: it must be asked for.
    ///
    /// A PREPARE leaves nothing on its connection that the client could see, but takes away the warnings of the statement
    /// before it: it is answered only where there are none. Temporary tables and locked tables change what it says.
    pub(super) fn memory_key(
        &self,
        classified: &Classified,
        request: Request,
        text: &[u8],
        environment: &Environment<'_>,
    ) -> Option<MemoryKey> {
        // First what tells at once that most statements are not remembered.
        let remembers = match request {
            Request::Prepare(_) => {
                matches!(classified.shape.kind, StatementKind::Select | StatementKind::Write)
                    && !classified.shape.effects.intersects(BOUND)
                    && self.conditions == 0
                    && self.pins.all().all(|cause| cause == PinCause::Transaction)
            }
            Request::Forward => {
                classified.shape.kind == StatementKind::Set
                    && self.pins.is_empty()
                    && matches!(&classified.detail, Detail::Set(Some(assignments)) if assignments.iter().all(is_plain))
            }
            Request::Execute(_) | Request::Statement(_) => false,
        };
        if !remembers || self.base.is_none() || self.left_replica {
            return None;
        }
        let scope = environment.memory?;
        if self.filter != TrackFilter::default() {
            return None;
        }
        let [first, second] = environment.keys;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write_u8(u8::from(matches!(request, Request::Prepare(_))));
        hasher.write_u64(scope.account);
        hasher.write_u64(scope.generation);
        hasher.write_u16(scope.collation);
        hasher.write_u64(self.capabilities.0);
        // EOF packets carry it.
        hasher.write_u16(self.status.0);
        let mut write = |part: &[u8]| {
            hasher.write_usize(part.len());
            hasher.write(part);
        };
        let settings = &self.settings;
        write(settings.schema.as_deref().unwrap_or_default());
        write(&[u8::from(settings.schema.is_some()), u8::from(settings.multi_statements)]);
        for variables in [&settings.variables, &settings.user_variables] {
            for (name, value) in variables {
                write(name.as_bytes());
                write(value.as_bytes());
            }
            write(&[]);
        }
        write(text);
        Some(MemoryKey(hasher.finish128().as_u128()))
    }

    /// Whether what just came of a SET may be given to others: all that it did is in the settings.
    #[must_use]
    pub fn is_carried(&self, slot: Slot) -> bool {
        self.pins.is_empty() && self.last.slot != Some(slot)
    }

    /// Takes these settings in the place of its own, when they are the same: those that share them need not compare.
    pub fn share_settings(&mut self, settings: &std::sync::Arc<super::Settings>) {
        if self.settings == *settings {
            self.settings = settings.clone();
        }
    }
}

/// Whether an assignment does the same on any connection of the same state, and nothing besides.
fn is_plain(assignment: &Assignment) -> bool {
    match assignment.scope {
        Scope::Session => {
            let name = &*assignment.name;
            // What it sets is not a setting, or not the session's alone.
            let other = ["last_insert_id", "identity", "insert_id", "timestamp", "rand_seed1", "rand_seed2"];
            matches!(assignment.value, Value::Literal(_))
                && !other.contains(&name)
                && !["session_track_", "pseudo_", "gtid_"].iter().any(|prefix| name.starts_with(prefix))
        }
        Scope::User => matches!(assignment.value, Value::Literal(_)),
        Scope::Global | Scope::NextTransaction => false,
    }
}
