//! Runs one shape with some workers for some seconds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use pointsman::clock;

use super::support::process::Cpu;
use super::support::rounds::percentile;

/// Before anything counts: pools fill, servers learn the statements.
const WARM_UP: Duration = Duration::from_millis(400);

/// A worker's thread needs little.
const STACK: usize = 256 << 10;

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// What one run showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// Turns a second.
    pub(crate) rate: f64,
    /// Milliseconds of one.
    pub(crate) p50: f64,
    /// The same.
    pub(crate) p99: f64,
    /// CPU microseconds of one that the process in between took; 0 when there is none.
    pub(crate) cpu: f64,
    /// Round trips to the server for one, as the relay saw them; 0 without one.
    pub(crate) round_trips: f64,
    /// Turns that failed.
    pub(crate) errors: usize,
    /// What the first of them said.
    pub(crate) first_error: Option<String>,
}

/// Has each of `workers` begin (`make`, told its number) and take turns until `seconds` are over. `through`: the process
/// in between. `trips`: round trips until now.
pub(crate) fn run<W>(
    workers: usize,
    seconds: u32,
    through: Option<u32>,
    trips: &dyn Fn() -> u64,
    make: &(dyn Fn(usize) -> anyhow::Result<W> + Sync),
    turn: &(dyn Fn(&mut W) -> anyhow::Result<()> + Sync),
) -> anyhow::Result<Run> {
    let phase = AtomicU8::new(WARMING);
    let all = Mutex::new((Vec::<f64>::new(), Vec::<String>::new()));
    let cpu = || through.map(Cpu::of).transpose();
    let work = |number: usize| {
        let (mut latencies, mut errors) = (Vec::new(), Vec::new());
        match make(number) {
            Ok(mut worker) => loop {
                let began = clock::now();
                let counts = phase.load(Ordering::Relaxed);
                if counts == OVER {
                    break;
                }
                match turn(&mut worker) {
                    Ok(()) if counts == COUNTING => {
                        latencies.push(clock::now().duration_since(began).as_secs_f64() * 1e3);
                    }
                    Ok(()) => {}
                    Err(error) => {
                        errors.push(format!("{error:#}"));
                        // What holds a connection cannot go on; who makes new ones shall not flood.
                        match make(number) {
                            Ok(anew) => worker = anew,
                            Err(_) => break,
                        }
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
            },
            Err(error) => errors.push(format!("{error:#}")),
        }
        if let Ok(mut all) = all.lock() {
            all.0.extend(latencies);
            all.1.extend(errors);
        }
    };
    let (mut elapsed, mut used, mut made) = (0.0, 0.0, 0);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        for number in 0..workers {
            let builder = std::thread::Builder::new().stack_size(STACK);
            let started = builder.spawn_scoped(scope, move || work(number)).context("a thread");
            if let Err(error) = started {
                phase.store(OVER, Ordering::Relaxed);
                return Err(error);
            }
        }
        std::thread::sleep(WARM_UP);
        let before = (cpu()?, trips(), clock::now());
        phase.store(COUNTING, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(u64::from(seconds)));
        phase.store(OVER, Ordering::Relaxed);
        elapsed = clock::now().duration_since(before.2).as_secs_f64();
        made = trips() - before.1;
        if let (Some(before), Some(after)) = (before.0, cpu()?) {
            let since = after.since(before);
            used = since.user + since.system;
        }
        Ok(())
    })?;
    let (mut latencies, errors) = all.into_inner().unwrap_or_default();
    latencies.sort_by(f64::total_cmp);
    let turns = latencies.len().max(1) as f64;
    Ok(Run {
        rate: latencies.len() as f64 / elapsed,
        p50: percentile(&latencies, 0.50),
        p99: percentile(&latencies, 0.99),
        cpu: used * 1e6 / turns,
        round_trips: made as f64 / turns,
        errors: errors.len(),
        first_error: errors.into_iter().next(),
    })
}
