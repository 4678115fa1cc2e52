//! A pod that calls `ping` once and prints what came back, in the image of the Python peer.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{
    command::{output, wait_until},
    images::{PeerImage, peer},
    peers::Kind,
};

use crate::{
    space::{PATIENCE, Space},
    world::World,
};

use super::AGENT;

const PROGRAM: &str = include_str!("call.py");

/// Where the kubelet puts the token.
const TOKEN_FOLDER: &str = "/var/run/secrets/mcp";

pub(super) struct Caller {
    image: PeerImage,
}

/// What a caller calls with.
pub(super) enum Token<'a> {
    /// That of its ServiceAccount, for this audience, from the kubelet.
    Projected { audience: &'a str },
    /// This one.
    Given(&'a str),
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenge: String,
    pub(super) retry_after: String,
    pub(super) body: String,
}

impl Caller {
    pub(super) fn new(world: &World) -> Result<Self> {
        // The port is for a peer that serves; this one does not.
        let image = peer(Kind::Python, 8080, &world.options)?;
        world.cluster.load_image(&image.image.archive)?;
        Ok(Self { image })
    }

    /// Runs a pod in `space` that calls `url` under `host`, and answers what it saw.
    pub(super) fn call(&self, space: &Space<'_>, url: &str, host: &str, token: &Token<'_>) -> Result<Answer> {
        let name = format!("caller-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        space.apply(&self.pod(&name, url, host, token))?;
        wait_until(&format!("pod {}/{name} has called", space.namespace), PATIENCE, || {
            let pod = space.get("pod", &name).map_err(|problem| format!("{problem:#}"))?;
            let phase = pod["status"]["phase"].as_str().unwrap_or_default();
            if phase == "Succeeded" { Ok(()) } else { Err(format!("{phase} {}", pod["status"]["containerStatuses"])) }
        })
        .with_context(|| output(&mut space.kubectl(&["logs", &name])).unwrap_or_default())?;
        let said = output(&mut space.kubectl(&["logs", &name]))?;
        let said: Value = serde_json::from_str(&said).with_context(|| format!("the caller printed `{said}`"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Answer {
            status: said["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default(),
            challenge: text(&said["headers"]["www-authenticate"]),
            retry_after: text(&said["headers"]["retry-after"]),
            body: text(&said["body"]),
        })
    }

    fn pod(&self, name: &str, url: &str, host: &str, token: &Token<'_>) -> Value {
        let mut environment: Vec<Value> =
            self.image.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
        match token {
            Token::Projected { audience } => {
                let source = json!({ "path": "token", "audience": audience, "expirationSeconds": 600 });
                volumes
                    .push(json!({ "name": "token", "projected": { "sources": [{ "serviceAccountToken": source }] } }));
                mounts.push(json!({ "name": "token", "mountPath": TOKEN_FOLDER, "readOnly": true }));
                environment.push(json!({ "name": "TOKEN_FILE", "value": format!("{TOKEN_FOLDER}/token") }));
            }
            Token::Given(token) => environment.push(json!({ "name": "TOKEN", "value": token })),
        }
        let account = if volumes.is_empty() { "default" } else { AGENT };
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": {
                "serviceAccountName": account,
                // No token but the one that is asked for.
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "restartPolicy": "OnFailure",
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": { "type": "RuntimeDefault" },
                },
                "containers": [{
                    "name": "caller",
                    "image": self.image.image.reference(),
                    "imagePullPolicy": "IfNotPresent",
                    "command": [self.image.command[0], "-c", PROGRAM, url, host],
                    "env": environment,
                    "volumeMounts": mounts,
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": { "drop": ["ALL"] },
                    },
                }],
                "volumes": volumes,
            },
        })
    }
}
