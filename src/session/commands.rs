//! What is to be done for a command that is no statement, and which command it is at all.

use std::sync::Arc;

use super::{Answer, Environment, Job, Plan, Session, Slot};
use crate::routing::{Route, RouteReason, Target};
use crate::sql::{KillTarget, KillWhom};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::statement::ClientStatementId;
use crate::wire::{Command, ErrPacket, ReplyKind};

/// The id by which MariaDB's clients name the statement prepared last.
const LAST_PREPARED: u32 = u32::MAX;

impl Session {
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
    pub(super) fn statement(&self, id: u32) -> ClientStatementId {
        let last = self.statements.last().filter(|_| id == LAST_PREPARED && self.is_mariadb());
        last.unwrap_or(ClientStatementId(id))
    }

    /// What servers say to a command that is cut off.
    pub(super) fn malformed(&self) -> Plan {
        let stop = if self.is_mariadb() { "" } else { "." };
        Plan::Refuse(ErrPacket::new(1835, b"HY000", &format!("Malformed communication packet{stop}")))
    }

    pub(super) fn is_mariadb(&self) -> bool {
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
        job.own_attributes = self.pins.is_empty();
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
}
