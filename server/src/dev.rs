//! `mcp-server --dev`: an issuer inside the process, so that nobody runs open because an identity provider
//! is too much work for a first look.
//!
//! Its key is made at start and lives in memory only; the key set is handed to the authenticator directly, so
//! there is no endpoint, no plain HTTP and no exception in the address guard. It must never run in a cluster:
//! `main` allows it on loopback only.

mod client_configuration;
mod issuer;

pub use client_configuration::client_configuration;
pub use issuer::{DEV_ISSUER, DevIssuer, DevIssuerError, TOKEN_LIFETIME};
