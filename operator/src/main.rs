//! Arguments, telemetry, run.

use anyhow::Context;
use clap::Parser;
use operator::{args::Args, run, telemetry};
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider is installed already")?;
    let args = Args::parse();
    telemetry::init(&args.log_level)?;
    let shutdown = run::shutdown_signal(&TaskTracker::new()).context("cannot listen for signals")?;
    run::run(args, shutdown).await?;
    Ok(())
}
