//! What a provider offers: definitions as clients read them, in list order.
//!
//! A definition is the JSON of the newest revision, `name` and all; the catalog makes of it what older revisions
//! read. Bytes of an upstream's definition pass through unchanged.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::DEFAULT_DEADLINE;

/// Everything that one provider has, in list order. Names and URIs are unique within it.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Tools.
    pub tools: Vec<OfferedTool>,
    /// Resources.
    pub resources: Vec<OfferedResource>,
    /// Resource templates.
    pub templates: Vec<OfferedTemplate>,
    /// Prompts.
    pub prompts: Vec<OfferedPrompt>,
    /// Whether [`super::Provider::complete`] works.
    pub completions: bool,
    /// Whether changes of single resources are told to [`super::Changes`].
    pub resource_updates: bool,
    /// Whether its tools write log messages for clients.
    pub logging: bool,
}

/// A tool.
#[derive(Clone, Debug)]
pub struct OfferedTool {
    /// The public name: 1 to 128 of `A-Za-z0-9_.-`. The same as in the definition.
    pub name: Arc<str>,
    /// The specification's `Tool`.
    pub definition: Box<RawValue>,
    /// Whether arguments and structured content are checked against the schemas here. Upstreams do it themselves.
    pub checked: bool,
    /// How long a call may take.
    pub deadline: Duration,
}

/// A resource.
#[derive(Clone, Debug)]
pub struct OfferedResource {
    /// Its URI, as in the definition.
    pub uri: Arc<str>,
    /// The specification's `Resource`.
    pub definition: Box<RawValue>,
}

/// A resource template.
#[derive(Clone, Debug)]
pub struct OfferedTemplate {
    /// Its URI template (RFC 6570), as in the definition.
    pub uri_template: Arc<str>,
    /// The specification's `ResourceTemplate`.
    pub definition: Box<RawValue>,
}

/// A prompt.
#[derive(Clone, Debug)]
pub struct OfferedPrompt {
    /// Its name, as in the definition.
    pub name: Arc<str>,
    /// The specification's `Prompt`.
    pub definition: Box<RawValue>,
}

impl OfferedTool {
    /// A tool of this process: checked against its schemas, with the default deadline.
    ///
    /// # Panics
    /// If `definition` cannot be written as JSON, which no plain struct and no JSON value does.
    pub fn own(name: &str, definition: &impl Serialize) -> Self {
        Self { name: name.into(), definition: raw(definition), checked: true, deadline: DEFAULT_DEADLINE }
    }
}

impl OfferedResource {
    /// A resource of this process.
    ///
    /// # Panics
    /// As [`OfferedTool::own`].
    pub fn own(uri: &str, definition: &impl Serialize) -> Self {
        Self { uri: uri.into(), definition: raw(definition) }
    }
}

impl OfferedTemplate {
    /// A resource template of this process.
    ///
    /// # Panics
    /// As [`OfferedTool::own`].
    pub fn own(uri_template: &str, definition: &impl Serialize) -> Self {
        Self { uri_template: uri_template.into(), definition: raw(definition) }
    }
}

impl OfferedPrompt {
    /// A prompt of this process.
    ///
    /// # Panics
    /// As [`OfferedTool::own`].
    pub fn own(name: &str, definition: &impl Serialize) -> Self {
        Self { name: name.into(), definition: raw(definition) }
    }
}

fn raw(definition: &impl Serialize) -> Box<RawValue> {
    to_raw_value(definition).expect("plain structs and JSON values always serialise")
}
