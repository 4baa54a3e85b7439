//! `roomcam demo`: the embedded relay, its viewer page and an agent, in one process.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio_util::sync::CancellationToken;

use crate::agent::{self, AgentError, RunOptions};
use crate::config::Config;
use crate::relay::{Relay, RelayError};

/// Why the demonstration ended.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Serves `relay` and has an agent publish into it, until `shutdown` resolves. The agent leaves first, so that
/// viewers see it go.
pub async fn run(
    relay: Relay,
    config: &Config,
    options: RunOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), DemoError> {
    let agent_gone = CancellationToken::new();
    let relay = relay.run(agent_gone.cancelled());
    let agent = async {
        let _gone = agent_gone.drop_guard_ref();
        agent::run(config, options, shutdown).await
    };
    let (relay, agent) = tokio::join!(relay, agent);
    agent?;
    Ok(relay?)
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
