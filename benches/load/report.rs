//! Figures of paired rounds, side by side.

use serde_json::json;

use super::stage::Via;
use super::support::rounds::Rounds;
use super::sysbench::Run;

/// One load over all rounds; each round has every way once, one after the other, so that they are paired.
pub(crate) struct Figures {
    pub(crate) name: String,
    /// What a "query" is here.
    pub(crate) unit: &'static str,
    pub(crate) rounds: Rounds<Via, Run>,
}

impl Figures {
    /// The head of the table.
    pub(crate) fn head() -> String {
        format!(
            "{:<28} {:<18} {:>9} {:>17} {:>7} {:>7} {:>7} {:>7} {:>13} {:>6} {:>6} {:>7} {:>8}\n",
            "load",
            "through",
            "per s",
            "(min-max)",
            "/direct",
            "/haprox",
            "p50 ms",
            "p99 ms",
            "CPU us (range)",
            "user",
            "system",
            "CPU/hap",
            "unit"
        )
    }

    /// Its lines of the table.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for via in Via::ALL {
            let Some(rate) = self.rounds.spread(&via, |run| run.rate) else { continue };
            let median = |figure: fn(&Run) -> f64| self.rounds.spread(&via, figure).map_or(0.0, |spread| spread.median);
            let ratio = |to, figure: fn(&Run) -> f64| {
                let ratio = self.rounds.ratio(&via, &to, figure).filter(|_| via != to && via != Via::Direct);
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.2}", ratio.median))
            };
            let cpu = self.rounds.spread(&via, |run| run.user + run.system).filter(|cpu| cpu.max > 0.0);
            let digits = if self.unit == "row" { 3 } else { 1 };
            let range = cpu.map_or_else(
                || "-".to_owned(),
                |cpu| format!("{:.digits$} ({:.digits$}-{:.digits$})", cpu.median, cpu.min, cpu.max),
            );
            text += &format!(
                "{:<28} {:<18} {:>9.0} {:>17} {:>7} {:>7} {:>7.2} {:>7.2} {:>13} {:>6.digits$} {:>6.digits$} {:>7} {:>8}\n",
                self.name,
                via.name(),
                rate.median,
                format!("({:.0}-{:.0})", rate.min, rate.max),
                ratio(Via::Direct, |run| run.rate),
                ratio(Via::HaProxy, |run| run.rate),
                median(|run| run.p50),
                median(|run| run.p99),
                range,
                median(|run| run.user),
                median(|run| run.system),
                ratio(Via::HaProxy, |run| run.user + run.system),
                self.unit,
            );
        }
        text
    }

    /// One line on what became of the CPU per query since the other build, if one was measured.
    pub(crate) fn against_previous(&self) -> String {
        let ratio = self.rounds.ratio(&Via::Pointsman, &Via::Previous, |run| run.user + run.system);
        ratio.map_or_else(String::new, |ratio| {
            format!(
                "{:<28} CPU per query: {:.3} x the previous build's ({:.3}-{:.3})\n",
                "", ratio.median, ratio.min, ratio.max
            )
        })
    }

    /// All runs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let run = |(via, run): &(Via, Run)| {
            json!({
                "through": via.name(), "per_second": run.rate, "p50_ms": run.p50, "p99_ms": run.p99,
                "cpu_user_us": run.user, "cpu_system_us": run.system,
            })
        };
        let rounds: Vec<Vec<_>> = self.rounds.0.iter().map(|round| round.iter().map(run).collect()).collect();
        json!({ "load": self.name, "unit": self.unit, "rounds": rounds })
    }
}
