//! How everything looks once a rotation, or the retirement after it, is over.

use serde_json::{Value, json};

use super::{in_use, secrets};
use crate::{
    redis::REDIS,
    space::{MCP_SERVERS, NAME, Space, condition, named},
};

/// What objects note of revisions. Source: operator/src/desired/metadata.rs.
const NOTES: [&str; 2] = ["mcpfoundry.dev/sealing-keys", "mcpfoundry.dev/redis-credentials"];

/// On the ServiceAccount: when the former sealing key opens nothing any more.
pub(super) const RETIRE_AT: &str = "mcpfoundry.dev/sealing-retire-at";

pub(super) struct Goal {
    newest: u32,
    /// Of sealing keys, the one that seals first.
    keys: Vec<u32>,
}

impl Goal {
    /// The former sealing key still opens, and it is known until when.
    pub(super) fn rotated(former: u32) -> Self {
        Self { newest: former + 1, keys: vec![former + 1, former] }
    }

    /// Nothing is left of it.
    pub(super) fn retired(former: u32) -> Self {
        Self { newest: former + 1, keys: vec![former + 1] }
    }

    /// What asks for this revision.
    pub(super) fn wish(newest: u32) -> String {
        format!("rotation-{newest}")
    }

    /// Or why not yet.
    pub(super) fn is_reached(&self, space: &Space<'_>) -> Result<(), String> {
        let shown = |problem: anyhow::Error| format!("{problem:#}");
        let wanted = json!({ "sealingKeys": self.keys, "redisCredentials": [self.newest] });
        let found = in_use(space).map_err(shown)?;
        if found != wanted {
            return Err(format!("in use are {found}"));
        }
        let (wanted, found) = (self.secrets(), secrets(space).map_err(shown)?);
        if found != wanted {
            return Err(format!("there are Secrets {found:?} instead of {wanted:?}"));
        }
        let (wanted, found) = (self.notes(), notes(space).map_err(shown)?);
        if found != wanted {
            return Err(format!("noted is {found:?} instead of {wanted:?}"));
        }
        let object = space.get(MCP_SERVERS, NAME).map_err(shown)?;
        let is_well = ["Ready", "RedisReady"].iter().all(|type_| condition(&object, type_) == "True");
        let is_answered = object["status"]["lastHandledRotateAt"] == Self::wish(self.newest);
        if is_well && is_answered { Ok(()) } else { Err(object["status"].to_string()) }
    }

    /// Sorted.
    fn secrets(&self) -> Vec<String> {
        let mut all: Vec<String> = self.keys.iter().map(|key| format!("sealing-{key}")).collect();
        all.push(format!("redis-{}", self.newest));
        all.sort();
        all
    }

    /// Sorted.
    fn notes(&self) -> Vec<String> {
        let Self { newest, keys } = self;
        let text = |keys: &mut dyn Iterator<Item = &u32>| keys.map(u32::to_string).collect::<Vec<_>>().join(".");
        let [sealing, redis] = NOTES;
        let mut all = vec![
            format!("ConfigMap/{REDIS} {redis}={newest}"),
            format!("Deployment/{NAME} {redis}={newest}"),
            format!("Deployment/{NAME} {sealing}={}", text(&mut keys.iter())),
            format!("ServiceAccount/{NAME} {sealing}={}", text(&mut keys.iter().rev())),
            format!("StatefulSet/{REDIS} {redis}={newest}"),
        ];
        all.extend((keys.len() > 1).then(|| format!("ServiceAccount/{NAME} {RETIRE_AT}")));
        all.sort();
        all
    }
}

/// What is noted on objects, sorted; of a date only that it is there.
fn notes(space: &Space<'_>) -> anyhow::Result<Vec<String>> {
    let objects = space.children("serviceaccounts,configmaps,statefulsets.apps,deployments.apps")?;
    let mut all: Vec<String> = objects.iter().flat_map(notes_of).collect();
    all.sort();
    Ok(all)
}

fn notes_of(object: &Value) -> Vec<String> {
    let annotations = &object["metadata"]["annotations"];
    let numbers = NOTES.iter().filter_map(|note| annotations[note].as_str().map(|value| format!("{note}={value}")));
    let date = annotations[RETIRE_AT].as_str().map(|_| RETIRE_AT.to_owned());
    numbers.chain(date).map(|note| format!("{} {note}", named(object))).collect()
}
