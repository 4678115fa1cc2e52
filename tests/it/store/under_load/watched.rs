//! Streams of both eras that are held open at one replica, and what they are told of.

use serde_json::json;

use crate::support::events::EventStream;
use crate::support::provider::{LISTED, OTHER};
use crate::support::replicas::Replicas;

/// What a change of is caused while the Redis is broken.
pub(super) const MEANWHILE: &str = LISTED;

/// The same for the time after: nobody hears of it twice.
pub(super) const AFTERWARDS: &str = OTHER;

/// Streams at one replica that are told of both.
pub(super) struct Watched {
    streams: [EventStream; 2],
}

impl Watched {
    /// At this replica; the session, of this revision, is opened at the first.
    pub(super) async fn at(replicas: &Replicas, index: usize, revision: &'static str) -> Self {
        let session = replicas.session(revision).await;
        for uri in [MEANWHILE, AFTERWARDS] {
            session.ask("resources/subscribe", json!({ "uri": uri })).await.result();
        }
        let legacy = replicas.at(index, &session).listen().await;
        let filter = json!({ "resourceSubscriptions": [MEANWHILE, AFTERWARDS] });
        let (modern, _) = replicas.worlds[index].listen(json!(index), filter).await;
        Self { streams: [legacy, modern] }
    }

    /// Until all of them have heard that `uri` has changed.
    pub(super) async fn hear_of(&mut self, uri: &str) {
        for stream in &mut self.streams {
            loop {
                let message = stream.message().await;
                if message["method"] == "notifications/resources/updated" && message["params"]["uri"] == uri {
                    break;
                }
            }
        }
    }
}
