//! One side's client: sends what an entry says and takes all that comes back, or how the connection ended.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use pointsman::cluster::Flavor;
use pointsman::wire::header::MAX_PAYLOAD;
use pointsman::wire::{Capabilities, Reader, Status};

use crate::corpus::{Act, Answer, Entry, Execute};
use crate::support::raw::{CLASSIC, Login, MODERN, Packet, Raw};

/// A form in which every entry is said.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub name: &'static str,
    pub capabilities: Capabilities,
    pub protocol: Protocol,
    /// Only this family has it.
    pub flavor: Option<Flavor>,
}

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Text,
    /// Prepared and executed.
    Binary,
    /// Prepared and executed with a cursor, which is fetched in pieces.
    Cursor,
}

const TRACK: Capabilities = Capabilities::SESSION_TRACK;

/// All forms, the two most used first.
pub const FORMS: &[Form] = &[
    Form { name: "text", capabilities: MODERN, protocol: Protocol::Text, flavor: None },
    Form { name: "binary", capabilities: MODERN, protocol: Protocol::Binary, flavor: None },
    Form { name: "text, classic", capabilities: CLASSIC, protocol: Protocol::Text, flavor: None },
    Form { name: "binary, classic", capabilities: CLASSIC, protocol: Protocol::Binary, flavor: None },
    Form { name: "text, untracked", capabilities: MODERN.without(TRACK), protocol: Protocol::Text, flavor: None },
    Form { name: "text, classic, tracked", capabilities: CLASSIC.with(TRACK), protocol: Protocol::Text, flavor: None },
    Form { name: "cursor", capabilities: MODERN, protocol: Protocol::Cursor, flavor: None },
    Form { name: "cursor, classic", capabilities: CLASSIC, protocol: Protocol::Cursor, flavor: None },
    Form {
        name: "text, found rows",
        capabilities: MODERN.with(Capabilities::FOUND_ROWS),
        protocol: Protocol::Text,
        flavor: None,
    },
    Form {
        name: "text, plain metadata",
        capabilities: MODERN.without(Capabilities::EXTENDED_METADATA),
        protocol: Protocol::Text,
        flavor: Some(Flavor::MariaDb),
    },
];

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Whole,
    Closed,
    Silent,
    /// What came is no reply of the protocol.
    Garbled(String),
}

/// All that was said to one entry: the step, and its packets.
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
    statements: HashMap<String, (u32, Vec<(u8, bool)>)>,
    file: Vec<u8>,
    /// The EXECUTE that runs asked for a cursor. A procedure's own cursor sets the same flag (MariaDB).
    cursor: bool,
}

impl Client {
    pub async fn login(address: SocketAddr, login: Login, form: Form) -> Self {
        let login = login.with(form.capabilities);
        let raw = Raw::login(address, &login).await;
        Self { raw, address, login, form, statements: HashMap::new(), file: Vec::new(), cursor: false }
    }

    /// The connection's id.
    pub fn id(&self) -> u32 {
        self.raw.greeting.as_ref().map_or(0, |greeting| greeting.thread_id)
    }

    pub fn capabilities(&self) -> Capabilities {
        self.raw.capabilities
    }

    pub async fn reconnect(&mut self) {
        self.raw = Raw::login(self.address, &self.login).await;
        self.statements.clear();
    }

    /// Says one entry.
    pub async fn say(&mut self, entry: &Entry, text_only: bool) -> Heard {
        let mut steps = Vec::new();
        let text = text_only || entry.text_only;
        let end = match self.act(&entry.act, text, &mut steps).await {
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
                self.exchange("query", steps, &[b"\x03", &sql[..]].concat(), Answer::Results).await
            }
            Act::Sql(sql) => self.prepared(sql, steps).await,
            Act::Raw(answer, payload) => self.exchange("command", steps, payload, *answer).await,
            Act::File(content) => {
                self.file.clone_from(content);
                Ok(())
            }
            Act::Prepare(name, sql) => {
                let id = self.prepare(sql, steps).await?;
                self.statements.insert(name.clone(), (id.unwrap_or(0), Vec::new()));
                Ok(())
            }
            Act::Execute(name, execute) => {
                let payload = self.execute_payload(name, execute);
                self.cursor = execute.flags != 0;
                self.exchange("execute", steps, &payload, Answer::Results).await
            }
            Act::Fetch(name, rows) => {
                let payload = [&b"\x1c"[..], &self.id_of(name), &rows.to_le_bytes()].concat();
                self.exchange("fetch", steps, &payload, Answer::Rows).await
            }
            Act::Long(name, at, data) => {
                let payload = [&b"\x18"[..], &self.id_of(name), &at.to_le_bytes(), data].concat();
                self.exchange("long data", steps, &payload, Answer::None).await
            }
            Act::ResetStatement(name) => {
                let payload = [&b"\x1a"[..], &self.id_of(name)].concat();
                self.exchange("reset", steps, &payload, Answer::One).await
            }
            Act::Close(name) => {
                let payload = [&b"\x19"[..], &self.id_of(name)].concat();
                self.exchange("close", steps, &payload, Answer::None).await
            }
            Act::ChangeUser(user, schema) => {
                let mut login = Login::new(user, &format!("{user}-secret")).with(self.form.capabilities);
                login.schema.clone_from(schema);
                let mut packets = self.raw.change_user(&login).await;
                self.statements.clear();
                // What leads to it is between the client and whom it logs in to: plugins, nonces, keys.
                packets.drain(..packets.len() - 1);
                packets[0].sequence = 0;
                steps.push(("change user", packets));
                Ok(())
            }
            Act::Reconnect => {
                self.reconnect().await;
                Ok(())
            }
        }
    }

    fn id_of(&self, name: &str) -> [u8; 4] {
        // A statement that was never prepared has an id that no server gives.
        self.statements.get(name).map_or(0x7FFF_FFFF, |(id, _)| *id).to_le_bytes()
    }

    /// A statement by PREPARE, EXECUTE and CLOSE; as text too where it cannot be prepared, for what it leaves behind.
    async fn prepared(&mut self, sql: &[u8], steps: &mut Vec<(&'static str, Vec<Packet>)>) -> io::Result<()> {
        let Some(id) = self.prepare(sql, steps).await? else {
            return self.exchange("query", steps, &[b"\x03", sql].concat(), Answer::Results).await;
        };
        let flags = u8::from(self.form.protocol == Protocol::Cursor && !self.ends_by_cursor(sql));
        let parameters =
            steps.last().map_or(0, |(_, packets)| u16::from_le_bytes([packets[0].payload[7], packets[0].payload[8]]));
        let mut payload = [&b"\x17"[..], &id.to_le_bytes(), &[flags, 1, 0, 0, 0]].concat();
        if parameters > 0 {
            // Placeholders in a list of statements stand for NULL.
            payload.extend(vec![0xFF; usize::from(parameters).div_ceil(8)]);
            payload.push(1);
            payload.extend([0x06, 0].repeat(usize::from(parameters)));
        }
        self.cursor = flags == 1;
        self.exchange("execute", steps, &payload, Answer::Results).await?;
        if flags == 1 {
            // Pieces of 1 to 7 rows, by a fixed rule.
            let piece = u32::try_from(sql.len() % 7 + 1).unwrap_or(1);
            let mut open =
                status_of(steps, self.classic()).is_some_and(|status| status.contains(Status::CURSOR_EXISTS));
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

    /// MySQL 9.7 ends with a signal at an EXECUTE of EXPLAIN that asks for a cursor.
    fn ends_by_cursor(&self, sql: &[u8]) -> bool {
        let mysql = self.raw.greeting.as_ref().is_some_and(|greeting| !greeting.version.contains("MariaDB"));
        let first = sql.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
        mysql && matches!(&first[..], b"EXPLAIN" | b"DESCRIBE" | b"DESC")
    }

    /// None: it was refused.
    async fn prepare(&mut self, sql: &[u8], steps: &mut Vec<(&'static str, Vec<Packet>)>) -> io::Result<Option<u32>> {
        self.exchange("prepare", steps, &[b"\x16", sql].concat(), Answer::Prepare).await?;
        let first = &steps[steps.len() - 1].1[0].payload;
        Ok((first[0] == 0).then(|| u32::from_le_bytes([first[1], first[2], first[3], first[4]])))
    }

    fn execute_payload(&self, name: &str, execute: &Execute) -> Vec<u8> {
        let mut payload = [&b"\x17"[..], &self.id_of(name), &[execute.flags, 1, 0, 0, 0]].concat();
        let values = &execute.values;
        if values.is_empty() {
            return payload;
        }
        let mut nulls = vec![0_u8; values.len().div_ceil(8)];
        for (at, _) in values.iter().enumerate().filter(|(_, value)| value.bytes.is_none()) {
            nulls[at / 8] |= 1 << (at % 8);
        }
        payload.extend(nulls);
        payload.push(u8::from(!execute.again));
        if !execute.again {
            for value in values {
                payload.extend([value.kind, u8::from(value.unsigned) << 7]);
            }
        }
        for bytes in values.iter().filter_map(|value| value.bytes.as_ref()) {
            payload.extend_from_slice(bytes);
        }
        payload
    }

    async fn exchange(
        &mut self,
        step: &'static str,
        steps: &mut Vec<(&'static str, Vec<Packet>)>,
        payload: &[u8],
        answer: Answer,
    ) -> io::Result<()> {
        self.cursor &= step == "execute";
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
        !self.raw.capabilities.contains(Capabilities::DEPRECATE_EOF)
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
                    let columns = Reader::new("count", &first).lenenc().map_err(invalid)?;
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
        for count in [parameters, columns] {
            for _ in 0..u32::from(count) + u32::from(count > 0 && self.classic()) {
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
