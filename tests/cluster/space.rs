//! A namespace of a test's own, with the authority of its issuer and the certificate of its host; gone with the value.

use std::{
    net::IpAddr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tests::{
    cluster::{NODE_ADDRESS, target::TEST_LABEL},
    command::{feed, output, run, wait_until},
    mcp_client::McpClient,
};

use crate::{redis::is_left_unreadable, world::World};

/// The kinds that an `McpServer` has children of.
pub(crate) const CHILDREN: &str = "serviceaccounts,configmaps,deployments.apps,services,networkpolicies.networking.k8s.io,ingresses.networking.k8s.io,poddisruptionbudgets.policy,statefulsets.apps";

/// The resource, by its full name.
pub(crate) const MCP_SERVERS: &str = "mcpservers.mcpfoundry.dev";

/// Everything that is waited for takes seconds; this is for a machine that does something else as well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Name of the one `McpServer` in a space.
pub(crate) const NAME: &str = "tools";

pub(crate) struct Space<'a> {
    pub(crate) world: &'a World,
    pub(crate) namespace: String,
}

impl<'a> Space<'a> {
    pub(crate) fn new(world: &'a World, purpose: &str) -> Result<Self> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let space = Self { world, namespace: format!("e2e-{purpose}-{}", &unique[..6]) };
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": space.namespace, "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
        }});
        feed(world.cluster.kubectl().args(["create", "--filename", "-"]), &namespace.to_string())?;
        let certificate = world.ca.issue(&[&space.host()])?;
        let encoded = |pem: &str| STANDARD.encode(pem);
        space.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "issuer-ca" },
            "data": { "ca.crt": world.ca.cert_pem } }))?;
        space.apply(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "host-tls" }, "type": "kubernetes.io/tls",
            "data": { "tls.crt": encoded(&certificate.cert_pem), "tls.key": encoded(&certificate.key_pem) } }))?;
        Ok(space)
    }

    /// The host of this space's endpoint; resolvable nowhere.
    pub(crate) fn host(&self) -> String {
        format!("{}.test", self.namespace)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("https://{}/mcp", self.host())
    }

    /// A complete `McpServer` of one replica behind the ingress.
    pub(crate) fn server(&self) -> Value {
        json!({
            "apiVersion": "mcpfoundry.dev/v1alpha1",
            "kind": "McpServer",
            "metadata": { "name": NAME, "labels": { TEST_LABEL: "e2e" } },
            "spec": {
                "replicas": 1,
                "publicUrl": self.endpoint(),
                "expose": { "ingress": { "tlsSecretName": "host-tls" } },
                "auth": { "issuers": [{
                    "issuer": self.world.issuer.issuer_url(),
                    "caConfigMapRef": { "name": "issuer-ca" },
                    "allowPrivateAddresses": true,
                }]},
                "authorization": { "default": "Authenticated" },
            },
        })
    }

    /// Applies [`Self::server`] and waits for it; answers how long that took.
    pub(crate) fn ready_server(&self) -> Result<Duration> {
        let started = Instant::now();
        self.apply(&self.server())?;
        self.wait_ready()?;
        Ok(started.elapsed())
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut kubectl = self.world.cluster.kubectl();
        kubectl.args(["--namespace", &self.namespace]).args(arguments);
        kubectl
    }

    /// Server-side apply as a user.
    pub(crate) fn apply(&self, object: &Value) -> Result<()> {
        let mut kubectl =
            self.kubectl(&["apply", "--server-side", "--field-manager=user", "--force-conflicts", "--filename", "-"]);
        feed(&mut kubectl, &object.to_string()).map(drop)
    }

    /// A JSON merge patch of the `McpServer`'s spec.
    pub(crate) fn change(&self, spec: &Value) -> Result<()> {
        let patch = json!({ "spec": spec }).to_string();
        run(&mut self.kubectl(&["patch", MCP_SERVERS, NAME, "--type=merge", "--patch", &patch]))
    }

    pub(crate) fn get(&self, resource: &str, name: &str) -> Result<Value> {
        let text = output(&mut self.kubectl(&["get", resource, name, "--output=json"]))?;
        serde_json::from_str(&text).context("cannot read kubectl's answer")
    }

    /// All objects of these kinds that belong to the `McpServer`.
    pub(crate) fn children(&self, kinds: &str) -> Result<Vec<Value>> {
        let selector = format!("--selector=mcpfoundry.dev/mcp-server={NAME}");
        let text = output(&mut self.kubectl(&["get", kinds, &selector, "--output=json"]))?;
        let mut list: Value = serde_json::from_str(&text).context("cannot read kubectl's answer")?;
        Ok(std::mem::take(&mut list["items"]).as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Waits until the newest generation is `Ready`.
    pub(crate) fn wait_ready(&self) -> Result<Value> {
        self.wait_for("Ready", |ready| ready["status"] == "True")
    }

    /// Waits until the condition of the newest generation is as wanted; answers the `McpServer`.
    pub(crate) fn wait_for(&self, condition: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.wait_condition(NAME, condition, wanted)
    }

    /// The same of the `McpServer` called `name`.
    pub(crate) fn wait_condition(&self, name: &str, condition: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(&format!("{condition} of {}/{name}", self.namespace), PATIENCE, || {
            let object = self.get(MCP_SERVERS, name).map_err(|problem| format!("{problem:#}"))?;
            let conditions = &object["status"]["conditions"];
            let of_this_generation = |found: &&Value| found["observedGeneration"] == object["metadata"]["generation"];
            let found = conditions
                .as_array()
                .into_iter()
                .flatten()
                .filter(of_this_generation)
                .find(|found| found["type"] == condition);
            if found.is_some_and(&wanted) { Ok(object) } else { Err(format!("conditions {conditions:#}")) }
        })
    }

    /// A client of the endpoint through the ingress.
    pub(crate) fn client(&self) -> Result<McpClient> {
        self.client_of(&self.endpoint())
    }

    /// The same of another endpoint of this space's host.
    pub(crate) fn client_of(&self, url: &str) -> Result<McpClient> {
        let address: IpAddr = NODE_ADDRESS.parse()?;
        McpClient::through(&url.parse()?, address, &self.world.ca.cert_pem)
    }

    /// The same with a token of these scopes.
    pub(crate) fn client_with(&self, scopes: &[&str]) -> Result<McpClient> {
        Ok(self.client()?.with_token(&self.world.issuer.token(scopes, &self.endpoint())))
    }

    /// `ping` answers pong through the ingress, now or soon: an Ingress takes a moment to be in force.
    pub(crate) fn wait_pong(&self) -> Result<()> {
        self.wait_pong_with(&self.world.issuer.token(&["tools:ping"], &self.endpoint()))
    }

    /// The same with this token.
    pub(crate) fn wait_pong_with(&self, token: &str) -> Result<()> {
        let client = self.client()?.with_token(token);
        wait_until("ping answers pong through the ingress", PATIENCE, || {
            let answer =
                self.world.send(&client, &client.call("ping", &json!({}))).map_err(|problem| format!("{problem:#}"))?;
            match answer.result() {
                Ok(result) if result["structuredContent"]["message"] == "pong" => Ok(()),
                Ok(result) => Err(result.to_string()),
                Err(problem) => Err(format!("{problem:#}")),
            }
        })
    }

    /// Uid and restarts of each gateway pod, for a test that nothing was restarted.
    pub(crate) fn pods(&self) -> Result<Vec<(String, u64)>> {
        let mut pods = self.children("pods")?;
        pods.retain(|pod| pod["metadata"]["labels"]["app.kubernetes.io/name"] == "mcp-server");
        let described = |pod: &Value| {
            let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or_default();
            (pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned(), restarts)
        };
        let mut pods: Vec<_> =
            pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).map(described).collect();
        pods.sort();
        Ok(pods)
    }
}

impl Drop for Space<'_> {
    fn drop(&mut self) {
        // Here, so that no test forgets it. A test that fails may leave a Redis that cannot be looked at.
        match is_left_unreadable(self) {
            Ok(None) => {}
            Ok(Some(keys)) => println!("        the Redis of {} kept {keys} keys", self.namespace),
            Err(problem) => self.world.note_problem(format!("the Redis of {}: {problem:#}", self.namespace)),
        }
        let mut kubectl = self.world.cluster.kubectl();
        // What cannot be removed goes with the cluster.
        let _ = run(kubectl.args(["delete", "namespace", &self.namespace, "--wait=false"]));
    }
}

/// Status of the condition of this type; empty where there is none.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> &'a str {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|found| found["type"] == type_);
    found.and_then(|found| found["status"].as_str()).unwrap_or_default()
}

/// `metadata.name` and kind, for lists that people read.
pub(crate) fn named(object: &Value) -> String {
    format!(
        "{}/{}",
        object["kind"].as_str().unwrap_or_default(),
        object["metadata"]["name"].as_str().unwrap_or_default()
    )
}
