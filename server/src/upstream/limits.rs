//! What bounds an upstream: times in [`Timing`], everything else as constants.
//!
//! An upstream is trusted to answer calls and nothing more. It may be broken, slow, or out to fill our memory.

use std::time::Duration;

/// Calls in flight. Chosen: what one upstream can hold of this process, however slow it becomes; with answers of the
/// largest size it is 128 MiB.
pub(super) const MAX_CALLS: usize = 32;

/// Notifications and answers on their way that nobody waits for, calls being cancelled aside. Chosen: they are rare.
pub(super) const MAX_ASIDES: usize = 32;

/// Streams that have given their answer and are read to their end, so that the connection can be used again.
pub(super) const MAX_ENDINGS: usize = 64;

/// Bytes after the answer; more is not worth a connection.
pub(super) const MAX_ENDING_BYTES: usize = 4 << 10;

/// Bytes of one answer to a call, its stream included. Chosen: what a request to us may have.
pub(super) const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Bytes of a whole tool list, over all pages.
pub(super) const MAX_LIST_BYTES: usize = 4 << 20;

/// Bytes of an answer to a handshake or with an error.
pub(super) const MAX_SMALL_BYTES: usize = 256 << 10;

/// Bytes on one stream of changes before it is opened anew. Chosen: a keep-alive each second fits.
pub(super) const MAX_WATCH_BYTES: usize = 1 << 20;

/// Messages in one answer, and on one stream of changes. Chosen: a progress note each 3 ms of the longest usual call.
pub(super) const MAX_MESSAGES: usize = 10_000;

/// Pages of a tool list.
pub(super) const MAX_PAGES: usize = 100;

/// Tools of one upstream.
pub(super) const MAX_TOOLS: usize = 1_000;

/// Problems of single tools that are kept; the rest is counted.
pub(super) const MAX_PROBLEMS: usize = 16;

/// How deep an answer may nest. Chosen: under the 128 levels at which `serde_json` gives up, with room for our envelope.
pub(super) const MAX_DEPTH: usize = 100;

/// Characters of a text for people that comes from an upstream.
pub(super) const MAX_TEXT_CHARS: usize = 128;

/// Bytes of the message of a progress note; a longer one is left out.
pub(super) const MAX_PROGRESS_MESSAGE_BYTES: usize = 1024;

/// Times an upstream may close the stream of one call and ask us to come back for the rest.
pub(super) const MAX_RESUMES: usize = 100;

/// How long things take. Tests make them short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Between two looks at the list, whatever is announced. Chosen: what an upstream that announces nothing may lag.
    pub(super) poll: Duration,
    /// After the first failure; doubles with each further one.
    pub(super) backoff_first: Duration,
    /// The longest wait after failures.
    pub(super) backoff_most: Duration,
    /// Between two looks at the list that changes ask for, so that a flood of them costs little.
    pub(super) gap: Duration,
    /// One exchange of a handshake, and one look at the whole list.
    pub(super) exchange: Duration,
    /// Until a stream of changes is opened anew: no wait is for ever, and a dead peer is found out.
    pub(super) watch: Duration,
    /// For what is sent aside, and for good-byes.
    pub(super) aside: Duration,
    /// For the rest of a stream after the answer. Chosen: longer than a round trip, shorter than what would add up.
    pub(super) ending: Duration,
    /// Before a closed stream is resumed, where the upstream does not say.
    pub(super) resume: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(60),
            backoff_first: Duration::from_secs(1),
            backoff_most: Duration::from_secs(60),
            gap: Duration::from_secs(1),
            exchange: Duration::from_secs(15),
            watch: Duration::from_secs(15 * 60),
            aside: Duration::from_secs(5),
            ending: Duration::from_secs(1),
            resume: Duration::from_secs(1),
        }
    }
}
