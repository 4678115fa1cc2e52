//! What the API server says was asked of it: the one witness that is not our own code.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tests::install;

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Which file it is: the API server begins another one when it is full.
    file: u64,
    offset: u64,
}

pub(crate) struct AuditLog(PathBuf);

/// One answered request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) verb: String,
    user: User,
    #[serde(default)]
    pub(crate) object_ref: Object,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Object {
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) api_group: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl AuditLog {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// From here on.
    pub(crate) fn mark(&self) -> Result<Mark> {
        let metadata = self.0.metadata().with_context(|| format!("there is no audit log at {}", self.0.display()))?;
        Ok(Mark { file: metadata.ino(), offset: metadata.len() })
    }

    /// What the operators asked since then. A watch is written when it ends.
    pub(crate) fn of_operator(&self, since: Mark) -> Result<Vec<Entry>> {
        let operator = format!("system:serviceaccount:{}:{}", install::NAMESPACE, install::RELEASE);
        let entries = self.since(since)?;
        Ok(entries.into_iter().filter(|entry| entry.user.username == operator).collect())
    }

    fn since(&self, Mark { file: marked, offset }: Mark) -> Result<Vec<Entry>> {
        let mut file = File::open(&self.0).context("cannot open the audit log")?;
        let is_same = file.metadata().context("cannot look at the audit log")?.ino() == marked;
        // Else nothing was asked, and everything would be well.
        ensure!(
            is_same,
            "the audit log was begun anew meanwhile: run the tests again, in a cluster that is started anew"
        );
        file.seek(SeekFrom::Start(offset))?;
        let mut text = String::new();
        file.read_to_string(&mut text).context("cannot read the audit log")?;
        // The last line may be half written; it belongs to a request that is newer than this call.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("cannot read the audit log's line {line}")))
            .collect()
    }
}

impl Entry {
    /// A request that could change something.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Requests that go on by themselves: watches, and the election of a leader.
    pub(crate) fn is_background(&self) -> bool {
        self.verb == "watch" || self.object_ref.resource == "leases"
    }

    /// A list of one named object: how the watch of that object begins. Each reference costs one, once.
    pub(crate) fn begins_a_watch(&self) -> bool {
        self.verb == "list" && self.object_ref.resource == "configmaps" && !self.object_ref.name.is_empty()
    }

    /// A server-side apply that made the object: the API server asks for the right to `create` as well.
    pub(crate) fn created(&self) -> bool {
        self.verb == "patch" && self.response_status.code == 201
    }

    /// The operator lacked the right. Other refusals have the same code: a namespace that is going takes nothing new.
    pub(crate) fn lacked_the_right(&self) -> bool {
        self.annotations.get("authorization.k8s.io/decision").is_some_and(|decision| decision == "forbid")
    }

    /// For people, and for counting.
    pub(crate) fn shown(&self) -> String {
        let Object { resource, subresource, name, .. } = &self.object_ref;
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{} {resource}{slash}{subresource} {name} ({})", self.verb, self.response_status.code)
    }
}

/// One request a line.
pub(crate) fn listed(entries: &[&Entry]) -> String {
    entries.iter().map(|entry| entry.shown()).collect::<Vec<_>>().join("\n  ")
}
