//! The demo with something in the proxy's place that splits nothing: it runs to its end, and says so.

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{DemoArgs, ProxyLauncher, RunningProxy, run};
use crate::sandbox::Binaries;

/// Hands every connection to the primary.
struct Forwarder;

struct Forwarding {
    listen: SocketAddr,
    http: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl ProxyLauncher for Forwarder {
    type Proxy = Forwarding;

    async fn launch(&self, config: &str) -> anyhow::Result<Forwarding> {
        let primary = config.split("address = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let primary: SocketAddr = primary.parse()?;
        let clients = TcpListener::bind("127.0.0.1:0").await?;
        let scrapers = TcpListener::bind("127.0.0.1:0").await?;
        let (listen, http) = (clients.local_addr()?, scrapers.local_addr()?);
        let forward = tokio::spawn(async move {
            while let Ok((mut client, _)) = clients.accept().await {
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(primary).await else { return };
                    let _closed = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        let metrics = tokio::spawn(async move {
            while let Ok((mut client, _)) = scrapers.accept().await {
                let mut request = [0; 1024];
                let _asked = client.read(&mut request).await;
                let text = "HTTP/1.0 200 OK\r\n\r\n\
                            pointsman_statements_total{server=\"primary\",target=\"primary\",reason=\"read\"} 1\n";
                let _answered = client.write_all(text.as_bytes()).await;
            }
        });
        Ok(Forwarding { listen, http, tasks: vec![forward, metrics] })
    }
}

impl RunningProxy for Forwarding {
    fn listen(&self) -> SocketAddr {
        self.listen
    }

    fn http(&self) -> Option<SocketAddr> {
        Some(self.http)
    }

    async fn stop(self) {
        for task in self.tasks {
            task.abort();
        }
    }
}

/// The exit code with so many replicas; none where there are no servers, after saying so.
async fn demo(replicas: u8) -> Option<ExitCode> {
    if let Err(error) = Binaries::find(None) {
        println!("skipped: {error}");
        return None;
    }
    let args = DemoArgs { seconds: 4, keep: false, replicas, flavor: None, no_live: true };
    Some(run(args, &Forwarder).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_does_not_split_fails_the_demo() {
    if let Some(code) = demo(1).await {
        assert_eq!(code, ExitCode::FAILURE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_replicas_there_is_nothing_to_split() {
    if let Some(code) = demo(0).await {
        assert_eq!(code, ExitCode::SUCCESS);
    }
}
