//! Whole runs against an API in memory: the order of calls, what a run that changes nothing costs, and
//! that a run which breaks anywhere ends in the same objects.

mod fake_api;
mod fixture;
mod redis;
mod rotation;

use expect_test::expect;
use serde_json::json;

use super::*;
use fake_api::{FakeApi, Fault};
use fixture::Operator;

/// Requests of a create: eight children, a Secret and a status.
const REQUESTS_OF_A_CREATE: usize = 10;

#[tokio::test(start_paused = true)]
async fn a_create_sends_each_child_once_in_order_and_one_status_and_reads_nothing() {
    let api = fixture::api();
    Operator::new(&api).run().await.unwrap();
    expect![[r"
        PATCH configmaps/tools-config-REVISION mcp-operator force
        PATCH configmaps/tools-policy mcp-operator force
        PATCH serviceaccounts/tools mcp-operator force
        PATCH networkpolicies/tools mcp-operator force
        PATCH services/tools mcp-operator force
        PATCH poddisruptionbudgets/tools mcp-operator force
        PATCH ingresses/tools mcp-operator force
        POST secrets mcp-operator
        PATCH deployments/tools mcp-operator force
        PATCH mcpservers/tools/status mcp-operator-status force"]]
    .assert_eq(&fixture::without_revision(&api.take_requests()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_changes_nothing_sends_nothing() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    operator.run().await.unwrap();
    operator.sync();
    operator.run().await.unwrap();
    api.take_requests();

    operator.sync();
    operator.run().await.unwrap();
    assert_eq!(api.take_requests(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_sealing_key_is_made_once_and_never_asked_for() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    let secret = api.objects()[fixture::SECRET].clone();
    let key = k8s_openapi::ByteString([7; 32].to_vec());
    assert_eq!(secret["data"], json!({ "key": key }));
    assert_eq!((&secret["immutable"], &secret["type"]), (&json!(true), &json!("mcpfoundry.dev/sealing-key")));
    assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], crate::validate::tests::UID);

    // A change of the Deployment asks for it again, and is told that it exists.
    api.edit("mcpservers/tools", |mcp_server| mcp_server["spec"]["replicas"] = json!(3));
    operator.sync();
    operator.run().await.unwrap();
    let requests = api.take_requests();
    let expected = [
        "PATCH configmaps/tools-policy mcp-operator force",
        "POST secrets mcp-operator",
        "PATCH deployments/tools mcp-operator force",
    ];
    assert_eq!(children(&requests), expected);
    assert_eq!(api.objects()[fixture::SECRET], secret);
}

/// Whoever deletes it learns: new pods wait for the volume, and the operator makes a new key.
#[tokio::test(start_paused = true)]
async fn a_deleted_sealing_key_is_made_again_when_pods_have_waited_for_it_too_long() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.remove(fixture::SECRET);
    let waiting_since = |time: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "tools-1", "namespace": "demo", "uid": "p1",
                "labels": {
                    "mcpfoundry.dev/mcp-server": "tools", "app.kubernetes.io/name": "mcp-server",
                    "app.kubernetes.io/instance": "tools",
                },
            },
            "status": { "phase": "Pending", "conditions": [{
                "type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": time,
            }] },
        })
    };
    api.edit("pods/tools-1", |pod| *pod = waiting_since("1969-12-31T23:59:30Z"));
    operator.sync();
    assert_eq!(operator.run().await.unwrap(), Action::requeue(crate::observed::VOLUMES_PATIENCE));
    assert!(!api.objects().contains_key(fixture::SECRET));

    api.edit("pods/tools-1", |pod| *pod = waiting_since("1969-12-31T23:58:30Z"));
    operator.sync();
    operator.run().await.unwrap();
    assert!(api.objects().contains_key(fixture::SECRET));
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_converged_objects_sends_no_child() {
    let api = fixture::api();
    Operator::new(&api).run().await.unwrap();
    api.take_requests();

    let restarted = Operator::new(&api);
    restarted.run().await.unwrap();
    assert_eq!(children(&api.take_requests()), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_lags_behind_our_own_writes_causes_no_second_write() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    operator.run().await.unwrap();
    api.take_requests();

    operator.run().await.unwrap();
    assert_eq!(children(&api.take_requests()), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn whichever_request_breaks_and_however_the_next_runs_end_in_the_same_objects() {
    fixture::whichever_request_breaks(fixture::api, REQUESTS_OF_A_CREATE).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_that_no_cache_shows_is_never_written_to() {
    let api = fixture::api();
    let foreign =
        json!({ "metadata": { "name": "tools", "namespace": "demo", "uid": "theirs", "resourceVersion": "7" } });
    api.edit("serviceaccounts/tools", |object| *object = foreign.clone());
    let before = api.objects()["serviceaccounts/tools"].clone();

    let error = Operator::new(&api).run().await.unwrap_err();
    assert_eq!(error.reason(), "NameConflict");
    assert!(error.is_permanent());
    assert_eq!(api.objects()["serviceaccounts/tools"], before);
    assert!(!api.objects().contains_key("deployments/tools"));
    let conditions = api.objects()["mcpservers/tools"]["status"]["conditions"].to_string();
    assert!(conditions.contains("`tools` exists and belongs to somebody else"), "{conditions}");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_somebody_took_is_forced_back_and_only_that_object_is_sent() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.edit("services/tools", |service| {
        service["spec"]["type"] = "NodePort".into();
        service["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].as_object_mut().unwrap().remove("f:type");
    });
    operator.sync();
    operator.run().await.unwrap();
    assert_eq!(api.take_requests(), ["PATCH services/tools mcp-operator force"]);
    assert_eq!(api.objects()["services/tools"]["spec"]["type"], "ClusterIP");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_child_comes_back() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    for key in ["configmaps/tools-policy", "services/tools", "deployments/tools"] {
        api.remove(key);
        operator.sync();
        operator.run().await.unwrap();
        assert!(api.objects().contains_key(key), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ingress_that_is_not_asked_for_any_more_is_deleted() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.edit("mcpservers/tools", |mcp_server| mcp_server["spec"]["expose"] = json!(null));
    operator.sync();
    operator.run().await.unwrap();
    assert!(api.take_requests().contains(&"DELETE ingresses/tools".to_owned()));
    assert!(!api.objects().contains_key("ingresses/tools"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_without_the_lease() {
    let api = fixture::api();
    let error = Operator::without_lease(&api).run().await.unwrap_err();
    assert_eq!(error.reason(), "NotLeader");
    assert_eq!(api.take_requests(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_being_deleted_is_left_alone() {
    let api = fixture::api();
    api.edit("mcpservers/tools", |mcp_server| {
        mcp_server["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z".into();
    });
    Operator::new(&api).run().await.unwrap();
    assert_eq!(api.take_requests(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one_objects_problem_and_counted() {
    let api = fixture::api();
    let operator = Operator::with_clock(&api, Clock::broken());
    let error = operator.run().await.unwrap_err();
    assert!(matches!(error, Error::Panicked));
    assert!(operator.metrics().contains("mcp_operator_panics_total 1"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_in_a_condition_and_an_event_and_the_next_run_mends_it() {
    let api = fixture::api();
    fixture::converge(&Operator::new(&api)).await;
    let operator = Operator::with_clock(&api, Clock::broken_once(jiff::Timestamp::UNIX_EPOCH));
    let error = operator.run().await.unwrap_err();
    assert!(matches!(error, Error::Panicked));
    assert_eq!(api.take_requests(), ["PATCH mcpservers/tools/status mcp-operator-status force", "POST events"]);
    assert_eq!(
        fixture::condition(&api, "Ready"),
        "False InternalError reconcile: a defect of the operator ended the run; tell us, with the operator's log; it tries again"
    );
    assert!(fixture::condition(&api, "WorkloadAvailable").starts_with("False Progressing"));
    assert!(fixture::condition(&api, "Reconciling").starts_with("True InternalError"));

    operator.sync();
    operator.run().await.unwrap();
    assert!(fixture::condition(&api, "Ready").starts_with("False Progressing"));
}

#[tokio::test(start_paused = true)]
async fn the_same_panic_again_costs_no_write() {
    let api = fixture::api();
    for requests in [2, 0] {
        let operator = Operator::with_clock(&api, Clock::broken_once(jiff::Timestamp::UNIX_EPOCH));
        operator.run().await.unwrap_err();
        assert_eq!(api.take_requests().len(), requests);
    }
}

/// Source: operator.md, P23.
#[tokio::test(start_paused = true)]
async fn a_run_that_hangs_ends_in_a_condition_within_two_minutes() {
    let api = fixture::api();
    fixture::converge(&Operator::new(&api)).await;
    // Every child is there and unknown, so each costs two requests, and each of them nearly its deadline.
    let operator = Operator::blind(&api);
    api.delay_answers(Duration::from_millis(9_900));
    let start = Instant::now();
    let error = operator.run().await.unwrap_err();
    assert!(matches!(error, Error::Deadline));
    assert!(start.elapsed() <= Duration::from_secs(120));
    assert_eq!(
        fixture::condition(&api, "Ready"),
        "False DeadlineExceeded reconcile: the run took longer than 110 s; check that the Kubernetes API answers in time, the operator tries again"
    );
}

/// Source: operator.md, `namespace-deletion`.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_any_more_once_the_namespace_is_going() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.remove("services/tools");
    api.break_request(0, Fault::NamespaceTerminating);
    operator.sync();
    assert!(matches!(operator.run().await.unwrap_err(), Error::NamespaceTerminating));
    assert_eq!(api.take_requests(), ["PATCH services/tools mcp-operator force"]);

    api.remove("deployments/tools");
    api.remove("configmaps/tools-policy");
    operator.sync();
    assert_eq!(operator.run().await.unwrap(), Action::await_change());
    assert_eq!(api.take_requests(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_made_because_the_namespace_is_going_are_no_news() {
    let api = fixture::api();
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.edit("deployments/tools", |deployment| {
        deployment["status"] = json!({ "conditions": [{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods \"tools-1\" is forbidden: unable to create new content in namespace demo because it is being terminated",
        }] });
    });
    operator.sync();
    assert_eq!(operator.run().await.unwrap(), Action::await_change());
    assert_eq!(api.take_requests(), Vec::<String>::new());
}

/// A restart forgets what pods said, and the pods of a spec that is held are not asked again.
#[tokio::test(start_paused = true)]
async fn a_rejected_spec_keeps_what_status_had_over_a_restart() {
    let api = fixture::api();
    fixture::converge(&Operator::new(&api)).await;
    api.edit("mcpservers/tools", |mcp_server| {
        mcp_server["status"]["eras"] = json!("2026-07-28");
        mcp_server["status"]["tools"] = json!({ "count": 3, "digest": "d" });
        mcp_server["status"]["upstreams"] = json!([{ "name": "search", "ready": true, "tools": 2 }]);
        mcp_server["spec"]["auth"]["issuers"][0]["caConfigMapRef"] = json!({ "name": "gone" });
    });
    api.edit("pods/tools-1", |pod| {
        *pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "tools-1", "namespace": "demo", "uid": "p1",
                "labels": {
                    "mcpfoundry.dev/mcp-server": "tools", "app.kubernetes.io/name": "mcp-server",
                    "app.kubernetes.io/instance": "tools",
                },
            },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
    });
    Operator::new(&api).run().await.unwrap();
    let status = &api.objects()["mcpservers/tools"]["status"];
    assert!(fixture::condition(&api, "Ready").starts_with("False MissingConfigMap"));
    assert_eq!((&status["eras"], &status["tools"]["count"]), (&json!("2026-07-28"), &json!(3)));
    assert_eq!(status["upstreams"][0]["name"], "search");
}

/// The keys of the API server: asked for once, written once, and looked for again in an hour.
#[tokio::test(start_paused = true)]
async fn service_account_tokens_cost_two_reads_and_one_more_child() {
    let api = api_for_service_accounts(fake_api::ISSUER);
    let operator = Operator::new(&api);
    operator.run().await.unwrap();
    let requests = api.take_requests();
    assert_eq!(requests[..2], ["GET /.well-known/openid-configuration", "GET /openid/v1/jwks"]);
    assert!(requests.contains(&"PATCH configmaps/tools-service-account-keys mcp-operator force".to_owned()));
    let file = &api.objects()["configmaps/tools-service-account-keys"]["data"]["keys.json"];
    let file: serde_json::Value = serde_json::from_str(file.as_str().unwrap()).unwrap();
    assert_eq!(file, json!({ "fetchedAt": 0, "jwks": { "keys": [{ "kid": "a" }] } }));

    fixture::converge(&operator).await;
    operator.sync();
    let action = format!("{:?}", operator.run().await.unwrap());
    assert_ne!(action, format!("{:?}", Action::await_change()));
    tokio::time::advance(crate::service_account_issuer::RENEWAL_INTERVAL * 2).await;
    operator.sync();
    operator.run().await.unwrap();
    assert_eq!(api.take_requests(), ["GET /.well-known/openid-configuration", "GET /openid/v1/jwks"]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_can_have_hold_what_runs_and_are_asked_for_again() {
    let api = api_for_service_accounts(fake_api::ISSUER);
    // Read again within the run, unless it is refused.
    api.break_request(0, Fault::Rejected(403));
    let operator = Operator::new(&api);
    assert_ne!(operator.run().await.unwrap(), Action::await_change());
    assert_eq!(
        fixture::condition(&api, "Ready"),
        "False AccessDenied spec.auth.issuers[0].preset: the API server does not show its keys to the operator; bind the ClusterRole system:service-account-issuer-discovery to the operator's ServiceAccount"
    );
    assert!(!api.objects().contains_key("deployments/tools"));

    tokio::time::advance(crate::backoff::PERMANENT * 2).await;
    operator.sync();
    operator.run().await.unwrap();
    assert!(api.objects().contains_key("deployments/tools"));
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_not_wanted_any_more_are_deleted() {
    let api = api_for_service_accounts(fake_api::ISSUER);
    let operator = Operator::new(&api);
    fixture::converge(&operator).await;
    api.edit("mcpservers/tools", |mcp_server| {
        mcp_server["spec"]["auth"]["issuers"] = json!([{ "issuer": "https://login" }]);
    });
    operator.sync();
    operator.run().await.unwrap();
    assert!(!api.objects().contains_key("configmaps/tools-service-account-keys"));
}

fn api_for_service_accounts(issuer: &str) -> FakeApi {
    let api = fixture::api();
    api.edit("mcpservers/tools", |mcp_server| {
        mcp_server["spec"]["auth"]["issuers"] =
            json!([{ "issuer": issuer, "preset": "kubernetes", "scopeMappings": [] }]);
    });
    api
}

#[test]
fn what_only_a_person_can_change_is_told_from_what_passes() {
    for (code, reason, permanent) in [
        (500, "ApiUnavailable", false),
        (409, "WriteConflict", false),
        (403, "AccessDenied", true),
        (422, "ApiRejected", true),
    ] {
        let error = apply_error(code);
        assert_eq!((error.reason(), error.is_permanent()), (reason, permanent));
    }
}

fn apply_error(code: u16) -> Error {
    let status = kube::core::Status::failure("because", "Because").with_code(code);
    let source = kube::Error::Api(status.boxed()).into();
    Error::Apply(crate::apply::ApplyError::Call { verb: "apply", kind: "Service", name: "tools".to_owned(), source })
}

fn children(requests: &[String]) -> Vec<&str> {
    requests.iter().filter(|request| !request.contains("/status")).map(String::as_str).collect()
}
