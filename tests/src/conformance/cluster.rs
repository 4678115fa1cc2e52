//! The fixtures in pods of an `McpServer`, with tokens: through the ingress, and through the Service.
//!
//! The gateway is the product as it is installed, but for its image, which holds the fixtures. What the suite finds on
//! loopback must be found here too; whatever differs was done by something between.

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::Url;

use super::{
    Plan,
    bridge::Bridge,
    proxy::{Proxy, Upstream},
    verdict::Outcome,
};
use crate::{
    cluster::{
        self, Cluster, HOST_ADDRESS, NODE_ADDRESS, Options, TestCa,
        target::{Selection, TEST_LABEL, Target, target},
    },
    command::{feed, output, run as run_command, wait_until},
    images::{self, Image},
    install::{alone, install, operator_logs},
    issuer::{IssuerOptions, TestIssuer},
    mcp_client::streaming_client,
};

/// Name of the one `McpServer`.
const NAME: &str = "conformance";

/// From the apply on; and from `Ready` until the ingress knows the route.
const PATIENCE: Duration = Duration::from_secs(120);

/// Brings everything up, runs the plan twice, and leaves the cluster as it was.
pub(super) fn run(plan: &Plan<'_>, selection: &Selection, options: &Options) -> Result<Vec<Outcome>> {
    ensure!(
        selection.kubeconfig.is_none() && selection.context.is_none(),
        "cargo conformance --cluster works in a cluster of its own only: its issuer runs on this machine, where the pods of a named \
         cluster cannot reach it; leave --kubeconfig, --context and MCP_TEST_KUBECONFIG away"
    );
    let _alone = alone()?;
    let was_up = cluster::status()?.components.iter().any(|(_, pid)| pid.is_some());
    let Target::Own(cluster) = target(selection, options)? else { bail!("the cluster is not ours") };
    let images = images::ensure(options)?;
    let image = images::conformance_server(options)?;
    install(&cluster, &images)?;
    cluster.load_image(&image.archive)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ca = cluster.test_ca()?;
    let issuer = runtime.block_on(TestIssuer::start(HOST_ADDRESS.parse()?, &ca, IssuerOptions::default()));
    let issuer = issuer.context("cannot start the issuer")?;
    let place = Place::new(&cluster, &ca)?;
    let played = place.serve(&image, &issuer).and_then(|()| place.play(plan, &ca, &issuer, &runtime));
    drop(place);
    runtime.block_on(issuer.stop());
    if !was_up {
        cluster::down()?;
    }
    played
}

/// A namespace of its own; gone with the value.
struct Place<'a> {
    cluster: &'a Cluster,
    namespace: String,
}

impl<'a> Place<'a> {
    /// With the authority of the issuer, and the certificate of the endpoint's host.
    fn new(cluster: &'a Cluster, ca: &TestCa) -> Result<Self> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let place = Self { cluster, namespace: format!("conformance-{}", &unique[..6]) };
        place.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": place.namespace, "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
        }}))?;
        let certificate = ca.issue(&[&place.host()])?;
        let encoded = |pem: &str| STANDARD.encode(pem);
        place.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "issuer-ca" },
            "data": { "ca.crt": ca.cert_pem } }))?;
        place.apply(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "host-tls" },
            "type": "kubernetes.io/tls",
            "data": { "tls.crt": encoded(&certificate.cert_pem), "tls.key": encoded(&certificate.key_pem) } }))?;
        Ok(place)
    }

    /// Resolvable nowhere.
    fn host(&self) -> String {
        format!("{}.test", self.namespace)
    }

    fn public_url(&self) -> Result<Url> {
        format!("https://{}/mcp", self.host()).parse().context("the public URL")
    }

    /// One replica: the triggers of the suite change what the pod offers that they reach.
    fn serve(&self, image: &Image, issuer: &TestIssuer) -> Result<()> {
        self.apply(&json!({
            "apiVersion": "mcpfoundry.dev/v1alpha1",
            "kind": "McpServer",
            "metadata": { "name": NAME, "labels": { TEST_LABEL: "conformance" } },
            "spec": {
                "replicas": 1,
                "publicUrl": self.public_url()?.as_str(),
                "expose": { "ingress": { "tlsSecretName": "host-tls" } },
                "auth": { "issuers": [{
                    "issuer": issuer.issuer_url(),
                    "caConfigMapRef": { "name": "issuer-ca" },
                    "allowPrivateAddresses": true,
                }]},
                "authorization": { "default": "Authenticated" },
                // The suite calls the first tool of the list without arguments.
                "builtins": {
                    "ping": { "enabled": false },
                    "echo": { "enabled": false },
                    "healthCheck": { "enabled": false },
                },
                "pod": { "image": image.reference() },
            },
        }))?;
        wait_until("the McpServer is Ready", PATIENCE, || self.not_ready())
            .with_context(|| format!("the operators said:\n{}", operator_logs(self.cluster)))
    }

    fn not_ready(&self) -> Result<(), String> {
        let object = self.get(&["mcpservers.mcpfoundry.dev", NAME]).map_err(|problem| format!("{problem:#}"))?;
        let conditions = &object["status"]["conditions"];
        let ready = conditions.as_array().into_iter().flatten().any(|condition| {
            condition["type"] == "Ready"
                && condition["status"] == "True"
                && condition["observedGeneration"] == object["metadata"]["generation"]
        });
        if ready { Ok(()) } else { Err(format!("its conditions are {conditions:#}")) }
    }

    fn play(&self, plan: &Plan<'_>, ca: &TestCa, issuer: &TestIssuer, runtime: &Runtime) -> Result<Vec<Outcome>> {
        let public_url = self.public_url()?;
        let token = issuer.token(&[], public_url.as_str());
        let host = self.host();

        let address: IpAddr = NODE_ADDRESS.parse()?;
        let upstream = Upstream {
            client: streaming_client(Some(&ca.cert_pem), &host, (address, 443).into())?,
            base: format!("https://{host}").parse()?,
            public_url: public_url.clone(),
            token,
        };
        let mut outcomes = through(plan, upstream.clone(), "ingress", runtime)?;

        let scratch = tempfile::tempdir().context("cannot make a folder for the bridge")?;
        let bridge = runtime.block_on(Bridge::start(self.cluster, self.service()?, scratch.path()))?;
        let upstream = Upstream {
            client: streaming_client(None, &host, bridge.address)?,
            base: format!("http://{host}:{}", bridge.address.port()).parse()?,
            ..upstream
        };
        outcomes.extend(through(plan, upstream, "service", runtime)?);
        Ok(outcomes)
    }

    /// Address and port of the Service.
    fn service(&self) -> Result<SocketAddr> {
        let services = self.get(&["services", &format!("--selector=mcpfoundry.dev/mcp-server={NAME}")])?;
        let spec = &services["items"][0]["spec"];
        let (ip, port) = (&spec["clusterIP"], &spec["ports"][0]["port"]);
        let address = format!("{}:{port}", ip.as_str().unwrap_or_default());
        address.parse().with_context(|| format!("the Service has no usable address: {spec}"))
    }

    fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut kubectl = self.cluster.kubectl();
        kubectl.args(["--namespace", &self.namespace]).args(arguments);
        kubectl
    }

    fn apply(&self, object: &Value) -> Result<()> {
        let mut kubectl = self.kubectl(&["apply", "--server-side", "--field-manager=user", "--filename", "-"]);
        feed(&mut kubectl, &object.to_string()).map(drop)
    }

    fn get(&self, what: &[&str]) -> Result<Value> {
        let text = output(self.kubectl(&["get", "--output=json"]).args(what))?;
        serde_json::from_str(&text).context("cannot read kubectl's answer")
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut kubectl = self.cluster.kubectl();
        // What cannot be removed goes with the cluster.
        let _ = run_command(kubectl.args(["delete", "namespace", &self.namespace, "--wait=false"]));
    }
}

/// The plan through a proxy, once the way behind it is open.
fn through(plan: &Plan<'_>, upstream: Upstream, way: &str, runtime: &Runtime) -> Result<Vec<Outcome>> {
    let path = upstream.public_url.path().to_owned();
    let mut probe = upstream.base.clone();
    // What the ingress routes, and what is answered without a token.
    probe.set_path(&format!("/.well-known/oauth-protected-resource{path}"));
    let (client, host) = (upstream.client.clone(), upstream.public_url.host_str().unwrap_or_default().to_owned());
    wait_until(&format!("the gateway answers through the {way}"), PATIENCE, || {
        let asked = runtime.block_on(client.get(probe.clone()).header("Host", &host).send());
        match asked {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answers {}", answer.status())),
            Err(problem) => Err(problem.to_string()),
        }
    })?;
    let proxy = runtime.block_on(Proxy::start(upstream))?;
    plan.play(&proxy.url(&path), way)
}
