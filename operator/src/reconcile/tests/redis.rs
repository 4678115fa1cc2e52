//! A managed Redis over its life: made before the gateway mounts what opens it, and gone only when no pod needs it any more.

use expect_test::expect;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Action,
    fake_api::FakeApi,
    fixture::{self, Operator, without_revision},
};

const SECRET: &str = "secrets/tools-redis-1-11111111";

/// Requests of a create: thirteen children, two Secrets and a status.
const REQUESTS_OF_A_CREATE: usize = 16;

/// Requests of a change to no Redis: configuration, policy, key, Deployment, six deletes, and status; one more finds nothing to break.
const REQUESTS_OF_A_FAREWELL: usize = 14;

/// Kinds and names of a managed Redis.
const OBJECTS: [&str; 6] = [
    "configmaps/tools-redis",
    "networkpolicies/tools-redis",
    "poddisruptionbudgets/tools-redis",
    SECRET,
    "services/tools-redis",
    "statefulsets/tools-redis",
];

#[tokio::test(start_paused = true)]
async fn a_redis_is_closed_first_and_made_before_the_gateway_that_mounts_its_credentials() {
    let api = api();
    Operator::new(&api).run().await.unwrap();
    let requests = api.take_requests();
    assert_eq!(requests.len(), REQUESTS_OF_A_CREATE);
    expect![[r"
        PATCH configmaps/tools-config-REVISION mcp-operator force
        PATCH configmaps/tools-policy mcp-operator force
        PATCH serviceaccounts/tools mcp-operator force
        PATCH networkpolicies/tools-redis mcp-operator force
        PATCH networkpolicies/tools mcp-operator force
        PATCH configmaps/tools-redis mcp-operator force
        POST secrets mcp-operator
        PATCH services/tools-redis mcp-operator force
        PATCH poddisruptionbudgets/tools-redis mcp-operator force
        PATCH statefulsets/tools-redis mcp-operator force
        PATCH services/tools mcp-operator force
        PATCH poddisruptionbudgets/tools mcp-operator force
        PATCH ingresses/tools mcp-operator force
        POST secrets mcp-operator
        PATCH deployments/tools mcp-operator force
        PATCH mcpservers/tools/status mcp-operator-status force"]]
    .assert_eq(&without_revision(&requests));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_changes_nothing_sends_nothing() {
    let api = api();
    fixture::converge(&Operator::new(&api)).await;
}

/// Source: redis-and-degradation.md, `hashes-only`.
#[tokio::test(start_paused = true)]
async fn the_password_is_made_once_and_the_line_of_the_user_holds_its_hash() {
    let api = api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    let secret = api.objects()[SECRET].clone();
    let text = |key: &str| {
        let bytes: k8s_openapi::ByteString = serde_json::from_value(secret["data"][key].clone()).unwrap();
        String::from_utf8(bytes.0).unwrap()
    };
    let password = "07".repeat(32);
    assert_eq!((text("username").as_str(), text("password")), ("gateway-1", password.clone()));
    let line = text("user.acl");
    assert!(line.starts_with(&format!("user gateway-1 reset on #{:x} ", Sha256::digest(&password))), "{line}");
    assert!(!line.contains(&password));
    assert_eq!((&secret["immutable"], &secret["type"]), (&json!(true), &json!("mcpfoundry.dev/redis-credentials")));
    assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], crate::validate::tests::UID);
    for (key, object) in api.objects() {
        assert!(key == SECRET || !object.to_string().contains(&password), "{key} holds the password");
    }

    // A change of the Deployment asks for it again, and is told that it exists.
    api.edit("mcpservers/tools", |mcp_server| mcp_server["spec"]["replicas"] = json!(3));
    operator.sync();
    operator.run().await.unwrap();
    assert_eq!(api.objects()[SECRET], secret);
}

#[tokio::test(start_paused = true)]
async fn whichever_request_breaks_and_however_the_next_runs_end_in_the_same_objects() {
    fixture::whichever_request_breaks(api, REQUESTS_OF_A_CREATE).await;
}

/// Source: redis-and-degradation.md, `mode-switch`.
#[tokio::test(start_paused = true)]
async fn pods_of_before_keep_their_redis_until_they_are_gone() {
    let api = api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    add_pods(&api);
    set_redis(&api, &json!({ "mode": "External", "external": { "addresses": ["redis.example.com:6380"] } }));
    fixture::converge(&operator).await;
    assert_eq!(left(&api), OBJECTS);
    assert_eq!(outbound(&api), "6380,managed");

    set_redis(&api, &json!({}));
    fixture::converge(&operator).await;
    assert_eq!(left(&api), OBJECTS);
    assert_eq!(outbound(&api), "6380,managed");

    // The StatefulSet goes with the last pod that used it; what its own pod needs, with that one.
    api.remove("pods/tools-1");
    fixture::converge(&operator).await;
    assert_eq!(left(&api), OBJECTS[..5]);
    assert_eq!(outbound(&api), Value::Null);
    api.remove("pods/tools-redis-0");
    fixture::converge(&operator).await;
    assert_eq!(left(&api), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_wanted_goes_in_an_order_in_which_nothing_is_forgotten() {
    let api = api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    set_redis(&api, &json!({}));
    operator.sync();
    operator.run().await.unwrap();
    operator.sync();
    operator.run().await.unwrap();
    let of_the_redis = |request: &String| request.starts_with("DELETE") && request.contains("tools-redis");
    let deletes: Vec<String> = api.take_requests().into_iter().filter(of_the_redis).collect();
    expect![[r"
        DELETE statefulsets/tools-redis
        DELETE services/tools-redis
        DELETE poddisruptionbudgets/tools-redis
        DELETE networkpolicies/tools-redis
        DELETE secrets/tools-redis-1-11111111
        DELETE configmaps/tools-redis"]]
    .assert_eq(&deletes.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn whichever_request_of_a_farewell_breaks_nothing_of_the_redis_is_left() {
    let expected = {
        let api = api();
        set_redis(&api, &json!({}));
        fixture::converge(&Operator::new(&api)).await;
        api
    };
    for index in 0..REQUESTS_OF_A_FAREWELL {
        for fault in fixture::FAULTS {
            let api = api();
            fixture::converge(&Operator::new(&api)).await;
            set_redis(&api, &json!({}));
            api.break_request(index, fault);
            for _ in 0..4 {
                Operator::new(&api).run().await.ok();
            }
            api.break_request(usize::MAX, fault);
            fixture::converge(&Operator::new(&api)).await;
            assert_eq!(left(&api), Vec::<&str>::new(), "request {index} {fault:?}");
            let differences = fixture::differences(&api, &expected);
            // The configuration of before stays while a ReplicaSet may name it; here none does.
            assert!(differences.is_empty(), "request {index} {fault:?}: {differences:?}");
        }
    }
}

/// Else every run would be refused: Kubernetes does not change the volume of a StatefulSet.
#[tokio::test(start_paused = true)]
async fn a_stateful_set_of_a_time_before_is_made_anew_when_its_volume_is_another() {
    let api = api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.edit("statefulsets/tools-redis", |stateful_set| stateful_set["metadata"]["uid"] = json!("of-before"));
    set_redis(&api, &json!({ "mode": "Managed", "managed": { "storage": { "size": "1Gi" } } }));
    fixture::converge(&operator).await;
    let stateful_set = &api.objects()["statefulsets/tools-redis"];
    assert_ne!(stateful_set["metadata"]["uid"], "of-before");
    assert_eq!(stateful_set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"], "1Gi");
}

#[tokio::test(start_paused = true)]
async fn deleted_credentials_are_made_again_when_a_pod_has_waited_for_them_too_long() {
    for pod in ["tools-1", "tools-redis-0"] {
        let api = api();
        let operator = Operator::new(&api);
        fixture::converge(&operator).await;
        add_pods(&api);
        api.remove(SECRET);
        let waits = |since: &str| {
            json!({ "phase": "Pending", "conditions": [{
                "type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": since,
            }] })
        };
        api.edit(&format!("pods/{pod}"), |pod| pod["status"] = waits("1969-12-31T23:59:30Z"));
        operator.sync();
        assert_eq!(operator.run().await.unwrap(), Action::requeue(crate::observed::VOLUMES_PATIENCE), "{pod}");
        assert!(!api.objects().contains_key(SECRET));

        api.edit(&format!("pods/{pod}"), |pod| pod["status"] = waits("1969-12-31T23:58:30Z"));
        operator.sync();
        operator.run().await.unwrap();
        assert!(api.objects().contains_key(SECRET), "{pod}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_of_the_redis_comes_back_and_a_foreign_one_is_never_touched() {
    let api = api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    for key in OBJECTS.into_iter().filter(|key| *key != SECRET) {
        api.remove(key);
        operator.sync();
        operator.run().await.unwrap();
        assert!(api.objects().contains_key(key), "{key}");
    }

    let api = self::api();
    let foreign = json!({ "metadata": { "name": "tools-redis", "namespace": "demo", "uid": "theirs" } });
    api.edit("statefulsets/tools-redis", |object| *object = foreign);
    let before = api.objects()["statefulsets/tools-redis"].clone();
    assert_eq!(Operator::new(&api).run().await.unwrap_err().reason(), "NameConflict");
    assert_eq!(api.objects()["statefulsets/tools-redis"], before);
    assert!(!api.objects().contains_key("deployments/tools"));
}

fn api() -> FakeApi {
    let api = fixture::api();
    set_redis(&api, &json!({ "mode": "Managed" }));
    api
}

fn set_redis(api: &FakeApi, redis: &Value) {
    api.edit("mcpservers/tools", |mcp_server| mcp_server["spec"]["redis"] = redis.clone());
}

/// A gateway pod of the configuration that stands, and the pod of the Redis.
fn add_pods(api: &FakeApi) {
    let template = api.objects()["deployments/tools"]["spec"]["template"]["metadata"]["labels"].clone();
    let redis = api.objects()["statefulsets/tools-redis"]["spec"]["template"]["metadata"]["labels"].clone();
    for (name, labels) in [("tools-1", template), ("tools-redis-0", redis)] {
        let metadata = json!({ "name": name, "namespace": "demo", "uid": name, "labels": labels });
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": { "phase": "Running" } });
        api.edit(&format!("pods/{name}"), |object| *object = pod);
    }
}

/// Which objects of the Redis there are.
fn left(api: &FakeApi) -> Vec<&'static str> {
    let objects = api.objects();
    OBJECTS.into_iter().filter(|key| objects.contains_key(*key)).collect()
}

fn outbound(api: &FakeApi) -> Value {
    api.objects()["networkpolicies/tools"]["metadata"]["annotations"]["mcpfoundry.dev/redis-outbound"].clone()
}
