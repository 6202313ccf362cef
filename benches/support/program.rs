//! Proxies as processes of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pointsman::clock;
use pointsman::sandbox::{APP, MONITOR, OTHER, free_port};

/// A process that answers no connection after so long does not come up.
const READY: Duration = Duration::from_secs(10);

/// A proxy's process. Ends with this.
pub(crate) struct Program {
    child: Child,
    port: u16,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Program {
    /// Starts what `command` says and waits until it listens on `port`. Its output goes to a file in `folder`.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str, port: u16) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
        let mut program = Self { child, port };
        let began = clock::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = program.child.try_wait()?;
            let late = clock::now().duration_since(began) > READY;
            let said = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(ended.is_none() && !late, "{name} does not come up:\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(program)
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// A server that pointsman is told of; the first is the primary.
pub(crate) struct Behind<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: SocketAddr,
}

/// pointsman's program of this build.
pub(crate) fn this_build() -> PathBuf {
    env!("CARGO_BIN_EXE_pointsman").into()
}

/// Starts pointsman (`program`: of which build) with these servers and more sections of its configuration.
pub(crate) fn pointsman(
    program: &Path,
    folder: &Path,
    name: &str,
    servers: &[Behind<'_>],
    more: &str,
) -> anyhow::Result<Program> {
    let (port, http) = (free_port()?, free_port()?);
    let mut config = format!(
        "[proxy]\nlisten = '127.0.0.1:{port}'\n[http]\nlisten = '127.0.0.1:{http}'\n[log]\nfilter = 'warn'\n\
         [monitor]\nuser = '{}'\npassword = '{}'\n[[users]]\nname = '{}'\npassword = '{}'\n[[users]]\nname = '{}'\npassword = '{}'\n",
        MONITOR.user, MONITOR.password, APP.user, APP.password, OTHER.user, OTHER.password
    );
    for (at, server) in servers.iter().enumerate() {
        let role = if at == 0 { "primary" } else { "replica" };
        config += &format!("[[servers]]\nname = '{}'\naddress = '{}'\nrole = '{role}'\n", server.name, server.address);
    }
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, config + more)?;
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(&file);
    // Its own settings have names like those of the benches.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("POINTSMAN")) {
        command.env_remove(name);
    }
    Program::start(command, folder, name, port)
}
