//! Stands between the proxy and a server, and lets that look as if it did not know DEPRECATE_EOF: what clients agreed on
//! before must then be converted. All else passes as it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// DEPRECATE_EOF, in the upper two bytes of the capabilities.
const DEPRECATE_EOF: u8 = 1;

pub struct Relay {
    address: SocketAddr,
    less: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let less = Arc::new(AtomicBool::new(false));
        let flag = less.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let less = flag.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    for stream in [&client, &server] {
                        stream.set_nodelay(true).unwrap();
                    }
                    if less && greet(&mut server, &mut client).await.is_err() {
                        return;
                    }
                    // Ends when either side does.
                    let _ended = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, less, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections from now on see a server that can do less.
    pub fn offer_less(&self) {
        self.less.store(true, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes the greeting on without the capability.
async fn greet(server: &mut TcpStream, client: &mut TcpStream) -> std::io::Result<()> {
    let mut header = [0; 4];
    server.read_exact(&mut header).await?;
    let mut greeting = vec![0; usize::from(header[0]) | usize::from(header[1]) << 8];
    server.read_exact(&mut greeting).await?;
    // Behind the version: the id, half of the nonce, a NUL, capabilities, the collation, the status, capabilities.
    if let Some(end) = greeting.iter().skip(1).position(|byte| *byte == 0)
        && let Some(high) = greeting.get_mut(1 + end + 1 + 4 + 8 + 1 + 2 + 1 + 2 + 1)
    {
        *high &= !DEPRECATE_EOF;
    }
    client.write_all(&[&header[..], &greeting].concat()).await
}
