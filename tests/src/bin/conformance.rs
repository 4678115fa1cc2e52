//! `cargo conformance [RUN…] [--check] [--cluster]`.

use std::process::ExitCode;

use clap::Parser;
use tests::conformance::Cli;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
