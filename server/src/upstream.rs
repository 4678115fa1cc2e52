//! Talks to upstreams: remote MCP servers whose tools the gateway offers as its own, under `<upstream>__<tool>`.
//!
//! ```text
//! run (background):  meet: era, session -> list: all pages -> catalog, swapped whole -> Changes
//!                    watch: list_changed -> list again; and in any case by polling, after failures with backoff
//! call_tool:         catalog -> request -> link: POST -> reading: JSON or events -> outcome
//! ```
//!
//! An upstream is trusted to answer calls and nothing more. Everything it sends is bounded in bytes, number and time;
//! definitions and results pass through byte for byte; its errors do not, they become fixed texts. It never sees the
//! caller's token, ids or progress tokens, and can ask nothing of the client. It is reached through [`crate::net`]
//! alone, at the one URL of the configuration.

mod aside;
mod backoff;
mod call;
mod catalog;
mod definition;
mod document;
mod failure;
mod headers;
mod inbox;
mod limits;
mod link;
mod listing;
mod meet;
mod message;
mod outcome;
mod param_headers;
mod peer;
mod reading;
mod request;
mod run;
mod sse;
mod standing;
mod status;
mod text;
mod transport;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::value::RawValue;
use tokio::sync::{Notify, Semaphore, watch as channel};
use tokio_util::sync::CancellationToken;

pub use status::UpstreamStatus;

use self::{
    catalog::Catalog,
    limits::{MAX_CALLS, Timing},
    link::Link,
    standing::Standing,
    transport::Transport,
};
use crate::{
    features::{Answer, CallContext, Changes, Offer, Outcome, Provider, ToolOutcome},
    net::{AddressPolicy, ClientError, Schemes, UrlError, permitted_url, streaming_client},
};

/// How long an upstream's name may be: it is part of the names of Services and of tools.
const MAX_NAME_BYTES: usize = 20;

/// What the configuration says of an upstream.
#[derive(Clone)]
pub struct UpstreamSettings {
    /// An RFC 1035 label of at most 20 bytes; first part of its tools' names.
    pub name: String,
    /// Its MCP endpoint, `http` or `https`.
    pub url: String,
    /// How long a call may take.
    pub deadline: Duration,
}

/// Why there is no upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamSetupError {
    /// The name does not fit.
    #[error("the name of an upstream must be a lower-case label (RFC 1035) of at most 20 bytes")]
    Name,
    /// The URL is not one that is connected to.
    #[error("the URL is refused because {0}")]
    Url(UrlError),
    /// There is no HTTP client.
    #[error("the HTTP client cannot be built")]
    Client(#[source] ClientError),
}

/// One upstream. Offers nothing until [`Upstream::run`] has met it; what it has offered stays, also while it is away.
pub struct Upstream {
    name: Arc<str>,
    deadline: Duration,
    link: Link,
    /// What is offered. Written by the background task, read by everybody.
    catalog: ArcSwap<Catalog>,
    /// Who is called. Written by the background task, read by calls and reports.
    standing: channel::Sender<Standing>,
    /// Told by calls and the watch that the session is gone; heard by the background task.
    lost: Notify,
    /// The calls in flight.
    calls: Arc<Semaphore>,
    /// Where changes of the list are told.
    changes: Changes,
    /// The background task meets nobody any more.
    stopped: CancellationToken,
}

impl Upstream {
    /// An upstream that nobody has met: [`Upstream::run`] does.
    pub fn new(
        settings: UpstreamSettings,
        addresses: AddressPolicy,
        changes: Changes,
    ) -> Result<Arc<Self>, UpstreamSetupError> {
        Self::with_timing(settings, addresses, changes, Timing::default())
    }

    fn with_timing(
        settings: UpstreamSettings,
        addresses: AddressPolicy,
        changes: Changes,
        timing: Timing,
    ) -> Result<Arc<Self>, UpstreamSetupError> {
        if !is_label(&settings.name) {
            return Err(UpstreamSetupError::Name);
        }
        let schemes = Schemes::HttpAndHttps;
        let url = permitted_url(&settings.url, addresses, schemes).map_err(UpstreamSetupError::Url)?;
        let client = streaming_client(addresses, schemes, MAX_CALLS).map_err(UpstreamSetupError::Client)?;
        let name: Arc<str> = settings.name.into();
        let transport = Transport::new(client, url, Arc::clone(&name));
        Ok(Arc::new(Self {
            name,
            deadline: settings.deadline,
            link: Link::new(transport, timing),
            catalog: ArcSwap::from_pointee(Catalog::empty()),
            standing: channel::Sender::new(Standing::default()),
            lost: Notify::new(),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            changes,
            stopped: CancellationToken::new(),
        }))
    }

    /// The configured name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for UpstreamSettings {
    /// Without the URL, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamSettings").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upstream {
    /// Without the URL, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider for Upstream {
    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.catalog.load().offer)
    }

    fn call_tool<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>> {
        let call = async move {
            let outcome = self.call(context, name, arguments).await;
            Ok(Answer::Complete(outcome.unwrap_or_else(|failure| {
                let (name, host) = (&self.name, self.link.transport.host());
                tracing::warn!(
                    upstream.name = %name,
                    server.address = host,
                    correlation_id = %context.correlation_id,
                    "a call failed: upstream {name} {failure}"
                );
                ToolOutcome::error(failure.to_client(name))
            })))
        };
        call.boxed()
    }
}

/// RFC 1035, section 2.3.1, in lower case: a letter, then letters, digits and hyphens, no hyphen at the end.
fn is_label(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_inner)
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests;
