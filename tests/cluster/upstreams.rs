//! Servers of the official SDKs as upstreams, in pods of their own: through Traefik their tools answer the official
//! clients of every era, each behind its scope.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::{
    command::output,
    images::{PeerImage, peer},
    peers::Kind,
};

use crate::{clients::Sdk, space::Space, world::World};

/// Of each peer's Service and of its pod.
const PORT: u16 = 8080;

/// A peer as an upstream.
struct Upstream {
    /// Of the Deployment and Service, too.
    name: &'static str,
    kind: Kind,
    /// The newest revision that it and the gateway speak.
    revision: &'static str,
    /// What it calls itself.
    server_name: &'static str,
    /// Adds `a` and `b`; what it says of 2 and 3.
    add: (&'static str, &'static str),
    /// What `echo` says before the message.
    echo: &'static str,
}

const UPSTREAMS: [Upstream; 5] = [
    Upstream {
        name: "python",
        kind: Kind::Python,
        revision: "2026-07-28",
        server_name: "peer-python",
        add: ("add", "5"),
        echo: "",
    },
    Upstream {
        name: "python-sessions",
        kind: Kind::PythonSessions,
        revision: "2025-11-25",
        server_name: "peer-python",
        add: ("add", "5"),
        echo: "",
    },
    Upstream {
        name: "go",
        kind: Kind::Go,
        revision: "2026-07-28",
        server_name: "peer-go",
        add: ("add", r#"{"result":5}"#),
        echo: "",
    },
    Upstream {
        name: "go-sessions",
        kind: Kind::GoSessions,
        revision: "2025-11-25",
        server_name: "peer-go",
        add: ("add", r#"{"result":5}"#),
        echo: "",
    },
    Upstream {
        name: "everything",
        kind: Kind::Everything,
        revision: "2025-11-25",
        server_name: "mcp-servers/everything",
        add: ("get-sum", "The sum of 2 and 3 is 5."),
        echo: "Echo: ",
    },
];

pub(crate) fn official_servers_answer_official_clients_with_scopes(world: &World) -> Result<()> {
    let space = Space::new(world, "upstreams")?;
    for upstream in &UPSTREAMS {
        let peer = peer(upstream.kind, PORT, &world.options)?;
        world.cluster.load_image(&peer.image.archive)?;
        space.apply(&deployment(upstream, &peer))?;
        space.apply(&service(upstream))?;
    }
    space.apply(&mcp_server(&space))?;
    // What they print decides a failure, and goes with the namespace.
    connected(&space).map_err(|problem| problem.context(format!("the peers said last:\n{}", said(&space))))?;
    space.wait_pong()?;
    let mut refused = UPSTREAMS.iter().cycle();
    for sdk in [Sdk::python(world)?, Sdk::typescript(world)?, Sdk::go(world)?] {
        for ((mode, version), refused) in sdk.modes.iter().zip(&mut refused) {
            every_upstream_answers(&space, &sdk, mode, version)?;
            a_missing_scope_is_challenged(&space, &sdk, mode, refused)?;
        }
        println!("        {} called {} upstreams in {} modes", sdk.name, UPSTREAMS.len(), sdk.modes.len());
    }
    Ok(())
}

/// `Ready`, `UpstreamsReady`, and what status says of each.
fn connected(space: &Space<'_>) -> Result<()> {
    space.wait_ready()?;
    let object = space.wait_for("UpstreamsReady", |condition| condition["status"] == "True")?;
    for upstream in &UPSTREAMS {
        let all = object["status"]["upstreams"].as_array();
        let found = all.into_iter().flatten().find(|found| found["name"] == upstream.name);
        let is_expected = found.is_some_and(|found| {
            found["ready"] == true
                && found["protocolVersion"] == upstream.revision
                && found["serverName"] == upstream.server_name
                && found["tools"].as_u64().is_some_and(|tools| tools >= 6)
                && found.get("lastError").is_none()
        });
        ensure!(is_expected, "status of {} is {:#}", upstream.name, found.unwrap_or(&Value::Null));
    }
    Ok(())
}

fn every_upstream_answers(space: &Space<'_>, sdk: &Sdk, mode: &str, version: &str) -> Result<()> {
    let name = sdk.name;
    let scopes: Vec<String> = UPSTREAMS.iter().map(scope).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let token = space.world.issuer.token(&scopes, &space.endpoint());
    let calls: Vec<Value> = UPSTREAMS
        .iter()
        .flat_map(|upstream| {
            [
                json!({ "name": tool(upstream, "echo"), "arguments": { "message": "grüße" } }),
                json!({ "name": tool(upstream, upstream.add.0), "arguments": { "a": 2, "b": 3 } }),
            ]
        })
        .collect();
    let answer = sdk.run(space, mode, Some(&token), &json!(calls))?;
    ensure!(answer["protocolVersion"] == version, "{name} {mode} should speak {version}: {answer}");
    let tools: Vec<&str> = answer["tools"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (upstream, results) in
        UPSTREAMS.iter().zip(answer["results"].as_array().into_iter().flatten().collect::<Vec<_>>().chunks(2))
    {
        let echo = format!("{}grüße", upstream.echo);
        for (result, (called, text)) in results.iter().zip([("echo", echo.as_str()), upstream.add]) {
            let public = tool(upstream, called);
            ensure!(tools.contains(&&*public), "{name} {mode}: {public} is not listed: {answer}");
            ensure!(result["isError"] == false && result["text"] == text, "{name} {mode} {public}: {result}");
        }
        let structured = &results[1]["structured"];
        let has_structure = version != "2025-03-26" && upstream.kind != Kind::Everything;
        let expected = if has_structure { json!({ "result": 5 }) } else { Value::Null };
        ensure!(*structured == expected, "{name} {mode} {}: {structured}", upstream.name);
    }
    ensure!(
        answer["results"].as_array().is_some_and(|results| results.len() == calls.len()),
        "{name} {mode}: {answer}"
    );
    Ok(())
}

/// Each mode is refused another upstream, with a token for all the others.
fn a_missing_scope_is_challenged(space: &Space<'_>, sdk: &Sdk, mode: &str, refused: &Upstream) -> Result<()> {
    let scopes: Vec<String> = UPSTREAMS.iter().filter(|other| other.name != refused.name).map(scope).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let token = space.world.issuer.token(&scopes, &space.endpoint());
    let calls = json!([{ "name": tool(refused, "echo"), "arguments": { "message": "x" } }]);
    let answer = sdk.run(space, mode, Some(&token), &calls)?;
    let challenge = answer["challenges"][0].as_str().unwrap_or_default();
    let is_refused = answer["error"].is_string()
        && challenge.starts_with("403 ")
        && challenge.contains(r#"error="insufficient_scope""#)
        && challenge.contains(&format!(r#"scope="{}""#, scope(refused)));
    ensure!(is_refused, "{} {mode} called {} without its scope: {answer}", sdk.name, refused.name);
    Ok(())
}

fn tool(upstream: &Upstream, tool: &str) -> String {
    format!("{}__{tool}", upstream.name)
}

fn scope(upstream: &Upstream) -> String {
    format!("{}:use", upstream.name)
}

fn mcp_server(space: &Space<'_>) -> Value {
    let mut server = space.server();
    let url = |upstream: &Upstream| format!("http://{}.{}.svc:{PORT}/mcp", upstream.name, space.namespace);
    let upstreams = UPSTREAMS.iter().map(|upstream| json!({ "name": upstream.name, "url": url(upstream) }));
    server["spec"]["upstreams"] = upstreams.collect();
    let rule = |upstream: &Upstream| json!({ "tools": [tool(upstream, "*")], "scopes": [scope(upstream)] });
    let rules: Vec<Value> = UPSTREAMS.iter().map(rule).collect();
    server["spec"]["authorization"] = json!({ "default": "Deny", "rules": rules });
    server
}

fn deployment(upstream: &Upstream, peer: &PeerImage) -> Value {
    let environment: Vec<Value> =
        peer.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let labels = json!({ "peer": upstream.name });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": upstream.name },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": {
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 1,
                "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
                "containers": [{
                    "name": "peer",
                    "image": peer.image.reference(),
                    "imagePullPolicy": "IfNotPresent",
                    "command": peer.command,
                    "env": environment,
                    "ports": [{ "containerPort": PORT }],
                    "readinessProbe": { "tcpSocket": { "port": PORT }, "periodSeconds": 1 },
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": { "drop": ["ALL"] },
                    },
                }],
            }},
        },
    })
}

fn service(upstream: &Upstream) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": upstream.name },
        "spec": { "selector": { "peer": upstream.name }, "ports": [{ "port": PORT, "targetPort": PORT }] },
    })
}

/// The end of each peer's log, and the state of its pod.
fn said(space: &Space<'_>) -> String {
    let show =
        |arguments: &[&str]| output(&mut space.kubectl(arguments)).unwrap_or_else(|problem| format!("{problem:#}"));
    format!(
        "{}{}",
        show(&["get", "pods", "--output=wide"]),
        show(&["logs", "--selector=peer", "--tail=10", "--prefix"])
    )
}
