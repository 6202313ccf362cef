//! One client's state. Two verbs: [`Session::plan`] says what is to be done for a command, [`Session::absorb`] takes in
//! what came of it. No sockets, no clock: what the server says is believed over what the text predicted.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod absorb;
mod commands;
mod effects;
mod found;
mod idle;
mod malformed;
mod memory;
mod mismatch;
mod on_replica;
mod pins;
mod plan;
mod predict;
mod prepared;
mod previous;
mod queries;
mod settings;
mod statements;
mod texts;
mod tracking;
mod variables;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use absorb::Absorbed;
pub use idle::IdleEnd;
pub use memory::{MemoryKey, MemoryScope};
pub use mismatch::Mismatch;
pub use pins::{PinCause, Pins};
pub use plan::{Answer, Job, Plan, Replay, Request, Slot};
pub use queries::KILL_VALUE_END;
pub use settings::{ALIASES, Base, ConnectionState, Preamble, Reset, Settings, literal, tracking};
pub use statements::{ClientStatement, MAX_STATEMENTS, StatementKey, Statements};

use self::found::Found;
use self::malformed::ServerVersion;
use self::previous::Last;
use self::texts::TextStatements;
use self::tracking::Chosen;
use crate::routing::{SessionView, Surroundings};
use crate::sql::{Classifier, SqlContext};
use crate::wire::{Capabilities, Command, Status, TrackFilter};

/// What a plan depends on besides the session.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Classifies statements.
    pub classifier: &'a Classifier,
    /// Servers, rules, load, time.
    pub around: Surroundings<'a>,
    /// When anyone wrote last through this proxy.
    pub last_global_write: Option<Instant>,
    /// The secret of statement keys.
    pub keys: [u64; 2],
    /// Whose the primary's connections are that clients hold: the server's ids of them, and the clients'. Asked where
    /// IS_USED_LOCK() is.
    pub owners: &'a dyn Fn() -> Vec<(u32, u32)>,
    /// What remembered replies depend on besides the session; None: no reply is to be remembered, or given again.
    pub memory: Option<MemoryScope>,
}

/// One client's state.
#[derive(Debug)]
pub struct Session {
    id: u32,
    user: Arc<str>,
    capabilities: Capabilities,
    /// Whose answers commands get that no server sees.
    server: ServerVersion,
    /// Its `wait_timeout` as it was when it logged in, in seconds; None: not known.
    wait_timeout: Option<u64>,
    /// What a fresh connection has; None until the first one was seen.
    base: Option<Arc<Base>>,
    settings: Arc<Settings>,
    context: SqlContext,
    serializable: bool,
    status: Status,
    pins: Pins,
    pinned: Option<Slot>,
    statements: Statements,
    filter: TrackFilter,
    /// What the client set of `session_track_*`.
    chosen: Chosen,
    last: Last,
    found: Found,
    last_write: Option<Instant>,
    wrote_in_transaction: bool,
    /// The exact LAST_INSERT_ID(), once its connection was given back.
    last_insert_id: Option<u64>,
    /// The primary's connection holds a LAST_INSERT_ID or a sequence's last value that is known to it alone.
    holds_insert_id: bool,
    /// That connection broke.
    lost_insert_id: bool,
    left_replica: bool,
    /// User variables that GET DIAGNOSTICS set on the replica that the session is pinned to, for it alone.
    diagnosed: Vec<Box<str>>,
    /// The primary's connection may hold what nobody told of.
    unclean: bool,
    /// The last reply of this connection was an error, which has no room for a change of state: it comes with the next one.
    unreported: Option<Slot>,
    /// This connection has yet to report what a SET STATEMENT took back: to this session, and to nobody else.
    takes_back: Option<Slot>,
    /// What is prepared by the text protocol's PREPARE.
    texts: TextStatements,
    holds_sequence: bool,
    /// Warnings and errors of the last statement.
    conditions: u16,
    counts: StatementCounts,
    scratch: Vec<u8>,
}

/// Commands of prepared statements that a session sent, as servers count them for a connection (`Com_stmt_...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatementCounts {
    /// COM_STMT_PREPARE.
    pub prepare: u64,
    /// COM_STMT_EXECUTE.
    pub execute: u64,
    /// COM_STMT_FETCH.
    pub fetch: u64,
    /// COM_STMT_CLOSE.
    pub close: u64,
    /// COM_STMT_RESET.
    pub reset: u64,
    /// COM_STMT_SEND_LONG_DATA.
    pub long_data: u64,
}

impl StatementCounts {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not counted needs no arm")]
    fn count(&mut self, command: &Command<'_>) {
        let counter = match command {
            Command::StmtPrepare(_) => &mut self.prepare,
            Command::StmtExecute { .. } | Command::StmtBulkExecute { .. } => &mut self.execute,
            Command::StmtFetch { .. } => &mut self.fetch,
            Command::StmtClose { .. } => &mut self.close,
            Command::StmtReset { .. } => &mut self.reset,
            Command::StmtSendLongData { .. } => &mut self.long_data,
            _ => return,
        };
        *counter = counter.wrapping_add(1);
    }
}

/// A session without pins keeps a connection that can still be asked about its last statement. After so long a silence
/// of the client it gives it back if others wait for one, and remembers what can be remembered: LAST_INSERT_ID().
const HOLD: Duration = Duration::from_millis(20);

/// The same where warnings, an error or FOUND_ROWS() would be lost by it.
const LONG_HOLD: Duration = Duration::from_millis(200);

impl Session {
    /// A session that has just logged in.
    #[must_use]
    pub fn new(
        id: u32,
        user: Arc<str>,
        capabilities: Capabilities,
        schema: Option<&[u8]>,
        base: Option<Arc<Base>>,
    ) -> Self {
        let mut session = Self {
            id,
            user,
            capabilities,
            server: ServerVersion::default(),
            wait_timeout: None,
            base: None,
            settings: Arc::new(Settings {
                schema: schema.map(Into::into),
                multi_statements: capabilities.contains(Capabilities::MULTI_STATEMENTS),
                ..Settings::default()
            }),
            context: Base::unknown_context(),
            serializable: false,
            status: Status::AUTOCOMMIT,
            pins: Pins::default(),
            pinned: None,
            statements: Statements::default(),
            filter: TrackFilter::default(),
            chosen: Chosen::default(),
            last: Last { count: Some(0), ..Last::default() },
            found: Found::default(),
            last_write: None,
            wrote_in_transaction: false,
            last_insert_id: None,
            holds_insert_id: false,
            lost_insert_id: false,
            left_replica: false,
            diagnosed: Vec::new(),
            unclean: false,
            unreported: None,
            takes_back: None,
            texts: TextStatements::default(),
            holds_sequence: false,
            conditions: 0,
            counts: StatementCounts::default(),
            scratch: Vec::new(),
        };
        if let Some(base) = base {
            session.learn(&base);
        }
        session
    }

    /// The connection id that the client knows.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &Arc<str> {
        &self.user
    }

    /// What was agreed with the client.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The state that its connections must have.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Which session state changes the client gets to see.
    #[must_use]
    pub fn filter(&self) -> &TrackFilter {
        &self.filter
    }

    /// The status flags as the client last saw them.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why it is bound to one connection.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The slot that it is pinned to.
    #[must_use]
    pub fn pinned(&self) -> Option<Slot> {
        self.pinned
    }

    /// Its prepared statements.
    #[must_use]
    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The password has expired: the session stays on the primary's connection that it logged in by, which is closed after it.
    pub fn confine(&mut self) {
        self.pins.set(PinCause::ExpiredPassword, true);
        self.pinned = Some(Slot::Primary);
    }

    /// Whether it stays on its connection, since its password had expired when that was made.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        self.pins.has(PinCause::ExpiredPassword)
    }

    /// Takes in what fresh connections have, when the first one was seen.
    pub fn learn(&mut self, base: &Arc<Base>) {
        if self.base.is_none() {
            if !base.autocommit {
                self.status = self.status.without(Status::AUTOCOMMIT);
            }
            self.filter.gtids |= base.tells_gtids;
            self.base = Some(base.clone());
            self.reread();
        }
    }

    /// A global variable was set since the session began, or a replica has its own: on a connection that began otherwise the
    /// session keeps what it began with of what decides how text is read and when a transaction begins.
    pub fn keep_defaults(&mut self, held: &mut ConnectionState) {
        let Some(base) = &self.base else { return };
        if Arc::ptr_eq(base, &held.base) {
            return;
        }
        if **base == *held.base {
            held.base = base.clone();
            return;
        }
        for (names, value) in base.differing(&held.base) {
            if !names.iter().any(|name| self.settings.variables.contains_key(*name)) {
                let [name, ..] = names;
                Arc::make_mut(&mut self.settings).variables.insert(name.into(), value);
            }
        }
    }

    /// What fresh connections have now: for what follows a reset.
    pub fn learn_anew(&mut self, base: &Arc<Base>) {
        self.base = Some(base.clone());
        self.reread();
    }

    /// Whether it knows what fresh connections have.
    #[must_use]
    pub fn is_informed(&self) -> bool {
        self.base.is_some()
    }

    /// Derives from the settings what every plan needs.
    fn reread(&mut self) {
        if let Some(base) = &self.base {
            self.context = base.context(&self.settings);
            self.serializable = base.is_serializable(&self.settings);
        }
    }

    /// COM_RESET_CONNECTION: all state goes but the schema, as servers have it (MariaDB 10.11, MySQL 9.7).
    pub fn reset(&mut self) {
        let schema = self.settings.schema.clone();
        let mut fresh = Self::new(self.id, self.user.clone(), self.capabilities, schema.as_deref(), self.base.take());
        fresh.last_write = self.last_write;
        fresh.server = self.server;
        fresh.wait_timeout = self.wait_timeout;
        fresh.found = self.found.known().map_or(Found::Lost, Found::Rows);
        if let Some(base) = &fresh.base {
            Arc::make_mut(&mut fresh.settings).after_reset(base);
            fresh.reread();
        }
        fresh.keep_option(self);
        *self = fresh;
    }

    /// Takes over whether several statements may stand in one: what COM_SET_OPTION chose outlives COM_RESET_CONNECTION and
    /// COM_CHANGE_USER (MariaDB 10.11, MySQL 9.7).
    pub fn keep_option(&mut self, before: &Self) {
        let chosen = before.settings.multi_statements;
        if self.settings.multi_statements != chosen {
            Arc::make_mut(&mut self.settings).multi_statements = chosen;
        }
    }

    /// The commands of prepared statements that it sent.
    #[must_use]
    pub const fn statement_counts(&self) -> StatementCounts {
        self.counts
    }

    /// Gives back memory that is of no use while the client is silent.
    pub fn rest(&mut self) {
        self.scratch = Vec::new();
        self.statements.shrink();
    }

    /// What routing may see.
    fn view(&self, around: &Environment<'_>) -> SessionView<'_> {
        SessionView {
            user: &self.user,
            schema: self.settings.schema.as_deref().and_then(|schema| std::str::from_utf8(schema).ok()),
            pin: self.pins.first().map(PinCause::reason),
            autocommit: self.status.contains(Status::AUTOCOMMIT),
            serializable: self.serializable,
            last_write: self.last_write,
            last_global_write: around.last_global_write,
        }
    }

    /// The warnings that a server's OK to COM_INIT_DB counts, where they are those of the statement before: on MySQL (9.7).
    #[must_use]
    pub fn warnings_before(&self) -> Option<u16> {
        (!self.is_mariadb()).then_some(self.conditions)
    }

    /// What a command that is no statement says of warnings: nothing on MariaDB (10.11), those of the last statement on
    /// MySQL (9.7).
    fn conditions(&self) -> u16 {
        if self.is_mariadb() { 0 } else { self.conditions }
    }
}

#[cfg(test)]
mod tests;
