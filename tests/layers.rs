//! The layers of `src/lib.rs`, enforced: each uses only those before it, and the pure ones touch neither sockets nor
//! files, clocks or globals.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The layers in order, as `src/lib.rs` lists them. A layer may use those before it; a pure one only pure ones.
const LAYERS: &[(&str, bool)] = &[
    ("wire", PURE),
    ("sql", PURE),
    ("config", PURE),
    ("accounts", PURE),
    ("cluster", PURE),
    ("routing", PURE),
    ("session", PURE),
    ("telemetry", SHELL),
    ("net", SHELL),
    ("backend", SHELL),
    ("monitor", SHELL),
    ("proxy", SHELL),
    ("admin", SHELL),
    ("app", SHELL),
    ("sandbox", SHELL),
    ("cli", SHELL),
];
const PURE: bool = true;
const SHELL: bool = false;

/// Reads the clock, for every layer that is not pure.
const CLOCK: &str = "clock";

/// What stands at the top of the core crate's other modules; they belong to no layer.
const OUTSIDE: &[&str] = &["lib", "main", CLOCK];

/// What a pure layer does not name. `IpAddr` is a value: parsing one opens nothing.
const IMPURE: &[&str] = &[
    "tokio::",
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::Read",
    "std::io::Write",
    "Instant::now",
    "SystemTime::now",
    "LazyLock",
    "OnceLock",
    "static mut",
    "thread_local!",
    "crate::clock",
];
const VALUES: &[&str] =
    &["use std::net::{IpAddr, Ipv6Addr};", "use std::net::IpAddr;", "use std::net::{IpAddr, SocketAddr};"];

/// A file of a layer, without its tests.
struct Source {
    place: String,
    layer: String,
    code: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files.iter().map(|file| source(&root, file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

fn source(root: &Path, file: &Path) -> Source {
    let inside = file.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let code = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.to_owned()))
        // Tests stand last in a file, and may use what they like.
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect();
    Source {
        place: format!("src/{}", inside.display()),
        layer: first.strip_suffix(".rs").unwrap_or(&first).to_owned(),
        code,
    }
}

/// The modules that a line names by `crate::`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        rest.split_at(end).0
    })
}

fn place_of(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|(name, _)| *name == layer)
}

#[test]
fn a_layer_uses_only_those_before_it() {
    let mut wrong = String::new();
    for source in sources() {
        let Some(own) = place_of(&source.layer) else { continue };
        for (at, line) in &source.code {
            for module in named(line) {
                if module.is_empty() {
                    let _ = writeln!(wrong, "{}:{at}: one `use crate::layer::...` for each layer", source.place);
                } else if let Some(other) = place_of(module) {
                    let backwards = other > own;
                    let leaves_the_core = LAYERS[own].1 && !LAYERS[other].1;
                    if backwards || leaves_the_core {
                        let _ = writeln!(
                            wrong,
                            "{}:{at}: `{}` must not use `{module}`, which stands after it",
                            source.place, source.layer
                        );
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_core_is_pure() {
    let mut wrong = String::new();
    for source in sources() {
        if !place_of(&source.layer).is_some_and(|own| LAYERS[own].1) {
            continue;
        }
        for (at, line) in source.code.iter().filter(|(_, line)| !VALUES.contains(&line.trim())) {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                let _ = writeln!(wrong, "{}:{at}: `{}` is pure but names `{word}`", source.place, source.layer);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_module_is_a_layer() {
    let known = |layer: &str| place_of(layer).is_some() || OUTSIDE.contains(&layer);
    let strangers: Vec<String> =
        sources().into_iter().filter(|source| !known(&source.layer)).map(|source| source.place).collect();
    assert!(strangers.is_empty(), "of no layer: {strangers:?}");
}

#[test]
fn the_documents_list_the_same_layers() {
    for (name, text) in [
        ("src/lib.rs", include_str!("../src/lib.rs")),
        ("docs/architecture.md", include_str!("../docs/architecture.md")),
    ] {
        let mut listed: Vec<(String, bool)> = Vec::new();
        for line in text.lines() {
            let line = line.trim_start_matches("//! ");
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, layer, _, io, _] = cells.as_slice() else { continue };
            let layer = layer.trim_matches(|letter| matches!(letter, '[' | ']' | '`'));
            if place_of(layer).is_some() {
                listed.push((layer.to_owned(), *io == "none"));
            }
        }
        let expected: Vec<(String, bool)> = LAYERS.iter().map(|(layer, pure)| ((*layer).to_owned(), *pure)).collect();
        assert_eq!(listed, expected, "the table of {name}");
    }
}

#[test]
fn the_check_sees_a_wrong_edge() {
    assert_eq!(named("use crate::proxy::{Shared};").collect::<Vec<_>>(), ["proxy"]);
    assert_eq!(named("fn f(a: crate::wire::Status, b: crate::sql::Shape)").collect::<Vec<_>>(), ["wire", "sql"]);
    assert_eq!(named("use crate::{sql, wire};").collect::<Vec<_>>(), [""]);
    assert!(place_of("sql") < place_of("session"));
}
