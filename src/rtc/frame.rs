//! A frame as all peers share it.

use std::sync::Arc;
use std::time::Instant;

use str0m::media::{Frequency, MediaTime};

use crate::media::{CaptureTime, Frame, Track};

/// An encoded frame whose bytes are shared by all peers.
#[derive(Debug, Clone)]
pub struct SharedFrame {
    /// Which track it belongs to.
    pub track: Track,
    /// When its first sample was captured, which its RTP time stamp tells.
    pub captured: CaptureTime,
    /// The same on the clock of the peers, which pairs the two tracks (RTCP sender reports, RFC 3550 §6.4.1).
    pub captured_at: Instant,
    /// Whether a decoder can start here. Always true for audio.
    pub key: bool,
    /// Whether no other frame is decoded from it.
    pub droppable: bool,
    /// The encoder's bytes.
    pub data: Arc<[u8]>,
}

impl SharedFrame {
    /// `frame`, captured at `captured_at` on the clock of the peers.
    pub fn new(frame: &Frame, captured_at: Instant) -> Self {
        Self {
            track: frame.track,
            captured: frame.captured,
            captured_at,
            key: frame.key,
            droppable: frame.droppable,
            data: frame.data.as_ref().into(),
        }
    }

    /// The RTP time: 90 kHz for pictures (RFC 7741 §4.1), 48 kHz for Opus (RFC 7587 §4.1).
    pub(super) fn rtp_time(&self) -> MediaTime {
        let (hertz, frequency) = match self.track {
            Track::Video => (90_000, Frequency::NINETY_KHZ),
            Track::Audio => (48_000, Frequency::FORTY_EIGHT_KHZ),
        };
        let ticks = u128::from(self.captured.as_nanos()) * hertz / 1_000_000_000;
        MediaTime::new(u64::try_from(ticks).unwrap_or(u64::MAX), frequency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stamp_is_that_of_the_capture() {
        let frame = |track| Frame {
            track,
            captured: CaptureTime::from_millis(20),
            key: true,
            droppable: false,
            data: bytes::Bytes::from_static(b"x"),
        };
        let now = Instant::now();
        assert_eq!(SharedFrame::new(&frame(Track::Video), now).rtp_time().numer(), 1800);
        assert_eq!(SharedFrame::new(&frame(Track::Audio), now).rtp_time().numer(), 960);
    }
}
