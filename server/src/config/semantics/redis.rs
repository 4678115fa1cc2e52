//! What a Redis must look like, and the settings that come of it: nobody reads the configuration's `redis` after this.

use crds::gateway_config::{RedisConfig, RedisTls, RedisTopology};

use super::WrongField;
use crate::store::{RedisAddress, RedisSettings, Topology};

/// The longest prefix, in bytes. Chosen: a namespace of 63 bytes and a name of 40 fit; each key repeats it.
const MAX_PREFIX_BYTES: usize = 128;

/// What patterns are made of: in a prefix one of these would look as if it matched.
const PATTERN: &[u8] = b"*?[]\\";

/// The settings of `redis`.
pub(in crate::config) fn settings(redis: &RedisConfig) -> Result<RedisSettings, WrongField> {
    prefix(&redis.key_prefix)?;
    if let Some(credentials) = &redis.credentials {
        let username = credentials.username_file.as_deref();
        file("credentials.usernameFile", username)?;
        file("credentials.passwordFile", Some(&credentials.password_file))?;
    }
    if let Some(tls) = &redis.tls {
        tls_files(tls)?;
    }
    Ok(RedisSettings {
        topology: topology(redis)?,
        addresses: addresses(&redis.addresses)?,
        key_prefix: redis.key_prefix.clone(),
        credentials: redis.credentials.clone(),
        tls: redis.tls.clone(),
        required: redis.required,
    })
}

fn wrong(field: impl std::fmt::Display, problem: &str) -> WrongField {
    WrongField::new(format!("redis.{field}"), problem)
}

fn topology(redis: &RedisConfig) -> Result<Topology, WrongField> {
    match (redis.topology, redis.master_name.as_deref()) {
        (RedisTopology::Sentinel, Some(name)) if !name.is_empty() => {
            Ok(Topology::Sentinel { master_name: name.to_owned() })
        }
        (RedisTopology::Sentinel, _) => {
            Err(wrong("masterName", "must be set under `topology: Sentinel`: sentinels know masters by name"))
        }
        (RedisTopology::Standalone | RedisTopology::Cluster, Some(_)) => {
            Err(wrong("masterName", "must be absent unless under `topology: Sentinel`"))
        }
        (RedisTopology::Standalone, None) if redis.addresses.len() > 1 => {
            Err(wrong("addresses", "must be one under `topology: Standalone`"))
        }
        (RedisTopology::Standalone, None) => Ok(Topology::Standalone),
        (RedisTopology::Cluster, None) => Ok(Topology::Cluster),
    }
}

fn addresses(addresses: &[String]) -> Result<Vec<RedisAddress>, WrongField> {
    if addresses.is_empty() {
        return Err(wrong("addresses", "must name at least one address"));
    }
    let parsed = addresses.iter().enumerate().map(|(index, address)| {
        let problem = "must be `host:port`, a name or an IP address, IPv6 in brackets: `redis.team-a.svc:6379`";
        RedisAddress::parse(address).ok_or_else(|| wrong(format!("addresses[{index}]"), problem))
    });
    parsed.collect()
}

/// What an ACL can name, and what cannot end a line or a word anywhere.
fn prefix(prefix: &str) -> Result<(), WrongField> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !PATTERN.contains(&byte);
    if prefix.len() > 1 && prefix.len() <= MAX_PREFIX_BYTES && prefix.ends_with(':') && prefix.bytes().all(is_plain) {
        return Ok(());
    }
    Err(wrong(
        "keyPrefix",
        "must be 2 to 128 printable ASCII characters without spaces and without any of `*?[]\\`, and end with `:`",
    ))
}

fn tls_files(tls: &RedisTls) -> Result<(), WrongField> {
    file("tls.caFile", tls.ca_file.as_deref())?;
    let Some(client) = &tls.client else { return Ok(()) };
    file("tls.client.certificateFile", Some(&client.certificate_file))?;
    file("tls.client.keyFile", Some(&client.key_file))
}

fn file(field: &str, path: Option<&str>) -> Result<(), WrongField> {
    if path == Some("") { Err(wrong(field, "must be the path of a file")) } else { Ok(()) }
}
