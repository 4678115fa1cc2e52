//! Looking back at the whole run: what the operator may do, and what it did.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{
    command::{output, repository},
    install,
};

use crate::{
    audit::{Entry, listed},
    world::World,
};

pub(crate) fn no_secret_was_read(world: &World) -> Result<()> {
    let entries = world.audit.of_operator(world.beginning)?;
    let secrets: Vec<&Entry> = entries.iter().filter(|entry| entry.object_ref.resource == "secrets").collect();
    // An answer to anything but these would be a read.
    let unread = |entry: &&Entry| matches!(entry.verb.as_str(), "create" | "delete");
    let (made, asked): (Vec<&Entry>, Vec<&Entry>) = secrets.into_iter().partition(unread);
    ensure!(asked.is_empty(), "the operator asked for Secrets:\n  {}", listed(&asked));
    println!(
        "        {} requests of the operator, {} of them to make or delete a Secret, none to see one",
        entries.len(),
        made.len()
    );
    Ok(())
}

/// Runs before the tests that take rights away from operators that still run: `helm uninstall` is one.
pub(crate) fn no_right_is_missing(world: &World) -> Result<()> {
    let entries = world.audit.of_operator(world.beginning)?;
    let refused: Vec<&Entry> = entries.iter().filter(|entry| entry.lacked_the_right()).collect();
    ensure!(refused.is_empty(), "the operator lacks rights:\n  {}", listed(&refused));
    Ok(())
}

pub(crate) fn every_rule_was_used(world: &World) -> Result<()> {
    if !world.whole_suite {
        println!("        says something about the whole suite only");
        return Ok(());
    }
    // Watches are written to the log when they end.
    let entries = world.audit.of_operator(world.beginning)?;
    let asked = entries.iter().map(|entry| right(entry, &entry.verb));
    let used: BTreeSet<Right> =
        asked.chain(entries.iter().filter(|entry| entry.created()).map(|entry| right(entry, "create"))).collect();
    let granted = granted(world)?;
    for right in &granted {
        ensure!(right.iter().all(|part| !part.contains('*')), "a rule has a star: {right:?}");
    }
    let unused: Vec<_> = granted.difference(&used).collect();
    ensure!(unused.is_empty(), "these rights were never used, so the chart should not give them: {unused:#?}");
    println!("        {} rights, all used", granted.len());
    Ok(())
}

/// API group, resource with its subresource, verb.
type Right = [String; 3];

fn right(entry: &Entry, verb: &str) -> Right {
    let object = &entry.object_ref;
    let slash = if object.subresource.is_empty() { "" } else { "/" };
    [object.api_group.clone(), format!("{}{slash}{}", object.resource, object.subresource), verb.to_owned()]
}

/// Every right of every role that the chart renders.
fn granted(world: &World) -> Result<BTreeSet<Right>> {
    let mut helm = world.cluster.helm();
    helm.args(["template", install::RELEASE]).arg(repository().join("charts").join("mcp-operator"));
    helm.args(["--namespace", install::NAMESPACE, "--set", "crds.enabled=false,image.repository=x,server.image=x:1"]);
    let rendered = output(&mut helm)?;
    let mut rights = BTreeSet::new();
    for document in rendered.split("\n---\n").filter(|document| document.contains("Role\n")) {
        let object: Value = serde_saphyr::from_str(document).context("cannot read a rendered object")?;
        for rule in object["rules"].as_array().into_iter().flatten() {
            for (group, resource, verb) in product(rule) {
                rights.insert([group, resource, verb]);
            }
        }
    }
    ensure!(!rights.is_empty(), "the chart renders no rule");
    Ok(rights)
}

fn product(rule: &Value) -> impl Iterator<Item = (String, String, String)> {
    let strings = |member: &str| -> Vec<String> {
        rule[member].as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let (groups, resources, verbs) = (strings("apiGroups"), strings("resources"), strings("verbs"));
    groups.into_iter().flat_map(move |group| {
        let (resources, verbs) = (resources.clone(), verbs.clone());
        resources.into_iter().flat_map(move |resource| {
            let group = group.clone();
            verbs.clone().into_iter().map(move |verb| (group.clone(), resource.clone(), verb))
        })
    })
}
