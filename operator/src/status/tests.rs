//! Each row of status: a world, and what is said of it.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its literals with hashes")]

mod kstatus;
mod redis;
mod world;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::observed::HopError;
use crds::gateway_report::KeySetState;
use kube::ResourceExt as _;
use world::{World, at};

#[test]
fn ready_means_that_every_pod_was_asked() {
    check(
        &World::settled(),
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=2/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=True Verified 2 of 2 pods serve https://mcp.example.com/mcp, and each was asked
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True Available 2 of 2 pods of this revision are available
            AuthReady=True KeysLoaded every pod has the keys of every issuer, and refuses a request without a token as it should
            PolicyInForce=True InForce policy be16fbbd8c of this spec is enforced by 2 of 2 pods that serve
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=False AsExpected nothing is under way
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn a_new_object_is_not_ready() {
    check(
        &World::just_applied(),
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=0/2 tools=- eras=-
            Ready=False Progressing the objects of this spec are written, and not seen yet
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=False Progressing the objects of this spec are written, and not seen yet
            AuthReady=Unknown Progressing not every pod of this revision has answered yet
            PolicyInForce=Unknown Progressing no pod serves yet
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=True Progressing the objects of this spec are written, and not seen yet
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn a_deployment_that_speaks_of_the_spec_before_is_no_evidence() {
    let mut old_hash = World::settled();
    old_hash.forget_child("Deployment");
    check_ready(&old_hash, "False", "Progressing");
    let mut unobserved = World::settled();
    unobserved.deployment().generation += 1;
    check_ready(&unobserved, "False", "Progressing");
}

/// Source: operator.md, P5.
#[test]
fn a_missing_child_of_any_kind_is_not_ready() {
    for kind in
        ["ServiceAccount", "ConfigMap", "NetworkPolicy", "Service", "PodDisruptionBudget", "Deployment", "Ingress"]
    {
        let mut world = World::settled();
        world.forget_child(kind);
        check_ready(&world, "False", "Progressing");
    }
}

#[test]
fn a_pod_that_nobody_asked_holds_ready() {
    let mut world = World::settled();
    world.pod(1).verification = None;
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=1/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve, and which by 1 is not known; not every pod of this revision has answered yet
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True Available 2 of 2 pods of this revision are available
            AuthReady=Unknown Progressing not every pod of this revision has answered yet
            PolicyInForce=Unknown Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve, and which by 1 is not known; not every pod of this revision has answered yet
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=True Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve, and which by 1 is not known; not every pod of this revision has answered yet
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn a_lost_pod_is_counted() {
    let mut world = World::settled();
    world.deployment().available_replicas = 1;
    world.pod(1).ready = false;
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=1/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False Progressing 1 of 2 pods of this revision are available; the others are on their way
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=False Progressing 1 of 2 pods of this revision are available; the others are on their way
            AuthReady=True KeysLoaded every pod has the keys of every issuer, and refuses a request without a token as it should
            PolicyInForce=True InForce policy be16fbbd8c of this spec is enforced by 1 of 1 pods that serve
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=True Progressing 1 of 2 pods of this revision are available; the others are on their way
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn an_image_that_cannot_be_pulled_is_named() {
    let mut world = World::starting();
    world.pod(0).waiting_reason = Some("ErrImagePull".to_owned());
    world.pod(1).waiting_reason = Some("ImagePullBackOff".to_owned());
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=0/2 tools=- eras=-
            Ready=False ImagePullFailed 2 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=False ImagePullFailed 2 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
            AuthReady=Unknown Progressing not every pod of this revision has answered yet
            PolicyInForce=Unknown Progressing no pod serves yet
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=True ImagePullFailed 2 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn a_rollout_that_stands_still_waits_for_a_person() {
    let mut world = World::starting();
    world.deployment_condition("Progressing", false, "ProgressDeadlineExceeded", "");
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=0/2 tools=- eras=-
            Ready=False ProgressDeadlineExceeded the rollout stands still; look at the pods' events: kubectl describe pods -l app.kubernetes.io/instance=tools,app.kubernetes.io/name=mcp-server
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=False ProgressDeadlineExceeded the rollout stands still; look at the pods' events: kubectl describe pods -l app.kubernetes.io/instance=tools,app.kubernetes.io/name=mcp-server
            AuthReady=Unknown Progressing not every pod of this revision has answered yet
            PolicyInForce=Unknown Progressing no pod serves yet
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=False AsExpected nothing is under way
            Stalled=True ProgressDeadlineExceeded the rollout stands still; look at the pods' events: kubectl describe pods -l app.kubernetes.io/instance=tools,app.kubernetes.io/name=mcp-server"#]],
    );
}

#[test]
fn the_cause_is_said_before_its_effect() {
    let mut world = World::starting();
    world.deployment_condition("Progressing", false, "ProgressDeadlineExceeded", "");
    for pod in 0..2 {
        world.answers(pod);
        world.issuer(pod, KeySetState::Pending, Some("connection refused"));
        world.pod(pod).ready = false;
    }
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=0/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False IssuerUnavailable 2 of 2 pods: keys of issuer `https://login` could not be fetched (connection refused); check that the issuer can be reached from the namespace, its jwksUri, its allowPrivateAddresses and its caConfigMapRef
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=False ProgressDeadlineExceeded the rollout stands still; look at the pods' events: kubectl describe pods -l app.kubernetes.io/instance=tools,app.kubernetes.io/name=mcp-server
            AuthReady=False IssuerUnavailable 2 of 2 pods: keys of issuer `https://login` could not be fetched (connection refused); check that the issuer can be reached from the namespace, its jwksUri, its allowPrivateAddresses and its caConfigMapRef
            PolicyInForce=Unknown Progressing no pod serves yet
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=False AsExpected nothing is under way
            Stalled=True IssuerUnavailable 2 of 2 pods: keys of issuer `https://login` could not be fetched (connection refused); check that the issuer can be reached from the namespace, its jwksUri, its allowPrivateAddresses and its caConfigMapRef"#]],
    );
}

#[test]
fn other_troubles_of_pods_are_told_apart() {
    let troubles: [(Trouble, &str); 4] = [
        (|world| world.pod(0).waiting_reason = Some("CrashLoopBackOff".to_owned()), "PodsCrashing"),
        (|world| world.pod(0).restarted = true, "PodsCrashing"),
        (|world| world.pod(0).waiting_reason = Some("CreateContainerConfigError".to_owned()), "ContainerCannotStart"),
        (|world| world.pod(0).unscheduled_reason = Some("Unschedulable".to_owned()), "Unschedulable"),
    ];
    for (trouble, reason) in troubles {
        let mut world = World::starting();
        trouble(&mut world);
        check_ready(&world, "False", reason);
    }
    let mut refused = World::starting();
    refused.deployment_condition("ReplicaFailure", true, "FailedCreate", "exceeded quota: compute");
    check_ready(&refused, "False", "PodsCannotBeCreated");
}

#[test]
fn keys_that_are_on_their_way_are_no_trouble() {
    let mut world = World::starting();
    world.answers(0);
    world.issuer(0, KeySetState::Pending, None);
    check_ready(&world, "False", "Progressing");
}

#[test]
fn stale_keys_serve_and_are_told() {
    let mut world = World::settled();
    world.issuer(0, KeySetState::Stale, Some("the issuer did not answer within 5 s"));
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=2/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=True Verified 2 of 2 pods serve https://mcp.example.com/mcp, and each was asked
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True Available 2 of 2 pods of this revision are available
            AuthReady=True StaleKeys 1 of 2 pods: keys of issuer `https://login` are in use, but refreshing them fails (the issuer did not answer within 5 s); check that the issuer can be reached from the namespace, its jwksUri, its allowPrivateAddresses and its caConfigMapRef
            PolicyInForce=True InForce policy be16fbbd8c of this spec is enforced by 2 of 2 pods that serve
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=True StaleKeys 1 of 2 pods: keys of issuer `https://login` are in use, but refreshing them fails (the issuer did not answer within 5 s); check that the issuer can be reached from the namespace, its jwksUri, its allowPrivateAddresses and its caConfigMapRef
            Reconciling=False AsExpected nothing is under way
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn expired_keys_are_not_ready() {
    let mut world = World::settled();
    world.issuer(0, KeySetState::Expired, None);
    check_ready(&world, "False", "KeysExpired");
}

#[test]
fn a_report_that_leaves_an_issuer_out_is_no_evidence() {
    let mut world = World::settled();
    world.report(0).issuers.clear();
    check_ready(&world, "False", "ReportUnreadable");
}

#[test]
fn a_request_without_a_token_that_is_served_is_an_alarm() {
    let mut world = World::settled();
    world.verification(1).unauthenticated = Ok(world::answer(200, None));
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=1/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False AuthenticationNotEnforced 1 of 2 pods: ALARM: a request without a token was served; scale to 0, check spec.pod.image, and tell us
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True Available 2 of 2 pods of this revision are available
            AuthReady=False AuthenticationNotEnforced 1 of 2 pods: ALARM: a request without a token was served; scale to 0, check spec.pod.image, and tell us
            PolicyInForce=True InForce policy be16fbbd8c of this spec is enforced by 2 of 2 pods that serve
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=True AuthenticationNotEnforced 1 of 2 pods: ALARM: a request without a token was served; scale to 0, check spec.pod.image, and tell us
            Reconciling=False AsExpected nothing is under way
            Stalled=True AuthenticationNotEnforced 1 of 2 pods: ALARM: a request without a token was served; scale to 0, check spec.pod.image, and tell us"#]],
    );
}

#[test]
fn a_refusal_must_lead_to_the_metadata_and_the_metadata_to_the_url() {
    let mut challenge = World::settled();
    challenge.verification(0).unauthenticated = Ok(world::answer(401, Some("Bearer")));
    check_ready(&challenge, "False", "WrongChallenge");
    let mut resource = World::settled();
    resource.verification(0).metadata = Ok(Some(world::metadata("http://10.1.0.5/mcp")));
    check_ready(&resource, "False", "WrongResource");
    let mut status = World::settled();
    status.verification(0).unauthenticated = Ok(world::answer(404, None));
    check_ready(&status, "False", "UnexpectedAnswer");
}

#[test]
fn a_hop_without_an_answer_is_named() {
    for (error, reason) in [
        (HopError::Unreachable, "ReportUnavailable"),
        (HopError::TimedOut, "ReportUnavailable"),
        (HopError::Unreadable, "ReportUnreadable"),
    ] {
        let mut world = World::settled();
        world.verification(0).report = Err(error);
        check_ready(&world, "False", reason);
    }
    let mut world = World::settled();
    world.verification(0).unauthenticated = Err(HopError::TimedOut);
    check_ready(&world, "False", "EndpointUnavailable");
}

#[test]
fn another_configuration_than_was_rolled_out_is_not_this_revision() {
    let mut world = World::settled();
    world.report(0).config_revision = "0000000000".to_owned();
    check_ready(&world, "False", "UnexpectedAnswer");
}

#[test]
fn a_policy_is_in_force_when_every_pod_says_so() {
    let mut world = World::settled();
    world.report(0).policy_revision = "0000000000".to_owned();
    check(
        &world,
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=1/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve, policy 0000000000 by 1; the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True Available 2 of 2 pods of this revision are available
            AuthReady=True KeysLoaded every pod has the keys of every issuer, and refuses a request without a token as it should
            PolicyInForce=Unknown Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve, policy 0000000000 by 1; the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=True Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve, policy 0000000000 by 1; the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes
            Stalled=False AsExpected nothing waits for a person"#]],
    );
    world.report(0).file_problems = vec!["policy field `rules` is unknown".to_owned()];
    check_ready(&world, "False", "MountedFileProblem");
}

/// Else each scaling would take `Ready` away for as long as the kubelet needs to bring the file.
#[test]
fn a_policy_that_differs_in_the_number_of_replicas_alone_is_in_force() {
    let mut world = World::settled();
    world.policy_of_replicas(0, 7);
    check_ready(&world, "True", "Verified");
    let status = world.status();
    assert_eq!(status.replicas_summary.as_deref(), Some("2/2"));
    assert_eq!(status.policy_revision, None);
    world.policy_of_replicas(0, 101);
    check_ready(&world, "False", "Progressing");
}

/// One edit with a tightened rule and a broken image: the rule is in force, and status says so.
#[test]
fn a_rollout_that_hangs_does_not_hide_which_policy_the_pods_of_before_enforce() {
    let mut world = World::hanging_rollout();
    check(
        &world,
        &expect![[r#"
        url=https://mcp.example.com/mcp replicas=0/2 tools=3 eras=2026-07-28,2025-11-25
        Ready=False ImagePullFailed 1 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
        SpecValid=True Valid the spec can be run
        WorkloadAvailable=False ImagePullFailed 1 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
        AuthReady=Unknown Progressing not every pod of this revision has answered yet
        PolicyInForce=True InForce policy be16fbbd8c of this spec is enforced by 2 of 2 pods that serve (2 of them with a configuration of before)
        IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
        LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
        Degraded=True ImagePullFailed 1 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
        Reconciling=True ImagePullFailed 1 of 2 pods cannot pull image `registry.example.com/mcp-foundry/server:1` (ImagePullBackOff); check its name, and that the nodes may pull it
        Stalled=False AsExpected nothing waits for a person"#]],
    );

    world.report(1).policy_revision = "0000000000".to_owned();
    check_condition(
        &world,
        "PolicyInForce",
        &expect![
            "Unknown Progressing policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve (1 of them with a configuration of before), policy 0000000000 by 1; the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes"
        ],
    );
    world.report(1).file_problems = vec!["policy field `rules` is unknown".to_owned()];
    check_condition(
        &world,
        "PolicyInForce",
        &expect![
            "False MountedFileProblem policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve (1 of them with a configuration of before), policy 0000000000 by 1; the policy of this spec is not in force everywhere: policy field `rules` is unknown"
        ],
    );
    world.pod(1).verification.as_mut().unwrap().report = Err(HopError::TimedOut);
    check_condition(
        &world,
        "PolicyInForce",
        &expect![
            "Unknown ReportUnavailable policy be16fbbd8c of this spec is enforced by 1 of 2 pods that serve (1 of them with a configuration of before), and which by 1 is not known; ready, but no report on the admin port; check that policies let the operator reach port 9090 of the pods"
        ],
    );
}

/// A pod may say anything; a message stays short and holds nothing that it could abuse.
#[test]
fn policies_that_nobody_knows_are_counted() {
    let mut world = World::settled();
    for index in 0..2 {
        world.report(index).policy_revision = format!("; kubectl delete {index}");
    }
    check_condition(
        &world,
        "PolicyInForce",
        &expect![
            "Unknown Progressing policy be16fbbd8c of this spec is enforced by 0 of 2 pods that serve, one without a proper name by 2; the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes"
        ],
    );
    for index in 2..8 {
        world.observed.pods.push(world.observed.pods[0].clone());
        world.report(index).policy_revision = format!("{index:010}");
    }
    check_condition(
        &world,
        "PolicyInForce",
        &expect![
            "Unknown Progressing policy be16fbbd8c of this spec is enforced by 0 of 8 pods that serve, one without a proper name by 2, policy 0000000002 by 1, policy 0000000003 by 1, others by 4; the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes"
        ],
    );
}

/// Issuers inside a cluster have private addresses, and the keys of ServiceAccount tokens come with the operator.
#[test]
fn what_to_do_about_missing_keys_depends_on_where_they_come_from() {
    let mut world = World::for_service_accounts();
    for (state, expected) in [
        (
            KeySetState::Stale,
            expect![
                "True StaleKeys 1 of 2 pods: keys of issuer `https://kubernetes.default.svc.cluster.local` are in use, but refreshing them fails (the file holds no key); check that the operator runs, which renews them in ConfigMap `tools-service-account-keys`, and what it logs about ServiceAccount tokens"
            ],
        ),
        (
            KeySetState::Expired,
            expect![
                "False KeysExpired 1 of 2 pods: keys of issuer `https://kubernetes.default.svc.cluster.local` are too old to be used (the file holds no key); check that the operator runs, which renews them in ConfigMap `tools-service-account-keys`, and what it logs about ServiceAccount tokens"
            ],
        ),
        (
            KeySetState::Pending,
            expect![
                "False IssuerUnavailable 1 of 2 pods: keys of issuer `https://kubernetes.default.svc.cluster.local` could not be fetched (the file holds no key); check that the operator runs, which renews them in ConfigMap `tools-service-account-keys`, and what it logs about ServiceAccount tokens"
            ],
        ),
    ] {
        world.issuer(0, state, Some("the file holds no key"));
        check_condition(&world, "AuthReady", &expected);
    }
}

#[test]
fn upstreams_are_told_by_name() {
    let world = World::with_upstreams();
    check_ready(&world, "True", "Verified");
    check_condition(
        &world,
        "UpstreamsReady",
        &expect!["True Connected every pod can call the tools of every upstream"],
    );
    check_upstreams(
        &world,
        &expect![[r#"
        search ready=true tools=4 2025-11-25 search-mcp 1.4.2 -
        wiki ready=true tools=4 2025-11-25 wiki-mcp 1.4.2 -"#]],
    );
    assert!(!World::settled().status().conditions.iter().any(|condition| condition.type_ == "UpstreamsReady"));
}

#[test]
fn an_upstream_that_no_pod_has_reached_yet_holds_ready() {
    let mut world = World::with_upstreams();
    for pod in 0..2 {
        let search = world.search(pod);
        *search = crds::gateway_report::UpstreamReport { name: search.name.clone(), ..Default::default() };
    }
    check_ready(&world, "False", "Progressing");
    check_condition(&world, "UpstreamsReady", &expect!["Unknown Progressing upstream `search` is being connected"]);

    world.search(1).last_error = Some("connection refused".to_owned());
    check_ready(&world, "False", "UpstreamUnavailable");
    check_condition(
        &world,
        "UpstreamsReady",
        &expect![
            "False UpstreamUnavailable 1 of 2 pods: upstream `search` cannot be called (connection refused); check its url, that it speaks Streamable HTTP there, and that the gateway's pods may reach it"
        ],
    );
    check_condition(
        &world,
        "Degraded",
        &expect![
            "True UpstreamUnavailable 1 of 2 pods: upstream `search` cannot be called (connection refused); check its url, that it speaks Streamable HTTP there, and that the gateway's pods may reach it"
        ],
    );
    check_upstreams(
        &world,
        &expect![[r#"
        search ready=false tools=0 - - - connection refused
        wiki ready=true tools=4 2025-11-25 wiki-mcp 1.4.2 -"#]],
    );
}

#[test]
fn an_upstream_that_is_lost_later_degrades_and_leaves_ready_alone() {
    let mut world = World::with_upstreams();
    world.search(0).ready = false;
    world.search(0).last_error = Some("no answer within 10 s".to_owned());
    check_ready(&world, "True", "Verified");
    check_condition(
        &world,
        "UpstreamsReady",
        &expect![
            "False UpstreamUnavailable 1 of 2 pods: upstream `search` cannot be called (no answer within 10 s); check its url, that it speaks Streamable HTTP there, and that the gateway's pods may reach it"
        ],
    );
    check_condition(
        &world,
        "Degraded",
        &expect![
            "True UpstreamUnavailable 1 of 2 pods: upstream `search` cannot be called (no answer within 10 s); check its url, that it speaks Streamable HTTP there, and that the gateway's pods may reach it"
        ],
    );
    check_condition(&world, "Stalled", &expect!["False AsExpected nothing waits for a person"]);
    check_upstreams(
        &world,
        &expect![[r#"
        search ready=false tools=4 2025-11-25 search-mcp 1.4.2 no answer within 10 s
        wiki ready=true tools=4 2025-11-25 wiki-mcp 1.4.2 -"#]],
    );
}

#[test]
fn upstreams_that_are_lost_together_are_counted() {
    let mut world = World::with_upstreams();
    for upstream in &mut world.report(0).upstreams {
        upstream.ready = false;
        upstream.last_error = Some("no answer within 10 s".to_owned());
    }
    check_condition(
        &world,
        "UpstreamsReady",
        &expect![
            "False UpstreamUnavailable 1 of 2 pods: upstream `search` cannot be called (no answer within 10 s); check its url, that it speaks Streamable HTTP there, and that the gateway's pods may reach it (and 1 more, see status.upstreams)"
        ],
    );
}

#[test]
fn a_report_that_leaves_an_upstream_out_is_no_evidence() {
    let mut world = World::with_upstreams();
    world.report(0).upstreams.remove(0);
    check_ready(&world, "False", "ReportUnreadable");
    assert!(!world.status().upstreams[0].ready);
}

#[test]
fn pods_that_differ_about_an_upstream_say_only_what_they_agree_on() {
    let mut world = World::with_upstreams();
    world.search(1).server_version = Some("1.5.0".to_owned());
    world.search(1).tools = 3;
    world.search(0).server_name = Some("x".repeat(257));
    check_upstreams(
        &world,
        &expect![[r#"
        search ready=true tools=3 2025-11-25 - - -
        wiki ready=true tools=4 2025-11-25 wiki-mcp 1.4.2 -"#]],
    );
}

#[test]
fn what_older_clients_are_offered_is_told_and_influences_nothing() {
    let world = World::settled();
    check_condition(
        &world,
        "LegacyStreams",
        &expect![
            "False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1"
        ],
    );
    check_ready(&world, "True", "Verified");
    check_condition(&world, "Degraded", &expect!["False AsExpected nothing that serves is less than it should be"]);
}

#[test]
fn pods_that_wait_for_a_volume_say_so() {
    let mut world = World::starting();
    world.pod(0).volumes = crate::observed::Volumes::OnTheWay;
    check_ready(&world, "False", "Progressing");
    world.pod(0).volumes = crate::observed::Volumes::Late;
    check_condition(
        &world,
        "WorkloadAvailable",
        &expect![
            "False ContainerCannotStart 1 of 2 pods wait for their volumes or their network; if the Secret `tools-sealing-1-11111111` was deleted, the operator makes a new one; look at their events: kubectl describe pods -l app.kubernetes.io/instance=tools,app.kubernetes.io/name=mcp-server"
        ],
    );
}

#[test]
fn a_held_spec_keeps_what_pods_said_before_this_process_began_to_ask() {
    let before = World::settled().status();
    let mut restarted = World::rejected();
    restarted.mcp_server.status = Some(before.clone());
    for pod in 0..2 {
        restarted.pod(pod).verification = None;
    }
    let status = restarted.status();
    assert_eq!((&status.eras, &status.tools), (&before.eras, &before.tools));
    assert_eq!((&status.config_revision, &status.policy_revision), (&before.config_revision, &before.policy_revision));
    // What a pod was asked and did not say is gone.
    for pod in 0..2 {
        restarted.pod(pod).verification = Some(crate::observed::PodVerification::unreachable());
    }
    assert_eq!(restarted.status().eras, None);
}

#[test]
fn tools_are_shown_only_when_the_pods_agree() {
    let mut world = World::settled();
    assert_eq!(world.status().tools.unwrap().count, 3);
    world.report(0).tools.digest = "another".to_owned();
    assert_eq!(world.status().tools, None);
}

#[test]
fn what_a_pod_says_is_cut_to_what_the_schema_takes() {
    let mut world = World::settled();
    for pod in 0..2 {
        world.report(pod).tools.digest = "x".repeat(65);
        world.report(pod).eras = vec!["x".repeat(513)];
    }
    let status = world.status();
    assert_eq!((status.tools, status.eras), (None, None));
}

#[test]
fn an_open_endpoint_warns_and_is_ready() {
    check(
        &World::open(),
        &expect![[r#"
            url=http://tools.demo.svc/mcp replicas=2/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=True Verified 2 of 2 pods serve http://tools.demo.svc/mcp, and each was asked
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True Available 2 of 2 pods of this revision are available
            AuthReady=True AuthenticationDisabled warning: auth.mode is None, so that everybody who reaches the endpoint is served; set issuers to ask for tokens
            PolicyInForce=True InForce policy be16fbbd8c of this spec is enforced by 2 of 2 pods that serve
            LegacyStreams=False SeveralReplicas clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=False AsExpected nothing is under way
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn an_open_endpoint_that_asks_for_a_token_is_not_what_was_asked_for() {
    let mut world = World::open();
    world.verification(0).unauthenticated = Ok(world::answer(401, None));
    check_ready(&world, "False", "UnexpectedAnswer");
}

#[test]
fn nobody_is_served_by_nobody() {
    check(
        &World::scaled_to_zero(),
        &expect![[r#"
            url=https://mcp.example.com/mcp replicas=0/0 tools=- eras=-
            Ready=False ScaledToZero spec.replicas is 0, so that nobody is served; scale it up
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=False ScaledToZero spec.replicas is 0, so that nobody is served; scale it up
            AuthReady=Unknown ScaledToZero there is no pod to ask
            PolicyInForce=Unknown ScaledToZero there is no pod to ask
            IngressReady=Unknown Applied an Ingress cannot say whether it works; try: curl -i https://mcp.example.com/mcp
            LegacyStreams=Unknown ScaledToZero there is no pod to offer anything
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=False AsExpected nothing is under way
            Stalled=False AsExpected nothing waits for a person"#]],
    );
}

#[test]
fn a_missing_reference_waits_for_a_person_and_what_runs_goes_on() {
    check(
        &World::rejected(),
        &expect![[r#"
            url=- replicas=0/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False MissingConfigMap spec.auth.issuers[0].caConfigMapRef.name: ConfigMap `gone` does not exist in namespace `demo`; create it, or correct the name
            SpecValid=False MissingConfigMap spec.auth.issuers[0].caConfigMapRef.name: ConfigMap `gone` does not exist in namespace `demo`; create it, or correct the name
            WorkloadAvailable=True LastAcceptedSpecServes 2 pods of what was applied before serve
            AuthReady=Unknown SpecRejected not looked at: what was applied before, if anything, is held
            PolicyInForce=Unknown SpecRejected not looked at: what was applied before, if anything, is held
            IngressReady=Unknown SpecRejected not looked at: what was applied before, if anything, is held
            LegacyStreams=Unknown SpecRejected not looked at: what was applied before, if anything, is held
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=False AsExpected nothing is under way
            Stalled=True MissingConfigMap spec.auth.issuers[0].caConfigMapRef.name: ConfigMap `gone` does not exist in namespace `demo`; create it, or correct the name"#]],
    );
}

#[test]
fn a_failed_write_is_tried_again_or_waits_for_a_person() {
    check(
        &World::failed(true),
        &expect![[r#"
            url=- replicas=0/2 tools=3 eras=2026-07-28,2025-11-25
            Ready=False ApiUnavailable apply Deployment: the API server does not answer; it is tried again
            SpecValid=True Valid the spec can be run
            WorkloadAvailable=True LastAcceptedSpecServes 2 pods of what was applied before serve
            AuthReady=Unknown NotApplied not looked at: what was applied before, if anything, is held
            PolicyInForce=Unknown NotApplied not looked at: what was applied before, if anything, is held
            IngressReady=Unknown NotApplied not looked at: what was applied before, if anything, is held
            LegacyStreams=Unknown NotApplied not looked at: what was applied before, if anything, is held
            Degraded=False AsExpected nothing that serves is less than it should be
            Reconciling=True ApiUnavailable apply Deployment: the API server does not answer; it is tried again
            Stalled=False AsExpected nothing waits for a person"#]],
    );
    check_ready(&World::failed(false), "False", "ApiUnavailable");
    assert_eq!(condition(&World::failed(false).status(), "Stalled").status, "True");
}

#[test]
fn the_wish_for_a_run_is_answered_and_bounded() {
    let mut world = World::settled();
    world.mcp_server.annotations_mut().insert(annotation::RECONCILE_AT.to_owned(), "é".repeat(200));
    assert_eq!(world.status().last_handled_reconcile_at.unwrap().chars().count(), 128);
}

#[test]
fn a_status_that_a_user_wrote_is_no_input() {
    let mut world = World::just_applied();
    let faked = World::settled().status();
    let honest = world.status();
    world.mcp_server.status = Some(faked);
    let mut answer = world.status();
    for (condition, honest) in answer.conditions.iter_mut().zip(&honest.conditions) {
        condition.last_transition_time = honest.last_transition_time.clone();
    }
    assert_eq!(answer, honest);
}

#[test]
fn creation_takes_two_writes_and_progress_waits() {
    let (applied, starting, settled) = (World::just_applied(), World::starting(), World::settled());
    assert_eq!(change(None, &applied.status()), Change::Transition);
    let mut half = World::settled();
    half.pod(1).verification = None;
    assert_eq!(change(Some(&applied.status()), &starting.status()), Change::Progress);
    assert_eq!(change(Some(&applied.status()), &half.status()), Change::Progress);
    assert_eq!(change(Some(&applied.status()), &settled.status()), Change::Transition);
}

#[test]
fn while_ready_every_difference_is_written() {
    let mut world = World::settled();
    let standing = world.status();
    assert_eq!(change(Some(&standing), &world.status()), Change::Nothing);
    for pod in 0..2 {
        world.report(pod).tools.count = 4;
    }
    assert_eq!(change(Some(&standing), &world.status()), Change::Transition);
}

#[test]
fn the_order_of_conditions_is_no_difference() {
    let world = World::settled();
    let mut standing = world.status();
    standing.conditions.reverse();
    assert_eq!(change(Some(&standing), &world.status()), Change::Nothing);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Source: operator.md, `frozen-status`, and O2: the same world says the same, whatever the clock says.
    #[test]
    fn status_twice_is_status_once(world in world::any(), later in 0..86_400_i64) {
        let once = world.status_at(at(100));
        let mut again = world;
        again.mcp_server.status = Some(once.clone());
        prop_assert_eq!(&again.status_at(at(100 + later)), &once);
        prop_assert_eq!(change(Some(&once), &again.status_at(at(100 + later))), Change::Nothing);
    }

    #[test]
    fn the_order_of_pods_and_children_says_nothing(world in world::any()) {
        let once = world.status();
        let mut shuffled = world;
        shuffled.observed.pods.reverse();
        shuffled.observed.children.reverse();
        prop_assert_eq!(shuffled.status(), once);
    }

    /// Source: operator.md, P6.
    #[test]
    fn kstatus_and_ready_never_contradict_each_other(world in world::any()) {
        let status = world.status();
        let ready = condition(&status, "Ready").status == "True";
        let verdict = kstatus::compute(world.mcp_server.metadata.generation.unwrap(), Some(&status));
        prop_assert_eq!(ready, verdict == kstatus::Verdict::Current);
        let stalled = condition(&status, "Stalled").status == "True";
        prop_assert_eq!(stalled, verdict == kstatus::Verdict::Failed);
        prop_assert!(!(stalled && condition(&status, "Reconciling").status == "True"));
    }

    #[test]
    fn what_is_not_verified_is_never_ready(world in world::any()) {
        let status = world.status();
        if condition(&status, "Ready").status == "True" {
            let wanted = world.mcp_server.spec.replicas;
            prop_assert!(wanted > 0);
            prop_assert_eq!(&status.replicas_summary, &Some(format!("{wanted}/{wanted}")));
            for concern in ["SpecValid", "WorkloadAvailable", "AuthReady", "PolicyInForce"] {
                prop_assert_eq!(&condition(&status, concern).status, "True");
            }
        }
    }

    #[test]
    fn messages_hold_no_name_of_a_pod_and_end_in_time(world in world::any()) {
        for condition in world.status().conditions {
            prop_assert!(!condition.message.contains("tools-7d9f"), "{}", condition.message);
            prop_assert!(!condition.message.is_empty() && condition.message.len() <= 1024);
            prop_assert_eq!(condition.observed_generation, Some(3));
        }
    }
}

/// kstatus takes a missing `Ready` for ready, so the CRD starts `observedGeneration` at −1.
#[test]
fn an_object_that_nobody_has_looked_at_is_in_progress() {
    let born = McpServerStatus { observed_generation: Some(-1), ..McpServerStatus::default() };
    assert_eq!(kstatus::compute(1, Some(&born)), kstatus::Verdict::InProgress);
}

/// What happens to a world.
type Trouble = fn(&mut World);

fn check(world: &World, expected: &Expect) {
    expected.assert_eq(&world::text(&world.status()));
}

fn check_ready(world: &World, status: &str, reason: &str) {
    let ready = world.status();
    let ready = condition(&ready, "Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), (status, reason), "{}", ready.message);
}

fn condition<'a>(status: &'a McpServerStatus, type_: &str) -> &'a Condition {
    status.conditions.iter().find(|condition| condition.type_ == type_).unwrap()
}

fn check_condition(world: &World, type_: &str, expected: &Expect) {
    let status = world.status();
    let found = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
    expected.assert_eq(&format!("{} {} {}", found.status, found.reason, found.message));
}

fn check_upstreams(world: &World, expected: &Expect) {
    let column = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let line = |upstream: &crds::mcp_server::UpstreamStatus| {
        let said = [&upstream.protocol_version, &upstream.server_name, &upstream.server_version, &upstream.last_error];
        let said = said.map(column).join(" ");
        format!("{} ready={} tools={} {said}", upstream.name, upstream.ready, upstream.tools)
    };
    expected.assert_eq(&world.status().upstreams.iter().map(line).collect::<Vec<_>>().join("\n"));
}
