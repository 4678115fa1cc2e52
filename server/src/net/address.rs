//! Which IP addresses this process may connect to, as a pure function of the address.
//!
//! Asked by the resolver for every address that a name has, and by [`super::permitted_url`] for
//! addresses written in a URL. It must never be asked about a name. One address is no class of its own: that of
//! the Kubernetes API server, which is inside the range where issuers may be and yet nobody's issuer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be connected to, beside public ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// `127.0.0.0/8` and `::1`: only for a process that itself listens on loopback.
    pub allow_loopback: bool,
    /// RFC 1918, shared (`100.64.0.0/10`), benchmarking (`198.18.0.0/15`) and unique local addresses.
    pub allow_private: bool,
    /// Refused whatever the other fields allow: the Kubernetes API server, by the address under which pods know
    /// it. `None` outside of a cluster.
    pub denied: Option<IpAddr>,
}

/// What an address is, as far as it matters for connecting to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// Anyone may connect to it.
    Public,
    /// Inside somebody's own network.
    Private,
    /// This machine.
    Loopback,
    /// Link-local, metadata, multicast, reserved, or an IPv4 address in IPv6 clothes: nobody's business.
    Never,
}

impl AddressPolicy {
    /// Whether a connection to `ip` may be opened.
    pub fn permits(self, ip: IpAddr) -> bool {
        if self.denied == Some(ip) {
            return false;
        }
        match AddressClass::of(ip) {
            AddressClass::Public => true,
            AddressClass::Private => self.allow_private,
            AddressClass::Loopback => self.allow_loopback,
            AddressClass::Never => false,
        }
    }
}

impl AddressClass {
    /// The class of `ip`.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }
}

type V4Range = (Ipv4Addr, u32);
type V6Range = (Ipv6Addr, u32);

const LOOPBACK_V4: &[V4Range] = &[(Ipv4Addr::new(127, 0, 0, 0), 8)];

/// IANA IPv4 special-purpose registry, and the metadata services that sit on ordinary addresses.
const NEVER_V4: &[V4Range] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    // Alibaba Cloud metadata, inside the shared range.
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    // Azure's platform address: metadata for the host agent.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local, with the metadata services of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // IETF protocol assignments; Oracle Cloud metadata is 192.0.0.192.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, then everything above it: reserved and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const PRIVATE_V4: &[V4Range] = &[
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
];

/// Exceptions inside the two ranges that are used at all.
const NEVER_V6: &[V6Range] = &[
    // Teredo, ORCHID and other protocol assignments.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4: an IPv4 address of any class may hide inside.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // AWS metadata and pod identity.
    (Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0), 32),
    // Google Cloud metadata.
    (Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0), 32),
];

const UNIQUE_LOCAL_V6: V6Range = (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);

/// The only range from which public addresses are given out. Everything else is refused, which covers
/// mapped, compatible and translated IPv4 (`::ffff:0:0/96`, `::/96`, `64:ff9b::/96`), link-local and multicast.
const GLOBAL_UNICAST_V6: V6Range = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

fn of_v4(ip: Ipv4Addr) -> AddressClass {
    let within = |ranges: &[V4Range]| ranges.iter().any(|range| contains_v4(*range, ip));
    if within(NEVER_V4) {
        AddressClass::Never
    } else if within(LOOPBACK_V4) {
        AddressClass::Loopback
    } else if within(PRIVATE_V4) {
        AddressClass::Private
    } else {
        AddressClass::Public
    }
}

fn of_v6(ip: Ipv6Addr) -> AddressClass {
    if ip == Ipv6Addr::LOCALHOST {
        AddressClass::Loopback
    } else if NEVER_V6.iter().any(|range| contains_v6(*range, ip)) {
        AddressClass::Never
    } else if contains_v6(UNIQUE_LOCAL_V6, ip) {
        AddressClass::Private
    } else if contains_v6(GLOBAL_UNICAST_V6, ip) {
        AddressClass::Public
    } else {
        AddressClass::Never
    }
}

fn contains_v4((base, prefix): V4Range, ip: Ipv4Addr) -> bool {
    (base.to_bits() ^ ip.to_bits()) >> (32 - prefix) == 0
}

fn contains_v6((base, prefix): V6Range, ip: Ipv6Addr) -> bool {
    (base.to_bits() ^ ip.to_bits()) >> (128 - prefix) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], class: AddressClass) {
        for address in addresses {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(AddressClass::of(ip), class, "{address}");
        }
    }

    #[test]
    fn ordinary_addresses_are_public() {
        check(
            &[
                "1.1.1.1",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.167.255.255",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "2600::1",
                "2a00:1450::1",
            ],
            AddressClass::Public,
        );
    }

    #[test]
    fn networks_of_ones_own_are_private() {
        check(
            &[
                "10.0.0.0",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.1",
                "198.18.0.2",
                "198.19.255.255",
                "fc00::1",
                "fd12:3456::1",
                "fdff:ffff::1",
            ],
            AddressClass::Private,
        );
    }

    #[test]
    fn this_machine_is_loopback() {
        check(&["127.0.0.1", "127.255.255.255", "::1"], AddressClass::Loopback);
    }

    #[test]
    fn link_local_metadata_and_reserved_addresses_are_never_reached() {
        check(
            &[
                "0.0.0.0",
                "0.1.2.3",
                "169.254.0.0",
                "169.254.169.254",
                "169.254.170.2",
                "169.254.255.255",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "192.0.2.1",
                "192.88.99.1",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "fd00:ec2::254",
                "fd00:ec2::23",
                "fd20:ce::254",
                "100::1",
                "2001:db8::1",
                "2001::1",
            ],
            AddressClass::Never,
        );
    }

    #[test]
    fn ipv4_in_ipv6_clothes_is_never_reached_whatever_is_inside() {
        check(
            &[
                "::ffff:1.1.1.1",
                "::ffff:127.0.0.1",
                "::ffff:169.254.169.254",
                "::127.0.0.1",
                "::1.1.1.1",
                "2002:7f00:1::",
                "2002:a9fe:a9fe::1",
                "64:ff9b::127.0.0.1",
                "64:ff9b::1.1.1.1",
                "64:ff9b:1::a00:1",
            ],
            AddressClass::Never,
        );
    }

    #[test]
    fn each_permission_opens_its_own_class_and_no_other() {
        let policy = |allow_loopback, allow_private| AddressPolicy { allow_loopback, allow_private, denied: None };
        let rows = [
            ("1.1.1.1", [true, true, true, true]),
            ("127.0.0.1", [false, true, false, true]),
            ("10.0.0.1", [false, false, true, true]),
            ("169.254.169.254", [false, false, false, false]),
        ];
        for (address, expected) in rows {
            let ip = address.parse().unwrap();
            let policies = [policy(false, false), policy(true, false), policy(false, true), policy(true, true)];
            assert_eq!(policies.map(|policy| policy.permits(ip)), expected, "{address}");
        }
    }

    #[test]
    fn the_denied_address_is_refused_whatever_is_allowed_and_its_neighbour_is_not() {
        for (denied, neighbour) in [("10.96.0.1", "10.96.0.2"), ("fd00:96::1", "fd00:96::2"), ("1.1.1.1", "1.0.0.1")] {
            let [denied, neighbour] = [denied, neighbour].map(|address| address.parse().unwrap());
            let policy = AddressPolicy { allow_loopback: true, allow_private: true, denied: Some(denied) };
            assert!(!policy.permits(denied), "{denied}");
            assert!(policy.permits(neighbour), "{neighbour}");
        }
    }

    #[test]
    fn the_denied_address_is_refused_in_ipv6_clothes_too() {
        let denied = "10.96.0.1".parse().ok();
        let policy = AddressPolicy { allow_loopback: true, allow_private: true, denied };
        assert!(!policy.permits("::ffff:10.96.0.1".parse().unwrap()));
    }
}
