//! `spec.upstreams`: where the gateway may be sent. The gateway checks each address that it connects to; what a spec says
//! in plain sight is refused here, so that its writer learns it.

use std::collections::BTreeSet;

use crds::{
    gateway_config::UpstreamConfig,
    mcp_server::{MAX_UPSTREAM_NAME_BYTES, MAX_UPSTREAM_TIMEOUT_SECONDS, McpServerSpec, Upstream},
};
use url::{Host, Url};

use super::{
    Checked, Endpoint, Invalid, OperatorSettings,
    files::service_names,
    hosts::{Place, never, place},
    identity::Identity,
};

/// What is wrong with a URL, and what to do about it.
type Problem = (&'static str, &'static str);

/// The upstreams by name: the configuration must not depend on their order. `endpoint` is `None` while it is invalid itself.
pub(super) fn upstreams(
    spec: &McpServerSpec,
    identity: &Identity,
    endpoint: Option<&Endpoint>,
    settings: &OperatorSettings,
) -> Checked<Vec<UpstreamConfig>> {
    let mut seen = BTreeSet::new();
    let mut invalid = Vec::new();
    for (index, upstream) in spec.upstreams.iter().enumerate() {
        let field = |name: &str| format!("spec.upstreams[{index}].{name}");
        if !is_name(&upstream.name) {
            let fix = "use at most 20 lower-case letters, digits and '-', a letter first";
            invalid.push(Invalid::spec(field("name"), "cannot stand before the names of tools", fix));
        } else if !seen.insert(&upstream.name) {
            invalid.push(Invalid::spec(field("name"), "is used twice", "give each upstream a name of its own"));
        }
        if let Err((problem, fix)) = check(&upstream.url, identity, endpoint, settings) {
            invalid.push(Invalid::spec(field("url"), problem, fix));
        }
    }
    if !invalid.is_empty() {
        return Err(invalid);
    }
    let mut configs: Vec<UpstreamConfig> = spec.upstreams.iter().map(config).collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(configs)
}

fn config(upstream: &Upstream) -> UpstreamConfig {
    let Upstream { name, url, timeout_seconds } = upstream.clone();
    UpstreamConfig {
        name,
        url,
        timeout_seconds: timeout_seconds.clamp(1, MAX_UPSTREAM_TIMEOUT_SECONDS).cast_unsigned(),
    }
}

/// An RFC 1035 label: without `_`, so that the first `__` of a tool's name ends it.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= MAX_UPSTREAM_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(plain)
}

fn check(
    text: &str,
    identity: &Identity,
    endpoint: Option<&Endpoint>,
    settings: &OperatorSettings,
) -> Result<(), Problem> {
    const PLAIN: &str = "set it to a URL such as https://search.example.com/mcp";
    let url = Url::parse(text).map_err(|_| ("is no URL", PLAIN))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(("is neither https nor http", PLAIN));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(("holds a user, a query or a fragment", PLAIN));
    }
    let host = url.host().ok_or(("has no host", PLAIN))?;
    let place = place(&host, settings);
    if let Some(problem) = never(place) {
        return Err((problem, fix(place)));
    }
    if place == Place::Private && !settings.allow_private_addresses {
        let problem = "is a private address, which this operator denies";
        return Err((problem, "name a public host, or ask who runs the operator"));
    }
    let own_path = |endpoint: &Endpoint| endpoint.path.trim_end_matches('/') == url.path().trim_end_matches('/');
    let own_url = |endpoint: &Endpoint| endpoint.origin == url.origin().ascii_serialization() && own_path(endpoint);
    let own_name = matches!(host, Host::Domain(name) if service_names(identity, settings).iter().any(|own| own == name.trim_end_matches('.')));
    if endpoint.is_some_and(own_url) || own_name {
        return Err(("leads back to this endpoint, which would call itself", ELSEWHERE));
    }
    Ok(())
}

const ELSEWHERE: &str = "name the address of an MCP server";

fn fix(place: Place) -> &'static str {
    match place {
        Place::OwnPod | Place::ApiServer | Place::Private | Place::Elsewhere => ELSEWHERE,
        Place::Loopback | Place::Forbidden => "name a host that is no loopback, link-local or metadata address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observed::Observed,
        validate::{
            tests::{mcp_server, settings},
            validate,
        },
    };

    #[test]
    fn upstreams_are_sorted_and_complete() {
        let spec = spec(
            "[{ name: wiki, url: 'http://wiki.team-b.svc:3000/mcp/', timeoutSeconds: 120 }, { name: search, url: 'https://search.example.com' }]",
        );
        let valid = validate(&mcp_server(&spec), &Observed::default(), &settings()).unwrap();
        let upstream = |name: &str, url: &str, timeout_seconds| UpstreamConfig {
            name: name.to_owned(),
            url: url.to_owned(),
            timeout_seconds,
        };
        let expected = [
            upstream("search", "https://search.example.com", 30),
            upstream("wiki", "http://wiki.team-b.svc:3000/mcp/", 120),
        ];
        assert_eq!(valid.config.upstreams, expected);
    }

    #[test]
    fn an_address_that_is_never_connected_to_is_refused_by_name() {
        for (url, problem) in [
            ("http://localhost:9090/mcp", "is the gateway's own pod"),
            ("http://tools.localhost./mcp", "is the gateway's own pod"),
            ("http://127.0.0.1/mcp", "is a loopback address: the gateway's own pod"),
            ("http://2130706433/mcp", "is a loopback address: the gateway's own pod"),
            ("http://0x7f.1/mcp", "is a loopback address: the gateway's own pod"),
            ("http://[::1]/mcp", "is a loopback address: the gateway's own pod"),
            ("http://[::ffff:127.0.0.1]/mcp", "is a loopback address: the gateway's own pod"),
            ("http://0.0.0.0/mcp", "is a loopback address: the gateway's own pod"),
            ("http://169.254.169.254/latest", "is a link-local or metadata address, which is never connected to"),
            ("http://[::ffff:169.254.169.254]/", "is a link-local or metadata address, which is never connected to"),
            ("http://100.100.100.200/", "is a link-local or metadata address, which is never connected to"),
            ("http://[fd00:ec2::254]/", "is a link-local or metadata address, which is never connected to"),
            ("http://[fe80::1]/", "is a link-local or metadata address, which is never connected to"),
            ("http://224.0.0.1/", "is a link-local or metadata address, which is never connected to"),
            ("https://kubernetes.default.svc/mcp", "is the Kubernetes API"),
            ("https://KUBERNETES.default.svc.cluster.local./mcp", "is the Kubernetes API"),
            ("https://10.96.0.1/mcp", "is the Kubernetes API"),
            ("https://mcp.example.com/mcp", "leads back to this endpoint, which would call itself"),
            ("https://mcp.example.com:443/mcp/", "leads back to this endpoint, which would call itself"),
            ("http://tools.demo.svc/other", "leads back to this endpoint, which would call itself"),
            ("http://tools/mcp", "leads back to this endpoint, which would call itself"),
            ("ftp://search.example.com/mcp", "is neither https nor http"),
            ("https://user@search.example.com/mcp", "holds a user, a query or a fragment"),
            ("https://search.example.com/mcp?key=1", "holds a user, a query or a fragment"),
            ("search.example.com/mcp", "is no URL"),
        ] {
            assert_eq!(
                problems(&format!("[{{ name: search, url: '{url}' }}]")),
                [("url".to_owned(), problem.to_owned())],
                "{url}"
            );
        }
    }

    #[test]
    fn other_endpoints_of_the_same_host_and_private_addresses_are_fine() {
        for url in [
            "https://mcp.example.com/other",
            "https://mcp.example.com:8443/mcp",
            "http://10.1.2.3/mcp",
            "https://kubernetes.example.com/mcp",
        ] {
            assert_eq!(problems(&format!("[{{ name: search, url: '{url}' }}]")), [], "{url}");
        }
    }

    #[test]
    fn private_addresses_are_for_the_operator_to_deny() {
        let spec = spec("[{ name: search, url: 'http://10.1.2.3/mcp' }]");
        let strict = OperatorSettings { allow_private_addresses: false, ..settings() };
        let invalid = validate(&mcp_server(&spec), &Observed::default(), &strict).unwrap_err();
        assert_eq!(invalid[0].problem, "is a private address, which this operator denies");
    }

    #[test]
    fn names_stand_before_tools_and_are_used_once() {
        for name in ["my_search", "Search", "-a", "a-", "2a", "abcdefghijklmnopqrstu", ""] {
            let found = problems(&format!("[{{ name: '{name}', url: 'https://search.example.com' }}]"));
            assert_eq!(found, [("name".to_owned(), "cannot stand before the names of tools".to_owned())], "{name}");
        }
        let twice = "[{ name: a, url: 'https://one.example.com' }, { name: a, url: 'https://two.example.com' }]";
        assert_eq!(problems(twice), [("name".to_owned(), "is used twice".to_owned())]);
    }

    fn problems(upstreams: &str) -> Vec<(String, String)> {
        let settings = OperatorSettings { api_server_host: Some("10.96.0.1".to_owned()), ..settings() };
        let verdict = validate(&mcp_server(&spec(upstreams)), &Observed::default(), &settings);
        let field = |invalid: &Invalid| invalid.field.rsplit('.').next().unwrap_or_default().to_owned();
        let invalid = verdict.err().unwrap_or_default();
        invalid.iter().map(|invalid| (field(invalid), invalid.problem.clone())).collect()
    }

    fn spec(upstreams: &str) -> String {
        format!(
            "{{ publicUrl: https://mcp.example.com/mcp, expose: {{ ingress: {{}} }}, auth: {{ issuers: [{{ issuer: https://login }}] }}, upstreams: {upstreams} }}"
        )
    }
}
