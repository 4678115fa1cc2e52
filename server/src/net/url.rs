//! What a URL must look like before anything connects to it.
//!
//! The resolver sees names only, so an address that is written in the URL itself is checked here.

use std::net::IpAddr;

use url::{Host, Url};

use super::{AddressPolicy, AddressRefused, Schemes};

/// Why a URL is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an absolute URL with a host.
    #[error("it is not an absolute URL with a host")]
    Malformed,
    /// Not `https`, or not `http` where that is permitted.
    #[error("its scheme is not permitted; use https")]
    Scheme,
    /// It carries a user name or a password.
    #[error("it carries credentials")]
    Credentials,
    /// It has a fragment, which no server would ever see.
    #[error("it has a fragment")]
    Fragment,
    /// Its host is an address that the policy refuses.
    #[error(transparent)]
    Address(#[from] AddressRefused),
}

/// `text` as a URL that may be connected to, as far as the URL itself can tell.
pub fn permitted_url(text: &str, policy: AddressPolicy, schemes: Schemes) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
    if !schemes.permit(url.scheme()) {
        return Err(UrlError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    let address = match url.host().ok_or(UrlError::Malformed)? {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => None,
    };
    match address {
        Some(ip) if !policy.permits(ip) => Err(AddressRefused.into()),
        _ => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, schemes: Schemes, expected: Result<(), UrlError>) {
        let result = permitted_url(text, AddressPolicy::default(), schemes);
        assert_eq!(result.map(|_| ()), expected, "{text}");
    }

    #[test]
    fn a_url_with_a_name_or_a_public_address_is_permitted() {
        check("https://login.example.com/keys?x=1", Schemes::Https, Ok(()));
        check("https://1.1.1.1:8443/", Schemes::Https, Ok(()));
        check("http://collector.example.com", Schemes::HttpAndHttps, Ok(()));
    }

    #[test]
    fn an_address_is_found_in_whatever_notation_it_is_written() {
        let spellings = [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fd00:ec2::254]/",
            "https://１２７.0.0.1/",
        ];
        for spelling in spellings {
            check(spelling, Schemes::Https, Err(UrlError::Address(AddressRefused)));
        }
    }

    #[test]
    fn the_denied_address_is_refused_where_its_neighbours_are_permitted() {
        let policy =
            AddressPolicy { allow_private: true, denied: "10.96.0.1".parse().ok(), ..AddressPolicy::default() };
        let is_permitted = |text| permitted_url(text, policy, Schemes::Https).is_ok();
        assert!(is_permitted("https://10.96.0.2/keys"));
        assert!(!is_permitted("https://10.96.0.1/openid/v1/jwks"));
        assert!(!is_permitted("https://0x0a600001/openid/v1/jwks"));
    }

    #[test]
    fn other_schemes_credentials_and_fragments_are_refused() {
        check("http://login.example.com", Schemes::Https, Err(UrlError::Scheme));
        check("file:///etc/passwd", Schemes::HttpAndHttps, Err(UrlError::Scheme));
        check("https://me@login.example.com", Schemes::Https, Err(UrlError::Credentials));
        check("https://login.example.com/#x", Schemes::Https, Err(UrlError::Fragment));
        check("/keys", Schemes::Https, Err(UrlError::Malformed));
        check("P2abc", Schemes::Https, Err(UrlError::Malformed));
    }
}
