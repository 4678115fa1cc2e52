//! The whole of `auth` behind its door, with real keys of every kind, an injected clock, and an issuer on
//! loopback that can misbehave.

mod algorithms;
mod cache;
mod flood;
pub(super) mod folder;
mod issuer_server;
mod key_fetching;
mod key_sets;
mod keys;
mod matrix;
mod mounted;
mod refresh;
mod snapshots;
mod support;
