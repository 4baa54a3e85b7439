//! One peer for each participant, and what all of them share. Pure: datagrams, frames and the time come in, datagrams and
//! events go out.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use super::share::{self, Layers, Link};
use super::thinning::{PictureRates, Pictures, Thinning};
use crate::media::Track;
use crate::publish::quality::{Quality, RateLimits, Reason};
use crate::rtc::{LocalCandidate, Output, Peer, PeerError, PeerEvent, PeerSettings, SharedFrame, Trickled};

/// Takes a datagram from one of our addresses to somebody.
pub(super) trait Transmit: FnMut(SocketAddr, SocketAddr, &[u8]) {}

impl<T: FnMut(SocketAddr, SocketAddr, &[u8])> Transmit for T {}

/// Why nobody is added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are as many as there may be.
    #[error(
        "{max} participants see this camera already, which is as many as meeting.max_peers allows; this one does not"
    )]
    Full {
        /// How many that is.
        max: usize,
    },
    /// WebRTC does not work.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// What happened to the path to a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEvent {
    /// The participant is to be told of another way to reach us.
    Candidate(Trickled),
    /// The address that we sent from is no longer ours.
    Lost,
}

struct Viewer {
    peer: Peer,
    /// When its peer wants to be told the time.
    due: Instant,
    /// What the way to it carries, in bits per second; `None` while that is not known.
    estimate: Option<u64>,
    /// Which pictures it gets.
    thinning: Thinning,
    /// Whether pictures were left out since its last key frame.
    missed: bool,
}

/// Those who watch, by the id under which signalling knows them.
pub(super) struct Viewers {
    viewers: BTreeMap<String, Viewer>,
    max: usize,
    layers: Layers,
    events: VecDeque<(String, PeerEvent)>,
    path_events: VecDeque<(String, PathEvent)>,
    bytes_sent: u64,
}

impl Viewers {
    /// Nobody yet, and never more than `max`.
    pub(super) fn new(max: usize) -> Self {
        Self {
            viewers: BTreeMap::new(),
            max,
            layers: Layers::default(),
            events: VecDeque::new(),
            path_events: VecDeque::new(),
            bytes_sent: 0,
        }
    }

    /// Adds somebody, or begins anew with them.
    pub(super) fn open(
        &mut self,
        id: &str,
        settings: PeerSettings,
        candidates: &[LocalCandidate],
        now: Instant,
    ) -> Result<(), Refused> {
        self.viewers.remove(id);
        if self.viewers.len() >= self.max {
            return Err(Refused::Full { max: self.max });
        }
        let mut peer = Peer::new(settings, &[], now)?;
        for candidate in candidates {
            peer.add_candidate(*candidate);
        }
        let (thinning, missed) = (Thinning::default(), false);
        let viewer = Viewer { peer, due: now, estimate: None, thinning, missed };
        self.viewers.insert(id.to_owned(), viewer);
        Ok(())
    }

    /// The connection to somebody; what it has to send is sent by [`Viewers::drain`].
    pub(super) fn peer(&mut self, id: &str) -> Option<&mut Peer> {
        self.viewers.get_mut(id).map(|viewer| &mut viewer.peer)
    }

    /// Says goodbye to somebody.
    pub(super) fn close(&mut self, id: &str, transmit: &mut impl Transmit) {
        if let Some(mut viewer) = self.viewers.remove(id) {
            viewer.peer.close();
            while let Output::Transmit { from, to, datagram } = viewer.peer.poll() {
                transmit(from, to, &datagram);
            }
        }
        self.events.retain(|(whose, _)| whose != id);
        self.path_events.retain(|(whose, _)| whose != id);
    }

    /// Says goodbye to all.
    pub(super) fn close_all(&mut self, transmit: &mut impl Transmit) {
        let ids: Vec<String> = self.viewers.keys().cloned().collect();
        for id in ids {
            self.close(&id, transmit);
        }
    }

    /// Sends a frame to all who can use it. Says whether anybody can.
    pub(super) fn write(&mut self, frame: &SharedFrame, now: Instant, transmit: &mut impl Transmit) -> bool {
        let mut written = false;
        for (id, viewer) in &mut self.viewers {
            let passes = frame.track == Track::Audio || viewer.thinning.passes(frame.droppable);
            let sent = passes && viewer.peer.write(frame, now);
            if frame.track == Track::Video {
                viewer.missed = if sent { viewer.missed && !frame.key } else { true };
            }
            if sent {
                written = true;
                drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
            }
        }
        written
    }

    /// Takes in a datagram. One that belongs to nobody is ignored.
    pub(super) fn receive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
        transmit: &mut impl Transmit,
    ) {
        let found = self.viewers.iter_mut().find(|(_, viewer)| viewer.peer.accepts(from, to, datagram, now));
        if let Some((id, viewer)) = found {
            viewer.peer.receive(from, to, datagram, now);
            drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
        }
    }

    /// Lets the time pass for those who are due, and sends what they have to send.
    pub(super) fn handle_timeout(&mut self, now: Instant, transmit: &mut impl Transmit) {
        for (id, viewer) in &mut self.viewers {
            if now >= viewer.due {
                viewer.peer.handle_timeout(now);
                drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
            }
        }
    }

    /// Sends what somebody's peer has to send, after it was asked for something.
    pub(super) fn drain(&mut self, id: &str, transmit: &mut impl Transmit) {
        if let Some(viewer) = self.viewers.get_mut(id) {
            drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
        }
    }

    /// When [`Viewers::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.viewers.values().map(|viewer| viewer.due).min()
    }

    /// What happened to whom.
    pub(super) fn poll_event(&mut self) -> Option<(String, PeerEvent)> {
        self.events.pop_front()
    }

    /// Law 1: on return nothing that was written before waits anywhere, or can be sent again.
    pub(super) fn flush(&mut self, now: Instant, transmit: &mut impl Transmit) {
        for (id, viewer) in &mut self.viewers {
            viewer.peer.flush(now, |from, to, datagram| transmit(from, to, &datagram));
            drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
        }
    }

    /// We can be reached in another way.
    pub(super) fn add_candidate(&mut self, candidate: LocalCandidate, transmit: &mut impl Transmit) {
        for (id, viewer) in &mut self.viewers {
            if let Some(trickled) = viewer.peer.add_candidate(candidate) {
                self.path_events.push_back((id.clone(), PathEvent::Candidate(trickled)));
            }
            drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
        }
    }

    /// We can be reached in this way no longer.
    pub(super) fn remove_candidate(&mut self, candidate: LocalCandidate, transmit: &mut impl Transmit) {
        for (id, viewer) in &mut self.viewers {
            if viewer.peer.remove_candidate(candidate) {
                self.path_events.push_back((id.clone(), PathEvent::Lost));
            }
            drain(id, viewer, &mut self.events, &mut self.bytes_sent, transmit);
        }
    }

    /// What happened to the path to whom.
    pub(super) fn poll_path_event(&mut self) -> Option<(String, PathEvent)> {
        self.path_events.pop_front()
    }

    /// The picture has a gap.
    pub(super) fn await_key_frames(&mut self) {
        for viewer in self.viewers.values_mut() {
            viewer.peer.await_key_frame();
        }
    }

    /// Whether somebody cannot go on without a key frame.
    pub(super) fn want_key_frame(&mut self, now: Instant) -> bool {
        self.viewers
            .values_mut()
            .any(|viewer| viewer.thinning.pictures() > Pictures::None && viewer.peer.wants_key_frame(now))
    }

    /// What all links together allow, and why no more. Who gets which pictures is decided here. `made`: what the encoder
    /// makes, where it makes temporal layers.
    pub(super) fn follow_links(
        &mut self,
        limits: &RateLimits,
        before: Quality,
        made: Option<PictureRates>,
        now: Instant,
    ) -> (Quality, Reason) {
        let connected = self.viewers.values().filter(|viewer| viewer.peer.is_connected());
        let rooms: Vec<f64> = connected.map(|viewer| share::room(limits, viewer.estimate)).collect();
        let from = share::followed_from(limits, rooms.iter().copied());
        for (id, viewer) in &mut self.viewers {
            let room = share::room(limits, viewer.estimate);
            let rates = share::rates(limits, room, from, made);
            let had = viewer.thinning.pictures();
            if viewer.thinning.follow(room, rates, now) {
                let (estimate, pictures) = (viewer.estimate, viewer.thinning.pictures());
                tracing::info!(id, estimate, ?pictures, "what the way to a participant carries has changed");
                if had.min(pictures) == Pictures::None {
                    viewer.peer.await_key_frame();
                }
            }
        }
        self.follow_layers(limits, &rooms, now);
        let connected = self.viewers.values().filter(|viewer| viewer.peer.is_connected());
        let link = |viewer: &Viewer| Link {
            room: share::room(limits, viewer.estimate),
            pictures: viewer.thinning.pictures(),
        };
        let links: Vec<Link> = connected.map(link).collect();
        share::quality(limits, &links, before, made.is_some())
    }

    /// Without layers the encoder may refer to anything again, of which whoever missed pictures has another idea.
    fn follow_layers(&mut self, limits: &RateLimits, rooms: &[f64], now: Instant) {
        let before = self.layers.base_bitrate();
        self.layers.follow(limits, rooms, now);
        if before.is_some() && self.layers.base_bitrate().is_none() {
            self.viewers
                .values_mut()
                .filter(|viewer| viewer.missed)
                .for_each(|viewer| viewer.peer.await_key_frame());
        }
    }

    /// What of the encoder's bitrate the base layer is to have, if there are to be temporal layers.
    pub(super) fn base_bitrate(&self) -> Option<u32> {
        self.layers.base_bitrate()
    }

    /// How many are connected.
    pub(super) fn connected(&self) -> usize {
        self.viewers.values().filter(|viewer| viewer.peer.is_connected()).count()
    }

    /// Packets that wait for their turn, of both tracks and all peers.
    pub(super) fn waiting(&mut self) -> usize {
        self.viewers
            .values_mut()
            .map(|viewer| viewer.peer.waiting(Track::Video) + viewer.peer.waiting(Track::Audio))
            .sum()
    }

    /// Bytes of all datagrams that were sent since the start.
    pub(super) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }
}

fn drain(
    id: &str,
    viewer: &mut Viewer,
    events: &mut VecDeque<(String, PeerEvent)>,
    bytes_sent: &mut u64,
    transmit: &mut impl Transmit,
) {
    loop {
        match viewer.peer.poll() {
            Output::Transmit { from, to, datagram } => {
                *bytes_sent += datagram.len() as u64;
                transmit(from, to, &datagram);
            }
            Output::Event(event) => {
                if let PeerEvent::Estimate(bits) = event {
                    viewer.estimate = Some(bits);
                } else {
                    events.push_back((id.to_owned(), event));
                }
            }
            Output::Timeout(at) => {
                viewer.due = at;
                break;
            }
        }
    }
}
