//! `McpServer` + `Observed` -> `ValidServer`, or every reason why not.
//!
//! Parse once: after this nobody reads `spec` again. A rejected spec changes nothing that runs. Rules
//! that CEL has in the CRD are repeated only where skipping one would serve what must not be served.

mod auth;
mod authorization;
mod ca_bundle;
mod endpoint;
mod files;
mod hosts;
mod identity;
mod image;
mod issuers;
mod ownership;
mod quantity;
pub(crate) mod redis;
mod resources;
mod service_accounts;
mod traffic;
mod upstreams;
mod valid_server;

#[cfg(test)]
pub(crate) mod tests;

use std::{collections::BTreeMap, time::Duration};

use crds::{
    McpServer,
    conditions::Reason,
    gateway_config::Versioned,
    mcp_server::{Ingress, McpServerSpec},
    revision::revision,
};
use jiff::Timestamp;

use crate::{host_policy::HostPolicy, observed::Observed, rotation};
use auth::ValidAuth;
use files::Parts;
use redis::Shared;

pub use redis::{ExternalRedis, ManagedRedis, RedisOutbound, SecretKeys, Storage, ValidRedis};
pub use valid_server::{Clients, Endpoint, Image, IssuerCa, Route, Traffic, ValidServer};

/// What the operator was started with, as far as decisions depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSettings {
    /// The gateway's image where the spec names none.
    pub server_image: String,
    /// The image of a managed Redis where the spec names none.
    pub redis_image: String,
    /// The namespace that the operator runs in; its pods may reach every gateway.
    pub operator_namespace: String,
    /// Labels that select the operator's pods. Never empty in a cluster: empty selects every pod of the namespace.
    pub operator_pod_labels: BTreeMap<String, String>,
    /// Labels of the namespaces whose pods may scrape metrics. Empty: nobody may.
    pub scraper_namespace_labels: BTreeMap<String, String>,
    /// Whether issuers, upstreams and collectors may have private addresses.
    pub allow_private_addresses: bool,
    /// The cluster's DNS domain: `cluster.local`.
    pub cluster_domain: String,
    /// Address of the API server as pods are told it; `None` outside of a cluster.
    pub api_server_host: Option<String>,
    /// Which namespaces may use which hosts.
    pub host_policy: HostPolicy,
}

/// One reason why a spec is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Where: `spec.auth.issuers[0].caConfigMapRef.name`.
    pub field: String,
    /// What is wrong: a clause that goes on after the field's name.
    pub problem: String,
    /// What to do: a clause in the imperative.
    pub fix: String,
    /// For condition, event and metric.
    pub reason: Reason,
}

impl Invalid {
    /// One sentence: `spec.auth.issuers: is empty; add an issuer`.
    pub fn sentence(&self) -> String {
        format!("{}: {}; {}", self.field, self.problem, self.fix)
    }

    /// Whether it goes away without anybody's help.
    pub fn passes(&self) -> bool {
        matches!(self.reason, Reason::PredecessorRemains | Reason::ApiUnavailable)
    }

    /// Whether it goes away when the garbage collector has done its work.
    pub fn waits_for_the_collector(&self) -> bool {
        self.reason == Reason::PredecessorRemains
    }

    fn new(reason: Reason, field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), fix: fix.into(), reason }
    }

    fn spec(field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Reason::InvalidSpec, field, problem, fix)
    }
}

/// What a check found: its part of the `ValidServer`, or why not.
type Checked<T> = Result<T, Vec<Invalid>>;

/// Judges `mcp_server`; every reason is listed, not only the first.
pub fn validate(mcp_server: &McpServer, observed: &Observed, settings: &OperatorSettings) -> Checked<ValidServer> {
    let identity = identity::identity(mcp_server)?;
    let spec = &mcp_server.spec;
    let mut invalid = Vec::new();
    let endpoint = keep(&mut invalid, endpoint::endpoint(spec, &identity, settings));
    let auth = keep(&mut invalid, auth::auth(&spec.auth, &identity, endpoint.as_ref(), observed, settings));
    let authorization = keep(&mut invalid, authorization::authorization(&spec.authorization, &spec.auth));
    let upstreams = keep(&mut invalid, upstreams::upstreams(spec, &identity, endpoint.as_ref(), settings));
    let traffic = keep(&mut invalid, traffic::traffic(spec, settings));
    let redis = keep(&mut invalid, redis::redis(spec, &identity, observed, settings));
    let (Some(endpoint), Some(auth), Some(authorization), Some(upstreams), Some(traffic), Some(redis)) =
        (endpoint, auth, authorization, upstreams, traffic, redis)
    else {
        return Err(invalid);
    };
    let ValidAuth { config: auth, issuer_cas, service_account_keys } = auth;
    let Shared { redis, config: redis_config, outbound } = redis;
    let sealing = sealing(spec, observed);
    let parts = Parts { auth, upstreams, redis: redis_config, sealing_keys: &sealing.keys };
    let config = files::config(spec, &identity, &endpoint, parts, settings);
    let config_revision = revision(config.to_json().as_bytes());
    let outbound = outbound.with_former(observed, &identity.name, &config_revision);
    let policy = files::policy(spec, authorization);
    let image = image::image(&config, &spec.pod, observed.deployment.as_ref(), settings);
    let valid = ValidServer {
        replicas: spec.replicas.max(0),
        config_revision,
        policy_revision: revision(policy.to_json().as_bytes()),
        resources: resources::resources(spec.pod.resources.as_ref()),
        ingress: spec.expose.as_ref().and_then(|expose| expose.ingress.as_ref()).map(route),
        name: identity.name,
        namespace: identity.namespace,
        owner: identity.owner,
        endpoint,
        config,
        policy,
        image,
        issuer_cas,
        service_account_keys,
        wakes_at: [sealing.wakes_at(&observed.wish), wakes_at(redis.as_ref(), observed)].into_iter().flatten().min(),
        sealing,
        redis,
        traffic: Traffic { redis: outbound, ..traffic },
    };
    ownership::ownership(&valid, observed)?;
    Ok(valid)
}

/// Which sealing keys the pods mount.
fn sealing(spec: &McpServerSpec, observed: &Observed) -> rotation::sealing::Plan {
    let longest = Duration::from_secs(u64::try_from(spec.sessions.lifetime_seconds).unwrap_or(0));
    rotation::sealing::plan(&observed.sealing, &observed.wish, longest, observed.now)
}

fn wakes_at(redis: Option<&ValidRedis>, observed: &Observed) -> Option<Timestamp> {
    match redis? {
        ValidRedis::Managed(managed) => managed.credentials.wakes_at(&observed.wish),
        ValidRedis::External(_) => None,
    }
}

fn keep<T>(invalid: &mut Vec<Invalid>, checked: Checked<T>) -> Option<T> {
    checked.map_err(|mut reasons| invalid.append(&mut reasons)).ok()
}

fn route(ingress: &Ingress) -> Route {
    let Ingress { class_name, tls_secret_name, annotations } = ingress.clone();
    Route { class_name, tls_secret_name, annotations }
}
