//! Walks a server's reply to its end: knows which packets must be looked at and lets all others pass.
//!
//! ```text
//!            OK, ERR ─────────────────────────────► Done ──► (MORE_RESULTS) ──► First
//!   First ─┬─ 0xFB ──► File (the client sends) ──► First
//!          └─ column count ──► Columns ──► [EOF] ──► Rows ──► OK/EOF, ERR ──► Done
//!   Prepare: PREPARE_OK ──► parameter definitions [EOF] ──► column definitions [EOF] ──► Done
//! ```
//!
//! Where DEPRECATE_EOF was agreed with one side only, the EOF packets between definitions and rows are put in or left
//! out, and those that end a reply change their form. All packets behind have another sequence id, which is written into
//! their headers where they stand; nothing is copied.

use bytes::BytesMut;

use self::packets::put_classic_eof;
use super::err::ErrPacket;
use super::header::{HEADER_LEN, MAX_PAYLOAD, PacketHeader};
use super::inbox::Inbox;
use super::rows::Rows;
use super::session_track::{SessionTrack, TrackFilter};
use super::statement::{ClientStatementId, PrepareOk};
use super::status::{LONGEST_ROW, StatusRows};
use super::writer::put_with;
use super::{Capabilities, ProtocolError, Status};

mod packets;

/// The longest OK or ERR packet that is read, in bytes: session state with every variable of a server is some 40 KiB.
const MAX_HEAD: usize = 1 << 20;

/// The longest row that is kept, in bytes.
const LONGEST_KEPT: usize = 64;

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
    /// Events up to an EOF or ERR, which may never come: COM_BINLOG_DUMP.
    Binlog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Columns {
        left: u64,
    },
    ColumnsEof,
    /// All definitions came from a server that ends them by nothing, and the client waits for an EOF.
    EofDue,
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
    /// Of the names of the first result's columns, where it was asked for; 0: not known.
    pub digest: u64,
    /// The first row, where it was asked for ([`ReplyTracker::with_first_row`]) and is short.
    pub first_row: Option<Box<[u8]>>,
}

/// Walks one reply.
#[derive(Debug)]
pub struct ReplyTracker {
    kind: ReplyKind,
    state: State,
    /// Agreed with the server.
    deprecate_eof: bool,
    /// Agreed with the client.
    client_deprecate_eof: bool,
    /// Agreed with both.
    optional_metadata: bool,
    /// MariaDB: agreed with both.
    progress: bool,
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
    /// Rows of the proxy's own, which take the place of the server's.
    rows: Option<Rows>,
    /// Values that are put in the place of the server's in its rows.
    status_rows: Option<Box<StatusRows>>,
    /// Columns of the result set.
    columns: u64,
    /// The session's status before: an EOF that the server did not send carries it.
    status: Status,
    /// What is added to sequence ids, modulo 256: packets that were put in, less those left out.
    shift: u8,
    /// A cursor was asked for: only then may a reply end behind its definitions. MariaDB (10.11) also says that a cursor exists
    /// of the results of a procedure that has one of its own open, and their rows follow.
    cursor: bool,
    /// The rows of this result are a procedure's OUT parameters, as the EOF behind their definitions says. The EOF behind the
    /// rows does not say on MySQL (9.7) that the procedure's OK follows, but it does.
    out_parameters: bool,
    /// The sequence id that the next packet from the server should have, where the one that it has tells nothing.
    natural: Option<u8>,
    /// The warnings that its OK counts for the client, where the server counts those of another statement.
    warnings: Option<u16>,
    /// The first row is kept.
    keeps_row: bool,
    /// The sequence id from which the client's file is numbered, as the server counts.
    file: u8,
    /// Rows do not pass as they are: `rows`, `shift` or `natural`; or one is kept.
    edits: bool,
    /// The names of the first result's columns are to be digested.
    digests: bool,
    outcome: Outcome,
}

impl ReplyTracker {
    /// A walk of a reply from a server with which `server` was agreed, for a client with which `client` was.
    #[must_use]
    pub fn new(kind: ReplyKind, server: Capabilities, client: Capabilities) -> Self {
        Self {
            kind,
            state: match kind {
                ReplyKind::Rows | ReplyKind::Binlog => State::Rows,
                ReplyKind::FieldList => State::Columns { left: u64::MAX },
                _ => State::First,
            },
            deprecate_eof: server.contains(Capabilities::DEPRECATE_EOF),
            client_deprecate_eof: client.contains(Capabilities::DEPRECATE_EOF),
            optional_metadata: server.contains(Capabilities::OPTIONAL_RESULTSET_METADATA),
            progress: server.contains(Capabilities::PROGRESS),
            session_track: server.contains(Capabilities::SESSION_TRACK),
            client_session_track: client.contains(Capabilities::SESSION_TRACK),
            statement: None,
            continued: false,
            begun: false,
            rows: None,
            status_rows: None,
            columns: 0,
            status: Status::AUTOCOMMIT,
            shift: 0,
            cursor: false,
            out_parameters: false,
            natural: None,
            warnings: None,
            keeps_row: false,
            file: 0,
            edits: false,
            digests: false,
            outcome: Outcome::default(),
        }
    }

    /// Puts this id in the place of the server's into PREPARE_OK.
    #[must_use]
    pub fn with_statement(mut self, statement: ClientStatementId) -> Self {
        self.statement = Some(statement);
        self
    }

    /// Puts these rows in the place of the server's: the list of processes is the proxy's, while its columns are the
    /// server's.
    #[must_use]
    pub fn with_rows(mut self, rows: Rows) -> Self {
        self.rows = Some(rows);
        self.edits = true;
        self
    }

    /// Puts values of the client's own in the place of the server's in rows of status variables.
    #[must_use]
    pub fn with_status_rows(mut self, rows: StatusRows) -> Self {
        self.status_rows = Some(Box::new(rows));
        self.edits = true;
        self
    }

    /// Digests the names of the first result's columns; see [`Outcome::digest`].
    #[must_use]
    pub fn with_digest(mut self, digests: bool) -> Self {
        self.digests = digests;
        self
    }

    /// The command asks for a cursor.
    #[must_use]
    pub fn with_cursor(mut self, cursor: bool) -> Self {
        self.cursor = cursor;
        self
    }

    /// Puts this count of warnings in the place of the server's: MySQL (9.7) counts those of the statement before in its OK to
    /// COM_INIT_DB, and its connection may have run another's.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Option<u16>) -> Self {
        self.warnings = warnings;
        self
    }

    /// Keeps the first row for [`Outcome::first_row`], if it is no longer than 64 bytes.
    #[must_use]
    pub fn with_first_row(mut self, keeps: bool) -> Self {
        self.keeps_row = keeps;
        self.edits |= keeps;
        self
    }

    /// Numbers the packets from `first` on instead of believing their sequence ids: for compressed servers, which number
    /// anew whenever they send off what they have.
    #[must_use]
    pub fn with_sequence(mut self, first: u8) -> Self {
        self.natural = Some(first);
        self.edits = true;
        self
    }

    /// The session's status before: of no matter unless the client gets an EOF that the server does not send.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// What is added to the sequence ids of packets from the server; to be taken from those of the client's file.
    #[must_use]
    pub fn shift(&self) -> u8 {
        self.shift
    }

    /// Whether any byte of the reply was scanned.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The sequence id that the server expects of the first packet of the client's file.
    #[must_use]
    pub fn file_sequence(&self) -> u8 {
        self.file
    }

    /// Call when the client has sent its file (or refused to): the server's verdict follows, with this sequence id.
    pub fn file_sent(&mut self, next: u8) {
        self.natural = self.natural.map(|_| next);
        if self.state == State::File {
            self.state = State::First;
        }
    }

    /// What the reply said so far.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Takes out what the reply said; the tracker is of no more use.
    pub fn take_outcome(&mut self) -> Outcome {
        std::mem::take(&mut self.outcome)
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
                let left_out = self.rows.is_some() && self.state == State::Rows;
                if left_out && inbox.payload(header).is_none() {
                    return Ok(Progress::More);
                }
                self.continued = header.payload_len == MAX_PAYLOAD;
                if left_out {
                    self.leave_out(inbox, header);
                } else {
                    self.pass(inbox, header);
                }
                self.counted();
                continue;
            }
            // The hot path: a row.
            if self.state == State::Rows && !self.ends_rows(head.first, header.payload_len) {
                if self.edits {
                    if self.keeps_row && header.payload_len <= LONGEST_KEPT {
                        let Some(row) = inbox.payload(header) else { return Ok(Progress::More) };
                        self.outcome.first_row.get_or_insert_with(|| row.into());
                    }
                    if self.rows.is_none() {
                        let Some(changed) = self.with_own_status(inbox, header) else { return Ok(Progress::More) };
                        if changed {
                            continue;
                        }
                        inbox.set_sequence(self.sequence(header));
                    } else if inbox.payload(header).is_none() {
                        return Ok(Progress::More);
                    } else {
                        self.continued = header.payload_len == MAX_PAYLOAD;
                        self.leave_out(inbox, header);
                        self.counted();
                        continue;
                    }
                    self.counted();
                }
                self.outcome.rows = self.outcome.rows.wrapping_add(1);
                self.continued = header.payload_len == MAX_PAYLOAD;
                inbox.pass(header);
                continue;
            }
            if let State::Columns { left } = self.state
                && !self.ends_columns(head.first, header.payload_len)
            {
                if let Some(rows) = &mut self.status_rows {
                    let Some(definition) = inbox.payload(header) else { return Ok(Progress::More) };
                    rows.define(definition);
                }
                if self.digests {
                    self.digest(inbox.payload(header), left);
                }
                self.state = match left.saturating_sub(1) {
                    0 => self.behind_columns(),
                    left => State::Columns { left },
                };
                self.continued = header.payload_len == MAX_PAYLOAD;
                self.pass(inbox, header);
                self.counted();
                continue;
            }
            // A cursor's definitions are followed by the end of the reply, which is then the only EOF.
            if self.state == State::EofDue
                && (self.rows.is_some() || !(head.first == 0xFE && self.ends_rows(head.first, header.payload_len)))
            {
                self.put_eof(inbox, self.sequence(header), self.status, 0);
                self.state = State::Rows;
                continue;
            }
            if header.payload_len > MAX_HEAD {
                return Err(ProtocolError::TooLarge { limit: MAX_HEAD });
            }
            if inbox.payload(header).is_none() {
                return Ok(Progress::More);
            }
            if self.state == State::Rows
                && let Some(rows) = self.rows.take()
            {
                let (mut out, first) = (BytesMut::new(), self.sequence(header));
                let next = rows.encode(self.columns, first, &mut out);
                inbox.insert(&out);
                self.shift_by(next.wrapping_sub(first));
                self.outcome.rows = rows.len();
            }
            self.look(inbox, header, head.first, filter)?;
            self.counted();
        }
    }

    /// Puts a row with values of the client's own in the place of the next one; false: it stays as it is. None: it is not here
    /// whole.
    fn with_own_status(&mut self, inbox: &mut Inbox, header: PacketHeader) -> Option<bool> {
        let Some(rows) = self.status_rows.as_ref().filter(|_| header.payload_len <= LONGEST_ROW) else {
            return Some(false);
        };
        let Some(row) = rows.rewrite(inbox.payload(header)?) else { return Some(false) };
        let mut packet = BytesMut::with_capacity(row.len().saturating_add(HEADER_LEN));
        put_with(&mut packet, self.sequence(header), |out| out.extend_from_slice(&row));
        inbox.replace(header, &packet);
        self.outcome.rows = self.outcome.rows.wrapping_add(1);
        self.counted();
        Some(true)
    }

    /// A definition's names, without the twelve bytes behind them: types and lengths hang on the parameters too.
    fn digest(&mut self, definition: Option<&[u8]>, left: u64) {
        let Some(definition) = definition.filter(|_| self.outcome.result_sets <= 1) else {
            self.digests = false;
            self.outcome.digest = 0;
            return;
        };
        let names = definition.get(..definition.len().saturating_sub(12)).unwrap_or_default();
        let mut digest = self.outcome.digest ^ left;
        for part in names.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            digest = (digest.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517C_C1B7_2722_0A95);
        }
        self.outcome.digest = digest;
        self.digests &= left > 1;
    }

    /// What follows the last definition.
    fn behind_columns(&self) -> State {
        match (self.deprecate_eof, self.client_deprecate_eof) {
            (true, true) => State::Rows,
            (true, false) => State::EofDue,
            (false, _) => State::ColumnsEof,
        }
    }

    /// The sequence id that a packet has for the client.
    fn sequence(&self, header: PacketHeader) -> u8 {
        self.natural.unwrap_or(header.sequence).wrapping_add(self.shift)
    }

    /// A packet from the server was dealt with.
    fn counted(&mut self) {
        self.natural = self.natural.map(|sequence| sequence.wrapping_add(1));
    }

    /// Lets a packet pass.
    #[inline]
    fn pass(&self, inbox: &mut Inbox, header: PacketHeader) {
        if self.shift != 0 || self.natural.is_some() {
            inbox.set_sequence(self.sequence(header));
        }
        inbox.pass(header);
    }

    fn shift_by(&mut self, packets: u8) {
        self.shift = self.shift.wrapping_add(packets);
        self.edits = self.shift != 0
            || self.rows.is_some()
            || self.status_rows.is_some()
            || self.natural.is_some()
            || self.keeps_row;
    }

    /// Leaves out the next packet, which is here whole.
    fn leave_out(&mut self, inbox: &mut Inbox, header: PacketHeader) {
        inbox.replace(header, &[]);
        self.shift_by(u8::MAX);
    }

    /// Puts in an EOF packet that the server did not send.
    fn put_eof(&mut self, inbox: &mut Inbox, sequence: u8, status: Status, warnings: u16) {
        let mut packet = BytesMut::with_capacity(16);
        put_classic_eof(&mut packet, sequence, status, warnings);
        inbox.insert(&packet);
        self.shift_by(1);
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
}

#[cfg(test)]
mod tests;
