//! Findings after a run that changed nothing, or not everything: what was there before goes on.

use crds::{
    McpServer,
    conditions::{ConditionType, Reason},
    mcp_server::RedisMode,
};

use super::{
    Failed, Findings,
    concern::Concern,
    progress::{agreed, bounded, tools},
};
use crate::{
    observed::{Observed, ObservedPod},
    validate::Invalid,
};

/// The spec cannot be run.
pub(super) fn rejected(mcp_server: &McpServer, invalid: &[Invalid], observed: &Observed) -> Findings {
    let sentences: Vec<String> = invalid.iter().map(Invalid::sentence).collect();
    let message = sentences.join(". ");
    let reason = invalid.first().map_or(Reason::InvalidSpec, |first| first.reason);
    let passes = invalid.iter().all(Invalid::passes) && !invalid.is_empty();
    let why = if passes { Concern::wrong(reason, message) } else { Concern::stuck(reason, message) };
    held(mcp_server, Reason::SpecRejected, why.clone(), why, observed)
}

/// The spec is good, the world refused.
pub(super) fn failed(mcp_server: &McpServer, failed: &Failed, observed: &Observed) -> Findings {
    let message = format!("{}: {}", failed.stage, failed.message);
    let why =
        if failed.retry { Concern::wrong(failed.reason, message) } else { Concern::stuck(failed.reason, message) };
    let spec_valid = match failed.reason {
        // The run may have ended anywhere, also before the spec was judged.
        Reason::InternalError | Reason::DeadlineExceeded => {
            Concern::unknown(Reason::NotApplied, "the run ended before it could be said")
        }
        _ => Concern::good(Reason::Valid, "the spec can be run"),
    };
    held(mcp_server, Reason::NotApplied, spec_valid, why, observed)
}

fn held(mcp_server: &McpServer, unseen: Reason, spec_valid: Concern, why: Concern, observed: &Observed) -> Findings {
    let staying: Vec<&ObservedPod> = observed.pods.iter().filter(|pod| !pod.deleting).collect();
    let not_looked_at = || Concern::unknown(unseen, "not looked at: what was applied before, if anything, is held");
    let mut concerns = vec![
        (ConditionType::SpecValid, spec_valid),
        (ConditionType::WorkloadAvailable, workload(&staying)),
        (ConditionType::AuthReady, not_looked_at()),
        (ConditionType::PolicyInForce, not_looked_at()),
    ];
    if mcp_server.spec.expose.as_ref().is_some_and(|expose| expose.ingress.is_some()) {
        concerns.push((ConditionType::IngressReady, not_looked_at()));
    }
    if !mcp_server.spec.upstreams.is_empty() {
        concerns.insert(4, (ConditionType::UpstreamsReady, not_looked_at()));
    }
    if mcp_server.spec.redis.mode != RedisMode::None {
        let after_upstreams = if mcp_server.spec.upstreams.is_empty() { 4 } else { 5 };
        concerns.insert(after_upstreams, (ConditionType::RedisReady, not_looked_at()));
    }
    concerns.push((ConditionType::LegacyStreams, not_looked_at()));
    // A spec that is held is not asked about: after a restart the pods' own words of before are all there is.
    let unasked = staying.iter().any(|pod| pod.verification.is_none());
    let standing = mcp_server.status.clone().filter(|_| unasked).unwrap_or_default();
    Findings {
        concerns,
        not_ready: Some(why),
        degraded: None,
        at_work: true,
        ready_message: String::new(),
        // The URL of a spec that is not in force leads nowhere.
        url: None,
        replicas_summary: Some(format!("0/{}", mcp_server.spec.replicas)),
        config_revision: agreed(&staying, |report| bounded(&report.config_revision, 64)).or(standing.config_revision),
        policy_revision: agreed(&staying, |report| bounded(&report.policy_revision, 64)).or(standing.policy_revision),
        eras: agreed(&staying, |report| bounded(&report.eras.join(","), 512)).or(standing.eras),
        tools: agreed(&staying, tools).or(standing.tools),
        // Of what was applied before nobody knows the upstreams: what was seen of them stays.
        upstreams: mcp_server.status.as_ref().map(|status| status.upstreams.clone()).unwrap_or_default(),
        // What was begun goes on when the spec can be run again.
        secrets: mcp_server.status.as_ref().and_then(|status| status.secrets.clone()),
        last_handled_rotate_at: mcp_server.status.as_ref().and_then(|status| status.last_handled_rotate_at.clone()),
    }
}

fn workload(staying: &[&ObservedPod]) -> Concern {
    match staying.iter().filter(|pod| pod.ready).count() {
        0 => Concern::wrong(Reason::NothingServes, "no pod is ready"),
        ready => {
            Concern::good(Reason::LastAcceptedSpecServes, format!("{ready} pods of what was applied before serve"))
        }
    }
}
