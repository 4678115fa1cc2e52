//! Everything that exists, before any filtering by caller: the offers of all providers in stable order, each
//! definition serialised once for each revision.
//!
//! A snapshot: built at start and whenever a provider's offer has changed, then only read. Lists are assembled from
//! its bytes, so equal catalogs give equal lists. What a caller may see of it is [`crate::gateway::decide`]'s business.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, value::RawValue};

use super::{
    Offer, OfferedTool,
    param_headers::{ParamHeader, param_headers},
    schema::Schema,
    wire::Wire,
};
use crate::{json::Object, protocol::ProtocolVersion};

/// Why a set of offers is no catalog. For the gateway's own tools found at start, never by a caller.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CatalogError {
    /// A name outside 1 to 128 of `A-Za-z0-9_.-`.
    #[error("tool {0:?}: a name has 1 to 128 letters, digits, `_`, `.` or `-`")]
    Name(String),
    /// Two tools of one name.
    #[error("tool {0:?} is defined twice")]
    Duplicate(String),
    /// Without a description no model can choose it.
    #[error("tool {0:?} has no description")]
    NoDescription(String),
    /// A schema whose root is not `type: object`.
    #[error("tool {tool:?}: `{schema}` must have `type: object` at its root")]
    Root {
        /// Whose.
        tool: String,
        /// `inputSchema` or `outputSchema`.
        schema: &'static str,
    },
    /// A schema does not compile.
    #[error("tool {tool:?}: `{schema}` cannot be used: {problem}")]
    Schema {
        /// Whose.
        tool: String,
        /// `inputSchema` or `outputSchema`.
        schema: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// `x-mcp-header` stands where clients refuse it.
    #[error(
        "tool {0:?}: `x-mcp-header` needs a header token, once, on a string, integer or boolean below `properties`"
    )]
    ParameterHeader(String),
}

/// All that is offered.
#[derive(Debug, Default)]
pub struct Catalog {
    /// In list order.
    tools: Vec<ToolEntry>,
    /// Name to position in `tools`.
    positions: HashMap<Arc<str>, usize>,
    resources: Vec<Entry>,
    templates: Vec<Entry>,
    prompts: Vec<Entry>,
    offered: Offered,
    digest: String,
}

/// Which kinds of feature somebody offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of the specification")]
pub struct Offered {
    /// Resources or templates.
    pub resources: bool,
    /// Changes of single resources.
    pub resource_updates: bool,
    /// Prompts.
    pub prompts: bool,
    /// Completions.
    pub completions: bool,
    /// Log messages for clients.
    pub logging: bool,
}

/// A tool.
#[derive(Debug)]
pub(super) struct ToolEntry {
    pub(super) name: Arc<str>,
    pub(super) provider: usize,
    wire: Wire,
    /// `None` for what its own server checks.
    pub(super) checks: Option<Checks>,
    pub(super) headers: Vec<ParamHeader>,
    pub(super) deadline: Duration,
    /// Its definition says that to run it twice is as good as once.
    pub(super) repeatable: bool,
}

/// The schemas that input and output are held to.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) input: Schema,
    pub(super) output: Option<Schema>,
}

/// A resource, a template or a prompt.
#[derive(Debug)]
struct Entry {
    /// URI, URI template or name.
    name: Arc<str>,
    provider: usize,
    wire: Wire,
}

/// Which list an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
    /// `prompts/list`
    Prompts,
}

impl Catalog {
    /// Checks and serialises all offers; their order is the order of every list.
    pub fn new(offers: &[Arc<Offer>]) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        for (provider, offer) in offers.iter().enumerate() {
            for tool in &offer.tools {
                catalog.add(provider, tool)?;
            }
            let entry = |name: &Arc<str>, definition: &RawValue| Entry {
                name: Arc::clone(name),
                provider,
                wire: Wire::new(definition.to_owned()),
            };
            catalog.resources.extend(offer.resources.iter().map(|one| entry(&one.uri, &one.definition)));
            catalog.templates.extend(offer.templates.iter().map(|one| entry(&one.uri_template, &one.definition)));
            catalog.prompts.extend(offer.prompts.iter().map(|one| entry(&one.name, &one.definition)));
            catalog.offered.add(offer);
        }
        catalog.digest = catalog.digest_of_tools();
        Ok(catalog)
    }

    fn add(&mut self, provider: usize, tool: &OfferedTool) -> Result<(), CatalogError> {
        let entry = tool_entry(provider, tool)?;
        if self.positions.insert(Arc::clone(&tool.name), self.tools.len()).is_some() {
            return Err(CatalogError::Duplicate(tool.name.to_string()));
        }
        self.tools.push(entry);
        Ok(())
    }

    /// How many tools exist.
    pub fn count(&self) -> usize {
        self.tools.len()
    }

    /// Revision of the definitions of all tools in list order: equal digests mean equal lists.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Which kinds of feature somebody offers.
    pub fn offered(&self) -> Offered {
        self.offered
    }

    /// The name itself, if a tool has it: what callers typed never goes further than this.
    pub fn name(&self, name: &str) -> Option<Arc<str>> {
        Some(Arc::clone(&self.tool(name)?.name))
    }

    /// Every name of a tool, in list order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|entry| &*entry.name)
    }

    /// The tools, as `version` reads them, in list order.
    pub fn tools(&self, version: ProtocolVersion) -> impl Iterator<Item = (&str, &RawValue)> {
        self.tools.iter().map(move |entry| (&*entry.name, entry.wire.of(version)))
    }

    /// The entries of another list, as `version` reads them, in list order.
    pub fn list(&self, listed: Listed, version: ProtocolVersion) -> impl Iterator<Item = (&str, &RawValue)> {
        let entries = match listed {
            Listed::Resources => &self.resources,
            Listed::Templates => &self.templates,
            Listed::Prompts => &self.prompts,
        };
        entries.iter().map(move |entry| (&*entry.name, entry.wire.of(version)))
    }

    pub(super) fn tool(&self, name: &str) -> Option<&ToolEntry> {
        self.tools.get(*self.positions.get(name)?)
    }

    /// Who may know the resource: whoever lists it, else everyone with templates.
    pub(super) fn providers_of_resource(&self, uri: &str) -> Vec<usize> {
        if let Some(entry) = self.resources.iter().find(|entry| &*entry.name == uri) {
            return vec![entry.provider];
        }
        let mut providers: Vec<usize> = self.templates.iter().map(|entry| entry.provider).collect();
        providers.dedup();
        providers
    }

    /// Whether somebody may know a resource with this URI.
    pub fn has_resource(&self, uri: &str) -> bool {
        !self.providers_of_resource(uri).is_empty()
    }

    pub(super) fn provider_of_prompt(&self, name: &str) -> Option<usize> {
        self.prompts.iter().find(|entry| &*entry.name == name).map(|entry| entry.provider)
    }

    pub(super) fn provider_of_template(&self, uri: &str) -> Option<usize> {
        self.templates.iter().chain(&self.resources).find(|entry| &*entry.name == uri).map(|entry| entry.provider)
    }

    fn digest_of_tools(&self) -> String {
        let mut content = Vec::new();
        for entry in &self.tools {
            content.extend_from_slice(entry.wire.of(ProtocolVersion::LATEST_MODERN).get().as_bytes());
            // JSON text may hold a raw line feed between tokens, never two definitions one.
            content.push(b'\n');
        }
        crds::revision::revision(&content)
    }
}

impl Offered {
    fn add(&mut self, offer: &Offer) {
        self.resources |= !offer.resources.is_empty() || !offer.templates.is_empty();
        self.resource_updates |= offer.resource_updates;
        self.prompts |= !offer.prompts.is_empty();
        self.completions |= offer.completions;
        self.logging |= offer.logging;
    }
}

fn tool_entry(provider: usize, tool: &OfferedTool) -> Result<ToolEntry, CatalogError> {
    let name = || tool.name.to_string();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if !(1..=128).contains(&tool.name.len()) || !tool.name.bytes().all(allowed) {
        return Err(CatalogError::Name(name()));
    }
    let definition: Value = serde_json::from_str(tool.definition.get()).unwrap_or_default();
    let input = definition.get("inputSchema").unwrap_or(&Value::Null);
    if !is_object_schema(input) {
        return Err(CatalogError::Root { tool: name(), schema: "inputSchema" });
    }
    let input = Object::parse(tool.definition.get()).and_then(|members| members.get("inputSchema"));
    let headers = match input.map_or(Ok(Vec::new()), param_headers) {
        Ok(headers) => headers,
        Err(_) if tool.checked => return Err(CatalogError::ParameterHeader(name())),
        // Clients drop such a tool by themselves, and nothing can be compared.
        Err(_) => Vec::new(),
    };
    Ok(ToolEntry {
        name: Arc::clone(&tool.name),
        provider,
        checks: if tool.checked { Some(checks(tool, &definition)?) } else { None },
        headers,
        deadline: tool.deadline,
        repeatable: is_repeatable(&definition),
        wire: Wire::new(tool.definition.clone()),
    })
}

/// What is checked here is ours, so more is asked of it.
fn checks(tool: &OfferedTool, definition: &Value) -> Result<Checks, CatalogError> {
    let name = || tool.name.to_string();
    if definition.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(CatalogError::NoDescription(name()));
    }
    let compile = |schema: &'static str| {
        let Some(document) = definition.get(schema) else { return Ok(None) };
        Schema::compile(document).map(Some).map_err(|problem| CatalogError::Schema { tool: name(), schema, problem })
    };
    let input = compile("inputSchema")?.ok_or_else(|| CatalogError::Root { tool: name(), schema: "inputSchema" })?;
    Ok(Checks { input, output: compile("outputSchema")? })
}

/// Its annotations say so. Source: MCP, `ToolAnnotations`: without a word a tool changes something, each time anew.
fn is_repeatable(definition: &Value) -> bool {
    let says = |hint: &str| definition["annotations"][hint] == Value::Bool(true);
    says("readOnlyHint") || says("idempotentHint")
}

fn is_object_schema(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_may_do_harm_twice_unless_it_says_otherwise() {
        let says = |annotations: Value| is_repeatable(&json!({ "annotations": annotations }));
        assert!(says(json!({ "readOnlyHint": true })) && says(json!({ "idempotentHint": true })));
        assert!(!is_repeatable(&json!({})) && !says(json!({ "readOnlyHint": false, "idempotentHint": "yes" })));
    }

    fn tool(name: &str, definition: &Value) -> OfferedTool {
        let mut whole = json!({ "name": name, "description": "A tool.", "inputSchema": { "type": "object" } });
        for (member, value) in definition.as_object().unwrap() {
            whole[member] = value.clone();
        }
        OfferedTool::own(name, &whole)
    }

    fn catalog(tools: Vec<OfferedTool>) -> Result<Catalog, CatalogError> {
        Catalog::new(&[Arc::new(Offer { tools, ..Offer::default() })])
    }

    fn problem(definition: &Value) -> String {
        catalog(vec![tool("a", definition)]).unwrap_err().to_string()
    }

    #[test]
    fn the_order_is_that_of_the_offers() {
        let catalog = catalog(["b", "a", "c"].map(|name| tool(name, &json!({}))).into()).unwrap();
        assert_eq!(catalog.names().collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(catalog.count(), 3);
        assert!(catalog.tool("d").is_none());
    }

    #[test]
    fn the_digest_changes_with_content_and_order() {
        let digest = |names: &[&str], title: &str| {
            let tools = names.iter().map(|name| tool(name, &json!({ "title": title }))).collect();
            catalog(tools).unwrap().digest().to_owned()
        };
        let one = digest(&["a", "b"], "Title");
        assert_eq!(one, digest(&["a", "b"], "Title"));
        assert_ne!(one, digest(&["b", "a"], "Title"));
        assert_ne!(one, digest(&["a", "b"], "Other"));
        assert_eq!(one.len(), crds::revision::REVISION_LENGTH);
    }

    #[test]
    fn a_name_that_clients_may_refuse_is_refused() {
        for name in ["", "a b", "a/b", "é", "a\n", &"x".repeat(129)] {
            assert_eq!(catalog(vec![tool(name, &json!({}))]).unwrap_err(), CatalogError::Name(name.to_owned()));
        }
        assert!(catalog(vec![tool(&"x".repeat(128), &json!({}))]).is_ok());
    }

    #[test]
    fn a_name_is_there_once() {
        let twice = catalog(vec![tool("a", &json!({})), tool("a", &json!({}))]).unwrap_err();
        assert_eq!(twice.to_string(), r#"tool "a" is defined twice"#);
    }

    #[test]
    fn an_own_definition_that_cannot_be_served_is_refused_in_words() {
        assert_eq!(problem(&json!({ "description": "" })), r#"tool "a" has no description"#);
        let root = problem(&json!({ "inputSchema": { "type": "string" } }));
        assert_eq!(root, r#"tool "a": `inputSchema` must have `type: object` at its root"#);
        let reference = json!({ "inputSchema": { "type": "object", "$ref": "https://example.com/s.json" } });
        assert!(problem(&reference).starts_with(r#"tool "a": `inputSchema` cannot be used: "#));
        let header = json!({ "type": "number", "x-mcp-header": "A" });
        let header = problem(&json!({ "inputSchema": { "type": "object", "properties": { "a": header } } }));
        assert!(header.contains("x-mcp-header"), "{header}");
    }
}
