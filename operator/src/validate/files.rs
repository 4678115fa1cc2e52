//! The two files that the gateway reads, from a spec that was found valid.
//!
//! Lists whose order means nothing are sorted, so that the same endpoint is the same bytes. Replicas
//! and limits are in the policy alone: neither restarts anything.

use crds::{
    gateway_config::{
        AuthConfig, AuthorizationPolicy, Builtins, CURRENT_VERSION, GatewayConfig, GatewayPolicy, LimitsPolicy,
        LogLevel, McpServerRef, Observability, RedisConfig, UpstreamConfig,
    },
    mcp_server::{self, Limits, McpServerSpec, Sessions},
};

use super::{Endpoint, OperatorSettings, identity::Identity};
use crate::desired::sealing_key_file;

/// What was judged and resolved elsewhere.
pub(super) struct Parts<'a> {
    pub(super) auth: AuthConfig,
    pub(super) upstreams: Vec<UpstreamConfig>,
    pub(super) redis: Option<RedisConfig>,
    /// Revisions, the one that seals first.
    pub(super) sealing_keys: &'a [u32],
}

pub(super) fn config(
    spec: &McpServerSpec,
    identity: &Identity,
    endpoint: &Endpoint,
    parts: Parts<'_>,
    settings: &OperatorSettings,
) -> GatewayConfig {
    let Parts { auth, upstreams, redis, sealing_keys } = parts;
    let http = spec.http.clone().unwrap_or_default();
    GatewayConfig {
        version: CURRENT_VERSION,
        mcp_server: McpServerRef { name: identity.name.clone(), namespace: identity.namespace.clone() },
        public_url: endpoint.url.clone(),
        accepted_hosts: sorted([service_names(identity, settings), http.extra_hosts].concat()),
        allowed_origins: sorted(http.allowed_origins),
        auth,
        builtins: Builtins {
            ping: spec.builtins.ping.enabled,
            echo: spec.builtins.echo.enabled,
            health_check: spec.builtins.health_check.enabled,
        },
        upstreams,
        sealing_key_files: sealing_keys.iter().map(|revision| sealing_key_file(*revision)).collect(),
        redis,
        observability: Observability {
            log_level: log_level(spec.observability.log_level),
            otlp_endpoint: spec.observability.otlp.as_ref().map(|otlp| otlp.endpoint.clone()),
        },
        allow_private_addresses: settings.allow_private_addresses,
    }
}

/// The names under which pods of the cluster call the Service, from the shortest to the longest.
pub(super) fn service_names(identity: &Identity, settings: &OperatorSettings) -> Vec<String> {
    let Identity { name, namespace, .. } = identity;
    let domain = &settings.cluster_domain;
    vec![
        name.clone(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.{domain}"),
    ]
}

fn log_level(level: mcp_server::LogLevel) -> LogLevel {
    match level {
        mcp_server::LogLevel::Error => LogLevel::Error,
        mcp_server::LogLevel::Warn => LogLevel::Warn,
        mcp_server::LogLevel::Info => LogLevel::Info,
        mcp_server::LogLevel::Debug => LogLevel::Debug,
    }
}

/// What pods read again without a restart.
pub(super) fn policy(spec: &McpServerSpec, authorization: AuthorizationPolicy) -> GatewayPolicy {
    GatewayPolicy {
        version: CURRENT_VERSION,
        authorization,
        replicas: spec.replicas.max(0).cast_unsigned(),
        limits: limits(&spec.sessions, &spec.limits),
    }
}

fn limits(sessions: &Sessions, limits: &Limits) -> LimitsPolicy {
    // Without `..`: a new field does not compile until somebody writes it into the file.
    let Sessions { lifetime_seconds, max_per_principal, replay_events } = sessions;
    let Limits {
        streams_per_principal,
        requests_in_flight_per_principal,
        keep_alive_interval_seconds,
        stream_buffer_bytes,
    } = limits;
    let positive = |number: &i32| number.max(&1).cast_unsigned();
    LimitsPolicy {
        session_lifetime_seconds: positive(lifetime_seconds),
        sessions_per_principal: positive(max_per_principal),
        replay_events: replay_events.max(&0).cast_unsigned(),
        streams_per_principal: positive(streams_per_principal),
        requests_in_flight_per_principal: positive(requests_in_flight_per_principal),
        keep_alive_interval_seconds: positive(keep_alive_interval_seconds),
        stream_buffer_bytes: positive(stream_buffer_bytes),
    }
}

/// Of a list whose order means nothing.
pub(super) fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}
