//! MySQL packets as bytes. No I/O, no clock; nothing here panics on what a peer sends.
//!
//! | packet | file | pages |
//! | --- | --- | --- |
//! | framing | `header`, `inbox`, `writer` | [MySQL: packets](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html), [MariaDB: 0-packet](https://mariadb.com/kb/en/0-packet/) |
//! | greeting, login, switch | `handshake`, `auth` | [MySQL: connection phase](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html) |
//! | before all: the client's address | `proxy_protocol` | [HAProxy: PROXY protocol](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt) |
//! | commands | `command`, `attributes`, `statement` | [MySQL: command phase](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html) |
//! | OK, EOF, ERR | `ok`, `err` | [OK](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html), [ERR](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html) |
//! | session tracking | `session_track` | [MySQL: session state](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#sect_protocol_basic_ok_packet_sessinfo) |
//! | a whole reply | `reply` | [MySQL: text result set](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html) |
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

pub mod attributes;
pub mod auth;
pub mod capabilities;
pub mod command;
pub mod compression;
pub mod err;
pub mod error;
pub mod handshake;
pub mod header;
pub mod inbox;
pub mod ok;
pub mod proxy_protocol;
pub mod reader;
pub mod reply;
pub mod rows;
pub mod session_track;
pub mod statement;
pub mod status;
pub mod writer;

pub use capabilities::{Capabilities, Status};
pub use command::Command;
pub use err::ErrPacket;
pub use error::ProtocolError;
pub use header::{HEADER_LEN, MAX_PAYLOAD, PacketHeader};
pub use inbox::Inbox;
pub use ok::OkPacket;
pub use reader::Reader;
pub use reply::{Outcome, Progress, ReplyKind, ReplyTracker};
pub use session_track::{SessionTrack, TrackFilter};
