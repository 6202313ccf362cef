//! A server that misbehaves when told to: it stands in front of a real one and passes its bytes, so that logins and the
//! monitor work, until a fault is chosen for new connections, or a statement names one (`/* fault:half */`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use pointsman::wire::handshake::Greeting;
use pointsman::wire::writer::put_packet;
use pointsman::wire::{Capabilities, ErrPacket, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What new connections meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// The real server.
    Pass,
    /// It is closed at once.
    Close,
    /// It is accepted, and nothing comes.
    Silent,
    /// Another protocol.
    Garbage,
    /// A part of a greeting, then nothing.
    HalfGreeting,
    /// A greeting; the login is met by the end of the connection.
    CloseAtLogin,
    /// A greeting; the login is refused.
    RefuseLogin,
}

const MODES: [Mode; 7] =
    [Mode::Pass, Mode::Close, Mode::Silent, Mode::Garbage, Mode::HalfGreeting, Mode::CloseAtLogin, Mode::RefuseLogin];

/// So many bytes of a result come before it is cut off.
pub const CUT_AFTER: usize = 100_000;

#[derive(Debug)]
pub struct Fake {
    pub address: SocketAddr,
    mode: Arc<AtomicU8>,
    faults: Arc<AtomicU32>,
    /// Capabilities that it hides from new connections.
    hidden: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Fake {
    /// Stands in front of `server`.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, faults) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU32::new(0)));
        let hidden = Arc::new(AtomicU64::new(0));
        let (chosen, counted, hides) = (mode.clone(), faults.clone(), hidden.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let mode = MODES[usize::from(chosen.load(SeqCst))];
                let counted = counted.clone();
                let hidden = Capabilities(hides.load(SeqCst));
                tokio::spawn(async move {
                    if mode != Mode::Pass {
                        counted.fetch_add(1, SeqCst);
                    }
                    // However it ends, it ends.
                    let _ = connection(stream, server, mode, hidden, &counted).await;
                });
            }
        });
        Self { address, mode, faults, hidden, task }
    }

    /// From now on new connections meet this.
    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, SeqCst);
    }

    /// From now on new connections find a server that lacks these, as an older one would.
    pub fn hide(&self, capabilities: Capabilities) {
        self.hidden.store(capabilities.0, SeqCst);
    }

    /// How many connections and statements met a fault.
    pub fn faults(&self) -> u32 {
        self.faults.load(SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    mode: Mode,
    hidden: Capabilities,
    faults: &AtomicU32,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    match mode {
        Mode::Pass => {}
        Mode::Close => return Ok(()),
        Mode::Silent => return wait(&mut client).await,
        Mode::Garbage => {
            client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await?;
            return wait(&mut client).await;
        }
        Mode::HalfGreeting => {
            let greeting = greeting();
            client.write_all(&greeting[..greeting.len() / 2]).await?;
            return wait(&mut client).await;
        }
        Mode::CloseAtLogin | Mode::RefuseLogin => {
            client.write_all(&greeting()).await?;
            let _ = client.read(&mut bytes).await?;
            if mode == Mode::RefuseLogin {
                let mut out = bytes::BytesMut::new();
                let error = ErrPacket::new(1045, b"28000", "Access denied for user 'app'@'here' (using password: YES)");
                error.encode(&mut out, 2, Capabilities::PROTOCOL_41);
                client.write_all(&out).await?;
            }
            return Ok(());
        }
    }
    let mut upstream = TcpStream::connect(server).await?;
    if hidden != Capabilities::default() {
        let len = upstream.read_u32_le().await? as usize;
        let mut payload = vec![0; len];
        upstream.read_exact(&mut payload).await?;
        let mut greeting = Greeting::parse(&payload).unwrap();
        greeting.capabilities = greeting.capabilities.without(hidden);
        let mut out = bytes::BytesMut::new();
        put_packet(&mut out, 0, &greeting.encode());
        client.write_all(&out).await?;
    }
    let mut answer = vec![0; 1 << 16];
    let mut left = None::<usize>;
    loop {
        tokio::select! {
            read = client.read(&mut bytes) => {
                let sent = &bytes[..read?];
                if sent.is_empty() {
                    return Ok(());
                }
                match fault(sent) {
                    Some(name) => {
                        faults.fetch_add(1, SeqCst);
                        match name {
                            "close" => return Ok(()),
                            // Not a reply: a column count of zero.
                            "garbage" => {
                                client.write_all(b"\x05\0\0\x01\xfc\0\0\0\0").await?;
                                return wait(&mut client).await;
                            }
                            "half" => {
                                client.write_all(b"\x10\0\0\x01\0\0").await?;
                                tokio::time::sleep(Duration::from_millis(200)).await;
                                return Ok(());
                            }
                            "silent" => return wait(&mut client).await,
                            _ => left = Some(CUT_AFTER),
                        }
                        upstream.write_all(sent).await?;
                    }
                    None => upstream.write_all(sent).await?,
                }
            }
            read = upstream.read(&mut answer) => {
                let got = &answer[..read?];
                if got.is_empty() {
                    return Ok(());
                }
                match &mut left {
                    Some(left) if got.len() >= *left => {
                        client.write_all(&got[..*left]).await?;
                        return Ok(());
                    }
                    Some(left) => *left -= got.len(),
                    None => {}
                }
                client.write_all(got).await?;
            }
        }
    }
}

/// The fault that a statement names.
fn fault(sent: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(sent);
    ["close", "garbage", "half", "silent", "cut"].into_iter().find(|name| text.contains(&format!("fault:{name}")))
}

/// Until the other side goes.
async fn wait(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

fn greeting() -> Vec<u8> {
    let greeting = Greeting {
        version: "5.5.5-10.11.6-MariaDB".into(),
        thread_id: 9,
        nonce: *b"abcdefghijklmnopqrst",
        capabilities: Capabilities::OFFERED.without(Capabilities::LONG_PASSWORD),
        collation: 45,
        status: Status::AUTOCOMMIT,
        plugin: "mysql_native_password".into(),
    };
    let mut out = bytes::BytesMut::new();
    put_packet(&mut out, 0, &greeting.encode());
    out.to_vec()
}
