//! `cargo verify [--yes] [--only NAMES] [--skip NAMES]`.

use std::process::ExitCode;

use clap::Parser;
use tests::verify::Cli;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
