//! One revision of credentials: a Secret with the name of a user, its password, and its line for the Redis.
//!
//! The password is drawn by `apply` at the moment in which it is sent, so nothing that is compared, logged or printed holds
//! one. Immutable, made once, never read back. The Redis mounts the line alone, which holds a hash.

use k8s_openapi::api::core::v1::Secret;

use super::{Credentials, metadata};
use crate::{
    desired::metadata::uid_digits,
    validate::{ManagedRedis, ValidServer},
};

/// Key of the Secret, and name of the file that the gateway mounts.
pub const USERNAME: &str = "username";

/// Key of the Secret, and name of the file that the gateway mounts.
pub const PASSWORD: &str = "password";

/// Key of the Secret; what the Redis mounts.
pub const USER_LINE: &str = "user.acl";

/// `type` of the Secret: says what it is where Secrets are listed. Nothing but people reads it.
const SECRET_TYPE: &str = "mcpfoundry.dev/redis-credentials";

/// What the gateway uses, and what its limits will: plain commands on its own keys. No category, no scripts, nothing that looks at others' keys. One word that the
/// server does not know keeps it from starting, so there is none that came after 7.0.
///
/// Source: acceptance/redis-and-degradation.md, section 3, `acl`.
const COMMANDS: [&str; 25] = [
    "auth",
    "client|id",
    "client|setname",
    "del",
    "discard",
    "exec",
    "exists",
    "get",
    "getdel",
    "getex",
    "hello",
    "incrby",
    "multi",
    "pexpire",
    "ping",
    "pttl",
    "publish",
    "reset",
    "set",
    "subscribe",
    "unsubscribe",
    "xadd",
    "xdel",
    "xrange",
    "xread",
];

/// As what a Redis writes down whatever [`COMMANDS`] change: ends as times of day, what is over as a deletion, and before the first
/// of them which database it is.
const WRITTEN_DOWN: [&str; 8] = ["del", "incrby", "pexpireat", "select", "set", "unlink", "xadd", "xdel"];

pub(super) fn credentials(valid: &ValidServer, managed: &ManagedRedis, revision: u32) -> Credentials {
    Credentials {
        secret: Secret {
            metadata: metadata(valid, credentials_name(&valid.name, &valid.owner.uid, revision)),
            type_: Some(SECRET_TYPE.to_owned()),
            immutable: Some(true),
            ..Secret::default()
        },
        revision,
        key_prefix: managed.key_prefix.clone(),
    }
}

/// `<name>-redis-<revision>-<8 hexadecimal digits of the owner's uid>`. At most 40 + 26 characters, of 253.
pub fn credentials_name(mcp_server: &str, owner_uid: &str, revision: u32) -> String {
    format!("{mcp_server}-redis-{revision}-{}", uid_digits(owner_uid))
}

/// The user of a revision.
pub fn username(revision: u32) -> String {
    format!("gateway-{revision}")
}

/// Where the gateway mounts the Secret of credentials `secret`, generated or a user's. The name is part of it, so that another
/// Secret is another configuration, which pods can be told apart by.
pub fn credentials_directory(secret: &str) -> String {
    format!("/etc/mcp-foundry/redis/credentials/{secret}")
}

/// The line by which a Redis knows the user of `revision`: the SHA-256 of its password, its keys and channels, its commands.
///
/// `reset` first: it takes away everything, so that the line means the same whatever a server's defaults are.
pub fn user_line(revision: u32, password_sha256_hex: &str, key_prefix: &str) -> String {
    let user = username(revision);
    let commands = COMMANDS.map(|command| format!("+{command}")).join(" ");
    format!("user {user} reset on #{password_sha256_hex} ~{key_prefix}* resetchannels &{key_prefix}* {commands}\n")
}

/// What a Redis is to make of its default user. Nobody is let in as that; but a Redis that reads its own file of changes does it as
/// that user, and leaves out, without a word in any answer, each command of a transaction that this user may not do.
///
/// Source: <https://github.com/redis/redis/issues/14541>, <https://github.com/valkey-io/valkey/issues/3983>.
pub fn default_user(key_prefix: &str) -> String {
    let commands = WRITTEN_DOWN.map(|command| format!("+{command}")).join(" ");
    format!("default reset off ~{key_prefix}* {commands}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Word for word what a Redis 7.0 reads; the end-to-end tests show it to one.
    #[test]
    fn a_line_gives_the_commands_of_the_gateway_on_its_own_keys_and_nothing_else() {
        let line = user_line(3, &"0a".repeat(32), "mcpf:demo/tools:");
        expect![[r"
            user gateway-3 reset on #0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a ~mcpf:demo/tools:* resetchannels &mcpf:demo/tools:* +auth +client|id +client|setname +del +discard +exec +exists +get +getdel +getex +hello +incrby +multi +pexpire +ping +pttl +publish +reset +set +subscribe +unsubscribe +xadd +xdel +xrange +xread
        "]].assert_eq(&line);
    }
}
