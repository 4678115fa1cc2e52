//! From a checked call to running work: may the caller, is the rest of the request right, who hears what it says.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    audit::Ending,
    endpoint::Caller,
    envelope::Refused,
    error::McpError,
    input::{Retry, STATE_LIFETIME, StateBinding},
    modern,
    record::CallOutcome,
    reply::McpReply,
    respond::{End, Responding, Shared, StreamStyle},
    serve::{Serve, of_era, refuse_in},
    session::Session,
    work::{Client, Held, Work, unknown},
};
use crate::{
    features::{Call, CallContext, CallKind, ClientCapabilities, Denied, InputResponses, LogLevel, Note, Notes},
    places::Place,
    protocol::ProtocolVersion,
    store::{Key, KeyKind},
};

/// Notes of one call that are on their way to the client. More are dropped: each is superseded by the next.
const NOTES: usize = 64;

/// What a call was asked with.
pub(super) struct Asked<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) session: Option<Arc<Session>>,
    pub(super) id: &'a RawValue,
    pub(super) client: ClientCapabilities,
    pub(super) log_level: Option<LogLevel>,
    pub(super) progress_token: Option<&'a RawValue>,
    pub(super) accepts_stream: bool,
}

impl Serve<'_> {
    pub(super) async fn call(
        &self,
        kind: CallKind,
        retry: Retry<'_>,
        asked: Asked<'_>,
        ending: Ending,
        place: Option<Arc<Place>>,
    ) -> McpReply {
        let Caller { policy, principal, .. } = *self.caller;
        let call = match self.endpoint.features.call(self.catalog, policy, principal, kind) {
            Ok(call) => call,
            Err((kind, denied)) => return self.deny(&kind, denied, &asked, ending),
        };
        let state = match self.check(asked.version, &call, &retry).await {
            Ok(state) => state,
            Err(error) => return refuse_in(asked.version, asked.id, error, ending),
        };
        // Where streams cannot be resumed, a client of the older era cannot be asked on one.
        let can_ask = asked.accepts_stream && asked.session.is_some() && self.endpoint.sessions_have_state(policy);
        let has_listener = asked.progress_token.is_some() || asked.log_level.is_some() || can_ask;
        let (sender, receiver) = (has_listener && asked.accepts_stream).then(|| mpsc::channel(NOTES)).unzip();
        let context = self.context(&asked, sender.clone(), retry.responses, state, ending.traceparent());
        let Asked { version, session, id, progress_token, accepts_stream, .. } = asked;
        let (in_flight, cancelled) = session.as_ref().map(|session| session.begin(id)).unzip();
        let client = session.clone().zip(sender).filter(|_| can_ask);
        let work = Work {
            endpoint: Arc::clone(self.endpoint),
            call,
            context,
            version,
            id: id.to_owned(),
            client: client.map(|(session, notes)| Client { session, notes, of_caller: self.streams_of_caller() }),
            held: Held { _in_flight: in_flight, place, stream_place: None },
        };
        let responding = Responding {
            work: until(cancelled, work),
            notes: receiver,
            progress_token: progress_token.map(ToOwned::to_owned),
            ending,
            style: accepts_stream.then(|| StreamStyle { retention: self.retention(), keep_alive: self.keep_alive() }),
            session,
            shared: self.endpoint.replicas.clone().map(|replicas| Shared { replicas, request_id: id.to_owned() }),
            tasks: self.endpoint.tasks.clone(),
        };
        responding.respond().await
    }

    fn context(
        &self,
        asked: &Asked<'_>,
        sender: Option<mpsc::Sender<Note>>,
        responses: Option<InputResponses>,
        state: Option<Arc<[u8]>>,
        traceparent: Option<Arc<str>>,
    ) -> CallContext {
        let notes = |sender| Notes::new(sender, asked.progress_token.is_some(), asked.log_level);
        CallContext {
            principal: Arc::clone(self.caller.principal),
            correlation_id: Arc::clone(self.caller.correlation_id),
            clock: Arc::clone(&self.endpoint.clock),
            client: asked.client,
            responses: responses.map(Arc::new),
            state,
            traceparent,
            notes: sender.map_or_else(Notes::default, notes),
        }
    }

    /// What is hidden from the caller is answered as what does not exist, and written down as what it is.
    fn deny(&self, kind: &CallKind, denied: Denied, asked: &Asked<'_>, ending: Ending) -> McpReply {
        let error = of_era(asked.version, unknown(asked.version, kind));
        let outcome = match denied {
            Denied::MissingScopes(scopes) => {
                let record = ending.end(CallOutcome::MissingScope);
                return McpReply::missing_scopes(scopes, self.caller.correlation_id, record);
            }
            Denied::NotForCaller => {
                let record = ending.end(CallOutcome::NotForCaller);
                return McpReply::not_for_caller(self.caller.correlation_id, record);
            }
            Denied::Hidden => CallOutcome::Hidden,
            Denied::Unknown => CallOutcome::Error(error.code),
        };
        McpReply::error(&Refused { id: Some(asked.id), error }, ending.end(outcome))
    }

    /// What is checked once the caller may know that the target exists. Gives the unsealed state.
    async fn check(
        &self,
        version: ProtocolVersion,
        call: &Call,
        retry: &Retry<'_>,
    ) -> Result<Option<Arc<[u8]>>, McpError> {
        if !version.is_modern() {
            return Ok(None);
        }
        if let CallKind::Tool { arguments, .. } = call.kind() {
            modern::check_param_headers(call.param_headers(), arguments, self.headers)?;
        }
        let Some(state) = &retry.state else { return Ok(None) };
        let binding = StateBinding::new(self.caller.principal, call.kind());
        let opened = binding.open(&self.endpoint.keys, state, self.endpoint.clock.now())?;
        if call.repeats_do_harm() {
            self.use_once(state).await?;
        }
        Ok(Some(opened.into()))
    }

    /// Of two requests with one state the first one runs. Fails closed: who cannot look it up runs nothing.
    async fn use_once(&self, state: &str) -> Result<(), McpError> {
        let mark = Key::new(KeyKind::Mark, &[state.as_bytes()]);
        match self.endpoint.marks.claim(&mark, STATE_LIFETIME).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(McpError::unknown_request_state()),
            Err(_) => Err(McpError::store_unavailable()),
        }
    }
}

/// The work, until the client cancels it.
fn until(cancelled: Option<CancellationToken>, work: Work) -> BoxFuture<'static, End> {
    match cancelled {
        None => Box::pin(async move { End::Done(work.run().await) }),
        Some(cancelled) => {
            Box::pin(async move { cancelled.run_until_cancelled(work.run()).await.map_or(End::Cancelled, End::Done) })
        }
    }
}
