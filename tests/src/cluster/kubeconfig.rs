//! Kubeconfigs that carry their certificates inside, so that a single file is enough.
//!
//! They are written as JSON, which every reader of YAML understands.

use std::{fs, path::Path};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{
    paths::{self, API_SERVER_URL, NAME, Paths},
    pki,
};

/// Writes one for each client; the administrator's lies where people look for it.
pub(super) fn write_all(paths: &Paths) -> anyhow::Result<()> {
    for (client, _, _) in pki::CLIENTS {
        let text = kubeconfig(paths, client)?;
        paths::write(&file(paths, client), &text)?;
    }
    Ok(())
}

/// Where a client's kubeconfig lies.
pub(super) fn file(paths: &Paths, client: &str) -> std::path::PathBuf {
    if client == "admin" { paths.kubeconfig() } else { paths.config(&format!("{client}.kubeconfig")) }
}

fn kubeconfig(paths: &Paths, client: &str) -> anyhow::Result<String> {
    let read = |file: String| -> anyhow::Result<String> { encoded(&paths.pki(&file)) };
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "contexts": [{ "name": NAME, "context": { "cluster": NAME, "user": client } }],
        "clusters": [{
            "name": NAME,
            "cluster": { "server": API_SERVER_URL, "certificate-authority-data": read("ca.crt".to_owned())? },
        }],
        "users": [{
            "name": client,
            "user": {
                "client-certificate-data": read(format!("{client}.crt"))?,
                "client-key-data": read(format!("{client}.key"))?,
            },
        }],
    });
    Ok(serde_json::to_string_pretty(&content)?)
}

fn encoded(path: &Path) -> anyhow::Result<String> {
    Ok(BASE64_STANDARD.encode(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?))
}
