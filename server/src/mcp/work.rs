//! One call from its start to its answer: run it, and ask the client for what it needs on the way.
//!
//! Owns all that it uses, so that it can go on when its request is gone. What it says in between goes into the notes
//! of its context; [`super::respond`] brings both to the client.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{
    capabilities::undeclared,
    endpoint::Inner,
    envelope::Refused,
    error::{ErrorCode, McpError},
    input::StateBinding,
    notify,
    record::CallOutcome,
    result::{self, Target},
    session::{InFlight, Outstanding, Session},
};
use crate::{
    features::{
        Call, CallAnswer, CallContext, CallKind, Ended, FeatureError, InputRequired, InputResponses, Note, ToolOutcome,
    },
    places::{NoPlace, Place},
    protocol::{Era, ProtocolVersion},
};

/// How often one call may ask. Chosen: a form of many pages has fewer.
const MAX_ROUNDS: usize = 16;

/// How long a client of the older era may take to answer one request of ours. Chosen: the time of a person who sits
/// there; the call holds a place meanwhile.
const ANSWER_DEADLINE: Duration = Duration::from_secs(300);

/// A call and everything around it.
pub(super) struct Work {
    pub(super) endpoint: Arc<Inner>,
    pub(super) call: Call,
    pub(super) context: CallContext,
    pub(super) version: ProtocolVersion,
    pub(super) id: Box<RawValue>,
    /// In the older era: where requests to the client go. `None` where there is no stream for them.
    pub(super) client: Option<Client>,
    /// Held for as long as the call runs.
    pub(super) held: Held,
}

/// The client of a session, as far as it can be asked.
pub(super) struct Client {
    pub(super) session: Arc<Session>,
    pub(super) notes: mpsc::Sender<Note>,
    /// How many streams its principal may have.
    pub(super) of_caller: usize,
}

/// What a call holds until its end.
#[derive(Default)]
pub(super) struct Held {
    pub(super) _in_flight: Option<InFlight>,
    /// Shared by the calls of a batch.
    pub(super) place: Option<Arc<Place>>,
    /// Of a stream: instead of `place`, once the client was asked.
    pub(super) stream_place: Option<Place>,
}

/// How a call ended, as the client is told.
pub(super) struct Done {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) outcome: CallOutcome,
}

impl Work {
    /// Runs the call to its end.
    pub(super) async fn run(mut self) -> Done {
        for _ in 0..MAX_ROUNDS {
            let input = match self.call.run(&self.context).await {
                Ended::InputRequired(input) => input,
                ended => return self.done(ended),
            };
            if let Some(missing) = undeclared(&input, self.context.client) {
                return self.done(Ended::Failed(FeatureError::MissingCapability(missing)));
            }
            if self.version.is_modern() {
                return self.ask_by_answer(&input);
            }
            if self.take_stream_place().is_err() {
                return self.error(McpError::too_many_streams());
            }
            match self.ask_by_requests(&input).await {
                Some(responses) => {
                    self.context.responses = Some(Arc::new(responses));
                    self.context.state = input.state.map(Into::into);
                }
                None => return self.unanswered(),
            }
        }
        self.unanswered()
    }

    fn target(&self) -> Target<'_> {
        Target { version: self.version, id: &self.id, modern_meta: &self.endpoint.modern_meta }
    }

    fn ask_by_answer(&self, input: &InputRequired) -> Done {
        let state = input.state.as_deref().map(|state| {
            let binding = StateBinding::new(&self.context.principal, self.call.kind());
            binding.seal(&self.endpoint.keys, state, self.endpoint.clock.now())
        });
        let body = self.target().input_required(input, state.as_deref());
        Done { status: StatusCode::OK, body, outcome: CallOutcome::InputRequired }
    }

    /// Whoever waits for a person does no work: it holds the place of a stream, and gives back that of a request. Else
    /// forms that nobody fills in would keep out all others, the client's answer among them.
    fn take_stream_place(&mut self) -> Result<(), NoPlace> {
        let Some(client) = &self.client else { return Ok(()) };
        if self.held.stream_place.is_none() {
            self.held.stream_place = Some(self.endpoint.streams.take(&self.context.principal, client.of_caller)?);
            self.held.place = None;
        }
        Ok(())
    }

    /// Asks on the call's own stream, and waits for all answers.
    async fn ask_by_requests(&self, input: &InputRequired) -> Option<InputResponses> {
        let Client { session, notes, .. } = self.client.as_ref()?;
        let mut asked = Vec::with_capacity(input.requests.len());
        for (key, request) in &input.requests {
            let outstanding = session.ask();
            if let Some(replicas) = &self.endpoint.replicas {
                replicas.asks(session, outstanding.id, ANSWER_DEADLINE).await;
            }
            let message = notify::request(outstanding.id, request)?;
            notes.send(Note::Ask { message }).await.ok()?;
            asked.push((key, outstanding));
        }
        let questions: Vec<u64> = asked.iter().map(|(_, outstanding)| outstanding.id).collect();
        let answers = collect(&mut asked);
        let Some(replicas) = &self.endpoint.replicas else {
            return tokio::time::timeout(ANSWER_DEADLINE, answers).await.ok()?;
        };
        let answered = tokio::select! {
            answered = tokio::time::timeout(ANSWER_DEADLINE, answers) => answered.ok().flatten(),
            () = replicas.look_for_answers(session, &questions) => None,
        };
        for question in questions {
            replicas.asks_no_more(session, question).await;
        }
        answered
    }

    /// The client was asked, or could not be, and gave no answer.
    fn unanswered(&self) -> Done {
        match self.call.kind() {
            CallKind::Tool { .. } => {
                let text =
                    "this needs an answer from the client, which gave none; call again from a client that can be asked";
                self.done(Ended::Answered(CallAnswer::Tool(ToolOutcome::error(text))))
            }
            _ => self.error(McpError::invalid_params("this needs an answer from the client, which gave none")),
        }
    }

    fn done(&self, ended: Ended) -> Done {
        match ended {
            Ended::Answered(answer) => {
                let failed = matches!(&answer, CallAnswer::Tool(outcome) if outcome.is_error());
                let outcome = if failed { CallOutcome::ToolError } else { CallOutcome::Success };
                self.result(&answer, outcome)
            }
            Ended::TimedOut(deadline) if matches!(self.call.kind(), CallKind::Tool { .. }) => {
                let answer = CallAnswer::Tool(ToolOutcome::error(format!(
                    "the tool did not answer within {} s and was stopped; try again later or ask for less",
                    deadline.as_secs_f32()
                )));
                self.result(&answer, CallOutcome::Timeout)
            }
            Ended::Failed(FeatureError::NotFound) => self.error(unknown(self.version, self.call.kind())),
            Ended::Failed(FeatureError::InvalidParams(message)) => self.error(McpError::invalid_params(message)),
            Ended::Failed(FeatureError::MissingCapability(missing)) if self.version.is_modern() => {
                self.error(McpError::missing_capability(missing))
            }
            // The older era has no code for it.
            Ended::Failed(FeatureError::MissingCapability(_)) => self.unanswered(),
            Ended::InputRequired(_) | Ended::TimedOut(_) | Ended::Failed(FeatureError::Broken(_)) | Ended::Broken => {
                self.error(McpError::internal(&self.context.correlation_id))
            }
        }
    }

    fn result(&self, answer: &CallAnswer, outcome: CallOutcome) -> Done {
        Done { status: StatusCode::OK, body: self.target().answer(answer), outcome }
    }

    fn error(&self, error: McpError) -> Done {
        // A missing capability is told with its own status; everything else was served. Source: digest, section 10.
        let error = match (self.version.era(), error.code) {
            (Era::Modern, ErrorCode::MissingCapability | ErrorCode::InvalidParams) => error,
            _ => error.served(),
        };
        let refused = Refused { id: Some(&self.id), error };
        let body = result::error(refused.id, &refused.error);
        Done { status: refused.error.status, body, outcome: CallOutcome::Error(refused.error.code) }
    }
}

/// The answers to all that was `asked`.
async fn collect(asked: &mut [(&String, Outstanding<'_>)]) -> Option<InputResponses> {
    let mut responses = InputResponses::new();
    for (key, outstanding) in asked {
        // An error of the client is no answer.
        let answer = (&mut outstanding.answer).await.ok()??;
        responses.insert((*key).clone(), answer);
    }
    Some(responses)
}

/// What is answered for what does not exist, and for what the caller may not see.
pub(super) fn unknown(version: ProtocolVersion, kind: &CallKind) -> McpError {
    match kind {
        CallKind::Tool { .. } => McpError::unknown_tool(),
        CallKind::Resource { uri } => McpError::unknown_resource(version, uri),
        CallKind::Prompt { .. } => McpError::unknown_prompt(),
        CallKind::Completion { .. } => {
            McpError::invalid_params("unknown ref: use a prompt from prompts/list or a template")
        }
    }
}
