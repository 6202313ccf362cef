//! What is to be done for the commands of prepared statements (binary protocol). Each EXECUTE is routed anew.

use bytes::Bytes;

use super::queries::without;
use super::{Answer, Environment, Job, MAX_STATEMENTS, PinCause, Plan, Request, Session};
use crate::routing::{Route, RouteReason, Target};
use crate::sql::{Detail, Effects, KillWhom, StatementKind};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::statement::{
    ClientStatementId, EXECUTE_HEAD, ParameterTypes, ParameterValue, parameter_types, parameter_values,
};
use crate::wire::{ErrPacket, ReplyKind};

impl Session {
    pub(super) fn plan_prepare(&mut self, raw: &RawCommand, environment: &Environment<'_>) -> Plan {
        if self.statements.len() >= MAX_STATEMENTS {
            let text = format!(
                "Can't create more than max_prepared_stmt_count statements (current value: {MAX_STATEMENTS}); \
                 pointsman counts them for each session"
            );
            return Plan::Refuse(ErrPacket::new(1461, b"42000", &text));
        }
        let text = raw.payload.slice(1..);
        let mut classified = self.classify(&text, environment);
        let id = self.statements.next_id();
        let own = self.with_own_id(&[code::STMT_PREPARE], &text, &classified);
        let request = Request::Prepare(id);
        let memory = self.memory_key(&classified, request, &text, environment).filter(|_| own.is_none());
        // PREPARE runs nothing: only the place is decided here.
        classified.detail = Detail::None;
        let mut plan = self.plan_statement(classified, request, ReplyKind::Prepare, environment);
        if let Plan::Run(job) = &mut plan {
            job.text = own;
            job.memory = memory;
        }
        plan
    }

    /// In the words of the family (MariaDB 10.11, MySQL 9.7).
    pub(super) fn unknown_statement(&self, id: ClientStatementId, command: &str) -> Plan {
        let command = if self.is_mariadb() { command } else { "mysql_stmt_precheck" };
        Plan::Refuse(ErrPacket::new(
            1243,
            b"HY000",
            &format!("Unknown prepared statement handler ({}) given to {command}", id.0),
        ))
    }

    pub(super) fn plan_execute(
        &mut self,
        id: ClientStatementId,
        flags: u8,
        payload: &Bytes,
        environment: &Environment<'_>,
    ) -> Plan {
        let (session, agreed, mariadb) = (self.id, self.capabilities, self.is_mariadb());
        let Some(statement) = self.statements.get_mut(id) else {
            return self.unknown_statement(id, "mysqld_stmt_execute");
        };
        // The rows of a process list are the proxy's own, and few: it opens no cursor.
        let lists = statement.classified.shape.effects.contains(Effects::LISTS_PROCESSES);
        // Nor does a CALL: the flag of a cursor in its reply is of one that is open in the procedure, and rows follow (MySQL 9.7).
        let cursor = flags & 0x07 != 0 && !lists && statement.classified.shape.kind != StatementKind::Call;
        // Of who names the statement prepared last MariaDB looks at all of the packet, and of nobody else: the server will see
        // another id.
        if mariadb
            && payload.first() == Some(&code::STMT_EXECUTE)
            && payload.get(1..5) == Some(&[0xFF; 4])
            && let Err(error) = fits(payload, statement.parameters, statement.types.as_deref())
        {
            return Plan::Refuse(error);
        }
        match parameter_types(payload, statement.parameters, agreed) {
            Ok(ParameterTypes::Sent(types)) => {
                match &statement.types {
                    None if !mariadb && !statement.alone => {
                        statement.key = statement.key.typed(environment.keys, &types);
                    }
                    Some(before) => statement.varied |= !mariadb && *before != types,
                    None => {}
                }
                statement.types = Some(Bytes::copy_from_slice(&types));
            }
            // MariaDB (10.11) ends with a signal at types that it was never told.
            Ok(ParameterTypes::AsBefore) if mariadb && statement.types.is_none() => {
                return Plan::Refuse(ErrPacket::new(1835, b"HY000", "Malformed communication packet"));
            }
            Ok(ParameterTypes::None | ParameterTypes::AsBefore) => {}
            Err(_) if !mariadb || payload.first() == Some(&code::STMT_BULK_EXECUTE) => {
                let text = if mariadb { "Malformed communication packet" } else { "Malformed communication packet." };
                return Plan::Refuse(ErrPacket::new(1835, b"HY000", text));
            }
            Err(_) => {
                return Plan::Refuse(ErrPacket::new(1210, b"HY000", "Incorrect arguments to mysqld_stmt_execute"));
            }
        }
        if cursor && !statement.alone {
            statement.alone = true;
            statement.key = statement.key.alone(u64::from(session), id);
        }
        let mut classified = statement.classified.clone();
        let text = statement.text.clone();
        if classified.shape.kind == StatementKind::Kill {
            // MySQL 9.7, which opens none for it.
            if cursor && !mariadb {
                return Plan::Refuse(ErrPacket::new(1210, b"HY000", "Incorrect arguments to with cursor"));
            }
            let (parameters, types, sent_long) = (statement.parameters, statement.types.clone(), statement.long_data);
            let mut detail = self.classify(&text, environment).detail;
            if parameters > 0
                && let Detail::Kill(target) = &mut detail
            {
                let values = parameter_values(payload, parameters, types.as_deref().unwrap_or_default());
                match values.ok().filter(|_| !sent_long).and_then(|values| with_values(&target.whom, &values)) {
                    Some(whom) => target.whom = whom,
                    None => {
                        let text = "Incorrect arguments to mysqld_stmt_execute";
                        return Plan::Refuse(ErrPacket::new(1210, b"HY000", text));
                    }
                }
            }
            classified.detail = detail;
            return self.plan_kill(classified, environment);
        }
        // The literals that matter are those of the text; it may have been prepared under another state.
        if classified.shape.has_detail() {
            classified.detail = self.classify(&text, environment).detail;
        }
        let mut own = None;
        if let Some(statement) = self.statements.get(id).filter(|one| !one.alone && one.parameters == 0)
            && let Some((text, answered)) = self.answers_prepared(&text, &classified, &statement.settings, environment)
        {
            own = Some(text);
            classified = without(classified, answered);
        }
        let status = self.asks_status(&text, &classified);
        let plan = self.plan_statement(classified, Request::Execute(id), ReplyKind::Results, environment);
        match plan {
            Plan::Run(mut job) => {
                job.text = own;
                job.status = status;
                if cursor {
                    to_primary(&mut job.route, RouteReason::PinnedCursor);
                }
                job.cursor = cursor;
                // Several rows of parameters are for statements that write.
                job.repeatable &= !cursor && payload.first() == Some(&code::STMT_EXECUTE);
                Plan::Run(job)
            }
            other @ (Plan::Answer(_)
            | Plan::Refuse(_)
            | Plan::ChangeUser(_)
            | Plan::Reset
            | Plan::Kill(_)
            | Plan::KillValue { .. }
            | Plan::Close(_)
            | Plan::Quit) => other,
        }
    }

    pub(super) fn plan_long_data(&mut self, id: ClientStatementId, environment: &Environment<'_>) -> Plan {
        let session = self.id;
        // A server ignores long data for a statement that it does not know; there is no reply to say so in.
        let Some(statement) = self.statements.get_mut(id) else { return Plan::Answer(Answer::Nothing) };
        if !statement.alone {
            statement.alone = true;
            statement.key = statement.key.alone(u64::from(session), id);
        }
        let classified = statement.classified.clone();
        let plan = self.plan_statement(classified, Request::Statement(id), ReplyKind::Simple, environment);
        // Refused: there is no reply to say so in; the EXECUTE that follows will be.
        let Plan::Run(mut job) = plan else { return Plan::Answer(Answer::Nothing) };
        to_primary(&mut job.route, RouteReason::PinnedLongData);
        job.reply = None;
        Plan::Run(job)
    }

    pub(super) fn plan_close(&mut self, id: ClientStatementId) -> Plan {
        let Some(statement) = self.statements.remove(id) else { return Plan::Answer(Answer::Nothing) };
        if statement.cursor && !self.statements.any_cursor() {
            self.pins.set(PinCause::Cursor, false);
        }
        if statement.long_data && !self.statements.any_long_data() {
            self.pins.set(PinCause::LongData, false);
        }
        if self.pins.is_empty() {
            self.pinned = None;
        }
        Plan::Close(statement.alone.then_some(statement.key))
    }

    pub(super) fn plan_statement_reset(&mut self, id: ClientStatementId) -> Plan {
        let Some(statement) = self.statements.get(id) else {
            return self.unknown_statement(id, "mysqld_stmt_reset");
        };
        self.conditions = 0;
        // No connection holds anything for it.
        if !statement.cursor && !statement.long_data {
            return Plan::Answer(Answer::Ok(0));
        }
        let reason = self.pins.first().map_or(RouteReason::Command, PinCause::reason);
        let mut job = Job::command(Route::new(Target::Pinned, reason), Some(ReplyKind::Simple));
        job.request = Request::Statement(id);
        Plan::Run(Box::new(job))
    }

    pub(super) fn plan_fetch(&self, id: ClientStatementId) -> Plan {
        let Some(statement) = self.statements.get(id) else {
            return self.unknown_statement(id, "mysqld_stmt_fetch");
        };
        if !statement.cursor {
            let end = if self.is_mariadb() { "" } else { "." };
            let text = format!("The statement ({}) has no open cursor{end}", id.0);
            return Plan::Refuse(ErrPacket::new(1421, b"HY000", &text));
        }
        let reason = self.pins.first().map_or(RouteReason::Command, PinCause::reason);
        let mut job = Job::command(Route::new(Target::Pinned, reason), Some(ReplyKind::Rows));
        job.request = Request::Statement(id);
        // Of other queries only the definitions tell where values stand, which came before.
        job.status = self.asks_status(&statement.text, &statement.classified).filter(|asked| asked.shows);
        Plan::Run(Box::new(job))
    }
}

/// What pins a session while others of its statements may write is on the primary.
fn to_primary(route: &mut Route, reason: RouteReason) {
    if matches!(route.target, Target::Replica(_)) {
        *route = Route::new(Target::Primary, reason);
    }
}

/// Whom a KILL names, with the values of its parameters. None: they do not fit its text.
fn with_values(whom: &KillWhom, values: &[ParameterValue<'_>]) -> Option<KillWhom> {
    let KillWhom::Expression(text) = whom else { return Some(whom.clone()) };
    if let ("?", [ParameterValue::Integer(id)]) = (&**text, values) {
        return Some(KillWhom::Id(*id));
    }
    let mut parts = text.split('?');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        filled.push_str(&values.next()?.literal());
        filled.push_str(part);
    }
    values.next().is_none().then(|| KillWhom::Expression(filled.into()))
}

/// Whether an EXECUTE of the statement prepared last holds what it says, in MariaDB's words (10.11).
fn fits(payload: &[u8], parameters: u16, known: Option<&[u8]>) -> Result<(), ErrPacket> {
    let malformed = || ErrPacket::new(1835, b"HY000", "Malformed communication packet");
    let count = usize::from(parameters);
    if count == 0 {
        return Ok(());
    }
    let at = EXECUTE_HEAD.saturating_add(count.div_ceil(8));
    let types = match payload.get(at) {
        Some(1) => {
            let from = at.saturating_add(1);
            payload.get(from..from.saturating_add(count.saturating_mul(2))).ok_or_else(malformed)?
        }
        Some(0) => known.ok_or_else(malformed)?,
        _ => return Err(malformed()),
    };
    match parameter_values(payload, parameters, types) {
        Ok(_) => Ok(()),
        Err(_) => Err(ErrPacket::new(1210, b"HY000", "Incorrect arguments to mysqld_stmt_execute")),
    }
}
