//! The definition against the real API server: every rule, every example, the manual.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::command::{feed, output, repository};

use crate::{space::Space, world::World};

/// First line of a refused fixture; what follows stands in the API server's message.
const REFUSED: &str = "# refused: ";

pub(crate) fn every_rule_accepts_and_refuses(world: &World) -> Result<()> {
    let fixtures = repository().join("tests").join("fixtures").join("crd");
    for file in files(&fixtures.join("accepted"))? {
        dry_run(world, &file).with_context(|| format!("{} should be accepted", file.display()))?;
    }
    let mut refused = BTreeSet::new();
    for file in files(&fixtures.join("refused"))? {
        let expected = expected_refusal(&file)?;
        check_refusal(&file, &expected, dry_run(world, &file))?;
        refused.insert(expected);
    }
    refused.extend(changes_are_refused(world, &fixtures.join("changes"))?);
    let messages = rule_messages()?;
    let untested: Vec<_> =
        messages.iter().filter(|message| !refused.iter().any(|seen| message.starts_with(seen.as_str()))).collect();
    ensure!(untested.is_empty(), "these rules have no fixture in tests/fixtures/crd/refused: {untested:#?}");
    println!("        {} rules, {} refused objects", messages.len(), refused.len());
    Ok(())
}

/// Each file holds an object, and what it must not become. Rules of this kind compare with the object that stands, so it is made for
/// real, with no replicas, in a namespace of its own.
fn changes_are_refused(world: &World, folder: &Path) -> Result<BTreeSet<String>> {
    let mut refused = BTreeSet::new();
    for file in files(folder)? {
        let expected = expected_refusal(&file)?;
        let text = fs::read_to_string(&file)?;
        let (before, after) =
            text.split_once("\n---\n").with_context(|| format!("{} holds no two documents", file.display()))?;
        let space = Space::new(world, "change")?;
        feed(&mut space.kubectl(&["create", "--filename", "-"]), before)
            .with_context(|| format!("the first document of {} should be accepted", file.display()))?;
        let changed = feed(&mut space.kubectl(&["replace", "--dry-run=server", "--filename", "-"]), after);
        check_refusal(&file, &expected, changed)?;
        refused.insert(expected);
    }
    Ok(refused)
}

fn expected_refusal(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file)?;
    let expected = text.lines().next().and_then(|line| line.strip_prefix(REFUSED));
    expected.map(str::to_owned).with_context(|| format!("{} does not begin with `{REFUSED}`", file.display()))
}

fn check_refusal(file: &Path, expected: &str, answer: Result<String>) -> Result<()> {
    let message = match answer {
        Ok(_) => anyhow::bail!("{} should be refused", file.display()),
        Err(problem) => format!("{problem:#}"),
    };
    ensure!(message.contains(expected), "{} is refused, but not with `{expected}`: {message}", file.display());
    Ok(())
}

pub(crate) fn examples_pass_a_dry_run(world: &World) -> Result<()> {
    for file in files(&repository().join("examples"))? {
        dry_run(world, &file).with_context(|| format!("{} should be accepted", file.display()))?;
    }
    Ok(())
}

pub(crate) fn explain_reads_like_a_manual(world: &World) -> Result<()> {
    let whole = output(world.cluster.kubectl().args(["explain", "mcpservers.mcpfoundry.dev.spec", "--recursive"]))?;
    for field in ["publicUrl", "caConfigMapRef", "insecureAllowUnauthenticated", "authorization", "otlp", "keyPrefix"] {
        ensure!(whole.contains(field), "`kubectl explain --recursive` does not name {field}");
    }
    let one = output(world.cluster.kubectl().args(["explain", "mcpservers.mcpfoundry.dev.spec.publicUrl"]))?;
    for word in ["Example:", "Default:", "https://mcp.example.com/mcp"] {
        ensure!(one.contains(word), "the manual of publicUrl has no `{word}`:\n{one}");
    }
    ensure!(!one.contains('`'), "the manual has code marks, which a terminal shows as noise:\n{one}");
    Ok(())
}

/// `create`, not `apply`: what is asked is whether the API server takes the object.
fn dry_run(world: &World, file: &Path) -> Result<String> {
    output(world.cluster.kubectl().args(["create", "--dry-run=server", "--filename"]).arg(file))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    ensure!(!files.is_empty(), "{} holds no YAML", folder.display());
    Ok(files)
}

/// The messages of all CEL rules of the generated definition.
fn rule_messages() -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(repository().join("crds").join("mcpservers.yaml"))?;
    let definition: Value = serde_saphyr::from_str(&text).context("cannot read crds/mcpservers.yaml")?;
    let mut messages = BTreeSet::new();
    collect(&definition, &mut messages);
    Ok(messages)
}

fn collect(value: &Value, messages: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let rules = members.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
            messages.extend(rules.filter_map(|rule| rule["message"].as_str().map(str::to_owned)));
            members.values().for_each(|member| collect(member, messages));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, messages)),
        _ => {}
    }
}
