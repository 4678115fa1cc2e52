//! `cargo cluster up|down|status|kubectl …|helm …|logs COMPONENT|load FILE`.

use std::process::ExitCode;

use clap::Parser;
use tests::cluster::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
