//! One connection to a server: its stream, its unread bytes, and what state it is known to be in.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::error::{BackendError, Phase};
use super::held::HeldStatements;
use crate::cluster::ServerId;
use crate::net::Stream;
use crate::session::{Base, ConnectionState, Preamble, Reset, Settings, literal, tracking};
use crate::wire::command::query_head;
use crate::wire::err::PACKET_TOO_LARGE;
use crate::wire::inbox::KEPT;
use crate::wire::reader::Reader;
use crate::wire::writer::put_packet;
use crate::wire::{Capabilities, ErrPacket, Inbox, Outcome, Progress, ReplyKind, ReplyTracker, TrackFilter};

/// ER_MUST_CHANGE_PASSWORD.
const MUST_CHANGE_PASSWORD: u16 = 1820;

/// Of the reply to a query of the proxy's own so many bytes are looked at.
const ROW: usize = 16 << 10;

/// Saying goodbye to a server may take so long; then the socket is just closed.
const GOODBYE: Duration = Duration::from_millis(100);

/// A connection to a server, logged in.
#[derive(Debug)]
pub struct Connection {
    /// The stream of bytes.
    pub stream: Stream,
    /// Bytes read from it.
    pub inbox: Inbox,
    /// Bytes to be written; kept to be reused.
    pub out: BytesMut,
    /// What session state it has.
    pub state: ConnectionState,
    /// What was agreed with the server.
    pub capabilities: Capabilities,
    /// What the server can do.
    pub offered: Capabilities,
    /// The server's id of this connection, for KILL.
    pub thread_id: u32,
    /// The prepared statements that it holds.
    pub statements: HeldStatements,
    /// The server.
    pub server: ServerId,
    /// The server's name.
    pub name: Arc<str>,
    /// When it was made.
    pub created: Instant,
    /// When it is too old.
    pub expires: Instant,
    /// For so long it may be idle before the server ends it, and a bit less.
    pub patience: Duration,
    /// The longest command that the server takes here, in bytes: below its `max_allowed_packet` at the login.
    pub longest_command: usize,
    /// A session left its LAST_INSERT_ID() here.
    pub has_insert_id: bool,
    /// The one session that used it since it was last reset; 0: several did. None: none.
    pub served: Option<u32>,
    /// A command was sent and its reply is not over: nobody else may have the connection.
    pub busy: bool,
    /// The password has expired: the server refuses everything but a new one. Never back to a pool.
    pub sandboxed: bool,
    /// No filter: for replies that no client sees.
    filter: TrackFilter,
}

impl Connection {
    /// A connection that has just logged in; its session state is not known yet.
    pub(super) fn new(
        stream: Stream,
        (capabilities, offered): (Capabilities, Capabilities),
        thread_id: u32,
        server: ServerId,
        name: Arc<str>,
        created: Instant,
    ) -> Self {
        let settings = Settings { multi_statements: true, ..Settings::default() };
        Self {
            stream,
            inbox: Inbox::default(),
            out: BytesMut::new(),
            state: ConnectionState { base: Arc::new(Base::default()), settings: Arc::new(settings), known: true },
            capabilities,
            offered,
            thread_id,
            statements: HeldStatements::default(),
            server,
            name,
            created,
            expires: created,
            patience: Duration::MAX,
            longest_command: usize::MAX,
            has_insert_id: false,
            served: None,
            busy: false,
            sandboxed: false,
            filter: TrackFilter::default(),
        }
    }

    /// Turns tracking on, and asks what a fresh session has, in one round trip; returns CURRENT_USER(). None: the password has
    /// expired, and nothing can be asked.
    ///
    /// # Errors
    /// When the connection broke, or the server refused.
    pub async fn set_up(&mut self, mariadb: bool) -> Result<Option<String>, BackendError> {
        // For MySQL only: see `Base::names` and `Base::reset`.
        let (isolation, number, gtids) = if mariadb {
            ("tx_isolation", "0,'','',''", "''")
        } else {
            (
                "transaction_isolation",
                "(SELECT ID FROM information_schema.COLLATIONS WHERE COLLATION_NAME=@@collation_connection),\
                 @@global.character_set_client,@@global.character_set_results,@@global.collation_connection",
                "@@session_track_gtids",
            )
        };
        self.send_query(&format!("SET {}", tracking(mariadb)));
        self.send_query(&format!(
            "SELECT @@character_set_client,@@character_set_results,@@collation_connection,@@sql_mode,@@autocommit,@@{isolation},{number},CURRENT_USER(),@@global.sql_mode,@@wait_timeout,@@global.wait_timeout,@@max_allowed_packet,{gtids}"
        ));
        self.flush().await?;
        let refused = self.swallow(ReplyKind::Results).await?.error;
        let row = match (refused, self.read_row().await) {
            // Its client may set a new password here, and finds nothing else.
            (Some(ErrPacket { code: MUST_CHANGE_PASSWORD, .. }), _)
            | (_, Err(BackendError::State { error: ErrPacket { code: MUST_CHANGE_PASSWORD, .. }, .. })) => {
                self.busy = false;
                self.sandboxed = true;
                self.state.base = Arc::new(Base { mariadb, ..Base::default() });
                return Ok(None);
            }
            (Some(error), _) => return Err(BackendError::State { server: self.name.clone(), error }),
            (None, row) => row?,
        };
        self.busy = false;
        let text = |at: usize| String::from_utf8_lossy(row.get(at).map_or(&[][..], Vec::as_slice)).into_owned();
        let resets = [("sql_mode", text(3), text(11)), ("wait_timeout", text(12), text(13))]
            .into_iter()
            .filter(|(_, login, reset)| login != reset)
            .map(|(name, login, reset)| {
                let quoted = |value: &str| literal(name, value.as_bytes());
                // MySQL keeps them at a reset (9.7), MariaDB does not (10.11).
                Reset { name, login: quoted(&login), reset: quoted(if mariadb { &reset } else { &login }) }
            })
            .collect();
        self.state.base = Arc::new(Base {
            resets,
            character_set_client: text(0).into(),
            character_set_results: text(1).into(),
            collation_connection: text(2).into(),
            sql_mode: text(3).into(),
            autocommit: text(4) == "1",
            mariadb,
            isolation: text(5).into(),
            wait_timeout: text(12).parse().ok(),
            tells_gtids: !matches!(&*text(15), "" | "OFF"),
            collation: text(6).parse().unwrap_or(0),
            reset: (!mariadb).then(|| [text(7).into(), text(8).into(), text(9).into()]),
        });
        // One that is just as long is too long already (MariaDB 10.11, MySQL 9.7).
        self.longest_command = text(14).parse::<usize>().map_or(usize::MAX, |limit| limit.saturating_sub(1));
        // A fifth for the way and for the next look at it.
        let seconds = [12, 13].into_iter().filter_map(|at| text(at).parse::<u64>().ok()).min();
        self.patience = seconds.map_or(Duration::MAX, |seconds| Duration::from_millis(seconds.saturating_mul(800)));
        Ok(Some(text(10)))
    }

    /// The error for a connection that broke.
    #[must_use]
    pub fn lost(&self, phase: Phase, error: io::Error) -> BackendError {
        BackendError::Lost { server: self.name.clone(), phase, error }
    }

    /// The error for a server that broke the protocol.
    #[must_use]
    pub fn broken(&self, error: crate::wire::ProtocolError) -> BackendError {
        BackendError::Protocol { server: self.name.clone(), phase: Phase::MayHaveRun, error }
    }

    /// Whether the server has closed it, or sent something unasked (MySQL 9 says so before it closes an idle one).
    /// Costs no system call while nothing has come.
    #[must_use]
    pub fn is_dead(&mut self) -> bool {
        !self.stream.is_quiet()
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// When the connection broke: what was written may have run.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), BackendError> {
        self.busy = true;
        match self.stream.write_all(bytes, None).await {
            Ok(()) => Ok(()),
            Err(error) => Box::pin(self.refused(error)).await,
        }
    }

    /// The server takes no more. One that finds a command too long has said so before it closed the connection: that is the
    /// reply then.
    async fn refused(&mut self, error: io::Error) -> Result<(), BackendError> {
        let heard = tokio::time::timeout(GOODBYE, self.stream.read(&mut self.inbox)).await;
        let told = matches!(heard, Ok(Ok(()))).then(|| self.inbox.head()).flatten();
        let payload = told.and_then(|head| self.inbox.payload(head.header)).unwrap_or_default();
        if let [0xFF, low, high, ..] = *payload
            && u16::from_le_bytes([low, high]) == PACKET_TOO_LARGE
        {
            return Ok(());
        }
        Err(self.lost(Phase::MayHaveRun, error))
    }

    /// Writes what stands in `out`.
    ///
    /// # Errors
    /// When the connection broke: what was written may have run.
    pub async fn flush(&mut self) -> Result<(), BackendError> {
        self.busy = true;
        let result = self.stream.write_all(&self.out, None).await;
        if self.out.capacity() > KEPT {
            self.out = BytesMut::new();
        }
        self.out.clear();
        match result {
            Ok(()) => Ok(()),
            Err(error) => Box::pin(self.refused(error)).await,
        }
    }

    /// Says goodbye (COM_QUIT), as far as the socket takes it at once.
    pub async fn quit(mut self) {
        put_packet(&mut self.out, 0, &[crate::wire::command::code::QUIT]);
        // The end of the connection says the same.
        let _ = tokio::time::timeout(GOODBYE, self.flush()).await;
        let _ = tokio::time::timeout(GOODBYE, self.stream.shutdown()).await;
    }

    /// Reads more bytes of the reply.
    ///
    /// # Errors
    /// When the connection broke, or the server closed it.
    pub async fn read(&mut self) -> Result<(), BackendError> {
        self.stream.read(&mut self.inbox).await.map_err(|error| self.lost(Phase::MayHaveRun, error))
    }

    /// Reads a reply that no client sees.
    ///
    /// # Errors
    /// When the connection or the protocol broke. An ERR packet is an outcome, not an error.
    pub async fn swallow(&mut self, kind: ReplyKind) -> Result<Outcome, BackendError> {
        let mut tracker = ReplyTracker::new(kind, self.capabilities, self.capabilities);
        loop {
            match tracker.walk(&mut self.inbox, &self.filter).map_err(|error| self.broken(error))? {
                Progress::Done => {
                    self.inbox.forwarded();
                    return Ok(tracker.take_outcome());
                }
                // Nothing that the proxy sends itself loads a file.
                Progress::WantsFile => {
                    return Err(
                        self.broken(crate::wire::ProtocolError::Malformed { packet: "reply", what: "asks for a file" })
                    );
                }
                Progress::More => {
                    self.inbox.forwarded();
                    self.read().await?;
                }
            }
        }
    }

    /// Reads the replies of a preamble that stands written.
    ///
    /// # Errors
    /// When the server refused a part of it, or the connection broke.
    pub async fn swallow_preamble(&mut self, replies: &[ReplyKind]) -> Result<(), BackendError> {
        let mut refused = None;
        for kind in replies {
            let outcome = self.swallow(*kind).await?;
            if refused.is_none() {
                refused = outcome.error;
            }
        }
        match refused {
            Some(error) => {
                self.state.known = false;
                Err(BackendError::State { server: self.name.clone(), error })
            }
            None => Ok(()),
        }
    }

    /// Appends a preamble to `out` and takes its effect for granted; returns the kinds of its replies.
    pub fn prepare_state(&mut self, preamble: &Preamble, wanted: &Arc<Settings>) -> Vec<ReplyKind> {
        if preamble.reset {
            self.statements.clear();
            self.has_insert_id = false;
            self.served = None;
        }
        let replies = preamble.encode(&mut self.out, self.capabilities);
        self.state.settings = wanted.clone();
        self.state.known = true;
        replies
    }

    /// Runs a query of the proxy's own and returns its first row; NULL and missing columns are empty.
    ///
    /// # Errors
    /// When the connection or the protocol broke, or the server answered with an error.
    pub async fn query_row(&mut self, sql: &str) -> Result<Vec<Vec<u8>>, BackendError> {
        self.send_query(sql);
        self.flush().await?;
        let row = self.read_row().await?;
        self.busy = false;
        Ok(row)
    }

    /// Runs a query of the proxy's own for one number. None: it is NULL, or no number.
    ///
    /// # Errors
    /// As [`Self::query_row`].
    pub async fn query_number(&mut self, sql: &str) -> Result<Option<u64>, BackendError> {
        let row = self.query_row(sql).await?;
        Ok(row.first().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()))
    }

    /// Appends a query of the proxy's own to `out`.
    pub fn send_query(&mut self, sql: &str) {
        let mut payload = Vec::with_capacity(sql.len().saturating_add(3));
        payload.extend_from_slice(query_head(self.capabilities));
        payload.extend_from_slice(sql.as_bytes());
        put_packet(&mut self.out, 0, &payload);
    }

    /// Reads a reply of one small result set and returns its first row.
    ///
    /// # Errors
    /// As [`Self::query_row`].
    pub async fn read_row(&mut self) -> Result<Vec<Vec<u8>>, BackendError> {
        let bytes = self.read_result().await?;
        rows(&bytes, self.capabilities).and_then(|rows| rows.into_iter().next()).ok_or_else(|| {
            self.broken(crate::wire::ProtocolError::Malformed { packet: "row", what: "not the result asked for" })
        })
    }

    /// Runs a query of the proxy's own and returns the first column of its rows, as many as stand in the first 16 KiB.
    ///
    /// # Errors
    /// As [`Self::query_row`].
    pub async fn query_column(&mut self, sql: &str) -> Result<Vec<Vec<u8>>, BackendError> {
        self.send_query(sql);
        self.flush().await?;
        let bytes = self.read_result().await?;
        self.busy = false;
        let rows = rows(&bytes, self.capabilities).unwrap_or_default();
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next()).collect())
    }

    /// Reads a reply; returns its beginning.
    async fn read_result(&mut self) -> Result<Vec<u8>, BackendError> {
        let mut tracker = ReplyTracker::new(ReplyKind::Results, self.capabilities, self.capabilities);
        let mut bytes = Vec::new();
        loop {
            let progress = tracker.walk(&mut self.inbox, &self.filter).map_err(|error| self.broken(error))?;
            // Only our own queries come here: their results are a few hundred bytes.
            if bytes.len() < ROW {
                bytes.extend_from_slice(self.inbox.scanned());
            }
            self.inbox.forwarded();
            if progress == Progress::Done {
                break;
            }
            self.read().await?;
        }
        match tracker.take_outcome().error {
            Some(error) => Err(BackendError::State { server: self.name.clone(), error }),
            None => Ok(bytes),
        }
    }
}

/// The rows of a text result set, as far as they are there whole.
fn rows(bytes: &[u8], agreed: Capabilities) -> Option<Vec<Vec<Vec<u8>>>> {
    let mut inbox = Inbox::default();
    inbox.space(bytes.len()).extend_from_slice(bytes);
    let mut packet = || inbox.take(crate::wire::MAX_PAYLOAD).ok().flatten().map(|(_, packet)| packet);
    let count = packet()?;
    let mut head = Reader::new("column count", count.get(4..)?);
    let columns = head.lenenc().ok()?;
    let defined = !agreed.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) || head.u8().ok()? != 0;
    for _ in 0..if defined { columns } else { 0 } {
        packet()?;
    }
    if !agreed.contains(Capabilities::DEPRECATE_EOF) {
        packet()?;
    }
    let mut rows = Vec::new();
    // A row begins with the length of its first value, which is never that of an end of rows: our own are short.
    while let Some(row) = packet().filter(|row| !matches!(row.get(4), None | Some(0xFE | 0xFF))) {
        let mut reader = Reader::new("row", row.get(4..)?);
        let mut values = Vec::new();
        for _ in 0..columns {
            if reader.rest().first() == Some(&0xFB) {
                reader.u8().ok()?;
                values.push(Vec::new());
            } else {
                values.push(reader.lenenc_bytes().ok()?.to_vec());
            }
        }
        rows.push(values);
    }
    Some(rows)
}
