//! What was seen of a load: counts, and failures with their time and their words.

use std::{collections::BTreeMap, fmt, time::Duration};

/// How many failures people are shown.
const SHOWN_FAILURES: usize = 20;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody listens there.
    Refused,
    /// There is no way there.
    Unreachable,
    /// The connection was torn down.
    Reset,
    /// The connection was closed before the answer was whole.
    Closed,
    /// Nothing came in time.
    Timeout,
    /// 502, 503 or 504.
    Unavailable,
    /// Any other status than 200.
    Status,
    /// A JSON-RPC error, or a tool's.
    Error,
    /// An answer that is not that of this call.
    WrongAnswer,
    /// It could not start when it was due: too many were under way.
    Overdue,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Since the load began.
    pub at: Duration,
    /// What went wrong.
    pub kind: Kind,
    /// Who did what, and the first words of what was said about it.
    pub words: String,
}

/// What was seen up to a moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Since the load began.
    pub lasted: Duration,
    /// Calls that got their own answer.
    pub answered: u64,
    /// Calls, answered or not, that were sent on a reused connection which was then closed without a byte of the answer. They
    /// were sent again once, as by a client that knows that it may.
    pub unanswered: u64,
    /// Calls that were answered after failures, by the plan's persistence.
    pub persisted: u64,
    /// Calls and openings of streams that failed.
    pub failed: BTreeMap<Kind, u64>,
    /// Failures of tries after which there was another.
    pub tried_again: BTreeMap<Kind, u64>,
    /// Connections that the server said it would close.
    pub told_to_close: u64,
    /// Connections that were closed while they were idle.
    pub found_closed: u64,
    /// Streams that were acknowledged.
    pub streams_opened: u64,
    /// Streams that ended with their result; of sessions, those that were closed in order.
    pub streams_ended: u64,
    /// Streams that ended in any other way, but for those of sessions of persistent clients, who read on.
    pub streams_broken: u64,
    /// Events of sessions' streams, by the number of the client.
    pub events: BTreeMap<usize, u64>,
    /// The names of the tools that each of them found when it had last heard of a change, by the same number.
    pub tools: BTreeMap<usize, Vec<String>>,
    /// Of the events: twice, out of order, or after one that is missing.
    pub disordered: u64,
    /// The first ones, in the order in which they came: failures, requests without an answer, broken streams.
    pub failures: Vec<Failure>,
    /// From when each call was due to its answer, in microseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Report {
    /// Calls and openings of streams that failed.
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// The latency that this part of the calls stayed within.
    pub fn latency(&self, part: f64) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position in a list of a million at most, between nothing and its length"
        )]
        let position = (self.latencies.len() as f64 * part) as usize;
        let found = self.latencies.get(position).or(self.latencies.last());
        Duration::from_micros(found.copied().unwrap_or_default().into())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} s: {} calls answered (p50 {:.1?}, p99 {:.1?}, longest {:.1?}), {} failed, {} sent again without an answer",
            self.lasted.as_secs_f32(),
            self.answered,
            self.latency(0.5),
            self.latency(0.99),
            self.latency(1.0),
            self.failed(),
            self.unanswered,
        )?;
        if !self.tried_again.is_empty() {
            write!(f, ", {} answered after {:?}", self.persisted, self.tried_again)?;
        }
        write!(
            f,
            "; streams: {} opened, {} ended in order, {} broken; connections: {} told to close, {} found closed",
            self.streams_opened, self.streams_ended, self.streams_broken, self.told_to_close, self.found_closed,
        )?;
        if !self.events.is_empty() {
            let (events, sessions) = (self.events.values().sum::<u64>(), self.events.len());
            write!(f, "; events: {events} in {sessions} sessions, {} doubled or missing", self.disordered)?;
        }
        if !self.failed.is_empty() {
            write!(f, "\n  failed: {:?}", self.failed)?;
        }
        for Failure { at, kind, words } in self.failures.iter().take(SHOWN_FAILURES) {
            write!(f, "\n  {:.3} s {kind:?}: {words}", at.as_secs_f32())?;
        }
        let hidden = self.failures.len().saturating_sub(SHOWN_FAILURES);
        if hidden > 0 { write!(f, "\n  and {hidden} more") } else { Ok(()) }
    }
}
