//! What the kernel says about a process: CPU time and memory, from `/proc`.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

/// CPU time of a process, seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// In its own code.
    pub(crate) user: f64,
    /// In the kernel on its behalf.
    pub(crate) system: f64,
}

impl Cpu {
    /// What `pid` has used until now, all its threads together.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
        // The program's name, in parentheses, may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        // utime and stime are fields 14 and 15 of proc(5); the first after the name is 3.
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).context("/proc/PID/stat");
        let second = ticks_per_second();
        Ok(Self { user: ticks(11)? / second, system: ticks(12)? / second })
    }

    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

fn ticks_per_second() -> f64 {
    // USER_HZ: 100 on every Linux that this is likely to run on, but it may be asked.
    let asked = Command::new("getconf").arg("CLK_TCK").output().ok();
    asked.and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok()).unwrap_or(100.0)
}

/// A line of `/proc/PID/status` in KiB, such as `VmRSS` or `VmHWM`.
pub(crate) fn memory(pid: u32, line: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let number = found.and_then(|text| text.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no {line} in /proc/{pid}/status"))
}
