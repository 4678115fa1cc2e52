//! What one message is found to be, and what is left to do: the words between [`super::parse`] and [`super::serve`].

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::value::RawValue;

use super::{
    envelope::{ClientAnswer, Refused, RequestId},
    error::McpError,
    operation::Operation,
    params::TraceContext,
    record::{CallRecord, MethodLabel, request_id, session_name},
    session::{EventId, Session},
};
use crate::{
    features::{ClientCapabilities, LogLevel},
    protocol::ProtocolVersion,
};

/// An HTTP request to the MCP endpoint, as far as MCP is concerned. Without `Debug`: it is all that the caller sent.
#[derive(Clone, Copy)]
pub struct McpRequest<'a> {
    /// POST, GET or DELETE; any other method is 405.
    pub method: &'a Method,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body; the edge bounds it.
    pub body: &'a [u8],
}

/// What parsing has made of one message.
pub(super) struct Parsed<'a> {
    pub(super) record: CallRecord,
    pub(super) trace_context: TraceContext<'a>,
    pub(super) step: Step<'a>,
}

/// What is left to do. Without `Debug`: arguments and handles are in it.
pub(super) enum Step<'a> {
    /// Answer with an error.
    Refuse(Refused<'a>),
    /// Answer 202 to a notification that changes nothing.
    Accept,
    /// `notifications/cancelled`: do it, then answer 202.
    Cancel { session: Arc<Session>, request: &'a RawValue },
    /// The client answers a request of ours.
    TakeAnswer { session: Arc<Session>, answer: ClientAnswer<'a> },
    /// Do it, then answer.
    Serve(Box<Request<'a>>),
    /// Do each of them, then answer.
    Batch { session: Arc<Session>, items: Vec<&'a RawValue> },
    /// Open a stream, or go on with one.
    OpenStream { session: Arc<Session>, after: Option<EventId> },
    /// End the session.
    EndSession { session: Arc<Session> },
}

/// A checked request.
pub(super) struct Request<'a> {
    pub(super) version: ProtocolVersion,
    /// `None` in the modern era and for `initialize`.
    pub(super) session: Option<Arc<Session>>,
    pub(super) id: RequestId<'a>,
    pub(super) operation: Operation<'a>,
    pub(super) client: ClientCapabilities,
    pub(super) log_level: Option<LogLevel>,
    pub(super) progress_token: Option<&'a RawValue>,
    /// Whether the answer may be a stream.
    pub(super) accepts_stream: bool,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(step: Step<'a>) -> Self {
        let record = CallRecord {
            method: MethodLabel::Other,
            tool: None,
            session: None,
            request_id: None,
            protocol_version: None,
            outcome: None,
        };
        Self { record, trace_context: TraceContext::default(), step }
    }

    pub(super) fn refused(error: McpError) -> Self {
        Self::unreadable(Refused { id: None, error })
    }

    pub(super) fn unreadable(refused: Refused<'a>) -> Self {
        let id = refused.id.map(request_id);
        let mut parsed = Self::new(Step::Refuse(refused));
        parsed.record.request_id = id;
        parsed
    }

    pub(super) fn in_session(mut self, session: &Session) -> Self {
        self.record.session = Some(session_name(&session.record.name));
        self.record.protocol_version = Some(session.version());
        self
    }
}
