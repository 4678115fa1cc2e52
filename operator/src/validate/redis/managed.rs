//! The Redis that the operator makes: image, memory, volume, and how the gateway finds it.

use crds::{
    conditions::Reason,
    gateway_config::{RedisConfig, RedisCredentials, RedisTopology},
    mcp_server::{DeletionPolicy, McpServerSpec, RedisManaged, RedisStorage},
    revision::revision,
};
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::json;

use super::{ManagedRedis, RedisOutbound, Shared, Storage, ValidRedis, default_key_prefix};
use crate::{
    desired::redis::{self, REDIS_PORT},
    observed::Observed,
    rotation::redis::plan,
    validate::{Checked, Invalid, OperatorSettings, identity::Identity, image::in_force, quantity::bytes, resources},
};

/// The smallest memory limit. Chosen: an empty Redis takes some 10 MiB, and three quarters of this leave room beside it.
const MIN_MEMORY_BYTES: u64 = 32 * 1024 * 1024;

const MEMORY: &str = "memory";

pub(super) fn managed(
    spec: &McpServerSpec,
    identity: &Identity,
    observed: &Observed,
    settings: &OperatorSettings,
) -> Checked<Shared> {
    let managed = spec.redis.managed.clone().unwrap_or_default();
    // Without `..`: a new field does not compile until somebody says what it does.
    let RedisManaged { image: asked, resources: figures, storage } = &managed;
    let resources = with_memory_limit(resources::resources(figures.as_ref()));
    let limit = memory_limit(&resources)?;
    let recorded = observed.redis.stateful_set.as_ref().and_then(|stateful_set| stateful_set.image.as_ref());
    let chosen_for = revision(json!([asked, figures, storage]).to_string().as_bytes());
    let credentials = plan(&observed.redis.credentials, &observed.wish, observed.now);
    let key_prefix = default_key_prefix(identity);
    let config = config(spec.redis.required, identity, credentials.gateway, &key_prefix);
    Ok(Shared {
        redis: Some(ValidRedis::Managed(Box::new(ManagedRedis {
            image: in_force(asked.as_ref(), chosen_for, recorded, &settings.redis_image),
            max_memory_bytes: limit / 4 * 3,
            resources,
            storage: storage.as_ref().map(volume).transpose()?,
            retain_volume: spec.deletion_policy == DeletionPolicy::Retain,
            key_prefix,
            credentials,
        }))),
        config: Some(config),
        outbound: RedisOutbound { managed: true, ..RedisOutbound::default() },
    })
}

fn config(required: bool, identity: &Identity, revision: u32, key_prefix: &str) -> RedisConfig {
    let Identity { name, namespace, owner } = identity;
    let directory = redis::credentials_directory(&redis::credentials_name(name, &owner.uid, revision));
    RedisConfig {
        topology: RedisTopology::Standalone,
        addresses: vec![format!("{}.{namespace}.svc:{REDIS_PORT}", redis::redis_name(name))],
        master_name: None,
        key_prefix: key_prefix.to_owned(),
        credentials: Some(RedisCredentials {
            username_file: Some(format!("{directory}/{}", redis::USERNAME)),
            password_file: format!("{directory}/{}", redis::PASSWORD),
        }),
        // Inside the cluster, between two pods that a NetworkPolicy ties together; no authority is there to sign for it.
        tls: None,
        required,
    }
}

/// Where only a request is named, it is the limit: without one nobody could say how much is for data.
fn with_memory_limit(mut resources: ResourceRequirements) -> ResourceRequirements {
    let requested = resources.requests.as_ref().and_then(|requests| requests.get(MEMORY)).cloned();
    let limits = resources.limits.get_or_insert_default();
    if let (false, Some(requested)) = (limits.contains_key(MEMORY), requested) {
        limits.insert(MEMORY.to_owned(), requested);
    }
    resources
}

fn memory_limit(resources: &ResourceRequirements) -> Checked<u64> {
    let limit = resources.limits.as_ref().and_then(|limits| limits.get(MEMORY));
    match limit.and_then(bytes) {
        Some(limit) if limit >= MIN_MEMORY_BYTES => Ok(limit),
        _ => Err(vec![Invalid::spec(
            "spec.redis.managed.resources.limits.memory",
            "is no quantity, or too small for a Redis",
            "set it to 32Mi or more, for example 256Mi",
        )]),
    }
}

fn volume(storage: &RedisStorage) -> Checked<Storage> {
    let RedisStorage { size, class_name } = storage.clone();
    if bytes(&size).is_none_or(|bytes| bytes == 0) {
        return Err(vec![Invalid::new(
            Reason::InvalidSpec,
            "spec.redis.managed.storage.size",
            "is no size of a volume",
            "set it to a quantity such as 1Gi",
        )]);
    }
    Ok(Storage { size, class_name })
}
