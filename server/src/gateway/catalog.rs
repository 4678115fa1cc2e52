//! Which tools exist, in stable order, each definition serialised once at start.
//!
//! A list is assembled from these bytes, so equal catalogs give equal lists. What a caller may see of
//! it is [`decide`]'s business alone.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{Decision, Policy, decide};
use crate::auth::Principal;

/// What clients learn about a tool. Serialises as the specification's `Tool`, equal in both eras.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolDefinition {
    /// 1 to 64 of `A-Za-z0-9_.-`, unique.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What it does, for the model; never empty.
    pub description: String,
    /// JSON Schema 2020-12 with root type `object`.
    pub input_schema: Value,
    /// JSON Schema 2020-12 with root type `object`, the only root that the older era knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Hints about what a call does.
    pub annotations: ToolAnnotations,
}

/// Hints about what a call does. Clients must not trust them, and we decide nothing by them.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the specification's four hints")]
pub struct ToolAnnotations {
    /// It changes nothing.
    pub read_only_hint: bool,
    /// It may destroy something.
    pub destructive_hint: bool,
    /// Calling it again changes nothing more.
    pub idempotent_hint: bool,
    /// It reaches beyond this gateway.
    pub open_world_hint: bool,
}

/// Why a set of definitions is no catalog. Found at start, never by a caller.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CatalogError {
    /// A name outside 1 to 64 of `A-Za-z0-9_.-`.
    #[error("tool {0:?}: a name has 1 to 64 letters, digits, `_`, `.` or `-`")]
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
    /// `x-mcp-header` asks clients for headers that nothing here compares yet.
    #[error("tool {0:?}: `x-mcp-header` is not supported")]
    ParameterHeader(String),
}

/// All tools, before any filtering by caller.
#[derive(Debug)]
pub struct Catalog {
    /// In list order.
    entries: Vec<Entry>,
    /// Name to position in `entries`.
    positions: HashMap<Arc<str>, usize>,
    digest: String,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    definition: Box<RawValue>,
}

impl Catalog {
    /// Checks and serialises the definitions; their order is the order of every list.
    pub fn new(definitions: &[ToolDefinition]) -> Result<Self, CatalogError> {
        let mut positions = HashMap::with_capacity(definitions.len());
        for (position, definition) in definitions.iter().enumerate() {
            check(definition)?;
            if positions.insert(definition.name.as_str().into(), position).is_some() {
                return Err(CatalogError::Duplicate(definition.name.clone()));
            }
        }
        let entries: Vec<Entry> = definitions.iter().map(entry).collect();
        Ok(Self { digest: digest(&entries), entries, positions })
    }

    /// How many tools exist.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Revision of all definitions in list order: equal digests mean equal lists.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The position of a tool, if it exists.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The name itself, if a tool has it: what callers typed never goes further than this.
    pub fn name(&self, name: &str) -> Option<Arc<str>> {
        Some(Arc::clone(&self.entries[self.position(name)?].name))
    }

    /// The definition of a tool, if it exists, as lists show it.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        Some(&self.entries[self.position(name)?].definition)
    }

    /// Every name, in list order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// What one caller's list holds, in list order.
    pub fn visible(&self, policy: &Policy, principal: &Principal) -> Vec<&RawValue> {
        let shown = |entry: &&Entry| decide(policy, principal, &entry.name) != Decision::Hidden;
        let entries = self.entries.iter().filter(shown);
        entries.map(|entry| &*entry.definition).collect()
    }
}

fn entry(definition: &ToolDefinition) -> Entry {
    let text = serde_json::to_string(definition).expect("strings, booleans and JSON values always serialise");
    Entry {
        name: definition.name.as_str().into(),
        definition: RawValue::from_string(text).expect("serde_json writes JSON"),
    }
}

fn digest(entries: &[Entry]) -> String {
    let mut content = Vec::new();
    for entry in entries {
        content.extend_from_slice(entry.definition.get().as_bytes());
        // JSON text holds no raw line feed, so the end of each definition is unmistakable.
        content.push(b'\n');
    }
    crds::revision::revision(&content)
}

fn check(definition: &ToolDefinition) -> Result<(), CatalogError> {
    let tool = || definition.name.clone();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let fits = (1..=64).contains(&definition.name.len());
    if !fits || !definition.name.bytes().all(allowed) {
        return Err(CatalogError::Name(tool()));
    }
    if definition.description.is_empty() {
        return Err(CatalogError::NoDescription(tool()));
    }
    check_schema(definition, "inputSchema", &definition.input_schema)?;
    let output = definition.output_schema.as_ref();
    output.map_or(Ok(()), |schema| check_schema(definition, "outputSchema", schema))
}

fn check_schema(definition: &ToolDefinition, name: &'static str, schema: &Value) -> Result<(), CatalogError> {
    let tool = || definition.name.clone();
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err(CatalogError::Root { tool: tool(), schema: name });
    }
    if has_member(schema, "x-mcp-header") {
        return Err(CatalogError::ParameterHeader(tool()));
    }
    Ok(())
}

fn has_member(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(members) => members.contains_key(name) || members.values().any(|member| has_member(member, name)),
        Value::Array(items) => items.iter().any(|item| has_member(item, name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
