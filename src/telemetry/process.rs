//! `process_*`: what every Prometheus client library says of its process, read from `/proc/self` at each scrape. Where
//! there is no `/proc` the values stay 0.

use std::fs;
use std::sync::{Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGauge};

/// The kernel's `USER_HZ`: 100 on every architecture Linux runs on today, and not to be had without libc.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self`.
pub(super) struct Process {
    cpu: Counter,
    resident: Gauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    threads: IntGauge,
    start: Gauge,
    /// Two scrapes at once would add the same CPU time twice.
    reading: Mutex<()>,
}

impl Process {
    /// `started` is the process's start in seconds since 1970.
    pub(super) fn new(started: f64) -> prometheus::Result<Self> {
        let start = Gauge::new("process_start_time_seconds", "Start of the process, in seconds since 1970.")?;
        start.set(started);
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "CPU time in user and kernel mode, in seconds.")?,
            resident: Gauge::new("process_resident_memory_bytes", "Resident memory, in bytes.")?,
            open_fds: IntGauge::new("process_open_fds", "Open file descriptors.")?,
            max_fds: IntGauge::new("process_max_fds", "The limit of open file descriptors.")?,
            threads: IntGauge::new("process_threads", "Threads of the process.")?,
            start,
            reading: Mutex::new(()),
        })
    }

    fn read(&self) {
        if let Some(seconds) = read("stat").as_deref().and_then(cpu_seconds) {
            let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
        if let Some(status) = read("status") {
            if let Some(kib) = number_after(&status, "VmRSS:") {
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                self.resident.set(kib as f64 * 1024.0);
            }
            if let Some(threads) = number_after(&status, "Threads:") {
                self.threads.set(threads);
            }
        }
        if let Some(max) = read("limits").as_deref().and_then(|limits| number_after(limits, "Max open files")) {
            self.max_fds.set(max);
        }
        if let Ok(fds) = fs::read_dir("/proc/self/fd") {
            self.open_fds.set(i64::try_from(fds.count()).unwrap_or(i64::MAX));
        }
    }
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{file}")).ok()
}

/// Fields 14 and 15 of `stat`; the second field is the program's name in parentheses and may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    Some((user + kernel) / TICKS_PER_SECOND)
}

/// The first number on the line that starts with `name`.
fn number_after(text: &str, name: &str) -> Option<i64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let mut desc = self.cpu.desc();
        desc.extend(self.resident.desc());
        for gauge in [&self.open_fds, &self.max_fds, &self.threads] {
            desc.extend(gauge.desc());
        }
        desc.extend(self.start.desc());
        desc
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        let mut families = self.cpu.collect();
        families.extend(self.resident.collect());
        for gauge in [&self.open_fds, &self.max_fds, &self.threads] {
            families.extend(gauge.collect());
        }
        families.extend(self.start.collect());
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_may_hold_blanks_and_parentheses() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1000 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("nonsense"), None);
    }

    #[test]
    fn numbers_are_found_by_their_line() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t5\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(1234));
        assert_eq!(number_after(status, "Threads:"), Some(5));
        assert_eq!(number_after("Max open files            1024      4096   files", "Max open files"), Some(1024));
        assert_eq!(number_after("Max open files            unlimited", "Max open files"), None);
    }
}
