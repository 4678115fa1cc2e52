//! Everything a decision may know about the world, as plain data.
//!
//! `observe` fills it from caches, `validate`, `desired` and `status` read it. It holds facts, no
//! judgements: what a missing key or a wrong challenge means is decided where it matters. It must
//! never hold the content of a Secret: the operator cannot read one.

use std::{collections::BTreeMap, time::Duration};

use crds::gateway_report::GatewayReport;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::{
    desired::{annotation, label},
    rotation,
    validate::Image,
};

/// What is known about one `McpServer` and its surroundings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The ConfigMaps that the spec refers to, by name. No entry: it does not exist in the namespace.
    pub config_maps: BTreeMap<String, ReferencedConfigMap>,
    /// Every object in the namespace that has the name of a child of ours, or carries our label and
    /// owner. Order does not matter.
    pub children: Vec<ObservedChild>,
    /// Status and annotations of the Deployment that we control; `None` also while another has the name.
    pub deployment: Option<ObservedDeployment>,
    /// The pods that the selector matches, those that are being deleted included. Order does not matter.
    pub pods: Vec<ObservedPod>,
    /// What there is of a managed Redis.
    pub redis: ObservedRedis,
    /// What is noted and mounted of the sealing keys.
    pub sealing: rotation::sealing::Seen,
    /// What asks for new passwords and keys.
    pub wish: rotation::Wish,
    /// What time it is: rotations and retirements have dates.
    pub now: Timestamp,
    /// The older `McpServer` that has the same host and path; see [`crate::route::route_owner`].
    pub route_owner: Option<RouteOwner>,
    /// What the API server signs ServiceAccount tokens with. `None`: nobody asked, since the spec does not use it.
    pub service_account_keys: Option<Result<ServiceAccountKeys, KeysUnavailable>>,
}

impl Observed {
    /// The child of this kind and name, whoever controls it.
    pub fn child(&self, kind: ChildKind, name: &str) -> Option<&ObservedChild> {
        self.children.iter().find(|child| child.kind == kind && child.name() == name)
    }

    /// Whether the Deployment has been acted on: until then a ReplicaSet of its last revision may not be visible yet.
    pub fn is_rolled(&self) -> bool {
        self.deployment.as_ref().is_some_and(|deployment| deployment.observed_generation >= deployment.generation)
    }

    /// Whether the Deployment's last change has replaced every pod, and no ReplicaSet of before can make one.
    pub fn is_rolled_out(&self) -> bool {
        let all_new = |deployment: &ObservedDeployment| deployment.replicas == deployment.updated_replicas;
        self.is_rolled() && self.deployment.as_ref().is_some_and(all_new)
    }

    /// Whether no pod of another configuration than this one is left, those on their way out included, and none can come.
    pub fn former_pods_are_gone(&self, config_revision: &str) -> bool {
        // Without a Deployment no pod can come.
        let settled = self.deployment.is_none() || self.is_rolled();
        settled && self.pods.iter().all(|pod| pod.config_revision.as_deref() == Some(config_revision))
    }
}

/// A ConfigMap that the spec refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferencedConfigMap {
    /// `data` and `binaryData` together, by key.
    pub keys: BTreeMap<String, Vec<u8>>,
}

/// The keys of the API server, as it publishes them.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceAccountKeys {
    /// `iss` of the tokens that it signs.
    pub issuer: String,
    /// The JSON Web Key Set; its keys in an order that depends on them alone.
    pub jwks: serde_json::Value,
    /// When they were fetched, in seconds since 1970.
    pub fetched_at: i64,
}

/// Why there are no keys of the API server, and never were. A closed set: a status message is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysUnavailable {
    /// The operator may not see them.
    Forbidden,
    /// There is no such document.
    NotServed,
    /// It is too large, no JSON, or holds no key.
    Unreadable,
    /// No answer, or one that may be another soon.
    Unreachable,
}

/// The kinds of objects that the operator makes. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildKind {
    /// `v1`.
    ServiceAccount,
    /// `v1`: configuration revisions and the policy.
    ConfigMap,
    /// `networking.k8s.io/v1`.
    NetworkPolicy,
    /// `v1`.
    Service,
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`: a managed Redis.
    StatefulSet,
    /// `networking.k8s.io/v1`.
    Ingress,
    /// `policy/v1`.
    PodDisruptionBudget,
}

impl ChildKind {
    /// As it stands in `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::Ingress => "Ingress",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
        }
    }
}

/// An existing object, as a metadata watch shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedChild {
    /// What it is.
    pub kind: ChildKind,
    /// Name, uid, resourceVersion, annotations, owner references and managedFields.
    pub metadata: ObjectMeta,
}

impl ObservedChild {
    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The owner reference with `controller: true`.
    pub fn controller(&self) -> Option<&OwnerReference> {
        let owners = self.metadata.owner_references.as_deref().unwrap_or_default();
        owners.iter().find(|owner| owner.controller == Some(true))
    }

    /// Whether the `McpServer` with this uid controls it. A name alone proves nothing.
    pub fn is_controlled_by(&self, uid: &str) -> bool {
        self.controller().is_some_and(|owner| owner.uid == uid)
    }

    /// Whether it carries the label that names the `McpServer` it was made for.
    pub fn is_labelled_for(&self, mcp_server: &str) -> bool {
        let labels = self.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(label::MCP_SERVER)).is_some_and(|name| name == mcp_server)
    }

    /// Hash of the object as it was last wanted.
    pub fn desired_hash(&self) -> Option<&str> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations.get(annotation::DESIRED_HASH).map(String::as_str)
    }

    /// Whether it is on its way out.
    pub fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
}

/// What the Deployment says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedDeployment {
    /// Annotations [`annotation::SERVER_IMAGE`] and [`annotation::SERVER_IMAGE_CHOSEN_FOR`]: the image in force.
    pub server_image: Option<Image>,
    /// Annotation [`annotation::DESIRED_HASH`].
    pub desired_hash: Option<String>,
    /// `metadata.generation`; 0 when absent.
    pub generation: i64,
    /// `status.observedGeneration`; 0 when absent.
    pub observed_generation: i64,
    /// `status.replicas`: pods that exist, of any revision.
    pub replicas: i32,
    /// `status.updatedReplicas`: pods of the current template.
    pub updated_replicas: i32,
    /// `status.availableReplicas`.
    pub available_replicas: i32,
    /// `status.conditions`, those that matter.
    pub conditions: Vec<DeploymentCondition>,
}

/// What there is of a managed Redis, asked for or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedRedis {
    /// Its StatefulSet, when we control it.
    pub stateful_set: Option<ObservedStatefulSet>,
    /// Its pods, those on their way out included; at most one stays.
    pub pods: Vec<ObservedPod>,
    /// What is noted and mounted of its credentials.
    pub credentials: rotation::redis::Seen,
}

/// What the StatefulSet of a managed Redis says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedStatefulSet {
    /// Annotations [`annotation::REDIS_IMAGE`] and [`annotation::REDIS_IMAGE_CHOSEN_FOR`]: the image in force.
    pub image: Option<Image>,
    /// Annotation [`annotation::REDIS_VOLUME`]: what its volume was asked to be.
    pub volume: Option<String>,
    /// `metadata.generation`; 0 when absent.
    pub generation: i64,
    /// `status.observedGeneration`; 0 when absent.
    pub observed_generation: i64,
    /// `status.updatedReplicas`: pods of the current template.
    pub updated_replicas: i32,
    /// `status.readyReplicas`, of any template.
    pub ready_replicas: i32,
}

impl ObservedStatefulSet {
    /// Whether its one pod is of the current template, and ready.
    pub fn runs(&self) -> bool {
        let Self { generation, observed_generation, updated_replicas, ready_replicas, .. } = self;
        observed_generation >= generation && *updated_replicas > 0 && *ready_replicas > 0
    }
}

/// One condition of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentCondition {
    /// `Available`, `Progressing` or `ReplicaFailure`.
    pub type_: String,
    /// Whether it holds (`status: "True"`).
    pub holds: bool,
    /// `ProgressDeadlineExceeded`, `FailedCreate` and others.
    pub reason: String,
    /// What Kubernetes says; may hold names of pods, so it is shown only for `ReplicaFailure`.
    pub message: String,
}

/// One pod: of the gateway, or of its Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedPod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`: a verification belongs to it, not to the name.
    pub uid: String,
    /// `status.podIP`, once it has one.
    pub ip: Option<String>,
    /// Condition `Ready`.
    pub ready: bool,
    /// Label [`label::CONFIG_REVISION`]; a Redis has none.
    pub config_revision: Option<String>,
    /// Label [`label::REDIS_CREDENTIALS`]: the credentials of a managed Redis that it mounts.
    pub redis_credentials: Option<u32>,
    /// Label [`label::SEALING_KEYS`]: the sealing keys that it mounts, the one that seals first.
    pub sealing_keys: Vec<u32>,
    /// `spec.containers[].image` of the container.
    pub image: Option<String>,
    /// `state.waiting.reason` of the container: `ImagePullBackOff`, `CrashLoopBackOff`.
    pub waiting_reason: Option<String>,
    /// `restartCount` of the container is above 0: between two crashes nothing waits.
    pub restarted: bool,
    /// Condition `PodScheduled` is false, and why: `Unschedulable`.
    pub unscheduled_reason: Option<String>,
    /// Whether its volumes are there, and if not, how long it has waited.
    pub volumes: Volumes,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// What the last poll found; `None` before the first has ended.
    pub verification: Option<PodVerification>,
}

/// Whether the volumes of a pod are mounted, as far as the kubelet lets see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Volumes {
    /// They are, or nobody says that they are not.
    #[default]
    Mounted,
    /// Not yet: every pod starts like this.
    OnTheWay,
    /// Not for longer than [`VOLUMES_PATIENCE`].
    Late,
}

/// How long a pod may wait for its volumes before something is wrong. Chosen: mounting takes seconds also on a busy node.
pub const VOLUMES_PATIENCE: Duration = Duration::from_secs(60);

/// What the operator saw when it asked a pod, hop by hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodVerification {
    /// `GET /report` on the admin port.
    pub report: Result<GatewayReport, HopError>,
    /// A `POST` of `server/discover` without a token to the endpoint, on the public port.
    pub unauthenticated: Result<UnauthenticatedAnswer, HopError>,
    /// `GET` of the protected resource metadata, on the public port. Not asked for under `auth.mode: None`:
    /// then it is `Ok(None)`.
    pub metadata: Result<Option<MetadataAnswer>, HopError>,
}

impl PodVerification {
    /// Of a pod that answers on no port.
    pub fn unreachable() -> Self {
        let nothing = HopError::Unreachable;
        Self { report: Err(nothing), unauthenticated: Err(nothing), metadata: Err(nothing) }
    }
}

/// The answer to a request without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnauthenticatedAnswer {
    /// HTTP status.
    pub status: u16,
    /// Header `WWW-Authenticate`, when it is text. Untrusted, cut to 1 KiB.
    pub www_authenticate: Option<String>,
}

/// The protected resource metadata (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataAnswer {
    /// HTTP status.
    pub status: u16,
    /// Member `resource`, when the body is JSON and has it as a string. Untrusted, cut to 1 KiB.
    pub resource: Option<String>,
}

/// Why a hop gave no answer. A closed set: a status message is made of it, so it must not be volatile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopError {
    /// No connection.
    Unreachable,
    /// No complete answer before the deadline.
    TimedOut,
    /// An answer that is not what this hop answers: too large, not JSON, an unknown version.
    Unreadable,
}

/// The `McpServer` that holds a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteOwner {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The first path that both ask for.
    pub path: String,
}
