//! Ends the cluster and leaves nothing: no process, mount, namespace, interface, control group or
//! file. The cache of built programs stays, that is its purpose.

use std::time::Duration;

use anyhow::ensure;

use super::{components, lock::Lock, paths::Paths, process, remove};

/// Its data goes with it, so there is little to finish; the API server would wait a minute for
/// its watches.
const GRACE: Duration = Duration::from_secs(2);

/// Safe to repeat, also after a crash, and when nothing is up.
pub fn down() -> anyhow::Result<()> {
    let paths = Paths::standard()?;
    ensure!(rustix::process::geteuid().is_root(), "the local cluster runs as root, so ending it needs root too");
    let lock = Lock::acquire(&Paths::lock())?;
    // Backwards: whatever is used ends after its users.
    let names: Vec<&str> = components::all(&paths).iter().rev().map(|component| component.name).collect();
    process::end(&paths, &names, GRACE)?;
    remove::remnants(&paths)?;
    lock.remove()
}
