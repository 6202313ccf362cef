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
use tokio::signal::unix::{SignalKind, signal};

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

/// Runs the demo. Exit code 1: a check failed; 130: it was interrupted. Whatever happens, no server stays.
pub async fn run<L: ProxyLauncher>(args: DemoArgs, launcher: &L) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::new(!args.no_live);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let interrupted = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    // Dropping what runs ends it: the load's tasks, the proxy, the servers and their folder.
    let code = tokio::select! {
        biased;
        () = interrupted => None,
        code = Box::pin(whole(&args, launcher, &mut screen)) => Some(code?),
    };
    Ok(code.unwrap_or_else(|| {
        screen.say("\nInterrupted; the servers are gone.");
        ExitCode::from(INTERRUPTED)
    }))
}

async fn whole<L: ProxyLauncher>(args: &DemoArgs, launcher: &L, screen: &mut Screen) -> anyhow::Result<ExitCode> {
    let binaries = Binaries::find(args.flavor.map(Flavor::from))?;
    let family = match binaries.flavor() {
        Flavor::MySql => "MySQL",
        Flavor::MariaDb | Flavor::Unknown => "MariaDB",
    };
    screen.say(&format!(
        "Starting {family} {} as one primary and {} replicas, private to this demo ...",
        binaries.version(),
        args.replicas
    ));
    let began = clock::now();
    let extra = observe::server_options(binaries.flavor());
    let replicas = usize::from(args.replicas);
    let options = SandboxOptions { replicas, binaries: Some(binaries), extra, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await?;
    let ready = clock::now().duration_since(began);
    let config = launch::configuration(&sandbox, free_port()?, free_port()?);
    let proxy = Box::pin(launcher.launch(&config)).await.context("the proxy did not start")?;
    let listen = proxy.listen();
    screen.say(&format!("Ready in {:.1} s. pointsman listens on {listen}.", ready.as_secs_f64()));

    let outcome = Box::pin(scenario(args, &sandbox, &proxy, screen)).await;
    if outcome.is_ok() && args.keep {
        keep(&sandbox, &proxy, &config, screen).await;
    }
    let _cut_off_otherwise = tokio::time::timeout(STOP_LIMIT, proxy.stop()).await;
    sandbox.stop().await;
    outcome
}

async fn scenario<P: RunningProxy>(
    args: &DemoArgs,
    sandbox: &Sandbox,
    proxy: &P,
    screen: &mut Screen,
) -> anyhow::Result<ExitCode> {
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

/// Tells how to connect and waits; the caller's signal handling ends it.
async fn keep<P: RunningProxy>(sandbox: &Sandbox, proxy: &P, config: &str, screen: &mut Screen) {
    let client = if sandbox.flavor() == Flavor::MySql { "mysql" } else { "mariadb" };
    let connect = |port: u16| format!("{client} -h127.0.0.1 -P{port} -u{} -p{} {DATABASE}", APP.user, APP.password);
    screen.say("\nEverything stays until Ctrl-C. The configuration of this proxy:\n");
    screen.say(config);
    screen.say(&format!("through pointsman   {}", connect(proxy.listen().port())));
    for server in sandbox.servers() {
        screen.say(&format!("{:<20}{}", server.name(), connect(server.port())));
    }
    if let Some(http) = proxy.http() {
        screen.say(&format!("{:<20}http://{http}/metrics", "metrics"));
    }
    screen.say(&format!("{:<20}{}", "data and logs", sandbox.folder().display()));
    std::future::pending::<()>().await;
}
