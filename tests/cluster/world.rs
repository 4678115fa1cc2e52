//! What all tests share: the cluster, the operator installed in it, an issuer, the audit log.

use std::{
    fs::File,
    mem,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tests::{
    cluster::{
        self, Cluster, HOST_ADDRESS, Options, TestCa,
        target::{Selection, Target, target},
    },
    command::{output, run, wait_until},
    images::{self, Images},
    install::{NAMESPACE, RELEASE, alone, install},
    issuer::{IssuerOptions, TestIssuer},
    mcp_client::{Answer, McpClient, Request},
};
use tokio::runtime::Runtime;

use crate::{
    UnderLoad,
    audit::{AuditLog, Entry, Mark, listed},
    space::PATIENCE,
};

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) images: Images,
    pub(crate) issuer: TestIssuer,
    pub(crate) ca: TestCa,
    pub(crate) audit: AuditLog,
    /// Before the operator was installed by us.
    pub(crate) beginning: Mark,
    pub(crate) idle: Duration,
    pub(crate) under_load: UnderLoad,
    /// Some tests look back at all the others.
    pub(crate) whole_suite: bool,
    pub(crate) options: Options,
    /// What was found wrong where no error can be returned; read by whoever runs the tests, after each.
    problems: Mutex<Vec<String>>,
    was_up: bool,
    runtime: Runtime,
    /// Held until the end.
    _alone: File,
}

impl World {
    pub(crate) fn new(
        selection: &Selection,
        options: &Options,
        idle_seconds: u64,
        under_load: UnderLoad,
        whole_suite: bool,
    ) -> Result<Self> {
        ensure!(
            selection.kubeconfig.is_none() && selection.context.is_none(),
            "cargo e2e works in a cluster of its own only: its issuer runs on this machine, where the pods of a named cluster cannot \
             reach it, and its images are in no registry; leave --kubeconfig, --context and MCP_TEST_KUBECONFIG away"
        );
        let alone = alone()?;
        let was_up = cluster::status()?.components.iter().any(|(_, pid)| pid.is_some());
        let timed = Timed::start();
        let cluster = match target(selection, options)? {
            Target::Own(cluster) => cluster,
            Target::Named(_) => bail!("cargo e2e works in a cluster of its own only"),
        };
        timed.say("cluster up");
        let timed = Timed::start();
        let images = images::ensure(options)?;
        timed.say("images built");
        for image in [&images.operator, &images.server] {
            println!(
                "{}: program {:.1} MB, archive {:.1} MB",
                image.reference(),
                megabytes(image.program_bytes()),
                megabytes(image.archive_bytes())
            );
        }
        let audit = AuditLog::new(cluster.audit_log());
        let beginning = audit.mark()?;
        // As on a cluster that never saw the operator: `rights` wants to see every right used.
        run(cluster.kubectl().args(["delete", "lease", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found"]))?;
        let timed = Timed::start();
        install(&cluster, &images)?;
        timed.say("operator installed");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let ca = cluster.test_ca()?;
        let issuer = runtime
            .block_on(TestIssuer::start(HOST_ADDRESS.parse()?, &ca, IssuerOptions::default()))
            .context("cannot start the issuer")?;
        let idle = Duration::from_secs(idle_seconds);
        Ok(Self {
            cluster,
            images,
            issuer,
            ca,
            audit,
            beginning,
            idle,
            under_load,
            whole_suite,
            options: options.clone(),
            problems: Mutex::default(),
            was_up,
            runtime,
            _alone: alone,
        })
    }

    /// An issuer beside that of all tests, reachable from pods as that one.
    pub(crate) fn another_issuer(&self, options: IssuerOptions) -> Result<TestIssuer> {
        let starting = TestIssuer::start(HOST_ADDRESS.parse()?, &self.ca, options);
        self.runtime.block_on(starting).context("cannot start another issuer")
    }

    /// Ends an issuer; its port refuses connections from then on.
    pub(crate) fn stop(&self, issuer: TestIssuer) {
        self.runtime.block_on(issuer.stop());
    }

    /// The test that runs has failed, whatever it says itself.
    pub(crate) fn note_problem(&self, problem: String) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
    }

    /// What was noted since this was asked last.
    pub(crate) fn take_problems(&self) -> Vec<String> {
        mem::take(&mut *self.problems.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for something that is awaited.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Sends a request and waits for the answer.
    pub(crate) fn send(&self, client: &McpClient, request: &Request) -> Result<Answer> {
        self.wait(client.send(request))
    }

    /// Waits until what earlier tests have set in motion is over: no namespace is on its way out, and the operators
    /// wrote nothing for two seconds.
    pub(crate) fn settle(&self) -> Result<()> {
        wait_until("the operators come to rest", PATIENCE, || self.settled())
    }

    fn settled(&self) -> Result<(), String> {
        let shown = |problem: anyhow::Error| format!("{problem:#}");
        let mut kubectl = self.cluster.kubectl();
        let namespaces = output(kubectl.args(["get", "namespaces", "--no-headers"])).map_err(shown)?;
        if let Some(going) = namespaces.lines().find(|line| line.contains("Terminating")) {
            return Err(going.to_owned());
        }
        let mark = self.audit.mark().map_err(shown)?;
        thread::sleep(Duration::from_secs(2));
        let entries = self.audit.of_operator(mark).map_err(shown)?;
        let writes: Vec<&Entry> = entries.iter().filter(|entry| entry.is_write() && !entry.is_background()).collect();
        if writes.is_empty() { Ok(()) } else { Err(listed(&writes)) }
    }

    /// Ends the cluster if it was not up before.
    pub(crate) fn end(self) -> Result<()> {
        self.runtime.block_on(self.issuer.stop());
        if !self.was_up {
            cluster::down()?;
        }
        Ok(())
    }
}

struct Timed(Instant);

impl Timed {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn say(&self, what: &str) {
        println!("{what} in {:.1} s", self.0.elapsed().as_secs_f32());
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people, to one decimal place")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
