//! All STUN and TURN servers that are configured, or named by a media server. None of them hurts another, or who is reached without them.

use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::sleep_until;

use super::server::{NamedBy, Role, Server};
use crate::config::{IceCredentials, IceScheme, IceServer, IceTransport};
use crate::rtc::candidate::LocalCandidate;

/// What happened at the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceEvent {
    /// We can be reached in another way.
    Found {
        /// Which server told it, counted through all URLs as they were named.
        server: usize,
        /// The way.
        candidate: LocalCandidate,
    },
    /// We can be reached in this way no longer.
    Lost(LocalCandidate),
    /// Somebody has sent us a datagram through a server.
    Received {
        /// Who.
        from: SocketAddr,
        /// To which of our relayed addresses.
        to: SocketAddr,
        /// What.
        datagram: Vec<u8>,
    },
    /// This is to be sent from one of our own addresses.
    Transmit {
        /// Which.
        from: SocketAddr,
        /// To which server.
        to: SocketAddr,
        /// What.
        datagram: Vec<u8>,
    },
    /// A server does not do what it should, or does again. What happens again and again is told once.
    Trouble {
        /// Which one, counted through all URLs as they were named.
        server: usize,
        /// What is wrong and what to do about it; `None` when it works.
        message: Option<String>,
    },
}

/// The servers.
pub struct IceServers {
    servers: Vec<Server>,
    /// How many URLs were named.
    urls: usize,
    hosts: Vec<SocketAddr>,
    /// Which server is asked first, so that a busy one does not starve the others.
    first: usize,
}

impl IceServers {
    /// Begins to ask the servers. `hosts` are our own addresses, with the ports of their sockets; `ca_file` has certificate
    /// authorities to trust beside the system's.
    pub fn open(configured: &[IceServer], ca_file: Option<&Path>, hosts: Vec<SocketAddr>) -> Self {
        let mut opened = Self { servers: Vec::new(), urls: 0, hosts, first: 0 };
        opened.add(configured, NamedBy::Configuration, ca_file);
        opened
    }

    /// Begins to ask more servers.
    pub fn add(&mut self, servers: &[IceServer], named_by: NamedBy, ca_file: Option<&Path>) {
        let now = Instant::now();
        let urls = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (url, server)));
        for (url, IceServer { credentials, .. }) in urls {
            let number = self.urls;
            self.urls += 1;
            // A TURN server that takes datagrams answers questions for our address too.
            if url.transport == IceTransport::Udp {
                let role = Role::Stun { reports: url.scheme == IceScheme::Stun };
                self.servers.push(Server::new(number, named_by, url.clone(), role, now));
            }
            if let (IceScheme::Turn | IceScheme::Turns, Some(credentials)) = (url.scheme, credentials) {
                let role = turn(credentials, ca_file);
                self.servers.push(Server::new(number, named_by, url.clone(), role, now));
            }
        }
    }

    /// Waits until something happens; does meanwhile what needs no one's help. Can be dropped while it waits.
    pub async fn progress(&mut self) -> IceEvent {
        loop {
            let due = self.servers.iter().filter_map(Server::due).min();
            let timer = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                event = poll_fn(|cx| self.poll(cx)) => return event,
                () = timer => {}
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<IceEvent> {
        let count = self.servers.len();
        for index in (self.first..self.first + count).map(|index| index % count) {
            if let Poll::Ready(event) = self.servers[index].poll(&self.hosts, cx) {
                self.first = (index + 1) % count;
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    /// Takes in a datagram that came to one of our own addresses. Says whether it was from a server, so that it concerns nobody
    /// else.
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        self.servers.iter_mut().any(|server| server.receive(from, to, datagram, now))
    }

    /// Sends a datagram through a server. Says whether `from` is a relayed address of ours.
    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        self.servers.iter_mut().any(|server| server.send(from, to, datagram, now))
    }

    /// Law 1: on return no media wait here. A message of which a part is on its way goes out whole.
    pub fn forget_media(&mut self) {
        self.servers.iter_mut().for_each(Server::forget_media);
    }

    /// This device has the addresses `hosts` now, and `lost` no more.
    pub fn follow_addresses(&mut self, hosts: Vec<SocketAddr>, lost: &[SocketAddr]) {
        self.hosts = hosts;
        for server in &mut self.servers {
            server.follow_addresses(&self.hosts, lost);
        }
    }

    /// Gives back what servers hold for us.
    pub fn release(&mut self) {
        let now = Instant::now();
        self.servers.iter_mut().for_each(|server| server.release(now));
    }
}

fn turn(credentials: &IceCredentials, ca_file: Option<&Path>) -> Role {
    Role::Turn { credentials: credentials.clone(), ca_file: ca_file.map(Path::to_owned) }
}
