//! What the operator and the server agree on; depends on neither.
//!
//! ```text
//! McpServer  --operator-->  GatewayConfig, GatewayPolicy  --files-->  server
//!     ^                                                                 |
//!     +---- status <--operator-- GatewayReport <--admin port of a pod --+
//! ```
//!
//! - [`mcp_server`]: the custom resource, with the manual that `kubectl explain` prints
//! - [`conditions`]: condition types and reasons, and the one function that sets a condition
//! - [`gateway_config`]: the two versioned files that the operator writes and the server reads
//! - [`gateway_report`]: what each pod tells the operator about itself
//! - [`claim_path`]: where a claim stands in a token
//! - [`revision`]: the short name of a file's content, by which both sides know the same bytes
//! - [`scope`]: what an OAuth scope is
//! - [`text`]: cutting text that came from elsewhere
//! - [`generated`]: the files that `cargo generate` writes
//!
//! The custom resource and what is generated from it need the feature `kube`; the server builds without it, so that nothing of
//! Kubernetes is in the process that faces clients.

pub mod claim_path;
#[cfg(feature = "kube")]
pub mod conditions;
pub mod gateway_config;
pub mod gateway_report;
#[cfg(feature = "kube")]
pub mod generated;
#[cfg(feature = "kube")]
pub mod mcp_server;
pub mod revision;
pub mod scope;
pub mod text;

#[cfg(feature = "kube")]
pub use mcp_server::McpServer;

/// The API group of every resource, label and annotation of ours. It stands here and nowhere else.
pub const GROUP: &str = "mcpfoundry.dev";

/// The version that is served and stored.
pub const VERSION: &str = "v1alpha1";
