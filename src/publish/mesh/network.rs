//! The network as a mesh uses it: the sockets, the STUN and TURN servers, and their changes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::config::IceServer;
use crate::rtc::socket::MAX_DATAGRAM;
use crate::rtc::{AddressWatch, IceEvent, IceServers, LocalCandidate, Loopback, NamedBy, Sockets};

/// How often it is looked whether the device has other addresses, beside when the kernel says so: a new IPv6 address cannot
/// be used at once.
const ADDRESSES_CHECKED: Duration = Duration::from_secs(5);
/// How long after the kernel has said so. Changes come in rows.
const SETTLING: Duration = Duration::from_millis(100);

/// Which ways participants are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Whether addresses that only this machine can reach are offered too.
    pub loopback: Loopback,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// Certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// What came from the network.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A datagram; it is in the buffer.
    Datagram { from: SocketAddr, to: SocketAddr, length: usize },
    /// A datagram that came through a TURN server.
    Relayed { from: SocketAddr, to: SocketAddr, datagram: Vec<u8> },
    /// There are new ways to reach us, or fewer.
    Candidates { found: Vec<LocalCandidate>, lost: Vec<LocalCandidate> },
    /// A server does not do what it should, or does again.
    Trouble { server: usize, message: Option<String> },
}

/// The open sockets, and what is known of the ways to them.
pub(super) struct Network {
    paths: Paths,
    sockets: Sockets,
    servers: IceServers,
    /// What servers have told.
    found: Vec<LocalCandidate>,
    watch: Option<AddressWatch>,
    check_at: Instant,
}

impl Network {
    pub(super) fn open(paths: &Paths) -> io::Result<Self> {
        let sockets = Sockets::open(paths.loopback)?;
        let servers = IceServers::open(&paths.ice_servers, paths.ca_file.as_deref(), sockets.addresses());
        let watch = AddressWatch::new()
            .inspect_err(|error| tracing::debug!("the kernel does not tell of changed addresses: {error}"));
        Ok(Self {
            paths: paths.clone(),
            sockets,
            servers,
            found: Vec::new(),
            watch: watch.ok(),
            check_at: Instant::now() + ADDRESSES_CHECKED,
        })
    }

    /// The ways in which we can be reached now.
    pub(super) fn candidates(&self) -> Vec<LocalCandidate> {
        let hosts = self.sockets.addresses().into_iter().map(LocalCandidate::Host);
        hosts.chain(self.found.iter().copied()).collect()
    }

    /// Asks the servers too that a media server names.
    pub(super) fn add_servers(&mut self, named: &[IceServer]) {
        self.servers.add(named, NamedBy::MediaServer, self.paths.ca_file.as_deref());
    }

    /// Sends a datagram from one of our addresses, or from one of a TURN server.
    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        if !self.servers.send(from, to, datagram, Instant::now()) {
            self.sockets.send(from, to, datagram);
        }
    }

    /// Law 1: on return nothing that was sent before waits here.
    pub(super) fn forget_media(&mut self) {
        self.servers.forget_media();
    }

    /// Gives back what servers hold for us.
    pub(super) fn release(&mut self) {
        self.servers.release();
    }

    /// Waits for something that concerns participants. Can be dropped while it waits.
    pub(super) async fn receive(&mut self, buffer: &mut [u8; MAX_DATAGRAM]) -> Incoming {
        loop {
            let Self { sockets, servers, watch, check_at, .. } = self;
            tokio::select! {
                received = sockets.receive(buffer.as_mut_slice()) => {
                    let datagram = buffer.get(..received.length).unwrap_or_default();
                    if !servers.receive(received.from, received.to, datagram, Instant::now()) {
                        let crate::rtc::Received { from, to, length } = received;
                        return Incoming::Datagram { from, to, length };
                    }
                }
                event = servers.progress() => if let Some(incoming) = self.happened(event) { return incoming },
                () = changed(watch) => *check_at = Instant::now() + SETTLING,
                () = sleep_until((*check_at).into()) => if let Some(incoming) = self.check_addresses() { return incoming },
            }
        }
    }

    fn happened(&mut self, event: IceEvent) -> Option<Incoming> {
        match event {
            IceEvent::Found { candidate, .. } => {
                tracing::debug!(?candidate, "participants can reach this device in another way");
                self.found.push(candidate);
                Some(Incoming::Candidates { found: vec![candidate], lost: Vec::new() })
            }
            IceEvent::Lost(candidate) => {
                self.found.retain(|known| *known != candidate);
                Some(Incoming::Candidates { found: Vec::new(), lost: vec![candidate] })
            }
            IceEvent::Received { from, to, datagram } => Some(Incoming::Relayed { from, to, datagram }),
            IceEvent::Transmit { from, to, datagram } => {
                self.sockets.send(from, to, &datagram);
                None
            }
            IceEvent::Trouble { server, message } => Some(Incoming::Trouble { server, message }),
        }
    }

    fn check_addresses(&mut self) -> Option<Incoming> {
        self.check_at = Instant::now() + ADDRESSES_CHECKED;
        let changes = self.sockets.follow_addresses(self.paths.loopback);
        if changes.gained.is_empty() && changes.lost.is_empty() {
            return None;
        }
        let (gained, lost) = (&changes.gained, &changes.lost);
        tracing::info!(?gained, ?lost, "this device has other addresses now");
        self.servers.follow_addresses(self.sockets.addresses(), lost);
        let host = |address: &SocketAddr| LocalCandidate::Host(*address);
        Some(Incoming::Candidates {
            found: gained.iter().map(host).collect(),
            lost: lost.iter().map(host).collect(),
        })
    }
}

/// Waits until the kernel tells of changed addresses; if it does not, for ever.
async fn changed(watch: &mut Option<AddressWatch>) {
    if let Some(open) = watch {
        match open.changed().await {
            Ok(()) => return,
            Err(error) => tracing::debug!("the kernel tells of changed addresses no longer: {error}"),
        }
        *watch = None;
    }
    std::future::pending().await
}
