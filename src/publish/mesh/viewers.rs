//! One peer for each participant, and what all of them share. Pure: datagrams, frames and the time come in, datagrams and
//! events go out.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::share::{self, Link, Pictures};
use super::voice_loss::VoiceLoss;
use crate::media::Track;
use crate::publish::quality::{Quality, RateLimits, Reason};
use crate::rtc::{LocalCandidate, Output, Peer, PeerError, PeerEvent, PeerSettings, SharedFrame, Trickled};

/// How old what waits for a peer may be, for one that gets all pictures, and for one that gets the base layer: a key frame
/// takes longer over a narrow link, and whatever is given up makes another one necessary.
const MAX_QUEUE_AGE: Duration = Duration::from_millis(200);
const MAX_BASE_QUEUE_AGE: Duration = Duration::from_secs(1);
/// How far apart key frames are at least for the sake of somebody who gets the base layer.
const BASE_KEY_FRAME_INTERVAL: Duration = Duration::from_secs(3);
/// How long the encoder may make no droppable pictures while it makes temporal layers.
const LAYERS_SEEN: Duration = Duration::from_secs(1);

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
    /// The participant gets other pictures from now on: [`Publisher::pictures`](super::Publisher::pictures).
    OtherPictures,
}

struct Viewer {
    peer: Peer,
    /// When its peer wants to be told the time.
    due: Instant,
    /// What is known of the way to it.
    link: Link,
    /// When it was last sent a key frame.
    key_frame_at: Option<Instant>,
    /// Whether droppable pictures were left out since then.
    missed: bool,
    voice_loss: VoiceLoss,
}

impl Viewer {
    /// Whether it cannot go on without a key frame.
    fn wants_key_frame(&mut self, now: Instant) -> bool {
        let may_have = match self.link.pictures {
            Pictures::None => false,
            Pictures::Base => self.key_frame_at.is_none_or(|at| now >= at + BASE_KEY_FRAME_INTERVAL),
            Pictures::All => true,
        };
        may_have && self.peer.wants_key_frame(now)
    }
}

/// Those who watch, by the id under which signalling knows them.
pub(super) struct Viewers {
    viewers: BTreeMap<String, Viewer>,
    max: usize,
    /// What the base layer is to have of the encoder's bitrate, in bits per second, if somebody needs one.
    base_bitrate: Option<u32>,
    /// When there was a droppable picture.
    layers_seen: Option<Instant>,
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
            base_bitrate: None,
            layers_seen: None,
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
        self.viewers.insert(
            id.to_owned(),
            Viewer {
                peer,
                due: now,
                link: Link { estimate: None, pictures: Pictures::All, too_slow: false },
                key_frame_at: None,
                missed: false,
                voice_loss: VoiceLoss::default(),
            },
        );
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
        if frame.droppable {
            self.layers_seen = Some(now);
        }
        for (id, viewer) in &mut self.viewers {
            let (left_out, max_age) = match (frame.track, viewer.link.pictures) {
                (Track::Audio, _) => (false, MAX_QUEUE_AGE),
                (Track::Video, Pictures::None) => (true, MAX_QUEUE_AGE),
                (Track::Video, Pictures::Base) => (frame.droppable, MAX_BASE_QUEUE_AGE),
                (Track::Video, Pictures::All) => (false, MAX_QUEUE_AGE),
            };
            viewer.missed |= left_out;
            if !left_out && viewer.peer.write(frame, max_age, now) {
                written = true;
                if frame.track == Track::Video && frame.key {
                    (viewer.key_frame_at, viewer.missed) = (Some(now), false);
                }
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
        self.viewers.values_mut().any(|viewer| viewer.wants_key_frame(now))
    }

    /// What all links together allow, and why no more. Who gets which pictures is decided here.
    pub(super) fn follow_links(
        &mut self,
        limits: &RateLimits,
        before: Quality,
        now: Instant,
    ) -> (Quality, Reason) {
        let layered = self.layers_seen.is_some_and(|seen| now < seen + LAYERS_SEEN);
        let best = share::best(limits, self.links());
        for (id, viewer) in &mut self.viewers {
            let least = viewer.link.is_least(limits, best);
            viewer.link.too_slow = viewer.voice_loss.comes_alone(least, now);
            let pictures = viewer.link.pictures(limits, best, layered);
            let had = std::mem::replace(&mut viewer.link.pictures, pictures);
            if had != pictures {
                let estimate = viewer.link.estimate;
                tracing::info!(id, estimate, ?pictures, "what the way to a participant carries has changed");
                self.path_events.push_back((id.clone(), PathEvent::OtherPictures));
                viewer.voice_loss.begin();
            }
            // Where only droppable pictures are left out there is no gap.
            if had != pictures && (had == Pictures::None || pictures == Pictures::None) {
                viewer.peer.await_key_frame();
            }
        }
        let before_base = self.base_bitrate;
        self.base_bitrate = share::base_bitrate(limits, self.links(), before_base);
        // Without layers pictures come out otherwise where droppable ones were left out before.
        if before_base.is_some() && self.base_bitrate.is_none() {
            let missed = self.viewers.values_mut().filter(|viewer| viewer.missed);
            missed.for_each(|viewer| viewer.peer.await_key_frame());
        }
        share::quality(limits, self.links(), before)
    }

    /// The links of those who are connected.
    fn links(&self) -> impl Iterator<Item = Link> + Clone {
        self.viewers.values().filter(|viewer| viewer.peer.is_connected()).map(|viewer| viewer.link)
    }

    /// Which pictures somebody gets.
    pub(super) fn pictures(&self, id: &str) -> Option<Pictures> {
        self.viewers.get(id).map(|viewer| viewer.link.pictures)
    }

    /// What of the encoder's bitrate the base layer is to have, in bits per second, if there are to be temporal layers.
    pub(super) fn base_bitrate(&self) -> Option<u32> {
        self.base_bitrate
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
            Output::Event(event) => match event {
                PeerEvent::Estimate(bits) => viewer.link.estimate = Some(bits),
                PeerEvent::VoiceLoss(part) => viewer.voice_loss.report(part),
                event => events.push_back((id.to_owned(), event)),
            },
            Output::Timeout(at) => {
                viewer.due = at;
                break;
            }
        }
    }
}
