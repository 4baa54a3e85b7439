//! The segmenter by example: what viewers get from devices that behave in ways that devices do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use roomcam::media::{CaptureTime, Chunk, Frame, StreamFormat, Track, VideoCodec, VideoFormat};
use roomcam::webm::{Origin, Segmenter};

const FORMAT: VideoFormat = VideoFormat { codec: VideoCodec::Vp8, width: 64, height: 48, fps: 25 };
const PICTURE_MS: u64 = 40;
const PACKET_MS: u64 = 20;
const CADENCE_MS: u64 = 100;

fn frame(track: Track, at_ms: u64, key: bool) -> Frame {
    Frame { track, captured: CaptureTime::from_millis(at_ms), key, data: Bytes::from_static(b"frame") }
}

/// Lets camera and microphone run from `from_ms` to `to_ms`, each frame coming so late, and cuts at the cadence.
fn run(
    segmenter: &mut Segmenter,
    from_ms: u64,
    to_ms: u64,
    camera_late_ms: u64,
    mic_late_ms: u64,
) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for now in from_ms..to_ms {
        let due =
            |late: u64, every: u64| now.checked_sub(late).filter(|at| *at >= from_ms && at % every == 0);
        if let Some(at) = due(camera_late_ms, PICTURE_MS) {
            segmenter.push(frame(Track::Video, at, segmenter.wants_key_frame()));
        }
        if let Some(at) = due(mic_late_ms, PACKET_MS) {
            segmenter.push(frame(Track::Audio, at, true));
        }
        if now % CADENCE_MS == 0 {
            chunks.extend(segmenter.cut(CaptureTime::from_millis(now)));
        }
    }
    chunks
}

#[test]
fn devices_in_time_need_no_filler() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    let chunks = run(&mut segmenter, 1000, 5000, 10, 30);
    assert_eq!(chunks.len(), 39);
    assert_eq!(segmenter.counters().filler, 0);
    assert_eq!(segmenter.counters().late, 0);
}

#[test]
fn a_camera_that_is_always_late_is_waited_for() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 600, 30);
    let settled = segmenter.counters();

    run(&mut segmenter, 3000, 3001, 600, 30);
    run(&mut segmenter, 3001, 9000, 600, 30);

    // The seam between two runs loses what was on its way; a second later nothing is filled any more.
    let filled = segmenter.counters().filler - settled.filler;
    assert!(filled <= 1000 / PICTURE_MS, "{filled} fillers in six seconds");
}

#[test]
fn a_camera_that_stalls_is_filled_while_the_voice_goes_on() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);

    // Two seconds without a picture: one that is too late by so much never comes in this run.
    let chunks = run(&mut segmenter, 3000, 5000, 100_000, 30);

    assert_eq!(chunks.len(), 20);
    assert!(chunks.iter().skip(3).all(|chunk| chunk.video.is_some() && chunk.audio.is_some()));
    // While the camera is waited for, the microphone alone moves the end; from then on both do.
    let step = |pair: &[Chunk]| pair[1].end.as_millis() - pair[0].end.as_millis();
    let steps: Vec<u64> = chunks[3..].windows(2).map(step).collect();
    assert!(steps.iter().all(|step| *step == CADENCE_MS), "{steps:?}");
}

#[test]
fn a_late_joiner_gets_an_init_segment_a_key_frame_and_all_since() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    assert_eq!(segmenter.replay(), None);
    let young = run(&mut segmenter, 1000, 1300, 10, 30);
    let replay = segmenter.replay().expect("a stream that has just begun is replayed from its start");
    assert_eq!((replay.start(), replay.end), (young[0].start(), young.last().unwrap().end));

    segmenter.begin_epoch(Origin::Continue);
    run(&mut segmenter, 1300, 1600, 10, 30);
    assert_eq!(segmenter.replay(), None, "less than 0.4 s of media in the middle of a timeline");

    let chunks = run(&mut segmenter, 1600, 3000, 10, 30);
    let replay = segmenter.replay().expect("a key frame far enough back");

    assert!(replay.replay && replay.key && replay.has_init());
    let last = chunks.last().unwrap();
    assert_eq!((replay.end, replay.seq), (last.end, last.seq + 1));
    assert!(replay.bytes.ends_with(&last.bytes));
}

#[test]
fn receivers_that_begin_in_the_middle_of_a_timeline_get_enough_to_jump_into() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    segmenter.begin_epoch(Origin::ContinueAfresh);
    let before = run(&mut segmenter, 1000, 3000, 10, 30);
    assert_eq!(before[0].video.map(|at| at.as_millis()), Some(0), "at zero there is nothing to jump over");
    assert!(before[0].end.as_millis() < 2 * CADENCE_MS);

    segmenter.begin_epoch(Origin::ContinueAfresh);
    let after = run(&mut segmenter, 3000, 5000, 10, 30);

    let first = &after[0];
    assert!(first.has_init() && first.key);
    assert_eq!(first.video, Some(first.before.video), "it begins where the last epoch ended");
    assert!(first.end.as_millis() - first.start().as_millis() >= 400, "{first:?}");
    assert!(after[1].end.as_millis() - first.end.as_millis() < 2 * CADENCE_MS);
}

#[test]
fn receivers_that_ran_out_of_media_are_put_so_far_behind_that_they_jump() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.skip();
    let end = segmenter.counters();

    segmenter.begin_epoch(Origin::ContinueAfterPause);
    let after = run(&mut segmenter, 13_000, 15_000, 10, 30);

    let first = &after[0];
    assert!(first.has_init() && first.key);
    assert_eq!(first.video, Some(first.before.video), "it begins where the last epoch ended");
    let media = first.end.as_millis() - first.before.video.max(first.before.audio).as_millis();
    assert!((5_100..5_500).contains(&media), "{media} ms in the first chunk");
    assert!(first.bytes.len() < 25_000, "{} bytes", first.bytes.len());
    assert!(segmenter.counters().filler - end.filler > 5_000 / PICTURE_MS, "what nobody captured is filled");
    for pair in after.windows(2) {
        let step = pair[1].end.as_millis() - pair[0].end.as_millis();
        assert!((60..=160).contains(&step), "from there on as ever: {step} ms");
    }
    segmenter.begin_epoch(Origin::Continue);
    let third = run(&mut segmenter, 15_000, 15_400, 10, 30);
    assert!(third[0].end.as_millis() - third[0].before.video.as_millis() < 400, "once, not at each epoch");
}
