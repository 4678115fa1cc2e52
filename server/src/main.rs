//! `mcp-server`: the process that clients talk to.

use std::process::ExitCode;

use clap::Parser as _;
use server::{args::Args, startup};

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing else installs a provider");
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().expect("nothing else installs a provider");
    match startup::run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mcp-server: {}", error.line());
            error.exit_code()
        }
    }
}
