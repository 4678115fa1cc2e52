//! `mcp-server`: the process that clients talk to.

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use server::{args::Args, startup};
use tokio::runtime::Runtime;

/// For threads that hang in a read of a dead disk. They end with the process.
const THREADS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing else installs a provider");
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().expect("nothing else installs a provider");
    let args = Args::parse();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(problem) => {
            eprintln!("mcp-server: threads cannot be started: {}", problem.kind());
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(startup::run(args));
    // To drop the runtime would wait for its threads, whatever they wait for.
    runtime.shutdown_timeout(THREADS);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mcp-server: {}", error.line());
            error.exit_code()
        }
    }
}
