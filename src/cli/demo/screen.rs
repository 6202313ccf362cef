//! What the demo prints: a small table that is redrawn on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use super::observe::Sample;

/// A terminal's least width that is still common; a longer line would wrap and spoil the redrawing.
const WIDTH: usize = 79;

/// Reasons that are shown.
const REASONS: usize = 6;

/// Where the demo's output goes.
#[derive(Debug)]
pub(super) struct Screen {
    live: bool,
    /// Lines of the table that stand on the terminal and will be overwritten.
    drawn: usize,
}

impl Screen {
    pub(super) fn new(live: bool) -> Self {
        Self { live: live && io::stdout().is_terminal(), drawn: 0 }
    }

    /// Time between two tables, or lines.
    pub(super) fn interval(&self) -> Duration {
        if self.live { Duration::from_millis(500) } else { Duration::from_secs(2) }
    }

    /// Prints lines that stay.
    pub(super) fn say(&mut self, text: &str) {
        self.drawn = 0;
        let mut out = io::stdout().lock();
        // A closed pipe ends the demo by its own signal handling, not here.
        let _unseen = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Shows the present state: redraws the table, or adds a line.
    pub(super) fn show(&mut self, names: &[String], now: &Moment<'_>) {
        if !self.live {
            self.say(&now.line());
            return;
        }
        let lines = now.table(names);
        let mut text = String::new();
        if self.drawn > 0 {
            let _infallible = write!(text, "\x1b[{}A", self.drawn);
        }
        for line in &lines {
            let line: String = line.chars().take(WIDTH).collect();
            let _infallible = writeln!(text, "\x1b[2K{line}");
        }
        let mut out = io::stdout().lock();
        let _unseen = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.drawn = lines.len();
    }
}

/// What is known at one time of a phase.
pub(super) struct Moment<'a> {
    pub(super) phase: &'a str,
    pub(super) elapsed: Duration,
    pub(super) whole: Duration,
    pub(super) before: &'a Sample,
    pub(super) now: &'a Sample,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) errors: u64,
}

impl Moment<'_> {
    fn rate(&self, count: u64) -> u64 {
        per_second(count, self.now.at.duration_since(self.before.at))
    }

    fn share(&self) -> String {
        let added = |index: usize| self.now.servers.get(index).zip(self.before.servers.get(index));
        let reads = (0..self.now.servers.len()).map(|index| added(index).map_or(0, |(n, b)| n.since(b).reads));
        let reads: Vec<u64> = reads.collect();
        percent(reads.iter().skip(1).sum(), reads.iter().sum())
    }

    fn table(&self, names: &[String]) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}  {:.1} s of {} s   page p50 {} p99 {}   errors {}",
                self.phase,
                self.elapsed.as_secs_f64(),
                self.whole.as_secs(),
                millis(self.p50),
                millis(self.p99),
                self.errors
            ),
            format!(
                "{:<10}{:>13}{:>10}{:>10}{:>14}{:>10}{:>12}",
                "server", "statements/s", "reads/s", "writes/s", "rows read/s", "CPU ms/s", "behind"
            ),
        ];
        for (index, name) in names.iter().enumerate() {
            let Some((now, before)) = self.now.servers.get(index).zip(self.before.servers.get(index)) else { continue };
            let added = now.since(before);
            let cpu = self.rate(u64::try_from(added.cpu.as_millis()).unwrap_or(u64::MAX));
            let behind = if index == 0 { String::new() } else { format!("{} trx", self.now.behind(index)) };
            lines.push(format!(
                "{name:<10}{:>13}{:>10}{:>10}{:>14}{cpu:>10}{behind:>12}",
                grouped(self.rate(added.statements)),
                grouped(self.rate(added.reads)),
                grouped(self.rate(added.writes)),
                grouped(self.rate(added.rows_read)),
            ));
        }
        lines.push(format!("reads on replicas: {}", self.share()));
        lines.push(format!("routed: {}", self.reasons()));
        lines
    }

    fn line(&self) -> String {
        let primary = self.now.servers.first().zip(self.before.servers.first());
        let added = primary.map(|(now, before)| now.since(before)).unwrap_or_default();
        let behind = (1..self.now.servers.len()).map(|index| self.now.behind(index)).max().unwrap_or_default();
        format!(
            "  {:>5.1} s  primary {} statements/s, CPU {} ms/s; reads on replicas {}; behind {behind} trx; page p50 {} \
             p99 {}; errors {}",
            self.elapsed.as_secs_f64(),
            grouped(self.rate(added.statements)),
            self.rate(u64::try_from(added.cpu.as_millis()).unwrap_or(u64::MAX)),
            self.share(),
            millis(self.p50),
            millis(self.p99),
            self.errors
        )
    }

    /// The most frequent reasons since the sample before.
    fn reasons(&self) -> String {
        let mut rates = BTreeMap::<&str, u64>::new();
        for ((target, reason), count) in &self.now.routed {
            let before = self.before.routed.get(&(target.clone(), reason.clone())).copied().unwrap_or_default();
            *rates.entry(reason).or_default() += self.rate(count.saturating_sub(before));
        }
        let mut rates: Vec<_> = rates.into_iter().filter(|(_, rate)| *rate > 0).collect();
        rates.sort_by_key(|(_, rate)| std::cmp::Reverse(*rate));
        let shown = rates.iter().take(REASONS).map(|(reason, rate)| format!("{reason} {rate}/s"));
        let shown = shown.collect::<Vec<_>>().join(", ");
        if shown.is_empty() { "nothing".to_owned() } else { shown }
    }
}

/// `count` in `time`, a second.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000_000) / micros
}

/// `part` of `whole` in percent, or a dash of nothing.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        whole => {
            let tenths = part.saturating_mul(1000) / whole;
            format!("{}.{} %", tenths / 10, tenths % 10)
        }
    }
}

/// Milliseconds with one decimal.
pub(super) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(0, 0), "-");
        assert_eq!(per_second(10, Duration::from_millis(500)), 20);
    }
}
