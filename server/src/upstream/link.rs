//! One exchange with an upstream: a request out, its answer in.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header::ACCEPT};
use reqwest::Response;
use serde_json::value::RawValue;
use tokio::{sync::Notify, time::sleep};

use super::{
    aside::Aside,
    failure::Failure,
    headers::{EVENT_STREAM, LAST_EVENT_ID},
    inbox::{Inbox, Progress},
    limits::{MAX_RESUMES, Timing},
    message::RpcError,
    peer::Peer,
    reading::{Budget, Ended, Messages, Opened, Position},
    request::Outgoing,
    transport::Transport,
};
use crate::net::RequestFault;

/// Everything that talking to one upstream needs.
pub(super) struct Link {
    pub(super) transport: Transport,
    pub(super) aside: Aside,
    /// Told that the tool list should be looked at again.
    pub(super) changed: Arc<Notify>,
    pub(super) timing: Timing,
}

impl Link {
    pub(super) fn new(transport: Transport, timing: Timing) -> Self {
        let aside = Aside::new(transport.clone(), &timing);
        Self { transport, aside, changed: Arc::new(Notify::new()), timing }
    }

    /// Sends a request and reads its result, of at most `max_bytes`. Whoever calls brings the deadline.
    pub(super) async fn ask(
        &self,
        peer: &Peer,
        outgoing: Outgoing,
        max_bytes: usize,
        progress: Option<Progress<'_>>,
    ) -> Result<Box<RawValue>, Failure> {
        let Outgoing { id, headers, body } = outgoing;
        let mut inbox = self.inbox(peer, progress);
        let response = self.transport.post(headers, body).await?;
        let mut messages = self.opened(peer, response, Budget::new(max_bytes)).await?;
        for _ in 0..MAX_RESUMES {
            match messages.answer(id, &mut inbox).await? {
                Ended::Answered(reply) => {
                    if let Some(rest) = messages.rest() {
                        self.aside.let_end(rest);
                    }
                    return reply.map_err(|error| Failure::Rpc(error.code));
                }
                Ended::Unanswered(Some(position)) if !peer.version.is_modern() => {
                    messages = self.resumed(peer, &position, messages.left()).await?;
                }
                Ended::Unanswered(_) => break,
            }
        }
        Err(Failure::Malformed)
    }

    pub(super) fn inbox<'a>(&'a self, peer: &'a Peer, progress: Option<Progress<'a>>) -> Inbox<'a> {
        Inbox { peer, aside: &self.aside, changed: &self.changed, progress }
    }

    /// The messages of `response`, if it is no refusal.
    pub(super) async fn opened(
        &self,
        peer: &Peer,
        response: Response,
        budget: Budget,
    ) -> Result<Box<Messages>, Failure> {
        match Opened::from(response, &self.transport, budget).await? {
            Opened::Messages(messages) => Ok(messages),
            Opened::Refused(status, error) => Err(refusal(peer, status, error.as_ref())),
        }
    }

    /// Opens a stream by GET: the rest of one that has ended, or that of what belongs to no request.
    pub(super) async fn stream(
        &self,
        peer: &Peer,
        headers: HeaderMap,
        budget: Budget,
    ) -> Result<Box<Messages>, Failure> {
        let mut all = peer.session_headers();
        all.extend(headers);
        all.insert(ACCEPT, EVENT_STREAM);
        let response = self.transport.send(Method::GET, all).await?;
        self.opened(peer, response, budget).await
    }

    async fn resumed(&self, peer: &Peer, position: &Position, left: Budget) -> Result<Box<Messages>, Failure> {
        let id = HeaderValue::from_bytes(position.last_event_id.as_bytes()).map_err(|_| Failure::Malformed)?;
        sleep(position.retry.unwrap_or(self.timing.resume)).await;
        let rest = self.stream(peer, HeaderMap::from_iter([(LAST_EVENT_ID, id)]), left).await;
        rest.map_err(|failure| match failure {
            // The request has arrived, so it must not be sent again as after the loss of a session.
            Failure::SessionLost => Failure::Unreachable(RequestFault::Interrupted),
            other => other,
        })
    }
}

/// What a refusal comes down to.
pub(super) fn refusal(peer: &Peer, status: StatusCode, error: Option<&RpcError>) -> Failure {
    match error {
        _ if peer.session.is_some() && is_about_the_session(status, error) => Failure::SessionLost,
        Some(error) => Failure::Rpc(error.code),
        None => Failure::Status(status.as_u16()),
    }
}

/// Whether the session is what the upstream does not know. It says so before it carries out anything.
///
/// With 404 by the specification. Against it with 400: the reference server "everything" and others of the TypeScript SDK
/// (-32000), and older ones of the Python SDK (-32600).
fn is_about_the_session(status: StatusCode, error: Option<&RpcError>) -> bool {
    let is_bad_session =
        status == StatusCode::BAD_REQUEST && error.is_some_and(|error| matches!(error.code, -32000 | -32600));
    status == StatusCode::NOT_FOUND || is_bad_session
}
