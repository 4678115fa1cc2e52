//! The Secret whose key seals what clients carry (cursors, `requestState`, session ids), but for the key itself.
//!
//! The key is drawn by `apply` at the moment in which it is sent, so nothing that is compared, logged or
//! printed holds one. Named by purpose, revision and owner; immutable, made once, never read back.

use k8s_openapi::api::core::v1::Secret;

use super::metadata::{metadata, uid_digits};
use crate::validate::ValidServer;

/// Key of the Secret, and name of the mounted file.
pub const SEALING_KEY: &str = "key";

/// `type` of the Secret: says what it is where Secrets are listed. Nothing but people reads it.
const SECRET_TYPE: &str = "mcpfoundry.dev/sealing-key";

/// `<name>-sealing-<revision>-<8 hexadecimal digits of the owner's uid>` without their keys: those that pods mount.
pub(super) fn sealing_secrets(valid: &ValidServer) -> Vec<Secret> {
    valid.sealing.keys.iter().map(|revision| sealing_secret(valid, *revision)).collect()
}

fn sealing_secret(valid: &ValidServer, revision: u32) -> Secret {
    Secret {
        metadata: metadata(valid, sealing_secret_name(&valid.name, &valid.owner.uid, revision)),
        type_: Some(SECRET_TYPE.to_owned()),
        immutable: Some(true),
        ..Secret::default()
    }
}

/// Name of the Secret of the `McpServer` with this uid. At most 40 + 28 characters, of 253.
pub fn sealing_secret_name(mcp_server: &str, owner_uid: &str, revision: u32) -> String {
    format!("{mcp_server}-sealing-{revision}-{}", uid_digits(owner_uid))
}

/// Where the Secret is mounted.
pub(super) fn sealing_directory(revision: u32) -> String {
    format!("/etc/mcp-foundry/sealing/{revision}")
}

/// The file, as the configuration names it.
pub fn sealing_key_file(revision: u32) -> String {
    format!("{}/{SEALING_KEY}", sealing_directory(revision))
}
