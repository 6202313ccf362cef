//! The `pointsman` program: see the library crate.

fn main() {}
