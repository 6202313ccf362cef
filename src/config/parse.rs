//! File text and environment in, a [`Config`] or every problem out.

use super::Config;
use super::build;
use super::environment::{self, Variables};
use super::file;
use super::problem::{Findings, Lines, Origin, Problems};
use super::raw::Raw;

/// The configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file's name, as problems show it.
    pub name: &'a str,
    /// Its whole text.
    pub text: &'a str,
}

/// A configuration without problems.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What is allowed and yet worth a word, such as "no replica is configured: everything runs on the primary".
    pub notes: Vec<String>,
}

/// Reads a configuration from a file, if there is one, and the environment over it.
///
/// # Errors
///
/// All problems at once, each with its line and column or its variable. After a TOML syntax error those of the file's
/// content are not known yet, so only the syntax errors are returned.
pub fn parse(source: Option<Source<'_>>, variables: &impl Variables) -> Result<Loaded, Problems> {
    let mut findings = Findings::default();
    let raw = match source {
        Some(source) => file::read(&Lines::new(source.name, source.text), source.text, &mut findings),
        None => Some(Raw::new(Origin::Missing { file: None })),
    };
    let Some(mut raw) = raw else { return Err(failed(findings)) };
    environment::apply(variables, &mut raw, &mut findings);
    let config = build::build(&raw, variables, &mut findings);
    match config {
        Some(config) => findings.finish().map(|notes| Loaded { config, notes }),
        None => Err(failed(findings)),
    }
}

/// The problems, of which there must be one.
fn failed(mut findings: Findings) -> Problems {
    if findings.is_clean() {
        findings.problem(&Origin::Missing { file: None }, "incomplete");
    }
    match findings.finish() {
        Err(problems) => problems,
        Ok(_) => Problems::default(),
    }
}
