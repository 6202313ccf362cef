//! Commands of clients, borrowed from their packet.
//! [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html).

use super::attributes::behind_attributes;
use super::reader::Reader;
use super::{Capabilities, ProtocolError};

/// First bytes of commands.
pub mod code {
    #![expect(missing_docs, reason = "the names are those of the protocol pages")]
    pub const SLEEP: u8 = 0x00;
    pub const QUIT: u8 = 0x01;
    pub const INIT_DB: u8 = 0x02;
    pub const QUERY: u8 = 0x03;
    pub const FIELD_LIST: u8 = 0x04;
    pub const REFRESH: u8 = 0x07;
    pub const SHUTDOWN: u8 = 0x08;
    pub const STATISTICS: u8 = 0x09;
    pub const PROCESS_INFO: u8 = 0x0A;
    pub const PROCESS_KILL: u8 = 0x0C;
    pub const DEBUG: u8 = 0x0D;
    pub const PING: u8 = 0x0E;
    pub const CHANGE_USER: u8 = 0x11;
    pub const BINLOG_DUMP: u8 = 0x12;
    pub const REGISTER_SLAVE: u8 = 0x15;
    pub const STMT_PREPARE: u8 = 0x16;
    pub const STMT_EXECUTE: u8 = 0x17;
    pub const STMT_SEND_LONG_DATA: u8 = 0x18;
    pub const STMT_CLOSE: u8 = 0x19;
    pub const STMT_RESET: u8 = 0x1A;
    pub const SET_OPTION: u8 = 0x1B;
    pub const STMT_FETCH: u8 = 0x1C;
    pub const BINLOG_DUMP_GTID: u8 = 0x1E;
    pub const RESET_CONNECTION: u8 = 0x1F;
    pub const CLONE: u8 = 0x20;
    pub const SUBSCRIBE_GROUP_REPLICATION_STREAM: u8 = 0x21;
    pub const STMT_BULK_EXECUTE: u8 = 0xFA;
}

/// What stands in front of a query's text, on a connection where `agreed` was agreed: the command's code, and that there
/// are no attributes.
#[must_use]
pub const fn query_head(agreed: Capabilities) -> &'static [u8] {
    if agreed.contains(Capabilities::QUERY_ATTRIBUTES) { &[code::QUERY, 0, 1] } else { &[code::QUERY] }
}

/// A command of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Ends the connection; no reply.
    Quit,
    /// Changes the schema.
    InitDb(&'a [u8]),
    /// Runs a statement's text; attributes may stand before it in the packet.
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
        /// Cursor flags, and that the count of parameters is sent.
        flags: u8,
    },
    /// MariaDB: runs a prepared statement for several rows of parameters.
    StmtBulkExecute {
        /// The client's id of the statement.
        statement: u32,
        /// That types are sent, that results of each row are wanted.
        flags: u16,
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
    /// FLUSH by a byte of flags; MySQL 9 does not know it.
    Refresh,
    /// Ends the server; MySQL 9 does not know it.
    Shutdown,
    /// The list of connections; MySQL 9 does not know it.
    ProcessInfo,
    /// Has the server write its state into its log.
    Debug,
    /// A replica tells who it is.
    RegisterReplica,
    /// Asks for the binary log, by position or by GTID: from here on the connection carries nothing else.
    BinlogDump,
    /// MySQL: copies the server's data; another protocol follows.
    Clone,
    /// MySQL: a member of a group takes the connection for its own protocol.
    GroupReplicationStream,
    /// A command that servers do not know (any more); its code.
    Unknown(u8),
}

impl<'a> Command<'a> {
    /// Reads a command's payload, from a client with which `agreed` was agreed.
    ///
    /// # Errors
    /// When a field of it is cut off. An empty one is COM_SLEEP, as servers have it.
    pub fn parse(payload: &'a [u8], agreed: Capabilities) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("command", payload);
        Ok(match reader.u8().unwrap_or(code::SLEEP) {
            code::QUIT => Self::Quit,
            code::INIT_DB => Self::InitDb(reader.take_rest()),
            code::QUERY if agreed.contains(Capabilities::QUERY_ATTRIBUTES) => Self::Query(behind_attributes(reader)?),
            code::QUERY => Self::Query(reader.take_rest()),
            code::FIELD_LIST => Self::FieldList(reader.take_rest()),
            code::STATISTICS => Self::Statistics,
            code::PROCESS_KILL => Self::ProcessKill(reader.u32()?),
            code::PING => Self::Ping,
            code::CHANGE_USER => Self::ChangeUser(reader.take_rest()),
            code::STMT_PREPARE => Self::StmtPrepare(reader.take_rest()),
            code::STMT_EXECUTE => {
                let (statement, flags) = (reader.u32()?, reader.u8()?);
                // How often: 1.
                reader.u32()?;
                Self::StmtExecute { statement, flags }
            }
            code::STMT_SEND_LONG_DATA => {
                let statement = reader.u32()?;
                // The parameter's number.
                reader.u16()?;
                Self::StmtSendLongData { statement }
            }
            code::STMT_CLOSE => Self::StmtClose { statement: reader.u32()? },
            code::STMT_RESET => Self::StmtReset { statement: reader.u32()? },
            code::SET_OPTION => Self::SetOption(reader.u16()?),
            code::STMT_FETCH => {
                let statement = reader.u32()?;
                // How many rows.
                reader.u32()?;
                Self::StmtFetch { statement }
            }
            code::RESET_CONNECTION => Self::ResetConnection,
            code::STMT_BULK_EXECUTE if agreed.contains(Capabilities::STMT_BULK_OPERATIONS) => {
                Self::StmtBulkExecute { statement: reader.u32()?, flags: reader.u16()? }
            }
            code::REFRESH => Self::Refresh,
            code::SHUTDOWN => Self::Shutdown,
            code::PROCESS_INFO => Self::ProcessInfo,
            code::DEBUG => Self::Debug,
            code::REGISTER_SLAVE => Self::RegisterReplica,
            code::BINLOG_DUMP | code::BINLOG_DUMP_GTID => Self::BinlogDump,
            code::CLONE => Self::Clone,
            code::SUBSCRIBE_GROUP_REPLICATION_STREAM => Self::GroupReplicationStream,
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
            Self::StmtBulkExecute { .. } => "COM_STMT_BULK_EXECUTE",
            Self::Refresh => "COM_REFRESH",
            Self::Shutdown => "COM_SHUTDOWN",
            Self::ProcessInfo => "COM_PROCESS_INFO",
            Self::Debug => "COM_DEBUG",
            Self::RegisterReplica => "COM_REGISTER_SLAVE",
            Self::BinlogDump => "COM_BINLOG_DUMP",
            Self::Clone => "COM_CLONE",
            Self::GroupReplicationStream => "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM",
            Self::Unknown(_) => "unknown command",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Capabilities = Capabilities::PROTOCOL_41;

    #[test]
    fn truncated_commands_are_errors() {
        assert_eq!(Command::parse(b"", NONE), Ok(Command::Unknown(0)));
        assert!(Command::parse(b"\x17\x01\x00\x00\x00", NONE).is_err());
        assert!(Command::parse(b"\x19\x01", NONE).is_err());
        assert!(Command::parse(b"\x18\x01\x00\x00\x00\x00", NONE).is_err());
        assert!(Command::parse(b"\x1c\x01\x00\x00\x00\x00", NONE).is_err());
        assert_eq!(Command::parse(b"\x03SELECT 1", NONE), Ok(Command::Query(b"SELECT 1")));
        assert_eq!(Command::parse(b"\x99", NONE), Ok(Command::Unknown(0x99)));
        assert_eq!(
            Command::parse(b"\x17\x02\x00\x00\x00\x01\x01\x00\x00\x00", NONE),
            Ok(Command::StmtExecute { statement: 2, flags: 1 })
        );
    }

    #[test]
    fn what_was_not_agreed_on_is_not_known() {
        let bulk = b"\xfa\x02\x00\x00\x00\x00\x00";
        assert_eq!(Command::parse(bulk, NONE), Ok(Command::Unknown(0xFA)));
        let agreed = Capabilities::STMT_BULK_OPERATIONS | Capabilities::QUERY_ATTRIBUTES;
        assert_eq!(Command::parse(bulk, agreed), Ok(Command::StmtBulkExecute { statement: 2, flags: 0 }));
        assert_eq!(Command::parse(b"\x03\x00\x01SELECT 1", agreed), Ok(Command::Query(b"SELECT 1")));
        assert!(Command::parse(b"\x03SELECT 1", agreed).is_err());
    }
}
