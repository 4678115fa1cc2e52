//! One child: whether it must be sent, and sending it.

use std::fmt::Debug;

use crds::conditions::Reason;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{ConfigMap, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    core::PartialObjectMeta,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{FIELD_MANAGER, Writer, fields};
use crate::{
    desired::annotation,
    entropy::NoEntropy,
    observed::{ChildKind, Observed, ObservedChild},
    requests::{Access, CallError},
    status::Failed,
};

/// A version that no object has. An apply that carries it creates, or is refused with 409 when the name
/// is taken: server-side apply compares a version only with an object that exists. Without this, an apply
/// would quietly take over whatever appeared under the name since the cache looked.
const CREATE_ONLY: &str = "1";

/// A kind that we make.
pub(super) trait Child:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
    /// As decisions call it.
    const KIND: ChildKind;
}

impl Child for ServiceAccount {
    const KIND: ChildKind = ChildKind::ServiceAccount;
}
impl Child for ConfigMap {
    const KIND: ChildKind = ChildKind::ConfigMap;
}
impl Child for NetworkPolicy {
    const KIND: ChildKind = ChildKind::NetworkPolicy;
}
impl Child for Service {
    const KIND: ChildKind = ChildKind::Service;
}
impl Child for Deployment {
    const KIND: ChildKind = ChildKind::Deployment;
}
impl Child for StatefulSet {
    const KIND: ChildKind = ChildKind::StatefulSet;
}
impl Child for Ingress {
    const KIND: ChildKind = ChildKind::Ingress;
}
impl Child for PodDisruptionBudget {
    const KIND: ChildKind = ChildKind::PodDisruptionBudget;
}

/// Why a child is not as desired.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server did not do it.
    #[error("cannot {verb} {kind} `{name}`")]
    Call {
        /// `apply`, `create` or `delete`.
        verb: &'static str,
        /// What.
        kind: &'static str,
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: CallError,
    },
    /// The name belongs to somebody else; nothing was written.
    #[error("{kind} `{name}` belongs to somebody else")]
    NameTaken {
        /// What.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// It was there when it was to be created, and gone a moment later.
    #[error("{kind} `{name}` is being replaced")]
    Vanished {
        /// What.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// No sealing key could be drawn.
    #[error("cannot draw a sealing key")]
    NoEntropy(#[source] NoEntropy),
}

impl ApplyError {
    /// As status shows it: nothing volatile in it. The stage names the kind, the message the object.
    pub fn failed(&self) -> Failed {
        let (verb, kind, (reason, message)) = match self {
            Self::NameTaken { kind, name } => ("apply", *kind, (Reason::NameConflict, taken(name))),
            Self::Vanished { kind, name } => ("apply", *kind, (Reason::WriteConflict, changed_meanwhile(name))),
            Self::Call { verb, kind, name, source } => (*verb, *kind, refusal(name, source)),
            Self::NoEntropy(_) => ("create", "Secret", (Reason::InternalError, no_entropy())),
        };
        Failed { stage: format!("{verb} {kind}"), reason, message, retry: !self.is_permanent() }
    }

    /// Whether only a person can change it.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NameTaken { .. } => true,
            Self::Vanished { .. } | Self::NoEntropy(_) => false,
            Self::Call { source, .. } => source.is_permanent() && !is_stale_uid(source),
        }
    }

    /// What the API server said.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::NameTaken { .. } | Self::Vanished { .. } | Self::NoEntropy(_) => None,
            Self::Call { source, .. } => Some(source),
        }
    }
}

fn refusal(name: &str, source: &CallError) -> (Reason, String) {
    match source {
        CallError::Refused(status) if status.code == 409 || is_stale_uid(source) => {
            (Reason::WriteConflict, changed_meanwhile(name))
        }
        CallError::Refused(status) if status.code == 403 => (
            Reason::AccessDenied,
            format!(
                "the Kubernetes API forbids `{name}`; check the operator's role, and quotas and policies of the namespace: {}",
                status.message
            ),
        ),
        CallError::Refused(status) if source.is_permanent() => (
            Reason::ApiRejected,
            format!("the Kubernetes API refuses `{name}`; change the spec so that it is valid: {}", status.message),
        ),
        CallError::Refused(_) | CallError::Transport(_) | CallError::Deadline | CallError::NotLeader => {
            (Reason::ApiUnavailable, format!("the Kubernetes API does not take `{name}` now; the operator tries again"))
        }
    }
}

fn no_entropy() -> String {
    "the operator's machine gives no random bytes; the operator tries again".to_owned()
}

fn taken(name: &str) -> String {
    format!(
        "`{name}` exists and belongs to somebody else; delete or rename it, or choose another name for the McpServer"
    )
}

fn changed_meanwhile(name: &str) -> String {
    format!("`{name}` changed while it was written; the operator tries again")
}

/// The object of the uid that was observed is gone, and another has its name: the next look will show it.
fn is_stale_uid(error: &CallError) -> bool {
    let CallError::Refused(status) = error else { return false };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    status.code == 422 && causes.iter().any(|cause| cause.field == "metadata.uid")
}

/// Sends `desired` unless it is in the API server as it should be.
pub(super) async fn apply<K: Child>(writer: &Writer<'_>, observed: &Observed, desired: &K) -> Result<(), ApplyError> {
    let name = desired.name_any();
    let document = serde_json::to_value(desired).expect("typed objects with string keys always serialise");
    let Some(existing) = observed.child(K::KIND, &name) else {
        return create(writer, desired, &document, &name).await;
    };
    if !existing.is_controlled_by(writer.owner_uid) {
        return Err(ApplyError::NameTaken { kind: K::KIND.as_str(), name });
    }
    if is_as_desired(existing, desired, &document) {
        return Ok(());
    }
    let uid = existing.metadata.uid.clone().unwrap_or_default();
    send::<K>(writer, with(&document, "uid", uid), &name).await.map_err(|source| failed::<K>(&name, source))
}

/// Whether the next [`apply`] of `desired` writes it.
pub(super) fn must_be_sent<K: Child>(observed: &Observed, desired: &K) -> bool {
    let document = serde_json::to_value(desired).expect("typed objects with string keys always serialise");
    observed.child(K::KIND, &desired.name_any()).is_none_or(|existing| !is_as_desired(existing, desired, &document))
}

fn is_as_desired<K: Child>(existing: &ObservedChild, desired: &K, document: &Value) -> bool {
    let wanted = desired.annotations().get(annotation::DESIRED_HASH).map(String::as_str);
    wanted.is_some()
        && existing.desired_hash() == wanted
        && fields::still_ours(&existing.metadata, FIELD_MANAGER, document)
}

async fn create<K: Child>(writer: &Writer<'_>, desired: &K, document: &Value, name: &str) -> Result<(), ApplyError> {
    match send::<K>(writer, with(document, "resourceVersion", CREATE_ONLY.to_owned()), name).await {
        Err(error) if error.code() == 409 => take_up(writer, desired, document, name).await,
        result => result.map_err(|source| failed::<K>(name, source)),
    }
}

/// The name is taken. By an earlier run of ours whose answer was lost, or by somebody else: only reading
/// tells. This is the one read of `apply`, and it is made only after a refused create.
async fn take_up<K: Child>(writer: &Writer<'_>, desired: &K, document: &Value, name: &str) -> Result<(), ApplyError> {
    let api: Api<K> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    // A list of one: the operator's role has `list` for the caches, and needs no `get` beside it.
    let only = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = writer.requests.call(Access::Read, || api.list_metadata(&only)).await;
    let found = found.map_err(|source| failed::<K>(name, source))?.items.pop();
    // Gone since: the next run creates it.
    let Some(PartialObjectMeta { metadata, .. }) = found else {
        return Err(ApplyError::Vanished { kind: K::KIND.as_str(), name: name.to_owned() });
    };
    let existing = ObservedChild { kind: K::KIND, metadata };
    if !existing.is_controlled_by(writer.owner_uid) {
        return Err(ApplyError::NameTaken { kind: K::KIND.as_str(), name: name.to_owned() });
    }
    if is_as_desired(&existing, desired, document) {
        remember::<K>(writer, name, existing.metadata);
        return Ok(());
    }
    let uid = existing.metadata.uid.unwrap_or_default();
    send::<K>(writer, with(document, "uid", uid), name).await.map_err(|source| failed::<K>(name, source))
}

async fn send<K: Child>(writer: &Writer<'_>, document: Value, name: &str) -> Result<(), CallError> {
    let api: Api<K> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(document);
    let answer = writer.requests.call(Access::Write, || api.patch(name, &params, &patch)).await?;
    remember::<K>(writer, name, answer.meta().clone());
    Ok(())
}

fn remember<K: Child>(writer: &Writer<'_>, name: &str, metadata: ObjectMeta) {
    writer.written.applied((K::KIND, writer.namespace.to_owned(), name.to_owned()), metadata);
}

/// `document` with a precondition in its metadata. Preconditions are no fields: nobody owns them.
fn with(document: &Value, key: &str, value: String) -> Value {
    let mut document = document.clone();
    document["metadata"][key] = Value::String(value);
    document
}

fn failed<K: Child>(name: &str, source: CallError) -> ApplyError {
    ApplyError::Call { verb: "apply", kind: K::KIND.as_str(), name: name.to_owned(), source }
}
