//! What pointsman's memory grows by: idle clients, and a result larger than it may keep.

use std::fs;

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pointsman::sandbox::APP;
use serde_json::json;

use super::stage::{Stage, Via};
use super::support::process::memory;

/// Growth over a result of 1 GB must stay below this: the buffers of one session are bounded.
/// 16 MiB is the goal of the project's brief, section "streaming"; what is seen is far less.
const LARGE_RESULT_LIMIT_KIB: u64 = 16 << 10;

/// 1,000 rows of 1 MB.
const LARGE_RESULT: &str = "SELECT REPEAT('x', 1000000) FROM sbtest1 LIMIT 1000";

/// Idle clients, at each of two moments.
#[derive(Debug)]
pub(crate) struct Idle {
    clients: usize,
    logged_in: f64,
    after_query: f64,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Memory {
    start_kib: u64,
    large_growth_kib: u64,
    idle: Vec<Idle>,
}

impl Memory {
    /// Measures; `clients`: how many idle ones, in rising order.
    pub(crate) async fn measure(stage: &Stage, clients: &[usize]) -> anyhow::Result<Self> {
        let pid = stage.pid(Via::Pointsman).context("pointsman does not run")?;
        let start_kib = memory(pid, "VmRSS")?;
        let mut client = Conn::new(APP.opts(stage.address(Via::Pointsman))).await?;
        client.query_drop("SELECT 1").await?;
        // "5" sets the high-water mark back to what is used now (proc(5), clear_refs).
        fs::write(format!("/proc/{pid}/clear_refs"), "5").context("clear_refs")?;
        let before = memory(pid, "VmRSS")?;
        client.query_iter(LARGE_RESULT).await?.drop_result().await?;
        let large_growth_kib = memory(pid, "VmHWM")?.saturating_sub(before);
        client.disconnect().await?;
        let mut idle = Vec::new();
        // What clients that left gave back stays with the allocator: all are counted from here.
        let before = memory(pid, "VmRSS")?;
        for &clients in clients {
            idle.push(Self::idle(stage, pid, clients, before).await?);
        }
        Ok(Self { start_kib, large_growth_kib, idle })
    }

    async fn idle(stage: &Stage, pid: u32, clients: usize, before: u64) -> anyhow::Result<Idle> {
        // With these known the library asks nothing after the login.
        let opts = OptsBuilder::from_opts(APP.opts(stage.address(Via::Pointsman)))
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            connections.push(Conn::new(opts.clone()).await?);
        }
        let each = |after: u64| after.saturating_sub(before) as f64 / clients as f64;
        let logged_in = each(memory(pid, "VmRSS")?);
        for connection in &mut connections {
            connection.query_drop("SELECT c FROM sbtest1 WHERE id = 1").await?;
        }
        let after_query = each(memory(pid, "VmRSS")?);
        for connection in connections {
            connection.disconnect().await?;
        }
        Ok(Idle { clients, logged_in, after_query })
    }

    /// Whether the growth over a large result is as it shall be.
    pub(crate) fn is_bounded(&self) -> bool {
        self.large_growth_kib < LARGE_RESULT_LIMIT_KIB
    }

    /// As lines of text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "memory: {} KiB before; {} KiB more at most while 1 GB passes (limit {LARGE_RESULT_LIMIT_KIB})\n",
            self.start_kib, self.large_growth_kib
        );
        for idle in &self.idle {
            text += &format!(
                "memory: {} idle clients: {:.1} KiB each after their login, {:.1} after a query of each\n",
                idle.clients, idle.logged_in, idle.after_query
            );
        }
        text
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let idle = |idle: &Idle| json!({ "clients": idle.clients, "kib_after_login": idle.logged_in, "kib_after_query": idle.after_query });
        json!({
            "start_kib": self.start_kib,
            "large_result_growth_kib": self.large_growth_kib,
            "idle": self.idle.iter().map(idle).collect::<Vec<_>>(),
        })
    }
}
