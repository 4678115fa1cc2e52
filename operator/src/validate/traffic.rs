//! Who may talk to the gateway's pods, and to which ports they talk: what the NetworkPolicy is made of.

use std::collections::BTreeSet;

use crds::mcp_server::{Expose, IpBlock, McpServerSpec};
use ipnet::IpNet;
use url::Url;

use super::{Checked, Clients, Invalid, OperatorSettings, RedisOutbound, Traffic, service_accounts::uses_preset};

const HTTPS_PORT: u16 = 443;

pub(super) fn traffic(spec: &McpServerSpec, settings: &OperatorSettings) -> Checked<Traffic> {
    let mut invalid = Vec::new();
    let clients = super::keep(&mut invalid, clients(spec.expose.as_ref()));
    let outbound_ports = super::keep(&mut invalid, outbound_ports(spec));
    let (Some(clients), Some(outbound_ports)) = (clients, outbound_ports) else {
        return Err(invalid);
    };
    Ok(Traffic {
        operator_namespace: settings.operator_namespace.clone(),
        operator_pod_labels: settings.operator_pod_labels.clone(),
        scraper_namespace_labels: settings.scraper_namespace_labels.clone(),
        clients,
        outbound_ports,
        // Depends on the configuration as a whole, and on who is there: filled in at the end.
        redis: RedisOutbound::default(),
    })
}

fn clients(expose: Option<&Expose>) -> Checked<Clients> {
    let Some(expose) = expose else { return Ok(Clients::OwnNamespace) };
    if expose.from.is_empty() {
        return Ok(Clients::Everyone);
    }
    let mut invalid = Vec::new();
    for (index, peer) in expose.from.iter().enumerate() {
        let field = format!("spec.expose.from[{index}]");
        let by_label = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        match &peer.ip_block {
            Some(block) if !by_label => invalid.extend(addresses(block, &field)),
            None if by_label => {}
            _ => invalid.push(Invalid::spec(
                field,
                "takes either ipBlock or selectors",
                "set ipBlock alone, or podSelector, namespaceSelector or both",
            )),
        }
    }
    if invalid.is_empty() { Ok(Clients::Peers(expose.from.clone())) } else { Err(invalid) }
}

fn addresses(block: &IpBlock, field: &str) -> Option<Invalid> {
    let wrong = |name: &str, problem: &str| {
        let fix = "write a range such as 10.0.0.0/8, and parts of it in except";
        Some(Invalid::spec(format!("{field}.ipBlock.{name}"), problem, fix))
    };
    let Ok(cidr) = block.cidr.parse::<IpNet>() else {
        return wrong("cidr", "is no range of addresses");
    };
    // The API server refuses an exception outside of the range; here the field has a name.
    let inside = |except: &String| except.parse::<IpNet>().is_ok_and(|except| cidr.contains(&except) && cidr != except);
    if !block.except.iter().all(inside) {
        return wrong("except", "holds something that is no range inside cidr");
    }
    None
}

/// 443, and the ports that the spec names: of issuers, of their keys, of upstreams, of the collector.
///
/// With discovery the issuer's metadata names the URL of the keys, which may have another port. It is not known here,
/// and asking would be I/O, so only 443 and named ports are open: `jwksUri` is the way to name another. Where a
/// network plugin judges after the Service's address was translated, the pod's port counts, not the Service's.
fn outbound_ports(spec: &McpServerSpec) -> Checked<BTreeSet<u16>> {
    // The gateway asks nobody for the keys of ServiceAccount tokens.
    let issuers = spec.auth.issuers.iter().filter(|issuer| !uses_preset(issuer));
    let keys = issuers.flat_map(|issuer| [Some(&issuer.issuer), issuer.jwks_uri.as_ref()]).flatten();
    let mut ports: BTreeSet<u16> = keys.filter_map(|url| port(url)).collect();
    ports.insert(HTTPS_PORT);
    // One that has none is refused where upstreams are looked at.
    ports.extend(spec.upstreams.iter().filter_map(|upstream| port(&upstream.url)));
    if let Some(otlp) = &spec.observability.otlp {
        let Some(port) = port(&otlp.endpoint) else {
            return Err(vec![Invalid::spec(
                "spec.observability.otlp.endpoint",
                "is no http or https URL",
                "set it to a URL such as http://otel-collector.observability.svc:4318",
            )]);
        };
        ports.insert(port);
    }
    Ok(ports)
}

/// The port of an http or https URL; an issuer may be another kind of string, which nobody connects to.
fn port(url: &str) -> Option<u16> {
    let url = Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.port_or_known_default())?
}
