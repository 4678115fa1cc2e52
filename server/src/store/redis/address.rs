//! `host:port` of a Redis server, a sentinel or a node: from the configuration, or from what those name.

use std::{fmt, net::Ipv6Addr};

/// The longest host name. Source: RFC 1035, section 3.1.
const MAX_HOST_BYTES: usize = 253;

/// Where a server is. Its host is a name or an IP address, IPv6 without brackets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedisAddress {
    /// Resolved anew at each connection.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl RedisAddress {
    /// Reads `host:port`, IPv6 in brackets. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').filter(|host| host.parse::<Ipv6Addr>().is_ok())?,
            None => Some(host).filter(|host| is_name(host))?,
        };
        Self::new(host, port.parse().ok()?)
    }

    /// What a server says another one is at: a name or an IP address without brackets, and a port.
    pub(super) fn new(host: &str, port: u16) -> Option<Self> {
        let is_host = is_name(host) || host.parse::<Ipv6Addr>().is_ok();
        (is_host && port != 0).then(|| Self { host: host.to_owned(), port })
    }
}

/// Names and IPv4 addresses. Which addresses are permitted is decided where they are connected to.
fn is_name(host: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !host.is_empty() && host.len() <= MAX_HOST_BYTES && host.bytes().all(is_letter)
}

impl fmt::Debug for RedisAddress {
    /// Without the address: it is nobody's business in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisAddress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_a_port_are_read() {
        for (text, host, port) in [
            ("redis.team-a.svc:6379", "redis.team-a.svc", 6379),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[fd00::1]:65535", "fd00::1", 65535),
        ] {
            let address = RedisAddress::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "redis",
            "redis:",
            ":6379",
            "redis:0",
            "redis:65536",
            "redis:+1",
            "redis:6379/0",
            "redis://redis:6379",
            "user@redis:6379",
            "fd00::1:6379",
            "[redis]:6379",
            "[fd00::1]",
            "re dis:6379",
            "redis\r\n:6379",
        ] {
            assert!(RedisAddress::parse(text).is_none(), "{text:?} was accepted");
        }
        assert!(RedisAddress::parse(&format!("{}:6379", "a".repeat(254))).is_none());
    }

    #[test]
    fn what_a_server_names_is_read_too() {
        assert_eq!(RedisAddress::new("fd00::1", 6379), RedisAddress::parse("[fd00::1]:6379"));
        assert!(RedisAddress::new("", 6379).is_none() && RedisAddress::new("redis", 0).is_none());
    }
}
