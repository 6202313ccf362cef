//! Runs sysbench and reads its report.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use pointsman::sandbox::{APP, DATABASE};

use super::support::process::Cpu;

/// Tables, and rows in each: all of it is in the servers' buffer pool.
const TABLES: u32 = 4;
pub(crate) const ROWS: u32 = 10_000;

/// What one run showed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    /// Queries a second.
    pub(crate) rate: f64,
    /// Milliseconds of one event (a point select; or one round of the other loads).
    pub(crate) p50: f64,
    /// The same.
    pub(crate) p99: f64,
    /// CPU microseconds a query of the process in between; 0 when there is none.
    pub(crate) user: f64,
    /// The same, in the kernel.
    pub(crate) system: f64,
}

/// A load of sysbench.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Its script.
    pub(crate) script: &'static str,
    /// More of its options.
    pub(crate) options: &'static [&'static str],
    /// Server-side prepared statements.
    pub(crate) prepared: bool,
    /// Clients.
    pub(crate) threads: u32,
}

fn command(script: &str, port: u16) -> Command {
    let mut command = Command::new("sysbench");
    command.arg(script).args([
        "--db-driver=mysql".to_owned(),
        "--mysql-host=127.0.0.1".to_owned(),
        format!("--mysql-port={port}"),
        format!("--mysql-user={}", APP.user),
        format!("--mysql-password={}", APP.password),
        format!("--mysql-db={DATABASE}"),
        format!("--tables={TABLES}"),
        format!("--table-size={ROWS}"),
        "--rand-type=uniform".to_owned(),
    ]);
    command.stdin(Stdio::null());
    command
}

/// Makes the tables.
pub(crate) fn prepare(port: u16) -> anyhow::Result<()> {
    let output = command("oltp_read_write", port).arg("prepare").output().context("sysbench")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !said.contains("FATAL"), "sysbench prepare failed:\n{said}");
    Ok(())
}

impl Load {
    /// Runs it for `seconds` against `port`. `through`: the process in between.
    pub(crate) fn run(&self, port: u16, through: Option<u32>, seconds: u32) -> anyhow::Result<Run> {
        let mut command = command(self.script, port);
        command.args(self.options).args([
            format!("--threads={}", self.threads),
            format!("--time={seconds}"),
            format!("--db-ps-mode={}", if self.prepared { "auto" } else { "disable" }),
            // sysbench has one percentile beside its histogram; both figures are taken from the histogram.
            "--histogram=on".to_owned(),
        ]);
        let cpu = |pid| Cpu::of(pid);
        let before = through.map(cpu).transpose()?;
        let output = command.arg("run").output().context("sysbench")?;
        let after = through.map(cpu).transpose()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("sysbench {} failed:\n{text}{}", self.script, String::from_utf8_lossy(&output.stderr));
        }
        let report = Report::read(&text).with_context(|| format!("sysbench's report:\n{text}"))?;
        let used = match (before, after) {
            (Some(before), Some(after)) => after.since(before),
            _ => Cpu::default(),
        };
        Ok(Run {
            rate: report.queries / report.seconds,
            p50: report.percentile(0.50),
            p99: report.percentile(0.99),
            user: used.user * 1e6 / report.queries,
            system: used.system * 1e6 / report.queries,
        })
    }
}

/// What is read from sysbench's report.
struct Report {
    queries: f64,
    seconds: f64,
    /// Milliseconds, and events that took about so long.
    histogram: Vec<(f64, f64)>,
}

impl Report {
    fn read(text: &str) -> Option<Self> {
        let after = |label: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(label))?;
            line.trim().trim_end_matches('s').parse::<f64>().ok()
        };
        let bucket = |line: &str| {
            let (value, rest) = line.split_once('|')?;
            Some((value.trim().parse().ok()?, rest.split_whitespace().last()?.parse().ok()?))
        };
        let histogram: Vec<(f64, f64)> = text.lines().filter_map(bucket).collect();
        let (queries, seconds) = (after("total:")?, after("total time:")?);
        (queries > 0.0 && seconds > 0.0 && !histogram.is_empty()).then_some(Self { queries, seconds, histogram })
    }

    fn percentile(&self, part: f64) -> f64 {
        let mut left = self.histogram.iter().map(|(_, events)| events).sum::<f64>() * part;
        for (value, events) in &self.histogram {
            left -= events;
            if left <= 0.0 {
                return *value;
            }
        }
        self.histogram.last().map_or(0.0, |(value, _)| *value)
    }
}
