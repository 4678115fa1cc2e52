//! The policy file, read at start and again whenever its content changes.
//!
//! Polled, not watched: the kubelet swaps a symbolic link, which a watch of the file does not see. A file
//! that cannot be used changes nothing: the last good policy stays in force and the report says why.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crds::{
    gateway_config::{GatewayPolicy, MAX_FILE_BYTES, ParseError, Versioned},
    revision::revision,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    config::Config,
    files::{self, Reader},
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
    /// What decides. Shared with open streams, which outlive their request.
    pub policy: Arc<Policy>,
    /// Revision of the bytes that it was read from.
    pub revision: String,
    /// The same of what decides about lists: all of it but the number of replicas.
    pub lists: String,
}

/// Why a policy cannot be put into force. Names the field, never a value.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// The file cannot be read at all.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// The disk does not answer.
    #[error("cannot be read in time: the disk does not answer")]
    NotInTime,
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
                files::read(path, MAX_FILE_BYTES).map_err(|problem| PolicyFileError::Unreadable(problem.kind()))
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
        let of_lists = GatewayPolicy { replicas: 0, ..document };
        Ok(Self { policy: policy.into(), revision: revision(bytes), lists: revision(of_lists.to_json().as_bytes()) })
    }
}

/// Looks at the file until `shutdown`.
pub async fn watch(app: App, path: PathBuf, shutdown: CancellationToken) {
    let mut seen = Some(Ok(app.policy_revision()));
    let source = PolicySource::File(path);
    let reader = Reader::new();
    let look_again = async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let source = source.clone();
            let content = reader.read(move || source.read()).await;
            let content = content.unwrap_or(Err(PolicyFileError::NotInTime));
            look(&app, content, &mut seen);
        }
    };
    shutdown.run_until_cancelled(look_again).await;
}

/// Acts on a change, once. `seen` is what was acted on last, good or bad: a revision, or why there was none.
fn look(app: &App, content: Result<Vec<u8>, PolicyFileError>, seen: &mut Option<Result<String, String>>) {
    let now = content.as_ref().map(|bytes| revision(bytes)).map_err(ToString::to_string);
    if seen.as_ref() == Some(&now) {
        return;
    }
    *seen = Some(now);
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
