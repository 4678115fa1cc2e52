//! Status -> the API server, when it differs in what somebody waits for.
//!
//! Its own field manager, with the complete list of conditions. Progress on the way is held back for
//! a while, so that a transition costs two writes: the first says what is under way, the second that it
//! is done. Never reads, never touches anything but status.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crds::{McpServer, mcp_server::McpServerStatus};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    requests::{Access, CallError, Requests},
    status::{Change, PROGRESS_INTERVAL, change},
    written::Written,
};

/// Who writes status, for ever.
pub const FIELD_MANAGER: &str = "mcp-operator-status";

/// Objects whose progress is held back at once; beyond it progress is written sooner.
const MAX_OBJECTS: usize = 50_000;

/// Since when progress of an object has been unwritten, by uid.
#[derive(Default)]
pub struct Unwritten(Mutex<HashMap<String, Instant>>);

impl Unwritten {
    /// How long the progress of `uid`, seen at `now`, may still stay unwritten; `None`: write it.
    fn hold(&self, uid: &str, now: Instant) -> Option<Duration> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() >= MAX_OBJECTS {
            since.clear();
        }
        let due = *since.entry(uid.to_owned()).or_insert(now) + PROGRESS_INTERVAL;
        (due > now).then(|| due - now)
    }

    /// Nothing of `uid` is unwritten any more.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// What became of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWrite {
    /// It stands already.
    Same,
    /// Held back; come again after this long.
    HeldBack(Duration),
    /// Written.
    Written,
}

/// Writes `next` over what stands in `mcp_server`, or holds it back.
pub async fn write_status(
    requests: &Requests,
    written: &Written,
    unwritten: &Unwritten,
    mcp_server: &McpServer,
    next: &McpServerStatus,
) -> Result<StatusWrite, CallError> {
    let uid = mcp_server.uid().unwrap_or_default();
    match change(mcp_server.status.as_ref(), next) {
        Change::Nothing => {
            unwritten.forget(&uid);
            return Ok(StatusWrite::Same);
        }
        Change::Progress => {
            if let Some(wait) = unwritten.hold(&uid, Instant::now()) {
                return Ok(StatusWrite::HeldBack(wait));
            }
        }
        Change::Transition => {}
    }
    let api: Api<McpServer> = Api::namespaced(requests.client.clone(), &mcp_server.namespace().unwrap_or_default());
    let name = mcp_server.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(json!({
        "apiVersion": McpServer::api_version(&()),
        "kind": McpServer::kind(&()),
        // The uid keeps it from a namesake that was made since.
        "metadata": { "name": name, "uid": uid },
        "status": next,
    }));
    let answer = requests.call(Access::Write, || api.patch_status(&name, &params, &patch)).await?;
    written.wrote_status(&uid, answer.metadata.resource_version.as_deref(), next.clone());
    unwritten.forget(&uid);
    Ok(StatusWrite::Written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_is_held_back_for_its_interval_and_then_written() {
        let unwritten = Unwritten::default();
        let start = Instant::now();
        assert_eq!(unwritten.hold("a", start), Some(PROGRESS_INTERVAL));
        let later = start + Duration::from_secs(4);
        assert_eq!(unwritten.hold("a", later), PROGRESS_INTERVAL.checked_sub(Duration::from_secs(4)));
        assert_eq!(unwritten.hold("b", later), Some(PROGRESS_INTERVAL));
        assert_eq!(unwritten.hold("a", start + PROGRESS_INTERVAL), None);
        unwritten.forget("a");
        assert_eq!(unwritten.hold("a", start + PROGRESS_INTERVAL), Some(PROGRESS_INTERVAL));
    }
}
