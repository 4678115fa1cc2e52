//! `cargo demo [down|token]`.

use std::process::ExitCode;

use clap::Parser;
use tests::demo::Cli;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
