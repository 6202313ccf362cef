//! The end of the demo: the two phases side by side, and whether everything that was promised held.

use std::sync::atomic::Ordering::Relaxed;

use super::load::{IMPORTED_PER_SECOND, PAGES_PER_SECOND};
use super::observe::Sample;
use super::phase::Phase;
use super::screen::{grouped, millis, percent};
use super::shop::{self, PAGE_STATEMENTS};
use crate::sandbox::Sandbox;

/// Reads of pages are some 95 of 100; the rest are those of checkouts and of sessions that wrote just before.
const SHARE_PROMISED: u64 = 50;

/// Reasons that no replica may ever have.
const NEVER_ON_REPLICA: [&str; 6] = ["write", "ddl", "call", "transaction", "locking_read", "select_into"];

/// The table of both phases.
pub(super) fn summary(direct: &Phase, split: &Phase) -> String {
    let mut lines = vec![
        format!(
            "Offered in both: {PAGES_PER_SECOND} pages/s of {PAGE_STATEMENTS} reads, an import of {IMPORTED_PER_SECOND} rows/s, checkouts."
        ),
        String::new(),
        format!("{:<30}{:>15}{:>17}{:>11}", "", "without split", "with pointsman", "change"),
    ];
    let mut row = |label: &str, a: u64, b: u64| {
        lines.push(format!("{label:<30}{:>15}{:>17}{:>11}", grouped(a), grouped(b), change(a, b)));
    };
    let (a, b) = (direct.primary(), split.primary());
    row("primary: statements/s", direct.rate(a.statements), split.rate(b.statements));
    row("primary: reads/s", direct.rate(a.reads), split.rate(b.reads));
    row("primary: writes/s", direct.rate(a.writes), split.rate(b.writes));
    row("primary: rows read/s", direct.rate(a.rows_read), split.rate(b.rows_read));
    let cpu = |phase: &Phase| phase.rate(u64::try_from(phase.primary().cpu.as_millis()).unwrap_or(u64::MAX));
    row("primary: CPU ms/s", cpu(direct), cpu(split));
    let mut text = |label: &str, a: String, b: String| lines.push(format!("{label:<30}{a:>15}{b:>17}"));
    let share = |phase: &Phase| {
        let (replicas, all) = phase.reads();
        percent(replicas, all)
    };
    text("reads on replicas", share(direct), share(split));
    let (pages_a, p50_a, p99_a) = direct.tally.latency();
    let (pages_b, p50_b, p99_b) = split.tally.latency();
    text("page latency p50", millis(p50_a), millis(p50_b));
    text("page latency p99", millis(p99_a), millis(p99_b));
    text("pages/s", grouped(direct.rate(pages_a)), grouped(split.rate(pages_b)));
    let counts = |phase: &Phase| {
        let tally = &phase.tally;
        [&tally.batches, &tally.checkouts, &tally.errors].map(|counter| grouped(counter.load(Relaxed)))
    };
    for ((label, a), b) in
        ["import transactions", "checkouts", "errors"].into_iter().zip(counts(direct)).zip(counts(split))
    {
        text(label, a, b);
    }
    text("replicas behind, at most", format!("{} trx", direct.behind), format!("{} trx", split.behind));
    lines.join("\n")
}

fn change(a: u64, b: u64) -> String {
    match (a, b) {
        (0, _) => String::new(),
        (a, b) if b >= a => format!("+{} %", (b - a).saturating_mul(100) / a),
        (a, b) => format!("-{} %", (a - b).saturating_mul(100) / a),
    }
}

/// One thing that must have held.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) held: bool,
    pub(super) text: String,
}

/// Checks everything against the servers. The load has ended; the replicas have caught up.
pub(super) async fn verify(
    sandbox: &Sandbox,
    direct: &Phase,
    split: &Phase,
    last: &Sample,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut check = |held: bool, text: String| checks.push(Check { held, text });
    let phases = [direct, split];
    let sum = |of: fn(&Phase) -> u64| phases.iter().map(|phase| of(phase)).sum::<u64>();

    let errors = sum(|phase| phase.tally.errors.load(Relaxed));
    let texts: Vec<_> = phases.iter().flat_map(|phase| phase.tally.error_texts()).collect();
    let texts = if texts.is_empty() { String::new() } else { format!(": {}", texts.join("; ")) };
    check(errors == 0, format!("no statement failed ({errors} errors{texts})"));

    let on_replicas: u64 = last.servers.iter().skip(1).map(|server| server.writes).sum();
    check(on_replicas == 0, format!("no write ran on a replica, by the servers' own counters ({on_replicas})"));

    let wrong: u64 = last
        .routed
        .iter()
        .filter(|((target, reason), _)| target == "replica" && NEVER_ON_REPLICA.contains(&reason.as_str()))
        .map(|(_, count)| *count)
        .sum();
    match last.routed.is_empty() {
        true => check(false, "pointsman's /metrics could not be read".to_owned()),
        false => check(wrong == 0, format!("nor by pointsman's own counters ({wrong})")),
    }

    if !sandbox.replicas().is_empty() {
        let (replicas, all) = split.reads();
        let held = all > 0 && replicas.saturating_mul(100) >= all.saturating_mul(SHARE_PROMISED);
        check(held, format!("reads went to replicas ({} of {} reads)", percent(replicas, all), grouped(all)));
    }

    let (bought, uncertain) =
        (sum(|phase| phase.tally.checkouts.load(Relaxed)), sum(|phase| phase.tally.uncertain.load(Relaxed)));
    let stale = sum(|phase| phase.tally.stale.load(Relaxed));
    check(stale == 0, format!("every checkout then read its own write ({stale} of {bought} did not)"));

    let books = shop::all_books(sandbox).await?;
    for (server, book) in sandbox.servers().iter().zip(&books) {
        let may_be = bought..=bought + uncertain;
        let held = may_be.contains(&book.taken) && book.taken == book.ordered;
        let text = format!(
            "{}: stock fell by {}, {} orders by checkout, {bought} were bought",
            server.name(),
            book.taken,
            book.ordered
        );
        check(held, text);
    }
    let equal = books.iter().all(|book| Some(&book.checksums) == books.first().map(|first| &first.checksums));
    check(equal, "all servers hold the same rows, by checksum".to_owned());
    Ok(checks)
}
