//! The Secret whose key seals what clients carry (cursors, `requestState`, session ids), but for the key itself.
//!
//! The key is drawn by `apply` at the moment in which it is sent, so nothing that is compared, logged or
//! printed holds one. Named by purpose, revision and owner; immutable, made once, never read back.

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};

use super::metadata::{metadata, uid_digits};
use crate::validate::ValidServer;

/// Key of the Secret, and name of the mounted file.
pub const SEALING_KEY: &str = "key";

/// The one revision that there is until keys are rotated.
const REVISION: u32 = 1;

/// `type` of the Secret: says what it is where Secrets are listed. Nothing but people reads it.
const SECRET_TYPE: &str = "mcpfoundry.dev/sealing-key";

/// `<name>-sealing-1-<8 hexadecimal digits of the owner's uid>`, without its key. At most 40 + 19 characters.
pub(super) fn sealing_secret(valid: &ValidServer) -> Secret {
    Secret {
        metadata: metadata(valid, sealing_secret_name(&valid.name, &valid.owner)),
        type_: Some(SECRET_TYPE.to_owned()),
        immutable: Some(true),
        ..Secret::default()
    }
}

/// Name of the Secret of the `McpServer` that `owner` refers to.
pub fn sealing_secret_name(mcp_server: &str, owner: &OwnerReference) -> String {
    format!("{mcp_server}-sealing-{REVISION}-{}", uid_digits(&owner.uid))
}

/// Where the Secret is mounted.
pub(super) fn sealing_directory() -> String {
    format!("/etc/mcp-foundry/sealing/{REVISION}")
}

/// The file, as the configuration names it.
pub fn sealing_key_file() -> String {
    format!("{}/{SEALING_KEY}", sealing_directory())
}
