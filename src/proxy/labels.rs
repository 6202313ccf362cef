//! What jobs and commands are called in metrics.

use crate::session::Job;
use crate::telemetry::{Command as CommandLabel, Kind};
use crate::wire::inbox::RawCommand;
use crate::wire::{Capabilities, Command};

/// A job's label.
pub(super) fn kind_label(job: &Job, command: &RawCommand, agreed: Capabilities) -> Kind {
    if let Some(kind) = job.kind() {
        return Kind::Statement(kind);
    }
    Kind::Command(Command::parse(&command.payload, agreed).map_or(CommandLabel::Other, command_label))
}

/// A command's label in metrics.
pub(super) fn command_label(command: Command<'_>) -> CommandLabel {
    match command {
        Command::Ping => CommandLabel::Ping,
        Command::InitDb(_) => CommandLabel::InitDb,
        Command::FieldList(_) => CommandLabel::FieldList,
        Command::StmtPrepare(_) => CommandLabel::StmtPrepare,
        Command::StmtClose { .. } => CommandLabel::StmtClose,
        Command::StmtReset { .. } => CommandLabel::StmtReset,
        Command::StmtFetch { .. } => CommandLabel::StmtFetch,
        Command::StmtSendLongData { .. } => CommandLabel::StmtLongData,
        Command::SetOption(_) => CommandLabel::SetOption,
        Command::ResetConnection => CommandLabel::ResetConnection,
        Command::ChangeUser(_) => CommandLabel::ChangeUser,
        Command::Statistics => CommandLabel::Statistics,
        Command::ProcessKill(_) => CommandLabel::ProcessKill,
        Command::Quit => CommandLabel::Quit,
        Command::BinlogDump => CommandLabel::BinlogDump,
        Command::RegisterReplica => CommandLabel::RegisterSlave,
        Command::Refresh => CommandLabel::Refresh,
        Command::ProcessInfo => CommandLabel::ProcessInfo,
        Command::Debug => CommandLabel::Debug,
        Command::Shutdown => CommandLabel::Shutdown,
        Command::Query(_)
        | Command::StmtExecute { .. }
        | Command::StmtBulkExecute { .. }
        | Command::Clone
        | Command::GroupReplicationStream
        | Command::Unknown(_) => CommandLabel::Other,
    }
}
