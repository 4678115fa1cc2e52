//! The two versioned files that the operator writes and the server reads.
//!
//! [`GatewayConfig`] is *structure*: it lives in an immutable ConfigMap named by the hash of its
//! content, so a pod that restarts reads what it was rolled out with. [`GatewayPolicy`] is what must
//! take effect without a rollout: it lives in a ConfigMap that changes in place.
//!
//! Both carry a `version`. The server accepts [`SUPPORTED_VERSIONS`] (N and N−1) and refuses unknown
//! fields of a version that it knows; the operator writes the version that the image in use
//! understands. Nothing here is secret, and nothing here knows a Kubernetes type.

use std::{fmt, ops::RangeInclusive};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use auth::{
    AuthConfig, AuthMode, ClaimCondition, ClaimTest, IssuerConfig, KeyFile, ScopeMapping, SignatureAlgorithm,
    TokenRules, TokenType,
};
pub use authorization::{
    AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, PrincipalKind, PrincipalRef, ScopeImplication,
    Visibility,
};
pub use limits::LimitsPolicy;
pub use redis::{RedisClientCertificate, RedisConfig, RedisCredentials, RedisTls, RedisTopology};

pub mod auth;
mod authorization;
pub mod limits;
mod redis;

/// The version written by this build (N).
pub const CURRENT_VERSION: u32 = 1;

/// What this build reads: N and N−1. Version 1 is the first, so today the range holds one version;
/// the tests run over the range and cover N−1 from the day it exists.
pub const SUPPORTED_VERSIONS: RangeInclusive<u32> = 1..=CURRENT_VERSION;

/// The largest file that is read, in bytes: what a ConfigMap can hold.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// File name, and key of the ConfigMap, of [`GatewayConfig`].
pub const CONFIG_FILE: &str = "gateway-config.json";

/// File name, and key of the ConfigMap, of [`GatewayPolicy`].
pub const POLICY_FILE: &str = "gateway-policy.json";

/// Structure: what the endpoint is. A change of it rolls the pods exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayConfig {
    /// Always [`CURRENT_VERSION`] in memory; what was read is brought up to it.
    pub version: u32,
    /// Which `McpServer` this is; for logs, traces and `serverInfo`.
    pub mcp_server: McpServerRef,
    /// The whole endpoint URL, as clients see it: the OAuth `resource`. No query, no fragment.
    pub public_url: String,
    /// Every `Host` that is answered, beside the host of `public_url`: lower case, without a port.
    /// Sorted, no duplicates.
    #[serde(default)]
    pub accepted_hosts: Vec<String>,
    /// Every `Origin` that is answered, beside that of `public_url`: `scheme://host[:port]`, compared whole. Sorted.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Who may call.
    pub auth: AuthConfig,
    /// Which of the gateway's own tools exist.
    pub builtins: Builtins,
    /// MCP servers whose tools are offered besides. Sorted by `name`, which is unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<UpstreamConfig>,
    /// Paths of mounted files of 32 random bytes that seal what clients carry: cursors, `requestState`, and the session
    /// ids of older protocol revisions. The first seals, all of them open. Empty: the process makes a key of its own,
    /// and what it sealed ends with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealing_key_files: Vec<String>,
    /// Where replicas keep what they share. `None`: each process remembers for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisConfig>,
    /// Logs and traces.
    pub observability: Observability,
    /// Whether issuers, upstreams and collectors named here may have private addresses (RFC 1918, ULA).
    /// Loopback, link-local and metadata addresses, and the API server, are refused whatever this says.
    pub allow_private_addresses: bool,
}

/// Which `McpServer` a process serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpServerRef {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
}

/// Which of the gateway's own tools exist. A disabled tool is an unknown tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Builtins {
    /// Tool `ping`.
    pub ping: bool,
    /// Tool `echo`.
    pub echo: bool,
    /// Tool `health_check`.
    pub health_check: bool,
}

/// An MCP server behind the gateway.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamConfig {
    /// DNS label of at most 20 characters, so without `_`. Its tools are named `<name>__<tool>`.
    pub name: String,
    /// Its endpoint (Streamable HTTP), `http` or `https`.
    pub url: String,
    /// The longest that one call of its tools may take.
    pub timeout_seconds: u32,
}

impl fmt::Debug for UpstreamConfig {
    /// Without the URL, whose query may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url: _, timeout_seconds } = self;
        f.debug_struct("UpstreamConfig")
            .field("name", name)
            .field("timeout_seconds", timeout_seconds)
            .finish_non_exhaustive()
    }
}

/// Logs and traces.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observability {
    /// The least level that is logged.
    pub log_level: LogLevel,
    /// Base URL of an OTLP/HTTP collector; `/v1/traces` is appended. `None`: no traces leave the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
}

impl fmt::Debug for Observability {
    /// Without the URL, which is checked for credentials only when it is used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observability").field("log_level", &self.log_level).finish_non_exhaustive()
    }
}

/// Levels of log lines, most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevel {
    /// Somebody should act.
    Error,
    /// Something is degraded.
    Warn,
    /// One line for each request and each change of state.
    Info,
    /// What was decided and why.
    Debug,
}

/// Policy: what must take effect without a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayPolicy {
    /// Always [`CURRENT_VERSION`] in memory; what was read is brought up to it.
    pub version: u32,
    /// Who may do what.
    pub authorization: AuthorizationPolicy,
    /// How many pods serve: decides what of the older protocol revisions is offered, since what one pod remembers
    /// another does not. 0 counts as 1 for a pod that still reads it.
    #[serde(default = "one")]
    pub replicas: u32,
    /// What one caller may hold, and for how long.
    #[serde(default)]
    pub limits: LimitsPolicy,
}

impl GatewayPolicy {
    /// `authorization` for one pod with the default limits.
    pub fn of(authorization: AuthorizationPolicy) -> Self {
        Self { version: CURRENT_VERSION, authorization, replicas: one(), limits: LimitsPolicy::default() }
    }
}

fn one() -> u32 {
    1
}

/// Why a file was refused. The message names the field and never repeats its value.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("file has {0} bytes, at most {MAX_FILE_BYTES} are read")]
    TooLarge(usize),
    /// `version` is missing, not a number, or the document is not JSON.
    #[error("`version` cannot be read: {0}")]
    NoVersion(String),
    /// A version that this build does not read.
    #[error(
        "`version` is {found}; this server reads {} to {}: use an image that matches the operator",
        SUPPORTED_VERSIONS.start(),
        SUPPORTED_VERSIONS.end()
    )]
    UnsupportedVersion {
        /// The version in the file.
        found: u32,
    },
    /// A field is unknown, missing, or of the wrong type.
    #[error("field `{path}`: {problem}")]
    Field {
        /// Where: `auth.issuers[0].audiences`.
        path: String,
        /// What is wrong, in the words of the parser.
        problem: String,
    },
}

/// A document that carries a `version`.
pub trait Versioned: Sized + Serialize + DeserializeOwned {
    /// Reads a document of any supported version, and brings it up to [`CURRENT_VERSION`].
    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ParseError::TooLarge(bytes.len()));
        }
        let VersionOnly { version } =
            serde_json::from_slice(bytes).map_err(|problem| ParseError::NoVersion(without_value(&problem)))?;
        if !SUPPORTED_VERSIONS.contains(&version) {
            return Err(ParseError::UnsupportedVersion { found: version });
        }
        // A future version 2 parses version 1 into its own struct here and converts it.
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let document: Self =
            serde_path_to_error::deserialize(&mut deserializer).map_err(|error| field_error(&error))?;
        deserializer
            .end()
            .map_err(|problem| ParseError::Field { path: ".".to_owned(), problem: without_value(&problem) })?;
        refuse_unnamed(bytes, &document)?;
        Ok(document)
    }

    /// The document as the operator writes it: same value, same bytes. Ends with a newline.
    fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("plain structs of strings, numbers and lists always serialise");
        text.push('\n');
        text
    }
}

impl Versioned for GatewayConfig {}
impl Versioned for GatewayPolicy {}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// Refuses an array where members have names. serde takes their order for their names, so that a file could say
/// `["None", true]` and run open without a word about it.
fn refuse_unnamed(bytes: &[u8], document: &impl Serialize) -> Result<(), ParseError> {
    let values = serde_json::from_slice(bytes).and_then(|raw| Ok((raw, serde_json::to_value(document)?)));
    let found = match values {
        Ok((raw, read)) => unnamed("", &raw, &read),
        Err(_) => Some(".".to_owned()),
    };
    let problem = || "invalid type, expected an object whose members have names".to_owned();
    found.map_or(Ok(()), |path| Err(ParseError::Field { path, problem: problem() }))
}

/// Where `raw` has an array and what was read from it has members.
fn unnamed(path: &str, raw: &Value, read: &Value) -> Option<String> {
    let member = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (raw, read) {
        (Value::Array(_), Value::Object(_)) => Some(path.to_owned()),
        (Value::Object(raw), Value::Object(read)) => {
            read.iter().find_map(|(name, read)| unnamed(&member(name), raw.get(name)?, read))
        }
        (Value::Array(raw), Value::Array(read)) => {
            let mut pairs = raw.iter().zip(read).enumerate();
            pairs.find_map(|(index, (raw, read))| unnamed(&format!("{path}[{index}]"), raw, read))
        }
        _ => None,
    }
}

fn field_error(error: &serde_path_to_error::Error<serde_json::Error>) -> ParseError {
    ParseError::Field { path: error.path().to_string(), problem: without_value(error.inner()) }
}

/// In the words of the parser, but for the value that it quotes: a secret may stand in a field that is not for it.
fn without_value(problem: &serde_json::Error) -> String {
    let text = problem.to_string();
    let quotes = ["invalid type", "invalid value", "unknown variant"].into_iter().find(|kind| text.starts_with(kind));
    match (quotes, text.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {expected}"),
        (Some(kind), None) => kind.to_owned(),
        (None, _) => text,
    }
}

#[cfg(test)]
mod tests;
