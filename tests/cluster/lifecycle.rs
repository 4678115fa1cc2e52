//! What is ours comes back, what is another's stays, and nothing is left behind.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tests::command::{run, wait_until};

use crate::{
    space::{CHILDREN, MCP_SERVERS, NAME, PATIENCE, Space, named},
    world::World,
};

pub(crate) fn a_deleted_child_comes_back(world: &World) -> Result<()> {
    let space = Space::new(world, "deleted")?;
    space.ready_server()?;
    for child in space.children(CHILDREN)? {
        let (kind, name) =
            (child["kind"].as_str().unwrap_or_default(), child["metadata"]["name"].as_str().unwrap_or_default());
        run(&mut space.kubectl(&["delete", kind, name, "--wait=true"]))?;
        wait_until(&format!("{} comes back", named(&child)), PATIENCE, || {
            let again = space.get(kind, name).map_err(|problem| format!("{problem:#}"))?;
            if again["metadata"]["uid"] == child["metadata"]["uid"] {
                Err("it is still the old one".to_owned())
            } else {
                Ok(())
            }
        })?;
    }
    space.wait_ready()?;
    space.wait_pong()
}

pub(crate) fn a_hand_edited_field_is_restored(world: &World) -> Result<()> {
    let space = Space::new(world, "edited")?;
    space.ready_server()?;
    let edits = [
        ("service", json!({ "spec": { "selector": { "app.kubernetes.io/instance": "another" } } })),
        ("deployment", json!({ "spec": { "template": { "spec": { "automountServiceAccountToken": true } } } })),
        ("networkpolicy", json!({ "spec": { "policyTypes": ["Egress"] } })),
    ];
    for (kind, edit) in edits {
        let before = space.get(kind, NAME)?["spec"].clone();
        run(&mut space.kubectl(&[
            "patch",
            kind,
            NAME,
            "--type=merge",
            "--field-manager=hand",
            "--patch",
            &edit.to_string(),
        ]))?;
        wait_until(&format!("{kind}/{NAME} is restored"), PATIENCE, || {
            let spec = space.get(kind, NAME).map_err(|problem| format!("{problem:#}"))?["spec"].clone();
            if spec == before { Ok(()) } else { Err(format!("its spec is {spec}")) }
        })?;
    }
    space.wait_ready().map(drop)
}

pub(crate) fn a_foreign_annotation_is_left_alone(world: &World) -> Result<()> {
    let space = Space::new(world, "foreign")?;
    space.ready_server()?;
    let kinds = ["deployment", "service", "ingress"];
    for kind in kinds {
        run(&mut space.kubectl(&["annotate", kind, NAME, "example.com/owner=somebody-else"]))?;
    }
    // A change that writes the Deployment and the Ingress again.
    space.change(&json!({ "expose": { "ingress": { "annotations": { "example.com/ours": "yes" } } }, "observability": { "logLevel": "Debug" } }))?;
    space.wait_ready()?;
    for kind in kinds {
        let annotations = space.get(kind, NAME)?["metadata"]["annotations"].clone();
        ensure!(annotations["example.com/owner"] == "somebody-else", "the annotation of {kind} is gone: {annotations}");
    }
    ensure!(
        space.get("ingress", NAME)?["metadata"]["annotations"]["example.com/ours"] == "yes",
        "our own annotation is missing"
    );
    Ok(())
}

pub(crate) fn an_ingress_that_is_no_longer_wanted_goes(world: &World) -> Result<()> {
    let space = Space::new(world, "unexposed")?;
    space.ready_server()?;
    let old_config = config_maps(&space)?;
    space.change(&json!({ "expose": null, "observability": { "logLevel": "Warn" } }))?;
    space.wait_ready()?;
    wait_until("the Ingress goes", PATIENCE, || match space.children("ingresses.networking.k8s.io") {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => Err(format!("{} are left", left.len())),
        Err(problem) => Err(format!("{problem:#}")),
    })?;
    ensure!(config_maps(&space)? != old_config, "a change of structure made no new configuration");
    // Revisions that no ReplicaSet names go; those that one names stay, for a rollback.
    for level in
        ["Error", "Debug", "Info", "Error", "Debug", "Info", "Error", "Debug", "Info", "Error", "Debug", "Info"]
    {
        space.change(&json!({ "observability": { "logLevel": level } }))?;
        space.wait_ready()?;
    }
    let (revisions, replica_sets) = (config_maps(&space)?.len(), space.children("replicasets.apps")?.len());
    ensure!(revisions <= replica_sets, "{revisions} configurations are left for {replica_sets} ReplicaSets");
    Ok(())
}

pub(crate) fn deleting_leaves_nothing(world: &World) -> Result<()> {
    let space = Space::new(world, "gone")?;
    space.ready_server()?;
    run(&mut space.kubectl(&["delete", MCP_SERVERS, NAME, "--wait=true"]))?;
    let kinds = format!("{CHILDREN},secrets,replicasets.apps,pods");
    wait_until("everything is gone", PATIENCE, || {
        let left = space.children(&kinds).map_err(|problem| format!("{problem:#}"))?;
        if left.is_empty() { Ok(()) } else { Err(left.iter().map(named).collect::<Vec<_>>().join(", ")) }
    })
}

/// Names of the configurations of all revisions.
fn config_maps(space: &Space<'_>) -> Result<Vec<String>> {
    let names: Vec<String> = space
        .children("configmaps")?
        .iter()
        .filter_map(|map: &Value| map["metadata"]["name"].as_str().map(str::to_owned))
        .filter(|name| name.starts_with(&format!("{NAME}-config-")))
        .collect();
    if names.is_empty() {
        bail!("there is no configuration");
    }
    Ok(names)
}
