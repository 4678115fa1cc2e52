//! Rules of the protocol that no scenario of the official suite tests (spec digest, section 9; protocol.md, sections 2
//! and 5 to 7), over real HTTP. One rule a test; the name says it.
//!
//! Tests never see a message without its being checked against the schema of its revision: the client and the streams
//! in [`crate::support`] do it.

mod any_replica;
mod batches;
mod calls;
mod crowd;
mod errors;
mod headers;
mod listen;
mod pages;
mod questions;
mod replicas;
mod resumption;
mod revisions;
mod sessions;
mod shutdown;
mod slow;
mod state;
