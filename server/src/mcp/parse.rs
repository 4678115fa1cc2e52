//! From an HTTP request to a checked step. Nothing runs.

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::value::RawValue;

use super::{
    Caller,
    endpoint::Inner,
    envelope::{Body, ClientAnswer, Envelope, Message, Refused, read, read_one},
    era::{self, Marks, Way},
    error::{ErrorCode, McpError},
    headers::{Single, accept, is_json, names, single},
    legacy::{self, Offers},
    modern,
    operation::Operation,
    params::{Meta, Params},
    parsed::{McpRequest, Parsed, Request, Step},
    record::{MethodLabel, request_id, session_name},
    session::{EventId, Session},
};
use crate::{
    features::{CallKind, Catalog},
    protocol::ProtocolVersion,
};

/// Messages in one batch. Source: protocol.md, section 2.
const MAX_BATCH: usize = 32;

/// What a request is checked against.
#[derive(Clone, Copy)]
pub(super) struct Parser<'p> {
    pub(super) endpoint: &'p Inner,
    pub(super) caller: &'p Caller<'p>,
    pub(super) headers: &'p HeaderMap,
    /// The session that the headers name, where it is open already.
    pub(super) session: Option<&'p Arc<Session>>,
    /// What exists, for the whole of the request.
    pub(super) catalog: &'p Catalog,
}

impl Parser<'_> {
    /// Reads and checks a request.
    pub(super) fn request<'a>(&self, request: McpRequest<'a>) -> Parsed<'a> {
        let parsed = match *request.method {
            Method::POST => return self.post(request.body),
            Method::GET => self.get(),
            Method::DELETE => self.delete(),
            _ => Err(McpError::method_not_allowed()),
        };
        parsed.unwrap_or_else(Parsed::refused)
    }

    /// Reads and checks one message of a batch.
    pub(super) fn item<'a>(&self, session: &Arc<Session>, item: &'a RawValue) -> Parsed<'a> {
        match read_one(item) {
            Err(refused) => Parsed::unreadable(refused).in_session(session),
            Ok(Message::Answer(answer)) => {
                Parsed::new(Step::TakeAnswer { session: Arc::clone(session), answer }).in_session(session)
            }
            Ok(Message::Call(envelope)) => self.call(&envelope, Some(session)),
        }
    }

    fn post<'a>(&self, body: &'a [u8]) -> Parsed<'a> {
        if !is_json(self.headers) {
            return Parsed::refused(McpError::unsupported_media_type());
        }
        match read(body) {
            Err(refused) => Parsed::unreadable(refused),
            Ok(Body::One(Message::Call(envelope))) => self.call(&envelope, None),
            Ok(Body::One(Message::Answer(answer))) => self.answer(answer).unwrap_or_else(Parsed::refused),
            Ok(Body::Batch(items)) => self.batch(items).unwrap_or_else(Parsed::refused),
        }
    }

    /// A request or a notification, of its own or inside a batch of `session`.
    fn call<'a>(&self, envelope: &Envelope<'a>, session: Option<&Arc<Session>>) -> Parsed<'a> {
        let mut parsed = Parsed::new(Step::Accept);
        parsed.record.method = MethodLabel::of(&envelope.method);
        parsed.record.request_id = envelope.id.map(request_id);
        parsed.step = self
            .step(&mut parsed, envelope, session)
            .unwrap_or_else(|error| Step::Refuse(Refused { id: envelope.id, error }));
        if let Step::Serve(request) = &parsed.step
            && let Operation::Call { kind: CallKind::Tool { name, .. }, .. } = &request.operation
        {
            parsed.record.tool = self.catalog.name(name);
        }
        parsed
    }

    fn step<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        envelope: &Envelope<'a>,
        session: Option<&Arc<Session>>,
    ) -> Result<Step<'a>, McpError> {
        let params = Params::read(envelope.params)?;
        // A `_meta` that cannot be read names no version; it is told once the era is known.
        let meta = params.meta();
        let way = match session {
            Some(session) => {
                let session = Arc::clone(session);
                return self.in_session(parsed, envelope, &params, &meta?, session);
            }
            None => era::decide(&Marks {
                meta_version: meta.as_ref().is_ok_and(|meta| meta.protocol_version.is_some()),
                method: &envelope.method,
                headers: self.headers,
            })?,
        };
        let meta = meta?;
        parsed.trace_context = meta.trace_context();
        match way {
            Way::Modern => self.modern(parsed, envelope, &params, &meta),
            Way::Initialize => self.initialize(parsed, envelope, &params),
            Way::Session(id) => {
                let session = self.session(id)?;
                era::check_version_header(self.headers)?;
                self.in_session(parsed, envelope, &params, &meta, session)
            }
        }
    }

    fn modern<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        envelope: &Envelope<'a>,
        params: &Params<'a>,
        meta: &Meta<'a>,
    ) -> Result<Step<'a>, McpError> {
        // The header rules for notifications are open; one that is well-formed is accepted.
        let Some(id) = envelope.id else { return Ok(Step::Accept) };
        let version = ProtocolVersion::LATEST_MODERN;
        let checked = modern::check(envelope, params, meta, self.headers, self.catalog.offered());
        let is_served = !matches!(&checked, Err(error) if error.code == ErrorCode::UnsupportedProtocolVersion);
        parsed.record.protocol_version = is_served.then_some(version);
        let modern::Checked { operation, client, log_level } = checked?;
        Ok(Step::Serve(Box::new(Request {
            version,
            session: None,
            id,
            operation,
            client,
            log_level,
            progress_token: meta.progress_token,
            accepts_stream: true,
        })))
    }

    fn initialize<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        envelope: &Envelope<'a>,
        params: &Params<'a>,
    ) -> Result<Step<'a>, McpError> {
        self.acceptable()?;
        let Some(id) = envelope.id else {
            return Err(McpError::invalid_request("initialize is a request: give it an id"));
        };
        let (version, client) = legacy::initialize(params)?;
        parsed.record.protocol_version = Some(version);
        Ok(Step::Serve(Box::new(Request {
            version,
            session: None,
            id,
            operation: Operation::Initialize,
            client,
            log_level: None,
            progress_token: None,
            accepts_stream: false,
        })))
    }

    fn in_session<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        envelope: &Envelope<'a>,
        params: &Params<'a>,
        meta: &Meta<'a>,
        session: Arc<Session>,
    ) -> Result<Step<'a>, McpError> {
        parsed.record.protocol_version = Some(session.version());
        parsed.record.session = Some(session_name(&session.record.name));
        parsed.trace_context = meta.trace_context();
        let Some(id) = envelope.id else {
            return Ok(match (&*envelope.method, params.request_id) {
                ("notifications/cancelled", Some(request)) => Step::Cancel { session, request },
                _ => Step::Accept,
            });
        };
        let accepts_stream = self.acceptable()?;
        let offers =
            Offers { features: self.catalog.offered(), streams: self.endpoint.sessions_have_state(self.caller.policy) };
        let operation = legacy::check(envelope, params, meta, offers)?;
        Ok(Step::Serve(Box::new(Request {
            version: session.version(),
            client: session.client(),
            log_level: session.log_level(),
            session: Some(session),
            id,
            operation,
            progress_token: meta.progress_token,
            accepts_stream,
        })))
    }

    /// The client answers a request of ours. In the modern era nothing is asked.
    fn answer<'a>(&self, answer: ClientAnswer<'a>) -> Result<Parsed<'a>, McpError> {
        let refused = || McpError::invalid_request("a response was posted, but nothing was asked");
        let session = era::session(self.headers)?.filter(|_| !era::is_modern(self.headers)).ok_or_else(refused)?;
        let session = self.session(session)?;
        era::check_version_header(self.headers)?;
        Ok(Parsed::new(Step::TakeAnswer { session: Arc::clone(&session), answer }).in_session(&session))
    }

    fn batch<'a>(&self, items: Vec<&'a RawValue>) -> Result<Parsed<'a>, McpError> {
        let refused = || McpError::invalid_request("batches are not accepted: post one message");
        let session = era::session(self.headers)?.filter(|_| !era::is_modern(self.headers)).ok_or_else(refused)?;
        let session = self.session(session)?;
        era::check_version_header(self.headers)?;
        if !session.version().has_batches() {
            return Err(refused());
        }
        self.acceptable()?;
        if items.is_empty() {
            return Err(McpError::invalid_request("a batch must hold at least one message"));
        }
        if items.len() > MAX_BATCH {
            return Err(McpError::invalid_request("a batch holds at most 32 messages"));
        }
        Ok(Parsed::new(Step::Batch { session: Arc::clone(&session), items }).in_session(&session))
    }

    /// A GET: only sessions have streams of their own.
    fn get<'a>(&self) -> Result<Parsed<'a>, McpError> {
        let session = self.session_of_bodiless()?;
        if !accept(self.headers).event_stream {
            return Err(McpError::not_acceptable("text/event-stream"));
        }
        let after = match single(self.headers, &names::LAST_EVENT_ID) {
            Single::Absent => None,
            Single::Value(text) => Some(EventId::parse(text).ok_or_else(McpError::unknown_event)?),
            Single::Malformed => return Err(McpError::unknown_event()),
        };
        Ok(Parsed::new(Step::OpenStream { session: Arc::clone(&session), after }).in_session(&session))
    }

    fn delete<'a>(&self) -> Result<Parsed<'a>, McpError> {
        let session = self.session_of_bodiless()?;
        Ok(Parsed::new(Step::EndSession { session: Arc::clone(&session) }).in_session(&session))
    }

    fn session_of_bodiless(&self) -> Result<Arc<Session>, McpError> {
        if era::is_modern(self.headers) {
            return Err(McpError::method_not_allowed());
        }
        let Some(id) = era::session(self.headers)? else {
            // Who speaks no session at all learns that there is nothing to get here.
            return Err(match single(self.headers, &names::PROTOCOL_VERSION) {
                Single::Absent => McpError::method_not_allowed(),
                Single::Value(_) | Single::Malformed => McpError::no_session(),
            });
        };
        let session = self.session(id)?;
        era::check_version_header(self.headers)?;
        if self.endpoint.sessions_have_state(self.caller.policy) {
            Ok(session)
        } else {
            Err(McpError::not_offered(
                "not offered: this endpoint has several replicas, so a session has no stream and cannot be ended; go on with POST",
            ))
        }
    }

    fn session(&self, id: &str) -> Result<Arc<Session>, McpError> {
        let session = self.session.cloned().or_else(|| self.endpoint.open_session(self.caller, id));
        session.ok_or_else(McpError::unknown_session)
    }

    /// Whether the client reads JSON, which it must, and whether it reads streams.
    fn acceptable(&self) -> Result<bool, McpError> {
        let accepted = accept(self.headers);
        if accepted.json { Ok(accepted.event_stream) } else { Err(McpError::not_acceptable("application/json")) }
    }
}
