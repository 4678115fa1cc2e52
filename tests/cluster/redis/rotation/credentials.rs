//! Whether those who use a managed Redis can enter it now.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    redis::{Asked, REDIS, text_of},
    space::{Space, named},
};

/// On gateway pods: the revision of the credentials that they mount.
const REVISION: &str = "mcpfoundry.dev/redis-credentials";

/// Whether the Redis could be asked. Then a stranger was refused, and the Secret of each credential that a gateway pod mounts is
/// there and lets in.
///
/// Source: operator.md, `crash-in-rotation`, and more: that some credential works would not help a pod that holds another.
pub(super) fn let_in(space: &Space<'_>) -> Result<bool> {
    let seen = Seen::now(space)?;
    let Some(redis) = seen.redis(space) else { return Ok(false) };
    // While it restarts nobody answers.
    let Ok(answer) = redis.ask(None, &["PING"]) else { return Ok(false) };
    ensure!(answer.starts_with("NOAUTH"), "a stranger is answered {answer}");
    let used = seen.used();
    ensure!(!used.is_empty(), "no gateway pod mounts a credential");
    for revision in used {
        let answer = seen.ask_as(&redis, &revision);
        if answer.as_deref() == Ok("PONG") {
            continue;
        }
        // Pods may have gone meanwhile, and the Redis may be another: then nothing is known.
        let now = Seen::now(space)?;
        ensure!(
            !now.used().contains(&revision)
                || now.redis_uid() != seen.redis_uid()
                || redis.ask(None, &["PING"]).is_err(),
            "pods mount credential {revision}, which does not let in: {answer:?}; there are {}",
            now.shown()
        );
        return Ok(false);
    }
    Ok(true)
}

/// Pods and Secrets at one moment.
struct Seen(Vec<Value>);

impl Seen {
    fn now(space: &Space<'_>) -> Result<Self> {
        space.children("pods,secrets").map(Self)
    }

    fn redis_pod(&self) -> Option<&Value> {
        self.0.iter().find(|object| object["kind"] == "Pod" && object["metadata"]["name"] == format!("{REDIS}-0"))
    }

    fn redis_uid(&self) -> Option<&str> {
        self.redis_pod()?["metadata"]["uid"].as_str()
    }

    fn redis<'a>(&'a self, space: &'a Space<'a>) -> Option<Asked<'a>> {
        Some(Asked { space, ip: self.redis_pod()?["status"]["podIP"].as_str()? })
    }

    /// Revisions that gateway pods mount, those on their way out included.
    fn used(&self) -> BTreeSet<String> {
        let pods = self.0.iter().filter(|object| object["kind"] == "Pod");
        pods.filter_map(|pod| pod["metadata"]["labels"][REVISION].as_str()).map(str::to_owned).collect()
    }

    /// What the Redis says to whoever has the credential of this revision.
    fn ask_as(&self, redis: &Asked<'_>, revision: &str) -> Result<String, String> {
        let prefix = format!("{REDIS}-{revision}-");
        let is_it = |object: &&Value| {
            object["kind"] == "Secret"
                && object["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(&prefix))
        };
        let secret = self.0.iter().find(is_it).ok_or_else(|| format!("there is no Secret {prefix}…"))?;
        let ask = || redis.ask(Some((&text_of(secret, "username")?, &text_of(secret, "password")?)), &["PING"]);
        ask().map_err(|problem| format!("{problem:#}"))
    }

    fn shown(&self) -> String {
        self.0.iter().map(named).collect::<Vec<_>>().join(", ")
    }
}
