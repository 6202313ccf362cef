//! What the demo needs of the proxy, and no more: it is started from a configuration text, like any other.

use std::future::Future;
use std::net::SocketAddr;

use crate::sandbox::{APP, MONITOR, Sandbox};

/// Starts the proxy inside this process.
pub trait ProxyLauncher {
    /// What runs then.
    type Proxy: RunningProxy;

    /// Reads `config` (TOML) and starts the proxy. It must not catch signals: the demo does.
    fn launch(&self, config: &str) -> impl Future<Output = anyhow::Result<Self::Proxy>>;
}

/// A proxy that runs.
pub trait RunningProxy {
    /// Where clients connect.
    fn listen(&self) -> SocketAddr;

    /// Where `/metrics` is served, if anywhere.
    fn http(&self) -> Option<SocketAddr>;

    /// Ends it in order. The demo's clients are gone by then.
    fn stop(self) -> impl Future<Output = ()>;
}

/// The whole configuration of the demo's proxy.
pub(super) fn configuration(sandbox: &Sandbox, listen: u16, http: u16) -> String {
    let mut text = format!(
        "[proxy]\nlisten = \"127.0.0.1:{listen}\"\n\n[http]\nlisten = \"127.0.0.1:{http}\"\n\n\
         [log]\nfilter = \"warn\"\n\n\
         [monitor]\nuser = \"{}\"\npassword = \"{}\"\n\n[[users]]\nname = \"{}\"\npassword = \"{}\"\n",
        MONITOR.user, MONITOR.password, APP.user, APP.password
    );
    for server in sandbox.servers() {
        let role = if server.name() == "primary" { "primary" } else { "replica" };
        let (name, address) = (server.name(), server.address());
        text.push_str(&format!("\n[[servers]]\nname = \"{name}\"\naddress = \"{address}\"\nrole = \"{role}\"\n"));
    }
    text
}
