//! The harness: a local cluster, a test issuer, the demo, and the tests that cross crates.
//!
//! Nothing here is shipped. `operator` and `server` are dev-dependencies, so that the binaries of this
//! crate do not compile them a second time: what needs them lives in `it/` and `cluster/`.

pub mod cluster;
pub mod command;
pub mod conformance;
pub mod demo;
pub mod fault_proxy;
pub mod images;
pub mod install;
pub mod issuer;
pub mod keycloak;
mod listening;
pub mod load;
pub mod mcp_client;
pub mod packages;
mod pass_on;
pub mod peers;
mod program;
pub mod redis;
pub mod sdk_oauth;
pub mod suite;
pub mod verify;
