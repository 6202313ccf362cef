//! One side's client: sends what an entry says and takes all that comes back, or how the connection ended.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use pointsman::wire::header::MAX_PAYLOAD;
use pointsman::wire::{Capabilities, Reader, Status};

use crate::corpus::{Act, Answer, Entry, Execute, Value};
use crate::forms::{Form, Protocol};
use crate::support::raw::{Login, Packet, Raw};

/// The id of a statement that was never prepared: no server gives it.
const UNKNOWN: u32 = 0x7FFF_FFFF;

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Whole,
    Closed,
    Silent,
    /// What came is no reply of the protocol.
    Garbled(String),
}

/// All that was said to one entry: the step, and its packets. Of a login and of COM_CHANGE_USER only the last packet, without
/// its sequence id: what leads to it is between the client and whom it logs in to (plugins, nonces, keys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub steps: Vec<(&'static str, Vec<Packet>)>,
    pub end: End,
}

/// A client of one side.
pub struct Client {
    raw: Raw,
    address: SocketAddr,
    login: Login,
    form: Form,
    /// Those of the entries, by their names.
    statements: HashMap<String, u32>,
    given: Vec<u32>,
    file: Vec<u8>,
    /// The command that runs is an EXECUTE that asks for a cursor. A procedure's own cursor sets the same flag (MariaDB).
    cursor: bool,
    /// The entry that is being said asks for none.
    no_cursor: bool,
    /// It is a CALL, which opens none.
    call: bool,
}

impl Client {
    /// Logs in; what was said to that.
    pub async fn login(address: SocketAddr, login: Login, form: Form) -> (Self, Heard) {
        let login = Login { tls: form.tls, compression: form.compression, ..login.with(form.capabilities) };
        let raw = Raw::open(address).await;
        let mut client = Self {
            raw,
            address,
            login,
            form,
            statements: HashMap::new(),
            given: Vec::new(),
            file: Vec::new(),
            cursor: false,
            no_cursor: false,
            call: false,
        };
        let heard = client.log_in().await;
        (client, heard)
    }

    /// The end of the login, and what the form asks of a new session.
    async fn log_in(&mut self) -> Heard {
        let mut packets = self.raw.log_in(&self.login).await;
        assert!(packets.last().is_some_and(Packet::is_ok), "{:?}: {packets:?}", self.login);
        packets.drain(..packets.len() - 1);
        packets[0].sequence = 0;
        let mut steps = vec![("login", packets)];
        if self.form.no_definitions {
            steps.push(("set up", self.raw.run("SET resultset_metadata = 'NONE'").await));
        }
        Heard { steps, end: End::Whole }
    }

    /// The connection's id.
    pub fn id(&self) -> u32 {
        self.raw.greeting.as_ref().map_or(0, |greeting| greeting.thread_id)
    }

    pub fn capabilities(&self) -> Capabilities {
        self.raw.capabilities
    }

    /// Comes again; what was said to the login.
    pub async fn reconnect(&mut self) -> Heard {
        self.raw = Raw::open(self.address).await;
        self.statements.clear();
        self.given.clear();
        self.log_in().await
    }

    /// The ids of statements that this side gave on this connection.
    pub fn given(&self) -> &[u32] {
        &self.given
    }

    /// Says one entry.
    pub async fn say(&mut self, entry: &Entry, text_only: bool) -> Heard {
        let mut steps = Vec::new();
        let text = text_only || entry.text_only;
        self.no_cursor = entry.no_cursor;
        self.call = matches!(&entry.act, Act::Sql(sql) if sql.to_ascii_uppercase().starts_with(b"CALL"));
        let end = match self.act(&entry.act, text, &mut steps).await {
            // Elsewhere the next packet's sequence id tells.
            Ok(()) if self.raw.stream.unasked() > 0 => End::Garbled("more than the entry waits for".to_owned()),
            Ok(()) => End::Whole,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => End::Silent,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => End::Garbled(error.to_string()),
            Err(_) => End::Closed,
        };
        Heard { steps, end }
    }

    async fn act(&mut self, act: &Act, text: bool, steps: &mut Vec<(&'static str, Vec<Packet>)>) -> io::Result<()> {
        match act {
            Act::Sql(sql) if text || self.form.protocol == Protocol::Text => {
                let payload = self.query_payload(sql);
                self.exchange("query", steps, &payload, Answer::Results).await
            }
            Act::Sql(sql) => self.prepared(sql, steps).await,
            Act::File(content) => {
                self.file.clone_from(content);
                Ok(())
            }
            Act::Prepare(name, sql) => {
                let id = self.prepare(sql, steps).await?;
                self.statements.insert(name.clone(), id.unwrap_or(0));
                Ok(())
            }
            Act::ChangeUser(user, schema) => {
                let mut login = Login::new(user, &format!("{user}-secret")).with(self.form.capabilities);
                login.schema.clone_from(schema);
                let mut packets = self.raw.change_user(&login).await;
                self.statements.clear();
                self.given.clear();
                packets.drain(..packets.len() - 1);
                packets[0].sequence = 0;
                steps.push(("change user", packets));
                Ok(())
            }
            Act::Reconnect => {
                let said = self.reconnect().await;
                steps.extend(said.steps);
                Ok(())
            }
            command => {
                let (step, payload, answer) = self.command(command);
                self.exchange(step, steps, &payload, answer).await
            }
        }
    }

    /// What to call a command, its payload, and what answers it.
    fn command(&self, act: &Act) -> (&'static str, Vec<u8>, Answer) {
        match act {
            Act::Sql(sql) => ("query", self.query_payload(sql), Answer::Results),
            Act::Raw(answer, payload) => ("command", payload.clone(), *answer),
            Act::Prepare(_, sql) => ("prepare", [b"\x16", &sql[..]].concat(), Answer::Prepare),
            Act::Execute(name, execute) => {
                ("execute", self.execute_payload(self.id_of(name), execute, 0), Answer::Results)
            }
            Act::Bulk(name, flags, rows) => ("bulk", bulk_payload(self.id_of(name), *flags, rows), Answer::Results),
            Act::Fetch(name, rows) => {
                ("fetch", [&b"\x1c"[..], &self.id_of(name), &rows.to_le_bytes()].concat(), Answer::Rows)
            }
            Act::Long(name, at, data) => {
                ("long data", [&b"\x18"[..], &self.id_of(name), &at.to_le_bytes(), data].concat(), Answer::None)
            }
            Act::ResetStatement(name) => ("reset", [&b"\x1a"[..], &self.id_of(name)].concat(), Answer::One),
            Act::Close(name) => ("close", [&b"\x19"[..], &self.id_of(name)].concat(), Answer::None),
            Act::Altered(act, keep, tail, answer) => {
                let (_, mut payload, _) = self.command(act);
                payload.truncate(*keep);
                payload.extend_from_slice(tail);
                ("altered", payload, *answer)
            }
            Act::File(_) | Act::ChangeUser(..) | Act::Reconnect => panic!("no command: {act:?}"),
        }
    }

    fn id_of(&self, name: &str) -> [u8; 4] {
        self.statements.get(name).copied().unwrap_or(UNKNOWN).to_le_bytes()
    }

    /// A statement by PREPARE, EXECUTE and CLOSE; as text too where it cannot be prepared, for what it leaves behind.
    async fn prepared(&mut self, sql: &[u8], steps: &mut Vec<(&'static str, Vec<Packet>)>) -> io::Result<()> {
        let Some(id) = self.prepare(sql, steps).await? else {
            let payload = self.query_payload(sql);
            return self.exchange("query", steps, &payload, Answer::Results).await;
        };
        let flags = u8::from(self.form.protocol == Protocol::Cursor && !self.no_cursor && !self.ends_by_cursor(sql));
        let parameters =
            steps.last().map_or(0, |(_, packets)| u16::from_le_bytes([packets[0].payload[7], packets[0].payload[8]]));
        // Placeholders in a list of statements stand for NULL.
        let values = vec![Value { kind: 0x06, unsigned: false, bytes: None }; usize::from(parameters)];
        let payload = self.execute_payload(id.to_le_bytes(), &Execute { flags, again: false, values }, sql.len());
        self.exchange("execute", steps, &payload, Answer::Results).await?;
        if flags == 1 {
            // Pieces of 1 to 7 rows, by a fixed rule.
            let piece = u32::try_from(sql.len() % 7 + 1).unwrap_or(1);
            let mut open = !self.call
                && status_of(steps, self.classic()).is_some_and(|status| status.contains(Status::CURSOR_EXISTS));
            for _ in 0..40 {
                if !open {
                    break;
                }
                let fetch = [&b"\x1c"[..], &id.to_le_bytes(), &piece.to_le_bytes()].concat();
                self.exchange("fetch", steps, &fetch, Answer::Rows).await?;
                open = status_of(steps, self.classic()).is_some_and(|status| !status.contains(Status::LAST_ROW_SENT));
            }
        }
        self.exchange("close", steps, &[&b"\x19"[..], &id.to_le_bytes()].concat(), Answer::None).await
    }

    /// Servers that end with a signal at an EXECUTE that asks for a cursor: MySQL 9.7 of EXPLAIN, MariaDB 10.11 of DELETE with
    /// RETURNING.
    fn ends_by_cursor(&self, sql: &[u8]) -> bool {
        let mysql = self.raw.greeting.as_ref().is_some_and(|greeting| !greeting.version.contains("MariaDB"));
        let upper = sql.to_ascii_uppercase();
        let first = upper.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
        match first {
            b"EXPLAIN" | b"DESCRIBE" | b"DESC" => mysql,
            b"DELETE" => !mysql && upper.windows(9).any(|word| word == b"RETURNING"),
            _ => false,
        }
    }

    async fn prepare(&mut self, sql: &[u8], steps: &mut Vec<(&'static str, Vec<Packet>)>) -> io::Result<Option<u32>> {
        self.exchange("prepare", steps, &[b"\x16", sql].concat(), Answer::Prepare).await?;
        let first = &steps[steps.len() - 1].1[0].payload;
        let id = (first[0] == 0).then(|| u32::from_le_bytes([first[1], first[2], first[3], first[4]]));
        self.given.extend(id);
        Ok(id)
    }

    /// COM_QUERY, with attributes where the form has them.
    fn query_payload(&self, sql: &[u8]) -> Vec<u8> {
        if !self.has(Capabilities::QUERY_ATTRIBUTES) {
            return [b"\x03", sql].concat();
        }
        let attributes = attributes(sql.len());
        let mut out = vec![0x03, u8::try_from(attributes.len()).unwrap_or(0), 1];
        put_parameters(&mut out, &attributes, false, true);
        out.extend_from_slice(sql);
        out
    }

    /// COM_STMT_EXECUTE; `number` says which attributes go with it, where the form has them.
    fn execute_payload(&self, id: [u8; 4], execute: &Execute, number: usize) -> Vec<u8> {
        let with_names = self.has(Capabilities::QUERY_ATTRIBUTES);
        let mut parameters: Vec<(&str, &Value)> = execute.values.iter().map(|value| ("", value)).collect();
        let attributes = if with_names { attributes(number + execute.values.len()) } else { Vec::new() };
        let mut flags = execute.flags;
        if !attributes.is_empty() {
            // PARAMETER_COUNT_AVAILABLE.
            flags |= 8;
            parameters.extend(attributes.iter().map(|(name, value)| (*name, value)));
        }
        let mut out = [&b"\x17"[..], &id, &[flags, 1, 0, 0, 0]].concat();
        if with_names && (flags & 8 != 0 || !parameters.is_empty()) {
            out.push(u8::try_from(parameters.len()).unwrap_or(u8::MAX));
        }
        let parameters: Vec<(&str, Value)> =
            parameters.into_iter().map(|(name, value)| (name, value.clone())).collect();
        put_parameters(&mut out, &parameters, execute.again, with_names);
        out
    }

    fn has(&self, capabilities: Capabilities) -> bool {
        self.raw.capabilities.contains(capabilities)
    }

    async fn exchange(
        &mut self,
        step: &'static str,
        steps: &mut Vec<(&'static str, Vec<Packet>)>,
        payload: &[u8],
        answer: Answer,
    ) -> io::Result<()> {
        self.cursor = matches!(payload, [0x17, _, _, _, _, flags, ..] if flags & 7 != 0 && !self.call);
        self.raw.try_send(payload).await;
        self.raw.sequence = sequence_after(payload);
        let mut packets = Vec::new();
        let done = match answer {
            Answer::None => Ok(()),
            Answer::One => self.read(&mut packets).await.map(drop),
            Answer::Results => self.results(&mut packets).await,
            Answer::Rows => self.rows(&mut packets).await.map(drop),
            Answer::Prepare => self.definitions(&mut packets).await,
        };
        steps.push((step, packets));
        done
    }

    fn classic(&self) -> bool {
        !self.has(Capabilities::DEPRECATE_EOF)
    }

    async fn read(&mut self, packets: &mut Vec<Packet>) -> io::Result<Vec<u8>> {
        let packet = self.raw.try_read().await?;
        let payload = packet.payload.clone();
        packets.push(packet);
        Ok(payload)
    }

    async fn results(&mut self, packets: &mut Vec<Packet>) -> io::Result<()> {
        loop {
            let first = self.read(packets).await?;
            let status = match first.first() {
                Some(0xFF) => return Ok(()),
                Some(0xFB) => {
                    let file = std::mem::take(&mut self.file);
                    for piece in file.chunks(50_000) {
                        self.raw.answer(piece).await;
                    }
                    self.file = file;
                    self.raw.answer(b"").await;
                    continue;
                }
                Some(0) => ok_status(&first)?,
                // COM_SET_OPTION and the like.
                Some(0xFE) => return Ok(()),
                _ => {
                    let mut head = Reader::new("count", &first);
                    let mut columns = head.lenenc().map_err(invalid)?;
                    if self.has(Capabilities::OPTIONAL_RESULTSET_METADATA) && head.u8().map_err(invalid)? == 0 {
                        columns = 0;
                    }
                    for _ in 0..columns {
                        self.read(packets).await?;
                    }
                    if self.classic() {
                        let eof = self.read(packets).await?;
                        if eof.first() == Some(&0xFF) {
                            return Ok(());
                        }
                        let status = eof_status(&eof)?;
                        if self.cursor && status.contains(Status::CURSOR_EXISTS) {
                            status
                        } else if status.contains(Status::PS_OUT_PARAMS) {
                            // An OK follows, although the EOF behind the row does not say so (MySQL 9.7).
                            self.rows(packets).await? | Status::MORE_RESULTS
                        } else {
                            self.rows(packets).await?
                        }
                    } else {
                        self.rows(packets).await?
                    }
                }
            };
            if !status.contains(Status::MORE_RESULTS) {
                return Ok(());
            }
        }
    }

    async fn rows(&mut self, packets: &mut Vec<Packet>) -> io::Result<Status> {
        loop {
            let payload = self.read(packets).await?;
            match payload.first() {
                Some(0xFF) => return Ok(Status::default()),
                Some(0xFE) if self.classic() && payload.len() < 9 => return eof_status(&payload),
                Some(0xFE) if !self.classic() && payload.len() < MAX_PAYLOAD => return ok_status(&payload),
                _ => {}
            }
        }
    }

    async fn definitions(&mut self, packets: &mut Vec<Packet>) -> io::Result<()> {
        let first = self.read(packets).await?;
        if first.first() != Some(&0) {
            return Ok(());
        }
        let mut reader = Reader::new("PREPARE_OK", &first[1..]);
        let (_id, columns, parameters) =
            (reader.u32().map_err(invalid)?, reader.u16().map_err(invalid)?, reader.u16().map_err(invalid)?);
        let left_out = self.has(Capabilities::OPTIONAL_RESULTSET_METADATA) && first.get(12) == Some(&0);
        for count in [parameters, columns] {
            let definitions = if left_out { 0 } else { u32::from(count) };
            for _ in 0..definitions + u32::from(count > 0 && self.classic()) {
                self.read(packets).await?;
            }
        }
        Ok(())
    }

    /// Leaves.
    pub async fn quit(mut self) {
        self.raw.try_send(&[1]).await;
        // The end is waited for, so that nothing of this session is there when the next one begins.
        let _ended = tokio::time::timeout(Duration::from_secs(2), self.raw.try_read()).await;
    }
}

/// Up to three attributes, by a fixed rule.
fn attributes(number: usize) -> Vec<(&'static str, Value)> {
    let text = Value { kind: 0xFE, unsigned: false, bytes: Some(b"\x0700-abcd".to_vec()) };
    let number_of = Value { kind: 0x08, unsigned: true, bytes: Some(number.to_le_bytes().to_vec()) };
    let null = Value { kind: 0x06, unsigned: false, bytes: None };
    [("traceparent", text), ("", null), ("n", number_of)].into_iter().take(number % 4).collect()
}

/// The bits of NULL, whether types follow, types (with names), values.
fn put_parameters(out: &mut Vec<u8>, parameters: &[(&str, Value)], again: bool, with_names: bool) {
    if parameters.is_empty() {
        return;
    }
    let mut nulls = vec![0_u8; parameters.len().div_ceil(8)];
    for (at, _) in parameters.iter().enumerate().filter(|(_, (_, value))| value.bytes.is_none()) {
        nulls[at / 8] |= 1 << (at % 8);
    }
    out.extend(nulls);
    out.push(u8::from(!again));
    if !again {
        for (name, value) in parameters {
            out.extend([value.kind, u8::from(value.unsigned) << 7]);
            if with_names {
                out.push(u8::try_from(name.len()).unwrap_or(0));
                out.extend_from_slice(name.as_bytes());
            }
        }
    }
    for bytes in parameters.iter().filter_map(|(_, value)| value.bytes.as_ref()) {
        out.extend_from_slice(bytes);
    }
}

/// The sequence id of the reply to a command of this length.
fn sequence_after(payload: &[u8]) -> u8 {
    let mut out = BytesMut::new();
    if payload.len() < MAX_PAYLOAD { 1 } else { pointsman::wire::writer::put_packet(&mut out, 0, payload) }
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn ok_status(payload: &[u8]) -> io::Result<Status> {
    let mut reader = Reader::new("OK", payload.get(1..).unwrap_or_default());
    reader.lenenc().and_then(|_| reader.lenenc()).and_then(|_| reader.u16()).map(Status).map_err(invalid)
}

fn eof_status(payload: &[u8]) -> io::Result<Status> {
    match payload {
        [0xFE, _, _, low, high, ..] => Ok(Status(u16::from_le_bytes([*low, *high]))),
        other => Err(invalid(format!("no EOF: {other:?}"))),
    }
}

/// The status flags at the end of the last step.
fn status_of(steps: &[(&'static str, Vec<Packet>)], classic: bool) -> Option<Status> {
    let payload = &steps.last()?.1.last()?.payload;
    match payload.first()? {
        0xFE if classic => eof_status(payload).ok(),
        0xFE | 0 => ok_status(payload).ok(),
        _ => None,
    }
}

/// COM_STMT_BULK_EXECUTE ([MariaDB](https://mariadb.com/docs/server/reference/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_bulk_execute)).
fn bulk_payload(id: [u8; 4], flags: u16, rows: &[Vec<Value>]) -> Vec<u8> {
    /// Types stand in front of the rows.
    const SEND_TYPES: u16 = 128;
    let mut out = [&b"\xfa"[..], &id, &flags.to_le_bytes()].concat();
    if flags & SEND_TYPES != 0 {
        for value in rows.first().into_iter().flatten() {
            out.extend_from_slice(&[value.kind, if value.unsigned { 0x80 } else { 0 }]);
        }
    }
    for value in rows.iter().flatten() {
        match &value.bytes {
            Some(bytes) => {
                out.push(0);
                out.extend_from_slice(bytes);
            }
            None => out.push(1),
        }
    }
    out
}
