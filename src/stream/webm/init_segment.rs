//! The init segment: EBML header, the start of an endless Segment, Info and Tracks (RFC 9559; WebM container
//! guidelines). What follows it are clusters.

use bytes::{BufMut, Bytes, BytesMut};
use mkv_element::io::blocking_impl::WriteTo;
use mkv_element::prelude::*;

use super::ebml::{put_id, put_size};
use super::{AUDIO_TRACK, VIDEO_TRACK};
use crate::media::{StreamFormat, VideoCodec, VideoFormat};
use crate::stream::timeline::{AUDIO_FRAME_MS, picture_duration};

/// Sample rate of an Opus track; Opus always decodes at 48 kHz (RFC 7845 §5.1).
const SAMPLE_RATE_HZ: u32 = 48_000;
/// Channels of the audio track. A microphone in a room is mono; a decoder mixes down what is not.
const CHANNELS: u8 = 1;
/// Samples that a decoder throws away at the start: the encoder's lookahead of 6.5 ms (RFC 7845 §4.2).
const PRE_SKIP_SAMPLES: u16 = 312;
/// What an Opus decoder must hear before its output is right: 80 ms (RFC 7845 §4.6).
const SEEK_PRE_ROLL_NS: u64 = 80_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// The init segment of a stream of this format.
///
/// Only what the WebM guidelines ask for is written: Chromium's parser refuses elements that it does not know,
/// such as `FieldOrder`, which Matroska counts among the mandatory ones.
pub fn init_segment(format: &StreamFormat) -> Bytes {
    let mut out = ebml_header();
    // The Segment never ends: its size is "unknown" in the eight-byte form that every demuxer takes.
    out.put_uint(Segment::ID.as_encoded(), 4);
    out.put_slice(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    out.extend(info());
    out.extend(tracks(format));
    out.into()
}

fn ebml_header() -> Vec<u8> {
    master::<Ebml>(&[
        element(EbmlVersion(1)),
        element(EbmlReadVersion(1)),
        element(EbmlMaxIdLength(4)),
        element(EbmlMaxSizeLength(8)),
        element(DocType("webm".into())),
        element(DocTypeVersion(4)),
        element(DocTypeReadVersion(2)),
    ])
}

fn info() -> Vec<u8> {
    let writer = concat!("roomcam ", env!("CARGO_PKG_VERSION"));
    master::<Info>(&[
        element(TimestampScale(NANOS_PER_MILLI)),
        element(MuxingApp(writer.into())),
        element(WritingApp(writer.into())),
    ])
}

fn tracks(format: &StreamFormat) -> Vec<u8> {
    let video = format.video.as_ref().map(video_track).unwrap_or_default();
    master::<Tracks>(&[video, audio_track()])
}

fn video_track(format: &VideoFormat) -> Vec<u8> {
    let codec_id = match format.codec {
        VideoCodec::Vp8 => "V_VP8",
        VideoCodec::Vp9 => "V_VP9",
    };
    master::<TrackEntry>(&[
        element(TrackNumber(VIDEO_TRACK)),
        element(TrackUid(VIDEO_TRACK)),
        element(TrackType(1)),
        element(FlagLacing(0)),
        // Without it a receiver guesses the last frame's duration in each cluster, and takes a camera that is
        // slower than its guess for a discontinuity.
        element(DefaultDuration(picture_duration(format).as_nanos() as u64)),
        element(CodecId(codec_id.into())),
        master::<Video>(&[
            element(PixelWidth(format.width.into())),
            element(PixelHeight(format.height.into())),
            // BT.601, what the profiles deliver and VP8 is made for (RFC 6386 §9.2). A receiver that is not told
            // takes the colours for BT.709.
            master::<Colour>(&[
                element(MatrixCoefficients(6)),
                element(Range(1)),
                element(TransferCharacteristics(6)),
                element(Primaries(6)),
            ]),
        ]),
    ])
}

fn audio_track() -> Vec<u8> {
    let pre_skip_ns = u64::from(PRE_SKIP_SAMPLES) * NANOS_PER_SECOND / u64::from(SAMPLE_RATE_HZ);
    master::<TrackEntry>(&[
        element(TrackNumber(AUDIO_TRACK)),
        element(TrackUid(AUDIO_TRACK)),
        element(TrackType(2)),
        element(FlagLacing(0)),
        element(DefaultDuration(AUDIO_FRAME_MS * NANOS_PER_MILLI)),
        element(CodecId("A_OPUS".into())),
        element(CodecPrivate(opus_head().into())),
        element(CodecDelay(pre_skip_ns)),
        element(SeekPreRoll(SEEK_PRE_ROLL_NS)),
        master::<Audio>(&[
            element(SamplingFrequency(f64::from(SAMPLE_RATE_HZ))),
            element(Channels(CHANNELS.into())),
        ]),
    ])
}

/// A master element with these children.
fn master<E: Element>(children: &[Vec<u8>]) -> Vec<u8> {
    let body = children.concat();
    let mut out = BytesMut::new();
    put_id(&mut out, E::ID);
    put_size(&mut out, body.len());
    out.put_slice(&body);
    out.into()
}

/// A leaf element.
fn element(leaf: impl Element) -> Vec<u8> {
    written(&leaf)
}

fn written(part: &impl WriteTo) -> Vec<u8> {
    let mut out = Vec::new();
    if let Err(error) = part.write_to(&mut out) {
        unreachable!("writing into memory cannot fail: {error}");
    }
    out
}

/// The identification header of an Opus stream (RFC 7845 §5.1).
fn opus_head() -> Vec<u8> {
    let mut head = Vec::with_capacity(19);
    head.put_slice(b"OpusHead");
    head.put_u8(1); // version
    head.put_u8(CHANNELS);
    head.put_u16_le(PRE_SKIP_SAMPLES);
    head.put_u32_le(SAMPLE_RATE_HZ);
    head.put_i16_le(0); // output gain
    head.put_u8(0); // mapping family: mono or stereo
    head
}
