//! The configuration from file and environment, as the process finds them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::BAD_USAGE;
use crate::config::{CONFIG_NAME, Loaded, Source, Variables, parse};

/// The process's own environment and files.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Process;

impl Variables for Process {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

/// Where the configuration is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ConfigArgs {
    /// The configuration file. Default: $POINTSMAN_CONFIG, or the environment alone
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The file that is named here or in the environment.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| std::env::var_os(CONFIG_NAME).map(PathBuf::from))
    }

    /// Reads the configuration. On failure everything that is wrong has been printed.
    pub(super) fn load(&self) -> Result<Loaded, ExitCode> {
        load(self.file().as_deref())
    }
}

fn load(file: Option<&Path>) -> Result<Loaded, ExitCode> {
    let mut stderr = std::io::stderr().lock();
    let name = file.map(|file| file.display().to_string()).unwrap_or_default();
    let text = match file.map(std::fs::read_to_string).transpose() {
        Ok(text) => text,
        Err(error) => {
            let _ = writeln!(stderr, "pointsman: cannot read the configuration {name}: {error}");
            return Err(ExitCode::from(BAD_USAGE));
        }
    };
    let source = text.as_deref().map(|text| Source { name: &name, text });
    parse(source, &Process).map_err(|problems| {
        let _ = writeln!(stderr, "{problems}");
        ExitCode::from(BAD_USAGE)
    })
}
