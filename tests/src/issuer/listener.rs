//! TLS listener of the issuer: one connection, one request, so that a change of fault concerns the next one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::faults::Fault;
use crate::cluster::Certificate;

/// Connections at once. Chosen: far more than a gateway and a handful of clients open.
const MAX_CONNECTIONS: usize = 64;

/// A client must have shaken hands and sent its request's header within this time.
const OPENING_DEADLINE: Duration = Duration::from_secs(10);

/// Everything that the accept loop needs.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: TlsAcceptor,
    pub(crate) router: Router,
    pub(crate) fault: watch::Receiver<Fault>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Listener {
    /// Accepts until `shutdown`; open connections end with it.
    pub(crate) async fn run(self) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            // A failed accept concerns one connection; a closed stream is what `Down` means.
            let Ok((stream, _)) = accepted else { continue };
            if *self.fault.borrow() == Fault::Down {
                continue;
            }
            let (tls, router) = (self.tls.clone(), self.router.clone());
            let shutdown = self.shutdown.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = serve(stream, tls, router) => {}
                }
                drop(slot);
            });
        }
    }
}

/// TLS with this certificate: HTTP/1.1 only, no client certificates.
pub(crate) fn acceptor(certificate: &Certificate) -> anyhow::Result<TlsAcceptor> {
    let chain =
        CertificateDer::from_pem_slice(certificate.cert_pem.as_bytes()).context("read the issuer's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).context("read the issuer's key")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose TLS versions")?
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .context("pair the issuer's certificate with its key")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, router: Router) {
    // A client that fails here has seen why; there is nobody else to tell.
    let Ok(Ok(stream)) = tokio::time::timeout(OPENING_DEADLINE, tls.accept(stream)).await else {
        return;
    };
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(OPENING_DEADLINE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}
