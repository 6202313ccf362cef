//! What the benches share that run whole programs: their options, processes, and figures of paired rounds.
#![allow(dead_code, reason = "each bench uses its own part")]

pub(crate) mod options;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod rounds;
