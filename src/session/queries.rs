//! What is to be done for a statement's text: how it is classified, where it goes, and what is sent in its place.

use std::sync::Arc;

use bytes::Bytes;

use super::on_replica::OnReplica;
use super::previous::{About, Last};
use super::{Environment, Found, Job, PinCause, Plan, Request, Session, Settings, Slot, settings};
use crate::routing::{Route, RouteReason, Target, decide};
use crate::sql::{
    Classified, Detail, Effects, KillWhom, Known, Shape, StatementKind, StatusQuestion, is_server_schema,
    status_question, user_variables, with_known,
};
use crate::wire::command::query_head;
use crate::wire::inbox::{KEPT, RawCommand};
use crate::wire::{ErrPacket, ReplyKind, Status};

/// What is put behind the expression of a KILL to ask for its value.
pub const KILL_VALUE_END: &str = ") AS UNSIGNED)";

impl Session {
    pub(super) fn classify(&mut self, text: &[u8], environment: &Environment<'_>) -> Classified {
        let classified = environment.classifier.classify(text, self.context, &mut self.scratch);
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
        classified
    }

    pub(super) fn plan_query(&mut self, raw: &RawCommand, text: &[u8], environment: &Environment<'_>) -> Plan {
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
        let known = self.answers(head, text, &classified, environment);
        let memory = self.memory_key(&classified, Request::Forward, &raw.payload, environment);
        let prepares = self.prepares(text, &classified, environment);
        let (own, classified) = match known {
            Some((own, answered)) => (Some(own), without(classified, answered)),
            None => (None, classified),
        };
        let classified = self.executes(text, &classified, environment).unwrap_or(classified);
        let status = self.asks_status(text, &classified);
        let mut plan = self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment);
        if let Plan::Run(job) = &mut plan {
            job.text = own;
            job.memory = memory;
            job.status = status;
            job.prepares = prepares;
        }
        plan
    }

    /// What a statement asks of status variables, if it shows some.
    pub(super) fn asks_status(&self, text: &[u8], classified: &Classified) -> Option<Box<StatusQuestion>> {
        let shows = classified.shape.effects.contains(Effects::SHOWS_STATUS)
            && matches!(classified.shape.kind, StatementKind::Show | StatementKind::Select);
        shows.then(|| {
            let mut asked = status_question(text, self.context);
            // Or it is an EXECUTE of one.
            asked.shows |= classified.shape.kind == StatementKind::Show;
            Box::new(asked)
        })
    }

    /// The command to send for a statement that asks for the connection's id: with the one that the client knows. `head`:
    /// what stands before the text. None: as it came.
    pub(super) fn with_own_id(&self, head: &[u8], text: &[u8], classified: &Classified) -> Option<Bytes> {
        let known = Known { connection: Some(self.own_id(classified)?), ..Known::default() };
        self.with_known(head, text, classified, known).map(|(own, _)| own)
    }

    /// The same with all that is known of what the statement asks, and what it does not ask for any more then.
    fn answers(
        &self,
        head: &[u8],
        text: &[u8],
        classified: &Classified,
        environment: &Environment<'_>,
    ) -> Option<(Bytes, Effects)> {
        if !classified.shape.effects.intersects(Known::ASKED | Effects::ASKS_LOCK_OWNER) {
            return None;
        }
        let owners = Self::owners(classified, environment);
        let known = Known { connection: self.own_id(classified), owners, ..self.known(classified) };
        self.with_known(head, text, classified, known)
    }

    /// The text of a prepared statement with what is known of what it asks, as a command of its own to prepare. None: as it is.
    pub(super) fn answers_prepared(
        &self,
        text: &[u8],
        classified: &Classified,
        settings: &Settings,
        environment: &Environment<'_>,
    ) -> Option<(Bytes, Effects)> {
        let asked = Known::ASKED.without(Effects::ASKS_CONNECTION_ID) | Effects::ASKS_LOCK_OWNER;
        if !classified.shape.effects.intersects(asked) {
            return None;
        }
        // It is read as it was when it was prepared.
        if self.base.as_ref()?.context(settings) != self.context {
            return None;
        }
        let owners = Self::owners(classified, environment);
        self.with_known(&[], text, classified, Known { owners, ..self.known(classified) })
    }

    /// Whose the primary's connections are, where a statement asks for it.
    fn owners(classified: &Classified, environment: &Environment<'_>) -> Vec<(u32, u32)> {
        let asks = classified.shape.effects.contains(Effects::ASKS_LOCK_OWNER);
        if asks { (environment.owners)() } else { Vec::new() }
    }

    /// The id that the client knows, where a statement asks for it. None: it does not, or is not to have it.
    fn own_id(&self, classified: &Classified) -> Option<u32> {
        if !classified.shape.effects.contains(Effects::ASKS_CONNECTION_ID) {
            return None;
        }
        // It chose another id itself, as mysqlbinlog does.
        if self.pins.holds(PinCause::SessionVariable, b"pseudo_thread_id") {
            return None;
        }
        // Tables without a schema are then those of a server, with its own ids.
        let schema = self.settings.schema.as_deref().and_then(|schema| std::str::from_utf8(schema).ok());
        if schema.is_some_and(|schema| is_server_schema(schema) && schema != "mysql")
            && classified.shape.tables.iter().any(|table| table.schema.is_none())
        {
            return None;
        }
        Some(self.id)
    }

    fn with_known(&self, head: &[u8], text: &[u8], classified: &Classified, known: Known) -> Option<(Bytes, Effects)> {
        let known = Known { mariadb: self.base.as_ref()?.mariadb, ..known };
        let answered = with_known(text, self.context, &classified.shape, known)?;
        Some(([head, &*answered.text].concat().into(), answered.asked))
    }

    /// KILL: of what the proxy gave out, the proxy's; a query id is the server's.
    pub(super) fn plan_kill(&mut self, classified: Classified, environment: &Environment<'_>) -> Plan {
        let Detail::Kill(target) = &classified.detail else {
            return self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment);
        };
        // MySQL does not know HARD and SOFT, and says so.
        if target.graded && !self.is_mariadb() {
            return self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment);
        }
        match &target.whom {
            KillWhom::Id(_) => Plan::Kill(target.clone()),
            KillWhom::User(..) | KillWhom::CurrentUser if self.is_mariadb() => Plan::Kill(target.clone()),
            // MySQL does not know KILL USER, and says so.
            KillWhom::User(..) | KillWhom::CurrentUser | KillWhom::ServerQuery => {
                self.plan_statement(classified, Request::Forward, ReplyKind::Results, environment)
            }
            KillWhom::Expression(text) => {
                let query = target.query;
                let asks = format!("SELECT CAST(({text}{KILL_VALUE_END}");
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
    pub(super) fn plan_statement(
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
                    self.last = Last { result: true, count: Some(-1), ..Last::default() };
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
        let own_attributes = self.wants_attributes(&classified, request) && about.held.is_none();
        if own_attributes {
            route = Route::new(Target::Primary, RouteReason::ServerTable);
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
            status: None,
            memory: None,
            prepares: None,
            held: about.held,
            replication: false,
            own_attributes,
        }))
    }

    /// Whether a statement asks for the attributes of its connection, and the session can leave the one that it has. One that is
    /// bound to a connection for other reasons finds pointsman's there.
    fn wants_attributes(&self, classified: &Classified, request: Request) -> bool {
        let shape = &*classified.shape;
        shape.effects.contains(Effects::ASKS_ATTRIBUTES)
            && matches!(request, Request::Forward | Request::Execute(_))
            && !matches!(shape.kind, StatementKind::Show | StatementKind::Kill)
            && self.pins.is_empty()
            && !self.holds_sequence
    }
}

/// A statement without what is answered in its text.
pub(super) fn without(mut classified: Classified, answered: Effects) -> Classified {
    let effects = classified.shape.effects.without(answered);
    classified.shape = Arc::new(Shape { effects, ..Shape::clone(&classified.shape) });
    classified
}
