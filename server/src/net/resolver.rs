//! Names to addresses, minus those that the policy refuses.
//!
//! The HTTP client connects to what this returns and to nothing else, so a name that changes its
//! address between check and connection gains nothing.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::AddressPolicy;

/// Every address of a host is refused by the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host has no address that this process may connect to")]
pub struct AddressRefused;

/// The system's resolver, filtered by a policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct GuardedResolver {
    pub(super) policy: AddressPolicy,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy;
        Box::pin(async move {
            // Port 0: the client puts the port of the URL in its place.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = permitted(policy, found)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The addresses among `found` that `policy` permits, in their order.
fn permitted(
    policy: AddressPolicy,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressRefused> {
    let addresses: Vec<_> = found.filter(|address| policy.permits(address.ip())).collect();
    if addresses.is_empty() { Err(AddressRefused) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permitted_addresses_of_a_name_are_left_in_their_order() {
        let found = ["10.0.0.1:0", "1.1.1.1:0", "169.254.169.254:0", "[2600::1]:0"];
        let found = found.map(|address| address.parse().unwrap());
        let kept = permitted(AddressPolicy::default(), found.into_iter()).unwrap();
        assert_eq!(kept, [found[1], found[3]]);
    }

    #[test]
    fn a_name_with_only_refused_addresses_is_an_error() {
        let found = ["127.0.0.1:0".parse().unwrap()];
        assert_eq!(permitted(AddressPolicy::default(), found.into_iter()), Err(AddressRefused));
    }
}
