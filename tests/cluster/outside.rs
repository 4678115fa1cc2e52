//! The operator as a process of this machine in place of those in pods: it is stopped at its writes, killed there, and another is
//! started at once.
//!
//! It is the program of the image with the arguments of the Deployment and the rights of its ServiceAccount, in the cluster's
//! network, where it reaches pods.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    cluster::{ApiServer, HOST_ADDRESS},
    command::{output, run, wait_until},
    fault_proxy::{FaultProxy, Faults, Write},
    install::{POD_SELECTOR, RELEASE},
};

use crate::{
    failures::{operators, wait_for_operators},
    space::PATIENCE,
    world::World,
};

/// How much of what it said a failure shows.
const SHOWN_LINES: usize = 40;

/// As long as a test may take. Chosen: several times what one takes.
const TOKEN_LIFETIME: &str = "--duration=2h";

/// Operators in pods are away as long as this is there.
pub(crate) struct Outside<'a> {
    world: &'a World,
    /// Of the Deployment, before and after.
    replicas: u64,
    arguments: Vec<String>,
    /// As the kubelet tells every pod.
    service_host: String,
    api_server: ApiServer,
    token: String,
    /// For the kubeconfig, and what the processes say.
    folder: TempDir,
    running: Option<Running>,
}

struct Running {
    process: Child,
    proxy: FaultProxy,
}

impl<'a> Outside<'a> {
    /// Ends the operators in pods. None runs until [`Self::start`].
    pub(crate) fn instead_of_pods(world: &'a World) -> Result<Self> {
        let name = format!("deployment/{RELEASE}");
        let text = output(operators(world).args(["get", &name, "--output=json"]))?;
        let deployment: Value = serde_json::from_str(&text).context("cannot read kubectl's answer")?;
        let mut kubernetes = world.cluster.kubectl();
        kubernetes.args(["get", "service/kubernetes", "--namespace=default", "--output=jsonpath={.spec.clusterIP}"]);
        let outside = Self {
            world,
            replicas: deployment["spec"]["replicas"].as_u64().context("the Deployment has no replicas")?,
            arguments: arguments(&deployment)?,
            service_host: output(&mut kubernetes)?,
            api_server: world.cluster.api_server()?,
            token: output(operators(world).args(["create", "token", RELEASE, TOKEN_LIFETIME]))?.trim().to_owned(),
            folder: tempfile::tempdir()?,
            running: None,
        };
        outside.scale(0)?;
        wait_until("the operators in pods end", PATIENCE, || {
            match output(operators(world).args(["get", "pods", POD_SELECTOR, "--output=name"])) {
                Ok(pods) if pods.trim().is_empty() => Ok(()),
                Ok(pods) => Err(pods),
                Err(problem) => Err(format!("{problem:#}")),
            }
        })?;
        Ok(outside)
    }

    /// Starts an operator that meets these faults, in place of the one that runs.
    pub(crate) fn start(&mut self, faults: Faults) -> Result<()> {
        self.kill()?;
        let api_server = &self.api_server;
        let proxy = FaultProxy::start(HOST_ADDRESS.parse()?, &api_server.url, Some(&api_server.ca_pem), faults)?;
        let kubeconfig = self.folder.path().join("kubeconfig");
        fs::write(&kubeconfig, self.kubeconfig(&proxy).to_string()).context("cannot write a kubeconfig")?;
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut command = self.world.cluster.netns_command("setpriv");
        command
            // Gone with the tests, also where they were killed.
            .args(["--pdeathsig", "KILL"])
            .arg(&self.world.images.operator.program)
            .args(&self.arguments)
            // Only its probes ask there, and those are for pods.
            .arg("--admin-listen=127.0.0.1:0")
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            // Nothing of ours: no proxy, no settings.
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("KUBERNETES_SERVICE_HOST", &self.service_host)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = command.spawn().context("cannot start the operator")?;
        self.running = Some(Running { process, proxy });
        Ok(())
    }

    /// The write at which the operator stood still within `patience`. It is dead then, and none runs until [`Self::go_on`].
    pub(crate) fn killed_at(&mut self, patience: Duration) -> Result<Option<Write>> {
        let Running { process, proxy } = self.running.as_mut().context("no operator runs")?;
        if let Some(write) = proxy.stopped_at(patience) {
            end(process)?;
            return Ok(Some(write));
        }
        if let Some(status) = process.try_wait()? {
            bail!("the operator ended by itself ({status})");
        }
        Ok(None)
    }

    /// Starts the one after it, which is not stopped where this one and those before it were.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        let Running { proxy, .. } = self.running.take().context("no operator ran")?;
        self.free_the_lease()?;
        self.start(proxy.end())
    }

    /// Ends it, and has the operators in pods back.
    pub(crate) fn end(self) -> Result<()> {
        let world = self.world;
        drop(self);
        wait_for_operators(world)
    }

    /// What the operators said last, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    fn kubeconfig(&self, proxy: &FaultProxy) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "outside",
            "contexts": [{ "name": "outside", "context": { "cluster": "outside", "user": "operator" } }],
            "clusters": [{ "name": "outside", "cluster": { "server": proxy.url() } }],
            "users": [{ "name": "operator", "user": { "token": self.token } }],
        })
    }

    fn kill(&mut self) -> Result<()> {
        let Some(Running { mut process, proxy }) = self.running.take() else { return Ok(()) };
        end(&mut process)?;
        drop(proxy);
        self.free_the_lease()
    }

    /// Its holder is dead for certain, which others could only tell after 15 s. A process never takes itself for one before it, whatever
    /// `--identity` says, and the operator's Role knows no Lease of another name.
    fn free_the_lease(&self) -> Result<()> {
        run(operators(self.world).args(["delete", "lease", RELEASE, "--ignore-not-found"]))
    }

    fn scale(&self, replicas: u64) -> Result<()> {
        let replicas = format!("--replicas={replicas}");
        run(operators(self.world).args(["scale", &format!("deployment/{RELEASE}"), &replicas]))
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        // What cannot be undone here is said by the tests after this one, which need operators.
        let _ = self.kill();
        let _ = self.scale(self.replicas);
    }
}

/// SIGKILL, and no zombie.
fn end(process: &mut Child) -> Result<()> {
    process.kill().context("cannot kill the operator")?;
    process.wait().context("cannot wait for the operator")?;
    Ok(())
}

/// As the chart gives them, but for its own port.
fn arguments(deployment: &Value) -> Result<Vec<String>> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    ensure!(container["env"].is_null(), "the chart gives the operator an environment, which is not passed on here");
    let arguments: Vec<String> =
        serde_json::from_value(container["args"].clone()).context("the Deployment has no arguments")?;
    Ok(arguments.into_iter().filter(|argument| !argument.starts_with("--admin-listen")).collect())
}
