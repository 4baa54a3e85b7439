//! The way out to the participants themselves: frames in, packets out, with the sockets and the clock that this takes.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::sleep_until;

use super::key_frames::KeyFrameLimit;
use super::network::{Incoming, Network, Paths};
use super::share::{self, Pictures};
use super::tracks::Tracks;
use super::viewers::{PathEvent, Refused, Viewers};
use crate::capture::{Encoding, MediaClock};
use crate::config::IceServer;
use crate::media::{Frame, StreamFormat};
use crate::publish::quality::{Quality, RateLimits, Reason, SizeStep};
use crate::publish::relay::{Sent, Traffic};
use crate::rtc::socket::MAX_DATAGRAM;
use crate::rtc::{Peer, PeerEvent, PeerSettings, Remote, SharedFrame};
use crate::stream::Counters;

/// How often the encoder follows what the links carry.
const LINKS_FOLLOWED: Duration = Duration::from_millis(100);
/// How long nothing is waited for at most.
const IDLE: Duration = Duration::from_secs(5);

/// A STUN or TURN server does not do what it should, or does again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Which one, counted through all URLs of the configuration, and then through those that a media server names.
    pub server: usize,
    /// What is wrong and what to do about it; `None` when it works.
    pub message: Option<String>,
}

/// How participants are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Within which bounds the video follows the links.
    pub limits: RateLimits,
    /// How many participants are sent to at most.
    pub max_peers: usize,
    /// Whether our offers have the data channel `chat`.
    pub offers_chat: bool,
    /// Which ways to this device participants are offered.
    pub paths: Paths,
    /// What is sent to.
    pub remote: Remote,
}

/// The media path of a mesh.
pub struct Publisher {
    format: StreamFormat,
    clock: MediaClock,
    settings: Settings,
    /// The id of our stream in descriptions, another one in each run: two devices in a room must not have the same.
    stream: String,
    tracks: Tracks,
    viewers: Viewers,
    key_frames: KeyFrameLimit,
    /// Open while there is a meeting.
    network: Option<Network>,
    /// What is wrong with servers, or no longer is.
    troubles: VecDeque<Trouble>,
    buffer: Box<[u8; MAX_DATAGRAM]>,
    quality: (Quality, Reason),
    links_followed: Instant,
    counters: Counters,
    traffic: Traffic,
}

impl Publisher {
    /// A publisher that nobody watches yet.
    pub fn new(format: StreamFormat, clock: MediaClock, settings: Settings) -> Self {
        Self {
            format,
            clock,
            stream: format!("roomcam-{:08x}", rand::random::<u32>()),
            tracks: Tracks::default(),
            viewers: Viewers::new(settings.max_peers),
            quality: (settings.limits.best_quality(), Reason::Full),
            links_followed: Instant::now(),
            settings,
            key_frames: KeyFrameLimit::default(),
            network: None,
            troubles: VecDeque::new(),
            buffer: Box::new([0; MAX_DATAGRAM]),
            counters: Counters::default(),
            traffic: Traffic::default(),
        }
    }

    /// What the tracks look like.
    pub fn format(&self) -> StreamFormat {
        self.format
    }

    /// The tracks look otherwise from the next meeting on.
    pub fn set_format(&mut self, format: StreamFormat) {
        self.format = format;
    }

    /// The meeting begins.
    ///
    /// # Errors
    /// No socket can be opened.
    pub fn enter(&mut self) -> io::Result<()> {
        if self.network.is_none() {
            self.network = Some(Network::open(&self.settings.paths)?);
        }
        Ok(())
    }

    /// Asks the servers too that a media server names, until the meeting is over.
    pub fn add_ice_servers(&mut self, named: &[IceServer]) {
        if let Some(network) = &mut self.network {
            network.add_servers(named);
        }
    }

    /// The meeting is over: everybody is let go.
    pub fn leave(&mut self) {
        self.viewers.close_all(&mut transmit(&mut self.network));
        if let Some(mut network) = self.network.take() {
            network.release();
        }
    }

    /// Begins, or begins anew, with a participant. There is no connection before descriptions were exchanged.
    ///
    /// # Errors
    /// There are as many as there may be, or WebRTC does not work here.
    pub fn open(&mut self, id: &str) -> Result<(), Refused> {
        let candidates = self.network.as_ref().map(Network::candidates).unwrap_or_default();
        let settings = PeerSettings {
            video: self.format.video.map(|video| video.codec),
            stream: self.stream.clone(),
            full_bitrate: share::needed_for_best(&self.settings.limits),
            needed_bitrate: share::needed_for_any(&self.settings.limits),
            offers_chat: self.settings.offers_chat,
            remote: self.settings.remote,
        };
        self.viewers.open(id, settings, &candidates, Instant::now())
    }

    /// Lets `act` do something to the connection of a participant, if there is one, and sends what follows from it.
    pub fn with_peer<T>(&mut self, id: &str, act: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        let done = act(self.viewers.peer(id)?);
        self.viewers.drain(id, &mut transmit(&mut self.network));
        Some(done)
    }

    /// Lets a participant go.
    pub fn close(&mut self, id: &str) {
        self.viewers.close(id, &mut transmit(&mut self.network));
    }

    /// What happened to which participant, in the order it happened; to be asked after everything, until there is nothing.
    pub fn poll_event(&mut self) -> Option<(String, PeerEvent)> {
        self.viewers.poll_event()
    }

    /// What happened to the path to which participant; to be asked as [`Publisher::poll_event`] is.
    pub fn poll_path_event(&mut self) -> Option<(String, PathEvent)> {
        self.viewers.poll_path_event()
    }

    /// Which STUN or TURN server does not do what it should, or does again; to be asked as [`Publisher::poll_event`] is.
    pub fn poll_trouble(&mut self) -> Option<Trouble> {
        self.troubles.pop_front()
    }

    /// Takes in what a device captured.
    pub fn take_in(&mut self, frame: Frame) {
        self.counters.pushed += 1;
        if let Some(frame) = self.tracks.carry(frame) {
            if self.send(&frame) {
                self.counters.sent += 1;
            } else {
                self.counters.skipped += 1;
            }
        }
    }

    /// Says whether anybody gets it.
    fn send(&mut self, frame: &Frame) -> bool {
        let now = Instant::now();
        let age = self.clock.now().since(frame.captured);
        let shared = SharedFrame::new(frame, now.checked_sub(age).unwrap_or(now));
        let before = self.viewers.bytes_sent();
        let sent = self.viewers.write(&shared, now, &mut transmit(&mut self.network));
        if sent {
            self.traffic.add((self.viewers.bytes_sent() - before) as usize, now);
        }
        sent
    }

    /// The video track shows the camera from its next key frame on.
    pub fn show_camera(&mut self) {
        self.tracks.show_camera();
        self.viewers.await_key_frames();
    }

    /// The video track shows black: `picture`, a key frame, or nothing until there is one. Law 1, as
    /// [`Publisher::forget_captured`] says it.
    pub fn show_black(&mut self, picture: Option<Bytes>) {
        self.tracks.show_black(picture, self.clock.now());
        self.forget_captured();
        self.fill();
    }

    /// The audio track carries the microphone from here on.
    pub fn hear_microphone(&mut self) {
        self.tracks.hear_microphone();
    }

    /// The audio track carries silence from here on. Law 1, as [`Publisher::forget_captured`] says it.
    pub fn hear_silence(&mut self) {
        self.tracks.hear_silence(self.clock.now());
        self.forget_captured();
        self.fill();
    }

    /// Law 1: on return nothing captured before waits anywhere here. What the pacers hold (at most 200 ms of it, for a narrow
    /// link a second) leaves now, before a lamp says that nothing does: dropping it would leave gaps for which every viewer
    /// asks for key frames. What could be sent again is forgotten.
    pub fn forget_captured(&mut self) {
        self.viewers.flush(Instant::now(), &mut transmit(&mut self.network));
        if let Some(network) = &mut self.network {
            network.forget_media();
        }
    }

    /// Pictures of the camera were lost before they came here.
    pub fn lose_pictures(&mut self) {
        self.viewers.await_key_frames();
    }

    /// Whether the camera is to make a key frame. At most one in 500 ms, for all participants together.
    pub fn wants_key_frame(&mut self) -> bool {
        let now = Instant::now();
        if !self.viewers.want_key_frame(now) {
            return false;
        }
        if self.tracks.is_black() {
            return false;
        }
        self.key_frames.admit(now)
    }

    /// Whether anybody is to be sent to.
    pub fn is_entered(&self) -> bool {
        self.network.is_some()
    }

    /// How many participants are connected.
    pub fn connected(&self) -> usize {
        self.viewers.connected()
    }

    /// Which pictures a participant gets, as far as its link carries them.
    pub fn pictures(&self, id: &str) -> Option<Pictures> {
        self.viewers.pictures(id)
    }

    /// Packets that wait for their turn.
    pub fn waiting(&mut self) -> usize {
        self.viewers.waiting()
    }

    /// From now on the video has other bounds.
    pub fn set_limits(&mut self, limits: RateLimits) {
        self.settings.limits = limits;
    }

    /// What the links are trusted to carry, and why no more.
    pub fn quality(&self) -> (Quality, Reason) {
        self.quality
    }

    /// What the video encoder is to make.
    pub fn encoding(&self) -> Encoding {
        let (quality, reason) = self.quality;
        let frame_rate = if reason == Reason::Full { 0 } else { quality.frame_rate };
        // A base layer that does not keep to its target would not fit the link that it is for.
        let base_bitrate = self.viewers.base_bitrate();
        Encoding {
            bitrate: quality.bitrate,
            base_bitrate,
            frame_rate,
            drop: reason != Reason::Full || base_bitrate.is_some(),
            halved: quality.size == SizeStep::Half,
            hold: false,
        }
    }

    /// Follows what the links carry, ten times a second however often it is called. Says whether the encoder is to make
    /// something else.
    pub fn follow_links(&mut self) -> bool {
        let now = Instant::now();
        if now < self.links_followed + LINKS_FOLLOWED {
            return false;
        }
        self.links_followed = now;
        let before = self.encoding();
        let (quality, _) = self.quality;
        self.quality = self.viewers.follow_links(&self.settings.limits, quality, now);
        self.encoding() != before
    }

    /// What became of frames. One is sent if anybody got it.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What was sent, to all participants together. Frames count as chunks.
    pub fn traffic(&self, now: Instant) -> Sent {
        self.traffic.sums(now)
    }

    /// Waits until there is something to do, and does it. Can be dropped while it waits.
    pub async fn progress(&mut self) {
        let due = self.due();
        let Some(network) = &mut self.network else { return std::future::pending().await };
        tokio::select! {
            incoming = network.receive(&mut self.buffer) => self.take_in_from_network(incoming),
            () = sleep_until(due.into()) => {}
        }
        let now = Instant::now();
        self.viewers.handle_timeout(now, &mut transmit(&mut self.network));
        if self.tracks.is_black() && self.viewers.want_key_frame(now) && self.key_frames.admit(now) {
            self.tracks.hasten(self.clock.now());
        }
        self.fill();
    }

    fn take_in_from_network(&mut self, incoming: Incoming) {
        let (now, transmit) = (Instant::now(), &mut transmit(&mut self.network));
        match incoming {
            Incoming::Datagram { from, to, length } => {
                let datagram = self.buffer.get(..length).unwrap_or_default();
                self.viewers.receive(from, to, datagram, now, transmit);
            }
            Incoming::Relayed { from, to, datagram } => {
                self.viewers.receive(from, to, &datagram, now, transmit)
            }
            Incoming::Candidates { found, lost } => {
                found.into_iter().for_each(|candidate| self.viewers.add_candidate(candidate, transmit));
                lost.into_iter().for_each(|candidate| self.viewers.remove_candidate(candidate, transmit));
            }
            Incoming::Trouble { server, message } => self.troubles.push_back(Trouble { server, message }),
        }
    }

    /// When there is something to do without a datagram.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let filler = self.tracks.due().filter(|_| self.viewers.connected() > 0);
        let filler = filler.map(|due| now + due.since(self.clock.now()));
        [self.viewers.poll_timeout(), filler].into_iter().flatten().fold(now + IDLE, Instant::min)
    }

    /// Sends the filler that is due.
    fn fill(&mut self) {
        if self.viewers.connected() == 0 {
            return;
        }
        while let Some(frame) = self.tracks.filler(self.clock.now()) {
            self.counters.filler += u64::from(self.send(&frame));
        }
    }
}

/// Sends datagrams, if the network is open.
fn transmit(network: &mut Option<Network>) -> impl FnMut(SocketAddr, SocketAddr, &[u8]) {
    move |from, to, datagram| {
        if let Some(network) = network {
            network.send(from, to, datagram);
        }
    }
}
