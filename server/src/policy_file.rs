//! The policy file, read at start and again whenever its content changes.
//!
//! Polled, not watched: the kubelet swaps a symbolic link, which a watch of the file does not see. A file
//! that cannot be used changes nothing: the last good policy stays in force and the report says why.

use std::{path::PathBuf, time::Duration};

use crds::{
    gateway_config::{GatewayPolicy, MAX_FILE_BYTES, ParseError, Versioned},
    revision::revision,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    config::{Config, file},
    gateway::{Policy, PolicyError},
};

/// How often the file is looked at. Chosen: the kubelet itself takes up to a minute to bring a change.
const INTERVAL: Duration = Duration::from_secs(2);

/// Where the policy comes from.
#[derive(Clone, Debug)]
pub enum PolicySource {
    /// A mounted file, which reloads in place.
    File(PathBuf),
    /// A document made in memory, which never changes: `--dev` and tests.
    Fixed(GatewayPolicy),
}

/// A policy in force.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What decides.
    pub policy: Policy,
    /// Revision of the bytes that it was read from.
    pub revision: String,
}

/// Why a policy cannot be put into force. Names the field, never a value.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// The file cannot be read at all.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// Not the shape of a version that this build reads.
    #[error("{0}")]
    Malformed(ParseError),
    /// The shape is right, the content cannot be used.
    #[error("{0}")]
    Unusable(PolicyError),
}

impl PolicySource {
    /// The file's name for messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Fixed(_) => "policy in memory".to_owned(),
        }
    }

    /// The bytes as they are now.
    pub fn read(&self) -> Result<Vec<u8>, PolicyFileError> {
        match self {
            Self::File(path) => {
                file::read(path, MAX_FILE_BYTES).map_err(|problem| PolicyFileError::Unreadable(problem.kind()))
            }
            Self::Fixed(policy) => Ok(policy.to_json().into_bytes()),
        }
    }
}

impl LoadedPolicy {
    /// Parses and compiles what was read.
    pub fn compile(config: &Config, bytes: &[u8]) -> Result<Self, PolicyFileError> {
        let document = GatewayPolicy::parse(bytes).map_err(PolicyFileError::Malformed)?;
        let gateway = &config.gateway;
        let policy =
            Policy::compile(&document, &gateway.builtins, gateway.auth.mode).map_err(PolicyFileError::Unusable)?;
        Ok(Self { policy, revision: revision(bytes) })
    }
}

/// Looks at the file until `shutdown`.
pub async fn watch(app: App, path: PathBuf, shutdown: CancellationToken) {
    let mut seen = Some(app.policy_revision());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let source = PolicySource::File(path.clone());
        // A mounted volume may hang with its node's disk; the runtime's threads must not.
        let Ok(content) = tokio::task::spawn_blocking(move || source.read()).await else { continue };
        look(&app, content, &mut seen);
    }
}

/// Acts on a change, once. `seen` is the revision that was acted on last, good or bad; `None` when the
/// file could not be read.
fn look(app: &App, content: Result<Vec<u8>, PolicyFileError>, seen: &mut Option<String>) {
    let now = content.as_ref().ok().map(|bytes| revision(bytes));
    if now == *seen {
        return;
    }
    *seen = now;
    match content.and_then(|bytes| LoadedPolicy::compile(app.config(), &bytes)) {
        Ok(loaded) => {
            tracing::info!("policy {} is in force", loaded.revision);
            app.put_policy_into_force(loaded);
        }
        Err(problem) => {
            tracing::error!("the policy file is not used, the last good one stays in force: {problem}");
            app.refuse_policy(&problem);
        }
    }
}

#[cfg(test)]
mod tests;
