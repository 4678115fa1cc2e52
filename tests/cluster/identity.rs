//! Who calls, and on whose word: pods with their ServiceAccount tokens, servers that share a host, an issuer that is gone.

mod caller;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{
    cluster::kill_in_pod,
    command::{output, wait_until},
    issuer::{IssuerOptions, TestIssuer},
    mcp_client::McpClient,
};
use url::Url;

use crate::{
    space::{NAME, PATIENCE, Space, condition},
    world::World,
};
use caller::{Answer, Caller, Token};

/// The ServiceAccount of callers.
const AGENT: &str = "agent";

/// Name of the second `McpServer` of a host.
const OTHER: &str = "other";

pub(crate) fn a_pod_calls_with_its_service_account_token(world: &World) -> Result<()> {
    let caller = Caller::new(world)?;
    let (space, stranger) = (Space::new(world, "agents")?, Space::new(world, "strangers")?);
    let issuer = api_servers_issuer(world)?;
    let mut server = space.server();
    let entry = |issuer: &str| {
        json!([{
            "issuer": issuer, "preset": "kubernetes",
            "scopeMappings": [{
                "claimPath": "sub", "equals": subject(&space), "grantScopes": ["tools:ping"],
            }],
        }])
    };
    server["spec"]["authorization"] = json!({ "default": "Deny" });
    server["spec"]["auth"]["issuers"] = entry("https://not-the-api-server.example.com");
    space.apply(&server)?;
    let told = |condition: &Value| condition["message"].as_str().is_some_and(|message| message.contains(&issuer));
    space.wait_for("SpecValid", |condition| condition["reason"] == "WrongServiceAccountIssuer" && told(condition))?;
    space.change(&json!({ "auth": { "issuers": entry(&issuer) } }))?;
    space.wait_ready()?;

    let in_cluster = format!("http://{NAME}.{}.svc/mcp", space.namespace);
    let audience = space.endpoint();
    let call = |from: &Space<'_>, audience: &str| -> Result<Answer> {
        caller.call(from, &in_cluster, &space.host(), &Token::Projected { audience })
    };
    for space in [&space, &stranger] {
        space.apply(&json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": AGENT } }))?;
        no_token_secrets(space)?;
    }
    let answer = call(&space, &audience)?;
    ensure!(answer.status == 200 && answer.body.contains("pong"), "the agent was answered {answer:?}");
    let answer = call(&stranger, &audience)?;
    ensure!(
        answer.status == 403
            && answer.challenge.contains("insufficient_scope")
            && answer.challenge.contains("tools:ping"),
        "a ServiceAccount without a mapping was answered {answer:?}"
    );
    // What lies in every pod: a token for the API server.
    let answer = call(&space, &issuer)?;
    ensure!(
        answer.status == 401 && answer.challenge.contains("invalid_token"),
        "a token for the API server was answered {answer:?}"
    );
    // The same from outside, as somebody does who tries it by hand.
    let by_hand = output(&mut space.kubectl(&["create", "token", AGENT, "--audience", &audience]))?;
    let client = space.client()?.with_token(by_hand.trim());
    wait_until("a token of kubectl is accepted through the ingress", PATIENCE, || {
        let answer = world.send(&client, &client.call("ping", &json!({}))).map_err(|problem| format!("{problem:#}"))?;
        answer.result().map(drop).map_err(|problem| format!("{problem:#}"))
    })
}

pub(crate) fn two_servers_on_one_host_keep_apart(world: &World) -> Result<()> {
    let space = Space::new(world, "neighbours")?;
    let second = world.another_issuer(IssuerOptions::default())?;
    let result = keep_apart(world, &space, &second);
    world.stop(second);
    result
}

fn keep_apart(world: &World, space: &Space<'_>, second: &TestIssuer) -> Result<()> {
    let other_url = format!("https://{}/{OTHER}/mcp", space.host());
    let mut other = space.server();
    other["metadata"]["name"] = json!(OTHER);
    other["spec"]["publicUrl"] = json!(other_url);
    other["spec"]["auth"]["issuers"][0]["issuer"] = json!(second.issuer_url());
    space.apply(&space.server())?;
    space.apply(&other)?;
    space.wait_ready()?;
    space.wait_condition(OTHER, "Ready", |ready| ready["status"] == "True")?;

    let sides = [(space.endpoint(), &world.issuer), (other_url, second)];
    for (index, (url, issuer)) in sides.iter().enumerate() {
        let (neighbour_url, neighbour_issuer) = &sides[1 - index];
        let client = space.client_of(url)?;
        is_described(world, &client, url, issuer.issuer_url())?;
        let status = |token: &str| -> Result<u16> {
            let client = client.with_token(token);
            Ok(world.send(&client, &client.call("ping", &json!({})))?.status)
        };
        let scopes = ["tools:ping"];
        for (what, token, expected) in [
            ("its own token", issuer.token(&scopes, url), 200),
            ("the other's token", neighbour_issuer.token(&scopes, neighbour_url), 401),
            ("a token of the other's issuer for it", neighbour_issuer.token(&scopes, url), 401),
            ("a token of its issuer for the other", issuer.token(&scopes, neighbour_url), 401),
        ] {
            let found = status(&token)?;
            ensure!(found == expected, "{url} answered {what} with {found}, expected {expected}");
        }
    }
    Ok(())
}

/// Its challenge leads to its metadata, and that names it and its issuer, and nothing of the other.
fn is_described(world: &World, client: &McpClient, url: &str, issuer: &str) -> Result<()> {
    let parsed: Url = url.parse()?;
    let metadata_path = format!("/.well-known/oauth-protected-resource{}", parsed.path());
    let metadata_url = parsed.join(&metadata_path)?;
    wait_until(&format!("{url} answers with its own challenge"), PATIENCE, || {
        let answer = world.send(client, &client.call("ping", &json!({}))).map_err(|problem| format!("{problem:#}"))?;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        let is_own = answer.status == 401 && challenge.contains(&format!("resource_metadata=\"{metadata_url}\""));
        if is_own { Ok(()) } else { Err(format!("{} {challenge}", answer.status)) }
    })?;
    let answer = world.send(client, &client.get(&metadata_path)?)?;
    ensure!(
        answer.status == 200
            && answer.body["resource"] == url
            && answer.body["authorization_servers"] == json!([issuer]),
        "the metadata of {url} is {}",
        answer.body
    );
    Ok(())
}

pub(crate) fn an_outage_of_the_issuer_ends_nobody(world: &World) -> Result<()> {
    let caller = Caller::new(world)?;
    let space = Space::new(world, "outage")?;
    let issuer = world.another_issuer(IssuerOptions::default())?;
    let mut server = space.server();
    server["spec"]["auth"]["issuers"][0]["issuer"] = json!(issuer.issuer_url());
    space.apply(&server)?;
    space.wait_ready()?;
    let token = issuer.token(&["tools:ping"], &space.endpoint());
    let port = issuer.address().port();
    space.wait_pong_with(&token)?;

    world.stop(issuer);
    space.wait_pong_with(&token)?;

    let before = space.pods()?;
    let [(uid, 0)] = before.as_slice() else { anyhow::bail!("one pod should serve, there are {before:?}") };
    kill_in_pod(uid, "/mcp-server")?;
    wait_until("the container that was killed serves again", PATIENCE, || {
        let pods = space.pods().map_err(|problem| format!("{problem:#}"))?;
        let ready = space.children("pods").map_err(|problem| format!("{problem:#}"))?.iter().all(is_ready);
        if pods == [(uid.clone(), 1)] && ready { Ok(()) } else { Err(format!("{pods:?}, ready: {ready}")) }
    })?;
    space.wait_pong_with(&token)?;

    let cold = a_cold_pod_waits(world, &space, &caller, &token)?;
    space.wait_pong_with(&token)?;

    // Another issuer under the old name, with keys of its own: what comes back by itself is the cold pod.
    let back = world.another_issuer(IssuerOptions { port, ..IssuerOptions::default() })?;
    let result = wait_until("the cold pod is ready once the issuer is back", PATIENCE, || {
        let pods = space.children("pods").map_err(|problem| format!("{problem:#}"))?;
        let pod = pods.iter().find(|pod| pod["metadata"]["name"] == *cold);
        if pod.is_some_and(is_ready) { Ok(()) } else { Err("it is not ready".to_owned()) }
    });
    world.stop(back);
    result
}

/// A second pod without keys answers 503 and is not ready, status names the issuer, and the first one serves on. Answers its name.
fn a_cold_pod_waits(world: &World, space: &Space<'_>, caller: &Caller, token: &str) -> Result<String> {
    let warm: Vec<String> = space.pods()?.into_iter().map(|(uid, _)| uid).collect();
    space.change(&json!({ "replicas": 2 }))?;
    let issuer_named = |condition: &Value| condition["reason"] == "IssuerUnavailable";
    space.wait_for("AuthReady", issuer_named).context("status should name the issuer that the new pod cannot reach")?;
    let pods = space.children("pods")?;
    let cold = pods.iter().find(|pod| !warm.iter().any(|uid| pod["metadata"]["uid"] == **uid));
    let cold = cold.context("there is no second pod")?;
    ensure!(!is_ready(cold), "a pod without keys is ready");
    let ip = cold["status"]["podIP"].as_str().context("the second pod has no address")?;
    let answer = caller.call(space, &format!("http://{ip}:8080/mcp"), &space.host(), &Token::Given(token))?;
    ensure!(
        answer.status == 503 && !answer.retry_after.is_empty(),
        "a pod without keys should answer 503 with Retry-After, and answered {answer:?}"
    );
    // Whoever comes through the ingress meets only the pod that has keys.
    let client = space.client()?.with_token(token);
    for _ in 0..20 {
        world.send(&client, &client.call("ping", &json!({})))?.result()?;
    }
    Ok(cold["metadata"]["name"].as_str().unwrap_or_default().to_owned())
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == "True"
}

fn subject(space: &Space<'_>) -> String {
    format!("system:serviceaccount:{}:{AGENT}", space.namespace)
}

/// Whose ServiceAccount tokens the cluster signs.
pub(crate) fn api_servers_issuer(world: &World) -> Result<String> {
    let text = output(world.cluster.kubectl().args(["get", "--raw", "/.well-known/openid-configuration"]))?;
    let document: Value = serde_json::from_str(&text).context("cannot read the API server's discovery document")?;
    Ok(document["issuer"].as_str().context("it names no issuer")?.to_owned())
}

/// Nobody made a long-lived token: what the callers have is what the kubelet gives them.
fn no_token_secrets(space: &Space<'_>) -> Result<()> {
    let selector = "--field-selector=type=kubernetes.io/service-account-token";
    let found = output(&mut space.kubectl(&["get", "secrets", selector, "--output=name"]))?;
    ensure!(found.trim().is_empty(), "namespace {} holds token Secrets: {found}", space.namespace);
    let object = space.get("serviceaccount", AGENT)?;
    ensure!(object["secrets"].is_null(), "the ServiceAccount has Secrets: {object}");
    Ok(())
}
