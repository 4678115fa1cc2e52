//! The endpoint from HTTP request to HTTP answer, without a network. Every JSON-RPC message that is
//! sent in these tests is also validated against the specification's schema of its revision.

mod authorization;
mod debug;
mod eras;
mod hostile;
mod legacy;
mod modern;
mod support;
mod telemetry;
