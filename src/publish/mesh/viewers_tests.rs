//! Three viewers that are str0m as it comes, each behind a link of its own, in simulated time: what each of them gets of the
//! one encoder that follows all links.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::key_frames::KeyFrameLimit;
use super::share::{needed_for_any, needed_for_best};
use super::viewers::Viewers;
use crate::media::{CaptureTime, Frame, Track, VideoCodec};
use crate::publish::quality::{Quality, RateLimits};
use crate::rtc::{LocalCandidate, PeerSettings, Remote, SharedFrame, test_viewer};

const LIMITS: RateLimits =
    RateLimits { min_bitrate: 150_000, max_bitrate: 800_000, frame_rate: 30, other_bitrate: 62_000 };
/// What the picture and the voice are made of at their best, in bits per second.
const FULL: f64 = 832_000.0;
const STEP: Duration = Duration::from_millis(1);
/// A link keeps this much of what waits before it.
const LINK_QUEUE: Duration = Duration::from_millis(200);
const DELAY: Duration = Duration::from_millis(10);
/// Of a datagram beside its payload (IPv4, UDP).
const HEADER_BYTES: usize = 28;
const VOICE_BYTES: usize = 80;

/// The way to one viewer: what it carries, in bits per second, and of how many datagrams in a hundred it loses one.
#[derive(Clone, Copy)]
struct Way {
    rate: Option<f64>,
    loss: u32,
}

const GOOD: Way = Way { rate: None, loss: 0 };

struct End {
    address: SocketAddr,
    rtc: Rtc,
    way: Way,
    free_at: Instant,
    down: VecDeque<(Instant, Vec<u8>)>,
    up: VecDeque<(Instant, Vec<u8>)>,
    /// When a picture or a packet arrived, when it was made, and of how many bytes it is.
    pictures: Vec<(Duration, Duration, usize)>,
    packets: Vec<(Duration, Duration, usize)>,
}

/// `vp8enc` as it was measured with the test pattern: bytes of what it makes of a target.
#[derive(Default)]
struct Encoder {
    pictures: u64,
    /// Bytes that the base layer may still take.
    budget: f64,
}

impl Encoder {
    /// Whether the next picture is droppable, and its bytes; `None` if it is left out.
    fn next(&mut self, bitrate: u32, base: Option<u32>, key: bool) -> Option<(bool, usize)> {
        let picture = f64::from(bitrate) / 240.0;
        let Some(base) = base.map(f64::from) else {
            return Some((false, if key { 3.0 * picture } else { picture } as usize));
        };
        let in_base = key || self.pictures.is_multiple_of(4);
        self.pictures = if key { 1 } else { self.pictures + 1 };
        if !in_base {
            return Some((true, ((f64::from(bitrate) - base) / 180.0) as usize));
        }
        let share = base / 60.0;
        self.budget = (self.budget + share).min(2.0 * share);
        // Below its coarsest quantizer it leaves out pictures.
        let bytes = if key { 2.25 * share } else { share.max(2_400.0) };
        if !key && self.budget < 0.5 * bytes {
            return None;
        }
        self.budget -= bytes.min(2.0 * share);
        Some((false, bytes as usize))
    }
}

struct Meeting {
    viewers: Viewers,
    ends: BTreeMap<String, End>,
    encoder: Encoder,
    key_frames: KeyFrameLimit,
    quality: Quality,
    start: Instant,
    now: Instant,
    random: u64,
    forced: usize,
}

fn ours() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

impl Meeting {
    fn with(ways: &[Way]) -> Self {
        let start = Instant::now();
        let mut meeting = Self {
            viewers: Viewers::new(ways.len()),
            ends: BTreeMap::new(),
            encoder: Encoder::default(),
            key_frames: KeyFrameLimit::default(),
            quality: LIMITS.best_quality(),
            start,
            now: start,
            random: 1,
            forced: 0,
        };
        for (index, way) in ways.iter().enumerate() {
            let id = index.to_string();
            let settings = PeerSettings {
                video: Some(VideoCodec::Vp8),
                stream: "cam".to_owned(),
                full_bitrate: needed_for_best(&LIMITS),
                needed_bitrate: needed_for_any(&LIMITS),
                offers_chat: false,
                remote: Remote::Page,
            };
            meeting.viewers.open(&id, settings, &[LocalCandidate::Host(ours())], start).unwrap();
            let address = SocketAddr::new([192, 0, 2, 2].into(), 6000 + index as u16);
            let mut rtc = test_viewer(start);
            rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
            let peer = meeting.viewers.peer(&id).unwrap();
            let offer = SdpOffer::from_sdp_string(&peer.offer().unwrap()).unwrap();
            peer.accept(&rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string()).unwrap();
            let end = End {
                address,
                rtc,
                way: *way,
                free_at: start,
                down: VecDeque::new(),
                up: VecDeque::new(),
                pictures: Vec::new(),
                packets: Vec::new(),
            };
            meeting.ends.insert(id, end);
        }
        meeting
    }

    /// Lets something happen to the viewers, and puts what they send on its way.
    fn with_viewers(
        &mut self,
        act: impl FnOnce(&mut Viewers, &mut dyn FnMut(SocketAddr, SocketAddr, &[u8])),
    ) {
        let mut sent = Vec::new();
        act(&mut self.viewers, &mut |_, to, datagram| sent.push((to, datagram.to_vec())));
        for (to, datagram) in sent {
            let lost = self.chance();
            let end = self.ends.values_mut().find(|end| end.address == to).unwrap();
            let waits = end.free_at.saturating_duration_since(self.now);
            if lost < end.way.loss || waits > LINK_QUEUE {
                continue;
            }
            let bits = (datagram.len() + HEADER_BYTES) as f64 * 8.0;
            let takes = end.way.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bits / rate));
            end.free_at = self.now + waits + takes;
            end.down.push_back((end.free_at + DELAY, datagram));
        }
    }

    /// 0 to 99, the same in each run.
    fn chance(&mut self) -> u32 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as u32 % 100
    }

    fn at(&self) -> Duration {
        self.now - self.start
    }

    /// A frame that begins with the time it was made.
    fn write(&mut self, track: Track, key: bool, droppable: bool, bytes: usize) {
        let millis = self.at().as_millis() as u64;
        let mut data = vec![0; bytes.max(16)];
        data[..8].copy_from_slice(&millis.to_be_bytes());
        let captured = CaptureTime::from_millis(millis);
        let frame = Frame { track, captured, key, droppable, data: Bytes::from(data) };
        let (frame, now) = (SharedFrame::new(&frame, self.now), self.now);
        self.with_viewers(|viewers, mut transmit| {
            viewers.write(&frame, now, &mut transmit);
        });
    }

    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.now < end {
            self.now += STEP;
            let (now, millis) = (self.now, self.at().as_millis());
            if millis % 100 == 0 {
                (self.quality, _) = self.viewers.follow_links(&LIMITS, self.quality, now);
            }
            if millis % 20 == 0 {
                self.write(Track::Audio, true, false, VOICE_BYTES);
            }
            let interval = 1000 / u128::from(self.quality.frame_rate);
            if millis % interval == 0 {
                let key = self.viewers.want_key_frame(now) && self.key_frames.admit(now);
                self.forced += usize::from(key);
                let base = self.viewers.base_bitrate();
                if let Some((droppable, bytes)) = self.encoder.next(self.quality.bitrate, base, key) {
                    self.write(Track::Video, key, droppable, bytes);
                }
            }
            self.with_viewers(|viewers, mut transmit| viewers.handle_timeout(now, &mut transmit));
            for id in self.ends.keys().cloned().collect::<Vec<_>>() {
                self.carry(&id);
            }
        }
    }

    /// Lets arrive what is due at one end and from it.
    fn carry(&mut self, id: &str) {
        let (now, at) = (self.now, self.at());
        let lost = self.chance();
        let end = self.ends.get_mut(id).unwrap();
        while end.down.front().is_some_and(|(due, _)| *due <= now) {
            let (_, datagram) = end.down.pop_front().unwrap();
            let receive = Receive::new(Protocol::Udp, ours(), end.address, &datagram).unwrap();
            end.rtc.handle_input(Input::Receive(now, receive)).unwrap();
            end.poll(now, at);
        }
        end.poll(now, at);
        let address = end.address;
        let mut arrived = Vec::new();
        while end.up.front().is_some_and(|(due, _)| *due <= now) {
            arrived.push(end.up.pop_front().unwrap().1);
        }
        if lost < end.way.loss {
            arrived.clear();
        }
        for datagram in arrived {
            self.with_viewers(|viewers, mut transmit| {
                viewers.receive(address, ours(), &datagram, now, &mut transmit);
            });
        }
    }
}

impl End {
    fn poll(&mut self, now: Instant, at: Duration) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    self.up.push_back((now + DELAY, Vec::from(transmit.contents)));
                }
                Output::Event(Event::MediaData(data)) => {
                    let made = Duration::from_millis(u64::from_be_bytes(data.data[..8].try_into().unwrap()));
                    let arrived = (at, made, data.data.len());
                    match data.params.spec().codec.is_video() {
                        true => self.pictures.push(arrived),
                        false => self.packets.push(arrived),
                    }
                }
                Output::Event(_) => {}
                Output::Timeout(due) if due > now => break,
                Output::Timeout(_) => self.rtc.handle_input(Input::Timeout(now)).unwrap(),
            }
        }
    }
}

/// What one viewer had of a stretch of time.
#[derive(Debug)]
struct Seen {
    pictures_per_second: f64,
    bits_per_second: f64,
    /// How old the oldest picture was when it arrived, and the longest time without one.
    oldest: Duration,
    longest_gap: Duration,
    /// The part of the voice that arrived, and how old its oldest packet was.
    voice: f64,
    oldest_voice: Duration,
}

/// What each viewer has of the last 20 of 40 seconds.
fn watch(ways: &[Way]) -> Vec<Seen> {
    let mut meeting = Meeting::with(ways);
    meeting.run(Duration::from_secs(20));
    let (from, forced) = (meeting.at(), meeting.forced);
    meeting.run(Duration::from_secs(20));
    let seconds = (meeting.at() - from).as_secs_f64();
    let see = |end: &End| {
        let since = |all: &[(Duration, Duration, usize)]| -> Vec<(Duration, Duration, usize)> {
            all.iter().filter(|(arrived, ..)| *arrived > from).copied().collect()
        };
        let (pictures, packets) = (since(&end.pictures), since(&end.packets));
        let oldest = |all: &[(Duration, Duration, usize)]| {
            all.iter().map(|(arrived, made, _)| *arrived - *made).max().unwrap_or_default()
        };
        let times = [from].into_iter().chain(pictures.iter().map(|(at, ..)| *at)).chain([meeting.at()]);
        let times: Vec<Duration> = times.collect();
        Seen {
            pictures_per_second: pictures.len() as f64 / seconds,
            bits_per_second: pictures.iter().map(|(.., bytes)| *bytes as f64 * 8.0).sum::<f64>() / seconds,
            oldest: oldest(&pictures),
            longest_gap: times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default(),
            voice: packets.len() as f64 / (50.0 * seconds),
            oldest_voice: oldest(&packets),
        }
    };
    let seen = meeting.ends.values().map(see).collect();
    println!("{} key frames, {:?}: {seen:#?}", meeting.forced - forced, meeting.quality);
    seen
}

/// The first is bad, and the others are to keep nine tenths of what they would have without it. Returns what it has.
fn watch_beside(bad: Way) -> Seen {
    let undisturbed = watch(&[GOOD; 3]).pop().unwrap();
    let mut seen = watch(&[bad, GOOD, GOOD]);
    for good in seen.drain(1..) {
        assert!(good.bits_per_second >= 0.9 * undisturbed.bits_per_second, "{good:?}");
        assert!(good.pictures_per_second >= 0.9 * undisturbed.pictures_per_second, "{good:?}");
        assert!(good.voice > 0.99 && good.oldest_voice < Duration::from_millis(50), "{good:?}");
    }
    seen.remove(0)
}

#[test]
fn over_half_and_a_quarter_of_what_others_have_there_is_a_moving_picture() {
    for part in [0.5, 0.25] {
        let bad = watch_beside(Way { rate: Some(part * FULL), loss: 0 });
        assert!(bad.pictures_per_second >= 5.0, "{part}: {bad:?}");
        assert!(bad.oldest <= Duration::from_secs(1), "{part}: {bad:?}");
        assert!(bad.longest_gap <= Duration::from_secs(1), "{part}: {bad:?}");
        assert!(bad.voice > 0.99 && bad.oldest_voice <= Duration::from_millis(500), "{part}: {bad:?}");
    }
}

#[test]
fn where_a_tenth_is_lost_there_is_a_moving_picture() {
    for rate in [None, Some(0.5 * FULL)] {
        let bad = watch_beside(Way { rate, loss: 10 });
        assert!(bad.pictures_per_second >= 5.0, "{rate:?}: {bad:?}");
        assert!(bad.oldest <= Duration::from_secs(1), "{rate:?}: {bad:?}");
        assert!(bad.voice > 0.85, "{rate:?}: {bad:?}");
    }
}

/// The estimate does not tell: it is the voice that is lost.
#[test]
fn where_the_base_layer_costs_voice_there_is_the_voice_alone() {
    let bad = watch_beside(Way { rate: Some(0.2 * FULL), loss: 0 });
    assert!(bad.voice > 0.99, "{bad:?}");
    assert_eq!(bad.pictures_per_second, 0.0, "{bad:?}");
}

#[test]
fn once_the_link_is_good_again_there_are_all_pictures_and_no_layers() {
    let mut meeting = Meeting::with(&[Way { rate: Some(0.5 * FULL), loss: 0 }, GOOD, GOOD]);
    meeting.run(Duration::from_secs(10));
    assert!(meeting.viewers.base_bitrate().is_some());
    let forced = meeting.forced;
    meeting.ends.get_mut("0").unwrap().way = GOOD;
    meeting.run(Duration::from_secs(60));
    assert_eq!(meeting.viewers.base_bitrate(), None);
    assert_eq!(
        meeting.forced,
        forced + 1,
        "it missed pictures, without which those after layers come out otherwise"
    );
    let before = meeting.ends["0"].pictures.len();
    meeting.run(Duration::from_secs(1));
    assert!(meeting.ends["0"].pictures.len() - before >= 29);
}
