//! Who is deleted, and who never is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use serde_json::json;

use super::*;
use crate::{
    entropy::Entropy,
    leader::Fence,
    observed::{ObservedDeployment, ObservedPod},
    requests::Requests,
    written::Written,
};

#[tokio::test]
async fn a_former_configuration_goes_once_no_replica_set_names_it() {
    let observed = world(&[("tools-config-old", "us", "tools"), ("tools-config-new", "us", "tools")], true);
    assert_eq!(doomed_names(&observed, &["tools-config-new"], &["old"]), Vec::<String>::new());
    assert_eq!(doomed_names(&observed, &["tools-config-new"], &[]), ["tools-config-old"]);
}

#[tokio::test]
async fn nothing_goes_while_the_deployment_has_not_been_acted_on() {
    let observed = world(&[("tools-config-old", "us", "tools")], false);
    assert_eq!(doomed_names(&observed, &[], &[]), Vec::<String>::new());
}

#[tokio::test]
async fn what_another_owns_or_is_labelled_for_another_stays() {
    let observed = world(&[("a", "them", "tools"), ("b", "us", "other"), ("c", "us", "tools")], true);
    assert_eq!(doomed_names(&observed, &[], &[]), ["c"]);
}

/// A pod that was rolled out with them must not lose them before it goes.
#[tokio::test]
async fn keys_of_the_api_server_go_with_the_last_pod_that_mounts_them() {
    let mut observed =
        world(&[("tools-config-new", "us", "tools"), ("tools-service-account-keys", "us", "tools")], true);
    let wanted = ["tools-config-new", "tools-service-account-keys"];
    assert_eq!(doomed_names(&observed, &wanted, &[]), Vec::<String>::new());

    let pod = |revision: &str| ObservedPod { config_revision: Some(revision.to_owned()), ..ObservedPod::default() };
    observed.pods = vec![pod("new"), ObservedPod { deleting: true, ..pod("old") }];
    assert_eq!(doomed_names(&observed, &wanted[..1], &["old"]), Vec::<String>::new());
    observed.pods.pop();
    assert_eq!(doomed_names(&observed, &wanted[..1], &["old"]), ["tools-service-account-keys"]);
}

fn doomed_names(observed: &Observed, wanted: &[&str], in_use: &[&str]) -> Vec<String> {
    let (service, _) =
        tower_test::mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
    let requests = Requests::new(Client::new(service, "demo"), Fence::default());
    let written = Written::default();
    let entropy = Entropy::fixed(0);
    let writer = Writer {
        requests: &requests,
        written: &written,
        entropy: &entropy,
        owner_uid: "us",
        name: "tools",
        namespace: "demo",
    };
    let wanted = wanted.iter().map(|name| (ChildKind::ConfigMap, *name)).collect();
    let in_use = in_use.iter().map(|revision| (*revision).to_owned()).collect();
    doomed(&writer, observed, &wanted, &in_use).iter().map(|child| child.name().to_owned()).collect()
}

fn world(config_maps: &[(&str, &str, &str)], rolled: bool) -> Observed {
    let child = |(name, owner, label): &(&str, &str, &str)| {
        let metadata: ObjectMeta = serde_json::from_value(json!({
            "name": name,
            "labels": { "mcpfoundry.dev/mcp-server": label },
            "ownerReferences": [{ "apiVersion": "x", "kind": "McpServer", "name": "tools", "uid": owner, "controller": true }],
        }))
        .unwrap();
        ObservedChild { kind: ChildKind::ConfigMap, metadata }
    };
    let deployment =
        ObservedDeployment { generation: 2, observed_generation: 1 + i64::from(rolled), ..Default::default() };
    Observed { children: config_maps.iter().map(child).collect(), deployment: Some(deployment), ..Observed::default() }
}
