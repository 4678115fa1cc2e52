//! Where connections lead: an address or several in turn, with TLS or without, and a transport that counts what comes back.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use anyhow::Context as _;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Where connections go, and what is spoken there. A cheap handle; all clones take turns together.
#[derive(Clone)]
pub struct Door {
    /// Not empty. Each connection goes to the one after that of the connection before.
    addresses: Arc<[SocketAddr]>,
    /// How many connections there were.
    opened: Arc<AtomicUsize>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Door {
    /// HTTP without TLS, as to a Service inside the cluster.
    pub fn plain(address: SocketAddr) -> Self {
        Self::of([address].into(), None)
    }

    /// The same to each of these in turn, as a Service balances connections.
    pub fn plain_in_turn(addresses: &[SocketAddr]) -> Self {
        assert!(!addresses.is_empty(), "a door leads somewhere");
        Self::of(addresses.into(), None)
    }

    /// HTTP/1.1 over TLS to a server that is called `host` and vouched for by this authority alone.
    pub fn tls(address: SocketAddr, host: &str, ca_pem: &str) -> anyhow::Result<Self> {
        let authority = CertificateDer::from_pem_slice(ca_pem.as_bytes()).context("cannot read the authority")?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority).context("the certificate is no authority's")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("cannot choose TLS versions")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(host.to_owned()).with_context(|| format!("`{host}` is no server's name"))?;
        Ok(Self::of([address].into(), Some((TlsConnector::from(Arc::new(config)), name))))
    }

    fn of(addresses: Arc<[SocketAddr]>, tls: Option<(TlsConnector, ServerName<'static>)>) -> Self {
        Self { addresses, opened: Arc::default(), tls }
    }

    /// A new connection, and the count of bytes that came over it.
    pub(super) async fn open(&self) -> io::Result<(Counted, Arc<AtomicU64>)> {
        let turn = self.opened.fetch_add(1, Ordering::Relaxed) % self.addresses.len();
        let stream = TcpStream::connect(self.addresses[turn]).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Transport> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
        };
        let count = Arc::default();
        Ok((Counted { stream, count: Arc::clone(&count) }, count))
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (addresses, tls) = (&self.addresses, self.tls.is_some());
        f.debug_struct("Door").field("addresses", addresses).field("tls", &tls).finish_non_exhaustive()
    }
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A transport that counts the bytes of answers.
pub(super) struct Counted {
    stream: Box<dyn Transport>,
    count: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = buffer.filled().len() - before;
        self.count.fetch_add(came as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Both are connected to twice, or the test would wait for ever.
    #[tokio::test]
    async fn connections_go_to_each_address_in_turn_whichever_clone_opens_them() {
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
        let door = Door::plain_in_turn(&listeners.each_ref().map(|listener| listener.local_addr().unwrap()));
        for _ in 0..2 {
            for (door, listener) in [door.clone(), door.clone()].iter().zip(&listeners) {
                let (opened, accepted) = tokio::join!(door.open(), listener.accept());
                drop((opened.unwrap(), accepted.unwrap()));
            }
        }
    }
}
