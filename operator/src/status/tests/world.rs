//! Worlds for the tests of status: a settled one, and what may happen to it.

use crds::{
    McpServer,
    conditions::Reason,
    gateway_config::{GatewayPolicy, Versioned as _},
    gateway_report::{
        GatewayReport, IssuerReport, KeySetState, REPORT_VERSION, RedisReport, RedisState, ToolsReport, UpstreamReport,
    },
    mcp_server::McpServerStatus,
    revision::revision,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;

use crate::{
    desired::{annotation::DESIRED_HASH, desired},
    observed::{
        ChildKind, DeploymentCondition, HopError, MetadataAnswer, Observed, ObservedChild, ObservedDeployment,
        ObservedPod, ObservedStatefulSet, PodVerification, ServiceAccountKeys, UnauthenticatedAnswer, Volumes,
    },
    status::{Applied, Failed, Outcome, status},
    validate::{
        ValidServer,
        tests::{mcp_server, settings},
        validate,
    },
};

const EXPOSED: &str = "{ publicUrl: https://mcp.example.com/mcp, expose: { ingress: {} }, auth: { issuers: [{ issuer: https://login }] } }";
const OPEN: &str = "{ auth: { mode: None, insecureAllowUnauthenticated: true } }";
const CHALLENGE: &str = r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:ping""#;

/// What `status` is asked about.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) mcp_server: McpServer,
    pub(super) outcome: Outcome,
    pub(super) observed: Observed,
}

impl World {
    /// Applied, nothing seen yet.
    pub(super) fn just_applied() -> Self {
        Self::applied(EXPOSED)
    }

    /// Two pods on their way, none has answered.
    pub(super) fn starting() -> Self {
        let mut world = Self::seen(EXPOSED);
        world.observed.pods = vec![pod(&world.valid(), 0), pod(&world.valid(), 1)];
        for pod in &mut world.observed.pods {
            pod.ready = false;
        }
        world.deployment().available_replicas = 0;
        world
    }

    /// Two pods serve, and every hop was seen.
    pub(super) fn settled() -> Self {
        Self::serving(EXPOSED)
    }

    /// Two upstreams besides, both connected.
    pub(super) fn with_upstreams() -> Self {
        let upstreams = "upstreams: [{ name: wiki, url: 'https://wiki' }, { name: search, url: 'https://search' }] }";
        let spec = format!("{}, {upstreams}", EXPOSED.strip_suffix(" }").unwrap());
        let mut world = Self::serving(&spec);
        for pod in 0..2 {
            world.report(pod).upstreams = ["search", "wiki"].map(connected).into();
        }
        world
    }

    /// A Redis of its own, which every pod has reached.
    pub(super) fn with_own_redis(required: bool) -> Self {
        let mut world = Self::with_redis(&format!("{{ mode: Managed, required: {required} }}"));
        world.observed.redis.stateful_set = Some(ObservedStatefulSet {
            generation: 1,
            observed_generation: 1,
            updated_replicas: 1,
            ready_replicas: 1,
            ..ObservedStatefulSet::default()
        });
        let pod = ObservedPod { name: "tools-redis-0".to_owned(), ready: true, ..ObservedPod::default() };
        world.observed.redis.pods = vec![pod];
        world
    }

    /// A Redis of the user, which every pod has reached.
    pub(super) fn with_users_redis() -> Self {
        Self::with_redis(
            "{ mode: External, external: { addresses: ['redis.example.com:6379'], credentialsSecretRef: { name: redis-user } } }",
        )
    }

    fn with_redis(redis: &str) -> Self {
        let spec = format!("{}, redis: {redis} }}", EXPOSED.strip_suffix(" }").unwrap());
        let mut world = Self::serving(&spec);
        for pod in 0..2 {
            world.redis(pod, RedisState::Ready, true, None);
        }
        world
    }

    /// The same without authentication and without a route.
    pub(super) fn open() -> Self {
        let mut world = Self::serving(OPEN);
        for index in 0..2 {
            world.report(index).issuers.clear();
            let verification = world.verification(index);
            verification.unauthenticated = Ok(answer(200, None));
            verification.metadata = Ok(None);
        }
        world
    }

    /// Two pods of the configuration of before serve with the policy of this spec; the image of the third cannot be pulled.
    pub(super) fn hanging_rollout() -> Self {
        let mut world = Self::settled();
        let mut broken = pod(&world.valid(), 2);
        broken.waiting_reason = Some("ImagePullBackOff".to_owned());
        for index in 0..2 {
            world.pod(index).config_revision = Some("befbefbefb".to_owned());
            world.report(index).config_revision = "befbefbefb".to_owned();
        }
        world.observed.pods.push(broken);
        let deployment = world.deployment();
        (deployment.replicas, deployment.updated_replicas) = (3, 1);
        world
    }

    /// Callers are pods of the cluster.
    pub(super) fn for_service_accounts() -> Self {
        let issuer = "https://kubernetes.default.svc.cluster.local";
        let spec = EXPOSED.replace("https://login", &format!("'{issuer}', preset: kubernetes, scopeMappings: []"));
        let keys = ServiceAccountKeys {
            issuer: issuer.to_owned(),
            jwks: serde_json::json!({ "keys": [{ "kid": "a" }] }),
            fetched_at: 0,
        };
        let known = Observed { service_account_keys: Some(Ok(keys)), ..Observed::default() };
        let mut world = Self::serving_in(&spec, &known);
        for index in 0..2 {
            world.report(index).issuers[0].issuer = issuer.to_owned();
        }
        world
    }

    pub(super) fn scaled_to_zero() -> Self {
        let mut world = Self::seen(&EXPOSED.replace("{ publicUrl", "{ replicas: 0, publicUrl"));
        *world.deployment() = ObservedDeployment::default();
        world
    }

    /// A CA is gone; the pods of the spec before serve.
    pub(super) fn rejected() -> Self {
        let mut world = Self::settled();
        let spec = EXPOSED.replace("https://login", "https://login, caConfigMapRef: { name: gone }");
        world.mcp_server = mcp_server(&spec);
        world.outcome = Outcome::Rejected(validate(&world.mcp_server, &world.observed, &settings()).unwrap_err());
        world
    }

    /// A write was refused; the pods of the spec before serve.
    pub(super) fn failed(retry: bool) -> Self {
        let mut world = Self::settled();
        world.outcome = Outcome::Failed(Failed {
            stage: "apply Deployment".to_owned(),
            reason: Reason::ApiUnavailable,
            message: "the API server does not answer; it is tried again".to_owned(),
            retry,
        });
        world
    }

    fn applied(spec: &str) -> Self {
        Self::applied_in(spec, &Observed::default())
    }

    fn applied_in(spec: &str, known: &Observed) -> Self {
        let mcp_server = mcp_server(spec);
        let valid = validate(&mcp_server, known, &settings()).unwrap();
        Self { mcp_server, outcome: Outcome::Applied(Box::new(Applied { valid })), observed: Observed::default() }
    }

    /// All objects stand as desired.
    fn seen(spec: &str) -> Self {
        Self::seen_in(spec, &Observed::default())
    }

    fn seen_in(spec: &str, known: &Observed) -> Self {
        let mut world = Self::applied_in(spec, known);
        world.observed.children = children(&world.valid());
        world.observed.deployment = Some(ObservedDeployment {
            generation: 1,
            observed_generation: 1,
            replicas: 2,
            updated_replicas: 2,
            available_replicas: 2,
            ..ObservedDeployment::default()
        });
        world
    }

    fn serving(spec: &str) -> Self {
        Self::serving_in(spec, &Observed::default())
    }

    fn serving_in(spec: &str, known: &Observed) -> Self {
        let mut world = Self::seen_in(spec, known);
        world.observed.pods = vec![pod(&world.valid(), 0), pod(&world.valid(), 1)];
        for index in 0..2 {
            world.answers(index);
        }
        world
    }

    fn valid(&self) -> ValidServer {
        match &self.outcome {
            Outcome::Applied(applied) => applied.valid.clone(),
            _ => panic!("only of what was applied"),
        }
    }

    pub(super) fn status(&self) -> McpServerStatus {
        self.status_at(at(100))
    }

    pub(super) fn status_at(&self, now: Timestamp) -> McpServerStatus {
        status(&self.mcp_server, &self.outcome, &self.observed, now)
    }

    pub(super) fn deployment(&mut self) -> &mut ObservedDeployment {
        self.observed.deployment.as_mut().unwrap()
    }

    pub(super) fn deployment_condition(&mut self, type_: &str, holds: bool, reason: &str, message: &str) {
        let [type_, reason, message] = [type_, reason, message].map(str::to_owned);
        self.deployment().conditions.push(DeploymentCondition { type_, holds, reason, message });
    }

    pub(super) fn forget_child(&mut self, kind: &str) {
        self.observed.children.retain(|child| child.kind.as_str() != kind);
    }

    pub(super) fn pod(&mut self, index: usize) -> &mut ObservedPod {
        &mut self.observed.pods[index]
    }

    pub(super) fn verification(&mut self, index: usize) -> &mut PodVerification {
        self.pod(index).verification.as_mut().unwrap()
    }

    pub(super) fn report(&mut self, index: usize) -> &mut GatewayReport {
        self.verification(index).report.as_mut().unwrap()
    }

    /// The pod is ready and answers as it should.
    pub(super) fn answers(&mut self, index: usize) {
        let verification = verification(&self.valid());
        let pod = self.pod(index);
        pod.ready = true;
        pod.verification = Some(verification);
    }

    /// What a pod reports of the Redis.
    pub(super) fn redis(&mut self, index: usize, state: RedisState, connected_once: bool, last_error: Option<&str>) {
        let last_error = last_error.map(str::to_owned);
        self.report(index).redis = Some(RedisReport { state, connected_once, last_error });
    }

    /// What a pod reports of its first upstream, `search`.
    pub(super) fn search(&mut self, index: usize) -> &mut UpstreamReport {
        &mut self.report(index).upstreams[0]
    }

    /// The policy of this spec for so many replicas is what the pod has in force.
    pub(super) fn policy_of_replicas(&mut self, index: usize, replicas: u32) {
        let policy = GatewayPolicy { replicas, ..self.valid().policy };
        self.report(index).policy_revision = revision(policy.to_json().as_bytes());
    }

    pub(super) fn issuer(&mut self, index: usize, state: KeySetState, last_error: Option<&str>) {
        let issuer = &mut self.report(index).issuers[0];
        issuer.state = state;
        issuer.last_error = last_error.map(str::to_owned);
    }
}

fn connected(name: &str) -> UpstreamReport {
    UpstreamReport {
        name: name.to_owned(),
        ready: true,
        connected_once: true,
        protocol_version: Some("2025-11-25".to_owned()),
        server_name: Some(format!("{name}-mcp")),
        server_version: Some("1.4.2".to_owned()),
        tools: 4,
        last_error: None,
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn answer(status: u16, www_authenticate: Option<&str>) -> UnauthenticatedAnswer {
    UnauthenticatedAnswer { status, www_authenticate: www_authenticate.map(str::to_owned) }
}

pub(super) fn metadata(resource: &str) -> MetadataAnswer {
    MetadataAnswer { status: 200, resource: Some(resource.to_owned()) }
}

/// A status as people see it: columns, then one line a condition.
pub(super) fn text(status: &McpServerStatus) -> String {
    let column = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let tools = status.tools.as_ref().map_or("-".to_owned(), |tools| tools.count.to_string());
    let mut lines = vec![format!(
        "url={} replicas={} tools={tools} eras={}",
        column(&status.url),
        column(&status.replicas_summary),
        column(&status.eras)
    )];
    for condition in &status.conditions {
        lines.push(format!("{}={} {} {}", condition.type_, condition.status, condition.reason, condition.message));
    }
    lines.join("\n")
}

fn pod(valid: &ValidServer, index: usize) -> ObservedPod {
    ObservedPod {
        name: format!("tools-7d9f-{index}"),
        uid: format!("uid-{index}"),
        ip: Some(format!("10.1.0.{index}")),
        config_revision: Some(valid.config_revision.clone()),
        image: Some(valid.image.reference.clone()),
        ..ObservedPod::default()
    }
}

fn verification(valid: &ValidServer) -> PodVerification {
    PodVerification {
        report: Ok(GatewayReport {
            version: REPORT_VERSION,
            config_revision: valid.config_revision.clone(),
            policy_revision: valid.policy_revision.clone(),
            server_version: "0.1.0".to_owned(),
            eras: vec!["2026-07-28".to_owned(), "2025-11-25".to_owned()],
            tools: ToolsReport { count: 3, digest: "40eff20147".to_owned() },
            issuers: vec![IssuerReport {
                issuer: "https://login".to_owned(),
                state: KeySetState::Ready,
                key_ids: Vec::new(),
                last_error: None,
            }],
            upstreams: Vec::new(),
            redis: None,
            file_problems: Vec::new(),
            draining: false,
        }),
        unauthenticated: Ok(answer(401, Some(CHALLENGE))),
        metadata: Ok(Some(metadata(&valid.endpoint.url))),
    }
}

fn children(valid: &ValidServer) -> Vec<ObservedChild> {
    let desired = desired(valid);
    desired.children().into_iter().map(|(kind, metadata)| child(kind, metadata.clone())).collect()
}

fn child(kind: ChildKind, metadata: ObjectMeta) -> ObservedChild {
    assert!(metadata.annotations.as_ref().unwrap().contains_key(DESIRED_HASH));
    ObservedChild { kind, metadata }
}

/// Something that happens to a world.
type Blow = fn(&mut World);

const BLOWS: [Blow; 26] = [
    |world| world.forget_child("Service"),
    |world| world.observed.children.clear(),
    |world| world.observed.deployment = None,
    |world| world.observed.pods.clear(),
    |world| drop(world.observed.pods.pop()),
    |world| world.observed.pods.iter_mut().for_each(|pod| pod.ready = false),
    |world| world.observed.pods.iter_mut().for_each(|pod| pod.verification = None),
    |world| world.observed.pods.iter_mut().take(1).for_each(|pod| pod.deleting = true),
    |world| world.observed.pods.iter_mut().take(1).for_each(|pod| pod.config_revision = None),
    |world| world.observed.pods.iter_mut().take(1).for_each(|pod| pod.waiting_reason = Some("ErrImagePull".to_owned())),
    |world| world.observed.pods.iter_mut().for_each(|pod| pod.restarted = true),
    |world| world.observed.pods.iter_mut().for_each(|pod| pod.volumes = Volumes::Late),
    |world| world.observed.deployment.iter_mut().for_each(|deployment| deployment.available_replicas = 1),
    |world| world.observed.deployment.iter_mut().for_each(|deployment| deployment.generation += 1),
    |world| {
        if world.observed.deployment.is_some() {
            world.deployment_condition("Progressing", false, "ProgressDeadlineExceeded", "");
        }
    },
    |world| verifications(world, |verification| verification.report = Err(HopError::TimedOut)),
    |world| verifications(world, |verification| verification.unauthenticated = Ok(answer(200, None))),
    |world| verifications(world, |verification| verification.metadata = Err(HopError::Unreadable)),
    |world| world.observed.redis.stateful_set.iter_mut().for_each(|redis| redis.ready_replicas = 0),
    |world| world.observed.redis.pods.iter_mut().for_each(|pod| pod.waiting_reason = Some("ErrImagePull".to_owned())),
    |world| reports(world, |report| report.redis.iter_mut().for_each(|redis| redis.state = RedisState::Failing)),
    |world| reports(world, |report| report.redis.iter_mut().for_each(|redis| redis.connected_once = false)),
    |world| reports(world, |report| report.policy_revision = "0000000000".to_owned()),
    |world| reports(world, |report| report.upstreams.iter_mut().for_each(|upstream| upstream.ready = false)),
    |world| reports(world, |report| report.upstreams.iter_mut().for_each(|upstream| upstream.connected_once = false)),
    |world| {
        reports(world, |report| {
            for issuer in &mut report.issuers {
                issuer.state = KeySetState::Stale;
            }
        });
    },
];

fn verifications(world: &mut World, change: fn(&mut PodVerification)) {
    world.observed.pods.iter_mut().filter_map(|pod| pod.verification.as_mut()).for_each(change);
}

fn reports(world: &mut World, change: fn(&mut GatewayReport)) {
    let verifications = world.observed.pods.iter_mut().filter_map(|pod| pod.verification.as_mut());
    verifications.filter_map(|verification| verification.report.as_mut().ok()).for_each(change);
}

/// Any world that has suffered up to three blows.
pub(super) fn any() -> impl Strategy<Value = World> {
    let starts: [fn() -> World; 14] = [
        World::just_applied,
        World::starting,
        World::settled,
        World::with_upstreams,
        || World::with_own_redis(true),
        || World::with_own_redis(false),
        World::with_users_redis,
        World::open,
        World::hanging_rollout,
        World::for_service_accounts,
        World::scaled_to_zero,
        World::rejected,
        || World::failed(true),
        || World::failed(false),
    ];
    let start = prop::sample::select(starts.to_vec());
    (start, prop::collection::vec(prop::sample::select(BLOWS.to_vec()), 0..4)).prop_map(|(start, blows)| {
        let mut world = start();
        for blow in blows {
            blow(&mut world);
        }
        world
    })
}
