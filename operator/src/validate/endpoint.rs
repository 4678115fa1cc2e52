//! `publicUrl`, taken apart; or the URL inside the cluster where none is given.
//!
//! CEL has these rules too. They are repeated because host and path end up in an Ingress, and because
//! tokens travel to this URL: a cluster whose CRD is older must not be served less strictly.

use crds::{conditions::Reason, mcp_server::McpServerSpec};
use url::{Host, Url};

use super::{Checked, Endpoint, Invalid, OperatorSettings, identity::Identity};

const FIELD: &str = "spec.publicUrl";

/// The endpoint of `spec`. Default: `http://<name>.<namespace>.svc/mcp`.
pub(super) fn endpoint(spec: &McpServerSpec, identity: &Identity, settings: &OperatorSettings) -> Checked<Endpoint> {
    let Some(public_url) = &spec.public_url else {
        return without_public_url(spec, identity);
    };
    let endpoint = parse(public_url, &settings.cluster_domain).map_err(|problem| vec![wrong(problem)])?;
    let has_ingress = spec.expose.as_ref().is_some_and(|expose| expose.ingress.is_some());
    if has_ingress && !matches!(Host::parse(&endpoint.host), Ok(Host::Domain(_))) {
        return Err(vec![wrong("has an address as host, which an Ingress cannot route")]);
    }
    if spec.expose.is_some() && !settings.host_policy.allows(&identity.namespace, &endpoint.host) {
        return Err(vec![not_allowed(&endpoint.host, &identity.namespace)]);
    }
    Ok(endpoint)
}

fn without_public_url(spec: &McpServerSpec, identity: &Identity) -> Checked<Endpoint> {
    if spec.expose.is_some() {
        return Err(vec![wrong("is missing, and host and path of the route come from it")]);
    }
    let host = format!("{}.{}.svc", identity.name, identity.namespace);
    let origin = format!("http://{host}");
    Ok(Endpoint { url: format!("{origin}/mcp"), origin, host, path: "/mcp".to_owned() })
}

fn not_allowed(host: &str, namespace: &str) -> Invalid {
    Invalid::new(
        Reason::HostNotAllowed,
        FIELD,
        format!("has the host `{host}`, which the operator's host policy keeps from namespace `{namespace}`"),
        "choose a host that is allowed, or ask who runs the operator",
    )
}

fn wrong(problem: &str) -> Invalid {
    Invalid::spec(FIELD, problem, "set it to a URL such as https://mcp.example.com/mcp")
}

fn parse(public_url: &str, cluster_domain: &str) -> Result<Endpoint, &'static str> {
    let url = Url::parse(public_url).map_err(|_| "is no URL")?;
    let host = url.host_str().ok_or("has no host")?;
    match url.scheme() {
        "https" => {}
        "http" if stays_inside(host, cluster_domain) => {}
        "http" => return Err("is http beyond localhost and the cluster, where anybody could read tokens"),
        _ => return Err("is neither https nor http"),
    }
    let path = url.path().trim_end_matches('/');
    let origin = url.origin().ascii_serialization();
    // Whatever the parser dropped, escaped or normalised (user, query, fragment, `..`, upper case, a trailing slash)
    // would make two spellings of one resource: only the URL that reads back as itself is taken.
    if format!("{origin}{path}") != public_url {
        return Err("holds more than scheme://host[:port]/path in its plainest spelling");
    }
    if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte)) {
        return Err("has a path with characters beyond letters, digits and ._~-");
    }
    if path == "/health" || path.starts_with("/.") || path.contains("//") {
        return Err("has a path that is taken or not plain");
    }
    Ok(Endpoint { url: public_url.to_owned(), host: host.to_owned(), path: path.to_owned(), origin })
}

/// `localhost`, or a name that only the cluster's DNS answers.
fn stays_inside(host: &str, cluster_domain: &str) -> bool {
    let in_cluster = [".svc".to_owned(), format!(".svc.{cluster_domain}")];
    matches!(host, "localhost" | "127.0.0.1") || in_cluster.iter().any(|suffix| host.ends_with(suffix.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_are_taken_apart() {
        for (url, host, path) in [
            ("https://mcp.example.com/mcp", "mcp.example.com", "/mcp"),
            ("https://mcp.example.com", "mcp.example.com", ""),
            ("https://mcp.example.com:8443/team/a", "mcp.example.com", "/team/a"),
            ("http://localhost:8080/mcp", "localhost", "/mcp"),
            ("http://tools.demo.svc/mcp", "tools.demo.svc", "/mcp"),
            ("http://tools.demo.svc.home.arpa/mcp", "tools.demo.svc.home.arpa", "/mcp"),
        ] {
            let endpoint = parse(url, "home.arpa").unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.path.as_str(), endpoint.url.as_str()), (host, path, url));
        }
    }

    #[test]
    fn what_could_be_spelled_in_two_ways_or_read_on_the_way_is_refused() {
        for url in [
            "mcp.example.com/mcp",
            "ftp://mcp.example.com/mcp",
            "http://mcp.example.com/mcp",
            "http://evil.svc.example.com/mcp",
            "https://user@mcp.example.com/mcp",
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/",
            "https://mcp.example.com:443/mcp",
            "https://MCP.example.com/mcp",
            "https://mcp.example.com/mcp?a=1",
            "https://mcp.example.com/mcp#a",
            "https://mcp.example.com/a/../mcp",
            "https://mcp.example.com/a//b",
            "https://mcp.example.com/{a}",
            "https://mcp.example.com/a;b",
            "https://mcp.example.com/a%2fb",
            "https://mcp.example.com/health",
            "https://mcp.example.com/.well-known/x",
        ] {
            assert!(parse(url, "cluster.local").is_err(), "{url}");
        }
    }
}
