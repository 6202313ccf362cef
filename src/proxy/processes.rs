//! The proxy's clients as SHOW PROCESSLIST shows them. The columns are the server's; what they hold is told here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::clients::ClientHandle;
use super::shared::Shared;
use crate::clock;
use crate::cluster::ServerId;
use crate::wire::command::code;
use crate::wire::rows::Cell;

/// Without FULL so many characters of a statement are shown (`PROCESS_LIST_INFO_WIDTH` of `sql_show.cc`).
const SHOWN: usize = 100;

/// The clients that `asking` may see, by id. `whole`: their statements are not cut.
pub(super) async fn list(shared: &Arc<Shared>, asking: &ClientHandle, whole: bool) -> Vec<Vec<Cell>> {
    let all = shared.grants.of(shared, asking).await.is_some_and(|grants| grants.sees_all);
    let user = asking.user();
    let mut clients = shared.clients.all();
    clients.retain(|client| all || client.user() == user);
    clients.sort_unstable_by_key(|client| client.id);
    clients.iter().map(|client| row(shared, client, whole)).collect()
}

fn row(shared: &Shared, client: &ClientHandle, whole: bool) -> Vec<Cell> {
    let activity = client.activity();
    let user = client.user();
    let name =
        |server: ServerId| shared.pools.server(server).map_or_else(|| "?".into(), |server| server.name().clone());
    let now = clock::now().saturating_duration_since(shared.started);
    let seconds = now.saturating_sub(Duration::from_millis(activity.since)).as_secs();
    let known = client.account().is_some();
    let state = match (activity.command, client.waiting(), client.running(), client.bound()) {
        (None, ..) if !known => "login".to_owned(),
        (None, _, _, Some((server, cause))) => format!("holds a connection to {} ({})", name(server), cause.as_str()),
        (None, ..) => String::new(),
        (_, Some(server), ..) => format!("waiting for a connection to {}", name(server)),
        (_, _, Some((server, _)), _) => format!("running on {}", name(server)),
        _ => "starting".to_owned(),
    };
    let command = match activity.command {
        None if !known => "Connect",
        None => "Sleep",
        Some(command) => command_name(command),
    };
    let text = |text: String| Cell::Text(Bytes::from(text));
    vec![
        Cell::Long(u64::from(client.id)),
        if known { text(user.to_string()) } else { Cell::Text(Bytes::from_static(b"unauthenticated user")) },
        text(client.address().to_string()),
        activity.schema.map_or(Cell::Null, |schema| Cell::Text(Bytes::from(schema))),
        text(command.to_owned()),
        Cell::Int(i32::try_from(seconds).unwrap_or(i32::MAX)),
        text(state),
        if activity.statement.is_empty() { Cell::Null } else { Cell::Text(shown(&activity.statement, whole)) },
        // MariaDB's Progress.
        Cell::Double(0.0),
    ]
}

/// A statement's text, cut between characters where that can be told.
fn shown(statement: &Bytes, whole: bool) -> Bytes {
    if whole {
        return statement.clone();
    }
    let end = match std::str::from_utf8(statement) {
        Ok(text) => text.char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| at),
        Err(_) => statement.len().min(SHOWN),
    };
    statement.slice(..end)
}

/// A command as servers name it there.
fn command_name(command: u8) -> &'static str {
    match command {
        code::QUIT => "Quit",
        code::INIT_DB => "Init DB",
        code::QUERY => "Query",
        code::FIELD_LIST => "Field List",
        code::STATISTICS => "Statistics",
        0x0A => "Processlist",
        code::PROCESS_KILL => "Kill",
        code::DEBUG => "Debug",
        code::PING => "Ping",
        code::CHANGE_USER => "Change user",
        0x12 | 0x1E => "Binlog Dump",
        0x13 => "Table Dump",
        0x15 => "Register Slave",
        code::STMT_PREPARE => "Prepare",
        code::STMT_EXECUTE | code::STMT_BULK_EXECUTE => "Execute",
        code::STMT_SEND_LONG_DATA => "Long Data",
        code::STMT_CLOSE => "Close stmt",
        code::STMT_RESET => "Reset stmt",
        code::SET_OPTION => "Set option",
        code::STMT_FETCH => "Fetch",
        code::RESET_CONNECTION => "Reset connection",
        _ => "Daemon",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_between_characters() {
        let text = Bytes::from("ä".repeat(150));
        assert_eq!(shown(&text, false).len(), 200);
        assert_eq!(shown(&text, true), text);
        assert_eq!(shown(&Bytes::from(vec![0xE4; 150]), false).len(), 100);
        assert_eq!(shown(&Bytes::from_static(b"SELECT 1"), false), "SELECT 1");
    }
}
