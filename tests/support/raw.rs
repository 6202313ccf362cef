//! A client that speaks packets: what it sends and what it gets is seen byte by byte. It finds the end of a reply by
//! itself, not by the code under test.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use pointsman::cluster::Flavor;
use pointsman::wire::auth::{CACHING_SHA2, NATIVE, SHA256, caching_sha2, native};
use pointsman::wire::command::query_head;
use pointsman::wire::handshake::{Greeting, HandshakeResponse, ssl_request};
use pointsman::wire::header::{HEADER_LEN, MAX_PAYLOAD, PacketHeader};
use pointsman::wire::writer::{put_lenenc_bytes, put_packet};
use pointsman::wire::{Capabilities, ErrPacket, Reader};
use tokio::net::{TcpSocket, TcpStream};

use super::wire::{Method, Wire, ZSTD_LEVEL};

/// Nothing that a test waits for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The longest packet that a client takes, in bytes.
const MAX_PACKET: u32 = 1 << 30;

/// utf8mb4_general_ci.
const COLLATION: u16 = 45;

/// What clients ask for nowadays.
pub const MODERN: Capabilities = Capabilities::OFFERED
    .without(Capabilities::OPTIONAL_RESULTSET_METADATA)
    .without(Capabilities::QUERY_ATTRIBUTES)
    .without(Capabilities::PROGRESS)
    .without(Capabilities::STMT_BULK_OPERATIONS)
    .without(Capabilities::BULK_UNIT_RESULTS)
    .without(Capabilities::CONNECT_WITH_DB)
    .without(Capabilities::CONNECT_ATTRS)
    .without(Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS)
    .without(Capabilities::FOUND_ROWS)
    .without(Capabilities::NO_SCHEMA)
    .without(Capabilities::ODBC)
    .without(Capabilities::IGNORE_SPACE)
    .without(Capabilities::INTERACTIVE);

/// What clients asked for ten years ago.
pub const CLASSIC: Capabilities = MODERN.without(Capabilities::DEPRECATE_EOF).without(Capabilities::SESSION_TRACK);

/// One payload, put together when it came in several packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The sequence id of its last packet.
    pub sequence: u8,
    pub payload: Vec<u8>,
}

impl Packet {
    /// The error in it.
    pub fn error(&self) -> ErrPacket {
        assert_eq!(self.payload.first(), Some(&0xFF), "not an error: {self:?}");
        ErrPacket::parse(&self.payload).expect("an error packet")
    }

    /// The error in it as its code, state and text, or that there is none.
    pub fn told(&self) -> String {
        if self.payload.first() != Some(&0xFF) {
            return "served".to_owned();
        }
        let error = self.error();
        format!("{} {} {}", error.code, String::from_utf8_lossy(&error.sql_state), error.message)
    }

    pub fn is_ok(&self) -> bool {
        self.payload.first() == Some(&0)
    }
}

/// How to log in.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
    pub schema: Option<String>,
    /// The plugin that the client names and answers with. `""`: none.
    pub plugin: String,
    pub capabilities: Capabilities,
    /// Send a first proof that is wrong.
    pub spoil: bool,
    /// Under TLS.
    pub tls: bool,
    /// Compressed behind the login; without it a client that asks for compression reads and writes compressed packets itself.
    pub compression: Option<Method>,
    /// Connection attributes, encoded.
    pub attributes: Vec<u8>,
}

impl Login {
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            schema: None,
            plugin: NATIVE.into(),
            capabilities: MODERN,
            spoil: false,
            tls: false,
            compression: None,
            attributes: Vec::new(),
        }
    }

    pub fn app() -> Self {
        Self { schema: Some("app".into()), ..Self::new("app", "app-secret") }
    }

    /// The same by the method that accounts of this family have.
    pub fn app_on(flavor: Flavor) -> Self {
        Self::app().plugin(if flavor == Flavor::MySql { CACHING_SHA2 } else { NATIVE })
    }

    pub fn with(self, capabilities: Capabilities) -> Self {
        Self { capabilities, ..self }
    }

    pub fn plugin(self, plugin: &str) -> Self {
        Self { plugin: plugin.into(), ..self }
    }

    /// With these connection attributes.
    pub fn attributes(self, pairs: &[(&str, &str)]) -> Self {
        let mut attributes = BytesMut::new();
        for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
            put_lenenc_bytes(&mut attributes, text.as_bytes());
        }
        let capabilities = self.capabilities | Capabilities::CONNECT_ATTRS;
        Self { attributes: attributes.to_vec(), capabilities, ..self }
    }
}

/// A client's connection.
pub struct Raw {
    pub stream: Wire,
    pub capabilities: Capabilities,
    pub greeting: Option<Greeting>,
    /// The sequence id of the next packet.
    pub sequence: u8,
    /// The last command asked for a cursor.
    cursor: bool,
}

impl Raw {
    /// Connects and says nothing.
    pub async fn dial(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the proxy listens"))
    }

    /// Connects from this address of the machine's own, and says nothing.
    pub async fn dial_from(own: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(own, 0)).unwrap();
        Self::over(socket.connect(address).await.expect("the proxy listens"))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        let stream = stream.into();
        Self { stream, capabilities: Capabilities::PROTOCOL_41, greeting: None, sequence: 0, cursor: false }
    }

    /// Connects and reads the greeting.
    pub async fn open(address: SocketAddr) -> Self {
        Self::dial(address).await.greeted().await
    }

    /// Reads the greeting.
    pub async fn greeted(mut self) -> Self {
        let packet = self.read().await;
        self.greeting = Some(Greeting::parse(&packet.payload).unwrap_or_else(|error| panic!("{error}: {packet:?}")));
        self
    }

    /// Connects and logs in.
    pub async fn login(address: SocketAddr, login: &Login) -> Self {
        let mut raw = Self::open(address).await;
        let packets = raw.log_in(login).await;
        assert!(packets.last().unwrap().is_ok(), "{login:?}: {:?}", packets.last().unwrap().error());
        raw
    }

    /// Logs in; returns all that the server said.
    pub async fn log_in(&mut self, login: &Login) -> Vec<Packet> {
        let greeting = self.greeting.clone().expect("a greeting");
        let mut capabilities = login.capabilities & greeting.capabilities.with(Capabilities::LONG_PASSWORD);
        if login.schema.is_some() {
            capabilities = capabilities | Capabilities::CONNECT_WITH_DB;
        }
        let compression = match login.compression {
            Some(Method::Zlib) => Capabilities::COMPRESS,
            Some(Method::Zstd) => Capabilities::ZSTD,
            None => Capabilities::default(),
        };
        capabilities = capabilities | compression & greeting.capabilities;
        if login.tls {
            capabilities = capabilities | Capabilities::SSL;
            self.answer(&ssl_request(capabilities, MAX_PACKET, COLLATION)).await;
            self.stream.secure().await.expect("TLS");
        }
        let mut proof = scramble(&login.plugin, &login.password, &greeting.nonce);
        if login.spoil
            && let Some(byte) = proof.first_mut()
        {
            *byte = !*byte;
        }
        let response = HandshakeResponse {
            capabilities,
            max_packet: MAX_PACKET,
            collation: COLLATION,
            user: login.user.clone().into_bytes(),
            auth_response: proof,
            schema: login.schema.clone().map(String::into_bytes),
            plugin: Some(login.plugin.clone()).filter(|plugin| !plugin.is_empty()),
            attributes: login.attributes.clone(),
            zstd_level: ZSTD_LEVEL,
        };
        self.capabilities = capabilities;
        self.answer(&response.encode()).await;
        let packets = self.authenticate(&login.password, &login.plugin, greeting.nonce.to_vec()).await;
        if let Some(method) = login.compression
            && packets.last().is_some_and(Packet::is_ok)
        {
            assert!(capabilities.contains(compression), "{method:?} is not offered");
            self.stream.compress(method);
        }
        packets
    }

    /// COM_CHANGE_USER; returns all that the server said.
    pub async fn change_user(&mut self, login: &Login) -> Vec<Packet> {
        let mut payload = BytesMut::from(&[0x11][..]);
        payload.extend_from_slice(login.user.as_bytes());
        payload.extend_from_slice(&[0]);
        let nonce = self.greeting.as_ref().unwrap().nonce.to_vec();
        let proof = scramble(&login.plugin, &login.password, &nonce);
        payload.extend_from_slice(&[u8::try_from(proof.len()).unwrap()]);
        payload.extend_from_slice(&proof);
        payload.extend_from_slice(login.schema.as_deref().unwrap_or("").as_bytes());
        payload.extend_from_slice(&[0, 45, 0]);
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            payload.extend_from_slice(login.plugin.as_bytes());
            payload.extend_from_slice(&[0]);
        }
        if self.capabilities.contains(Capabilities::CONNECT_ATTRS) {
            put_lenenc_bytes(&mut payload, &login.attributes);
        }
        self.send(&payload).await;
        self.authenticate(&login.password, &login.plugin, nonce).await
    }

    async fn authenticate(&mut self, password: &str, plugin: &str, mut nonce: Vec<u8>) -> Vec<Packet> {
        let mut plugin = plugin.to_owned();
        let mut packets = Vec::new();
        loop {
            let packet = self.read().await;
            packets.push(packet.clone());
            match packet.payload.as_slice() {
                [0 | 0xFF, ..] => return packets,
                [0xFE, rest @ ..] => {
                    let end = rest.iter().position(|byte| *byte == 0).unwrap();
                    plugin = String::from_utf8(rest[..end].to_vec()).unwrap();
                    nonce = rest[end + 1..].strip_suffix(&[0]).unwrap_or_else(|| &rest[end + 1..]).to_vec();
                    let proof = scramble(&plugin, password, &nonce);
                    self.answer(&proof).await;
                }
                [1, 3] => {}
                // Nobody can read it on the way: the password itself; else the key by which to hide it.
                [1, 4] if self.stream.is_secure() => self.answer(&[password.as_bytes(), b"\0"].concat()).await,
                [1, 4] => self.answer(&[2]).await,
                [1, key @ ..] => {
                    let cipher = caching_sha2::encrypt(password.as_bytes(), &nonce, key).expect("a public key");
                    self.answer(&cipher).await;
                }
                other => panic!("{plugin}: {other:?}"),
            }
        }
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the peer takes it");
    }

    /// Sends a command.
    pub async fn send(&mut self, payload: &[u8]) {
        self.sequence = 0;
        self.stream.begin();
        self.answer(payload).await;
    }

    /// Sends a packet that continues the exchange.
    pub async fn answer(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        self.sequence = put_packet(&mut out, self.sequence, payload);
        self.write(&out).await;
    }

    /// The same to a peer that may be gone.
    pub async fn try_answer(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        self.sequence = put_packet(&mut out, self.sequence, payload);
        let _ = self.stream.write_all(&out).await;
    }

    /// The next packet.
    pub async fn read(&mut self) -> Packet {
        self.try_read().await.expect("a packet")
    }

    /// The next packet, or how the connection ended.
    pub async fn try_read(&mut self) -> io::Result<Packet> {
        let mut payload = Vec::new();
        loop {
            let mut bytes = [0; HEADER_LEN];
            self.fill(&mut bytes).await?;
            let header = PacketHeader::parse(&bytes).unwrap();
            // Inside compressed packets servers number them anew where they please, and clients do not look.
            if header.sequence != self.sequence && !self.stream.is_compressed() {
                // ERR packets of a server that closes begin anew.
                let (got, wanted) = (header.sequence, self.sequence);
                if header.sequence != 0 {
                    let text = format!("sequence id {got} where {wanted} was due");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            }
            self.sequence = header.sequence.wrapping_add(1);
            let start = payload.len();
            payload.resize(start + header.payload_len, 0);
            self.fill(&mut payload[start..]).await?;
            if header.payload_len < MAX_PAYLOAD {
                return Ok(Packet { sequence: header.sequence, payload });
            }
        }
    }

    async fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match tokio::time::timeout(PATIENCE, self.stream.read_exact(bytes)).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer is silent")),
        }
    }

    /// The next packet's error, whatever its sequence id: it may begin a new exchange.
    pub async fn read_error(&mut self) -> ErrPacket {
        let mut peeked = [0; HEADER_LEN];
        let _ = tokio::time::timeout(PATIENCE, self.stream.peek(&mut peeked)).await;
        self.sequence = peeked[3];
        self.read().await.error()
    }

    /// Sends a packet to a peer that may be gone.
    pub async fn try_send(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        put_packet(&mut out, 0, payload);
        self.stream.begin();
        let _ = self.stream.write_all(&out).await;
    }

    /// Connects and logs in, or says what the error was.
    pub async fn login_uncertain(address: SocketAddr, login: &Login) -> Result<Self, ErrPacket> {
        let mut raw = Self::open(address).await;
        let packets = raw.log_in(login).await;
        let last = packets.last().unwrap();
        if last.is_ok() { Ok(raw) } else { Err(last.error()) }
    }

    /// Whether the peer has closed the connection, or does so soon.
    pub async fn is_closed(&mut self) -> bool {
        match self.try_read().await {
            Err(error) => error.kind() != io::ErrorKind::TimedOut,
            Ok(packet) => panic!("{packet:?}"),
        }
    }

    /// Whether the connection is over; else takes one more packet, of whatever sequence id.
    pub async fn is_over(&mut self) -> bool {
        let mut peeked = [0; HEADER_LEN];
        match tokio::time::timeout(PATIENCE, self.stream.peek(&mut peeked)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => self.sequence = peeked[3],
            Err(_) => return false,
        }
        self.try_read().await.is_err()
    }

    fn classic(&self) -> bool {
        !self.capabilities.contains(Capabilities::DEPRECATE_EOF)
    }

    /// Sends a command whose reply is one packet.
    pub async fn one(&mut self, payload: &[u8]) -> Packet {
        self.send(payload).await;
        self.read().await
    }

    /// Sends COM_QUERY and reads its whole reply.
    pub async fn query(&mut self, sql: &str) -> Vec<Packet> {
        self.results(&[query_head(self.capabilities), sql.as_bytes()].concat()).await
    }

    /// Runs a statement that must succeed.
    pub async fn run(&mut self, sql: &str) -> Vec<Packet> {
        let packets = self.query(sql).await;
        let last = packets.last().unwrap();
        assert_ne!(last.payload[0], 0xFF, "{sql}: {:?}", last.error());
        packets
    }

    /// The text value of a query with one row and one column.
    pub async fn value(&mut self, sql: &str) -> String {
        let packets = self.run(sql).await;
        let row = &packets[if self.classic() { 3 } else { 2 }];
        String::from_utf8(Reader::new("row", &row.payload).lenenc_bytes().unwrap().to_vec()).unwrap()
    }

    /// Sends a command and reads its reply of OK, ERR or result sets; up to a request for a file.
    pub async fn results(&mut self, command: &[u8]) -> Vec<Packet> {
        self.cursor = matches!(command, [0x17, _, _, _, _, flags, ..] if flags & 7 != 0);
        self.send(command).await;
        self.more_results().await
    }

    /// Reads a reply of OK, ERR or result sets; up to a request for a file.
    pub async fn more_results(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        loop {
            let first = self.read().await;
            let payload = first.payload.clone();
            packets.push(first);
            let status = match payload[0] {
                0xFF | 0xFB => return packets,
                0x00 => ok_status(&payload),
                _ => {
                    let mut head = Reader::new("count", &payload);
                    let columns = head.lenenc().unwrap();
                    let optional = self.capabilities.contains(Capabilities::OPTIONAL_RESULTSET_METADATA);
                    for _ in 0..if optional && head.u8().unwrap() == 0 { 0 } else { columns } {
                        packets.push(self.read().await);
                    }
                    if self.classic() {
                        packets.push(self.read().await);
                        let status = eof_status(&packets.last().unwrap().payload);
                        // Only a cursor that was asked for: a procedure's own shows here too (MariaDB 10.11).
                        if self.cursor && status & 0x40 != 0 {
                            status
                        } else {
                            // Behind OUT parameters an OK follows, though their end does not say so (MySQL 9.7).
                            self.rows(&mut packets).await | if status & 0x1000 != 0 { 8 } else { 0 }
                        }
                    } else {
                        self.rows(&mut packets).await
                    }
                }
            };
            if status & 8 == 0 {
                return packets;
            }
        }
    }

    /// Reads rows to their end; the status flags there.
    pub async fn rows(&mut self, packets: &mut Vec<Packet>) -> u16 {
        loop {
            packets.push(self.read().await);
            let payload = &packets.last().unwrap().payload;
            match payload.first() {
                Some(0xFF) => return 0,
                Some(0xFE) if self.classic() && payload.len() < 9 => return eof_status(payload),
                Some(0xFE) if !self.classic() && payload.len() < MAX_PAYLOAD => return ok_status(payload),
                _ => {}
            }
        }
    }

    /// COM_STMT_PREPARE; its whole reply, and the statement's id.
    pub async fn prepare(&mut self, sql: &str) -> (Vec<Packet>, u32) {
        let mut packets = vec![self.one(&[b"\x16", sql.as_bytes()].concat()).await];
        let mut reader = Reader::new("PREPARE_OK", &packets[0].payload);
        if reader.u8().unwrap() == 0xFF {
            return (packets, 0);
        }
        let (id, columns, parameters) = (reader.u32().unwrap(), reader.u16().unwrap(), reader.u16().unwrap());
        let left_out = packets[0].payload.get(12) == Some(&0);
        for count in [parameters, columns] {
            let definitions = if left_out { 0 } else { u32::from(count) };
            for _ in 0..definitions + u32::from(count > 0 && self.classic()) {
                packets.push(self.read().await);
            }
        }
        (packets, id)
    }

    /// COM_STMT_EXECUTE with text parameters.
    pub async fn execute(&mut self, id: u32, flags: u8, parameters: &[Option<&[u8]>]) -> Vec<Packet> {
        self.results(&execute_payload_of(id, flags, parameters, self.capabilities)).await
    }
}

/// COM_STMT_EXECUTE's payload with parameters as strings; None: NULL.
pub fn execute_payload(id: u32, flags: u8, parameters: &[Option<&[u8]>]) -> BytesMut {
    execute_payload_of(id, flags, parameters, CLASSIC)
}

/// The same for a client that agreed on these.
pub fn execute_payload_of(id: u32, flags: u8, parameters: &[Option<&[u8]>], agreed: Capabilities) -> BytesMut {
    let mut payload = BytesMut::from(&[0x17][..]);
    payload.extend_from_slice(&id.to_le_bytes());
    payload.extend_from_slice(&[flags, 1, 0, 0, 0]);
    let attributes = agreed.contains(Capabilities::QUERY_ATTRIBUTES);
    if !parameters.is_empty() {
        if attributes {
            payload.extend_from_slice(&[u8::try_from(parameters.len()).unwrap()]);
        }
        let mut nulls = vec![0_u8; parameters.len().div_ceil(8)];
        for (at, _) in parameters.iter().enumerate().filter(|(_, value)| value.is_none()) {
            nulls[at / 8] |= 1 << (at % 8);
        }
        payload.extend_from_slice(&nulls);
        payload.extend_from_slice(&[1]);
        for _ in parameters {
            payload.extend_from_slice(if attributes { &[0xFD, 0, 0] } else { &[0xFD, 0] });
        }
        for value in parameters.iter().flatten() {
            put_lenenc_bytes(&mut payload, value);
        }
    }
    payload
}

fn scramble(plugin: &str, password: &str, nonce: &[u8]) -> Vec<u8> {
    match plugin {
        CACHING_SHA2 => caching_sha2::scramble(password.as_bytes(), nonce),
        NATIVE | "" => native::scramble(password.as_bytes(), nonce),
        SHA256 if password.is_empty() => vec![0],
        // Asks for the key.
        SHA256 => vec![1],
        _ => b"whatever".to_vec(),
    }
}

/// The status flags of an OK packet.
pub fn ok_status(payload: &[u8]) -> u16 {
    let mut reader = Reader::new("OK", &payload[1..]);
    reader.lenenc().unwrap();
    reader.lenenc().unwrap();
    reader.u16().unwrap()
}

/// The status flags of a classic EOF packet.
pub fn eof_status(payload: &[u8]) -> u16 {
    u16::from_le_bytes([payload[3], payload[4]])
}
