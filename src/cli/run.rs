//! `pointsman run`, and the runtime that `pointsman demo` shares with it.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::demo::{self, DemoArgs, ProxyLauncher};
use super::load::ConfigArgs;
use crate::app;
use crate::config::{NoVariables, Source, parse};
use crate::telemetry;

/// `pointsman run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the proxy until SIGTERM or SIGINT; a second one hurries it.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    telemetry::init(&loaded.config.log.filter, loaded.config.log.format)?;
    for note in &loaded.notes {
        tracing::warn!("{note}");
    }
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
        let mut hangup = signal(SignalKind::hangup()).context("SIGHUP")?;
        let proxy = app::start(loaded.config).await?;
        loop {
            tokio::select! {
                () = wait(&mut terminate, &mut interrupt) => break,
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: looking at the files of TLS; the configuration itself needs a restart");
                    proxy.reload_certificates();
                }
            }
        }
        tracing::info!(clients = proxy.shared().clients.len(), "shutting down: no new clients");
        let clean = proxy.drain(wait(&mut terminate, &mut interrupt)).await;
        if !clean {
            tracing::warn!(clients = proxy.shared().clients.len(), "clients that did not finish are cut off");
        }
        proxy.stop().await;
        tracing::info!("stopped");
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn wait(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("pointsman").build().context("runtime")
}

/// Runs the demo with the proxy inside this process.
pub(super) fn demo(args: DemoArgs) -> anyhow::Result<ExitCode> {
    telemetry::init("warn", crate::config::LogFormat::Text)?;
    runtime()?.block_on(demo::run(args, &Launcher))
}

struct Launcher;

impl ProxyLauncher for Launcher {
    type Proxy = app::RunningProxy;

    async fn launch(&self, config: &str) -> anyhow::Result<app::RunningProxy> {
        let loaded = parse(Some(Source { name: "demo", text: config }), &NoVariables)?;
        app::start(loaded.config).await
    }
}

impl demo::RunningProxy for app::RunningProxy {
    fn listen(&self) -> std::net::SocketAddr {
        self.listen()
    }

    fn http(&self) -> Option<std::net::SocketAddr> {
        self.http()
    }

    async fn stop(self) {
        self.drain(std::future::pending()).await;
        self.stop().await;
    }
}
