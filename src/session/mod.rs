//! One client's state. Two verbs: [`Session::plan`] says what is to be done for a command, [`Session::absorb`] takes in
//! what came of it. No sockets, no clock: what the server says is believed over what the text predicted.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod absorb;
mod found;
mod mismatch;
mod pins;
mod plan;
mod predict;
mod prepared;
mod settings;
mod statements;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use absorb::Absorbed;
pub use mismatch::Mismatch;
pub use pins::{PinCause, Pins};
pub use plan::{Answer, Job, Plan, Replay, Request, Slot};
pub use settings::{ALIASES, Base, ConnectionState, Preamble, Settings, literal, tracking};
pub use statements::{ClientStatement, MAX_STATEMENTS, StatementKey, Statements};

use self::found::Found;
use crate::routing::{Route, RouteReason, SessionView, Surroundings, Target, decide};
use crate::sql::{
    Classified, Classifier, Detail, Effects, KillTarget, KillWhom, PrimaryCause, SqlContext, StatementKind,
    user_variables, with_connection_id,
};
use crate::wire::command::{code, query_head};
use crate::wire::inbox::{KEPT, RawCommand};
use crate::wire::statement::ClientStatementId;
use crate::wire::{Capabilities, Command, ErrPacket, ReplyKind, Status, TrackFilter};

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
}

/// What the last statement left to be asked about: its warnings, its count of rows.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    /// The connection that ran it and is kept because it can be asked.
    slot: Option<Slot>,
    /// It had a result set: that is all there is to ask about.
    result: bool,
    /// It changed rows: only its connection has ROW_COUNT().
    counted: bool,
    /// It failed: ROW_COUNT() is -1, whatever the proxy asked its connection since.
    failed: bool,
    /// There was more to ask about, but the connection had to be given back.
    lost: bool,
}

/// One client's state.
#[derive(Debug)]
pub struct Session {
    id: u32,
    user: Arc<str>,
    capabilities: Capabilities,
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
    holds_sequence: bool,
    /// Warnings and errors of the last statement.
    conditions: u16,
    scratch: Vec<u8>,
}

/// Whether a statement may run on the replica that the session is pinned to.
enum OnReplica {
    Stays,
    /// It ends what pins the session, and runs on the primary.
    Leaves,
    /// The primary would say that the transaction is READ ONLY; the replica, that the server is.
    Write,
    Refused,
}

/// What a statement that asks about previous ones needs.
#[derive(Debug, Clone, Copy, Default)]
struct About {
    last_insert_id: Option<u64>,
    replay: Option<Replay>,
    held: Option<Slot>,
}

/// The id by which MariaDB's clients name the statement prepared last.
const LAST_PREPARED: u32 = u32::MAX;

/// A session without pins keeps a connection that can still be asked about its last statement. After so long a silence
/// of the client it gives it back if others wait for one, and remembers what can be remembered.
pub const HOLD: Duration = Duration::from_millis(200);

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
            last: Last::default(),
            found: Found::default(),
            last_write: None,
            wrote_in_transaction: false,
            last_insert_id: None,
            holds_insert_id: false,
            lost_insert_id: false,
            left_replica: false,
            diagnosed: Vec::new(),
            unclean: false,
            holds_sequence: false,
            conditions: 0,
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

    /// Takes in what fresh connections have, when the first one was seen.
    pub fn learn(&mut self, base: &Arc<Base>) {
        if self.base.is_none() {
            if !base.autocommit {
                self.status = self.status.without(Status::AUTOCOMMIT);
            }
            self.base = Some(base.clone());
            self.reread();
        }
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
        if let Some(base) = &fresh.base {
            Arc::make_mut(&mut fresh.settings).after_reset(base);
            fresh.reread();
        }
        *self = fresh;
    }

    /// The connection in this slot is lost: what was bound to it is gone.
    pub fn lost(&mut self, slot: Slot) {
        if self.pinned == Some(slot) {
            self.pins = Pins::default();
            self.pinned = None;
            self.status = self.status.without(Status::IN_TRANS).without(Status::IN_TRANS_READONLY);
        }
        if slot == Slot::Primary {
            self.lost_insert_id |= self.holds_insert_id;
            self.holds_insert_id = false;
            self.holds_sequence = false;
            self.unclean = false;
        }
        if self.last.slot == Some(slot) {
            self.last = Last { lost: true, ..Last::default() };
        }
        self.found.let_go(slot);
    }

    /// What LAST_INSERT_ID() is to be on a connection to the primary that may hold another session's, before `job`,
    /// which may leave it as it is.
    #[must_use]
    pub fn own_insert_id(&self, job: &Job) -> Option<u64> {
        let may_set = job.kind() == Some(StatementKind::Write);
        (may_set && !self.holds_insert_id).then(|| self.last_insert_id.unwrap_or_default())
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

    /// What a command that is no statement says of warnings: nothing on MariaDB (10.11), those of the last statement on
    /// MySQL (9.7).
    fn conditions(&self) -> u16 {
        if self.is_mariadb() { 0 } else { self.conditions }
    }

    /// Says what is to be done for a command.
    pub fn plan(&mut self, raw: &RawCommand, environment: &Environment<'_>) -> Plan {
        let plan = self.planned(raw, environment);
        if matches!(plan, Plan::Refuse(_)) {
            let statement = matches!(raw.payload.first(), Some(&(code::QUERY | code::STMT_PREPARE..=code::STMT_RESET)))
                || raw.payload.first() == Some(&code::STMT_FETCH);
            self.conditions = if statement { 1 } else { self.conditions.saturating_add(1) };
        }
        plan
    }

    fn planned(&mut self, raw: &RawCommand, environment: &Environment<'_>) -> Plan {
        let command = match Command::parse(&raw.payload, self.capabilities) {
            Ok(command) => command,
            // A reply to what has none would be taken for the next command's.
            Err(_) if matches!(raw.payload.first(), Some(&(code::STMT_CLOSE | code::STMT_SEND_LONG_DATA))) => {
                return Plan::Answer(Answer::Nothing);
            }
            Err(_) => return self.malformed(),
        };
        match command {
            Command::Query(text) => self.plan_query(raw, text, environment),
            Command::StmtPrepare(_) => self.plan_prepare(raw, environment),
            Command::StmtExecute { statement, flags } => {
                self.plan_execute(self.statement(statement), flags, &raw.payload, environment)
            }
            Command::StmtBulkExecute { statement } => {
                self.plan_execute(self.statement(statement), 0, &raw.payload, environment)
            }
            Command::StmtSendLongData { statement } => self.plan_long_data(self.statement(statement), environment),
            Command::StmtClose { statement } => self.plan_close(self.statement(statement)),
            Command::StmtReset { statement } => self.plan_statement_reset(self.statement(statement)),
            Command::StmtFetch { statement } => self.plan_fetch(self.statement(statement)),
            Command::InitDb(_) => self.plan_command(RouteReason::SessionState, Some(ReplyKind::Results)),
            Command::FieldList(_) => self.plan_command(RouteReason::Command, Some(ReplyKind::FieldList)),
            Command::Statistics => self.plan_command(RouteReason::Command, Some(ReplyKind::Text)),
            Command::Ping => Plan::Answer(Answer::Ok(self.conditions())),
            Command::Quit => Plan::Quit,
            Command::ChangeUser(_) => Plan::ChangeUser(raw.payload.slice(1..)),
            Command::ResetConnection => Plan::Reset,
            Command::SetOption(option) => self.plan_set_option(option),
            Command::ProcessKill(id) => Plan::Kill(KillTarget { whom: KillWhom::Id(u64::from(id)), query: false }),
            // What one family knows and the other does not: the primary says which it is.
            Command::Refresh | Command::Shutdown | Command::Debug => {
                self.plan_command(RouteReason::Command, Some(ReplyKind::Simple))
            }
            Command::ProcessInfo => {
                let mut plan = self.plan_command(RouteReason::Command, Some(ReplyKind::Results));
                if let Plan::Run(job) = &mut plan {
                    job.processes = Some(false);
                }
                plan
            }
            Command::RegisterReplica => self.plan_replication(ReplyKind::Simple),
            Command::BinlogDump => self.plan_replication(ReplyKind::Binlog),
            // The servers' own words (MariaDB 10.11, MySQL 9.7).
            Command::Unknown(_) => Plan::Refuse(ErrPacket::new(1047, b"08S01", "Unknown command")),
        }
    }

    /// The statement that a client names: MariaDB's may say -1 for the one prepared last.
    fn statement(&self, id: u32) -> ClientStatementId {
        let last = self.statements.last().filter(|_| id == LAST_PREPARED && self.is_mariadb());
        last.unwrap_or(ClientStatementId(id))
    }

    /// What servers say to a command that is cut off.
    fn malformed(&self) -> Plan {
        let stop = if self.is_mariadb() { "" } else { "." };
        Plan::Refuse(ErrPacket::new(1835, b"HY000", &format!("Malformed communication packet{stop}")))
    }

    fn is_mariadb(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.mariadb)
    }

    /// A replica's commands, which belong to the connection that it made known as its own.
    fn plan_replication(&self, reply: ReplyKind) -> Plan {
        if self.pinned == Some(Slot::Replica) {
            let text = "pointsman: the binary log is the primary's, and this session is in a transaction on a replica";
            return Plan::Refuse(ErrPacket::new(1105, b"HY000", text));
        }
        let Plan::Run(mut job) = self.plan_command(RouteReason::Command, Some(reply)) else { return Plan::Quit };
        job.replication = true;
        Plan::Run(job)
    }

    fn plan_command(&self, reason: RouteReason, reply: Option<ReplyKind>) -> Plan {
        let route = match self.pins.first() {
            Some(cause) => Route::new(Target::Pinned, cause.reason()),
            None => Route::new(Target::Primary, reason),
        };
        Plan::Run(Box::new(Job::command(route, reply)))
    }

    fn plan_set_option(&mut self, option: u16) -> Plan {
        let on = match option {
            0 => true,
            1 => false,
            _ => return Plan::Refuse(ErrPacket::new(1047, b"08S01", "Unknown command")),
        };
        // The next statement's preamble tells its connection.
        Arc::make_mut(&mut self.settings).multi_statements = on;
        Plan::Answer(Answer::Eof(self.conditions()))
    }

    fn classify(&mut self, text: &[u8], environment: &Environment<'_>) -> Classified {
        let classified = environment.classifier.classify(text, self.context, &mut self.scratch);
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
        classified
    }

    fn plan_query(&mut self, raw: &RawCommand, text: &[u8], environment: &Environment<'_>) -> Plan {
        let classified = self.classify(text, environment);
        if classified.shape.kind == StatementKind::Kill {
            return self.plan_kill(classified, environment);
        }
        if classified.shape.effects.contains(Effects::ASKS_DIAGNOSTICS | Effects::ASSIGNS_USER_VARIABLE)
            && self.diagnosed.len() < settings::MAX_VARIABLES
        {
            self.diagnosed.extend(user_variables(text, self.context));
        }
        let head = raw.payload.get(..raw.payload.len().saturating_sub(text.len())).unwrap_or_default();
        let own = self.with_own_id(head, text, &classified);
        let mut plan = self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment);
        if let Plan::Run(job) = &mut plan {
            job.text = own;
        }
        plan
    }

    /// The command to send for a statement that asks for the connection's id: with the one that the client knows. `head`:
    /// what stands before the text. None: as it came.
    fn with_own_id(&self, head: &[u8], text: &[u8], classified: &Classified) -> Option<Bytes> {
        if !classified.shape.effects.contains(Effects::ASKS_CONNECTION_ID) {
            return None;
        }
        // It chose another id itself, as mysqlbinlog does.
        if self.pins.holds(PinCause::SessionVariable, b"pseudo_thread_id") {
            return None;
        }
        let mariadb = self.base.as_ref()?.mariadb;
        let text = with_connection_id(text, self.context, &classified.shape, self.id, mariadb)?;
        Some([head, &*text].concat().into())
    }

    /// KILL: of what the proxy gave out, the proxy's; a query id is the server's.
    fn plan_kill(&mut self, classified: Classified, environment: &Environment<'_>) -> Plan {
        let Detail::Kill(target) = &classified.detail else {
            return self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment);
        };
        match &target.whom {
            KillWhom::Id(_) => Plan::Kill(target.clone()),
            KillWhom::User(..) if self.base.as_ref().is_some_and(|base| base.mariadb) => Plan::Kill(target.clone()),
            // MySQL does not know KILL USER, and says so.
            KillWhom::User(..) | KillWhom::ServerQuery => {
                self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment)
            }
            KillWhom::Expression(text) => {
                let query = target.query;
                let asks = format!("SELECT CAST(({text}) AS UNSIGNED)");
                let asked = self.classify(asks.as_bytes(), environment);
                let head = query_head(self.capabilities);
                let own = self.with_own_id(head, asks.as_bytes(), &asked);
                let plan = self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment);
                let Plan::Run(mut job) = plan else { return plan };
                job.text = own.or_else(|| Some([head, asks.as_bytes()].concat().into()));
                Plan::KillValue { job, query }
            }
        }
    }

    /// Routes a statement of either protocol.
    fn plan_statement(
        &mut self,
        classified: Classified,
        request: Request,
        reply: ReplyKind,
        environment: &Environment<'_>,
    ) -> Plan {
        let effects = classified.shape.effects;
        if self.pinned == Some(Slot::Replica) {
            match self.on_replica(&classified) {
                OnReplica::Stays => {}
                OnReplica::Leaves => self.leave_replica(),
                OnReplica::Write => {
                    self.last = Last { lost: true, ..Last::default() };
                    let stop = if self.is_mariadb() { "" } else { "." };
                    let text = format!("Cannot execute statement in a READ ONLY transaction{stop}");
                    return Plan::Refuse(ErrPacket::new(1792, b"25006", &text));
                }
                OnReplica::Refused => {
                    self.last = Last { lost: true, ..Last::default() };
                    return Plan::Refuse(ErrPacket::new(
                        1792,
                        b"25006",
                        "pointsman: this cannot run in a READ ONLY transaction on a replica; begin the transaction with \
                         the hint /* pointsman: primary */",
                    ));
                }
            }
        }
        let pinned = !self.pins.is_empty();
        let mut route = decide(&classified, self.view(environment), environment.around);
        let mut about = About::default();
        if !matches!(request, Request::Prepare(_)) {
            about = match self.about_previous(&classified) {
                Some(about) => about,
                None => {
                    // As if it had been answered: the next question is about this one.
                    self.last = Last { result: true, ..Last::default() };
                    self.found = Found::Rows(1);
                    return Plan::Refuse(ErrPacket::new(
                        1105,
                        b"HY000",
                        "pointsman: the connection that ran the previous statement was needed by others and was given \
                         back, so its warnings and row counts can no longer be asked; ask at once, or in a transaction",
                    ));
                }
            };
            if about.held.is_some() {
                route = Route::new(Target::Pinned, RouteReason::PreviousStatement);
            }
        }
        if !pinned && self.unclean && effects.contains(Effects::READS_USER_VARIABLE) && about.held.is_none() {
            route = Route::new(Target::Primary, RouteReason::PreviousStatement);
        }
        if !pinned && effects.contains(Effects::ASKS_LAST_INSERT_ID) && about.held != Some(Slot::Primary) {
            route = Route::new(Target::Primary, RouteReason::PreviousStatement);
            about.held = None;
        }
        if route.target == Target::Refuse {
            return Plan::Refuse(ErrPacket::new(
                1105,
                b"HY000",
                &format!(
                    "pointsman: no replica can answer this read ({}), and the configuration says fallback = \"refuse\": {}",
                    route.reason.as_str(),
                    route.reason.explain()
                ),
            ));
        }
        let repeatable = !pinned
            && classified.shape.cause.is_none()
            && self.status.contains(Status::AUTOCOMMIT)
            && !matches!(request, Request::Statement(_))
            && classified.shape.kind != StatementKind::Multi;
        let lists = effects.contains(Effects::LISTS_PROCESSES)
            && classified.shape.kind == StatementKind::Show
            && !matches!(request, Request::Prepare(_));
        let processes = lists.then(|| effects.contains(Effects::LISTS_WHOLE));
        Plan::Run(Box::new(Job {
            route,
            request,
            reply: Some(reply),
            classified: Some(classified),
            repeatable,
            last_insert_id: about.last_insert_id,
            replay: about.replay,
            cursor: false,
            text: None,
            processes,
            held: about.held,
            replication: false,
        }))
    }

    /// Whether a statement may run where the session is pinned to a replica: by a READ ONLY transaction, as a rule.
    fn on_replica(&self, classified: &Classified) -> OnReplica {
        let shape = &*classified.shape;
        let lasting = Effects::GETS_LOCK
            | Effects::RELEASES_LOCK
            | Effects::SETS_LAST_INSERT_ID
            | Effects::CREATES_TEMPORARY
            | Effects::OPENS_HANDLER
            | Effects::XA_STARTS;
        let only_transaction = self.pins.all().eq([PinCause::Transaction]);
        // What GET DIAGNOSTICS told of a read there can be carried to the primary.
        if self.pins.all().eq([PinCause::UserVariable]) && !self.diagnosed.is_empty() {
            let asks = Effects::ASKS_DIAGNOSTICS | Effects::ASKS_FOUND_ROWS | Effects::ASKS_ROW_COUNT;
            return if shape.effects.intersects(asks) { OnReplica::Stays } else { OnReplica::Leaves };
        }
        let ends = matches!(shape.kind, StatementKind::Begin { .. } | StatementKind::LockTables);
        let plain = matches!(
            shape.kind,
            StatementKind::Commit
                | StatementKind::Rollback
                | StatementKind::Savepoint
                | StatementKind::Set
                | StatementKind::Use
        );
        let in_transaction = self.pins.has(PinCause::Transaction);
        if ends && only_transaction {
            return OnReplica::Leaves;
        }
        // What outlives the transaction, or means nothing there; what nobody can see into: a procedure may commit, and
        // write as its definer, whom the server's read_only does not stop; DDL, which commits on one family of servers.
        if shape.effects.intersects(lasting | Effects::OPAQUE)
            || shape.cause == Some(PrimaryCause::LockingRead)
            || shape.kind == StatementKind::Ddl
        {
            return OnReplica::Refused;
        }
        if shape.kind == StatementKind::Write && in_transaction {
            return OnReplica::Write;
        }
        // Without a transaction nothing but the server's read_only would keep a write away.
        if plain || in_transaction || shape.cause.is_none() { OnReplica::Stays } else { OnReplica::Refused }
    }

    /// A READ ONLY transaction on a replica ends by something that begins on the primary.
    fn leave_replica(&mut self) {
        self.pins = Pins::default();
        self.pinned = None;
        self.left_replica = true;
        self.let_go(Slot::Replica);
        self.status = self.status.without(Status::IN_TRANS).without(Status::IN_TRANS_READONLY);
    }

    /// The query for the user variables that GET DIAGNOSTICS set on the replica that the session leaves.
    #[must_use]
    pub fn asks_left_variables(&self) -> Option<String> {
        let names: Vec<_> = self.diagnosed.iter().map(|name| format!("@`{}`", name.replace('`', "``"))).collect();
        (!names.is_empty()).then(|| format!("SELECT {}", names.join(",")))
    }

    /// Takes their values along, as literals: numbers, or texts of the server's.
    pub fn carry_left_variables(&mut self, values: &[Vec<u8>]) {
        let settings = Arc::make_mut(&mut self.settings);
        for (name, value) in std::mem::take(&mut self.diagnosed).into_iter().zip(values) {
            settings.user_variables.insert(name, literal("", value));
        }
    }

    /// Whether the connection to the replica holds a transaction that the session has left. Tells it once.
    pub fn has_left_replica(&mut self) -> bool {
        std::mem::take(&mut self.left_replica)
    }

    /// What a statement that asks about previous ones needs. None: what it asks is lost.
    fn about_previous(&self, classified: &Classified) -> Option<About> {
        let effects = classified.shape.effects;
        let mut about = About::default();
        // Procedures may ask too. A connection that others used holds a number of theirs.
        let calls = classified.shape.cause == Some(PrimaryCause::UnknownFunction);
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
            (None, Found::On(slot)) if !rest => Some(slot),
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
        match (home, self.found) {
            (Some(_), _) if !found => {
                if self.last.failed && !effects.contains(Effects::ASKS_DIAGNOSTICS) {
                    about.replay = Some(Replay { found: None, result: true });
                }
            }
            (Some(slot), Found::On(on)) if slot == on => {}
            (Some(_), Found::Rows(rows)) if !rest => about.replay = Some(Replay { found: Some(rows), result: true }),
            (None, Found::Rows(rows)) => {
                let result = !rest || self.last.result;
                about.replay = Some(Replay { found: found.then_some(rows), result });
            }
            (None, _) if !found => about.replay = Some(Replay { found: None, result: self.last.result }),
            _ if several => {}
            _ => return None,
        }
        Some(about)
    }
}

#[cfg(test)]
mod tests;
