//! From an address to a connection that Redis has let us in on: resolve, check, connect, encrypt, authenticate.
//!
//! The address is checked that is connected to: a name that changes what it says between check and connection gains nothing.
//! This holds for nodes that sentinels and clusters name, too.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo,
    aio::{MultiplexedConnection, SendError},
};
use rustls::{ClientConfig, pki_types::ServerName};
use secrecy::ExposeSecret as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    RedisAddress,
    fault::Fault,
    mounted::{Credentials, Mounted},
    reply_bounds::ReplyBounds,
};
use crate::net::AddressPolicy;

/// For the whole way, from the name to the first answer. Source: redis-and-degradation.md, section 5.
const CONNECT: Duration = Duration::from_secs(1);

/// What connections are made with.
pub(super) struct Dialer {
    pub(super) policy: AddressPolicy,
    /// Owns the task of each connection, which ends with it.
    pub(super) tasks: TaskTracker,
}

/// A connection. It ends when this is dropped, whatever the other side does.
pub(super) struct Connection {
    pub(super) address: RedisAddress,
    /// Cheap to clone: all clones share the connection.
    pub(super) redis: MultiplexedConnection,
    /// Cancelled when it has ended.
    pub(super) ended: CancellationToken,
    _stop: DropGuard,
}

/// What to do with what the server says unasked.
pub(super) type OnPush = Box<dyn Fn(PushInfo) + Send + Sync>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Dialer {
    /// Connects to `address` as the user of `mounted`. `attempt` says with which of its IP addresses to begin.
    pub(super) async fn dial(
        &self,
        address: &RedisAddress,
        mounted: &Mounted,
        attempt: usize,
        on_push: Option<OnPush>,
    ) -> Result<Connection, Fault> {
        let dial = async {
            let stream = connect(&self.resolve(address, attempt).await?).await?;
            let stream = encrypt(stream, &address.host, mounted.tls.as_ref()).await?;
            let greeted = self.greet(address, stream, mounted.credentials.as_ref(), on_push).await;
            // A server that does not like our certificate, or misses it, hangs up after its own part of the handshake.
            greeted.map_err(|fault| if mounted.tls.is_some() && fault == Fault::Closed { Fault::Tls } else { fault })
        };
        timeout(CONNECT, dial).await.unwrap_or(Err(Fault::NoAnswer))
    }

    /// The addresses of a host that are permitted; at least one.
    async fn resolve(&self, address: &RedisAddress, attempt: usize) -> Result<Vec<SocketAddr>, Fault> {
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        let found: Vec<_> = found.map_err(|_| Fault::NameUnknown)?.collect();
        if found.is_empty() {
            return Err(Fault::NameUnknown);
        }
        let mut permitted: Vec<_> = found.into_iter().filter(|found| self.policy.permits(found.ip())).collect();
        if permitted.is_empty() {
            return Err(Fault::AddressRefused);
        }
        // One that does not answer takes all the time there is: the next attempt begins with another.
        let first = attempt % permitted.len();
        permitted.rotate_left(first);
        Ok(permitted)
    }

    async fn greet(
        &self,
        address: &RedisAddress,
        stream: Box<dyn Stream>,
        credentials: Option<&Credentials>,
        on_push: Option<OnPush>,
    ) -> Result<Connection, Fault> {
        // Deadlines are ours: each request has one, whatever it waits for.
        let mut config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        if let Some(on_push) = on_push {
            config = config.set_push_sender(move |push| {
                on_push(push);
                Ok::<(), SendError>(())
            });
        }
        let greeted = MultiplexedConnection::new_with_config(&introduction(credentials), stream, config).await;
        let (redis, driver) = greeted.map_err(Fault::of_redis)?;
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let (stopped, end) = (stop.clone(), ended.clone().drop_guard());
        self.tasks.spawn(async move {
            // One that is stuck in writing ends too.
            stopped.run_until_cancelled(driver).await;
            drop(end);
        });
        Ok(Connection { address: address.clone(), redis, ended, _stop: stop.drop_guard() })
    }
}

/// `HELLO` with the user, and nothing else: the user may be forbidden to say what library this is.
fn introduction(credentials: Option<&Credentials>) -> RedisConnectionInfo {
    let bare = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    let Some(Credentials { username, password }) = credentials else { return bare };
    let named = match username {
        Some(username) => bare.set_username(username),
        None => bare,
    };
    named.set_password(password.expose_secret())
}

/// To the first of `addresses` that somebody listens at.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
    let mut fault = Fault::Unreachable;
    for address in addresses {
        match TcpStream::connect(address).await.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(problem) => fault = Fault::of_io(&problem),
        }
    }
    Err(fault)
}

async fn encrypt(stream: TcpStream, host: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Box<dyn Stream>, Fault> {
    let Some(tls) = tls else { return Ok(Box::new(ReplyBounds::new(stream))) };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Fault::Tls)?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    // Whatever ends a handshake: that there is somebody was seen before.
    stream.map(|stream| Box::new(ReplyBounds::new(stream)) as Box<dyn Stream>).map_err(|_| Fault::Tls)
}
