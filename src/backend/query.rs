//! Queries of the proxy's own whose results are small and looked at: text results, by column name.

use std::sync::Arc;

use super::connection::Connection;
use super::error::BackendError;
use crate::wire::reader::Reader;
use crate::wire::{
    Capabilities, Inbox, MAX_PAYLOAD, Progress, ProtocolError, ReplyKind, ReplyTracker, Status, TrackFilter,
};

/// Of a reply so many bytes are looked at: a replication status is a few KiB a channel.
const LOOKED_AT: usize = 256 << 10;

/// A row of a text result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Option<Vec<u8>>>,
}

impl Row {
    /// The value of the column at this place, as text; None: NULL, or no such column.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<String> {
        self.values.get(place)?.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The names of its columns and their values; NULL is empty.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let values = self.values.iter().map(|value| value.as_deref().unwrap_or_default());
        self.columns.iter().map(String::as_str).zip(values)
    }

    /// The value of the first of these columns that it has, in letters of either case.
    #[must_use]
    pub fn named(&self, names: &[&str]) -> Option<String> {
        let place = |name: &&str| self.columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        self.at(names.iter().find_map(place)?)
    }
}

impl Connection {
    /// Runs statements and returns the rows of each of their results. Asked for without DEPRECATE_EOF.
    ///
    /// # Errors
    /// When the connection or the protocol broke, or the server answered with an error (`BackendError::State`).
    pub async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, BackendError> {
        self.send_query(sql);
        self.flush().await?;
        let filter = TrackFilter::default();
        let mut tracker = ReplyTracker::new(ReplyKind::Results, self.capabilities, self.capabilities);
        let mut bytes = Inbox::default();
        loop {
            let progress = tracker.walk(&mut self.inbox, &filter).map_err(|error| self.broken(error))?;
            if bytes.len() < LOOKED_AT {
                bytes.space(0).extend_from_slice(self.inbox.scanned());
            }
            self.inbox.forwarded();
            match progress {
                Progress::Done => break,
                Progress::More => self.read().await?,
                Progress::WantsFile => {
                    return Err(self.broken(ProtocolError::Malformed { packet: "reply", what: "asks for a file" }));
                }
            }
        }
        self.busy = false;
        if let Some(error) = tracker.take_outcome().error {
            return Err(BackendError::State { server: self.name.clone(), error });
        }
        results(&mut bytes).map_err(|error| self.broken(error))
    }
}

/// The results in a reply of the classic form.
fn results(bytes: &mut Inbox) -> Result<Vec<Vec<Row>>, ProtocolError> {
    let cut = ProtocolError::Malformed { packet: "result", what: "longer than is looked at" };
    let mut packet = || {
        let taken = bytes.take(MAX_PAYLOAD)?.ok_or(cut)?;
        Ok::<_, ProtocolError>(taken.1.slice(4.min(taken.1.len())..))
    };
    let mut results = Vec::new();
    loop {
        let first = packet()?;
        if first.first() == Some(&0) {
            let ok = crate::wire::OkPacket::parse(&first, true)?;
            results.push(Vec::new());
            if !ok.status.contains(Status::MORE_RESULTS) {
                return Ok(results);
            }
            continue;
        }
        let count = Reader::new("column count", &first).lenenc()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let definition = packet()?;
            let mut reader = Reader::new("column", &definition);
            // Catalog, schema, table, its own name.
            for _ in 0..4 {
                reader.lenenc_bytes()?;
            }
            columns.push(String::from_utf8_lossy(reader.lenenc_bytes()?).into_owned());
        }
        packet()?;
        let columns: Arc<[String]> = columns.into();
        let mut rows = Vec::new();
        let status = loop {
            let payload = packet()?;
            if payload.first() == Some(&0xFE) && payload.len() < 9 {
                break crate::wire::OkPacket::parse_eof(&payload)?.status;
            }
            let mut reader = Reader::new("row", &payload);
            let mut values = Vec::new();
            for _ in 0..count {
                if reader.rest().first() == Some(&0xFB) {
                    reader.u8()?;
                    values.push(None);
                } else {
                    values.push(Some(reader.lenenc_bytes()?.to_vec()));
                }
            }
            rows.push(Row { columns: columns.clone(), values });
        };
        results.push(rows);
        if !status.contains(Status::MORE_RESULTS) {
            return Ok(results);
        }
    }
}

/// What a connection must have agreed on for [`Connection::query`].
pub const QUERIED: Capabilities = Capabilities::MULTI_RESULTS;
