//! Commands of clients, borrowed from their packet.
//! [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html).

use super::ProtocolError;
use super::reader::Reader;

/// First bytes of commands.
pub mod code {
    #![expect(missing_docs, reason = "the names are those of the protocol pages")]
    pub const SLEEP: u8 = 0x00;
    pub const QUIT: u8 = 0x01;
    pub const INIT_DB: u8 = 0x02;
    pub const QUERY: u8 = 0x03;
    pub const FIELD_LIST: u8 = 0x04;
    pub const STATISTICS: u8 = 0x09;
    pub const PROCESS_KILL: u8 = 0x0C;
    pub const DEBUG: u8 = 0x0D;
    pub const PING: u8 = 0x0E;
    pub const CHANGE_USER: u8 = 0x11;
    pub const STMT_PREPARE: u8 = 0x16;
    pub const STMT_EXECUTE: u8 = 0x17;
    pub const STMT_SEND_LONG_DATA: u8 = 0x18;
    pub const STMT_CLOSE: u8 = 0x19;
    pub const STMT_RESET: u8 = 0x1A;
    pub const SET_OPTION: u8 = 0x1B;
    pub const STMT_FETCH: u8 = 0x1C;
    pub const RESET_CONNECTION: u8 = 0x1F;
}

/// A command of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Ends the connection; no reply.
    Quit,
    /// Changes the schema.
    InitDb(&'a [u8]),
    /// Runs a statement's text.
    Query(&'a [u8]),
    /// The columns of a table.
    FieldList(&'a [u8]),
    /// A line of server statistics.
    Statistics,
    /// Kills the connection with this id.
    ProcessKill(u32),
    /// Asks whether the connection lives.
    Ping,
    /// Logs in anew as another user.
    ChangeUser(&'a [u8]),
    /// Prepares a statement's text.
    StmtPrepare(&'a [u8]),
    /// Runs a prepared statement.
    StmtExecute {
        /// The client's id of the statement.
        statement: u32,
        /// Cursor flags.
        flags: u8,
    },
    /// A piece of a parameter; no reply.
    StmtSendLongData {
        /// The client's id of the statement.
        statement: u32,
    },
    /// Forgets a prepared statement; no reply.
    StmtClose {
        /// The client's id of the statement.
        statement: u32,
    },
    /// Forgets a statement's long data and cursor.
    StmtReset {
        /// The client's id of the statement.
        statement: u32,
    },
    /// Turns multi-statements on (0) or off (1).
    SetOption(u16),
    /// Fetches rows of a cursor.
    StmtFetch {
        /// The client's id of the statement.
        statement: u32,
    },
    /// Resets the session without a new login.
    ResetConnection,
    /// A command that pointsman does not know or does not serve; its code.
    Unknown(u8),
}

impl<'a> Command<'a> {
    /// Reads a command's payload.
    ///
    /// # Errors
    /// When a field of it is cut off. An empty one is COM_SLEEP, as servers have it.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("command", payload);
        Ok(match reader.u8().unwrap_or(code::SLEEP) {
            code::QUIT => Self::Quit,
            code::INIT_DB => Self::InitDb(reader.take_rest()),
            code::QUERY => Self::Query(reader.take_rest()),
            code::FIELD_LIST => Self::FieldList(reader.take_rest()),
            code::STATISTICS => Self::Statistics,
            code::PROCESS_KILL => Self::ProcessKill(reader.u32()?),
            code::PING => Self::Ping,
            code::CHANGE_USER => Self::ChangeUser(reader.take_rest()),
            code::STMT_PREPARE => Self::StmtPrepare(reader.take_rest()),
            code::STMT_EXECUTE => Self::StmtExecute { statement: reader.u32()?, flags: reader.u8()? },
            code::STMT_SEND_LONG_DATA => Self::StmtSendLongData { statement: reader.u32()? },
            code::STMT_CLOSE => Self::StmtClose { statement: reader.u32()? },
            code::STMT_RESET => Self::StmtReset { statement: reader.u32()? },
            code::SET_OPTION => Self::SetOption(reader.u16()?),
            code::STMT_FETCH => Self::StmtFetch { statement: reader.u32()? },
            code::RESET_CONNECTION => Self::ResetConnection,
            other => Self::Unknown(other),
        })
    }

    /// The command's name in the protocol pages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Quit => "COM_QUIT",
            Self::InitDb(_) => "COM_INIT_DB",
            Self::Query(_) => "COM_QUERY",
            Self::FieldList(_) => "COM_FIELD_LIST",
            Self::Statistics => "COM_STATISTICS",
            Self::ProcessKill(_) => "COM_PROCESS_KILL",
            Self::Ping => "COM_PING",
            Self::ChangeUser(_) => "COM_CHANGE_USER",
            Self::StmtPrepare(_) => "COM_STMT_PREPARE",
            Self::StmtExecute { .. } => "COM_STMT_EXECUTE",
            Self::StmtSendLongData { .. } => "COM_STMT_SEND_LONG_DATA",
            Self::StmtClose { .. } => "COM_STMT_CLOSE",
            Self::StmtReset { .. } => "COM_STMT_RESET",
            Self::SetOption(_) => "COM_SET_OPTION",
            Self::StmtFetch { .. } => "COM_STMT_FETCH",
            Self::ResetConnection => "COM_RESET_CONNECTION",
            Self::Unknown(_) => "unknown command",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_commands_are_errors() {
        assert_eq!(Command::parse(b""), Ok(Command::Unknown(0)));
        assert!(Command::parse(b"\x17\x01\x00\x00\x00").is_err());
        assert!(Command::parse(b"\x19\x01").is_err());
        assert_eq!(Command::parse(b"\x03SELECT 1"), Ok(Command::Query(b"SELECT 1")));
        assert_eq!(Command::parse(b"\x99"), Ok(Command::Unknown(0x99)));
        assert_eq!(
            Command::parse(b"\x17\x02\x00\x00\x00\x01\x01\x00\x00\x00"),
            Ok(Command::StmtExecute { statement: 2, flags: 1 })
        );
    }
}
