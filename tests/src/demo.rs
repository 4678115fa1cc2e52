//! `cargo demo`: the product's main job on this machine, for a person to watch; `cargo demo down` removes all of it.
//!
//! ```text
//! your client ─► localhost:8080 ─ forwarder ─► Traefik ─► gateway pods ◄─ operator ◄─ examples/quickstart.yaml
//!                                                 └ keys ─► issuer at https://198.18.0.2:8443
//! ```
//!
//! Forwarder and issuer are one process in the background, the companion. Every answer is checked: a demo that
//! prints a wrong answer and goes on would be worse than none.

mod companion;
mod forward;
mod steps;
mod transcript;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::{
    cluster::{
        self, Cluster, Options,
        target::{Selection, Target, target},
    },
    command::{feed, output, repository, run, wait_until},
    images,
    install::{alone, install, operator_logs},
};
use steps::Steps;

/// Under which name the example is applied.
const NAMESPACE: &str = "mcp-demo";

/// `metadata.name` in `examples/quickstart.yaml`.
const NAME: &str = "quickstart";

/// `spec.publicUrl` there.
const ENDPOINT: &str = "http://localhost:8080/mcp";

/// From the apply to `Ready`. The aim is 10 s with images present; a slow machine may take longer.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Sees the whole product work on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
pub struct Cli {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    selection: Selection,
    /// Install missing Debian packages without asking (also: CI=true).
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// End the demo and the local cluster, also one that `cargo cluster up` had made.
    Down,
    /// Print a new access token for the endpoint.
    Token,
    /// The process in the background.
    #[command(hide = true)]
    Companion,
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<ExitCode> {
        match self.action {
            None => up(&self.selection, &Options { assume_yes: self.yes })?,
            Some(Action::Down) => down()?,
            Some(Action::Token) => println!("{}", runtime()?.block_on(companion::token(transcript::SCOPES, ENDPOINT))?),
            Some(Action::Companion) => companion::serve()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn up(selection: &Selection, options: &Options) -> Result<()> {
    ensure!(
        selection.kubeconfig.is_none() && selection.context.is_none(),
        "cargo demo works in a cluster of its own only: its issuer runs on this machine, where the pods of a named cluster \
         cannot reach it; leave --kubeconfig, --context and MCP_TEST_KUBECONFIG away, or follow DEPLOYMENT.md with your own issuer"
    );
    let _alone = alone()?;
    let mut steps = Steps::new(7);
    let cluster = steps.run("a Kubernetes cluster on this machine", || own_cluster(selection, options))?;
    let images = steps.run("images of operator and gateway", || images::ensure(options))?;
    steps.run("operator, installed with Helm", || install(&cluster, &images))?;
    steps.run("issuer of tokens, and localhost:8080", || {
        run(cluster.kubectl().args(["get", "--raw", "/readyz"]))?;
        companion::ensure(&cluster.test_ca()?)
    })?;
    steps.run("examples/quickstart.yaml, applied until Ready", || quickstart(&cluster))?;
    println!("\n{}", output(cluster.kubectl().args(["get", "mcpservers.mcpfoundry.dev", "--namespace", NAMESPACE]))?);
    let token = steps.run("an access token (OAuth client credentials)", || {
        runtime()?.block_on(companion::token(transcript::SCOPES, ENDPOINT))
    })?;
    let limited = runtime()?.block_on(companion::token("tools:ping", ENDPOINT))?;
    steps.announce("requests through the ingress, as any MCP client sends them");
    runtime()?.block_on(transcript::play(ENDPOINT, &token, &limited))?;
    steps.done();
    println!("{}", client_configuration(&token));
    Ok(())
}

fn own_cluster(selection: &Selection, options: &Options) -> Result<Cluster> {
    match target(selection, options)? {
        Target::Own(cluster) => Ok(cluster),
        Target::Named(_) => bail!("cargo demo works in a cluster of its own only"),
    }
}

/// Applies the example beside the ConfigMap that it names, and waits.
fn quickstart(cluster: &Cluster) -> Result<()> {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE, "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
    }});
    let authority = json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "demo-issuer-ca", "namespace": NAMESPACE },
        "data": { "ca.crt": cluster.test_ca()?.cert_pem },
    });
    for object in [namespace, authority] {
        feed(cluster.kubectl().args(["apply", "--server-side", "--filename", "-"]), &object.to_string())?;
    }
    let example = repository().join("examples").join("quickstart.yaml");
    run(cluster.kubectl().args(["apply", "--namespace", NAMESPACE, "--filename"]).arg(example))?;
    wait_until("the McpServer is Ready", READY_WITHIN, || not_ready(cluster))
        .with_context(|| format!("the operators said:\n{}", operator_logs(cluster)))
}

/// `Err` with every condition that is not as it should be.
fn not_ready(cluster: &Cluster) -> Result<(), String> {
    let mut kubectl = cluster.kubectl();
    kubectl.args(["get", "mcpservers.mcpfoundry.dev", NAME, "--namespace", NAMESPACE, "--output", "json"]);
    let object = output(&mut kubectl).map_err(|problem| format!("{problem:#}"))?;
    let object: Value = serde_json::from_str(&object).map_err(|problem| problem.to_string())?;
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    if current && conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True") {
        return Ok(());
    }
    let shown = conditions.iter().map(|condition| {
        let text = |member: &str| condition[member].as_str().unwrap_or_default().to_owned();
        format!("{}={} {}: {}", text("type"), text("status"), text("reason"), text("message"))
    });
    Err(format!("its conditions are\n  {}", shown.collect::<Vec<_>>().join("\n  ")))
}

fn down() -> Result<()> {
    companion::end()?;
    cluster::down()?;
    println!(
        "the demo is down: its processes, the cluster, its network and its files are gone; the cache of built programs stays"
    );
    Ok(())
}

fn client_configuration(token: &str) -> String {
    let configuration = json!({ "mcpServers": { NAME: {
        "type": "http", "url": ENDPOINT, "headers": { "Authorization": format!("Bearer {token}") },
    }}});
    format!(
        "{ENDPOINT} stays open for your own client until `cargo demo down`. The token is good for an hour; `cargo demo token`\n\
         prints another. For clients that read a file:\n\n{configuration:#}\n\nClaude Code:\n\n  \
         claude mcp add --transport http {NAME} {ENDPOINT} --header \"Authorization: Bearer $(cargo demo token)\"\n"
    )
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")
}
