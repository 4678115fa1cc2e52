//! A request that has been read and checked, and not yet run.

use http::{HeaderMap, Method};

use super::{
    envelope::{Envelope, Refused, RequestId, read},
    era::{self, Era, Marks, ProtocolVersion},
    error::{ErrorCode, McpError},
    headers::is_json,
    legacy, modern,
    operation::Operation,
    params::{Meta, Params, TraceContext},
    record::{CallRecord, MethodLabel, request_id},
};
use crate::gateway::Catalog;

/// An HTTP request to the MCP endpoint, as far as MCP is concerned.
#[derive(Clone, Copy, Debug)]
pub struct McpRequest<'a> {
    /// POST is served, any other method is 405.
    pub method: &'a Method,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body; the edge bounds it.
    pub body: &'a [u8],
}

/// What [`super::Endpoint::parse`] has made of a request.
#[derive(Debug)]
pub struct ParsedCall<'a> {
    pub(super) record: CallRecord,
    pub(super) trace_context: TraceContext<'a>,
    pub(super) step: Step<'a>,
}

/// What is left to do.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// Answer with an error.
    Refuse(Refused<'a>),
    /// Answer 202 to a notification.
    Accept,
    /// Do it, then answer.
    Serve { era: Era, id: RequestId<'a>, operation: Operation<'a> },
}

impl<'a> ParsedCall<'a> {
    /// What is known so far; the outcome is still open.
    pub fn record(&self) -> &CallRecord {
        &self.record
    }

    /// The trace that the caller says it belongs to, from `params._meta`.
    pub fn trace_context(&self) -> &TraceContext<'a> {
        &self.trace_context
    }
}

/// Reads and checks a request. Nothing runs.
pub(super) fn parse<'a>(catalog: &Catalog, request: McpRequest<'a>) -> ParsedCall<'a> {
    let mut parsed = ParsedCall {
        record: CallRecord {
            method: MethodLabel::Other,
            tool: None,
            request_id: None,
            protocol_version: None,
            outcome: None,
        },
        trace_context: TraceContext::default(),
        step: Step::Accept,
    };
    match envelope(request) {
        Err(refused) => {
            parsed.record.request_id = refused.id.map(request_id);
            parsed.step = Step::Refuse(refused);
        }
        Ok(envelope) => {
            parsed.record.method = MethodLabel::of(&envelope.method);
            parsed.record.request_id = envelope.id.map(request_id);
            parsed.step = step(&mut parsed, &envelope, request.headers)
                .unwrap_or_else(|error| Step::Refuse(Refused { id: envelope.id, error }));
        }
    }
    if let Step::Serve { operation: Operation::CallTool { name, .. }, .. } = &parsed.step {
        parsed.record.tool = catalog.name(name);
    }
    parsed
}

fn envelope(request: McpRequest<'_>) -> Result<Envelope<'_>, Refused<'_>> {
    let refused = |error| Refused { id: None, error };
    if request.method != Method::POST {
        return Err(refused(McpError::method_not_allowed()));
    }
    if !is_json(request.headers) {
        return Err(refused(McpError::unsupported_media_type()));
    }
    read(request.body)
}

fn step<'a>(parsed: &mut ParsedCall<'a>, envelope: &Envelope<'a>, headers: &HeaderMap) -> Result<Step<'a>, McpError> {
    let params = Params::read(envelope.params)?;
    // A `_meta` that cannot be read names no version; it is told once the era is known.
    let meta = params.meta();
    let era = era::decide(&Marks {
        meta_version: meta.as_ref().is_ok_and(|meta| meta.protocol_version.is_some()),
        method: &envelope.method,
        is_notification: envelope.id.is_none(),
        headers,
    })?;
    let meta = meta?;
    parsed.trace_context = meta.trace_context();
    // The header rules for notifications are open; one that is well-formed is accepted.
    let Some(id) = envelope.id else { return Ok(Step::Accept) };
    let served = ProtocolVersion::ALL.into_iter().find(|version| version.era() == era);
    match operation(era, envelope, &params, &meta, headers) {
        Ok(operation) => {
            parsed.record.protocol_version = served;
            Ok(Step::Serve { era, id, operation })
        }
        Err(error) => {
            let is_served = error.code != ErrorCode::UnsupportedProtocolVersion;
            parsed.record.protocol_version = served.filter(|_| is_served);
            Err(error)
        }
    }
}

fn operation<'a>(
    era: Era,
    envelope: &Envelope<'a>,
    params: &Params<'a>,
    meta: &Meta<'a>,
    headers: &HeaderMap,
) -> Result<Operation<'a>, McpError> {
    match era {
        Era::Modern => modern::operation(envelope, params, meta, headers),
        Era::Legacy => legacy::operation(envelope, params, meta, headers),
    }
}
