//! Many clients, few connections: what applications gain that connect for each request, prepare each query, or hold
//! connections that do nothing.
//!
//! Starts private servers and pointsman, plays the shapes of PHP directly and through it, on this machine and with a
//! network of 1 ms in between, and holds the figures against the project's goals. A shared machine is noisy: each round
//! has every way once, only ratios within a round are compared, and round trips are counted. Figures:
//! docs/performance.md.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to a terminal")]

mod client;
mod crowd;
mod relay;
mod report;
mod shapes;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod work;

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{APP, Account, OTHER, Sandbox};
use serde_json::json;
use tokio::task::JoinHandle;

use client::Client;
use crowd::Crowd;
use relay::Relay;
use report::{Figures, Verdict};
use shapes::Pdo;
use stage::{POOL, Route, Stage, Via};
use support::options::{self, Options};
use support::rounds::Rounds;
use work::Run;

const USAGE: &str = "\
cargo bench --bench connections -- [OPTIONS]
  (ways: direct, previous, pointsman; `memory` is part of `connected`)";

/// Clients that are logged in, and those of them that do something.
const CONNECTED: usize = 5000;
const ACTIVE: usize = 200;

/// The goals of the project (issue 4).
const IDLE_KIB: f64 = 12.0;
const P99: f64 = 2.0;

/// What the workers do.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// One connection each; PREPARE, EXECUTE, CLOSE for each query.
    Prepared,
    /// A connection for each request.
    Request,
}

struct Load {
    shape: Shape,
    flavor: Flavor,
    /// A network in between.
    far: bool,
    workers: usize,
    /// At least so many times as often as directly.
    goal: Option<f64>,
}

impl Load {
    fn name(&self) -> String {
        let shape = match self.shape {
            Shape::Prepared => "prepare-execute-close",
            Shape::Request => "php request",
        };
        let login = match (self.shape, self.flavor) {
            (Shape::Prepared, _) => "",
            (_, Flavor::MySql) => ", caching_sha2",
            _ => ", native",
        };
        format!("{shape}{login}{}, {}", if self.far { ", 1 ms" } else { "" }, self.workers)
    }

    fn run(&self, route: &Route, seconds: u32) -> anyhow::Result<Run> {
        let (address, pid) = (route.address(), route.pid());
        let trips = || route.round_trips();
        match self.shape {
            Shape::Prepared => {
                work::run(self.workers, seconds, pid, &trips, &|number| Pdo::new(address, number), &Pdo::query)
            }
            Shape::Request => work::run(
                self.workers,
                seconds,
                pid,
                &trips,
                &|number| Ok(Cell::new(number as u64)),
                &|number: &mut Cell<u64>| shapes::request(address, number),
            ),
        }
    }
}

fn loads() -> Vec<Load> {
    let mut loads = Vec::new();
    let (mariadb, mysql) = (Flavor::MariaDb, Flavor::MySql);
    for (workers, goal) in [(1, None), (8, Some(1.0)), (32, Some(1.0))] {
        loads.push(Load { shape: Shape::Prepared, flavor: mariadb, far: false, workers, goal });
    }
    for workers in [1, 8] {
        loads.push(Load { shape: Shape::Prepared, flavor: mariadb, far: true, workers, goal: Some(1.9) });
    }
    for flavor in [mariadb, mysql] {
        loads.push(Load { shape: Shape::Request, flavor, far: false, workers: 8, goal: Some(1.0) });
        for workers in [1, 8] {
            loads.push(Load { shape: Shape::Request, flavor, far: true, workers, goal: Some(3.0) });
        }
    }
    loads
}

/// All that comes out.
#[derive(Default)]
struct Report {
    figures: Vec<Figures>,
    crowds: Vec<serde_json::Value>,
    verdicts: Vec<Verdict>,
}

impl Report {
    fn add(&mut self, figures: Figures) -> anyhow::Result<()> {
        print!("{}", figures.lines());
        std::io::stdout().flush()?;
        self.figures.push(figures);
        Ok(())
    }
}

async fn measure(options: Options) -> anyhow::Result<bool> {
    let machine = machine(&options);
    println!("{machine}");
    let (trip, greeting) = tokio::task::block_in_place(Relay::measure)?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let network = format!(
        "the relay: {:.2} ms a round trip, {:.2} ms from connecting to the first byte (medians)",
        milliseconds(trip),
        milliseconds(greeting)
    );
    println!("{network}");
    print!("{}", Figures::head());
    let mut report = Report::default();
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let wanted: Vec<_> =
            loads().into_iter().filter(|load| load.flavor == flavor && options.wants(&load.name())).collect();
        let connected = format!("connected, {CONNECTED}");
        let crowd = flavor == Flavor::MariaDb && (options.wants(&connected) || options.wants("memory"));
        if wanted.is_empty() && !crowd {
            continue;
        }
        let stage = match Stage::start(flavor, options.previous.as_deref()).await {
            Ok(stage) => stage,
            Err(error) if flavor == Flavor::MySql => {
                println!("left out: no MySQL here ({error:#})");
                continue;
            }
            Err(error) => return Err(error),
        };
        for far in [false, true] {
            let wanted: Vec<_> = wanted.iter().filter(|load| load.far == far).collect();
            if !wanted.is_empty() {
                tokio::task::block_in_place(|| shapes_of(&stage, far, &wanted, &options, &mut report))?;
            }
        }
        if crowd {
            many(&stage, connected, &options, &mut report).await?;
        }
        stage.servers.stop().await;
    }
    for verdict in &report.verdicts {
        print!("{}", verdict.line());
    }
    if let Some(file) = &options.json {
        let loads: Vec<_> = report.figures.iter().map(Figures::json).collect();
        let goals = report.verdicts.iter().map(|verdict| json!({ "kept": verdict.kept, "goal": verdict.text }));
        let goals: Vec<_> = goals.collect();
        let all =
            json!({ "machine": machine, "network": network, "loads": loads, "memory": report.crowds, "goals": goals });
        fs::write(file, serde_json::to_string_pretty(&all)?).with_context(|| file.display().to_string())?;
    }
    Ok(report.verdicts.iter().all(|verdict| verdict.kept))
}

/// The ways that are asked for.
fn ways(options: &Options) -> Vec<Via> {
    let there = |via: &Via| (*via != Via::Previous || options.previous.is_some()) && options.goes(via.name());
    Via::ALL.into_iter().filter(there).collect()
}

/// PHP's shapes, at one distance.
fn shapes_of(stage: &Stage, far: bool, loads: &[&Load], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let name = if far { "far" } else { "near" };
    let mut routes = Vec::new();
    for via in ways(options) {
        routes.push((via, stage.path(via, far, name)?));
    }
    for load in loads {
        let mut figures = Figures { name: load.name(), base: Via::Direct.name(), rounds: Rounds(Vec::new()) };
        for _ in 0..options.rounds {
            let mut round = Vec::new();
            for (via, route) in &routes {
                round.push((via.name().to_owned(), load.run(route, options.seconds)?));
            }
            figures.rounds.0.push(round);
        }
        let goal = load.goal.and_then(|goal| figures.at_least(Via::Pointsman.name(), goal));
        report.verdicts.extend(goal);
        report.add(figures)?;
    }
    Ok(())
}

/// The account of a crowd: each has its own, so that the server can tell whose connections are whose.
fn account(via: Via) -> Account {
    if via == Via::Pointsman { OTHER } else { APP }
}

/// 200 active clients alone, and among 5,000 that are logged in.
async fn many(stage: &Stage, name: String, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    // Of this process: a socket each. The proxies inherit the limit.
    crowd::may_have(CONNECTED)?;
    let mut sides = Vec::new();
    for via in ways(options) {
        let alone = stage.path(via, false, "alone")?;
        let Some(_) = alone.pid() else {
            sides.push((via, alone, None));
            continue;
        };
        let crowded = stage.path(via, false, "crowded")?;
        let pid = crowded.pid().context("a proxy's process")?;
        let crowd = tokio::task::block_in_place(|| Crowd::gather(crowded.address(), account(via), pid, CONNECTED))?;
        print!("{}", crowd.text(via.name()));
        if via == Via::Pointsman {
            let worst = crowd.after_login.max(crowd.after_query);
            let text = format!("{:.1} KiB of memory for an idle client at {CONNECTED}, below {IDLE_KIB:.0}", worst);
            report.verdicts.push(Verdict::new(worst < IDLE_KIB, text));
        }
        report.crowds.push(crowd.json(via.name()));
        sides.push((via, alone, Some((crowded, crowd))));
    }
    if !options.wants(&name) {
        return Ok(());
    }
    let mut figures = Figures { name, base: "pointsman", rounds: Rounds(Vec::new()) };
    let seconds = options.seconds;
    let mut most = 0;
    for _ in 0..options.rounds {
        let mut round = Vec::new();
        for (via, alone, crowded) in &sides {
            let address = alone.address();
            let connect = |number: usize| Ok((Client::login(address, APP)?, Cell::new(number as u64)));
            let run = tokio::task::block_in_place(|| {
                work::run(ACTIVE, seconds, alone.pid(), &|| 0, &connect, &|(client, number)| {
                    shapes::point_select(client, number)
                })
            })?;
            round.push((via.name().to_owned(), run));
            let Some((crowded, crowd)) = crowded else { continue };
            let number = |number: usize| Ok((number, Cell::new(number as u64)));
            let counting = Counting::start(&stage.servers, account(*via)).await?;
            let same = tokio::task::block_in_place(|| {
                work::run(ACTIVE, seconds, crowded.pid(), &|| 0, &number, &|(at, number)| crowd.turn(*at, number))
            })?;
            round.push((format!("{}, of {CONNECTED}", via.name()), same));
            // Every query by another client: each worker has those whose number is its own, modulo ACTIVE.
            let turns = tokio::task::block_in_place(|| {
                work::run(ACTIVE, seconds, crowded.pid(), &|| 0, &number, &|(at, number)| {
                    *at = (*at + ACTIVE) % crowd.len();
                    crowd.turn(*at, number)
                })
            })?;
            round.push((format!("{}, in turn", via.name()), turns));
            let seen = counting.end().await?;
            if *via == Via::Pointsman {
                most = most.max(seen);
            }
        }
        figures.rounds.0.push(round);
    }
    for way in [format!("pointsman, of {CONNECTED}"), "pointsman, in turn".to_owned()] {
        if let Some(ratio) = figures.rounds.ratio(&way, &"pointsman".to_owned(), |run| run.p99) {
            let (errors, text) = (figures.errors(&way), "times that of 200 alone");
            report.verdicts.push(Verdict::new(
                ratio.median < P99 && errors == 0,
                format!(
                    "p99 of {way}: {:.2} {text} ({:.2}-{:.2}), below {P99:.1}; {errors} errors",
                    ratio.median, ratio.min, ratio.max
                ),
            ));
        }
    }
    if most > 0 {
        let text = format!("{most} connections to the server for {CONNECTED} clients, at most {POOL}");
        report.verdicts.push(Verdict::new(most <= POOL as u64, text));
    }
    report.add(figures)
}

/// Looks at the server's connections of one account.
struct Counting {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Counting {
    async fn start(servers: &Sandbox, account: Account) -> anyhow::Result<Self> {
        let mut root = servers.primary().root().await?;
        let (most, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (seen, ended) = (most.clone(), over.clone());
        let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{}'", account.user);
        let task = tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                let now: Option<u64> = root.query_first(&count).await?;
                seen.fetch_max(now.unwrap_or_default(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            root.disconnect().await?;
            Ok(())
        });
        Ok(Self { most, over, task })
    }

    async fn end(self) -> anyhow::Result<u64> {
        self.over.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(self.most.load(Ordering::Relaxed))
    }
}

/// One line on what ran where.
fn machine(options: &Options) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let server =
        pointsman::sandbox::Binaries::find(None).map_or_else(|_| "?".to_owned(), |found| found.version().to_owned());
    format!(
        "{cores} cores shared by clients, proxies and servers; {server}; pools.size = {POOL}; rounds: {} of {} s",
        options.rounds, options.seconds
    )
}

fn main() -> ExitCode {
    options::run(USAGE, measure)
}
