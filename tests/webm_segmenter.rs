//! The segmenter by example: what viewers get from devices that behave in ways that devices do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use roomcam::media::{CaptureTime, Chunk, Frame, MediaTime, StreamFormat, Track, VideoCodec, VideoFormat};
use roomcam::stream::{Origin, ReplayFrom, Segmenter};

const FORMAT: VideoFormat = VideoFormat { codec: VideoCodec::Vp8, width: 64, height: 48, fps: 25 };
const PICTURE_MS: u64 = 40;
const PACKET_MS: u64 = 20;
const CADENCE_MS: u64 = 100;

fn frame(track: Track, at_ms: u64, key: bool) -> Frame {
    Frame {
        track,
        captured: CaptureTime::from_millis(at_ms),
        key,
        droppable: false,
        data: Bytes::from_static(b"frame"),
    }
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

    // The voice waits for the camera, for no block may cross the end of a chunk; then it has company.
    assert!(chunks.len() >= 18, "{}", chunks.len());
    assert!(chunks.iter().skip(3).all(|chunk| chunk.video.is_some() && chunk.audio.is_some()));
    // While the camera is waited for, the microphone alone moves the end; from then on both do.
    let step = |pair: &[Chunk]| pair[1].end.as_millis() - pair[0].end.as_millis();
    let steps: Vec<u64> = chunks[3..].windows(2).map(step).collect();
    // Chunks end where repeats and packets may, which is not at every beat the same.
    assert!(steps.iter().all(|step| (80..=120).contains(step)), "{steps:?}");
}

#[test]
fn where_gaps_are_expected_the_voice_waits_for_no_picture() {
    let waits = |expected: bool| {
        let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
        run(&mut segmenter, 1000, 3000, 10, 30);
        segmenter.expect_gaps(expected);
        let chunks = run(&mut segmenter, 3000, 5000, 100_000, 30);
        let behind =
            |(at, chunk): (u64, &Chunk)| 3000 + at * CADENCE_MS - chunk.mic.unwrap().first.as_millis();
        let beats = 2000 / CADENCE_MS - chunks.len() as u64;
        (beats..).zip(&chunks).skip(5).map(behind).max().unwrap()
    };

    let (waited, expected) = (waits(false), waits(true));

    assert!(waited >= expected + 80, "{waited} ms, and {expected} ms where gaps are expected");
}

#[test]
fn a_picture_that_is_held_goes_on_with_a_key_frame_and_costs_the_voice_nothing() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);

    segmenter.hold_picture(true);
    let held = run(&mut segmenter, 3000, 5000, 10, 30);
    assert!(!segmenter.wants_key_frame(), "it would be given up");
    let heard: u64 = held.iter().filter_map(|chunk| chunk.mic).map(|mic| mic.frames).sum();
    assert!(heard >= 2000 / PACKET_MS - 10, "{heard} packets in two seconds");
    // What had a place when the hold began is sent; nothing after it.
    assert!(held[1..].iter().all(|chunk| chunk.camera.is_none() && chunk.video.is_some()));

    segmenter.hold_picture(false);
    let on = run(&mut segmenter, 5000, 6000, 10, 30);
    let first = on.iter().find(|chunk| chunk.camera.is_some()).unwrap();
    assert!(first.key.is_some(), "no picture after a gap can be decoded without a key frame");
}

/// Runs as [`run`] does until a replay comes, and returns it and the chunks before it.
fn run_to_replay(segmenter: &mut Segmenter, from_ms: u64, to_ms: u64) -> (Vec<Chunk>, Chunk) {
    let mut chunks = run(segmenter, from_ms, to_ms, 10, 30);
    let at = chunks.iter().position(Chunk::is_replay).expect("a replay");
    let replay = chunks.remove(at);
    chunks.truncate(at);
    (chunks, replay)
}

#[test]
fn a_late_joiner_gets_an_init_segment_a_key_frame_and_all_since_with_the_next_chunk() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    let before = run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.request_replay(ReplayFrom::KeyFrame);
    assert!(segmenter.wants_key_frame(), "those who watch are spared a pause by a key frame behind it");

    let (between, replay) = run_to_replay(&mut segmenter, 3000, 3500);

    assert!(between.len() <= 1, "in the first chunk or the second: {}", between.len());
    let last = between.last().or(before.last()).unwrap();
    assert_eq!((replay.seq, replay.before), (last.seq + 1, last.end), "it is the next chunk of the stream");
    let repeated = replay.bytes.slice(replay.init_len..replay.init_len + replay.repeated_len);
    assert!(repeated.ends_with(&last.cluster()));
    assert!(replay.key.is_some());
    assert_eq!(segmenter.counters().replays, 1);
}

#[test]
fn in_the_middle_of_a_timeline_a_replay_has_enough_to_jump_into() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.begin_epoch(Origin::Continue);
    segmenter.request_replay(ReplayFrom::KeyFrame);

    let (before, replay) = run_to_replay(&mut segmenter, 3000, 4000);

    let media = replay.end.as_millis() - before[0].key.unwrap().as_millis();
    assert!((400..700).contains(&media), "{media} ms of media since a key frame");
}

#[test]
fn who_watched_until_now_is_sent_what_it_may_go_on_from() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    let mut sent = run(&mut segmenter, 1000, 3000, 10, 30);
    // A key frame that a replay to jump into would begin with.
    segmenter.lose_pictures();
    sent.extend(run(&mut segmenter, 3000, 3600, 10, 30));
    segmenter.request_replay(ReplayFrom::Earlier);

    let (between, replay) = run_to_replay(&mut segmenter, 3600, 4000);

    sent.extend(between);
    let mut repeated = replay.repeated_len;
    let first = sent.iter().rfind(|chunk| {
        repeated -= chunk.cluster().len();
        repeated == 0
    });
    let back = replay.end.as_millis() - first.unwrap().start().as_millis();
    assert!(back >= 1250, "{back} ms");
}

#[test]
fn receivers_that_cannot_seek_get_everything_since_the_start_of_the_timeline() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.begin_epoch(Origin::Zero);
    let mut chunks = run(&mut segmenter, 3000, 4000, 10, 30);
    segmenter.request_replay(ReplayFrom::Start);

    let (between, replay) = run_to_replay(&mut segmenter, 4000, 4500);

    chunks.extend(between);
    let sent: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.cluster()).collect();
    assert_eq!(replay.bytes[replay.init_len..replay.init_len + replay.repeated_len], sent);
    assert_eq!(chunks[0].start().as_millis(), 0);
}

#[test]
fn what_was_seen_and_heard_before_is_gone_with_its_epoch() {
    type Change = fn(&mut Segmenter);
    let changes: [(&str, Change); 5] = [
        ("camera off", |segmenter| segmenter.show_black(Bytes::from_static(b"black"))),
        ("camera on", |segmenter| segmenter.show_camera(FORMAT)),
        ("muted", Segmenter::hear_silence),
        ("a skip", Segmenter::skip),
        ("a new epoch", |segmenter| segmenter.begin_epoch(Origin::Continue)),
    ];
    for (what, change) in changes {
        let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
        let before = run(&mut segmenter, 1000, 3000, 10, 30);
        change(&mut segmenter);
        segmenter.request_replay(ReplayFrom::KeyFrame);

        let after = run(&mut segmenter, 3000, 5000, 10, 30);

        let replay =
            after.iter().find(|chunk| chunk.is_replay()).unwrap_or_else(|| panic!("{what}: no replay"));
        let last = before.last().unwrap().cluster();
        let old = replay.bytes.windows(last.len()).any(|bytes| bytes == last);
        assert!(!old, "{what}: the replay has media of before");
    }
}

#[test]
fn a_replay_that_the_relay_does_not_accept_is_given_up() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 900);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.request_replay(ReplayFrom::KeyFrame);

    let chunks = run(&mut segmenter, 3000, 8000, 10, 30);

    assert!(!chunks.iter().any(Chunk::is_replay));
    assert_eq!(segmenter.counters().replays_missed, 1);
    assert!(!segmenter.wants_key_frame(), "nobody waits any more");
}

#[test]
fn chunks_of_a_timeline_that_is_gone_give_nothing_back() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    let before = run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.begin_epoch(Origin::Zero);
    let after = run(&mut segmenter, 3000, 3300, 10, 30);

    segmenter.take_back(&before[before.len() - 3..]);

    let next = run(&mut segmenter, 3300, 3500, 10, 30);
    assert_eq!(next[0].before, after.last().unwrap().end);
}

#[test]
fn a_camera_that_stalls_after_a_skip_does_not_silence_the_voice() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.skip();

    let chunks = run(&mut segmenter, 3000, 5000, 100_000, 30);

    let heard: u64 = chunks.iter().filter_map(|chunk| chunk.mic).map(|mic| mic.frames).sum();
    assert!(heard > 1400 / PACKET_MS, "{heard} packets in two seconds");
    let media = chunks.last().unwrap().end.as_millis() - chunks[0].before.as_millis();
    assert!(media > 1400, "{media} ms");
}

#[test]
fn a_skip_before_the_key_frame_of_another_size_does_not_silence_the_voice() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 2000, 10, 30);
    segmenter.expect_gaps(true);
    segmenter.hold_picture(true);
    segmenter.show_camera(VideoFormat { width: 32, height: 24, ..FORMAT });
    segmenter.skip();

    // The picture is held: there is no key frame yet.
    let chunks = run(&mut segmenter, 2000, 4000, 10, 30);
    let heard: u64 = chunks.iter().filter_map(|chunk| chunk.mic).map(|mic| mic.frames).sum();
    assert!(heard >= 90, "{heard} packets of 100");
    assert!(chunks.iter().all(|chunk| !chunk.starts_epoch()), "an epoch without a key frame");

    segmenter.hold_picture(false);
    let chunks = run(&mut segmenter, 4000, 5000, 10, 30);
    assert_eq!(chunks.iter().filter(|chunk| chunk.starts_epoch()).count(), 1);
}

#[test]
fn an_epoch_that_begins_while_the_camera_stalls_shows_its_last_key_frame() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.begin_epoch(Origin::Zero);

    let chunks = run(&mut segmenter, 3000, 5000, 100_000, 30);

    assert!(chunks[0].starts_epoch() && chunks[0].key.is_some() && chunks[0].camera.is_none());
    assert!(chunks.iter().all(|chunk| chunk.mic.is_some()));
}

#[test]
fn pictures_lost_on_the_way_do_not_interrupt_the_voice() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    let before = run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.lose_pictures();

    let after = run(&mut segmenter, 3000, 4000, 10, 30);

    assert_eq!(after[0].before, before.last().unwrap().end);
    let heard: u64 = after.iter().filter_map(|chunk| chunk.mic).map(|mic| mic.frames).sum();
    assert!(heard >= 45, "{heard} packets in a second");
}

#[test]
fn a_stream_that_waited_for_its_camera_begins_live() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    // The microphone has been heard for 1.5 s when it is decided that black is shown.
    assert!(run(&mut segmenter, 1000, 2500, 100_000, 30).is_empty());
    segmenter.show_black(Bytes::from_static(b"black"));

    let chunks = run(&mut segmenter, 2500, 3000, 100_000, 30);

    let oldest = chunks[0].oldest().unwrap();
    let age = CaptureTime::from_millis(2500).since(oldest);
    assert!(age.as_millis() <= 150, "it begins {age:?} behind");
}

#[test]
fn receivers_that_ran_out_of_media_are_put_so_far_behind_that_they_jump() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    run(&mut segmenter, 1000, 3000, 10, 30);
    segmenter.skip();
    let end = segmenter.counters();

    segmenter.begin_epoch(Origin::LeadIn);
    let after = run(&mut segmenter, 13_000, 15_000, 10, 30);

    let first = &after[0];
    assert!(first.has_init() && first.key.is_some());
    assert_eq!(first.video, Some(first.before), "it begins where the last epoch ended");
    let media = first.duration().as_millis();
    assert!((5_700..6_100).contains(&media), "{media} ms in the first chunk");
    assert!(first.bytes.len() < 25_000, "{} bytes", first.bytes.len());
    assert!(segmenter.counters().filler - end.filler > 5_000 / PICTURE_MS, "what nobody captured is filled");
    for pair in after.windows(2) {
        let step = pair[1].end.as_millis() - pair[0].end.as_millis();
        assert!((60..=160).contains(&step), "from there on as ever: {step} ms");
    }
    segmenter.begin_epoch(Origin::Continue);
    let third = run(&mut segmenter, 15_000, 15_400, 10, 30);
    assert!(third[0].duration().as_millis() < 400, "once, not at each epoch");
}

#[test]
fn a_timeline_begins_where_it_is_told_to_and_then_goes_on() {
    let mut segmenter = Segmenter::new(StreamFormat { video: Some(FORMAT) }, 1 << 20);
    let noon = MediaTime::from_millis(12 * 3_600_000);
    segmenter.begin_at(noon);
    segmenter.begin_epoch(Origin::LeadIn);
    let before = run(&mut segmenter, 1000, 3000, 10, 30);
    assert_eq!((before[0].before, before[0].video), (noon, Some(noon)));

    segmenter.begin_at(MediaTime::from_millis(13 * 3_600_000));
    segmenter.begin_epoch(Origin::LeadIn);
    let after = run(&mut segmenter, 3000, 4000, 10, 30);

    assert_eq!(after[0].before, before.last().unwrap().end, "no hole, once something was sent");
}
