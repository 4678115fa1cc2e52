//! What an upstream says besides answers: progress, changes, requests to its client.

use serde_json::{Number, value::RawValue};
use tokio::sync::Notify;

use super::{aside::Aside, limits::MAX_PROGRESS_MESSAGE_BYTES, message::Message, peer::Peer, request};
use crate::{
    features::Notes,
    json::{Object, string},
};

/// Takes what is no answer. Nothing in it waits.
pub(super) struct Inbox<'a> {
    pub(super) peer: &'a Peer,
    pub(super) aside: &'a Aside,
    /// Told that the tool list may have changed.
    pub(super) changed: &'a Notify,
    /// `None` where no progress was asked for.
    pub(super) progress: Option<Progress<'a>>,
}

/// Progress of one call, on its way to the client.
pub(super) struct Progress<'a> {
    /// The one that we have sent: never the client's.
    pub(super) token: u64,
    pub(super) notes: &'a Notes,
    /// The last that was passed on: the next must be more.
    pub(super) last: Option<f64>,
}

impl Inbox<'_> {
    pub(super) fn take(&mut self, message: Message) {
        match message {
            // Only the older era knows requests of servers. We have said that we can do nothing.
            Message::Request { id, method } if !self.peer.version.is_modern() => {
                self.aside.post(self.peer.post_headers(), request::answer(&id, &method));
            }
            Message::Notification { method, params } => match (method.as_str(), &mut self.progress, params) {
                ("notifications/tools/list_changed", _, _) => self.changed.notify_one(),
                ("notifications/progress", Some(progress), Some(params)) => progress.take(&params),
                _ => {}
            },
            Message::Request { .. } | Message::Answer { .. } => {}
        }
    }
}

impl Progress<'_> {
    /// Passes on what can be read, belongs to this call, and says more than was said before.
    fn take(&mut self, params: &RawValue) {
        let Some(params) = Object::parse(params.get()) else { return };
        let number = |name| params.get(name).and_then(|value| serde_json::from_str::<Number>(value.get()).ok());
        let is_ours = params.get("progressToken").is_some_and(|token| token.get() == self.token.to_string());
        let Some(progress) = number("progress").filter(|_| is_ours) else { return };
        let Some(size) = progress.as_f64().filter(|size| self.last.is_none_or(|last| *size > last)) else { return };
        self.last = Some(size);
        let message = params.get("message").and_then(string);
        let message = message.filter(|message| message.len() <= MAX_PROGRESS_MESSAGE_BYTES);
        self.notes.progress(progress, number("total"), message.as_deref());
    }
}
