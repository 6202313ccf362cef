//! What the runners of suites print, one line at a time: which tests there are, and whether they pass. Knows no suite and runs nothing.

use std::collections::BTreeMap;

/// Each test with whether it passed; the file that the lines now are of.
#[derive(Default)]
pub(crate) struct Verdicts {
    pub(crate) tests: BTreeMap<String, bool>,
    file: String,
}

/// Lines as of pytest -rA, and of tests/clients/python/verdicts.py.
pub(crate) fn words(line: &str, verdicts: &mut Verdicts) {
    let Some((word, rest)) = line.split_once(' ') else { return };
    let name = rest.split(" - ").next().unwrap_or(rest).to_owned();
    match word {
        "PASSED" => _ = verdicts.tests.entry(name).or_insert(true),
        "FAILED" | "ERROR" => _ = verdicts.tests.insert(name, false),
        _ => {}
    }
}

/// TAP, as `prove -v` prints it: the name of a file, and a line for each of its tests.
pub(crate) fn tap(line: &str, verdicts: &mut Verdicts) {
    if let Some((file, _)) = line.split_once(" ..").filter(|(file, _)| file.starts_with("t/")) {
        file.trim().clone_into(&mut verdicts.file);
    }
    let (passed, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(rest), _) if !rest.contains("# skip") => (true, rest),
        (_, Some(rest)) if !rest.contains("# TODO") => (false, rest),
        _ => return,
    };
    let number = rest.split_whitespace().next().unwrap_or_default();
    // What other suites print behind the number differs from run to run.
    let name = rest.split_once(" - ").map_or(number, |(_, name)| if name.starts_with("test_") { name } else { number });
    if number.parse::<u32>().is_ok() {
        verdicts.tests.insert(format!("{} {name}", verdicts.file), passed);
    }
}

/// What PHP's run-tests.php prints.
pub(crate) fn phpt(line: &str, verdicts: &mut Verdicts) {
    // What it is at stands before, and is written over.
    let line = line.rsplit('\r').next().unwrap_or(line);
    let Some((word, rest)) = line.split_once(' ') else { return };
    let Some((_, file)) = rest.rsplit_once('[') else { return };
    let file = file.trim_end().trim_end_matches(']').to_owned();
    match word {
        "PASS" => _ = verdicts.tests.insert(file, true),
        "FAIL" | "LEAK" | "BORK" => _ = verdicts.tests.insert(file, false),
        _ => {}
    }
}

/// What `cargo test` prints: the file of a program, and a line for each of its tests.
pub(crate) fn cargo(line: &str, verdicts: &mut Verdicts) {
    if let Some(program) = line.trim_start().strip_prefix("Running ") {
        program.split(" (").next().unwrap_or(program).clone_into(&mut verdicts.file);
    }
    let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else { return };
    match verdict {
        "ok" => _ = verdicts.tests.insert(format!("{} {name}", verdicts.file), true),
        "FAILED" => _ = verdicts.tests.insert(format!("{} {name}", verdicts.file), false),
        _ => {}
    }
}
