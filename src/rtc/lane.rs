//! One track on its way to one peer: whether it has a place, and which frames the peer can use.

use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::format::Codec;
use str0m::media::{Direction, MediaTime, Mid};
use str0m::rtp::StreamTx;

use super::frame::SharedFrame;
use crate::media::{Track, VideoCodec};

/// Once the queue is younger than this, a key frame has room.
const ROOM_QUEUE_AGE: Duration = Duration::from_millis(50);
/// How much longer than the first packet of a picture Chromium may keep it to smooth playback. Its own default begins with
/// 7 ms more; what it learns from losses stays possible up to 400 ms.
const PLAYOUT_DELAY: (Duration, Duration) = (Duration::ZERO, Duration::from_millis(400));
/// How long sent packets can be sent again, how many of them, and at most which share of what is sent.
const RESEND_AGE: Duration = Duration::from_secs(1);
const RESEND_PACKETS: usize = 200;
const RESEND_SHARE: f32 = 0.15;

/// What a peer can do with the next picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoder {
    /// Nothing, unless it is a key frame.
    AwaitsKeyFrame,
    /// It has all before it.
    Follows,
}

/// A track of one peer.
#[derive(Debug)]
pub(super) struct Lane {
    track: Track,
    codec: Codec,
    /// Where it is in the descriptions.
    mid: Option<Mid>,
    /// Whether the peer takes it.
    sending: bool,
    decoder: Decoder,
    was_connected: bool,
}

impl Lane {
    pub(super) fn new(track: Track, video: Option<VideoCodec>) -> Self {
        let codec = match (track, video) {
            (Track::Audio, _) => Codec::Opus,
            (Track::Video, Some(VideoCodec::Vp9)) => Codec::Vp9,
            (Track::Video, Some(VideoCodec::Vp8) | None) => Codec::Vp8,
        };
        let decoder = match track {
            Track::Video => Decoder::AwaitsKeyFrame,
            Track::Audio => Decoder::Follows,
        };
        Self { track, codec, mid: None, sending: false, decoder, was_connected: false }
    }

    pub(super) fn track(&self) -> Track {
        self.track
    }

    /// Whether the descriptions agreed on have a section in which it is sent.
    pub(super) fn has_place(&self) -> bool {
        self.mid.is_some() && self.sending
    }

    /// Whether it is in this section.
    pub(super) fn is_at(&self, mid: Mid) -> bool {
        self.mid == Some(mid)
    }

    /// A section was agreed on. The first in which we may send is taken.
    pub(super) fn place(&mut self, mid: Mid, direction: Direction) {
        if !self.has_place() {
            self.mid = Some(mid);
            self.sending = direction.is_sending();
        }
    }

    pub(super) fn change(&mut self, mid: Mid, direction: Direction) {
        if self.mid == Some(mid) {
            self.sending = direction.is_sending();
            self.await_key_frame();
        }
    }

    /// Media get through, for the first time or again.
    pub(super) fn connect(&mut self) {
        self.was_connected = true;
        self.await_key_frame();
    }

    pub(super) fn was_connected(&self) -> bool {
        self.was_connected
    }

    pub(super) fn await_key_frame(&mut self) {
        if self.track == Track::Video {
            self.decoder = Decoder::AwaitsKeyFrame;
        }
    }

    pub(super) fn wants_key_frame(&self, rtc: &mut Rtc, now: Instant) -> bool {
        self.has_place()
            && self.decoder == Decoder::AwaitsKeyFrame
            && self.queue_age(rtc, now) <= ROOM_QUEUE_AGE
    }

    /// Gives a frame to the pacer, if the peer can use it. What waits there for longer than `max_age` is late: no picture is put
    /// behind it, and the next is a key frame, unless what is left out is droppable.
    pub(super) fn write(
        &mut self,
        rtc: &mut Rtc,
        frame: &SharedFrame,
        max_age: Duration,
        now: Instant,
    ) -> bool {
        if !self.has_place() {
            return false;
        }
        if self.track == Track::Video {
            if self.queue_age(rtc, now) > max_age {
                if !frame.droppable {
                    self.decoder = Decoder::AwaitsKeyFrame;
                }
                return false;
            }
            if self.decoder == Decoder::AwaitsKeyFrame && !frame.key {
                return false;
            }
        }
        let written = self.send(rtc, frame);
        if self.track == Track::Video {
            self.decoder = if written { Decoder::Follows } else { Decoder::AwaitsKeyFrame };
        }
        written
    }

    fn send(&self, rtc: &mut Rtc, frame: &SharedFrame) -> bool {
        let Some(writer) = self.mid.and_then(|mid| rtc.writer(mid)) else { return false };
        let codec = self.codec;
        let Some(pt) =
            writer.payload_params().find(|params| params.spec().codec == codec).map(|params| params.pt())
        else {
            return false;
        };
        let writer = match self.track {
            Track::Video => {
                let (min, max) = PLAYOUT_DELAY;
                writer.playout_delay(MediaTime::from(min), MediaTime::from(max))
            }
            Track::Audio => writer,
        };
        match writer.write(pt, frame.captured_at, frame.rtp_time(), frame.data.clone()) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!("a frame is not sent: {error}");
                false
            }
        }
    }

    /// For how long the oldest packet has waited in the pacer.
    fn queue_age(&self, rtc: &mut Rtc, now: Instant) -> Duration {
        self.with_stream(rtc, |stream| {
            let first = stream.queue_info().filter(|queue| queue.packet_count() > 0)?.first_unsent()?;
            Some(now.saturating_duration_since(first))
        })
        .flatten()
        .unwrap_or_default()
    }

    pub(super) fn waiting(&self, rtc: &mut Rtc) -> usize {
        self.with_stream(rtc, |stream| stream.queue_info().map_or(0, |queue| queue.packet_count()))
            .unwrap_or(0)
    }

    pub(super) fn set_unpaced(&self, rtc: &mut Rtc, unpaced: bool) {
        self.with_stream(rtc, |stream| stream.set_unpaced(unpaced));
    }

    /// What was sent cannot be sent again.
    pub(super) fn forget_sent(&self, rtc: &mut Rtc) {
        self.with_stream(rtc, |stream| {
            stream.set_rtx_cache(RESEND_PACKETS, RESEND_AGE, Some(RESEND_SHARE));
        });
    }

    fn with_stream<T>(&self, rtc: &mut Rtc, with: impl FnOnce(&mut StreamTx) -> T) -> Option<T> {
        rtc.direct_api().stream_tx_by_mid(self.mid?, None).map(with)
    }
}
