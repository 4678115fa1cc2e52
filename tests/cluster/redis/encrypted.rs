//! A Redis of the user's that speaks TLS alone, to clients that show a certificate and know a password.

use anyhow::Result;
use serde_json::{Value, json};
use tests::{
    cluster::{HOST_ADDRESS, TestCa},
    redis::{RedisServer, RedisSetup},
};

use crate::space::{NAME, Space};

/// Starts it; the space holds all that opens it.
pub(super) fn start(space: &Space<'_>) -> Result<RedisServer> {
    let authority = TestCa::generate()?;
    let client = authority.issue_client("tools")?;
    let password = uuid::Uuid::new_v4().to_string();
    let prefix = format!("mcpf:{}/{NAME}:", space.namespace);
    let users = RedisSetup::with_user("tools", &password, &prefix).and(&format!("bind 127.0.0.1 {HOST_ADDRESS}"));
    let ca = authority.cert_pem.clone();
    let server = RedisServer::start(RedisSetup { tls: Some((authority, true)), ..users })?;
    for object in [
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "redis-ca" }, "data": { "ca.crt": ca } }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "redis-user" },
            "stringData": { "username": "tools", "password": password } }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "redis-client" }, "type": "kubernetes.io/tls",
            "stringData": { "tls.crt": client.cert_pem, "tls.key": client.key_pem } }),
    ] {
        space.apply(&object)?;
    }
    Ok(server)
}

/// What a spec says of it.
pub(super) fn of(server: &RedisServer) -> Value {
    json!({ "redis": { "mode": "External", "required": true, "managed": null, "external": {
        "addresses": [format!("{HOST_ADDRESS}:{}", server.port())],
        "credentialsSecretRef": { "name": "redis-user" },
        "tls": {
            "mode": "Required",
            "caConfigMapRef": { "name": "redis-ca", "key": "ca.crt" },
            "clientSecretRef": { "name": "redis-client" },
        },
    } } })
}
