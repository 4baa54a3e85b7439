//! The init segment: EBML header, the start of an endless Segment, Info and Tracks (RFC 9559; WebM container
//! guidelines). What follows it are clusters.

use bytes::{BufMut, Bytes};
use mkv_element::io::blocking_impl::WriteTo;
use mkv_element::prelude::*;

use super::{AUDIO_FRAME_MS, AUDIO_TRACK, VIDEO_TRACK};
use crate::media::{StreamFormat, VideoCodec, VideoFormat};

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
pub fn init_segment(format: &StreamFormat) -> Bytes {
    let mut out = Vec::with_capacity(512);
    append(&mut out, &ebml_header());
    // The Segment never ends: its size is "unknown" in the eight-byte form that every demuxer takes.
    out.put_uint(Segment::ID.as_encoded(), 4);
    out.put_slice(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    append(&mut out, &info());
    append(&mut out, &tracks(format));
    out.into()
}

fn append(out: &mut Vec<u8>, element: &impl WriteTo) {
    if let Err(error) = element.write_to(out) {
        unreachable!("writing into memory cannot fail: {error}");
    }
}

fn ebml_header() -> Ebml {
    Ebml {
        ebml_version: Some(EbmlVersion(1)),
        ebml_read_version: Some(EbmlReadVersion(1)),
        ebml_max_id_length: EbmlMaxIdLength(4),
        ebml_max_size_length: EbmlMaxSizeLength(8),
        doc_type: Some(DocType("webm".into())),
        doc_type_version: Some(DocTypeVersion(4)),
        doc_type_read_version: Some(DocTypeReadVersion(2)),
        ..Ebml::default()
    }
}

fn info() -> Info {
    let writer = concat!("roomcam ", env!("CARGO_PKG_VERSION"));
    Info {
        timestamp_scale: TimestampScale(NANOS_PER_MILLI),
        muxing_app: MuxingApp(writer.into()),
        writing_app: WritingApp(writer.into()),
        ..Info::default()
    }
}

fn tracks(format: &StreamFormat) -> Tracks {
    let mut entries: Vec<TrackEntry> = Vec::with_capacity(2);
    entries.extend(format.video.as_ref().map(video_track));
    entries.push(audio_track());
    Tracks { track_entry: entries, ..Tracks::default() }
}

fn video_track(format: &VideoFormat) -> TrackEntry {
    let codec_id = match format.codec {
        VideoCodec::Vp8 => "V_VP8",
        VideoCodec::Vp9 => "V_VP9",
    };
    TrackEntry {
        track_number: TrackNumber(VIDEO_TRACK),
        track_uid: TrackUid(VIDEO_TRACK),
        track_type: TrackType(1),
        flag_lacing: FlagLacing(0),
        // Without it a receiver guesses the last frame's duration in each cluster, and takes a camera that is
        // slower than its guess for a discontinuity.
        default_duration: Some(DefaultDuration(NANOS_PER_SECOND / u64::from(format.fps.max(1)))),
        codec_id: CodecId(codec_id.into()),
        video: Some(Video {
            flag_interlaced: FlagInterlaced(2),
            pixel_width: PixelWidth(format.width.into()),
            pixel_height: PixelHeight(format.height.into()),
            ..Video::default()
        }),
        ..TrackEntry::default()
    }
}

fn audio_track() -> TrackEntry {
    let pre_skip_ns = u64::from(PRE_SKIP_SAMPLES) * NANOS_PER_SECOND / u64::from(SAMPLE_RATE_HZ);
    TrackEntry {
        track_number: TrackNumber(AUDIO_TRACK),
        track_uid: TrackUid(AUDIO_TRACK),
        track_type: TrackType(2),
        flag_lacing: FlagLacing(0),
        default_duration: Some(DefaultDuration(AUDIO_FRAME_MS * NANOS_PER_MILLI)),
        codec_id: CodecId("A_OPUS".into()),
        codec_private: Some(CodecPrivate(opus_head().into())),
        codec_delay: CodecDelay(pre_skip_ns),
        seek_pre_roll: SeekPreRoll(SEEK_PRE_ROLL_NS),
        audio: Some(Audio {
            sampling_frequency: SamplingFrequency(f64::from(SAMPLE_RATE_HZ)),
            channels: Channels(CHANNELS.into()),
            ..Audio::default()
        }),
        ..TrackEntry::default()
    }
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
