//! What the types cannot say: which values of a well-formed configuration can be served.
//!
//! Pure. The operator checks the same earlier; the process checks again, since it fails closed alone.

mod issuers;
mod redis;

use crds::gateway_config::{AuthConfig, AuthMode, GatewayConfig, IssuerConfig, UpstreamConfig};
use url::Url;

pub(super) use redis::settings as redis_settings;

/// A field whose value cannot be served.
pub(super) struct WrongField {
    /// Where: `auth.issuers[0].audiences`.
    pub(super) field: String,
    /// What is wrong, and what would be right.
    pub(super) problem: String,
}

impl WrongField {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Checks everything but `publicUrl`, which [`super::EndpointUrl`] reads.
pub(super) fn check(gateway: &GatewayConfig) -> Result<(), WrongField> {
    hosts(&gateway.accepted_hosts)?;
    origins(&gateway.allowed_origins)?;
    auth(&gateway.auth)?;
    upstreams(&gateway.upstreams)?;
    if let Some(endpoint) = &gateway.observability.otlp_endpoint
        && !is_http_url(endpoint)
    {
        let problem = "must be an `http://` or `https://` URL";
        return Err(WrongField::new("observability.otlpEndpoint", problem));
    }
    Ok(())
}

fn hosts(hosts: &[String]) -> Result<(), WrongField> {
    for (index, host) in hosts.iter().enumerate() {
        let parsed = Url::parse(&format!("http://{host}/"));
        let is_itself = parsed.is_ok_and(|url| url.host_str() == Some(host) && url.port().is_none());
        // Hosts are compared whole: a pattern would only look as if it matched.
        if host.contains('*') || !is_itself {
            let problem = "must be a host name in lower case, without a port and without `*`";
            return Err(WrongField::new(format!("acceptedHosts[{index}]"), problem));
        }
    }
    Ok(())
}

fn origins(origins: &[String]) -> Result<(), WrongField> {
    for (index, origin) in origins.iter().enumerate() {
        let parsed = Url::parse(origin);
        let is_itself = parsed.is_ok_and(|url| url.origin().ascii_serialization() == *origin);
        if origin.contains('*') || !is_itself {
            let problem = "must be an origin: `https://app.example.com`, in lower case, without a path and without `*`";
            return Err(WrongField::new(format!("allowedOrigins[{index}]"), problem));
        }
    }
    Ok(())
}

fn auth(auth: &AuthConfig) -> Result<(), WrongField> {
    let open = auth.insecure_allow_unauthenticated;
    match auth.mode {
        AuthMode::OAuth if open => {
            Err(WrongField::new("auth.insecureAllowUnauthenticated", "must be false under `mode: OAuth`"))
        }
        AuthMode::OAuth if auth.issuers.is_empty() => {
            Err(WrongField::new("auth.issuers", "must name at least one issuer under `mode: OAuth`"))
        }
        AuthMode::None if !open => Err(WrongField::new(
            "auth.insecureAllowUnauthenticated",
            "must be true under `mode: None`: serving without authentication takes both fields",
        )),
        AuthMode::None if !auth.issuers.is_empty() => {
            Err(WrongField::new("auth.issuers", "must be empty under `mode: None`"))
        }
        AuthMode::OAuth | AuthMode::None => {
            issuers::check(&auth.issuers)?;
            mirror(auth)
        }
    }
}

/// Of several issuers there is no telling whose metadata a client should have, and only discovery brings any.
fn mirror(auth: &AuthConfig) -> Result<(), WrongField> {
    let is_discovered = |issuer: &IssuerConfig| issuer.jwks_uri.is_none() && issuer.jwks_file.is_none();
    match auth.issuers.as_slice() {
        _ if !auth.issuer_metadata_mirror => Ok(()),
        [issuer] if is_discovered(issuer) => Ok(()),
        _ => Err(WrongField::new(
            "auth.issuerMetadataMirror",
            "needs exactly one issuer, without `jwksUri` and `jwksFile`: it serves what discovery brings",
        )),
    }
}

/// Name and URL are checked where the upstream is set up.
fn upstreams(upstreams: &[UpstreamConfig]) -> Result<(), WrongField> {
    for (index, upstream) in upstreams.iter().enumerate() {
        let field = |name: &str| format!("upstreams[{index}].{name}");
        if upstreams[..index].iter().any(|earlier| earlier.name == upstream.name) {
            return Err(WrongField::new(field("name"), "is named twice"));
        }
        if upstream.timeout_seconds == 0 {
            return Err(WrongField::new(field("timeoutSeconds"), "must be at least 1"));
        }
    }
    Ok(())
}

fn http_url(field: &str, text: &str) -> Result<(), WrongField> {
    if is_http_url(text) { Ok(()) } else { Err(WrongField::new(field, "must be an `https://` URL")) }
}

fn is_http_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
