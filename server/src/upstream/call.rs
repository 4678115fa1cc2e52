//! Calls one tool of an upstream.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Upstream,
    aside::Aside,
    failure::Failure,
    inbox::Progress,
    limits::MAX_ANSWER_BYTES,
    outcome::outcome,
    peer::Peer,
    request::{self, ToolCall},
};
use crate::features::{CallContext, ToolOutcome};

/// `MissingRequiredClientCapability`. Source: MCP 2026-07-28, schema.
const MISSING_CAPABILITY: i64 = -32021;

impl Upstream {
    /// Calls the tool that is offered as `name`; once more in a new session if the old one is gone, in which case the
    /// first call was not carried out.
    pub(super) async fn call(
        &self,
        context: &CallContext,
        name: &str,
        arguments: &RawValue,
    ) -> Result<ToolOutcome, Failure> {
        let catalog = self.catalog.load_full();
        let route = catalog.route(name).ok_or(Failure::UnknownTool)?;
        let permit = Arc::clone(&self.calls).try_acquire_owned().map_err(|_| Failure::Busy)?;
        let permit = Arc::new(permit);
        let call = ToolCall {
            name: &route.name,
            arguments,
            param_headers: &route.param_headers,
            wants_progress: context.notes.wants_progress(),
            traceparent: context.traceparent.as_deref(),
        };
        let mut peer = self.peer().await?;
        let mut result = self.attempt(context, &peer, &call, &permit).await;
        if matches!(result, Err(Failure::SessionLost)) {
            peer = self.successor(&peer).await?;
            result = self.attempt(context, &peer, &call, &permit).await;
        }
        if result.as_ref().is_err_and(|failure| wants_a_look(*failure)) {
            self.link.changed.notify_one();
        }
        match result {
            // It wants something of the client that we have said we cannot do.
            Err(Failure::Rpc(MISSING_CAPABILITY)) => Err(Failure::AsksForInput),
            result => outcome(&result?, peer.version),
        }
    }

    async fn attempt(
        &self,
        context: &CallContext,
        peer: &Arc<Peer>,
        call: &ToolCall<'_>,
        permit: &Arc<OwnedSemaphorePermit>,
    ) -> Result<Box<RawValue>, Failure> {
        let outgoing = request::call_tool(peer, call);
        let progress = Progress { token: outgoing.id, notes: &context.notes, last: None };
        let progress = call.wants_progress.then_some(progress);
        let cancel = Cancel::when_dropped(&self.link.aside, peer, outgoing.id, permit);
        let result = self.link.ask(peer, outgoing, MAX_ANSWER_BYTES, progress).await;
        if !result.as_ref().is_err_and(|failure| failure.leaves_work_behind()) {
            cancel.not_needed();
        }
        result
    }
}

/// Whether the upstream seems to be gone, or another one than that whose tools were listed: what is reported of it should
/// not wait for the next poll.
fn wants_a_look(failure: Failure) -> bool {
    match failure {
        Failure::Unreachable(_) => true,
        // HeaderMismatch, UnsupportedProtocolVersion: only a new look at the list or at the upstream helps.
        Failure::Rpc(code) => matches!(code, -32020 | -32022),
        Failure::Status(_) => !failure.is_passing(),
        _ => false,
    }
}

/// Cancels a request of the older era when its answer is not awaited any more. In the modern era the end of the
/// connection says the same.
struct Cancel {
    /// `None`: it is not needed, or not any more.
    armed: Option<(Aside, Arc<Peer>, u64, Arc<OwnedSemaphorePermit>)>,
}

impl Cancel {
    fn when_dropped(aside: &Aside, peer: &Arc<Peer>, id: u64, permit: &Arc<OwnedSemaphorePermit>) -> Self {
        let is_needed = !peer.version.is_modern();
        Self { armed: is_needed.then(|| (aside.clone(), Arc::clone(peer), id, Arc::clone(permit))) }
    }

    fn not_needed(mut self) {
        self.armed = None;
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if let Some((aside, peer, id, permit)) = self.armed.take() {
            // Together with the call that it ends it counts as one call in flight.
            aside.post_holding(peer.post_headers(), request::cancelled(id), permit);
        }
    }
}
