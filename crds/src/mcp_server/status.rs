//! `status`: what was seen, never a guess.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Deserialize, JsonSchema, Serialize};

/// What the operator has seen. Written by the operator only; never an input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpServerStatus {
    /// One condition for each concern. Ready is the summary; its reason says which hop is missing, its message what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// The metadata.generation that this status speaks of; -1 until the operator has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// How many gateway pods exist; for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Label selector of the gateway's pods; for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,

    /// Pods that serve this revision, of how many are wanted: "2/2".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub replicas_summary: Option<String>,

    /// The URL under which clients reach the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub url: Option<String>,

    /// Eras of the protocol that every pod serves, each by its newest revision: "2026-07-28,2025-11-25". 2025-11-25 stands for
    /// all revisions with sessions: 2025-11-25, 2025-06-18 and 2025-03-26.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub eras: Option<String>,

    /// The tools that every pod reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolsStatus>,

    /// What the pods say of each upstream of the spec, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub upstreams: Vec<UpstreamStatus>,

    /// Revision of the configuration that the pods are rolled out with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub config_revision: Option<String>,

    /// Revision of the policy that every pod has in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub policy_revision: Option<String>,

    /// Which revisions of the Secrets that the operator made are in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretsStatus>,

    /// The value of the annotation mcpfoundry.dev/rotate-at whose rotation was begun last; it is over when secrets names one revision
    /// of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_rotate_at: Option<String>,

    /// The value of the annotation mcpfoundry.dev/reconcile-at that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_reconcile_at: Option<String>,
}

/// Revisions of the Secrets that the operator made, by their numbers: NAME-sealing-NUMBER-... and NAME-redis-NUMBER-...
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsStatus {
    /// Keys that seal session ids: the first seals, all of them open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub sealing_keys: Vec<i64>,

    /// Users of the managed Redis: the first is the gateway's, all of them are let in. Absent without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub redis_credentials: Vec<i64>,
}

/// The catalog in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolsStatus {
    /// How many tools exist, before any filtering by caller.
    pub count: i64,
    /// Digest of their definitions; equal digests mean equal lists.
    #[schemars(length(max = 64))]
    pub digest: String,
}

/// One upstream, as all pods see it together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamStatus {
    /// Its name in the spec.
    #[schemars(length(max = 20))]
    pub name: String,

    /// Whether every pod can call its tools now.
    pub ready: bool,

    /// The protocol revision that every pod agreed on with it; absent while pods differ or none is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub protocol_version: Option<String>,

    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub server_name: Option<String>,

    /// The version that it says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub server_version: Option<String>,

    /// How many of its tools every pod offers.
    pub tools: i64,

    /// Why it is not ready, in the words of a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub last_error: Option<String>,
}
