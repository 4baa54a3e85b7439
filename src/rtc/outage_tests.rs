//! What a viewer sees and hears on a link that is narrow and was cut. The encoder follows the estimates, as it does for one
//! viewer.

use std::time::Duration;

use super::peer_tests::Call;
use super::*;
use crate::media::Track;

/// The voice: a packet each 20 ms, and with it what both tracks cost beside their media.
const PACKET: Duration = Duration::from_millis(20);
const VOICE_BYTES: usize = 80;
const OTHER_BITRATE: f64 = 62_000.0;
/// The picture: one after each second packet.
const FRAME_RATE: f64 = 25.0;
const MIN_BITRATE: f64 = 60_000.0;
const MAX_BITRATE: f64 = 800_000.0;
const KEY_FRAME_BYTES: usize = 10_000;
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);
/// The rule by which a viewer loses the picture, and gets it back.
const USED: f64 = 0.9;
const BACK: f64 = 1.3;

struct Meeting {
    call: Call,
    room: f64,
    voice_only: bool,
    spoken: Vec<Duration>,
    key_frame: Option<Duration>,
}

impl Meeting {
    fn over(rate: Option<u64>) -> Self {
        let mut call = Call::offered().connected();
        call.down.rate = rate;
        Self { call, room: MAX_BITRATE, voice_only: false, spoken: Vec::new(), key_frame: None }
    }

    fn go_on(&mut self, time: Duration) {
        let end = self.call.at() + time;
        while self.call.at() < end {
            self.follow_estimates();
            self.speak();
            self.call.run(PACKET);
            self.speak();
            if !self.voice_only {
                self.show();
            }
            self.call.run(PACKET);
        }
    }

    fn follow_estimates(&mut self) {
        for event in std::mem::take(&mut self.call.events) {
            match event {
                PeerEvent::Estimate(bits) => self.room = bits as f64 * USED - OTHER_BITRATE,
                event => {
                    assert!(matches!(event, PeerEvent::Connected | PeerEvent::VoiceLoss(_)), "{event:?}")
                }
            }
        }
        let voice_only = self.room < MIN_BITRATE * if self.voice_only { BACK } else { 1.0 };
        if std::mem::replace(&mut self.voice_only, voice_only) != voice_only {
            self.call.peer.await_key_frame();
        }
    }

    fn speak(&mut self) {
        self.spoken.push(self.call.at());
        self.call.write(Track::Audio, true, VOICE_BYTES);
    }

    fn show(&mut self) {
        let now = self.call.at();
        let length = (self.room.clamp(MIN_BITRATE, MAX_BITRATE) / 8.0 / FRAME_RATE) as usize;
        let key = self.call.peer.wants_key_frame(self.call.now)
            && self.key_frame.is_none_or(|last| now >= last + KEY_FRAME_INTERVAL);
        if key {
            self.key_frame = Some(now);
        }
        self.call.write(Track::Video, key, if key { KEY_FRAME_BYTES.max(4 * length) } else { length });
    }

    /// Nothing gets through for `time`. Returns when it does again.
    fn cut(&mut self, time: Duration) -> Duration {
        self.call.down.open = false;
        self.go_on(time);
        self.call.down.open = true;
        self.call.at()
    }

    /// The longest time since `from` without a picture that was made in it.
    fn longest_wait(&self, from: Duration) -> Duration {
        let arrived = self.call.pictures.iter().filter(|(_, made)| *made >= from).map(|(at, _)| *at);
        let times: Vec<Duration> = [from].into_iter().chain(arrived).chain([self.call.at()]).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    }

    /// The part of the voice since `from` that never arrived, but for what is on its way.
    fn voice_lost(&self, from: Duration) -> f64 {
        let arrived_by_now = from..self.call.at() - Duration::from_secs(1);
        let spoken = self.spoken.iter().filter(|at| arrived_by_now.contains(*at)).count();
        let heard = self.call.packets.iter().filter(|(_, made)| arrived_by_now.contains(made)).count();
        1.0 - heard as f64 / spoken as f64
    }

    /// How late the latest of a hundred packets of the voice was since `from`.
    fn voice_delay(&self, from: Duration) -> Duration {
        let heard = self.call.packets.iter().filter(|(_, made)| *made >= from);
        let mut delays: Vec<Duration> = heard.map(|(at, made)| *at - *made).collect();
        delays.sort_unstable();
        delays[delays.len() * 99 / 100]
    }
}

/// After this the estimates have found the link.
const SETTLED: Duration = Duration::from_secs(10);

#[test]
fn a_narrow_link_that_carries_a_picture_is_not_left_with_the_voice() {
    for rate in [200_000, 300_000, 416_000] {
        let mut meeting = Meeting::over(Some(rate));
        let start = meeting.call.at();
        meeting.go_on(SETTLED + Duration::from_secs(30));
        // Also at first, as after a cut that has cost the connection.
        let (wait, lost) = (meeting.longest_wait(start), meeting.voice_lost(SETTLED));
        println!("{rate} bit/s: {wait:?} without a picture, {:.2} % of the voice lost", lost * 100.0);
        assert!(wait < Duration::from_secs(5), "{rate} bit/s: {wait:?}");
        assert!(lost < 0.01, "{rate} bit/s: {lost}");
    }
}

#[test]
fn the_picture_is_back_soon_after_a_cut() {
    let mut waits = Vec::new();
    for rate in [Some(300_000), Some(416_000), Some(600_000), None] {
        for cut in [1, 3] {
            let mut meeting = Meeting::over(rate);
            meeting.go_on(SETTLED);
            let back = meeting.cut(Duration::from_secs(cut));
            meeting.go_on(Duration::from_secs(8));
            let wait = meeting.longest_wait(back);
            println!("{rate:?} bit/s, cut for {cut} s: {wait:?} without a picture");
            assert!(wait < Duration::from_secs(5), "{rate:?} bit/s, cut for {cut} s: {wait:?}");
            waits.push(wait);
        }
    }
    waits.sort_unstable();
    assert!(waits[waits.len() / 2] < Duration::from_secs(2), "{waits:?}");
}

#[test]
fn a_link_that_carries_the_voice_alone_carries_all_of_it() {
    let mut meeting = Meeting::over(Some(100_000));
    meeting.go_on(SETTLED + Duration::from_secs(40));
    let (lost, delay) = (meeting.voice_lost(SETTLED), meeting.voice_delay(SETTLED));
    println!("{:.2} % of the voice lost, {delay:?} late", lost * 100.0);
    assert!(meeting.voice_only);
    assert!(lost < 0.01 && delay < Duration::from_millis(250), "{lost} lost, {delay:?} late");
}
