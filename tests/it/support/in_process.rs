//! A gateway in this process, with an issuer of its own: real sockets, real keys, files in a folder of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use server::app::{App, Deps};
use server::config::Config;
use server::policy_file::PolicySource;
use server::{Listeners, serve};
use tests::cluster::TestCa;
use tests::issuer::{Fault, IssuerOptions, TestIssuer};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::client::{McpClient, PUBLIC_URL};
use super::files::{GatewayFiles, GatewayOptions};

/// One authority for the whole binary: nothing depends on a fresh one.
static CA: LazyLock<TestCa> = LazyLock::new(|| TestCa::generate().unwrap());

/// From the signal to the end of everything, at most.
const END_DEADLINE: Duration = Duration::from_secs(40);

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A running gateway; it ends when this is dropped.
pub(crate) struct SpawnedGateway {
    pub(crate) issuer: TestIssuer,
    pub(crate) client: McpClient,
    pub(crate) files: GatewayFiles,
    served: TaskTracker,
    stop: DropGuard,
}

/// A running gateway, whoever its issuers are; it ends when this is dropped.
pub(crate) struct Serving {
    pub(crate) client: McpClient,
    served: TaskTracker,
    stop: DropGuard,
}

/// Starts a gateway and waits until it is ready.
pub(crate) async fn spawn_gateway(options: GatewayOptions) -> SpawnedGateway {
    let gateway = spawn_gateway_without_waiting(options, Fault::None).await;
    gateway.until_ready().await;
    gateway
}

/// Starts a gateway whose issuer has this fault from the first moment on.
pub(crate) async fn spawn_gateway_without_waiting(options: GatewayOptions, fault: Fault) -> SpawnedGateway {
    spawn(options, fault, Deps::new(true)).await
}

/// Starts a gateway around these dependencies and waits until it is ready.
pub(crate) async fn spawn_gateway_with(options: GatewayOptions, deps: Deps) -> SpawnedGateway {
    let gateway = spawn(options, Fault::None, deps).await;
    gateway.until_ready().await;
    gateway
}

async fn spawn(options: GatewayOptions, fault: Fault, deps: Deps) -> SpawnedGateway {
    let issuer = start_issuer(fault).await;
    let files = GatewayFiles::write(options, &[&issuer]);
    let Serving { client, served, stop } = Serving::start(&files, free_socket().await, deps).await;
    SpawnedGateway { issuer, client, files, served, stop }
}

/// A socket on a free port of loopback.
pub(crate) async fn free_socket() -> TcpListener {
    TcpListener::bind((LOOPBACK, 0)).await.unwrap()
}

/// What is needed before the first key or certificate; a second test finds it installed.
pub(crate) fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

impl Serving {
    /// A gateway of these files, its endpoint on this socket; it need not be ready.
    pub(crate) async fn start(files: &GatewayFiles, public: TcpListener, deps: Deps) -> Self {
        let config = Config::load(&files.config()).unwrap();
        let app = App::build(config, PolicySource::File(files.policy()), deps).unwrap();
        let admin = free_socket().await;
        let client = McpClient::new(public.local_addr().unwrap(), admin.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let running = serve(Listeners { public, admin }, app, shutdown.clone());
        let served = TaskTracker::new();
        served.spawn(async move { running.await.unwrap() });
        served.close();
        Self { client, served, stop: shutdown.drop_guard() }
    }
}

/// An issuer on a free port of loopback.
pub(crate) async fn start_issuer(fault: Fault) -> TestIssuer {
    install_crypto();
    let options = IssuerOptions { fault, ..IssuerOptions::default() };
    TestIssuer::start(LOOPBACK, &CA, options).await.unwrap()
}

impl SpawnedGateway {
    /// Until every issuer has given its keys.
    pub(crate) async fn until_ready(&self) {
        self.client.until_ready().await;
    }

    /// Tells the gateway to stop; what it returns ends when the gateway has.
    pub(crate) fn stop(self) -> impl Future<Output = ()> {
        let Self { served, stop, .. } = self;
        drop(stop);
        async move { tokio::time::timeout(END_DEADLINE, served.wait()).await.expect("the gateway ends") }
    }

    /// A token of another person, for any tool without a rule.
    pub(crate) fn token_of(&self, subject: &str) -> String {
        self.issuer.token_of(subject, &[], PUBLIC_URL)
    }

    /// How many tool calls have run, well or not, by the gateway's own count.
    pub(crate) async fn calls_run(&self) -> usize {
        let mut calls = 0;
        for outcome in ["success", "tool_error"] {
            let outcome = format!("outcome=\"{outcome}\"");
            calls += self.client.counted("mcp_server_requests_total", &["tool=\"", &outcome]).await;
        }
        calls
    }
}
