//! [ERR packet](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html).

use bytes::{BufMut as _, BytesMut};

use super::reader::Reader;
use super::writer::put_with;
use super::{Capabilities, ProtocolError};

/// `ER_NET_PACKET_TOO_LARGE`: a command is longer than `max_allowed_packet`, and the server closes the connection.
pub const PACKET_TOO_LARGE: u16 = 1153;

/// An ERR packet's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket {
    /// The error number.
    pub code: u16,
    /// Five characters.
    pub sql_state: [u8; 5],
    /// What went wrong, for people.
    pub message: Box<str>,
}

impl ErrPacket {
    /// An error. `message` is cut at 512 bytes, as servers do (MYSQL_ERRMSG_SIZE).
    #[must_use]
    pub fn new(code: u16, sql_state: &[u8; 5], message: &str) -> Self {
        let mut end = message.len().min(511);
        while !message.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        Self { code, sql_state: *sql_state, message: message.get(..end).unwrap_or_default().into() }
    }

    /// Reads a payload that begins with `0xFF`. During the handshake a server may leave the SQLSTATE out.
    ///
    /// # Errors
    /// When the packet is cut off.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("ERR", payload);
        reader.u8()?;
        let code = reader.u16()?;
        let rest = reader.rest();
        let (sql_state, message) = match rest.split_first() {
            Some((b'#', tail)) => match tail.split_first_chunk::<5>() {
                Some((state, message)) => (*state, message),
                None => return Err(reader.truncated()),
            },
            _ => (*b"HY000", rest),
        };
        Ok(Self { code, sql_state, message: String::from_utf8_lossy(message).into() })
    }

    /// Appends it as a packet for a client with these capabilities (none yet known: no SQLSTATE).
    pub fn encode(&self, out: &mut BytesMut, sequence: u8, capabilities: Capabilities) {
        put_with(out, sequence, |out| {
            out.put_u8(0xFF);
            out.put_u16_le(self.code);
            if capabilities.contains(Capabilities::PROTOCOL_41) {
                out.put_u8(b'#');
                out.put_slice(&self.sql_state);
            }
            out.put_slice(self.message.as_bytes());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_truncation() {
        let error = ErrPacket::new(1045, b"28000", "Access denied");
        let mut out = BytesMut::new();
        error.encode(&mut out, 2, Capabilities::PROTOCOL_41);
        assert_eq!(ErrPacket::parse(&out[4..]), Ok(error));
        assert!(ErrPacket::parse(&out[4..9]).is_err());
        assert!(ErrPacket::parse(&[0xFF, 1]).is_err());
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let error = ErrPacket::new(1, b"HY000", &"ä".repeat(400));
        assert!(error.message.len() <= 511);
    }
}
