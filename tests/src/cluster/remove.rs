//! Removes every trace of a cluster whose components have been asked to end.
//!
//! It asks the machine what is there, never our notes, so it works after any crash; each step does
//! nothing when there is nothing.

use std::{fs, io};

use anyhow::Context;

use super::{cgroup, kernel, namespaces, network, paths::Paths};

/// Processes first: while one lives, its namespaces and its mounts do too.
pub(super) fn remnants(paths: &Paths) -> anyhow::Result<()> {
    cgroup::remove()?;
    network::remove()?;
    namespaces::release(paths)?;
    namespaces::remove_made(paths);
    kernel::restore(paths)?;
    match fs::remove_dir_all(&paths.state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", paths.state.display()))
        }
        _ => Ok(()),
    }
}
