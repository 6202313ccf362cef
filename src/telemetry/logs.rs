//! Log lines go to stderr, for people or as JSON.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Starts logging for the whole process; called once, by the command. `filter` is a `tracing` filter such as `info` or
/// `pointsman=debug`.
///
/// # Errors
///
/// When `filter` does not parse, or logging was started before.
pub fn init(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log.filter `{filter}` is not a filter"))?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    }
    .map_err(|error| anyhow!("logging cannot be started: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named() {
        let error = init("pointsman=loud", LogFormat::Text).unwrap_err();
        assert!(error.to_string().contains("`pointsman=loud`"), "{error}");
    }
}
