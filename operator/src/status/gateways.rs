//! What the pods themselves say and answer, judged hop by hop.
//!
//! A report is untrusted and may be a lie; what the endpoint answers to a request without a token is
//! evidence of its own. A pod that is not ready is on its way, unless it says what is wrong.

use crds::{
    conditions::Reason,
    gateway_config::{AuthMode, IssuerConfig},
    gateway_report::{GatewayReport, IssuerReport, KeySetState},
};

use super::{
    challenge,
    concern::{Concern, foreign},
    policy::{Scales, policy_of},
};
use crate::{
    desired::service_account_keys_name,
    observed::{HopError, MetadataAnswer, ObservedPod, PodVerification, UnauthenticatedAnswer},
    route::METADATA_PATH,
    validate::ValidServer,
};

/// `AuthReady`, of all pods.
pub(super) fn auth(valid: &ValidServer, current: &[&ObservedPod]) -> Concern {
    let good = match valid.config.auth.mode {
        AuthMode::OAuth => Concern::good(
            Reason::KeysLoaded,
            "every pod has the keys of every issuer, and refuses a request without a token as it should",
        ),
        AuthMode::None => Concern::good(
            Reason::AuthenticationDisabled,
            "warning: auth.mode is None, so that everybody who reaches the endpoint is served; set issuers to ask for tokens",
        ),
    };
    together(valid, current, good, auth_of)
}

/// Whether everything about this pod was seen to be right.
pub(super) fn is_verified(valid: &ValidServer, scales: &Scales<'_>, pod: &ObservedPod) -> bool {
    pod.ready && is_good(policy_of(valid, scales, pod)) && is_good(auth_of(valid, pod))
}

/// What pods complain about that does not stop them.
pub(super) fn file_problem(current: &[&ObservedPod]) -> Option<Concern> {
    let mut problems: Vec<&String> = reports(current).flat_map(|report| &report.file_problems).collect();
    problems.sort();
    let first = foreign(problems.first()?);
    Some(Concern::wrong(
        Reason::MountedFileProblem,
        format!("a mounted file cannot be used: {first}; correct its source"),
    ))
}

/// The reports that were read.
pub(super) fn reports<'a>(pods: &'a [&ObservedPod]) -> impl Iterator<Item = &'a GatewayReport> {
    pods.iter().filter_map(|pod| pod.verification.as_ref()?.report.as_ref().ok())
}

/// `None`: all is well.
pub(super) type Finding = Option<Concern>;

fn is_good(finding: Finding) -> bool {
    finding.is_none_or(|concern| concern.holds())
}

/// The worst of what holds for the pods; the number of pods that share it is part of the message.
pub(super) fn together(
    valid: &ValidServer,
    current: &[&ObservedPod],
    good: Concern,
    judge: impl Fn(&ValidServer, &ObservedPod) -> Finding,
) -> Concern {
    if valid.replicas == 0 {
        return Concern::unknown(Reason::ScaledToZero, "there is no pod to ask");
    }
    let findings: Vec<Concern> = current.iter().filter_map(|pod| judge(valid, pod)).collect();
    let wanted = usize::try_from(valid.replicas).unwrap_or_default();
    match worst(&findings) {
        Some(worst) if worst.wrong || worst.holds() => {
            let count = findings.iter().filter(|concern| concern.reason == worst.reason).count();
            let total = current.len();
            if worst.holds() && total < wanted {
                return Concern::waiting("not every pod of this revision has answered yet");
            }
            Concern { message: format!("{count} of {total} pods: {}", worst.message), ..worst.clone() }
        }
        Some(worst) => worst.clone(),
        None if current.len() < wanted => Concern::waiting("not every pod of this revision has answered yet"),
        None => good,
    }
}

/// What is to be told first.
pub(super) fn worst(findings: &[Concern]) -> Option<&Concern> {
    findings
        .iter()
        .max_by_key(|concern| (concern.stuck, concern.wrong, !concern.holds(), concern.reason, &concern.message))
}

/// The report of the configuration that was rolled out, or why there is none.
pub(super) fn report<'a>(valid: &ValidServer, pod: &'a ObservedPod) -> Result<&'a GatewayReport, Concern> {
    let report = any_report(pod)?;
    if report.config_revision != valid.config_revision {
        let fix = "delete the pod, a new one reads the configuration again";
        let what = "reports another configuration than it was made with";
        return Err(Concern::stuck(Reason::UnexpectedAnswer, format!("{what}; {fix}")));
    }
    Ok(report)
}

/// The report of a pod that stays, of whatever configuration, or why there is none.
pub(super) fn any_report(pod: &ObservedPod) -> Result<&GatewayReport, Concern> {
    let verification = asked(pod)?;
    let report = match &verification.report {
        Ok(report) => report,
        Err(_) if !pod.ready => return Err(Concern::waiting("not every pod of this revision is up yet")),
        Err(HopError::Unreadable) => {
            let fix = "use a server image that fits the operator's version";
            return Err(unseen(
                Reason::ReportUnreadable,
                format!("the report on the admin port cannot be read; {fix}"),
            ));
        }
        Err(HopError::Unreachable | HopError::TimedOut) => {
            let fix = "check that policies let the operator reach port 9090 of the pods";
            return Err(unseen(Reason::ReportUnavailable, format!("ready, but no report on the admin port; {fix}")));
        }
    };
    if report.draining {
        return Err(Concern::waiting("a pod is on its way out"));
    }
    Ok(report)
}

/// Something is wrong, and nobody can say whether the concern itself holds.
pub(super) fn unseen(reason: Reason, message: String) -> Concern {
    Concern { wrong: true, ..Concern::unknown(reason, message) }
}

fn asked(pod: &ObservedPod) -> Result<&PodVerification, Concern> {
    pod.verification.as_ref().ok_or_else(|| Concern::waiting("not every pod of this revision has answered yet"))
}

fn auth_of(valid: &ValidServer, pod: &ObservedPod) -> Finding {
    // The alarm comes first, whatever else a pod says of itself.
    let verification = match asked(pod) {
        Ok(verification) => verification,
        Err(concern) => return Some(concern),
    };
    if valid.config.auth.mode == AuthMode::OAuth && served(&verification.unauthenticated) {
        let what = "ALARM: a request without a token was served";
        let fix = "scale to 0, check spec.pod.image, and tell us";
        return Some(Concern::stuck(Reason::AuthenticationNotEnforced, format!("{what}; {fix}")));
    }
    let report = match report(valid, pod) {
        Ok(report) => report,
        Err(concern) => return Some(concern),
    };
    match keys(valid, report) {
        Some(concern) if !concern.holds() => Some(concern),
        // Stale keys are told, but only of an endpoint that answers as it should.
        stale => answers(valid, pod, verification).or(stale),
    }
}

fn served(answer: &Result<UnauthenticatedAnswer, HopError>) -> bool {
    answer.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status))
}

/// Every configured issuer must be in the report: one that is left out is no evidence.
fn keys(valid: &ValidServer, report: &GatewayReport) -> Finding {
    let issuers = valid.config.auth.issuers.iter();
    let findings = issuers.filter_map(|config| {
        let name = &config.issuer;
        match report.issuers.iter().find(|issuer| issuer.issuer == *name) {
            Some(issuer) => issuer_keys(issuer, &keys_fix(valid, config), report),
            None => Some(unseen(
                Reason::ReportUnreadable,
                format!(
                    "the report says nothing about issuer `{name}`; use a server image that fits the operator's version"
                ),
            )),
        }
    });
    findings.max_by_key(|concern| (concern.wrong, !concern.holds(), concern.reason))
}

/// Where the way of the keys can be broken.
fn keys_fix(valid: &ValidServer, issuer: &IssuerConfig) -> String {
    if issuer.jwks_file.is_some() {
        let config_map = service_account_keys_name(&valid.name);
        return format!(
            "check that the operator runs, which renews them in ConfigMap `{config_map}`, and what it logs about ServiceAccount tokens"
        );
    }
    let private = if issuer.allow_private_addresses { "" } else { ", its allowPrivateAddresses" };
    format!("check that the issuer can be reached from the namespace, its jwksUri{private} and its caConfigMapRef")
}

fn issuer_keys(issuer: &IssuerReport, fix: &str, report: &GatewayReport) -> Finding {
    let name = &issuer.issuer;
    let why = issuer.last_error.as_deref().map(foreign);
    let because = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    match issuer.state {
        KeySetState::Ready => None,
        KeySetState::Stale => Some(Concern::good(
            Reason::StaleKeys,
            format!("keys of issuer `{name}` are in use, but refreshing them fails{because}; {fix}"),
        )),
        KeySetState::Expired => Some(Concern::wrong(
            Reason::KeysExpired,
            format!("keys of issuer `{name}` are too old to be used{because}; {fix}"),
        )),
        KeySetState::Pending => Some(match (report.file_problems.first(), why) {
            (Some(problem), _) => Concern::wrong(
                Reason::MountedFileProblem,
                format!(
                    "keys of issuer `{name}` cannot be fetched, a mounted file cannot be used: {}",
                    foreign(problem)
                ),
            ),
            (None, Some(_)) => Concern::wrong(
                Reason::IssuerUnavailable,
                format!("keys of issuer `{name}` could not be fetched{because}; {fix}"),
            ),
            (None, None) => Concern::waiting(format!("the keys of issuer `{name}` are being fetched")),
        }),
    }
}

/// What a client without a token sees.
fn answers(valid: &ValidServer, pod: &ObservedPod, verification: &PodVerification) -> Finding {
    let answer = match &verification.unauthenticated {
        Ok(answer) => answer,
        Err(_) if !pod.ready => return Some(Concern::waiting("not every pod of this revision is up yet")),
        Err(_) => return Some(endpoint_unavailable()),
    };
    match (valid.config.auth.mode, answer.status) {
        (AuthMode::None, 200) => None,
        // 503 is what the endpoint answers until it has keys, and what it answered in the moment before.
        (_, 503) => Some(Concern::waiting("not every pod serves yet")),
        (AuthMode::OAuth, 401) => refusal(valid, answer, &verification.metadata, pod),
        (_, status) => Some(Concern::stuck(
            Reason::UnexpectedAnswer,
            format!(
                "a request without a token was answered with {status}; use a server image that fits the operator's version"
            ),
        )),
    }
}

fn endpoint_unavailable() -> Concern {
    let fix = "check that policies let the operator reach port 8080 of the pods";
    unseen(Reason::EndpointUnavailable, format!("ready, but no answer on the public port; {fix}"))
}

fn refusal(
    valid: &ValidServer,
    answer: &UnauthenticatedAnswer,
    metadata: &Result<Option<MetadataAnswer>, HopError>,
    pod: &ObservedPod,
) -> Finding {
    let url = format!("{}{METADATA_PATH}{}", valid.endpoint.origin, valid.endpoint.path);
    let header = answer.www_authenticate.as_deref().unwrap_or_default();
    if !challenge::leads_to(header, &url) {
        let fix = "use a server image that fits the operator's version";
        let what = format!("the challenge of a refusal does not name {url}");
        return Some(Concern::stuck(Reason::WrongChallenge, format!("{what}; {fix}")));
    }
    match metadata {
        Ok(Some(MetadataAnswer { status: 200, resource: Some(resource) })) if *resource == valid.endpoint.url => None,
        Err(HopError::Unreachable | HopError::TimedOut) if !pod.ready => {
            Some(Concern::waiting("not every pod of this revision is up yet"))
        }
        Err(HopError::Unreachable | HopError::TimedOut) => Some(endpoint_unavailable()),
        Ok(_) | Err(HopError::Unreadable) => Some(Concern::stuck(
            Reason::WrongResource,
            format!(
                "the metadata does not name {} as resource; use a server image that fits the operator's version",
                valid.endpoint.url
            ),
        )),
    }
}
