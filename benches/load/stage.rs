//! What the load runs against: private servers, HAProxy, and pointsman as processes of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pointsman::clock;
use pointsman::sandbox::{APP, MONITOR, Sandbox, SandboxOptions, free_port};

/// A process that answers no connection after so long does not come up.
const READY: Duration = Duration::from_secs(10);

/// One way to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// No proxy.
    Direct,
    /// HAProxy, mode tcp: what a proxy costs that does not look at what it forwards.
    HaProxy,
    /// pointsman with the primary alone.
    Pointsman,
    /// pointsman with the primary and a replica.
    Split,
    /// Another build of pointsman with the primary alone.
    Previous,
}

impl Via {
    pub(crate) const ALL: [Self; 5] = [Self::Direct, Self::HaProxy, Self::Previous, Self::Pointsman, Self::Split];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::HaProxy => "haproxy",
            Self::Pointsman => "pointsman",
            Self::Split => "pointsman+replica",
            Self::Previous => "previous",
        }
    }
}

/// A proxy's process. Ends with this.
pub(crate) struct Proxy {
    child: Child,
    port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Everything that runs. The proxies go before their servers.
pub(crate) struct Stage {
    haproxy: Proxy,
    pointsman: Proxy,
    split: Proxy,
    previous: Option<Proxy>,
    pub(crate) servers: Sandbox,
}

impl Stage {
    /// Starts all. `previous`: the program of another build to compare with.
    pub(crate) async fn start(previous: Option<&Path>) -> anyhow::Result<Self> {
        // The clients' connections of the memory measurement come on top of the pools'.
        let extra = vec!["--max-connections=500".to_owned(), "--innodb-flush-log-at-trx-commit=2".to_owned()];
        let options = SandboxOptions { replicas: 1, extra, ..SandboxOptions::default() };
        let servers = Sandbox::start(options).await?;
        Ok(Self {
            haproxy: haproxy(&servers)?,
            pointsman: pointsman(&servers, &program(), "alone", 0)?,
            split: pointsman(&servers, &program(), "split", 1)?,
            previous: previous.map(|program| pointsman(&servers, program, "previous", 0)).transpose()?,
            servers,
        })
    }

    fn proxy(&self, via: Via) -> Option<&Proxy> {
        match via {
            Via::Direct => None,
            Via::HaProxy => Some(&self.haproxy),
            Via::Pointsman => Some(&self.pointsman),
            Via::Split => Some(&self.split),
            Via::Previous => self.previous.as_ref(),
        }
    }

    /// Where clients connect.
    pub(crate) fn port(&self, via: Via) -> u16 {
        self.proxy(via).map_or_else(|| self.servers.primary().port(), |proxy| proxy.port)
    }

    /// The same.
    pub(crate) fn address(&self, via: Via) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port(via)))
    }

    /// The process in between.
    pub(crate) fn pid(&self, via: Via) -> Option<u32> {
        self.proxy(via).map(|proxy| proxy.child.id())
    }
}

/// pointsman's program of this build.
fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_pointsman").into()
}

/// HAProxy's program; Debian has it where an ordinary user's PATH does not look.
pub(crate) fn haproxy_program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut found = std::env::split_paths(&path).chain(more).map(|folder| folder.join("haproxy"));
    found.find(|program| program.exists()).unwrap_or_else(|| "haproxy".into())
}

fn haproxy(servers: &Sandbox) -> anyhow::Result<Proxy> {
    let port = free_port()?;
    let config = format!(
        "global\n  nbthread 2\n  maxconn 4000\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen mysql\n  bind 127.0.0.1:{port}\n  server primary {}\n",
        servers.primary().address()
    );
    let file = servers.folder().join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut command = Command::new(haproxy_program());
    // -db: stay in the foreground.
    command.arg("-db").arg("-f").arg(&file);
    spawn(command, servers, "haproxy", port)
}

fn pointsman(servers: &Sandbox, program: &Path, name: &str, replicas: usize) -> anyhow::Result<Proxy> {
    let (port, http) = (free_port()?, free_port()?);
    let mut config = format!(
        "[proxy]\nlisten = '127.0.0.1:{port}'\n[http]\nlisten = '127.0.0.1:{http}'\n[log]\nfilter = 'warn'\n\
         [monitor]\nuser = '{}'\npassword = '{}'\n[[users]]\nname = '{}'\npassword = '{}'\n",
        MONITOR.user, MONITOR.password, APP.user, APP.password
    );
    for (at, server) in servers.servers().iter().take(replicas + 1).enumerate() {
        let role = if at == 0 { "primary" } else { "replica" };
        config +=
            &format!("[[servers]]\nname = '{}'\naddress = '{}'\nrole = '{role}'\n", server.name(), server.address());
    }
    let file = servers.folder().join(format!("{name}.toml"));
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(&file);
    // Its own settings have names like those of this bench.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("POINTSMAN")) {
        command.env_remove(name);
    }
    spawn(command, servers, name, port)
}

fn spawn(mut command: Command, servers: &Sandbox, name: &str, port: u16) -> anyhow::Result<Proxy> {
    let log = servers.folder().join(format!("{name}.log"));
    let output = fs::File::create(&log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let mut proxy = Proxy { child, port };
    let began = clock::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = proxy.child.try_wait()?;
        let late = clock::now().duration_since(began) > READY;
        let said = || fs::read_to_string(&log).unwrap_or_default();
        ensure!(ended.is_none() && !late, "{name} does not come up:\n{}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(proxy)
}
