//! What a whole gateway says of its Redis: report, probes, public health, tool and metrics, while it comes and goes.

use crds::gateway_config::{RedisConfig, RedisTopology};
use serde_json::{Value, json};
use tests::issuer::Fault;
use tests::redis::{RedisServer, RedisSetup};

use super::running::PREFIX;
use crate::support::client::PUBLIC_URL;
use crate::support::in_process::spawn_gateway_without_waiting;
use crate::support::{Era, GatewayOptions, SpawnedGateway, eventually, spawn_gateway};

fn with_redis(redis: &RedisServer, required: bool) -> GatewayOptions {
    let mut options = GatewayOptions::default();
    options.config.redis = Some(RedisConfig {
        topology: RedisTopology::Standalone,
        addresses: vec![redis.address()],
        master_name: None,
        key_prefix: PREFIX.to_owned(),
        credentials: None,
        tls: None,
        required,
    });
    options
}

pub(super) async fn reported(gateway: &SpawnedGateway) -> Value {
    gateway.client.admin("/report").await.json()["redis"].clone()
}

async fn until_reported(gateway: &SpawnedGateway, state: &str) -> Value {
    eventually(state, async || {
        let reported = reported(gateway).await;
        (reported["state"] == state).then_some(reported)
    })
    .await
}

pub(super) async fn checks(gateway: &SpawnedGateway) -> (Value, Value) {
    let token = gateway.issuer.token(&[], PUBLIC_URL);
    let answer = gateway.client.call(Era::Modern, "health_check", json!({}), &token).await;
    let content = answer.result()["structuredContent"].clone();
    (content["status"].clone(), content["checks"].clone())
}

pub(super) async fn statuses(gateway: &SpawnedGateway) -> [u16; 3] {
    let client = &gateway.client;
    let [live, ready] =
        [client.admin("/livez").await, client.admin("/readyz").await].map(|answer| answer.status.as_u16());
    [live, ready, client.get("/health", None).await.status.as_u16()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_redis_nothing_is_said_of_one() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    assert_eq!(reported(&gateway).await, Value::Null);
    assert_eq!(checks(&gateway).await.1["redis"], Value::Null);
    assert!(!gateway.client.admin("/metrics").await.text().contains("redis"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_waits_for_the_first_contact_and_is_never_made_unready_by_a_loss() {
    let mut redis = RedisServer::start(RedisSetup::default()).unwrap();
    redis.kill();
    let gateway = spawn_gateway_without_waiting(with_redis(&redis, true), Fault::None).await;
    let report = until_reported(&gateway, "Failing").await;
    assert_eq!(report["connectedOnce"], false);
    eventually("only the store is waited for", async || {
        let answer = gateway.client.admin("/readyz").await;
        (answer.text() == "not ready: the shared store has not been reached yet\n").then_some(())
    })
    .await;

    redis.start_again().unwrap();
    gateway.until_ready().await;
    assert_eq!(until_reported(&gateway, "Ready").await, json!({ "state": "Ready", "connectedOnce": true }));
    assert_eq!(gateway.client.get("/health", None).await.json()["status"], "healthy");
    let (_, before) = checks(&gateway).await;
    assert_eq!(before["redis"], json!({ "status": "passing" }));

    redis.kill();
    let report = until_reported(&gateway, "Failing").await;
    assert_eq!(report["connectedOnce"], true);
    let sentence = report["lastError"].as_str().unwrap();
    assert!(!sentence.contains("localhost") && !sentence.contains(&redis.port().to_string()), "{sentence}");
    assert_eq!(statuses(&gateway).await, [200, 200, 200]);
    assert_eq!(gateway.client.get("/health", None).await.json()["status"], "degraded");
    let (status, after) = checks(&gateway).await;
    assert_eq!(status, "failing");
    assert_eq!(after["redis"], json!({ "status": "failing", "reason": "the shared store cannot be used" }));
    assert_eq!(after["auth"], before["auth"]);
    let token = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    for era in Era::BOTH {
        gateway.client.call(era, "ping", json!({}), &token).await.result();
    }

    redis.start_again().unwrap();
    until_reported(&gateway, "Ready").await;
    assert_eq!(gateway.client.get("/health", None).await.json()["status"], "healthy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_not_required_keeps_no_pod_from_serving() {
    let mut redis = RedisServer::start(RedisSetup::default()).unwrap();
    redis.kill();
    let gateway = spawn_gateway(with_redis(&redis, false)).await;
    until_reported(&gateway, "Failing").await;
    assert_eq!(statuses(&gateway).await, [200, 200, 200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_begin_with_zeros_and_count_what_happens() {
    let mut redis = RedisServer::start(RedisSetup::default()).unwrap();
    let gateway = spawn_gateway(with_redis(&redis, true)).await;
    let count = async |name: &str, labels: &[&str]| gateway.client.counted(name, labels).await;
    let breaker = "mcp_server_redis_breaker";
    assert_eq!(count(breaker, &["state=\"closed\""]).await, 1);
    assert_eq!(count(breaker, &["state=\"open\""]).await, 0);
    let durations = "mcp_server_redis_operation_duration_seconds_count";
    assert_eq!(count(durations, &["operation=\"claim\""]).await, 0);
    let failures = "mcp_server_redis_failures_total";
    assert_eq!(count(failures, &["reason=\"unreachable\""]).await, 0);
    assert_eq!(count("mcp_server_redis_connections_total", &[]).await, 1);
    eventually("it is probed", async || (count(durations, &["operation=\"probe\""]).await > 0).then_some(())).await;
    redis.kill();
    eventually("it is missed", async || (count(failures, &["reason=\"unreachable\""]).await > 0).then_some(())).await;
}
