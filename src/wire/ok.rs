//! [OK](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html) and
//! [EOF](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_eof_packet.html) packets.

use bytes::{BufMut as _, BytesMut};

use super::reader::Reader;
use super::session_track::TrackFilter;
use super::writer::{put_lenenc, put_lenenc_bytes, put_with};
use super::{Capabilities, ProtocolError, Status};

/// An OK packet's content, or an EOF packet's (which has status and warnings only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OkPacket<'a> {
    /// Rows changed, or found.
    pub affected_rows: u64,
    /// The generated AUTO_INCREMENT value; not always what LAST_INSERT_ID() returns (an explicit value shows here only).
    pub last_insert_id: u64,
    /// Status flags.
    pub status: Status,
    /// The number of warnings.
    pub warnings: u16,
    /// The message for people.
    pub info: &'a [u8],
    /// Session state changes, as they stand in the packet; see [`super::SessionTrack`].
    pub state: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Reads an OK packet that came from a server with which SESSION_TRACK was (or was not) agreed.
    ///
    /// # Errors
    /// When it is cut off.
    pub fn parse(payload: &'a [u8], session_track: bool) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("OK", payload);
        reader.u8()?;
        let affected_rows = reader.lenenc()?;
        let last_insert_id = reader.lenenc()?;
        let status = Status(reader.u16()?);
        let warnings = reader.u16()?;
        let (info, state): (&[u8], &[u8]) = if reader.is_empty() {
            (&[], &[])
        } else {
            let info = reader.lenenc_bytes()?;
            let changed = session_track && status.contains(Status::SESSION_STATE_CHANGED) && !reader.is_empty();
            (info, if changed { reader.lenenc_bytes()? } else { &[] })
        };
        Ok(Self { affected_rows, last_insert_id, status, warnings, info, state })
    }

    /// Reads a classic EOF packet.
    ///
    /// # Errors
    /// When it is cut off.
    pub fn parse_eof(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("EOF", payload);
        reader.u8()?;
        let warnings = reader.u16()?;
        let status = Status(reader.u16()?);
        Ok(Self { status, warnings, ..Self::default() })
    }

    /// Appends it as an OK packet with this first byte (`0x00`; `0xFE` at the end of a result set), for a client that
    /// agreed on SESSION_TRACK or did not.
    ///
    /// # Errors
    /// When the session state that the server sent is malformed.
    pub fn encode(
        &self,
        out: &mut BytesMut,
        sequence: u8,
        header: u8,
        filter: Option<&TrackFilter>,
    ) -> Result<(), ProtocolError> {
        let mut state = BytesMut::new();
        if let Some(filter) = filter {
            filter.apply(self.state, &mut state)?;
        }
        let mut status = self.status.without(Status::SESSION_STATE_CHANGED);
        if !state.is_empty() {
            status = status | Status::SESSION_STATE_CHANGED;
        }
        put_with(out, sequence, |out| {
            out.put_u8(header);
            put_lenenc(out, self.affected_rows);
            put_lenenc(out, self.last_insert_id);
            out.put_u16_le(status.0);
            out.put_u16_le(self.warnings);
            // Also without SESSION_TRACK its length stands before it, whatever the documentation says: mysqlnd reads it.
            if !self.info.is_empty() || !state.is_empty() {
                put_lenenc_bytes(out, self.info);
            }
            if !state.is_empty() {
                put_lenenc_bytes(out, &state);
            }
        });
        Ok(())
    }
}

/// Appends a plain OK of the proxy's own.
pub fn put_ok(out: &mut BytesMut, sequence: u8, status: Status, warnings: u16) {
    put_with(out, sequence, |out| {
        out.put_slice(&[0, 0, 0]);
        out.put_u16_le(status.0);
        out.put_u16_le(warnings);
    });
}

/// Appends the end of a result set of the proxy's own, in the form that the client agreed on.
pub fn put_eof(out: &mut BytesMut, sequence: u8, status: Status, warnings: u16, capabilities: Capabilities) {
    put_with(out, sequence, |out| {
        out.put_u8(0xFE);
        if capabilities.contains(Capabilities::DEPRECATE_EOF) {
            out.put_slice(&[0, 0]);
            out.put_u16_le(status.0);
            out.put_u16_le(warnings);
        } else {
            out.put_u16_le(warnings);
            out.put_u16_le(status.0);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    // "UPDATE t SET a=1" from MariaDB 10.11, with SESSION_TRACK agreed and without: info is length-encoded.
    const UPDATE: &[u8] = b"\x00\x01\x00\x02\x00\x00\x00\x28Rows matched: 1  Changed: 1  Warnings: 0";

    #[test]
    fn info_has_its_length_with_and_without_session_track() {
        let ok = OkPacket::parse(UPDATE, true).unwrap();
        assert_eq!((ok.affected_rows, ok.status, ok.info.len()), (1, Status::AUTOCOMMIT, 40));
        let mut out = BytesMut::new();
        ok.encode(&mut out, 1, 0, None).unwrap();
        assert_eq!(&out[4..], UPDATE);
        assert_eq!(OkPacket::parse(UPDATE, false), Ok(ok));
        out.clear();
        ok.encode(&mut out, 1, 0, Some(&TrackFilter::default())).unwrap();
        assert_eq!(&out[4..], UPDATE);
    }

    #[test]
    fn state_that_the_client_did_not_ask_for_is_hidden() {
        let packet = b"\x00\x00\x00\x02\x40\x00\x00\x00\x03\x02\x01\x31";
        let ok = OkPacket::parse(packet, true).unwrap();
        assert_eq!(ok.state, b"\x02\x01\x31");
        let mut out = BytesMut::new();
        ok.encode(&mut out, 1, 0, Some(&TrackFilter::default())).unwrap();
        assert_eq!(&out[4..], b"\x00\x00\x00\x02\x00\x00\x00");
    }
}
