//! The figures of one load, side by side, and the goals they are held against.

use serde_json::json;

use super::support::rounds::Rounds;
use super::work::Run;

/// One load over all rounds, by the name of each way.
pub(crate) struct Figures {
    pub(crate) name: String,
    /// The way that the others are compared with.
    pub(crate) base: &'static str,
    pub(crate) rounds: Rounds<String, Run>,
}

/// A goal of the project, and what came out.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) kept: bool,
    pub(crate) text: String,
}

impl Verdict {
    pub(crate) fn new(kept: bool, text: String) -> Self {
        Self { kept, text }
    }

    /// As a line.
    pub(crate) fn line(&self) -> String {
        format!("goal {}: {}\n", if self.kept { "kept" } else { "MISSED" }, self.text)
    }
}

impl Figures {
    /// The head of the table.
    pub(crate) fn head() -> String {
        format!(
            "{:<40} {:<22} {:>8} {:>15} {:>6} {:>13} {:>8} {:>8} {:>8} {:>7} {:>7}\n",
            "load",
            "through",
            "per s",
            "(min-max)",
            "/base",
            "(min-max)",
            "p50 ms",
            "p99 ms",
            "CPU us",
            "trips",
            "errors"
        )
    }

    /// The ways, in the order in which they first ran.
    fn ways(&self) -> Vec<&String> {
        let mut ways: Vec<&String> = Vec::new();
        for (way, _) in self.rounds.0.iter().flatten() {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// Its lines of the table.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for way in self.ways() {
            let Some(rate) = self.rounds.spread(way, |run| run.rate) else { continue };
            let median = |figure: fn(&Run) -> f64| self.rounds.spread(way, figure).map_or(0.0, |spread| spread.median);
            let ratio = self.rounds.ratio(way, &self.base.to_owned(), |run| run.rate).filter(|_| way != self.base);
            let (ratio, range) = ratio.map_or_else(
                || ("-".to_owned(), String::new()),
                |ratio| (format!("{:.2}", ratio.median), format!("({:.2}-{:.2})", ratio.min, ratio.max)),
            );
            let some = |value: f64, digits: usize| match value > 0.0 {
                true => format!("{value:.digits$}"),
                false => "-".to_owned(),
            };
            let errors: usize =
                self.rounds.0.iter().flatten().filter(|(of, _)| of == way).map(|(_, run)| run.errors).sum();
            text += &format!(
                "{:<40} {:<22} {:>8.0} {:>15} {:>6} {:>13} {:>8.2} {:>8.2} {:>8} {:>7} {:>7}\n",
                self.name,
                way,
                rate.median,
                format!("({:.0}-{:.0})", rate.min, rate.max),
                ratio,
                range,
                median(|run| run.p50),
                median(|run| run.p99),
                some(median(|run| run.cpu), 1),
                some(median(|run| run.round_trips), 2),
                errors,
            );
        }
        for (way, run) in self.rounds.0.iter().flatten() {
            if let Some(error) = &run.first_error {
                text += &format!("  {way}: {error}\n");
            }
        }
        text
    }

    /// Whether `way` made at least `least` times as many turns as the base, with no error.
    pub(crate) fn at_least(&self, way: &str, least: f64) -> Option<Verdict> {
        let ratio = self.rounds.ratio(&way.to_owned(), &self.base.to_owned(), |run| run.rate)?;
        Some(Verdict::new(
            ratio.median >= least && self.errors(way) == 0,
            format!(
                "{} through {way}: {:.2} times {} ({:.2}-{:.2}), at least {least:.1}; {} errors",
                self.name,
                ratio.median,
                self.base,
                ratio.min,
                ratio.max,
                self.errors(way)
            ),
        ))
    }

    /// Errors of one way.
    pub(crate) fn errors(&self, way: &str) -> usize {
        self.rounds.0.iter().flatten().filter(|(of, _)| of == way).map(|(_, run)| run.errors).sum()
    }

    /// All runs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let run = |(way, run): &(String, Run)| {
            json!({
                "through": way, "per_second": run.rate, "p50_ms": run.p50, "p99_ms": run.p99, "cpu_us": run.cpu,
                "round_trips": run.round_trips, "errors": run.errors,
            })
        };
        let rounds: Vec<Vec<_>> = self.rounds.0.iter().map(|round| round.iter().map(run).collect()).collect();
        json!({ "load": self.name, "base": self.base, "rounds": rounds })
    }
}
