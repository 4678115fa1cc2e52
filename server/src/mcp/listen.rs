//! Streams of `subscriptions/listen`.
//!
//! A change is told only to who asked for it and may know of it. A listener that falls behind is told that all it asked
//! for has changed, which is then the truth for all it knows.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{
    audit::Ending, credential::Credential, notify, operation::Filter, record::CallOutcome, sse, streaming::Sight,
};
use crate::{
    features::{Catalog, Change, ChangeReceiver, Offered},
    places::Place,
};

/// Over how long streams end when the process stops.
const SPREAD: Duration = Duration::from_millis(1500);

/// Waits so that not all clients come back at once.
pub(super) async fn spread() {
    tokio::time::sleep(SPREAD.mul_f64(rand::random::<f64>())).await;
}

/// A listen stream while it is open.
struct Listening {
    id: Box<RawValue>,
    filter: Filter,
    changes: ChangeReceiver,
    sight: Sight,
    credential: Credential,
    keep_alive: Duration,
    stop: CancellationToken,
    modern_meta: Arc<RawValue>,
    ending: Option<Ending>,
    _place: Place,
    state: State,
}

enum State {
    Opening,
    Open,
    Ended,
}

/// What a listen stream needs besides its filter.
pub(super) struct Around {
    pub(super) changes: ChangeReceiver,
    pub(super) sight: Sight,
    /// Of the caller: the stream ends with it.
    pub(super) credential: Credential,
    pub(super) keep_alive: Duration,
    pub(super) stop: CancellationToken,
    pub(super) modern_meta: Arc<RawValue>,
    pub(super) ending: Ending,
    pub(super) place: Place,
}

/// The part of a filter that will be honoured. `sees_others` says whether the caller may know of what is no tool.
pub(super) fn honoured(filter: Filter, catalog: &Catalog, sees_others: bool) -> Filter {
    let Offered { resources, resource_updates, prompts, .. } = catalog.offered();
    let Filter { tools, prompts: wants_prompts, resources: wants_resources, mut uris } = filter;
    uris.retain(|uri| resource_updates && sees_others && catalog.has_resource(uri));
    Filter {
        tools,
        prompts: wants_prompts && prompts && sees_others,
        resources: wants_resources && resources && sees_others,
        uris,
    }
}

/// The events of a listen stream.
pub(super) fn listen(id: &RawValue, filter: Filter, around: Around) -> BoxStream<'static, Bytes> {
    let Around { changes, sight, credential, keep_alive, stop, modern_meta, ending, place } = around;
    let listening = Listening {
        id: id.to_owned(),
        filter,
        changes,
        sight,
        credential,
        keep_alive,
        stop,
        modern_meta,
        ending: Some(ending),
        _place: place,
        state: State::Opening,
    };
    stream::unfold(listening, |mut listening| async move {
        let event = listening.next().await?;
        Some((event, listening))
    })
    .boxed()
}

impl Listening {
    async fn next(&mut self) -> Option<Bytes> {
        match self.state {
            State::Opening => {
                self.state = State::Open;
                Some(sse::event(None, &notify::acknowledged(&self.filter.to_wire(), &self.id)))
            }
            State::Open => Some(self.wait().await),
            State::Ended => None,
        }
    }

    async fn wait(&mut self) -> Bytes {
        loop {
            let change = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    spread().await;
                    return self.end();
                }
                () = self.credential.ended() => return self.end(),
                change = self.changes.recv() => change,
                () = tokio::time::sleep(self.keep_alive) => return sse::KEEP_ALIVE,
            };
            match change {
                Ok(change) if self.may_know(&change) && self.filter.wants(&change) => return self.event(&change),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    let all = self.filter.all().into_iter().filter(|change| self.may_know(change));
                    let all = all.map(|change| self.event(&change));
                    let all: Vec<u8> = all.flatten().collect();
                    if !all.is_empty() {
                        return all.into();
                    }
                }
                Err(RecvError::Closed) => return self.end(),
            }
        }
    }

    fn may_know(&self, change: &Change) -> bool {
        *change == Change::Tools || self.sight.of_others()
    }

    fn event(&self, change: &Change) -> Bytes {
        sse::event(None, &notify::change(change, Some(&self.id)))
    }

    /// The result for the listen id.
    fn end(&mut self) -> Bytes {
        self.state = State::Ended;
        if let Some(ending) = self.ending.take() {
            ending.end(CallOutcome::StreamEnded);
        }
        sse::event(None, &notify::listen_result(&self.id, &self.modern_meta))
    }
}

impl Filter {
    fn wants(&self, change: &Change) -> bool {
        match change {
            Change::Tools => self.tools,
            Change::Prompts => self.prompts,
            Change::Resources => self.resources,
            Change::Resource(uri) => self.uris.iter().any(|wanted| **wanted == **uri),
        }
    }

    /// What may have changed unnoticed.
    pub(super) fn all(&self) -> Vec<Change> {
        let wanted =
            [(self.tools, Change::Tools), (self.prompts, Change::Prompts), (self.resources, Change::Resources)];
        let lists = wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, change)| change);
        lists.chain(self.uris.iter().map(|uri| Change::Resource(uri.as_str().into()))).collect()
    }

    fn to_wire(&self) -> Value {
        let mut wire = json!({});
        for (wanted, name) in [
            (self.tools, "toolsListChanged"),
            (self.prompts, "promptsListChanged"),
            (self.resources, "resourcesListChanged"),
        ] {
            if wanted {
                wire[name] = true.into();
            }
        }
        if !self.uris.is_empty() {
            wire["resourceSubscriptions"] = json!(self.uris);
        }
        wire
    }
}

#[cfg(test)]
pub(in crate::mcp) mod tests;
