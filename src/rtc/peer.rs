//! One peer connection that only sends, as a value: datagrams, descriptions and the time come in, datagrams and events go
//! out. It knows no socket and no clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::bwe::{Bitrate, BweKind};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::Extension;
use str0m::{Candidate, Event as RtcEvent, IceConnectionState, Input, Output as RtcOutput, Rtc, RtcConfig};

use super::candidate::{LocalCandidate, Trickled};
use super::crypto;
use super::description::{self, Kind};
use super::error::PeerError;
use super::estimate::Estimate;
use super::frame::SharedFrame;
use super::lane::Lane;
use super::output::{Answer, Output, PeerEvent};
use super::route::Route;
use super::settings::{PeerSettings, Remote};
use crate::media::{Track, VideoCodec};

/// Packets of a track that can be sent again when the peer asks for them; 200 are a quarter of a second and cost 0.2 MB
/// less for each peer than str0m's usual 1000.
const SEND_BUFFER: usize = 200;
/// A peer from which nothing has come for this long is gone: browsers ask for STUN answers every 2.5 s.
const SILENT_PEER: Duration = Duration::from_secs(8);
/// A browser that was killed is noticed after 15 s instead of 22 s.
const STUN_RETRANSMITS: usize = 4;
const STUN_RTO_MAX: Duration = Duration::from_millis(1500);
/// The largest datagram that is sent, in bytes.
const MTU: std::ops::RangeInclusive<usize> = 1150..=1200;
/// What is due within this time is done at once.
const TIMER_STEP: Duration = Duration::from_micros(500);
/// The id of the playout-delay extension in our offers, which str0m leaves free.
const PLAYOUT_DELAY_ID: u8 = 5;
/// How often is told what was lost.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);
/// Lines of chat are cut at this many bytes.
const MAX_CHAT_BYTES: usize = 4096;
/// The label of the data channel over which pages chat.
const CHAT: &str = "chat";

/// One peer connection.
pub struct Peer {
    rtc: Rtc,
    settings: PeerSettings,
    video: Lane,
    audio: Lane,
    chat: Option<ChannelId>,
    /// The offer that has no answer yet, and the sections that it adds.
    pending: Option<(SdpPendingOffer, Vec<(MediaKind, Mid)>)>,
    /// The id of the first section of our last description.
    mid: Option<String>,
    /// A way in which the peer could reach us is gone since our last offer.
    candidate_lost: bool,
    route: Route,
    /// Whether an offer or an answer was agreed on.
    negotiated: bool,
    connected: bool,
    /// ICE has begun to look for another path while connected.
    looks_for_path: bool,
    /// What the way to the peer carries, as its feedback about each packet tells (TWCC).
    estimate: Estimate,
    /// What the peer wants at most, in bits per second (REMB).
    limit: Option<u64>,
    /// The latest time that was told.
    now: Instant,
    last_received: Instant,
    /// The end was told.
    over: bool,
    events: VecDeque<PeerEvent>,
}

impl Peer {
    /// A peer that can be reached at `addresses`.
    ///
    /// # Errors
    /// There is no certificate, because the system has no randomness.
    pub fn new(settings: PeerSettings, addresses: &[SocketAddr], now: Instant) -> Result<Self, PeerError> {
        let certificate = crypto::certificate().map_err(PeerError::Certificate)?;
        let mut config = RtcConfig::new()
            .set_crypto_provider(crypto::provider().into())
            .set_dtls_cert(certificate)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(settings.video == Some(VideoCodec::Vp8))
            .enable_vp9(settings.video == Some(VideoCodec::Vp9))
            .set_extension(PLAYOUT_DELAY_ID, Extension::PlayoutDelay)
            .enable_bwe(Some(bitrate(settings.full_bitrate)))
            .set_stats_interval(Some(LOSS_INTERVAL))
            .set_send_buffer_video(SEND_BUFFER)
            .set_send_buffer_audio(SEND_BUFFER)
            .set_mtu(MTU);
        config.set_max_stun_retransmits(STUN_RETRANSMITS);
        config.set_max_stun_rto(STUN_RTO_MAX);
        let mut rtc = config.build(now);
        for address in addresses {
            // An address that no candidate can have, such as an unspecified one, is no loss.
            if let Ok(candidate) = Candidate::host(*address, Protocol::Udp) {
                rtc.add_local_candidate(candidate);
            }
        }
        rtc.bwe().set_bitrate(Bitrate::ZERO, bitrate(settings.full_bitrate));
        let needed_bitrate = settings.needed_bitrate;
        Ok(Self {
            rtc,
            video: Lane::new(Track::Video, settings.video),
            audio: Lane::new(Track::Audio, None),
            settings,
            chat: None,
            pending: None,
            mid: None,
            candidate_lost: false,
            route: Route::default(),
            negotiated: false,
            connected: false,
            looks_for_path: false,
            estimate: Estimate::new(needed_bitrate, now),
            limit: None,
            now,
            last_received: now,
            over: false,
            events: VecDeque::new(),
        })
    }

    /// Adds a way in which the peer can reach us. Returns what to tell the peer, if it is a new one.
    pub fn add_candidate(&mut self, candidate: LocalCandidate) -> Option<Trickled> {
        let candidate = self.rtc.add_local_candidate(candidate.to_candidate()?)?.to_sdp_string();
        let username_fragment = self.rtc.direct_api().local_ice_credentials().ufrag;
        Some(Trickled { candidate, mid: self.mid.clone(), username_fragment })
    }

    /// The peer can reach us in this way no longer. The connection goes on in another one if there is any that works. Says
    /// whether media were sent in this way.
    pub fn remove_candidate(&mut self, candidate: LocalCandidate) -> bool {
        if let Some(candidate) = candidate.to_candidate() {
            self.candidate_lost |= self.rtc.direct_api().invalidate_candidate(&candidate);
        }
        // Packets of a reflexive address leave from the address behind it, which has a candidate of its own.
        let is_path = !matches!(candidate, LocalCandidate::Reflexive { .. });
        let lost = is_path && self.route.lose(candidate.address(), self.now);
        if lost {
            // What was sent until now may not have arrived, and a request for a key frame go to where we were.
            self.video.await_key_frame();
        }
        lost
    }

    /// Media get through in another way than before, in which a key frame begins.
    fn go_another_way(&mut self) {
        self.video.await_key_frame();
        if self.negotiated && self.video.was_connected() {
            self.connect();
        }
    }

    /// An offer with all that we send. On a connection that has all of it already, or has lost a candidate, it restarts ICE.
    pub fn offer(&mut self) -> Result<String, PeerError> {
        let kind = match self.settings.remote {
            Remote::Page if !self.negotiated => Kind::FirstOffer,
            Remote::Page | Remote::Server => Kind::LaterOffer,
        };
        let stream = &self.settings.stream;
        let mut changes = self.rtc.sdp_api();
        let mut offered = Vec::new();
        for (lane, media, wanted) in [
            (&self.audio, MediaKind::Audio, true),
            (&self.video, MediaKind::Video, self.settings.video.is_some()),
        ] {
            if wanted && !lane.has_place() {
                let track = format!("{stream}-{}", lane.track());
                let mid =
                    changes.add_media(media, Direction::SendOnly, Some(stream.clone()), Some(track), None);
                offered.push((media, mid));
            }
        }
        if self.settings.offers_chat && self.chat.is_none() {
            self.chat = Some(changes.add_channel(CHAT.to_owned()));
        }
        if !changes.has_changes() || std::mem::take(&mut self.candidate_lost) {
            changes.ice_restart(true);
        }
        let (offer, pending) = changes.apply().ok_or(PeerError::NothingToOffer)?;
        self.pending = Some((pending, offered));
        Ok(self.describe(&offer.to_sdp_string(), kind))
    }

    /// Answers an offer. An offer of ours that has no answer yet is taken back by it.
    ///
    /// # Errors
    /// The offer is no description, has no media section ([`PeerError::NothingAsked`]), or does not fit to what was agreed
    /// before.
    pub fn answer(&mut self, offer: &str) -> Result<Answer, PeerError> {
        let asked = description::asked(offer);
        if !asked.sections {
            return Err(PeerError::NothingAsked);
        }
        let offer =
            SdpOffer::from_sdp_string(description::checked(offer)?).map_err(PeerError::description)?;
        self.pending = None;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(PeerError::description)?;
        self.negotiated = true;
        Ok(Answer {
            sdp: self.describe(&answer.to_sdp_string(), Kind::Answer),
            complete: asked.audio && (asked.video || self.settings.video.is_none()),
        })
    }

    fn describe(&mut self, sdp: &str, kind: Kind) -> String {
        self.mid = description::first_mid(sdp).map(str::to_owned);
        description::ours(sdp, kind, &self.settings.stream)
    }

    /// Takes in the answer to our offer.
    ///
    /// # Errors
    /// There is no such offer, or the answer does not fit to it.
    pub fn accept(&mut self, answer: &str) -> Result<(), PeerError> {
        let answer =
            SdpAnswer::from_sdp_string(description::checked(answer)?).map_err(PeerError::description)?;
        let (pending, offered) = self.pending.take().ok_or(PeerError::NotOffered)?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(PeerError::description)?;
        self.negotiated = true;
        for (kind, mid) in offered {
            if let Some(direction) = self.rtc.media(mid).map(|media| media.direction()) {
                self.lane_of(kind).place(mid, direction);
            }
        }
        Ok(())
    }

    /// Takes in a candidate of the peer, in the form `candidate:…`. What is none is ignored: the empty one that closes a
    /// list, and names that end in `.local` (RFC 8828), whose owners reach us all the same.
    pub fn add_remote_candidate(&mut self, candidate: &str) {
        let text = candidate.trim().trim_start_matches("a=");
        match Candidate::from_sdp_string(text) {
            Ok(candidate) => self.rtc.add_remote_candidate(candidate),
            Err(error) => tracing::trace!(text, %error, "a candidate is ignored"),
        }
    }

    /// Whether a datagram is for this peer.
    pub fn accepts(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        Receive::new(Protocol::Udp, from, to, datagram)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes in a datagram that [`Peer::accepts`]. One that is malformed is ignored.
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) {
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) else { return };
        (self.now, self.last_received) = (now, now);
        if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
            return tracing::debug!("a datagram is ignored: {error}");
        }
        // Anybody can write the peer's address on a datagram; checks and their answers take a password or a secret number.
        if is_stun(datagram) && self.route.hear(from, to, now) {
            self.go_another_way();
        }
    }

    /// Lets the time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.connected && now >= self.last_received + SILENT_PEER {
            return self.end(PeerEvent::Failed(format!("nothing came for {} s", SILENT_PEER.as_secs())));
        }
        if self.connected {
            self.check_estimate(now);
        }
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            self.end(PeerEvent::Failed(error.to_string()));
        }
    }

    /// What is to be done; to be asked until it is [`Output::Timeout`], after everything that was taken in or written.
    pub fn poll(&mut self) -> Output {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            match self.rtc.poll_output() {
                Ok(RtcOutput::Transmit(transmit)) => {
                    let datagram: Vec<u8> = transmit.contents.into();
                    let (from, to) = match is_stun(&datagram) {
                        true => (transmit.source, transmit.destination),
                        false => self.route.lead(transmit.source, transmit.destination),
                    };
                    return Output::Transmit { from, to, datagram };
                }
                Ok(RtcOutput::Event(event)) => self.hear(event),
                // The pacer hands out one packet each time that it is told the time, and wants to be told again after a
                // microsecond, which no timer can do.
                Ok(RtcOutput::Timeout(at)) if at <= self.now + TIMER_STEP && !self.over => {
                    if let Err(error) = self.rtc.handle_input(Input::Timeout(at)) {
                        self.end(PeerEvent::Failed(error.to_string()));
                    }
                }
                Ok(RtcOutput::Timeout(at)) => {
                    let dues = [Some(self.last_received + SILENT_PEER), self.estimate.poll_timeout()];
                    let dues = dues.into_iter().flatten().filter(|_| self.connected);
                    return Output::Timeout(dues.fold(at, Instant::min));
                }
                Err(error) => self.end(PeerEvent::Failed(error.to_string())),
            }
        }
    }

    fn hear(&mut self, event: RtcEvent) {
        match event {
            RtcEvent::Connected => self.connect(),
            RtcEvent::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) if self.negotiated && self.video.was_connected() => self.connect(),
            // No end of the connection: media go on as soon as there is another path.
            RtcEvent::IceConnectionStateChange(IceConnectionState::Checking) => {
                self.looks_for_path = self.connected;
            }
            RtcEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.connected = false;
                self.events.push_back(PeerEvent::Disconnected);
            }
            RtcEvent::MediaAdded(added) => self.lane_of(added.kind).place(added.mid, added.direction),
            RtcEvent::MediaChanged(changed) => {
                self.video.change(changed.mid, changed.direction);
                self.audio.change(changed.mid, changed.direction);
            }
            RtcEvent::KeyframeRequest(_) => self.video.await_key_frame(),
            RtcEvent::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.estimate.update(estimate.as_u64(), self.now);
                self.tell_estimate();
            }
            RtcEvent::EgressBitrateEstimate(BweKind::Remb { estimate, .. }) => {
                self.limit = Some(estimate.as_u64());
                self.tell_estimate();
            }
            RtcEvent::MediaEgressStats(stats) if self.audio.is_at(stats.mid) => {
                self.events.extend(stats.loss.map(PeerEvent::VoiceLoss));
            }
            RtcEvent::ChannelOpen(id, label) if label == CHAT => self.chat = Some(id),
            RtcEvent::ChannelData(data) if Some(data.id) == self.chat && !data.binary => {
                let text = String::from_utf8_lossy(&data.data);
                let end = text.floor_char_boundary(MAX_CHAT_BYTES);
                self.events.push_back(PeerEvent::Chat(text[..end].to_owned()));
            }
            RtcEvent::Closed => self.end(PeerEvent::Closed),
            _ => {}
        }
    }

    /// The lower of both: a server that is sent feedback packet by packet may say beside it how much it wants at most.
    fn tell_estimate(&mut self) {
        let lowest = [self.estimate.believed(), self.limit].into_iter().flatten().min();
        self.events.extend(lowest.map(PeerEvent::Estimate));
    }

    fn check_estimate(&mut self, now: Instant) {
        let told = self.estimate.believed();
        if let Some(bits) = self.estimate.handle_timeout(now) {
            self.rtc.bwe().reset(Bitrate::bps(bits));
        }
        if self.estimate.believed() != told {
            self.tell_estimate();
        }
    }

    fn connect(&mut self) {
        if !self.connected || self.looks_for_path {
            self.connected = true;
            self.looks_for_path = false;
            self.video.connect();
            self.audio.connect();
            self.events.push_back(PeerEvent::Connected);
        }
    }

    fn lane_of(&mut self, kind: MediaKind) -> &mut Lane {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    /// Tells how it ended, once.
    fn end(&mut self, event: PeerEvent) {
        self.connected = false;
        self.rtc.disconnect();
        if !std::mem::replace(&mut self.over, true) {
            self.events.push_back(event);
        }
    }

    /// Whether the connection carries media.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the peer cannot show a picture before it has another key frame, and it can get there.
    pub fn wants_key_frame(&mut self, now: Instant) -> bool {
        self.connected && !self.route.is_lost() && self.video.wants_key_frame(&mut self.rtc, now)
    }

    /// The picture has a gap: nothing is sent of it until a key frame.
    pub fn await_key_frame(&mut self) {
        self.video.await_key_frame();
    }

    /// Sends a frame, unless the peer is not connected, has no place for the track, needs a key frame first or is too far
    /// behind: no picture is put behind what has waited for longer than `max_age`. Says whether it is on its way. [`Peer::poll`] is to be called after each frame.
    ///
    /// Nothing is sent that cannot arrive: the peer would ask for all of it later, and what it misses would be taken for what
    /// the next path loses.
    pub fn write(&mut self, frame: &SharedFrame, max_age: Duration, now: Instant) -> bool {
        if self.route.is_lost() {
            return false;
        }
        let lane = match frame.track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        };
        self.connected && lane.write(&mut self.rtc, frame, max_age, now)
    }

    /// Hands out all media that wait for their turn, through [`Peer::poll`], and forgets what could be sent again: when
    /// polling has ended, nothing that was written before is held here.
    pub fn flush(&mut self, now: Instant, mut transmit: impl FnMut(SocketAddr, SocketAddr, Vec<u8>)) {
        self.video.set_unpaced(&mut self.rtc, true);
        self.handle_timeout(now);
        let mut events = std::mem::take(&mut self.events);
        loop {
            match self.poll() {
                Output::Transmit { from, to, datagram } => transmit(from, to, datagram),
                Output::Event(event) => events.push_back(event),
                Output::Timeout(_) => break,
            }
        }
        self.events = events;
        self.video.set_unpaced(&mut self.rtc, false);
        self.video.forget_sent(&mut self.rtc);
        self.audio.forget_sent(&mut self.rtc);
    }

    /// Media of this track that wait for their turn, in packets.
    pub fn waiting(&mut self, track: Track) -> usize {
        match track {
            Track::Video => self.video.waiting(&mut self.rtc),
            Track::Audio => self.audio.waiting(&mut self.rtc),
        }
    }

    /// Writes a line of chat, if there is an open channel for it. Says whether it is on its way.
    pub fn say(&mut self, text: &str) -> bool {
        let Some(mut channel) = self.chat.and_then(|id| self.rtc.channel(id)) else { return false };
        channel.write(false, text.as_bytes()).unwrap_or(false)
    }

    /// Closes the connection. What tells the peer so comes out of [`Peer::poll`].
    pub fn close(&mut self) {
        self.connected = false;
        self.over = true;
        if let Err(error) = self.rtc.close() {
            tracing::debug!("closing a peer connection: {error}");
        }
    }
}

/// What STUN sends begins with two bits that are zero, and DTLS with 20 at least (RFC 7983).
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

fn bitrate(bits_per_second: u32) -> Bitrate {
    Bitrate::bps(u64::from(bits_per_second))
}
