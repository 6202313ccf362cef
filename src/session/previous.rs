//! What may be asked about previous statements, which connection knows it, and what is left of it once that connection
//! was given back or lost.

use std::time::Duration;

use super::found::{Found, REPLAYED_ROWS};
use super::plan::{Job, Replay, Request, Slot};
use super::texts::TextStatements;
use super::{HOLD, LONG_HOLD, Pins, Session};
use crate::routing::Target;
use crate::sql::{Assignment, Classified, Detail, Effects, Known, LONGEST_NORMALISED, StatementKind, user_variables};
use crate::wire::{Outcome, Status};

/// What the last statement left to be asked about: its warnings, its count of rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    /// The connection that ran it and is kept because it can be asked.
    pub(super) slot: Option<Slot>,
    /// It had a result set: that is all there is to ask about.
    pub(super) result: bool,
    /// It changed rows: only its connection has ROW_COUNT().
    pub(super) counted: bool,
    /// It failed: ROW_COUNT() is -1, whatever the proxy asked its connection since.
    pub(super) failed: bool,
    /// ROW_COUNT(), if it is known.
    pub(super) count: Option<i64>,
    /// There was more to ask about, but the connection had to be given back.
    pub(super) lost: bool,
}

/// What a statement that asks about previous ones needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About {
    pub(super) last_insert_id: Option<u64>,
    pub(super) replay: Option<Replay>,
    pub(super) held: Option<Slot>,
}

impl Session {
    /// What a statement that asks about previous ones needs. None: what it asks is lost.
    pub(super) fn about_previous(&self, classified: &Classified) -> Option<About> {
        let effects = classified.shape.effects;
        let mut about = About::default();
        // Procedures may ask too. A connection that others used holds a number of theirs.
        let calls = effects.contains(Effects::CALLS_UNKNOWN);
        if (calls || effects.intersects(Effects::ASKS_LAST_INSERT_ID | Effects::OPAQUE)) && !self.holds_insert_id {
            if self.lost_insert_id && effects.contains(Effects::ASKS_LAST_INSERT_ID) {
                return None;
            }
            about.last_insert_id = Some(self.last_insert_id.unwrap_or_default());
        }
        let found = effects.contains(Effects::ASKS_FOUND_ROWS);
        let rest = effects.intersects(Effects::ASKS_DIAGNOSTICS | Effects::ASKS_ROW_COUNT);
        if !found && !rest {
            return Some(about);
        }
        // Several statements in one may ask about each other.
        let several = classified.shape.kind == StatementKind::Multi;
        if rest && self.last.lost {
            return several.then_some(about);
        }
        let home = match (self.pinned, self.found) {
            (Some(slot), _) => Some(slot),
            (None, Found::On(slot, _)) if !rest => Some(slot),
            (None, _) if rest => self.last.slot,
            (None, _) => None,
        };
        about.held = home.filter(|_| self.pinned.is_none());
        // LAST_INSERT_ID() is asked with them, and is known elsewhere: to set it here would count as a statement.
        let elsewhere = about.last_insert_id.is_some() || home == Some(Slot::Replica);
        if rest && effects.contains(Effects::ASKS_LAST_INSERT_ID) && elsewhere {
            if found || self.last.counted || (self.last.slot.is_some() && effects.contains(Effects::ASKS_DIAGNOSTICS)) {
                return None;
            }
            about.held = None;
            about.replay = Some(Replay { found: None, result: self.last.result || self.last.failed });
            return Some(about);
        }
        // Nothing that leaves no trace leaves a count of changed rows.
        let counted =
            home.is_none() && effects.contains(Effects::ASKS_ROW_COUNT) && self.last.count.is_some_and(|rows| rows > 0);
        if counted && !several {
            return None;
        }
        match (home, self.found) {
            (Some(_), _) if !found => {
                if self.last.failed && !effects.contains(Effects::ASKS_DIAGNOSTICS) {
                    about.replay = Some(Replay { found: None, result: true });
                }
            }
            (Some(slot), Found::On(on, _)) if slot == on => {}
            (Some(_), Found::Rows(rows)) if !rest && rows <= REPLAYED_ROWS => {
                about.replay = Some(Replay { found: Some(rows), result: true });
            }
            (None, Found::Rows(rows)) if rows <= REPLAYED_ROWS || !found => {
                let result = !rest || self.last.result;
                about.replay = Some(Replay { found: found.then_some(rows), result });
            }
            (None, _) if !found => about.replay = Some(Replay { found: None, result: self.last.result }),
            _ if several => {}
            _ => return None,
        }
        Some(about)
    }

    /// What the next statement may ask about this one.
    pub(super) fn remember(&mut self, job: &Job, slot: Slot, outcome: &Outcome, effects: Effects) {
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
            Some(replay) if replay.found.is_some() => self.found = Found::On(slot, None),
            Some(_) => self.found.let_go(slot),
            None => {}
        }
        let limited = self.settings.variables.contains_key("sql_select_limit");
        self.found = self.found.after(job, slot, outcome, limited, self.is_mariadb());
        let result = outcome.result_sets > 0;
        // A statement that asks leaves what it asked about as it was.
        if effects.contains(Effects::ASKS_DIAGNOSTICS) && outcome.error.is_none() {
            let count = if result { Some(-1) } else { i64::try_from(outcome.affected_rows).ok() };
            self.last = Last { slot: self.last.slot.or(Some(slot)), result, count, ..Last::default() };
            return;
        }
        let diagnostics = outcome.warnings > 0 || outcome.error.is_some();
        // Of several results only the connection knows what the last one was.
        let several = effects.contains(Effects::OPAQUE) || job.kind() == Some(StatementKind::Multi);
        let (counted, failed) = (outcome.affected_rows > 0 || several, outcome.error.is_some());
        let asked = diagnostics || counted || self.found.is_on(slot);
        let count = match () {
            () if several || job.classified.is_none() || job.cursor => None,
            () if failed => Some(-1),
            // What RETURNING says at its end is not known.
            () if result => (job.kind() != Some(StatementKind::Write)).then_some(-1),
            () => i64::try_from(outcome.affected_rows).ok(),
        };
        self.last = Last { slot: asked.then_some(slot), result, counted, failed, count, lost: false };
    }

    /// What of this session is known without asking a server, as far as `classified` may ask for it in a text that is sent anew.
    pub(super) fn known(&self, classified: &Classified) -> Known {
        let effects = classified.shape.effects;
        let mut known = Known { mariadb: self.is_mariadb(), ..Known::default() };
        // A procedure may ask about what came just before it; a list of expressions after what the ones before it did.
        if effects.intersects(Effects::OPAQUE | Effects::SETS_LAST_INSERT_ID) {
            return known;
        }
        known.found = self.found.known();
        known.count = self.last.count;
        let sets = matches!(&classified.detail, Detail::Set(all) if all.as_ref().is_none_or(|all| all.iter().any(is_insert_id)));
        if !self.holds_insert_id && !self.lost_insert_id && !sets {
            known.insert_id = Some(self.last_insert_id.unwrap_or_default());
        }
        known
    }

    /// Whether the connection in this slot must be kept for this session until its next command, or longer.
    #[must_use]
    pub fn keeps(&self, slot: Slot) -> bool {
        self.pinned == Some(slot)
            || (slot == Slot::Primary && (self.holds_insert_id || self.holds_sequence))
            || self.last.slot == Some(slot)
            || self.takes_back == Some(slot)
    }

    /// For how long a connection that [`Self::holds_only`] is kept though others wait for one.
    #[must_use]
    pub fn hold(&self) -> Duration {
        let warned = self.last.slot.is_some() && (self.conditions > 0 || self.last.failed);
        // Hardly anybody asks for FOUND_ROWS() after a write, which MySQL answers.
        let found = self.last.result && matches!(self.found, Found::On(_, None));
        match () {
            () if warned || found => LONG_HOLD,
            // All that can be asked is remembered.
            () if self.last.count.is_some() && self.found.known().is_some() && !self.holds_insert_id => Duration::ZERO,
            () => HOLD,
        }
    }

    /// Whether a connection is kept only for what may be asked about it, which ends after [`Self::hold`].
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
        (self.pinned == Some(slot) && !self.pins.is_empty())
            || (slot == Slot::Primary && self.unclean)
            || self.takes_back == Some(slot)
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
        self.takes_back = self.takes_back.filter(|on| *on != slot);
        if self.last.slot == Some(slot) {
            self.last = Last { lost: true, count: self.last.count, ..Last::default() };
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

    /// The connection in this slot is lost: what was bound to it is gone.
    pub fn lost(&mut self, slot: Slot) {
        if self.pinned == Some(slot) {
            self.pins = Pins::default();
            self.pinned = None;
            self.texts = TextStatements::default();
            self.status = self.status.without(Status::IN_TRANS).without(Status::IN_TRANS_READONLY);
        }
        if slot == Slot::Primary {
            self.lost_insert_id |= self.holds_insert_id;
            self.holds_insert_id = false;
            self.holds_sequence = false;
            self.unclean = false;
        }
        self.let_go(slot);
    }

    /// Whether a statement reads a user variable that the session has not set: it must not find another session's, set by a
    /// trigger or a routine without a report.
    #[must_use]
    pub fn reads_unset(&self, job: &Job) -> bool {
        if !job.effects().contains(Effects::READS_USER_VARIABLE) {
            return false;
        }
        let Some(classified) = &job.classified else { return false };
        let text = &classified.shape.normalised;
        let named = user_variables(text.as_bytes(), self.context);
        text.len() >= LONGEST_NORMALISED || named.iter().any(|name| !self.settings.user_variables.contains_key(name))
    }

    /// What LAST_INSERT_ID() is to be on a connection to the primary that may hold another session's, before `job`,
    /// which may leave it as it is.
    #[must_use]
    pub fn own_insert_id(&self, job: &Job) -> Option<u64> {
        let may_set = job.kind() == Some(StatementKind::Write);
        (may_set && !self.holds_insert_id).then(|| self.last_insert_id.unwrap_or_default())
    }
}

/// Whether it is a SET of what LAST_INSERT_ID() answers.
fn sets_insert_id(job: &Job) -> bool {
    let Some(Detail::Set(Some(assignments))) = job.classified.as_ref().map(|classified| &classified.detail) else {
        return false;
    };
    assignments.iter().any(is_insert_id)
}

fn is_insert_id(assignment: &Assignment) -> bool {
    matches!(&*assignment.name, "last_insert_id" | "identity")
}
