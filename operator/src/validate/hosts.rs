//! Where a host that a spec names leads to, as far as that stands in plain sight.
//!
//! The gateway checks each address that it really connects to; what a spec says openly is refused here, so that its writer
//! learns it. Nothing is resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::Host;

use super::OperatorSettings;
use crate::desired::{NEVER_V4, NEVER_V6};

/// The names of the API server inside a cluster, before its domain.
const API_SERVER: [&str; 3] = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];

/// The same ranges as the gateway's own, in `server/src/net/address.rs`.
const PRIVATE: [&str; 6] =
    ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "fc00::/7"];

const LOOPBACK: [&str; 4] = ["0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"];

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `localhost` and its subdomains.
    OwnPod,
    /// A loopback address.
    Loopback,
    /// The Kubernetes API.
    ApiServer,
    /// A link-local, metadata or multicast address.
    Forbidden,
    /// An address of RFC 1918 and the like.
    Private,
    /// Any other address, and every name: where that leads is seen when it is resolved.
    Elsewhere,
}

/// What is wrong with a place that nothing is ever sent to; `None` for the others.
pub(super) fn never(place: Place) -> Option<&'static str> {
    match place {
        Place::OwnPod => Some("is the gateway's own pod"),
        Place::Loopback => Some("is a loopback address: the gateway's own pod"),
        Place::ApiServer => Some("is the Kubernetes API"),
        Place::Forbidden => Some("is a link-local or metadata address, which is never connected to"),
        Place::Private | Place::Elsewhere => None,
    }
}

/// What `host` is.
pub(super) fn place(host: &Host<&str>, settings: &OperatorSettings) -> Place {
    let name = match host {
        Host::Domain(name) => name.trim_end_matches('.'),
        Host::Ipv4(ip) => return address(IpAddr::V4(*ip), settings),
        Host::Ipv6(ip) => return address(IpAddr::V6(*ip), settings),
    };
    if name == "localhost" || name.ends_with(".localhost") {
        return Place::OwnPod;
    }
    if is_api_server(name, settings) { Place::ApiServer } else { Place::Elsewhere }
}

fn address(ip: IpAddr, settings: &OperatorSettings) -> Place {
    let ip = ip.to_canonical();
    let within = |ranges: &[&str]| ranges.iter().any(|range| range.parse::<IpNet>().is_ok_and(|net| net.contains(&ip)));
    if within(&LOOPBACK) {
        return Place::Loopback;
    }
    if within(&NEVER_V4) || within(&NEVER_V6) || is_multicast(ip) {
        return Place::Forbidden;
    }
    if settings.api_server_host.as_deref().and_then(|host| host.parse::<IpAddr>().ok()) == Some(ip) {
        return Place::ApiServer;
    }
    if within(&PRIVATE) { Place::Private } else { Place::Elsewhere }
}

fn is_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::is_multicast(&ip) || Ipv4Addr::is_broadcast(&ip),
        IpAddr::V6(ip) => Ipv6Addr::is_multicast(&ip),
    }
}

fn is_api_server(host: &str, settings: &OperatorSettings) -> bool {
    let name = host.strip_suffix(&format!(".{}", settings.cluster_domain)).unwrap_or(host);
    API_SERVER.contains(&name) || settings.api_server_host.as_deref() == Some(host)
}
