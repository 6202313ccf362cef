//! What pointsman costs: throughput, latency, CPU and memory against direct connections and HAProxy.
//!
//! Starts private servers, HAProxy and pointsman, and runs sysbench against all of them in turn. A shared machine is
//! noisy: each round has every way once, and only ratios within a round are compared. Figures: docs/performance.md.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to a terminal")]

mod memory;
mod report;
mod rows;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod sysbench;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use serde_json::json;

use memory::Memory;
use report::Figures;
use stage::{Stage, Via};
use support::options::{self, Options};
use support::rounds::Rounds;
use sysbench::Load;

/// Most CPU per point select (text, 32 clients), as a multiple of HAProxy's in the same round. The goal of the project:
/// a proxy that reads every statement may cost twice one that reads none.
const CPU_LIMIT: f64 = 2.0;

/// The load that the limit is for.
const JUDGED: &str = "point select, text, 32";

const USAGE: &str = "\
cargo bench --bench load -- [OPTIONS]
  (ways: direct, haproxy, previous, pointsman, pointsman+replica)";

/// What runs.
enum Work {
    Sysbench(Load),
    Rows,
}

fn works() -> Vec<(String, Work, &'static [Via])> {
    let alone: &[Via] = &[Via::Direct, Via::HaProxy, Via::Previous, Via::Pointsman];
    let all: &[Via] = &Via::ALL;
    let mut works = Vec::new();
    for (prepared, protocol) in [(false, "text"), (true, "prepared")] {
        for threads in [1, 8, 32] {
            let load = Load { script: "oltp_point_select", options: &[], prepared, threads };
            let ways = if threads == 32 { all } else { alone };
            works.push((format!("point select, {protocol}, {threads}"), Work::Sysbench(load), ways));
        }
    }
    let read_only = Load { script: "oltp_read_only", options: &["--skip-trx"], prepared: false, threads: 8 };
    works.push(("read only, text, 8".to_owned(), Work::Sysbench(read_only), all));
    let read_write = Load { script: "oltp_read_write", options: &[], prepared: false, threads: 8 };
    works.push(("read and write, text, 8".to_owned(), Work::Sysbench(read_write), all));
    works.push(("result of 10,000 rows, 1".to_owned(), Work::Rows, alone));
    works
}

async fn measure(options: Options) -> anyhow::Result<bool> {
    let machine = machine(&options);
    println!("{machine}");
    let stage = Stage::start(options.previous.as_deref()).await?;
    let split = stage.port(Via::Split);
    tokio::task::block_in_place(|| sysbench::prepare(split))?;
    stage.servers.catch_up().await?;
    let goes = |via: Via| (via != Via::Previous || options.previous.is_some()) && options.goes(via.name());
    let mut figures = Vec::new();
    print!("{}", Figures::head());
    for (name, work, ways) in works() {
        if !options.wants(&name) {
            continue;
        }
        let unit = if matches!(work, Work::Rows) { "row" } else { "query" };
        let mut of_load = Figures { name, unit, rounds: Rounds(Vec::new()) };
        for _ in 0..options.rounds {
            let mut round = Vec::new();
            for &via in ways.iter().filter(|via| goes(**via)) {
                let (port, pid) = (stage.port(via), stage.pid(via));
                let run = match &work {
                    Work::Sysbench(load) => tokio::task::block_in_place(|| load.run(port, pid, options.seconds))?,
                    Work::Rows => rows::stream(&stage, via, options.seconds).await?,
                };
                round.push((via, run));
            }
            of_load.rounds.0.push(round);
        }
        print!("{}{}", of_load.lines(), of_load.against_previous());
        std::io::stdout().flush()?;
        figures.push(of_load);
    }
    let memory = match options.wants("memory") {
        true => Some(Memory::measure(&stage, if options.short { &[500] } else { &[500, 2000] }).await?),
        false => None,
    };
    print!("{}", memory.as_ref().map(Memory::text).unwrap_or_default());
    if let Some(file) = &options.json {
        let loads: Vec<_> = figures.iter().map(Figures::json).collect();
        let all = json!({ "machine": machine, "loads": loads, "memory": memory.as_ref().map(Memory::json) });
        fs::write(file, serde_json::to_string_pretty(&all)?).with_context(|| file.display().to_string())?;
    }
    stage.servers.stop().await;
    Ok(judge(&figures) & memory.is_none_or(|memory| memory.is_bounded()))
}

/// Says whether the limit is kept.
fn judge(figures: &[Figures]) -> bool {
    let judged = figures.iter().find(|figures| figures.name == JUDGED);
    let ratio =
        judged.and_then(|figures| figures.rounds.ratio(&Via::Pointsman, &Via::HaProxy, |run| run.user + run.system));
    let Some(ratio) = ratio else { return true };
    let kept = ratio.median <= CPU_LIMIT;
    let word = if kept { "kept" } else { "MISSED" };
    println!(
        "limit {word}: CPU per query of `{JUDGED}` is {:.2} x HAProxy's ({:.2}-{:.2}); at most {CPU_LIMIT:.1}",
        ratio.median, ratio.min, ratio.max
    );
    kept
}

/// One line on what ran where.
fn machine(options: &Options) -> String {
    let first = |program: PathBuf, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let server =
        pointsman::sandbox::Binaries::find(None).map_or_else(|_| "?".to_owned(), |found| found.version().to_owned());
    format!(
        "{cores} cores shared by clients, proxies and servers; {server}; {}; {}; rounds: {} of {} s",
        first("sysbench".into(), "--version"),
        first(stage::haproxy_program(), "-v"),
        options.rounds,
        options.seconds
    )
}

fn main() -> ExitCode {
    options::run(USAGE, measure)
}
