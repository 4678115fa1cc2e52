//! `spec.builtins`, `spec.pod`, `spec.observability`: what runs, and how it is seen.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Deserialize, JsonSchema, KubeSchema, Serialize, schema};

/// The gateway's own tools. A disabled tool is absent from the list and unknown when called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Builtins {
    /// Tool ping: answers pong; shows that endpoint and token work. Needs scope tools:ping unless a rule says otherwise.
    #[serde(default)]
    pub ping: Builtin,

    /// Tool echo: answers its argument. Needs scope tools:echo unless a rule says otherwise.
    #[serde(default)]
    pub echo: Builtin,

    /// Tool `health_check`: real checks of what the gateway depends on. Needs any valid token unless a rule says otherwise.
    #[serde(default)]
    pub health_check: Builtin,
}

/// One of the gateway's own tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Builtin {
    /// Whether the tool exists. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl Default for Builtin {
    fn default() -> Self {
        Self { enabled: true }
    }
}

fn yes() -> bool {
    true
}

/// What concerns the gateway's pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Image of the gateway. Example: registry.example.com/mcp-foundry/server@sha256:... Default: the image that the operator was
    /// installed with when the pods rolled last: an upgrade of the operator restarts nothing, the next change that rolls the pods
    /// takes the new image along. Replicas, expose and authorization roll nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$')")
        .message("pod.image must be an image reference without spaces; for example registry.example.com/mcp-foundry/server:0.1.0"))]
    pub image: Option<String>,

    /// CPU and memory of the gateway container. Default: requests cpu 50m, memory 64Mi; limits memory 256Mi. A resource that is
    /// named here, in requests or in limits, has no default beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

/// CPU and memory of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRequirements {
    /// What is reserved. Example: { cpu: 100m, memory: 64Mi }. Default: cpu 50m, memory 64Mi, each unless limits names the resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: BTreeMap<String, Quantity>,

    /// What is never exceeded. Example: { memory: 512Mi }. Default: memory 256Mi, unless requests names memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

/// Logs and traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observability {
    /// The least level that is logged, as JSON lines: Error, Warn, Info or Debug. Tokens, arguments and results are logged at no level.
    /// Default: Info.
    #[serde(default)]
    pub log_level: LogLevel,

    /// Where traces are sent. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
}

/// Levels of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogLevel {
    /// Somebody should act.
    Error,
    /// Something is degraded.
    Warn,
    /// One line for each request and each change of state.
    #[default]
    Info,
    /// What was decided and why.
    Debug,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// Base URL of a collector that takes OTLP over HTTP (protobuf); /v1/traces is appended.
    /// Example: http://otel-collector.observability.svc:4318.
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$')")
        .message("observability.otlp.endpoint must be an http or https URL without user, query and trailing slash; for example http://otel-collector.observability.svc:4318"))]
    pub endpoint: String,
}
