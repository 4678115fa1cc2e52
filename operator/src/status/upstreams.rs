//! What the pods say of the upstreams. Each pod has connections of its own, so each is asked.
//!
//! `Ready` needs every pod to have had the handshake of each upstream once; a loss after that is told, and takes away
//! nothing but the upstream's tools.

use crds::{
    conditions::Reason,
    gateway_report::{GatewayReport, UpstreamReport},
    mcp_server::UpstreamStatus,
};

use super::{
    concern::{Concern, foreign},
    gateways::{Finding, report, reports, together, unseen},
    progress::bounded,
};
use crate::{observed::ObservedPod, validate::ValidServer};

/// `UpstreamsReady`, of all pods; `None` without upstreams.
pub(super) fn upstreams(valid: &ValidServer, current: &[&ObservedPod]) -> Option<Concern> {
    let good = Concern::good(Reason::Connected, "every pod can call the tools of every upstream");
    (!valid.config.upstreams.is_empty())
        .then(|| together(valid, current, good, |valid, pod| of_pod(valid, pod, is_ready)))
}

/// What holds `Ready`: whether every pod has had each upstream's handshake.
pub(super) fn first_handshakes(valid: &ValidServer, current: &[&ObservedPod]) -> Concern {
    let good = Concern::good(Reason::Connected, "every pod has been connected to every upstream");
    if valid.config.upstreams.is_empty() {
        return good;
    }
    together(valid, current, good, |valid, pod| of_pod(valid, pod, |upstream| upstream.connected_once))
}

fn is_ready(upstream: &UpstreamReport) -> bool {
    upstream.ready
}

/// The worst of the upstreams in one pod. One that the report leaves out is no evidence.
fn of_pod(valid: &ValidServer, pod: &ObservedPod, is_fine: impl Fn(&UpstreamReport) -> bool) -> Finding {
    let report = match report(valid, pod) {
        Ok(report) => report,
        Err(concern) => return Some(concern),
    };
    let names = valid.config.upstreams.iter().map(|upstream| upstream.name.as_str());
    let findings = names.filter_map(|name| match named(report, name) {
        Some(upstream) if is_fine(upstream) => None,
        Some(upstream) => Some(unavailable(upstream)),
        None => Some(unseen(
            Reason::ReportUnreadable,
            format!(
                "the report says nothing about upstream `{name}`; use a server image that fits the operator's version"
            ),
        )),
    });
    let mut findings: Vec<Concern> = findings.collect();
    findings.sort_by_key(|concern| (concern.wrong, concern.reason, std::cmp::Reverse(concern.message.clone())));
    let mut worst = findings.pop()?;
    if !findings.is_empty() {
        let others = findings.len();
        worst.message = format!("{} (and {others} more, see status.upstreams)", worst.message);
    }
    Some(worst)
}

fn unavailable(upstream: &UpstreamReport) -> Concern {
    let name = &upstream.name;
    let fix = "check its url, that it speaks Streamable HTTP there, and that the gateway's pods may reach it";
    match &upstream.last_error {
        Some(why) => Concern::wrong(
            Reason::UpstreamUnavailable,
            format!("upstream `{name}` cannot be called ({}); {fix}", foreign(why)),
        ),
        // Lost a moment ago, and nothing has failed since.
        None if upstream.connected_once => {
            Concern::wrong(Reason::UpstreamUnavailable, format!("upstream `{name}` cannot be called; {fix}"))
        }
        None => Concern::waiting(format!("upstream `{name}` is being connected")),
    }
}

/// What the pods say together: ready only when all do, the fewest tools, and of the rest what they agree on.
pub(super) fn upstream_statuses(valid: &ValidServer, speaking: &[&ObservedPod]) -> Vec<UpstreamStatus> {
    valid.config.upstreams.iter().map(|upstream| merged(&upstream.name, speaking)).collect()
}

fn merged(name: &str, speaking: &[&ObservedPod]) -> UpstreamStatus {
    let all: Vec<Option<&UpstreamReport>> = reports(speaking).map(|report| named(report, name)).collect();
    let known: Vec<&UpstreamReport> = all.iter().copied().flatten().collect();
    let complete = !speaking.is_empty() && known.len() == speaking.len();
    let agreed = |read: fn(&UpstreamReport) -> Option<&String>, max: usize| {
        let mut said = known.iter().filter_map(|upstream| read(upstream));
        let first = said.next()?;
        said.all(|other| other == first).then(|| bounded(first, max))?
    };
    let mut errors: Vec<String> = known
        .iter()
        .filter(|upstream| !upstream.ready)
        .filter_map(|upstream| upstream.last_error.as_deref().map(foreign))
        .collect();
    errors.sort();
    UpstreamStatus {
        name: name.to_owned(),
        ready: complete && known.iter().all(|upstream| upstream.ready),
        protocol_version: agreed(|upstream| upstream.protocol_version.as_ref(), 64),
        server_name: agreed(|upstream| upstream.server_name.as_ref(), 256),
        server_version: agreed(|upstream| upstream.server_version.as_ref(), 256),
        tools: known.iter().map(|upstream| i64::from(upstream.tools)).min().unwrap_or(0),
        last_error: errors.into_iter().find(|error| !error.is_empty()),
    }
}

fn named<'a>(report: &'a GatewayReport, name: &str) -> Option<&'a UpstreamReport> {
    report.upstreams.iter().find(|upstream| upstream.name == name)
}
