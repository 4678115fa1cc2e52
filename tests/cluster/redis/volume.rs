//! What is on the volume of a managed Redis: kept for a namesake, or gone with its `McpServer`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tempfile::TempDir;
use tests::command::{feed, run, wait_until};

use super::{
    Asked, KINDS, REDIS, ends_and_cannot_be_read, key_of, nothing_of_the_redis_is_left, secret_name, text_of,
    with_managed_redis,
};
use crate::{
    space::{MCP_SERVERS, NAME, PATIENCE, Space, named},
    world::World,
};

/// Source: operator.md, P12.
pub(crate) fn a_volume_is_kept_or_goes_as_the_policy_says(world: &World) -> Result<()> {
    let space = Space::new(world, "volume")?;
    let disk = Disk::new(&space)?;
    let storage = json!({ "storage": { "size": "64Mi", "className": space.namespace } });
    with_managed_redis(&space, &storage)?;
    space.change(&json!({ "deletionPolicy": "Retain" }))?;
    space.wait_ready()?;
    in_force(&space, "Retain")?;
    let (value, log) = (key_of(&space, "a"), key_of(&space, "b"));
    // A state of a session is a transaction.
    let transaction = format!("MULTI\nXADD {log} 1-1 e 1\nPEXPIRE {log} 3600000\nEXEC\n");
    let before = ask(&space, &format!("SET {value} 1 PX 3600000\n{transaction}"))?;
    ensure!(before == "OK\nOK\nQUEUED\nQUEUED\n1-1\n1", "it answered {before}");
    ends_and_cannot_be_read(&space, &[])?;

    run(&mut space.kubectl(&["delete", MCP_SERVERS, NAME, "--wait=true"]))?;
    wait_until("the volume is all that is left", PATIENCE, || {
        let left = space.children(&format!("{KINDS},deployments.apps")).map_err(|problem| format!("{problem:#}"))?;
        let left: Vec<String> = left.iter().map(named).collect();
        if left == [format!("PersistentVolumeClaim/data-{REDIS}-0")] { Ok(()) } else { Err(left.join(", ")) }
    })?;

    // A namesake takes it up, with credentials of its own.
    with_managed_redis(&space, &storage)?;
    let after = ask(&space, &format!("GET {value}\nEXISTS {log}\n"))?;
    ensure!(after == "1\n1", "what was on the volume is gone: it answers {after}");
    ends_and_cannot_be_read(&space, &[])?;
    space.change(&json!({ "deletionPolicy": "Delete" }))?;
    in_force(&space, "Delete")?;
    run(&mut space.kubectl(&["delete", MCP_SERVERS, NAME, "--wait=true"]))?;
    nothing_of_the_redis_is_left(&space)?;
    drop(disk);
    Ok(())
}

/// Else the deletion that follows would meet the policy of before.
fn in_force(space: &Space<'_>, wanted: &str) -> Result<()> {
    wait_until(&format!("the volume follows {wanted}"), PATIENCE, || {
        let stateful_set = space.get("statefulset", REDIS).map_err(|problem| format!("{problem:#}"))?;
        let policy = &stateful_set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"];
        let claim = space.get("pvc", &format!("data-{REDIS}-0")).map_err(|problem| format!("{problem:#}"))?;
        let owners = &claim["metadata"]["ownerReferences"];
        let follows = policy == wanted && owners.is_null() == (wanted == "Retain");
        if follows { Ok(()) } else { Err(format!("{policy}, owned by {owners}")) }
    })
}

/// Asks it as its gateway does; a command in each line.
fn ask(space: &Space<'_>, commands: &str) -> Result<String> {
    let secret = space.get("secret", &secret_name(space)?)?;
    let pod = space.get("pod", &format!("{REDIS}-0"))?;
    let redis = Asked { space, ip: pod["status"]["podIP"].as_str().unwrap_or_default() };
    redis.ask_all((&text_of(&secret, "username")?, &text_of(&secret, "password")?), commands)
}

/// A folder of this machine as the one volume of a class of its own. The test cluster provisions none.
struct Disk<'a> {
    space: &'a Space<'a>,
    _folder: TempDir,
}

impl<'a> Disk<'a> {
    fn new(space: &'a Space<'a>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-volume-").tempdir_in("/var/tmp")?;
        // The group of a pod is not given to a folder of the machine.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": space.namespace },
            "spec": {
                "capacity": { "storage": "64Mi" }, "accessModes": ["ReadWriteOnce"], "storageClassName": space.namespace,
                "persistentVolumeReclaimPolicy": "Retain", "hostPath": { "path": folder.path() },
            },
        });
        feed(space.world.cluster.kubectl().args(["create", "--filename", "-"]), &volume.to_string())?;
        Ok(Self { space, _folder: folder })
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let mut kubectl = self.space.world.cluster.kubectl();
        // What cannot be removed goes with the cluster.
        let _ = run(kubectl.args(["delete", "persistentvolume", &self.space.namespace, "--wait=false"]));
    }
}
