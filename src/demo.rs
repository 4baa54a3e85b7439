//! `roomcam demo`: the embedded relay, its viewer page and an agent, in one process.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use data_encoding::BASE64URL_NOPAD;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use tokio_util::sync::CancellationToken;

use crate::agent::{self, AgentError, RunOptions};
use crate::config::Config;
use crate::relay::{Access, Relay, RelayOptions, Token};

/// The tokens of one demonstration, made anew for each.
pub struct Tokens {
    /// For its agent. Never leaves the process.
    pub publish: String,
    /// For whoever gets the address that is printed.
    pub view: String,
}

impl Tokens {
    /// Two that nobody can guess.
    pub fn random() -> Self {
        let token = || BASE64URL_NOPAD.encode(&rand::random::<[u8; 16]>());
        Self { publish: token(), view: token() }
    }

    /// A relay where the agent publishes and the others watch.
    pub fn relay_options(&self) -> RelayOptions {
        let access = Token::new(&self.publish)
            .map_or(Access::Open, |publish| Access::Split { publish, view: Token::new(&self.view) });
        RelayOptions { access, ..RelayOptions::default() }
    }
}

/// Serves `relay` and has an agent publish into it, until `shutdown` resolves. The agent leaves first, so that
/// viewers see it go.
pub async fn run(
    relay: Relay,
    config: &Config,
    options: RunOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let agent_gone = CancellationToken::new();
    let relay = relay.run(agent_gone.cancelled());
    let agent = async {
        let _gone = agent_gone.drop_guard_ref();
        agent::run(config, options, shutdown).await
    };
    let ((), agent) = tokio::join!(relay, agent);
    agent
}

/// Where the agent, and a browser on the same machine, reach a relay that listens on `addr`: an address that
/// stands for all interfaces is none to connect to.
pub fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// Where other machines reach a relay that listens on `addr`; `None` if they do not.
pub fn reachable_from_elsewhere(addr: SocketAddr) -> Option<SocketAddr> {
    let ip = match addr.ip() {
        ip if ip.is_loopback() => return None,
        IpAddr::V4(ip) if ip.is_unspecified() => {
            own_address((Ipv4Addr::UNSPECIFIED, 0).into(), "192.0.2.1:9")?
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            own_address((Ipv4Addr::UNSPECIFIED, 0).into(), "192.0.2.1:9")
                .or_else(|| own_address((Ipv6Addr::UNSPECIFIED, 0).into(), "[2001:db8::1]:9"))?
        }
        ip => ip,
    };
    Some(SocketAddr::new(ip, addr.port()))
}

/// This machine's address on the network that leads to the others. Connecting a UDP socket sends nothing; it asks
/// the routing table. `far` is an address for documentation (RFC 5737, RFC 3849), which nobody has.
fn own_address(any: SocketAddr, far: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

/// `address` as a picture for a phone's camera, for a terminal, dark on light whatever its colours are. `None` if it
/// is too long for that.
pub fn qr_code(address: &str) -> Option<String> {
    const BLACK_ON_WHITE: &str = "\x1b[30;107m";
    const PLAIN: &str = "\x1b[0m";
    let code = QrCode::new(address).ok()?;
    let picture = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    Some(picture.lines().map(|line| format!("  {BLACK_ON_WHITE}{line}{PLAIN}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, other) = (Tokens::random(), Tokens::random());
        assert_eq!((one.publish.len(), one.view.len()), (22, 22));
        let all = std::collections::HashSet::from([one.publish, one.view, other.publish, other.view]);
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn a_loopback_address_is_not_reached_from_elsewhere() {
        assert_eq!(reachable_from_elsewhere("127.0.0.1:8080".parse().unwrap()), None);
        let lan = "192.0.2.7:8080".parse().unwrap();
        assert_eq!((reachable(lan), reachable_from_elsewhere(lan)), (lan, Some(lan)));
    }

    #[test]
    fn a_qr_code_has_a_quiet_margin_and_square_modules() {
        let picture = qr_code("http://192.0.2.7:8080/?room=demo#token=AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let rows: Vec<_> = picture.lines().collect();
        // Version 4 (33 modules) and a margin of 4 on each side, two rows to a line.
        assert_eq!(rows.len(), 21);
        // The upper left finder pattern, two rows of modules to a line.
        assert!(rows[2].contains("m    █▀▀▀▀▀█ ") && rows[3].contains("m    █ ███ █ "), "{picture}");
        let width = rows[0].chars().filter(|c| " █▀▄".contains(*c)).count() - 2;
        assert_eq!(width, 41);
    }
}
