//! From loopback of this machine into the cluster's network, where Services have their addresses.
//!
//! ```text
//! client ─► 127.0.0.1:port ─ this process ─► Unix socket ─ the same program, inside the network ─► Service
//! ```
//!
//! A Unix socket belongs to the file system, so it crosses network namespaces.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{cluster::Cluster, command::wait_until};

const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A running bridge. Dropping it ends both sides.
pub(super) struct Bridge {
    /// Where it is entered.
    pub(super) address: SocketAddr,
    inside: Child,
    shutdown: CancellationToken,
}

impl Bridge {
    /// To `to`, an address of the cluster's network; `folder` holds the socket. Must be called within a runtime.
    pub(super) async fn start(cluster: &Cluster, to: SocketAddr, folder: &Path) -> Result<Self> {
        let socket = folder.join("bridge");
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let program = program.to_str().context("the path of this program is not UTF-8")?;
        let inside = cluster
            .netns_command(program)
            .arg("bridge")
            .arg(&socket)
            .arg(to.to_string())
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start the bridge inside the cluster's network")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("there is no free port on loopback")?;
        let bridge = Self { address: listener.local_addr()?, inside, shutdown: CancellationToken::new() };
        wait_until("the bridge is there", STARTS_WITHIN, || {
            if socket.exists() { Ok(()) } else { Err("its socket does not exist".to_owned()) }
        })?;
        let (tasks, stopped) = (TaskTracker::new(), bridge.shutdown.clone());
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Some(Ok((client, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (socket, stopped) = (socket.clone(), stopped.clone());
                connections.spawn(async move {
                    stopped.run_until_cancelled(joined(client, UnixStream::connect(socket))).await;
                });
            }
        });
        Ok(bridge)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let _ = self.inside.kill();
        let _ = self.inside.wait();
    }
}

/// The side inside: serves until it is killed.
pub(super) fn serve(socket: &Path, to: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
        let tasks = TaskTracker::new();
        loop {
            let (client, _) = listener.accept().await.context("cannot accept")?;
            tasks.spawn(joined(client, TcpStream::connect(to)));
        }
    })
}

/// Bytes in both directions. Who connects to an address where nobody listens sees the connection closed.
async fn joined<T: AsyncRead + AsyncWrite + Unpin>(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    other: impl Future<Output = std::io::Result<T>>,
) {
    if let Ok(mut other) = other.await {
        let _ = copy_bidirectional(&mut client, &mut other).await;
    }
}
