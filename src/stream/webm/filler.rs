//! What goes on a track when its device has nothing to say: both tracks never stop while either is live
//! (docs/receivers.md §2.5).

use bytes::Bytes;

use super::vp8_repeat::repeat_frame;
use crate::media::{VideoCodec, VideoFormat};

/// 20 ms of digital silence as one Opus packet: CELT, full band, mono, one frame (RFC 6716 §3.1).
pub const SILENT_OPUS_PACKET: Bytes = Bytes::from_static(&[0xf8, 0xff, 0xfe]);

/// The frame that shows the picture before it once more and changes nothing in the decoder.
pub fn repeat_last_picture(format: &VideoFormat) -> Bytes {
    match format.codec {
        VideoCodec::Vp8 => repeat_frame(format.width, format.height),
        // VP9 has a header for it: frame marker 0b10, profile 0, show_existing_frame, buffer 0, which is
        // where a real-time encoder without layers keeps the last frame.
        VideoCodec::Vp9 => Bytes::from_static(&[0b1000_1000]),
    }
}
