//! TLS of all sides together: made at start, and made anew when its files change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Endpoint};
use crate::net::tls::{Connector, SetupError};
use crate::proxy::Shared;
use crate::telemetry::TlsReload;

/// TLS towards the servers, in the order of the configuration.
pub(super) struct Tls {
    pub(super) connectors: Vec<Option<Arc<Connector>>>,
}

impl Tls {
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let connector = |server: &crate::config::ServerConfig| {
            let host = match &server.address {
                Endpoint::Tcp(address) => &*address.host,
                Endpoint::Unix(_) => "localhost",
            };
            let made = Connector::new(&server.tls, host).with_context(|| format!("TLS with `{}`", server.name))?;
            Ok(made.map(Arc::new))
        };
        Ok(Self { connectors: config.servers.iter().map(connector).collect::<anyhow::Result<_>>()? })
    }

    /// Looks at the files now and then, and when told to; until `stop`.
    pub(super) async fn follow(self, shared: Arc<Shared>, now: Arc<Notify>, stop: CancellationToken) {
        let pause = shared.config.tls.reload_interval;
        shared.metrics.tls().expires(shared.tls.as_ref().and_then(|acceptor| acceptor.offer().expires));
        // What was said of files that are not good is not said again at each look.
        let mut said = Vec::new();
        loop {
            let timer = async {
                if pause.is_zero() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
            };
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = now.notified() => true,
                () = timer => false,
            };
            if asked {
                said.clear();
            }
            self.look(&shared, &mut said);
        }
    }

    fn look(&self, shared: &Shared, said: &mut Vec<String>) {
        let mut wrong = Vec::new();
        let mut found = |whose: &str, outcome: Result<bool, SetupError>| match outcome {
            Ok(false) => {}
            Ok(true) => {
                shared.metrics.tls().reloaded(TlsReload::Changed);
                tracing::info!(whose, "the files of TLS have changed, and serve from now on");
            }
            Err(error) => {
                let text = format!("{whose}: {error}");
                if !said.contains(&text) {
                    shared.metrics.tls().reloaded(TlsReload::Failed);
                    tracing::error!(whose, %error, "the files of TLS are not good, and those before serve on");
                }
                wrong.push(text);
            }
        };
        if let Some(acceptor) = &shared.tls {
            found("clients", acceptor.reload());
            shared.metrics.tls().expires(acceptor.offer().expires);
        }
        for (server, connector) in shared.config.servers.iter().zip(&self.connectors) {
            if let Some(connector) = connector {
                found(&server.name, connector.reload());
            }
        }
        *said = wrong;
    }
}
