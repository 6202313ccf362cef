//! What is to be done for a command that is no statement, and which command it is at all.

use std::sync::Arc;

use super::malformed::{unknown_command, unsupported};
use super::{Answer, Environment, Job, Plan, Session, Slot};
use crate::routing::{Route, RouteReason, Target};
use crate::sql::{KillTarget, KillWhom};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::statement::ClientStatementId;
use crate::wire::{Command, ErrPacket, ReplyKind};

/// Flags of a bulk execute that MariaDB knows: types are sent, results of each row are wanted (11.5).
const BULK_FLAGS: u16 = 0x80 | 0x40;

/// The id by which MariaDB's clients name the statement prepared last.
const LAST_PREPARED: u32 = u32::MAX;

impl Session {
    /// Says what is to be done for a command.
    pub fn plan(&mut self, raw: &RawCommand, environment: &Environment<'_>) -> Plan {
        let plan = self.planned(raw, environment);
        if matches!(plan, Plan::Refuse(_)) {
            let statement = matches!(
                raw.payload.first(),
                Some(&(code::QUERY | code::STMT_PREPARE | code::STMT_EXECUTE | code::STMT_RESET | code::STMT_FETCH))
            );
            self.conditions = if statement { 1 } else { self.conditions.saturating_add(1) };
        }
        plan
    }

    fn planned(&mut self, raw: &RawCommand, environment: &Environment<'_>) -> Plan {
        let command = match Command::parse(&raw.payload, self.capabilities) {
            Ok(command) => command,
            Err(_) => match self.cut_off(&raw.payload) {
                Ok(command) => command,
                Err(plan) => return *plan,
            },
        };
        self.counts.count(&command);
        match command {
            Command::Query(text) => self.plan_query(raw, text, environment),
            Command::StmtPrepare(_) => self.plan_prepare(raw, environment),
            Command::StmtExecute { statement, flags } => {
                self.plan_execute(self.statement(statement), flags, &raw.payload, environment)
            }
            Command::StmtBulkExecute { statement, flags } => {
                let id = self.statement(statement);
                if flags & !BULK_FLAGS != 0 && self.statements.get(id).is_none() {
                    return unsupported();
                }
                self.plan_execute(id, 0, &raw.payload, environment)
            }
            Command::StmtSendLongData { statement } => self.plan_long_data(self.statement(statement), environment),
            Command::StmtClose { statement } => self.plan_close(self.statement(statement)),
            Command::StmtReset { statement } => self.plan_statement_reset(self.statement(statement)),
            Command::StmtFetch { statement } => self.plan_fetch(self.statement(statement)),
            Command::InitDb(_) => self.plan_command(RouteReason::SessionState, Some(ReplyKind::Results)),
            Command::FieldList(name) => self.plan_field_list(&raw.payload, name),
            Command::Statistics => self.plan_command(RouteReason::Command, Some(ReplyKind::Text)),
            Command::Ping => Plan::Answer(Answer::Ok(self.conditions())),
            Command::Quit => Plan::Quit,
            Command::ChangeUser(_) => Plan::ChangeUser(raw.payload.slice(1..)),
            Command::ResetConnection => Plan::Reset,
            Command::SetOption(option) => self.plan_set_option(option),
            Command::ProcessKill(_) if !self.knows_process_kill() => unknown_command(),
            Command::ProcessKill(id) => {
                Plan::Kill(KillTarget { whom: KillWhom::Id(u64::from(id)), query: false, graded: false })
            }
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
            // Refused by the primary, as a rule; the protocol that would follow is not served.
            Command::Clone | Command::GroupReplicationStream if !self.is_mariadb() => {
                self.plan_replication(ReplyKind::Simple)
            }
            Command::Clone | Command::GroupReplicationStream | Command::Unknown(_) => self.not_served(&raw.payload),
        }
    }

    /// The statement that a client names: MariaDB's may say -1 for the one prepared last.
    pub(super) fn statement(&self, id: u32) -> ClientStatementId {
        let last = self.statements.last().filter(|_| id == LAST_PREPARED && self.is_mariadb());
        last.unwrap_or(ClientStatementId(id))
    }

    /// Without a NUL behind the table's name MariaDB (10.11) takes what happens to stand in its memory for the wildcard.
    fn plan_field_list(&self, payload: &[u8], name: &[u8]) -> Plan {
        let mut plan = self.plan_command(RouteReason::Command, Some(ReplyKind::FieldList));
        if let Plan::Run(job) = &mut plan
            && self.is_mariadb()
            && !name.contains(&0)
        {
            job.text = Some([payload, b"\0"].concat().into());
        }
        plan
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
            _ => return unknown_command(),
        };
        // The next statement's preamble tells its connection.
        Arc::make_mut(&mut self.settings).multi_statements = on;
        Plan::Answer(Answer::Eof(self.conditions()))
    }
}
