//! Which statements a server was asked, by its own general log.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::PoisonError;

use super::error::SandboxError;
use super::server::SandboxServer;

/// One entry of a general log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCommand {
    /// The server's number of the connection.
    pub connection: u64,
    /// `Query`, `Prepare`, `Execute`, `Connect`, `Quit`, ...
    pub command: String,
    /// The statement, with all its lines.
    pub text: String,
}

impl SandboxServer {
    /// How many statements that contain `containing` ran here since the start or the last
    /// [`forget_queries`](Self::forget_queries): as a query or as an execution of a prepared statement (PREPARE itself
    /// is not counted). Needs `general_log` in the options. Replicated DDL counts too, replicated rows do not.
    pub fn queries_seen(&self, containing: &str) -> Result<usize, SandboxError> {
        let counts = |entry: &&LoggedCommand| {
            matches!(entry.command.as_str(), "Query" | "Execute") && entry.text.contains(containing)
        };
        Ok(self.commands_seen()?.iter().filter(counts).count())
    }

    /// All commands since the start or the last [`forget_queries`](Self::forget_queries).
    pub fn commands_seen(&self) -> Result<Vec<LoggedCommand>, SandboxError> {
        let path = self.general_log();
        let forgotten = *self.log_forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        let mut file = fs::File::open(&path).map_err(SandboxError::io(&path))?;
        file.seek(SeekFrom::Start(forgotten)).map_err(SandboxError::io(&path))?;
        file.read_to_end(&mut bytes).map_err(SandboxError::io(&path))?;
        Ok(parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Forgets what was logged until now.
    pub fn forget_queries(&self) -> Result<(), SandboxError> {
        let path = self.general_log();
        let length = fs::metadata(&path).map_err(SandboxError::io(&path))?.len();
        *self.log_forgotten.lock().unwrap_or_else(PoisonError::into_inner) = length;
        Ok(())
    }
}

/// Reads a general log in the format of either family. A line that begins no entry belongs to the one before.
fn parse(log: &str) -> Vec<LoggedCommand> {
    let mut entries: Vec<LoggedCommand> = Vec::new();
    for line in log.lines() {
        if let Some(entry) = begin(line) {
            entries.push(entry);
        } else if let Some(last) = entries.last_mut() {
            last.text.push('\n');
            last.text.push_str(line);
        }
    }
    entries
}

/// `TIME\t  NUMBER COMMAND\tTEXT`; MariaDB leaves TIME out when it is that of the entry before, with one tab more.
fn begin(line: &str) -> Option<LoggedCommand> {
    let (time, rest) = line.split_once('\t')?;
    let dated = time.starts_with(|c: char| c.is_ascii_digit());
    let rest = if dated { rest } else { rest.strip_prefix('\t').filter(|_| time.is_empty())? };
    let (head, text) = rest.split_once('\t').unwrap_or((rest, ""));
    let (number, command) = head.trim_start().split_once(' ')?;
    let known = command.starts_with(|c: char| c.is_ascii_uppercase())
        && command.chars().all(|c| c.is_ascii_alphabetic() || c == ' ');
    if !known {
        return None;
    }
    Some(LoggedCommand {
        connection: number.parse().ok()?,
        command: command.trim_end().to_owned(),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_logs_are_read() {
        let log = "/usr/sbin/mariadbd, Version: 10.11 (x). started with:\nTcp port: 1  Unix socket: /s\n\
                   Time\t\t    Id Command\tArgument\n\
                   251124  0:52:43\t     3 Connect\tapp@127.0.0.1 on app using TCP/IP\n\
                   \t\t     3 Query\tSELECT 1\n  FROM t\n\
                   \t\t     4 Execute\tSELECT 2\n\
                   2025-11-24T00:52:43.123456Z\t    5 Quit\t\n";
        let entries = parse(log);
        let seen: Vec<_> = entries.iter().map(|e| (e.connection, e.command.as_str(), e.text.as_str())).collect();
        assert_eq!(
            seen,
            [
                (3, "Connect", "app@127.0.0.1 on app using TCP/IP"),
                (3, "Query", "SELECT 1\n  FROM t"),
                (4, "Execute", "SELECT 2"),
                (5, "Quit", ""),
            ]
        );
    }
}
