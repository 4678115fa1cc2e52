//! `localhost:8080` to the ingress: bytes in both directions, nothing else.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::cluster::NODE_ADDRESS;

/// What the example's `publicUrl` says.
const PORT: u16 = 8080;

/// Connections at once. Chosen: a person's clients open a few each.
const MAX_CONNECTIONS: usize = 256;

/// Listeners on both loopback addresses: `localhost` may mean either. A machine without IPv6 has one.
pub(super) async fn listeners() -> Result<Vec<TcpListener>> {
    let v4 = TcpListener::bind(("127.0.0.1", PORT)).await.with_context(|| {
        format!(
            "port {PORT} of this machine is taken; `ss -ltnp 'sport = :{PORT}'` says by whom, end that and try again"
        )
    })?;
    let v6 = TcpListener::bind(("::1", PORT)).await.ok();
    Ok(std::iter::once(v4).chain(v6).collect())
}

/// Accepts until `shutdown`; open connections end with it.
pub(super) async fn run(listener: TcpListener, tasks: TaskTracker, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A failed accept concerns one connection.
        let Ok((client, _)) = accepted else { continue };
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = connect(client) => {}
            }
            drop(slot);
        });
    }
}

/// A client whose other side is gone sees its connection closed, as with any proxy.
async fn connect(mut client: TcpStream) {
    let Ok(ingress) = format!("{NODE_ADDRESS}:80").parse::<SocketAddr>() else { return };
    if let Ok(mut ingress) = TcpStream::connect(ingress).await {
        let _ = copy_bidirectional(&mut client, &mut ingress).await;
    }
}
