//! The documents against the code: reasons, metrics, dependencies, links, and the configurations they show. (Settings:
//! `tests/config.rs`.)

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken fixture must fail")]

use std::collections::BTreeSet;
use std::path::Path;

use pointsman::config::{Source, Variables, parse};
use pointsman::routing::RouteReason;
use pointsman::session::PinCause;

const README: &str = include_str!("../README.md");
const ROUTING: &str = include_str!("../docs/routing.md");

/// An environment with the password that the documents name.
struct Passwords;

impl Variables for Passwords {
    fn get(&self, name: &str) -> Option<String> {
        (name == "APP_PASSWORD").then(|| "secret".to_owned())
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn read_file(&self, _: &str) -> Result<String, String> {
        Ok("secret\n".to_owned())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of a line of a Markdown table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(inner.split(" | ").collect())
}

/// The code blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(block), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(info)) if info == language => open = Some(String::new()),
            (None, Some(_)) => open = Some("\0".to_owned()),
            (None, None) => {}
        }
    }
    found.retain(|block| !block.starts_with('\0'));
    found
}

#[test]
fn every_reason_is_explained_in_the_same_words() {
    let section = ROUTING.split_once("## Reasons").unwrap().1.split_once("\n## ").unwrap().0;
    let documented: Vec<(String, String)> = section
        .lines()
        .filter_map(cells)
        .filter(|cells| cells.len() == 2 && cells[0].starts_with('`'))
        .map(|cells| (cells[0].trim_matches('`').to_owned(), cells[1].to_owned()))
        .collect();
    let known: Vec<(String, String)> =
        RouteReason::ALL.iter().map(|reason| (reason.as_str().to_owned(), reason.explain().to_owned())).collect();
    assert_eq!(documented, known);
}

#[test]
fn every_pin_has_its_release_in_the_table() {
    let section = ROUTING.split_once("## Pins").unwrap().1.split_once("\n## ").unwrap().0;
    let documented: Vec<&str> = section
        .lines()
        .filter_map(cells)
        .filter(|cells| cells.len() == 3 && cells[0].starts_with('`'))
        .map(|cells| cells[0].trim_matches('`'))
        .collect();
    let known: Vec<&str> = PinCause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(documented, known);
}

#[test]
fn every_metric_is_documented() {
    let mut code = String::new();
    for file in std::fs::read_dir(root().join("src/telemetry")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    let registered: BTreeSet<&str> = code
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with("pointsman_") || text.starts_with("process_"))
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect();
    let page = read("docs/metrics.md");
    let documented: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert!(registered.len() > 20, "found only {registered:?}");
    assert_eq!(documented, registered);
}

#[test]
fn every_dependency_is_justified() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let keys = |section: &str| -> BTreeSet<String> { manifest[section].as_table().unwrap().keys().cloned().collect() };
    let page = read("docs/dependencies.md");
    let (run, test) = page.split_once("## For tests").unwrap();
    let listed = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(cells).filter(|cells| cells[0].starts_with('`'));
        lines
            .map(|cells| {
                assert!(cells.len() == 2 && cells[1].len() > 10, "no reason: {cells:?}");
                cells[0].trim_matches('`').to_owned()
            })
            .collect()
    };
    assert_eq!(listed(run), keys("dependencies"));
    assert_eq!(listed(test), keys("dev-dependencies"));
}

#[test]
fn configurations_in_documents_are_good() {
    let pages = ["README.md", "docs/routing.md", "docs/architecture.md"];
    let mut seen = 0;
    for page in pages {
        for block in blocks(&read(page), "toml") {
            seen += 1;
            let loaded = parse(Some(Source { name: page, text: &block }), &Passwords);
            assert!(loaded.is_ok(), "{page}:\n{}", loaded.unwrap_err());
        }
    }
    assert!(seen > 0, "the README shows no configuration");
    let first = &blocks(README, "toml")[0];
    let lines = first.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 10, "ten lines are enough to begin, not {lines}");
}

/// The variables that a container gets, and nothing else.
struct Container(Vec<(String, String)>);

impl Variables for Container {
    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    fn read_file(&self, _: &str) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

#[test]
fn the_containers_environment_is_a_configuration() {
    let compose = read("docker-compose.yml");
    let mut variables: Vec<(String, String)> = compose
        .lines()
        .filter_map(|line| line.trim_start().split_once(": "))
        .filter(|(name, _)| name.starts_with("POINTSMAN_"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let dockerfile = read("Dockerfile");
    let set = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")).flat_map(|line| line.split(' '));
    variables
        .extend(set.filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(variables.len() >= 8, "{variables:?}");
    let loaded = parse(None, &Container(variables)).map_err(|problems| problems.to_string()).unwrap();
    assert_eq!(loaded.config.servers.len(), 2);
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
}

#[test]
fn links_lead_somewhere() {
    let pages = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/architecture.md",
        "docs/configuration.md",
        "docs/dependencies.md",
        "docs/lessons.md",
        "docs/lexicon.md",
        "docs/metrics.md",
        "docs/routing.md",
    ];
    let mut broken = Vec::new();
    for page in pages {
        let text = read(page);
        let folder = Path::new(page).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { Path::new(page).to_owned() } else { folder.join(file) };
            if !root().join(&target).exists() {
                broken.push(format!("{page}: {link}"));
            } else if let Some(anchor) = anchor
                && !read(&target.to_string_lossy()).lines().any(|line| heading(line).as_deref() == Some(anchor))
            {
                broken.push(format!("{page}: {link}: no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The anchor that a heading gets.
fn heading(line: &str) -> Option<String> {
    let text = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = text.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    Some(kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect())
}

#[test]
fn lessons_name_tests_that_exist() {
    let mut sources = String::new();
    collect(&root().join("src"), &mut sources);
    collect(&root().join("tests"), &mut sources);
    let routes = read("tests/golden/routes.tsv");
    let sessions = read("tests/golden/sessions.tsv");
    let mut lessons = 0;
    for cells in read("docs/lessons.md").lines().filter_map(cells).filter(|cells| cells[0] != "---").skip(1) {
        lessons += 1;
        let guard = *cells.last().unwrap();
        for named in guard.trim_matches('`').split("`, `") {
            let test = format!("fn {}(", named.rsplit("::").next().unwrap());
            let line = |table: &str| table.lines().any(|line| !line.starts_with('!') && line.contains(named));
            assert!(
                sources.contains(&test) || line(&routes) || line(&sessions),
                "docs/lessons.md: nothing guards `{named}`"
            );
        }
        assert!(guard.contains('`'), "no guard: {cells:?}");
    }
    assert!(lessons > 20, "{lessons}");
}

fn collect(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The source below a folder, without tests.
fn source(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, all);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            all.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
        }
    }
}

#[test]
fn every_error_of_our_own_is_documented() {
    let mut text = String::new();
    for layer in ["proxy", "session"] {
        source(&root().join("src").join(layer), &mut text);
    }
    let is_state =
        |state: &str| state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let mut raised = BTreeSet::new();
    for (at, _) in text.match_indices("b\"") {
        let Some((state, _)) = text[at + 2..].split_once('"').filter(|(state, _)| is_state(state)) else { continue };
        let before = text[..at].trim_end().trim_end_matches(',');
        let code = before.rsplit(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).next();
        match code.unwrap() {
            "INTERRUPTED" => raised.insert(("1317".to_owned(), state.to_owned())),
            code if code.parse::<u16>().is_ok() => raised.insert((code.to_owned(), state.to_owned())),
            other => panic!("`{other}, b\"{state}\"`: not a number"),
        };
    }
    let page = read("docs/errors.md");
    let documented: BTreeSet<_> = page
        .lines()
        .filter_map(cells)
        .filter(|cells| cells[0].parse::<u16>().is_ok())
        .map(|cells| (cells[0].to_owned(), cells[1].to_owned()))
        .collect();
    assert_eq!(documented, raised);
}
