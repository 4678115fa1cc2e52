//! From arguments to a running server: what `main` does, in its order.
//!
//! Arguments, configuration, logs, sockets, then everything else. Whatever is wrong with files is found
//! before a socket is opened, and said in one line.

mod dev_documents;

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use crds::gateway_config::{AuthMode, LogLevel};
use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, BuildError, Deps, MakeProviders},
    args::Args,
    clock::{Clock as _, SystemClock},
    config::{Config, ConfigError},
    dev::{DevIssuer, DevIssuerError, client_configuration},
    features::{Changes, Provider},
    policy_file::PolicySource,
    serve::{Listeners, ServeError, serve},
    telemetry::{
        logs::{self, LogWriter},
        panic_hook,
    },
};

/// Why the process does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What the configuration asks for cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Everyone who reaches the port could call.
    #[error(
        "`auth.mode: None` listens on loopback only: {0} is not; give --allow-unauthenticated-non-loopback to serve everyone who can reach it"
    )]
    Open(SocketAddr),
    /// `--dev` beyond this machine.
    #[error("--dev listens on loopback only: {0} is not")]
    DevBeyondLoopback(SocketAddr),
    /// The issuer of `--dev` cannot be made.
    #[error("the development issuer cannot be made")]
    DevIssuer(#[from] DevIssuerError),
    /// A socket cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The system gives no signals.
    #[error("signals cannot be received")]
    Signals(#[source] std::io::Error),
}

impl StartError {
    /// 2 when the user's input is wrong and trying again is useless, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Build(_) | Self::Open(_) | Self::DevBeyondLoopback(_) => ExitCode::from(2),
            Self::DevIssuer(_) | Self::Serve(_) | Self::Signals(_) => ExitCode::FAILURE,
        }
    }

    /// The error and its causes in one line.
    pub fn line(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.fold(self.to_string(), |line, cause| format!("{line}: {cause}"))
    }
}

/// Runs the process until SIGTERM or SIGINT.
pub async fn run(args: Args) -> Result<(), StartError> {
    run_with(args, |_| Vec::new()).await
}

/// The same with more to offer: how the conformance fixtures of the tests get a whole gateway around them.
pub async fn run_with(
    args: Args,
    providers: impl FnOnce(&Changes) -> Vec<Arc<dyn Provider>> + Send + 'static,
) -> Result<(), StartError> {
    panic_hook::install();
    let shutdown = shutdown_on_signal()?;
    let providers = Box::new(providers);
    if args.dev { run_dev(&args, providers, shutdown).await } else { run_pod(&args, providers, shutdown).await }
}

async fn run_pod(args: &Args, providers: MakeProviders, shutdown: CancellationToken) -> Result<(), StartError> {
    let config = Config::load(&args.config)?;
    refuse_open(&config, args.listen(), args.allow_unauthenticated_non_loopback)?;
    // Held to the end: it writes the last lines.
    let _logs = write_logs(&config, std::io::stdout());
    let source = PolicySource::File(args.policy.clone());
    let deps = Deps {
        api_server: api_server(args),
        key_cache: args.key_cache.clone(),
        providers,
        ..Deps::new(args.listen().ip().is_loopback())
    };
    let app = App::build(config, source, deps)?;
    let listeners = Listeners::bind(args.listen(), args.admin_listen()).await?;
    announce(&listeners, &app);
    Ok(serve(listeners, app, shutdown).await?)
}

async fn run_dev(args: &Args, providers: MakeProviders, shutdown: CancellationToken) -> Result<(), StartError> {
    for address in [args.listen(), args.admin_listen()] {
        if !address.ip().is_loopback() {
            return Err(StartError::DevBeyondLoopback(address));
        }
    }
    let listeners = Listeners::bind(args.listen(), args.admin_listen()).await?;
    let url = format!("http://{}/mcp", listeners.public_address()?);
    let config = Config::from_document(&dev_documents::configuration(&url))?;
    // The terminal's output is for the token and the client's configuration.
    let _logs = write_logs(&config, std::io::stderr());
    let issuer = DevIssuer::new()?;
    let deps = Deps { issuers: Some(vec![issuer.settings(&url)]), providers, ..Deps::new(true) };
    let app = App::build(config, PolicySource::Fixed(dev_documents::policy()), deps)?;
    let token = issuer.token(&url, SystemClock.now())?;
    print(&format!(
        "MCP endpoint  {url}\nAccess token  {}\n\nFor an MCP client:\n{}",
        token.expose_secret(),
        client_configuration(&url, &token)
    ));
    announce(&listeners, &app);
    Ok(serve(listeners, app, shutdown).await?)
}

/// Running open beyond loopback takes a flag of its own. Source: auth.md, `refuse-open`.
fn refuse_open(config: &Config, listen: SocketAddr, allowed: bool) -> Result<(), StartError> {
    let open = config.gateway.auth.mode == AuthMode::None;
    if open && !listen.ip().is_loopback() && !allowed { Err(StartError::Open(listen)) } else { Ok(()) }
}

/// What must be reached neither as an issuer nor as a collector.
fn api_server(args: &Args) -> Option<IpAddr> {
    let address = args.api_server();
    if let (None, Some(host)) = (address, &args.kubernetes_service_host) {
        tracing::warn!(
            "the Kubernetes API server is known as {host}, which is no address: connections to it are not refused"
        );
    }
    address
}

fn write_logs(config: &Config, output: impl Write + Send + 'static) -> LogWriter {
    let gateway = &config.gateway;
    let server = format!("{}/{}", gateway.mcp_server.namespace, gateway.mcp_server.name);
    let level: LogLevel = gateway.observability.log_level;
    let (queue, writer) = LogWriter::start(output);
    let subscriber = logs::subscriber(level, server, queue, Arc::new(SystemClock));
    // Only a second call can fail, and then lines already go somewhere.
    let _ = tracing::subscriber::set_global_default(subscriber);
    writer
}

fn announce(listeners: &Listeners, app: &App) {
    if app.authenticator().is_none() {
        tracing::warn!("authentication is off: everyone who reaches the port may call");
    }
    for problem in app.file_problems() {
        tracing::error!("a mounted file cannot be used: {problem}");
    }
    let revision = &app.config().revision;
    tracing::info!("serving configuration {revision} on {listeners}");
}

/// For a person at a terminal; nobody reads it in a pod.
fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}

fn shutdown_on_signal() -> Result<CancellationToken, StartError> {
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let stop = shutdown.clone();
    #[expect(clippy::disallowed_methods, reason = "lives as long as the process; there is no tracker yet")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(shutdown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing;

    fn open_on(listen: &str, allowed: bool) -> bool {
        refuse_open(&testing::config(), listen.parse().unwrap(), allowed).is_ok()
    }

    #[test]
    fn running_open_beyond_loopback_takes_the_flag() {
        assert!(open_on("127.0.0.1:8080", false));
        assert!(open_on("[::1]:8080", false));
        assert!(!open_on("0.0.0.0:8080", false));
        assert!(!open_on("192.0.2.1:8080", false));
        assert!(open_on("0.0.0.0:8080", true));
    }

    #[tokio::test]
    async fn dev_is_refused_beyond_loopback_before_a_socket_is_opened() {
        for flag in ["--listen", "--admin-listen"] {
            let args = <Args as clap::Parser>::parse_from(["mcp-server", "--dev", flag, "0.0.0.0:0"]);
            let error = run_dev(&args, Box::new(|_| Vec::new()), CancellationToken::new()).await.unwrap_err();
            assert_eq!(error.line(), "--dev listens on loopback only: 0.0.0.0:0 is not");
            assert_eq!(error.exit_code(), ExitCode::from(2));
        }
    }
}
