//! The capture room with real GStreamer: test pictures, tones, files, and devices that are not there.

// Helpers of tests may panic like tests do; clippy knows that only of functions marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;

use roomcam::capture::{
    CameraSettings, CaptureError, CaptureEvent, Encoding, MediaClock, MicSettings, OPEN_TIMEOUT, Profile,
    Profiles, devices, open_camera, open_mic, probe, still,
};
use roomcam::media::{Frame, Track, VideoCodec, VideoFormat};
use tokio::sync::mpsc::Receiver;

/// Far longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn profile(name: &str) -> Profile {
    Profiles::usual(None).load(name).unwrap()
}

fn camera(device: &str) -> CameraSettings {
    CameraSettings { device: device.to_owned(), width: 320, height: 240, fps: 30, bitrate: 300_000 }
}

fn mic(device: &str) -> MicSettings {
    MicSettings { device: device.to_owned(), bitrate: 32_000, loss: 0 }
}

async fn next(events: &mut Receiver<CaptureEvent>) -> CaptureEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("no event in time").expect("the channel ended")
}

async fn next_frame(events: &mut Receiver<CaptureEvent>) -> Frame {
    loop {
        match next(events).await {
            CaptureEvent::Frame(frame) => return frame,
            CaptureEvent::Failed(error) => panic!("{error}"),
            CaptureEvent::Format(_) | CaptureEvent::Overrun { .. } | CaptureEvent::Level { .. } => {}
        }
    }
}

async fn frames(events: &mut Receiver<CaptureEvent>, count: usize) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(count);
    while frames.len() < count {
        frames.push(next_frame(events).await);
    }
    frames
}

#[tokio::test]
async fn the_microphone_tells_ten_times_a_second_how_loud_it_is() {
    let clock = MediaClock::new().unwrap();
    let (_pipeline, mut events) = open_mic(&clock, &profile("test-pattern"), &mic("auto")).await.unwrap();

    let (mut levels, mut packets) = (Vec::new(), 0);
    while levels.len() < 5 {
        match next(&mut events).await {
            CaptureEvent::Level { dbfs } => levels.push(dbfs),
            CaptureEvent::Frame(_) => packets += 1,
            other => panic!("{other:?}"),
        }
    }

    // A sine of amplitude 0.2: -14 dB for the amplitude, -3 dB from peak to root mean square.
    assert!(levels.iter().all(|dbfs| (dbfs + 17.0).abs() < 0.5), "{levels:?}");
    assert!((20..=30).contains(&packets), "{packets} packets of 20 ms in five levels");
}

/// Whether an Opus packet of one SILK or hybrid frame carries the frame before it once more: the second bit after the table
/// of contents, which comes after that for voice activity (RFC 6716 §3.1, §4.2.3).
fn repeats_the_one_before(packet: &Frame) -> bool {
    let is_silk = packet.data[0] >> 3 < 16;
    is_silk && packet.data[1] & 0x40 != 0
}

#[tokio::test]
async fn the_voice_carries_what_makes_up_for_a_lost_packet_where_packets_are_lost() {
    let clock = MediaClock::new().unwrap();
    for (loss, repeats) in [(0, false), (10, true)] {
        let settings = MicSettings { loss, ..mic("auto") };
        let (pipeline, mut packets) = open_mic(&clock, &profile("test-pattern"), &settings).await.unwrap();
        // The first knows of none before it.
        let heard = frames(&mut packets, 50).await.split_off(10);
        let repeating = heard.iter().filter(|packet| repeats_the_one_before(packet)).count();
        // The encoder repeats what it takes for speech, which a tone is half of the time.
        assert_eq!(repeating > 0, repeats, "{repeating} of {} at {loss} %", heard.len());
        pipeline.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_test_picture_starts_with_its_format_and_a_key_frame_and_time_goes_forward() {
    let clock = MediaClock::new().unwrap();
    let before = clock.now();
    let (pipeline, mut events) =
        open_camera(&clock, &profile("test-pattern"), &camera("auto")).await.unwrap();

    let format = VideoFormat { codec: VideoCodec::Vp8, width: 320, height: 240, fps: 30 };
    assert_eq!(next(&mut events).await, CaptureEvent::Format(format));
    let frames = frames(&mut events, 30).await;

    assert!(frames[0].key);
    assert!(frames.iter().all(|frame| frame.track == Track::Video && !frame.data.is_empty()));
    assert!(frames[1..].iter().all(|frame| !frame.key), "only the first is a key frame, unforced");
    assert!(frames[0].captured >= before);
    assert!(frames.last().unwrap().captured <= clock.now());
    for pair in frames.windows(2) {
        let step = pair[1].captured.since(pair[0].captured);
        assert!((Duration::from_millis(33)..=Duration::from_millis(34)).contains(&step), "{step:?}");
    }
    pipeline.close().await.unwrap();
    while let Ok(Some(event)) = tokio::time::timeout(PATIENCE, events.recv()).await {
        assert!(matches!(event, CaptureEvent::Frame(_)), "{event:?}");
    }
}

#[tokio::test]
async fn the_tone_comes_as_packets_on_a_grid_of_exactly_20_ms() {
    let clock = MediaClock::new().unwrap();
    let (pipeline, mut events) = open_mic(&clock, &profile("test-pattern"), &mic("auto")).await.unwrap();

    let packets = frames(&mut events, 20).await;

    for pair in packets.windows(2) {
        let step = pair[1].captured.since(pair[0].captured).as_nanos().abs_diff(20_000_000);
        assert!(step <= 1, "off the grid by {step} ns");
    }
    assert!(packets.iter().all(|packet| packet.key && packet.track == Track::Audio));
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_not_there_is_named() {
    let clock = MediaClock::new().unwrap();

    let error = open_camera(&clock, &profile("usb-webcam"), &camera("/dev/video99")).await.unwrap_err();

    assert_eq!(error, CaptureError::NotFound { device: "/dev/video99".to_owned() });
}

#[tokio::test]
async fn a_forced_key_frame_comes_within_three_frames() {
    let clock = MediaClock::new().unwrap();
    let (pipeline, mut events) =
        open_camera(&clock, &profile("test-pattern"), &camera("auto")).await.unwrap();
    frames(&mut events, 10).await;

    pipeline.force_key_frame();

    let after = frames(&mut events, 3).await;
    assert_eq!(after.iter().filter(|frame| frame.key).count(), 1, "exactly one key frame among three");
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_lower_bitrate_is_kept_to_without_a_break() {
    let clock = MediaClock::new().unwrap();
    let settings = CameraSettings { bitrate: 2_000_000, ..camera("auto") };
    let (pipeline, mut events) = open_camera(&clock, &profile("test-pattern"), &settings).await.unwrap();
    // The last frame's time counts from its start, so its bytes do not.
    let bits_per_second = |frames: &[Frame]| {
        let (last, others) = frames.split_last().unwrap();
        let bits: usize = others.iter().map(|frame| frame.data.len() * 8).sum();
        bits as f64 / last.captured.since(others[0].captured).as_secs_f64()
    };
    frames(&mut events, 30).await;
    let before = frames(&mut events, 30).await;

    pipeline.set_encoding(Encoding {
        bitrate: 100_000,
        base_bitrate: None,
        frame_rate: 0,
        drop: true,
        halved: false,
        hold: false,
    });

    let settling = frames(&mut events, 10).await;
    let after = frames(&mut events, 20).await;
    let (before_bps, after_bps) = (bits_per_second(&before), bits_per_second(&after));
    assert!(before_bps > 500_000.0, "{before_bps} bit/s");
    assert!((70_000.0..130_000.0).contains(&after_bps), "{after_bps} bit/s for 100000 asked");
    assert!(before.iter().chain(&settling).chain(&after).all(|frame| !frame.key), "no restart");
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_bitrate_that_the_named_property_cannot_hold_leaves_the_camera_running() {
    let clock = MediaClock::new().unwrap();
    // A choice among names, a number up to 16, a switch, and nothing at all.
    for property in ["keyframe-mode", "cpu-used", "qos", "no-such-property"] {
        let mut wrong = profile("test-pattern");
        wrong.video.as_mut().unwrap().bitrate_property = property.to_owned();
        let (pipeline, mut events) = open_camera(&clock, &wrong, &camera("auto")).await.unwrap();
        next_frame(&mut events).await;

        pipeline.set_encoding(Encoding {
            bitrate: 100_000,
            base_bitrate: None,
            frame_rate: 0,
            drop: false,
            halved: false,
            hold: false,
        });

        frames(&mut events, 40).await;
        pipeline.close().await.unwrap();
    }
}

#[tokio::test]
async fn camera_and_microphone_share_one_clock_even_if_one_starts_later() {
    let clock = MediaClock::new().unwrap();
    let test = profile("test-pattern");
    let (camera_pipeline, mut pictures) = open_camera(&clock, &test, &camera("auto")).await.unwrap();
    frames(&mut pictures, 20).await;

    let opening = clock.now();
    let (mic_pipeline, mut packets) = open_mic(&clock, &test, &mic("auto")).await.unwrap();
    let packet = next_frame(&mut packets).await;
    let arrived = clock.now();

    assert!(packet.captured >= opening, "no sound from before the microphone was opened");
    assert!(packet.captured <= arrived, "no sound from the future");
    // All pictures that were made until then are in the channel; the last of them is as old as a picture lasts.
    let mut last = next_frame(&mut pictures).await;
    while let Ok(event) = pictures.try_recv() {
        if let CaptureEvent::Frame(frame) = event {
            last = frame;
        }
    }
    let apart = packet.captured.since(last.captured).max(last.captured.since(packet.captured));
    assert!(apart < Duration::from_millis(250), "{apart:?} apart");
    camera_pipeline.close().await.unwrap();
    mic_pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_consumer_that_sleeps_loses_frames_and_is_told_how_many() {
    let clock = MediaClock::new().unwrap();
    let settings = CameraSettings { fps: 60, width: 160, height: 120, ..camera("auto") };
    let (pipeline, mut events) = open_camera(&clock, &profile("test-pattern"), &settings).await.unwrap();

    let deadline = tokio::time::Instant::now() + PATIENCE;
    while pipeline.overruns() < 5 {
        assert!(tokio::time::Instant::now() < deadline, "the channel never filled");
        tokio::task::yield_now().await;
    }

    let mut before_gap = next_frame(&mut events).await;
    let lost = loop {
        match next(&mut events).await {
            CaptureEvent::Frame(frame) => before_gap = frame,
            CaptureEvent::Overrun { lost } => break lost,
            other => panic!("{other:?}"),
        }
    };
    let after_gap = next_frame(&mut events).await;
    assert_eq!(lost, pipeline.overruns());
    let gap = after_gap.captured.since(before_gap.captured).as_secs_f64() * 60.0;
    assert_eq!(gap.round() as u64, lost + 1, "the gap in time is as long as what was lost");
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn nothing_comes_out_after_a_cut() {
    let clock = MediaClock::new().unwrap();
    let (pipeline, mut events) = open_mic(&clock, &profile("test-pattern"), &mic("auto")).await.unwrap();
    next_frame(&mut events).await;

    pipeline.cut();
    let cut_at = clock.now();

    while let Ok(event) = events.try_recv() {
        if let CaptureEvent::Frame(frame) = event {
            assert!(frame.captured <= cut_at);
        }
    }
    pipeline.close().await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, events.recv()).await.unwrap(), None, "the channel has ended");
}

#[tokio::test]
async fn a_device_name_stays_a_name() {
    let clock = MediaClock::new().unwrap();
    for name in [r#"/dev/video99 ! fakesink"#, r#"/dev/"video99" num-buffers=1"#, r"/dev/back\slash\"] {
        let error = open_camera(&clock, &profile("usb-webcam"), &camera(name)).await.unwrap_err();

        assert_eq!(error, CaptureError::NotFound { device: name.to_owned() });
    }
}

#[tokio::test]
async fn a_profile_says_which_element_is_missing_and_what_is_wrong_with_it() {
    let clock = MediaClock::new().unwrap();

    let missing = open_mic(&clock, &mic_profile("nosuchsrc"), &mic("auto")).await.unwrap_err();
    let wrong = open_mic(&clock, &mic_profile("audiotestsrc wave=cube"), &mic("auto")).await.unwrap_err();

    let expected = CaptureError::MissingElement {
        profile: "custom".to_owned(),
        element: "nosuchsrc".to_owned(),
        package: "gstreamer1.0-plugins-bad",
    };
    assert_eq!(missing, expected);
    assert!(matches!(wrong, CaptureError::BadProfile { .. }), "{wrong}");
}

#[tokio::test]
async fn the_doctor_sees_the_test_picture_and_hears_the_tone() {
    let test = profile("test-pattern");

    probe::profile_builds(&test).unwrap();
    let seen = probe::camera(&test, &camera("auto"), PATIENCE).await.unwrap();
    let heard = probe::mic(&test, &mic("auto"), PATIENCE).await.unwrap();

    assert_eq!((seen.width, seen.height, seen.fps), (320, 240, 30));
    // A sine at 0.2 of full scale: 20·log10(0.2 / √2) dB.
    assert!((heard.rms_dbfs + 17.0).abs() < 0.1, "{} dBFS", heard.rms_dbfs);
}

#[test]
fn the_black_picture_is_one_small_key_frame_of_the_right_size() {
    let format = VideoFormat { codec: VideoCodec::Vp8, width: 640, height: 480, fps: 30 };

    let frame = still::black_key_frame(format, &profile("test-pattern")).unwrap();

    // RFC 6386 §9.1: bit 0 clear = key frame; start code; 14 bits of width and of height.
    assert_eq!(frame[0] & 1, 0);
    assert_eq!(frame[3..10], [0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01]);
    assert!(frame.len() < 1000, "{} bytes", frame.len());
}

/// A file of one second: 30 pictures, or a tone.
fn one_second_file(dir: &std::path::Path, name: &str, launch: &str) -> String {
    let path = dir.join(name);
    let line = format!("{launch} ! filesink location=\"{}\"", path.display());
    let pipeline = gst::parse::launch(&line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = pipeline.bus().unwrap().timed_pop_filtered(
        gst::ClockTime::from_seconds(PATIENCE.as_secs()),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_video_file_of_one_second_plays_on_and_on_in_real_time() {
    let clock = MediaClock::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = one_second_file(
        dir.path(),
        "film one.webm",
        "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240,framerate=30/1 ! vp8enc deadline=1 ! webmmux",
    );
    let started = std::time::Instant::now();
    let (pipeline, mut events) = open_camera(&clock, &profile("file"), &camera(&path)).await.unwrap();

    let frames = frames(&mut events, 100).await;

    let took = started.elapsed();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(6), "{took:?} for 3.3 s of film");
    for (at, pair) in frames.windows(2).enumerate() {
        let step = pair[1].captured.since(pair[0].captured);
        assert!((Duration::from_millis(33)..=Duration::from_millis(34)).contains(&step), "{at}: {step:?}");
    }
    let late = clock.now().since(frames[99].captured);
    assert!(late < Duration::from_millis(200), "the film is {late:?} behind the clock");
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_sound_file_of_one_second_plays_on_and_on_without_a_gap() {
    let clock = MediaClock::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = one_second_file(
        dir.path(),
        "tone.wav",
        "audiotestsrc num-buffers=50 samplesperbuffer=882 ! audio/x-raw,rate=44100,channels=2 ! wavenc",
    );
    let (pipeline, mut events) = open_mic(&clock, &profile("file"), &mic(&path)).await.unwrap();

    let packets = frames(&mut events, 160).await;

    for (at, pair) in packets.windows(2).enumerate() {
        let off = pair[1].captured.since(pair[0].captured).as_nanos().abs_diff(20_000_000);
        assert!(off <= 1, "packet {at} is {off} ns off the grid");
    }
    pipeline.close().await.unwrap();
}

/// A profile whose microphone is that source.
fn mic_profile(source: &str) -> Profile {
    let text = format!(
        "description = \"d\"\n[audio]\nsource = \"{source} ! audio/x-raw,rate=48000,channels=1\"\n\
         encoder = \"opusenc name=encoder\"\nbitrate_property = \"bitrate\"\n"
    );
    Profile::parse("custom", &text).unwrap()
}

#[tokio::test]
async fn a_source_that_fails_while_running_says_so_last_even_if_nobody_listens_at_first() {
    let clock = MediaClock::new().unwrap();
    // Not live: a hundred packets come at once, three times what the channel holds, and then the end.
    let flood = mic_profile("audiotestsrc samplesperbuffer=960 num-buffers=100");
    let (pipeline, mut events) = open_mic(&clock, &flood, &mic("auto")).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while pipeline.overruns() < 60 {
        assert!(tokio::time::Instant::now() < deadline, "the channel never filled");
        tokio::task::yield_now().await;
    }

    let mut seen = Vec::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap() {
        seen.push(event);
    }

    let ended = CaptureError::Ended { device: "profile custom".to_owned() };
    assert_eq!(seen.pop(), Some(CaptureEvent::Failed(ended)));
    assert!(seen.iter().all(|event| !matches!(event, CaptureEvent::Failed(_))));
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_device_that_hangs_while_opening_hangs_nobody_else() {
    let clock = MediaClock::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    // Opening a pipe that nobody writes to blocks, like a driver whose camera does not answer.
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let device = fifo.to_str().unwrap().to_owned();

    let file = profile("file");
    let settings = mic(&device);
    let open = open_mic(&clock, &file, &settings);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    tokio::pin!(open);
    let mut ticked = 0;
    let error = loop {
        tokio::select! {
            result = &mut open => break result.unwrap_err(),
            _ = ticks.tick() => ticked += 1,
        }
    };

    assert_eq!(error, CaptureError::OpenTimeout { device, after: OPEN_TIMEOUT });
    assert!(ticked > 100, "the runtime went on: {ticked} ticks of 10 ms");
    // A writer that comes and goes lets the thread out of its system call.
    std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
}

#[tokio::test]
async fn a_device_that_opens_and_delivers_nothing_is_told_from_one_that_hangs() {
    let clock = MediaClock::new().unwrap();
    let mute = mic_profile("appsrc is-live=true format=time");

    let error = open_mic(&clock, &mute, &mic("auto")).await.unwrap_err();

    let device = "profile custom".to_owned();
    assert_eq!(error, CaptureError::NoFrame { device, after: OPEN_TIMEOUT });
}

#[tokio::test]
async fn a_file_without_pictures_is_no_camera() {
    let clock = MediaClock::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sound = one_second_file(dir.path(), "tone.wav", "audiotestsrc num-buffers=50 ! wavenc");
    let text = dir.path().join("letter.txt");
    std::fs::write(&text, "Dear camera,").unwrap();

    for path in [sound.as_str(), text.to_str().unwrap()] {
        let error = open_camera(&clock, &profile("file"), &camera(path)).await.unwrap_err();
        assert_eq!(error, CaptureError::Unplayable { device: path.to_owned(), track: Track::Video });
    }
    let error = open_camera(&clock, &profile("file"), &camera("auto")).await.unwrap_err();
    assert_eq!(error, CaptureError::DeviceRequired { profile: "file".to_owned(), key: "camera" });
}

#[test]
fn every_profile_builds_or_names_the_package_to_install() {
    for name in Profiles::usual(None).names() {
        match probe::profile_builds(&profile(&name)) {
            Ok(()) => {}
            Err(CaptureError::MissingElement { element, package, .. }) => {
                let missing = (name.as_str(), element.as_str(), package);
                assert_eq!(missing, ("pi-camera", "libcamerasrc", "gstreamer1.0-libcamera"));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn listing_devices_works_where_there_are_none() {
    let devices = devices::list().unwrap();

    let text = devices.to_string();
    assert!(text.starts_with("Cameras\n") && text.contains("\nMicrophones\n"), "{text}");
}
