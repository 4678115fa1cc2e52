//! Whole runs against an API in memory: the order of calls, what a run that changes nothing costs, and
//! that a run which breaks anywhere ends in the same objects.

mod fake_api;
mod fixture;

use expect_test::expect;
use serde_json::json;

use super::*;
use fake_api::{FakeApi, Fault};
use fixture::Operator;

/// Requests of a create: seven children and a status.
const REQUESTS_OF_A_CREATE: usize = 8;

#[tokio::test(start_paused = true)]
async fn a_create_sends_each_child_once_in_order_and_one_status_and_reads_nothing() {
    let api = fixture::api();
    Operator::new(&api).run().await.unwrap();
    expect![[r"
        PATCH serviceaccounts/tools mcp-operator force
        PATCH configmaps/tools-config-REVISION mcp-operator force
        PATCH configmaps/tools-policy mcp-operator force
        PATCH networkpolicies/tools mcp-operator force
        PATCH services/tools mcp-operator force
        PATCH ingresses/tools mcp-operator force
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
    let reference = fixture::api();
    let operator = Operator::new(&reference);
    fixture::converge(&operator).await;

    for index in 0..REQUESTS_OF_A_CREATE {
        for fault in [Fault::Rejected(500), Fault::Rejected(403), Fault::Rejected(409), Fault::AnswerLost] {
            for restarts in [false, true] {
                let api = fixture::api();
                api.break_request(index, fault);
                let mut operator = Operator::new(&api);
                operator.run().await.ok();
                if restarts {
                    operator = Operator::new(&api);
                }
                fixture::converge(&operator).await;
                let differences = fixture::differences(&api, &reference);
                assert!(differences.is_empty(), "request {index} {fault:?}, restarted {restarts}: {differences:?}");
            }
        }
    }
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
    Error::Apply(crate::apply::ApplyError::Call {
        verb: "apply",
        kind: crate::observed::ChildKind::Service,
        name: "tools".to_owned(),
        source,
    })
}

fn children(requests: &[String]) -> Vec<&str> {
    requests.iter().filter(|request| !request.contains("/status")).map(String::as_str).collect()
}
