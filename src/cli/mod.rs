//! The command line: `run`, `check`, `explain`, `demo`. Exit codes: 0 clean, 1 failed at run time, 2 bad usage or
//! configuration.

mod check;
pub mod demo;
pub mod explain;
mod load;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Bad usage or configuration.
pub(crate) const BAD_USAGE: u8 = 2;

/// A transparent read/write-splitting proxy for the MySQL wire protocol.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    Run(run::RunArgs),
    /// Check a configuration, and on request the servers behind it
    Check(check::CheckArgs),
    /// Say where a statement goes, and why
    Explain(explain::ExplainArgs),
    /// Show it at work: private servers, real replication, a small shop
    Demo(demo::DemoArgs),
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Help and version are no errors.
            return if error.use_stderr() { ExitCode::from(BAD_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Demo(args) => run::demo(args),
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "pointsman: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints to stdout; a closed pipe is not an error.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}
