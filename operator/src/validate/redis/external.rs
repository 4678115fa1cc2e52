//! The user's own Redis: where it is, and what the pods mount to get in.
//!
//! Whether a Secret exists is not asked here, since the operator cannot see one: the pods report it. A bundle of authorities
//! that is missing or broken is refused, and never replaced by the system's.

use std::collections::BTreeSet;

use crds::{
    gateway_config::{self, RedisClientCertificate, RedisConfig, RedisCredentials},
    mcp_server::{self, CredentialsSecretRef, RedisExternal, RedisTls, RedisTlsMode, RedisTopology},
};
use url::Host;

use super::{ExternalRedis, RedisOutbound, SecretKeys, Shared, ValidRedis, default_key_prefix};
use crate::{
    desired::redis::{CA_DIRECTORY, REDIS_PORT, TLS_CERTIFICATE, TLS_KEY, client_directory, credentials_directory},
    observed::Observed,
    validate::{
        Checked, Invalid, OperatorSettings,
        ca_bundle::ca_bundle,
        files::sorted,
        hosts::{never, place},
        identity::Identity,
        keep,
    },
};

const FIELD: &str = "spec.redis.external";

/// The longest [`RedisExternal::key_prefix`], in bytes.
const MAX_KEY_PREFIX_BYTES: usize = 128;

pub(super) fn external(
    redis: &mcp_server::Redis,
    identity: &Identity,
    observed: &Observed,
    settings: &OperatorSettings,
) -> Checked<Shared> {
    let Some(external) = &redis.external else {
        let fix = "add it: { addresses: [\"HOST:PORT\"] }";
        return Err(vec![Invalid::spec(FIELD, "is missing, and says where the Redis is", fix)]);
    };
    // Without `..`: a new field does not compile until somebody says what it does.
    let RedisExternal { topology, addresses, master_name, key_prefix, credentials_secret_ref, tls } = external;
    let mut invalid = Vec::new();
    let outbound = keep(&mut invalid, outbound(*topology, addresses, settings));
    let key_prefix = keep(&mut invalid, prefix(key_prefix.as_deref(), identity));
    let tls = keep(&mut invalid, tls_of(tls, identity, observed));
    if (*topology == RedisTopology::Sentinel) != master_name.is_some() {
        let fix = "set it with topology Sentinel, and only there";
        invalid.push(Invalid::spec(format!("{FIELD}.masterName"), "does not fit the topology", fix));
    }
    let (Some(outbound), Some(key_prefix), Some(tls)) = (outbound, key_prefix, tls) else {
        return Err(invalid);
    };
    if !invalid.is_empty() {
        return Err(invalid);
    }
    let credentials = credentials_secret_ref.as_ref().map(secret_keys);
    Ok(Shared {
        config: Some(RedisConfig {
            topology: topology_of(*topology),
            addresses: sorted(addresses.clone()),
            master_name: master_name.clone(),
            key_prefix,
            credentials: credentials.as_ref().map(credentials_of),
            tls: tls.config,
            required: redis.required,
        }),
        redis: Some(ValidRedis::External(ExternalRedis { credentials, ca: tls.ca, client_secret: tls.client_secret })),
        outbound,
    })
}

fn topology_of(topology: RedisTopology) -> gateway_config::RedisTopology {
    match topology {
        RedisTopology::Standalone => gateway_config::RedisTopology::Standalone,
        RedisTopology::Sentinel => gateway_config::RedisTopology::Sentinel,
        RedisTopology::Cluster => gateway_config::RedisTopology::Cluster,
    }
}

/// The ports of the addresses; with sentinels that of the master too, which they alone know: it has the usual one.
fn outbound(topology: RedisTopology, addresses: &[String], settings: &OperatorSettings) -> Checked<RedisOutbound> {
    let mut ports = BTreeSet::new();
    let mut invalid = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        match port_of(address, settings) {
            Ok(port) => {
                ports.insert(port);
            }
            Err(problem) => invalid.push(Invalid::spec(
                format!("{FIELD}.addresses[{index}]"),
                problem,
                "set it to HOST:PORT, for example redis.example.com:6379",
            )),
        }
    }
    if addresses.is_empty() || (topology == RedisTopology::Standalone && addresses.len() != 1) {
        let fix = "name one address with topology Standalone, else one or more";
        invalid.push(Invalid::spec(format!("{FIELD}.addresses"), "does not fit the topology", fix));
    }
    if topology == RedisTopology::Sentinel {
        ports.insert(REDIS_PORT);
    }
    if invalid.is_empty() { Ok(RedisOutbound { managed: false, ports }) } else { Err(invalid) }
}

fn port_of(address: &str, settings: &OperatorSettings) -> Result<u16, &'static str> {
    const SHAPE: &str = "is not HOST:PORT";
    let (host, port) = address.rsplit_once(':').ok_or(SHAPE)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(SHAPE)?;
    let host = Host::parse(host).map_err(|_| SHAPE)?;
    let borrowed = match &host {
        Host::Domain(name) => Host::Domain(name.as_str()),
        Host::Ipv4(ip) => Host::Ipv4(*ip),
        Host::Ipv6(ip) => Host::Ipv6(*ip),
    };
    never(place(&borrowed, settings)).map_or(Ok(port), Err)
}

/// What an ACL pattern or a hash tag could be is no prefix: it would say more than it shows.
fn prefix(asked: Option<&str>, identity: &Identity) -> Checked<String> {
    let Some(prefix) = asked else { return Ok(default_key_prefix(identity)) };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"*?[]{}\\".contains(&byte);
    if prefix.ends_with(':') && prefix.len() <= MAX_KEY_PREFIX_BYTES && prefix.bytes().all(plain) {
        return Ok(prefix.to_owned());
    }
    Err(vec![Invalid::spec(
        format!("{FIELD}.keyPrefix"),
        "is no prefix that an ACL rule could say",
        "end it with ':', and use printable ASCII characters but spaces, '*', '?', brackets, braces and the backslash",
    )])
}

fn secret_keys(reference: &CredentialsSecretRef) -> SecretKeys {
    let CredentialsSecretRef { name, username_key, password_key } = reference.clone();
    SecretKeys { secret: name, username: (!username_key.is_empty()).then_some(username_key), password: password_key }
}

fn credentials_of(keys: &SecretKeys) -> RedisCredentials {
    let directory = credentials_directory(&keys.secret);
    RedisCredentials {
        username_file: keys.username.as_ref().map(|key| format!("{directory}/{key}")),
        password_file: format!("{directory}/{}", keys.password),
    }
}

/// `spec.redis.external.tls`, resolved.
#[derive(Default)]
struct Tls {
    config: Option<gateway_config::RedisTls>,
    ca: Option<mcp_server::ConfigMapKeyRef>,
    client_secret: Option<String>,
}

fn tls_of(tls: &RedisTls, identity: &Identity, observed: &Observed) -> Checked<Tls> {
    let RedisTls { mode, ca_config_map_ref, client_secret_ref } = tls;
    match mode {
        RedisTlsMode::Disabled => return Ok(Tls::default()),
        RedisTlsMode::Required => {}
    }
    if let Some(reference) = ca_config_map_ref {
        let field = format!("{FIELD}.tls.caConfigMapRef");
        ca_bundle(reference, &field, &identity.namespace, observed).map_err(|invalid| vec![invalid])?;
    }
    let client_secret = client_secret_ref.as_ref().map(|reference| reference.name.clone());
    let client = client_secret.as_ref().map(|secret| {
        let directory = client_directory(secret);
        RedisClientCertificate {
            certificate_file: format!("{directory}/{TLS_CERTIFICATE}"),
            key_file: format!("{directory}/{TLS_KEY}"),
        }
    });
    let ca_file = ca_config_map_ref.as_ref().map(|reference| format!("{CA_DIRECTORY}/{}", reference.key));
    Ok(Tls { config: Some(gateway_config::RedisTls { ca_file, client }), ca: ca_config_map_ref.clone(), client_secret })
}
