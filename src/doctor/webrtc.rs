//! Meetings over WebRTC: does the server introduce this device, which ways lead to it, and do they carry a connection?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use super::{Finding, check_identity};
use crate::agent::{paths, session_config};
use crate::config::{Config, IceScheme, IceUrl, Meeting};
use crate::meeting::mesh::{self, Dialect};
use crate::publish::mesh::Paths;
use crate::rtc::socket::MAX_DATAGRAM;
use crate::rtc::{
    IceEvent, IceServers, LocalCandidate, Output, Peer, PeerError, PeerEvent, PeerSettings, Remote, Sockets,
};

/// How long servers may take; longer than each gives itself before it says what is wrong.
const GATHERING: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(8);
/// What peers of this check expect to send, in bits per second. They send no media.
const BITRATE: u32 = 100_000;

/// Joins a meeting and leaves it again, under another name, without connecting to anybody.
pub(super) async fn signalling(config: &Config, dialect: Dialect) -> Result<String, String> {
    let meeting = check_identity(&config.meeting)?;
    let seat = session_config(&meeting).map_err(|error| error.to_string())?;
    let mut session = mesh::session::spawn(seat, dialect);
    let outcome = loop {
        match session.events.recv().await {
            Some(mesh::session::SessionEvent::Joined { others, .. }) => {
                break Ok(format!(
                    "{}: joined room {:?}, {} others in it",
                    meeting.url.as_url(),
                    meeting.room.as_str(),
                    others.len()
                ));
            }
            Some(mesh::session::SessionEvent::Ended(error)) => break Err(error.to_string()),
            Some(_) => {}
            None => break Err("the session ended without saying why".to_owned()),
        }
    };
    session.shutdown().await;
    outcome
}

/// Finds the ways that lead to this device, and connects to itself over each kind of them.
pub(super) async fn network(meeting: &Meeting, report: &mut impl FnMut(Finding)) {
    let paths = paths(meeting);
    let opened = End::open(&paths).and_then(|near| Ok((near, End::open(&paths)?)));
    let (mut near, mut far) = match opened {
        Ok(ends) => ends,
        Err(why) => return report(Finding::new("addresses", Err::<String, _>(why))),
    };
    let ips: Vec<_> = near.sockets.addresses().iter().map(|address| address.ip().to_string()).collect();
    report(Finding::new(
        "addresses",
        Ok::<_, String>(format!("participants are told of {}", ips.join(", "))),
    ));
    tokio::join!(near.gather(), far.gather());
    let urls: Vec<&IceUrl> = meeting.ice_servers.iter().flat_map(|server| &server.urls).collect();
    for (number, url) in urls.iter().enumerate() {
        let check = if url.scheme == IceScheme::Stun { "STUN server" } else { "TURN server" };
        report(Finding::new(check, near.found_by(number, url)));
    }
    let hosts: Vec<_> = near.sockets.addresses().into_iter().map(LocalCandidate::Host).collect();
    let connected = connect(&mut near, &hosts, &mut far).await;
    report(Finding::new(
        "connection",
        connected.map(|after| format!("to itself: after {} ms", after.as_millis())),
    ));
    for (number, url) in urls.iter().enumerate() {
        let Some(relayed) = near.relayed(number) else { continue };
        let connected = connect(&mut near, &[relayed], &mut far).await;
        let said = connected.map(|after| format!("through {url}: after {} ms", after.as_millis()));
        report(Finding::new("connection", said.map_err(|why| format!("through {url}: {why}"))));
    }
    near.servers.release();
    far.servers.release();
}

/// One end of a connection of this device to itself.
struct End {
    sockets: Sockets,
    servers: IceServers,
    candidates: Vec<(usize, LocalCandidate)>,
    /// What servers said of themselves: that they work, or what is wrong.
    told: BTreeMap<usize, Option<String>>,
    servers_known: usize,
    peer: Option<Peer>,
    buffer: Box<[u8; MAX_DATAGRAM]>,
}

impl End {
    fn open(paths: &Paths) -> Result<Self, String> {
        let sockets =
            Sockets::open(paths.loopback).map_err(|error| format!("no socket for WebRTC: {error}"))?;
        let servers = IceServers::open(&paths.ice_servers, paths.ca_file.as_deref(), sockets.addresses());
        let servers_known = paths.ice_servers.iter().map(|server| server.urls.len()).sum();
        Ok(Self {
            sockets,
            servers,
            candidates: Vec::new(),
            told: BTreeMap::new(),
            servers_known,
            peer: None,
            buffer: Box::new([0; MAX_DATAGRAM]),
        })
    }

    /// Waits until all servers have told whether they work.
    async fn gather(&mut self) {
        let all = async {
            while self.told.len() < self.servers_known {
                self.progress(Instant::now() + GATHERING).await;
            }
        };
        // Who has told nothing by then is reported as such.
        let _ = timeout(GATHERING, all).await;
    }

    /// Takes in what comes, until something has come or this time has.
    async fn progress(&mut self, until: Instant) {
        let Self { sockets, servers, buffer, .. } = self;
        tokio::select! {
            received = sockets.receive(buffer.as_mut_slice()) => {
                let datagram = buffer.get(..received.length).unwrap_or_default().to_vec();
                let now = Instant::now();
                if !self.servers.receive(received.from, received.to, &datagram, now) {
                    self.hear(received.from, received.to, &datagram);
                }
            }
            event = servers.progress() => match event {
                IceEvent::Found { server, candidate } => self.candidates.push((server, candidate)),
                IceEvent::Lost(candidate) => self.candidates.retain(|(_, known)| *known != candidate),
                IceEvent::Received { from, to, datagram } => self.hear(from, to, &datagram),
                IceEvent::Transmit { from, to, datagram } => {
                    self.sockets.send(from, to, &datagram);
                }
                IceEvent::Trouble { server, message } => {
                    self.told.insert(server, message);
                }
            },
            () = sleep_until(until.into()) => {}
        }
    }

    fn hear(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        if let Some(peer) = &mut self.peer {
            peer.receive(from, to, datagram, Instant::now());
        }
    }

    /// What became of a server.
    fn found_by(&self, number: usize, url: &IceUrl) -> Result<String, String> {
        match self.told.get(&number) {
            Some(Some(trouble)) => return Err(trouble.clone()),
            Some(None) => {}
            None => return Err(format!("{url}: nothing was heard of it within {} s", GATHERING.as_secs())),
        }
        let found: Vec<String> = self
            .candidates
            .iter()
            .filter(|(server, _)| *server == number)
            .map(|(_, candidate)| match candidate {
                LocalCandidate::Relayed { address, .. } => format!("forwards what comes to {address}"),
                LocalCandidate::Reflexive { address, .. } => format!("sees this device at {address}"),
                LocalCandidate::Host(address) => address.to_string(),
            })
            .collect();
        Ok(if found.is_empty() {
            format!("{url}: sees this device at its own address")
        } else {
            format!("{url}: {}", found.join(", "))
        })
    }

    fn relayed(&self, number: usize) -> Option<LocalCandidate> {
        let relayed = |(server, candidate): &(usize, LocalCandidate)| {
            (*server == number && matches!(candidate, LocalCandidate::Relayed { .. })).then_some(*candidate)
        };
        self.candidates.iter().find_map(relayed)
    }

    fn begin(&mut self, candidates: impl Iterator<Item = LocalCandidate>) -> Result<&mut Peer, PeerError> {
        let settings = PeerSettings {
            video: None,
            stream: "roomcam-check".to_owned(),
            full_bitrate: BITRATE,
            needed_bitrate: 0,
            offers_chat: true,
            remote: Remote::Page,
        };
        let mut peer = Peer::new(settings, &[], Instant::now())?;
        for candidate in candidates {
            peer.add_candidate(candidate);
        }
        Ok(self.peer.insert(peer))
    }

    /// Sends what the peer has to send. Returns when it wants to be told the time, and whether it is connected.
    fn drain(&mut self) -> (Instant, bool) {
        let now = Instant::now();
        let mut connected = false;
        let Some(peer) = &mut self.peer else { return (now + CONNECTING, false) };
        peer.handle_timeout(now);
        loop {
            match peer.poll() {
                Output::Transmit { from, to, datagram } => {
                    if !self.servers.send(from, to, &datagram, now) {
                        self.sockets.send(from, to, &datagram);
                    }
                }
                Output::Event(PeerEvent::Connected) => connected = true,
                Output::Event(_) => {}
                Output::Timeout(at) => return (at, connected || peer.is_connected()),
            }
        }
    }
}

/// Connects one end, which can be reached in the ways `over` alone, to the other, which can be reached in all of its ways.
async fn connect(near: &mut End, over: &[LocalCandidate], far: &mut End) -> Result<Duration, String> {
    let begun = Instant::now();
    let ways: Vec<_> = far.sockets.addresses().into_iter().map(LocalCandidate::Host).collect();
    let found: Vec<_> = far.candidates.iter().map(|(_, candidate)| *candidate).collect();
    let described = (|| {
        let offer = near.begin(over.iter().copied())?.offer()?;
        let answer = far.begin(ways.into_iter().chain(found))?.answer(&offer)?;
        near.peer.as_mut().map_or(Ok(()), |peer| peer.accept(&answer.sdp))
    })();
    described.map_err(|error| error.to_string())?;
    while begun.elapsed() < CONNECTING {
        let (near_due, near_connected) = near.drain();
        let (far_due, far_connected) = far.drain();
        if near_connected && far_connected {
            let after = begun.elapsed();
            near.peer = None;
            far.peer = None;
            return Ok(after);
        }
        let until = near_due.min(far_due).min(begun + CONNECTING);
        tokio::select! {
            () = near.progress(until) => {}
            () = far.progress(until) => {}
        }
    }
    Err(format!(
        "no connection within {} s; a firewall, or the TURN server, may forbid it",
        CONNECTING.as_secs()
    ))
}
