//! `ValidServer` -> `Desired`: every object that an `McpServer` asks for, complete, nothing sent.
//!
//! Pure: the same `ValidServer` gives the same bytes, whatever order maps and lists came in. `apply`
//! sends what differs and prunes the rest; no builder here may look at the world.

pub mod metadata;
pub mod redis;

mod config_map;
mod deployment;
mod disruption_budget;
mod ingress;
mod network_policy;
mod pod_security;
mod policy;
mod sealing_key;
mod service;
mod service_account;
mod service_account_keys;

#[cfg(test)]
mod tests;

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{observed::ChildKind, validate::ValidServer};

pub use deployment::CONTAINER_NAME;
pub use metadata::{annotation, config_map_name, desired_hash, label, policy_config_map_name, selector, selector_text};
pub(crate) use network_policy::{NEVER_V4, NEVER_V6};
pub use redis::DesiredRedis;
pub use sealing_key::{SEALING_KEY, sealing_key_file, sealing_secret_name};
pub use service_account_keys::{service_account_keys_file, service_account_keys_name};

/// Port of the container that clients reach through the Service.
pub const PUBLIC_PORT: u16 = 8080;

/// Port of the container that answers the kubelet, the scraper and the operator.
pub const ADMIN_PORT: u16 = 9090;

/// All objects of one `McpServer`. Each but the Secret carries its hash in [`annotation::DESIRED_HASH`].
///
/// In the order in which they are applied: what a pod needs comes before the Deployment, so that no
/// pod starts without its policy; the route comes last.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// `<name>`, without a token.
    pub service_account: ServiceAccount,
    /// `<name>-config-<revision>`, immutable: the structure.
    pub config_map: ConfigMap,
    /// `<name>-policy`, changes in place.
    pub policy_config_map: ConfigMap,
    /// `<name>-service-account-keys`, changes in place; `None` when no ServiceAccount token is accepted.
    pub service_account_keys: Option<ConfigMap>,
    /// `<name>-redis`; `None` unless a Redis is to be made.
    pub redis: Option<DesiredRedis>,
    /// `<name>`; before the Deployment, so that no pod is ever open wider than asked for.
    pub network_policy: NetworkPolicy,
    /// `<name>`.
    pub service: Service,
    /// `<name>`.
    pub disruption_budget: PodDisruptionBudget,
    /// `<name>-sealing-<revision>-<uid>` without their keys, which are drawn when they are sent.
    pub sealing_secrets: Vec<Secret>,
    /// Names of Secrets that nothing mounts any more. Deleted before it is noted that they are gone.
    pub retired_secrets: Vec<String>,
    /// `<name>`.
    pub deployment: Deployment,
    /// `<name>`; `None` when not asked for.
    pub ingress: Option<Ingress>,
}

impl Desired {
    /// Every object that is compared with what the caches show: all but Secrets, which nobody reads.
    pub fn children(&self) -> Vec<(ChildKind, &ObjectMeta)> {
        // Without `..`: a new field does not compile until somebody says whether it is compared.
        let Self {
            service_account,
            config_map,
            policy_config_map,
            service_account_keys,
            redis,
            network_policy,
            service,
            disruption_budget,
            // That one is missing is seen by pods that start, and that one is left by nobody.
            sealing_secrets: _,
            retired_secrets: _,
            deployment,
            ingress,
        } = self;
        let mut children = vec![
            (ChildKind::ServiceAccount, &service_account.metadata),
            (ChildKind::ConfigMap, &config_map.metadata),
            (ChildKind::ConfigMap, &policy_config_map.metadata),
            (ChildKind::NetworkPolicy, &network_policy.metadata),
            (ChildKind::Service, &service.metadata),
            (ChildKind::PodDisruptionBudget, &disruption_budget.metadata),
            (ChildKind::Deployment, &deployment.metadata),
        ];
        children.extend(service_account_keys.as_ref().map(|keys| (ChildKind::ConfigMap, &keys.metadata)));
        children.extend(redis.iter().flat_map(DesiredRedis::children));
        children.extend(ingress.as_ref().map(|ingress| (ChildKind::Ingress, &ingress.metadata)));
        children
    }
}

/// Every object of `valid`.
pub fn desired(valid: &ValidServer) -> Desired {
    Desired {
        service_account: service_account::service_account(valid),
        config_map: config_map::config_map(valid),
        policy_config_map: policy::policy_config_map(valid),
        service_account_keys: service_account_keys::service_account_keys(valid),
        redis: redis::redis(valid),
        network_policy: network_policy::network_policy(valid),
        service: service::service(valid),
        disruption_budget: disruption_budget::disruption_budget(valid),
        sealing_secrets: sealing_key::sealing_secrets(valid),
        retired_secrets: retired_secrets(valid),
        deployment: deployment::deployment(valid),
        ingress: ingress::ingress(valid),
    }
}

fn retired_secrets(valid: &ValidServer) -> Vec<String> {
    let ValidServer { name, owner, sealing, .. } = valid;
    let keys = sealing.retired.iter().map(|revision| sealing_secret_name(name, &owner.uid, *revision));
    let credentials = redis::managed(valid).into_iter().flat_map(|managed| &managed.credentials.retired);
    keys.chain(credentials.map(|revision| redis::credentials_name(name, &owner.uid, *revision))).collect()
}
