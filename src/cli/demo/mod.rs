//! `pointsman demo`: what the split does, shown with real servers on this machine. Starts a primary and replicas, puts
//! the proxy in front, runs the same load without and with it, and checks afterwards that nothing was lost or misrouted.

mod launch;
mod load;
mod observe;
mod phase;
mod report;
mod screen;
mod shop;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use launch::{ProxyLauncher, RunningProxy};

use crate::clock;
use crate::cluster::Flavor;
use crate::sandbox::{APP, Binaries, DATABASE, Sandbox, SandboxOptions, free_port};
use observe::Observer;
use phase::Phase;
use screen::Screen;

/// What `128 + SIGINT` says to a shell.
const INTERRUPTED: u8 = 130;

/// The proxy's clients are gone when it is stopped, so it has nothing to wait for.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// `pointsman demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// How long the load runs: one half without the split, one half with it
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(4..=3600))]
    pub seconds: u64,
    /// Leave servers and proxy running at the end, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// How many replicas
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=8))]
    pub replicas: u8,
    /// Which servers; the default is what this machine has, MariaDB first
    #[arg(long)]
    pub flavor: Option<DemoFlavor>,
    /// Print lines instead of a table that is redrawn
    #[arg(long)]
    pub no_live: bool,
}

/// A family of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DemoFlavor {
    /// MariaDB
    Mariadb,
    /// MySQL
    Mysql,
}

impl From<DemoFlavor> for Flavor {
    fn from(flavor: DemoFlavor) -> Self {
        match flavor {
            DemoFlavor::Mariadb => Self::MariaDb,
            DemoFlavor::Mysql => Self::MySql,
        }
    }
}

/// Runs the demo. Exit code 1: a check failed; 130: it was interrupted. Whatever happens, no server stays: what is
/// dropped on the way ends by being dropped.
pub async fn run<L: ProxyLauncher>(args: DemoArgs, launcher: &L) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::new(!args.no_live);
    let mut signals = Signals::new()?;
    let stage = tokio::select! {
        biased;
        () = signals.asked() => return Ok(interrupted(&mut screen)),
        stage = Box::pin(Stage::set(&args, launcher, &mut screen)) => stage?,
    };
    let outcome = tokio::select! {
        biased;
        () = signals.asked() => None,
        outcome = Box::pin(scenario(&args, &stage, &mut screen)) => Some(outcome),
    };
    if args.keep && matches!(outcome, Some(Ok(_))) {
        tell_how_to_connect(&stage, &mut screen);
        signals.asked().await;
    }
    let _cut_off_otherwise = tokio::time::timeout(STOP_LIMIT, stage.proxy.stop()).await;
    stage.sandbox.stop().await;
    outcome.unwrap_or_else(|| Ok(interrupted(&mut screen)))
}

fn interrupted(screen: &mut Screen) -> ExitCode {
    screen.say("\nInterrupted; the servers are gone.");
    ExitCode::from(INTERRUPTED)
}

/// Ctrl-C and what `kill` sends.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits until somebody asks this process to end.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The servers and the proxy in front of them. The proxy is dropped first.
struct Stage<P> {
    proxy: P,
    sandbox: Sandbox,
    config: String,
}

impl<P: RunningProxy> Stage<P> {
    async fn set<L>(args: &DemoArgs, launcher: &L, screen: &mut Screen) -> anyhow::Result<Self>
    where
        L: ProxyLauncher<Proxy = P>,
    {
        let binaries = Binaries::find(args.flavor.map(Flavor::from))?;
        let family = match binaries.flavor() {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb | Flavor::Unknown => "MariaDB",
        };
        let replicas = match args.replicas {
            0 => "without replicas".to_owned(),
            1 => "with one replica".to_owned(),
            more => format!("with {more} replicas"),
        };
        screen.say(&format!("Starting {family} {}: a private primary {replicas} ...", binaries.version()));
        let began = clock::now();
        let extra = observe::server_options(binaries.flavor());
        let replicas = usize::from(args.replicas);
        let options = SandboxOptions { replicas, binaries: Some(binaries), extra, ..SandboxOptions::default() };
        let sandbox = Sandbox::start(options).await?;
        let config = launch::configuration(&sandbox, free_port()?, free_port()?);
        let proxy = Box::pin(launcher.launch(&config)).await.context("the proxy did not start")?;
        let took = clock::now().duration_since(began).as_secs_f64();
        screen.say(&format!("Ready in {took:.1} s. pointsman listens on {}.", proxy.listen()));
        Ok(Self { proxy, sandbox, config })
    }
}

async fn scenario<P: RunningProxy>(args: &DemoArgs, stage: &Stage<P>, screen: &mut Screen) -> anyhow::Result<ExitCode> {
    let Stage { proxy, sandbox, .. } = stage;
    let listen = proxy.listen();
    screen.say(&format!("Loading {} orders through pointsman ...", screen::grouped(shop::ORDERS)));
    let began = clock::now();
    shop::load(listen).await.context("loading the orders through pointsman failed")?;
    sandbox.catch_up().await?;
    let loaded = clock::now().duration_since(began);
    screen.say(&format!("Loaded and replicated in {:.1} s.\n", loaded.as_secs_f64()));

    let mut observer = Observer::new(sandbox, proxy.http()).await?;
    let half = Duration::from_secs(args.seconds) / 2;
    let primary = sandbox.primary().address();
    screen.say("Without the split: an import and the order page, all straight to the primary.");
    let direct = Phase::run("without split", primary, half, sandbox, &mut observer, screen).await?;
    screen.say("\nWith pointsman: the same load, only the port is another.");
    let split = Phase::run("with pointsman", listen, half, sandbox, &mut observer, screen).await?;
    sandbox.catch_up().await?;
    let last = observer.sample().await?;

    screen.say(&format!("\n{}\n", report::summary(&direct, &split)));
    let checks = report::verify(sandbox, &direct, &split, &last).await?;
    for check in &checks {
        screen.say(&format!("{}  {}", if check.held { "ok    " } else { "FAILED" }, check.text));
    }
    Ok(if checks.iter().all(|check| check.held) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell_how_to_connect<P: RunningProxy>(stage: &Stage<P>, screen: &mut Screen) {
    let Stage { proxy, sandbox, config } = stage;
    let client = if sandbox.flavor() == Flavor::MySql { "mysql" } else { "mariadb" };
    let connect = |port: u16| format!("{client} -h127.0.0.1 -P{port} -u{} -p{} {DATABASE}", APP.user, APP.password);
    screen.say("\nEverything stays until Ctrl-C. The configuration of this proxy:\n");
    screen.say(config);
    screen.say(&format!("{:<20}{}", "through pointsman", connect(proxy.listen().port())));
    for server in sandbox.servers() {
        screen.say(&format!("{:<20}{}", server.name(), connect(server.port())));
    }
    if let Some(http) = proxy.http() {
        screen.say(&format!("{:<20}http://{http}/metrics", "metrics"));
    }
    screen.say(&format!("{:<20}{}", "data and logs", sandbox.folder().display()));
}
