//! The `pointsman` program; everything is in the library crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    pointsman::cli::main()
}
