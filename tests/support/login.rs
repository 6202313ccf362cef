//! A client that logs in by every method over every transport: TCP, TLS, a Unix socket. It says how that ended, no more.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use pointsman::net::Stream;
use pointsman::wire::auth::{
    CACHING_SHA2, CLEAR, ED25519, NATIVE, PARSEC, SHA256, caching_sha2, ed25519, native, parsec,
};
use pointsman::wire::handshake::{AuthReply, Greeting, HandshakeResponse, ssl_request};
use pointsman::wire::writer::put_packet;
use pointsman::wire::{Capabilities, ErrPacket, Inbox};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};

use super::raw::{Login, PATIENCE};
use super::tls::client_config;

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Tcp,
    Tls,
    Unix,
}

/// Where a server or the proxy listens.
#[derive(Debug, Clone)]
pub struct Doors {
    pub tcp: SocketAddr,
    pub unix: PathBuf,
}

impl Doors {
    pub fn new(tcp: SocketAddr, unix: &Path) -> Self {
        Self { tcp, unix: unix.to_owned() }
    }
}

/// A client's connection.
pub struct Visitor {
    stream: Stream,
    inbox: Inbox,
    greeting: Greeting,
    capabilities: Capabilities,
    sequence: u8,
    way: Way,
    /// The nonce that it was sent last, which libraries sign at COM_CHANGE_USER.
    nonce: Vec<u8>,
    /// Packets of the last exchange, as far as they do not differ from one time to the other.
    pub heard: Vec<String>,
}

impl Visitor {
    /// Connects and reads the greeting.
    pub async fn open(doors: &Doors, way: Way) -> Self {
        let stream = match way {
            Way::Tcp | Way::Tls => {
                let stream = TcpStream::connect(doors.tcp).await.expect("it listens");
                stream.set_nodelay(true).unwrap();
                Stream::from(stream)
            }
            Way::Unix => Stream::from(UnixStream::connect(&doors.unix).await.expect("it listens")),
        };
        let (mut stream, mut inbox) = (stream, Inbox::default());
        let packet = read(&mut stream, &mut inbox).await.expect("a greeting").1;
        let greeting = Greeting::parse(&packet).unwrap_or_else(|error| panic!("{error}: {packet:?}"));
        let nonce = greeting.nonce.to_vec();
        let heard = Vec::new();
        Self { stream, inbox, greeting, capabilities: Capabilities::default(), sequence: 1, way, nonce, heard }
    }

    /// Connects and logs in, or says what the error was.
    pub async fn login(doors: &Doors, way: Way, login: &Login) -> Result<Self, ErrPacket> {
        let mut visitor = Self::open(doors, way).await;
        visitor.log_in(login).await.map(|()| visitor)
    }

    /// Logs in.
    pub async fn log_in(&mut self, login: &Login) -> Result<(), ErrPacket> {
        let offered = self.greeting.capabilities.with(Capabilities::LONG_PASSWORD);
        self.capabilities = login.capabilities & offered;
        if login.schema.is_some() {
            self.capabilities = self.capabilities | Capabilities::CONNECT_WITH_DB;
        }
        if self.way == Way::Tls {
            self.capabilities = self.capabilities | Capabilities::SSL;
            self.send(&ssl_request(self.capabilities, 1 << 24, 45)).await;
            let name = ServerName::try_from("localhost").unwrap();
            let session = ClientConnection::new(client_config(rustls::ALL_VERSIONS), name).unwrap();
            self.stream.secure(session, b"").await.expect("TLS");
        }
        let response = HandshakeResponse {
            capabilities: self.capabilities,
            max_packet: 1 << 24,
            collation: 45,
            user: login.user.clone().into_bytes(),
            auth_response: self.first(&login.plugin, &login.password),
            schema: login.schema.clone().map(String::into_bytes),
            plugin: Some(login.plugin.clone()).filter(|plugin| !plugin.is_empty()),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        self.send(&response.encode()).await;
        self.prove(login).await
    }

    /// COM_CHANGE_USER.
    pub async fn change_user(&mut self, login: &Login) -> Result<(), ErrPacket> {
        let mut payload = vec![0x11];
        payload.extend_from_slice(login.user.as_bytes());
        payload.push(0);
        let proof = self.first(&login.plugin, &login.password);
        payload.push(u8::try_from(proof.len()).unwrap());
        payload.extend_from_slice(&proof);
        payload.extend_from_slice(login.schema.as_deref().unwrap_or("").as_bytes());
        payload.extend_from_slice(&[0, 45, 0]);
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            payload.extend_from_slice(login.plugin.as_bytes());
            payload.push(0);
        }
        self.sequence = 0;
        self.send(&payload).await;
        self.prove(login).await
    }

    /// Whether it is served: COM_PING.
    pub async fn ping(&mut self) -> bool {
        self.sequence = 0;
        self.send(&[0x0E]).await;
        self.read().await.first() == Some(&0)
    }

    async fn prove(&mut self, login: &Login) -> Result<(), ErrPacket> {
        let password = login.password.as_bytes();
        let mut plugin = login.plugin.clone();
        self.heard.clear();
        loop {
            let packet = self.read().await;
            let reply = AuthReply::parse(&packet).unwrap_or_else(|error| panic!("{error}: {packet:?}"));
            self.heard.push(match &reply {
                AuthReply::Switch { plugin, .. } => format!("switch to {plugin}"),
                AuthReply::More([one]) => format!("more: {one}"),
                AuthReply::More(_) => "more".to_owned(),
                other => format!("{other:?}"),
            });
            match reply {
                AuthReply::Ok => return Ok(()),
                AuthReply::Err => return Err(ErrPacket::parse(&packet).unwrap()),
                AuthReply::Switch { plugin: other, data } => {
                    plugin = other.to_owned();
                    self.nonce = data.to_vec();
                    let proof = self.first(&plugin, &login.password);
                    self.send(&proof).await;
                }
                AuthReply::NextFactor { plugin } => panic!("a further factor: {plugin}"),
                AuthReply::More([caching_sha2::FAST_AUTH_OK]) => {}
                AuthReply::More([caching_sha2::FULL_AUTH]) if self.is_secure() => {
                    self.send(&[password, &[0]].concat()).await;
                }
                AuthReply::More([caching_sha2::FULL_AUTH]) => self.send(&[caching_sha2::REQUEST_PUBLIC_KEY]).await,
                AuthReply::More(salt) if plugin == PARSEC => {
                    let salt = parsec::Salt::parse(salt).unwrap();
                    let answer = parsec::respond(password, salt, &self.nonce, [7; parsec::NONCE_LEN]).unwrap();
                    self.send(&answer).await;
                }
                AuthReply::More(key) => {
                    let cipher = caching_sha2::encrypt(password, &self.nonce, key).expect("a public key");
                    self.send(&cipher).await;
                }
            }
        }
    }

    fn is_secure(&self) -> bool {
        self.way != Way::Tcp
    }

    /// The first proof by this method.
    fn first(&self, plugin: &str, password: &str) -> Vec<u8> {
        let (clear, password) = ([password.as_bytes(), &[0]].concat(), password.as_bytes());
        match plugin {
            NATIVE | "" => native::scramble(password, &self.nonce),
            CACHING_SHA2 | SHA256 if password.is_empty() => vec![0],
            CACHING_SHA2 => caching_sha2::scramble(password, &self.nonce),
            CLEAR if self.is_secure() => clear,
            // A Unix socket is nothing to this one.
            SHA256 if self.way == Way::Tls => clear,
            SHA256 => vec![caching_sha2::REQUEST_SHA256_KEY],
            ED25519 => ed25519::sign(password, &self.nonce).to_vec(),
            PARSEC => Vec::new(),
            _ => b"whatever".to_vec(),
        }
    }

    async fn send(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        self.sequence = put_packet(&mut out, self.sequence, payload);
        self.stream.write_all(&out, Some(PATIENCE)).await.expect("the peer takes it");
    }

    async fn read(&mut self) -> Vec<u8> {
        let (sequence, packet) = read(&mut self.stream, &mut self.inbox).await.expect("a packet");
        self.sequence = sequence.wrapping_add(1);
        packet
    }
}

async fn read(stream: &mut Stream, inbox: &mut Inbox) -> std::io::Result<(u8, Vec<u8>)> {
    let packet = async {
        loop {
            if let Some((header, packet)) = inbox.take(1 << 20).unwrap() {
                return Ok((header.sequence, packet[4..].to_vec()));
            }
            stream.read(inbox).await?;
        }
    };
    tokio::time::timeout(PATIENCE, packet).await.expect("the peer is silent")
}
