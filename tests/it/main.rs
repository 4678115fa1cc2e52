//! What needs no cluster: the real server over real HTTP, a real issuer with real keys, the bytes on the wire.
//!
//! One binary, one module for each topic. Every answer that passes through [`support`] is also checked against the
//! schema of its revision, and searched for the token that was sent.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed, and says where")]

mod auth_claims;
mod auth_flood;
mod auth_form;
mod auth_pages;
mod auth_scopes;
mod canary;
mod crate_graph;
mod dev;
mod discovery;
mod http;
mod key_cache;
mod keys;
mod policy;
mod rules;
mod shutdown;
mod startup;
mod store;
mod support;
mod telemetry;
mod tools;
mod wire;
