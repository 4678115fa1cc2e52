//! What status says of a Redis, and what that changes.

use expect_test::expect;

use super::{World, check_condition, check_ready};
use crate::{observed::Volumes, status::ConditionType};
use crds::gateway_report::RedisState;

#[test]
fn a_redis_that_every_pod_has_reached_is_told_and_shares_what_one_pod_must_remember() {
    for world in [World::with_own_redis(true), World::with_own_redis(false), World::with_users_redis()] {
        check_ready(&world, "True", "Verified");
        check_condition(
            &world,
            "RedisReady",
            &expect!["True RedisReached every pod has reached the Redis, and it takes what is written"],
        );
        check_condition(
            &world,
            "LegacyStreams",
            &expect![
                "True SharedRedis clients of protocol revisions before 2026-07-28 are offered GET streams, subscriptions, logging level and requests of the server by every pod: what one must remember is in the Redis"
            ],
        );
        check_condition(&world, "Degraded", &expect!["False AsExpected nothing that serves is less than it should be"]);
    }
}

#[test]
fn without_a_redis_nothing_is_said_of_one() {
    let types: Vec<String> = World::settled().status().conditions.into_iter().map(|found| found.type_).collect();
    assert!(!types.contains(&ConditionType::RedisReady.as_str().to_owned()), "{types:?}");
}

/// Source: redis-and-degradation.md, section 7.
#[test]
fn a_redis_that_is_lost_later_degrades_and_leaves_ready_alone() {
    for mut world in [World::with_own_redis(true), World::with_own_redis(false)] {
        world.redis(1, RedisState::Failing, true, Some("Redis does not answer in time"));
        check_ready(&world, "True", "Verified");
        check_condition(
            &world,
            "RedisReady",
            &expect![
                "False RedisUnavailable 1 of 2 pods: the Redis cannot be used (Redis does not answer in time); look at its pod: kubectl describe pod tools-redis-0, kubectl logs tools-redis-0, and that policies let the gateway's pods reach it"
            ],
        );
        check_condition(
            &world,
            "Degraded",
            &expect![
                "True RedisUnavailable 1 of 2 pods: the Redis cannot be used (Redis does not answer in time); look at its pod: kubectl describe pod tools-redis-0, kubectl logs tools-redis-0, and that policies let the gateway's pods reach it"
            ],
        );
        check_condition(&world, "Stalled", &expect!["False AsExpected nothing waits for a person"]);
    }
}

/// The pods are asked twice a minute; Kubernetes says at once that the pod of the Redis is gone.
#[test]
fn the_pod_of_a_redis_that_is_gone_is_told_before_the_gateway_notices() {
    let mut world = World::with_own_redis(true);
    world.observed.redis.stateful_set.as_mut().unwrap().ready_replicas = 0;
    world.observed.redis.pods.clear();
    check_ready(&world, "True", "Verified");
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "False RedisUnavailable the pod of the Redis is not ready, it restarts or moves to another node; if it stays so, look at it: kubectl describe pod tools-redis-0"
        ],
    );
    check_condition(
        &world,
        "Degraded",
        &expect![
            "True RedisUnavailable the pod of the Redis is not ready, it restarts or moves to another node; if it stays so, look at it: kubectl describe pod tools-redis-0"
        ],
    );
}

#[test]
fn a_redis_that_is_being_started_is_no_trouble() {
    let starting = |required: bool| {
        let mut world = World::with_own_redis(required);
        world.observed.redis.stateful_set.as_mut().unwrap().ready_replicas = 0;
        for pod in 0..2 {
            world.redis(pod, RedisState::Failing, false, Some("Redis cannot be reached"));
        }
        world
    };
    let world = starting(false);
    check_ready(&world, "True", "Verified");
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "Unknown RedisProvisioning the Redis is being started; look at it: kubectl describe pod tools-redis-0"
        ],
    );
    check_condition(&world, "Degraded", &expect!["False AsExpected nothing that serves is less than it should be"]);
}

/// Source: design.md, `Ready=True`.
#[test]
fn a_required_redis_holds_ready_until_every_pod_has_reached_it_once() {
    let mut world = World::with_own_redis(true);
    world.redis(1, RedisState::Pending, false, None);
    check_ready(&world, "False", "Progressing");
    check_condition(&world, "RedisReady", &expect!["Unknown Progressing the Redis is being connected to"]);
    world.redis(1, RedisState::Refused, false, Some("Redis refuses the user name or the password"));
    check_ready(&world, "False", "RedisRefused");
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "False RedisRefused 1 of 2 pods: the Redis refuses name or password, or what its user may do (Redis refuses the user name or the password); if the Secret `tools-redis-1-11111111` was deleted or made by hand, ask for new credentials: kubectl annotate mcpservers.mcpfoundry.dev/tools mcpfoundry.dev/rotate-at=\"$(date +%s)\" --overwrite"
        ],
    );

    let mut world = World::with_own_redis(false);
    world.redis(1, RedisState::Refused, false, Some("Redis refuses the user name or the password"));
    check_ready(&world, "True", "Verified");
    check_condition(
        &world,
        "Degraded",
        &expect![
            "True RedisRefused 1 of 2 pods: the Redis refuses name or password, or what its user may do (Redis refuses the user name or the password); if the Secret `tools-redis-1-11111111` was deleted or made by hand, ask for new credentials: kubectl annotate mcpservers.mcpfoundry.dev/tools mcpfoundry.dev/rotate-at=\"$(date +%s)\" --overwrite"
        ],
    );
}

#[test]
fn a_wrong_address_or_secret_is_told_by_the_fields_that_name_it() {
    let mut world = World::with_users_redis();
    world.redis(0, RedisState::Failing, false, Some("the host name of Redis has no address"));
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "False RedisUnavailable 1 of 2 pods: the Redis cannot be used (the host name of Redis has no address); check spec.redis.external.addresses, spec.redis.external.tls, spec.redis.external.credentialsSecretRef (.name `redis-user`, .usernameKey `username`, .passwordKey `password`), and that the gateway's pods may reach it"
        ],
    );
    world.redis(0, RedisState::Refused, false, Some("Redis refuses the user name or the password"));
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "False RedisRefused 1 of 2 pods: the Redis refuses name or password, or what its user may do (Redis refuses the user name or the password); check spec.redis.external.credentialsSecretRef (.name `redis-user`, .usernameKey `username`, .passwordKey `password`), and that the user's ACL has keys and channels mcpf:demo/tools:*"
        ],
    );
}

#[test]
fn a_full_redis_keeps_what_it_has_and_is_told_with_what_to_raise() {
    let mut world = World::with_own_redis(true);
    world.redis(0, RedisState::Full, true, None);
    check_ready(&world, "True", "Verified");
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "False RedisFull 1 of 2 pods: the memory of the Redis is full, so that new state is refused; raise spec.redis.managed.resources.limits.memory, or lower spec.sessions"
        ],
    );
    let mut world = World::with_users_redis();
    world.redis(0, RedisState::Full, true, None);
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "False RedisFull 1 of 2 pods: the memory of the Redis is full, so that new state is refused; raise its maxmemory, or lower spec.sessions"
        ],
    );
}

#[test]
fn a_pod_of_the_redis_in_trouble_is_told_by_its_cause() {
    let trouble = |waiting: Option<&str>| {
        let mut world = World::with_own_redis(false);
        world.observed.redis.stateful_set.as_mut().unwrap().ready_replicas = 0;
        world.observed.redis.pods[0].waiting_reason = waiting.map(str::to_owned);
        for pod in 0..2 {
            world.redis(pod, RedisState::Failing, false, Some("Redis cannot be reached"));
        }
        world
    };
    check_condition(
        &trouble(Some("ImagePullBackOff")),
        "RedisReady",
        &expect![
            "False ImagePullFailed the pod of the Redis cannot pull image `registry.example.com/redis:7`; check spec.redis.managed.image, and that the nodes may pull it"
        ],
    );
    check_condition(
        &trouble(Some("CrashLoopBackOff")),
        "RedisReady",
        &expect![
            "False PodsCrashing the pod of the Redis starts and ends again; image `registry.example.com/redis:7` must be of Redis 7.0 or newer, or of Valkey: kubectl logs tools-redis-0 --previous"
        ],
    );
    check_condition(
        &trouble(Some("CreateContainerError")),
        "RedisReady",
        &expect![
            "False ContainerCannotStart the pod of the Redis cannot start its container; image `registry.example.com/redis:7` needs a program redis-server: kubectl describe pod tools-redis-0"
        ],
    );
    let mut late = trouble(None);
    late.observed.redis.pods[0].volumes = Volumes::Late;
    check_condition(
        &late,
        "RedisReady",
        &expect![
            "False ContainerCannotStart the pod of the Redis waits for its volumes or its network; look at its events: kubectl describe pod tools-redis-0"
        ],
    );
    let mut nowhere = trouble(None);
    nowhere.observed.redis.pods[0].unscheduled_reason = Some("Unschedulable".to_owned());
    check_condition(
        &nowhere,
        "RedisReady",
        &expect![
            "False Unschedulable the pod of the Redis fits on no node; add nodes, or ask for less in spec.redis.managed.resources"
        ],
    );
    check_ready(&nowhere, "True", "Verified");
}

#[test]
fn a_report_that_says_nothing_of_the_redis_is_no_evidence() {
    let mut world = World::with_own_redis(true);
    world.report(0).redis = None;
    check_ready(&world, "False", "ReportUnreadable");
    check_condition(
        &world,
        "RedisReady",
        &expect![
            "Unknown ReportUnreadable 1 of 2 pods: the report says nothing about the Redis; use a server image that fits the operator's version"
        ],
    );
}

#[test]
fn pods_that_wait_for_a_volume_name_the_secret_of_the_redis_too() {
    let mut world = World::with_own_redis(true);
    world.pod(0).volumes = Volumes::Late;
    check_condition(
        &world,
        "WorkloadAvailable",
        &expect![
            "False ContainerCannotStart 1 of 2 pods wait for their volumes or their network; if the Secret `tools-sealing-1-11111111` or `tools-redis-1-11111111` was deleted, the operator makes a new one; look at their events: kubectl describe pods -l app.kubernetes.io/instance=tools,app.kubernetes.io/name=mcp-server"
        ],
    );
}

/// Source: operator.md, P5.
#[test]
fn a_missing_object_of_the_redis_is_not_ready() {
    for kind in ["StatefulSet", "NetworkPolicy", "ConfigMap", "Service", "PodDisruptionBudget"] {
        let mut world = World::with_own_redis(false);
        world.observed.children.retain(|child| child.kind.as_str() != kind || child.name() != "tools-redis");
        check_ready(&world, "False", "Progressing");
    }
}

#[test]
fn a_spec_that_is_held_is_not_asked_about_its_redis() {
    let mut world = World::rejected();
    world.mcp_server.spec.redis.mode = crds::mcp_server::RedisMode::Managed;
    check_condition(
        &world,
        "RedisReady",
        &expect!["Unknown SpecRejected not looked at: what was applied before, if anything, is held"],
    );
}
