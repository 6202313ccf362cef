//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

/// What every bench of whole programs takes.
pub(crate) struct Options {
    /// As short as can be: for a look, not for figures.
    pub(crate) short: bool,
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    only: Option<String>,
    through: Option<String>,
    pub(crate) previous: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
}

/// Their description for a usage.
pub(crate) const USAGE: &str = "\
  --short         one round of 2 s (also: POINTSMAN_BENCH=short)
  --rounds N      rounds, each with every way once [3]
  --seconds N     of each run [5]
  --only TEXT     only loads whose name has this in it (also `memory`)
  --through NAME  only this way, for profiling
  --previous FILE the program of another build, measured in the same rounds
  --json FILE     write all figures there";

impl Options {
    fn read() -> anyhow::Result<Option<Self>> {
        let mut options =
            Self { short: false, rounds: 3, seconds: 5, only: None, through: None, previous: None, json: None };
        let short = std::env::var("POINTSMAN_BENCH").is_ok_and(|value| value == "short");
        let mut arguments = std::env::args().skip(1).chain(short.then(|| "--short".to_owned()));
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--short" => (options.short, options.rounds, options.seconds) = (true, 1, 2),
                "--rounds" => options.rounds = value()?.parse().context("--rounds")?,
                "--seconds" => options.seconds = value()?.parse().context("--seconds")?,
                "--only" => options.only = Some(value()?),
                "--through" => options.through = Some(value()?),
                "--previous" => options.previous = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                // cargo says this to every bench.
                "--bench" => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(options))
    }

    /// Whether this way is asked for.
    pub(crate) fn goes(&self, via: &str) -> bool {
        self.through.as_ref().is_none_or(|through| through == via)
    }

    /// Whether this load is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

/// Reads the command line, measures in a runtime, and says whether all limits were kept.
pub(crate) fn run<F>(usage: &str, measure: impl FnOnce(Options) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let options = match Options::read() {
        Ok(Some(options)) => options,
        Ok(None) => {
            eprintln!("{usage}\n{USAGE}");
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("{error:#}\n{usage}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    match runtime.context("runtime").and_then(|runtime| runtime.block_on(measure(options))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
