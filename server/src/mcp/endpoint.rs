//! The MCP endpoint: all that it is made of. Built once at start.
//!
//! The policy comes with each request, since it reloads in place; the features change by themselves.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    audit::Audit,
    capabilities::server_capabilities,
    era,
    parsed::McpRequest,
    replicas::{CaughtUp, Replicas, hear},
    reply::McpReply,
    serve::Serve,
    session::{Session, Sessions},
};
use crate::{
    auth::Principal,
    clock::Clock,
    features::{Catalog, Features},
    gateway::Policy,
    places::{Place, Places},
    protocol::{Era, ProtocolVersion},
    seal::KeyRing,
    store::Store,
};

/// Streams of the process that are open at a time, those of `subscriptions/listen` and of sessions. Chosen: 20 KiB
/// each, of which most is the connection's.
const MAX_STREAMS: usize = 10_240;

/// What an endpoint is made of.
pub struct EndpointSettings {
    /// `serverInfo.name`: the name of the `McpServer`.
    pub server_name: String,
    /// All that is offered.
    pub features: Features,
    /// Seals what clients carry.
    pub keys: KeyRing,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where is kept what may be used once.
    pub store: Arc<dyn Store>,
    /// Whether the replicas of this endpoint share it; else each knows only what it did itself.
    pub shares_store: bool,
}

/// Who sent a request, and under which id it is written down. Authenticated before it comes here.
pub struct Caller<'a> {
    /// Who.
    pub principal: &'a Arc<Principal>,
    /// Ties answer, logs and spans together.
    pub correlation_id: &'a Arc<str>,
    /// The policy in force.
    pub policy: &'a Policy,
}

/// Tells, at any moment, what anybody may find in a list of this process.
pub(super) type Lists = Box<dyn Fn() -> String + Send + Sync>;

/// The endpoint. A cheap handle.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

pub(super) struct Inner {
    pub(super) features: Features,
    pub(super) sessions: Sessions,
    /// `None` where nothing is shared.
    pub(super) replicas: Option<Arc<Replicas>>,
    /// What may be used once. Where nothing is shared each process knows its own.
    pub(super) marks: Arc<dyn Store>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) streams: Places,
    /// What decides for streams that are open; `None` while it is the policy that they were opened under.
    pub(super) newer_policy: ArcSwapOption<Policy>,
    /// Owns whatever goes on beside requests.
    pub(super) tasks: TaskTracker,
    /// Cancelled when the process stops: streams come to their end.
    pub(super) stop: CancellationToken,
    pub(super) server_info: Value,
    /// `{"io.modelcontextprotocol/serverInfo": …}`
    pub(super) modern_meta: Arc<RawValue>,
}

impl Endpoint {
    /// Must be called inside a Tokio runtime.
    pub fn new(settings: EndpointSettings) -> Self {
        let EndpointSettings { server_name, features, keys, clock, store, shares_store } = settings;
        let server_info = json!({ "name": server_name, "version": env!("CARGO_PKG_VERSION") });
        let modern_meta = raw(&json!({ "io.modelcontextprotocol/serverInfo": server_info }));
        let keys = Arc::new(keys);
        Self(Arc::new(Inner {
            features,
            sessions: Sessions::new(Arc::clone(&keys), shares_store),
            replicas: shares_store.then(|| Arc::new(Replicas::new(Arc::clone(&store), Arc::clone(&keys)))),
            marks: store,
            keys,
            clock,
            streams: Places::new(MAX_STREAMS),
            newer_policy: ArcSwapOption::empty(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            server_info,
            modern_meta: modern_meta.into(),
        }))
    }

    /// What exists at this moment.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.features.catalog()
    }

    /// Where changes are told.
    pub fn changes(&self) -> &crate::features::Changes {
        self.0.features.changes()
    }

    /// How many streams are open, and how many sessions something hangs on.
    pub fn open(&self) -> (usize, usize) {
        (self.0.streams.taken(), self.0.sessions.count())
    }

    /// Another policy is in force: open streams tell what it lets their callers know.
    pub fn judge_streams_by(&self, policy: Arc<Policy>) {
        self.0.newer_policy.store(Some(policy));
    }

    /// The process stops: streams come to their orderly end, calls go on.
    pub fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
    }

    /// Hears and tells other replicas until `stop`: longer than [`Endpoint::stop`], since calls go on that may need them.
    pub async fn hear_replicas(self, lists: Lists, stop: CancellationToken) {
        if let Some(replicas) = &self.0.replicas {
            hear(Arc::clone(&self.0), Arc::clone(replicas), lists, stop).await;
        }
    }

    /// Tells other replicas that this one answers no more, while its store can still be used.
    pub async fn leave_replicas(&self, lists: &str) {
        if let Some(replicas) = &self.0.replicas {
            replicas.leave(lists).await;
        }
    }

    /// Whatever goes on beside requests; ends some time after [`Endpoint::stop`].
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// `GET <path>/capabilities`: what discovery says, for those who do not speak MCP.
    pub fn capabilities_document(&self) -> Value {
        json!({
            "apiVersion": ProtocolVersion::LATEST_MODERN.as_str(),
            "capabilities": server_capabilities(&self.catalog(), Era::Modern, true),
            "serverInfo": self.0.server_info,
        })
    }

    /// Answers a request. `place` is held for as long as it is worked on.
    pub async fn handle(
        &self,
        request: McpRequest<'_>,
        caller: Caller<'_>,
        place: Option<Arc<Place>>,
        audit: &dyn Audit,
    ) -> McpReply {
        let session = self.caught_up(&request, &caller).await;
        let catalog = self.catalog();
        let headers = request.headers;
        let serve = Serve { endpoint: &self.0, caller: &caller, headers, session, catalog: &catalog, audit };
        let parsed = serve.parser().request(request);
        serve.message(parsed, place).await
    }

    /// The session that a request belongs to, with what other replicas know of it; `None` where nothing is shared, and for a
    /// session that is none any more. A store that cannot be asked changes nothing: the id says all that is needed to serve it.
    async fn caught_up(&self, request: &McpRequest<'_>, caller: &Caller<'_>) -> Option<Arc<Session>> {
        let replicas = self.0.replicas.as_ref()?;
        let id = era::session(request.headers).ok().flatten().filter(|_| !era::is_modern(request.headers))?;
        let session = self.0.open_session(caller, id)?;
        if replicas.catch_up(&session).await == Ok(CaughtUp::Ended) {
            self.0.sessions.end(&session, self.0.clock.now());
            return None;
        }
        Some(session)
    }
}

impl Inner {
    /// The session of this id, if it is one of the caller's.
    pub(super) fn open_session(&self, caller: &Caller<'_>, id: &str) -> Option<Arc<Session>> {
        let of_principal = caller.policy.limits().sessions_per_principal;
        self.sessions.open(caller.principal, id, self.clock.now(), of_principal)
    }

    /// Whether sessions of the older era have state, and with it streams, subscriptions and requests to the client: where
    /// this is the one pod, or all of them share what they know.
    pub(super) fn sessions_have_state(&self, policy: &Policy) -> bool {
        policy.sessions_have_state() || self.replicas.is_some()
    }
}

/// A JSON document, written once.
pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("JSON values and strings always serialise")
}
