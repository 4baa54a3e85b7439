//! What we write is read by tools that are not ours: ffprobe, ffmpeg's two VP8 decoders, mkvinfo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use roomcam::media::{CaptureTime, Frame, StreamFormat, Track, VideoCodec, VideoFormat};
use roomcam::stream::{Origin, Segmenter};

const FRAME_MS: u64 = 40;
const FORMAT: VideoFormat = VideoFormat { codec: VideoCodec::Vp8, width: 200, height: 120, fps: 25 };

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `make deps-test` installs it"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// VP8 frames of a moving picture from a real encoder, with a key frame every 50.
fn encode_pictures(directory: &Path, count: usize) -> Vec<Bytes> {
    let ivf = directory.join("pictures.ivf");
    let source = format!("testsrc=size={}x{}:rate=25", FORMAT.width, FORMAT.height);
    let count_text = count.to_string();
    run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            &source,
            "-frames:v",
            &count_text,
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-lag-in-frames",
            "0",
            "-auto-alt-ref",
            "0",
            "-g",
            "50",
            "-b:v",
            "300k",
            "-y",
            ivf.to_str().unwrap(),
        ],
    );
    let bytes = fs::read(ivf).unwrap();
    let mut rest = &bytes[32..];
    let mut frames = Vec::new();
    while rest.len() >= 12 {
        let size = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        frames.push(Bytes::copy_from_slice(&rest[12..12 + size]));
        rest = &rest[12 + size..];
    }
    assert_eq!(frames.len(), count);
    frames
}

fn is_key(vp8: &Bytes) -> bool {
    vp8[0] & 1 == 0
}

/// The checksum of each decoded picture.
fn decode(webm: &Path, decoder: &str) -> Vec<String> {
    let webm = webm.to_str().unwrap();
    let output = run(
        "ffmpeg",
        &[
            "-v",
            "warning",
            "-c:v",
            decoder,
            "-i",
            webm,
            "-map",
            "0:v",
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ],
    );
    assert_eq!(text(&output.stderr), "", "{decoder} complains");
    text(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit(", ").next().unwrap().to_owned())
        .collect()
}

fn frame_of(picture: &Bytes, captured: CaptureTime) -> Frame {
    Frame { track: Track::Video, captured, key: is_key(picture), droppable: false, data: picture.clone() }
}

/// Sends `pictures` through a segmenter, `delay_ms` late from picture `from` on, with a silent microphone.
fn stream(pictures: &[Bytes], from: usize, delay_ms: u64) -> Vec<u8> {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    segmenter.hear_silence();
    let mut webm = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        let delay = if index >= from { delay_ms } else { 0 };
        let captured = CaptureTime::from_millis(1000 + index as u64 * FRAME_MS + delay);
        segmenter.push(frame_of(picture, captured));
        if index % 3 == 2 {
            webm.extend(
                segmenter
                    .cut(captured.after(Duration::from_millis(5)))
                    .map_or(Bytes::new(), |chunk| chunk.bytes),
            );
        }
    }
    webm
}

#[test]
fn repeating_a_picture_leaves_the_decoder_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = encode_pictures(directory.path(), 45);
    let (plain, stalled) = (directory.path().join("plain.webm"), directory.path().join("stalled.webm"));
    fs::write(&plain, stream(&pictures, usize::MAX, 0)).unwrap();
    fs::write(&stalled, stream(&pictures, 20, 1000)).unwrap();

    for decoder in ["vp8", "libvpx"] {
        let plain = decode(&plain, decoder);
        let mut stalled = decode(&stalled, decoder);
        assert_eq!(plain.len(), 45);
        assert_eq!(stalled.len(), 45 + 25, "{decoder}: one second is filled");
        let repeats: Vec<String> = stalled.drain(20..45).collect();
        assert!(
            repeats.iter().all(|picture| *picture == plain[19]),
            "{decoder}: a repeat differs from its picture"
        );
        assert_eq!(stalled, plain, "{decoder}: pictures after the stall differ");
    }
}

#[test]
fn foreign_readers_find_both_tracks_and_nothing_to_complain_about() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = encode_pictures(directory.path(), 60);
    let webm = directory.path().join("stream.webm");
    fs::write(&webm, stream(&pictures, 30, 500)).unwrap();
    let path = webm.to_str().unwrap();

    let probed = run(
        "ffprobe",
        &[
            "-v",
            "warning",
            "-show_entries",
            "stream=codec_name,width,height,sample_rate,channels",
            "-of",
            "csv=p=0",
            path,
        ],
    );
    assert_eq!(text(&probed.stderr), "");
    let streams: Vec<String> = text(&probed.stdout)
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(streams, ["vp8,200,120", "opus,48000,1"]);

    let packets = run(
        "ffprobe",
        &["-v", "warning", "-select_streams", "a", "-show_entries", "packet=pts", "-of", "csv=p=0", path],
    );
    let times: Vec<i64> =
        text(&packets.stdout).lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    assert!(times.len() > 100, "audio packets: {}", times.len());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20), "audio packets 20 ms apart: {times:?}");

    let info = text(&run("mkvinfo", &["--ui-language", "en_US", path]).stdout);
    for expected in [
        "Codec ID: V_VP8",
        "Codec ID: A_OPUS",
        "Codec-inherent delay: 00:00:00.006500000",
        "Seek pre-roll: 00:00:00.080000000",
        "Document type: webm",
    ] {
        assert!(info.contains(expected), "mkvinfo does not say {expected:?}:\n{info}");
    }
    assert!(!info.contains("Unknown"), "mkvinfo does not know an element:\n{info}");
}

#[test]
fn an_epoch_in_the_middle_of_a_stream_starts_with_an_init_segment_and_a_key_frame() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = encode_pictures(directory.path(), 60);
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    segmenter.hear_silence();
    let mut chunks = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        if index == 30 {
            segmenter.begin_epoch(Origin::Continue);
        }
        let captured = CaptureTime::from_millis(1000 + index as u64 * FRAME_MS);
        segmenter.push(frame_of(picture, captured));
        chunks.extend(segmenter.cut(captured));
    }

    let starts: Vec<(u64, u32, bool)> = chunks
        .iter()
        .filter(|chunk| chunk.has_init())
        .map(|chunk| (chunk.seq, chunk.epoch, chunk.key.is_some()))
        .collect();

    // Pictures 30 to 49 are given up: picture 50 is the next key frame.
    assert_eq!(starts, [(0, 1, true), (30, 2, true)]);
    assert_eq!(chunks.len(), 40);
    assert_eq!(segmenter.counters().skipped, 20);
    assert_eq!(chunks[30].video.unwrap().as_millis(), 30 * FRAME_MS);
}
