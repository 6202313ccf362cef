//! What is done with the packets of a reply that must be looked at: its first one, those that end a part of it, and what
//! stands behind a PREPARE. Which packets these are is said by the walk.

use bytes::BytesMut;

use super::{ReplyKind, ReplyTracker, State};
use crate::wire::err::ErrPacket;
use crate::wire::header::PacketHeader;
use crate::wire::inbox::Inbox;
use crate::wire::ok::OkPacket;
use crate::wire::reader::Reader;
use crate::wire::session_track::TrackFilter;
use crate::wire::statement::PrepareOk;
use crate::wire::writer::put_with;
use crate::wire::{ProtocolError, Status};

impl ReplyTracker {
    /// Looks at a packet whose whole payload is here.
    pub(super) fn look(
        &mut self,
        inbox: &mut Inbox,
        header: PacketHeader,
        first: u8,
        filter: &TrackFilter,
    ) -> Result<(), ProtocolError> {
        let payload = inbox.payload(header).unwrap_or_default();
        if first == 0xFF {
            // MariaDB's reports of progress look like errors of this number, and stand between other packets.
            if self.progress && matches!(payload, [_, 0xFF, 0xFF, ..]) {
                self.pass(inbox, header);
                return Ok(());
            }
            self.outcome.error = Some(ErrPacket::parse(payload)?);
            self.state = State::Done;
            self.pass(inbox, header);
            return Ok(());
        }
        match self.state {
            State::First => match (self.kind, first) {
                (ReplyKind::Text, _) => {
                    self.state = State::Done;
                    self.pass(inbox, header);
                    Ok(())
                }
                // No statement to prepare: MySQL refuses SET GLOBAL without the privilege by a plain OK (9.7).
                (ReplyKind::Prepare, 0x00) if header.payload_len < 12 => self.ok(inbox, header, first, filter),
                (ReplyKind::Prepare, 0x00) => self.prepare_ok(inbox, header),
                (ReplyKind::Prepare, _) => {
                    Err(ProtocolError::Malformed { packet: "PREPARE_OK", what: "unknown first byte" })
                }
                (_, 0x00) => self.ok(inbox, header, first, filter),
                (ReplyKind::Simple, 0xFE) if header.payload_len < 9 => self.eof(inbox, header, first, filter),
                (ReplyKind::Results, 0xFB) => {
                    self.state = State::File;
                    self.file = header.sequence.wrapping_add(1);
                    self.pass(inbox, header);
                    Ok(())
                }
                (ReplyKind::Results, _) => {
                    let mut reader = Reader::new("column count", payload);
                    let left = reader.lenenc()?;
                    // Behind the count, whatever the pages say (MySQL 9.7).
                    let definitions = !self.optional_metadata || reader.u8()? != 0;
                    if left == 0 || left > 65_535 || !reader.is_empty() {
                        return Err(reader.malformed("not a column count"));
                    }
                    self.state = if definitions { State::Columns { left } } else { self.behind_columns() };
                    self.columns = left;
                    if let Some(rows) = &mut self.status_rows {
                        rows.begin();
                    }
                    self.outcome.rows = 0;
                    self.outcome.result_sets = self.outcome.result_sets.saturating_add(1);
                    self.pass(inbox, header);
                    Ok(())
                }
                _ => Err(ProtocolError::Malformed { packet: "reply", what: "unknown first byte" }),
            },
            State::ColumnsEof => {
                let eof = OkPacket::parse_eof(payload)?;
                self.out_parameters = eof.status.contains(Status::PS_OUT_PARAMS);
                // A cursor was opened: its rows are fetched, and this is the only EOF.
                if self.cursor && eof.status.contains(Status::CURSOR_EXISTS) {
                    self.outcome.status = Some(eof.status);
                    self.outcome.warnings = eof.warnings;
                    self.state = State::Done;
                    self.pass_eof(inbox, header, eof.status, eof.warnings);
                } else {
                    self.state = State::Rows;
                    if self.client_deprecate_eof {
                        self.leave_out(inbox, header);
                    } else {
                        self.pass_eof(inbox, header, eof.status, eof.warnings);
                    }
                }
                Ok(())
            }
            State::EofDue => {
                let ok = OkPacket::parse(payload, self.session_track)?;
                if !(self.cursor && ok.status.contains(Status::CURSOR_EXISTS)) {
                    self.put_eof(inbox, self.sequence(header), self.status, 0);
                }
                self.state = State::Rows;
                self.eof(inbox, header, first, filter)
            }
            State::Rows | State::Columns { .. } => self.eof(inbox, header, first, filter),
            State::Definitions { parameters, columns } => {
                self.definition(inbox, header, first, parameters, columns);
                Ok(())
            }
            State::File | State::Done => Ok(()),
        }
    }

    /// The end of a result set, in either form.
    fn eof(
        &mut self,
        inbox: &mut Inbox,
        header: PacketHeader,
        first: u8,
        filter: &TrackFilter,
    ) -> Result<(), ProtocolError> {
        // COM_SET_OPTION and COM_DEBUG answer with a classic EOF also under DEPRECATE_EOF (MySQL 9.7).
        if self.deprecate_eof && header.payload_len >= 7 {
            return self.ok(inbox, header, first, filter);
        }
        let eof = OkPacket::parse_eof(inbox.payload(header).unwrap_or_default())?;
        let mut status = eof.status;
        if std::mem::take(&mut self.out_parameters) {
            status = status | Status::PS_OUT_PARAMS | Status::MORE_RESULTS;
        }
        self.over(status, eof.warnings);
        let shown = if self.client_deprecate_eof { status } else { eof.status };
        self.pass_eof(inbox, header, shown, eof.warnings);
        Ok(())
    }

    fn ok(
        &mut self,
        inbox: &mut Inbox,
        header: PacketHeader,
        first: u8,
        filter: &TrackFilter,
    ) -> Result<(), ProtocolError> {
        let mut ok = OkPacket::parse(inbox.payload(header).unwrap_or_default(), self.session_track)?;
        ok.warnings = self.warnings.unwrap_or(ok.warnings);
        self.outcome.affected_rows = ok.affected_rows;
        if ok.last_insert_id != 0 {
            self.outcome.last_insert_id = ok.last_insert_id;
        }
        if !ok.state.is_empty() {
            self.outcome.track.absorb(ok.state)?;
        }
        let (status, warnings) = (ok.status, ok.warnings);
        let changed = status.contains(Status::SESSION_STATE_CHANGED);
        if first == 0xFE && !self.client_deprecate_eof {
            let mut packet = BytesMut::with_capacity(16);
            put_classic_eof(&mut packet, self.sequence(header), status, warnings);
            inbox.replace(header, &packet);
        } else if self.warnings.is_some()
            || (self.session_track && changed && !(self.client_session_track && ok.state.is_empty()))
        {
            let mut packet = BytesMut::new();
            ok.encode(&mut packet, self.sequence(header), first, self.client_session_track.then_some(filter))?;
            inbox.replace(header, &packet);
        } else {
            self.pass(inbox, header);
        }
        self.over(status, warnings);
        Ok(())
    }

    fn over(&mut self, status: Status, warnings: u16) {
        self.outcome.status = Some(status);
        self.outcome.warnings = warnings;
        self.state = if status.contains(Status::MORE_RESULTS) { State::First } else { State::Done };
    }

    /// Lets the server's classic EOF pass, or gives it the form of an OK packet where the client wants that. It has no
    /// room for the changes that SESSION_STATE_CHANGED announces, and the proxy asked for more of them than the client:
    /// the flag is taken out.
    fn pass_eof(&self, inbox: &mut Inbox, header: PacketHeader, status: Status, warnings: u16) {
        let mut packet = BytesMut::with_capacity(16);
        if self.client_deprecate_eof && !self.deprecate_eof {
            put_with(&mut packet, self.sequence(header), |out| {
                out.extend_from_slice(&[0xFE, 0, 0]);
                out.extend_from_slice(&status.without(Status::SESSION_STATE_CHANGED).0.to_le_bytes());
                out.extend_from_slice(&warnings.to_le_bytes());
            });
        } else if status.contains(Status::SESSION_STATE_CHANGED) {
            put_classic_eof(&mut packet, self.sequence(header), status, warnings);
        } else {
            return self.pass(inbox, header);
        }
        inbox.replace(header, &packet);
    }

    /// A packet of the definitions behind PREPARE_OK, which is here whole, or the EOF behind so many of them.
    fn definition(&mut self, inbox: &mut Inbox, header: PacketHeader, first: u8, parameters: u32, columns: u32) {
        // No definition begins with it.
        let eof = OkPacket::parse_eof(inbox.payload(header).unwrap_or_default()).ok().filter(|_| first == 0xFE);
        match eof {
            Some(_) if self.client_deprecate_eof => self.leave_out(inbox, header),
            Some(eof) => self.pass_eof(inbox, header, eof.status, eof.warnings),
            None => self.pass(inbox, header),
        }
        let last_of_a_kind = parameters == 1 || (parameters == 0 && columns == 1);
        if self.deprecate_eof && !self.client_deprecate_eof && last_of_a_kind {
            self.put_eof(inbox, self.sequence(header).wrapping_add(1), self.status, 0);
        }
        self.state = next_definition(parameters, columns);
    }

    fn prepare_ok(&mut self, inbox: &mut Inbox, header: PacketHeader) -> Result<(), ProtocolError> {
        let payload = inbox.payload(header).unwrap_or_default();
        let prepared = PrepareOk::parse(payload)?;
        self.outcome.prepared = Some(prepared);
        self.outcome.warnings = prepared.warnings;
        let eof = u32::from(!self.deprecate_eof);
        // `resultset_metadata = NONE` leaves out the definitions, but not the EOF behind them (MySQL 9.7).
        let left_out = self.optional_metadata && payload.get(12) == Some(&0);
        let packets = |definitions: u16| match definitions {
            0 => 0,
            _ if left_out => eof,
            definitions => u32::from(definitions).saturating_add(eof),
        };
        self.state = match (packets(prepared.parameters), packets(prepared.columns)) {
            (0, 0) => State::Done,
            (parameters, columns) => State::Definitions { parameters, columns },
        };
        let due = if left_out && self.deprecate_eof && !self.client_deprecate_eof {
            u8::from(prepared.parameters > 0).saturating_add(u8::from(prepared.columns > 0))
        } else {
            0
        };
        if let Some(statement) = self.statement {
            let mut packet = BytesMut::with_capacity(32);
            put_with(&mut packet, self.sequence(header), |out| {
                out.extend_from_slice(&[0]);
                out.extend_from_slice(&statement.0.to_le_bytes());
                out.extend_from_slice(payload.get(5..).unwrap_or_default());
            });
            inbox.replace(header, &packet);
        } else {
            self.pass(inbox, header);
        }
        for _ in 0..due {
            self.put_eof(inbox, self.sequence(header).wrapping_add(1), self.status, 0);
        }
        Ok(())
    }
}

pub(super) fn put_classic_eof(out: &mut BytesMut, sequence: u8, status: Status, warnings: u16) {
    put_with(out, sequence, |out| {
        out.extend_from_slice(&[0xFE]);
        out.extend_from_slice(&warnings.to_le_bytes());
        out.extend_from_slice(&status.without(Status::SESSION_STATE_CHANGED).0.to_le_bytes());
    });
}

/// After one packet of definitions (or the EOF behind them) was passed.
fn next_definition(parameters: u32, columns: u32) -> State {
    match (parameters, columns) {
        (1, 0) | (0, 1) | (0, 0) => State::Done,
        (0, columns) => State::Definitions { parameters: 0, columns: columns.saturating_sub(1) },
        (parameters, columns) => State::Definitions { parameters: parameters.saturating_sub(1), columns },
    }
}
