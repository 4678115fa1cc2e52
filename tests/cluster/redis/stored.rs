//! What a managed Redis was told to keep.

use anyhow::{Context, Result, ensure};
use tests::{cluster::files_in_pod, command::output, redis::written};

use super::REDIS;
use crate::space::Space;

/// Where the managed Redis writes.
const FOLDER: &str = "/data/appendonlydir";

/// What requests, answers and events of any test say.
const TOLD: [&str; 6] = ["jsonrpc", "list_changed", "tools/call", "tools:ping", "Bearer", "notifications"];

/// Source: redis-and-degradation.md, `every-ttl`, `hashed-keys` and `sealed-values`. How many keys are there now: at
/// least that by which a gateway says that it lives.
pub(crate) fn ends_and_cannot_be_read(space: &Space<'_>, secrets: &[&str]) -> Result<usize> {
    let keys = keys_that_cannot_be_read(space, secrets)?;
    ensure!(keys > 0, "the Redis was told nothing");
    Ok(keys)
}

fn keys_that_cannot_be_read(space: &Space<'_>, secrets: &[&str]) -> Result<usize> {
    let pod = space.get("pod", &format!("{REDIS}-0"))?;
    let uid = pod["metadata"]["uid"].as_str().context("a pod has a uid")?;
    let files = files_in_pod(uid, "redis-server", FOLDER)?;
    written::ends_and_cannot_be_read(&files, &[secrets, &TOLD].concat())
}

/// The same at the end of a space, of the Redis that runs there, which may be new; `None` where none does.
pub(crate) fn is_left_unreadable(space: &Space<'_>) -> Result<Option<usize>> {
    let pod = format!("{REDIS}-0");
    let ready = "--output=jsonpath={.status.containerStatuses[0].ready}";
    let is_ready = output(&mut space.kubectl(&["get", "pod", &pod, "--ignore-not-found", ready]))?;
    if is_ready != "true" {
        return Ok(None);
    }
    keys_that_cannot_be_read(space, &[]).map(Some)
}
