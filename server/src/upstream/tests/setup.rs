//! What is refused before anything is connected to.

use super::{
    super::{Upstream, UpstreamSettings, UpstreamSetupError},
    fake::SOON,
    support::LOOPBACK,
};
use crate::{features::Changes, net::AddressPolicy};

fn new(name: &str, url: &str, addresses: AddressPolicy) -> String {
    let settings = UpstreamSettings { name: name.to_owned(), url: url.to_owned(), deadline: SOON };
    match Upstream::new(settings, addresses, Changes::default()) {
        Ok(upstream) => format!("{upstream:?}"),
        Err(problem) => problem.to_string(),
    }
}

#[test]
fn a_name_is_a_short_label() {
    for name in ["a", "files", "a-1", "a2345678901234567890"] {
        let expected = format!("Upstream {{ name: {name:?}, .. }}");
        assert_eq!(new(name, "https://example.com/mcp?key=secret", AddressPolicy::default()), expected);
    }
    for name in ["", "A", "1a", "-a", "a-", "a_b", "a.b", "ä", "a23456789012345678901"] {
        let expected = UpstreamSetupError::Name.to_string();
        assert_eq!(new(name, "https://example.com/mcp", AddressPolicy::default()), expected, "{name:?}");
    }
}

#[test]
fn an_address_in_the_url_passes_the_guard() {
    let refused = "the URL is refused because the host has no address that this process may connect to";
    for url in ["http://127.0.0.1/mcp", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/", "http://0x7f.1/"] {
        assert_eq!(new("up", url, AddressPolicy::default()), refused, "{url}");
    }
    assert_eq!(new("up", "http://127.0.0.1/mcp", LOOPBACK), "Upstream { name: \"up\", .. }");
    assert_eq!(
        new("up", "ftp://example.com/", LOOPBACK),
        "the URL is refused because its scheme is not permitted; use https"
    );
    assert_eq!(new("up", "https://u:p@example.com/", LOOPBACK), "the URL is refused because it carries credentials");
}
