//! Settings of the whole kernel that a kubelet changes: remembered before, put back by `down`.
//!
//! Settings of the network are not here: they belong to the namespace and go with it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;

use super::paths::{self, Paths};

/// What the kubelet sets at its start (`setupKernelTunables`).
const SETTINGS: [&str; 6] = [
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/keys/root_maxbytes",
];

/// Writes the present values down, once: a second `up` would see what the kubelet made of them.
pub(super) fn remember(paths: &Paths) -> anyhow::Result<()> {
    let file = paths.data("kernel.json");
    if file.exists() {
        return Ok(());
    }
    let values: BTreeMap<&str, String> =
        SETTINGS.iter().filter_map(|path| Some((*path, fs::read_to_string(path).ok()?))).collect();
    paths::write(&file, &serde_json::to_string(&values)?)
}

/// Puts the remembered values back; does nothing when none were.
pub(super) fn restore(paths: &Paths) -> anyhow::Result<()> {
    let Ok(text) = fs::read_to_string(paths.data("kernel.json")) else {
        return Ok(());
    };
    let values: BTreeMap<String, String> = serde_json::from_str(&text).unwrap_or_default();
    for (path, value) in values {
        let unchanged = fs::read_to_string(&path).is_ok_and(|present| present == value);
        if !unchanged && Path::new(&path).exists() {
            fs::write(&path, value).with_context(|| format!("cannot put {path} back"))?;
        }
    }
    Ok(())
}
