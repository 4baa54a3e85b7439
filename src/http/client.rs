//! Who is at the other end of a connection, for bounds that nobody must use up alone.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The part of an IPv6 address that a host does not choose itself (RFC 4291 §2.5.4).
const IPV6_NETWORK: u128 = !0 << 64;

/// What tells clients apart: an IPv4 address, or the /64 network of an IPv6 address, in which a host may take as many
/// addresses as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Of the client at `ip`. `None` for this machine, where a reverse proxy may stand for any number of clients.
    pub fn remote(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            ip if ip.is_loopback() => None,
            IpAddr::V6(ip) => Some(Self(Ipv6Addr::from_bits(ip.to_bits() & IPV6_NETWORK).into())),
            ip => Some(Self(ip)),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => fmt::Display::fmt(&ip, f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(ip: &str) -> Option<String> {
        ClientAddress::remote(ip.parse().unwrap()).map(|client| client.to_string())
    }

    #[test]
    fn clients_are_told_apart_by_what_they_cannot_choose() {
        for (ip, client) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(remote(ip).as_deref(), Some(client), "{ip}");
        }
    }

    #[test]
    fn this_machine_stands_for_any_number_of_clients() {
        for ip in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(remote(ip), None, "{ip}");
        }
    }
}
