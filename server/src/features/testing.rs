//! A provider for unit tests: what it offers can change, what it answers is a function.

use std::sync::Arc;

use arc_swap::ArcSwap;
use crds::gateway_config::{
    AuthMode, AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, Builtins, GatewayPolicy,
};
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{
    Answer, CallContext, CallKind, ClientCapabilities, FeatureError, Notes, Offer, OfferedPrompt, OfferedResource,
    OfferedTemplate, OfferedTool, Outcome, Provider, ResourceOutcome, ToolOutcome,
};
use crate::{auth::Principal, clock::SystemClock, gateway::Policy};

/// What a tool answers to these arguments.
type OfTool = Box<dyn Fn(&CallContext, &RawValue) -> BoxFuture<'static, Outcome<ToolOutcome>> + Send + Sync>;

/// Offers what it is given; knows the resources of one scheme.
pub(crate) struct Fake {
    pub(crate) offer: ArcSwap<Offer>,
    pub(crate) of_tool: OfTool,
    /// URIs that begin so are known.
    pub(crate) knows: &'static str,
}

impl Fake {
    pub(crate) fn new(offer: Offer) -> Self {
        let done = |_: &CallContext, _: &RawValue| ready(Ok(Answer::Complete(ToolOutcome::text("done")))).boxed();
        Self { offer: ArcSwap::from_pointee(offer), of_tool: Box::new(done), knows: "none:" }
    }
}

impl Provider for Fake {
    fn offer(&self) -> Arc<Offer> {
        self.offer.load_full()
    }

    fn call_tool<'a>(
        &'a self,
        context: &'a CallContext,
        _: &'a str,
        arguments: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>> {
        (self.of_tool)(context, arguments)
    }

    fn read_resource<'a>(&'a self, _: &'a CallContext, uri: &'a str) -> BoxFuture<'a, Outcome<ResourceOutcome>> {
        let contents = to_raw_value(&json!([{ "uri": uri, "text": self.knows }])).unwrap();
        let outcome = Answer::Complete(ResourceOutcome { contents });
        ready(if uri.starts_with(self.knows) { Ok(outcome) } else { Err(FeatureError::NotFound) }).boxed()
    }
}

/// A tool without checks of its content.
pub(crate) fn tool(name: &str) -> OfferedTool {
    OfferedTool::own(name, &json!({ "name": name, "description": "A tool.", "inputSchema": { "type": "object" } }))
}

/// One entry of each kind, `tool` aside.
pub(crate) fn others() -> Offer {
    Offer {
        resources: vec![OfferedResource::own("fixed:one", &json!({ "uri": "fixed:one", "name": "One" }))],
        templates: vec![OfferedTemplate::own("any:{id}", &json!({ "uriTemplate": "any:{id}", "name": "Any" }))],
        prompts: vec![OfferedPrompt::own("greet", &json!({ "name": "greet" }))],
        ..Offer::default()
    }
}

/// Needs the scope `a` for the tool `guarded`; `default` decides about the rest.
pub(crate) fn policy(default: AuthorizationDefault) -> Policy {
    let rule = |tools: &str, scope: &str| AuthorizationRule::scopes([tools], [scope]);
    let rules = vec![rule("guarded", "a")];
    let builtins = Builtins { ping: false, echo: false, health_check: false };
    Policy::compile(&GatewayPolicy::of(AuthorizationPolicy::new(default, rules)), &builtins, AuthMode::OAuth).unwrap()
}

pub(crate) fn principal() -> Principal {
    Principal::new("https://issuer.example", "me")
}

pub(crate) fn call_of(name: &str, arguments: &str) -> CallKind {
    CallKind::Tool { name: name.into(), arguments: RawValue::from_string(arguments.to_owned()).unwrap() }
}

pub(crate) fn context() -> CallContext {
    CallContext {
        principal: Arc::new(principal()),
        correlation_id: "cid".into(),
        clock: Arc::new(SystemClock),
        client: ClientCapabilities::default(),
        responses: None,
        state: None,
        traceparent: None,
        notes: Notes::default(),
    }
}
