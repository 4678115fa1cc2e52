//! Rotations as whole runs: their steps on the objects, and that a request which breaks anywhere takes nothing from a pod.

use std::collections::BTreeSet;

use expect_test::expect;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Action, Clock, Duration,
    fake_api::{FakeApi, Fault},
    fixture::{self, Operator},
};

/// Rounds of runs and controllers that a rotation of the Redis, or one stage of keys, takes at most.
const ROUNDS: usize = 8;

#[tokio::test(start_paused = true)]
async fn a_wish_rotates_credentials_and_keys_step_by_step() {
    let api = api();
    settle(&api, 0).await;
    ask(&api, "2026-11-26");
    let mut steps = Vec::new();
    let later = 90_000;
    for now in (0..12).map(|_| 0).chain((0..8).map(|_| later)) {
        run(&api, now).await;
        let step = step(&api);
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        controllers(&api);
    }
    expect![[r"
        keys 1.2 mounted, sealing 1, 2; lines 1.2, gateway 1; secrets redis-1 redis-2 sealing-1 sealing-2
        keys 2.1 mounted, sealing 2, 1; lines 1.2, gateway 2; secrets redis-1 redis-2 sealing-1 sealing-2
        keys 2.1 mounted, sealing 2, 1; lines 2, gateway 2; secrets redis-1 redis-2 sealing-1 sealing-2
        keys 2.1 mounted, sealing 2, 1; lines 2, gateway 2; secrets redis-2 sealing-1 sealing-2
        keys 2 mounted, sealing 2; lines 2, gateway 2; secrets redis-2 sealing-1 sealing-2
        keys 2 mounted, sealing 2; lines 2, gateway 2; secrets redis-2 sealing-2"]]
    .assert_eq(&steps.join("\n"));
    // The same wish is no new one.
    fixture::converge(&operator(&api, later)).await;
    let status = &api.objects()["mcpservers/tools"]["status"];
    assert_eq!(status["lastHandledRotateAt"], "2026-11-26");
    assert_eq!(status["secrets"], json!({ "sealingKeys": [2], "redisCredentials": [2] }));
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_stood_before_the_server_was_made_is_no_wish_to_make_its_secrets_twice() {
    let api = api();
    ask(&api, "2026-11-26");
    settle(&api, 0).await;
    assert_eq!(secrets(&api), ["redis-1", "sealing-1"]);
    fixture::converge(&operator(&api, 0)).await;
    assert_eq!(api.objects()["mcpservers/tools"]["status"]["lastHandledRotateAt"], "2026-11-26");
}

#[tokio::test(start_paused = true)]
async fn an_interval_rotates_when_it_is_over_and_asks_to_be_woken() {
    let api = api();
    settle(&api, 0).await;
    api.edit("mcpservers/tools", |object| object["spec"]["redis"]["rotationIntervalDays"] = json!(2));
    for key in ["serviceaccounts/tools", "configmaps/tools-redis"] {
        api.edit(key, |object| object["metadata"]["creationTimestamp"] = json!("1970-01-01T00:00:00Z"));
    }
    let operator = operator(&api, 86_400);
    fixture::converge(&operator).await;
    assert_eq!(operator.run().await.unwrap(), Action::requeue(Duration::from_secs(86_400)));
    assert_eq!(secrets(&api), ["redis-1", "sealing-1"]);
    run(&api, 172_800).await;
    assert_eq!(secrets(&api), ["redis-1", "redis-2", "sealing-1", "sealing-2"]);
}

/// Source: operator.md, `crash-in-rotation`.
#[tokio::test(start_paused = true)]
async fn whichever_request_breaks_every_pod_keeps_what_it_mounts_and_the_rotation_ends() {
    for fault in [Fault::Rejected(500), Fault::AnswerLost] {
        for broken_round in 0..ROUNDS {
            // Until the round has no such request any more.
            let mut index = 0;
            while rotation_with(fault, broken_round, index).await {
                index += 1;
            }
        }
    }
}

/// Whether the request was there to be broken.
async fn rotation_with(fault: Fault, broken_round: usize, index: usize) -> bool {
    let api = api();
    settle(&api, 0).await;
    ask(&api, "now");
    let mut was_sent = false;
    for round in 0..=broken_round {
        api.take_requests();
        api.break_request(if round == broken_round { index } else { usize::MAX }, fault);
        operator(&api, 0).run().await.ok();
        nothing_in_use_is_gone(&api);
        was_sent = api.take_requests().len() > index;
        controllers(&api);
    }
    api.break_request(usize::MAX, fault);
    settle(&api, 0).await;
    settle(&api, 90_000).await;
    assert_eq!(secrets(&api), ["redis-2", "sealing-2"], "round {broken_round}, request {index}, {fault:?}");
    was_sent
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_learns_to_rotate_changes_nothing_of_what_was_made_before() {
    let api = fixture::api();
    fixture::converge(&Operator::new(&api)).await;
    let deployment = &api.objects()["deployments/tools"];
    for place in [deployment, &deployment["spec"]["template"], &api.objects()["serviceaccounts/tools"]] {
        let text = place["metadata"].to_string();
        assert!(!text.contains("sealing-keys"), "{text}");
    }
}

fn api() -> FakeApi {
    let api = fixture::api();
    api.count_generations();
    api.edit("mcpservers/tools", |object| object["spec"]["redis"] = json!({ "mode": "Managed" }));
    api
}

fn ask(api: &FakeApi, value: &str) {
    api.edit("mcpservers/tools", |object| object["metadata"]["annotations"]["mcpfoundry.dev/rotate-at"] = json!(value));
}

fn operator(api: &FakeApi, now: i64) -> Operator {
    Operator::with_clock(api, Clock::fixed(Timestamp::from_second(now).unwrap()))
}

async fn run(api: &FakeApi, now: i64) {
    operator(api, now).run().await.unwrap();
    nothing_in_use_is_gone(api);
}

/// Runs and controllers by turns, until there is nothing to do at this time.
async fn settle(api: &FakeApi, now: i64) {
    for _ in 0..2 * ROUNDS {
        let before = step_or_nothing(api);
        run(api, now).await;
        controllers(api);
        if step_or_nothing(api) == before && before.is_some() {
            return;
        }
    }
    panic!("it does not come to rest");
}

fn step_or_nothing(api: &FakeApi) -> Option<String> {
    api.objects().contains_key("deployments/tools").then(|| step(api))
}

/// What Kubernetes makes of the objects: both workloads have rolled, and there is one pod.
fn controllers(api: &FakeApi) {
    for (key, replicas) in [("statefulsets/tools-redis", 1), ("deployments/tools", 1)] {
        api.edit(key, |object| {
            object["status"] = json!({
                "observedGeneration": object["metadata"]["generation"], "replicas": replicas, "updatedReplicas": replicas,
                "readyReplicas": replicas, "availableReplicas": replicas,
            });
        });
    }
    let template = api.objects()["deployments/tools"]["spec"]["template"].clone();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "status": { "phase": "Running" },
        "metadata": { "name": "tools-1", "namespace": "demo", "uid": "tools-1", "labels": template["metadata"]["labels"] },
    });
    api.edit("pods/tools-1", |object| *object = pod);
}

/// What the pod mounts is there, and the Redis lets it in, also after a restart.
fn nothing_in_use_is_gone(api: &FakeApi) {
    let objects = api.objects();
    let Some(pod) = objects.get("pods/tools-1") else { return };
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        if let Some(secret) = volume["secret"]["secretName"].as_str() {
            assert!(objects.contains_key(&format!("secrets/{secret}")), "{secret} is gone, and a pod mounts it");
        }
    }
    let mounted = pod["metadata"]["labels"]["mcpfoundry.dev/redis-credentials"].as_str().unwrap();
    let lines = annotation(&objects["statefulsets/tools-redis"], "redis-credentials");
    assert!(lines.split('.').any(|line| line == mounted), "the Redis knows {lines}, and a pod is {mounted}");
}

/// Of the objects as they are wanted now.
fn step(api: &FakeApi) -> String {
    let objects = api.objects();
    let deployment = &objects["deployments/tools"];
    let (keys, gateway) = (annotation(deployment, "sealing-keys"), annotation(deployment, "redis-credentials"));
    let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let config = volumes.iter().find_map(|volume| volume["configMap"]["name"].as_str()).unwrap();
    let config = objects[&format!("configmaps/{config}")]["data"]["gateway-config.json"].as_str().unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    let files = config["sealingKeyFiles"].as_array().unwrap().iter();
    let sealing: Vec<&str> = files.map(|file| file.as_str().unwrap().split('/').nth(4).unwrap()).collect();
    let lines = annotation(&objects["statefulsets/tools-redis"], "redis-credentials");
    let secrets = secrets(api).join(" ");
    format!("keys {keys} mounted, sealing {}; lines {lines}, gateway {gateway}; secrets {secrets}", sealing.join(", "))
}

fn annotation(object: &Value, key: &str) -> String {
    object["metadata"]["annotations"][format!("mcpfoundry.dev/{key}")].as_str().unwrap_or_default().to_owned()
}

/// Purpose and revision of each Secret.
fn secrets(api: &FakeApi) -> Vec<String> {
    let objects = api.objects();
    let names = objects.keys().filter_map(|key| key.strip_prefix("secrets/tools-"));
    names.map(|name| name.trim_end_matches("-11111111").to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
}
