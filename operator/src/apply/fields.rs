//! Which fields a server-side apply of an object owns, and whether we still own them.
//!
//! The API server keeps for each manager the set of fields that it set (`managedFields`). A field that
//! somebody else changed, or removed, leaves our set, whatever its value. So an object whose hash is
//! right and whose set holds everything that we set is as we left it, and need not be sent: this is
//! known from metadata alone, also after a restart. The set is computed here by the rules of server-side
//! apply for the kinds we make; [`LIST_KEYS`] and [`ATOMIC`] are their merge rules. A wrong row shows as
//! a write in each run, which the idle test on a real API server counts.
//!
//! Source: Kubernetes, server-side apply; `FieldsV1` in the API reference; merge keys in `OpenAPI`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::{Map, Value, json};

/// Lists whose items are told apart by keys: the field's name, the keys, sorted. `ports` stands twice:
/// the row fits whose first key the item has. Every other list is owned as a whole.
const LIST_KEYS: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("initContainers", &["name"]),
    ("ownerReferences", &["uid"]),
    ("ports", &["containerPort", "protocol"]),
    ("ports", &["port", "protocol"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("volumeMounts", &["mountPath"]),
    ("volumes", &["name"]),
];

/// Keyed lists whose items are owned as a whole.
const WHOLE_ITEMS: &[&str] = &["ownerReferences"];

/// Objects that are owned as a whole.
const ATOMIC: &[&str] = &[
    "configMapKeyRef",
    "fieldRef",
    "labelSelector",
    "namespaceSelector",
    "nodeSelector",
    "podSelector",
    "resourceFieldRef",
    "secretKeyRef",
    "selector",
];

/// What the API server sets itself, and therefore nobody owns.
const UNOWNED_METADATA: &[&str] =
    &["creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink", "uid"];

/// Whether `manager` still owns, by apply, every field of `desired`.
pub(super) fn still_ours(metadata: &ObjectMeta, manager: &str, desired: &Value) -> bool {
    let ours = |entry: &&ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let entry = metadata.managed_fields.iter().flatten().find(ours);
    entry.and_then(|entry| entry.fields_v1.as_ref()).is_some_and(|fields| covers(&fields.0, &owned_fields(desired)))
}

/// The `FieldsV1` of an apply of `object`.
pub(crate) fn owned_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(root) = object.as_object_mut() {
        root.remove("apiVersion");
        root.remove("kind");
        root.remove("status");
        if let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !UNOWNED_METADATA.contains(&key.as_str()));
        }
    }
    fields("", &object)
}

/// The fields of `value`, which stands in a field called `name`. A leaf is `{}`.
fn fields(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(object) if !ATOMIC.contains(&name) => {
            object.iter().map(|(key, value)| (format!("f:{key}"), fields(key, value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => {
            items.iter().map(|item| keyed_item(name, item)).collect::<Option<Map<_, _>>>().unwrap_or_default().into()
        }
        _ => json!({}),
    }
}

/// `k:{"name":"gateway"}` and the fields of an item; `None` when the list is owned as a whole.
fn keyed_item(list: &str, item: &Value) -> Option<(String, Value)> {
    let item = item.as_object()?;
    let (_, keys) = LIST_KEYS.iter().find(|(name, keys)| *name == list && item.contains_key(keys[0]))?;
    let key: Map<String, Value> = keys
        .iter()
        .map(|key| (*key).to_owned())
        .zip(keys.iter().map(|key| item.get(*key).cloned().unwrap_or_else(|| json!("TCP"))))
        .collect();
    let mut owned = json!({});
    if !WHOLE_ITEMS.contains(&list) {
        owned = fields("", &Value::Object(item.clone()));
        owned["."] = json!({});
    }
    Some((format!("k:{}", Value::Object(key)), owned))
}

/// Whether every field of `expected` is in `owned`.
fn covers(owned: &Value, expected: &Value) -> bool {
    let Some(expected) = expected.as_object() else { return true };
    expected.iter().all(|(key, inner)| owned.get(key).is_some_and(|owned| covers(owned, inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_deployment_are_those_that_the_api_server_answers() {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "tools", "namespace": "demo", "uid": "x", "resourceVersion": "1",
                "labels": { "app.kubernetes.io/name": "mcp-server" },
                "ownerReferences": [{ "uid": "u1", "name": "tools", "controller": true }],
            },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "a": "b" } },
                "template": { "spec": {
                    "containers": [{
                        "name": "gateway",
                        "args": ["--config", "x"],
                        "ports": [{ "containerPort": 8080, "name": "mcp" }],
                        "securityContext": { "capabilities": { "drop": ["ALL"] } },
                        "volumeMounts": [{ "mountPath": "/etc/x", "name": "config", "readOnly": true }],
                    }],
                    "volumes": [{ "name": "tmp", "emptyDir": {} }],
                } },
            },
        });
        assert_eq!(
            owned_fields(&deployment),
            json!({
                "f:metadata": {
                    "f:labels": { "f:app.kubernetes.io/name": {} },
                    "f:ownerReferences": { r#"k:{"uid":"u1"}"#: {} },
                },
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:template": { "f:spec": {
                        "f:containers": { r#"k:{"name":"gateway"}"#: {
                            ".": {},
                            "f:args": {},
                            "f:name": {},
                            "f:ports": { r#"k:{"containerPort":8080,"protocol":"TCP"}"#: { ".": {}, "f:containerPort": {}, "f:name": {} } },
                            "f:securityContext": { "f:capabilities": { "f:drop": {} } },
                            "f:volumeMounts": { r#"k:{"mountPath":"/etc/x"}"#: { ".": {}, "f:mountPath": {}, "f:name": {}, "f:readOnly": {} } },
                        } },
                        "f:volumes": { r#"k:{"name":"tmp"}"#: { ".": {}, "f:emptyDir": {}, "f:name": {} } },
                    } },
                },
            })
        );
    }

    #[test]
    fn ports_of_a_service_have_their_own_keys() {
        let service = json!({ "spec": { "ports": [{ "port": 80, "protocol": "TCP", "targetPort": "mcp" }], "selector": { "a": "b" } } });
        assert_eq!(
            owned_fields(&service),
            json!({ "f:spec": {
                "f:ports": { r#"k:{"port":80,"protocol":"TCP"}"#: { ".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {} } },
                "f:selector": {},
            } })
        );
    }

    #[test]
    fn a_field_that_left_our_set_or_an_entry_that_is_not_an_apply_is_noticed() {
        let desired = json!({ "data": { "a": "1", "b": "2" } });
        let whole = json!({ "f:data": { "f:a": {}, "f:b": {} }, "f:metadata": {} });
        assert!(still_ours(&owned("mcp-operator", "Apply", None, &whole), "mcp-operator", &desired));
        assert!(!still_ours(
            &owned("mcp-operator", "Apply", None, &json!({ "f:data": { "f:a": {} } })),
            "mcp-operator",
            &desired
        ));
        assert!(!still_ours(&owned("mcp-operator", "Update", None, &whole), "mcp-operator", &desired));
        assert!(!still_ours(&owned("mcp-operator", "Apply", Some("status"), &whole), "mcp-operator", &desired));
        assert!(!still_ours(&owned("kubectl", "Apply", None, &whole), "mcp-operator", &desired));
        assert!(!still_ours(&ObjectMeta::default(), "mcp-operator", &desired));
    }

    #[test]
    fn another_managers_fields_do_not_matter() {
        let desired = json!({ "metadata": { "labels": { "a": "1" } } });
        let more = json!({ "f:metadata": { "f:labels": { "f:a": {}, "f:injected": {} } } });
        assert!(still_ours(&owned("mcp-operator", "Apply", None, &more), "mcp-operator", &desired));
    }

    fn owned(manager: &str, operation: &str, subresource: Option<&str>, fields: &Value) -> ObjectMeta {
        serde_json::from_value(json!({ "managedFields": [{
            "manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": fields,
        }] }))
        .unwrap()
    }
}
