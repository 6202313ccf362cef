//! The golden tables: where a statement goes and why, in a fresh session (`golden/routes.tsv`) and after others
//! (`golden/sessions.tsv`). Each line runs through the plan that a running proxy makes. The tables are the
//! specification: a line that the code does not fulfil yet begins with `!`, and must fail until it is.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken fixture must fail")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use pointsman::cli::explain::{Assumptions, Explainer};
use pointsman::config::{Config, Source, Variables, parse};
use pointsman::routing::RouteReason;

/// Neither variables nor files.
struct Nothing;

impl Variables for Nothing {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn read_file(&self, _: &str) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

/// A primary, two replicas for all reads and one for analysts, and some rules.
const CONFIG: &str = r#"
[[servers]]
name = "primary"
address = "127.0.0.1:1"
role = "primary"
[[servers]]
name = "replica1"
address = "127.0.0.1:2"
role = "replica"
[[servers]]
name = "replica2"
address = "127.0.0.1:3"
role = "replica"
[[servers]]
name = "reports"
address = "127.0.0.1:4"
role = "replica"
pools = ["analytics"]
[[users]]
name = "app"
password = ""
[[replica_pools]]
name = "analytics"
max_lag = "5m"
[[rules]]
name = "carts are always fresh"
table = "shop.rule_carts"
target = "primary"
[[rules]]
name = "dashboards"
table = "rule_dashboard"
target = "pool=analytics"
[[rules]]
name = "search may be stale"
table = "rule_search"
target = "replica"
"#;

fn config() -> Config {
    parse(Some(Source { name: "golden", text: CONFIG }), &Nothing)
        .map_err(|problems| problems.to_string())
        .unwrap()
        .config
}

/// One line of a table.
struct Case<'a> {
    line: usize,
    /// Not fulfilled yet.
    gap: bool,
    flags: Vec<&'a str>,
    before: Vec<&'a str>,
    sql: &'a str,
    target: &'a str,
    reason: &'a str,
}

/// The lines of a table, whose first column is read by `first`.
fn cases<'a>(table: &'a str, first: impl Fn(&mut Case<'a>, &'a str)) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for (at, line) in table.lines().enumerate() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let (gap, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let columns: Vec<&str> = line.split('\t').collect();
        let [head, sql, target, reason] = columns.as_slice() else {
            panic!("line {}: four columns, not {}: {line}", at + 1, columns.len());
        };
        assert!(
            RouteReason::ALL.iter().any(|known| known.as_str() == *reason),
            "line {}: no such reason: {reason}",
            at + 1
        );
        assert!(["primary", "replica", "pinned", "proxy", "refused"].contains(target), "line {}: {target}", at + 1);
        let mut case = Case { line: at + 1, gap, flags: Vec::new(), before: Vec::new(), sql, target, reason };
        first(&mut case, head);
        cases.push(case);
    }
    cases
}

/// Explainers by what they assume.
#[derive(Default)]
struct Explainers {
    by_assumption: HashMap<(String, Duration), Explainer>,
}

impl Explainers {
    fn get(&mut self, flags: &[&str], wait: Duration) -> &Explainer {
        let sql_mode = if flags.contains(&"ansi_quotes") { "ANSI_QUOTES" } else { "" };
        self.by_assumption.entry((sql_mode.to_owned(), wait)).or_insert_with(|| {
            Explainer::new(config(), Assumptions { wait, sql_mode: sql_mode.to_owned(), ..Assumptions::default() })
        })
    }
}

/// Runs all cases; at the end, says which failed.
fn run(table: &str, cases: &[Case<'_>]) {
    let mut explainers = Explainers::default();
    let mut wrong = String::new();
    for case in cases {
        let mut before = case.before.as_slice();
        let mut wait = Duration::ZERO;
        if let [first, rest @ ..] = before
            && let Some(time) = first.strip_prefix("wait=").and_then(|time| time.strip_suffix("ms"))
        {
            wait = Duration::from_millis(time.parse().unwrap());
            before = rest;
        }
        let prepared = case.flags.contains(&"prepared");
        let explained = explainers.get(&case.flags, wait).explain(case.sql, before, prepared);
        let (target, reason) = (explained.target, explained.route.reason.as_str());
        // What the text alone says of LAST_INSERT_ID(), the session knows more exactly.
        let asks = case.reason == "session_function" && reason == "previous_statement";
        let good = target == case.target && (reason == case.reason || asks);
        if !good && !case.gap {
            let _ = writeln!(
                wrong,
                "{table}:{}: {} {}: expected {} {}, got {target} {reason}",
                case.line,
                case.before.join(" ;; "),
                case.sql,
                case.target,
                case.reason
            );
        } else if good && case.gap {
            let _ = writeln!(wrong, "{table}:{}: is fulfilled now: take its `!` away", case.line);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_statement_in_a_fresh_session() {
    let table = include_str!("golden/routes.tsv");
    let cases = cases(table, |case, flags| {
        case.flags = flags.split(',').filter(|flag| *flag != "-").collect();
        for flag in &case.flags {
            assert!(["ansi_quotes", "prepared"].contains(flag), "line {}: no such flag: {flag}", case.line);
        }
    });
    assert!(cases.len() > 400, "the table is cut: {}", cases.len());
    run("tests/golden/routes.tsv", &cases);
}

#[test]
fn a_statement_after_others() {
    let table = include_str!("golden/sessions.tsv");
    let cases = cases(table, |case, before| {
        case.before = before.split(" ;; ").filter(|statement| *statement != "-").collect();
    });
    assert!(cases.len() >= 60, "the table is cut: {}", cases.len());
    run("tests/golden/sessions.tsv", &cases);
}

#[test]
fn text_and_prepared_agree() {
    // Where a statement goes does not hang on the protocol that carries it.
    let table = include_str!("golden/routes.tsv");
    let cases = cases(table, |case, flags| case.flags = flags.split(',').collect());
    // Not yet: the PREPARE of these counts as if it ran them.
    let gap = |sql: &str| ["BEGIN", "START TRANSACTION", "SET TRANSACTION"].iter().any(|head| sql.starts_with(head));
    let mut explainers = Explainers::default();
    let mut wrong = String::new();
    for case in cases.iter().filter(|case| !gap(case.sql)) {
        let explainer = explainers.get(&case.flags, Duration::ZERO);
        let text = explainer.explain::<&str>(case.sql, &[], false);
        let prepared = explainer.explain::<&str>(case.sql, &[], true);
        // The PREPARE of `SELECT ... INTO @v` makes the variable already, so the EXECUTE finds the session pinned by it.
        let pinned_by_prepare = text.target == "primary" && prepared.route.reason == RouteReason::PinnedUserVariable;
        let same = text.target == prepared.target && text.route.reason == prepared.route.reason;
        if !same && !pinned_by_prepare {
            let _ = writeln!(
                wrong,
                "{}: text {} {}, prepared {} {}",
                case.sql,
                text.target,
                text.route.reason.as_str(),
                prepared.target,
                prepared.route.reason.as_str()
            );
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
