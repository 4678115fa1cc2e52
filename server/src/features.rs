//! What clients are offered, whoever offers it: the one inner interface for tools, resources, prompts and
//! completions.
//!
//! A [`Provider`] says what it has ([`Offer`]) and answers; the gateway's own tools, upstreams and the conformance
//! fixtures are providers alike. [`Features`] holds all of them and does everything around a call once:
//! authorization, checks of input and output, deadline, panics. A provider must never be called past it.

mod answer;
mod call;
mod catalog;
mod changes;
mod context;
mod current;
mod input;
mod offer;
mod param_headers;
mod provider;
pub(crate) mod schema;
#[cfg(test)]
pub(crate) mod testing;
mod wire;

pub use answer::{Answer, FeatureError, Outcome, PromptOutcome, ResourceOutcome, ToolOutcome};
pub use call::{Call, CallAnswer, CallKind, Ended};
pub use catalog::{Catalog, CatalogError, Listed, Offered};
pub use changes::{Change, ChangeReceiver, Changes};
pub use context::{CallContext, ClientCapabilities, LogLevel, Note, Notes};
pub use current::{Denied, Features};
pub use input::{InputRequired, InputResponses};
pub use offer::{Offer, OfferedPrompt, OfferedResource, OfferedTemplate, OfferedTool};
pub use param_headers::{BrokenAnnotation, ParamHeader, param_headers, repeats};
pub use provider::{CompletionOutcome, CompletionQuery, CompletionReference, Provider};

use std::time::Duration;

/// How long a call may take unless the tool says otherwise.
/// Chosen: half of what common ingresses allow a request, so the tool's own error still reaches the client.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
