//! The only place of the cluster that reads the environment.
//!
//! What it reads are conventions of the machine (`PATH`, `HOME`, `XDG_CACHE_HOME`, `CI`,
//! `NO_PROXY`), not settings of ours: those are flags. `KUBECONFIG` is absent on purpose.

use std::ffi::OsString;

/// A variable's value; `None` if it is not set or empty.
#[expect(clippy::disallowed_methods, reason = "conventions of the machine, read in one place")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
