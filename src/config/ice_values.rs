//! The address of a STUN or TURN server, as RFC 7064 and RFC 7065 write it.

use std::fmt;
use std::str::FromStr;

use url::Host;

use super::values::ValueError;

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceScheme {
    /// `stun:` tells under which address it sees us.
    Stun,
    /// `turn:` forwards packets as well.
    Turn,
    /// `turns:` is the same over TLS.
    Turns,
}

/// How packets get to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceTransport {
    /// In datagrams.
    Udp,
    /// Over a connection.
    Tcp,
}

/// The address of a STUN or TURN server, such as `turn:turn.example.org:3478?transport=udp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceUrl {
    /// What the server does.
    pub scheme: IceScheme,
    /// Its name or address.
    pub host: Host,
    /// Its port. Default: 3478, with TLS 5349.
    pub port: u16,
    /// How packets get there. Default: UDP, with TLS TCP; to a STUN server UDP.
    pub transport: IceTransport,
}

impl IceUrl {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = r#"one or several of "stun:HOST:PORT", "turn:HOST:PORT?transport=udp" (or tcp) and "turns:HOST:PORT", in a list such as ["stun:stun.example.org", "turns:turn.example.org:443"]"#;

    /// The port of a scheme.
    const fn default_port(scheme: IceScheme) -> u16 {
        match scheme {
            IceScheme::Stun | IceScheme::Turn => 3478,
            IceScheme::Turns => 5349,
        }
    }
}

impl FromStr for IceUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refuse = || ValueError::new(Self::ALLOWED);
        let (scheme, rest) = text.split_once(':').ok_or_else(refuse)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "stun" => IceScheme::Stun,
            "turn" => IceScheme::Turn,
            "turns" => IceScheme::Turns,
            _ => return Err(refuse()),
        };
        let (authority, query) =
            rest.split_once('?').map_or((rest, None), |(authority, query)| (authority, Some(query)));
        let transport = match (scheme, query) {
            (IceScheme::Stun, None) | (IceScheme::Turn, None | Some("transport=udp")) => IceTransport::Udp,
            (IceScheme::Turn, Some("transport=tcp")) | (IceScheme::Turns, None | Some("transport=tcp")) => {
                IceTransport::Tcp
            }
            _ => return Err(refuse()),
        };
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let host = Host::parse(host).map_err(|_| refuse())?;
        let port = match port {
            None => Self::default_port(scheme),
            Some(port) if port.starts_with(|c: char| c.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(refuse)?
            }
            Some(_) => return Err(refuse()),
        };
        Ok(Self { scheme, host, port, transport })
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, transport } = self;
        match (scheme, transport) {
            (IceScheme::Stun, _) => write!(f, "stun:{host}:{port}"),
            (IceScheme::Turn, IceTransport::Udp) => write!(f, "turn:{host}:{port}?transport=udp"),
            (IceScheme::Turn, IceTransport::Tcp) => write!(f, "turn:{host}:{port}?transport=tcp"),
            (IceScheme::Turns, _) => write!(f, "turns:{host}:{port}?transport=tcp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_have_the_defaults_of_the_rfcs() {
        for (text, whole) in [
            ("stun:stun.example.org", "stun:stun.example.org:3478"),
            ("STUN:192.0.2.1:19302", "stun:192.0.2.1:19302"),
            ("turn:turn.example.org", "turn:turn.example.org:3478?transport=udp"),
            ("turn:[2001:db8::1]?transport=tcp", "turn:[2001:db8::1]:3478?transport=tcp"),
            ("turns:turn.example.org", "turns:turn.example.org:5349?transport=tcp"),
            ("turns:[2001:db8::1]:443?transport=tcp", "turns:[2001:db8::1]:443?transport=tcp"),
        ] {
            assert_eq!(text.parse::<IceUrl>().unwrap().to_string(), whole);
        }
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused() {
        for text in [
            "",
            "stun.example.org",
            "stun:",
            "stun:host:0",
            "stun:host:65536",
            "stun:host:+80",
            "stun:host?transport=udp",
            "stun://host",
            "stuns:host",
            "turn:user@host",
            "turn:host?transport=sctp",
            "turns:host?transport=udp",
            "turn:2001:db8::1",
            "https://host",
        ] {
            assert!(text.parse::<IceUrl>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "(stun|turn|turns):[a-z0-9.\\[\\]:]{1,20}(:[0-9]{1,5})?(\\?transport=(udp|tcp))?") {
            if let Ok(url) = text.parse::<IceUrl>() {
                prop_assert_eq!(url.to_string().parse::<IceUrl>(), Ok(url));
            }
        }
    }
}
