//! What pointsman costs: throughput, latency, CPU and memory against direct connections and HAProxy.
//!
//! Starts private servers, HAProxy and pointsman, and runs sysbench against all of them in turn. A shared machine is
//! noisy: each round has every way once, and only ratios within a round are compared. Figures: docs/performance.md.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to a terminal")]

mod memory;
mod process;
mod report;
mod rows;
mod stage;
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
use sysbench::Load;

/// Most CPU per point select (text, 32 clients), as a multiple of HAProxy's in the same round. The goal of the project:
/// a proxy that reads every statement may cost twice one that reads none.
const CPU_LIMIT: f64 = 2.0;

/// The load that the limit is for.
const JUDGED: &str = "point select, text, 32";

const USAGE: &str = "\
cargo bench --bench load -- [OPTIONS]
  --short         one round of 2 s (also: POINTSMAN_BENCH=short)
  --rounds N      rounds, each with every way once [3]
  --seconds N     of each run [5]
  --only TEXT     only loads whose name has this in it (also `memory`)
  --through NAME  only this way (direct, haproxy, pointsman, pointsman+replica), for profiling
  --previous FILE the program of another build, measured in the same rounds
  --json FILE     write all figures there";

struct Options {
    rounds: u32,
    seconds: u32,
    only: Option<String>,
    through: Option<String>,
    previous: Option<PathBuf>,
    json: Option<PathBuf>,
    clients: Vec<usize>,
}

impl Options {
    fn read() -> anyhow::Result<Option<Self>> {
        let mut options = Self {
            rounds: 3,
            seconds: 5,
            only: None,
            through: None,
            previous: None,
            json: None,
            clients: vec![500, 2000],
        };
        let short = std::env::var("POINTSMAN_BENCH").is_ok_and(|value| value == "short");
        let mut arguments = std::env::args().skip(1).chain(short.then(|| "--short".to_owned()));
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--short" => (options.rounds, options.seconds, options.clients) = (1, 2, vec![500]),
                "--rounds" => options.rounds = value()?.parse().context("--rounds")?,
                "--seconds" => options.seconds = value()?.parse().context("--seconds")?,
                "--only" => options.only = Some(value()?),
                "--through" => options.through = Some(value()?),
                "--previous" => options.previous = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                // cargo says this to every bench.
                "--bench" => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(options))
    }

    fn goes(&self, via: Via) -> bool {
        let there = via != Via::Previous || self.previous.is_some();
        there && self.through.as_ref().is_none_or(|through| through == via.name())
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

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

async fn measure(options: &Options) -> anyhow::Result<bool> {
    let machine = machine(options);
    println!("{machine}");
    let stage = Stage::start(options.previous.as_deref()).await?;
    let split = stage.port(Via::Split);
    tokio::task::block_in_place(|| sysbench::prepare(split))?;
    stage.servers.catch_up().await?;
    let mut figures = Vec::new();
    print!("{}", Figures::head());
    for (name, work, ways) in works() {
        if !options.wants(&name) {
            continue;
        }
        let unit = if matches!(work, Work::Rows) { "row" } else { "query" };
        let mut of_load = Figures { name, unit, rounds: Vec::new() };
        for _ in 0..options.rounds {
            let mut round = Vec::new();
            for &via in ways.iter().filter(|via| options.goes(**via)) {
                let (port, pid) = (stage.port(via), stage.pid(via));
                let run = match &work {
                    Work::Sysbench(load) => tokio::task::block_in_place(|| load.run(port, pid, options.seconds))?,
                    Work::Rows => rows::stream(&stage, via, options.seconds).await?,
                };
                round.push((via, run));
            }
            of_load.rounds.push(round);
        }
        print!("{}{}", of_load.lines(), of_load.against_previous());
        std::io::stdout().flush()?;
        figures.push(of_load);
    }
    let memory = match options.wants("memory") {
        true => Some(Memory::measure(&stage, &options.clients).await?),
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
    let ratio = judged.and_then(|figures| figures.ratio(Via::Pointsman, Via::HaProxy, |run| run.user + run.system));
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
    let options = match Options::read() {
        Ok(Some(options)) => options,
        Ok(None) => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    match runtime.context("runtime").and_then(|runtime| runtime.block_on(measure(&options))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
