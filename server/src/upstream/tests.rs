//! The client against upstreams on loopback that behave, and that do not.

mod calls;
mod cancellation;
mod changes;
mod debug;
mod eras;
mod fake;
mod hostile;
mod lists;
mod sessions;
mod setup;
mod support;
