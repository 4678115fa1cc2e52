//! `PolicyInForce`: which policy each pod that serves enforces, whatever configuration it was made with.
//!
//! The policy changes in place, so a tightened rule is in force before a rollout ends and beside one that hangs. What the
//! pods of before enforce matters as long as clients reach them.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use crds::{
    conditions::Reason,
    gateway_config::{GatewayPolicy, Versioned as _},
    gateway_report::GatewayReport,
    mcp_server::MAX_REPLICAS,
    revision::{REVISION_LENGTH, revision},
};

use super::{
    concern::{Concern, foreign},
    gateways::{Finding, any_report, report, worst},
};
use crate::{observed::ObservedPod, validate::ValidServer};

/// Other policies that a message names. Chosen: more than two at once is a test of patience, not a rollout.
const NAMED_OTHERS: usize = 3;

/// The policy of a spec with every other number of replicas. A pod that has one of them has the same rules and limits in force,
/// and what the number decides (streams of older clients) follows when the kubelet has brought the file. Else every scaling
/// would take `Ready` away for so long.
pub(super) struct Scales<'a> {
    policy: &'a GatewayPolicy,
    /// Made for the first pod with another revision: a hundred hashes are not for every run.
    revisions: OnceCell<BTreeSet<String>>,
}

impl<'a> Scales<'a> {
    pub(super) fn of(valid: &'a ValidServer) -> Self {
        Self { policy: &valid.policy, revisions: OnceCell::new() }
    }

    fn have(&self, policy_revision: &str) -> bool {
        let of = |replicas| revision(GatewayPolicy { replicas, ..self.policy.clone() }.to_json().as_bytes());
        self.revisions.get_or_init(|| (0..=MAX_REPLICAS).map(of).collect()).contains(policy_revision)
    }
}

/// `PolicyInForce`, of all pods that serve. `staying` are those of any configuration that are not on their way out.
pub(super) fn policy(valid: &ValidServer, scales: &Scales<'_>, staying: &[&ObservedPod]) -> Concern {
    if valid.replicas == 0 {
        return Concern::unknown(Reason::ScaledToZero, "there is no pod to ask");
    }
    let serving: Vec<&ObservedPod> = staying.iter().copied().filter(|pod| pod.ready).collect();
    if serving.is_empty() {
        return Concern::waiting("no pod serves yet");
    }
    let said = tally(valid, scales, &serving);
    let findings: Vec<Concern> = serving.iter().filter_map(|pod| policy_of(valid, scales, pod)).collect();
    match worst(&findings) {
        None => Concern::good(Reason::InForce, said),
        Some(worst) => Concern { message: format!("{said}; {}", worst.message), ..worst.clone() },
    }
}

/// Whether this pod enforces the policy of this spec; `None`: it does.
pub(super) fn policy_of(valid: &ValidServer, scales: &Scales<'_>, pod: &ObservedPod) -> Finding {
    let report = match own_report(valid, pod) {
        Ok(report) => report,
        Err(concern) => return Some(concern),
    };
    if is_of_spec(valid, scales, report) {
        return None;
    }
    Some(match report.file_problems.first() {
        Some(problem) => Concern::wrong(
            Reason::MountedFileProblem,
            format!("the policy of this spec is not in force everywhere: {}", foreign(problem)),
        ),
        None => Concern::waiting(
            "the kubelet has not given every pod the policy of this spec yet; it takes up to two minutes",
        ),
    })
}

/// A pod of this configuration must report it; one of before has its own.
fn own_report<'a>(valid: &ValidServer, pod: &'a ObservedPod) -> Result<&'a GatewayReport, Concern> {
    if is_current(valid, pod) { report(valid, pod) } else { any_report(pod) }
}

fn is_current(valid: &ValidServer, pod: &ObservedPod) -> bool {
    pod.config_revision.as_deref() == Some(valid.config_revision.as_str())
}

fn is_of_spec(valid: &ValidServer, scales: &Scales<'_>, report: &GatewayReport) -> bool {
    report.policy_revision == valid.policy_revision || scales.have(&report.policy_revision)
}

/// `policy 1a2b3c4d5e of this spec is enforced by 2 of 4 pods that serve (1 of them with a configuration of before), policy
/// 9f8e7d6c5b by 1, and 1 does not say which`
fn tally(valid: &ValidServer, scales: &Scales<'_>, serving: &[&ObservedPod]) -> String {
    let (mut in_force, mut of_before, mut silent) = (0, 0, 0);
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    for pod in serving {
        match own_report(valid, pod) {
            Ok(report) if is_of_spec(valid, scales, report) => {
                in_force += 1;
                of_before += usize::from(!is_current(valid, pod));
            }
            Ok(report) => *others.entry(named(&report.policy_revision)).or_default() += 1,
            Err(_) => silent += 1,
        }
    }
    let (policy, total) = (&valid.policy_revision, serving.len());
    let of_before = match of_before {
        0 => String::new(),
        some => format!(" ({some} of them with a configuration of before)"),
    };
    let enforced =
        format!("policy {policy} of this spec is enforced by {in_force} of {total} pods that serve{of_before}");
    let mut said = vec![enforced];
    said.extend(others.iter().take(NAMED_OTHERS).map(|(policy, count)| format!("{policy} by {count}")));
    let more: usize = others.values().skip(NAMED_OTHERS).sum();
    if more > 0 {
        said.push(format!("others by {more}"));
    }
    if silent > 0 {
        said.push(format!("and which by {silent} is not known"));
    }
    said.join(", ")
}

/// A revision as a pod says it, which may be anything.
fn named(revision: &str) -> String {
    let is_revision = revision.len() == REVISION_LENGTH && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_revision { format!("policy {revision}") } else { "one without a proper name".to_owned() }
}
