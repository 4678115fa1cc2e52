//! What a provider may know about the request that it answers, and what it may tell the client meanwhile.

use std::{fmt, sync::Arc};

use serde_json::{Number, Value, value::RawValue};
use tokio::sync::mpsc;

use super::InputResponses;
use crate::{auth::Principal, clock::Clock};

/// A request while it is answered.
#[derive(Clone)]
pub struct CallContext {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The id that ties answer, logs and spans together.
    pub correlation_id: Arc<str>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What the client said it can do: with this request in the modern era, with `initialize` in the older one.
    pub client: ClientCapabilities,
    /// What the client answered to an earlier [`super::InputRequired`].
    pub responses: Option<Arc<InputResponses>>,
    /// The state of that [`super::InputRequired`], unsealed.
    pub state: Option<Arc<[u8]>>,
    /// The trace that the call belongs to, as a W3C `traceparent` for whoever is called further on.
    pub traceparent: Option<Arc<str>>,
    /// What the client is told before the answer.
    pub notes: Notes,
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext").field("correlation_id", &self.correlation_id).finish_non_exhaustive()
    }
}

/// What a client can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of the specification")]
pub struct ClientCapabilities {
    /// `elicitation` in form mode.
    pub elicitation: bool,
    /// `elicitation.url`.
    pub elicitation_url: bool,
    /// `sampling`.
    pub sampling: bool,
    /// `sampling.tools`.
    pub sampling_tools: bool,
    /// `roots`.
    pub roots: bool,
}

/// The levels of log messages to clients, least important first. Source: RFC 5424, by way of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `notice`
    Notice,
    /// `warning`
    Warning,
    /// `error`
    Error,
    /// `critical`
    Critical,
    /// `alert`
    Alert,
    /// `emergency`
    Emergency,
}

impl LogLevel {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The level of that name.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

/// What the client is told before the answer.
#[derive(Clone, Debug)]
pub enum Note {
    /// How far the work is; `progress` must grow.
    Progress {
        /// How far.
        progress: Number,
        /// Of how much, where that is known.
        total: Option<Number>,
        /// For people.
        message: Option<String>,
    },
    /// A log message.
    Log {
        /// How important.
        level: LogLevel,
        /// Who writes.
        logger: Option<String>,
        /// Any JSON. Never a secret.
        data: Box<RawValue>,
    },
    /// A request to a client of the older era: a whole JSON-RPC message. The gateway itself makes these, out of
    /// [`super::InputRequired`].
    Ask {
        /// As it goes out.
        message: Box<RawValue>,
    },
    /// The client may be let go: it comes back for the rest. Only where the revision knows it (2025-11-25).
    Release,
}

/// Where notes go. By default nowhere: the client wants none.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Bounded; a note that finds no room is dropped, since each is superseded by the next or by the answer.
    sender: Option<mpsc::Sender<Note>>,
    progress: bool,
    /// The least level that is sent.
    level: Option<LogLevel>,
}

impl Notes {
    /// Notes for a client that wants progress (it sent a token) or log messages from `level` on.
    pub fn new(sender: mpsc::Sender<Note>, progress: bool, level: Option<LogLevel>) -> Self {
        Self { sender: Some(sender), progress, level }
    }

    /// Whether the client wants progress.
    pub fn wants_progress(&self) -> bool {
        self.progress && self.sender.is_some()
    }

    /// Tells how far the work is; nothing happens where the client does not want it.
    pub fn progress(&self, progress: impl Into<Number>, total: Option<Number>, message: Option<&str>) {
        if self.wants_progress() {
            let message = message.map(str::to_owned);
            self.send(Note::Progress { progress: progress.into(), total, message });
        }
    }

    /// Writes a log message for the client; nothing happens where the client does not want it.
    pub fn log(&self, level: LogLevel, logger: Option<&str>, data: &Value) {
        if self.level.is_some_and(|least| level >= least)
            && let Ok(data) = serde_json::value::to_raw_value(data)
        {
            self.send(Note::Log { level, logger: logger.map(str::to_owned), data });
        }
    }

    /// Lets the client go, where the revision knows how; it comes back for the rest.
    pub fn release(&self) {
        self.send(Note::Release);
    }

    fn send(&self, note: Note) {
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(note);
        }
    }
}
