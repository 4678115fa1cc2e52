//! An MCP request in, an answer out: the endpoint that clients talk to.
//!
//! ```text
//! POST /mcp -> listener: bounds on connections      -> layers: id, log and span, errors, head, host, origin
//!           -> layers::authentication: token -> Principal   (auth)
//!           -> endpoint: body -> mcp: message -> features: gateway decides, a provider
//!              (tools, upstream) answers -> mcp: JSON or events
//! ```
//!
//! Modules import downwards only, in this order: [`router`], [`endpoint`], [`layers`], [`mcp`], [`tools`],
//! [`upstream`], [`features`], [`gateway`], [`places`], [`auth`], [`store`], [`net`], [`seal`], [`protocol`],
//! `json`, `files`, [`clock`].
//! `gateway` and `mcp` never see axum; nothing but [`config`], [`policy_file`], the tasks of [`auth`] that renew keys
//! and the connections of [`store`] reads a mounted file.
//!
//! A test starts a whole server in a few lines:
//!
//! ```no_run
//! # async fn example(gateway: crds::gateway_config::GatewayConfig, policy: crds::gateway_config::GatewayPolicy) {
//! use server::{App, Config, Deps, Listeners, PolicySource, serve};
//!
//! let listeners = Listeners::bind("127.0.0.1:0", "127.0.0.1:0").await.unwrap();
//! let config = Config::from_document(&gateway).unwrap(); // its public URL names the port of the listener
//! let app = App::build(config, PolicySource::Fixed(policy), Deps::new(listeners.on_loopback())).unwrap();
//! let shutdown = tokio_util::sync::CancellationToken::new();
//! serve(listeners, app, shutdown).await.unwrap(); // returns when told to stop, and drained
//! # }
//! ```

pub mod admin;
pub mod app;
pub mod args;
pub mod auth;
pub mod clock;
mod clock_watch;
pub mod config;
pub mod dev;
mod endpoint;
pub mod error;
pub mod features;
mod files;
pub mod gateway;
pub mod health;
pub mod issuers;
mod json;
pub mod layers;
pub mod listener;
pub mod mcp;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod places;
pub mod policy_file;
pub mod protocol;
pub mod report;
pub mod router;
pub mod seal;
mod serve;
pub mod startup;
pub mod store;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod tools;
pub mod upstream;

pub use app::{App, BuildError, Deps};
pub use config::{Config, ConfigError};
pub use policy_file::PolicySource;
pub use serve::{Listeners, ServeError, serve};
