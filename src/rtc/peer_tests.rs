//! A peer and a viewer that is str0m as it comes, with a network of datagrams and a clock between them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::bwe::Bitrate;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output as RtcOutput, Rtc};

use super::*;
use crate::media::{CaptureTime, Frame, Track, VideoCodec};

const STEP: Duration = Duration::from_millis(1);
const FRAME: Duration = Duration::from_millis(40);
/// How old what waits may be.
const MAX_AGE: Duration = Duration::from_millis(200);

fn ours() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

fn theirs() -> SocketAddr {
    "192.0.2.2:6000".parse().unwrap()
}

fn settings() -> PeerSettings {
    PeerSettings {
        video: Some(VideoCodec::Vp8),
        stream: "cam".to_owned(),
        full_bitrate: 800_000,
        needed_bitrate: 156_000,
        offers_chat: true,
        remote: Remote::Page,
    }
}

/// The link to the viewer: how late datagrams are, and how many bits per second it carries.
pub(super) struct Line {
    delay: Duration,
    pub(super) rate: Option<u64>,
    free_at: Instant,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    pub(super) open: bool,
    bytes: usize,
}

pub(super) struct Call {
    pub(super) peer: Peer,
    viewer: Rtc,
    start: Instant,
    pub(super) now: Instant,
    pub(super) down: Line,
    up: VecDeque<(Instant, Vec<u8>)>,
    pub(super) events: Vec<PeerEvent>,
    viewer_events: Vec<Event>,
    /// When a picture arrived, and when its bytes say that it was made; sound likewise.
    pub(super) pictures: Vec<(Duration, Duration)>,
    pub(super) packets: Vec<(Duration, Duration)>,
}

impl Call {
    fn new(settings: PeerSettings) -> Self {
        let now = Instant::now();
        let mut viewer = test_viewer(now);
        viewer.add_local_candidate(Candidate::host(theirs(), Protocol::Udp).unwrap());
        Self {
            peer: Peer::new(settings, &[ours()], now).unwrap(),
            viewer,
            start: now,
            now,
            down: Line {
                delay: Duration::from_millis(5),
                rate: None,
                free_at: now,
                on_the_way: VecDeque::new(),
                open: true,
                bytes: 0,
            },
            up: VecDeque::new(),
            events: Vec::new(),
            viewer_events: Vec::new(),
            pictures: Vec::new(),
            packets: Vec::new(),
        }
    }

    /// We offer.
    pub(super) fn offered() -> Self {
        let mut call = Self::new(settings());
        let offer = call.peer.offer().unwrap();
        call.viewer_takes(&offer);
        call
    }

    fn viewer_takes(&mut self, offer: &str) {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = self.viewer.sdp_api().accept_offer(offer).unwrap();
        self.peer.accept(&answer.to_sdp_string()).unwrap();
    }

    /// The viewer offers sections of these kinds.
    fn viewer_offers(&mut self, sections: &[(MediaKind, Direction)]) -> (String, SdpPendingOffer) {
        let mut changes = self.viewer.sdp_api();
        for (kind, direction) in sections {
            changes.add_media(*kind, *direction, Some("browser".to_owned()), None, None);
        }
        let (offer, pending) = changes.apply().unwrap();
        (offer.to_sdp_string(), pending)
    }

    fn viewer_accepts(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.viewer.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// Where the viewer has what we send of this kind.
    fn viewer_mid(&self, kind: MediaKind) -> Mid {
        let added = self.viewer_events.iter().find_map(|event| match event {
            Event::MediaAdded(added) if added.kind == kind => Some(added.mid),
            _ => None,
        });
        added.unwrap()
    }

    fn drain_peer(&mut self) {
        loop {
            match self.peer.poll() {
                Output::Transmit { datagram, .. } => self.send_down(datagram),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => {
                    if at > self.now {
                        break;
                    }
                    self.peer.handle_timeout(self.now);
                }
            }
        }
    }

    fn send_down(&mut self, datagram: Vec<u8>) {
        self.down.bytes += datagram.len();
        if !self.down.open {
            return;
        }
        let taken = self.down.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64((datagram.len() + 28) as f64 * 8.0 / rate as f64)
        });
        let sent = self.down.free_at.max(self.now) + taken;
        // A router's buffer of 300 ms.
        if sent < self.now + Duration::from_millis(300) {
            self.down.free_at = sent;
            self.down.on_the_way.push_back((self.down.free_at + self.down.delay, datagram));
        }
    }

    fn drain_viewer(&mut self) {
        loop {
            match self.viewer.poll_output().unwrap() {
                RtcOutput::Transmit(transmit) => {
                    let datagram: Vec<u8> = transmit.contents.into();
                    self.up.push_back((self.now + self.down.delay, datagram));
                }
                RtcOutput::Event(Event::MediaData(data)) => {
                    let arrived = self.now - self.start;
                    let made = Duration::from_millis(u64::from_be_bytes(data.data[..8].try_into().unwrap()));
                    match data.params.spec().codec.is_video() {
                        true => self.pictures.push((arrived, made)),
                        false => self.packets.push((arrived, made)),
                    }
                }
                RtcOutput::Event(event) => self.viewer_events.push(event),
                RtcOutput::Timeout(at) => {
                    if at > self.now {
                        break;
                    }
                    self.viewer.handle_input(Input::Timeout(self.now)).unwrap();
                }
            }
        }
    }

    pub(super) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.now < end {
            self.drain_peer();
            self.drain_viewer();
            self.now += STEP;
            while self.down.on_the_way.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, datagram) = self.down.on_the_way.pop_front().unwrap();
                let receive = Receive::new(Protocol::Udp, ours(), theirs(), &datagram).unwrap();
                self.viewer.handle_input(Input::Receive(self.now, receive)).unwrap();
                self.drain_viewer();
            }
            while self.up.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, datagram) = self.up.pop_front().unwrap();
                if self.down.open {
                    assert!(self.peer.accepts(theirs(), ours(), &datagram, self.now));
                    self.peer.receive(theirs(), ours(), &datagram, self.now);
                    self.drain_peer();
                }
            }
        }
    }

    pub(super) fn at(&self) -> Duration {
        self.now - self.start
    }

    /// A frame of `length` bytes that begins with the time it was made.
    fn frame(&self, track: Track, key: bool, length: usize) -> SharedFrame {
        let millis = self.at().as_millis() as u64;
        let mut data = vec![0; length.max(16)];
        data[..8].copy_from_slice(&millis.to_be_bytes());
        let frame = Frame {
            track,
            captured: CaptureTime::from_millis(millis),
            key,
            droppable: false,
            data: Bytes::from(data),
        };
        SharedFrame::new(&frame, self.now)
    }

    pub(super) fn write(&mut self, track: Track, key: bool, length: usize) -> bool {
        let frame = self.frame(track, key, length);
        let written = self.peer.write(&frame, MAX_AGE, self.now);
        self.drain_peer();
        written
    }

    /// Sends pictures of `length` bytes, and key frames when they are wanted, for `time`.
    fn stream(&mut self, time: Duration, length: usize) {
        let end = self.now + time;
        while self.now < end {
            let key = self.peer.wants_key_frame(self.now);
            self.write(Track::Video, key, if key { 4 * length } else { length });
            self.run(FRAME);
        }
    }

    pub(super) fn connected(mut self) -> Self {
        self.run(Duration::from_millis(500));
        assert!(self.events.contains(&PeerEvent::Connected), "{:?}", self.events);
        self
    }
}

#[test]
fn what_we_offer_is_seen_and_heard() {
    let mut call = Call::offered().connected();
    assert!(call.peer.wants_key_frame(call.now));
    assert!(!call.write(Track::Video, false, 500), "nobody can decode it");
    assert!(call.write(Track::Video, true, 5000));
    assert!(call.write(Track::Audio, true, 80));
    assert!(!call.peer.wants_key_frame(call.now));
    assert!(call.write(Track::Video, false, 500));
    call.run(FRAME);
    assert_eq!(call.pictures.len(), 2);
    assert_eq!(call.packets.len(), 1);
}

#[test]
fn nothing_is_sent_before_the_connection_stands() {
    let mut call = Call::offered();
    assert!(!call.write(Track::Video, true, 500));
    assert!(!call.write(Track::Audio, true, 80));
    assert!(!call.peer.wants_key_frame(call.now));
}

#[test]
fn a_first_offer_is_active_sends_only_and_names_our_candidates() {
    let mut call = Call::new(settings());
    let offer = call.peer.offer().unwrap();
    assert!(offer.contains("a=setup:active\r\n"), "{offer}");
    assert_eq!(offer.matches("a=sendonly\r\n").count(), 2, "{offer}");
    assert_eq!(offer.matches("a=msid:cam cam-audio\r\n").count(), 1, "{offer}");
    assert_eq!(offer.matches("a=msid:cam cam-video\r\n").count(), 1, "{offer}");
    assert!(offer.contains(" 192.0.2.1 5000 typ host"), "{offer}");
    assert!(offer.contains("playout-delay"), "{offer}");
    assert!(offer.contains("useinbandfec=1"), "{offer}");
    assert!(offer.contains("m=application"), "{offer}");
}

#[test]
fn a_server_is_offered_either_role_and_no_chat() {
    let mut call = Call::new(PeerSettings { remote: Remote::Server, offers_chat: false, ..settings() });
    let offer = call.peer.offer().unwrap();
    assert_eq!(offer.matches("a=setup:actpass\r\n").count(), 2, "{offer}");
    assert!(!offer.contains("setup:active") && !offer.contains("m=application"), "{offer}");
    call.viewer_takes(&offer);
    let mut call = call.connected();
    call.stream(Duration::from_millis(400), 2000);
    assert_eq!(call.pictures.len(), 10);
}

#[test]
fn the_lower_of_what_the_network_and_the_peer_allow_is_told() {
    let mut call = Call::offered().connected();
    call.stream(Duration::from_millis(400), 2000);
    let estimated = |call: &Call| {
        call.events.iter().rev().find_map(|event| match event {
            PeerEvent::Estimate(bits) => Some(*bits),
            _ => None,
        })
    };
    assert!(estimated(&call).unwrap() > 200_000, "{:?}", estimated(&call));
    let mid = call.viewer_mid(MediaKind::Video);
    call.viewer.direct_api().stream_rx_by_mid(mid, None).unwrap().request_remb(Bitrate::kbps(123));
    call.stream(Duration::from_millis(400), 2000);
    let told = estimated(&call).unwrap();
    assert!((110_000..=123_000).contains(&told), "{told}");
}

#[test]
fn offers_are_answered_with_what_we_send() {
    for direction in [Direction::RecvOnly, Direction::SendRecv] {
        let mut call = Call::new(settings());
        let (offer, pending) =
            call.viewer_offers(&[(MediaKind::Audio, direction), (MediaKind::Video, direction)]);
        let answer = call.peer.answer(&offer).unwrap();
        assert!(answer.complete);
        assert_eq!(answer.sdp.matches("a=sendonly\r\n").count(), 2, "{}", answer.sdp);
        assert_eq!(answer.sdp.matches("a=msid:cam ").count(), 2, "{}", answer.sdp);
        assert!(!answer.sdp.contains("browser"), "{}", answer.sdp);
        call.viewer_accepts(pending, &answer.sdp);
        let mut call = call.connected();
        call.stream(Duration::from_millis(400), 2000);
        assert_eq!(call.pictures.len(), 10);
    }
}

#[test]
fn an_offer_without_video_is_followed_by_ours() {
    let mut call = Call::new(settings());
    let (offer, pending) = call.viewer_offers(&[(MediaKind::Audio, Direction::RecvOnly)]);
    let answer = call.peer.answer(&offer).unwrap();
    assert!(!answer.complete);
    call.viewer_accepts(pending, &answer.sdp);
    let mut call = call.connected();
    assert!(!call.write(Track::Video, true, 500), "there is no place for it");
    let offer = call.peer.offer().unwrap();
    assert!(offer.contains("a=setup:actpass\r\n"), "{offer}");
    call.viewer_takes(&offer);
    call.stream(Duration::from_millis(400), 2000);
    assert!(call.pictures.len() >= 9, "{}", call.pictures.len());
}

#[test]
fn what_is_no_offer_or_no_answer_is_refused() {
    let mut call = Call::new(settings());
    assert_eq!(call.peer.answer("v=0\r\n").unwrap_err(), PeerError::NothingAsked);
    assert!(matches!(call.peer.answer("m=nonsense").unwrap_err(), PeerError::Description(_)));
    assert!(matches!(call.peer.accept("nonsense").unwrap_err(), PeerError::Description(_)));
    let long = format!("m={}", "x".repeat(70_000));
    assert_eq!(call.peer.answer(&long).unwrap_err(), PeerError::TooLong { bytes: 70_002 });
    let (offer, _) = call.viewer_offers(&[(MediaKind::Audio, Direction::RecvOnly)]);
    let answer = offer.replace("a=setup:actpass", "a=setup:active");
    assert_eq!(call.peer.accept(&answer).unwrap_err(), PeerError::NotOffered);
}

#[test]
fn candidates_that_are_none_are_ignored() {
    let mut call = Call::offered();
    for candidate in [
        "",
        "candidate:",
        "candidate:1 1 udp 2113937151 5a2c0b1e-0d7b.local 50000 typ host generation 0",
        "candidate:1 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
        "a=candidate:1 1 udp 2113937151 192.0.2.2 6000 typ host",
    ] {
        call.peer.add_remote_candidate(candidate);
    }
    call.connected();
}

#[test]
fn a_viewer_that_lost_the_picture_gets_a_key_frame() {
    let mut call = Call::offered().connected();
    call.stream(Duration::from_millis(200), 1000);
    assert!(!call.peer.wants_key_frame(call.now));
    let mid: Mid = call
        .viewer_events
        .iter()
        .find_map(|event| match event {
            Event::MediaAdded(added) if added.kind == MediaKind::Video => Some(added.mid),
            _ => None,
        })
        .unwrap();
    let mut writer = call.viewer.writer(mid).unwrap();
    writer.request_keyframe(None, KeyframeRequestKind::Pli).unwrap();
    call.run(FRAME);
    assert!(call.peer.wants_key_frame(call.now));
    assert!(!call.write(Track::Video, false, 500));
    assert!(call.write(Track::Video, true, 500));
}

#[test]
fn a_gap_ends_with_a_key_frame() {
    let mut call = Call::offered().connected();
    call.stream(Duration::from_millis(200), 1000);
    call.peer.await_key_frame();
    assert!(!call.write(Track::Video, false, 500));
    assert!(call.peer.wants_key_frame(call.now));
    assert!(call.write(Track::Video, true, 500));
    assert!(call.write(Track::Video, false, 500));
}

/// Law 1: going quiet is one step, after which nothing captured before is held anywhere.
#[test]
fn a_flush_hands_out_all_that_waits_and_forgets_what_was_sent() {
    let mut call = Call::offered().connected();
    call.stream(Duration::from_millis(200), 1000);
    assert!(call.write(Track::Video, true, 60_000));
    call.run(STEP);
    let waited = call.peer.waiting(Track::Video);
    assert!(waited > 10, "the pacer holds it back: {waited}");

    let mut handed_out = Vec::new();
    call.peer.flush(call.now, |_, _, datagram| handed_out.push(datagram));
    assert!(handed_out.len() >= waited, "{} of {waited}", handed_out.len());
    assert_eq!(call.peer.waiting(Track::Video), 0);

    // The viewer misses all of it and asks for it; nothing is left to be sent again.
    let before = call.down.bytes;
    let pictures = call.pictures.len();
    call.run(Duration::from_secs(2));
    let sent = call.down.bytes - before;
    assert!(sent < 20_000, "{sent} bytes: reports, checks and padding");
    assert!(call.pictures[pictures..].iter().all(|(_, made)| *made < call.at() - Duration::from_secs(2)));
}

#[test]
fn a_narrow_link_makes_the_picture_slower_not_late() {
    let mut call = Call::offered().connected();
    // 800 kbit/s in 25 pictures, over half of that.
    call.down.rate = Some(400_000);
    call.stream(Duration::from_secs(5), 4000);
    let settled = call.pictures.len();
    call.stream(Duration::from_secs(10), 4000);
    let mut ages: Vec<u128> =
        call.pictures[settled..].iter().map(|(arrived, made)| (*arrived - *made).as_millis()).collect();
    ages.sort_unstable();
    let (median, worst) = (ages[ages.len() / 2], ages[ages.len() - 1]);
    println!("{} pictures, median {median} ms, worst {worst} ms", ages.len());
    assert!(ages.len() >= 20, "{ages:?}");
    assert!(median < 600 && worst < 1500, "{ages:?}");
    let estimate = call.events.iter().rev().find_map(|event| match event {
        PeerEvent::Estimate(bits) => Some(*bits),
        _ => None,
    });
    assert!(estimate.is_some_and(|bits| (100_000..700_000).contains(&bits)), "{estimate:?}");
}

#[test]
fn a_droppable_picture_that_is_late_leaves_no_gap() {
    for droppable in [true, false] {
        let mut call = Call::offered().connected();
        // More than the pacer hands out within 200 ms.
        assert!(call.write(Track::Video, true, 100_000));
        call.run(Duration::from_millis(250));
        let late = SharedFrame { droppable, ..call.frame(Track::Video, false, 1000) };
        assert!(!call.peer.write(&late, MAX_AGE, call.now), "it is late");
        call.run(Duration::from_secs(3));
        assert_eq!(call.peer.waiting(Track::Video), 0);
        assert_eq!(call.peer.wants_key_frame(call.now), !droppable);
    }
}

#[test]
fn a_peer_from_which_nothing_comes_is_lost() {
    let mut call = Call::offered().connected();
    call.down.open = false;
    call.run(Duration::from_secs(10));
    let failed = call.events.iter().filter(|event| matches!(event, PeerEvent::Failed(_))).count();
    assert_eq!(failed, 1, "{:?}", call.events);
    assert!(!call.peer.is_connected());
    assert!(!call.write(Track::Audio, true, 80));
}

#[test]
fn a_viewer_that_closes_is_noticed_and_told_when_we_close() {
    let mut call = Call::offered().connected();
    call.viewer.close().unwrap();
    call.run(Duration::from_millis(100));
    assert!(call.events.contains(&PeerEvent::Closed), "{:?}", call.events);

    let mut call = Call::offered().connected();
    call.peer.close();
    call.run(Duration::from_millis(100));
    assert!(call.viewer_events.iter().any(|event| matches!(event, Event::Closed)));
}

#[test]
fn what_people_write_is_heard_and_answered() {
    let mut call = Call::offered().connected();
    let id = call
        .viewer_events
        .iter()
        .find_map(|event| match event {
            Event::ChannelOpen(id, label) if label == "chat" => Some(*id),
            _ => None,
        })
        .unwrap();
    call.viewer.channel(id).unwrap().write(false, "hello".as_bytes()).unwrap();
    call.run(FRAME);
    assert!(call.events.contains(&PeerEvent::Chat("hello".to_owned())), "{:?}", call.events);
    assert!(call.peer.say("good morning"));
    call.run(FRAME);
    assert!(
        call.viewer_events
            .iter()
            .any(|event| matches!(event, Event::ChannelData(data) if data.data == "good morning".as_bytes()))
    );
}

#[test]
fn an_offer_on_a_connection_that_stands_restarts_ice() {
    let mut call = Call::offered().connected();
    call.stream(Duration::from_millis(200), 1000);
    let offer = call.peer.offer().unwrap();
    call.viewer_takes(&offer);
    let before = call.pictures.len();
    call.stream(Duration::from_secs(1), 1000);
    assert!(call.pictures.len() - before >= 20, "{}", call.pictures.len() - before);
}
