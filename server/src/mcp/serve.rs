//! What becomes of each message: lists and the rest are answered at once, calls and streams have files of their own.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::ready, stream};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    audit::{Audit, Ending},
    calling::Asked,
    capabilities::server_capabilities,
    cursor::page,
    endpoint::{Caller, Inner, raw},
    envelope::{ClientAnswer, Refused},
    error::McpError,
    headers::{names, names_stream_first},
    operation::Operation,
    parse::Parser,
    parsed::{Parsed, Request, Step},
    record::CallOutcome,
    replicas::Passed,
    reply::{Forbidden, McpReply, ReplyBody},
    result::{CACHE_SCOPE, TTL_MS, Target},
    session::{Session, SessionState},
    sse,
    stream_log::Retention,
};
use crate::{
    features::{Catalog, ClientCapabilities, Listed},
    gateway::{self, Decision, decide},
    places::Place,
    protocol::{Era, ProtocolVersion},
    store::StoreError,
};

/// What the answers of one batch may take together, but for the last: all of them are held until the end. Chosen: as
/// much as a request.
const MAX_BATCH_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// One HTTP request while it is served.
pub(super) struct Serve<'a> {
    pub(super) endpoint: &'a Arc<Inner>,
    pub(super) caller: &'a Caller<'a>,
    pub(super) headers: &'a HeaderMap,
    /// The session that the headers name, where it had to be opened before.
    pub(super) session: Option<Arc<Session>>,
    /// What exists, for the whole of the request.
    pub(super) catalog: &'a Arc<Catalog>,
    pub(super) audit: &'a dyn Audit,
}

impl Serve<'_> {
    pub(super) async fn message(&self, parsed: Parsed<'_>, place: Option<Arc<Place>>) -> McpReply {
        let Parsed { record, trace_context, step } = parsed;
        let ending = Ending::new(self.audit.begin(&record, &trace_context), record);
        match step {
            Step::Refuse(refused) => refuse(&refused, ending),
            Step::Accept => accepted(ending),
            Step::Cancel { session, request } => {
                session.cancel(request);
                if let Some(replicas) = &self.endpoint.replicas {
                    replicas.cancel(&session, request.get()).await;
                }
                accepted(ending)
            }
            Step::TakeAnswer { session, answer } => self.take_answer(&session, &answer, ending).await,
            Step::Serve(request) => self.request(*request, ending, place).await,
            Step::Batch { session, items } => self.batch(&session, &items, ending, place).await,
            Step::OpenStream { session, after } => self.open_stream(&session, after, ending).await,
            Step::EndSession { session } => self.end_session(&session, ending).await,
        }
    }

    async fn request(&self, request: Request<'_>, ending: Ending, place: Option<Arc<Place>>) -> McpReply {
        let Request { version, session, id, operation, client, log_level, progress_token, accepts_stream } = request;
        let target = Target { version, id, modern_meta: &self.endpoint.modern_meta };
        let body = match operation {
            Operation::Discover => target.raw(&self.discover()),
            Operation::Initialize => return self.initialize(client, target, ending),
            Operation::Ping => target.empty(),
            Operation::ListTools { cursor } => {
                let tools = self.catalog.tools(version).filter(|(name, _)| self.may_see(gateway::Target::Tool(name)));
                match page(&self.endpoint.keys, self.caller.principal, "tools/list", tools, cursor) {
                    Ok(page) => target.tools(&page),
                    Err(error) => return refuse_in(version, id, error, ending),
                }
            }
            Operation::List { listed, cursor } => {
                let sees = self.may_see(gateway::Target::Other);
                let entries = self.catalog.list(listed, version).filter(|_| sees);
                match page(&self.endpoint.keys, self.caller.principal, method(listed), entries, cursor) {
                    Ok(page) => target.list(listed, &page),
                    Err(error) => return refuse_in(version, id, error, ending),
                }
            }
            Operation::SetLevel(level) => {
                let set = self.change(session.as_deref(), |state| {
                    state.log_level = Some(level);
                    true
                });
                match set.await {
                    Ok(_) => target.empty(),
                    Err(error) => return refuse(&Refused { id: Some(id), error }, ending),
                }
            }
            Operation::Subscribe(uri) => match self.subscribe(session.as_deref(), version, &uri).await {
                Ok(()) => target.empty(),
                Err(error) => return refuse(&Refused { id: Some(id), error }, ending),
            },
            Operation::Unsubscribe(uri) => {
                let unsubscribed = self.change(session.as_deref(), |state| {
                    state.subscriptions.remove(&*uri);
                    true
                });
                match unsubscribed.await {
                    Ok(_) => target.empty(),
                    Err(error) => return refuse(&Refused { id: Some(id), error }, ending),
                }
            }
            Operation::Listen(filter) => return self.listen(id, filter, ending),
            Operation::Call { kind, retry } => {
                let asked = Asked { version, session, id, client, log_level, progress_token, accepts_stream };
                return self.call(kind, retry, asked, ending, place).await;
            }
        };
        let record = ending.end(CallOutcome::Success);
        if accepts_stream && names_stream_first(self.headers) {
            let event = stream::once(ready(sse::event(None, &body)));
            return McpReply::stream(event.boxed(), record);
        }
        McpReply::json(StatusCode::OK, body, record)
    }

    pub(super) fn may_see(&self, target: gateway::Target<'_>) -> bool {
        decide(self.caller.policy, self.caller.principal, target) != Decision::Hidden
    }

    fn discover(&self) -> Box<RawValue> {
        raw(&json!({
            "resultType": "complete",
            "supportedVersions": ProtocolVersion::ALL.map(ProtocolVersion::as_str),
            "capabilities": server_capabilities(self.catalog, Era::Modern, true),
            "ttlMs": TTL_MS,
            "cacheScope": CACHE_SCOPE,
            "_meta": &*self.endpoint.modern_meta,
        }))
    }

    fn initialize(&self, client: ClientCapabilities, target: Target<'_>, ending: Ending) -> McpReply {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Initialized<'a> {
            protocol_version: &'static str,
            capabilities: Value,
            server_info: &'a Value,
        }
        let (limits, policy) = (self.caller.policy.limits(), self.caller.policy);
        let now = self.endpoint.clock.now();
        let expires = now.saturating_add(limits.session_lifetime).unwrap_or(jiff::Timestamp::MAX);
        let of_principal = limits.sessions_per_principal;
        let version = target.version;
        let (session_id, _) =
            self.endpoint.sessions.create(self.caller.principal, version, client, (now, expires), of_principal);
        let result = raw(&Initialized {
            protocol_version: version.as_str(),
            capabilities: server_capabilities(self.catalog, Era::Legacy, self.endpoint.sessions_have_state(policy)),
            server_info: &self.endpoint.server_info,
        });
        let mut reply = McpReply::json(StatusCode::OK, target.raw(&result), ending.end(CallOutcome::Success));
        let value = HeaderValue::from_str(&session_id).expect("a sealed handle is base64");
        reply.headers.insert(names::SESSION_ID, value);
        reply
    }

    async fn subscribe(&self, session: Option<&Session>, version: ProtocolVersion, uri: &str) -> Result<(), McpError> {
        if !self.may_see(gateway::Target::Other) || !self.catalog.has_resource(uri) {
            return Err(of_era(version, McpError::unknown_resource(version, uri)));
        }
        if self.change(session, |state| state.subscribe(uri)).await? {
            return Ok(());
        }
        let error = McpError::invalid_params("a session has at most 1000 subscriptions of 128 KiB together");
        Err(of_era(version, error))
    }

    /// Changes what a session remembers, at all replicas. False when `change` says that it cannot be.
    async fn change(
        &self,
        session: Option<&Session>,
        change: impl Fn(&mut SessionState) -> bool + Send,
    ) -> Result<bool, McpError> {
        match (session, &self.endpoint.replicas) {
            (None, _) => Ok(true),
            (Some(session), None) => Ok(session.change(change)),
            (Some(session), Some(replicas)) => {
                let changed = replicas.change(session, self.endpoint.clock.now(), change).await;
                changed.map_err(|_| McpError::store_unavailable())
            }
        }
    }

    /// DELETE: at all replicas, or not at all.
    async fn end_session(&self, session: &Session, ending: Ending) -> McpReply {
        let ended = self.change(Some(session), |state| {
            state.ended = true;
            true
        });
        if let Err(error) = ended.await {
            return refuse(&Refused { id: None, error }, ending);
        }
        self.endpoint.sessions.end(session, self.endpoint.clock.now());
        McpReply::empty(StatusCode::NO_CONTENT, ending.end(CallOutcome::Success))
    }

    /// The answer to a request of ours, for whichever replica has asked.
    async fn take_answer(&self, session: &Session, answer: &ClientAnswer<'_>, ending: Ending) -> McpReply {
        let id = answer.id.and_then(|id| id.get().parse().ok());
        if id.is_some_and(|id| session.answered(id, answer.result)) {
            return accepted(ending);
        }
        let passed = match (id, &self.endpoint.replicas) {
            (Some(id), Some(replicas)) => replicas.pass_on(session, id, answer.result).await,
            _ => Ok(Passed::NotAsked),
        };
        let error = match passed {
            Ok(Passed::On) => return accepted(ending),
            Ok(Passed::NotAsked) => {
                McpError::invalid_request("a response was posted, but nothing was asked under its id")
            }
            Err(StoreError::TooLarge) => McpError::invalid_request("a response must have less than 1 MiB"),
            Err(_) => McpError::store_unavailable(),
        };
        refuse(&Refused { id: None, error }, ending)
    }

    pub(super) fn parser(&self) -> Parser<'_> {
        let Self { endpoint, caller, headers, ref session, catalog, .. } = *self;
        Parser { endpoint, caller, headers, session: session.as_ref(), catalog }
    }

    /// One response for each request in it; 202 where there is none. Nothing is streamed. Each of them holds the place of
    /// all, since one may go on when the client is gone.
    async fn batch(
        &self,
        session: &Arc<Session>,
        items: &[&RawValue],
        ending: Ending,
        place: Option<Arc<Place>>,
    ) -> McpReply {
        let mut bodies = Vec::new();
        let mut bytes = 0;
        for item in items {
            let mut parsed = self.parser().item(session, item);
            if let Step::Serve(request) = &mut parsed.step {
                request.accepts_stream = false;
                if bytes > MAX_BATCH_ANSWER_BYTES {
                    let id = Some(request.id);
                    parsed.step = Step::Refuse(Refused { id, error: McpError::batch_too_large() });
                }
            }
            // Whatever becomes of an answer of the client, it is not answered.
            let is_answer = matches!(parsed.step, Step::TakeAnswer { .. });
            let reply = Box::pin(self.message(parsed, place.clone())).await;
            match reply.body {
                _ if is_answer => {}
                // What the authentication layer says is no JSON-RPC.
                ReplyBody::Whole(_) if let Some(why) = &reply.forbidden => {
                    let outcome = match why {
                        Forbidden::MissingScopes(_) => CallOutcome::MissingScope,
                        Forbidden::NotForCaller => CallOutcome::NotForCaller,
                    };
                    return McpReply { record: ending.end(outcome), ..reply };
                }
                ReplyBody::Whole(body) if !body.is_empty() => {
                    bytes += body.len();
                    bodies.push(body);
                }
                ReplyBody::Whole(_) | ReplyBody::Stream(_) => {}
            }
        }
        if bodies.is_empty() {
            return accepted(ending);
        }
        let mut array = vec![b'['];
        for (index, body) in bodies.iter().enumerate() {
            if index > 0 {
                array.push(b',');
            }
            array.extend_from_slice(body);
        }
        array.push(b']');
        McpReply::json(StatusCode::OK, array, ending.end(CallOutcome::Success))
    }

    pub(super) fn stream_place(&self) -> Result<Place, McpError> {
        let taken = self.endpoint.streams.take(self.caller.principal, self.streams_of_caller());
        taken.map_err(|_| McpError::too_many_streams())
    }

    /// How many streams the caller may have.
    pub(super) fn streams_of_caller(&self) -> usize {
        self.caller.policy.limits().streams_per_principal
    }

    pub(super) fn keep_alive(&self) -> Duration {
        self.caller.policy.limits().keep_alive_interval
    }

    pub(super) fn retention(&self) -> Retention {
        let limits = self.caller.policy.limits();
        Retention { read_events: limits.replay_events, bytes: limits.stream_buffer_bytes }
    }
}

pub(super) fn refuse(refused: &Refused<'_>, ending: Ending) -> McpReply {
    let outcome = CallOutcome::Error(refused.error.code);
    McpReply::error(refused, ending.end(outcome))
}

fn accepted(ending: Ending) -> McpReply {
    McpReply::empty(StatusCode::ACCEPTED, ending.end(CallOutcome::Accepted))
}

/// The same for an error inside a well-formed request.
pub(super) fn refuse_in(version: ProtocolVersion, id: &RawValue, error: McpError, ending: Ending) -> McpReply {
    refuse(&Refused { id: Some(id), error: of_era(version, error) }, ending)
}

/// Clients of the older era read a status beyond 2xx as the end of the connection.
pub(super) fn of_era(version: ProtocolVersion, error: McpError) -> McpError {
    if version.is_modern() { error } else { error.served() }
}

fn method(listed: Listed) -> &'static str {
    match listed {
        Listed::Resources => "resources/list",
        Listed::Templates => "resources/templates/list",
        Listed::Prompts => "prompts/list",
    }
}
