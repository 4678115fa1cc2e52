//! `spec.auth`: who may call. The one place where a mistake would open the endpoint, so every rule of
//! CEL is repeated here.

use std::collections::BTreeSet;

use crds::{
    gateway_config::{self, AuthConfig, IssuerConfig, KeyFile},
    mcp_server::{Auth, AuthMode, Issuer},
};
use url::Url;

use super::{
    Checked, Endpoint, Invalid, IssuerCa, OperatorSettings,
    ca_bundle::ca_bundle,
    identity::Identity,
    issuers, keep,
    service_accounts::{self, uses_preset},
};
use crate::observed::Observed;

/// What is left of `spec.auth`.
pub(super) struct ValidAuth {
    pub(super) config: AuthConfig,
    pub(super) issuer_cas: Vec<IssuerCa>,
    pub(super) service_account_keys: Option<KeyFile>,
}

/// Whose tokens are accepted. `endpoint` is `None` while it is invalid itself.
pub(super) fn auth(
    auth: &Auth,
    identity: &Identity,
    endpoint: Option<&Endpoint>,
    observed: &Observed,
    settings: &OperatorSettings,
) -> Checked<ValidAuth> {
    let mut invalid = Vec::new();
    let issuer_cas = keep(&mut invalid, issuer_cas(auth, &identity.namespace, observed)).unwrap_or_default();
    keep(&mut invalid, mode(auth));
    keep(&mut invalid, named_once_and_over_tls(auth));
    keep(&mut invalid, documents(auth));
    let keys = keep(&mut invalid, service_accounts::service_account_keys(auth, endpoint, observed, settings));
    let issuers = keep(&mut invalid, issuers::issuers(auth, endpoint, &issuer_cas));
    match (issuers, keys) {
        (Some(issuers), Some(service_account_keys)) if invalid.is_empty() => {
            Ok(ValidAuth { config: config(auth, issuers), issuer_cas, service_account_keys })
        }
        _ => Err(invalid),
    }
}

fn config(auth: &Auth, issuers: Vec<IssuerConfig>) -> AuthConfig {
    // Without `..`: a new field does not compile until somebody writes it into the file.
    let Auth { mode, insecure_allow_unauthenticated, issuers: _, root_metadata, issuer_metadata_mirror } = auth;
    AuthConfig {
        mode: match mode {
            AuthMode::OAuth => gateway_config::AuthMode::OAuth,
            AuthMode::None => gateway_config::AuthMode::None,
        },
        insecure_allow_unauthenticated: *insecure_allow_unauthenticated == Some(true),
        issuers,
        root_metadata: *root_metadata == Some(true),
        issuer_metadata_mirror: *issuer_metadata_mirror == Some(true),
    }
}

/// Running open takes two fields, and running closed takes an issuer. Source: auth.md, `refuse-open`.
fn mode(auth: &Auth) -> Checked<()> {
    let open = auth.insecure_allow_unauthenticated == Some(true);
    let contradiction = match auth.mode {
        AuthMode::OAuth if open => {
            Invalid::spec("spec.auth.insecureAllowUnauthenticated", "contradicts mode OAuth", "remove it")
        }
        AuthMode::OAuth if auth.issuers.is_empty() => Invalid::spec(
            "spec.auth.issuers",
            "is empty, so that nobody could call",
            "add an issuer: [{ issuer: https://... }]",
        ),
        AuthMode::None if !open => Invalid::spec(
            "spec.auth.mode",
            "is None without insecureAllowUnauthenticated: true",
            "use mode OAuth with issuers, or set both to serve everybody",
        ),
        AuthMode::None if !auth.issuers.is_empty() => {
            Invalid::spec("spec.auth.issuers", "would be ignored with mode None", "remove the issuers or the mode")
        }
        AuthMode::OAuth | AuthMode::None => return Ok(()),
    };
    Err(vec![contradiction])
}

/// Each issuer is named once and its keys come over TLS.
fn named_once_and_over_tls(auth: &Auth) -> Checked<()> {
    let mut seen = BTreeSet::new();
    let invalid: Vec<Invalid> = auth
        .issuers
        .iter()
        .enumerate()
        .filter_map(|(index, issuer)| {
            let field = |name: &str| format!("spec.auth.issuers[{index}].{name}");
            if !seen.insert(&issuer.issuer) {
                return Some(Invalid::spec(field("issuer"), "is named twice", "merge the two entries"));
            }
            keys_url(issuer, &field)
        })
        .collect();
    none(invalid)
}

fn keys_url(issuer: &Issuer, field: &impl Fn(&str) -> String) -> Option<Invalid> {
    let (name, url) = match &issuer.jwks_uri {
        Some(jwks_uri) => ("jwksUri", jwks_uri),
        None => ("issuer", &issuer.issuer),
    };
    let fix = "set jwksUri to the https URL of the issuer's keys, or issuer to its https URL";
    let problem = match Url::parse(url) {
        Ok(url) if url.scheme() != "https" || !url.has_host() => "is no https URL, so that keys could not be trusted",
        // What the gateway's own client refuses too, when it is too late to tell anybody.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "holds a user name or a password",
        Ok(url) if url.fragment().is_some() => "has a fragment",
        Ok(_) => return None,
        Err(_) => "is no https URL, so that keys could not be trusted",
    };
    Some(Invalid::spec(field(name), problem, fix))
}

/// Documents beside the endpoint's own metadata: there must be something to serve, and one of it.
fn documents(auth: &Auth) -> Checked<()> {
    let mut invalid = Vec::new();
    if auth.root_metadata == Some(true) && auth.mode == AuthMode::None {
        let problem = "would be ignored with mode None, under which there is no metadata";
        invalid.push(Invalid::spec("spec.auth.rootMetadata", problem, "remove it, or use mode OAuth with issuers"));
    }
    let has_one_document = match auth.issuers.as_slice() {
        [issuer] => issuer.jwks_uri.is_none() && !uses_preset(issuer) && issuer.issuer.starts_with("https://"),
        _ => false,
    };
    if auth.issuer_metadata_mirror == Some(true) && !has_one_document {
        let problem = "has no one document to mirror";
        let fix = "name exactly one issuer, an https URL without jwksUri and not of preset kubernetes, or remove it";
        invalid.push(Invalid::spec("spec.auth.issuerMetadataMirror", problem, fix));
    }
    none(invalid)
}

/// The CA bundles that issuers name, in the order of the issuers.
///
/// A bundle that is missing or broken never falls back to the system's roots.
fn issuer_cas(auth: &Auth, namespace: &str, observed: &Observed) -> Checked<Vec<IssuerCa>> {
    let mut cas = Vec::new();
    let mut invalid = Vec::new();
    for (index, issuer) in auth.issuers.iter().enumerate() {
        let Some(reference) = &issuer.ca_config_map_ref else { continue };
        let field = format!("spec.auth.issuers[{index}].caConfigMapRef");
        match ca_bundle(reference, &field, namespace, observed) {
            Ok(()) => cas.push(IssuerCa { index, config_map: reference.name.clone(), key: reference.key.clone() }),
            Err(reason) => invalid.push(reason),
        }
    }
    none(invalid).map(|()| cas)
}

fn none(invalid: Vec<Invalid>) -> Checked<()> {
    if invalid.is_empty() { Ok(()) } else { Err(invalid) }
}
