//! What the derive cannot say about the schema: bounded maps, plain text, the default of `status`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::McpServer;

/// The CustomResourceDefinition as it is installed.
///
/// `status.observedGeneration` starts at −1: without it kstatus takes an object that the operator has
/// not seen yet for a ready one. `helm uninstall` keeps the definition: with it every `McpServer`
/// would go.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = McpServer::crd();
    crd.metadata.annotations = Some([("helm.sh/resource-policy".to_owned(), "keep".to_owned())].into());
    for version in &mut crd.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|validation| validation.open_api_v3_schema.as_mut())
            .expect("the derive always writes a schema");
        tidy(schema);
        if let Some(status) = schema.properties.as_mut().and_then(|p| p.get_mut("status")) {
            status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
        }
    }
    crd
}

/// Removes what only the Rust side needs, all the way down.
///
/// - `nullable`: without it the API server drops an explicit `null`, so that `has(self.field)` in a rule and
///   the operator agree on what is absent.
/// - line breaks inside a sentence: they are those of the source, `kubectl explain` makes its own.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.title = None;
    schema.description = schema.description.as_deref().map(unwrapped);
    for child in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        tidy(child);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => tidy(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// Joins the lines of each paragraph; indented lines are examples and stay. Code marks go: a terminal shows them as noise.
fn unwrapped(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines() {
        let continues = !line.is_empty() && !line.starts_with("    ") && !joined.is_empty() && !joined.ends_with('\n');
        if continues {
            joined.push(' ');
        } else if !joined.is_empty() {
            joined.push('\n');
        }
        joined.push_str(line);
    }
    joined.replace('`', "")
}

/// At most 64 annotations, values of at most 4 KiB.
pub(super) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "string", "maxLength": 4096 },
    })
}

/// At most 16 labels, values of at most 63 characters as Kubernetes has it.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// Kubernetes' own pattern of a `resource.Quantity`.
const QUANTITY: &str = "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$";

/// At most 8 resources.
pub(super) fn quantities(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": quantity(generator),
    })
}

/// A number or a string such as `100m` and `64Mi`.
pub(super) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "integer" }, { "type": "string" }],
        "x-kubernetes-int-or-string": true,
        "pattern": QUANTITY,
        "maxLength": 32,
    })
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn paragraphs_are_joined_and_examples_stay() {
        assert_eq!(
            unwrapped("One\ntwo `x`.\n\nThree:\n\n    a: 1\n    b: 2"),
            "One two x.\n\nThree:\n\n    a: 1\n    b: 2"
        );
    }
}
