use expect_test::expect;
use serde_json::json;

use super::*;

fn tool(name: &str) -> ToolDefinition {
    ToolDefinition {
        name: name.to_owned(),
        title: "Title".to_owned(),
        description: "Description.".to_owned(),
        input_schema: json!({ "type": "object" }),
        output_schema: None,
        annotations: ToolAnnotations {
            read_only_hint: true,
            destructive_hint: false,
            idempotent_hint: true,
            open_world_hint: false,
        },
    }
}

fn problem(definitions: &[ToolDefinition]) -> String {
    Catalog::new(definitions).unwrap_err().to_string()
}

#[test]
fn a_definition_reads_as_the_specification_has_it() {
    let catalog = Catalog::new(&[tool("one")]).unwrap();
    expect![[r#"{"name":"one","title":"Title","description":"Description.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}"#]]
        .assert_eq(catalog.get("one").unwrap().get());
}

#[test]
fn the_order_is_that_of_the_definitions() {
    let catalog = Catalog::new(&[tool("b"), tool("a"), tool("c")]).unwrap();
    assert_eq!(catalog.names().collect::<Vec<_>>(), ["b", "a", "c"]);
    assert_eq!((catalog.position("a"), catalog.position("d")), (Some(1), None));
    assert_eq!(catalog.count(), 3);
}

#[test]
fn the_digest_changes_with_content_and_order() {
    let digest = |tools: &[ToolDefinition]| Catalog::new(tools).unwrap().digest().to_owned();
    let one = digest(&[tool("a"), tool("b")]);
    assert_eq!(one, digest(&[tool("a"), tool("b")]));
    assert_ne!(one, digest(&[tool("b"), tool("a")]));
    let changed = ToolDefinition { title: "Other".to_owned(), ..tool("b") };
    assert_ne!(one, digest(&[tool("a"), changed]));
    assert_eq!(one.len(), crds::revision::REVISION_LENGTH);
}

#[test]
fn a_name_that_clients_may_refuse_is_refused_at_start() {
    for name in ["", "a b", "a/b", "é", "a\n", &"x".repeat(65)] {
        assert_eq!(Catalog::new(&[tool(name)]).unwrap_err(), CatalogError::Name(name.to_owned()));
    }
    assert!(Catalog::new(&[tool(&"x".repeat(64))]).is_ok());
}

#[test]
fn a_name_is_there_once() {
    assert_eq!(problem(&[tool("a"), tool("a")]), r#"tool "a" is defined twice"#);
}

#[test]
fn a_tool_without_a_description_is_refused() {
    let silent = ToolDefinition { description: String::new(), ..tool("a") };
    assert_eq!(problem(&[silent]), r#"tool "a" has no description"#);
}

#[test]
fn a_schema_whose_root_is_no_object_is_refused() {
    let expected = |schema: &str| format!(r#"tool "a": `{schema}` must have `type: object` at its root"#);
    let input = ToolDefinition { input_schema: json!({ "type": "string" }), ..tool("a") };
    assert_eq!(problem(&[input]), expected("inputSchema"));
    let output = ToolDefinition { output_schema: Some(json!(true)), ..tool("a") };
    assert_eq!(problem(&[output]), expected("outputSchema"));
}

#[test]
fn a_parameter_header_is_not_promised() {
    let schema = json!({
        "type": "object",
        "properties": { "a": { "type": "string", "x-mcp-header": "A" } }
    });
    let tool = ToolDefinition { input_schema: schema, ..tool("a") };
    assert_eq!(problem(&[tool]), r#"tool "a": `x-mcp-header` is not supported"#);
}
