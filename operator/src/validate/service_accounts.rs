//! Preset `kubernetes`: ServiceAccount tokens of this cluster, with the keys that the API server gave.
//!
//! The gateway never talks to the API server: its keys come in a mounted file. So the one issuer that this can be is the
//! API server's own, and what it signs for itself must not open anything else.

use crds::{
    conditions::Reason,
    gateway_config::KeyFile,
    mcp_server::{Auth, Issuer, Preset},
};

use super::{Checked, Endpoint, Invalid, OperatorSettings};
use crate::observed::{KeysUnavailable, Observed, ServiceAccountKeys};

/// In which steps the time in the key file goes on, in seconds. The time is that of the fetch, cut down to a step: so
/// every run and every operator writes the same bytes for hours, and the keys count as older than they are, never as younger.
/// Chosen: of a day that keys may serve, a step and the hour between two fetches leave 17 h in which nothing need work.
const STAMP_STEP_SECONDS: i64 = 6 * 3600;

/// The least that `maxKeyAgeSeconds` may be beside this preset. Chosen: twice the step, so that one missed fetch ends nobody.
const MIN_KEY_AGE_SECONDS: i64 = 2 * STAMP_STEP_SECONDS;

/// The names of the API server that its tokens are for unless another audience is asked for. Source: the default of
/// `--api-audiences` is the issuer; kubeadm and others use these.
const API_SERVER: &str = "https://kubernetes.default.svc";

/// The key file, when an issuer has the preset. `endpoint` is `None` while it is invalid itself.
pub(super) fn service_account_keys(
    auth: &Auth,
    endpoint: Option<&Endpoint>,
    observed: &Observed,
    settings: &OperatorSettings,
) -> Checked<Option<KeyFile>> {
    let mut invalid = Vec::new();
    let mut file = None;
    for (index, issuer) in auth.issuers.iter().enumerate().filter(|(_, issuer)| uses_preset(issuer)) {
        let field = |name: &str| format!("spec.auth.issuers[{index}].{name}");
        invalid.extend(fetched_otherwise(issuer, &field));
        invalid.extend(too_short(issuer, &field));
        invalid.extend(api_servers_audience(issuer, endpoint, settings, &field));
        invalid.extend(open_prefixes(issuer, &field));
        match keys_of(auth, observed, &field) {
            Ok(keys) => file = Some(key_file(keys)),
            Err(reason) => invalid.push(reason),
        }
    }
    if invalid.is_empty() { Ok(file) } else { Err(invalid) }
}

/// Whether the keys of an issuer come from the operator.
pub(super) fn uses_preset(issuer: &Issuer) -> bool {
    issuer.preset == Some(Preset::Kubernetes)
}

/// A rule of CEL too: of two sources of keys one would be left out without a word.
fn fetched_otherwise(issuer: &Issuer, field: &impl Fn(&str) -> String) -> Option<Invalid> {
    let name = match (&issuer.jwks_uri, &issuer.ca_config_map_ref) {
        (Some(_), _) => "jwksUri",
        (None, Some(_)) => "caConfigMapRef",
        (None, None) => return None,
    };
    Some(Invalid::spec(
        field(name),
        "has no place beside preset kubernetes: the operator asks for the keys",
        "remove it",
    ))
}

fn too_short(issuer: &Issuer, field: &impl Fn(&str) -> String) -> Option<Invalid> {
    let age = i64::from(issuer.max_key_age_seconds?);
    (age < MIN_KEY_AGE_SECONDS).then(|| {
        Invalid::spec(
            field("maxKeyAgeSeconds"),
            format!(
                "is shorter than keys of preset kubernetes need, which are written anew after {STAMP_STEP_SECONDS} s"
            ),
            format!("leave it out, or set {MIN_KEY_AGE_SECONDS} at least"),
        )
    })
}

/// Tokens for the API server lie in pods of every namespace, put there without anybody's asking.
fn api_servers_audience(
    issuer: &Issuer,
    endpoint: Option<&Endpoint>,
    settings: &OperatorSettings,
    field: &impl Fn(&str) -> String,
) -> Option<Invalid> {
    let with_domain = format!("{API_SERVER}.{}", settings.cluster_domain);
    let own =
        [issuer.issuer.as_str(), API_SERVER, with_domain.as_str(), "https://kubernetes.default.svc.cluster.local"];
    let (field, fix) = if issuer.audiences.is_empty() {
        own.contains(&endpoint?.url.as_str())
            .then_some(("spec.publicUrl".to_owned(), "name this endpoint's own host"))?
    } else {
        let index = issuer.audiences.iter().position(|audience| own.contains(&audience.as_str()))?;
        (field(&format!("audiences[{index}]")), "leave audiences out, and ask for tokens for the publicUrl")
    };
    let problem = "is an audience of the API server's own, so that the token of any pod would be taken";
    Some(Invalid::spec(field, problem, fix))
}

/// A prefix that ends inside the name of a namespace means others as well, which anybody may make.
fn open_prefixes(issuer: &Issuer, field: &impl Fn(&str) -> String) -> Vec<Invalid> {
    let mappings = issuer.scope_mappings.iter().flatten().enumerate();
    let open = mappings.filter_map(|(index, mapping)| {
        let prefix = mapping.prefix.as_deref().filter(|_| mapping.claim_path == "sub")?;
        let namespace = prefix.strip_prefix("system:serviceaccount:")?;
        let is_whole = namespace.is_empty() || namespace.contains(':');
        (!is_whole).then(|| {
            Invalid::spec(
                field(&format!("scopeMappings[{index}].prefix")),
                "ends inside the name of a namespace, so that it means other namespaces too",
                format!("end it with a colon: `{prefix}:`"),
            )
        })
    });
    open.collect()
}

/// The keys of the API server, when the issuer is its own, or stands beside one that is: after a change of the issuer pods have
/// tokens of both for a while, and the keys are the same.
fn keys_of<'a>(
    auth: &Auth,
    observed: &'a Observed,
    field: &impl Fn(&str) -> String,
) -> Result<&'a ServiceAccountKeys, Invalid> {
    let unavailable = match &observed.service_account_keys {
        Some(Ok(keys)) if auth.issuers.iter().any(|one| uses_preset(one) && one.issuer == keys.issuer) => {
            return Ok(keys);
        }
        Some(Ok(keys)) => {
            return Err(Invalid::new(
                Reason::WrongServiceAccountIssuer,
                field("issuer"),
                "is not the issuer of this cluster's ServiceAccount tokens",
                format!("set it to `{}`", keys.issuer),
            ));
        }
        Some(Err(unavailable)) => *unavailable,
        None => KeysUnavailable::Unreachable,
    };
    let (reason, problem, fix) = match unavailable {
        KeysUnavailable::Forbidden => (
            Reason::AccessDenied,
            "the API server does not show its keys to the operator",
            "bind the ClusterRole system:service-account-issuer-discovery to the operator's ServiceAccount",
        ),
        KeysUnavailable::NotServed => (
            Reason::ServiceAccountKeysUnavailable,
            "the API server does not publish its keys",
            "start it with --service-account-issuer set to an https URL",
        ),
        KeysUnavailable::Unreadable => (
            Reason::ServiceAccountKeysUnavailable,
            "what the API server publishes as its keys cannot be used",
            "look at kubectl get --raw /openid/v1/jwks",
        ),
        KeysUnavailable::Unreachable => (
            Reason::ApiUnavailable,
            "the API server could not be asked for its keys yet",
            "wait, the operator tries again",
        ),
    };
    Err(Invalid::new(reason, field("preset"), problem, fix))
}

fn key_file(keys: &ServiceAccountKeys) -> KeyFile {
    let step = keys.fetched_at.rem_euclid(STAMP_STEP_SECONDS);
    KeyFile { fetched_at: keys.fetched_at - step, jwks: keys.jwks.clone() }
}

#[cfg(test)]
mod tests;
