//! Large results: what a row costs that is only forwarded.

use anyhow::Context as _;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use pointsman::clock;
use pointsman::sandbox::APP;

use super::stage::{Stage, Via};
use super::support::process::Cpu;
use super::support::rounds::percentile;
use super::sysbench::{ROWS, Run};

/// Reads a table of 10,000 rows (some 190 bytes each) again and again for `seconds`; a "query" is a row here, and the
/// latency that of a whole result.
pub(crate) async fn stream(stage: &Stage, via: Via, seconds: u32) -> anyhow::Result<Run> {
    let mut client = Conn::new(APP.opts(stage.address(via))).await.context("a client")?;
    let cpu = |pid| Cpu::of(pid);
    let before = stage.pid(via).map(cpu).transpose()?;
    let began = clock::now();
    let mut latencies = Vec::new();
    while clock::now().duration_since(began).as_secs_f64() < f64::from(seconds) {
        let sent = clock::now();
        client.query_iter("SELECT id, k, c, pad FROM sbtest1").await?.drop_result().await?;
        latencies.push(clock::now().duration_since(sent).as_secs_f64() * 1e3);
    }
    let elapsed = clock::now().duration_since(began).as_secs_f64();
    let after = stage.pid(via).map(cpu).transpose()?;
    client.disconnect().await?;
    let rows = f64::from(ROWS) * latencies.len() as f64;
    latencies.sort_by(f64::total_cmp);
    let used = match (before, after) {
        (Some(before), Some(after)) => after.since(before),
        _ => Cpu::default(),
    };
    Ok(Run {
        rate: rows / elapsed,
        p50: percentile(&latencies, 0.50),
        p99: percentile(&latencies, 0.99),
        user: used.user * 1e6 / rows,
        system: used.system * 1e6 / rows,
    })
}
