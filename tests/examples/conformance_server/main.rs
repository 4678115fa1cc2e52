//! The server under test of `cargo conformance`: the real `server` library with the fixtures that the official suite asks for.
//!
//! It takes the flags of `mcp-server`, so that it can stand in its place in an image. With `--loopback PORT` it serves
//! without authentication on this machine alone, from files that it writes itself.
//!
//! Texts, names and order are those of the suite (`npx … list --server`, each scenario's description); what a fixture is
//! called and says is never ours to choose. Not here: fixtures of the extensions Tasks and Skills.

mod answers;
mod content;
mod fixtures;
mod lists;
mod loopback;
mod prompts;
mod resources;
#[cfg(test)]
mod testing;
mod tools;

use std::{process::ExitCode, sync::Arc};

use clap::Parser;
use server::{args::Args, features::Provider, startup};
use tokio::runtime::Runtime;

use fixtures::Fixtures;
use loopback::Files;

/// Serves the conformance fixtures.
#[derive(Debug, Parser)]
#[command(name = "conformance_server")]
struct Cli {
    /// Serve http://localhost:PORT/mcp without authentication, on loopback, from files of its own.
    #[arg(long, value_name = "PORT", conflicts_with_all = ["config", "policy", "listen", "admin_listen", "dev"])]
    loopback: Option<u16>,
    #[command(flatten)]
    server: Args,
}

fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing else installs a provider");
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().expect("nothing else installs a provider");
    run(Cli::parse()).unwrap_or_else(|problem| {
        eprintln!("conformance_server: {problem:#}");
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut args = cli.server;
    // The folder lives as long as the server, which reads the policy again and again.
    let _files = match cli.loopback {
        Some(port) => Some(Files::write(port, &mut args)?),
        None => None,
    };
    let ended = Runtime::new()?.block_on(startup::run_with(args, |changes| {
        let fixtures: Arc<dyn Provider> = Arc::new(Fixtures::new(changes.clone()));
        vec![fixtures]
    }));
    Ok(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance_server: {}", error.line());
            error.exit_code()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_the_flags_of_the_server_or_a_port() {
        let cli = Cli::try_parse_from(["conformance_server", "--config", "/c.json", "--policy", "/p.json"]).unwrap();
        assert_eq!((cli.loopback, cli.server.config.to_str()), (None, Some("/c.json")));
        let cli = Cli::try_parse_from(["conformance_server", "--loopback", "8081"]).unwrap();
        assert_eq!(cli.loopback, Some(8081));
        assert!(Cli::try_parse_from(["conformance_server", "--loopback", "8081", "--policy", "/p.json"]).is_err());
    }
}
