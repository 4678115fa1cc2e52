//! The members of `params` and `params._meta` that this gateway reads, as raw text.
//!
//! One pass over each, nothing copied. Who needs a member checks its type; unknown members are left
//! alone, as the specification wants it. A member that is `null` counts as absent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    envelope::{is_object, string},
    error::McpError,
};

/// Members of `params`. Without `Debug`, as all that holds what a caller sent.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
    /// Of `tools/call` and `prompts/get`.
    #[serde(borrow, default)]
    pub(super) name: Option<&'a RawValue>,
    /// Of `tools/call` and `prompts/get`.
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    /// Of `resources/read`, `resources/subscribe` and `resources/unsubscribe`.
    #[serde(borrow, default)]
    pub(super) uri: Option<&'a RawValue>,
    /// Of lists.
    #[serde(borrow, default)]
    pub(super) cursor: Option<&'a RawValue>,
    /// Of `completion/complete`.
    #[serde(borrow, default, rename = "ref")]
    pub(super) reference: Option<&'a RawValue>,
    /// Of `completion/complete`.
    #[serde(borrow, default)]
    pub(super) argument: Option<&'a RawValue>,
    /// Of `completion/complete`.
    #[serde(borrow, default)]
    pub(super) context: Option<&'a RawValue>,
    /// Of a request that is sent again with what was asked for.
    #[serde(borrow, default, rename = "inputResponses")]
    pub(super) input_responses: Option<&'a RawValue>,
    /// Of a request that is sent again with what was asked for.
    #[serde(borrow, default, rename = "requestState")]
    pub(super) request_state: Option<&'a RawValue>,
    /// Of `subscriptions/listen`.
    #[serde(borrow, default)]
    pub(super) notifications: Option<&'a RawValue>,
    /// Of `initialize`.
    #[serde(borrow, default, rename = "protocolVersion")]
    pub(super) protocol_version: Option<&'a RawValue>,
    /// Of `initialize`.
    #[serde(borrow, default)]
    pub(super) capabilities: Option<&'a RawValue>,
    /// Of `logging/setLevel`.
    #[serde(borrow, default)]
    pub(super) level: Option<&'a RawValue>,
    /// Of `notifications/cancelled`.
    #[serde(borrow, default, rename = "requestId")]
    pub(super) request_id: Option<&'a RawValue>,
}

/// Members of `params._meta`.
#[derive(Default, Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    pub(super) protocol_version: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub(super) client_capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/logLevel")]
    pub(super) log_level: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "progressToken")]
    pub(super) progress_token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    traceparent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tracestate: Option<&'a RawValue>,
    #[serde(borrow, default)]
    baggage: Option<&'a RawValue>,
}

/// The trace that a caller says it belongs to. Untrusted: a value that is not text or is longer than
/// its format allows is absent here, and whoever reads on ignores what it does not understand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext<'a> {
    /// W3C `traceparent`.
    pub traceparent: Option<Cow<'a, str>>,
    /// W3C `tracestate`.
    pub tracestate: Option<Cow<'a, str>>,
    /// W3C `baggage`.
    pub baggage: Option<Cow<'a, str>>,
}

/// Longest `traceparent`: version 00 has 55 bytes, later ones may append.
const MAX_TRACEPARENT_BYTES: usize = 128;

/// Longest `tracestate`: what the W3C text asks everyone to carry.
const MAX_TRACESTATE_BYTES: usize = 512;

/// Longest `baggage`: what the W3C text asks everyone to carry.
const MAX_BAGGAGE_BYTES: usize = 8192;

impl<'a> Params<'a> {
    /// Reads them; without `params` all are absent. `params` is an object, which the envelope checked.
    pub(super) fn read(params: Option<&'a RawValue>) -> Result<Self, McpError> {
        let Some(params) = params else { return Ok(Self::default()) };
        serde_json::from_str(params.get()).map_err(|_| McpError::invalid_params("params cannot be read"))
    }

    /// Reads `_meta`; without it all its members are absent.
    pub(super) fn meta(&self) -> Result<Meta<'a>, McpError> {
        match self.meta {
            None => Ok(Meta::default()),
            Some(meta) if is_object(meta) => {
                serde_json::from_str(meta.get()).map_err(|_| McpError::invalid_params("params._meta cannot be read"))
            }
            Some(_) => Err(McpError::invalid_params("params._meta must be an object")),
        }
    }
}

impl<'a> Meta<'a> {
    pub(super) fn trace_context(&self) -> TraceContext<'a> {
        TraceContext {
            traceparent: bounded(self.traceparent, MAX_TRACEPARENT_BYTES),
            tracestate: bounded(self.tracestate, MAX_TRACESTATE_BYTES),
            baggage: bounded(self.baggage, MAX_BAGGAGE_BYTES),
        }
    }
}

fn bounded(value: Option<&RawValue>, max_bytes: usize) -> Option<Cow<'_, str>> {
    string(value?).filter(|text| text.len() <= max_bytes)
}
