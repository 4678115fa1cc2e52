//! `McpServer` in, Kubernetes objects out.
//!
//! ```text
//!   watches ──► caches ──► observe ──► validate ──► desired ──► apply ──► status ──► write_status
//!      ▲                   (caches)     (pure)       (pure)     (I/O)     (pure)        (I/O)
//!      │                      ▲
//!      └── queue ◄── verify ──┘   asks the pods themselves, in the background
//! ```
//!
//! A run starts from the top each time and assumes that the last one died anywhere. Nothing writes
//! while another process holds the Lease; no run of an unchanged object sends anything at all.
//!
//! In reading order: [`run`] and [`controller`] start everything, [`reconcile`] is one run,
//! [`observe`], [`validate`], [`desired`], [`apply`], [`status`] and [`write_status`] are its
//! stages; [`verify`], [`leader`], [`requests`], [`events`] and [`admin`] are the edges.

pub mod admin;
pub mod apply;
pub mod args;
pub mod backoff;
pub mod caches;
pub mod clock;
pub mod controller;
pub mod desired;
pub mod entropy;
pub mod error;
pub mod events;
pub mod host_policy;
pub mod leader;
pub mod metrics;
pub mod neighbours;
pub mod observe;
pub mod observed;
pub mod reconcile;
pub mod references;
pub mod requests;
pub mod rotation;
pub mod route;
pub mod run;
pub mod service_account_issuer;
pub mod standing_back;
pub mod status;
pub mod telemetry;
pub mod validate;
pub mod verify;
pub mod write_status;
pub mod written;
