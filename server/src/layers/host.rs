//! Which hosts are answered: against DNS rebinding and against proxies that route too much to us.
//!
//! The host only ever decides whether a request is served; nothing that we answer is made from it.

use http::{HeaderMap, Uri, header::HOST, uri::Authority};

use crate::{config::Config, error::Error};

/// Refuses a request for another host.
///
/// The host may come in the target (HTTP/2, absolute form), in the field, or in both. Each one that
/// came must be ours, and both must agree: two parsers must not see two hosts.
pub fn check(config: &Config, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    // A proxy that was made to ask us for something else than HTTP is not ours.
    if !matches!(uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Error::HostMalformed);
    }
    let in_field = field(headers)?;
    let in_target = uri.authority().map(plain_host).transpose()?;
    let host = match (&in_target, &in_field) {
        (None, None) => return Err(Error::HostMalformed),
        (Some(host), None) | (None, Some(host)) => host,
        (Some(target), Some(field)) if target.eq_ignore_ascii_case(field) => target,
        (Some(target), Some(field)) => {
            let all_known = is_accepted(config, target) && is_accepted(config, field);
            return Err(if all_known { Error::HostMalformed } else { Error::HostUnknown });
        }
    };
    if is_accepted(config, host) { Ok(()) } else { Err(Error::HostUnknown) }
}

fn field(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(HOST).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Error::HostMalformed);
    }
    let Some(value) = first else { return Ok(None) };
    let authority = Authority::try_from(value.as_bytes()).map_err(|_| Error::HostMalformed)?;
    plain_host(&authority).map(Some)
}

/// The host of `host[:port]`; any other authority is malformed. The port is the proxy's business.
fn plain_host(authority: &Authority) -> Result<String, Error> {
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host).ok_or(Error::HostMalformed)?;
    let port_is_plain = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            digits.is_empty()
                || digits.len() <= 5
                    && digits.bytes().all(|digit| digit.is_ascii_digit())
                    && digits.parse::<u16>().is_ok()
        }
    };
    if host.is_empty() || !port_is_plain {
        return Err(Error::HostMalformed);
    }
    Ok(host.to_owned())
}

fn is_accepted(config: &Config, host: &str) -> bool {
    let others = config.gateway.accepted_hosts.iter().map(String::as_str);
    std::iter::once(config.endpoint.host()).chain(others).any(|accepted| accepted.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::config;

    fn answer(target: &str, hosts: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        match check(&config(), &target.parse().unwrap(), &headers) {
            Ok(()) => "served",
            Err(error) => error.reason(),
        }
    }

    #[test]
    fn the_public_host_and_the_accepted_ones_are_served_on_any_port_and_in_any_case() {
        for host in ["mcp.example.com", "MCP.example.com", "mcp.example.com:8443", "tools.team-a.svc"] {
            assert_eq!(answer("/mcp", &[host]), "served", "{host}");
        }
    }

    #[test]
    fn another_host_is_refused() {
        for host in ["evil.example", "127.0.0.1", "[::1]:8080", "mcp.example.com.", "mcp.example.com.evil.example"] {
            assert_eq!(answer("/mcp", &[host]), "host_unknown", "{host}");
        }
    }

    #[test]
    fn a_malformed_missing_or_repeated_host_is_no_host() {
        for host in
            ["", "mcp.example.com/../admin?", "user@mcp.example.com", "mcp.example.com:x", "mcp.example.com:", "a b"]
        {
            let expected = if host == "mcp.example.com:" { "served" } else { "host_malformed" };
            assert_eq!(answer("/mcp", &[host]), expected, "{host}");
        }
        assert_eq!(answer("/mcp", &[]), "host_malformed");
        assert_eq!(answer("/mcp", &["mcp.example.com", "mcp.example.com"]), "host_malformed");
    }

    #[test]
    fn the_absolute_form_is_that_of_http() {
        assert_eq!(answer("https://mcp.example.com/mcp", &[]), "served");
        for scheme in ["ftp", "ws", "file", "x"] {
            let target = format!("{scheme}://mcp.example.com/mcp");
            assert_eq!(answer(&target, &["mcp.example.com"]), "host_malformed", "{scheme}");
        }
    }

    #[test]
    fn a_port_has_16_bits() {
        assert_eq!(answer("/mcp", &["mcp.example.com:65535"]), "served");
        for port in ["65536", "99999", "000080"] {
            let host = format!("mcp.example.com:{port}");
            assert_eq!(answer("/mcp", &[&host]), "host_malformed", "{port}");
        }
    }

    #[test]
    fn the_absolute_form_must_name_our_host_too() {
        assert_eq!(answer("http://mcp.example.com/mcp", &["mcp.example.com"]), "served");
        assert_eq!(answer("http://mcp.example.com/mcp", &[]), "served");
        assert_eq!(answer("http://evil.example/mcp", &["mcp.example.com"]), "host_unknown");
        assert_eq!(answer("http://mcp.example.com/mcp", &["evil.example"]), "host_unknown");
        assert_eq!(answer("http://mcp.example.com/mcp", &["tools.team-a.svc"]), "host_malformed");
    }
}
