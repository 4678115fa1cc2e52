//! The StatefulSet of the Redis: one pod without any privilege, which mounts lines of users and never a password.
//!
//! The program is called by its name, so that images of Redis and of Valkey fit alike, and one that holds nothing else. Its
//! probes need no credential.

mod pod;

use std::collections::BTreeMap;

use crds::revision::revision;
use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
        },
        core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, PodTemplateSpec, VolumeResourceRequirements},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use serde_json::json;

use super::{
    super::metadata::{annotation, hashed},
    config_map::config_revision,
    labels, metadata, redis_name, redis_selector,
};
use crate::{
    rotation,
    validate::{ManagedRedis, Storage, ValidServer},
};

pub use pod::CONTAINER_NAME;
pub(super) use pod::{DATA_DIRECTORY, PORT_NAME, USERS_DIRECTORY};

/// Templates that are kept to go back to. Chosen: a person can see what was before; fixed, since old clusters cannot change it.
const REVISION_HISTORY_LIMIT: i32 = 2;

pub(super) fn stateful_set(valid: &ValidServer, managed: &ManagedRedis) -> StatefulSet {
    let mut metadata = metadata(valid, redis_name(&valid.name));
    metadata.annotations = Some(noted(managed));
    hashed(StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(redis_name(&valid.name)),
            selector: LabelSelector { match_labels: Some(redis_selector(&valid.name)), ..LabelSelector::default() },
            // Else a pod that never became ready, for a wrong image, would hold up the one that mends it.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: None,
            }),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            persistent_volume_claim_retention_policy: managed.storage.as_ref().map(|_| retention(managed)),
            volume_claim_templates: managed.storage.as_ref().map(|storage| vec![claim(valid, storage)]),
            template: PodTemplateSpec {
                metadata: Some(pod_metadata(valid, managed)),
                spec: Some(pod::pod_spec(valid, managed)),
            },
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    })
}

/// What the next run reads: which image stays, whether the volume is still the one that is asked for, and who gets in.
fn noted(managed: &ManagedRedis) -> BTreeMap<String, String> {
    let image = managed.image.clone();
    [
        (annotation::REDIS_IMAGE, image.reference),
        (annotation::REDIS_IMAGE_CHOSEN_FOR, image.chosen_for),
        (annotation::REDIS_VOLUME, volume_hash(managed.storage.as_ref())),
        (annotation::REDIS_CREDENTIALS, rotation::text(&managed.credentials.accepted)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Hash of what Kubernetes does not change on a StatefulSet.
pub fn volume_hash(storage: Option<&Storage>) -> String {
    let volume = storage.map(|Storage { size, class_name }| json!([size, class_name]));
    revision(json!(volume).to_string().as_bytes())
}

fn retention(managed: &ManagedRedis) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    let when_deleted = if managed.retain_volume { "Retain" } else { "Delete" };
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(when_deleted.to_owned()),
        when_scaled: Some("Retain".to_owned()),
    }
}

fn claim(valid: &ValidServer, storage: &Storage) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(pod::DATA_VOLUME.to_owned()),
            labels: Some(labels(valid)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), storage.size.clone())].into()),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// The hash of the configuration rolls the pod when that changes.
fn pod_metadata(valid: &ValidServer, managed: &ManagedRedis) -> ObjectMeta {
    let annotations = [(annotation::REDIS_CONFIG.to_owned(), config_revision(managed))];
    ObjectMeta { labels: Some(labels(valid)), annotations: Some(annotations.into()), ..ObjectMeta::default() }
}
