//! A client as PHP's mysqlnd is one: it blocks, waits for each reply, sends each command in a write of its own, and does
//! not know DEPRECATE_EOF. A client library of Rust would do less or more than the shapes that are measured.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::BytesMut;
use pointsman::sandbox::{Account, DATABASE};
use pointsman::wire::auth::{CACHING_SHA2, NATIVE, caching_sha2, native};
use pointsman::wire::handshake::{Greeting, HandshakeResponse};
use pointsman::wire::header::{HEADER_LEN, PacketHeader};
use pointsman::wire::writer::put_packet;
use pointsman::wire::{Capabilities, ErrPacket, Reader};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What mysqlnd asks for.
const MYSQLND: Capabilities = Capabilities::LONG_PASSWORD
    .with(Capabilities::LONG_FLAG)
    .with(Capabilities::CONNECT_WITH_DB)
    .with(Capabilities::PROTOCOL_41)
    .with(Capabilities::TRANSACTIONS)
    .with(Capabilities::SECURE_CONNECTION)
    .with(Capabilities::MULTI_RESULTS)
    .with(Capabilities::PS_MULTI_RESULTS)
    .with(Capabilities::PLUGIN_AUTH);

/// Parameters are sent as PHP's integers.
const LONGLONG: u8 = 8;

/// A logged-in connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// What was read and not taken yet.
    input: Vec<u8>,
    taken: usize,
    sequence: u8,
    output: BytesMut,
}

impl Client {
    /// Connects and logs in with the plugin that the server suggests.
    pub(crate) fn login(address: SocketAddr, account: Account) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // 5,000 of them stay: each has only what it needs.
        let mut client = Self { stream, input: Vec::new(), taken: 0, sequence: 0, output: BytesMut::new() };
        let greeting = Greeting::parse(client.packet().context("greeting")?)?;
        let response = HandshakeResponse {
            capabilities: MYSQLND & greeting.capabilities.with(Capabilities::LONG_PASSWORD),
            max_packet: 1 << 30,
            collation: 45,
            user: account.user.into(),
            auth_response: proof(account, &greeting.plugin, &greeting.nonce)?,
            schema: Some(DATABASE.into()),
            plugin: Some(greeting.plugin.clone()),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        client.send(&response.encode())?;
        let mut nonce = greeting.nonce.to_vec();
        loop {
            match client.packet().context("login")? {
                [0, ..] => return Ok(client),
                [1, 3] => {}
                // The password by the server's key: without TLS, and only until the server has it in memory.
                [1, 4] => client.send(&[2])?,
                [1, key @ ..] => {
                    let cipher = caching_sha2::encrypt(account.password.as_bytes(), &nonce, key);
                    client.send(&cipher.context("the server's key")?)?;
                }
                [0xFE, rest @ ..] => {
                    let (plugin, data) = rest.split_at(rest.iter().position(|byte| *byte == 0).context("a plugin")?);
                    nonce = data.iter().copied().skip(1).take(20).collect();
                    let answer = proof(account, std::str::from_utf8(plugin)?, &nonce)?;
                    client.send(&answer)?;
                }
                payload => bail!(said(payload)),
            }
        }
    }

    /// COM_QUERY; its reply is read to the end.
    pub(crate) fn query(&mut self, sql: &str) -> anyhow::Result<()> {
        self.command(0x03, sql.as_bytes())?;
        self.result()
    }

    /// PREPARE, EXECUTE with one number, CLOSE: what PDO sends for each query.
    pub(crate) fn prepared(&mut self, sql: &str, parameter: u64) -> anyhow::Result<()> {
        self.command(0x16, sql.as_bytes())?;
        let mut reader = Reader::new("PREPARE_OK", self.ok()?);
        let (_, id, columns, parameters) = (reader.u8()?, reader.u32()?, reader.u16()?, reader.u16()?);
        for definitions in [parameters, columns] {
            for _ in 0..definitions + u16::from(definitions > 0) {
                self.packet()?;
            }
        }
        let mut execute = Vec::with_capacity(24);
        execute.extend_from_slice(&id.to_le_bytes());
        execute.extend_from_slice(&[0, 1, 0, 0, 0]);
        if parameters > 0 {
            execute.extend_from_slice(&[0, 1, LONGLONG, 0]);
            execute.extend_from_slice(&parameter.to_le_bytes());
        }
        self.command(0x17, &execute)?;
        self.result()?;
        self.command(0x19, &id.to_le_bytes())
    }

    /// COM_QUIT.
    pub(crate) fn quit(mut self) -> anyhow::Result<()> {
        self.command(0x01, &[])
    }

    fn command(&mut self, command: u8, data: &[u8]) -> anyhow::Result<()> {
        self.sequence = 0;
        let mut payload = Vec::with_capacity(data.len() + 1);
        payload.push(command);
        payload.extend_from_slice(data);
        self.send(&payload)
    }

    fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.output.clear();
        self.sequence = put_packet(&mut self.output, self.sequence, payload);
        self.stream.write_all(&self.output).context("send")
    }

    /// A reply of one result set, or of an OK.
    fn result(&mut self) -> anyhow::Result<()> {
        let first = self.ok()?;
        if first.first() == Some(&0) {
            return Ok(());
        }
        // Definitions, then rows; an EOF behind each.
        for _ in 0..2 {
            while !matches!(self.ok()?, [0xFE, rest @ ..] if rest.len() < 8) {}
        }
        Ok(())
    }

    /// The next packet, which shall be no error.
    fn ok(&mut self) -> anyhow::Result<&[u8]> {
        let payload = self.packet()?;
        ensure!(payload.first() != Some(&0xFF), said(payload));
        Ok(payload)
    }

    fn packet(&mut self) -> anyhow::Result<&[u8]> {
        let header = self.bytes(HEADER_LEN)?;
        let header = PacketHeader::parse(header).context("a header")?;
        self.sequence = header.sequence.wrapping_add(1);
        self.bytes(header.payload_len)
    }

    /// The next bytes; what they are part of may be read further.
    fn bytes(&mut self, len: usize) -> anyhow::Result<&[u8]> {
        while self.input.len() - self.taken < len {
            self.input.drain(..self.taken);
            self.taken = 0;
            let mut read = [0; 4096];
            let got = self.stream.read(&mut read).context("receive")?;
            ensure!(got > 0, "the peer has closed the connection");
            self.input.extend_from_slice(read.get(..got).unwrap_or_default());
        }
        let from = self.taken;
        self.taken += len;
        self.input.get(from..self.taken).context("input")
    }
}

fn proof(account: Account, plugin: &str, nonce: &[u8]) -> anyhow::Result<Vec<u8>> {
    match plugin {
        NATIVE => Ok(native::scramble(account.password.as_bytes(), nonce)),
        CACHING_SHA2 => Ok(caching_sha2::scramble(account.password.as_bytes(), nonce)),
        other => bail!("the server asks for {other}"),
    }
}

fn said(payload: &[u8]) -> String {
    ErrPacket::parse(payload).map_or_else(|_| format!("{payload:?}"), |error| format!("{error:?}"))
}
