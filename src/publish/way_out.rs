//! The one way out that this daemon has, whichever it is.
//!
//! What only one of them knows (chunks and late joiners; participants and descriptions) is asked of it alone.

use std::future::pending;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::mesh::{Happened, Meeting};
use super::pressure::Pressure;
use super::quality::{Quality, RateLimits, Reason};
use super::relay::{self, LateJoinStrategy, Sent};
use super::whip;
use crate::capture::Encoding;
use crate::media::{Chunk, Frame, StreamFormat, VideoFormat};
use crate::meeting::{Outbox, Presence, QueueState, SessionConfig, StateChange};
use crate::stream::Counters;

/// A way out of the capture.
pub enum WayOut {
    /// Chunks through a relay.
    Relay(Box<relay::Publisher>),
    /// WebRTC to each participant.
    Mesh(Box<Meeting>),
    /// WebRTC to a media server.
    Whip(Box<whip::Client>),
}

/// Calls a method that the publisher of each way has.
macro_rules! publisher {
    ($way:ident.$method:ident($($argument:expr),*)) => {
        match $way {
            Self::Relay(publisher) => publisher.$method($($argument),*),
            Self::Mesh(meeting) => meeting.publisher.$method($($argument),*),
            Self::Whip(client) => client.publisher.$method($($argument),*),
        }
    };
}

impl WayOut {
    /// The meeting from participant to participant, if this is one.
    pub fn mesh(&self) -> Option<&Meeting> {
        match self {
            Self::Mesh(meeting) => Some(meeting),
            Self::Relay(_) | Self::Whip(_) => None,
        }
    }

    /// The meeting from participant to participant, if this is one.
    pub fn mesh_mut(&mut self) -> Option<&mut Meeting> {
        match self {
            Self::Mesh(meeting) => Some(meeting),
            Self::Relay(_) | Self::Whip(_) => None,
        }
    }

    fn relay_mut(&mut self) -> Option<&mut relay::Publisher> {
        match self {
            Self::Relay(publisher) => Some(publisher),
            Self::Mesh(_) | Self::Whip(_) => None,
        }
    }

    /// Begins an attempt to be in the meeting, with the session that this way has by itself. Says whether it has one: that
    /// with a relay has a task of its own.
    pub fn connect(&mut self, config: &SessionConfig, presence: Presence) -> bool {
        match self {
            Self::Mesh(meeting) => meeting.connect(config.clone(), presence),
            Self::Whip(client) => client.connect(),
            Self::Relay(_) => return false,
        }
        true
    }

    /// Ends that session in good order. Says whether there could be one.
    pub async fn leave(&mut self) -> bool {
        match self {
            Self::Mesh(meeting) => meeting.leave().await,
            Self::Whip(client) => client.leave().await,
            Self::Relay(_) => return false,
        }
        true
    }

    /// Waits until something happened in a meeting over WebRTC, and sends and receives meanwhile; never resolves for a
    /// relay, whose session has a task of its own. Can be dropped while it waits.
    pub async fn progress(&mut self) -> Happened {
        match self {
            Self::Mesh(meeting) => meeting.progress().await,
            Self::Whip(client) => client.progress().await,
            Self::Relay(_) => pending().await,
        }
    }

    /// What the tracks look like.
    pub fn format(&self) -> StreamFormat {
        publisher!(self.format())
    }

    /// The tracks look otherwise from here on.
    pub fn set_format(&mut self, format: StreamFormat) {
        publisher!(self.set_format(format))
    }

    /// How much media goes into one chunk, where there are chunks.
    pub fn set_cadence(&mut self, every: Duration) {
        if let Some(publisher) = self.relay_mut() {
            publisher.set_cadence(every);
        }
    }

    /// What was sent. Datagrams count as chunks.
    pub fn traffic(&self, now: Instant) -> Sent {
        publisher!(self.traffic(now))
    }

    /// What waits to be sent. A mesh has at most 200 ms of it in its pacers, for a narrow link a second.
    pub fn waiting(&self) -> QueueState {
        match self {
            Self::Relay(publisher) => publisher.waiting(),
            Self::Mesh(_) | Self::Whip(_) => QueueState::default(),
        }
    }

    /// When a chunk was last cut or skipped; `None` while nothing is to be cut.
    pub fn last_cut(&self) -> Option<Instant> {
        match self {
            Self::Relay(publisher) => publisher.last_cut(),
            Self::Mesh(_) | Self::Whip(_) => None,
        }
    }

    /// What became of the frames.
    pub fn counters(&self) -> Counters {
        publisher!(self.counters())
    }

    /// From now on the video has other bounds.
    pub fn set_limits(&mut self, limits: RateLimits) {
        publisher!(self.set_limits(limits))
    }

    /// What the video encoder is to make, as far as links carry it.
    pub fn encoding(&self) -> Encoding {
        publisher!(self.encoding())
    }

    /// What links are trusted to carry, and why no more.
    pub fn quality(&self) -> (Quality, Reason) {
        publisher!(self.quality())
    }

    /// Whether the picture stands still for want of room. Over WebRTC it never does for all.
    pub fn holds_picture(&self) -> bool {
        match self {
            Self::Relay(publisher) => publisher.holds_picture(),
            Self::Mesh(_) | Self::Whip(_) => false,
        }
    }

    /// How urgently media are left out. Over WebRTC that is decided for each participant, by what waits for it.
    pub fn pressure(&self) -> Pressure {
        match self {
            Self::Relay(publisher) => publisher.pressure(),
            Self::Mesh(_) | Self::Whip(_) => Pressure::Easy,
        }
    }

    /// The number of the epoch that was sent last; 0 before the first, and for WebRTC, which has none.
    pub fn epoch(&self) -> u32 {
        match self {
            Self::Relay(publisher) => publisher.epoch(),
            Self::Mesh(_) | Self::Whip(_) => 0,
        }
    }

    /// Whether media have begun to leave, or could.
    pub fn has_begun(&self) -> bool {
        match self {
            Self::Relay(publisher) => publisher.epoch() > 0,
            Self::Mesh(meeting) => meeting.publisher.is_entered(),
            Self::Whip(client) => client.publisher.is_entered(),
        }
    }

    /// Media begin to flow.
    pub fn start(&mut self) {
        if let Some(publisher) = self.relay_mut() {
            publisher.start();
        }
    }

    /// No media flow from here on. Over WebRTC black and silence go on, as nothing else tells viewers that it is over.
    pub fn stop(&mut self, seat_lost: bool) {
        match self {
            Self::Relay(publisher) => publisher.stop(seat_lost),
            Self::Mesh(meeting) => meeting.publisher.forget_captured(),
            Self::Whip(client) => client.publisher.forget_captured(),
        }
    }

    /// Takes in what a device captured.
    pub fn take_in(&mut self, frame: Frame) {
        publisher!(self.take_in(frame))
    }

    /// Pictures of the camera were lost before they came here.
    pub fn lose_pictures(&mut self) {
        publisher!(self.lose_pictures())
    }

    /// Whether the camera is to make a key frame.
    pub fn wants_key_frame(&mut self) -> bool {
        publisher!(self.wants_key_frame())
    }

    /// The video track shows the camera, which delivers `format`.
    pub fn show_camera(&mut self, format: VideoFormat) {
        match self {
            Self::Relay(publisher) => publisher.show_camera(format),
            Self::Mesh(meeting) => meeting.publisher.show_camera(),
            Self::Whip(client) => client.publisher.show_camera(),
        }
    }

    /// The video track shows `picture`, a black key frame.
    pub fn show_black(&mut self, picture: Bytes) {
        match self {
            Self::Relay(publisher) => publisher.show_black(picture),
            Self::Mesh(meeting) => meeting.publisher.show_black(Some(picture)),
            Self::Whip(client) => client.publisher.show_black(Some(picture)),
        }
    }

    /// The video track is to show black, and there is no black picture of `format` yet.
    pub fn show_nothing(&mut self, format: VideoFormat) {
        match self {
            // The last picture stays.
            Self::Relay(publisher) => publisher.show_camera(format),
            Self::Mesh(meeting) => meeting.publisher.show_black(None),
            Self::Whip(client) => client.publisher.show_black(None),
        }
    }

    /// The audio track carries the microphone from here on.
    pub fn hear_microphone(&mut self) {
        publisher!(self.hear_microphone())
    }

    /// The audio track carries silence from here on.
    pub fn hear_silence(&mut self) {
        publisher!(self.hear_silence())
    }

    /// Law 1: on return nothing that was captured before waits anywhere.
    pub fn take_back_queued(&mut self) {
        match self {
            Self::Relay(publisher) => publisher.take_back_queued(),
            Self::Mesh(meeting) => meeting.publisher.forget_captured(),
            Self::Whip(client) => client.publisher.forget_captured(),
        }
    }

    /// Tells the room, if there is one.
    pub fn announce(&mut self, change: StateChange) {
        match (self, change) {
            (Self::Relay(publisher), change) => publisher.announce(change),
            (Self::Mesh(meeting), StateChange::Camera { has_video }) => meeting.announce_camera(has_video),
            (Self::Mesh(meeting), StateChange::Mic { is_muted }) => meeting.announce_mic(!is_muted),
            // A viewer sees black and hears silence.
            (Self::Whip(_), _) => {}
            // The dialects have no words for these.
            (
                Self::Mesh(_),
                StateChange::Speaking { .. } | StateChange::JoinAgain(_) | StateChange::StreamReset,
            ) => {}
        }
    }

    /// Somebody joined.
    pub fn late_join(&mut self) {
        if let Some(publisher) = self.relay_mut() {
            publisher.late_join();
        }
    }

    /// Somebody who watched asks for a key frame.
    pub fn player_lost(&mut self) {
        if let Some(publisher) = self.relay_mut() {
            publisher.player_lost();
        }
    }

    /// Something happened at which clients of a relay of the first generation throw away what they have.
    pub fn receivers_detach(&mut self) {
        if let Some(publisher) = self.relay_mut() {
            publisher.receivers_detach();
        }
    }

    /// Does what a relay's receivers need by now.
    pub fn serve(&mut self) {
        if let Some(publisher) = self.relay_mut() {
            publisher.serve();
        }
    }

    /// When [`WayOut::serve`] is due, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Relay(publisher) => publisher.poll_timeout(),
            Self::Mesh(_) | Self::Whip(_) => None,
        }
    }

    /// When [`WayOut::cut`] is due; `None` where nothing is cut.
    pub fn next_cut(&self) -> Option<Instant> {
        match self {
            Self::Relay(publisher) => Some(publisher.next_cut()),
            Self::Mesh(_) | Self::Whip(_) => None,
        }
    }

    /// Cuts a chunk of what has arrived.
    pub fn cut(&mut self) {
        if let Some(publisher) = self.relay_mut() {
            publisher.cut();
        }
    }

    /// A session with a relay begins, or there is none any more.
    pub fn set_outbox(&mut self, outbox: Option<Outbox>) {
        match self {
            Self::Relay(publisher) => publisher.set_outbox(outbox),
            Self::Mesh(meeting) if outbox.is_none() => meeting.drop_session(),
            Self::Whip(client) if outbox.is_none() => client.drop_session(),
            Self::Mesh(_) | Self::Whip(_) => {}
        }
    }

    /// The relay took the join. It accepts messages up to `max_payload` bytes.
    pub fn joined(&mut self, late_join: LateJoinStrategy, max_payload: usize) {
        if let Some(publisher) = self.relay_mut() {
            publisher.joined(late_join, max_payload);
        }
    }

    /// The relay did not accept `chunk`.
    pub fn take_back_from(&mut self, chunk: Chunk) {
        if let Some(publisher) = self.relay_mut() {
            publisher.take_back_from(chunk);
        }
    }

    /// A chunk has gone to the kernel after waiting for `queued`. Says whether it began an epoch.
    pub fn sent(&mut self, chunk: Chunk, queued: Duration) -> bool {
        self.relay_mut().is_some_and(|publisher| publisher.sent(chunk, queued))
    }
}
