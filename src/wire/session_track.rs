//! Session state changes in OK packets: what the server says that the session now is.
//! [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#sect_protocol_basic_ok_packet_sessinfo).

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};

use super::ProtocolError;
use super::reader::Reader;
use super::writer::{put_lenenc, put_lenenc_bytes};

const SYSTEM_VARIABLES: u8 = 0;
const SCHEMA: u8 = 1;
const STATE_CHANGE: u8 = 2;
const GTIDS: u8 = 3;
const TRANSACTION_CHARACTERISTICS: u8 = 4;
const TRANSACTION_STATE: u8 = 5;

/// At most so many variables of one reply are kept; a server's session has some 600.
const MAX_VARIABLES: usize = 1024;

/// What a reply's OK packets said of the session. Later packets of one reply override earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionTrack {
    /// The schema, when it changed. Empty: none.
    pub schema: Option<Box<[u8]>>,
    /// System variables that were set, in order.
    pub variables: Vec<(Box<str>, Box<[u8]>)>,
    /// Some session state changed: a variable, a user variable, a temporary table, a prepared statement, the schema.
    pub state_changed: bool,
    /// The GTID of the write (MySQL: `session_track_gtids`; MariaDB: the variable `last_gtid`).
    pub gtid: Option<Box<[u8]>>,
}

impl SessionTrack {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.schema.is_none() && self.variables.is_empty() && !self.state_changed && self.gtid.is_none()
    }

    /// Adds what the state info of one OK packet says.
    ///
    /// # Errors
    /// When it is cut off or malformed.
    pub fn absorb(&mut self, info: &[u8]) -> Result<(), ProtocolError> {
        let mut reader = Reader::new("session state", info);
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let mut data = Reader::new("session state", reader.lenenc_bytes()?);
            match kind {
                SYSTEM_VARIABLES => {
                    // MySQL puts several pairs into one block at times; MariaDB always one.
                    while !data.is_empty() {
                        let name = String::from_utf8_lossy(data.lenenc_bytes()?).to_ascii_lowercase();
                        let value = data.lenenc_bytes()?;
                        if name == "last_gtid" {
                            self.gtid = Some(value.into());
                        } else if self.variables.len() < MAX_VARIABLES {
                            self.variables.push((name.into(), value.into()));
                        }
                    }
                }
                SCHEMA => self.schema = Some(data.lenenc_bytes()?.into()),
                // One character, without a length of its own (MariaDB 10.11, MySQL 9.7), though the pages show one.
                STATE_CHANGE => self.state_changed |= data.take_rest().ends_with(b"1"),
                GTIDS => {
                    data.u8()?;
                    self.gtid = Some(data.lenenc_bytes()?.into());
                }
                // Status flags already tell what these two do; others are of the future.
                TRANSACTION_CHARACTERISTICS | TRANSACTION_STATE => {}
                _ => {}
            }
        }
        Ok(())
    }
}

/// The state info of an OK packet that reports this schema.
#[must_use]
pub fn schema_change(schema: &[u8]) -> BytesMut {
    let (mut data, mut out) = (BytesMut::new(), BytesMut::new());
    put_lenenc_bytes(&mut data, schema);
    out.put_u8(SCHEMA);
    put_lenenc_bytes(&mut out, &data);
    out
}

/// Which session state changes a client gets to see: those that it would get from the server directly, not those that
/// the proxy asked for besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackFilter {
    /// The client's `session_track_schema`.
    pub schema: bool,
    /// The client's `session_track_state_change`.
    pub state_change: bool,
    /// The client's `session_track_system_variables`, lower case; `*` for all.
    pub variables: Cow<'static, [Cow<'static, str>]>,
    /// The client's `session_track_transaction_info` is not OFF.
    pub transaction: bool,
    /// The client's `session_track_gtids` is not OFF.
    pub gtids: bool,
}

/// The servers' default of `session_track_system_variables`.
const DEFAULT_VARIABLES: [Cow<'static, str>; 5] = [
    Cow::Borrowed("autocommit"),
    Cow::Borrowed("character_set_client"),
    Cow::Borrowed("character_set_connection"),
    Cow::Borrowed("character_set_results"),
    Cow::Borrowed("time_zone"),
];

impl Default for TrackFilter {
    /// The servers' defaults (MariaDB 10.11 and MySQL 9: the same five variables and the schema).
    fn default() -> Self {
        Self {
            schema: true,
            state_change: false,
            variables: Cow::Borrowed(&DEFAULT_VARIABLES),
            transaction: false,
            gtids: false,
        }
    }
}

impl TrackFilter {
    /// Appends to `out` the part of `info` that the client may see.
    ///
    /// # Errors
    /// When `info` is cut off or malformed.
    pub fn apply(&self, info: &[u8], out: &mut BytesMut) -> Result<(), ProtocolError> {
        let mut reader = Reader::new("session state", info);
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let data = reader.lenenc_bytes()?;
            let shown = match kind {
                SYSTEM_VARIABLES => {
                    let mut kept = BytesMut::new();
                    let mut pairs = Reader::new("session state", data);
                    while !pairs.is_empty() {
                        let (name, value) = (pairs.lenenc_bytes()?, pairs.lenenc_bytes()?);
                        if self.shows(name) {
                            put_lenenc_bytes(&mut kept, name);
                            put_lenenc_bytes(&mut kept, value);
                        }
                    }
                    if !kept.is_empty() {
                        out.put_u8(kind);
                        put_lenenc_bytes(out, &kept);
                    }
                    false
                }
                SCHEMA => self.schema,
                STATE_CHANGE => self.state_change,
                GTIDS => self.gtids,
                // The proxy does not ask for them: they are there when the client asked, or when they always are. MySQL
                // 9.7 reports transaction states to whoever tracks anything at all.
                TRANSACTION_CHARACTERISTICS | TRANSACTION_STATE => self.tracks(),
                _ => true,
            };
            if shown {
                out.put_u8(kind);
                put_lenenc(out, data.len() as u64);
                out.put_slice(data);
            }
        }
        Ok(())
    }

    /// Whether the client asked for anything at all.
    fn tracks(&self) -> bool {
        self.schema || self.state_change || !self.variables.is_empty() || self.transaction || self.gtids
    }

    fn shows(&self, name: &[u8]) -> bool {
        self.variables.iter().any(|wanted| wanted == "*" || wanted.as_bytes().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> BytesMut {
        let mut pair = BytesMut::new();
        put_lenenc_bytes(&mut pair, name.as_bytes());
        put_lenenc_bytes(&mut pair, value.as_bytes());
        let mut out = BytesMut::new();
        out.put_u8(SYSTEM_VARIABLES);
        put_lenenc_bytes(&mut out, &pair);
        out
    }

    #[test]
    fn variables_and_state_are_read_and_filtered() {
        let mut info = variable("autocommit", "OFF");
        info.extend_from_slice(&variable("sql_mode", "ANSI"));
        info.extend_from_slice(&[STATE_CHANGE, 1, b'1']);
        info.extend_from_slice(&[SCHEMA, 4, 3, b'a', b'p', b'p']);
        let mut track = SessionTrack::default();
        track.absorb(&info).unwrap();
        assert_eq!(track.variables.len(), 2);
        assert!(track.state_changed);
        assert_eq!(track.schema.as_deref(), Some(&b"app"[..]));

        let mut shown = BytesMut::new();
        TrackFilter::default().apply(&info, &mut shown).unwrap();
        let mut expected = variable("autocommit", "OFF");
        expected.extend_from_slice(&[SCHEMA, 4, 3, b'a', b'p', b'p']);
        assert_eq!(shown, expected);
        for cut in 1..info.len() {
            let _ = SessionTrack::default().absorb(&info[..cut]);
        }
    }
}
