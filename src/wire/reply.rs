//! Walks a server's reply to its end: knows which packets must be looked at and lets all others pass.
//!
//! ```text
//!            OK, ERR ─────────────────────────────► Done ──► (MORE_RESULTS) ──► First
//!   First ─┬─ 0xFB ──► File (the client sends) ──► First
//!          └─ column count ──► Columns ──► [EOF] ──► Rows ──► OK/EOF, ERR ──► Done
//!   Prepare: PREPARE_OK ──► parameter definitions [EOF] ──► column definitions [EOF] ──► Done
//! ```

use bytes::BytesMut;

use super::err::ErrPacket;
use super::header::{MAX_PAYLOAD, PacketHeader};
use super::inbox::Inbox;
use super::ok::OkPacket;
use super::reader::Reader;
use super::session_track::{SessionTrack, TrackFilter};
use super::statement::{ClientStatementId, PrepareOk};
use super::writer::{put_lenenc_bytes, put_with};
use super::{Capabilities, ProtocolError, Status};

/// The longest OK or ERR packet that is read, in bytes: session state with every variable of a server is some 40 KiB.
const MAX_HEAD: usize = 1 << 20;

/// What kind of reply a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// OK, ERR, LOCAL INFILE, or result sets: COM_QUERY and COM_STMT_EXECUTE.
    Results,
    /// PREPARE_OK and definitions, or ERR.
    Prepare,
    /// Column definitions up to an EOF, or ERR: COM_FIELD_LIST.
    FieldList,
    /// Rows up to an EOF, or ERR: COM_STMT_FETCH.
    Rows,
    /// OK, EOF or ERR.
    Simple,
    /// One packet of text, or ERR: COM_STATISTICS.
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Columns {
        left: u64,
    },
    ColumnsEof,
    Rows,
    File,
    /// Packets to come: more than 65,535, with the EOF behind so many.
    Definitions {
        parameters: u32,
        columns: u32,
    },
    Done,
}

/// How far a walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All that is here was scanned; more must be read.
    More,
    /// LOAD DATA LOCAL: the client must be sent what was scanned, and then sends the file; see
    /// [`ReplyTracker::file_sent`].
    WantsFile,
    /// The reply is over.
    Done,
}

/// What a reply said, all its packets together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The status flags of the last OK or EOF packet; None when there was none.
    pub status: Option<Status>,
    /// Warnings of the last result.
    pub warnings: u16,
    /// Affected rows of the last OK packet.
    pub affected_rows: u64,
    /// `last_insert_id` of the last OK packet that had one.
    pub last_insert_id: u64,
    /// The error that ended it.
    pub error: Option<ErrPacket>,
    /// Session state changes.
    pub track: SessionTrack,
    /// Rows of the last result set.
    pub rows: u64,
    /// Result sets (not counting OK packets).
    pub result_sets: u32,
    /// The reply to PREPARE.
    pub prepared: Option<PrepareOk>,
}

/// Walks one reply.
#[derive(Debug)]
pub struct ReplyTracker {
    kind: ReplyKind,
    state: State,
    /// Agreed with the server.
    deprecate_eof: bool,
    /// Agreed with the server.
    session_track: bool,
    /// Agreed with the client.
    client_session_track: bool,
    /// The client's id to put into PREPARE_OK.
    statement: Option<ClientStatementId>,
    /// The packet before was of the greatest length: this one continues it.
    continued: bool,
    /// A byte of the reply was scanned.
    begun: bool,
    /// The number to put into the first row, which has just one column of numbers.
    number: Option<u32>,
    outcome: Outcome,
}

impl ReplyTracker {
    /// A walk of a reply from a server with which `server` was agreed, for a client with which `client` was.
    #[must_use]
    pub fn new(kind: ReplyKind, server: Capabilities, client: Capabilities) -> Self {
        Self {
            kind,
            state: match kind {
                ReplyKind::Rows => State::Rows,
                ReplyKind::FieldList => State::Columns { left: u64::MAX },
                _ => State::First,
            },
            deprecate_eof: server.contains(Capabilities::DEPRECATE_EOF),
            session_track: server.contains(Capabilities::SESSION_TRACK),
            client_session_track: client.contains(Capabilities::SESSION_TRACK),
            statement: None,
            continued: false,
            begun: false,
            number: None,
            outcome: Outcome::default(),
        }
    }

    /// Puts this id in the place of the server's into PREPARE_OK.
    #[must_use]
    pub fn with_statement(mut self, statement: ClientStatementId) -> Self {
        self.statement = Some(statement);
        self
    }

    /// Puts this number in the place of the one in the first row, for a result of one column: CONNECTION_ID() is the
    /// proxy's, while all else of the result is the server's.
    #[must_use]
    pub fn with_number(mut self, number: u32) -> Self {
        self.number = Some(number);
        self
    }

    /// Whether any byte of the reply was scanned.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Call when the client has sent its file (or refused to): the server's verdict follows.
    pub fn file_sent(&mut self) {
        if self.state == State::File {
            self.state = State::First;
        }
    }

    /// What the reply said so far.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What the reply said.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }

    /// Scans the packets in `inbox`. OK packets are rewritten in place where the client must see them otherwise.
    ///
    /// # Errors
    /// When the server broke the protocol.
    pub fn walk(&mut self, inbox: &mut Inbox, filter: &TrackFilter) -> Result<Progress, ProtocolError> {
        loop {
            match self.state {
                State::Done => return Ok(Progress::Done),
                State::File => return Ok(Progress::WantsFile),
                _ => {}
            }
            if inbox.is_passing() {
                return Ok(Progress::More);
            }
            let Some(head) = inbox.head() else { return Ok(Progress::More) };
            let header = head.header;
            self.begun = true;
            if self.continued {
                self.continued = header.payload_len == MAX_PAYLOAD;
                inbox.pass(header);
                continue;
            }
            // The hot path: a row.
            if self.state == State::Rows && !self.ends_rows(head.first, header.payload_len) {
                if self.number.is_some() {
                    if inbox.payload(header).is_none() {
                        return Ok(Progress::More);
                    }
                    self.renumber(inbox, header);
                    continue;
                }
                self.outcome.rows = self.outcome.rows.wrapping_add(1);
                self.continued = header.payload_len == MAX_PAYLOAD;
                inbox.pass(header);
                continue;
            }
            if let State::Columns { left } = self.state
                && !self.ends_columns(head.first, header.payload_len)
            {
                self.state = match left.saturating_sub(1) {
                    0 if self.deprecate_eof => State::Rows,
                    0 => State::ColumnsEof,
                    left => State::Columns { left },
                };
                self.continued = header.payload_len == MAX_PAYLOAD;
                inbox.pass(header);
                continue;
            }
            if header.payload_len > MAX_HEAD {
                return Err(ProtocolError::TooLarge { limit: MAX_HEAD });
            }
            if inbox.payload(header).is_none() {
                return Ok(Progress::More);
            }
            self.look(inbox, header, head.first, filter)?;
        }
    }

    /// `0xFF` begins an ERR; `0xFE` a row only when an 8-byte length follows, which no short packet has.
    fn ends_rows(&self, first: u8, len: usize) -> bool {
        match first {
            0xFF => true,
            0xFE => len < if self.deprecate_eof { MAX_PAYLOAD } else { 9 },
            _ => false,
        }
    }

    /// Only COM_FIELD_LIST's definitions end by a packet instead of a count.
    fn ends_columns(&self, first: u8, len: usize) -> bool {
        first == 0xFF || (self.kind == ReplyKind::FieldList && self.ends_rows(first, len))
    }

    /// Looks at a packet whose whole payload is here.
    fn look(
        &mut self,
        inbox: &mut Inbox,
        header: PacketHeader,
        first: u8,
        filter: &TrackFilter,
    ) -> Result<(), ProtocolError> {
        let payload = inbox.payload(header).unwrap_or_default();
        if first == 0xFF {
            self.outcome.error = Some(ErrPacket::parse(payload)?);
            self.state = State::Done;
            inbox.pass(header);
            return Ok(());
        }
        match self.state {
            State::First => match (self.kind, first) {
                (ReplyKind::Text, _) => {
                    self.state = State::Done;
                    inbox.pass(header);
                    Ok(())
                }
                (ReplyKind::Prepare, 0x00) => self.prepare_ok(inbox, header),
                (ReplyKind::Prepare, _) => {
                    Err(ProtocolError::Malformed { packet: "PREPARE_OK", what: "unknown first byte" })
                }
                (_, 0x00) => self.ok(inbox, header, first, filter),
                (ReplyKind::Simple, 0xFE) if header.payload_len < 9 => self.eof(inbox, header, first, filter),
                (ReplyKind::Results, 0xFB) => {
                    self.state = State::File;
                    inbox.pass(header);
                    Ok(())
                }
                (ReplyKind::Results, _) => {
                    let mut reader = Reader::new("column count", payload);
                    let left = reader.lenenc()?;
                    if left == 0 || left > 65_535 || !reader.is_empty() {
                        return Err(reader.malformed("not a column count"));
                    }
                    self.state = State::Columns { left };
                    self.outcome.rows = 0;
                    self.outcome.result_sets = self.outcome.result_sets.saturating_add(1);
                    inbox.pass(header);
                    Ok(())
                }
                _ => Err(ProtocolError::Malformed { packet: "reply", what: "unknown first byte" }),
            },
            State::ColumnsEof => {
                let eof = OkPacket::parse_eof(payload)?;
                // A cursor was opened: its rows are fetched, and this is the only EOF.
                if eof.status.contains(Status::CURSOR_EXISTS) {
                    self.outcome.status = Some(eof.status);
                    self.outcome.warnings = eof.warnings;
                    self.state = State::Done;
                } else {
                    self.state = State::Rows;
                }
                pass_eof(inbox, header, eof.status);
                Ok(())
            }
            State::Rows | State::Columns { .. } => self.eof(inbox, header, first, filter),
            State::Definitions { parameters, columns } => {
                self.state = next_definition(parameters, columns);
                // No definition begins with it.
                match OkPacket::parse_eof(payload) {
                    Ok(eof) if first == 0xFE => pass_eof(inbox, header, eof.status),
                    _ => inbox.pass(header),
                }
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
        self.over(eof.status, eof.warnings);
        pass_eof(inbox, header, eof.status);
        Ok(())
    }

    fn ok(
        &mut self,
        inbox: &mut Inbox,
        header: PacketHeader,
        first: u8,
        filter: &TrackFilter,
    ) -> Result<(), ProtocolError> {
        let ok = OkPacket::parse(inbox.payload(header).unwrap_or_default(), self.session_track)?;
        self.outcome.affected_rows = ok.affected_rows;
        if ok.last_insert_id != 0 {
            self.outcome.last_insert_id = ok.last_insert_id;
        }
        if !ok.state.is_empty() {
            self.outcome.track.absorb(ok.state)?;
        }
        self.over(ok.status, ok.warnings);
        let changed = ok.status.contains(Status::SESSION_STATE_CHANGED);
        if self.session_track && changed {
            let mut packet = BytesMut::new();
            ok.encode(&mut packet, header.sequence, first, self.client_session_track.then_some(filter))?;
            inbox.replace(header, &packet);
        } else {
            inbox.pass(header);
        }
        Ok(())
    }

    fn over(&mut self, status: Status, warnings: u16) {
        self.outcome.status = Some(status);
        self.outcome.warnings = warnings;
        self.state = if status.contains(Status::MORE_RESULTS) { State::First } else { State::Done };
    }

    /// Writes the first row anew with another number: text, or binary of four or eight bytes.
    fn renumber(&mut self, inbox: &mut Inbox, header: PacketHeader) {
        self.outcome.rows = self.outcome.rows.wrapping_add(1);
        let Some(number) = self.number.take() else { return };
        let row = inbox.payload(header).unwrap_or_default();
        let mut packet = BytesMut::with_capacity(32);
        match row {
            // Binary: a zero byte, the NULL bitmap, the value.
            [0, 0, value @ ..] if matches!(value.len(), 4 | 8) => {
                let value = u64::from(number).to_le_bytes();
                put_with(&mut packet, header.sequence, |out| {
                    out.extend_from_slice(&[0, 0]);
                    out.extend_from_slice(value.get(..row.len().saturating_sub(2)).unwrap_or_default());
                });
            }
            _ => put_with(&mut packet, header.sequence, |out| {
                put_lenenc_bytes(out, number.to_string().as_bytes());
            }),
        }
        inbox.replace(header, &packet);
    }

    fn prepare_ok(&mut self, inbox: &mut Inbox, header: PacketHeader) -> Result<(), ProtocolError> {
        let payload = inbox.payload(header).unwrap_or_default();
        let prepared = PrepareOk::parse(payload)?;
        self.outcome.prepared = Some(prepared);
        self.outcome.warnings = prepared.warnings;
        let eof = u32::from(!self.deprecate_eof);
        let packets = |definitions: u16| if definitions == 0 { 0 } else { u32::from(definitions).saturating_add(eof) };
        self.state = match (packets(prepared.parameters), packets(prepared.columns)) {
            (0, 0) => State::Done,
            (parameters, columns) => State::Definitions { parameters, columns },
        };
        if let Some(statement) = self.statement {
            let mut packet = BytesMut::with_capacity(32);
            put_with(&mut packet, header.sequence, |out| {
                out.extend_from_slice(&[0]);
                out.extend_from_slice(&statement.0.to_le_bytes());
                out.extend_from_slice(payload.get(5..).unwrap_or_default());
            });
            inbox.replace(header, &packet);
        } else {
            inbox.pass(header);
        }
        Ok(())
    }
}

/// A classic EOF has no room for the changes that its flag announces, and the proxy asked for more of them than the
/// client: the flag is taken out.
fn pass_eof(inbox: &mut Inbox, header: PacketHeader, status: Status) {
    let (true, Some([first, w0, w1, _, _, rest @ ..])) =
        (status.contains(Status::SESSION_STATE_CHANGED), inbox.payload(header))
    else {
        return inbox.pass(header);
    };
    let mut packet = BytesMut::with_capacity(16);
    put_with(&mut packet, header.sequence, |out| {
        out.extend_from_slice(&[*first, *w0, *w1]);
        out.extend_from_slice(&status.without(Status::SESSION_STATE_CHANGED).0.to_le_bytes());
        out.extend_from_slice(rest);
    });
    inbox.replace(header, &packet);
}

/// After one packet of definitions (or the EOF behind them) was passed.
fn next_definition(parameters: u32, columns: u32) -> State {
    match (parameters, columns) {
        (1, 0) | (0, 1) | (0, 0) => State::Done,
        (0, columns) => State::Definitions { parameters: 0, columns: columns.saturating_sub(1) },
        (parameters, columns) => State::Definitions { parameters: parameters.saturating_sub(1), columns },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::writer::put_packet;
    use proptest::prelude::*;

    const CLASSIC: Capabilities = Capabilities::PROTOCOL_41;

    fn modern() -> Capabilities {
        Capabilities::PROTOCOL_41 | Capabilities::DEPRECATE_EOF | Capabilities::SESSION_TRACK
    }

    fn packets(payloads: &[&[u8]]) -> BytesMut {
        let mut out = BytesMut::new();
        for (at, payload) in payloads.iter().enumerate() {
            put_packet(&mut out, u8::try_from(at + 1).unwrap(), payload);
        }
        out
    }

    /// Feeds `bytes` in pieces of `step`; returns the outcome and what the client gets.
    fn run(
        mut tracker: ReplyTracker,
        bytes: &[u8],
        step: usize,
    ) -> (Result<Progress, ProtocolError>, Outcome, Vec<u8>) {
        let (mut inbox, mut client, mut last) = (Inbox::default(), Vec::new(), Ok(Progress::More));
        for piece in bytes.chunks(step) {
            inbox.space(piece.len()).extend_from_slice(piece);
            inbox.received();
            last = tracker.walk(&mut inbox, &TrackFilter::default());
            client.extend_from_slice(inbox.scanned());
            inbox.forwarded();
            if last != Ok(Progress::More) {
                break;
            }
        }
        (last, tracker.into_outcome(), client)
    }

    const COLUMN: &[u8] = b"\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00";

    #[test]
    fn a_text_result_in_both_eof_styles_and_any_pieces() {
        let classic = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x02\x00", b"\x011", b"\x012", b"\xfe\x01\x00\x03\x00"]);
        let modern_bytes = packets(&[b"\x01", COLUMN, b"\x011", b"\x012", b"\xfe\x00\x00\x03\x00\x01\x00"]);
        for step in [1, 2, 3, 7, 1000] {
            for (bytes, capabilities) in [(&classic, CLASSIC), (&modern_bytes, modern())] {
                let tracker = ReplyTracker::new(ReplyKind::Results, capabilities, capabilities);
                let (progress, outcome, client) = run(tracker, bytes, step);
                assert_eq!(progress, Ok(Progress::Done), "{step}");
                assert_eq!((outcome.rows, outcome.warnings, outcome.result_sets), (2, 1, 1));
                assert!(outcome.status.unwrap().contains(Status::IN_TRANS));
                assert_eq!(client, bytes[..]);
            }
        }
    }

    #[test]
    fn a_classic_eof_announces_no_change_of_state() {
        let bytes = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x02\x40", b"\x011", b"\xfe\x01\x00\x03\x40"]);
        let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Results, CLASSIC, CLASSIC), &bytes, 6);
        assert_eq!((progress, outcome.rows, client.len()), (Ok(Progress::Done), 1, bytes.len()));
        assert!(!client.contains(&0x40));
    }

    #[test]
    fn several_results_and_an_error_in_the_second() {
        let bytes = packets(&[b"\x00\x01\x00\x0a\x00\x00\x00", b"\x01", COLUMN, b"\x011", b"\xff\x28\x04#42000bad"]);
        let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Results, modern(), modern()), &bytes, 5);
        assert_eq!(progress, Ok(Progress::Done));
        assert_eq!(outcome.error.unwrap().code, 1064);
        assert_eq!(outcome.affected_rows, 1);
        assert_eq!(client, bytes[..]);
    }

    #[test]
    fn prepare_gets_the_clients_id() {
        let ok = b"\x00\x05\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00";
        let eof = b"\xfe\x00\x00\x02\x00";
        let classic = packets(&[ok, COLUMN, COLUMN, eof, COLUMN, eof]);
        let modern_bytes = packets(&[ok, COLUMN, COLUMN, COLUMN]);
        for (bytes, capabilities) in [(classic, CLASSIC), (modern_bytes, modern())] {
            for step in [1, 4, 1000] {
                let tracker = ReplyTracker::new(ReplyKind::Prepare, capabilities, capabilities)
                    .with_statement(ClientStatementId(0x0102_0304));
                let (progress, outcome, client) = run(tracker, &bytes, step);
                assert_eq!(progress, Ok(Progress::Done));
                let prepared = outcome.prepared.unwrap();
                assert_eq!((prepared.statement.0, prepared.columns, prepared.parameters), (5, 1, 2));
                assert_eq!(&client[5..9], &[4, 3, 2, 1]);
                assert_eq!(client[9..], bytes[9..]);
            }
        }
    }

    #[test]
    fn a_number_is_replaced_in_text_and_binary() {
        for (row, wanted) in [
            (&b"\x0217"[..], &b"\x0570123"[..]),
            (b"\x00\x00\x11\x00\x00\x00", b"\x00\x00\xeb\x11\x01\x00"),
            (b"\x00\x00\x11\x00\x00\x00\x00\x00\x00\x00", b"\x00\x00\xeb\x11\x01\x00\x00\x00\x00\x00"),
        ] {
            let bytes = packets(&[b"\x01", COLUMN, row, b"\xfe\x00\x00\x03\x00\x01\x00"]);
            let expected = packets(&[b"\x01", COLUMN, wanted, b"\xfe\x00\x00\x03\x00\x01\x00"]);
            for step in [1, 5, 1000] {
                let tracker = ReplyTracker::new(ReplyKind::Results, modern(), modern()).with_number(70_123);
                let (progress, _, client) = run(tracker, &bytes, step);
                assert_eq!((progress, &client[..]), (Ok(Progress::Done), &expected[..]));
            }
        }
    }

    #[test]
    fn local_infile_waits_for_the_client() {
        let mut tracker = ReplyTracker::new(ReplyKind::Results, modern(), modern());
        let mut inbox = Inbox::default();
        inbox.space(100).extend_from_slice(&packets(&[b"\xfbfile.csv"]));
        inbox.received();
        assert_eq!(tracker.walk(&mut inbox, &TrackFilter::default()), Ok(Progress::WantsFile));
        inbox.forwarded();
        tracker.file_sent();
        inbox.space(100).extend_from_slice(&packets(&[b"\x00\x03\x00\x02\x00\x00\x00"]));
        assert_eq!(tracker.walk(&mut inbox, &TrackFilter::default()), Ok(Progress::Done));
        assert_eq!(tracker.outcome().affected_rows, 3);
    }

    #[test]
    fn a_row_of_more_than_16_mib_is_not_mistaken() {
        let mut bytes = packets(&[b"\x01", COLUMN]);
        // Its continuation begins with 0xFF, which is data and no error.
        let mut row = vec![0xFE; MAX_PAYLOAD];
        row.extend_from_slice(&[0xFF; 10]);
        put_packet(&mut bytes, 3, &row);
        put_packet(&mut bytes, 5, b"\xfe\x00\x00\x02\x00\x00\x00");
        let (progress, outcome, client) =
            run(ReplyTracker::new(ReplyKind::Results, modern(), modern()), &bytes, 65_536);
        assert_eq!((progress, outcome.rows), (Ok(Progress::Done), 1));
        assert_eq!(client.len(), bytes.len());
    }

    #[test]
    fn a_cursor_has_one_eof_in_either_style() {
        let classic = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x42\x00"]);
        let modern_bytes = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x42\x00\x00\x00"]);
        for (bytes, capabilities) in [(classic, CLASSIC), (modern_bytes, modern())] {
            let (progress, outcome, _) =
                run(ReplyTracker::new(ReplyKind::Results, capabilities, capabilities), &bytes, 4);
            assert_eq!(progress, Ok(Progress::Done));
            assert!(outcome.status.unwrap().contains(Status::CURSOR_EXISTS));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_server_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..6, step in 1usize..50) {
            let kind = [ReplyKind::Results, ReplyKind::Prepare, ReplyKind::FieldList, ReplyKind::Rows, ReplyKind::Simple, ReplyKind::Text][kind];
            let _ = run(ReplyTracker::new(kind, modern(), CLASSIC), &bytes, step);
            let _ = run(ReplyTracker::new(kind, CLASSIC, CLASSIC), &bytes, step);
        }
    }
}
