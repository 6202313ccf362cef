//! Commands that are cut off or that nobody serves: the words of the family of servers that the client takes the proxy for.

use super::{Answer, Found, IdleEnd, Plan, Session};
use crate::cluster::{Flavor, version_numbers};
use crate::wire::command::code;
use crate::wire::statement::ClientStatementId;
use crate::wire::{Capabilities, Command, ErrPacket};

/// What is told by the version of the primary's greeting, which is known before any connection is the session's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServerVersion {
    mariadb: bool,
    /// MySQL before 9, which still has COM_PROCESS_KILL.
    old: bool,
    pub(super) idle_end: IdleEnd,
}

impl Session {
    /// Tells it the primary's version, as clients are greeted with it.
    pub fn greet(&mut self, version: &str) {
        let mariadb = Flavor::from_version(version) == Flavor::MariaDb;
        let [major, ..] = version_numbers(version);
        let old = !mariadb && (1..9).contains(&major);
        self.server = ServerVersion { mariadb, old, idle_end: IdleEnd::of(version) };
        // MariaDB (10.11) counts what a login with a schema reports.
        let reports = self.capabilities.contains(Capabilities::SESSION_TRACK);
        if mariadb && reports && self.settings.schema.as_ref().is_some_and(|schema| !schema.is_empty()) {
            self.found = Found::Rows(1);
        }
    }

    pub(super) fn is_mariadb(&self) -> bool {
        self.base.as_ref().map_or(self.server.mariadb, |base| base.mariadb)
    }

    /// Whether COM_PROCESS_KILL is known.
    pub(super) fn knows_process_kill(&self) -> bool {
        self.is_mariadb() || self.server.old
    }

    /// A command that is cut off: MySQL says so, also where there is no reply as a rule. MariaDB says so for some, answers
    /// nothing where there is no reply, and takes what follows for NULs, mostly: it reads there what was never sent.
    pub(super) fn cut_off(&self, payload: &[u8]) -> Result<Command<'static>, Box<Plan>> {
        let Some((&first, rest)) = payload.split_first() else { return Err(Box::new(self.malformed())) };
        let mut id = [0; 4];
        id.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let id = u32::from_le_bytes(id);
        let unknown = |command| self.unknown_statement(ClientStatementId(id), command);
        Err(Box::new(match first {
            code::PROCESS_KILL if self.knows_process_kill() => return Ok(Command::ProcessKill(id)),
            code::PROCESS_KILL => unknown_command(),
            _ if !self.is_mariadb() => self.malformed(),
            code::STMT_CLOSE | code::STMT_SEND_LONG_DATA => Plan::Answer(Answer::Nothing),
            code::SET_OPTION => return Ok(Command::SetOption(u16::try_from(id).unwrap_or(u16::MAX))),
            // Only the count of rows was cut.
            code::STMT_FETCH if rest.len() >= 4 => return Ok(Command::StmtFetch { statement: id }),
            code::STMT_FETCH => unknown("mysqld_stmt_fetch"),
            code::STMT_RESET => unknown("mysqld_stmt_reset"),
            _ => self.malformed(),
        }))
    }

    /// What servers say to a command that is cut off.
    pub(super) fn malformed(&self) -> Plan {
        let stop = if self.is_mariadb() { "" } else { "." };
        Plan::Refuse(ErrPacket::new(1835, b"HY000", &format!("Malformed communication packet{stop}")))
    }

    /// A command that was not agreed on, or that there is not.
    pub(super) fn not_served(&self, payload: &[u8]) -> Plan {
        match payload.first() {
            // The code, the statement's id, flags.
            Some(&code::STMT_BULK_EXECUTE) if self.is_mariadb() && payload.len() < 7 => self.malformed(),
            Some(&code::STMT_BULK_EXECUTE) if self.is_mariadb() => unsupported(),
            _ => unknown_command(),
        }
    }
}

/// The servers' own words (MariaDB 10.11, MySQL 9.7).
pub(super) fn unknown_command() -> Plan {
    Plan::Refuse(ErrPacket::new(1047, b"08S01", "Unknown command"))
}

/// MariaDB's words for a bulk execute that it does not do.
pub(super) fn unsupported() -> Plan {
    let text = "This command is not supported in the prepared statement protocol yet";
    Plan::Refuse(ErrPacket::new(1295, b"HY000", text))
}
